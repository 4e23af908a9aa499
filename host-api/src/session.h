/* SPDX-License-Identifier: MIT */
#ifndef IH_SESSION_H
#define IH_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>

#include "registry.h"

/*
 * session: what the functions of the extensions need of the session they are called on.
 *
 * Between ih_call_enter() and ih_call_leave() the model stays. Whatever the plugin calls back asks ih_call_goes_on() before
 * and after the host's own callback: a cancelled or closing session is noticed there.
 */
struct ih_call {
	struct inf_session *session;
	struct ih_usable via;
	inf_model *model;
	unsigned long long epoch;	/* the session's, on entry */
	inf_status stop;		/* INF_OK, or why one of our callbacks said stop */
	inf_error error;		/* for the plugin to fill in */
	int32_t (INF_CALL *on_poll)(void *user);	/* the host's; NULL = none. For ih_call_poll() */

	/* Of ih_call_list(). */
	struct ih_call *next;
	const char *request_id;		/* the host's; NULL = none */
	void *user;			/* the host's */
	bool stream;			/* it makes one other, of the same user, on its thread */
	atomic_bool cancelled;		/* by its id */
};

/* INF_E_CLOSED, or INF_E_INVALID in a forked child. */
inf_status ih_call_enter(struct ih_call *self, inf_session *session, inf_error *err);
/* Returns the status that the host gets for the plugin's. The session may be gone afterwards. */
inf_status ih_call_leave(struct ih_call *self, inf_status st, inf_error *err);
/* The two halves of it, for a listed call that is over later than the function that began it. Meanwhile the session may be
 * closed; its memory stays until the call has landed. */
void ih_call_detach(struct ih_call *self);
/* When the generation is over. Returns the status that the host gets for the plugin's, which is also what the session
 * remembers, with the result; error is as long as ours. Again, it returns the same. */
inf_status ih_call_land(struct ih_call *self, inf_status st, inf_gen_result *result, inf_error *error);
/* Where a plugin writes an error: to the host, so that one newer than we are arrives whole, or to the call's own, for a host
 * that would see less. */
inf_error *ih_call_error(struct ih_call *self, inf_error *theirs);
bool ih_call_goes_on(struct ih_call *self);
/* The on_poll that a plugin gets, for a call that is listed: `call` is it, or a struct that begins with it. */
int32_t INF_CALL ih_call_poll(void *call);
/* Until it leaves, inf_session_cancel_request() finds the call by its id. One that a stream makes began when that did. */
void ih_call_list(struct ih_call *self, const char *request_id, void *user);
/* For a callback of the listed call with this `user`: INF_OK to go on, INF_E_CANCELLED or INF_E_CLOSED. */
inf_status ih_call_told(inf_session *session, const void *user);
/* A table of the model's, or NULL. INF_HAS() is the caller's. */
const void *ih_call_extension(const struct ih_call *self, const char *id);

#endif
