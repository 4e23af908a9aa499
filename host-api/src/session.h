/* SPDX-License-Identifier: MIT */
#ifndef IH_SESSION_H
#define IH_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "inference/host.h"

#include "registry.h"

/* session: what the files that implement a session share. */
struct inf_session {
	struct ih_usable via;		/* the registry's */
	inf_model *model;
	pid_t owner;			/* in a forked child the session is dead: its lock may be held for ever */
	atomic_ullong epoch;		/* one more for each inf_session_cancel() */
	atomic_bool closing;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t idle;		/* in_flight fell to 0 */
	size_t in_flight;
	inf_gen_result last_result;
	inf_error last_error;		/* code INF_OK when the last call succeeded, or there was none */
};

/* INF_E_CLOSED when the session is closing, INF_E_INVALID in a forked child. After INF_OK ih_session_leave(). */
inf_status ih_session_enter(struct inf_session *self, inf_error *err);
/* self may be gone afterwards. result and error are of a generate or chat that just ended, or NULL. */
void ih_session_leave(struct inf_session *self, const inf_gen_result *result, const inf_error *error);

#endif
