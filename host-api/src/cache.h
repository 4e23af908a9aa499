/* SPDX-License-Identifier: MIT */
#ifndef IH_CACHE_H
#define IH_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe_report.h"
#include "trust.h"

/*
 * cache: what looks at plugin files found, for the next host.
 *
 * $XDG_CACHE_HOME/inference/probe (~/.cache/inference/probe), one small file for each path of a plugin. A verdict holds for
 * the version of this library and as long as the file is the same in device, inode, size and time of change; what may be
 * the fault of the environment (a library that is missing, a look that took too long) for an hour at most.
 *
 * Only a directory of ours that nobody else can write to is used, and anything may lie in it: what is no verdict counts
 * as none. Without such a directory, and on any failure, there is no cache and nobody is told.
 */
enum {
	IH_CACHE_FILE_MAX = 8192 + 512,	/* bytes; a longer one is no verdict */
	IH_CACHE_EXPIRY_S = 3600,
};

struct ih_cache {
	int dir_fd;		/* -1: there is none */
};

#define IH_CACHE_INIT { -1 }

/* The values of the variables, NULL for "not set". */
void ih_cache_open(struct ih_cache *self, const char *xdg_cache_home, const char *home, uid_t euid);
void ih_cache_release(struct ih_cache *self);	/* accepts IH_CACHE_INIT */

/* now_s: seconds of the wall clock. */
bool ih_cache_find(const struct ih_cache *self, const char *path, const struct ih_file_id *id, int64_t now_s,
		   struct ih_report *out);
void ih_cache_store(const struct ih_cache *self, const char *path, const struct ih_file_id *id, int64_t now_s,
		    const struct ih_report *report);

#endif
