/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* What may follow a lead byte: how many bytes, and the range of the first one. Unicode 15, table 3-7. */
struct lead {
	unsigned char more;	/* 0 = not a lead byte of a sequence */
	unsigned char low, high;
};

static struct lead lead_of(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return (struct lead){ 1, 0x80, 0xbf };
	if (c == 0xe0)
		return (struct lead){ 2, 0xa0, 0xbf };
	if (c == 0xed)
		return (struct lead){ 2, 0x80, 0x9f };
	if (c >= 0xe1 && c <= 0xef)
		return (struct lead){ 2, 0x80, 0xbf };
	if (c == 0xf0)
		return (struct lead){ 3, 0x90, 0xbf };
	if (c >= 0xf1 && c <= 0xf3)
		return (struct lead){ 3, 0x80, 0xbf };
	if (c == 0xf4)
		return (struct lead){ 3, 0x80, 0x8f };
	return (struct lead){ 0, 0, 0 };
}

/* How many of the bytes after the lead byte s[0] fit it, looking at no more than len bytes in all. */
static size_t fitting(struct lead lead, const unsigned char *s, size_t len)
{
	size_t n = 0;
	if (len < 2 || !lead.more || s[1] < lead.low || s[1] > lead.high)
		return n;
	for (n = 1; n < lead.more && n + 1 < len; n++)
		if ((s[n + 1] & 0xc0) != 0x80)
			break;
	return n;
}

static size_t ascii_run(const unsigned char *s, size_t len)
{
	size_t i = 0;
	uint64_t word;
	for (; i + sizeof word <= len; i += sizeof word) {
		memcpy(&word, s + i, sizeof word);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < len && s[i] < 0x80)
		i++;
	return i;
}

bool gr_utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0;
	while (i < len) {
		i += ascii_run(p + i, len - i);
		if (i == len)
			break;
		struct lead lead = lead_of(p[i]);
		if (!lead.more || fitting(lead, p + i, len - i) != lead.more)
			return false;
		i += lead.more + 1u;
	}
	return true;
}

size_t gr_utf8_complete(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		const unsigned char *at = p + len - back;
		if ((*at & 0xc0) == 0x80)
			continue;
		struct lead lead = lead_of(*at);
		return lead.more >= back && fitting(lead, at, back) == back - 1 ? len - back : len;
	}
	return len;
}
