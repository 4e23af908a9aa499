/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "interrupt.h"
#include "path.h"
#include "progress.h"

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

static enum exit_code take_dirs(const struct words *given, char ***out, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	char **dirs = calloc(given->count + 1, sizeof *dirs);
	if (!dirs)
		return failure_memory(why, "the plugin directories");
	for (size_t i = 0; code == EXIT_DONE && i < given->count; i++)
		code = take_dir(&dirs[i], given->items[i], why);
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
	enum exit_code code = settings_parse(&self->settings, &options->settings, why);
	if (code == EXIT_DONE)
		code = take_dirs(&options->plugin_dirs, &dirs, why);
	if (code != EXIT_DONE)
		return code;
	const inf_registry_params params = {
		.struct_size = sizeof params,
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
	code = find_with(self, &params, why);
	release_dirs(dirs, options->plugin_dirs.count);
	return code == EXIT_DONE ? interrupt_code() : code;
}

/* ---- the model ---- */

static int32_t INF_CALL on_progress(void *user, const inf_progress *news)
{
	progress_show(user, news);
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

static enum exit_code load(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why)
{
	/* With a log the two would write over each other, and the log tells the same. */
	struct progress progress = {
		.console = options->verbosity ? NULL : console,
		.name = path_name(options->model_path),
	};
	inf_load_params params = options->load;
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
	return st == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}

enum exit_code engine_require_model(const struct options *options, struct failure *why)
{
	if (options->model_path)
		return EXIT_DONE;
	return failure_usage(why, "no_model", "no model given: name its file with -m FILE");
}

enum exit_code engine_load(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why)
{
	self->model.struct_size = sizeof self->model;
	if (inf_registry_select(self->registry, options->backend, &self->backend, &why->error) != INF_OK)
		return failure_as(why, EXIT_NO_BACKEND);
	enum exit_code code = settings_route(&self->settings, self->registry, self->backend, why);
	return code == EXIT_DONE ? load(self, options, console, why) : code;
}

void engine_close(struct engine *self, struct console *console)
{
	inf_error error = { .struct_size = sizeof error };
	if (inf_session_close(self->session, &error) != INF_OK)
		console_notice(console, STYLE_PLAIN, "infer: the model was not closed properly: %s [%s: %s]", error.message,
			       inf_status_name(error.code), error.reason);
	inf_registry_close(self->registry);
	settings_release(&self->settings);
	*self = (struct engine)ENGINE_INIT;
}
