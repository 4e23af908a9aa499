/* SPDX-License-Identifier: MIT */
#ifndef GR_AMDGPU_H
#define GR_AMDGPU_H

#include <stdbool.h>

#include "inference/plugin.h"

/*
 * amdgpu: what the kernel says about AMD GPUs; the only reader of /dev and /sys.
 *
 * For now: whether the compute device node is there and may be opened. Enumeration, memory and the choice of a card
 * come with the full detection. Nothing is opened, so no sleeping card is woken.
 */

/* root: "/" or the folder of a fake machine. On false, reason and message of *out say why and what to do. */
bool gr_amdgpu_usable(const char *root, inf_availability *out);

#endif
