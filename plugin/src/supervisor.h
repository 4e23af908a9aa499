/* SPDX-License-Identifier: MIT */
#ifndef GR_SUPERVISOR_H
#define GR_SUPERVISOR_H

#include "inference/plugin.h"

#include "spawn.h"

/*
 * supervisor: one child and the thread that owns it.
 *
 * The thread starts the child, so that the child's death signal hangs on it and not on a thread of the host; it drains
 * the child's output from birth into a bounded ring; it sees the end of the child and reaps it. It is the only writer of the
 * state. What the state is and what is wanted are two things: callers say what they want (ready, stop) and the thread
 * acts by the table [state][event] in supervisor_table.c.
 *
 *   STARTING -> UP -> TERM -> TERM_AGAIN -> KILL -> DEAD, or WEDGED when even SIGKILL does not end it
 *
 * A child that ends by itself goes to DEAD from anywhere, from WEDGED too. Two things never happen: a DEADLINE where
 * there is no limit, and an end of what is DEAD. The thread stays until it is stopped, and blocks all signals. All
 * functions may be called from any thread, except where said.
 */
enum {
	GR_SUPERVISOR_RING = 64 * 1024,		/* bytes of the child's output kept */
	GR_SUPERVISOR_LINE = 4 * 1024,		/* longer lines reach on_line in pieces */
	GR_SUPERVISOR_TERM_MS = 400,		/* from the first SIGTERM to the second */
	GR_SUPERVISOR_TERM_AGAIN_MS = 1600,	/* from the second SIGTERM to SIGKILL */
	GR_SUPERVISOR_KILL_MS = 5000,		/* from SIGKILL to giving the process up */
	GR_SUPERVISOR_STACK = 512 * 1024,	/* bytes of the thread's stack: the host's log callback runs on it */
};

enum gr_state {
	GR_STATE_STARTING,	/* running, not said to be ready */
	GR_STATE_UP,
	GR_STATE_TERM,		/* asked to end */
	GR_STATE_TERM_AGAIN,	/* asked again: the server can lose or misread the first SIGTERM */
	GR_STATE_KILL,
	GR_STATE_DEAD,		/* ended and reaped */
	GR_STATE_WEDGED,	/* does not end, e.g. stuck in the kernel; given up */
	GR_STATE_COUNT
};

enum gr_event { GR_EVENT_READY, GR_EVENT_STOP, GR_EVENT_LOST, GR_EVENT_ENDED, GR_EVENT_DEADLINE, GR_EVENT_COUNT };

enum gr_action { GR_ACTION_NONE, GR_ACTION_TERMINATE, GR_ACTION_KILL, GR_ACTION_REAP, GR_ACTION_GIVE_UP };

struct gr_transition {
	enum gr_state next;
	enum gr_action action;
};

/* Pure: the table, in supervisor_table.c. */
struct gr_transition gr_supervisor_transition(enum gr_state state, enum gr_event event);
/* How long a state may last before GR_EVENT_DEADLINE; 0 = for ever. */
int gr_supervisor_limit_ms(enum gr_state state);

struct gr_supervisor_spec {
	struct gr_spawn spawn;		/* borrowed until gr_supervisor_start() returns */
	/* A line of the child's output without its newline; on the supervisor's thread. May be NULL. */
	void (*on_line)(void *user, const char *line, size_t len);
	void *user;
};

struct gr_supervisor;

/* Start the thread and the child. Fails as gr_child_start() does. */
inf_status gr_supervisor_start(struct gr_supervisor **out, const struct gr_supervisor_spec *spec, inf_error *err);
/* Stop the child if it runs, end the thread, free everything. Blocks until the child is reaped or given up: at most the
 * sum of the limits above. Returns INF_OK, or INF_E_INTERNAL naming the pid of a process that could not be ended.
 * Accepts NULL. Nothing else may be in flight on it. */
inf_status gr_supervisor_stop(struct gr_supervisor *self, inf_error *err);

/* The child answers. */
void gr_supervisor_set_ready(struct gr_supervisor *self);
/* The child runs but can no longer be reached: it is killed. */
void gr_supervisor_set_lost(struct gr_supervisor *self);
enum gr_state gr_supervisor_state(struct gr_supervisor *self);
/* Wait until the state is past UP or timeout_ms is over; returns the state. */
enum gr_state gr_supervisor_wait_end(struct gr_supervisor *self, int timeout_ms);
/* How the child ended; kind NONE while it runs. */
struct gr_exit gr_supervisor_exit(struct gr_supervisor *self);
/* Copy the newest output, NUL-terminated, oldest first. Returns its length. */
size_t gr_supervisor_output(struct gr_supervisor *self, char *buf, size_t cap);
/* Bytes of output so far. */
uint64_t gr_supervisor_output_total(struct gr_supervisor *self);
/* Wait until there is more output than the known bytes, the state is past UP, or timeout_ms is over; returns the bytes of
 * output so far. */
uint64_t gr_supervisor_wait_output(struct gr_supervisor *self, uint64_t known, int timeout_ms);
bool gr_supervisor_activity(struct gr_supervisor *self, struct gr_activity *out);
pid_t gr_supervisor_pid(struct gr_supervisor *self);

#endif
