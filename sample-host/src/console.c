/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	NOTICE_MAX = 4096,	/* bytes of a line to standard error, cut beyond */
	LOG_MAX = 64 << 10,	/* the same for a log line with everything made visible */
};

void console_init(struct console *self)
{
	*self = (struct console){
		.out = terminal_of(STDOUT_FILENO),
		.err = terminal_of(STDERR_FILENO),
		.scratch = TEXT_INIT(TEXT_LINE_MAX * 8),
	};
}

void console_release(struct console *self)
{
	if (self)
		text_release(&self->scratch);
}

/* Whoever shares the terminal or pipe with us may have made it non-blocking. */
static void wait_writable(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	poll(&polled, 1, -1);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EAGAIN)
			wait_writable(fd);
		else if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* ---- standard output ---- */

bool console_write(struct console *self, const char *bytes, size_t len)
{
	if (!self->write_errno && len) {
		self->write_errno = write_all(self->out.fd, bytes, len);
		atomic_store(&self->mid_line, self->out.is_tty && bytes[len - 1] != '\n');
	}
	return !self->write_errno;
}

bool console_text(struct console *self, const char *bytes, size_t len, enum style style)
{
	struct text *line = &self->scratch;
	if (!self->out.is_tty)
		return console_write(self, bytes, len);
	text_reset(line);
	text_puts(line, terminal_style(&self->out, style));
	terminal_add_visible(line, bytes, len, "\n\t");
	text_puts(line, terminal_plain(&self->out, style));
	if (line->failed)
		self->write_errno = ENOMEM;
	if (!len || !console_write(self, text_string(line), line->len))
		return !self->write_errno;
	atomic_store(&self->mid_line, bytes[len - 1] != '\n');
	return true;
}

bool console_end_line(struct console *self)
{
	return atomic_load(&self->mid_line) ? console_write(self, "\n", 1) : !self->write_errno;
}

enum exit_code console_check(const struct console *self, struct failure *why)
{
	if (!self->write_errno)
		return EXIT_DONE;
	failure_set(why, INF_E_IO, "stdout", "standard output cannot be written: %s", strerror(self->write_errno));
	why->error.os_errno = self->write_errno;
	return why->code;
}

/* ---- standard error ---- */

void console_draw(struct console *self, const char *bytes, size_t len)
{
	write_all(self->err.fd, bytes, len);
}

/* A line of its own also when the terminal shows half a line of text. */
static void write_line(struct console *self, struct text *line, enum style style, const char *bytes, size_t len)
{
	if (self->err.is_tty && self->out.is_tty && atomic_exchange(&self->mid_line, false))
		text_puts(line, "\n");
	text_puts(line, terminal_style(&self->err, style));
	terminal_add_visible(line, bytes, len, "\t");
	text_puts(line, terminal_plain(&self->err, style));
	text_puts(line, "\n");
	if (!line->failed)
		write_all(self->err.fd, text_string(line), line->len);
}

void console_notice(struct console *self, enum style style, const char *format, ...)
{
	char message[NOTICE_MAX];
	va_list ap;
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	text_reset(&self->scratch);
	write_line(self, &self->scratch, style, message, strlen(message));
}

void console_log(void *console, int32_t level, const char *message, size_t len)
{
	static const char *const names[] = {
		[INF_LOG_DEBUG] = "debug",
		[INF_LOG_INFO] = "info",
		[INF_LOG_WARN] = "warning",
		[INF_LOG_ERROR] = "error",
	};
	struct text line = TEXT_INIT(LOG_MAX), named = TEXT_INIT(LOG_MAX / 8);
	if (level < INF_LOG_DEBUG || level > INF_LOG_ERROR)
		level = level < INF_LOG_DEBUG ? INF_LOG_DEBUG : INF_LOG_ERROR;
	if (len > NOTICE_MAX)
		len = NOTICE_MAX;
	text_printf(&named, "%s: ", names[level]);
	text_add(&named, message, len);
	write_line(console, &line, level < INF_LOG_WARN ? STYLE_DIM : STYLE_PLAIN, text_string(&named), named.len);
	text_release(&named);
	text_release(&line);
}
