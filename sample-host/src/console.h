/* SPDX-License-Identifier: MIT */
#ifndef INFER_CONSOLE_H
#define INFER_CONSOLE_H

#include <stdatomic.h>

#include "failure.h"
#include "terminal.h"
#include "text.h"

/*
 * console: standard output, for what was asked for, and standard error, for what is said about it.
 *
 * Nothing is buffered: each call is one write(), so that tokens appear as they come and lines of several threads do not
 * mix. The first write to standard output that fails is remembered and later ones do nothing; what goes wrong on
 * standard error is nobody's business. One thread, except console_log().
 */
struct console {
	struct terminal out, err;
	struct text scratch;		/* what is being written */
	int write_errno;		/* of standard output, 0 = fine */
	atomic_bool mid_line;		/* text on the terminal waits for its newline */
};

void console_init(struct console *self);
void console_release(struct console *self);

/* Standard output. False once it has failed. */
bool console_write(struct console *self, const char *bytes, size_t len);
/* Text of a model: as it is into a pipe or file, made visible on a terminal. */
bool console_text(struct console *self, const char *bytes, size_t len, enum style style);
/* A newline after text that lacks one, on a terminal. */
bool console_end_line(struct console *self);

/* One line to standard error, with any control characters in it made visible. */
void console_notice(struct console *self, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Bytes to standard error as they are. */
void console_draw(struct console *self, const char *bytes, size_t len);

/* EXIT_DONE, or why standard output failed. */
enum exit_code console_check(const struct console *self, struct failure *why);

/* inf_registry_params.log, with a console as log_ctx. Any thread. */
void console_log(void *console, int32_t level, const char *message, size_t len);

#endif
