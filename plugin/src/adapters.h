/* SPDX-License-Identifier: MIT */
#ifndef GR_ADAPTERS_H
#define GR_ADAPTERS_H

#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * adapters: which LoRA adapters a model is loaded with, and how much each of them counts. Pure.
 */
enum { GR_ADAPTERS_MAX = 16 };

struct gr_adapter {
	char *path;			/* owned; absolute, without a comma: the server takes one for the path's end */
	float scale;			/* finite */
	uint64_t digest;		/* of the file; 0 = nobody asked */
};

struct gr_adapters {
	size_t count;
	struct gr_adapter items[GR_ADAPTERS_MAX];
};

void gr_adapters_release(struct gr_adapters *self);	/* accepts NULL and a zeroed one */

/* Append one with scale 1. */
inf_status gr_adapters_add(struct gr_adapters *self, const char *path, inf_error *err);
/* Append those of "PATH[:SCALE],PATH[:SCALE]...", the value of the option adapters. What follows the last colon is the
 * scale. */
inf_status gr_adapters_parse(struct gr_adapters *self, const char *text, inf_error *err);

#endif
