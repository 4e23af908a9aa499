/* SPDX-License-Identifier: MIT */
#ifndef GR_STRV_H
#define GR_STRV_H

#include <stdbool.h>
#include <stddef.h>

/*
 * strv: a growing NULL-terminated list of strings, for argv and envp.
 *
 * A list that ran out of memory remembers it and ignores what comes after, so that a row of additions needs one
 * question at its end.
 */
struct gr_strv {
	char **items;		/* owned, NULL-terminated; NULL while empty */
	size_t count;
	bool failed;		/* out of memory at some addition */
};

#define GR_STRV_INIT { NULL, 0, false }

void gr_strv_release(struct gr_strv *self);
void gr_strv_add(struct gr_strv *self, const char *text);
void gr_strv_addf(struct gr_strv *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "NAME=value" */
void gr_strv_add_env(struct gr_strv *self, const char *name, const char *value);
/* The value of NAME in a list of "NAME=value", NULL if it is not there. The list may be NULL. */
const char *gr_env_get(char *const *env, const char *name);

#endif
