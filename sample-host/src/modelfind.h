/* SPDX-License-Identifier: MIT */
#ifndef INFER_MODELFIND_H
#define INFER_MODELFIND_H

#include "modelpick.h"
#include "modelwalk.h"

/*
 * modelfind: the models in the usual places, and the one among them that a word of the user's means.
 *
 * First the word as a whole (modelpick_whole), then as a part (modelpick_part); of several the library's own rule for names
 * may choose one (inf_registry_resolve_model).
 */
struct modelfind {
	struct model_list list;
	struct modelwalk walk;		/* registry, backend and progress are the caller's to set */
	size_t *matches;		/* owned; indices of what the last word may mean */
	size_t match_count;
};

void modelfind_release(struct modelfind *self);

/* Go through the usual places. EXIT_DONE, EXIT_FAILED, or interrupted. */
enum exit_code modelfind_look(struct modelfind *self, struct failure *why);

/* After that. EXIT_DONE and an index into list; EXIT_FAILED for none or several, which are the matches then. */
enum exit_code modelfind_choose(struct modelfind *self, const char *wish, size_t *out, struct failure *why);

/* All that generate text become the matches. */
void modelfind_choose_texts(struct modelfind *self);

#endif
