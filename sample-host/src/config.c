/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "engine.h"
#include "path.h"

static const char suffix[] = ".gguf";

/* ---- the file ---- */

enum exit_code config_read(struct configfile *self, const struct options *options, struct failure *why)
{
	const char *given = options->config;
	bool is_unwanted = options->flags & OPTION_NO_CONFIG, is_elevated = getauxval(AT_SECURE);
	if (given && is_unwanted)
		return failure_usage(why, "two_configs", "--config and --no-config: give one of them");
	if (given && (!given[0] || !strcmp(given, "-")))
		return failure_usage(why, "config_file", "--config \"%s\": name a file, it is not read from standard input", given);
	if (given && is_elevated)
		return failure_usage(why, "elevated", "--config: this process has more rights than its user, so it reads none");
	if (is_unwanted || is_elevated)
		return EXIT_DONE;
	if (given && access(given, R_OK))
		return failure_usage(why, "config_file", "--config %.200s: %s", given, strerror(errno));
	enum exit_code code = configfile_locate(self, given, why);
	return code == EXIT_DONE ? configfile_read(self, why) : code;
}

/* ---- what holds ---- */

struct model_names {
	const char *word, *file;	/* what -m says, the path it came to; NULL = not known, no section of a model holds */
};

static bool matches(const char *pattern, const char *name)
{
	char bare[256];
	size_t len = strlen(name), tail = sizeof suffix - 1;
	if (!fnmatch(pattern, name, FNM_CASEFOLD))
		return true;
	if (len <= tail || len - tail >= sizeof bare || strcmp(name + len - tail, suffix))
		return false;
	memcpy(bare, name, len - tail);
	bare[len - tail] = '\0';
	return !fnmatch(pattern, bare, FNM_CASEFOLD);
}

/* As `config` has a command's name behind it, that is the command. */
static enum command command_of(const struct options *options)
{
	return options->command == COMMAND_CONFIG ? options->topic : options->command;
}

static bool is_for(const struct option_spec *spec, enum command command)
{
	return command == COMMAND_NONE || spec->commands & (1u << command);
}

/* 0 = does not hold, else the higher the more it counts. */
static int rank_of(const struct config_section *section, enum command command, const struct model_names *names)
{
	if (section->pattern)
		return names->file && (matches(section->pattern, names->word) ||
				       matches(section->pattern, path_name(names->file))) ? 3 : 0;
	if (section->command != COMMAND_NONE)
		return section->command == command ? 2 : 0;
	return 1;
}

struct ranks {
	int *items;			/* owned; of the sections */
	size_t given_count;		/* of the command line */
};

static bool is_beaten(const struct configfile *self, const struct ranks *ranks, const struct options *options,
		      const struct config_entry *entry)
{
	const int *rank = ranks->items;
	for (size_t i = 0; i < ranks->given_count; i++)
		if (options_same(options->given[i].spec, options->given[i].value, entry->spec, entry->value))
			return true;
	for (size_t i = 0; i < self->entry_count; i++) {
		const struct config_entry *other = &self->entries[i];
		bool counts_more = rank[other->section] > rank[entry->section] ||
				   (rank[other->section] == rank[entry->section] && other->section > entry->section);
		if (counts_more && options_same(other->spec, other->value, entry->spec, entry->value))
			return true;
	}
	return false;
}

static enum exit_code apply(const struct configfile *self, struct options *options, const struct model_names *names,
			    struct failure *why)
{
	enum command command = command_of(options);
	struct ranks ranks = { calloc(self->section_count + 1, sizeof *ranks.items), options->given_count };
	enum exit_code code = options_reserve(options, self->entry_count, why);
	if (!ranks.items)
		return failure_memory(why, "the configuration file");
	for (size_t i = 0; i < self->section_count; i++)
		ranks.items[i] = rank_of(&self->sections[i], command, names);
	options->config_path = self->is_there ? self->path : NULL;
	for (size_t i = 0; code == EXIT_DONE && i < self->entry_count; i++) {
		const struct config_entry *entry = &self->entries[i];
		const struct given given = { entry->spec, entry->value, self->sections[entry->section].name, entry->line };
		if (ranks.items[entry->section] && is_for(entry->spec, command) && !is_beaten(self, &ranks, options, entry))
			code = options_give(options, &given, why);
	}
	free(ranks.items);
	return code;
}

enum exit_code config_apply(const struct configfile *self, struct options *options, struct failure *why)
{
	return apply(self, options, &(struct model_names){ NULL, NULL }, why);
}

/* ---- which model ---- */

static bool has_models(const struct configfile *self)
{
	for (size_t i = 0; i < self->section_count; i++)
		if (self->sections[i].pattern)
			return true;
	return false;
}

/* Whoever asks what holds wants to see it all the more where the model is not found. */
static enum exit_code show_without(struct console *console, struct failure *why)
{
	console_notice(console, STYLE_PLAIN, "infer: the sections of models are not considered, as the model was not found: %s [%s: %s]",
		       why->error.message, failure_status(why), why->error.reason);
	*why = (struct failure)FAILURE_INIT;
	return EXIT_DONE;
}

/* Which file is meant, found with what the rest of the configuration says, in *path; NULL = no model is to be loaded. */
static enum exit_code find_model(const struct configfile *self, struct options *options, struct console *console, char **path,
				 struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	enum exit_code code = config_apply(self, options, why);
	if (code == EXIT_DONE)
		code = options_finish(options, why);
	if (code == EXIT_DONE && options->model && options->model[0] && is_for(options_find("model", 5), command_of(options))) {
		code = engine_locate(&engine, options, console, why);
		*path = engine.model_path;
		engine.model_path = NULL;
		if (code == EXIT_FAILED && options->command == COMMAND_CONFIG)
			code = show_without(console, why);
	}
	engine_close(&engine, console);
	return code;
}

enum exit_code config_take(const struct configfile *self, struct options *options, int argc, char **argv,
			   struct console *console, struct failure *why)
{
	struct options first;
	char *path = NULL;
	if (!has_models(self)) {
		enum exit_code code = config_apply(self, options, why);
		return code == EXIT_DONE ? options_finish(options, why) : code;
	}
	enum exit_code code = options_parse(&first, argc, argv, why);
	if (code == EXIT_DONE)
		code = find_model(self, &first, console, &path, why);
	if (code == EXIT_DONE)
		code = apply(self, options, &(struct model_names){ first.model, path }, why);
	if (code == EXIT_DONE)
		code = options_finish(options, why);
	options_release(&first);
	free(path);
	return code;
}
