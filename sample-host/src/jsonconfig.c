/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "json.h"
#include "jsonobject.h"

enum { KEY_MAX = 512 };

static struct object row_object(const struct config_row *row)
{
	static const char *const origins[] = { "default", "file", "environment", "command_line" };
	char key[KEY_MAX];
	struct object entry = object_new();
	snprintf(key, sizeof key, "%s%.*s", row->prefix, (int)row->key_len, row->key);
	object_add_string(&entry, "key", key);
	if (row->value)
		object_add_string(&entry, "value", row->value);
	else
		object_add_null(&entry, "value");
	object_add_string(&entry, "from", origins[row->origin]);
	object_add_string_or_null(&entry, "variable", row->variable ? row->variable : "");
	object_add_string_or_null(&entry, "section", row->section ? row->section : "");
	object_add_unsigned_or_null(&entry, "line", row->line, row->line > 0);
	return entry;
}

void json_add_config(struct text *out, const struct config_rows *rows, const char *path, bool is_read)
{
	struct object line = object_new();
	struct json_list *list = json_list_new();
	for (size_t i = 0; i < rows->count; i++) {
		struct object entry = row_object(&rows->items[i]);
		json_list_append(list, &entry);
	}
	object_add_string_or_null(&line, "path", path ? path : "");
	object_add_boolean(&line, "read", is_read);
	object_add_list(&line, "options", list);
	object_print(&line, out);
}

void json_add_config_path(struct text *out, const char *path)
{
	struct object line = object_new();
	object_add_string_or_null(&line, "path", path ? path : "");
	object_print(&line, out);
}
