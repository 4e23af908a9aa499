/* SPDX-License-Identifier: MIT */
#include "strv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gr_strv_release(struct gr_strv *self)
{
	for (size_t i = 0; i < self->count; i++)
		free(self->items[i]);
	free(self->items);
	*self = (struct gr_strv)GR_STRV_INIT;
}

static void take(struct gr_strv *self, char *text)
{
	char **items = text && !self->failed ? realloc(self->items, (self->count + 2) * sizeof *items) : NULL;
	if (!items) {
		free(text);
		self->failed = true;
		return;
	}
	self->items = items;
	self->items[self->count++] = text;
	self->items[self->count] = NULL;
}

void gr_strv_add(struct gr_strv *self, const char *text)
{
	gr_strv_addf(self, "%s", text);
}

void gr_strv_addf(struct gr_strv *self, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	char *text = n < 0 ? NULL : malloc((size_t)n + 1);
	if (text) {
		va_start(ap, format);
		vsnprintf(text, (size_t)n + 1, format, ap);
		va_end(ap);
	}
	take(self, text);
}

void gr_strv_add_env(struct gr_strv *self, const char *name, const char *value)
{
	gr_strv_addf(self, "%s=%s", name, value);
}

const char *gr_env_get(char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; env && env[i]; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return env[i] + len + 1;
	return NULL;
}
