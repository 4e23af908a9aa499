/* SPDX-License-Identifier: MIT */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* One line, whole code points, nothing that commands a terminal. */
static void clean(char *text)
{
	text[gr_utf8_complete(text, strlen(text))] = '\0';
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = ' ';
	inf_utf8_fix(text);
}

static void add(struct gr_findings *self, const inf_finding *head, const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void add(struct gr_findings *self, const inf_finding *head, const char *format, va_list ap)
{
	char value[GR_FINDING_VALUE_MAX], key[GR_FINDING_KEY_MAX];
	if (self->ended)
		return;
	vsnprintf(value, sizeof value, format, ap);
	snprintf(key, sizeof key, "%s", head->key ? head->key : "");
	clean(value);
	clean(key);
	const inf_finding finding = {
		.struct_size = sizeof finding, .severity = head->severity, .section = head->section, .key = key,
		.value = value, .reason = head->reason ? head->reason : "", .remedy = head->remedy ? head->remedy : "",
	};
	self->ended = self->on_finding(self->user, &finding) != INF_CONTINUE;
}

void gr_finding_add(struct gr_findings *self, const inf_finding *head, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	add(self, head, format, ap);
	va_end(ap);
}

void gr_finding_fact(struct gr_findings *self, const char *section, const char *key, const char *format, ...)
{
	const inf_finding head = { .severity = INF_FINDING_FACT, .section = section, .key = key };
	va_list ap;
	va_start(ap, format);
	add(self, &head, format, ap);
	va_end(ap);
}
