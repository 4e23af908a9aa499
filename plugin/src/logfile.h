/* SPDX-License-Identifier: MIT */
#ifndef GR_LOGFILE_H
#define GR_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * logfile: a file that lines are appended to.
 *
 * A full or broken disk is no reason to stop what is logged: then lines are lost, and counted. A mistake in the path is
 * an error. The file is created for the user alone, a symbolic link is not followed, and nothing is ever truncated.
 * One thread writes.
 */
struct gr_logfile {
	int fd;			/* -1 = none */
	int error;		/* errno of the first line that was lost; 0 = none was */
	uint64_t lost;		/* lines */
};

#define GR_LOGFILE_INIT { .fd = -1 }

/* INF_E_INVALID where the path is not absolute, INF_E_IO with reason "log_file" where no file can be at the path. */
inf_status gr_logfile_open(struct gr_logfile *self, const char *path, inf_error *err);
void gr_logfile_close(struct gr_logfile *self);
/* Appends the line and a newline. */
void gr_logfile_write(struct gr_logfile *self, const char *line, size_t len);

#endif
