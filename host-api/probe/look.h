/* SPDX-License-Identifier: MIT */
#ifndef PROBE_LOOK_H
#define PROBE_LOOK_H

#include <stdint.h>
#include <sys/types.h>

#include "probe_report.h"
#include "trust.h"

/*
 * look: what happens in the child: the file is loaded, its entry called, its tables read.
 *
 * Everything of the plugin runs here. One that writes to standard output, or leaves a process of its own behind, is sound but
 * would do the same to every host, and is refused for that. The child has nothing of the prober's but the descriptor that it reports through;
 * one letter before each step that runs code of the plugin says how far it came, then one line of probe_report.h.
 */
enum {
	LOOK_CPU_SECONDS = 10,
	LOOK_FILES_MAX = 256,		/* descriptors */
	LOOK_WRITTEN_MAX = 1 << 20,	/* bytes of a file that it writes */
};

#define LOOK_LOADING 'L'
#define LOOK_ENTERING 'E'

/* Does not return. */
_Noreturn void look_at(const char *path, uint32_t file, const struct ih_note *note, int report_fd, pid_t prober);

#endif
