/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <string.h>

/* One to one for a given h, so that a change of one word is never lost; the shift brings high bits down to where a later
 * multiplication spreads them. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 32;
}

uint64_t gr_digest(uint64_t before, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t h = mix(before, len), word;
	for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
		memcpy(&word, at, sizeof word);
		h = mix(h, word);
	}
	word = 0;
	if (len)
		memcpy(&word, at, len);
	return mix(h, word);
}

uint64_t gr_digest_text(const char *text)
{
	return gr_digest(GR_DIGEST_INIT, text, strlen(text));
}
