/* SPDX-License-Identifier: MIT */
#ifndef GR_GPU_VERIFY_H
#define GR_GPU_VERIFY_H

#include "devlog.h"
#include "gpu_select.h"

/*
 * gpu_verify: does the server use the GPUs that were chosen for it? Pure.
 *
 * Compares what the server's log said with the choice: how many devices its runtime found, and of each the address,
 * the gfx and the size of its memory. What the log did not say is no objection: --device already made the server refuse
 * to start without its device.
 */

/* out->code is NULL or "pin_mismatch". */
void gr_gpu_verify(struct gr_refusal *out, const struct gr_devlog *log, const struct gr_gpu_choice *choice,
		   const struct gr_amdgpu_scan *scan);

#endif
