/* SPDX-License-Identifier: MIT */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "conn.h"
#include "script.h"

/* fake: one run of the fake server. */
struct fake {
	struct script script;
	pthread_mutex_t lock;		/* the script's counters */
	const char *socket_path, *model_path, *key;
	int context_len, slots;
	int listen_fd;			/* -1 = does not listen */
	atomic_int streaming;		/* completions in progress */
};

/* fake_server.c */
void fake_listen(struct fake *self);
void fake_unlisten(struct fake *self);

/* act.c: do what a block says. conn NULL: there is no request. */
void act(struct fake *self, struct conn *conn, const struct block *block, long ordinal);

/* answers.c: what a good server says. */
void answer_argument(const char *argument);
void answer_default(struct fake *self, struct conn *conn);
void send_token(struct conn *conn, const char *text, size_t len);
void send_final(struct conn *conn, const char *stop_type);

#endif
