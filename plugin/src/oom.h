/* SPDX-License-Identifier: MIT */
#ifndef GR_OOM_H
#define GR_OOM_H

#include "sysroot.h"

/*
 * oom: did the kernel's out-of-memory killer act?
 *
 * The kernel counts, per control group, the processes it killed for memory: memory.events of version 2, memory.oom_control
 * of version 1. A child is born into the group of its parent, so the count of our own group is looked at, before the
 * child starts and after its end. Another process of the group may have been the victim: a count that rose makes it
 * likely, not certain. Where a container hides the path of its group, the root that the container sees is taken.
 */
struct gr_oom {
	int64_t kills;			/* -1 = not known */
	uint64_t available_bytes;	/* MemAvailable; 0 = not known */
};

#define GR_OOM_INIT { .kills = -1 }

void gr_oom_look(struct gr_oom *out, const struct gr_sysroot_ops *ops);

#endif
