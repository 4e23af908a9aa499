/* SPDX-License-Identifier: MIT */
#include "wire_chat.h"

#include <stdlib.h>
#include <string.h>

#include "wire_json.h"
#include "wire_token.h"

struct gr_wire_stream {
	struct json_tokener *tokener;
	struct json_object *root;	/* of the event decoded last; its strings are lent out */
	struct gr_json_deltas *deltas;	/* of a chat; NULL = a completion */
	struct gr_buf text;		/* of a token that was read without json-c */
	/* What the chunk of a chat that was read so says to the end. */
	bool merged;
	int64_t predicted;
};

struct gr_wire_stream *gr_wire_stream_new(void)
{
	struct gr_wire_stream *self = calloc(1, sizeof *self);
	if (!self)
		return NULL;
	gr_buf_init(&self->text, GR_WIRE_PIECE_MAX);
	self->tokener = gr_json_tokener(GR_JSON_DEPTH);
	if (!self->tokener) {
		free(self);
		self = NULL;
	}
	return self;
}

struct gr_wire_stream *gr_wire_stream_new_chat(void)
{
	struct gr_wire_stream *self = gr_wire_stream_new();
	if (self)
		self->deltas = gr_json_deltas_new();
	if (self && !self->deltas) {
		gr_wire_stream_free(self);
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
	gr_json_deltas_free(self->deltas);
	gr_buf_release(&self->text);
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
	out->truncated = gr_json_true(root, "truncated");
	out->cached = gr_json_count(root, "timings/cache_n");
	out->slot = gr_json_clamp32(gr_json_count(root, "id_slot"));
	out->drafted = gr_json_count(root, "timings/draft_n");
	out->accepted = gr_json_count(root, "timings/draft_n_accepted");
	out->prefill_ms = gr_json_number(root, "timings/prompt_ms", -1);
	out->decode_ms = gr_json_number(root, "timings/predicted_ms", -1);
}

static void read_logprob(struct json_object *root, struct gr_wire_event *out)
{
	struct json_object *list = gr_json_member(root, "completion_probabilities", json_type_array);
	struct json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
	struct json_object *value = first && json_object_is_type(first, json_type_object) ?
				    gr_json_member(first, "logprob", json_type_double) : NULL;
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
	struct json_object *tokens = gr_json_member(root, "tokens", json_type_array);
	size_t count = tokens ? json_object_array_length(tokens) : 0;
	struct json_object *id = count ? json_object_array_get_idx(tokens, count - 1) : NULL;
	if (id && json_object_is_type(id, json_type_int))
		out->id = gr_json_clamp32(json_object_get_int64(id));
	read_logprob(root, out);
}

static const struct gr_wire_event nothing = {
	.id = -1, .text = "", .predicted = -1, .evaluated = -1, .cached = -1, .slot = -1, .prefill_ms = -1, .decode_ms = -1,
};

/* What says nothing and is no object. */
static bool is_mark(const struct gr_wire_stream *self, const char *data, size_t len)
{
	return (len == 4 && memcmp(data, "null", 4) == 0) || (self->deltas && len == 6 && memcmp(data, "[DONE]", 6) == 0);
}

static inf_status read_event(struct json_object *root, const char *data, size_t len, struct gr_wire_event *out, inf_error *err)
{
	struct json_object *found;
	out->predicted = gr_json_count(root, "tokens_predicted");
	out->evaluated = gr_json_count(root, "tokens_evaluated");
	if ((found = gr_json_member(root, "stop_type", json_type_string))) {
		read_final(root, found, out);
	} else if ((found = gr_json_member(root, "prompt_progress", json_type_object))) {
		out->cached = gr_json_count(found, "cache");
	} else if ((found = gr_json_member(root, "content", json_type_string))) {
		if (!gr_json_is_utf8(found))
			return gr_json_bad_answer(err, data, len, "holds text that is not UTF-8");
		read_token(root, found, out);
	}
	return INF_OK;
}

static inf_status decode_json(struct gr_wire_stream *self, const char *data, size_t len, struct gr_wire_event *out,
			      inf_error *err)
{
	self->root = gr_json_parse_object(self->tokener, data, len);
	if (!self->root)
		return gr_json_bad_answer(err, data, len, "holds an event that cannot be read");
	if (self->deltas)
		gr_json_deltas_begin(self->deltas, self->root);
	struct json_object *error = gr_json_member(self->root, "error", json_type_object);
	if (error) {
		out->predicted = gr_json_count(self->root, "tokens_predicted");
		out->kind = GR_WIRE_ERROR;
		gr_json_read_error(error, &out->error);
		return INF_OK;
	}
	return self->deltas ? gr_json_deltas_next(self->deltas, out, err) : read_event(self->root, data, len, out, err);
}

static enum gr_wire_token read_token_event(struct gr_wire_stream *self, const char *data, size_t len,
					   struct gr_wire_event *out)
{
	if (!self->deltas)
		return gr_wire_token_read(&self->text, data, len, out);
	if (gr_json_deltas_in_call(self->deltas))	/* it ends with this event */
		return GR_WIRE_TOKEN_LEFT;
	enum gr_wire_token read = gr_wire_token_read_chat(&self->text, data, len, out);
	if (read == GR_WIRE_TOKEN_TAKEN) {
		self->merged = out->merged;
		self->predicted = out->predicted;
	}
	return read;
}

inf_status gr_wire_stream_decode(struct gr_wire_stream *self, const char *data, size_t len, struct gr_wire_event *out,
				 inf_error *err)
{
	*out = nothing;
	self->merged = false;
	self->predicted = -1;
	json_object_put(self->root);
	self->root = NULL;
	if (is_mark(self, data, len))
		return INF_OK;
	enum gr_wire_token read = read_token_event(self, data, len, out);
	if (read == GR_WIRE_TOKEN_NO_MEMORY)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the text of a token");
	return read == GR_WIRE_TOKEN_TAKEN ? INF_OK : decode_json(self, data, len, out, err);
}

inf_status gr_wire_stream_next(struct gr_wire_stream *self, struct gr_wire_event *out, inf_error *err)
{
	*out = nothing;
	if (self->deltas && self->root)
		return gr_json_deltas_next(self->deltas, out, err);
	out->merged = self->merged;
	out->predicted = self->predicted;
	return INF_OK;
}
