/* SPDX-License-Identifier: MIT */
#ifndef INFER_LINES_H
#define INFER_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "text.h"

/*
 * lines: the lines of a file or pipe of any length, of which only the current one is in memory.
 *
 * Reading gives way to signals. A line longer than the cap is passed over, without being kept, and reported.
 */
enum { LINES_FOREVER = -1 };

enum lines_event {
	LINES_LINE,
	LINES_LONG,		/* there was one, but it is longer than the cap */
	LINES_LATE,		/* nothing came in the time given */
	LINES_END,
	LINES_INTERRUPTED,
	LINES_FAILED,		/* and *why */
};

struct lines {
	int fd;			/* borrowed */
	const char *name;	/* borrowed, for messages */
	size_t line_max;	/* bytes of a line without its newline */
	struct text read;	/* from the file, and not yet forgotten */
	size_t next, scanned;	/* in read: the line to come, and up to where it has no newline */
	const char *line;	/* the current one, until the next call; may contain NULs */
	size_t len;		/* without its newline */
	bool is_whole;		/* it has a newline */
	bool is_skipping, is_ended;
	unsigned long long end;	/* where the next line begins, in bytes read from fd */
};

struct lines lines_of(int fd, const char *name, size_t line_max);
void lines_release(struct lines *self);		/* accepts one that was never read, not NULL */

/* The next line; wait_ms is for how long at most one may be waited for, once what was read is used up. */
enum lines_event lines_next(struct lines *self, int wait_ms, struct failure *why);

/* How many lines of a regular file, from where it would be read on, are not blank. False for other files, and when a
 * signal comes. The place stays. */
bool lines_count(int fd, size_t *count);

/* Has the current line nothing but blanks in it? */
bool lines_is_blank(const struct lines *self);

#endif
