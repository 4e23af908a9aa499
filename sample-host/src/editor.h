/* SPDX-License-Identifier: MIT */
#ifndef INFER_EDITOR_H
#define INFER_EDITOR_H

#include "console.h"
#include "input.h"

/*
 * editor: a line that can be edited, with what was typed before and with completion. The only user of libedit.
 *
 * Signals stay interrupt's: the terminal is in the editor's mode only while it waits for keys, and Ctrl-C ends that wait.
 * What the terminal pastes in brackets is one text with all its newlines. ~/.editrc is obeyed. One thread.
 */
enum { EDITOR_CHOICES_MAX = 100 };	/* shown at once */

struct editor;

/* What could stand in the place of the text from `start` on: words, each with a newline. One that ends with '/' goes on. */
struct editor_choices {
	struct text words;
	size_t start;
};

/* before: the line up to the cursor. */
typedef void editor_complete_fn(void *user, const char *before, struct editor_choices *out);

/* NULL where the cursor cannot be moved on `terminal`, or without memory. */
struct editor *editor_open(const struct terminal *terminal, editor_complete_fn *complete, void *user);
void editor_close(struct editor *self);		/* accepts NULL */

/* Another line to be brought back. */
void editor_remember(struct editor *self, const char *line);

/* As input_line(). The line may have newlines in it. */
enum input_event editor_line(struct editor *self, const char *prompt, struct text *out, struct failure *why);

#endif
