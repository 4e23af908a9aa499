/* SPDX-License-Identifier: MIT */
#ifndef GR_UTF8_H
#define GR_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * utf8: whole code points only.
 *
 * Well-formed is what Unicode 15 table 3-7 says: no overlong form, no surrogate, nothing above U+10FFFF. NUL is a
 * code point like any other. Both functions are pure, and s may be NULL if len is 0.
 */
bool gr_utf8_valid(const char *s, size_t len);

/*
 * Length of the longest prefix that does not end inside a code point: len, or up to 3 less. Only bytes that more
 * input could still make well-formed are cut; what is wrong already is not waited for, and not judged either.
 */
size_t gr_utf8_complete(const char *s, size_t len);

#endif
