/* SPDX-License-Identifier: MIT */
#ifndef IC_KEEP_H
#define IC_KEEP_H

#include <stdbool.h>

#include "inference/extensions.h"

/*
 * keep: an input and its parameters, in memory of our own.
 *
 * What a caller hands in dies when its call returns; a generation that goes on afterwards needs a copy of all that it points
 * to. Only what this version knows can be copied, so what is newer is refused. What is wrong with the values is left to who
 * generates.
 */
struct ic_keep_block;

struct ic_keep {
	inf_input input;		/* params is NULL */
	inf_gen_params params;
	struct ic_keep_block *blocks;	/* private */
	bool failed;			/* private: an allocation */
};

#define IC_KEEP_INIT { .blocks = NULL }

/*
 * params: NULL = those of the input, and where that has none, all defaults. Returns INF_OK, INF_E_INVALID (malformed, or both a
 * prompt and messages), INF_E_UNSUPPORTED (newer than we are), INF_E_NO_MEMORY. Whatever it returns: ic_keep_release().
 */
inf_status ic_keep_input(struct ic_keep *self, const inf_input *input, const inf_gen_params *params, inf_error *err);
void ic_keep_release(struct ic_keep *self);

#endif
