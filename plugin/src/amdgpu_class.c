/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "amdgpu_part.h"

enum { MI300A = 0x74a0, SENSORS_MAX = 8 };

#define GIB (UINT64_C(1) << 30)

/* What classification looks at. */
struct signs {
	const struct gr_amdgpu_gpu *gpu;
	const struct gr_sysroot_ops *ops;
};

static const char *const integrated[] = {
	"gfx700", "gfx801", "gfx810", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1103",
	"gfx1150", "gfx1151", "gfx1152", "gfx1153", NULL,
};

static const char *const discrete[] = {
	"gfx701", "gfx702", "gfx802", "gfx803", "gfx805", "gfx900", "gfx904", "gfx906", "gfx908", "gfx90a", "gfx950",
	"gfx1010", "gfx1011", "gfx1012", "gfx1030", "gfx1031", "gfx1032", "gfx1034", "gfx1100", "gfx1101", "gfx1102",
	"gfx1200", "gfx1201", NULL,
};

static bool contains(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static bool has_file(const struct signs *self, const char *name)
{
	char path[GR_SYSROOT_PATH_MAX];
	return gr_amdgpu_file(self->gpu, name, path) && gr_sysroot_exists(self->ops, path);
}

/* ---- the rules: each says a kind, or nothing ------------------------------------------------------------------- */
static bool by_datacenter(const struct signs *self, enum gr_amdgpu_kind *out)
{
	const struct gr_amdgpu_gpu *gpu = self->gpu;
	if (strcmp(gpu->gfx, "gfx942") != 0 && strcmp(gpu->gfx, "gfx950") != 0)
		return false;
	bool no_memory_of_its_own = gpu->directory[0] && !has_file(self, "mem_info_vram_total");
	*out = !has_file(self, "board_info") && (gpu->device_id == MI300A || no_memory_of_its_own) ?
	       GR_AMDGPU_APU_DATACENTER : GR_AMDGPU_DISCRETE;
	return true;
}

/* The kernel makes the file only for a card. Its absence says nothing: older kernels never make it. */
static bool by_board_info(const struct signs *self, enum gr_amdgpu_kind *out)
{
	*out = GR_AMDGPU_DISCRETE;
	return has_file(self, "board_info");
}

static bool by_gfx(const struct signs *self, enum gr_amdgpu_kind *out)
{
	bool inside = contains(integrated, self->gpu->gfx);
	*out = inside ? GR_AMDGPU_INTEGRATED : GR_AMDGPU_DISCRETE;
	return inside || contains(discrete, self->gpu->gfx);
}

struct sensors {
	const struct signs *signs;
	int seen;
	bool northbridge;
};

static int look_at_sensor(const char *name, void *user)
{
	struct sensors *self = user;
	char file[GR_SYSROOT_PATH_MAX / 2], path[GR_SYSROOT_PATH_MAX], label[16];
	snprintf(file, sizeof file, "hwmon/%s/in1_label", name);
	if (gr_amdgpu_file(self->signs->gpu, file, path))
		self->northbridge = gr_sysroot_text(self->signs->ops, path, label, sizeof label) > 0 &&
				    strcmp(label, "vddnb") == 0;
	return self->northbridge || ++self->seen == SENSORS_MAX;
}

static bool by_northbridge(const struct signs *self, enum gr_amdgpu_kind *out)
{
	struct sensors sensors = { .signs = self };
	char path[GR_SYSROOT_PATH_MAX];
	*out = GR_AMDGPU_INTEGRATED;
	if (gr_amdgpu_file(self->gpu, "hwmon", path))
		self->ops->list_dir(self->ops->ctx, path, look_at_sensor, &sensors);
	return sensors.northbridge || has_file(self, "uma");
}

static bool by_vram_vendor(const struct signs *self, enum gr_amdgpu_kind *out)
{
	char path[GR_SYSROOT_PATH_MAX], vendor[32];
	*out = GR_AMDGPU_DISCRETE;
	return gr_amdgpu_file(self->gpu, "mem_info_vram_vendor", path) &&
	       gr_sysroot_text(self->ops, path, vendor, sizeof vendor) > 0 && strcmp(vendor, "unknown") != 0;
}

static bool total(const struct signs *self, const char *name, uint64_t *out)
{
	return gr_amdgpu_u64(self->gpu, self->ops, name, out) == 0;
}

static bool by_bank(const struct signs *self, enum gr_amdgpu_kind *out)
{
	uint64_t bank = self->gpu->bank_bytes, gtt, vram;
	*out = GR_AMDGPU_INTEGRATED;
	if (!bank || !total(self, "mem_info_gtt_total", &gtt) || bank != gtt)
		return false;
	return !total(self, "mem_info_vram_total", &vram) || bank != vram;
}

static bool by_small_vram(const struct signs *self, enum gr_amdgpu_kind *out)
{
	uint64_t gtt, vram;
	*out = GR_AMDGPU_INTEGRATED;
	return total(self, "mem_info_vram_total", &vram) && total(self, "mem_info_gtt_total", &gtt) && vram <= 4 * GIB &&
	       gtt >= 8 * GIB && gtt / 4 >= vram;
}

static bool by_nothing(const struct signs *self, enum gr_amdgpu_kind *out)
{
	(void)self;
	*out = GR_AMDGPU_DISCRETE;
	return true;
}

/* The size of the memory comes last: a small processor may have 64 GB of it, and a large one 96 GB of its own. */
static const struct {
	enum gr_amdgpu_rule rule;
	bool (*decide)(const struct signs *self, enum gr_amdgpu_kind *out);
} rules[] = {
	{ GR_AMDGPU_RULE_DATACENTER, by_datacenter },
	{ GR_AMDGPU_RULE_BOARD_INFO, by_board_info },
	{ GR_AMDGPU_RULE_GFX_TABLE, by_gfx },
	{ GR_AMDGPU_RULE_NORTHBRIDGE, by_northbridge },
	{ GR_AMDGPU_RULE_VRAM_VENDOR, by_vram_vendor },
	{ GR_AMDGPU_RULE_BANK_IS_GTT, by_bank },
	{ GR_AMDGPU_RULE_SMALL_VRAM, by_small_vram },
	{ GR_AMDGPU_RULE_NONE, by_nothing },
};

void gr_amdgpu_classify(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops)
{
	const struct signs signs = { .gpu = gpu, .ops = ops };
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (rules[i].decide(&signs, &gpu->kind)) {
			gpu->rule = rules[i].rule;
			return;
		}
	}
}

/* ---- names ----------------------------------------------------------------------------------------------------- */
const char *gr_amdgpu_kind_name(enum gr_amdgpu_kind kind)
{
	static const char *const names[] = { "discrete", "integrated", "apu-datacenter" };
	return names[kind];
}

const char *gr_amdgpu_rule_name(enum gr_amdgpu_rule rule)
{
	static const char *const names[] = {
		"", "datacenter part", "board_info", "gfx table", "northbridge rail", "memory vendor", "bank is GTT",
		"small VRAM beside a large GTT", "nothing speaks against a card",
	};
	return names[rule];
}

const char *gr_amdgpu_source_name(enum gr_amdgpu_source source)
{
	static const char *const names[] = { "nothing", "vram", "gtt", "bank" };
	return names[source];
}
