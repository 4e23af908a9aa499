/* SPDX-License-Identifier: MIT */
/* inf.tokenize/1: the server's own tokeniser. Nothing is computed, so no slot is waited for. */
#include <stdlib.h>
#include <string.h>

#include "backend_input.h"
#include "sampling.h"

enum { FLAGS = INF_TOKENIZE_FLAG_BOS | INF_TOKENIZE_FLAG_SPECIAL };

/* ---- text to ids ----------------------------------------------------------------------------------------------- */
static uint32_t gen_flags(uint32_t flags)
{
	return (flags & INF_TOKENIZE_FLAG_BOS ? 0 : INF_GEN_FLAG_NO_BOS) |
	       (flags & INF_TOKENIZE_FLAG_SPECIAL ? INF_GEN_FLAG_PARSE_SPECIAL : 0);
}

struct text_to_ids {
	const char *text;
	size_t text_len;
	uint32_t flags;
	struct gr_prompt ids;
};

static inf_status ask_for_ids(struct gr_call *call, void *user)
{
	struct text_to_ids *self = user;
	return gr_prompt_from_text(&self->ids, call, self->text, self->text_len, gen_flags(self->flags));
}

static inf_status check_flags(uint32_t flags, inf_error *err)
{
	if (flags & ~(uint32_t)FLAGS)
		return inf_fail(err, INF_E_UNSUPPORTED, "flags", "tokenize: a flag that this backend does not know");
	return INF_OK;
}

static inf_status INF_CALL tokenize(inf_model *model, const char *text, size_t text_len, uint32_t flags,
				    const inf_call_params *params, int32_t *ids, size_t cap, size_t *count, inf_error *err)
{
	struct text_to_ids self = { text_len ? text : "", text_len, flags, GR_PROMPT_INIT };
	const struct gr_call_work work = { .run = ask_for_ids, .user = &self };
	const inf_text whole = { text, text_len };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	if (!count || (!ids && cap))
		st = inf_fail(err, INF_E_INVALID, "argument", "tokenize: count is NULL, or ids is while cap is not 0");
	if (st == INF_OK)
		st = check_flags(flags, err);
	if (st == INF_OK)
		st = gr_call_check_texts(&whole, 1, "text", err);
	if (st == INF_OK)
		st = gr_call_run(&call, &work);
	if (st == INF_OK) {
		*count = self.ids.count;
		if (cap && self.ids.count)
			memcpy(ids, self.ids.ids, (self.ids.count < cap ? self.ids.count : cap) * sizeof *ids);
	}
	gr_prompt_release(&self.ids);
	gr_call_leave(&call);
	return st;
}

/* ---- ids to text ----------------------------------------------------------------------------------------------- */
struct ids_to_text {
	const int32_t *ids;
	size_t count;
	uint32_t flags;
	struct gr_buf text;
};

/* The server shows control tokens too. */
static inf_status show(struct gr_call *call, const int32_t *ids, size_t count, struct gr_buf *text)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	const struct gr_question question = { .path = "/detokenize", .body = &body, .answer = &answer };
	gr_buf_reset(text);
	inf_status st = gr_wire_encode_detokenize(&body, ids, count);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = gr_call_ask(call, &question);
	if (st == INF_OK)
		st = gr_wire_decode_text(gr_buf_text(&answer), answer.len, "content", text, call->err);
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

static bool same(const struct gr_prompt *a, const struct gr_prompt *b)
{
	return a->count == b->count && (!a->count || memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0);
}

/* Does the text make other tokens where control tokens are looked for? then: those tokens. */
static inf_status look_for_control(struct gr_call *call, const struct gr_buf *text, bool *found, struct gr_prompt *then)
{
	struct gr_prompt plain = GR_PROMPT_INIT;
	inf_status st = gr_prompt_from_text(then, call, gr_buf_text(text), text->len,
					    INF_GEN_FLAG_NO_BOS | INF_GEN_FLAG_PARSE_SPECIAL);
	if (st == INF_OK)
		st = gr_prompt_from_text(&plain, call, gr_buf_text(text), text->len, INF_GEN_FLAG_NO_BOS);
	if (st == INF_OK)
		*found = !same(then, &plain);
	gr_prompt_release(&plain);
	return st;
}

/* A control token is one whose text becomes it where control tokens are looked for, and only there. */
static inf_status find_role(struct gr_call *call, int32_t id, enum gr_token_role *out)
{
	atomic_uchar *known = &call->model->token_roles[id];
	*out = (enum gr_token_role)atomic_load_explicit(known, memory_order_relaxed);
	if (*out != GR_TOKEN_ROLE_UNKNOWN)
		return INF_OK;
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	struct gr_prompt then = GR_PROMPT_INIT;
	bool found = false;
	inf_status st = show(call, &id, 1, &text);
	if (st == INF_OK)
		st = look_for_control(call, &text, &found, &then);
	if (st == INF_OK) {
		*out = found && then.count == 1 && then.ids[0] == id ? GR_TOKEN_CONTROL : GR_TOKEN_TEXT;
		atomic_store_explicit(known, (unsigned char)*out, memory_order_relaxed);
	}
	gr_prompt_release(&then);
	gr_buf_release(&text);
	return st;
}

static inf_status show_text_alone(struct ids_to_text *self, struct gr_call *call)
{
	size_t count = 0;
	inf_status st = INF_OK;
	int32_t *ids = malloc(self->count * sizeof *ids);
	if (!ids)
		return inf_fail(call->err, INF_E_NO_MEMORY, "no_memory", "out of memory for %zu tokens", self->count);
	for (size_t i = 0; i < self->count && st == INF_OK; i++) {
		enum gr_token_role role;
		st = find_role(call, self->ids[i], &role);
		if (st == INF_OK && role == GR_TOKEN_TEXT)
			ids[count++] = self->ids[i];
	}
	if (st == INF_OK)
		st = show(call, ids, count, &self->text);
	free(ids);
	return st;
}

static inf_status ask_for_text(struct gr_call *call, void *user)
{
	struct ids_to_text *self = user;
	struct gr_prompt then = GR_PROMPT_INIT;
	bool found = false;
	inf_status st = show(call, self->ids, self->count, &self->text);
	if (st != INF_OK || self->flags & INF_TOKENIZE_FLAG_SPECIAL)
		return st;
	st = look_for_control(call, &self->text, &found, &then);
	gr_prompt_release(&then);
	return st == INF_OK && found ? show_text_alone(self, call) : st;
}

static inf_status check_ids(const inf_model *model, const struct ids_to_text *self, inf_error *err)
{
	if (self->count > GR_WIRE_TOKENS_MAX || (!self->ids && self->count))
		return inf_fail(err, INF_E_INVALID, "argument", "detokenize: ids is NULL, or has more than %d tokens",
				GR_WIRE_TOKENS_MAX);
	for (size_t i = 0; i < self->count; i++)
		if (self->ids[i] < 0 || (uint32_t)self->ids[i] >= model->file.vocab_size)
			return inf_fail(err, INF_E_INVALID, "token", "detokenize: token %zu is %d, but the vocabulary has %u tokens",
					i, self->ids[i], model->file.vocab_size);
	return check_flags(self->flags, err);
}

static inf_status INF_CALL detokenize(inf_model *model, const int32_t *ids, size_t id_count, uint32_t flags,
				      const inf_call_params *params, char *text, size_t cap, size_t *len, inf_error *err)
{
	struct ids_to_text self = { ids, id_count, flags, GR_BUF_INIT(GR_WIRE_BODY_MAX) };
	const struct gr_call_work work = { .run = ask_for_text, .user = &self };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	if (!len || (!text && cap))
		st = inf_fail(err, INF_E_INVALID, "argument", "detokenize: len is NULL, or text is while cap is not 0");
	if (st == INF_OK)
		st = check_ids(model, &self, err);
	if (st == INF_OK && id_count)
		st = gr_call_run(&call, &work);
	if (st == INF_OK) {
		*len = self.text.len;
		if (cap && self.text.len)
			memcpy(text, self.text.data, self.text.len < cap ? self.text.len : cap);
	}
	gr_buf_release(&self.text);
	gr_call_leave(&call);
	return st;
}

/* ---- the length of a prompt ------------------------------------------------------------------------------------ */
struct counting {
	struct gr_input input;
	uint32_t gen_flags;
	size_t count;
};

static inf_status ask_for_prompt(struct gr_call *call, void *user)
{
	struct counting *self = user;
	struct gr_prompt prompt = GR_PROMPT_INIT;
	inf_status st = gr_input_prompt(&self->input, call, self->gen_flags, &prompt);
	self->count = prompt.count;
	gr_prompt_release(&prompt);
	return st;
}

static inf_status read_input(struct counting *self, const inf_model *model, const inf_input *input, inf_error *err)
{
	const inf_gen_params *given = NULL;
	inf_gen_params params;
	struct gr_request_options options;
	inf_status st = gr_input_read(&self->input, model, input, &given, err);
	if (st != INF_OK || !given)
		return st;
	st = gr_sampling_check(&params, given, gr_input_gen_fields(&self->input), gr_input_gen_flags(&self->input),
			       model->file.vocab_size, err);
	if (st == INF_OK)
		st = gr_input_use_params(&self->input, model, &params, err);
	if (st == INF_OK)
		st = gr_input_options(&options, model, &params, err);
	self->gen_flags = params.flags;
	return st;
}

static inf_status INF_CALL count(inf_model *model, const inf_input *input, const inf_call_params *params, size_t *out,
				 inf_error *err)
{
	struct counting self = { .input = GR_INPUT_INIT };
	const struct gr_call_work work = { .run = ask_for_prompt, .user = &self };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	st = out ? read_input(&self, model, input, err) :
		   inf_fail(err, INF_E_INVALID, "argument", "count: the place for the count is NULL");
	if (st == INF_OK)
		st = gr_call_run(&call, &work);
	if (st == INF_OK)
		*out = self.count;
	gr_input_release(&self.input);
	gr_call_leave(&call);
	return st;
}

const inf_tokenize gr_tokenize_table = { .struct_size = sizeof gr_tokenize_table, .tokenize = tokenize,
					 .detokenize = detokenize, .count = count };
