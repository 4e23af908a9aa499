/* SPDX-License-Identifier: MIT */
#ifndef INFER_TABLE_H
#define INFER_TABLE_H

#include "inference/host.h"

#include "terminal.h"
#include "text.h"

/*
 * table: the backends that were found, in aligned columns. On a terminal the last column is wrapped to its width; where
 * too little is left beside the others, it goes below them.
 */
void table_add(struct text *out, const inf_registry *registry, const inf_candidate *selected,
	       const struct terminal *terminal);

/* A sentence below it, wrapped in the same way. */
void table_add_indented(struct text *out, const char *sentence, size_t indent, const struct terminal *terminal);
void table_add_sentence(struct text *out, const char *sentence, const struct terminal *terminal);

/* A text and its newline, broken at blanks into lines of `width` columns; all but the first begin with `indent` blanks. */
void table_add_wrapped(struct text *out, const char *string, size_t indent, size_t width);

#endif
