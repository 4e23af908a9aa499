/* SPDX-License-Identifier: MIT */
#ifndef GR_PROCID_H
#define GR_PROCID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * procid: which process a number meant.
 *
 * A pid means something within one boot and one pid namespace, and there only together with the time when the process
 * started: with these it names one process for ever, also on disk, also when somebody else has the number by now.
 */
enum { GR_PROCID_BOOT = 40, GR_PROCID_STAT = 1024, GR_PROCID_KILL_MS = 500 };

struct gr_procid {
	char boot[GR_PROCID_BOOT];	/* the kernel's boot_id */
	uint64_t pid_namespace;		/* inode */
	pid_t pid;
	uint64_t start_ticks;		/* since boot, as in /proc/PID/stat */
};

/* Of a process of this namespace that exists, a zombie too. False when there is none, or no /proc. */
bool gr_procid_of(struct gr_procid *out, pid_t pid);
/* It was seen in this boot and namespace: only then its pid means anything here. */
bool gr_procid_here(const struct gr_procid *self);
/* Of one that is here: it has ended, reaped or not, whoever has its pid now. */
bool gr_procid_gone(const struct gr_procid *self);
/* Kill it with SIGKILL and wait at most GR_PROCID_KILL_MS for its end. False, and nothing is sent, when it is not here,
 * not there any more, of another user, this process or init. */
bool gr_procid_kill(const struct gr_procid *self);

/* Text of /proc/PID/stat into buf; returns where the fields after the name begin ("S 1 ..."), NULL if unreadable. */
const char *gr_procid_stat(pid_t pid, char buf[GR_PROCID_STAT]);

#endif
