/* SPDX-License-Identifier: MIT */
#include "sse.h"

#include <string.h>

/* Where the next LF and CR are, looked for only once each: a chunk full of one of them must not cost its square. */
struct line_ends {
	const char *lf, *cr;	/* end of the chunk = there is none */
};

void gr_sse_init(struct gr_sse *self, gr_sse_fn *fn, void *user)
{
	*self = (struct gr_sse){
		.fn = fn,
		.user = user,
		.line = GR_BUF_INIT(GR_SSE_LINE_MAX),
		.name = GR_BUF_INIT(GR_SSE_LINE_MAX),
		.data = GR_BUF_INIT(GR_SSE_LINE_MAX),
	};
}

void gr_sse_release(struct gr_sse *self)
{
	if (!self)
		return;
	gr_buf_release(&self->line);
	gr_buf_release(&self->name);
	gr_buf_release(&self->data);
}

static inf_status append_failed(inf_status st, const char *reason, const char *what, inf_error *err)
{
	if (st == INF_E_NO_MEMORY)
		return inf_fail(err, st, "", "event stream: out of memory");
	return inf_fail(err, st, reason, "event stream: %s is longer than %d bytes", what, GR_SSE_LINE_MAX);
}

static inf_status append_line(struct gr_sse *self, const char *bytes, size_t len, inf_error *err)
{
	inf_status st = gr_buf_append(&self->line, bytes, len);
	return st == INF_OK ? st : append_failed(st, "sse_line_too_long", "a line", err);
}

static inf_status append_data(struct gr_sse *self, const char *value, size_t len, inf_error *err)
{
	inf_status st = self->has_data ? gr_buf_append(&self->data, "\n", 1) : INF_OK;
	if (st == INF_OK)
		st = gr_buf_append(&self->data, value, len);
	if (st != INF_OK)
		return append_failed(st, "sse_event_too_long", "an event", err);
	self->has_data = true;
	return INF_OK;
}

static inf_status set_name(struct gr_sse *self, const char *value, size_t len, inf_error *err)
{
	gr_buf_reset(&self->name);
	inf_status st = gr_buf_append(&self->name, value, len);
	return st == INF_OK ? st : append_failed(st, "sse_line_too_long", "a line", err);
}

static inf_status dispatch(struct gr_sse *self)
{
	int stop = 0;
	if (self->has_data) {
		struct gr_sse_event event = {
			.name = gr_buf_text(&self->name),
			.data = gr_buf_text(&self->data),
			.data_len = self->data.len,
		};
		stop = self->fn(&event, self->user);
	}
	gr_buf_reset(&self->name);
	gr_buf_reset(&self->data);
	self->has_data = false;
	return stop ? INF_E_CANCELLED : INF_OK;
}

static inf_status take_field(struct gr_sse *self, const char *line, size_t len, inf_error *err)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);
	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 4 && !memcmp(line, "data", 4))
		return append_data(self, value, value_len, err);
	if (name_len == 5 && !memcmp(line, "event", 5))
		return set_name(self, value, value_len, err);
	return INF_OK;
}

static inf_status take_line(struct gr_sse *self, const char *line, size_t len, inf_error *err)
{
	if (len > GR_SSE_LINE_MAX)
		return append_failed(INF_E_INTERNAL, "sse_line_too_long", "a line", err);
	if (!self->started && len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		len -= 3;
	}
	self->started = true;
	return len ? take_field(self, line, len, err) : dispatch(self);
}

/* The line that ends at `end`, with what arrived of it before. */
static inf_status finish_line(struct gr_sse *self, const char *start, const char *end, inf_error *err)
{
	size_t len = (size_t)(end - start);
	if (!self->line.len)
		return take_line(self, start, len, err);
	inf_status st = append_line(self, start, len, err);
	if (st == INF_OK)
		st = take_line(self, gr_buf_text(&self->line), self->line.len, err);
	gr_buf_reset(&self->line);
	return st;
}

static const char *find(const char *start, const char *end, char c)
{
	const char *hit = start < end ? memchr(start, c, (size_t)(end - start)) : NULL;
	return hit ? hit : end;
}

static const char *next_line_end(struct line_ends *ends, const char *start, const char *end)
{
	if (ends->lf < start)
		ends->lf = find(start, end, '\n');
	if (ends->cr < start)
		ends->cr = find(start, end, '\r');
	return ends->lf < ends->cr ? ends->lf : ends->cr;
}

inf_status gr_sse_feed(struct gr_sse *self, const char *bytes, size_t len, inf_error *err)
{
	if (!len)
		return INF_OK;
	const char *at = bytes, *end = bytes + len;
	if (self->after_cr && *at == '\n')
		at++;
	self->after_cr = false;
	struct line_ends ends = { .lf = find(at, end, '\n'), .cr = find(at, end, '\r') };
	while (at < end) {
		const char *eol = next_line_end(&ends, at, end);
		if (eol == end)
			return append_line(self, at, (size_t)(end - at), err);
		inf_status st = finish_line(self, at, eol, err);
		if (st != INF_OK)
			return st;
		at = eol + 1;
		if (*eol == '\r' && at < end && *at == '\n')
			at++;
		else if (*eol == '\r' && at == end)
			self->after_cr = true;
	}
	return INF_OK;
}
