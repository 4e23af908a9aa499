/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "number.h"
#include "utf8.h"

enum { COLUMNS_MAX = 10000 };

static bool is_dumb(void)
{
	const char *term = getenv("TERM");
	return !term || !term[0] || !strcmp(term, "dumb");
}

static bool wants_styles(void)
{
	const char *no_color = getenv("NO_COLOR");
	return !(no_color && no_color[0]) && !is_dumb();
}

bool terminal_can_edit(const struct terminal *self)
{
	return self->is_tty && !is_dumb();
}

struct terminal terminal_of(int fd)
{
	bool is_tty = isatty(fd);
	return (struct terminal){ .fd = fd, .is_tty = is_tty, .has_styles = is_tty && wants_styles() };
}

size_t terminal_columns(const struct terminal *self)
{
	struct winsize size = { 0 };
	const char *columns = getenv("COLUMNS");
	int64_t number;
	if (!ioctl(self->fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	if (columns && number_integer(columns, 1, COLUMNS_MAX, &number))
		return (size_t)number;
	return TERMINAL_COLUMNS_DEFAULT;
}

const char *terminal_style(const struct terminal *self, enum style style)
{
	static const char *const begins[] = {
		[STYLE_PLAIN] = "",
		[STYLE_DIM] = "\x1b[2m",
		[STYLE_BOLD] = "\x1b[1m",
		[STYLE_RED] = "\x1b[31m",
		[STYLE_GREEN] = "\x1b[32m",
		[STYLE_YELLOW] = "\x1b[33m",
	};
	return self->has_styles ? begins[style] : "";
}

const char *terminal_plain(const struct terminal *self, enum style style)
{
	return self->has_styles && style != STYLE_PLAIN ? "\x1b[0m" : "";
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

static bool is_kept(uint32_t code, const char *kept)
{
	return code && code < 0x20 && strchr(kept, (int)code);
}

void terminal_add_visible(struct text *out, const char *bytes, size_t len, const char *kept)
{
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &code);
		if (code == UTF8_BAD)
			text_printf(out, "\\x%02x", (unsigned char)bytes[at]);
		else if (is_control(code) && !is_kept(code, kept))
			text_printf(out, "\\x%02x", (unsigned)code);
		else
			text_add(out, bytes + at, n);
	}
}
