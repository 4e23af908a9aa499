/* SPDX-License-Identifier: MIT */
#ifndef INFER_MODELVIEW_H
#define INFER_MODELVIEW_H

#include "inference/host.h"

#include "terminal.h"
#include "text.h"

/*
 * modelview: models on disk as people read about them.
 *
 * A list is put together from what the library reports, file by file, and printed at once: a column is as wide as what is
 * in it. Where a terminal is too narrow for all columns, the place of a model goes below its line, and a name that is too
 * long gets a line of its own. Into a pipe or file each model is one line.
 */
enum { MODELVIEW_NUMBER_MAX = 16 };

void modelview_size(uint64_t bytes, char out[MODELVIEW_NUMBER_MAX]);	/* "2.8 MiB" */
const char *modelview_kind(const inf_model_file *file);			/* "chat", "text", "adapter" */

struct model_row;			/* private */

struct model_rows {
	struct model_row *items;	/* owned */
	size_t count, cap;
	size_t broken;			/* of them */
	bool failed;			/* without memory: not all are there */
};

void model_rows_release(struct model_rows *self);	/* accepts NULL and a zeroed one */
void model_rows_add(struct model_rows *self, const inf_model_file *file);

/* The table of those that can be used; nothing where there is none. */
void modelview_add_table(struct text *out, const struct model_rows *rows, const struct terminal *terminal);
/* Those that cannot, with the reason of each. */
void modelview_add_broken(struct text *out, const struct model_rows *rows, const struct terminal *terminal);

/* That there is none, where that was looked for (in words; "" = no place is there), and how one gets there. */
void modelview_add_nothing(struct text *out, const struct text *searched, const struct terminal *terminal);

/* One model in full, and what is not known about it. */
void modelview_add_page(struct text *out, const inf_model_file *file, const char *path, const struct terminal *terminal);

/* A path as it is, but for $HOME, which is "~". */
void modelview_add_path(struct text *out, const char *path, size_t len);

#endif
