/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <wchar.h>

static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t utf8_next(const char *s, size_t len, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s[0];
	size_t n = length_of(first);
	uint32_t value = n > 1 ? first & (0x7fu >> n) : first;
	*code = UTF8_BAD;
	if (!n || n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 1;
	*code = value;
	return n;
}

size_t utf8_check(const char *s, size_t len)
{
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(s + at, len - at, &code);
		if (code == UTF8_BAD)
			return at;
	}
	return len;
}

size_t utf8_width(uint32_t code)
{
	int width = code == UTF8_BAD ? 1 : wcwidth((wchar_t)code);
	return width < 0 ? 1 : (size_t)width;
}

size_t utf8_columns(const char *s, size_t len)
{
	size_t columns = 0;
	uint32_t code;
	for (size_t at = 0; at < len; columns += utf8_width(code))
		at += utf8_next(s + at, len - at, &code);
	return columns;
}
