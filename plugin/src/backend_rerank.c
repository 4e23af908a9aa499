/* SPDX-License-Identifier: MIT */
/* inf.rerank/1: the server makes one text of the query and a document, as the model wants it, so each document is asked for alone:
 * only then does it tell the tokens of each, and which one is too long. */
#include "backend_call.h"
#include "wire_embed.h"

struct ranking {
	const inf_text *query, *documents;
	size_t count;
	float *scores;			/* the host's, as is: */
	int64_t *token_counts;		/* may be NULL */
	size_t index;			/* of the document that is asked for */
};

static inf_status refused(struct gr_call *call, int code, const struct gr_buf *body, void *user)
{
	const struct ranking *self = user;
	struct gr_wire_error error;
	int64_t tokens;
	(void)code;
	if (!gr_wire_decode_error(gr_buf_text(body), body->len, &error) || !gr_wire_is_too_long(&error, &tokens))
		return INF_OK;
	if (tokens < 0)
		return inf_fail(call->err, INF_E_CONTEXT_FULL, "context_full", "the query and document %zu are longer than the "
				"context, which holds %d tokens", self->index, call->model->info.context_len);
	return inf_fail(call->err, INF_E_CONTEXT_FULL, "context_full", "the query and document %zu have %lld tokens together, but "
			"the context holds %d: shorten one of them, or load the model with a larger context", self->index,
			(long long)tokens, call->model->info.context_len);
}

static inf_status rank(struct ranking *self, struct gr_call *call)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	const struct gr_question question = { .kind = GR_QUESTION_COMPUTES, .path = "/rerank", .body = &body,
					      .answer = &answer, .refused = refused, .user = self };
	int64_t tokens = 0;
	inf_status st = gr_wire_encode_rank(&body, self->query, &self->documents[self->index]);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = gr_call_ask(call, &question);
	if (st == INF_OK)
		st = gr_wire_decode_rank(gr_buf_text(&answer), answer.len, &self->scores[self->index], &tokens, call->err);
	if (st == INF_OK && self->token_counts)
		self->token_counts[self->index] = tokens > 0 ? tokens : 0;
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

static inf_status with_server(struct gr_call *call, void *user)
{
	struct ranking *self = user;
	inf_status st = INF_OK;
	for (self->index = 0; self->index < self->count && st == INF_OK; self->index++)
		st = rank(self, call);
	return st;
}

static inf_status check(const struct ranking *self, inf_error *err)
{
	if (!self->query || !self->documents || !self->count || !self->scores)
		return inf_fail(err, INF_E_INVALID, "argument", "rerank: there is no query, no document, or no room for scores");
	inf_status st = gr_call_check_texts(self->query, 1, "query", err);
	return st == INF_OK ? gr_call_check_texts(self->documents, self->count, "document", err) : st;
}

static inf_status INF_CALL run(inf_model *model, const inf_text *query, const inf_text *documents, size_t count,
			       const inf_call_params *params, float *scores, int64_t *token_counts, inf_error *err)
{
	struct ranking self = { .query = query, .documents = documents, .count = count, .scores = scores,
				.token_counts = token_counts };
	const struct gr_call_work work = { .run = with_server, .user = &self, .computes = true };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	st = gr_model_check_task(model, GR_TASK_RERANK, "rerank", err);
	if (st == INF_OK)
		st = check(&self, err);
	if (st == INF_OK)
		st = gr_call_run(&call, &work);
	gr_call_leave(&call);
	return st;
}

const inf_rerank gr_rerank_table = { .struct_size = sizeof gr_rerank_table, .run = run };
