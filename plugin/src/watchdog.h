/* SPDX-License-Identifier: MIT */
#ifndef GR_WATCHDOG_H
#define GR_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * watchdog: is a server that says nothing still at work? Pure: the clock and what the child used are handed in.
 *
 * An event of the stream (a token, a step of the prefill) is life; the server's keep-alive comments are not, because they
 * come from a thread that does not compute. Where no event comes, CPU time of the child counts as well, but not
 * for ever: a GPU that hangs may keep a thread of its driver busy.
 */
enum {
	GR_WATCHDOG_LOOK_MS = 1000,	/* between two looks at the child while there is no event */
	GR_WATCHDOG_BUSY_PERCENT = 5,	/* of one CPU: less is the keeping alive, not work */
	GR_WATCHDOG_PATIENCE = 10,	/* times the limit without an event, whatever the child does */
};

struct gr_watchdog {
	int64_t limit_ms;
	int64_t event_ms, active_ms, looked_ms;
	int64_t cpu_ms;			/* of the child, at the last look; -1 = not known yet */
};

void gr_watchdog_begin(struct gr_watchdog *self, int64_t limit_ms, int64_t now_ms);
void gr_watchdog_event(struct gr_watchdog *self, int64_t now_ms);
/* So much of the time was spent in callbacks of the host: the server had nobody to tell. */
void gr_watchdog_excuse(struct gr_watchdog *self, int64_t ms);
/* Is it time to look at the child? */
bool gr_watchdog_wants_look(const struct gr_watchdog *self, int64_t now_ms);
/* CPU time that the child has used in all its life. */
void gr_watchdog_look(struct gr_watchdog *self, int64_t now_ms, int64_t cpu_ms);
bool gr_watchdog_expired(const struct gr_watchdog *self, int64_t now_ms);

#endif
