/* SPDX-License-Identifier: MIT */
#include "wire_token.h"

#include <string.h>

#include "utf8.h"

enum { DIGITS_MAX = 9 };		/* of a number that is taken: it fits 32 bits */

struct cursor {
	const char *at, *end;
};

#define TAKE(cursor, literal) take(cursor, literal, sizeof literal - 1)

static bool take(struct cursor *c, const char *literal, size_t len)
{
	if ((size_t)(c->end - c->at) < len || memcmp(c->at, literal, len) != 0)
		return false;
	c->at += len;
	return true;
}

static bool take_number(struct cursor *c, int32_t *out)
{
	const char *begin = c->at;
	int32_t n = 0;
	for (; c->at < c->end && c->at - begin < DIGITS_MAX && *c->at >= '0' && *c->at <= '9'; c->at++)
		n = n * 10 + (*c->at - '0');
	*out = n;
	return c->at > begin && (*begin != '0' || c->at - begin == 1);
}

/* ---- the text -------------------------------------------------------------------------------------------------- */
static bool take_hex(struct cursor *c, uint32_t *out)
{
	uint32_t n = 0;
	if (c->end - c->at < 4)
		return false;
	for (const char *end = c->at + 4; c->at < end; c->at++) {
		char digit = *c->at, lower = (char)(digit | 0x20);
		if (digit >= '0' && digit <= '9')
			n = n << 4 | (uint32_t)(digit - '0');
		else if (lower >= 'a' && lower <= 'f')
			n = n << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

static size_t put_utf8(char out[3], uint32_t code)
{
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0 };
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
	for (size_t i = len; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(first[len] | code);
	return len;
}

/* Behind a backslash. Returns how many bytes it stands for, 0 = it is left. */
static size_t take_escape(struct cursor *c, char out[3])
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	uint32_t code;
	if (TAKE(c, "u"))
		return take_hex(c, &code) ? put_utf8(out, code) : 0;	/* of a surrogate it is no UTF-8, and so left */
	const char *name = c->at < c->end && *c->at ? strchr(names, *c->at) : NULL;
	if (!name)
		return 0;
	c->at++;
	out[0] = meanings[name - names];
	return 1;
}

/* Bytes that stand for themselves. */
static size_t plain(const struct cursor *c)
{
	const char *at = c->at;
	while (at < c->end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - c->at);
}

static inf_status append(struct gr_buf *text, struct cursor *c)
{
	size_t len = plain(c);
	inf_status st = gr_buf_append(text, c->at, len);
	c->at += len;
	return st;
}

/* Up to the quote that ends it. */
static enum gr_wire_token take_text(struct cursor *c, struct gr_buf *text)
{
	char escaped[3];
	gr_buf_reset(text);
	inf_status st = append(text, c);
	while (st == INF_OK && TAKE(c, "\\")) {
		size_t len = take_escape(c, escaped);
		if (!len)
			return GR_WIRE_TOKEN_LEFT;
		st = gr_buf_append(text, escaped, len);
		if (st == INF_OK)
			st = append(text, c);
	}
	if (st == INF_E_NO_MEMORY)
		return GR_WIRE_TOKEN_NO_MEMORY;
	bool whole = st == INF_OK && TAKE(c, "\"") && gr_utf8_valid(gr_buf_text(text), text->len);
	return whole ? GR_WIRE_TOKEN_TAKEN : GR_WIRE_TOKEN_LEFT;
}

/* ---- the event ------------------------------------------------------------------------------------------------- */
enum gr_wire_token gr_wire_token_read(struct gr_buf *text, const char *data, size_t len, struct gr_wire_event *out)
{
	struct cursor c = { data, data + len };
	int32_t index, id, slot, predicted, evaluated;
	if (!TAKE(&c, "{\"index\":") || !take_number(&c, &index) || !TAKE(&c, ",\"content\":\""))
		return GR_WIRE_TOKEN_LEFT;
	enum gr_wire_token read = take_text(&c, text);
	if (read != GR_WIRE_TOKEN_TAKEN)
		return read;
	if (!TAKE(&c, ",\"tokens\":[") || !take_number(&c, &id) ||
	    !TAKE(&c, "],\"stop\":false,\"id_slot\":") || (!TAKE(&c, "-1") && !take_number(&c, &slot)) ||
	    !TAKE(&c, ",\"tokens_predicted\":") || !take_number(&c, &predicted) || predicted > GR_WIRE_TOKENS_MAX ||
	    !TAKE(&c, ",\"tokens_evaluated\":") || !take_number(&c, &evaluated) || evaluated > GR_WIRE_TOKENS_MAX ||
	    !TAKE(&c, "}") || c.at != c.end)
		return GR_WIRE_TOKEN_LEFT;
	out->kind = GR_WIRE_TOKEN;
	out->text = gr_buf_text(text);
	out->text_len = text->len;
	out->id = id;
	out->predicted = predicted;
	out->evaluated = evaluated;
	return GR_WIRE_TOKEN_TAKEN;
}
