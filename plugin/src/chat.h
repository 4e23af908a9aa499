/* SPDX-License-Identifier: MIT */
#ifndef GR_CHAT_H
#define GR_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "inference/plugin.h"

#include "buf.h"
#include "wire.h"

/*
 * chat: keep the text of messages apart from the text of the template. Pure.
 *
 * A template is text, and so is a message: once they are joined, "<|end|>" typed by a user looks like the template's own.
 * So the template is rendered with a marker in place of each content, and the result is cut at the markers: the
 * pieces that are the template's may hold special tokens, the contents between them may not.
 *
 * A marker is random, so no message can hold it, and keeps the white space at the ends of its content, so that a
 * template that trims does what it always does. An empty content needs no marker.
 */
enum {
	GR_CHAT_NONCE = 24,		/* characters of the random part, NUL not counted */
	GR_CHAT_MESSAGES_MAX = 4096,
};

/* One content, as the template shall see it. Appended to out; nonce: GR_CHAT_NONCE letters and digits. */
inf_status gr_chat_mark(struct gr_buf *out, const char *nonce, size_t index, const struct gr_wire_message *message);

struct gr_chat_piece {
	const char *text;		/* in rendered, or in the message */
	size_t len;
	bool content;
};

/*
 * Cut the rendered template. pieces has room for 2 * count + 1. *out_count pieces are written. False when a marker is
 * missing, altered, repeated or out of order.
 */
bool gr_chat_split(const char *rendered, size_t len, const char *nonce, const struct gr_wire_message *messages,
		   size_t count, struct gr_chat_piece *pieces, size_t *out_count);
/* The index of the first message with content whose marker is not in rendered, count if there is none. */
size_t gr_chat_missing(const char *rendered, size_t len, const char *nonce, const struct gr_wire_message *messages,
		       size_t count);

/*
 * Media. Each is a marker of its own before the text of its message, and the rendered template tells where they have
 * gone: the server takes one marker for all, and the files in the order of the text.
 *
 * Append to out the markers of count media, of which the first is number first in the call.
 */
inf_status gr_chat_mark_media(struct gr_buf *out, const char *nonce, size_t first, size_t count);
/*
 * Write the rendered template to out with the server's marker in place of each, and into order[] the numbers of the media
 * as they follow each other. INF_E_UNSUPPORTED when the template left one out or repeated it; INF_E_NO_MEMORY,
 * INF_E_INTERNAL as gr_buf_append().
 */
inf_status gr_chat_place_media(struct gr_buf *out, const char *rendered, size_t len, const char *nonce,
			       const char *marker, size_t *order, size_t count);

#endif
