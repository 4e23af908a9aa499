/* SPDX-License-Identifier: MIT */
#ifndef GR_SSE_H
#define GR_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "inference/plugin.h"

#include "buf.h"

/*
 * sse: incremental parser for text/event-stream.
 *
 * Bytes go in as they arrive, in pieces of any size; whole events come out through the callback. Lines end with LF,
 * CR or CRLF. `event` and `data` count, several data lines are joined with '\n'; comments, `id`, `retry` and unknown
 * fields are passed over, and so is a byte order mark at the start. A block without a data line is no event, and
 * neither is one that the stream ends in.
 *
 * A line that arrives whole is read where it lies, and its value is copied once, to be NUL-terminated. The buffers
 * keep their memory, so that a steady stream allocates nothing. The parser keeps at most GR_SSE_LINE_MAX bytes of a
 * line and as many of an event, and never blocks. Not thread-safe: one parser, one thread.
 */
enum { GR_SSE_LINE_MAX = 1 << 20 };	/* of one line without its end, and of the data of one event */

struct gr_sse_event {
	const char *name;	/* borrowed, valid during the callback; "" if absent */
	const char *data;	/* borrowed, NUL-terminated, may contain '\n' */
	size_t data_len;
};

/* Return 0 to go on; any other value stops the feed with INF_E_CANCELLED. */
typedef int gr_sse_fn(const struct gr_sse_event *event, void *user);

/* Fields are private to sse.c; the struct is visible so that callers can embed it. */
struct gr_sse {
	gr_sse_fn *fn;
	void *user;
	struct gr_buf line;	/* of a line whose end has not arrived yet */
	struct gr_buf name, data;
	bool has_data;		/* a data line was seen, be it empty */
	bool after_cr;		/* an LF that comes next belongs to the CR before it */
	bool started;		/* past the first line, the only one that may begin with a byte order mark */
};

void gr_sse_init(struct gr_sse *self, gr_sse_fn *fn, void *user);
void gr_sse_release(struct gr_sse *self);	/* accepts NULL and a zeroed parser: it holds no fd */

/*
 * Feed len bytes. On failure the parser stays releasable and must not be fed again.
 * Returns INF_OK, INF_E_NO_MEMORY, INF_E_CANCELLED (the callback's own doing: *err is left to it), or INF_E_INTERNAL: "sse_line_too_long", "sse_event_too_long".
 */
inf_status gr_sse_feed(struct gr_sse *self, const char *bytes, size_t len, inf_error *err);

#endif
