/* SPDX-License-Identifier: MIT */
#ifndef GR_RESTART_H
#define GR_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/*
 * restart: may a server that ended be started again, and when? Pure: the clock is handed in.
 *
 * The first time at once, then after 1, 2, 4... seconds. A request that the server completed takes that back. It is given
 * up when the server ends for the same reason, or for any, too often without having completed a request in between, and it
 * is delayed where it ends often although it works in between.
 */
enum {
	GR_RESTART_SAME_MAX = 3,	/* ends in a row for the same reason */
	GR_RESTART_ROW_MAX = 6,		/* ends in a row for any */
	GR_RESTART_FIRST_MS = 1000,	/* before the second start in a row; then twice as long each time */
	GR_RESTART_BUDGET = 10,		/* starts at hand */
	GR_RESTART_EARN_MS = 60000,	/* in which one is earned back */
};

/* Zeroed at first. */
struct gr_restart {
	char reason[32];		/* of the last end */
	uint32_t row, same;		/* ends without a completed request in between; of them, for the last reason */
	int64_t ended_ms;		/* the last end */
	int64_t spent_ms;		/* the budget is a debt of time: each start adds, the clock takes away */
};

/* The server ended, or did not start, with this reason. */
void gr_restart_ended(struct gr_restart *self, int64_t now_ms, const char *reason);
/* Never again. */
void gr_restart_give_up(struct gr_restart *self);
/* It completed a request. */
void gr_restart_worked(struct gr_restart *self);
/* Milliseconds until it may be started; 0 = now, -1 = given up. */
int64_t gr_restart_wait_ms(const struct gr_restart *self, int64_t now_ms);

#endif
