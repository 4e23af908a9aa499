/* SPDX-License-Identifier: MIT */
#ifndef INFER_CHATSET_H
#define INFER_CHATSET_H

#include "chat.h"

/*
 * chatset: what /set shows and changes: the numbers that the command line has options for, written as in plugin.h (top_k for
 * --top-k, which does as well), and the backend's options of requests.
 */

/* "" shows all, "KEY" one, "KEY VALUE" changes it, VALUE "default" forgets it. EXIT_DONE, EXIT_USAGE, EXIT_FAILED. */
enum exit_code chatset_take(struct chat *self, const char *argument, struct failure *why);

/* "on", "off", a number of tokens; "" shows it. The same. */
enum exit_code chatset_think(struct chat *self, const char *argument, struct failure *why);

/* Each key, with a newline. */
void chatset_add_keys(const struct chat *self, struct text *out);

#endif
