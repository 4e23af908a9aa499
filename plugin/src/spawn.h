/* SPDX-License-Identifier: MIT */
#ifndef GR_SPAWN_H
#define GR_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inference/plugin.h"

/*
 * spawn: one child process.
 *
 * The child runs in its own process group, with exactly the environment and the directory that the spec gives, stdin
 * from /dev/null, stdout and stderr in one pipe, no other descriptor, default signal dispositions, no signal
 * blocked, umask 077, and no way to gain rights through a set-user-ID file. It is created without copying the host's
 * memory, and its pid is held by a pidfd, so that nothing here can ever signal a stranger.
 *
 * The kernel kills the child with SIGKILL when the THREAD that called gr_child_start() ends, be it because the whole
 * process was killed. So start a child from a thread that lives longer than the child.
 *
 * The death signal reaches the child alone, not what it started: a wrapper script that runs the server without exec
 * would leave it behind. A keeper sees to that: a shell that leads the child's group, waits for the end of a pipe that
 * only the host holds, and kills the group. It belongs to the child and is reaped with it.
 *
 * A host that ignores SIGCHLD, or waits for any child, may take the exit status from us: the end is then still seen,
 * with an unknown status.
 */
enum {
	GR_SPAWN_STACK = 32 * 1024,	/* bytes the child may use before exec */
	GR_CHILD_WAIT_MS = 50,		/* between two questions to on_wait */
};

struct gr_child {
	pid_t pid;		/* -1 = none */
	int pidfd;		/* -1 = none */
	int out_fd;		/* read end of stdout and stderr, non-blocking; -1 = none */
	pid_t group;		/* id of its process group: its own pid, or the keeper's */
	int keeper_pidfd;	/* -1 = no keeper */
	int keeper_fd;		/* the keeper lives while this is open; nothing is ever written to it */
};

#define GR_CHILD_INIT \
	{ .pid = -1, .pidfd = -1, .out_fd = -1, .group = -1, .keeper_pidfd = -1, .keeper_fd = -1 }

struct gr_spawn {
	const char *path;	/* absolute path of the file to run */
	char *const *argv;	/* NULL-terminated, argv[0] included */
	char *const *envp;	/* NULL-terminated, the whole environment */
	const char *cwd;	/* absolute */
};

enum gr_exit_kind { GR_EXIT_NONE, GR_EXIT_CODE, GR_EXIT_SIGNAL, GR_EXIT_UNKNOWN };

struct gr_exit {
	enum gr_exit_kind kind;
	int value;		/* exit code or signal number */
};

/* What shows that a child is alive; every field only grows while it works. */
struct gr_activity {
	uint64_t cpu_ticks;	/* user and system time */
	uint64_t read_bytes;	/* bytes returned by read(), from the page cache too */
	uint64_t resident_bytes;	/* may shrink; grows while a file is being mapped in */
};

/*
 * Start a child. Returns when it has passed exec, or why it could not: INF_E_UNAVAILABLE (the file does not exist or
 * cannot be run), INF_E_NO_MEMORY, INF_E_IO (no descriptors, no processes left). *out is written on success only.
 */
inf_status gr_child_start(struct gr_child *out, const struct gr_spawn *spec, inf_error *err);
/* The same, with a keeper where a shell can be started; where not, without. */
inf_status gr_child_start_kept(struct gr_child *out, const struct gr_spawn *spec, inf_error *err);
/* Close the descriptors, end the keeper. The process must have been reaped, or be given up. Accepts an empty child. */
void gr_child_release(struct gr_child *self);

/* Send a signal to the whole process group; nothing happens when the child was reaped. */
void gr_child_signal(const struct gr_child *self, int signal);
/* Wait until the child has ended; false after timeout_ms (0 = look only). Does not reap. */
bool gr_child_ended(const struct gr_child *self, int timeout_ms);
/* Reap an ended child: kills what is left of its group first. Afterwards pid is -1. */
struct gr_exit gr_child_reap(struct gr_child *self);

/* Read /proc, of the child and of the few processes below it (it may be a wrapper); false when it cannot be read. */
bool gr_child_activity(const struct gr_child *self, struct gr_activity *out);

/*
 * Run a short-lived program to its end and collect what it prints (at most out_cap - 1 bytes, NUL-terminated, the
 * rest is thrown away). It is killed after timeout_ms, or when on_wait (may be NULL) returns anything but 0. Returns
 * INF_OK whatever its exit status was, INF_E_TIMEOUT, INF_E_CANCELLED, or what gr_child_start() returns.
 */
inf_status gr_child_run(const struct gr_spawn *spec, int timeout_ms, char *out, size_t out_cap,
			struct gr_exit *out_exit, int (*on_wait)(void *user), void *user, inf_error *err);
/* The rest of gr_child_run(), for a program that gr_child_start() started; path: for the message. With no time left it kills. */
inf_status gr_child_finish(struct gr_child *self, const char *path, int timeout_ms, char *out, size_t out_cap,
			   struct gr_exit *out_exit, int (*on_wait)(void *user), void *user, inf_error *err);

/* "exit status 1", "signal 11 (Segmentation fault)", "unknown exit status". Written to buf, returned. */
const char *gr_exit_text(const struct gr_exit *self, char *buf, size_t cap);

#endif
