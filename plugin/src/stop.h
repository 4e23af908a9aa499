/* SPDX-License-Identifier: MIT */
#ifndef GR_STOP_H
#define GR_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

#include "buf.h"

/*
 * stop: finds stop strings in streamed text.
 *
 * Text goes in in chunks; what comes out can be shown at once. The end of the text that may still become a stop
 * string is held back until that is decided, and a match is never delivered, not even in part. How the text is cut
 * into chunks changes nothing about what comes out in all, nor about the match.
 *
 * The match that wins is the one that is complete first in the text. Of several that end at the same byte it is the
 * longest, and of equal strings the first in the list. So of "abcd" and "bc", "abcd" in the text matches "bc" and
 * delivers "a": the matcher never has to look beyond the byte that completes a match.
 *
 * The caller has checked that the strings are UTF-8 and feeds whole code points. What comes out is then whole code
 * points too, because a match can only begin where a code point does.
 * Not thread-safe: one matcher, one thread.
 */
enum {
	GR_STOP_COUNT_MAX = 64,		/* stop strings */
	GR_STOP_LENGTH_MAX = 4096,	/* bytes of one of them */
	GR_STOP_CHUNK_MAX = 1 << 20,	/* bytes of one chunk, if there is a stop string */
};

/*
 * What may be delivered now. text is borrowed until the next call on the matcher; it is either the whole chunk that
 * was fed, not copied, or the matcher's own bytes: so text[len] is 0 if chunk[chunk_len] was.
 */
struct gr_stop_out {
	const char *text;
	size_t len;
	int32_t matched;	/* index of the stop string that is complete, -1 = none so far */
};

/* Fields are private to stop.c; the struct is visible so that callers can embed it. */
struct gr_stop {
	struct gr_stop_pattern *patterns;	/* owned, one block with all they point to; NULL = no strings */
	size_t count;
	const struct gr_stop_pattern *held;	/* the text held back is the beginning of this one */
	size_t held_len;
	int32_t matched;
	bool dormant;			/* the owner's: what is complete while it is set is text like any other */
	struct gr_buf out;
};

/*
 * Copies the strings; none may be empty. Returns INF_OK, INF_E_NO_MEMORY, or INF_E_INVALID, "stop_strings", naming
 * the string; on failure self is released. count 0 passes all text through as it is.
 */
inf_status gr_stop_init(struct gr_stop *self, const char *const *strings, size_t count, inf_error *err);
void gr_stop_release(struct gr_stop *self);	/* accepts NULL, a zeroed and a released matcher */

/*
 * Feed len bytes of text. After a match all further text is swallowed, and out->matched stays. On failure *out is
 * empty, and the matcher must not be fed again.
 * Returns INF_OK, INF_E_NO_MEMORY, or INF_E_INTERNAL, "stop_chunk_too_long".
 */
inf_status gr_stop_feed(struct gr_stop *self, const char *text, size_t len, struct gr_stop_out *out, inf_error *err);

/* The end of the text: gives what is still held back. The matcher then begins anew. Same statuses. */
inf_status gr_stop_flush(struct gr_stop *self, struct gr_stop_out *out, inf_error *err);

#endif
