/* SPDX-License-Identifier: MIT */
#ifndef GR_GPU_MASK_H
#define GR_GPU_MASK_H

#include "amdgpu.h"

/*
 * gpu_mask: what the user's own variables leave visible, as the ROCm runtime itself would read them. Pure.
 *
 * ROCR_VISIBLE_DEVICES comes first: set but empty hides everything, a token is a number (base 0 of strtol) or a UUID
 * that may be shortened, and the first one that is unknown, ambiguous or repeated ends the list. HIP_VISIBLE_DEVICES
 * counts within what is left: empty is as if it were not set, a token is a plain decimal number or a UUID, and a
 * bad one ends the list. CUDA_VISIBLE_DEVICES stands in for it where that is not set, unless the machine has an NVIDIA
 * driver that it was meant for.
 */
enum { GR_GPU_VISIBLE_MAX = GR_AMDGPU_GPUS_MAX };

struct gr_gpu_mask {
	size_t gpus[GR_GPU_VISIBLE_MAX];	/* indices into scan->gpus, in the order of the variables */
	size_t count;
	const char *variable;			/* the last one that took something away; NULL = none */
	const char *value;			/* its value, borrowed from env */
};

void gr_gpu_mask(struct gr_gpu_mask *out, const struct gr_amdgpu_scan *scan, char *const *env);

/* "GPU-" and 16 lower-case hexadecimal digits. */
enum { GR_GPU_UUID_MAX = 21 };
void gr_gpu_uuid(const struct gr_amdgpu_gpu *gpu, char out[GR_GPU_UUID_MAX]);

#endif
