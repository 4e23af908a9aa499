/* SPDX-License-Identifier: MIT */
#ifndef IH_DISCOVER_H
#define IH_DISCOVER_H

#include <stddef.h>

#include "inference/host.h"

#include "log.h"

/*
 * discover: search path -> candidate files, in the order in which they count.
 *
 * A candidate is a directory entry that the shell's *.so would match: what it is and whether it may be loaded is for
 * trust and loader to say. Nothing is opened but the directories. The environment comes in as a struct, so that the
 * search path follows from the arguments alone.
 *
 * A directory that the host gave is the host's word and has to be absolute. What the environment says is the user's:
 * a component that cannot be used is reported and the search goes on.
 */
enum {
	IH_DISCOVER_DIRS_MAX = 64,	/* directories in the search path */
	IH_DISCOVER_FILES_MAX = 256,	/* *.so files in one directory; with more it is no plugin directory */
	IH_DISCOVER_PATH_MAX = 4096,	/* bytes of a path with its NUL */
};

struct ih_search {		/* all borrowed; a NULL string is "not set" */
	const char *const *dirs;	/* given by the host, searched first */
	size_t dir_count;
	const char *plugin_path;	/* $INF_PLUGIN_PATH */
	const char *xdg_data_home;	/* $XDG_DATA_HOME */
	const char *home;		/* $HOME */
	const char *installed;		/* where the library's own package puts plugins */
};

struct ih_paths {
	char **items;		/* owned, as are the strings; absolute */
	size_t count;
	size_t cap;
};

#define IH_PATHS_INIT { NULL, 0, 0 }

void ih_paths_release(struct ih_paths *self);	/* accepts NULL and a released list */

/*
 * Within a directory the candidates are sorted by the bytes of their names. *out is written on INF_OK only.
 * INF_OK, INF_E_INVALID (a given directory is relative or too long, or there are too many), INF_E_NO_MEMORY.
 */
inf_status ih_discover(const struct ih_search *search, const struct ih_log *log, struct ih_paths *out,
		       inf_error *err);

#endif
