/* SPDX-License-Identifier: MIT */
#ifndef INFER_TERMINAL_H
#define INFER_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/*
 * terminal: what is known about one output, and text made safe to show on it.
 *
 * Colours only for a terminal, and neither with $NO_COLOR (any value but "") nor with TERM=dumb or without TERM.
 */
enum style { STYLE_PLAIN, STYLE_DIM, STYLE_BOLD, STYLE_RED, STYLE_GREEN, STYLE_YELLOW };

enum { TERMINAL_COLUMNS_DEFAULT = 80 };

struct terminal {
	int fd;
	bool is_tty;
	bool has_styles;
};

struct terminal terminal_of(int fd);

/* Can the cursor be moved there? Colours are another matter. */
bool terminal_can_edit(const struct terminal *self);

/* As wide as it is now, TERMINAL_COLUMNS_DEFAULT when it does not say. */
size_t terminal_columns(const struct terminal *self);

/* The escape sequence that begins a style, and the one that ends any; "" where there are no styles. */
const char *terminal_style(const struct terminal *self, enum style style);
const char *terminal_plain(const struct terminal *self, enum style style);

/*
 * Append with control characters (C0, DEL, C1) and bytes that are not UTF-8 written as \x1b, so that text from a model or
 * a file name cannot command the terminal. Those in `kept`, a string of C0 characters, pass.
 */
void terminal_add_visible(struct text *out, const char *bytes, size_t len, const char *kept);

#endif
