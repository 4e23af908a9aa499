/* SPDX-License-Identifier: MIT */
#ifndef IH_PROBE_H
#define IH_PROBE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "inference/host.h"

#include "log.h"
#include "pathtrust.h"
#include "probe_report.h"

/*
 * probe: a look at plugin files from another process, before anything of them runs in ours.
 *
 * The only place of libinference that starts a process: the program inf-probe, once for all files, in a group of its
 * own, with nothing but a pipe to answer through. It is waited for by its own pid, killed at the deadline, and gone when
 * ih_probe_run() returns.
 */
enum {
	IH_PROBE_TIMEOUT_MS = 5000,	/* for one file, kept by inf-probe */
	IH_PROBE_AT_ONCE = 8,		/* files that inf-probe looks at side by side */
	IH_PROBE_GRACE_MS = 3000,	/* for inf-probe itself, on top of what its files may take */
	IH_PROBE_FILES_MAX = 64,	/* in one run */
};

struct ih_probe {
	char program[PATH_MAX];		/* "" = there is none */
	char *const *env;		/* borrowed: the host's, which the plugins will find, too */
};

struct ih_probe_places {	/* borrowed; NULL is "not set" */
	const char *named;	/* $INF_PROBE: this one or none */
	const char *beside;	/* by the directory of the library */
	const char *installed;	/* as configured */
};

/* The first place that has one. One that others could change is not used. Says once in the log why there is none. */
void ih_probe_find(struct ih_probe *out, const struct ih_probe_places *places, const struct ic_owners *owners,
		   const struct ih_log *log);

/*
 * out[i] becomes the report for files[i], count <= IH_PROBE_FILES_MAX: a file that inf-probe did not answer for, because
 * it was killed, is INF_STATE_CRASHED. False, and *out is not to be read, where inf-probe cannot run here; the log says so.
 */
bool ih_probe_run(const struct ih_probe *self, const char *const *files, size_t count, struct ih_report *out,
		  const struct ih_log *log);

#endif
