/* SPDX-License-Identifier: MIT */
#ifndef INFER_NEAR_H
#define INFER_NEAR_H

#include <stddef.h>

#include "text.h"

/*
 * near: which of the known words may have been meant by an unknown one.
 *
 * A word is near when few letters differ, for how long the shorter of the two is and never more than three, when it begins with
 * what was given (--temp), or, for dotted keys, when its last part does either (path for llama-server.path). Pure.
 */
enum {
	NEAR_MAX = 3,		/* words kept */
	NEAR_WORD_MAX = 64,	/* bytes; longer ones are near to nothing */
};

struct near {
	const char *wanted;		/* borrowed, as are the words */
	const char *words[NEAR_MAX];	/* the nearest first */
	size_t distances[NEAR_MAX];
	size_t count;
};

#define NEAR_INIT(word) { .wanted = (word) }

void near_offer(struct near *self, const char *word);
/* The key is what is compared, and the word is what is kept and shown. */
void near_offer_as(struct near *self, const char *key, const char *word);

/* "did you mean PREFIXa or PREFIXb?", or otherwise when nothing is near. */
void near_explain(const struct near *self, const char *prefix, const char *otherwise, struct text *out);

#endif
