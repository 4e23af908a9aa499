/* SPDX-License-Identifier: MIT */
#ifndef INFER_CHATROOM_H
#define INFER_CHATROOM_H

#include "chat.h"

/* chatroom: how much of the context a conversation takes, and what goes when it takes too much. */
enum { CHATROOM_WARN_PERCENT = 80 };

/*
 * Before an answer: when the messages leave less than an eighth of the context for it, the oldest turns behind the system
 * message are dropped until a quarter is free, so that not every message drops one and makes the rest be evaluated again.
 * The last turn always stays. Nothing happens where the backend cannot count.
 */
void chatroom_make(struct chat *self);

/* After one: say once that the context fills up. */
void chatroom_warn(struct chat *self);

/* Tokens of the messages as they are; 0 where that is not known. */
int64_t chatroom_used(struct chat *self);

#endif
