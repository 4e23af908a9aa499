/* SPDX-License-Identifier: MIT */
#ifndef INFER_COMPOSE_H
#define INFER_COMPOSE_H

#include "text.h"

/*
 * compose: lines that are typed -> messages, which may have several. A line that ends with '\' goes on with the next one; a
 * message that begins with """ goes on until a line ends with """, and nothing between means anything. Pure.
 */
struct compose {
	struct text message;
	bool in_block;			/* """ waits for its end */
	bool is_open;			/* the next line belongs to it */
	bool is_verbatim;		/* the message was a block, so it is no command */
};

#define COMPOSE_INIT(max_bytes) { .message = TEXT_INIT(max_bytes) }

void compose_release(struct compose *self);
void compose_reset(struct compose *self);	/* forgets what has come so far */

/* A line without its newline. True when the message is whole; the next line begins another one. A message that is longer
 * than its cap is whole, with message.failed. */
bool compose_line(struct compose *self, const char *line, size_t len);

#endif
