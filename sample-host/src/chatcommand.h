/* SPDX-License-Identifier: MIT */
#ifndef INFER_CHATCOMMAND_H
#define INFER_CHATCOMMAND_H

#include "chat.h"
#include "editor.h"

/* chatcommand: what begins with '/' in a conversation, and how it is completed. */

/* "/reset" and "/system TEXT", but not "/etc/fstab: what is this?" */
bool chatcommand_is(const char *message);

/* EXIT_DONE when the conversation can go on, also after a failure, which was said; *leave after /quit. */
enum exit_code chatcommand_run(struct chat *self, const char *message, bool *leave, struct failure *why);

/* For editor_open(), with a chat. */
void chatcommand_complete(void *chat, const char *before, struct editor_choices *out);

#endif
