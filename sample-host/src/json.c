/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <math.h>
#include <stdio.h>

#include "jsonobject.h"

/* ---- a text as it comes ---- */

void json_add_token(struct text *out, const inf_token *token)
{
	struct object line = object_new();
	bool is_call = token->flags & INF_TOKEN_FLAG_TOOL_CALL;
	line.failed |= token->text_len > TEXT_LINE_MAX;
	if (!line.failed) {
		object_add_unsigned_or_null(&line, "id", (uint64_t)token->id, token->id >= 0);
		object_add_text(&line, "text", is_call ? "" : token->text, is_call ? 0 : token->text_len);
		if (is_call)
			object_add(&line, "tool_call", json_tokener_parse(token->text));
		if (token->count != 1)
			object_add_integer(&line, "count", token->count);
		if (token->flags & INF_TOKEN_FLAG_REASONING)
			object_add_boolean(&line, "reasoning", true);
	}
	object_print(&line, out);
}

static void add_model(struct object *line, const inf_model_info *model)
{
	static const inf_model_info none = { .gpu_layers = -1 };
	if (!model)
		model = &none;
	object_add_string_or_null(line, "devices", model->devices);
	object_add_unsigned_or_null(line, "gpu_layers", (uint64_t)model->gpu_layers, model->gpu_layers >= 0);
	object_add_unsigned_or_null(line, "device_bytes", model->device_memory_bytes, model->device_memory_bytes);
}

void json_add_outcome(struct text *out, const struct outcome *outcome)
{
	const inf_gen_result *result = &outcome->result;
	struct object line = object_new();
	bool is_stopped = result->finish == INF_FINISH_STOP_TOKEN || result->finish == INF_FINISH_STOP_STRING;
	double rate = outcome_decode_rate(outcome);
	object_add_string(&line, "finish", outcome->finish);
	object_add_unsigned_or_null(&line, "stop_index", (uint64_t)result->stop_index, is_stopped);
	object_add_string_or_null(&line, "backend", outcome->backend);
	add_model(&line, outcome->model);
	object_add_integer(&line, "prompt_tokens", result->prompt_tokens);
	object_add_integer(&line, "cached_tokens", result->cached_tokens);
	object_add_integer(&line, "generated_tokens", result->generated_tokens);
	object_add_integer(&line, "reasoning_tokens", result->reasoning_tokens);
	object_add_integer(&line, "drafted_tokens", result->drafted_tokens);
	object_add_integer(&line, "accepted_tokens", result->accepted_tokens);
	object_add_integer(&line, "tool_call_count", result->tool_call_count);
	object_add_number(&line, "prefill_ms", outcome_ms(result->prefill_ns), 3);
	object_add_number(&line, "decode_ms", outcome_ms(result->decode_ns), 3);
	object_add_number_or_null(&line, "decode_rate", rate, 3, rate > 0);
	object_add_unsigned_or_null(&line, "seed", result->seed, result->flags & INF_RESULT_FLAG_SEED);
	object_print(&line, out);
}

/* ---- tokens of a text ---- */

void json_add_piece(struct text *out, int32_t id, const struct text *piece)
{
	struct object line = object_new();
	object_add_integer(&line, "id", id);
	object_add_text(&line, "text", text_string(piece), piece->len);
	object_print(&line, out);
}

void json_add_text(struct text *out, const struct text *text)
{
	struct object line = object_new();
	object_add_text(&line, "text", text_string(text), text->len);
	object_print(&line, out);
}

/* ---- vectors and ranks ---- */

/* Nine digits give the float back. */
static json_object *float_new(float value)
{
	char digits[32];
	snprintf(digits, sizeof digits, "%.9g", (double)value);
	return json_object_new_double_s((double)value, digits);
}

void json_add_vector(struct text *out, size_t index, int64_t tokens, const float *vector, int32_t dimension)
{
	struct object line = object_new();
	json_object *list = json_object_new_array();
	object_add_integer(&line, "index", (int64_t)index);
	object_add_unsigned_or_null(&line, "tokens", (uint64_t)tokens, tokens > 0);
	for (int32_t i = 0; list && i < dimension && !line.failed; i++) {
		json_object *number = float_new(vector[i]);
		line.failed = !number || json_object_array_add(list, number);
	}
	object_add(&line, "vector", list);
	object_print(&line, out);
}

void json_add_rank(struct text *out, const struct rank *rank)
{
	struct object line = object_new();
	object_add_integer(&line, "index", (int64_t)rank->index);
	object_add(&line, "score", float_new(rank->score));
	object_add_unsigned_or_null(&line, "tokens", (uint64_t)rank->tokens, rank->tokens > 0);
	object_add_text(&line, "document", rank->document.data, rank->document.len);
	object_print(&line, out);
}

/* ---- the next token ---- */

/* JSON has no infinity: null is a probability of 0, and one that is not known. */
static void add_logprob(struct object *self, float logprob)
{
	object_add_number_or_null(self, "logprob", logprob, 6, isfinite(logprob));
}

static void append_score(struct json_list *list, int32_t id, float logprob)
{
	struct object entry = object_new();
	object_add_integer(&entry, "id", id);
	add_logprob(&entry, logprob);
	json_list_append(list, &entry);
}

static void add_answer(struct object *line, const inf_class *c, const int32_t *candidates)
{
	object_add_integer(line, "id", c->id);
	object_add_text(line, "text", c->text, c->text_len);
	add_logprob(line, c->logprob);
	if (candidates) {
		struct json_list *list = json_list_new();
		for (size_t i = 0; i < c->logprob_count; i++)
			append_score(list, candidates[i], c->logprobs[i]);
		object_add_list(line, "candidates", list);
	}
	if (c->top_count) {
		struct json_list *list = json_list_new();
		for (size_t i = 0; i < c->top_count; i++)
			append_score(list, c->top[i].id, c->top[i].logprob);
		object_add_list(line, "top", list);
	}
	object_add_integer(line, "prompt_tokens", c->result->prompt_tokens);
}

void json_add_class(struct text *out, const inf_class *c, const int32_t *candidates)
{
	struct object line = object_new();
	object_add_integer(&line, "index", (int64_t)c->index);
	if (c->error)
		object_add_error(&line, inf_status_name(c->error->code), c->error);
	else
		add_answer(&line, c, candidates);
	object_print(&line, out);
}

/* ---- failures ---- */

void json_add_failure(struct text *out, const struct failure *failure)
{
	struct object line = object_new();
	object_add_error(&line, failure_status(failure), &failure->error);
	object_print(&line, out);
}
