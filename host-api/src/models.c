/* SPDX-License-Identifier: MIT */
/* inf.models/1 for hosts. */
#include "registry.h"

static inf_status fail_unsupported(const inf_registry *self, const inf_candidate *candidate, inf_error *err)
{
	struct ih_usable unused;
	if (!self)
		return inf_fail(err, INF_E_INVALID, "params", "the registry is NULL");
	if (candidate && ih_registry_resolve(self, candidate, &unused, err) == INF_E_INVALID)
		return INF_E_INVALID;
	if (candidate)
		return inf_fail(err, INF_E_UNSUPPORTED, "no_models", "%s%sdoes not tell which models there are",
				candidate->backend, candidate->backend[0] ? " " : "");
	return inf_fail(err, INF_E_UNSUPPORTED, "no_models", "no plugin that was found can read models on disk");
}

/* NULL without one; the slot asked for is the caller's to check. */
static const inf_models *find(const inf_registry *self, const inf_candidate *candidate, struct ih_usable *out)
{
	return ih_registry_extension(self, candidate, INF_EXT_MODELS, out);
}

inf_status inf_registry_list_models(const inf_registry *self, const inf_candidate *candidate, const char *const *dirs,
				    size_t dir_count, uint32_t flags, void *user,
				    int32_t (*on_file)(void *user, const inf_model_file *file), inf_error *err)
{
	struct ih_usable via;
	const inf_models *table = find(self, candidate, &via);
	if (!table || !INF_HAS(inf_models, table, list) || !table->list)
		return fail_unsupported(self, candidate, err);
	return table->list(via.instance, via.backend, dirs, dir_count, flags, user, on_file, err);
}

inf_status inf_registry_inspect_model(const inf_registry *self, const inf_candidate *candidate, const char *path,
				      inf_model_file *out, inf_error *err)
{
	struct ih_usable via;
	const inf_models *table = find(self, candidate, &via);
	if (!table || !INF_HAS(inf_models, table, inspect) || !table->inspect)
		return fail_unsupported(self, candidate, err);
	return table->inspect(via.instance, via.backend, path, out, err);
}

inf_status inf_registry_resolve_model(const inf_registry *self, const inf_candidate *candidate, const char *wish,
				      const char *const *dirs, size_t dir_count, char *path, size_t path_size,
				      inf_error *err)
{
	struct ih_usable via;
	const inf_models *table = find(self, candidate, &via);
	if (!table || !INF_HAS(inf_models, table, resolve) || !table->resolve)
		return fail_unsupported(self, candidate, err);
	return table->resolve(via.instance, via.backend, wish, dirs, dir_count, path, path_size, err);
}

inf_status inf_registry_fit_model(const inf_registry *self, const inf_candidate *candidate, const char *path,
				  const inf_fit_request *request, inf_fit_report *out, inf_error *err)
{
	struct ih_usable via;
	const inf_models *table = find(self, candidate, &via);
	if (!table || !INF_HAS(inf_models, table, fit) || !table->fit)
		return fail_unsupported(self, candidate, err);
	return table->fit(via.instance, via.backend, path, request, out, err);
}
