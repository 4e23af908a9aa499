/* SPDX-License-Identifier: MIT */
#ifndef IC_PULL_H
#define IC_PULL_H

#include <stdbool.h>

#include "inference/extensions.h"

/*
 * pull: one generation as an iterator, inf.stream/1 over any function that generates.
 *
 * The generation runs on a thread of its own, which blocks all signals, and its tokens wait in a queue of bounded size until
 * they are asked for. The functions are those of inf_streams, which says what they do, for its table; `self` may be NULL. In a forked child
 * the iterator is dead: nothing of it is touched, and what returns a status returns INF_E_INVALID.
 */
enum {
	IC_PULL_WAITING_MAX = 1 << 20,	/* bytes of tokens that wait, with what it takes to keep each; a larger one waits alone */
	IC_PULL_FULL = IC_PULL_WAITING_MAX - (64 << 10),	/* where it is full for who does not wait: some tokens are on their way */
	IC_PULL_POLL_MS = 40,		/* between two questions to stopped() */
	IC_PULL_STACK = 512 * 1024,	/* of the thread; the host's log callback may run on it */
};

struct ic_pull_job {
	/* In open(), before there is a thread: from now on the generation is in flight. stream: `user` of the parameters that
	 * run() will be given; request_id lives as long as the stream, NULL = none. */
	inf_status (*begin)(void *user, void *stream, const char *request_id, inf_error *err);
	/* Once, on the thread: generate() or chat(). */
	inf_status (*run)(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
			  inf_error *err);
	/* While the generation stands still in its on_token, because nobody fetches: INF_OK, or what it shall end with. The
	 * callbacks of a call that stands still are not asked, so who else can stop it says so here. */
	inf_status (*stopped)(void *user, const void *stream);
	/* NULL, or the tokens come on a thread that must not wait: then on_token never does, and what it took is seen from
	 * ic_pull_taken() on, which says whether more may come. If not, room(), on the thread that fetches and with a lock held,
	 * says when to ask again. */
	void (*room)(void *user);
	void *user;
};

/* After INF_OK the job runs; after anything else it never will. */
inf_status ic_pull_open(inf_stream **out, const inf_input *input, const inf_gen_params *params,
			const struct ic_pull_job *job, inf_error *err);
/* stream: `user` of the parameters. Those are all tokens for now. True: there should be no more. [any thread] */
bool ic_pull_taken(void *stream);
/* From run(): no more will come. After it room() is not called. */
void ic_pull_last(void *stream);
inf_status INF_CALL ic_pull_next(inf_stream *self, int32_t timeout_ms, int32_t *event, const inf_token **token, inf_error *err);
int32_t INF_CALL ic_pull_descriptor(inf_stream *self);		/* -1 if there is none for this process */
inf_status INF_CALL ic_pull_result(inf_stream *self, inf_gen_result *out, inf_error *err);
void INF_CALL ic_pull_cancel(inf_stream *self);
void INF_CALL ic_pull_close(inf_stream *self);

#endif
