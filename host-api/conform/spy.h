/* SPDX-License-Identifier: MIT */
#ifndef KIT_SPY_H
#define KIT_SPY_H

#include "conform.h"

/*
 * spy: calls of libc that a plugin may not make, seen as they are made.
 *
 * The kit's executable defines these functions itself, so the dynamic linker takes them before libc's, in the plugin and in
 * the libraries that came with it. Children of the plugin are not touched. A call counts if its return address lies in
 * an object that was loaded after spy_begin(). Not seen: system calls without libc, and tail calls.
 */
enum spy_kind {
	SPY_PROCESS = 1,	/* changes the process or ends it */
	SPY_INHERITED = 2,	/* makes a descriptor that children inherit */
	SPY_TOUCH = 4,		/* opens or starts anything at all */
	SPY_EXIT = 8,		/* wants to run at the end of the process */
};

void spy_begin(void);
bool spy_works(void);		/* false in a build with sanitizers, which have the same wish */
void spy_clear(void);		/* forget the calls so far */
/* kit_fail() for each call of these kinds so far. Of SPY_INHERITED and SPY_EXIT only the plugin's own calls are failures, those
 * of its libraries are notes: it cannot change them, and a descriptor that stays is found by INF-182 anyway. */
void spy_tell(struct kit *kit, unsigned kinds);

#endif
