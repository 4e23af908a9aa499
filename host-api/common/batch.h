/* SPDX-License-Identifier: MIT */
#ifndef IC_BATCH_H
#define IC_BATCH_H

#include "inference/extensions.h"

#include "fanout.h"

/*
 * batch: inf.batch/1 over whatever runs one generation: a fanout with the contract's rules around it.
 */
struct ic_batch_target {
	/* One generate() or chat(), on any thread, several at once; result and err are never NULL. With a waiter, callbacks may run
	 * within its wait(). */
	inf_status (*generate)(void *model, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
			       inf_error *err);
	void *model;
	int32_t slots;			/* at least 1 */
	const struct ic_fanout_waiter *waiter;	/* of fanout.h; NULL = none */
};

/* As inf_batch.run(). When an input ends with INF_E_CLOSED, so does the batch. */
inf_status ic_batch_run(const struct ic_batch_target *target, const inf_input *const *inputs, size_t count,
			const inf_batch_params *params, inf_error *err);

/* For generate(), and for what else is done to many inputs: *out is a copy of the input, checked. Fails with INF_E_INVALID or
 * INF_E_UNSUPPORTED. */
inf_status ic_input_read(inf_input *out, const inf_input *in, inf_error *err);
/* How many inputs are in flight at once. */
int32_t ic_batch_width(const inf_model_info *info);

/* Generation parameters of any age, with what belongs to the whole call in the place of what they say about that. */
union ic_gen_params {
	inf_gen_params known;
	unsigned char bytes[INF_STRUCT_MAX];
};

/* own: of one input; NULL = common; NULL too = all defaults. Callbacks, user and request_id are left empty. INF_E_INVALID for
 * a size that cannot be. */
inf_status ic_gen_params_read(union ic_gen_params *out, const inf_gen_params *own, const inf_gen_params *common,
			      inf_error *err);

/* The status and the error that a host gets for what a plugin returned. */
inf_status ic_status_check(inf_status st, inf_error *err);

#endif
