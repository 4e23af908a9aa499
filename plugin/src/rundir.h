/* SPDX-License-Identifier: MIT */
#ifndef GR_RUNDIR_H
#define GR_RUNDIR_H

#include "inference/plugin.h"

/*
 * rundir: the private directory of one server.
 *
 * Mode 0700, with a name nobody can guess, in $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp (in this order the first whose
 * path leaves room for a socket and holds no comma). It is the server's working directory and holds its socket and its empty home.
 */
enum { GR_RUNDIR_PATH = 108 };		/* sun_path: a longer socket path cannot be bound */

struct gr_rundir {
	char path[GR_RUNDIR_PATH];	/* "" = none */
	char socket[GR_RUNDIR_PATH];
	char home[GR_RUNDIR_PATH];
};

#define GR_RUNDIR_INIT { "", "", "" }

/* env: "NAME=value", the host's. INF_E_IO when no directory can be made. */
inf_status gr_rundir_make(struct gr_rundir *out, char *const *env, inf_error *err);
/* Remove the directory and all in it; links are removed, not followed. Accepts an empty one. */
void gr_rundir_remove(struct gr_rundir *self);

#endif
