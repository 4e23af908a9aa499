/* SPDX-License-Identifier: MIT */
#include "wire_scan.h"

#include "number.h"
#include "utf8.h"

enum {
	COUNT_DIGITS_MAX = 9,		/* it fits 32 bits */
	INTEGER_DIGITS_MAX = 18,	/* json-c refuses one that does not fit 64 bits */
};

bool gr_scan_end(const struct gr_scan *self)
{
	return self->at == self->end;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */
/* At most so many of them. Returns how many there were. */
static size_t digits(struct gr_scan *self, size_t max)
{
	const char *at = self->at, *end = (size_t)(self->end - at) < max ? self->end : at + max;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	size_t len = (size_t)(at - self->at);
	self->at = at;
	return len;
}

static bool integer(struct gr_scan *self)
{
	const char *begin = self->at;
	size_t len = digits(self, INTEGER_DIGITS_MAX);
	return len && (*begin != '0' || len == 1);
}

bool gr_scan_count(struct gr_scan *self, int32_t *out)
{
	const char *at = self->at;
	int32_t n = 0;
	for (; at < self->end && at - self->at < COUNT_DIGITS_MAX && *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (*at - '0');
	bool taken = at > self->at && (*self->at != '0' || at - self->at == 1);
	self->at = at;
	*out = n;
	return taken;
}

/* *real: whether there is a point or an exponent. */
static bool number(struct gr_scan *self, bool *real)
{
	const char *begin = self->at;
	*real = false;
	GR_SCAN_LITERAL(self, "-");
	if (!integer(self))
		return false;
	if (GR_SCAN_LITERAL(self, ".")) {
		*real = true;
		if (!digits(self, GR_NUMBER_TEXT_MAX))
			return false;
	}
	if (GR_SCAN_LITERAL(self, "e") || GR_SCAN_LITERAL(self, "E")) {
		*real = true;
		if (!GR_SCAN_LITERAL(self, "-"))
			GR_SCAN_LITERAL(self, "+");
		if (!digits(self, GR_NUMBER_TEXT_MAX))
			return false;
	}
	return self->at - begin <= GR_NUMBER_TEXT_MAX;
}

bool gr_scan_skip_number(struct gr_scan *self)
{
	bool real;
	return number(self, &real);
}

bool gr_scan_real(struct gr_scan *self, double *out)
{
	const char *begin = self->at;
	bool real;
	return number(self, &real) && real && gr_number_real(begin, (size_t)(self->at - begin), out);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */
static bool hex(struct gr_scan *self, uint32_t *out)
{
	uint32_t n = 0;
	if (self->end - self->at < 4)
		return false;
	for (const char *end = self->at + 4; self->at < end; self->at++) {
		char digit = *self->at, lower = (char)(digit | 0x20);
		if (digit >= '0' && digit <= '9')
			n = n << 4 | (uint32_t)(digit - '0');
		else if (lower >= 'a' && lower <= 'f')
			n = n << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return n < 0xd800 || n > 0xdfff;
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
static size_t escape(struct gr_scan *self, char out[3])
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	uint32_t code;
	if (GR_SCAN_LITERAL(self, "u"))
		return hex(self, &code) ? put_utf8(out, code) : 0;
	const char *name = self->at < self->end && *self->at ? strchr(names, *self->at) : NULL;
	if (!name)
		return 0;
	self->at++;
	out[0] = meanings[name - names];
	return 1;
}

/* Bytes that stand for themselves. */
static size_t plain(struct gr_scan *self)
{
	const char *at = self->at, *end = self->end;
	while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
		at++;
	size_t len = (size_t)(at - self->at);
	self->at = at;
	return len;
}

static bool append(struct gr_scan *self, struct gr_buf *text, const char *bytes, size_t len)
{
	inf_status st = gr_buf_append(text, bytes, len);
	self->no_memory = st == INF_E_NO_MEMORY;
	return st == INF_OK;
}

static bool append_plain(struct gr_scan *self, struct gr_buf *text)
{
	const char *begin = self->at;
	return append(self, text, begin, plain(self));
}

bool gr_scan_text(struct gr_scan *self, struct gr_buf *text)
{
	char escaped[3];
	gr_buf_reset(text);
	if (!append_plain(self, text))
		return false;
	while (GR_SCAN_LITERAL(self, "\\")) {
		size_t len = escape(self, escaped);
		if (!len || !append(self, text, escaped, len) || !append_plain(self, text))
			return false;
	}
	return GR_SCAN_LITERAL(self, "\"") && gr_utf8_valid(gr_buf_text(text), text->len);
}

bool gr_scan_skip_text(struct gr_scan *self)
{
	char escaped[3];
	plain(self);
	while (GR_SCAN_LITERAL(self, "\\")) {
		if (!escape(self, escaped))
			return false;
		plain(self);
	}
	return GR_SCAN_LITERAL(self, "\"");
}
