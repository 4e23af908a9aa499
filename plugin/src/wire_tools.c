/* SPDX-License-Identifier: MIT */
#include "wire_chat.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "wire_json.h"

/* ---- what hosts give ------------------------------------------------------------------------------------------- */
static bool is_name(struct json_object *text)
{
	size_t len = text ? (size_t)json_object_get_string_len(text) : 0;
	return len && len <= GR_WIRE_TOOL_NAME_MAX && gr_json_is_utf8(text) && !memchr(json_object_get_string(text), '\0', len);
}

static struct json_object *name_in(struct json_object *object, const char *key)
{
	struct json_object *name = gr_json_member(object, key, json_type_string);
	return is_name(name) ? name : NULL;
}

/* NULL where the item is no object. */
static struct json_object *object_at(struct json_object *list, size_t i)
{
	struct json_object *item = json_object_array_get_idx(list, i);
	return json_object_is_type(item, json_type_object) ? item : NULL;
}

static bool is_tool(struct json_object *tool)
{
	struct json_object *type = tool ? gr_json_member(tool, "type", json_type_string) : NULL;
	struct json_object *function = tool ? gr_json_member(tool, "function", json_type_object) : NULL;
	return type && strcmp(json_object_get_string(type), "function") == 0 && function && name_in(function, "name");
}

static inf_status check_list(struct json_object *list, const char *what, inf_error *err)
{
	if (!list)
		return inf_fail(err, INF_E_INVALID, what, "%s is not a JSON array, or nested more than %d levels deep", what,
				GR_WIRE_TOOL_DEPTH);
	if (!json_object_array_length(list) || json_object_array_length(list) > GR_WIRE_TOOLS_MAX)
		return inf_fail(err, INF_E_INVALID, what, "%s has %zu entries, not 1..%d", what, json_object_array_length(list),
				GR_WIRE_TOOLS_MAX);
	return INF_OK;
}

inf_status gr_wire_check_tools(const char *text, inf_error *err)
{
	struct json_object *list = gr_json_parse_array(text, strlen(text), GR_WIRE_TOOL_DEPTH);
	inf_status st = check_list(list, "tools", err);
	size_t count = st == INF_OK ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < count && st == INF_OK; i++)
		if (!is_tool(object_at(list, i)))
			st = inf_fail(err, INF_E_INVALID, "tools", "tools: entry %zu is not "
				      "{\"type\":\"function\",\"function\":{\"name\":..}} with a name of 1..%d bytes", i,
				      GR_WIRE_TOOL_NAME_MAX);
	json_object_put(list);
	return st;
}

/* Templates take arguments for an object, and the server refuses what is none. */
static bool is_arguments(struct json_object *text)
{
	if (!text || !gr_json_is_utf8(text))
		return false;
	struct json_object *object = gr_json_parse(json_object_get_string(text), (size_t)json_object_get_string_len(text),
						   GR_WIRE_TOOL_DEPTH);
	json_object_put(object);
	return object != NULL;
}

/* NULL: it is no call. Short memory: *ok. */
static struct json_object *read_call(struct json_object *call, bool *ok)
{
	struct json_object *function = call ? gr_json_member(call, "function", json_type_object) : NULL;
	struct json_object *inner = function ? function : call, *id = call ? name_in(call, "id") : NULL;
	struct json_object *name = inner ? name_in(inner, "name") : NULL;
	struct json_object *arguments = inner ? gr_json_member(inner, "arguments", json_type_string) : NULL;
	if (!id || !name || !is_arguments(arguments))
		return NULL;
	struct json_object *out = json_object_new_object(), *said = json_object_new_object();
	if (!out || !said) {
		json_object_put(out);
		json_object_put(said);
		*ok = false;
		return NULL;
	}
	gr_json_put(out, "id", json_object_get(id), ok);
	gr_json_put(out, "type", json_object_new_string("function"), ok);
	gr_json_put(said, "name", json_object_get(name), ok);
	gr_json_put(said, "arguments", json_object_get(arguments), ok);
	gr_json_put(out, "function", said, ok);
	return out;
}

static inf_status read_calls(struct json_object *in, struct json_object *out, bool *ok, inf_error *err)
{
	for (size_t i = 0; i < json_object_array_length(in) && *ok; i++) {
		struct json_object *call = read_call(object_at(in, i), ok);
		if (!call && *ok)
			return inf_fail(err, INF_E_INVALID, "tool_calls",
					"tool_calls: entry %zu is not {\"id\",\"name\",\"arguments\"} with texts of 1..%d bytes and, in "
					"the last, a JSON object as text", i, GR_WIRE_TOOL_NAME_MAX);
		*ok = gr_json_add(out, call) && *ok;
	}
	return INF_OK;
}

static inf_status print_calls(struct json_object *list, bool ok, char **out, inf_error *err)
{
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = gr_json_append(&text, list, ok);
	if (st == INF_OK)
		*out = text.data;
	else
		inf_fail(err, st, "no_memory", "out of memory for tool calls");
	return st;
}

inf_status gr_wire_read_calls(const char *text, char **out, inf_error *err)
{
	struct json_object *in = gr_json_parse_array(text, strlen(text), GR_WIRE_TOOL_DEPTH), *list = NULL;
	bool ok = true;
	inf_status st = check_list(in, "tool_calls", err);
	if (st == INF_OK) {
		list = json_object_new_array();
		ok = list != NULL;
		if (ok)
			st = read_calls(in, list, &ok, err);
	}
	if (st == INF_OK)
		st = print_calls(list, ok, out, err);
	else
		json_object_put(list);
	json_object_put(in);
	return st;
}

/* ---- the text in it -------------------------------------------------------------------------------------------- */
static inf_status append_line(struct gr_buf *out, const char *text, size_t len)
{
	inf_status st = gr_buf_append(out, text, len);
	return st == INF_OK ? gr_buf_puts(out, "\n") : st;
}

static inf_status append_value(struct gr_buf *out, struct json_object *value, bool unpack);

static inf_status append_object(struct gr_buf *out, struct json_object *object, bool unpack)
{
	inf_status st = INF_OK;
	json_object_object_foreach(object, key, value) {
		if (st == INF_OK)
			st = append_line(out, key, strlen(key));
		if (st == INF_OK)
			st = append_value(out, value, unpack);
	}
	return st;
}

/* unpack: JSON within a string is read as well, once. Templates are given the arguments of calls so. */
static inf_status append_text(struct gr_buf *out, const char *text, size_t len, bool unpack)
{
	inf_status st = append_line(out, text, len);
	struct json_object *inner = unpack ? gr_json_parse(text, len, GR_WIRE_TOOL_DEPTH) : NULL;
	if (inner && st == INF_OK)
		st = append_object(out, inner, false);
	json_object_put(inner);
	return st;
}

static inf_status append_value(struct gr_buf *out, struct json_object *value, bool unpack)
{
	inf_status st = INF_OK;
	if (json_object_is_type(value, json_type_object))
		return append_object(out, value, unpack);
	if (json_object_is_type(value, json_type_string))
		return append_text(out, json_object_get_string(value), (size_t)json_object_get_string_len(value), unpack);
	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; i < json_object_array_length(value) && st == INF_OK; i++)
			st = append_value(out, json_object_array_get_idx(value, i), unpack);
	return st;
}

inf_status gr_wire_append_strings(struct gr_buf *out, const char *text)
{
	struct json_object *list = gr_json_parse_array(text, strlen(text), GR_WIRE_TOOL_DEPTH);
	if (!list)
		return INF_E_NO_MEMORY;		/* it was JSON before */
	inf_status st = append_line(out, text, strlen(text));
	if (st == INF_OK)
		st = append_value(out, list, true);
	json_object_put(list);
	return st;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */
static void put_chat(struct json_object *root, const struct gr_wire_message *messages, size_t count,
		     const struct gr_wire_chat *chat, bool *ok)
{
	gr_json_put(root, "messages", gr_json_messages(messages, count), ok);
	if (chat->tools)
		gr_json_put(root, "tools", gr_json_raw(chat->tools), ok);
	if (chat->tool_choice)
		gr_json_put(root, "tool_choice", json_object_new_string(chat->tool_choice), ok);
	if (chat->thinking == GR_WIRE_THINKING_DEFAULT)
		return;
	struct json_object *kwargs = json_object_new_object();
	if (kwargs)
		gr_json_put(kwargs, "enable_thinking", json_object_new_boolean(chat->thinking == GR_WIRE_THINKING_ON), ok);
	gr_json_put(root, "chat_template_kwargs", kwargs, ok);
}

inf_status gr_wire_encode_chat_template(struct gr_buf *out, const struct gr_wire_message *messages, size_t count,
					const struct gr_wire_chat *chat)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	put_chat(root, messages, count, chat, &ok);
	return gr_json_append(out, root, ok);
}

inf_status gr_wire_encode_chat(struct gr_buf *out, const struct gr_wire_completion *completion,
			       const struct gr_wire_message *messages, size_t count, const struct gr_wire_chat *chat,
			       inf_error *err)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	inf_status st = gr_json_put_completion(root, completion, &ok, err);
	if (st != INF_OK) {
		json_object_put(root);
		return st;
	}
	put_chat(root, messages, count, chat, &ok);
	if (chat->thinking_budget)
		gr_json_put(root, "reasoning_budget_tokens", json_object_new_int(chat->thinking_budget), &ok);
	/* Each event says how many tokens there were so far. */
	gr_json_put(root, "timings_per_token", json_object_new_boolean(true), &ok);
	return gr_json_append(out, root, ok);
}
