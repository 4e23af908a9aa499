/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters.h"
#include "near.h"
#include "number.h"
#include "path.h"
#include "state.h"

enum { NEAR_TEXT_MAX = 512 };

/* ---- values ---- */

static enum exit_code set_integer(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	int64_t number;
	if (!number_integer(value, (int64_t)spec->min, (int64_t)spec->max, &number))
		return failure_usage(why, "bad_number", "--%s %.100s: must be %san integer from %" PRId64 " to %"
				     PRId64, spec->name, value, spec->kind == OPTION_LAYERS ? "\"all\" or " : "",
				     (int64_t)spec->min, (int64_t)spec->max);
	*(int32_t *)place = (int32_t)number;
	return EXIT_DONE;
}

static enum exit_code set_real(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	double number;
	if (!number_real(value, spec->min, spec->max, &number))
		return failure_usage(why, "bad_number", "--%s %.100s: must be a number from %g to %g", spec->name,
				     value, spec->min, spec->max);
	*(float *)place = (float)number;
	return EXIT_DONE;
}

static enum exit_code set_seed(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	if (number_unsigned(value, place))
		return EXIT_DONE;
	return failure_usage(why, "bad_number", "--%s %.100s: must be an integer from 0 to %" PRIu64, spec->name,
			     value, UINT64_MAX);
}

static enum exit_code set_layers(struct options *self, const struct option_spec *spec, const char *value,
				 struct failure *why)
{
	self->load.set |= INF_LOAD_SET_GPU_LAYERS;
	if (strcmp(value, "all"))
		return set_integer(&self->load.gpu_layers, spec, value, why);
	self->load.gpu_layers = -1;
	return EXIT_DONE;
}

static enum exit_code set_path(char **place, const struct option_spec *spec, const char *value, struct failure *why)
{
	if (!value[0])
		return failure_usage(why, "empty_value", "--%s: the file name is empty", spec->name);
	free(*place);
	*place = path_absolute(value);
	return *place ? EXIT_DONE : failure_memory(why, "a path");
}

static enum exit_code add_word(struct words *words, const struct option_spec *spec, const char *value,
			       struct failure *why)
{
	if (!value[0])
		return failure_usage(why, "empty_value", "--%s: the value is empty", spec->name);
	words->items[words->count++] = value;
	return EXIT_DONE;
}

static enum exit_code add_token(struct ids *ids, const struct option_spec *spec, const char *value, struct failure *why)
{
	enum exit_code code = set_integer(&ids->items[ids->count], spec, value, why);
	ids->count += code == EXIT_DONE;
	return code;
}

static enum exit_code add_memory(struct options *self, const struct option_spec *spec, const char *value,
				 struct failure *why)
{
	self->flags |= OPTION_FIT;
	if (number_bytes(value, &self->memories[self->memory_count])) {
		self->memory_count++;
		return EXIT_DONE;
	}
	return failure_usage(why, "bad_number", "--%s %.100s: must be a size such as 16G, 7.5G or 12288M", spec->name, value);
}

static enum exit_code set_thinking(inf_gen_params *gen, const struct option_spec *spec, const char *value,
				   struct failure *why)
{
	int64_t budget = 0;
	gen->thinking = strcmp(value, "off") != 0;
	if (strcmp(value, "on") && gen->thinking && !number_integer(value, (int64_t)spec->min, (int64_t)spec->max, &budget))
		return failure_usage(why, "bad_number", "--%s %.100s: must be \"on\", \"off\" or an integer from 1 to %" PRId64,
				     spec->name, value, (int64_t)spec->max);
	gen->thinking_budget = (int32_t)budget;
	return EXIT_DONE;
}

/* "3,14,15"; several options add up. */
static enum exit_code add_ids(struct options *self, const struct option_spec *spec, const char *value, struct failure *why)
{
	size_t most = self->candidate_count + strlen(value) / 2 + 1;
	int32_t *ids = realloc(self->candidates, most * sizeof *ids);
	if (!ids)
		return failure_memory(why, "the candidates");
	self->candidates = ids;
	for (const char *at = value;; at += strcspn(at, ",") + 1) {
		char word[16];
		size_t len = strcspn(at, ",");
		snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : (int)sizeof word - 1, at);
		enum exit_code code = set_integer(&ids[self->candidate_count], spec, word, why);
		if (code != EXIT_DONE)
			return code;
		self->candidate_count++;
		if (!at[len])
			return EXIT_DONE;
	}
}

static enum exit_code set_bit(uint32_t *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	bool off = value && !strcmp(value, "false");
	if (value && !off && strcmp(value, "true"))
		return failure_usage(why, "bad_value", "--%s %.100s: must be true or false", spec->name, value);
	*place = off ? *place & ~(uint32_t)spec->bit : *place | (uint32_t)spec->bit;
	return EXIT_DONE;
}

static enum exit_code assign(struct options *self, const struct option_spec *spec, const char *value,
			     struct failure *why)
{
	void *place = (char *)self + spec->offset;
	if (spec->kind != OPTION_SETS)
		self->gen.set |= spec->bit;
	switch (spec->kind) {
	case OPTION_SETS:
		return set_bit(place, spec, value, why);
	case OPTION_COUNTS:
		++*(uint32_t *)place;
		return EXIT_DONE;
	case OPTION_TEXT:
		*(const char **)place = value;
		return EXIT_DONE;
	case OPTION_LIST:
		return add_word(place, spec, value, why);
	case OPTION_PATH:
		return set_path(place, spec, value, why);
	case OPTION_INTEGER:
		return set_integer(place, spec, value, why);
	case OPTION_REAL:
		return set_real(place, spec, value, why);
	case OPTION_SEED:
		return set_seed(place, spec, value, why);
	case OPTION_LAYERS:
		return set_layers(self, spec, value, why);
	case OPTION_TOKEN:
		return add_token(place, spec, value, why);
	case OPTION_MEMORY:
		return add_memory(self, spec, value, why);
	case OPTION_THINK:
		return set_thinking(&self->gen, spec, value, why);
	case OPTION_IDS:
		return add_ids(self, spec, value, why);
	}
	return EXIT_DONE;
}

enum exit_code options_assign(struct options *self, const struct option_spec *spec, const char *value, struct failure *why)
{
	return assign(self, spec, value, why);
}

enum exit_code options_try(const struct option_spec *spec, const char *value, struct failure *why)
{
	struct options scratch = { 0 };
	enum exit_code code = options_reserve(&scratch, 1, why);
	if (code == EXIT_DONE)
		code = assign(&scratch, spec, value, why);
	options_release(&scratch);
	return code;
}

enum exit_code options_give(struct options *self, const struct given *what, struct failure *why)
{
	struct given *given = realloc(self->given, (self->given_count + 1) * sizeof *given);
	if (!given)
		return failure_memory(why, "an option");
	self->given = given;
	given[self->given_count++] = *what;
	return assign(self, what->spec, what->value, why);
}

/* ---- where they come from ---- */

const struct option_spec *options_find(const char *name, size_t len)
{
	for (size_t i = 0; i < options_count(); i++)
		if (!strncmp(options_spec(i)->name, name, len) && !options_spec(i)->name[len])
			return options_spec(i);
	return NULL;
}

bool options_is_list(const struct option_spec *spec)
{
	return spec->kind == OPTION_LIST || spec->kind == OPTION_TOKEN || spec->kind == OPTION_MEMORY || spec->kind == OPTION_IDS;
}

static bool is_setting(const struct option_spec *spec)
{
	return spec->offset == offsetof(struct options, settings);
}

bool options_same(const struct option_spec *spec, const char *value, const struct option_spec *other, const char *other_value)
{
	if (spec != other || !is_setting(spec))
		return spec == other;
	value += value[0] == '?';
	other_value += other_value[0] == '?';
	size_t len = strcspn(value, "=");
	return len == strcspn(other_value, "=") && !strncmp(value, other_value, len);
}

const struct given *options_given(const struct options *self, const char *name)
{
	for (size_t i = self->given_count; i > 0; i--)
		if (!strcmp(self->given[i - 1].spec->name, name))
			return &self->given[i - 1];
	return NULL;
}

const struct given *options_origin(const struct options *self, const char *value)
{
	for (size_t i = 0; value && i < self->given_count; i++)
		if (self->given[i].value == value)
			return &self->given[i];
	return NULL;
}

enum exit_code options_place(const struct option_spec *spec, const char *path, uint32_t line, struct failure *why)
{
	const inf_error error = why->error;
	const char *rest = error.message, *between = ": ";
	size_t len = strlen(spec->name);
	if (!strncmp(rest, "--", 2) && !strncmp(rest + 2, spec->name, len)) {
		rest += 2 + len;
		between = rest[0] != ' ' ? "" : is_setting(spec) ? "." : " = ";
		rest += rest[0] == ' ';
	}
	inf_fail(&why->error, error.code, error.reason, "%.200s:%" PRIu32 ": %s%s%s", path, line, spec->name, between, rest);
	return why->code;
}

enum exit_code options_blame(const struct options *self, const char *value, struct failure *why)
{
	const struct given *given = options_origin(self, value);
	if (!given || !given->section)
		return why->code;
	return options_place(given->spec, self->config_path, given->line, why);
}

/* ---- arguments ---- */

struct parser {
	struct options *options;
	char **next, **end;		/* of argv */
	struct failure *why;
};

static const struct option_spec *find_letter(char letter)
{
	for (size_t i = 0; i < options_count(); i++)
		if (options_spec(i)->letter == letter)
			return options_spec(i);
	return NULL;
}

static enum exit_code fail_unknown_long(const char *name, size_t len, struct failure *why)
{
	char wanted[NEAR_WORD_MAX + 1] = "";
	struct near near = NEAR_INIT(wanted);
	struct text text = TEXT_INIT(NEAR_TEXT_MAX);
	if (len < sizeof wanted)
		memcpy(wanted, name, len);
	for (size_t i = 0; wanted[0] && i < options_count(); i++)
		near_offer(&near, options_spec(i)->name);
	near_explain(&near, "--", "\"infer help COMMAND\" lists what a command knows", &text);
	failure_usage(why, "unknown_option", "unknown option --%.*s: %s", (int)len, name, text_string(&text));
	text_release(&text);
	return why->code;
}

/* value NULL: none was attached to the option. */
static enum exit_code take_option(struct parser *self, const struct option_spec *spec, const char *value)
{
	if (!spec->argument && value && !options_in_file(spec))
		return failure_usage(self->why, "value_unwanted", "--%s takes no value: leave out \"=%s\"", spec->name,
				     value);
	if (spec->argument && !value && self->next == self->end)
		return failure_usage(self->why, "value_missing", "--%s needs a value: --%s %s", spec->name, spec->name,
				     spec->argument);
	if (spec->argument && !value)
		value = *self->next++;
	return options_give(self->options, &(struct given){ .spec = spec, .value = value }, self->why);
}

static enum exit_code take_long(struct parser *self, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_spec *spec = options_find(name, len);
	if (!spec)
		return fail_unknown_long(name, len, self->why);
	return take_option(self, spec, equals ? equals + 1 : NULL);
}

static enum exit_code take_letters(struct parser *self, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct option_spec *spec = find_letter(*at);
		if (!spec)
			return failure_usage(self->why, "unknown_option", "unknown option -%c in \"-%s\": a text that begins "
					     "with - goes behind --", *at, letters);
		bool takes_rest = spec->argument && at[1];
		enum exit_code code = take_option(self, spec, takes_rest ? at + 1 : NULL);
		if (code != EXIT_DONE || takes_rest)
			return code;
	}
	return EXIT_DONE;
}

static enum exit_code take_arguments(struct parser *self)
{
	struct words *words = &self->options->arguments;
	while (self->next < self->end) {
		const char *word = *self->next++;
		enum exit_code code = EXIT_DONE;
		if (!strcmp(word, "--"))
			break;
		if (word[0] != '-' || !word[1])
			words->items[words->count++] = word;
		else
			code = word[1] == '-' ? take_long(self, word + 2) : take_letters(self, word + 1);
		if (code != EXIT_DONE)
			return code;
	}
	while (self->next < self->end)
		words->items[words->count++] = *self->next++;
	return EXIT_DONE;
}

/* ---- the command ---- */

static enum exit_code fail_unknown_command(const char *word, struct failure *why)
{
	struct near near = NEAR_INIT(word);
	struct text text = TEXT_INIT(NEAR_TEXT_MAX), all = TEXT_INIT(NEAR_TEXT_MAX);
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
		near_offer(&near, options_command(c)->name);
		text_printf(&all, "%s%s", all.len ? ", " : "there are ", options_command(c)->name);
	}
	near_explain(&near, "", text_string(&all), &text);
	failure_usage(why, "unknown_command", "unknown command %.100s: %s", word, text_string(&text));
	text_release(&text);
	text_release(&all);
	return why->code;
}

static enum exit_code find_command(const char *word, enum command *out, struct failure *why)
{
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		if (!strcmp(word, options_command(c)->name)) {
			*out = c;
			return EXIT_DONE;
		}
	return fail_unknown_command(word, why);
}

static const char *shift(struct words *words)
{
	const char *first = words->items[0];
	words->count--;
	memmove(words->items, words->items + 1, words->count * sizeof *words->items);
	return first;
}

static enum exit_code take_command(struct options *self, struct failure *why)
{
	struct words *words = &self->arguments;
	enum exit_code code = EXIT_DONE;
	if (words->count)
		code = find_command(shift(words), &self->command, why);
	else if (!(self->flags & (OPTION_HELP | OPTION_VERSION)))
		return failure_usage(why, "no_command", "no command given: \"infer help\" lists them");
	bool takes_command = self->command == COMMAND_HELP || self->command == COMMAND_CONFIG;
	if (code == EXIT_DONE && takes_command && words->count)
		code = find_command(shift(words), &self->topic, why);
	const struct command_spec *spec = options_command(self->command);
	if (code == EXIT_DONE && self->command == COMMAND_RUN && words->count && !self->model)
		code = options_give(self, &(struct given){ .spec = options_find("model", 5), .value = shift(words) }, why);
	if (code == EXIT_DONE && words->count && (!spec->arguments[0] || takes_command))
		return failure_usage(why, "extra_argument", "%s takes no argument \"%.100s\": \"infer help %s\" "
				     "lists what it knows", spec->name, words->items[0], spec->name);
	return code;
}

static enum exit_code check_given(const struct options *self, struct failure *why)
{
	const char *name = options_command(self->command)->name;
	uint32_t commands = 1u << self->command;
	if (self->command == COMMAND_CONFIG)	/* it shows what a command line comes to, too */
		commands |= 1u << self->topic;
	for (size_t i = 0; i < self->given_count; i++)
		if (!(self->given[i].spec->commands & commands))
			return failure_usage(why, "option_place", "%s does not know --%s: \"infer help %s\" lists what "
					     "it knows", name, self->given[i].spec->name, name);
	return EXIT_DONE;
}

/* ---- lifecycle ---- */

static bool grow(const char ***items, size_t count)
{
	const char **grown = realloc(*items, count * sizeof **items);
	if (grown)
		*items = grown;
	return grown;
}

static bool grow_ids(struct ids *self, size_t more)
{
	int32_t *grown = realloc(self->items, (self->count + more) * sizeof *grown);
	if (grown)
		self->items = grown;
	return grown;
}

/* One more than that: choose_task() may add one. */
enum exit_code options_reserve(struct options *self, size_t more, struct failure *why)
{
	struct words *const all[] = { &self->arguments, &self->plugin_dirs, &self->settings, &self->stop_strings,
				      &self->adapters, &self->images, &self->sounds };
	uint64_t *memories = realloc(self->memories, (self->memory_count + more + 1) * sizeof *memories);
	if (memories)
		self->memories = memories;
	bool ok = memories && grow_ids(&self->stop_tokens, more + 1) && grow_ids(&self->suppress_tokens, more + 1);
	for (size_t i = 0; ok && i < sizeof all / sizeof all[0]; i++)
		ok = grow(&all[i]->items, all[i]->count + more + 1);
	return ok ? EXIT_DONE : failure_memory(why, "the options");
}

void options_release(struct options *self)
{
	if (!self)
		return;
	free(self->arguments.items);
	free(self->plugin_dirs.items);
	free(self->settings.items);
	free(self->stop_strings.items);
	free(self->images.items);
	free(self->sounds.items);
	free(self->stop_tokens.items);
	free(self->suppress_tokens.items);
	free(self->constraint);
	free(self->candidates);
	free(self->memories);
	free(self->adapters.items);
	free(self->adapter_path);
	free(self->adapters_setting);
	free(self->state_dir);
	free(self->state_setting);
	free(self->given);
	*self = (struct options){ 0 };
}

/* What the model has to be loaded for; a backend without that option knows no other task, or has its own way. */
static void choose_task(struct options *self)
{
	struct words *settings = &self->settings;	/* with room for one more: the command's word is none of them */
	bool said = false;
	for (size_t i = 0; i < settings->count; i++)
		said = said || !strncmp(settings->items[i] + (settings->items[i][0] == '?'), "task=", 5);
	if (!said && self->command == COMMAND_EMBED)
		settings->items[settings->count++] = "?task=embed";
	if (!said && self->command == COMMAND_RERANK)
		settings->items[settings->count++] = "?task=rerank";
}

/* Options of the load that infer has names of its own for; each took the place of an argument, so there is room. */
static enum exit_code add_settings(struct options *self, struct failure *why)
{
	struct words *settings = &self->settings;
	enum exit_code code = state_check(self, why);
	if (code != EXIT_DONE)
		return code;
	if (self->state_dir && asprintf(&self->state_setting, "state-dir=%s", self->state_dir) < 0) {
		self->state_setting = NULL;
		return failure_memory(why, "a path");
	}
	if (self->state_setting)
		settings->items[settings->count++] = self->state_setting;
	code = adapters_take(self, why);
	if (code == EXIT_DONE && self->adapters_setting)
		settings->items[settings->count++] = self->adapters_setting;
	return code;
}

enum exit_code options_finish(struct options *self, struct failure *why)
{
	enum exit_code code = add_settings(self, why);
	if (code != EXIT_DONE)
		return code;
	choose_task(self);
	self->load.adapter_path = self->adapter_path;
	self->gen.stop_tokens = self->stop_tokens.items;
	self->gen.stop_token_count = self->stop_tokens.count;
	self->gen.suppress_tokens = self->suppress_tokens.items;
	self->gen.suppress_token_count = self->suppress_tokens.count;
	self->gen.stop_strings = self->stop_strings.items;
	self->gen.stop_string_count = self->stop_strings.count;
	return EXIT_DONE;
}

enum exit_code options_parse(struct options *self, int argc, char **argv, struct failure *why)
{
	size_t count = argc > 0 ? (size_t)argc - 1 : 0;
	struct parser parser = { .options = self, .next = argv + (argc > 0), .end = argv + argc, .why = why };
	*self = (struct options){
		.load.struct_size = sizeof self->load,
		.gen.struct_size = sizeof self->gen,
	};
	if (count > OPTIONS_ARGUMENTS_MAX)
		return failure_usage(why, "too_many", "more than %d arguments: put the text into a file and use -f",
				     OPTIONS_ARGUMENTS_MAX);
	enum exit_code code = options_reserve(self, count, why);
	if (code == EXIT_DONE)
		code = take_arguments(&parser);
	if (code == EXIT_DONE)
		code = take_command(self, why);
	if (code == EXIT_DONE)
		code = check_given(self, why);
	if (code == EXIT_DONE && self->gen.tool_choice && !self->tools_file)
		code = failure_usage(why, "no_tools", "--tool-choice without --tools FILE: give both or none");
	return code;
}

bool options_want_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}
