/* SPDX-License-Identifier: MIT */
#ifndef INFER_HISTORY_H
#define INFER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "inference/plugin.h"

/* history: the messages of a conversation, as inf_session_chat() takes them. Not thread-safe. */
enum { HISTORY_MAX = 10000 };	/* messages */

struct history {
	inf_message **messages;		/* owned, each with its texts behind it */
	size_t count, cap;
};

#define HISTORY_INIT { NULL, 0, 0 }

void history_release(struct history *self);	/* accepts NULL and a released one; usable again afterwards */

/* Both copy. False without memory or room. */
bool history_add(struct history *self, const char *role, const char *text, size_t len);
bool history_copy(struct history *self, const inf_message *message);	/* all but media */

/* Give the last message media, which are borrowed. */
void history_attach(struct history *self, const inf_media *const *media, size_t count);

/* Forget `count` messages from the one at `first` on. */
void history_drop(struct history *self, size_t first, size_t count);

/* Let the last message be the first one. */
void history_move_to_front(struct history *self);

/* Forget all but the first `count` messages. */
void history_cut(struct history *self, size_t count);

#endif
