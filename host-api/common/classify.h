/* SPDX-License-Identifier: MIT */
#ifndef IC_CLASSIFY_H
#define IC_CLASSIFY_H

#include "inference/extensions.h"

/*
 * classify: inf.classify/1 over whatever tells one token: a fanout with the contract's rules around it.
 */

/* One input. Read by ic_classify_target.classify(). */
struct ic_class_job {
	const inf_classify_params *params;	/* checked */
	const inf_input *input;
	inf_gen_params *gen;		/* a copy, with request_id, and on_poll and user that are right on this thread */
	struct ic_class_source *source;
};

struct ic_classify_target {
	/* The token after one input, on any thread, several at once: fill in an inf_class and have it told. err is never NULL. */
	inf_status (*classify)(void *model, const struct ic_class_job *job, inf_error *err);
	void *model;
	int32_t slots;			/* at least 1 */
};

/* Give the host the result; what it points to may go afterwards. */
void ic_class_tell(const struct ic_class_job *job, inf_class *result);

/* Copy and check what needs no model. INF_E_INVALID or INF_E_UNSUPPORTED. */
inf_status ic_classify_read(inf_classify_params *out, const inf_classify_params *params, inf_error *err);
/* params has been read. When an input ends with INF_E_CLOSED, so does the call. */
inf_status ic_classify_run(const struct ic_classify_target *target, const inf_input *const *inputs, size_t count,
			   const inf_classify_params *params, inf_error *err);

#endif
