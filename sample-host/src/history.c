/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 16 };

void history_cut(struct history *self, size_t count)
{
	while (self->count > count)
		free(self->messages[--self->count]);
}

void history_drop(struct history *self, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		free(self->messages[i]);
	memmove(self->messages + first, self->messages + first + count,
		(self->count - first - count) * sizeof *self->messages);
	self->count -= count;
}

void history_move_to_front(struct history *self)
{
	inf_message *last = self->messages[self->count - 1];
	memmove(self->messages + 1, self->messages, (self->count - 1) * sizeof *self->messages);
	self->messages[0] = last;
}

void history_release(struct history *self)
{
	if (!self)
		return;
	history_cut(self, 0);
	free(self->messages);
	*self = (struct history)HISTORY_INIT;
}

static bool make_room(struct history *self)
{
	if (self->count < self->cap)
		return true;
	size_t cap = self->cap ? self->cap * 2 : FIRST;
	inf_message **messages = self->count < HISTORY_MAX ? realloc(self->messages, cap * sizeof *messages) : NULL;
	if (!messages)
		return false;
	self->messages = messages;
	self->cap = cap;
	return true;
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* NULL stays NULL. */
static const char *put(char **at, const char *text, size_t size)
{
	char *begin = *at;
	if (!text)
		return NULL;
	memcpy(begin, text, size);
	*at += size;
	return begin;
}

bool history_copy(struct history *self, const inf_message *in)
{
	size_t role = size_of(in->role), calls = size_of(in->tool_calls), id = size_of(in->tool_call_id);
	inf_message *message = make_room(self) ? malloc(sizeof *message + role + calls + id + in->content_len + 1) : NULL;
	if (!message)
		return false;
	char *at = (char *)(message + 1);
	*message = (inf_message){ .struct_size = sizeof *message, .content_len = in->content_len };
	message->role = put(&at, in->role, role);
	message->tool_calls = put(&at, in->tool_calls, calls);
	message->tool_call_id = put(&at, in->tool_call_id, id);
	message->content = put(&at, in->content_len ? in->content : "", in->content_len);
	*at = '\0';
	self->messages[self->count++] = message;
	return true;
}

bool history_add(struct history *self, const char *role, const char *text, size_t len)
{
	const inf_message message = { .role = role, .content = text, .content_len = len };
	return history_copy(self, &message);
}

void history_attach(struct history *self, const inf_media *const *media, size_t count)
{
	inf_message *last = self->messages[self->count - 1];
	last->media = media;
	last->media_count = count;
}
