/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "wire_token.h"

/*
 * One event, from any bytes: what is read without json-c means what json-c makes of it. An event behind a space is left to
 * json-c.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct gr_wire_event *fast, const char *spaced, size_t len)
{
	struct gr_wire_stream *stream = gr_wire_stream_new();
	struct gr_wire_event json;
	if (!stream || gr_wire_stream_decode(stream, spaced, len, &json, NULL) != INF_OK || json.kind != GR_WIRE_TOKEN)
		abort();
	if (fast->text_len != json.text_len || memcmp(fast->text, json.text, json.text_len + 1) != 0 || fast->id != json.id ||
	    fast->predicted != json.predicted || fast->evaluated != json.evaluated || json.has_logprob || json.cached != -1)
		abort();
	gr_wire_stream_free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_PIECE_MAX), spaced = GR_BUF_INIT(SIZE_MAX / 4);
	struct gr_wire_event event = { .kind = GR_WIRE_NOTHING };
	if (gr_buf_puts(&spaced, " ") || gr_buf_append(&spaced, data, size))
		abort();
	enum gr_wire_token read = gr_wire_token_read(&text, (const char *)data, size, &event);
	if (read == GR_WIRE_TOKEN_TAKEN) {
		if (!gr_utf8_valid(event.text, event.text_len))
			abort();
		check_same(&event, spaced.data, spaced.len);
	} else if (event.kind != GR_WIRE_NOTHING || event.text) {
		abort();
	}
	gr_buf_release(&text);
	gr_buf_release(&spaced);
	return 0;
}
