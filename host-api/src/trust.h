/* SPDX-License-Identifier: MIT */
#ifndef IH_TRUST_H
#define IH_TRUST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inference/host.h"

/*
 * trust: may this file be loaded at all?
 *
 * Whoever can write to a plugin, or put one into its directory, runs code as the user of the host. So both have to belong
 * to root or to that user and nobody else may write to them; a directory that everybody shares, as /tmp, is refused
 * although it is sticky. The file also has to be a complete shared object of this machine: dlopen() of a FIFO waits for
 * ever, and one of a file that was cut short kills the host with SIGBUS.
 *
 * Not checked yet: the ancestors of the directory, the directory that a symbolic link leads to, and what the file does
 * when it is loaded, which a child process could find out first.
 */
enum {
	IH_OWNERS_MAX = 3,
	IH_TRUST_SEGMENTS_MAX = 256,	/* program headers of a file; a compiler makes about ten */
};

struct ih_owners {		/* whom we trust */
	uid_t uid[IH_OWNERS_MAX];
	size_t count;
};

struct ih_file_id {		/* the same for two names of one file */
	dev_t dev;
	ino_t ino;
};

/*
 * Root, the effective user and, when root works for somebody through sudo, that user: sudo_uid is the text of $SUDO_UID
 * or NULL. Anything but a decimal number in it counts as NULL.
 */
struct ih_owners ih_owners_of(uid_t euid, const char *sudo_uid);

/*
 * INF_STATE_AVAILABLE: may be loaded, *id is its identity. Else INF_STATE_NOT_A_PLUGIN or INF_STATE_UNTRUSTED, and *why
 * (may be NULL) says why. Never blocks. path is absolute.
 */
int32_t ih_trust_check(const char *path, const struct ih_owners *owners, struct ih_file_id *id, inf_error *why);

#endif
