/* SPDX-License-Identifier: MIT */
#include "echo_tokens.h"

#include <string.h>

static const char turn[] = "<turn>";

size_t echo_tokenize(const char *text, size_t len, bool special, int32_t *ids, size_t cap)
{
	size_t count = 0;
	for (size_t at = 0; at < len; count++) {
		const unsigned char *s = (const unsigned char *)text + at;
		size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
		int32_t id = n == 1 ? s[0] : s[0] & (0x7f >> n);
		if (special && len - at >= sizeof turn - 1 && !memcmp(s, turn, sizeof turn - 1)) {
			n = sizeof turn - 1;
			id = ECHO_TURN;
		} else {
			for (size_t i = 1; i < n && at + i < len; i++)
				id = id << 6 | (s[i] & 0x3f);
		}
		if (count < cap)
			ids[count] = id;
		at += n;
	}
	return count;
}

/* A half of a surrogate pair is no character. */
static size_t encode(int32_t id, char *out)
{
	uint32_t c = id >= 0xd800 && id < 0xe000 ? 0xfffd : (uint32_t)id;
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xf0) | c);
	return n;
}

size_t echo_detokenize(const int32_t *ids, size_t count, bool special, char *text, size_t cap)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		char piece[sizeof turn];
		size_t n = 0;
		if (ids[i] < 0 || ids[i] >= ECHO_VOCABULARY)
			return SIZE_MAX;
		if (ids[i] != ECHO_TURN)
			n = encode(ids[i], piece);
		else if (special)
			memcpy(piece, turn, n = sizeof turn - 1);
		for (size_t j = 0; j < n; j++, len++)
			if (len < cap)
				text[len] = piece[j];
	}
	return len;
}
