/* SPDX-License-Identifier: MIT */
#ifndef IC_PATHTRUST_H
#define IC_PATHTRUST_H

#include <stddef.h>
#include <sys/types.h>

#include "inference/plugin.h"

/*
 * pathtrust: who else could change what a path leads to?
 *
 * Whoever can write to a program or a plugin, put another one in its place, or move a directory above it away, runs code
 * as the user of the host. So the file, every directory of its path, every link on the way and every directory that those
 * lead through have to belong to root or to that user, and nobody else may write to them. A directory of root's that is
 * sticky, as /tmp, is accepted above: what we own in it others cannot move. It is refused as the directory that holds
 * the file, or a link to it, itself: there everybody can put one. The group of the same number as the user, which
 * distributions make for each user, counts as that user: with their umask of 002 all that a user makes is group-writable.
 *
 * Looks with lstat() and readlink() only: nothing is opened.
 */
enum {
	IC_OWNERS_MAX = 3,
	IC_PATHTRUST_LINKS_MAX = 40,	/* as the kernel's own */
};

struct ic_owners {		/* whom we trust */
	uid_t uid[IC_OWNERS_MAX];
	size_t count;
};

/*
 * Root, the effective user and, when root works for somebody through sudo, that user: sudo_uid is the text of $SUDO_UID
 * or NULL. Anything but a decimal number in it counts as NULL.
 */
struct ic_owners ic_owners_of(uid_t euid, const char *sudo_uid);

/*
 * INF_OK; else INF_E_UNAVAILABLE and *why (may be NULL) with reason "owner" or "mode"; "lookup" where a part of the path
 * cannot be looked at, with os_errno; "path" where it is not absolute, too long, or links lead too far.
 */
inf_status ic_pathtrust_check(const char *path, const struct ic_owners *owners, inf_error *why);

#endif
