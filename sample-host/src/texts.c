/* SPDX-License-Identifier: MIT */
#include "texts.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

void texts_release(struct texts *self)
{
	if (!self)
		return;
	free(self->items);
	text_release(&self->lines);
	*self = (struct texts){ 0 };
}

static size_t count_lines(const struct text *lines)
{
	size_t count = 1;
	for (size_t i = 0; i < lines->len; i++)
		count += lines->data[i] == '\n';
	return count;
}

static void split(struct texts *self)
{
	const char *at = text_string(&self->lines), *end = at + self->lines.len;
	for (;;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
		size_t len = (size_t)(stop - at);
		self->items[self->count++] = (inf_text){ at, len - (len && at[len - 1] == '\r') };
		if (!newline)
			return;
		at = newline + 1;
	}
}

static enum exit_code read_lines(struct texts *self, const struct options *options, struct failure *why)
{
	enum exit_code code = input_prompt(options, &self->lines, why);
	if (code != EXIT_DONE)
		return code;
	if (!self->lines.len)
		return failure_usage(why, "no_prompt", "there is no text: give one as an argument, or one a line with -f FILE");
	self->items = calloc(count_lines(&self->lines), sizeof *self->items);
	if (!self->items)
		return failure_memory(why, "the texts");
	split(self);
	return EXIT_DONE;
}

enum exit_code texts_read(struct texts *self, const struct options *options, struct failure *why)
{
	const struct words *words = &options->arguments;
	*self = (struct texts){ .lines = TEXT_INIT(INPUT_MAX) };
	if (!words->count || options->prompt_file)
		return read_lines(self, options, why);
	self->items = calloc(words->count, sizeof *self->items);
	if (!self->items)
		return failure_memory(why, "the texts");
	for (; self->count < words->count; self->count++)
		self->items[self->count] = (inf_text){ words->items[self->count], strlen(words->items[self->count]) };
	return EXIT_DONE;
}
