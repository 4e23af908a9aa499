/* SPDX-License-Identifier: MIT */
/* inf.models/1: the models on disk, whether or not anything can run them here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend.h"
#include "modelreport.h"
#include "models.h"
#include "modelset.h"

enum { DIRS_MAX = 64 };

struct files_job {
	void *user;
	int32_t (*on_file)(void *user, const inf_model_file *file);
};

static int on_entry(const struct gr_models_entry *entry, void *user)
{
	const struct files_job *job = user;
	inf_model_file file = { .struct_size = sizeof file };
	if (entry->error)
		gr_modelreport_broken(entry->path, entry->name, entry->error, entry->modified, &file);
	else
		gr_modelreport(entry->path, entry->name, entry->set, entry->modified, &file);
	return job->on_file(job->user, &file);
}

/* The directories of a request, or the usual ones. Both lists end with NULL. */
static inf_status take_dirs(const inf_instance *self, const char *const *dirs, size_t count, struct gr_strv *out,
			    inf_error *err)
{
	if (count > DIRS_MAX || (count && !dirs))
		return inf_fail(err, INF_E_INVALID, "dirs", "dirs: NULL, or more than %d directories", DIRS_MAX);
	for (size_t i = 0; dirs && i < count; i++) {
		if (!dirs[i] || dirs[i][0] != '/')
			return inf_fail(err, INF_E_INVALID, "dirs", "directory %zu is not absolute", i);
		gr_strv_add(out, dirs[i]);
	}
	if (!count)
		gr_models_default_dirs(self->env.items, out);
	if (out->failed)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the directories");
	return INF_OK;
}

static const char *const *as_dirs(const struct gr_strv *dirs)
{
	static const char *const none[] = { NULL };
	return dirs->items ? (const char *const *)dirs->items : none;
}

static inf_status list(inf_instance *self, const inf_backend *backend, const char *const *dirs, size_t dir_count,
		       uint32_t flags, void *user, int32_t (*on_file)(void *user, const inf_model_file *file),
		       inf_error *err)
{
	const struct files_job job = { user, on_file };
	struct gr_strv own = GR_STRV_INIT;
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st == INF_OK && (!on_file || flags & ~INF_MODELS_FLAG_BROKEN))
		st = inf_fail(err, on_file ? INF_E_UNSUPPORTED : INF_E_INVALID, "argument",
			      "list: on_file is NULL, or a flag is not known");
	if (st == INF_OK)
		st = take_dirs(self, dirs, dir_count, &own, err);
	if (st == INF_OK)
		st = gr_models_list(as_dirs(&own), flags & INF_MODELS_FLAG_BROKEN ? GR_MODELS_BROKEN : 0, on_entry,
				    (void *)&job, NULL, err);
	gr_strv_release(&own);
	return st;
}

static inf_status inspect(inf_instance *self, const inf_backend *backend, const char *path, inf_model_file *out,
			  inf_error *err)
{
	inf_model_file file = { .struct_size = sizeof file };
	struct stat info;
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st != INF_OK)
		return st;
	if (!path || path[0] != '/' || !out)
		return inf_fail(err, INF_E_INVALID, "argument", "inspect: out is NULL, or the path is not absolute");
	struct gr_modelset *set = calloc(1, sizeof *set);
	if (!set)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model's facts");
	st = gr_modelset_read(path, set, err);
	if (st == INF_OK) {
		gr_modelreport(path, NULL, set, stat(path, &info) == 0 ? info.st_mtime : 0, &file);
		file.path = NULL;
		inf_write_struct(out, &file, sizeof file);
	}
	free(set);
	return st;
}

static inf_status resolve(inf_instance *self, const inf_backend *backend, const char *wish, const char *const *dirs,
			  size_t dir_count, char *path, size_t path_size, inf_error *err)
{
	struct gr_buf found = GR_BUF_INIT(PATH_MAX);
	struct gr_strv own = GR_STRV_INIT;
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st == INF_OK && (!wish || !path))
		st = inf_fail(err, INF_E_INVALID, "argument", "resolve: wish or path is NULL");
	if (st == INF_OK)
		st = take_dirs(self, dirs, dir_count, &own, err);
	if (st == INF_OK)
		st = gr_models_resolve(wish, as_dirs(&own), &found, err);
	if (st == INF_OK && found.len >= path_size)
		st = inf_fail(err, INF_E_INVALID, "path_size", "resolve: the path needs %zu bytes", found.len + 1);
	if (st == INF_OK)
		memcpy(path, gr_buf_text(&found), found.len + 1);
	gr_buf_release(&found);
	gr_strv_release(&own);
	return st;
}

const inf_models gr_models_table = { .struct_size = sizeof gr_models_table, .list = list, .inspect = inspect,
				     .resolve = resolve };
