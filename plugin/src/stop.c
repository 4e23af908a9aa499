/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <stdlib.h>
#include <string.h>

/* One stop string as a Knuth-Morris-Pratt automaton. */
struct gr_stop_pattern {
	const char *text;	/* these two lie in the same block */
	uint16_t *border;	/* border[n]: longest proper prefix of text that its first n + 1 bytes end with */
	uint16_t len;
	uint16_t seen;		/* the longest beginning of text that the stream ends with; < len between feeds */
};

static void compute_borders(struct gr_stop_pattern *p)
{
	p->border[0] = 0;
	for (uint16_t i = 1, k = 0; i < p->len; i++) {
		while (k && p->text[i] != p->text[k])
			k = p->border[k - 1];
		if (p->text[i] == p->text[k])
			k++;
		p->border[i] = k;
	}
}

static inf_status check_strings(const char *const *strings, size_t count, size_t *total, inf_error *err)
{
	if (count > GR_STOP_COUNT_MAX)
		return inf_fail(err, INF_E_INVALID, "stop_strings", "%zu stop strings, at most %d", count,
				GR_STOP_COUNT_MAX);
	*total = 0;
	for (size_t i = 0; i < count; i++) {
		size_t len = strings[i] ? strnlen(strings[i], GR_STOP_LENGTH_MAX + 1) : 0;
		if (!len)
			return inf_fail(err, INF_E_INVALID, "stop_strings", "stop string %zu is empty", i);
		if (len > GR_STOP_LENGTH_MAX)
			return inf_fail(err, INF_E_INVALID, "stop_strings", "stop string %zu is longer than %d bytes",
					i, GR_STOP_LENGTH_MAX);
		*total += len;
	}
	return INF_OK;
}

/* The patterns, then all borders, then all texts: in the order of their alignment. */
static inf_status copy_strings(struct gr_stop *self, const char *const *strings, size_t count, size_t total)
{
	self->patterns = malloc(count * sizeof *self->patterns + total * (sizeof(uint16_t) + 1));
	if (!self->patterns)
		return INF_E_NO_MEMORY;
	self->count = count;
	uint16_t *border = (uint16_t *)(self->patterns + count);
	char *text = (char *)(border + total);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(strings[i]);
		memcpy(text, strings[i], len);
		self->patterns[i] = (struct gr_stop_pattern){ .text = text, .border = border, .len = (uint16_t)len };
		compute_borders(&self->patterns[i]);
		border += len;
		text += len;
	}
	return INF_OK;
}

inf_status gr_stop_init(struct gr_stop *self, const char *const *strings, size_t count, inf_error *err)
{
	size_t total = 0;
	*self = (struct gr_stop){ .matched = -1, .out = GR_BUF_INIT(GR_STOP_LENGTH_MAX + GR_STOP_CHUNK_MAX) };
	inf_status st = check_strings(strings, count, &total, err);
	if (st != INF_OK || !count)
		return st;
	if (copy_strings(self, strings, count, total) != INF_OK)
		return inf_fail(err, INF_E_NO_MEMORY, "", "stop strings: out of memory");
	return INF_OK;
}

void gr_stop_release(struct gr_stop *self)
{
	if (!self)
		return;
	free(self->patterns);
	gr_buf_release(&self->out);
	*self = (struct gr_stop){ .matched = -1, .out = GR_BUF_INIT(self->out.max) };
}

/* Run text through one automaton. Returns how many bytes it took until the string was complete, 0 = it is not. */
static size_t advance(struct gr_stop_pattern *p, const char *text, size_t len, bool dormant)
{
	size_t i = 0;
	uint16_t seen = p->seen;
	while (i < len) {
		if (!seen) {
			const char *first = memchr(text + i, p->text[0], len - i);
			if (!first)
				break;
			i = (size_t)(first - text);
		}
		while (seen && p->text[seen] != text[i])
			seen = p->border[seen - 1];
		if (p->text[seen] == text[i])
			seen++;
		i++;
		if (seen == p->len && !dormant)
			return i;
		if (seen == p->len)
			seen = p->border[seen - 1];
	}
	p->seen = seen;
	return 0;
}

/* The pattern that is complete first within *end bytes, and in *end where that is; NULL = none. */
static const struct gr_stop_pattern *find_match(struct gr_stop *self, const char *text, size_t *end)
{
	const struct gr_stop_pattern *best = NULL;
	for (size_t i = 0; i < self->count; i++) {
		struct gr_stop_pattern *p = &self->patterns[i];
		size_t taken = advance(p, text, *end, self->dormant);
		if (taken && (!best || taken < *end || p->len > best->len)) {
			best = p;
			*end = taken;
		}
	}
	return best;
}

static const struct gr_stop_pattern *most_seen(const struct gr_stop *self)
{
	const struct gr_stop_pattern *best = &self->patterns[0];
	for (size_t i = 1; i < self->count; i++)
		if (self->patterns[i].seen > best->seen)
			best = &self->patterns[i];
	return best;
}

/* The first `release` bytes of the text held back and the chunk after it, joined. */
static inf_status join(struct gr_stop *self, const char *text, size_t release, inf_error *err)
{
	size_t from_held = release < self->held_len ? release : self->held_len;
	gr_buf_reset(&self->out);
	inf_status st = INF_OK;
	if (from_held)
		st = gr_buf_append(&self->out, self->held->text, from_held);
	if (st == INF_OK && release > from_held)
		st = gr_buf_append(&self->out, text, release - from_held);
	return st == INF_OK ? st : inf_fail(err, st, "", "stop strings: out of memory");
}

static inf_status match_and_hold(struct gr_stop *self, const char *text, size_t len, struct gr_stop_out *out,
				 inf_error *err)
{
	size_t end = len;
	const struct gr_stop_pattern *match = find_match(self, text, &end);
	const struct gr_stop_pattern *held = match ? match : most_seen(self);
	size_t keep = match ? match->len : held->seen;
	if (!self->held_len && !keep) {
		*out = (struct gr_stop_out){ .text = text, .len = len, .matched = -1 };
		return INF_OK;
	}
	size_t release = self->held_len + end - keep;
	if (release) {
		inf_status st = join(self, text, release, err);
		if (st != INF_OK)
			return st;
		out->text = gr_buf_text(&self->out);
		out->len = release;
	}
	self->matched = match ? (int32_t)(match - self->patterns) : -1;
	self->held = held;
	self->held_len = match ? 0 : keep;
	out->matched = self->matched;
	return INF_OK;
}

inf_status gr_stop_feed(struct gr_stop *self, const char *text, size_t len, struct gr_stop_out *out, inf_error *err)
{
	*out = (struct gr_stop_out){ .text = "", .matched = self->matched };
	if (self->matched >= 0)
		return INF_OK;
	if (!self->count) {
		out->text = text;
		out->len = len;
		return INF_OK;
	}
	if (len > GR_STOP_CHUNK_MAX)
		return inf_fail(err, INF_E_INTERNAL, "stop_chunk_too_long",
				"stop strings: %zu bytes of text at once, at most %d", len, GR_STOP_CHUNK_MAX);
	return match_and_hold(self, text, len, out, err);
}

inf_status gr_stop_flush(struct gr_stop *self, struct gr_stop_out *out, inf_error *err)
{
	*out = (struct gr_stop_out){ .text = "", .matched = self->matched };
	if (self->held_len) {
		inf_status st = join(self, "", self->held_len, err);
		if (st != INF_OK)
			return st;
		out->text = gr_buf_text(&self->out);
		out->len = self->held_len;
	}
	for (size_t i = 0; i < self->count; i++)
		self->patterns[i].seen = 0;
	self->held_len = 0;
	self->matched = -1;
	return INF_OK;
}
