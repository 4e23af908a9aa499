/* SPDX-License-Identifier: MIT */
#ifndef GR_FINDING_H
#define GR_FINDING_H

#include <stdbool.h>

#include "inference/extensions.h"

/*
 * finding: the lines of a diagnosis on their way to whoever asked for it. Pure but for the callback.
 *
 * A value is cut to GR_FINDING_VALUE_MAX bytes, one line of UTF-8. Once the callback has said stop, what is added does
 * nothing, so that a report needs no question after each line.
 */
enum { GR_FINDING_VALUE_MAX = 1024, GR_FINDING_KEY_MAX = 96 };	/* bytes, NUL included */

struct gr_findings {
	void *user;
	int32_t (*on_finding)(void *user, const inf_finding *finding);
	bool ended;
};

/* head: severity, section, key, reason and remedy; NULL is "". A key is cut to GR_FINDING_KEY_MAX bytes. */
void gr_finding_add(struct gr_findings *self, const inf_finding *head, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void gr_finding_fact(struct gr_findings *self, const char *section, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
