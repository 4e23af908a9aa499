/* SPDX-License-Identifier: MIT */
#ifndef KIT_FAILURES_H
#define KIT_FAILURES_H

#include "world.h"

/* failures: calls that must fail, made with errors of which nothing is filled in. */
struct kit_failure {
	const char *what;
	inf_status status;
	inf_error err;
};

/* Does text name the thing? '_', '-' and blanks are the same, and so are capitals. */
bool kit_names(const char *text, const char *thing);
/* err with a pattern in it, so that what was not filled in is seen. */
inf_error kit_blank_error(void);
bool kit_is_blank(const inf_error *err);

/* Loads that fail for one reason each. Each is made, and then told to the function. */
void kit_bad_loads(struct kit_world *world, void (*tell)(struct kit_world *world, const struct kit_failure *failure,
							  const inf_model *out));
/* Generations and chats that fail, of a world with a model. */
void kit_bad_calls(struct kit_world *world, void (*tell)(struct kit_world *world, const struct kit_failure *failure,
							  const inf_gen_result *result));

#endif
