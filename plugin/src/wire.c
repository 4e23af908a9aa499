/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { DEPTH_MAX = 32, SCHEMA_DEPTH_MAX = 256, QUOTE_MAX = 120, TO_STRING = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE };

/* What the final event of a stream shall hold; by stop_type we know it. */
static const char *const final_fields[] = {
	"stop_type", "truncated", "tokens_predicted", "tokens_evaluated", "timings/cache_n", "timings/prompt_ms",
	"timings/predicted_ms", "timings/draft_n", "timings/draft_n_accepted",
};

/* ---- parsing --------------------------------------------------------------------------------------------------- */
static struct json_tokener *new_tokener(int depth)
{
	struct json_tokener *tokener = json_tokener_new_ex(depth);
	if (tokener)
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	return tokener;
}

/* NULL: not an object, or out of memory. */
static struct json_object *parse_object(struct json_tokener *tokener, const char *body, size_t len)
{
	if (len > INT_MAX)
		return NULL;
	json_tokener_reset(tokener);
	struct json_object *root = json_tokener_parse_ex(tokener, body, (int)len);
	if (root && json_tokener_get_error(tokener) == json_tokener_success &&
	    json_tokener_get_parse_end(tokener) == len && json_object_is_type(root, json_type_object))
		return root;
	json_object_put(root);
	return NULL;
}

static struct json_object *parse_text(const char *body, size_t len, int depth)
{
	struct json_tokener *tokener = new_tokener(depth);
	if (!tokener)
		return NULL;
	struct json_object *root = parse_object(tokener, body, len);
	json_tokener_free(tokener);
	return root;
}

static struct json_object *parse_body(const char *body, size_t len)
{
	return parse_text(body, len, DEPTH_MAX);
}

/* ---- building -------------------------------------------------------------------------------------------------- */
/* json-c says "out of memory" in several ways; each addition goes through here. */
static void put(struct json_object *object, const char *key, struct json_object *value, bool *ok)
{
	if (!value || json_object_object_add(object, key, value) != 0) {
		json_object_put(value);
		*ok = false;
	}
}

static struct json_object *text_value(const char *text, size_t len)
{
	return len <= INT_MAX ? json_object_new_string_len(len ? text : "", (int)len) : NULL;
}

static inf_status append_object(struct gr_buf *out, struct json_object *object, bool ok)
{
	size_t len = 0;
	const char *text = ok && object ? json_object_to_json_string_length(object, TO_STRING, &len) : NULL;
	inf_status st = text ? gr_buf_append(out, text, len) : INF_E_NO_MEMORY;
	json_object_put(object);
	return st;
}

static inf_status append_ids(struct gr_buf *out, const char *key, const int32_t *tokens, size_t count)
{
	inf_status st = gr_buf_printf(out, "{\"%s\":[", key);
	for (size_t i = 0; i < count && st == INF_OK; i++)
		st = gr_buf_printf(out, i ? ",%d" : "%d", (int)tokens[i]);
	return st == INF_OK ? gr_buf_puts(out, "]") : st;
}

inf_status gr_wire_encode_tokenize(struct gr_buf *out, const char *text, size_t len, bool add_special,
				   bool parse_special)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	put(root, "content", text_value(text, len), &ok);
	put(root, "add_special", json_object_new_boolean(add_special), &ok);
	put(root, "parse_special", json_object_new_boolean(parse_special), &ok);
	return append_object(out, root, ok);
}

inf_status gr_wire_encode_detokenize(struct gr_buf *out, const int32_t *tokens, size_t count)
{
	inf_status st = append_ids(out, "tokens", tokens, count);
	return st == INF_OK ? gr_buf_puts(out, "}") : st;
}

inf_status gr_wire_encode_template(struct gr_buf *out, const struct gr_wire_message *messages, size_t count)
{
	bool ok = true;
	struct json_object *root = json_object_new_object(), *list = json_object_new_array();
	if (!root || !list) {
		json_object_put(root);
		json_object_put(list);
		return INF_E_NO_MEMORY;
	}
	for (size_t i = 0; i < count && ok; i++) {
		struct json_object *message = json_object_new_object();
		if (!message || json_object_array_add(list, message) != 0) {
			json_object_put(message);
			ok = false;
			break;
		}
		put(message, "role", json_object_new_string(messages[i].role), &ok);
		put(message, "content", text_value(messages[i].content, messages[i].content_len), &ok);
	}
	put(root, "messages", list, &ok);
	return append_object(out, root, ok);
}

static void put_sampling(struct json_object *root, const struct gr_wire_completion *r, bool *ok)
{
	put(root, "n_predict", json_object_new_int(r->max_tokens), ok);
	put(root, "seed", json_object_new_int64(r->seed), ok);
	put(root, "temperature", json_object_new_double(r->temperature), ok);
	put(root, "top_k", json_object_new_int(r->top_k), ok);
	put(root, "top_p", json_object_new_double(r->top_p), ok);
	put(root, "min_p", json_object_new_double(r->min_p), ok);
	put(root, "repeat_penalty", json_object_new_double(r->repeat_penalty), ok);
	put(root, "frequency_penalty", json_object_new_double(r->frequency_penalty), ok);
	put(root, "presence_penalty", json_object_new_double(r->presence_penalty), ok);
	put(root, "ignore_eos", json_object_new_boolean(r->ignore_eos), ok);
	put(root, "cache_prompt", json_object_new_boolean(r->cache_prompt), ok);
	if (r->logprobs)
		put(root, "n_probs", json_object_new_int(1), ok);
	if (r->grammar)
		put(root, "grammar", json_object_new_string(r->grammar), ok);
}

/* Takes the item over. */
static bool add_item(struct json_object *list, struct json_object *item)
{
	if (item && json_object_array_add(list, item) == 0)
		return true;
	json_object_put(item);
	return false;
}

/* false = never. */
static void put_suppressed(struct json_object *root, const struct gr_wire_completion *r, bool *ok)
{
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; list && i < r->suppress_token_count && *ok; i++) {
		struct json_object *pair = json_object_new_array();
		*ok = add_item(list, pair) && add_item(pair, json_object_new_int(r->suppress_tokens[i])) &&
		      add_item(pair, json_object_new_boolean(false));
	}
	put(root, "logit_bias", list, ok);
}

static void put_stream(struct json_object *root, bool *ok)
{
	struct json_object *fields = json_object_new_array();
	for (size_t i = 0; fields && i < sizeof final_fields / sizeof final_fields[0]; i++)
		*ok = add_item(fields, json_object_new_string(final_fields[i])) && *ok;
	put(root, "response_fields", fields, ok);
	put(root, "stream", json_object_new_boolean(true), ok);
	/* Only a stream that has something to send notices that its reader is gone. */
	put(root, "return_progress", json_object_new_boolean(true), ok);
	put(root, "sse_ping_interval", json_object_new_int(1), ok);
}

inf_status gr_wire_encode_completion(struct gr_buf *out, const struct gr_wire_completion *r, inf_error *err)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	put_sampling(root, r, &ok);
	put_stream(root, &ok);
	if (r->suppress_token_count)
		put_suppressed(root, r, &ok);
	if (r->json_schema) {
		struct json_object *schema = parse_text(r->json_schema, strlen(r->json_schema), SCHEMA_DEPTH_MAX);
		if (!schema) {
			json_object_put(root);
			return inf_fail(err, INF_E_INVALID, "json_schema", "json_schema is not a JSON object");
		}
		put(root, "json_schema", schema, &ok);
	}
	/* {"prompt":[..] + ,"n_predict":..}: the ids can be many, so they never become json-c objects. */
	struct gr_buf rest = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = append_object(&rest, root, ok);
	if (st == INF_OK)
		st = append_ids(out, "prompt", r->prompt, r->prompt_count);
	if (st == INF_OK) {
		rest.data[0] = ',';
		st = gr_buf_append(out, rest.data, rest.len);
	}
	gr_buf_release(&rest);
	return st;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */
static inf_status bad_answer(inf_error *err, const char *body, size_t len, const char *what)
{
	char quote[QUOTE_MAX + 1];
	size_t n = gr_utf8_complete(body, len < QUOTE_MAX ? len : QUOTE_MAX);
	bool text = gr_utf8_valid(body, n);
	for (size_t i = 0; i < n; i++)
		quote[i] = (char)(text || (unsigned char)body[i] < 0x80 ? body[i] : '?');
	quote[n] = '\0';
	return inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server's answer %s: %s", what, quote);
}

static struct json_object *member(struct json_object *root, const char *key, enum json_type type)
{
	struct json_object *value = NULL;
	if (json_object_object_get_ex(root, key, &value) && json_object_is_type(value, type))
		return value;
	return NULL;
}

static int64_t member_int(struct json_object *root, const char *key, int64_t fallback)
{
	struct json_object *value = member(root, key, json_type_int);
	return value ? json_object_get_int64(value) : fallback;
}

/* How many tokens; -1 for what no stream can have. */
static int64_t member_count(struct json_object *root, const char *key)
{
	int64_t count = member_int(root, key, -1);
	return count >= 0 && count <= GR_WIRE_TOKENS_MAX ? count : -1;
}

static double member_number(struct json_object *root, const char *key, double fallback)
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(root, key, &value) ||
	    (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int)))
		return fallback;
	return json_object_get_double(value);
}

static bool member_true(struct json_object *root, const char *key)
{
	struct json_object *value = member(root, key, json_type_boolean);
	return value && json_object_get_boolean(value);
}

/* The parser does not look. */
static bool is_utf8(struct json_object *text)
{
	return gr_utf8_valid(json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

/* Cut at a code point; "" for what is not UTF-8. */
static void member_copy(struct json_object *root, const char *key, char *out, size_t cap)
{
	struct json_object *value = member(root, key, json_type_string);
	const char *text = value && is_utf8(value) ? json_object_get_string(value) : "";
	size_t len = strnlen(text, cap);
	if (len == cap) {
		len = cap - 1;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

static int32_t clamp32(int64_t n)
{
	return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}

inf_status gr_wire_decode_tokens(const char *body, size_t len, int32_t **out_tokens, size_t *out_count, inf_error *err)
{
	struct json_object *root = parse_body(body, len);
	struct json_object *list = root ? member(root, "tokens", json_type_array) : NULL;
	inf_status st = INF_OK;
	int32_t *tokens = NULL;
	size_t count = list ? json_object_array_length(list) : 0;
	if (!list || count > GR_WIRE_TOKENS_MAX) {
		st = bad_answer(err, body, len, "holds no tokens");
		goto out;
	}
	tokens = malloc((count ? count : 1) * sizeof *tokens);
	if (!tokens) {
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for %zu tokens", count);
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *id = json_object_array_get_idx(list, i);
		if (!json_object_is_type(id, json_type_int)) {
			st = bad_answer(err, body, len, "holds a token that is no number");
			goto out;
		}
		tokens[i] = clamp32(json_object_get_int64(id));
	}
	*out_tokens = tokens;
	*out_count = count;
	tokens = NULL;
out:
	free(tokens);
	json_object_put(root);
	return st;
}

inf_status gr_wire_decode_text(const char *body, size_t len, const char *field, struct gr_buf *out, inf_error *err)
{
	struct json_object *root = parse_body(body, len);
	struct json_object *value = root ? member(root, field, json_type_string) : NULL;
	inf_status st;
	if (value && !is_utf8(value))
		value = NULL;
	if (!value)
		st = bad_answer(err, body, len, "lacks its text");
	else
		st = gr_buf_append(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	json_object_put(root);
	if (value && st != INF_OK)
		inf_fail(err, st, st == INF_E_NO_MEMORY ? "no_memory" : "server_answer",
			 st == INF_E_NO_MEMORY ? "out of memory for the server's answer" : "llama-server's answer is too large");
	return st;
}

inf_status gr_wire_decode_props(const char *body, size_t len, struct gr_wire_props *out, inf_error *err)
{
	struct json_object *root = parse_body(body, len);
	if (!root)
		return bad_answer(err, body, len, "about its properties cannot be read");
	struct gr_wire_props props = { .slots = clamp32(member_int(root, "total_slots", 0)) };
	struct json_object *settings = member(root, "default_generation_settings", json_type_object);
	if (settings)
		props.context_len = clamp32(member_int(settings, "n_ctx", 0));
	char role[16];
	member_copy(root, "role", role, sizeof role);
	props.router = strcmp(role, "router") == 0;
	member_copy(root, "build_info", props.build, sizeof props.build);
	json_object_put(root);
	*out = props;
	return INF_OK;
}

static void read_error(struct json_object *object, struct gr_wire_error *out)
{
	out->code = clamp32(member_int(object, "code", 0));
	out->prompt_tokens = member_int(object, "n_prompt_tokens", -1);
	out->context_len = member_int(object, "n_ctx", -1);
	member_copy(object, "type", out->type, sizeof out->type);
	member_copy(object, "message", out->message, sizeof out->message);
}

bool gr_wire_decode_error(const char *body, size_t len, struct gr_wire_error *out)
{
	struct json_object *root = parse_body(body, len);
	struct json_object *object = root ? member(root, "error", json_type_object) : NULL;
	if (object)
		read_error(object, out);
	json_object_put(root);
	return object != NULL;
}

/* ---- the stream ------------------------------------------------------------------------------------------------ */
struct gr_wire_stream {
	struct json_tokener *tokener;
	struct json_object *root;	/* of the event decoded last; its strings are lent out */
};

struct gr_wire_stream *gr_wire_stream_new(void)
{
	struct gr_wire_stream *self = calloc(1, sizeof *self);
	if (self)
		self->tokener = new_tokener(DEPTH_MAX);
	if (self && !self->tokener) {
		free(self);
		self = NULL;
	}
	return self;
}

void gr_wire_stream_free(struct gr_wire_stream *self)
{
	if (!self)
		return;
	json_object_put(self->root);
	json_tokener_free(self->tokener);
	free(self);
}

static enum gr_wire_stop stop_of(struct json_object *type)
{
	const char *text = json_object_get_string(type);
	if (strcmp(text, "eos") == 0)
		return GR_WIRE_STOP_EOS;
	if (strcmp(text, "word") == 0)
		return GR_WIRE_STOP_WORD;
	return strcmp(text, "limit") == 0 ? GR_WIRE_STOP_LIMIT : GR_WIRE_STOP_NONE;
}

static void read_final(struct json_object *root, struct json_object *stop_type, struct gr_wire_event *out)
{
	out->kind = GR_WIRE_FINAL;
	out->stop = stop_of(stop_type);
	out->truncated = member_true(root, "truncated");
	out->evaluated = member_count(root, "tokens_evaluated");
	out->cached = member_count(root, "timings/cache_n");
	out->drafted = member_count(root, "timings/draft_n");
	out->accepted = member_count(root, "timings/draft_n_accepted");
	out->prefill_ms = member_number(root, "timings/prompt_ms", -1);
	out->decode_ms = member_number(root, "timings/predicted_ms", -1);
}

static void read_logprob(struct json_object *root, struct gr_wire_event *out)
{
	struct json_object *list = member(root, "completion_probabilities", json_type_array);
	struct json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
	struct json_object *value = first && json_object_is_type(first, json_type_object) ?
				    member(first, "logprob", json_type_double) : NULL;
	if (value) {
		out->has_logprob = true;
		out->logprob = (float)json_object_get_double(value);
	}
}

static void read_token(struct json_object *root, struct json_object *content, struct gr_wire_event *out)
{
	out->kind = GR_WIRE_TOKEN;
	out->text = json_object_get_string(content);
	out->text_len = (size_t)json_object_get_string_len(content);
	struct json_object *tokens = member(root, "tokens", json_type_array);
	size_t count = tokens ? json_object_array_length(tokens) : 0;
	struct json_object *id = count ? json_object_array_get_idx(tokens, count - 1) : NULL;
	if (id && json_object_is_type(id, json_type_int))
		out->id = clamp32(json_object_get_int64(id));
	read_logprob(root, out);
}

inf_status gr_wire_stream_decode(struct gr_wire_stream *self, const char *data, size_t len, struct gr_wire_event *out,
				 inf_error *err)
{
	*out = (struct gr_wire_event){ .id = -1, .text = "", .predicted = -1, .prefill_ms = -1, .decode_ms = -1 };
	json_object_put(self->root);
	self->root = NULL;
	if (len == 4 && memcmp(data, "null", 4) == 0)
		return INF_OK;
	self->root = parse_object(self->tokener, data, len);
	if (!self->root)
		return bad_answer(err, data, len, "holds an event that cannot be read");

	struct json_object *root = self->root, *found;
	out->predicted = member_count(root, "tokens_predicted");
	if ((found = member(root, "error", json_type_object))) {
		out->kind = GR_WIRE_ERROR;
		read_error(found, &out->error);
	} else if ((found = member(root, "stop_type", json_type_string))) {
		read_final(root, found, out);
	} else if (!member(root, "prompt_progress", json_type_object) &&
		   (found = member(root, "content", json_type_string))) {
		if (!is_utf8(found))
			return bad_answer(err, data, len, "holds text that is not UTF-8");
		read_token(root, found, out);
	}
	return INF_OK;
}
