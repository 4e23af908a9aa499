/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <stdio.h>

enum { LABEL_MAX = 64 };

static void add_option(struct text *out, const struct option_spec *spec)
{
	char letter[8] = "    ", label[LABEL_MAX];
	if (spec->letter)
		snprintf(letter, sizeof letter, "-%c, ", spec->letter);
	snprintf(label, sizeof label, "%s--%s%s%s", letter, spec->name, spec->argument ? " " : "",
		 spec->argument ? spec->argument : "");
	text_printf(out, "  %-26s  %s\n", label, spec->help);
}

static void add_options(struct text *out, enum command command)
{
	for (size_t i = 0; i < options_count(); i++)
		if (options_spec(i)->commands & (1u << command))
			add_option(out, options_spec(i));
}

static void add_overview(struct text *out)
{
	text_puts(out, "usage: infer COMMAND [OPTION...]\n\n"
		       "Runs language models on this machine, with the backend that suits it.\n\n");
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		text_printf(out, "  %-10s  %s\n", options_command(c)->name, options_command(c)->summary);
	text_puts(out, "\n\"infer help COMMAND\" lists the options of a command.\n\n"
		       "Exit status: 0 done, 1 failed, 2 usage, 3 no usable backend, 130 interrupted,\n143 terminated.\n");
}

void help_add_page(struct text *out, enum command command)
{
	const struct command_spec *spec = options_command(command);
	if (command == COMMAND_NONE) {
		add_overview(out);
		return;
	}
	text_printf(out, "usage: infer %s [OPTION...]%s\n\n%c%s.\n%s\n", spec->name, spec->arguments,
		    spec->summary[0] - 'a' + 'A', spec->summary + 1, spec->details);
	add_options(out, command);
}
