/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <json-c/json.h>
#include <string.h>

#include "utf8.h"

/* ---- reading ---- */

static bool is_text(json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

/* False for a key that means nothing to us, or with a value of the wrong type. */
static bool read_field(inf_message *out, const char *key, json_object *value)
{
	if (!value)
		return true;			/* null */
	if (!strcmp(key, "content") && json_object_is_type(value, json_type_string)) {
		out->content = json_object_get_string(value);
		out->content_len = (size_t)json_object_get_string_len(value);
		return true;
	}
	if (!strcmp(key, "tool_calls") && json_object_is_type(value, json_type_array)) {
		out->tool_calls = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
		return out->tool_calls;
	}
	const char **place = !strcmp(key, "role") ? &out->role : !strcmp(key, "tool_call_id") ? &out->tool_call_id : NULL;
	if (!place || !is_text(value))
		return false;
	*place = json_object_get_string(value);
	return true;
}

static enum exit_code read_message(json_object *object, size_t index, const char *name, struct history *out,
				   struct failure *why)
{
	inf_message message = { 0 };
	if (!json_object_is_type(object, json_type_object))
		return failure_set(why, INF_E_INVALID, "messages", "%.200s: message %zu is no JSON object", name, index);
	json_object_object_foreach(object, key, value)
		if (!read_field(&message, key, value))
			return failure_set(why, INF_E_INVALID, "messages", "%.200s: message %zu: \"%.40s\" is not known here, or its "
					   "value is of the wrong type", name, index, key);
	if (!message.role)
		return failure_set(why, INF_E_INVALID, "messages", "%.200s: message %zu has no role", name, index);
	return history_copy(out, &message) ? EXIT_DONE : failure_memory(why, "the messages");
}

enum exit_code json_read_messages(const char *text, size_t len, const char *name, struct history *out, struct failure *why)
{
	json_object *list = strlen(text) == len ? json_tokener_parse(text) : NULL;
	enum exit_code code = EXIT_DONE;
	if (!json_object_is_type(list, json_type_array))
		code = failure_set(why, INF_E_INVALID, "messages", "%.200s: is no JSON array of messages", name);
	for (size_t i = 0; code == EXIT_DONE && i < json_object_array_length(list); i++)
		code = read_message(json_object_array_get_idx(list, i), i, name, out, why);
	json_object_put(list);
	return code;
}

/* ---- writing ---- */

/* The text of a model may end in the middle of a code point. */
static json_object *string_of(const char *bytes, size_t len)
{
	struct text repaired = TEXT_INIT(len * 3);
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &code);
		text_add(&repaired, code == UTF8_BAD ? "\xef\xbf\xbd" : bytes + at, code == UTF8_BAD ? 3 : n);
	}
	json_object *string = repaired.failed ? NULL : json_object_new_string_len(text_string(&repaired), (int)repaired.len);
	text_release(&repaired);
	return string;
}

/* False without memory. value is consumed. */
static bool put(json_object *object, const char *key, json_object *value)
{
	if (value && !json_object_object_add(object, key, value))
		return true;
	json_object_put(value);
	return false;
}

static json_object *write_message(const inf_message *message)
{
	json_object *object = json_object_new_object();
	bool done = object && put(object, "role", string_of(message->role, strlen(message->role))) &&
		    put(object, "content", string_of(message->content, message->content_len)) &&
		    (!message->tool_calls || put(object, "tool_calls", json_tokener_parse(message->tool_calls))) &&
		    (!message->tool_call_id ||
		     put(object, "tool_call_id", string_of(message->tool_call_id, strlen(message->tool_call_id))));
	if (done)
		return object;
	json_object_put(object);
	return NULL;
}

void json_add_messages(struct text *out, const struct history *history)
{
	json_object *list = json_object_new_array();
	bool done = list;
	for (size_t i = 0; done && i < history->count; i++) {
		json_object *message = write_message(history->messages[i]);
		done = message && !json_object_array_add(list, message);
		if (!done)
			json_object_put(message);
	}
	const char *text = done ? json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
				: NULL;
	if (text) {
		text_puts(out, text);
		text_puts(out, "\n");
	}
	out->failed |= !text;
	json_object_put(list);
}
