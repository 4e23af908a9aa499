/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "discover.h"
#include "loader.h"
#include "log.h"
#include "routing.h"
#include "screen.h"
#include "select.h"
#include "verdict.h"

enum { KNOWN_FLAGS = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS | INF_REGISTRY_FLAG_NO_CACHE | INF_REGISTRY_FLAG_RESCAN };

struct environment {		/* borrowed from the process; NULL is "not set" */
	const char *plugin_path, *xdg_data_home, *home;
	const char *wish, *disabled, *sudo_uid;
	const char *probe, *xdg_cache_home;
};

struct file {
	struct ih_screened *seen;	/* borrowed from the registry; INF_STATE_AVAILABLE: route->plugin is sound */
	struct ih_route *route;		/* borrowed from the registry; NULL unless loaded */
	inf_host host;			/* stays put while there is an instance */
	inf_instance *instance;		/* NULL: none was needed, or create() failed */
	bool tried;			/* create() was called: once for all backends of the file */
};

struct detail {			/* what stands behind the public candidate of the same index */
	struct file *file;
	const inf_backend *backend;	/* NULL: the file gave none */
	bool wanted;			/* neither disabled nor shadowed: gets an instance and is asked */
	inf_error why;			/* owner of the candidate's reason and message */
};

struct inf_registry {
	struct ih_log log;
	char *host_name, *host_version;	/* owned */
	char *wish;			/* $INF_BACKEND, owned; NULL when unset */
	inf_kv *options;		/* owned copies: plugins may read them as long as they live */
	size_t option_count;
	struct ih_paths paths;
	struct ih_screened *seen;	/* paths.count of them, as of the files */
	struct file *files;
	struct ih_route *routes;	/* one for each loaded file */
	size_t route_count;
	inf_candidate *candidates;
	struct detail *details;
	size_t candidate_count;
	const inf_option **known;	/* owned list of the plugins' tables */
	size_t known_count;
};

static inf_status no_memory(inf_error *err)
{
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the registry of plugins");
}

/* secure_getenv: whoever runs a set-user-ID program does not choose what code it loads. */
static struct environment read_environment(void)
{
	struct environment env = {
		.plugin_path = secure_getenv("INF_PLUGIN_PATH"),
		.xdg_data_home = secure_getenv("XDG_DATA_HOME"),
		.home = secure_getenv("HOME"),
		.wish = secure_getenv("INF_BACKEND"),
		.disabled = secure_getenv("INF_BACKEND_DISABLE"),
		.sudo_uid = secure_getenv("SUDO_UID"),
		.probe = secure_getenv("INF_PROBE"),
		.xdg_cache_home = secure_getenv("XDG_CACHE_HOME"),
	};
	if (env.probe && !env.probe[0])
		env.probe = NULL;
	if (env.wish && !env.wish[0])
		env.wish = NULL;
	return env;
}

/* ---- from the host's parameters ---- */

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}

static inf_status read_params(inf_registry_params *out, const inf_registry_params *params, inf_error *err)
{
	inf_status st = inf_read_request(out, sizeof *out, params, inf_registry_params_V1_0, KNOWN_FLAGS, ~0ull);
	if (st == INF_E_UNSUPPORTED)
		return inf_fail(err, st, "params", "registry parameters: a flag or field that is not known here");
	if (st != INF_OK)
		return inf_fail(err, st, "params", "registry parameters: struct_size is %u, not %d to %u",
				params ? params->struct_size : 0, inf_registry_params_V1_0, INF_STRUCT_MAX);
	if (out->reserved0)
		return inf_fail(err, INF_E_INVALID, "params", "registry parameters: reserved0 is not 0");
	if (out->plugin_dir_count && !out->plugin_dirs)
		return inf_fail(err, INF_E_INVALID, "params", "registry parameters: plugin_dirs is NULL");
	if (out->option_count > IH_OPTIONS_MAX || (out->option_count && !out->options))
		return inf_fail(err, INF_E_INVALID, "params", "registry parameters: options is NULL, or more than %d",
				IH_OPTIONS_MAX);
	return INF_OK;
}

/* A key or value that is NULL stays so: routing names it. */
static inf_status copy_options(struct inf_registry *self, const inf_registry_params *params)
{
	self->options = calloc(params->option_count + 1, sizeof *self->options);
	if (!self->options)
		return INF_E_NO_MEMORY;
	for (; self->option_count < params->option_count; self->option_count++) {
		const inf_kv *from = &params->options[self->option_count];
		inf_kv *to = &self->options[self->option_count];
		to->key = from->key ? copy_text(from->key) : NULL;
		to->value = from->value ? copy_text(from->value) : NULL;
		if ((from->key && !to->key) || (from->value && !to->value)) {
			self->option_count++;	/* half of it may be there to free */
			return INF_E_NO_MEMORY;
		}
	}
	return INF_OK;
}

static inf_status take_params(struct inf_registry *self, const inf_registry_params *params,
			      const struct environment *env, inf_error *err)
{
	self->log = (struct ih_log){ params->log, params->log_ctx, params->log_level };
	self->host_name = copy_text(params->host_name ? params->host_name : "libinference");
	self->host_version = copy_text(params->host_version ? params->host_version : "");
	if (env->wish)
		self->wish = copy_text(env->wish);
	if (!self->host_name || !self->host_version || (env->wish && !self->wish) ||
	    copy_options(self, params) != INF_OK)
		return no_memory(err);
	return INF_OK;
}

/* ---- files ---- */

static void load_file(struct inf_registry *self, struct file *file)
{
	const inf_plugin *plugin = NULL;
	inf_plugin_entry_fn entry;
	struct ih_screened *seen = file->seen;
	if (seen->state == INF_STATE_AVAILABLE)
		seen->state = ih_loader_open(seen->path, &entry, &seen->why);
	if (seen->state == INF_STATE_AVAILABLE)
		seen->state = ih_loader_enter(entry, &seen->note, &plugin, &seen->why);
	if (seen->state != INF_STATE_AVAILABLE)
		return;
	file->route = &self->routes[self->route_count++];
	file->route->plugin = plugin;
}

/* A package may be unpacked elsewhere than it was configured for, so what lies beside the library comes first. */
static const char *beside_library(char *buf, size_t cap, const char *below)
{
	if (!ih_loader_own_directory(buf, cap - strlen(below) - 1))
		return NULL;
	strcat(buf, below);
	return access(buf, F_OK) == 0 ? buf : NULL;
}

static inf_status screen_files(struct inf_registry *self, uint32_t flags, const struct environment *env)
{
	char beside[PATH_MAX];
	struct ih_screen screen = { .owners = ic_owners_of(geteuid(), env->sudo_uid), .cache = IH_CACHE_INIT,
				    .rescan = flags & INF_REGISTRY_FLAG_RESCAN };
	const struct ih_probe_places places = {
		.named = env->probe, .beside = beside_library(beside, sizeof beside, INF_PROBE_BESIDE),
		.installed = INF_INSTALLED_PROBE,
	};
	if (self->paths.count) {
		screen.probe.env = environ;
		ih_probe_find(&screen.probe, &places, &screen.owners, &self->log);
	}
	if (screen.probe.program[0] && !(flags & INF_REGISTRY_FLAG_NO_CACHE))
		ih_cache_open(&screen.cache, env->xdg_cache_home, env->home, geteuid());
	inf_status st = ih_screen_files(&screen, self->seen, self->paths.count, &self->log);
	ih_cache_release(&screen.cache);
	return st;
}

static inf_status load_files(struct inf_registry *self, uint32_t flags, const struct environment *env, inf_error *err)
{
	self->seen = calloc(self->paths.count + 1, sizeof *self->seen);
	self->files = calloc(self->paths.count + 1, sizeof *self->files);
	self->routes = calloc(self->paths.count + 1, sizeof *self->routes);
	if (!self->seen || !self->files || !self->routes)
		return no_memory(err);
	for (size_t i = 0; i < self->paths.count; i++) {
		self->files[i].seen = &self->seen[i];
		self->seen[i].path = self->paths.items[i];
	}
	if (screen_files(self, flags, env) != INF_OK)
		return no_memory(err);
	for (size_t i = 0; i < self->paths.count; i++)
		load_file(self, &self->files[i]);
	return INF_OK;
}

static size_t count_refused(const struct inf_registry *self)
{
	size_t count = 0;
	for (size_t i = 0; i < self->paths.count; i++)
		count += self->seen[i].state != INF_STATE_AVAILABLE && self->seen[i].state != INF_STATE_SHADOWED;
	return count;
}

/* ---- candidates ---- */

/* reason and message may be arrays that a plugin filled, or the candidate's own. */
static void judge(struct inf_registry *self, size_t index, int32_t state, const char *reason, const char *message)
{
	inf_candidate *candidate = &self->candidates[index];
	inf_error *why = &self->details[index].why;
	*why = (inf_error){ .struct_size = sizeof *why };
	ih_refuse(why, state, reason, "%s", message);
	candidate->state = state;
	candidate->reason = why->reason;
	candidate->message = why->message;
	if (state != INF_STATE_AVAILABLE)
		ih_log(&self->log, INF_LOG_INFO, "%s: %s%s%s: %s", candidate->path, candidate->backend,
		       candidate->backend[0] ? " is " : "", inf_state_name(state), why->message);
}

static size_t add_candidate(struct inf_registry *self, struct file *file, const inf_backend *backend)
{
	size_t index = self->candidate_count++;
	const inf_plugin *plugin = file->route ? file->route->plugin : NULL;
	self->details[index] = (struct detail){ .file = file, .backend = backend };
	self->candidates[index] = (inf_candidate){
		.struct_size = sizeof self->candidates[index],
		.path = file->seen->path,
		.backend = backend ? backend->name : "",
		.description = backend && backend->description ? backend->description : "",
		.version = plugin ? plugin->version : "",
		.reason = "",
		.message = "",
	};
	return index;
}

static const inf_candidate *find_named(const struct inf_registry *self, const char *name)
{
	for (size_t i = 0; i < self->candidate_count; i++)
		if (!strcmp(self->candidates[i].backend, name))
			return &self->candidates[i];
	return NULL;
}

static void list_backend(struct inf_registry *self, struct file *file, const inf_backend *backend, const char *disabled)
{
	inf_error why = { .struct_size = sizeof why };
	const inf_candidate *earlier = find_named(self, backend->name);
	size_t index = add_candidate(self, file, backend);
	int32_t state = INF_STATE_AVAILABLE;
	if (ih_name_in_list(disabled, backend->name))
		state = ih_refuse(&why, INF_STATE_DISABLED, "disabled", "by $INF_BACKEND_DISABLE=%s", disabled);
	else if (earlier)
		state = ih_refuse(&why, INF_STATE_SHADOWED, "same_name", "%s comes first in the search path",
				  earlier->path);
	self->details[index].wanted = state == INF_STATE_AVAILABLE;
	if (state != INF_STATE_AVAILABLE)
		judge(self, index, state, why.reason, why.message);
}

static inf_status list_candidates(struct inf_registry *self, const char *disabled, inf_error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < self->paths.count; i++)
		total += self->files[i].route ? self->files[i].route->plugin->backend_count : 1;
	self->candidates = calloc(total + 1, sizeof *self->candidates);
	self->details = calloc(total + 1, sizeof *self->details);
	if (!self->candidates || !self->details)
		return no_memory(err);
	for (size_t i = 0; i < self->paths.count; i++) {
		struct file *file = &self->files[i];
		if (!file->route) {
			size_t index = add_candidate(self, file, NULL);
			judge(self, index, file->seen->state, file->seen->why.reason, file->seen->why.message);
			continue;
		}
		for (size_t b = 0; b < file->route->plugin->backend_count; b++)
			list_backend(self, file, file->route->plugin->backends[b], disabled);
	}
	return INF_OK;
}

/* ---- instances ---- */

static const void *INF_CALL no_extension(void *ctx, const char *id)
{
	(void)ctx;
	(void)id;
	return NULL;
}

static void create_instance(struct inf_registry *self, struct file *file)
{
	inf_instance *instance = NULL;
	file->tried = true;
	file->host = (inf_host){
		.struct_size = sizeof file->host,
		.abi_minor = INF_ABI_MINOR,
		.log_level = self->log.write ? self->log.level : INF_LOG_ERROR,
		.ctx = &self->log,
		.name = self->host_name,
		.version = self->host_version,
		.options = file->route->options,
		.option_count = file->route->option_count,
		.log = ih_log_forward,
		.get_extension = no_extension,
	};
	inf_status st = file->route->plugin->create(&file->host, &instance, &file->seen->why);
	if (st == INF_OK && !instance)
		st = inf_fail(&file->seen->why, INF_E_INTERNAL, "no_instance", "create() succeeded without an instance");
	if (st == INF_OK)
		file->instance = instance;
}

static void create_instances(struct inf_registry *self)
{
	for (size_t i = 0; i < self->candidate_count; i++)
		if (self->details[i].wanted && !self->details[i].file->tried)
			create_instance(self, self->details[i].file);
}

/* Plugins fill arrays: one without a NUL at its end must not be read beyond it. */
static void refuse_with(struct inf_registry *self, size_t index, char *reason, size_t reason_size, char *message,
			size_t message_size)
{
	reason[reason_size - 1] = '\0';
	message[message_size - 1] = '\0';
	judge(self, index, INF_STATE_UNAVAILABLE, reason[0] ? reason : "unspecified",
	      message[0] ? message : "the backend does not say why");
}

static void ask(struct inf_registry *self, size_t index)
{
	struct detail *detail = &self->details[index];
	struct file *file = detail->file;
	inf_availability answer = { .struct_size = sizeof answer };
	inf_error why = { .struct_size = sizeof why };
	if (!file->instance) {
		why = file->seen->why;
		refuse_with(self, index, why.reason, sizeof why.reason, why.message, sizeof why.message);
		return;
	}
	if (detail->backend->available(file->instance, detail->backend, &answer, &why) != INF_OK) {
		refuse_with(self, index, why.reason, sizeof why.reason, why.message, sizeof why.message);
		return;
	}
	int32_t score = ih_score(answer.score);
	if (!score) {
		refuse_with(self, index, answer.reason, sizeof answer.reason, answer.message, sizeof answer.message);
		return;
	}
	answer.message[sizeof answer.message - 1] = '\0';
	judge(self, index, INF_STATE_AVAILABLE, "", answer.message[0] ? answer.message : "available");
	self->candidates[index].score = score;
}

/* ---- lifecycle ---- */

static inf_status find_files(struct inf_registry *self, const inf_registry_params *params,
			     const struct environment *env, inf_error *err)
{
	char installed[PATH_MAX];
	struct ih_search search = { .dirs = params->plugin_dirs, .dir_count = params->plugin_dir_count };
	if (!(params->flags & INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS)) {
		search.plugin_path = env->plugin_path;
		search.xdg_data_home = env->xdg_data_home;
		search.home = env->home;
		search.installed = beside_library(installed, sizeof installed, "/inference/backends");
		if (!search.installed)
			search.installed = INF_INSTALLED_BACKENDS;
	}
	return ih_discover(&search, &self->log, &self->paths, err);
}

static inf_status route_options(struct inf_registry *self, inf_error *err)
{
	inf_error why = { .struct_size = sizeof why };
	inf_status st = ih_route_options(self->routes, self->route_count, self->options, self->option_count, &why);
	size_t refused = count_refused(self);
	if (st == INF_OK)
		return ih_options_collect(self->routes, self->route_count, &self->known, &self->known_count, err);
	if (st == INF_E_UNSUPPORTED && refused)
		return inf_fail(err, st, why.reason, "%s (plugin files that could not be used: %zu, see the log)",
				why.message, refused);
	return inf_fail(err, st, why.reason, "%s", why.message);
}

static inf_status fill(struct inf_registry *self, const inf_registry_params *params, inf_error *err)
{
	struct environment env = read_environment();
	inf_status st = take_params(self, params, &env, err);
	if (st == INF_OK)
		st = find_files(self, params, &env, err);
	if (st == INF_OK)
		st = load_files(self, params->flags, &env, err);
	if (st == INF_OK)
		st = list_candidates(self, env.disabled, err);
	if (st == INF_OK)
		st = route_options(self, err);
	if (st != INF_OK)
		return st;
	create_instances(self);
	for (size_t i = 0; i < self->candidate_count; i++)
		if (self->details[i].wanted)
			ask(self, i);
	return INF_OK;
}

inf_status inf_registry_open(const inf_registry_params *params, inf_registry **out, inf_error *err)
{
	inf_registry_params known;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "params", "inf_registry_open: out is NULL");
	*out = NULL;
	inf_status st = read_params(&known, params, err);
	if (st != INF_OK)
		return st;
	struct inf_registry *self = calloc(1, sizeof *self);
	if (!self)
		return no_memory(err);
	st = fill(self, &known, err);
	if (st == INF_OK) {
		*out = self;
		self = NULL;
	}
	inf_registry_close(self);
	return st;
}

static void destroy_instances(struct inf_registry *self)
{
	for (size_t i = self->files ? self->paths.count : 0; i-- > 0; )
		if (self->files[i].instance)
			self->files[i].route->plugin->destroy(self->files[i].instance);
}

void inf_registry_close(inf_registry *self)
{
	if (!self)
		return;
	destroy_instances(self);
	for (size_t i = 0; i < self->route_count; i++)
		ih_route_release(&self->routes[i]);
	for (size_t i = 0; i < self->option_count; i++) {
		free((char *)self->options[i].key);
		free((char *)self->options[i].value);
	}
	free(self->options);
	free(self->known);
	free(self->candidates);
	free(self->details);
	free(self->files);
	free(self->seen);
	free(self->routes);
	ih_paths_release(&self->paths);
	free(self->wish);
	free(self->host_version);
	free(self->host_name);
	free(self);
}

/* ---- queries ---- */

size_t inf_registry_count(const inf_registry *self)
{
	return self->candidate_count;
}

const inf_candidate *inf_registry_candidate(const inf_registry *self, size_t index)
{
	return index < self->candidate_count ? &self->candidates[index] : NULL;
}

inf_status inf_registry_select(const inf_registry *self, const char *name, const inf_candidate **out, inf_error *err)
{
	inf_error why = { .struct_size = sizeof why };
	if (!out)
		return inf_fail(err, INF_E_INVALID, "params", "inf_registry_select: out is NULL");
	*out = NULL;
	if (name && name[0])
		return ih_select(self->candidates, self->candidate_count, name, out, err);
	inf_status st = ih_select(self->candidates, self->candidate_count, self->wish, out, &why);
	if (st != INF_OK)
		inf_fail(err, st, why.reason, "%s%s", self->wish ? "$INF_BACKEND: " : "", why.message);
	return st;
}

size_t inf_registry_option_count(const inf_registry *self)
{
	return self->known_count;
}

const inf_option *inf_registry_option(const inf_registry *self, size_t index)
{
	return index < self->known_count ? self->known[index] : NULL;
}

static const struct detail *find_detail(const inf_registry *self, const inf_candidate *candidate)
{
	for (size_t i = 0; i < self->candidate_count; i++)
		if (&self->candidates[i] == candidate)
			return &self->details[i];
	return NULL;
}

const void *inf_registry_get_extension(const inf_registry *self, const inf_candidate *candidate, const char *id)
{
	const struct detail *detail = find_detail(self, candidate);
	if (!detail || !detail->backend || !id)
		return NULL;
	return detail->backend->get_extension(detail->file->instance, detail->backend, NULL, id);
}

inf_status inf_registry_list_devices(const inf_registry *self, const inf_candidate *candidate, void *user,
				     int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	const struct detail *detail = find_detail(self, candidate);
	if (!detail || !on_device)
		return inf_fail(err, INF_E_INVALID, "candidate", "not a candidate of this registry, or no callback");
	const inf_devices *table = detail->backend && detail->file->instance ?
				   detail->backend->get_extension(detail->file->instance, detail->backend, NULL,
								  INF_EXT_DEVICES) : NULL;
	if (!table || !INF_HAS(inf_devices, table, list) || !table->list)
		return inf_fail(err, INF_E_UNSUPPORTED, "no_devices", "%s%sdoes not tell its devices", candidate->backend,
				candidate->backend[0] ? " " : "");
	struct ih_devices relay = { user, on_device };
	return table->list(detail->file->instance, detail->backend, &relay, ih_devices_relay, err);
}

inf_status inf_registry_diagnose(const inf_registry *self, const inf_candidate *candidate, void *user,
				 int32_t (*on_finding)(void *user, const inf_finding *finding), inf_error *err)
{
	const struct detail *detail = find_detail(self, candidate);
	if (!detail || !on_finding)
		return inf_fail(err, INF_E_INVALID, "candidate", "not a candidate of this registry, or no callback");
	const inf_diagnose *table = detail->backend && detail->file->instance ?
				    detail->backend->get_extension(detail->file->instance, detail->backend, NULL,
								   INF_EXT_DIAGNOSE) : NULL;
	if (!table || !INF_HAS(inf_diagnose, table, run) || !table->run)
		return inf_fail(err, INF_E_UNSUPPORTED, "no_diagnosis", "%s%sdoes not diagnose itself",
				candidate->backend, candidate->backend[0] ? " " : "");
	return table->run(detail->file->instance, detail->backend, user, on_finding, err);
}

inf_status ih_registry_resolve(const inf_registry *self, const inf_candidate *candidate, struct ih_usable *out,
			       inf_error *err)
{
	const struct detail *detail = find_detail(self, candidate);
	if (!detail)
		return inf_fail(err, INF_E_INVALID, "candidate", "not a candidate of this registry");
	if (candidate->state != INF_STATE_AVAILABLE)
		return inf_fail(err, INF_E_UNAVAILABLE, candidate->reason, "%s%s%s", candidate->backend,
				candidate->backend[0] ? ": " : "", candidate->message);
	*out = (struct ih_usable){ detail->file->instance, detail->backend };
	return INF_OK;
}

const void *ih_registry_extension(const inf_registry *self, const inf_candidate *candidate, const char *id,
				  struct ih_usable *out)
{
	for (size_t i = 0; i < self->candidate_count; i++) {
		const struct detail *detail = &self->details[i];
		if ((candidate && candidate != &self->candidates[i]) || !detail->backend || !detail->file->instance)
			continue;
		*out = (struct ih_usable){ detail->file->instance, detail->backend };
		const void *table = detail->backend->get_extension(out->instance, out->backend, NULL, id);
		if (table)
			return table;
	}
	return NULL;
}
