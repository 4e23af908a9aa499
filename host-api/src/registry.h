/* SPDX-License-Identifier: MIT */
#ifndef IH_REGISTRY_H
#define IH_REGISTRY_H

#include "inference/host.h"

/*
 * registry: what a session needs to know of the registry behind host.h.
 *
 * A registry is written while it opens and only read afterwards: none of its queries takes a lock.
 */

struct ih_usable {		/* both belong to the registry */
	inf_instance *instance;
	const inf_backend *backend;
};

/*
 * What stands behind a candidate. INF_OK and *out, or INF_E_INVALID (not a candidate of this registry), or
 * INF_E_UNAVAILABLE (it cannot be used; the error repeats its reason and message).
 */
inf_status ih_registry_resolve(const inf_registry *self, const inf_candidate *candidate, struct ih_usable *out,
			       inf_error *err);

/*
 * A static extension table of a candidate, and what to call it with; or NULL. Available or not, but an instance is
 * there. INF_HAS() is the caller's. candidate NULL: of the first candidate that has it.
 */
const void *ih_registry_extension(const inf_registry *self, const inf_candidate *candidate, const char *id,
				  struct ih_usable *out);

#endif
