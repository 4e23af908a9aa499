/* SPDX-License-Identifier: MIT */
#include "manpage.h"

#include <ctype.h>
#include <string.h>

struct term {
	const char *name, *text;
};

static const struct term variables[] = {
	{ "INF_BACKEND", "the backend to use where no --backend is given" },
	{ "INF_PLUGIN_PATH", "directories with backends, with ':' between them, searched after those of --plugin-dir" },
	{ "INF_BACKEND_DISABLE", "backends not to use: a list of patterns with ':' between them" },
	{ "INF_MODELS", "directories with models, with ':' between them" },
	{ "LLAMA_SERVER_PATH", "the llama-server that the backends rocm, vulkan and llama_cpp run; else the one in PATH" },
	{ "XDG_CONFIG_HOME", "where inference/infer.conf is looked for; else in ~/.config" },
	{ "NO_COLOR", "no colours, as with TERM=dumb" },
}, statuses[] = {
	{ "0", "done" },
	{ "1", "failed" },
	{ "2", "usage: the command line or the configuration file makes no sense" },
	{ "3", "no usable backend" },
	{ "130", "interrupted" },
	{ "143", "terminated" },
}, files[] = {
	{ "~/.config/inference/infer.conf", "defaults for options: sections [defaults], [COMMAND] and [model PATTERN] with lines "
	  "KEY = VALUE, see infer config. It is not read if others than its user and root could write to it" },
	{ "~/.local/share/inference/backends", "backends of the user: one file each, NAME.so" },
	{ "PREFIX/lib/inference/backends", "those that were installed" },
	{ "PREFIX/share/inference/schema", "what each command prints with --json: NAME.json, a JSON Schema each" },
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Text for roff: a hyphen stays one that can be copied, and no line is taken for a request. */
static void add_escaped(struct text *out, const char *text)
{
	for (const char *at = text; *at; at++) {
		if ((at == text || at[-1] == '\n') && (*at == '.' || *at == '\''))
			text_puts(out, "\\&");
		if (*at == '\\')
			text_puts(out, "\\e");
		else if (*at == '-' || *at == '~' || *at == '^')
			text_printf(out, "%s", *at == '-' ? "\\-" : *at == '~' ? "\\(ti" : "\\(ha");
		else
			text_add(out, at, 1);
	}
}

static void add_marked(struct text *out, char font, const char *text)
{
	text_printf(out, "\\f%c", font);
	add_escaped(out, text);
	text_puts(out, "\\fR");
}

static void add_sentence(struct text *out, const char *text)
{
	char first[2] = { (char)toupper((unsigned char)text[0]), '\0' };
	add_escaped(out, first);
	add_escaped(out, text + (text[0] != '\0'));
	text_puts(out, ".\n");
}

static void add_command(struct text *out, const struct command_spec *spec)
{
	text_puts(out, ".TP\n");
	add_marked(out, 'B', spec->name);
	if (spec->arguments[0])
		add_marked(out, 'I', spec->arguments);
	text_puts(out, "\n");
	add_sentence(out, spec->summary);
	add_escaped(out, spec->details);
}

static void add_knowers(struct text *out, uint32_t commands)
{
	const char *comma = "";
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
		if (!(commands & (1u << c)))
			continue;
		text_puts(out, comma);
		add_marked(out, 'B', options_command(c)->name);
		comma = ", ";
	}
}

static void add_option(struct text *out, const struct option_spec *spec)
{
	const char letter[] = { '-', spec->letter, '\0' };
	text_puts(out, ".TP\n");
	if (spec->letter) {
		add_marked(out, 'B', letter);
		text_puts(out, ", ");
	}
	text_puts(out, "\\fB\\-\\-");
	add_escaped(out, spec->name);
	text_puts(out, "\\fR");
	if (spec->argument) {
		text_puts(out, " ");
		add_marked(out, 'I', spec->argument);
	}
	text_puts(out, "\n");
	add_sentence(out, spec->help);
	text_puts(out, "[");
	add_knowers(out, spec->commands);
	text_puts(out, "]\n");
}

static void add_terms(struct text *out, const char *title, const struct term *terms, size_t count)
{
	text_printf(out, ".SH %s\n", title);
	for (size_t i = 0; i < count; i++) {
		text_puts(out, ".TP\n");
		add_marked(out, 'B', terms[i].name);
		text_puts(out, "\n");
		add_sentence(out, terms[i].text);
	}
}

void manpage_add(struct text *out)
{
	text_puts(out, ".\\\" Made by infer help --man; changes belong into the tables of its source.\n"
		       ".TH INFER 1 \"\" \"go-rocm " INFER_VERSION "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n"
		       "infer \\- run language models on this machine\n.SH SYNOPSIS\n"
		       ".B infer\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n"
		       "Runs language models on this machine, with the backend that suits it.\n"
		       "Standard output carries what was asked for, standard error what is said about it.\n"
		       "A failure is one line with its status and a reason that programs can match.\n.SH COMMANDS\n");
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		add_command(out, options_command(c));
	text_puts(out, ".SH OPTIONS\nBehind each option: the commands that know it.\n");
	for (size_t i = 0; i < options_count(); i++)
		add_option(out, options_spec(i));
	add_terms(out, "EXIT STATUS", statuses, COUNT(statuses));
	add_terms(out, "ENVIRONMENT", variables, COUNT(variables));
	add_terms(out, "FILES", files, COUNT(files));
}
