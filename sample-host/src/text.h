/* SPDX-License-Identifier: MIT */
#ifndef INFER_TEXT_H
#define INFER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * text: growable bytes with a cap, always followed by a NUL that is not counted.
 *
 * Without memory, or past the cap, an append does nothing and sets `failed`, so that a line can be put together from
 * many pieces and checked once. Not thread-safe.
 */
struct text {
	char *data;		/* owned; NULL until the first append */
	size_t len;
	size_t cap;		/* bytes allocated */
	size_t max;		/* len never exceeds this */
	bool failed;
};

enum { TEXT_LINE_MAX = 1 << 20 };	/* a line that is printed; a token or a message is far below */

#define TEXT_INIT(max_bytes) { .max = (max_bytes) }

void text_release(struct text *self);	/* accepts NULL and a released text; usable again afterwards */
void text_reset(struct text *self);	/* empties it, keeps the memory */

void text_add(struct text *self, const void *bytes, size_t len);
void text_puts(struct text *self, const char *string);
void text_repeat(struct text *self, char byte, size_t count);
void text_printf(struct text *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *text_string(const struct text *self);	/* "" when nothing was ever appended */

#endif
