/* SPDX-License-Identifier: MIT */
/*
 * With inf.models/1, and not available: "shelf" has one model, whose title is the first directory asked for; "attic" has
 * the table as it was before fit().
 */
#include "stub.h"

static inf_status INF_CALL no_device(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability found = { .struct_size = sizeof found, .reason = "no_device", .message = "nothing to run on" };
	(void)self;
	(void)backend;
	(void)err;
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

static inf_status INF_CALL list(inf_instance *self, const inf_backend *backend, const char *const *dirs, size_t dir_count,
				uint32_t flags, void *user,
				int32_t (INF_CALL *on_file)(void *user, const inf_model_file *file), inf_error *err)
{
	inf_model_file file = { .struct_size = sizeof file, .path = "/shelf/book.gguf", .part_count = (int32_t)flags };
	(void)self;
	snprintf(file.name, sizeof file.name, "%s", backend->name);
	snprintf(file.title, sizeof file.title, "%s", dir_count ? dirs[0] : "");
	if (on_file(user, &file) == INF_CONTINUE)
		return INF_OK;
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "the list was cancelled");
}

static inf_status INF_CALL inspect(inf_instance *self, const inf_backend *backend, const char *path, inf_model_file *out,
				   inf_error *err)
{
	inf_model_file file = { .struct_size = sizeof file };
	(void)self;
	(void)err;
	snprintf(file.name, sizeof file.name, "%s", backend->name);
	snprintf(file.title, sizeof file.title, "%s", path);
	inf_write_struct(out, &file, sizeof file);
	return INF_OK;
}

static inf_status INF_CALL resolve(inf_instance *self, const inf_backend *backend, const char *wish,
				   const char *const *dirs, size_t dir_count, char *path, size_t path_size, inf_error *err)
{
	(void)self;
	(void)backend;
	if (snprintf(path, path_size, "%s/%s.gguf", dir_count ? dirs[0] : "/shelf", wish) < (int)path_size)
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "path_size", "the path is longer");
}

static inf_status INF_CALL fit(inf_instance *self, const inf_backend *backend, const char *path,
			       const inf_fit_request *request, inf_fit_report *out, inf_error *err)
{
	const inf_fit_report report = { .struct_size = sizeof report, .total = request->memory_free };
	(void)self;
	(void)backend;
	if (strcmp(path, "/shelf/book.gguf") != 0)
		return inf_fail(err, INF_E_NOT_FOUND, "not_found", "no such book");
	inf_write_struct(out, &report, sizeof report);
	return INF_OK;
}

static const inf_models table = { sizeof table, 0, list, inspect, resolve, fit };
static const inf_models old_table = { offsetof(inf_models, fit), 0, list, inspect, resolve, fit };

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)model;
	if (strcmp(id, INF_EXT_MODELS) != 0)
		return NULL;
	return strcmp(backend->name, "attic") ? &table : &old_table;
}

static const inf_backend shelf = {
	STUB_BACKEND("shelf"),
	.available = no_device,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = get_extension,
};

static const inf_backend attic = {
	STUB_BACKEND("attic"),
	.available = no_device,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = get_extension,
};

static const inf_backend *const backends[] = { &shelf, &attic };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
