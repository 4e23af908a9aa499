/* SPDX-License-Identifier: MIT */
#ifndef GR_MODELSET_H
#define GR_MODELSET_H

#include <limits.h>

#include "inference/plugin.h"

#include "gguf.h"

/*
 * modelset: a model, in one file or in several -> its facts and what its layers hold.
 *
 * Any part stands for the whole. Blocks as modelfile does, thread-safe, keeps nothing.
 */

/* About 20 KiB: for the heap. */
struct gr_modelset {
	struct gr_gguf facts;		/* of the first part; sizes and counts of tensors are those of all parts */
	struct gr_gguf_layers layers;
	uint32_t part_count;		/* 1 = one file */
	char path[PATH_MAX];		/* of the first part, what a server is given */
};

/*
 * Fill *out, which need not be initialised; after a failure its contents are undefined. Besides the failures of
 * gr_modelfile_read(), of any part:
 *   INF_E_NOT_FOUND  "split_missing"   parts are not there; the message names them
 *   INF_E_BAD_MODEL  "split_mismatch"  a part says that it is another one, or of another model
 *   INF_E_BAD_MODEL  "split_name"      says that it is a part, but its name does not
 */
inf_status gr_modelset_read(const char *path, struct gr_modelset *out, inf_error *err);

#endif
