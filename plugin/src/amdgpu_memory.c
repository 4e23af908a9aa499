/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "amdgpu_part.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* What a processor's own GPU leaves to everything else in the machine. */
#define HOST_RESERVE (2 * GIB)

enum { MEMINFO_MAX = 4096 };

struct reading {
	uint64_t total, used;
	bool moving, gone;
};

/* ---- one consistent reading ------------------------------------------------------------------------------------ */
static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return larger(a, b) - smaller(a, b);
}

/* Returns how many of used, total, used could be read. */
static int read_triple(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const char *kind,
		       uint64_t out[3], int *error)
{
	char used[40], total[40];
	snprintf(used, sizeof used, "mem_info_%s_used", kind);
	snprintf(total, sizeof total, "mem_info_%s_total", kind);
	const char *const names[3] = { used, total, used };
	for (int i = 0; i < 3; i++) {
		*error = gr_amdgpu_u64(gpu, ops, names[i], &out[i]);
		if (*error)
			return i;
	}
	return 3;
}

/* No lock spans two files: used is read on both sides of total, and the pair must agree. */
static int read_pool(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const char *kind,
		     struct reading *out)
{
	uint64_t now[3];
	int error = 0;
	*out = (struct reading){ 0 };
	for (int i = 0; i < GR_AMDGPU_READS_MAX; i++) {
		int good = read_triple(gpu, ops, kind, now, &error);
		if (good < 3) {
			out->gone = error == -ENODEV || (error == -ENOENT && i + good > 0);
			return error;
		}
		out->total = now[1];
		out->used = larger(now[0], now[2]);
		out->moving = out->used > out->total || distance(now[0], now[2]) > larger(64 * MIB, out->total / 128);
		if (!out->moving)
			break;
	}
	return 0;
}

/* ---- each kind of GPU ------------------------------------------------------------------------------------------ */
/* On a card the two must agree; where they do not, the runtime's number is the one that counts. */
static bool plausible(const struct gr_amdgpu_gpu *gpu, const struct reading *reading)
{
	if ((reading->used && !reading->total) || reading->total > TIB)
		return false;
	return !gpu->bank_bytes || distance(reading->total, gpu->bank_bytes) <= gpu->bank_bytes / 20;
}

static void from_bank(const struct gr_amdgpu_gpu *gpu, struct gr_amdgpu_memory *out)
{
	out->total_bytes = gpu->bank_bytes;
	out->total_from = gpu->bank_bytes ? GR_AMDGPU_FROM_BANK : GR_AMDGPU_FROM_NOTHING;
}

static void take_used(struct gr_amdgpu_memory *out, const struct reading *reading, enum gr_amdgpu_source source)
{
	out->used_bytes = smaller(reading->used, out->total_bytes);
	out->used_from = source;
	out->moving = reading->moving;
}

static void read_card(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, struct gr_amdgpu_memory *out)
{
	struct reading vram;
	int error = read_pool(gpu, ops, "vram", &vram);
	from_bank(gpu, out);
	out->stale = vram.gone;
	if (error)
		return;
	if (plausible(gpu, &vram)) {
		out->total_bytes = vram.total;
		out->total_from = GR_AMDGPU_FROM_VRAM;
	}
	take_used(out, &vram, GR_AMDGPU_FROM_VRAM);
}

/* A processor's GPU: its mem_info_vram_total is the part of memory that the firmware set aside, which says nothing
 * about what ROCm can use. The bank does. */
static void read_apu(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, struct gr_amdgpu_memory *out)
{
	struct reading gtt, vram;
	int gtt_error = read_pool(gpu, ops, "gtt", &gtt);
	from_bank(gpu, out);
	if (gtt_error == 0 && !gpu->bank_bytes) {
		out->total_bytes = gtt.total;
		out->total_from = GR_AMDGPU_FROM_GTT;
	}
	if (gtt_error == 0 && out->total_bytes == gtt.total) {
		take_used(out, &gtt, GR_AMDGPU_FROM_GTT);
		return;
	}
	int vram_error = read_pool(gpu, ops, "vram", &vram);
	out->stale = vram.gone || gtt.gone;
	if (vram_error == 0)
		take_used(out, &vram, GR_AMDGPU_FROM_VRAM);
}

/* ---- what the host can give ------------------------------------------------------------------------------------ */
static bool host_available(const struct gr_sysroot_ops *ops, uint64_t *out)
{
	static const char key[] = "MemAvailable:";
	char text[MEMINFO_MAX];
	if (gr_sysroot_text(ops, "proc/meminfo", text, sizeof text) <= 0)
		return false;
	char *number = strstr(text, key);
	if (!number)
		return false;
	number += strlen(key);
	number += strspn(number, " ");
	number[strcspn(number, " \n")] = '\0';
	return gr_parse_u64(number, out) && !__builtin_mul_overflow(*out, 1024, out);
}

static void bound_by_host(struct gr_amdgpu_memory *out, const struct gr_sysroot_ops *ops)
{
	uint64_t available;
	if (!host_available(ops, &available))
		return;
	uint64_t most = available > HOST_RESERVE ? available - HOST_RESERVE : 0;
	out->host_limited = most < out->free_bytes;
	out->free_bytes = smaller(out->free_bytes, most);
}

void gr_amdgpu_refresh(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops)
{
	struct gr_amdgpu_memory memory = { 0 };
	bool apu = gpu->kind != GR_AMDGPU_DISCRETE;
	if (gpu->partition)
		from_bank(gpu, &memory);
	else if (apu)
		read_apu(gpu, ops, &memory);
	else
		read_card(gpu, ops, &memory);
	bool lost = gpu->memory.used_from != GR_AMDGPU_FROM_NOTHING && memory.used_from == GR_AMDGPU_FROM_NOTHING;
	if (lost) {
		gpu->memory.stale = true;
		return;
	}
	memory.free_bytes = memory.total_bytes - smaller(memory.used_bytes, memory.total_bytes);
	if (apu)
		bound_by_host(&memory, ops);
	gpu->memory = memory;
}
