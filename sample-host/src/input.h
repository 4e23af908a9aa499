/* SPDX-License-Identifier: MIT */
#ifndef INFER_INPUT_H
#define INFER_INPUT_H

#include "options.h"
#include "text.h"

/*
 * input: the prompt or message, from wherever it comes; always UTF-8. Reading gives way to signals.
 */
enum {
	INPUT_MAX = 64 << 20,		/* bytes of a prompt, an image or a sound */
	INPUT_CONSTRAINT_MAX = 1 << 20,	/* bytes of a schema or grammar */
	INPUT_LINE_MAX = 1 << 20,	/* bytes of a line that is typed */
};

/* Is there nothing to read a prompt from but a person at a terminal? */
bool input_is_person(const struct options *options);

/*
 * The arguments with blanks between them; else the file of -f, or standard input, without the newline at its end.
 * EXIT_DONE; EXIT_USAGE when there is none of these; EXIT_FAILED; interrupted.
 */
enum exit_code input_prompt(const struct options *options, struct text *out, struct failure *why);

/* Text of a file, "-" is standard input. EXIT_DONE, EXIT_FAILED, interrupted. */
enum exit_code input_text(const char *path, struct text *out, struct failure *why);
/* The bytes of a file, of any kind, up to the cap of out. EXIT_DONE, EXIT_FAILED, interrupted. */
enum exit_code input_file(const char *path, struct text *out, struct failure *why);
/*
 * Read the file of --json-schema or --grammar, if there is one, and point options->gen to it. EXIT_DONE; EXIT_USAGE for both,
 * and for standard input where the text comes from there; EXIT_FAILED; interrupted.
 */
enum exit_code input_constraint(struct options *options, struct failure *why);

enum input_event { INPUT_LINE, INPUT_END, INPUT_INTERRUPTED, INPUT_FAILED };

/* Lines of standard input. */
struct input {
	struct text pending;	/* read and not yet handed out */
};

#define INPUT_INIT { TEXT_INIT(INPUT_LINE_MAX) }

void input_release(struct input *self);

/* The next line, without its newline. INPUT_FAILED and *why for one that is too long or no UTF-8; then comes the next. */
enum input_event input_line(struct input *self, struct text *out, struct failure *why);

#endif
