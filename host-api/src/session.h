/* SPDX-License-Identifier: MIT */
#ifndef IH_SESSION_H
#define IH_SESSION_H

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
};

/* INF_E_CLOSED, or INF_E_INVALID in a forked child. */
inf_status ih_call_enter(struct ih_call *self, inf_session *session, inf_error *err);
/* Returns the status that the host gets for the plugin's. The session may be gone afterwards. */
inf_status ih_call_leave(struct ih_call *self, inf_status st, inf_error *err);
bool ih_call_goes_on(struct ih_call *self);
/* A table of the model's, or NULL. INF_HAS() is the caller's. */
const void *ih_call_extension(const struct ih_call *self, const char *id);

#endif
