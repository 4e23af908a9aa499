/* SPDX-License-Identifier: MIT */
#ifndef INFER_RECALL_H
#define INFER_RECALL_H

#include "text.h"

/*
 * recall: what was typed in earlier conversations, for an editor to bring back.
 *
 * A file that only its owner can read, in $XDG_STATE_HOME/inference or ~/.local/state/inference. A line is an entry, with \n
 * for a newline and \\ for a backslash in it. Entries are appended as they come, so that several conversations at once lose
 * none; what has grown beyond twice the cap is cut to it when it is read. Where there is no such directory, or no room,
 * nothing is kept: nobody's conversation ends for that.
 */
enum {
	RECALL_MAX = 1000,		/* entries that are brought back */
	RECALL_ENTRY_MAX = 64 << 10,	/* bytes of one; a longer one is not kept */
	RECALL_BYTES_MAX = 8 << 20,	/* of the file; a longer one is begun anew */
};

struct recall {
	char *path;			/* owned; NULL = nothing is kept */
};

#define RECALL_INIT { NULL }

void recall_release(struct recall *self);	/* accepts NULL and a released one */

/* Find the file, and hand its entries to `each`, the oldest first. */
void recall_open(struct recall *self, void (*each)(void *user, const char *entry), void *user);
void recall_add(const struct recall *self, const char *entry);

#endif
