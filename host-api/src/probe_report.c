/* SPDX-License-Identifier: MIT */
#include "probe_report.h"

#include <stdio.h>
#include <string.h>

enum { STATE_LAST = INF_STATE_NOT_A_PLUGIN, WORD_MAX = 128, DIGITS_MAX = 9 };

/* ---- writing ---- */

struct out {
	char *at, *end;
	bool full;
};

static void add_char(struct out *self, char c)
{
	if (self->at == self->end)
		self->full = true;
	else
		*self->at++ = c;
}

static void add(struct out *self, const char *text)
{
	for (; *text; text++)
		add_char(self, *text);
}

static void add_quoted(struct out *self, const char *text)
{
	char escape[8];
	add_char(self, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f) {
			snprintf(escape, sizeof escape, "\\u%04x", c);
			add(self, escape);
			continue;
		}
		if (c == '"' || c == '\\')
			add_char(self, '\\');
		add_char(self, (char)c);
	}
	add_char(self, '"');
}

/* Text of a plugin may be anything. */
static void add_member(struct out *self, const char *key, const char *value)
{
	char copy[sizeof((inf_error *)0)->message];
	snprintf(copy, sizeof copy, "%s", value);
	inf_utf8_fix(copy);
	add_char(self, ',');
	add_quoted(self, key);
	add_char(self, ':');
	add_quoted(self, copy);
}

static void add_plugin(struct out *self, const inf_plugin *plugin)
{
	char text[WORD_MAX];
	snprintf(text, sizeof text, "%u.%u", INF_ABI_MAJOR, plugin->abi_minor);
	add_member(self, "abi", text);
	snprintf(text, sizeof text, "%s", plugin->id);
	add_member(self, "id", text);
	snprintf(text, sizeof text, "%s", plugin->version);
	add_member(self, "version", text);
	add(self, ",\"backends\":\"");
	for (size_t i = 0; i < plugin->backend_count; i++) {
		add(self, i ? "," : "");
		add(self, plugin->backends[i]->name);	/* of [a-z0-9_] */
	}
	add_char(self, '"');
}

size_t ih_report_write(char *out, size_t cap, const struct ih_report *report, const inf_plugin *plugin)
{
	struct out line = { out, out + cap, false };
	char number[16];
	snprintf(number, sizeof number, "%u", report->file);
	add(&line, "{\"file\":");
	add(&line, number);
	add_member(&line, "state", inf_state_name(report->state));
	add_member(&line, "reason", report->why.reason);
	add_member(&line, "message", report->why.message);
	if (plugin)
		add_plugin(&line, plugin);
	add(&line, "}\n");
	return line.full ? 0 : (size_t)(line.at - out);
}

/* ---- reading ---- */

struct in {
	const char *at, *end;
};

static bool take(struct in *self, char c)
{
	if (self->at == self->end || *self->at != c)
		return false;
	self->at++;
	return true;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* Only what add_quoted() writes: \", \\ and \u00XX. */
static int take_escape(struct in *self)
{
	int high, low;
	if (take(self, '"'))
		return '"';
	if (take(self, '\\'))
		return '\\';
	if (self->end - self->at < 5 || memcmp(self->at, "u00", 3))
		return -1;
	high = hex(self->at[3]);
	low = hex(self->at[4]);
	self->at += 5;
	return high < 0 || low < 0 || high * 16 + low == 0 ? -1 : high * 16 + low;
}

/* Cut where it is longer than cap. */
static bool take_string(struct in *self, char *out, size_t cap)
{
	size_t len = 0;
	if (!take(self, '"'))
		return false;
	while (self->at < self->end && *self->at != '"') {
		int c = (unsigned char)*self->at++;
		if (c == '\\')
			c = take_escape(self);
		else if (c < 0x20)
			return false;
		if (c < 0)
			return false;
		if (len + 1 < cap)
			out[len++] = (char)c;
	}
	out[len] = '\0';
	return take(self, '"');
}

static bool take_number(struct in *self, uint32_t *out)
{
	size_t digits = 0;
	for (*out = 0; self->at < self->end && *self->at >= '0' && *self->at <= '9'; self->at++, digits++)
		*out = digits < DIGITS_MAX ? *out * 10 + (uint32_t)(*self->at - '0') : *out;
	return digits && digits <= DIGITS_MAX;
}

static bool take_state(int32_t *out, const char *name)
{
	for (int32_t state = 0; state <= STATE_LAST; state++)
		if (!strcmp(name, inf_state_name(state))) {
			*out = state;
			return true;
		}
	return false;
}

enum member { FILE_NUMBER = 1, STATE = 2, REASON = 4, MESSAGE = 8, ALL = 15 };

static bool take_member(struct in *self, struct ih_report *out, unsigned *seen)
{
	char key[WORD_MAX], value[sizeof out->why.message];
	unsigned which = 0;
	if (!take_string(self, key, sizeof key) || !take(self, ':'))
		return false;
	if (!strcmp(key, "file")) {
		which = FILE_NUMBER;
		if (!take_number(self, &out->file))
			return false;
	} else if (!take_string(self, value, sizeof value)) {
		return false;
	}
	if (!strcmp(key, "state") && take_state(&out->state, value))
		which = STATE;
	if (!strcmp(key, "reason")) {
		which = REASON;
		snprintf(out->why.reason, sizeof out->why.reason, "%.*s", (int)sizeof out->why.reason - 1, value);
	}
	if (!strcmp(key, "message")) {
		which = MESSAGE;
		strcpy(out->why.message, value);
	}
	bool twice = *seen & which;
	*seen |= which;
	return !twice;
}

bool ih_report_read(struct ih_report *out, const char *line, size_t len)
{
	struct in in = { line, line + len };
	struct ih_report found = { .why = { .struct_size = sizeof found.why } };
	unsigned seen = 0;
	if (!take(&in, '{'))
		return false;
	do {
		if (!take_member(&in, &found, &seen))
			return false;
	} while (take(&in, ','));
	if (!take(&in, '}') || (in.at != in.end && !take(&in, '\n')) || in.at != in.end || seen != ALL)
		return false;
	/* What is refused has a reason and a sentence, whoever wrote the line. */
	if ((found.state == INF_STATE_AVAILABLE) != !found.why.reason[0] ||
	    (found.state == INF_STATE_AVAILABLE) != !found.why.message[0])
		return false;
	found.why.code = found.state == INF_STATE_AVAILABLE ? INF_OK : INF_E_UNAVAILABLE;
	inf_utf8_fix(found.why.reason);
	inf_utf8_fix(found.why.message);
	*out = found;
	return true;
}
