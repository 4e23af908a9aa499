/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST = 256 };

void text_release(struct text *self)
{
	if (!self)
		return;
	free(self->data);
	*self = (struct text)TEXT_INIT(self->max);
}

void text_reset(struct text *self)
{
	self->len = 0;
	self->failed = false;
	if (self->data)
		self->data[0] = '\0';
}

static bool make_room(struct text *self, size_t more)
{
	if (self->failed || more > self->max - self->len) {
		self->failed = true;
		return false;
	}
	size_t need = self->len + more + 1, cap = self->cap ? self->cap : TEXT_FIRST;
	if (need <= self->cap)
		return true;
	while (cap < need)
		cap *= 2;
	char *data = realloc(self->data, cap);
	if (!data) {
		self->failed = true;
		return false;
	}
	self->data = data;
	self->cap = cap;
	return true;
}

void text_add(struct text *self, const void *bytes, size_t len)
{
	if (!make_room(self, len))
		return;
	if (len)
		memcpy(self->data + self->len, bytes, len);
	self->len += len;
	self->data[self->len] = '\0';
}

void text_puts(struct text *self, const char *string)
{
	text_add(self, string, strlen(string));
}

void text_repeat(struct text *self, char byte, size_t count)
{
	if (!make_room(self, count))
		return;
	memset(self->data + self->len, byte, count);
	self->len += count;
	self->data[self->len] = '\0';
}

void text_printf(struct text *self, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0 || !make_room(self, (size_t)n)) {
		self->failed = true;
		return;
	}
	va_start(ap, format);
	vsnprintf(self->data + self->len, (size_t)n + 1, format, ap);
	va_end(ap);
	self->len += (size_t)n;
}

const char *text_string(const struct text *self)
{
	return self->data ? self->data : "";
}
