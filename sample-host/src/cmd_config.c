/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "configfile.h"
#include "configview.h"
#include "json.h"
#include "table.h"

enum { SENTENCE_MAX = 8192 };

/* Variables that infer or the library obeys; key: the option that each stands for, beside it or where it is not given. */
static const struct variable {
	const char *name, *key;
	bool adds;
} variables[] = {
	{ "INF_BACKEND", "backend", false },
	{ "INF_PLUGIN_PATH", "plugin-dir", true },
	{ "LLAMA_SERVER_PATH", "set.llama-server.path", false },
	{ "INF_BACKEND_DISABLE", NULL, true },
	{ "INF_MODELS", NULL, true },
};

enum { VARIABLES = sizeof variables / sizeof variables[0] };

/* ---- rows ---- */

static void add_given(struct config_rows *rows, const struct given *given)
{
	bool is_setting = !strcmp(given->spec->name, "set");
	const char *value = given->value ? given->value : "true";
	size_t len = is_setting ? strcspn(value, "=") : strlen(given->spec->name);
	rows->items[rows->count++] = (struct config_row){
		.prefix = is_setting ? "set." : "", .key = is_setting ? value : given->spec->name, .key_len = len,
		.value = is_setting && value[len] ? value + len + 1 : value,
		.origin = given->section ? ORIGIN_FILE : ORIGIN_LINE, .section = given->section, .line = given->line,
	};
}

static bool has_key(const struct config_row *row, const char *key)
{
	size_t len = strlen(row->prefix);
	return !strncmp(key, row->prefix, len) && strlen(key + len) == row->key_len && !strncmp(key + len, row->key, row->key_len);
}

/* What a variable says for an option whose rows begin at `first`. */
static void add_variables(struct config_rows *rows, size_t first, const char *key)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		const struct variable *variable = &variables[i];
		const char *value = getenv(variable->name);
		bool is_given = false;
		if (!value || !value[0] || (key ? !variable->key || strcmp(variable->key, key) : variable->key != NULL))
			continue;
		for (size_t r = first; r < rows->count; r++)
			is_given = is_given || has_key(&rows->items[r], key ? key : "");
		const char *name = key ? key : variable->name;
		if (!is_given || variable->adds)
			rows->items[rows->count++] = (struct config_row){
				.prefix = key ? "" : "$", .key = name, .key_len = strlen(name), .value = value,
				.origin = ORIGIN_ENVIRONMENT, .variable = variable->name,
			};
	}
}

static const char *default_of(const struct option_spec *spec)
{
	static const struct {
		const char *name, *value;
	} known[] = { { "gpu-layers", "all" }, { "prompt-tokens", "512" }, { "gen-tokens", "128" }, { "repetitions", "5" },
		      { "streams", "1" } };
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(spec->name, known[i].name))
			return known[i].value;
	return spec->kind == OPTION_SETS ? "false" : NULL;
}

static void add_option(struct config_rows *rows, const struct options *options, const struct option_spec *spec)
{
	size_t first = rows->count;
	bool is_setting = !strcmp(spec->name, "set");
	for (size_t i = 0; i < options->given_count; i++)
		if (options->given[i].spec == spec)
			add_given(rows, &options->given[i]);
	add_variables(rows, first, is_setting ? "set.llama-server.path" : spec->name);
	if (rows->count == first && !is_setting)
		rows->items[rows->count++] = (struct config_row){ .prefix = "", .key = spec->name, .key_len = strlen(spec->name),
								  .value = default_of(spec) };
}

static enum exit_code collect(struct config_rows *rows, const struct options *options, struct failure *why)
{
	rows->items = calloc(options->given_count + options_count() + VARIABLES, sizeof *rows->items);
	if (!rows->items)
		return failure_memory(why, "the options");
	for (size_t i = 0; i < options_count(); i++) {
		const struct option_spec *spec = options_spec(i);
		bool is_known = options->topic == COMMAND_NONE || spec->commands & (1u << options->topic);
		if (is_known && options_in_file(spec))
			add_option(rows, options, spec);
	}
	add_variables(rows, rows->count, NULL);
	return EXIT_DONE;
}

/* ---- the answer ---- */

static void add_text(struct text *out, const struct config_rows *rows, const struct options *options, const char *path,
		     const struct terminal *terminal)
{
	struct text sentence = TEXT_INIT(SENTENCE_MAX);
	configview_add(out, rows, terminal);
	if (options->config_path)
		text_printf(&sentence, "Lines are those of %s.", options->config_path);
	else if (options->flags & OPTION_NO_CONFIG)
		text_puts(&sentence, "No configuration file was read: --no-config.");
	else if (getauxval(AT_SECURE))
		text_puts(&sentence, "No configuration file was read: this process has more rights than its user.");
	else if (path)
		text_printf(&sentence, "No configuration file was read: there is no %s.", path);
	else
		text_puts(&sentence, "No configuration file was read: neither $XDG_CONFIG_HOME nor $HOME is a directory.");
	text_puts(out, "\n");
	table_add_sentence(out, text_string(&sentence), terminal);
	text_release(&sentence);
}

static enum exit_code print(const struct options *options, const char *path, struct console *console, struct failure *why)
{
	struct config_rows rows = { NULL, 0 };
	struct text *out = &console->scratch;
	enum exit_code code = collect(&rows, options, why);
	text_reset(out);
	if (code == EXIT_DONE && options->flags & OPTION_JSON)
		json_add_config(out, &rows, path, options->config_path != NULL);
	else if (code == EXIT_DONE)
		add_text(out, &rows, options, path, &console->out);
	free(rows.items);
	return code == EXIT_DONE && out->failed ? failure_memory(why, "the options") : code;
}

static enum exit_code print_path(const struct options *options, const char *path, struct console *console, struct failure *why)
{
	struct text *out = &console->scratch;
	text_reset(out);
	if (options->flags & OPTION_JSON)
		json_add_config_path(out, path);
	else if (!path)
		return failure_set(why, INF_E_NOT_FOUND, "no_home", "there is no place for a configuration file: neither "
				   "$XDG_CONFIG_HOME nor $HOME is a directory: set one, or use --config FILE");
	else
		text_printf(out, "%s\n", path);
	return out->failed ? failure_memory(why, "a path") : EXIT_DONE;
}

enum exit_code cmd_config(const struct options *options, struct console *console, struct failure *why)
{
	struct configfile file = CONFIGFILE_INIT;
	enum exit_code code = configfile_locate(&file, options->config, why);
	if (code == EXIT_DONE)
		code = options->flags & OPTION_PATH_ONLY ? print_path(options, file.path, console, why) :
							   print(options, file.path, console, why);
	if (code == EXIT_DONE) {
		console_write(console, text_string(&console->scratch), console->scratch.len);
		code = console_check(console, why);
	}
	configfile_release(&file);
	return code;
}
