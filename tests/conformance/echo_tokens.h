/* SPDX-License-Identifier: MIT */
#ifndef TEST_ECHO_TOKENS_H
#define TEST_ECHO_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* echo_tokens: the tokens of faulty.c. One is a character, its id the code point; the last of all is a control token. */
enum { ECHO_TURN = 0x110000, ECHO_VOCABULARY };

/* Of UTF-8. ids may be NULL if cap is 0. special: "<turn>" is one token. Returns how many there are. */
size_t echo_tokenize(const char *text, size_t len, bool special, int32_t *ids, size_t cap);
/* Returns the length of the whole text, of which cap bytes at most are written; SIZE_MAX = an id that there is not. */
size_t echo_detokenize(const int32_t *ids, size_t count, bool special, char *text, size_t cap);

#endif
