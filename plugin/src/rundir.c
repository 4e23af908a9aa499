/* SPDX-License-Identifier: MIT */
#include "rundir.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "strv.h"

enum { WALK_FDS = 8 };

static bool make_in(struct gr_rundir *out, const char *base)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	/* A comma ends an address in the server's --host. */
	if (!base || base[0] != '/' || strchr(base, ','))
		return false;
	int n = snprintf(dir.path, sizeof dir.path, "%s/inference-XXXXXX", base);
	if (n < 0 || (size_t)n + sizeof "/server.sock" > sizeof dir.path || !mkdtemp(dir.path))
		return false;
	snprintf(dir.socket, sizeof dir.socket, "%.*s/server.sock", n, dir.path);
	snprintf(dir.home, sizeof dir.home, "%.*s/home", n, dir.path);
	if (mkdir(dir.home, 0700) != 0) {
		rmdir(dir.path);
		return false;
	}
	*out = dir;
	return true;
}

inf_status gr_rundir_make(struct gr_rundir *out, char *const *env, inf_error *err)
{
	if (make_in(out, gr_env_get(env, "XDG_RUNTIME_DIR")) || make_in(out, gr_env_get(env, "TMPDIR")) ||
	    make_in(out, "/tmp"))
		return INF_OK;
	return gr_fail_errno(err, INF_E_IO, errno, "runtime_directory",
			     "cannot make a private directory in $XDG_RUNTIME_DIR, $TMPDIR or /tmp");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

void gr_rundir_remove(struct gr_rundir *self)
{
	if (self->path[0])
		nftw(self->path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	*self = (struct gr_rundir)GR_RUNDIR_INIT;
}
