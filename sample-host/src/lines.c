/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interrupt.h"

enum { CHUNK = 64 << 10 };

struct lines lines_of(int fd, const char *name, size_t line_max)
{
	return (struct lines){ .fd = fd, .name = name, .line_max = line_max, .read = TEXT_INIT(line_max + 1 + CHUNK) };
}

void lines_release(struct lines *self)
{
	text_release(&self->read);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

bool lines_is_blank(const struct lines *self)
{
	for (size_t i = 0; i < self->len; i++)
		if (!is_blank(self->line[i]))
			return false;
	return true;
}

bool lines_count(int fd, size_t *count)
{
	char chunk[CHUNK];
	struct stat status;
	off_t at = lseek(fd, 0, SEEK_CUR);
	size_t lines = 0;
	bool has_text = false;
	if (at < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode))
		return false;
	for (ssize_t n; (n = pread(fd, chunk, sizeof chunk, at)) > 0 && interrupt_code() == EXIT_DONE; at += n)
		for (ssize_t i = 0; i < n; i++) {
			lines += has_text && chunk[i] == '\n';
			has_text = chunk[i] != '\n' && (has_text || !is_blank(chunk[i]));
		}
	*count = lines + has_text;
	return interrupt_code() == EXIT_DONE;
}

static enum lines_event hand_out(struct lines *self, size_t stop, bool is_whole)
{
	size_t begin = self->next;
	bool is_long = self->is_skipping || stop - begin > self->line_max;
	self->line = text_string(&self->read) + begin;
	self->len = is_long ? 0 : stop - begin;
	self->is_whole = is_whole;
	self->end += stop - begin + is_whole;
	self->next = self->scanned = stop + is_whole;
	self->is_skipping = false;
	return is_long ? LINES_LONG : LINES_LINE;
}

static void forget(struct lines *self, size_t len)
{
	struct text *read = &self->read;
	if (len)
		memmove(read->data, read->data + len, read->len - len);
	read->len -= len;
	self->scanned -= len;
	self->next = 0;
}

/* Of a line that is too long already nothing need be kept. */
static void make_room(struct lines *self)
{
	forget(self, self->next);
	if (self->read.len <= self->line_max)
		return;
	self->is_skipping = true;
	self->end += self->read.len;
	forget(self, self->read.len);
}

static enum lines_event fail(struct lines *self, struct failure *why)
{
	if (interrupt_code() != EXIT_DONE)
		return LINES_INTERRUPTED;
	failure_set(why, INF_E_IO, "read", "%.200s: cannot be read: %s", self->name, strerror(errno));
	why->error.os_errno = errno;
	return LINES_FAILED;
}

/* LINES_LINE: there are more bytes, or none will come. */
static enum lines_event read_more(struct lines *self, int wait_ms, struct failure *why)
{
	struct pollfd polled = { .fd = self->fd, .events = POLLIN };
	char chunk[CHUNK];
	make_room(self);
	if (wait_ms >= 0 && poll(&polled, 1, wait_ms) <= 0)
		return interrupt_code() == EXIT_DONE ? LINES_LATE : LINES_INTERRUPTED;
	ssize_t n = interrupt_read(self->fd, chunk, sizeof chunk);
	if (n < 0)
		return fail(self, why);
	self->is_ended = !n;
	text_add(&self->read, chunk, (size_t)n);
	if (!self->read.failed)
		return LINES_LINE;
	failure_memory(why, "a line");
	return LINES_FAILED;
}

enum lines_event lines_next(struct lines *self, int wait_ms, struct failure *why)
{
	for (;;) {
		const char *bytes = text_string(&self->read);
		const char *newline = memchr(bytes + self->scanned, '\n', self->read.len - self->scanned);
		self->scanned = self->read.len;
		if (newline)
			return hand_out(self, (size_t)(newline - bytes), true);
		if (self->is_ended && self->read.len == self->next && !self->is_skipping)
			return LINES_END;
		if (self->is_ended)
			return hand_out(self, self->read.len, false);
		enum lines_event event = read_more(self, wait_ms, why);
		if (event != LINES_LINE)
			return event;
	}
}
