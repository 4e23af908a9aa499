/* SPDX-License-Identifier: MIT */
#ifndef INFER_BATCHVIEW_H
#define INFER_BATCHVIEW_H

#include "console.h"
#include "progress.h"

/* batchview: how far a batch is, counted, and shown as a line on a terminal. */
struct batchview {
	struct progress progress;	/* its console NULL = show nothing */
	size_t total;			/* lines of the input; 0 = not known */
	size_t held;			/* of them, in the output from the start */
	size_t done;			/* of them, those included */
	size_t failed;			/* of them, those of the output included */
	int64_t tokens;			/* generated here */
	int64_t begun_ns, drawn_ns;
};

int64_t batchview_now_ns(void);

/* Draw it, unless that was done just now. */
void batchview_show(struct batchview *self);
void batchview_erase(struct batchview *self);

/* "1000 lines", "1 line" */
void batchview_add_lines(struct text *out, size_t count);

/* "412 lines, 3.4 lines/s, 118 tokens/s, 3 failed", as far as there is something to say. */
void batchview_describe(const struct batchview *self, struct text *out);

#endif
