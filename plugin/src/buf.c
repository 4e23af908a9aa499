/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 256 };

void gr_buf_init(struct gr_buf *self, size_t max)
{
	*self = (struct gr_buf)GR_BUF_INIT(max);
}

void gr_buf_release(struct gr_buf *self)
{
	if (!self)
		return;
	free(self->data);
	gr_buf_init(self, self->max);
}

void gr_buf_reset(struct gr_buf *self)
{
	self->len = 0;
	if (self->data)
		self->data[0] = '\0';
}

static inf_status make_room(struct gr_buf *self, size_t more)
{
	if (more > self->max - self->len)
		return INF_E_INTERNAL;
	size_t need = self->len + more + 1;
	if (need <= self->cap)
		return INF_OK;
	size_t cap = self->cap ? self->cap : BUF_FIRST;
	while (cap < need)
		cap *= 2;
	char *data = realloc(self->data, cap);
	if (!data)
		return INF_E_NO_MEMORY;
	self->data = data;
	self->cap = cap;
	return INF_OK;
}

inf_status gr_buf_append(struct gr_buf *self, const void *bytes, size_t len)
{
	inf_status st = make_room(self, len);
	if (st != INF_OK)
		return st;
	if (len)
		memcpy(self->data + self->len, bytes, len);
	self->len += len;
	self->data[self->len] = '\0';
	return INF_OK;
}

inf_status gr_buf_puts(struct gr_buf *self, const char *text)
{
	return gr_buf_append(self, text, strlen(text));
}

inf_status gr_buf_printf(struct gr_buf *self, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0)
		return INF_E_INTERNAL;
	inf_status st = make_room(self, (size_t)n);
	if (st != INF_OK)
		return st;
	va_start(ap, format);
	vsnprintf(self->data + self->len, (size_t)n + 1, format, ap);
	va_end(ap);
	self->len += (size_t)n;
	return INF_OK;
}

void gr_buf_consume(struct gr_buf *self, size_t n)
{
	assert(n <= self->len);
	if (!n)
		return;
	memmove(self->data, self->data + n, self->len - n);
	self->len -= n;
	self->data[self->len] = '\0';
}

const char *gr_buf_text(const struct gr_buf *self)
{
	return self->data ? self->data : "";
}
