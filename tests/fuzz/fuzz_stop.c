/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stop.h"

/*
 * Input: lines of stop strings, an empty line, the text. What a matcher delivers, fed in pieces of several kinds, must
 * be what comparing every string at every place finds.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STRINGS_MAX = 8 };

struct input {
	char *copy;			/* with the line ends of the strings as NUL */
	const char *strings[STRINGS_MAX];
	size_t count;
	const char *text;
	size_t len;
};

static void parse(const uint8_t *data, size_t size, struct input *in)
{
	in->copy = malloc(size + 1);
	if (!in->copy)
		abort();
	memcpy(in->copy, data, size);
	in->copy[size] = '\0';
	in->count = 0;
	char *at = in->copy, *end = in->copy + size, *eol;
	while (in->count < STRINGS_MAX && (eol = memchr(at, '\n', (size_t)(end - at))) && eol != at) {
		*eol = '\0';
		if (*at && strlen(at) <= GR_STOP_LENGTH_MAX)
			in->strings[in->count++] = at;
		at = eol + 1;
	}
	in->text = at;
	in->len = (size_t)(end - at);
}

/* Returns the index of the match, -1 = none, and in *len how much of the text comes before it. */
static int find_first(const struct input *in, size_t *len)
{
	for (size_t end = 1; end <= in->len; end++) {
		int best = -1;
		size_t best_len = 0;
		for (size_t i = 0; i < in->count; i++) {
			size_t n = strlen(in->strings[i]);
			if (n <= end && n > best_len && !memcmp(in->text + end - n, in->strings[i], n)) {
				best = (int)i;
				best_len = n;
			}
		}
		if (best >= 0) {
			*len = end - best_len;
			return best;
		}
	}
	*len = in->len;
	return -1;
}

static void check(const struct input *in, size_t first_piece, int matched, size_t len)
{
	struct gr_stop stop;
	struct gr_stop_out out = { .matched = -1 };
	struct gr_buf seen = GR_BUF_INIT(SIZE_MAX / 4);
	if (gr_stop_init(&stop, in->strings, in->count, NULL))
		abort();
	for (size_t at = 0, piece = first_piece; at < in->len; at += piece) {
		if (!first_piece)
			piece = 1 + (unsigned char)in->text[at] % 16;
		if (piece > in->len - at)
			piece = in->len - at;
		if (gr_stop_feed(&stop, in->text + at, piece, &out, NULL) || gr_buf_append(&seen, out.text, out.len))
			abort();
	}
	if (out.matched != matched || gr_stop_flush(&stop, &out, NULL) || gr_buf_append(&seen, out.text, out.len))
		abort();
	if (out.matched != matched || seen.len != len || memcmp(gr_buf_text(&seen), in->text, len) != 0)
		abort();
	gr_stop_release(&stop);
	gr_buf_release(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	size_t len;
	parse(data, size, &in);
	if (in.len < GR_STOP_CHUNK_MAX) {
		int matched = find_first(&in, &len);
		check(&in, SIZE_MAX, matched, len);
		check(&in, 1, matched, len);
		check(&in, 0, matched, len);
	}
	free(in.copy);
	return 0;
}
