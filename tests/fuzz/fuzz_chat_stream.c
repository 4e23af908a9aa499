/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sse.h"
#include "utf8.h"
#include "wire_chat.h"

/*
 * A stream of the chat endpoint, from any bytes: what is delivered is UTF-8 and ends in a NUL, calls are whole, and nothing
 * depends on how the bytes are cut.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	struct gr_wire_stream *stream;
	struct gr_buf seen;
	inf_status status;
};

static void record(struct reader *r, const struct gr_wire_event *event)
{
	if (event->text[event->text_len] || !gr_utf8_valid(event->text, event->text_len))
		abort();
	if (event->kind == GR_WIRE_TOKEN && event->flags == INF_TOKEN_FLAG_TOOL_CALL && event->text[0] != '{')
		abort();
	int64_t numbers[] = { event->kind, event->flags, event->predicted, (int64_t)event->text_len, event->stop };
	if (gr_buf_append(&r->seen, numbers, sizeof numbers) || gr_buf_append(&r->seen, event->text, event->text_len))
		abort();
}

static int on_event(const struct gr_sse_event *sse, void *user)
{
	struct reader *r = user;
	struct gr_wire_event event;
	r->status = gr_wire_stream_decode(r->stream, sse->data, sse->data_len, &event, NULL);
	while (r->status == INF_OK) {
		record(r, &event);
		if (event.kind != GR_WIRE_TOKEN)
			return 0;
		r->status = gr_wire_stream_next(r->stream, &event, NULL);
	}
	return -1;
}

static void feed(struct reader *r, const uint8_t *data, size_t size, size_t piece)
{
	struct gr_sse sse;
	*r = (struct reader){ .stream = gr_wire_stream_new_chat(), .seen = GR_BUF_INIT(SIZE_MAX / 4) };
	if (!r->stream)
		abort();
	gr_sse_init(&sse, on_event, r);
	inf_status st = INF_OK;
	for (size_t at = 0; at < size && st == INF_OK; at += piece)
		st = gr_sse_feed(&sse, (const char *)data + at, piece < size - at ? piece : size - at, NULL);
	gr_sse_release(&sse);
	gr_wire_stream_free(r->stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader whole, pieces;
	feed(&whole, data, size, SIZE_MAX / 2);
	feed(&pieces, data, size, 3);
	if (whole.status != pieces.status || whole.seen.len != pieces.seen.len ||
	    memcmp(gr_buf_text(&whole.seen), gr_buf_text(&pieces.seen), whole.seen.len) != 0)
		abort();
	gr_buf_release(&whole.seen);
	gr_buf_release(&pieces.seen);
	return 0;
}
