/* SPDX-License-Identifier: MIT */
#ifndef INFER_UTF8_H
#define INFER_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* utf8: reads UTF-8 as RFC 3629 has it: no surrogates, nothing above U+10FFFF, no overlong forms. Pure but for
 * the locale. */

#define UTF8_BAD UINT32_MAX

/* The length of the code point at s, 1 to 4 bytes, into *code. A byte that begins none is 1 and UTF8_BAD. len >= 1. */
size_t utf8_next(const char *s, size_t len, uint32_t *code);

/* The offset of the first byte that is not part of a code point; len when there is none. */
size_t utf8_check(const char *s, size_t len);

/* How many columns of a terminal it takes, as the locale has it: 2 for a wide character, 0 for one that joins the one before. */
size_t utf8_width(uint32_t code);
size_t utf8_columns(const char *s, size_t len);

#endif
