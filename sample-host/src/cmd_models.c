/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "json.h"
#include "modelview.h"
#include "modelwalk.h"
#include "path.h"
#include "table.h"

enum {
	NOTE_MAX = 256,
	DIRS_MAX = 64,		/* as many as the library takes */
	PAGE_MAX = 16 << 20,
};

struct search {
	const struct options *options;
	struct model_rows rows;
	struct json_list *json;		/* NULL = text */
	struct modelwalk walk;
};

/* ---- the search ---- */

static void on_file(void *user, const inf_model_file *file)
{
	struct search *self = user;
	if (!self->json)
		model_rows_add(&self->rows, file);
	else if (file->code == INF_OK || self->options->flags & OPTION_ALL)
		json_list_model(self->json, file);
}

/* A directory that is named on the command line and is not there is a slip of the pen. */
static enum exit_code take_dirs(const struct words *given, char *dirs[], struct failure *why)
{
	struct stat status;
	if (given->count > DIRS_MAX)
		return failure_usage(why, "too_many", "more than %d directories", DIRS_MAX);
	for (size_t i = 0; i < given->count; i++) {
		if (!given->items[i][0] || stat(given->items[i], &status))
			return failure_usage(why, "models_dir", "%.200s: %s", given->items[i],
					     given->items[i][0] ? strerror(errno) : "the directory has no name");
		dirs[i] = path_absolute(given->items[i]);
		if (!dirs[i])
			return failure_memory(why, "a path");
	}
	return EXIT_DONE;
}

static enum exit_code find(struct search *self, struct failure *why)
{
	char *dirs[DIRS_MAX] = { NULL };
	const struct words *given = &self->options->arguments;
	enum exit_code code = take_dirs(given, dirs, why);
	if (code == EXIT_DONE)
		code = modelwalk_run(&self->walk, (const char *const *)dirs, given->count, why);
	for (size_t i = 0; i < DIRS_MAX; i++)
		free(dirs[i]);
	return code;
}

/* ---- what it found ---- */

static void add_text(struct text *out, struct search *self, const struct terminal *terminal)
{
	size_t broken = self->rows.broken;
	char sentence[NOTE_MAX];
	modelview_add_table(out, &self->rows, terminal);
	if (self->walk.found) {
		text_puts(out, "\n");
		table_add_sentence(out, "NEEDS is the memory of a GPU that gets all layers, with 4096 tokens of context or what "
				   "the model was trained for, if that is less; infer inspect NAME --fit says more.", terminal);
	} else {
		modelview_add_nothing(out, &self->walk.searched, terminal);
	}
	if (broken && (self->options->flags & OPTION_ALL || !self->walk.found)) {
		text_puts(out, "\nCannot be used:\n");
		modelview_add_broken(out, &self->rows, terminal);
	} else if (broken) {
		snprintf(sentence, sizeof sentence, "%zu more cannot be used: --all says why.", broken);
		table_add_sentence(out, sentence, terminal);
	}
}

static enum exit_code print(struct search *self, struct console *console, struct failure *why)
{
	struct text out = TEXT_INIT(PAGE_MAX);
	if (self->json) {
		json_list_finish(self->json, "models", &out);
		self->json = NULL;
	} else {
		add_text(&out, self, &console->out);
	}
	bool failed = out.failed || self->rows.failed || self->walk.searched.failed;
	if (!failed)
		console_write(console, text_string(&out), out.len);
	text_release(&out);
	return failed ? failure_memory(why, "the list of models") : console_check(console, why);
}

static enum exit_code list(const struct engine *engine, const struct options *options, struct console *console,
			   struct failure *why)
{
	struct search search = {
		.options = options,
		.json = options->flags & OPTION_JSON ? json_list_new() : NULL,
		.walk = { .registry = engine->registry, .progress.console = options->verbosity ? NULL : console,
			  .on_file = on_file },
	};
	search.walk.user = &search;
	if (options->flags & OPTION_JSON && !search.json)
		return failure_memory(why, "the list of models");
	enum exit_code code = find(&search, why);
	if (code == EXIT_DONE)
		code = print(&search, console, why);
	json_list_free(search.json);
	model_rows_release(&search.rows);
	modelwalk_release(&search.walk);
	return code;
}

enum exit_code cmd_models(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = list(&engine, options, console, why);
	engine_close(&engine, console);
	return code;
}
