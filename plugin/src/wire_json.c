/* SPDX-License-Identifier: MIT */
#include "wire_json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { QUOTE_MAX = 120, TO_STRING = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE };

/* ---- parsing --------------------------------------------------------------------------------------------------- */
struct json_tokener *gr_json_tokener(int depth)
{
	struct json_tokener *tokener = json_tokener_new_ex(depth);
	if (tokener)
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	return tokener;
}

static struct json_object *parse_whole(struct json_tokener *tokener, const char *body, size_t len, enum json_type type)
{
	if (len > INT_MAX)
		return NULL;
	json_tokener_reset(tokener);
	struct json_object *root = json_tokener_parse_ex(tokener, body, (int)len);
	if (root && json_tokener_get_error(tokener) == json_tokener_success &&
	    json_tokener_get_parse_end(tokener) == len && json_object_is_type(root, type))
		return root;
	json_object_put(root);
	return NULL;
}

struct json_object *gr_json_parse_object(struct json_tokener *tokener, const char *body, size_t len)
{
	return parse_whole(tokener, body, len, json_type_object);
}

struct json_object *gr_json_parse_list(struct json_tokener *tokener, const char *body, size_t len)
{
	return parse_whole(tokener, body, len, json_type_array);
}

static struct json_object *parse_once(const char *body, size_t len, int depth, enum json_type type)
{
	struct json_tokener *tokener = gr_json_tokener(depth);
	if (!tokener)
		return NULL;
	struct json_object *root = parse_whole(tokener, body, len, type);
	json_tokener_free(tokener);
	return root;
}

struct json_object *gr_json_parse(const char *body, size_t len, int depth)
{
	return parse_once(body, len, depth, json_type_object);
}

struct json_object *gr_json_parse_array(const char *body, size_t len, int depth)
{
	return parse_once(body, len, depth, json_type_array);
}

struct json_object *gr_json_parse_body(const char *body, size_t len)
{
	return gr_json_parse(body, len, GR_JSON_DEPTH);
}

/* ---- building -------------------------------------------------------------------------------------------------- */
/* json-c says "out of memory" in several ways; each addition goes through here. */
void gr_json_put(struct json_object *object, const char *key, struct json_object *value, bool *ok)
{
	if (!value || json_object_object_add(object, key, value) != 0) {
		json_object_put(value);
		*ok = false;
	}
}

struct json_object *gr_json_text(const char *text, size_t len)
{
	return len <= INT_MAX ? json_object_new_string_len(len ? text : "", (int)len) : NULL;
}

struct json_object *gr_json_raw(const char *json)
{
	struct json_object *raw = json_object_new_object();
	size_t size = strlen(json) + 1;
	char *copy = raw ? malloc(size) : NULL;
	if (!copy) {
		json_object_put(raw);
		return NULL;
	}
	memcpy(copy, json, size);
	json_object_set_serializer(raw, json_object_userdata_to_json_string, copy, json_object_free_userdata);
	return raw;
}

inf_status gr_json_append(struct gr_buf *out, struct json_object *object, bool ok)
{
	size_t len = 0;
	const char *text = ok && object ? json_object_to_json_string_length(object, TO_STRING, &len) : NULL;
	inf_status st = text ? gr_buf_append(out, text, len) : INF_E_NO_MEMORY;
	json_object_put(object);
	return st;
}

bool gr_json_add(struct json_object *list, struct json_object *item)
{
	if (item && json_object_array_add(list, item) == 0)
		return true;
	json_object_put(item);
	return false;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */
inf_status gr_json_bad_answer(inf_error *err, const char *body, size_t len, const char *what)
{
	char quote[QUOTE_MAX + 1];
	size_t n = gr_utf8_complete(body, len < QUOTE_MAX ? len : QUOTE_MAX);
	bool text = gr_utf8_valid(body, n);
	for (size_t i = 0; i < n; i++)
		quote[i] = (char)(text || (unsigned char)body[i] < 0x80 ? body[i] : '?');
	quote[n] = '\0';
	return inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server's answer %s: %s", what, quote);
}

struct json_object *gr_json_member(struct json_object *root, const char *key, enum json_type type)
{
	struct json_object *value = NULL;
	if (json_object_object_get_ex(root, key, &value) && json_object_is_type(value, type))
		return value;
	return NULL;
}

int64_t gr_json_int(struct json_object *root, const char *key, int64_t fallback)
{
	struct json_object *value = gr_json_member(root, key, json_type_int);
	return value ? json_object_get_int64(value) : fallback;
}

int64_t gr_json_count(struct json_object *root, const char *key)
{
	int64_t count = gr_json_int(root, key, -1);
	return count >= 0 && count <= GR_WIRE_TOKENS_MAX ? count : -1;
}

double gr_json_number(struct json_object *root, const char *key, double fallback)
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(root, key, &value) ||
	    (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int)))
		return fallback;
	return json_object_get_double(value);
}

bool gr_json_true(struct json_object *root, const char *key)
{
	struct json_object *value = gr_json_member(root, key, json_type_boolean);
	return value && json_object_get_boolean(value);
}

bool gr_json_is_utf8(struct json_object *text)
{
	return gr_utf8_valid(json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

void gr_json_copy(struct json_object *root, const char *key, char *out, size_t cap)
{
	struct json_object *value = gr_json_member(root, key, json_type_string);
	const char *text = value && gr_json_is_utf8(value) ? json_object_get_string(value) : "";
	size_t len = strnlen(text, cap);
	if (len == cap) {
		len = cap - 1;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

int32_t gr_json_clamp32(int64_t n)
{
	return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}

void gr_json_read_error(struct json_object *object, struct gr_wire_error *out)
{
	out->code = gr_json_clamp32(gr_json_int(object, "code", 0));
	out->prompt_tokens = gr_json_int(object, "n_prompt_tokens", -1);
	out->context_len = gr_json_int(object, "n_ctx", -1);
	gr_json_copy(object, "type", out->type, sizeof out->type);
	gr_json_copy(object, "message", out->message, sizeof out->message);
}
