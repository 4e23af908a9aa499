/* SPDX-License-Identifier: MIT */
#ifndef GR_SPLIT_H
#define GR_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * split: the file names of a model in several parts. Pure.
 *
 * llama.cpp writes "name-00001-of-00003.gguf" and finds the other parts by the same rule.
 */
enum {
	GR_SPLIT_PARTS_MAX = 1000,
	GR_SPLIT_SUFFIX = 20,		/* bytes of "-00001-of-00003.gguf" */
};

struct gr_split {
	size_t stem_len;		/* bytes before the suffix */
	uint32_t no, count;		/* part no, from 1, of count; count <= GR_SPLIT_PARTS_MAX */
};

/* Is path named like a part? *out is written only then. */
bool gr_split_parse(const char *path, struct gr_split *out);

/* Turn path, for which *split was parsed, into that of another part. no <= count. */
void gr_split_rename(char *path, const struct gr_split *split, uint32_t no);

#endif
