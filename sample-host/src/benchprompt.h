/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHPROMPT_H
#define INFER_BENCHPROMPT_H

#include "engine.h"
#include "text.h"

/*
 * benchprompt: a text of a given number of tokens, words and at its end whatever makes it exact. Where no text has that
 * number it is a few tokens shorter; where the backend cannot count it has so many words.
 *
 * EXIT_DONE, EXIT_FAILED, or interrupted.
 */
enum { BENCH_PROMPT_MAX = 16 << 20 };	/* bytes */

enum exit_code benchprompt_make(struct engine *engine, int32_t tokens, struct text *out, struct failure *why);

#endif
