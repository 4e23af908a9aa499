/* SPDX-License-Identifier: MIT */
#ifndef FAKE_SCRIPT_H
#define FAKE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * script: what the fake server does; README.md has the language.
 *
 * A mistake in a script ends the process with status 99 and a line that says where.
 */
enum verb {
	VERB_LOG, VERB_PRINT, VERB_WAIT, VERB_BURN, VERB_HANG, VERB_EXIT, VERB_KILL, VERB_DEAF, VERB_LISTEN,
		VERB_UNLISTEN, VERB_GRANDCHILD,
	VERB_DEFAULT, VERB_ANSWER, VERB_STREAM, VERB_SEND, VERB_CHUNK, VERB_FILL, VERB_EVENT, VERB_TOKEN, VERB_PING,
		VERB_FINAL,
	VERB_END, VERB_SPLIT, VERB_PACE, VERB_LOCKSTEP, VERB_CUT, VERB_RESET,
};

enum { SCRIPT_FOREVER = -1, SCRIPT_STATUS = 99 };

struct action {
	enum verb verb;
	long repeats;		/* SCRIPT_FOREVER */
	long number;
	bool ordinal;		/* the number is the block's ordinal */
	char *text;		/* escapes resolved, NUL-terminated, may hold NUL */
	size_t len;
};

struct block {
	char *what;		/* "start", "--version", "/completion" */
	char *has;		/* the request must hold this; NULL = any does */
	long times;		/* 0 = without end */
	long used;
	struct action *actions;
	size_t count;
};

struct script {
	struct block *blocks;
	size_t count;
};

/* No file is an empty script. */
void script_read(struct script *self, const char *path);
/* The block for an event, counted as used; NULL = the default. *out_ordinal: how often it was used before. Not
 * thread-safe. */
const struct block *script_take(struct script *self, const char *what, const char *request, size_t len,
	long *out_ordinal);
bool block_has(const struct block *self, enum verb verb);
/* Ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void script_die(const char *format, ...);

#endif
