/* SPDX-License-Identifier: MIT */
#include "gpu_verify.h"

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static void mismatch(struct gr_refusal *out, const char *device, const char *what, const char *is, const char *expected)
{
	gr_refuse(out, "pin_mismatch", "%s of llama-server has %s %.24s, but %.24s was chosen", device, what, is, expected);
	gr_refusal_remedy(out, "look for a wrapper that changes ROCR_VISIBLE_DEVICES, then load again");
}

/* Within 2 %: the runtime may keep a little for itself. */
static bool same_size(uint64_t a, uint64_t b)
{
	uint64_t distance = a > b ? a - b : b - a;
	return !a || !b || distance <= b / 50;
}

static void compare(struct gr_refusal *out, const struct gr_devlog_device *said, const struct gr_amdgpu_gpu *gpu,
		    const char *gfx)
{
	char is[32], expected[32];
	/* Partitions of a card are told apart by more than an address. */
	if (said->pci[0] && !gpu->partition && strcasecmp(said->pci, gpu->pci) != 0) {
		mismatch(out, said->id, "the address", said->pci, gpu->pci);
	} else if (said->gfx[0] && gfx[0] && strcmp(said->gfx, gfx) != 0 && strcmp(said->gfx, gpu->gfx) != 0) {
		mismatch(out, said->id, "the chip", said->gfx, gfx);
	} else if (!same_size(said->total_bytes, gpu->memory.total_bytes)) {
		snprintf(is, sizeof is, "%llu MiB", (unsigned long long)(said->total_bytes / MIB));
		snprintf(expected, sizeof expected, "%llu MiB", (unsigned long long)(gpu->memory.total_bytes / MIB));
		mismatch(out, said->id, "a memory of", is, expected);
	}
}

void gr_gpu_verify(struct gr_refusal *out, const struct gr_devlog *log, const struct gr_gpu_choice *choice,
		   const struct gr_amdgpu_scan *scan)
{
	char text[32];
	*out = (struct gr_refusal){ .code = NULL };
	if (log->found >= 0 && (size_t)log->found != choice->count) {
		gr_refuse(out, "pin_mismatch", "llama-server found %d GPUs, but %zu were chosen for it", log->found,
			  choice->count);
		gr_refusal_remedy(out, "look for a wrapper that changes ROCR_VISIBLE_DEVICES, then load again");
	}
	for (size_t i = 0; i < choice->count && !out->code; i++) {
		snprintf(text, sizeof text, "ROCm%zu", i);
		const struct gr_devlog_device *said = gr_devlog_find(log, text);
		if (said)
			compare(out, said, &scan->gpus[choice->gpus[i]], choice->gfx[choice->gpus[i]]);
	}
}
