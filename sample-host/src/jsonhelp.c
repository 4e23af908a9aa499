/* SPDX-License-Identifier: MIT */
#include "json.h"
#include "jsonobject.h"

static void append_command(struct json_list *list, const struct command_spec *spec)
{
	struct object entry = object_new();
	object_add_string(&entry, "name", spec->name);
	object_add_string_or_null(&entry, "arguments", spec->arguments + (spec->arguments[0] == ' '));
	object_add_string(&entry, "summary", spec->summary);
	object_add_string_or_null(&entry, "details", spec->details);
	json_list_append(list, &entry);
}

static void add_knowers(struct object *self, uint32_t commands)
{
	json_object *names = json_object_new_array();
	for (enum command c = COMMAND_NONE + 1; names && c < COMMAND_COUNT; c++) {
		json_object *name = commands & (1u << c) ? json_object_new_string(options_command(c)->name) : NULL;
		if (commands & (1u << c) && (!name || json_object_array_add(names, name))) {
			json_object_put(name);
			self->failed = true;
		}
	}
	object_add(self, "commands", names);
}

static void append_option(struct json_list *list, const struct option_spec *spec)
{
	const char letter[] = { spec->letter, '\0' };
	struct object entry = object_new();
	object_add_string(&entry, "name", spec->name);
	object_add_string_or_null(&entry, "letter", letter);
	object_add_string_or_null(&entry, "argument", spec->argument ? spec->argument : "");
	object_add_string(&entry, "help", spec->help);
	add_knowers(&entry, spec->commands);
	json_list_append(list, &entry);
}

void json_add_help(struct text *out, enum command command)
{
	struct object line = object_new();
	struct json_list *commands = json_list_new(), *options = json_list_new();
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		if (command == COMMAND_NONE || command == c)
			append_command(commands, options_command(c));
	for (size_t i = 0; i < options_count(); i++)
		if (command == COMMAND_NONE || options_spec(i)->commands & (1u << command))
			append_option(options, options_spec(i));
	object_add_list(&line, "commands", commands);
	object_add_list(&line, "options", options);
	object_print(&line, out);
}

void json_add_version(struct text *out)
{
	struct object line = object_new();
	object_add_string(&line, "infer", INFER_VERSION);
	object_add_string(&line, "library", inf_library_version());
	object_print(&line, out);
}
