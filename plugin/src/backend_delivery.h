/* SPDX-License-Identifier: MIT */
#ifndef GR_BACKEND_DELIVERY_H
#define GR_BACKEND_DELIVERY_H

#include "backend_call.h"
#include "stop.h"

/*
 * backend_delivery: what the server samples, on its way to the host.
 *
 * Events of a stream go in; chunks come out at the host's on_token, without end-of-sequence, stop tokens and stop strings.
 * Text that may become a stop string stays behind until that is known, and a token without text until the next event,
 * because it may be the end. The delivery keeps the count, and knows why it ended the stream where it did.
 *
 * Thoughts and tool calls pass beside all that: stop strings are looked for in the answer alone.
 */
enum gr_delivery_end {
	GR_DELIVERY_GOES_ON,
	GR_DELIVERY_CALLER,	/* on_token said stop */
	GR_DELIVERY_STOP,	/* a stop token or string; result->finish and stop_index say which */
	GR_DELIVERY_FAILED,	/* failure says as what */
};

struct gr_delivery {
	struct gr_call *call;
	const inf_gen_params *params;
	inf_gen_result *result;
	struct gr_stop stop;
	bool held_valid;
	inf_token held;
	bool begun;			/* the host has seen a chunk */
	bool final;			/* the final event came */
	int64_t seen;			/* tokens sampled, as far as events told */
	int64_t owed;			/* of these, in no chunk yet */
	enum gr_delivery_end end;
	inf_status failure;
	int64_t first_ns, last_ns;	/* tokens; 0 = none yet */
	int64_t now_ns;			/* when the event came, or the host returned, whichever was later */
};

/* The caller's structs must outlive it. */
inf_status gr_delivery_init(struct gr_delivery *self, struct gr_call *call, const inf_gen_params *params,
			    inf_gen_result *result);
void gr_delivery_release(struct gr_delivery *self);	/* accepts a zeroed one */

/* All of these return 0, or -1 when the stream shall not go on; then end says why. */
int gr_delivery_token(struct gr_delivery *self, const struct gr_wire_event *event);
int gr_delivery_count(struct gr_delivery *self, const struct gr_wire_event *event);	/* one that has nothing to show */
int gr_delivery_final(struct gr_delivery *self, const struct gr_wire_event *event);
int gr_delivery_fail(struct gr_delivery *self, inf_status st);

#endif
