/* SPDX-License-Identifier: MIT */
#ifndef INFER_PROGRESS_H
#define INFER_PROGRESS_H

#include "console.h"

/*
 * progress: one line on standard error that says how far a load is, redrawn in place and erased at the end.
 *
 * Only on a terminal. It is erased with blanks, not with escape sequences, so a dumb terminal will do.
 */
struct progress {
	struct console *console;	/* borrowed; NULL shows nothing */
	const char *name;		/* of the model, borrowed */
	uint64_t bytes;			/* of its files; 0 = not known */
	int32_t stage;			/* the last one that is known */
	size_t columns;			/* drawn now */
	int64_t begun_ms;		/* 0 = nothing was shown of a load yet */
};

void progress_show(struct progress *self, const inf_progress *news);
void progress_note(struct progress *self, const char *note);	/* another line than that of a load */
void progress_erase(struct progress *self);

/* What progress_show() shows of a load that began so long ago: bar, stage, rate, seconds, name. */
void progress_describe(const struct progress *self, const inf_progress *news, int64_t elapsed_ms, struct text *line);

#endif
