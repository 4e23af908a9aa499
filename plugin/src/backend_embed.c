/* SPDX-License-Identifier: MIT */
/*
 * inf.embed/1: each text becomes token ids here, so that its length is known before it is sent and nothing of it is read as
 * a control token; then as many texts as there are slots are asked for at a time.
 */
#include <math.h>
#include <stdlib.h>

#include "backend_call.h"
#include "prompt.h"
#include "wire_embed.h"

enum { FLAGS = INF_EMBED_FLAG_RAW | INF_EMBED_FLAG_TRUNCATE };

struct embedding {
	const inf_text *texts;
	size_t count;
	uint32_t flags;
	size_t dimension;
	float *vectors;			/* the host's, as is: */
	int64_t *token_counts;		/* may be NULL */
	struct gr_prompt *prompts;	/* owned, room for a group */
	struct gr_wire_ids *ids;	/* the same */
	size_t group_max;
};

/* A text that is computed piece by piece leaves one place of the context free. */
static size_t longest_text(const inf_model *model)
{
	return (size_t)model->info.context_len - !model->start->plan.whole_batch;
}

/* ---- token ids ------------------------------------------------------------------------------------------------- */
/* What the model wants at the end of every text, a [SEP] for example, stays at the end of a shorter one. */
static inf_status cut(struct gr_prompt *prompt, struct gr_call *call, size_t limit)
{
	struct gr_prompt marks = GR_PROMPT_INIT;
	size_t kept = 0;
	inf_status st = gr_prompt_from_text(&marks, call, "", 0, 0);
	if (st != INF_OK)
		return st;
	while (kept < marks.count && kept < limit &&
	       marks.ids[marks.count - 1 - kept] == prompt->ids[prompt->count - 1 - kept])
		kept++;
	for (size_t i = 0; i < kept; i++)
		prompt->ids[limit - kept + i] = prompt->ids[prompt->count - kept + i];
	prompt->count = limit;
	gr_prompt_release(&marks);
	return INF_OK;
}

static inf_status take_text(const struct embedding *self, struct gr_call *call, size_t index, struct gr_prompt *out)
{
	const inf_text *text = &self->texts[index];
	size_t limit = longest_text(call->model);
	inf_status st = gr_prompt_from_text(out, call, text->len ? text->data : "", text->len, 0);
	if (st != INF_OK)
		return st;
	if (!out->count)
		return inf_fail(call->err, INF_E_INVALID, "text_empty", "text %zu has no tokens", index);
	if (out->count <= limit)
		return INF_OK;
	if (self->flags & INF_EMBED_FLAG_TRUNCATE)
		return cut(out, call, limit);
	return inf_fail(call->err, INF_E_CONTEXT_FULL, "context_full", "text %zu has %zu tokens, but the context holds %zu: "
			"shorten it, have it cut, or load the model with a larger context", index, out->count, limit);
}

/* ---- the server ------------------------------------------------------------------------------------------------ */
/* A vector of nothing but zeros stays what it is. */
static void normalise(float *vector, size_t dimension)
{
	double sum = 0;
	for (size_t i = 0; i < dimension; i++)
		sum += (double)vector[i] * vector[i];
	for (size_t i = 0; sum > 0 && i < dimension; i++)
		vector[i] = (float)(vector[i] / sqrt(sum));
}

static inf_status ask(const struct embedding *self, struct gr_call *call, size_t first, size_t count)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	const struct gr_question question = { .kind = GR_QUESTION_COMPUTES, .path = "/v1/embeddings", .body = &body,
					      .answer = &answer };
	float *vectors = self->vectors + first * self->dimension;
	inf_status st = gr_wire_encode_embeddings(&body, self->ids, count);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = gr_call_ask(call, &question);
	if (st == INF_OK)
		st = gr_wire_decode_embeddings(gr_buf_text(&answer), answer.len, count, self->dimension, vectors, call->err);
	for (size_t i = 0; st == INF_OK && !(self->flags & INF_EMBED_FLAG_RAW) && i < count; i++)
		normalise(vectors + i * self->dimension, self->dimension);
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

static inf_status embed_group(const struct embedding *self, struct gr_call *call, size_t first, size_t count)
{
	inf_status st = INF_OK;
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		st = take_text(self, call, first + i, &self->prompts[i]);
		self->ids[i] = (struct gr_wire_ids){ self->prompts[i].ids, self->prompts[i].count };
		if (st == INF_OK && self->token_counts)
			self->token_counts[first + i] = (int64_t)self->prompts[i].count;
	}
	if (st == INF_OK)
		st = ask(self, call, first, count);
	for (size_t i = 0; i < count; i++)
		gr_prompt_release(&self->prompts[i]);
	return st;
}

static inf_status with_server(struct gr_call *call, void *user)
{
	const struct embedding *self = user;
	inf_status st = INF_OK;
	for (size_t first = 0; first < self->count && st == INF_OK; first += self->group_max) {
		size_t left = self->count - first;
		st = embed_group(self, call, first, left < self->group_max ? left : self->group_max);
	}
	return st;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
static size_t dimension_of(const inf_model *model)
{
	return model->file.embedding_length_out ? model->file.embedding_length_out : model->file.embedding_length;
}

static inf_status INF_CALL dimension(inf_model *model, int32_t *out, inf_error *err)
{
	inf_status st = out ? gr_model_enter(model, err) : inf_fail(err, INF_E_INVALID, "argument", "dimension: out is NULL");
	if (st != INF_OK)
		return st;
	st = gr_model_check_task(model, GR_TASK_EMBED, "embed", err);
	if (st == INF_OK)
		*out = (int32_t)dimension_of(model);
	gr_slots_leave(model->slots);
	return st;
}

static inf_status check(const struct embedding *self, inf_error *err)
{
	if (self->flags & ~(uint32_t)FLAGS)
		return inf_fail(err, INF_E_UNSUPPORTED, "flags", "embed: a flag that this backend does not know");
	if (!self->texts || !self->count || !self->vectors)
		return inf_fail(err, INF_E_INVALID, "argument", "embed: there are no texts, or no room for their vectors");
	return gr_call_check_texts(self->texts, self->count, "text", err);
}

static inf_status embed(struct embedding *self, struct gr_call *call)
{
	const struct gr_call_work work = { .run = with_server, .user = self, .computes = true };
	size_t slots = (size_t)call->model->info.parallel_slots;
	self->dimension = dimension_of(call->model);
	self->group_max = self->count < slots ? self->count : slots;
	self->prompts = calloc(self->group_max, sizeof *self->prompts);
	self->ids = calloc(self->group_max, sizeof *self->ids);
	inf_status st = self->prompts && self->ids ? gr_call_run(call, &work) :
			inf_fail(call->err, INF_E_NO_MEMORY, "no_memory", "out of memory for the texts");
	free(self->prompts);
	free(self->ids);
	return st;
}

static inf_status INF_CALL run(inf_model *model, const inf_text *texts, size_t count, uint32_t flags,
			       const inf_call_params *params, float *vectors, int64_t *token_counts, inf_error *err)
{
	struct embedding self = { .texts = texts, .count = count, .flags = flags, .vectors = vectors,
				  .token_counts = token_counts };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	st = gr_model_check_task(model, GR_TASK_EMBED, "embed", err);
	if (st == INF_OK)
		st = check(&self, err);
	if (st == INF_OK)
		st = embed(&self, &call);
	gr_call_leave(&call);
	return st;
}

const inf_embed gr_embed_table = { .struct_size = sizeof gr_embed_table, .dimension = dimension, .run = run };
