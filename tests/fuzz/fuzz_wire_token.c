/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "wire_chat.h"

/*
 * Events from any bytes, one a line, of a completion and of a chat: what is read without json-c means what json-c makes of it.
 * An event behind a space is left to json-c.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct gr_wire_stream *stream_new(void);

static bool same(const struct gr_wire_event *a, const struct gr_wire_event *b)
{
	return a->kind == b->kind && a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len + 1) == 0 && a->id == b->id &&
	       a->flags == b->flags && a->has_logprob == b->has_logprob &&
	       memcmp(&a->logprob, &b->logprob, sizeof a->logprob) == 0 && a->predicted == b->predicted && a->merged == b->merged &&
	       a->evaluated == b->evaluated && a->cached == b->cached && a->stop == b->stop && a->slot == b->slot;
}

/* One event and all it says; false = that is the end of the stream. */
static bool compare(struct gr_wire_stream *fast, struct gr_wire_stream *json, const char *line, size_t len)
{
	struct gr_buf spaced = GR_BUF_INIT(SIZE_MAX / 4);
	struct gr_wire_event a, b;
	if (gr_buf_puts(&spaced, " ") || gr_buf_append(&spaced, line, len))
		abort();
	inf_status st = gr_wire_stream_decode(fast, line, len, &a, NULL);
	if (st != gr_wire_stream_decode(json, spaced.data, spaced.len, &b, NULL))
		abort();
	for (bool more = true; st == INF_OK && more;) {
		if (!same(&a, &b) || !gr_utf8_valid(a.text, a.text_len))
			abort();
		more = a.kind == GR_WIRE_TOKEN;
		st = gr_wire_stream_next(fast, &a, NULL);
		if (st != gr_wire_stream_next(json, &b, NULL))
			abort();
	}
	gr_buf_release(&spaced);
	return st == INF_OK;
}

/* It says nothing, but is no mark behind a space. */
static bool is_mark(const char *line, size_t len)
{
	return (len == 4 && memcmp(line, "null", 4) == 0) || (len == 6 && memcmp(line, "[DONE]", 6) == 0);
}

static void compare_lines(stream_new *new_stream, const char *data, size_t size)
{
	struct gr_wire_stream *fast = new_stream(), *json = new_stream();
	if (!fast || !json)
		abort();
	for (const char *line = data, *end = data + size, *next; line < end; line = next + 1) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		size_t len = (size_t)(next - line);
		if (!is_mark(line, len) && !compare(fast, json, line, len))
			break;
		if (next == end)
			break;
	}
	gr_wire_stream_free(fast);
	gr_wire_stream_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	compare_lines(gr_wire_stream_new, (const char *)data, size);
	compare_lines(gr_wire_stream_new_chat, (const char *)data, size);
	return 0;
}
