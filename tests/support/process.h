/* SPDX-License-Identifier: MIT */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * process: what this process holds, as /proc tells it, and waiting for a condition.
 *
 * A test that starts threads or children takes a census before, and compares after. A thread that was joined stays in
 * /proc for a moment, so the comparison waits for it: census_assert_restored().
 */
struct process_census {
	int threads;
	int fds;
	int children;		/* zombies too */
};

enum { PROCESS_CHILDREN_MAX = 256 };

struct process_census census_take(void);
/* If they differ, diff gets a line that says how, and what is open and running now. It may be NULL. */
bool census_equal(const struct process_census *before, const struct process_census *now, char *diff, size_t cap);
/* Fails the test unless the process holds within a short time what it held before. */
void census_assert_restored(const struct process_census *before);

/* Ask until it holds; false after timeout_ms. The condition is asked once more at the end. */
bool wait_until(bool (*condition)(void *ctx), void *ctx, int timeout_ms);
int64_t monotonic_ms(void);

/* Children of this process, zombies too. Returns how many there are, writes at most cap. */
size_t process_children(pid_t *out, size_t cap);
size_t process_children_of(pid_t parent, pid_t *out, size_t cap);
/* What /proc/PID/stat says. False when there is no such process. */
bool process_look(pid_t pid, char *out_state, pid_t *out_parent, pid_t *out_group);
/* Ended, reaped or not. For wait_until(): ctx is a pid_t *. */
bool process_gone(void *pid);

#endif
