/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "engine.h"
#include "interrupt.h"
#include "json.h"
#include "modelview.h"
#include "path.h"
#include "progress.h"
#include "table.h"

enum {
	PROGRESS_AFTER_MS = 500,
	PROGRESS_EVERY_MS = 100,
	NOTE_MAX = 256,
	DIRS_MAX = 64,		/* as many as the library takes */
	PAGE_MAX = 16 << 20,
};

struct search {
	const struct options *options;
	struct model_rows rows;
	struct json_list *json;		/* NULL = text */
	struct text searched;		/* directories, with ", " between them */
	struct text last_root;
	struct progress progress;
	int64_t drawn_ms;		/* when it begins, and later when the progress was drawn */
	size_t found;
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the search ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);
	return len && !strncmp(path, directory, len) && (path[len] == '/' || directory[len - 1] == '/');
}

static void note_directory(struct search *self, const char *path)
{
	if (is_below(path, text_string(&self->last_root)))
		return;
	text_reset(&self->last_root);
	text_puts(&self->last_root, path);
	text_puts(&self->searched, self->searched.len ? ", " : "");
	modelview_add_path(&self->searched, path, strlen(path));
}

static void show_progress(struct search *self, const char *path)
{
	char note[NOTE_MAX];
	int64_t now = now_ms();
	if (now - self->drawn_ms < (self->progress.columns ? PROGRESS_EVERY_MS : PROGRESS_AFTER_MS))
		return;
	self->drawn_ms = now;
	snprintf(note, sizeof note, "Looking for models, %zu found: %s", self->found, path);
	progress_note(&self->progress, note);
}

static int32_t on_file(void *user, const inf_model_file *file)
{
	struct search *self = user;
	const char *path = file->path ? file->path : "";
	show_progress(self, path);
	if (interrupt_code() != EXIT_DONE)
		return 0;
	if (file->kind == INF_MODEL_KIND_DIRECTORY && file->code == INF_OK) {
		note_directory(self, path);
		return INF_CONTINUE;
	}
	self->found += file->code == INF_OK;
	if (!self->json)
		model_rows_add(&self->rows, file);
	else if (file->code == INF_OK || self->options->flags & OPTION_ALL)
		json_list_model(self->json, file);
	return INF_CONTINUE;
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

static enum exit_code find(struct search *self, const struct engine *engine, struct failure *why)
{
	char *dirs[DIRS_MAX] = { NULL };
	const struct words *given = &self->options->arguments;
	inf_status st = INF_OK;
	enum exit_code code = take_dirs(given, dirs, why);
	self->drawn_ms = now_ms();
	if (code == EXIT_DONE)
		st = inf_registry_list_models(engine->registry, NULL, (const char *const *)dirs, given->count,
					      INF_MODELS_FLAG_BROKEN | INF_MODELS_FLAG_DIRECTORIES, self, on_file,
					      &why->error);
	progress_erase(&self->progress);
	for (size_t i = 0; i < DIRS_MAX; i++)
		free(dirs[i]);
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	return st == INF_OK ? code : failure_as(why, EXIT_FAILED);
}

/* ---- what it found ---- */

static void add_nothing(struct text *out, struct search *self, const struct terminal *terminal)
{
	struct text sentence = TEXT_INIT(PAGE_MAX);
	text_puts(&sentence, "No model was found. ");
	if (self->searched.len)
		text_printf(&sentence, "Searched: %s.", text_string(&self->searched));
	else
		text_puts(&sentence, "None of the usual places is there: the directories of $INF_MODELS, Hugging Face's cache, "
			  "and llama.cpp's.");
	table_add_sentence(out, text_string(&sentence), terminal);
	table_add_sentence(out, "Put a model, a file *.gguf, into one of them, or name its directory: infer models DIR, or "
			   "INF_MODELS=DIR for all commands. \"hf download OWNER/REPOSITORY FILE.gguf\" fetches one into Hugging "
			   "Face's cache.", terminal);
	text_release(&sentence);
}

static void add_text(struct text *out, struct search *self, const struct terminal *terminal)
{
	size_t broken = self->rows.broken;
	char sentence[NOTE_MAX];
	modelview_add_table(out, &self->rows, terminal);
	if (self->found) {
		text_puts(out, "\n");
		table_add_sentence(out, "NEEDS is the memory of a GPU that gets all layers, with 4096 tokens of context or what "
				   "the model was trained for, if that is less; infer inspect NAME --fit says more.", terminal);
	} else {
		add_nothing(out, self, terminal);
	}
	if (broken && (self->options->flags & OPTION_ALL || !self->found)) {
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
	bool failed = out.failed || self->rows.failed || self->searched.failed;
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
		.searched = TEXT_INIT(TEXT_LINE_MAX),
		.last_root = TEXT_INIT(TEXT_LINE_MAX),
		.progress = { .console = options->verbosity ? NULL : console },
	};
	if (options->flags & OPTION_JSON && !search.json)
		return failure_memory(why, "the list of models");
	enum exit_code code = find(&search, engine, why);
	if (code == EXIT_DONE)
		code = print(&search, console, why);
	json_list_free(search.json);
	model_rows_release(&search.rows);
	text_release(&search.searched);
	text_release(&search.last_root);
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
