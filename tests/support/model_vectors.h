/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VECTORS_H
#define MODEL_VECTORS_H

#include "gguf_build.h"

/*
 * model_vectors: a bert of one block for embeddings, or with a head for ranking, over a vocabulary of whole words.
 *
 * Every token looks at all tokens alike, so the vector of every token, and with it every kind of pooling, tells which words
 * there are and how often, and nothing of their order. Words that the vocabulary lacks, and marks such as "!", are [UNK] each.
 *
 * With e(t) the vector that is 1 at the id of the token t and 0 elsewhere, and N(v) the layer norm of v (its mean taken away,
 * divided by its deviation), the vector of a token is N(N(N(e(t)) + MODEL_MIX * M)), M being the mean of N(e(t)) over all
 * tokens, [CLS] in front and [SEP] at the end included. The score of a document is that of [CLS] in "[CLS] QUERY [SEP]
 * DOCUMENT", at the id of the word that is wanted: where lengths are alike, more of it is more.
 */
enum { MODEL_MIX = 8 };
enum { MODEL_PAD = 0, MODEL_UNKNOWN_WORD = 1, MODEL_CLS = 2, MODEL_SEP = 3, MODEL_FIRST_WORD = 4 };

struct model_vectors {
	const char *name;
	const char *const *words;	/* in lower case; ends with NULL */
	int32_t wanted;			/* the index of the word that ranks a document up; -1 = no head for ranking */
};

struct gguf_build model_vectors_build(const struct model_vectors *model);

#endif
