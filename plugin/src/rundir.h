/* SPDX-License-Identifier: MIT */
#ifndef GR_RUNDIR_H
#define GR_RUNDIR_H

#include <sys/types.h>

#include "inference/plugin.h"

/*
 * rundir: the private directory of one server.
 *
 * Mode 0700, with a name nobody can guess, in $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp (in this order the first whose
 * path leaves room for a socket and holds no comma). It is the server's working directory and holds its socket, its
 * empty home, and the file `owner`: which process made it and which one is the server. The host holds a lock on that
 * file, so that the next host can tell what a killed one has left behind.
 */
enum {
	GR_RUNDIR_PATH = 108,			/* sun_path: a longer socket path cannot be bound */
	GR_RUNDIR_OWNER = 512,			/* bytes of an owner file that are read */
	GR_RUNDIR_DEPTH = 64,			/* directories inside each other that are removed */
	GR_RUNDIR_SWEEP_NAMES = 8192,		/* names read in one base directory */
	GR_RUNDIR_SWEEP_MS = 100,		/* no further directory is looked at after that */
};

struct gr_rundir {
	char path[GR_RUNDIR_PATH];	/* "" = none */
	char socket[GR_RUNDIR_PATH];
	char home[GR_RUNDIR_PATH];
	int owner_fd;			/* of the owner file, locked; -1 = none. Means nothing without a path */
};

#define GR_RUNDIR_INIT { .owner_fd = -1 }

struct gr_swept {
	unsigned directories, servers;	/* removed, killed */
};

/* env: "NAME=value", the host's. INF_E_IO when no directory can be made. */
inf_status gr_rundir_make(struct gr_rundir *out, char *const *env, inf_error *err);
/* Write down which process the server is, which must not have been reaped. What cannot be written is not reported: only
 * a sweep would miss it. */
void gr_rundir_record(const struct gr_rundir *self, pid_t server);
/* Remove the directory and all in it; links are removed, not followed. Accepts an empty one. */
void gr_rundir_remove(struct gr_rundir *self);

/*
 * Remove the directories of this user's hosts that are gone, and kill their servers where these still run. One is taken
 * only when nobody holds its lock, its owner file can be understood, was written in this boot and pid namespace, and
 * names a host that is gone; so never one of a host that lives, here, in another container or on another machine.
 */
struct gr_swept gr_rundir_sweep(char *const *env);

#endif
