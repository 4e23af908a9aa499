/* SPDX-License-Identifier: MIT */
#ifndef IH_SCREEN_H
#define IH_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "inference/host.h"

#include "cache.h"
#include "log.h"
#include "probe.h"
#include "trust.h"

/*
 * screen: candidate files -> those that may be loaded, and why not the others. Nothing of any of them runs in this process.
 *
 *   trust -> the same file again? -> cache -> probe, all files at once -> cache
 */
struct ih_screened {
	const char *path;	/* borrowed */
	int32_t state;		/* INF_STATE_AVAILABLE: may be loaded */
	inf_error why;		/* why not */
	bool identified;	/* id and note are valid */
	struct ih_file_id id;
	struct ih_note note;
};

struct ih_screen {
	struct ic_owners owners;
	struct ih_probe probe;
	struct ih_cache cache;
	bool rescan;		/* verdicts are stored, not believed */
};

/* Of files[i] the path is given. INF_E_NO_MEMORY. */
inf_status ih_screen_files(const struct ih_screen *self, struct ih_screened *files, size_t count,
			   const struct ih_log *log);

#endif
