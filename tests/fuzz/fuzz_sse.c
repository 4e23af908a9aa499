/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sse.h"

/*
 * The events of a stream must not depend on how it is cut: fed whole, byte by byte, and in pieces whose lengths come
 * from the input itself.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int record(const struct gr_sse_event *event, void *user)
{
	struct gr_buf *seen = user;
	if (event->data[event->data_len] != '\0')
		abort();
	size_t name_len = strlen(event->name);
	if (gr_buf_append(seen, &name_len, sizeof name_len) || gr_buf_puts(seen, event->name) ||
	    gr_buf_append(seen, &event->data_len, sizeof event->data_len) ||
	    gr_buf_append(seen, event->data, event->data_len))
		abort();
	return 0;
}

static inf_status feed(const uint8_t *data, size_t size, size_t first_piece, struct gr_buf *seen)
{
	struct gr_sse sse;
	inf_status st = INF_OK;
	gr_sse_init(&sse, record, seen);
	for (size_t at = 0, piece = first_piece; at < size && st == INF_OK; at += piece) {
		if (!first_piece)
			piece = 1 + data[at] % 16;
		if (piece > size - at)
			piece = size - at;
		/* Of its own, so that a read beyond the piece is seen. */
		char *copy = malloc(piece);
		if (!copy)
			abort();
		memcpy(copy, data + at, piece);
		st = gr_sse_feed(&sse, copy, piece, NULL);
		free(copy);
	}
	gr_sse_release(&sse);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gr_buf whole = GR_BUF_INIT(SIZE_MAX / 4), pieces = GR_BUF_INIT(SIZE_MAX / 4);
	inf_status st = feed(data, size, SIZE_MAX, &whole);
	for (size_t piece = 0; piece < 2; piece++) {
		gr_buf_reset(&pieces);
		if (feed(data, size, piece, &pieces) != st || pieces.len != whole.len ||
		    memcmp(gr_buf_text(&pieces), gr_buf_text(&whole), whole.len) != 0)
			abort();
	}
	gr_buf_release(&whole);
	gr_buf_release(&pieces);
	return 0;
}
