/* SPDX-License-Identifier: MIT */
#include "note.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "verdict.h"

enum { RECORD_BYTES = 12, KIND_PLUGIN = 1, DIGITS_MAX = 6 };

static const char owner[4] = "INF";

/* ---- text ---- */

static bool read_number(const char **at, uint32_t *out)
{
	size_t digits = strspn(*at, "0123456789");
	*out = 0;
	for (size_t i = 0; i < digits && i < DIGITS_MAX; i++)
		*out = *out * 10 + (uint32_t)((*at)[i] - '0');
	*at += digits;
	return digits && digits <= DIGITS_MAX;
}

static bool read_abi(struct ih_note *out, const char *value)
{
	if (!read_number(&value, &out->major) || *value++ != '.')
		return false;
	return read_number(&value, &out->minor) && !*value;
}

static bool read_min(struct ih_note *out, const char *value)
{
	return read_number(&value, &out->min_host_minor) && !*value;
}

static bool copy_word(char out[IH_NOTE_TEXT_MAX], const char *value)
{
	for (const char *at = value; *at; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	if (out[0] || !value[0])
		return false;
	strcpy(out, value);
	return true;
}

enum field { ABI = 1, MIN = 2, OTHERS = 4 };

static bool read_field(struct ih_note *out, char *field, unsigned *seen)
{
	char *value = strchr(field, '=');
	unsigned which = OTHERS;
	bool sound = true;
	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(field, "abi")) {
		which = ABI;
		sound = read_abi(out, value);
	} else if (!strcmp(field, "min")) {
		which = MIN;
		sound = read_min(out, value);
	} else if (!strcmp(field, "id")) {
		sound = copy_word(out->id, value);
	} else if (!strcmp(field, "backends")) {
		sound = copy_word(out->backends, value);
	}
	sound = sound && !(*seen & which & (ABI | MIN));
	*seen |= which;
	return sound;
}

void ih_note_parse(struct ih_note *out, const char *text)
{
	char copy[IH_NOTE_TEXT_MAX];
	unsigned seen = 0;
	*out = (struct ih_note){ .kind = IH_NOTE_MALFORMED };
	if (strlen(text) >= sizeof copy)
		return;
	strcpy(copy, text);
	for (char *at = copy, *end; at; at = end) {
		end = strchr(at, ';');
		if (end)
			*end++ = '\0';
		if (!read_field(out, at, &seen))
			return;
	}
	/* What else a note of another major has to say is for that major to know. */
	if ((seen & ABI) && (out->major != INF_ABI_MAJOR || (out->id[0] && out->backends[0])))
		out->kind = IH_NOTE_SOUND;
}

/* ---- records ---- */

static void take_record(struct ih_note *out, const unsigned char *text, size_t len)
{
	char copy[IH_NOTE_TEXT_MAX] = "";
	size_t end = strnlen((const char *)text, len);
	if (out->kind != IH_NOTE_NONE || end >= sizeof copy) {
		*out = (struct ih_note){ .kind = IH_NOTE_MALFORMED };
		return;
	}
	memcpy(copy, text, end);
	ih_note_parse(out, copy);
}

static size_t round_up(size_t size, size_t align)
{
	return (size + align - 1) / align * align;
}

void ih_note_read(struct ih_note *out, const unsigned char *bytes, size_t len, size_t align)
{
	for (size_t at = 0; len - at >= RECORD_BYTES; ) {
		uint32_t head[3];	/* name size, text size, kind */
		memcpy(head, bytes + at, sizeof head);
		at += RECORD_BYTES;
		size_t name = at, text = round_up(name + head[0], align), end = round_up(text + head[1], align);
		if (text > len || head[1] > len - text)
			return;
		if (head[2] == KIND_PLUGIN && head[0] == sizeof owner && !memcmp(bytes + name, owner, sizeof owner))
			take_record(out, bytes + text, head[1]);
		if (end >= len)
			return;
		at = end;
	}
}

/* ---- judgement ---- */

int32_t ih_note_check(const struct ih_note *self, inf_error *why)
{
	if (self->kind != IH_NOTE_SOUND)
		return INF_STATE_AVAILABLE;
	if (self->major != INF_ABI_MAJOR)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "abi_major", "it speaks %u.%u of the plugin ABI, this host "
				 "speaks %u.%u: %s", self->major, self->minor, INF_ABI_MAJOR, INF_ABI_MINOR,
				 self->major > INF_ABI_MAJOR ? "update the host" : "update the plugin");
	if (self->min_host_minor > INF_ABI_MINOR)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "host_too_old", "it needs a host of plugin ABI %u.%u or "
				 "later, this one has %u.%u: update the host", INF_ABI_MAJOR, self->min_host_minor,
				 INF_ABI_MAJOR, INF_ABI_MINOR);
	return INF_STATE_AVAILABLE;
}

static bool lists(const char *names, const inf_plugin *plugin)
{
	char listed[IH_NOTE_TEXT_MAX];
	size_t len = 0;
	for (size_t i = 0; i < plugin->backend_count && len < sizeof listed; i++)
		len += (size_t)snprintf(listed + len, sizeof listed - len, "%s%s", i ? "," : "",
					plugin->backends[i]->name);
	return len < sizeof listed && !strcmp(names, listed);
}

int32_t ih_note_compare(const struct ih_note *self, const inf_plugin *plugin, inf_error *why)
{
	const char *what = NULL;
	if (self->kind != IH_NOTE_SOUND)
		return INF_STATE_AVAILABLE;
	if (self->minor != plugin->abi_minor || self->min_host_minor != plugin->min_host_minor)
		what = "ABI version";
	else if (strcmp(self->id, plugin->id))
		what = "id";
	else if (!lists(self->backends, plugin))
		what = "backends";
	if (!what)
		return INF_STATE_AVAILABLE;
	return ih_refuse(why, INF_STATE_INCOMPATIBLE, "note_differs", "its note (abi=%u.%u;id=%s;backends=%s) and its entry "
			 "do not agree on its %s: build it again", self->major, self->minor, self->id, self->backends, what);
}
