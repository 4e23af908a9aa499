/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool wants(const struct ih_log *self, int32_t level)
{
	return self->write && level >= self->level;
}

void ih_log(const struct ih_log *self, int32_t level, const char *format, ...)
{
	if (!wants(self, level))
		return;
	char line[IH_LOG_LINE_MAX] = "";
	va_list ap;
	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	size_t len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20)	/* a file name may hold a newline */
			line[i] = ' ';
	self->write(self->ctx, level, line, len);
}

void INF_CALL ih_log_forward(void *ctx, int32_t level, const char *msg, size_t len)
{
	const struct ih_log *self = ctx;
	if (level < INF_LOG_DEBUG)
		level = INF_LOG_DEBUG;
	if (level > INF_LOG_ERROR)
		level = INF_LOG_ERROR;
	if (msg && wants(self, level))
		self->write(self->ctx, level, msg, len);
}
