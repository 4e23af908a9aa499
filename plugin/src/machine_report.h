/* SPDX-License-Identifier: MIT */
#ifndef GR_MACHINE_REPORT_H
#define GR_MACHINE_REPORT_H

#include <stddef.h>
#include <sys/types.h>

#include "finding.h"
#include "sysroot.h"

/*
 * machine_report: what every bug report needs of the machine and of the process that runs on it.
 *
 * Files come through the sysroot's operations. What only the process can say comes in as a struct. Names of people are
 * left out: neither the user's nor those of groups that are not the system's.
 */
enum { GR_MACHINE_GROUPS_MAX = 64, GR_MACHINE_SYSTEM_GID_MAX = 999 };

struct gr_machine_process {
	const char *kernel;		/* "Linux 6.1.0 x86_64" */
	const char *libc;		/* "glibc 2.36" */
	long cpus, cpus_usable;		/* online, and those this process may run on */
	uid_t uid;			/* effective */
	gid_t groups[GR_MACHINE_GROUPS_MAX];	/* the effective one and the supplementary ones */
	size_t group_count;		/* of those listed */
	bool elevated;			/* a set-user-ID program or the like: no variable counts */
};

/* Sections "system" and "process". env: "NAME=value" of the host. */
void gr_machine_report(struct gr_findings *out, const struct gr_sysroot_ops *ops, const struct gr_machine_process *process,
		       char *const *env);

#endif
