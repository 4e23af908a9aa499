/* SPDX-License-Identifier: MIT */
#ifndef GR_GPU_SELECT_H
#define GR_GPU_SELECT_H

#include "amdgpu.h"
#include "gpu_support.h"
#include "strv.h"

/*
 * gpu_select: which of the GPUs of a scan a child may use, and how it is held to them. Pure.
 *
 * The user's masks, the targets of the build and the kind of each GPU leave the candidates; the wish ranks them. The
 * result is one list for ROCR_VISIBLE_DEVICES, which the runtime applies before anything else: masks of HIP come too
 * late for a machine whose integrated GPU crashes the enumeration. No other mask may reach the child, or it would
 * filter the list once more. Ordinals in the list are good for this scan only.
 *
 * Devices that are named one by one are taken as named: masks and kinds do not matter then.
 */
enum {
	GR_GPU_PIN_MAX = GR_AMDGPU_GPUS_MAX * 21,		/* bytes of the list, NUL included */
	GR_GPU_DEVICES_MAX = GR_AMDGPU_GPUS_MAX * 8,		/* of "ROCm0,ROCm1" */
};

/* The option that names devices, for the remedies. */
#define GR_GPU_DEVICES_OPTION "rocm.device"

enum gr_gpu_policy {
	GR_GPU_AUTO,			/* the one with most free memory; several only where the need asks for it */
	GR_GPU_ALL,			/* every card that the build supports */
	GR_GPU_LISTED,
};

enum {
	GR_GPU_ALLOW_INTEGRATED = 1u << 0,	/* of any model, where there is no card */
	GR_GPU_NEVER_INTEGRATED = 1u << 1,	/* not even those that are good enough to be taken alone */
};

struct gr_gpu_wish {
	enum gr_gpu_policy policy;
	const char *list;		/* GR_GPU_LISTED: comma list of UUIDs, PCI addresses and ordinals; borrowed */
	uint64_t need_bytes;		/* GR_GPU_AUTO: take as many as have so much free memory, or the most there are */
	uint32_t flags;			/* GR_GPU_* */
};

/* Why a GPU is in the choice, or is not. */
enum gr_gpu_fate {
	GR_GPU_SELECTED,
	GR_GPU_NOT_LOOKED_AT,		/* the scan or a variable refused everything */
	GR_GPU_MASKED,			/* by a variable of the user */
	GR_GPU_UNSUPPORTED,		/* no code for it in this build */
	GR_GPU_INTEGRATED,		/* a part of the processor */
	GR_GPU_OUTRANKED,		/* others are better or enough */
	GR_GPU_NOT_LISTED,		/* the wish names others */
};

struct gr_gpu_choice {
	struct gr_refusal refusal;	/* code NULL = the choice is good */
	size_t gpus[GR_AMDGPU_GPUS_MAX];	/* indices into scan->gpus, ROCm0 first */
	size_t count;
	enum gr_gpu_fate fates[GR_AMDGPU_GPUS_MAX];	/* of each of scan->gpus */
	char gfx[GR_AMDGPU_GPUS_MAX][GR_GPU_TARGET_NAME_MAX];	/* what the runtime takes each for: overrides applied */
	uint64_t free_bytes;		/* of all chosen */
	char pin[GR_GPU_PIN_MAX];	/* value of ROCR_VISIBLE_DEVICES */
	char devices[GR_GPU_DEVICES_MAX];	/* value of --device */
};

/* "auto", "all", or a list; NULL and "" are auto. The text is borrowed. */
struct gr_gpu_wish gr_gpu_wish_of(const char *text);

/*
 * Choose. env: "NAME=value" of the host, for the masks and HSA_OVERRIDE_GFX_VERSION. Always fills *out; the refusal is
 * that of the scan, or bad_override, masked_by_env, device_unknown, gfx_unsupported or only_igpu.
 */
void gr_gpu_select(struct gr_gpu_choice *out, const struct gr_amdgpu_scan *scan, const struct gr_gpu_support *support,
		   const struct gr_gpu_wish *wish, char *const *env);

/* What the child's environment needs for the choice, added to out. Nothing else that masks devices may be in it. */
void gr_gpu_pin_env(const struct gr_gpu_choice *choice, struct gr_strv *out);

/* One line about the chosen: name, address, free of total memory. */
void gr_gpu_choice_text(const struct gr_gpu_choice *choice, const struct gr_amdgpu_scan *scan, char *out, size_t cap);
/* One line about any GPU of the scan, for logs: what it is, how that is known, and whether it was chosen or why not. */
void gr_gpu_device_text(const struct gr_gpu_choice *choice, const struct gr_amdgpu_scan *scan, size_t gpu, char *out,
			size_t cap);
const char *gr_gpu_fate_text(enum gr_gpu_fate fate);

/* What libhsakmt takes for HSA_OVERRIDE_GFX_VERSION, "10.3.0", as a name: false for anything else. */
bool gr_gpu_override_gfx(const char *value, char out[GR_GPU_TARGET_NAME_MAX]);

#endif
