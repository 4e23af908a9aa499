/* SPDX-License-Identifier: MIT */
#include "compose.h"

#include <string.h>

static const char mark[] = "\"\"\"";
enum { MARK_LEN = sizeof mark - 1 };

void compose_release(struct compose *self)
{
	text_release(&self->message);
}

void compose_reset(struct compose *self)
{
	text_reset(&self->message);
	self->in_block = self->is_open = self->is_verbatim = false;
}

static bool ends_block(const char *line, size_t len)
{
	return len >= MARK_LEN && !memcmp(line + len - MARK_LEN, mark, MARK_LEN);
}

static bool take_block_line(struct compose *self, const char *line, size_t len, bool is_first)
{
	bool ends = ends_block(line, len);
	size_t kept = len - (ends ? MARK_LEN : 0);
	if (!is_first && self->message.len && (kept || !ends))
		text_add(&self->message, "\n", 1);
	text_add(&self->message, line, kept);
	self->is_open = self->in_block = !ends;
	return ends;
}

static bool take_line(struct compose *self, const char *line, size_t len)
{
	bool goes_on = len && line[len - 1] == '\\';
	text_add(&self->message, line, len - goes_on);
	if (goes_on)
		text_add(&self->message, "\n", 1);
	self->is_open = goes_on;
	return !goes_on;
}

bool compose_line(struct compose *self, const char *line, size_t len)
{
	bool whole;
	if (!self->is_open)
		compose_reset(self);
	bool begins = !self->is_open && len >= MARK_LEN && !memcmp(line, mark, MARK_LEN);
	self->is_verbatim |= begins;
	if (begins)
		whole = take_block_line(self, line + MARK_LEN, len - MARK_LEN, true);
	else if (self->in_block)
		whole = take_block_line(self, line, len, false);
	else
		whole = take_line(self, line, len);
	if (self->message.failed)
		self->is_open = self->in_block = false;
	return whole || self->message.failed;
}
