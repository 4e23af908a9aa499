/* SPDX-License-Identifier: MIT */
#include "complete.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "engine.h"
#include "interrupt.h"

enum { PAGE_MAX = 1 << 20 };

struct completion {
	struct text out;
	const char *head;		/* what each answer begins with: "--set=" of "--set=thr" */
	size_t head_len;
	const char *wanted;		/* the rest of the word */
	const struct options *options;	/* of the words before, and of the configuration file */
	bool has_model;			/* the words before name one */
	struct console *console;
};

static void offer(struct completion *self, const char *word, const char *tail)
{
	if (!word[0] || strncmp(word, self->wanted, strlen(self->wanted)))
		return;
	text_add(&self->out, self->head, self->head_len);
	text_printf(&self->out, "%s%s\n", word, tail);
}

/* ---- what the library finds ---- */

static void offer_backends(struct completion *self, const inf_registry *registry)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		if (candidate->state != INF_STATE_SHADOWED)
			offer(self, candidate->backend, "");
	}
}

static void offer_values(struct completion *self, const inf_option *option)
{
	const char *values = option->type == INF_OPTION_BOOL ? "true|false" : option->type == INF_OPTION_ENUM ? option->values : "";
	struct text word = TEXT_INIT(PAGE_MAX);
	for (const char *at = values; *at; at += strspn(at, "|")) {
		size_t len = strcspn(at, "|");
		text_reset(&word);
		text_printf(&word, "%s=%.*s", option->key, (int)len, at);
		offer(self, text_string(&word), "");
		at += len;
	}
	text_release(&word);
}

static void offer_settings(struct completion *self, const inf_registry *registry)
{
	size_t len = strcspn(self->wanted, "=");
	for (size_t i = 0; i < inf_registry_option_count(registry); i++) {
		const inf_option *option = inf_registry_option(registry, i);
		if (!self->wanted[len])
			offer(self, option->key, "=");
		else if (!strncmp(option->key, self->wanted, len) && !option->key[len])
			offer_values(self, option);
	}
}

static int32_t on_file(void *user, const inf_model_file *file)
{
	struct completion *self = user;
	bool embeds = file->kind == INF_MODEL_KIND_EMBEDDING && self->options->command != COMMAND_RUN;
	if (file->kind == INF_MODEL_KIND_MODEL || embeds)
		offer(self, file->name, "");
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

static void offer_models(struct completion *self, const inf_registry *registry)
{
	if (!strchr(self->wanted, '/'))
		inf_registry_list_models(registry, NULL, NULL, 0, 0, self, on_file, NULL);
	text_puts(&self->out, ":files\n");
}

static void ask(struct completion *self, void (*question)(struct completion *, const inf_registry *))
{
	struct engine engine = ENGINE_INIT;
	struct failure why = FAILURE_INIT;
	struct options options = *self->options;
	options.settings.count = 0;		/* one that is half written would spoil it */
	if (engine_find(&engine, &options, self->console, &why) == EXIT_DONE)
		question(self, engine.registry);
	engine_close(&engine, self->console);
}

/* What is known of backends that are not asked whether they can work here, which may take a while. */
static void ask_idle(struct completion *self, void (*question)(struct completion *, const inf_registry *))
{
	if (!setenv("INF_BACKEND_DISABLE", "*", 1))
		ask(self, question);
}

/* ---- what the tables say ---- */

static void offer_commands(struct completion *self)
{
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		offer(self, options_command(c)->name, "");
}

static void offer_options(struct completion *self)
{
	struct text word = TEXT_INIT(PAGE_MAX);
	uint32_t commands = 1u << self->options->command;
	if (self->options->command == COMMAND_CONFIG)
		commands |= 1u << self->options->topic;
	for (size_t i = 0; i < options_count(); i++) {
		text_reset(&word);
		text_printf(&word, "--%s", options_spec(i)->name);
		if (options_spec(i)->commands & commands)
			offer(self, text_string(&word), "");
	}
	text_release(&word);
}

/* By what a usage line calls it. */
static void offer_argument(struct completion *self, const char *argument)
{
	if (strstr(argument, "FILE|NAME"))
		ask(self, offer_models);
	else if (strstr(argument, "KEY=VALUE"))
		ask_idle(self, offer_settings);
	else if (!strcmp(argument, "NAME"))
		ask_idle(self, offer_backends);
	else if (strstr(argument, "COMMAND"))
		offer_commands(self);
	else if (strstr(argument, "FILE"))
		text_puts(&self->out, ":files\n");
	else if (strstr(argument, "DIR"))
		text_puts(&self->out, ":directories\n");
}

static const struct option_spec *find_option(const char *name, size_t len, char letter)
{
	for (size_t i = 0; i < options_count(); i++) {
		const struct option_spec *spec = options_spec(i);
		if (letter ? spec->letter == letter : !strncmp(spec->name, name, len) && !spec->name[len])
			return spec;
	}
	return NULL;
}

/* The option whose value is the next word; NULL = none. */
static const struct option_spec *open_option(const char *word)
{
	const struct option_spec *spec = NULL;
	if (!strncmp(word, "--", 2))
		spec = find_option(word + 2, strlen(word + 2), 0);
	else if (word[0] == '-')
		for (const char *at = word + 1; *at && !(spec && spec->argument); at++) {
			spec = find_option(NULL, 0, *at);
			if (spec && spec->argument && at[1])
				return NULL;
		}
	return spec && spec->argument ? spec : NULL;
}

/* ---- the command line ---- */

/* How many of the words are read in full, and the option that waits for its value. */
static int read_before(int argc, char **argv, const struct option_spec **open, bool *only_text)
{
	*open = NULL;
	*only_text = false;
	for (int i = 1; i < argc && !*only_text; i++) {
		*only_text = !*open && !strcmp(argv[i], "--");
		*open = *open || *only_text ? NULL : open_option(argv[i]);
	}
	return *open ? argc - 1 : argc;
}

static void complete(struct completion *self, const struct option_spec *open, bool only_text)
{
	const char *word = self->wanted, *equals = strchr(word, '=');
	const struct command_spec *command = options_command(self->options->command);
	if (!open && !only_text && !strncmp(word, "--", 2) && equals) {
		open = find_option(word + 2, (size_t)(equals - word) - 2, 0);
		self->head_len = (size_t)(equals - word) + 1;
		self->wanted = equals + 1;
		if (!open || !open->argument)
			return;
	}
	if (open)
		offer_argument(self, open->argument);
	else if (!only_text && word[0] == '-')
		offer_options(self);
	else if (self->options->command == COMMAND_NONE)
		offer_commands(self);
	else if (!self->options->topic && !self->has_model)
		offer_argument(self, command->arguments);
}

void complete_print(int argc, char **argv, struct console *console)
{
	const struct option_spec *open;
	bool only_text;
	struct options options;
	struct configfile config = CONFIGFILE_INIT;
	struct failure why = FAILURE_INIT;
	char none[] = "", *word = argc > 1 ? argv[argc - 1] : none;
	int count = read_before(argc > 1 ? argc - 1 : argc, argv, &open, &only_text);
	options_parse(&options, count, argv, &why);	/* a line that is not finished may be wrong */
	bool has_model = options.command == COMMAND_RUN && options.model;
	why = (struct failure)FAILURE_INIT;
	if (config_read(&config, &options, &why) == EXIT_DONE)
		config_apply(&config, &options, &why);
	struct completion self = { .out = TEXT_INIT(PAGE_MAX), .head = word, .wanted = word, .options = &options,
				   .console = console, .has_model = has_model };
	if (options.arguments.items)
		complete(&self, open, only_text);
	console_write(console, text_string(&self.out), self.out.len);
	text_release(&self.out);
	options_release(&options);
	configfile_release(&config);
}
