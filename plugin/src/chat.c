/* SPDX-License-Identifier: MIT */
#include "chat.h"

#include <stdio.h>
#include <string.h>

enum { MARKER_MAX = GR_CHAT_NONCE + 32 };

/* The index is closed by a letter, so that no marker is the beginning of another. */
static size_t marker(char *out, const char *nonce, size_t index)
{
	return (size_t)snprintf(out, MARKER_MAX, "m%.*sx%zuz", GR_CHAT_NONCE, nonce, index);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What is left of a content between the white space at its ends. */
static struct gr_chat_piece core(const struct gr_wire_message *message)
{
	const char *begin = message->content ? message->content : "", *end = begin + message->content_len;
	while (begin < end && is_space(*begin))
		begin++;
	while (end > begin && is_space(end[-1]))
		end--;
	return (struct gr_chat_piece){ begin, (size_t)(end - begin), true };
}

inf_status gr_chat_mark(struct gr_buf *out, const char *nonce, size_t index, const struct gr_wire_message *message)
{
	char name[MARKER_MAX];
	struct gr_chat_piece inner = core(message);
	if (!inner.len)
		return gr_buf_append(out, message->content, message->content_len);
	size_t before = (size_t)(inner.text - message->content);
	size_t after = message->content_len - before - inner.len;
	size_t len = marker(name, nonce, index);
	inf_status st = gr_buf_append(out, message->content, before);
	if (st == INF_OK)
		st = gr_buf_append(out, name, len);
	if (st == INF_OK)
		st = gr_buf_append(out, inner.text + inner.len, after);
	return st;
}

bool gr_chat_split(const char *rendered, size_t len, const char *nonce, const struct gr_wire_message *messages,
		   size_t count, struct gr_chat_piece *pieces, size_t *out_count)
{
	char name[MARKER_MAX];
	const char *at = rendered, *end = rendered + len;
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		struct gr_chat_piece inner = core(&messages[i]);
		if (!inner.len)
			continue;
		size_t name_len = marker(name, nonce, i);
		const char *found = memmem(at, (size_t)(end - at), name, name_len);
		if (!found)
			return false;
		pieces[n++] = (struct gr_chat_piece){ at, (size_t)(found - at), false };
		pieces[n++] = inner;
		at = found + name_len;
	}
	pieces[n++] = (struct gr_chat_piece){ at, (size_t)(end - at), false };
	*out_count = n;
	/* A marker that is left in the template's own text was repeated, or belongs elsewhere. */
	for (size_t i = 0; i < n; i++)
		if (!pieces[i].content && memmem(pieces[i].text, pieces[i].len, nonce, GR_CHAT_NONCE))
			return false;
	return true;
}

size_t gr_chat_missing(const char *rendered, size_t len, const char *nonce, const struct gr_wire_message *messages,
		       size_t count)
{
	char name[MARKER_MAX];
	for (size_t i = 0; i < count; i++) {
		size_t name_len = marker(name, nonce, i);
		if (core(&messages[i]).len && !memmem(rendered, len, name, name_len))
			return i;
	}
	return count;
}

/* ---- media ----------------------------------------------------------------------------------------------------- */
/* "p", the nonce, the number, "z"; that of a content begins with another letter. */
inf_status gr_chat_mark_media(struct gr_buf *out, const char *nonce, size_t first, size_t count)
{
	inf_status st = INF_OK;
	for (size_t i = 0; i < count && st == INF_OK; i++)
		st = gr_buf_printf(out, "p%.*sx%zuz", GR_CHAT_NONCE, nonce, first + i);
	return st;
}

/* The number in a marker that begins at at; its end is written to *end. count: it is none of ours. */
static size_t media_number(const char *at, const char *limit, size_t count, const char **end)
{
	size_t number = 0;
	const char *digit = at + 1 + GR_CHAT_NONCE + 1;
	if (digit >= limit || digit[-1] != 'x')
		return count;
	for (*end = digit; *end < limit && **end >= '0' && **end <= '9' && number < count; ++*end)
		number = number * 10 + (size_t)(**end - '0');
	if (*end == digit || *end == limit || **end != 'z' || number >= count)
		return count;
	++*end;
	return number;
}

inf_status gr_chat_place_media(struct gr_buf *out, const char *rendered, size_t len, const char *nonce,
			       const char *marker, size_t *order, size_t count)
{
	const char *at = rendered, *limit = rendered + len;
	char begin[GR_CHAT_NONCE + 1] = "p";
	size_t placed = 0;
	inf_status st = INF_OK;
	memcpy(begin + 1, nonce, GR_CHAT_NONCE);
	for (const char *found; st == INF_OK && (found = memmem(at, (size_t)(limit - at), begin, sizeof begin)); placed++) {
		const char *end = found;
		size_t number = media_number(found, limit, count, &end);
		if (number == count || placed == count)
			return INF_E_UNSUPPORTED;
		for (size_t i = 0; i < placed; i++)
			if (order[i] == number)
				return INF_E_UNSUPPORTED;
		order[placed] = number;
		st = gr_buf_append(out, at, (size_t)(found - at));
		if (st == INF_OK)
			st = gr_buf_puts(out, marker);
		at = end;
	}
	if (st == INF_OK && placed < count)
		return INF_E_UNSUPPORTED;
	return st == INF_OK ? gr_buf_append(out, at, (size_t)(limit - at)) : st;
}
