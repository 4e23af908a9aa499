/* SPDX-License-Identifier: MIT */
#ifndef GR_BACKEND_CALL_H
#define GR_BACKEND_CALL_H

#include "inference/extensions.h"

#include "backend.h"
#include "watchdog.h"

/*
 * backend_call: what every call of a host on a model has in common, whatever it asks the server for.
 *
 * A call enters the model, waits for a slot if it computes, holds the server, asks it one or several questions while the
 * host's on_poll has its say, and leaves. A question that gets no answer is judged here: the server died, hangs, or the host
 * wanted to stop. A call whose server died is made again, once, where the load allows it and nobody has seen any of it.
 */
enum {
	GR_CALL_TEXT_MAX = 16 << 20,	/* bytes of one text */
	GR_CALL_QUICK_MS = 60000,	/* for a question that computes next to nothing, to a server that does not sleep; less
					   if the load's first-token-timeout-ms is */
	GR_CALL_QUICK_BYTES = 64 << 10,	/* a larger question takes the tokenizer its time: the server is watched instead */
};

struct gr_call {
	/* The host's. */
	inf_model *model;
	int32_t (INF_CALL *on_poll)(void *user);	/* may be NULL */
	void *user;
	bool no_wait;
	inf_error *err;
	const struct gr_reading *reading;	/* of what it streams; NULL = on its own thread */

	/* Of backend_cancel.c. */
	struct gr_call *next;		/* of the model's calls in flight */
	const char *request_id;		/* the host's; NULL = none */
	atomic_bool cancelled;		/* by its id, from another thread */
	bool whole;			/* it consists of others of its id: none begins after it was cancelled */

	/* What became of it. */
	inf_status stopped;		/* INF_OK, or CANCELLED or CLOSED: it was told to stop */
	bool stuck;			/* the watchdog ended it */
	bool replayed;			/* it is the second try */
	struct gr_watchdog watchdog;
	int64_t polled_ms;		/* as in http.h */
	int64_t excused_ms;		/* of what the reader was busy with others */
	int64_t entry_ns, slot_ns;	/* 0 = not yet */
};

/* Read what the host says about the call, and enter the model; after INF_OK gr_call_leave(). params may be NULL. */
inf_status gr_call_enter(struct gr_call *self, inf_model *model, const inf_call_params *params, inf_error *err);
void gr_call_leave(struct gr_call *self);

/* Are they UTF-8 and not too large? what: what they are called in the message, before the index. */
inf_status gr_call_check_texts(const inf_text *texts, size_t count, const char *what, inf_error *err);
/* ---- backend_cancel.c ---- */
enum { GR_REQUEST_ID_MAX = 255 };

/* From now on the call is in flight; after INF_OK gr_call_unlist(). Done by gr_call_enter() and gr_call_leave(). INF_E_INVALID
 * for an id that is empty, too long or not UTF-8; NULL is none. INF_E_CANCELLED where a whole of that id was cancelled. */
inf_status gr_call_list(struct gr_call *self, const char *request_id, inf_error *err);
/* For a call that makes others with the same id, several or one after the other, those of `user` or, if that is NULL, all;
 * it is listed if it has an id, which has to live as long. Also ended by gr_call_unlist(). */
inf_status gr_call_list_whole(struct gr_call *self, inf_model *model, const char *request_id, const void *user,
			      inf_error *err);
void gr_call_unlist(struct gr_call *self);	/* one that is not in the list stays so */
/* What the call in flight with this `user` has been told meanwhile: INF_OK to go on, INF_E_CANCELLED or INF_E_CLOSED. */
inf_status gr_call_told(inf_model *model, const void *user);

struct gr_call_work {
	/* What is asked; it may run twice. */
	inf_status (*run)(struct gr_call *call, void *user);
	/* After the server died in it: is it to run again? It then starts from the beginning. NULL = yes. */
	bool (*again)(struct gr_call *call, void *user);
	void *user;
	bool computes;			/* it needs a slot */
	bool alone;			/* it needs all of them */
};

/* Wait for slot and server, and do the work. */
inf_status gr_call_run(struct gr_call *self, const struct gr_call_work *work);

/* close() or a cancel by id came meanwhile; the host is not asked. */
bool gr_call_ended_by_others(struct gr_call *self);
/* The host's say; for on_poll of http.h, user is the call. */
int gr_call_poll(void *call);
/* The same, and the watchdog's: while the server computes for this call. */
int gr_call_poll_working(void *call);
/* From now on it has so long to show life. */
void gr_call_watch(struct gr_call *self, int64_t limit_ms);

/* The call was told to stop. */
inf_status gr_call_stopped(const struct gr_call *self);
/* The watchdog ended it. got: what it had to give, "token"; option: by which name the limit can be changed. Kills the server. */
inf_status gr_call_stuck(struct gr_call *self, const char *reason, const char *got, const char *option);

enum gr_question_kind { GR_QUESTION_QUICK, GR_QUESTION_COMPUTES };

/* One request with an answer that is no stream. */
struct gr_question {
	enum gr_question_kind kind;
	const char *path;
	const struct gr_buf *body;	/* NULL = GET */
	struct gr_buf *answer;		/* emptied first; its cap is the answer's */
	/* The server's refusal as an error, for what this question can be refused for; INF_OK = not known. May be NULL. */
	inf_status (*refused)(struct gr_call *call, int code, const struct gr_buf *body, void *user);
	void *user;
};

inf_status gr_call_ask(struct gr_call *self, const struct gr_question *question);

/* An encoder can only fail for lack of memory or by its cap. */
inf_status gr_call_encode_failed(inf_status st, inf_error *err);

#endif
