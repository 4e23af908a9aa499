/* SPDX-License-Identifier: MIT */
#include "jsonobject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

struct object object_new(void)
{
	struct object self = { .json = json_object_new_object() };
	self.failed = !self.json;
	return self;
}

/* ---- values ---- */

void object_add(struct object *self, const char *key, json_object *value)
{
	if (self->failed || !value || json_object_object_add(self->json, key, value)) {
		json_object_put(value);
		self->failed = true;
	}
}

void object_add_object(struct object *self, const char *key, struct object *value)
{
	self->failed |= value->failed;
	object_add(self, key, value->json);
}

void object_add_null(struct object *self, const char *key)
{
	self->failed = self->failed || json_object_object_add(self->json, key, NULL);
}

void object_add_boolean(struct object *self, const char *key, bool value)
{
	object_add(self, key, json_object_new_boolean(value));
}

void object_add_integer(struct object *self, const char *key, int64_t value)
{
	object_add(self, key, json_object_new_int64(value));
}

void object_add_number(struct object *self, const char *key, double value, int digits_behind_point)
{
	char digits[64];
	snprintf(digits, sizeof digits, "%.*f", digits_behind_point, value);
	object_add(self, key, json_object_new_double_s(value, digits));
}

static void replace_bad(struct text *out, const char *bytes, size_t len)
{
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &code);
		if (code == UTF8_BAD)
			text_puts(out, "\xef\xbf\xbd");
		else
			text_add(out, bytes + at, n);
	}
}

void object_add_text(struct object *self, const char *key, const char *bytes, size_t len)
{
	struct text repaired = TEXT_INIT(TEXT_LINE_MAX);
	if (utf8_check(bytes, len) == len) {
		object_add(self, key, json_object_new_string_len(bytes, (int)len));
		return;
	}
	replace_bad(&repaired, bytes, len);
	self->failed |= repaired.failed;
	object_add(self, key, json_object_new_string_len(text_string(&repaired), (int)repaired.len));
	text_release(&repaired);
}

void object_add_string(struct object *self, const char *key, const char *value)
{
	object_add_text(self, key, value, strlen(value));
}

void object_add_string_or_null(struct object *self, const char *key, const char *value)
{
	if (value[0])
		object_add_string(self, key, value);
	else
		object_add_null(self, key);
}

void object_add_unsigned_or_null(struct object *self, const char *key, uint64_t value, bool known)
{
	if (known)
		object_add(self, key, json_object_new_uint64(value));
	else
		object_add_null(self, key);
}

void object_add_number_or_null(struct object *self, const char *key, double value, int digits_behind_point, bool known)
{
	if (known)
		object_add_number(self, key, value, digits_behind_point);
	else
		object_add_null(self, key);
}

void object_add_error(struct object *self, const char *status, const inf_error *error)
{
	struct object object = object_new();
	object_add_string(&object, "status", status);
	object_add_string_or_null(&object, "reason", error->reason);
	object_add_string(&object, "message", error->message);
	object_add_object(self, "error", &object);
}

/* ---- lists ---- */

struct json_list *json_list_new(void)
{
	struct json_list *self = calloc(1, sizeof *self);
	if (self)
		self->list = json_object_new_array();
	if (self && !self->list) {
		free(self);
		self = NULL;
	}
	return self;
}

void json_list_free(struct json_list *self)
{
	if (self)
		json_object_put(self->list);
	free(self);
}

void json_list_append(struct json_list *self, struct object *entry)
{
	if (self && !entry->failed && !json_object_array_add(self->list, entry->json))
		return;
	json_object_put(entry->json);
	if (self)
		self->failed = true;
}

void object_add_list(struct object *self, const char *key, struct json_list *list)
{
	if (!list) {
		self->failed = true;
		return;
	}
	self->failed |= list->failed;
	object_add(self, key, list->list);
	free(list);
}

/* ---- lines ---- */

void object_print(struct object *self, struct text *out)
{
	size_t len = 0;
	const char *line = NULL;
	if (!self->failed)
		line = json_object_to_json_string_length(self->json,
							 JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (line) {
		text_add(out, line, len);
		text_add(out, "\n", 1);
	}
	out->failed |= !line;
	json_object_put(self->json);
}

void json_list_finish(struct json_list *self, const char *key, struct text *out)
{
	struct object line = object_new();
	object_add_list(&line, key, self);
	object_print(&line, out);
}
