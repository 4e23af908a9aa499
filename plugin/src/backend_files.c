/* SPDX-License-Identifier: MIT */
/* inf.models/1: the models on disk, whether or not anything can run them here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend.h"
#include "fit.h"
#include "launch.h"
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
	else if (!entry->set)
		gr_modelreport_directory(entry->path, entry->name, &file);
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

/* What ended a walk early is told as something that could not be read. */
static inf_status report_limit(const struct files_job *job, enum gr_models_limit limit, const char *dir, inf_error *err)
{
	static const char *const causes[] = {
		[GR_MODELS_TOO_DEEP] = "directories deeper than that were left out",
		[GR_MODELS_TOO_MANY] = "there are too many files to look at all of them",
		[GR_MODELS_TOO_SLOW] = "looking at all files takes too long",
	};
	inf_error failure = { .struct_size = sizeof failure };
	inf_model_file file = { .struct_size = sizeof file };
	if (limit == GR_MODELS_COMPLETE)
		return INF_OK;
	inf_fail(&failure, INF_E_TIMEOUT, "search_incomplete",
		 "%s (at most %d levels, %d names, %d models, %d s): name a directory nearer to the models", causes[limit],
		 GR_MODELS_DEPTH_MAX, GR_MODELS_ENTRIES_MAX, GR_MODELS_FILES_MAX, GR_MODELS_TIME_MAX_MS / 1000);
	gr_modelreport_broken(dir, NULL, &failure, 0, &file);
	if (job->on_file(job->user, &file) == INF_CONTINUE)
		return INF_OK;
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "the list of models was cancelled");
}

static uint32_t walk_flags(uint32_t flags)
{
	return (flags & INF_MODELS_FLAG_BROKEN ? GR_MODELS_BROKEN : 0) |
	       (flags & INF_MODELS_FLAG_DIRECTORIES ? GR_MODELS_DIRECTORIES : 0);
}

static inf_status list(inf_instance *self, const inf_backend *backend, const char *const *dirs, size_t dir_count,
		       uint32_t flags, void *user, int32_t (*on_file)(void *user, const inf_model_file *file),
		       inf_error *err)
{
	const struct files_job job = { user, on_file };
	enum gr_models_limit limit = GR_MODELS_COMPLETE;
	struct gr_strv own = GR_STRV_INIT;
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st == INF_OK && (!on_file || flags & ~(INF_MODELS_FLAG_BROKEN | INF_MODELS_FLAG_DIRECTORIES)))
		st = inf_fail(err, on_file ? INF_E_UNSUPPORTED : INF_E_INVALID, "argument",
			      "list: on_file is NULL, or a flag is not known");
	if (st == INF_OK)
		st = take_dirs(self, dirs, dir_count, &own, err);
	if (st == INF_OK)
		st = gr_models_list(as_dirs(&own), walk_flags(flags), on_entry, (void *)&job, &limit, err);
	if (st == INF_OK && flags & INF_MODELS_FLAG_BROKEN)
		st = report_limit(&job, limit, own.count ? own.items[0] : "", err);
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

/* ---- what a load would take ------------------------------------------------------------------------------------ */
enum { FIT_FLAGS = INF_FIT_FLAG_HEADLESS | INF_FIT_FLAG_SHORTER };

/* The rules of a load are those of the load itself. */
static inf_status plan_fit(const inf_fit_request *request, const char *path, const struct gr_modelset *set,
			   struct gr_launch_plan *out, inf_error *err)
{
	struct gr_load_options options;
	const inf_load_params params = {
		.struct_size = sizeof params, .set = request->set, .path = path, .cache_mode = request->cache_mode,
		.context_len = request->context_len, .gpu_layers = request->gpu_layers,
		.parallel_slots = request->parallel_slots,
	};
	inf_status st = gr_options_parse_load(&options, gr_options_table(gr_profile.name), NULL, 0, err);
	options.task = gr_model_task(&set->facts);
	if (st == INF_OK)
		st = gr_model_check_kind(&set->facts, path, &options, err);
	if (st == INF_OK)
		st = gr_launch_plan(out, &params, &options, &set->facts, 1, 1, err);
	return st;
}

static void report_fit(const struct gr_fit_plan *plan, int32_t layer_count, inf_fit_report *out)
{
	const struct gr_fit_need *need = &plan->need;
	const uint64_t host[] = { need->host_weights, need->host_kv, need->host_compute };
	*out = (inf_fit_report){
		.struct_size = sizeof *out, .context_len = (int32_t)plan->context_len,
		.gpu_layers = plan->gpu_layers < 0 || plan->gpu_layers > layer_count ? layer_count : plan->gpu_layers,
		.layer_count = layer_count, .limit = (int32_t)plan->limit,
		.weights = need->weights, .kv_cache = need->kv, .compute = need->compute, .total = plan->total_bytes,
	};
	if (plan->total_bytes)		/* what fits has no sum that wraps */
		out->reserve = plan->total_bytes - need->weights - need->kv - need->compute;
	for (size_t i = 0; i < sizeof host / sizeof *host; i++)
		if (__builtin_add_overflow(out->host_bytes, host[i], &out->host_bytes))
			out->host_bytes = UINT64_MAX;
}

static inf_status choose_fit(const inf_fit_request *request, const char *path, const struct gr_modelset *set,
			     inf_fit_report *out, inf_error *err)
{
	const struct gr_fit_model model = { &set->facts, &set->layers };
	const struct gr_fit_device device = {
		request->memory_free,
		gr_fit_reserve(request->device_kind, request->flags & INF_FIT_FLAG_HEADLESS),
	};
	const char *name = strrchr(path, '/') + 1;
	uint32_t fixed = request->context_len && !(request->flags & INF_FIT_FLAG_SHORTER) ? GR_FIT_CONTEXT_FIXED : 0;
	struct gr_launch_plan plan;
	struct gr_fit_plan fit;
	inf_status st = plan_fit(request, path, set, &plan, err);
	if (st != INF_OK)
		return st;
	const struct gr_fit_load load = gr_launch_memory(&plan);
	fixed |= request->set & INF_LOAD_SET_GPU_LAYERS ? GR_FIT_LAYERS_FIXED : 0;
	st = gr_fit_choose(&model, &load, fixed, &device, 1, name, &fit, err);
	if (st == INF_OK)
		report_fit(&fit, (int32_t)gr_fit_layer_count(&model), out);
	return st;
}

static inf_status fit(inf_instance *self, const inf_backend *backend, const char *path, const inf_fit_request *request,
		      inf_fit_report *out, inf_error *err)
{
	inf_fit_request wanted;
	inf_fit_report report = { .struct_size = sizeof report };
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st != INF_OK)
		return st;
	if (!path || path[0] != '/' || !out)
		return inf_fail(err, INF_E_INVALID, "argument", "fit: out is NULL, or the path is not absolute");
	st = inf_read_request(&wanted, sizeof wanted, request, inf_fit_request_V1_0, FIT_FLAGS, INF_LOAD_SET_GPU_LAYERS);
	if (st == INF_OK && !(wanted.set & INF_LOAD_SET_GPU_LAYERS) && wanted.gpu_layers)
		st = INF_E_INVALID;
	if (st != INF_OK)
		return inf_fail(err, st, "request", "fit: the request has a field or bit that is not known here, or is "
				"without its bit");
	struct gr_modelset *set = calloc(1, sizeof *set);
	if (!set)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model's facts");
	st = gr_modelset_read(path, set, err);
	if (st == INF_OK)
		st = choose_fit(&wanted, path, set, &report, err);
	if (st == INF_OK)
		inf_write_struct(out, &report, sizeof report);
	free(set);
	return st;
}

const inf_models gr_models_table = { .struct_size = sizeof gr_models_table, .list = list, .inspect = inspect,
				     .resolve = resolve, .fit = fit };
