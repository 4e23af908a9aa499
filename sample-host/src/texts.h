/* SPDX-License-Identifier: MIT */
#ifndef INFER_TEXTS_H
#define INFER_TEXTS_H

#include "options.h"
#include "text.h"

/* texts: several texts, each one for itself: the arguments, or the lines of the file of -f or of standard input. */
struct texts {
	inf_text *items;		/* owned; what they point to is the command line's, or lines' */
	size_t count;
	struct text lines;
};

void texts_release(struct texts *self);	/* accepts NULL and one that was never read */

/* EXIT_DONE; EXIT_USAGE where there is none; EXIT_FAILED; interrupted. */
enum exit_code texts_read(struct texts *self, const struct options *options, struct failure *why);

#endif
