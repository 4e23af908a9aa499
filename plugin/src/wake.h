/* SPDX-License-Identifier: MIT */
#ifndef GR_WAKE_H
#define GR_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * wake: did the machine sleep since the last look? Pure: the clocks are handed in. [any thread]
 *
 * CLOCK_BOOTTIME goes on while the machine sleeps, CLOCK_MONOTONIC does not.
 */
enum { GR_WAKE_SLEEP_MS = 1000 };	/* less is the time between the reading of the two clocks */

/* Zeroed, then told the clocks once. */
struct gr_wake {
	atomic_int_least64_t asleep_ms;	/* in all */
};

/* True for one caller after each sleep. */
bool gr_wake_slept(struct gr_wake *self, int64_t boottime_ms, int64_t monotonic_ms);

#endif
