/* SPDX-License-Identifier: MIT */
#ifndef IH_SELECT_H
#define IH_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

/*
 * select: candidates and a wish -> a choice, or the explanation why there is none.
 *
 * Pure. A name that was asked for is taken exactly and never replaced by another: who asks for the GPU and silently gets
 * the CPU has been cheated. Without a wish the order is
 *
 *   metal, rocm, other GPU backends by score, llama_cpp, what else runs on the CPU or far away by score
 *
 * and among equals the search order. The score decides only inside a rank: it is the plugin's own word.
 */
enum {
	IH_SCORE_GPU = 100,	/* the least score of a GPU backend */
	IH_SCORE_MAX = 799,	/* above it scores are the user's; a plugin's own is cut to it */
};

/* A plugin's score as a candidate carries it, 0..IH_SCORE_MAX. */
int32_t ih_score(int32_t score);

/* Does the name match one of the globs in a ':' list? list may be NULL. */
bool ih_name_in_list(const char *list, const char *name);

/*
 * The candidate to use: wish NULL means the best one. INF_OK and *out, or INF_E_NOT_FOUND (no candidate of that name), or
 * INF_E_UNAVAILABLE (it, or all of them, cannot be used).
 */
inf_status ih_select(const inf_candidate *candidates, size_t count, const char *wish, const inf_candidate **out,
		     inf_error *err);

#endif
