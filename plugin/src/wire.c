/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bias.h"
#include "wire_json.h"

enum {
	SCHEMA_DEPTH_MAX = 256,
	GRAMMAR_REPEAT = 1500,		/* the server takes no count above 2000 in a grammar; to the third power all of int32 */
};

/* What the final event of a stream shall hold; by stop_type we know it. */
static const char *const final_fields[] = {
	"stop_type", "truncated", "tokens_predicted", "tokens_evaluated", "timings/cache_n", "timings/prompt_ms",
	"timings/predicted_ms", "timings/draft_n", "timings/draft_n_accepted", "id_slot",
};

/* ---- requests -------------------------------------------------------------------------------------------------- */
enum { ID_TEXT_MAX = 12 };

/* At the end of text, which it does not terminate. A long prompt has so many that formatting them was most of its cost. */
static const char *id_text(char text[ID_TEXT_MAX], int32_t id, const char *before)
{
	char *at = text + ID_TEXT_MAX;
	uint32_t left = id < 0 ? -(uint32_t)id : (uint32_t)id;
	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (id < 0)
		*--at = '-';
	if (*before)
		*--at = *before;
	return at;
}

static inf_status append_ids(struct gr_buf *out, const char *key, const int32_t *tokens, size_t count)
{
	char text[ID_TEXT_MAX];
	inf_status st = gr_buf_printf(out, "{\"%s\":[", key);
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		const char *begin = id_text(text, tokens[i], i ? "," : "");
		st = gr_buf_append(out, begin, (size_t)(text + sizeof text - begin));
	}
	return st == INF_OK ? gr_buf_puts(out, "]") : st;
}

inf_status gr_wire_encode_tokenize(struct gr_buf *out, const char *text, size_t len, bool add_special,
				   bool parse_special)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	gr_json_put(root, "content", gr_json_text(text, len), &ok);
	gr_json_put(root, "add_special", json_object_new_boolean(add_special), &ok);
	gr_json_put(root, "parse_special", json_object_new_boolean(parse_special), &ok);
	return gr_json_append(out, root, ok);
}

inf_status gr_wire_encode_detokenize(struct gr_buf *out, const int32_t *tokens, size_t count)
{
	inf_status st = append_ids(out, "tokens", tokens, count);
	return st == INF_OK ? gr_buf_puts(out, "}") : st;
}

static bool put_message(struct json_object *list, const struct gr_wire_message *m)
{
	bool ok = true;
	struct json_object *message = json_object_new_object();
	if (!gr_json_add(list, message))
		return false;
	gr_json_put(message, "role", json_object_new_string(m->role), &ok);
	gr_json_put(message, "content", gr_json_text(m->content, m->content_len), &ok);
	if (m->tool_calls)
		gr_json_put(message, "tool_calls", gr_json_raw(m->tool_calls), &ok);
	if (m->tool_call_id)
		gr_json_put(message, "tool_call_id", json_object_new_string(m->tool_call_id), &ok);
	return ok;
}

struct json_object *gr_json_messages(const struct gr_wire_message *messages, size_t count)
{
	struct json_object *list = json_object_new_array();
	bool ok = list != NULL;
	for (size_t i = 0; i < count && ok; i++)
		ok = put_message(list, &messages[i]);
	if (ok)
		return list;
	json_object_put(list);
	return NULL;
}

inf_status gr_wire_encode_template(struct gr_buf *out, const struct gr_wire_message *messages, size_t count)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	gr_json_put(root, "messages", gr_json_messages(messages, count), &ok);
	return gr_json_append(out, root, ok);
}

static inf_status append_base64(struct gr_buf *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char piece[4 * 256];
	inf_status st = INF_OK;
	while (len && st == INF_OK) {
		size_t n = 0;
		while (len && n < sizeof piece) {
			size_t have = len < 3 ? len : 3;
			uint32_t bits = (uint32_t)bytes[0] << 16 | (have > 1 ? (uint32_t)bytes[1] << 8 : 0) |
					(have > 2 ? bytes[2] : 0);
			piece[n++] = digits[bits >> 18];
			piece[n++] = digits[bits >> 12 & 63];
			piece[n++] = have > 1 ? digits[bits >> 6 & 63] : '=';
			piece[n++] = have > 2 ? digits[bits & 63] : '=';
			bytes += have;
			len -= have;
		}
		st = gr_buf_append(out, piece, n);
	}
	return st;
}

/* {"prompt":{"prompt_string":"..","multimodal_data":["..",".."]} without the brace that closes the whole. */
static inf_status append_media_prompt(struct gr_buf *out, const struct gr_wire_completion *r)
{
	inf_status st = gr_buf_puts(out, "{\"prompt\":{\"prompt_string\":");
	if (st == INF_OK)
		st = gr_json_append(out, gr_json_text(r->prompt_text, r->prompt_text_len), true);
	if (st == INF_OK)
		st = gr_buf_puts(out, ",\"multimodal_data\":[");
	for (size_t i = 0; i < r->media_count && st == INF_OK; i++) {
		st = gr_buf_puts(out, i ? ",\"" : "\"");
		if (st == INF_OK)
			st = append_base64(out, r->media[i].data, r->media[i].size);
		if (st == INF_OK)
			st = gr_buf_puts(out, "\"");
	}
	return st == INF_OK ? gr_buf_puts(out, "]}") : st;
}

/*
 * The server has no parameter for it. A grammar does not let the end be sampled before it is through, and one that counts
 * tokens is the same for any text: t is every token. Its second branch leads nowhere; it is there because the server refuses
 * a token that ends inside a character unless some branch could take the whole character.
 */
static void put_min_tokens(struct json_object *root, int32_t n, bool *ok)
{
	char grammar[256];
	snprintf(grammar, sizeof grammar,
		 "root ::= m{%d} k{%d} t{%d} t*\nm ::= k{%d}\nk ::= t{%d}\nt ::= !<[%d]> | [^\\x00-\\x7F] <[%d]>\n",
		 n / GRAMMAR_REPEAT / GRAMMAR_REPEAT, n / GRAMMAR_REPEAT % GRAMMAR_REPEAT, n % GRAMMAR_REPEAT,
		 GRAMMAR_REPEAT, GRAMMAR_REPEAT, INT32_MAX, INT32_MAX);
	gr_json_put(root, "grammar", json_object_new_string(grammar), ok);
}

static void put_sampling(struct json_object *root, const struct gr_wire_completion *r, bool *ok)
{
	gr_json_put(root, "n_predict", json_object_new_int(r->max_tokens), ok);
	gr_json_put(root, "seed", json_object_new_int64(r->seed), ok);
	gr_json_put(root, "temperature", json_object_new_double(r->temperature), ok);
	gr_json_put(root, "top_k", json_object_new_int(r->top_k), ok);
	gr_json_put(root, "top_p", json_object_new_double(r->top_p), ok);
	gr_json_put(root, "min_p", json_object_new_double(r->min_p), ok);
	gr_json_put(root, "repeat_penalty", json_object_new_double(r->repeat_penalty), ok);
	gr_json_put(root, "frequency_penalty", json_object_new_double(r->frequency_penalty), ok);
	gr_json_put(root, "presence_penalty", json_object_new_double(r->presence_penalty), ok);
	gr_json_put(root, "ignore_eos", json_object_new_boolean(r->ignore_eos), ok);
	gr_json_put(root, "cache_prompt", json_object_new_boolean(r->cache_prompt), ok);
	if (r->logprobs)
		gr_json_put(root, "n_probs", json_object_new_int(1), ok);
	if (r->grammar)
		gr_json_put(root, "grammar", json_object_new_string(r->grammar), ok);
	if (r->min_tokens)
		put_min_tokens(root, r->min_tokens, ok);
}

/* Takes the item over. */
static bool add_bias(struct json_object *list, int32_t id, struct json_object *bias)
{
	struct json_object *pair = json_object_new_array();
	if (gr_json_add(list, pair) && gr_json_add(pair, json_object_new_int(id)))
		return gr_json_add(pair, bias);
	json_object_put(bias);
	return false;
}

/* false = never. */
static void put_bias(struct json_object *root, const struct gr_wire_completion *r, bool *ok)
{
	const struct gr_wire_probe *probe = r->probe;
	const char *at = r->options ? r->options->logit_bias : NULL;
	size_t favoured_count = probe ? probe->favoured_count : 0;
	if (!r->suppress_token_count && !favoured_count && !at)
		return;
	struct gr_bias bias;
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; list && i < r->suppress_token_count && *ok; i++)
		*ok = add_bias(list, r->suppress_tokens[i], json_object_new_boolean(false));
	while (list && *ok && gr_bias_next(&at, &bias) == GR_BIAS_TAKEN)
		*ok = add_bias(list, bias.id, bias.never ? json_object_new_boolean(false) : json_object_new_double(bias.added));
	for (size_t i = 0; list && i < favoured_count && *ok; i++)
		*ok = add_bias(list, probe->favoured[i], json_object_new_double(probe->raise));
	gr_json_put(root, "logit_bias", list, ok);
}

static void put_samplers(struct json_object *root, const char *names, bool *ok)
{
	struct json_object *list = json_object_new_array();
	for (const char *at = names; list && at && *ok; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL)
		*ok = gr_json_add(list, gr_json_text(at, strcspn(at, ";")));
	gr_json_put(root, "samplers", list, ok);
}

static bool is_list_of_texts(struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (!json_object_is_type(item, json_type_string) || !json_object_get_string_len(item) || !gr_json_is_utf8(item))
			return false;
	}
	return count > 0;
}

static inf_status put_breakers(struct json_object *root, const char *text, bool *ok, inf_error *err)
{
	struct json_tokener *tokener = *ok ? gr_json_tokener(GR_JSON_DEPTH) : NULL;
	if (!tokener) {
		*ok = false;
		return INF_OK;
	}
	struct json_object *list = gr_json_parse_list(tokener, text, strlen(text));
	json_tokener_free(tokener);
	if (is_list_of_texts(list)) {
		gr_json_put(root, "dry_sequence_breakers", list, ok);
		return INF_OK;
	}
	json_object_put(list);
	return inf_fail(err, INF_E_INVALID, "option_value", "option dry_sequence_breakers: not a JSON array of texts, such as "
			"[\"\\n\",\":\"]");
}

static inf_status put_options(struct json_object *root, const struct gr_request_options *options, bool *ok, inf_error *err)
{
	for (size_t i = 0; i < options->number_count; i++) {
		const struct gr_request_number *number = &options->numbers[i];
		gr_json_put(root, number->option->key, number->option->type == INF_OPTION_REAL ?
			    json_object_new_double(number->value.real) : json_object_new_int(number->value.integer), ok);
	}
	if (options->samplers)
		put_samplers(root, options->samplers, ok);
	if (options->slot >= 0)
		gr_json_put(root, "id_slot", json_object_new_int(options->slot), ok);
	return options->dry_sequence_breakers ? put_breakers(root, options->dry_sequence_breakers, ok, err) : INF_OK;
}

static void put_stream(struct json_object *root, bool *ok)
{
	struct json_object *fields = json_object_new_array();
	for (size_t i = 0; fields && i < sizeof final_fields / sizeof final_fields[0]; i++)
		*ok = gr_json_add(fields, json_object_new_string(final_fields[i])) && *ok;
	gr_json_put(root, "response_fields", fields, ok);
	gr_json_put(root, "stream", json_object_new_boolean(true), ok);
	/* Only a stream that has something to send notices that its reader is gone. */
	gr_json_put(root, "return_progress", json_object_new_boolean(true), ok);
	gr_json_put(root, "sse_ping_interval", json_object_new_int(1), ok);
}

inf_status gr_json_put_completion(struct json_object *root, const struct gr_wire_completion *r, bool *ok, inf_error *err)
{
	put_sampling(root, r, ok);
	if (r->probe)
		gr_json_put_probe(root, r->probe, ok);
	else
		put_stream(root, ok);
	put_bias(root, r, ok);
	inf_status st = r->options ? put_options(root, r->options, ok, err) : INF_OK;
	if (st != INF_OK || !r->json_schema)
		return st;
	struct json_object *schema = gr_json_parse(r->json_schema, strlen(r->json_schema), SCHEMA_DEPTH_MAX);
	if (!schema)
		return inf_fail(err, INF_E_INVALID, "json_schema", "json_schema is not a JSON object");
	gr_json_put(root, "json_schema", schema, ok);
	return INF_OK;
}

inf_status gr_wire_encode_completion(struct gr_buf *out, const struct gr_wire_completion *r, inf_error *err)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	inf_status st = gr_json_put_completion(root, r, &ok, err);
	if (st != INF_OK) {
		json_object_put(root);
		return st;
	}
	/* {"prompt":[..] + ,"n_predict":..}: ids can be many and media large, so they never become json-c objects. */
	struct gr_buf rest = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	st = gr_json_append(&rest, root, ok);
	if (st == INF_OK)
		st = r->prompt_text ? append_media_prompt(out, r) : append_ids(out, "prompt", r->prompt, r->prompt_count);
	if (st == INF_OK) {
		rest.data[0] = ',';
		st = gr_buf_append(out, rest.data, rest.len);
	}
	gr_buf_release(&rest);
	return st;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */
inf_status gr_wire_decode_tokens(const char *body, size_t len, int32_t **out_tokens, size_t *out_count, inf_error *err)
{
	struct json_object *root = gr_json_parse_body(body, len);
	struct json_object *list = root ? gr_json_member(root, "tokens", json_type_array) : NULL;
	inf_status st = INF_OK;
	int32_t *tokens = NULL;
	size_t count = list ? json_object_array_length(list) : 0;
	if (!list || count > GR_WIRE_TOKENS_MAX) {
		st = gr_json_bad_answer(err, body, len, "holds no tokens");
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
			st = gr_json_bad_answer(err, body, len, "holds a token that is no number");
			goto out;
		}
		tokens[i] = gr_json_clamp32(json_object_get_int64(id));
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
	struct json_object *root = gr_json_parse_body(body, len);
	struct json_object *value = root ? gr_json_member(root, field, json_type_string) : NULL;
	inf_status st;
	if (value && !gr_json_is_utf8(value))
		value = NULL;
	if (!value)
		st = gr_json_bad_answer(err, body, len, "lacks its text");
	else
		st = gr_buf_append(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	json_object_put(root);
	if (value && st != INF_OK)
		inf_fail(err, st, st == INF_E_NO_MEMORY ? "no_memory" : "server_answer",
			 st == INF_E_NO_MEMORY ? "out of memory for the server's answer" : "llama-server's answer is too large");
	return st;
}

/* Whatever a template or the server's code for its kind does about thinking, it is by a variable or a mark with such a name. */
static bool speaks_of_thinking(struct json_object *chat_template)
{
	const char *text = json_object_get_string(chat_template);
	return strcasestr(text, "think") || strcasestr(text, "reason");
}

inf_status gr_wire_decode_props(const char *body, size_t len, struct gr_wire_props *out, inf_error *err)
{
	struct json_object *root = gr_json_parse_body(body, len);
	if (!root)
		return gr_json_bad_answer(err, body, len, "about its properties cannot be read");
	struct gr_wire_props props = { .slots = gr_json_clamp32(gr_json_int(root, "total_slots", 0)) };
	struct json_object *settings = gr_json_member(root, "default_generation_settings", json_type_object);
	if (settings)
		props.context_len = gr_json_clamp32(gr_json_int(settings, "n_ctx", 0));
	char role[16];
	gr_json_copy(root, "role", role, sizeof role);
	props.router = strcmp(role, "router") == 0;
	struct json_object *caps = gr_json_member(root, "chat_template_caps", json_type_object);
	props.tools = caps && gr_json_true(caps, "supports_tools") && gr_json_true(caps, "supports_tool_calls");
	struct json_object *chat_template = gr_json_member(root, "chat_template", json_type_string);
	props.thinks = !chat_template || speaks_of_thinking(chat_template);
	gr_json_copy(root, "build_info", props.build, sizeof props.build);
	struct json_object *modalities = gr_json_member(root, "modalities", json_type_object);
	if (modalities) {
		props.vision = gr_json_true(modalities, "vision");
		props.audio = gr_json_true(modalities, "audio");
		props.video = gr_json_true(modalities, "video");
	}
	gr_json_copy(root, "media_marker", props.media_marker, sizeof props.media_marker);
	if (!props.media_marker[0] && (props.vision || props.audio))
		strcpy(props.media_marker, "<__media__>");	/* of servers that do not tell */
	json_object_put(root);
	*out = props;
	return INF_OK;
}

bool gr_wire_decode_error(const char *body, size_t len, struct gr_wire_error *out)
{
	struct json_object *root = gr_json_parse_body(body, len);
	struct json_object *object = root ? gr_json_member(root, "error", json_type_object) : NULL;
	if (object)
		gr_json_read_error(object, out);
	json_object_put(root);
	return object != NULL;
}
