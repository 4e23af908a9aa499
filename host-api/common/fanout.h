/* SPDX-License-Identifier: MIT */
#ifndef IC_FANOUT_H
#define IC_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * fanout: many jobs on a few threads, and all they have to tell on one.
 *
 * The jobs 0, 1, ... are begun in order on threads that live as long as the call and block all signals. What a job has to
 * tell the host runs on the calling thread, one thing after the other in the order in which they came; the job waits until
 * that is done, so nothing is copied and nothing piles up. The calling thread also asks on_poll.
 *
 * Who can do for all jobs at once what each of them would wait for on its own thread, does it on the calling thread, between
 * the things it hears: its `wait` takes the place of the waiting there. What is told from within it runs at once.
 *
 * With a width of 1, with one job, and where no thread can be made, the jobs run on the calling thread; with fewer threads
 * than were wanted they run on those.
 */
enum {
	IC_FANOUT_WIDTH_MAX = 256,
	IC_FANOUT_STACK = 512 << 10,	/* of a thread; the contract promises 64 KiB to a plugin */
	IC_FANOUT_POLL_MS = 40,		/* between two questions to on_poll */
};

struct ic_fanout;

struct ic_fanout_waiter {
	/* Until wake(), and not much longer than wait_ms. ends: the jobs shall stop, see to it that they notice. */
	void (*wait)(void *user, int wait_ms, bool ends);
	void (*wake)(void *user);	/* from any thread; also one that is to come */
	void *user;
};

struct ic_fanout_work {
	size_t count;			/* jobs */
	int32_t width;			/* jobs at the same time, at least 1 */
	/* A job. Asks ic_fanout_goes_on() at least ten times a second, and ends soon when that says no. */
	void (*run)(struct ic_fanout *fanout, size_t index, void *user);
	void *user;
	/* Anything but INF_CONTINUE stops; may be NULL. */
	int32_t (INF_CALL *on_poll)(void *host);
	void *host;
	const struct ic_fanout_waiter *waiter;	/* NULL = the calling thread only hears and asks */
};

/* Returns when every job that was begun has ended: INF_OK, INF_E_CANCELLED where it was stopped, or what it failed as. */
inf_status ic_fanout_run(const struct ic_fanout_work *work, inf_error *err);

/* For jobs: have fn(arg) run on the calling thread. False: it was not, and will not, because all shall stop. */
bool ic_fanout_tell(struct ic_fanout *self, void (*fn)(void *arg), void *arg);
/* For jobs, at any rate: false when they shall stop. */
bool ic_fanout_goes_on(struct ic_fanout *self);
/* From a job, or from what it tells: no further job begins, nothing more is told. */
void ic_fanout_stop(struct ic_fanout *self);
/* The same, because of an error that is not of one job alone. The first counts. */
void ic_fanout_fail(struct ic_fanout *self, const inf_error *why);

#endif
