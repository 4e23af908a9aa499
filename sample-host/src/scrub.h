/* SPDX-License-Identifier: MIT */
#ifndef INFER_SCRUB_H
#define INFER_SCRUB_H

#include <stdbool.h>

/*
 * scrub: text that may be shown to strangers: the home directory as ~, and the user's name in other paths as USER.
 *
 * Borrowed from the environment, so it ends where that changes. Neither a home of "/" nor the name root says anything
 * about a person: they stay.
 */
struct scrub {
	const char *home, *user;	/* NULL = nothing to hide */
};

struct scrub scrub_of_environment(void);

/* A copy, to be freed; NULL without memory. */
char *scrub_copy(const struct scrub *self, const char *string);

#endif
