/* SPDX-License-Identifier: MIT */
#ifndef IH_TRUST_H
#define IH_TRUST_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "inference/host.h"

#include "note.h"
#include "pathtrust.h"

/*
 * trust: may anything of this file run at all?
 *
 * A regular file that pathtrust vouches for, a complete shared object of this machine (image), and no note that says it
 * speaks another ABI. Nothing of it runs for that, and the file is not opened before its path is trusted.
 */
struct ih_file_id {		/* dev and ino are the same for two names of one file; all of it says that it is unchanged */
	dev_t dev;
	ino_t ino;
	uint64_t size;
	struct timespec changed;
};

/*
 * INF_STATE_AVAILABLE: may be looked at further, *id is its identity and *note what it says of itself. Else
 * INF_STATE_NOT_A_PLUGIN, INF_STATE_UNTRUSTED or INF_STATE_INCOMPATIBLE, and *why (may be NULL) says why. Never blocks.
 * path is absolute.
 */
int32_t ih_trust_check(const char *path, const struct ic_owners *owners, struct ih_file_id *id, struct ih_note *note,
		       inf_error *why);

#endif
