/* SPDX-License-Identifier: MIT */
#ifndef INFER_JSONOBJECT_H
#define INFER_JSONOBJECT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "inference/host.h"
#include "text.h"

/*
 * jsonobject: what the json*.c make a line of.
 *
 * Without memory json-c hands out NULL, which it also takes for null: then the line is wrong, so it is not printed.
 */
struct object {
	json_object *json;
	bool failed;
};

struct json_list {
	json_object *list;
	bool failed;
};

struct object object_new(void);

/* Each takes the value over. */
void object_add(struct object *self, const char *key, json_object *value);
void object_add_object(struct object *self, const char *key, struct object *value);
void object_add_list(struct object *self, const char *key, struct json_list *list);

void object_add_null(struct object *self, const char *key);
void object_add_boolean(struct object *self, const char *key, bool value);
void object_add_integer(struct object *self, const char *key, int64_t value);
void object_add_number(struct object *self, const char *key, double value, int digits_behind_point);
void object_add_text(struct object *self, const char *key, const char *bytes, size_t len);
void object_add_string(struct object *self, const char *key, const char *value);

/* null for "", and where the number is not known. */
void object_add_string_or_null(struct object *self, const char *key, const char *value);
void object_add_unsigned_or_null(struct object *self, const char *key, uint64_t value, bool known);
void object_add_number_or_null(struct object *self, const char *key, double value, int digits_behind_point, bool known);

/* {"status","reason","message"} under "error". */
void object_add_error(struct object *self, const char *status, const inf_error *error);

/* The list takes the entry over. Without a list, which is one that memory was short for, nothing is added: then
 * object_add_list() fails. */
void json_list_append(struct json_list *self, struct object *entry);

/* A line, and the object is gone. */
void object_print(struct object *self, struct text *out);

#endif
