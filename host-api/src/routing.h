/* SPDX-License-Identifier: MIT */
#ifndef IH_ROUTING_H
#define IH_ROUTING_H

#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

/*
 * routing: which plugin gets which of the user's options.
 *
 * A backend that has the extension inf.options/1 says which keys it knows and where they belong; one without it is given
 * the keys that begin with its name and a dot, and judges them itself. A plugin gets each option that one of its backends
 * wants. An option that nobody wants is the user's mistake and named as such, with the keys that look like it; a leading
 * '?' says that the user knows and does not mind.
 *
 * Pure but for the memory of the results, which point into the options and tables they were made from.
 */
enum {
	IH_OPTIONS_MAX = 1024,		/* options that a host gives, and keys in the table of one backend */
	IH_OPTION_KEY_MAX = 127,	/* bytes of a key, its '?' not counted */
	IH_NEAR_MATCHES_MAX = 3,	/* named in a message */
};

struct ih_route {		/* one plugin and what it gets */
	const inf_plugin *plugin;	/* has passed ih_loader_check() and ih_options_check() */
	inf_kv *options;		/* owned, the strings borrowed; NULL until routed */
	size_t option_count;
};

void ih_route_release(struct ih_route *self);	/* accepts NULL and a zeroed route */

/*
 * Are the inf.options/1 tables of the plugin sound? INF_STATE_AVAILABLE, also without such a table, or
 * INF_STATE_INCOMPATIBLE and *why.
 */
int32_t ih_options_check(const inf_plugin *plugin, inf_error *why);

/*
 * Share the options out. INF_OK; INF_E_INVALID (no key, no value, too long, too many, or a key twice); INF_E_UNSUPPORTED
 * (nobody knows the key, or not as an option of the instance); INF_E_NO_MEMORY. On failure the routes stay releasable.
 */
inf_status ih_route_options(struct ih_route *routes, size_t route_count, const inf_kv *options, size_t option_count,
			    inf_error *err);

/* All options that the plugins know, the first of each key: a list to free(), of borrowed tables. INF_E_NO_MEMORY. */
inf_status ih_options_collect(const struct ih_route *routes, size_t route_count, const inf_option ***out,
			      size_t *out_count, inf_error *err);

#endif
