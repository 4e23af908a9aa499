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

bool history_add(struct history *self, const char *role, const char *text, size_t len)
{
	inf_message *message = make_room(self) ? malloc(sizeof *message + len + 1) : NULL;
	if (!message)
		return false;
	char *content = (char *)(message + 1);
	*message = (inf_message){ .struct_size = sizeof *message, .role = role, .content = content, .content_len = len };
	memcpy(content, text, len);
	content[len] = '\0';
	self->messages[self->count++] = message;
	return true;
}

void history_attach(struct history *self, const inf_media *const *media, size_t count)
{
	inf_message *last = self->messages[self->count - 1];
	last->media = media;
	last->media_count = count;
}
