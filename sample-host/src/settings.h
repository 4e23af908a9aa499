/* SPDX-License-Identifier: MIT */
#ifndef INFER_SETTINGS_H
#define INFER_SETTINGS_H

#include "failure.h"
#include "options.h"

/*
 * settings: the key=value pairs of --set, each brought to the call that its option belongs to.
 *
 * Which options there are is known only when the registry is open, and an instance wants its options when it is opened.
 * So the registry gets all pairs, marked "?key": it gives each plugin those that it knows as options of the instance and
 * minds none of the others. Then the plugins' tables say which of the pairs nobody knows, and the table of the selected
 * backend says which go into a load or a request.
 *
 * A backend without a table is given what begins with its name and judges that itself, which it would not do for a marked
 * key. If there is such a pair, settings_need_judge() is true and the registry is opened again with unmarked pairs.
 */
enum { SETTINGS_MAX = 256 };

struct setting {
	char *key;		/* owned, '?' in front */
	const char *pair;	/* borrowed; both as they were given */
	const char *value;	/* in it */
	bool is_optional;	/* the user wrote the '?' */
	bool by_name;		/* known only as named after a backend that has no table */
};

struct settings {
	struct setting *items;	/* owned */
	size_t count;
	inf_kv *instance, *load, *request;	/* owned; the strings are the items' */
	size_t instance_count, load_count, request_count;
	const char *culprit;	/* of the pairs: the one that a failure is about */
	char **chosen;		/* owned; values of request that settings_choose() set, at their places, NULL for the others */
};

#define SETTINGS_INIT { NULL, 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL }

void settings_release(struct settings *self);	/* accepts NULL and a released one */

/* Take the pairs apart and mark all for the instance. EXIT_DONE, EXIT_USAGE, EXIT_FAILED without memory. */
enum exit_code settings_parse(struct settings *self, const struct words *pairs, struct failure *why);

/* Is each key known to somebody, and has it a value of the right kind? EXIT_DONE, EXIT_USAGE. */
enum exit_code settings_check(struct settings *self, const inf_registry *registry, struct failure *why);

bool settings_need_judge(const struct settings *self);
void settings_unmark(struct settings *self);	/* those that need a judge */

/* Fill load and request for the backend. EXIT_DONE; EXIT_USAGE for an option that only other backends have. */
enum exit_code settings_route(struct settings *self, const inf_registry *registry, const inf_candidate *backend,
			      struct failure *why);

/* The options of requests that the backend has: the next one from *at on, NULL after the last. */
const inf_option *settings_next(const inf_registry *registry, const inf_candidate *backend, uint32_t *at);

/* What the requests to come say for one of them; value NULL: nothing. EXIT_DONE; EXIT_USAGE for a bad value; EXIT_FAILED
 * without memory. */
enum exit_code settings_choose(struct settings *self, const inf_option *option, const char *value, struct failure *why);
const char *settings_value(const struct settings *self, const char *key);	/* in a request; NULL = none */

#endif
