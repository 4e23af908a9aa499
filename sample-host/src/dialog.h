/* SPDX-License-Identifier: MIT */
#ifndef INFER_DIALOG_H
#define INFER_DIALOG_H

#include "chat.h"

/*
 * dialog: a chat from its beginning to its end: one answer where a message is given or standard input is no terminal, else a
 * conversation line by line.
 */

/* Loads a model into chat->engine, once the message is read and before anything is said. */
typedef enum exit_code dialog_load_fn(struct chat *chat, struct failure *why);

/* The chat is initialised. EXIT_*: all of them. */
enum exit_code dialog_run(struct chat *chat, dialog_load_fn *load, struct failure *why);

#endif
