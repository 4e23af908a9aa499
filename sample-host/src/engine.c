/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interrupt.h"
#include "modelfind.h"
#include "path.h"
#include "progress.h"
#include "waiting.h"

/* ---- the registry ---- */

static void release_dirs(char **dirs, size_t count)
{
	for (size_t i = 0; dirs && i < count; i++)
		free(dirs[i]);
	free(dirs);
}

/* The library passes over a directory that is not there. One that is named on the command line is a slip of the pen. */
static enum exit_code take_dir(char **out, const char *given, struct failure *why)
{
	struct stat status;
	if (stat(given, &status))
		return failure_usage(why, "plugin_dir", "--plugin-dir %.200s: %s", given, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return failure_usage(why, "plugin_dir", "--plugin-dir %.200s: a file, name the directory it is in", given);
	*out = path_absolute(given);
	return *out ? EXIT_DONE : failure_memory(why, "a path");
}

static enum exit_code take_dirs(const struct options *options, char ***out, struct failure *why)
{
	const struct words *given = &options->plugin_dirs;
	enum exit_code code = EXIT_DONE;
	char **dirs = calloc(given->count + 1, sizeof *dirs);
	if (!dirs)
		return failure_memory(why, "the plugin directories");
	for (size_t i = 0; code == EXIT_DONE && i < given->count; i++)
		if ((code = take_dir(&dirs[i], given->items[i], why)) == EXIT_USAGE)
			options_blame(options, given->items[i], why);
	if (code == EXIT_DONE)
		*out = dirs;
	else
		release_dirs(dirs, given->count);
	return code;
}

static enum exit_code open_registry(struct engine *self, const inf_registry_params *params, struct failure *why)
{
	inf_registry_close(self->registry);
	if (inf_registry_open(params, &self->registry, &why->error) != INF_OK)
		return failure_as(why, EXIT_FAILED);
	return EXIT_DONE;
}

static enum exit_code find_with(struct engine *self, const inf_registry_params *params, struct failure *why)
{
	enum exit_code code = open_registry(self, params, why);
	if (code == EXIT_DONE)
		code = settings_check(&self->settings, self->registry, why);
	if (code != EXIT_DONE || !settings_need_judge(&self->settings))
		return code;
	settings_unmark(&self->settings);
	return open_registry(self, params, why);
}

enum exit_code engine_find(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why)
{
	char **dirs = NULL;
	struct waiting waiting;
	enum exit_code code = settings_parse(&self->settings, &options->settings, why);
	if (code == EXIT_USAGE)
		return options_blame(options, self->settings.culprit, why);
	if (code == EXIT_DONE)
		code = take_dirs(options, &dirs, why);
	if (code != EXIT_DONE)
		return code;
	const inf_registry_params params = {
		.struct_size = sizeof params,
		.flags = options->flags & OPTION_RESCAN ? INF_REGISTRY_FLAG_RESCAN : 0,
		.plugin_dirs = (const char *const *)dirs,
		.plugin_dir_count = options->plugin_dirs.count,
		.options = self->settings.instance,
		.option_count = self->settings.instance_count,
		.host_name = "infer",
		.host_version = INFER_VERSION,
		.log_ctx = console,
		.log = options->verbosity ? console_log : NULL,
		.log_level = options->verbosity > 1 ? INF_LOG_DEBUG : INF_LOG_INFO,
	};
	/* A backend may need seconds to say whether it can work here. */
	waiting_begin(&waiting, options->verbosity ? NULL : console, "Looking for backends");
	code = find_with(self, &params, why);
	waiting_end(&waiting);
	release_dirs(dirs, options->plugin_dirs.count);
	if (code == EXIT_USAGE)
		options_blame(options, self->settings.culprit, why);
	return code == EXIT_DONE ? interrupt_code() : code;
}

/* ---- which file ---- */

static enum exit_code take_path(struct engine *self, const char *path, struct failure *why)
{
	char *copy = path_absolute(path);
	if (!copy)
		return failure_memory(why, "a path");
	free(self->model_path);			/* path may be that */
	self->model_path = copy;
	return EXIT_DONE;
}

/* By the backend that will load it, if it can: another may name what that one cannot read. A backend may know directories
 * that nobody can look into. */
static enum exit_code enter_directory(struct engine *self, struct failure *why)
{
	char path[PATH_MAX];
	inf_status st = inf_registry_resolve_model(self->registry, self->backend, self->model_path, NULL, 0, path, sizeof path,
						   &why->error);
	if (st == INF_E_UNSUPPORTED && self->backend)
		st = inf_registry_resolve_model(self->registry, NULL, self->model_path, NULL, 0, path, sizeof path, &why->error);
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	if (st == INF_OK)
		return take_path(self, path, why);
	if (st != INF_E_UNSUPPORTED)
		return failure_as(why, EXIT_FAILED);
	*why = (struct failure)FAILURE_INIT;
	return EXIT_DONE;
}

static enum exit_code look_up(struct engine *self, const char *name, struct console *console, struct failure *why)
{
	struct modelfind models = {
		.walk = { .registry = self->registry, .backend = self->backend, .progress.console = console },
	};
	size_t index;
	enum exit_code code = modelfind_look(&models, why);
	if (code == EXIT_DONE)
		code = modelfind_choose(&models, name, &index, why);
	if (code == EXIT_DONE)
		code = take_path(self, models.list.items[index].path, why);
	modelfind_release(&models);
	return code;
}

bool engine_is_path(const char *model)
{
	struct stat status;
	return !stat(model, &status) || strchr("/~", model[0]) || !strncmp(model, "./", 2) || !strncmp(model, "../", 3);
}

enum exit_code engine_resolve(struct engine *self, const char *model, struct console *console, struct failure *why)
{
	struct stat status;
	if (!engine_is_path(model))
		return look_up(self, model, console, why);
	enum exit_code code = take_path(self, model, why);
	if (code != EXIT_DONE || stat(self->model_path, &status) || !S_ISDIR(status.st_mode))
		return code;
	return enter_directory(self, why);
}

/* ---- what kind of file ---- */

static enum exit_code check_kind(const char *path, const inf_model_file *file, struct failure *why)
{
	static const struct {
		const char *what, *before, *behind;	/* what takes it, around its path */
	} others[] = {
		[INF_MODEL_KIND_EMBEDDING] = { "an embedding model, which makes vectors of texts or ranks them", "infer embed -m ",
					       " TEXT, or infer rerank" },
		[INF_MODEL_KIND_PROJECTOR] = { "a projector, with which another model sees or hears",
					       "infer run MODEL --image FILE --set mmproj=", "" },
		[INF_MODEL_KIND_ADAPTER] = { "a LoRA adapter, which changes another model", "infer run MODEL --adapter ", "" },
		[INF_MODEL_KIND_VOCABULARY] = { "a vocabulary without weights", "choose another model than ", "" },
	};
	size_t kind = file->kind > 0 && file->kind < (int32_t)(sizeof others / sizeof *others) ? (size_t)file->kind : 0;
	if (!others[kind].what)
		return EXIT_DONE;
	return failure_set(why, INF_E_BAD_MODEL, "not_a_model", "%.100s is %s: %s%.200s%s", file->name, others[kind].what,
			   others[kind].before, path, others[kind].behind);
}

enum exit_code engine_inspect(const struct engine *self, inf_model_file *file, struct failure *why)
{
	inf_status st = inf_registry_inspect_model(self->registry, NULL, self->model_path, file, &why->error);
	if (st == INF_OK)
		return check_kind(self->model_path, file, why);
	if (st != INF_E_UNSUPPORTED)
		return failure_as(why, EXIT_FAILED);
	*file = (inf_model_file){ .struct_size = sizeof *file };	/* a backend may know files that nobody can look into */
	return EXIT_DONE;
}

/* A backend names the option that another load would need. Where that option belongs to a command, the command is the remedy. */
static enum exit_code fail_load(const struct engine *self, const struct options *options, struct failure *why)
{
	bool has_task = options->command == COMMAND_TOKENIZE || options->command == COMMAND_EMBED || options->command == COMMAND_RERANK;
	inf_model_file file = { .struct_size = sizeof file };
	struct failure known = FAILURE_INIT;
	if (options->command == COMMAND_EMBED && !strcmp(why->error.reason, "ranks_only"))
		failure_set(why, INF_E_BAD_MODEL, "ranks_only", "the model ranks documents and gives no vectors: infer rerank "
			    "-m %.200s --query QUERY, or name a pooling: --set pooling=mean", self->model_path);
	else if (!has_task && !strcmp(why->error.reason, "not_a_model") && engine_inspect(self, &file, &known) == EXIT_FAILED)
		*why = known;
	return failure_as(why, EXIT_FAILED);
}

/* ---- the model ---- */

/* Only for whom a line is shown. */
static uint64_t size_to_load(const struct engine *self, const struct console *console)
{
	inf_model_file file = { .struct_size = sizeof file };
	if (!console || !console->err.is_tty)
		return 0;
	inf_registry_inspect_model(self->registry, NULL, self->model_path, &file, NULL);
	return file.file_bytes;
}

static int32_t INF_CALL on_progress(void *user, const inf_progress *news)
{
	progress_show(user, news);
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

enum exit_code engine_load_session(struct engine *self, const struct options *options, struct console *console,
				   struct failure *why)
{
	/* With a log the two would write over each other, and the log tells the same. */
	struct progress progress = {
		.console = options->verbosity ? NULL : console,
		.name = path_name(self->model_path),
	};
	progress.bytes = size_to_load(self, progress.console);
	inf_load_params params = options->load;
	params.path = self->model_path;
	params.options = self->settings.load;
	params.option_count = self->settings.load_count;
	params.user = &progress;
	params.on_progress = on_progress;
	inf_status st = inf_session_load(self->registry, self->backend, &params, &self->session, &why->error);
	progress_erase(&progress);
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	if (st == INF_OK)
		st = inf_session_info(self->session, &self->model, &why->error);
	return st == INF_OK ? EXIT_DONE : fail_load(self, options, why);
}

enum exit_code engine_require_model(const struct options *options, struct failure *why)
{
	if (!options->model)
		return failure_usage(why, "no_model", "no model given: name it or its file with -m, infer models lists "
				     "them");
	if (!options->model[0])
		return failure_usage(why, "empty_value", "--model: the file name is empty");
	return EXIT_DONE;
}

enum exit_code engine_select(struct engine *self, const struct options *options, struct failure *why)
{
	self->model.struct_size = sizeof self->model;
	if (inf_registry_select(self->registry, options->backend, &self->backend, &why->error) != INF_OK) {
		options_blame(options, options->backend, why);
		return failure_as(why, EXIT_NO_BACKEND);
	}
	enum exit_code code = settings_route(&self->settings, self->registry, self->backend, why);
	return code == EXIT_USAGE ? options_blame(options, self->settings.culprit, why) : code;
}

static enum exit_code resolve(struct engine *self, const struct options *options, struct console *console, struct failure *why)
{
	enum exit_code code = engine_resolve(self, options->model, options->verbosity ? NULL : console, why);
	return code == EXIT_FAILED ? options_blame(options, options->model, why) : code;
}

enum exit_code engine_locate(struct engine *self, const struct options *options, struct console *console,
			     struct failure *why)
{
	struct stat status;
	bool is_file = engine_is_path(options->model) && (stat(options->model, &status) || !S_ISDIR(status.st_mode));
	enum exit_code code = is_file ? EXIT_DONE : engine_find(self, options, console, why);
	if (code != EXIT_DONE)
		return code;
	if (self->registry)
		inf_registry_select(self->registry, options->backend, &self->backend, NULL);
	return resolve(self, options, console, why);
}

enum exit_code engine_load(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why)
{
	enum exit_code code = engine_select(self, options, why);
	if (code == EXIT_DONE)
		code = resolve(self, options, console, why);
	return code == EXIT_DONE ? engine_load_session(self, options, console, why) : code;
}

static void close_session(struct engine *self, struct console *console)
{
	inf_error error = { .struct_size = sizeof error };
	if (inf_session_close(self->session, &error) != INF_OK)
		console_notice(console, STYLE_PLAIN, "infer: the model was not closed properly: %s [%s: %s]", error.message,
			       inf_status_name(error.code), error.reason);
	self->session = NULL;
}

static enum exit_code load_another(struct engine *self, const struct options *options, struct console *console,
				   struct failure *why)
{
	return self->load ? self->load(self->load_user, why) : engine_load_session(self, options, console, why);
}

/* Two models may be more than the devices hold, so the old one goes first. */
static enum exit_code replace(struct engine *self, char *before, const struct options *options, struct console *console,
			      uint32_t flags, struct failure *why)
{
	struct failure lost = FAILURE_INIT;
	close_session(self, console);
	enum exit_code code = load_another(self, options, console, why);
	if (code == EXIT_DONE && (self->model.flags & flags) != flags)
		code = failure_set(why, INF_E_UNSUPPORTED, "no_chat_template", "%s has no chat template: choose another model",
				   path_name(self->model_path));
	if (code == EXIT_DONE || code == EXIT_TERMINATED)
		return code;
	close_session(self, console);		/* it may have been loaded before it was interrupted */
	interrupt_forget();
	free(self->model_path);
	self->model_path = strdup(before);
	if (!self->model_path)
		return failure_memory(why, "a path");
	console_notice(console, STYLE_DIM, "loading %s again", path_name(before));
	enum exit_code again = load_another(self, options, console, &lost);
	if (again == EXIT_DONE)
		return code;
	close_session(self, console);
	*why = lost;
	return again;
}

enum exit_code engine_change(struct engine *self, const char *model, uint32_t flags, const struct options *options,
			     struct console *console, struct failure *why)
{
	char *before = self->model_path;
	self->model_path = NULL;
	enum exit_code code = engine_resolve(self, model, options->verbosity ? NULL : console, why);
	if (code == EXIT_DONE && access(self->model_path, R_OK))
		code = failure_set(why, INF_E_NOT_FOUND, "open", "%.200s: %s", self->model_path, strerror(errno));
	if (code == EXIT_DONE) {
		code = replace(self, before, options, console, flags, why);
		free(before);
		return code;
	}
	free(self->model_path);
	self->model_path = before;
	return code;
}

int32_t INF_CALL engine_on_poll(void *user)
{
	(void)user;
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

void engine_close(struct engine *self, struct console *console)
{
	close_session(self, console);
	inf_registry_close(self->registry);
	settings_release(&self->settings);
	free(self->model_path);
	*self = (struct engine)ENGINE_INIT;
}
