/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What follows a verb. */
enum { NOTHING = 0, NUMBER = 1, TEXT = 2 };

static const struct {
	const char *name;
	enum verb verb;
	int takes;
} verbs[] = {
	{ "log", VERB_LOG, TEXT },		{ "print", VERB_PRINT, TEXT },		{ "wait", VERB_WAIT, NUMBER },
	{ "hang", VERB_HANG, NOTHING },		{ "exit", VERB_EXIT, NUMBER },		{ "kill", VERB_KILL, NUMBER },
	{ "burn", VERB_BURN, NUMBER },		{ "cut", VERB_CUT, NOTHING },
	{ "deaf", VERB_DEAF, NOTHING },		{ "listen", VERB_LISTEN, NOTHING },	{ "unlisten", VERB_UNLISTEN,
	  NOTHING },
	{ "grandchild", VERB_GRANDCHILD, NUMBER }, { "default", VERB_DEFAULT, NOTHING }, { "answer", VERB_ANSWER,
	  NUMBER | TEXT },
	{ "stream", VERB_STREAM, NOTHING },	{ "send", VERB_SEND, TEXT },		{ "chunk", VERB_CHUNK, TEXT },
	{ "fill", VERB_FILL, NUMBER },		{ "event", VERB_EVENT, TEXT },		{ "token", VERB_TOKEN, TEXT },
	{ "ping", VERB_PING, NOTHING },		{ "final", VERB_FINAL, TEXT },		{ "end", VERB_END, NOTHING },
	{ "lockstep", VERB_LOCKSTEP, NOTHING },
	{ "split", VERB_SPLIT, NUMBER },	{ "pace", VERB_PACE, NUMBER },		{ "reset", VERB_RESET,
	  NOTHING },
};

void script_die(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fputs("fake-server: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	_Exit(SCRIPT_STATUS);
}

static void *grow(void *list, size_t count, size_t size)
{
	list = realloc(list, (count + 1) * size);
	if (!list)
		script_die("out of memory");
	memset((char *)list + count * size, 0, size);
	return list;
}

/* The next word of *at, which moves behind it and the space after; "" at the end. */
static char *word(char **at)
{
	char *start = *at;
	*at += strcspn(start, " \t");
	if (**at)
		*(*at)++ = '\0';
	return start;
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* \n \r \t \0 \\ and \xHH, in place. */
static size_t unescape(char *text)
{
	char *out = text;
	for (char *in = text; *in; in++) {
		if (*in != '\\') {
			*out++ = *in;
			continue;
		}
		in++;
		if (*in == 'x' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])) {
			*out++ = (char)(hex(in[1]) << 4 | hex(in[2]));
			in += 2;
		} else {
			*out++ = (char)(*in == 'n' ? '\n' : *in == 'r' ? '\r' : *in == 't' ? '\t' :
					*in == '0' ? '\0' : *in);
		}
		if (!*in)
			break;
	}
	*out = '\0';
	return (size_t)(out - text);
}

static void read_block(struct script *self, char *at)
{
	self->blocks = grow(self->blocks, self->count, sizeof *self->blocks);
	struct block *block = &self->blocks[self->count++];
	block->what = strdup(word(&at));
	if (*at == 'x' && isdigit((unsigned char)at[1]))
		block->times = atol(word(&at) + 1);
	if (!strncmp(at, "has ", 4)) {
		block->has = strdup(at + 4);
		unescape(block->has);
	}
}

static void read_action(struct block *block, char *at, int line)
{
	block->actions = grow(block->actions, block->count, sizeof *block->actions);
	struct action *action = &block->actions[block->count++];
	char *name = word(&at);
	action->repeats = 1;
	if (!strcmp(name, "repeat")) {
		char *times = word(&at);
		action->repeats = !strcmp(times, "forever") ? SCRIPT_FOREVER : atol(times);
		name = word(&at);
	}
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(name, verbs[i].name) != 0)
			continue;
		action->verb = verbs[i].verb;
		if (verbs[i].takes & NUMBER) {
			char *number = word(&at);
			action->ordinal = !strcmp(number, "#");
			action->number = atol(number);
		}
		action->text = strdup(verbs[i].takes & TEXT ? at : "");
		action->len = unescape(action->text);
		return;
	}
	script_die("line %d: no such action: %s", line, name);
}

void script_read(struct script *self, const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *file = fopen(path, "re");
	for (int number = 1; file && getline(&line, &cap, file) >= 0; number++) {
		char *at = line + strspn(line, " \t");
		at[strcspn(at, "\n")] = '\0';
		if (!*at || *at == '#')
			continue;
		if (!strncmp(at, "on ", 3))
			read_block(self, at + 3);
		else if (self->count)
			read_action(&self->blocks[self->count - 1], at, number);
		else
			script_die("line %d: an action before the first \"on\"", number);
	}
	free(line);
	if (file)
		fclose(file);
}

const struct block *script_take(struct script *self, const char *what, const char *request, size_t len,
	long *out_ordinal)
{
	for (size_t i = 0; i < self->count; i++) {
		struct block *block = &self->blocks[i];
		if (strcmp(block->what, what) != 0 || (block->times && block->used >= block->times))
			continue;
		if (block->has && !memmem(request, len, block->has, strlen(block->has)))
			continue;
		*out_ordinal = block->used++;
		return block;
	}
	return NULL;
}

bool block_has(const struct block *self, enum verb verb)
{
	for (size_t i = 0; self && i < self->count; i++)
		if (self->actions[i].verb == verb)
			return true;
	return false;
}
