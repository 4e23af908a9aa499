/* SPDX-License-Identifier: MIT */
#ifndef INFER_MODELPICK_H
#define INFER_MODELPICK_H

#include "inference/host.h"

#include "text.h"

/*
 * modelpick: which of the models that are there a name means, and what to type for one of them.
 *
 * A model has a name (of its file), a title (what the file calls itself), and maybe a repository; OWNER/NAME is the
 * repository, and :QUANT behind any of them a quantisation. Pure.
 */
struct model_list {
	inf_model_file *items;		/* owned, as are their paths; also those that cannot be used */
	size_t count, cap;
	bool failed;			/* without memory: not all are there */
};

void model_list_release(struct model_list *self);	/* accepts NULL and a zeroed one */
void model_list_add(struct model_list *self, const inf_model_file *file);

bool modelpick_is_text(const inf_model_file *file);	/* it generates text, and can be used */

/*
 * Indices of the models that the name means, into out, which has room for all; returns how many. By the whole of it: name,
 * file name, repository or both, letter by letter, or else whatever the case. By a part of it: of repository and name, or of
 * the title; of fewer than three letters only at the beginning of a word.
 */
size_t modelpick_whole(const struct model_list *list, const char *wish, size_t *out);
size_t modelpick_part(const struct model_list *list, const char *wish, size_t *out);
/* Leave those that generate text, if there is one. */
size_t modelpick_prefer_text(const struct model_list *list, size_t *indices, size_t count);

/* "did you mean A or B?", or otherwise where nothing is near. */
void modelpick_add_near(struct text *out, const struct model_list *list, const char *wish, const char *otherwise);

/* The shortest thing to type that means this model and no other: its name, repository and name, or its path. Quoted for a
 * shell. */
void modelpick_add_handle(struct text *out, const struct model_list *list, size_t index);

#endif
