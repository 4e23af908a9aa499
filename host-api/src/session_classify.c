/* SPDX-License-Identifier: MIT */
/* session_classify: inf.classify/1 of a session, by the backend or, where it has none, by generations of one token. */
#include "classify.h"

#include <math.h>
#include <stdlib.h>

#include "batch.h"
#include "session.h"

struct classify_call {
	struct ih_call base;
	int32_t (INF_CALL *on_class)(void *user, const inf_class *result);
	bool logprobs;			/* the backend tells them */
	union {				/* the host's, of any age, with our callbacks */
		inf_classify_params params;
		unsigned char bytes[INF_STRUCT_MAX];
	} request;
};

static int32_t INF_CALL on_class(void *user, const inf_class *result)
{
	struct classify_call *call = user;
	if (!ih_call_goes_on(&call->base))
		return 0;
	int32_t answer = call->on_class(call->base.user, result);
	return ih_call_goes_on(&call->base) ? answer : 0;
}

static inf_status take_params(struct classify_call *call, const inf_classify_params *params, inf_error *err)
{
	uint32_t size = params ? params->struct_size : 0;
	if (size < inf_classify_params_V1_0 || size > INF_STRUCT_MAX || !params->on_class)
		return inf_fail(err, INF_E_INVALID, "params", "classification parameters: no on_class, or struct_size is %u, not %d "
				"to %u", size, inf_classify_params_V1_0, INF_STRUCT_MAX);
	memcpy(call->request.bytes, params, size);	/* all of it: what is newer than we are the plugin judges */
	call->on_class = params->on_class;
	call->base.on_poll = params->on_poll;
	call->request.params.user = call;
	call->request.params.on_class = on_class;
	call->request.params.on_poll = ih_call_poll;
	return INF_OK;
}

/* ---- without the extension ---- */

/* The token of one generation. */
struct token {
	void *user;			/* on_poll's, which is to be asked */
	int32_t (INF_CALL *on_poll)(void *user);
	int32_t id;
	float logprob;
	char *text;			/* owned; NULL = none */
	size_t text_len;
	bool failed;
};

static int32_t INF_CALL poll_for_token(void *user)
{
	const struct token *self = user;
	return self->on_poll(self->user);
}

/* One chunk has the token; text that was held back may follow. */
static int32_t INF_CALL keep_token(void *user, const inf_token *token)
{
	struct token *self = user;
	char *text = realloc(self->text, self->text_len + token->text_len + 1);
	self->failed = !text;
	if (self->failed)
		return 0;
	memcpy(text + self->text_len, token->text, token->text_len);
	self->text = text;
	self->text_len += token->text_len;
	text[self->text_len] = '\0';
	if (token->count)
		self->id = token->id;
	if (token->flags & INF_TOKEN_FLAG_LOGPROB)
		self->logprob = token->logprob;
	return INF_CONTINUE;
}

static inf_status generate(const struct classify_call *call, const struct ic_class_job *job, inf_gen_result *result,
			   inf_error *err)
{
	const inf_backend *backend = call->base.via.backend;
	const inf_input *input = job->input;
	if (input->msgs || input->msg_count)
		return backend->chat(call->base.model, input->msgs, input->msg_count, job->gen, result, err);
	return backend->generate(call->base.model, input->prompt, input->prompt_len, job->gen, result, err);
}

static inf_status classify(void *user, const struct ic_class_job *job, inf_error *err)
{
	const struct classify_call *call = user;
	struct token token = { .user = job->gen->user, .on_poll = job->gen->on_poll, .id = -1, .logprob = NAN };
	inf_gen_result result = { .struct_size = sizeof result };
	job->gen->max_tokens = 1;
	job->gen->flags |= call->logprobs ? INF_GEN_FLAG_LOGPROBS : 0;
	job->gen->user = &token;
	job->gen->on_token = keep_token;
	job->gen->on_poll = poll_for_token;
	inf_status st = generate(call, job, &result, err);
	if (st == INF_OK && token.failed)
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for a token");
	if (st == INF_OK) {
		inf_class found = { .id = token.id, .logprob = token.logprob, .text = token.text ? token.text : "",
				    .text_len = token.text_len, .result = &result };
		ic_class_tell(job, &found);
	}
	free(token.text);
	return st;
}

static inf_status emulate(struct classify_call *call, const inf_input *const *inputs, size_t count)
{
	inf_error *err = &call->base.error;
	inf_model_info info = { .struct_size = sizeof info };
	inf_classify_params params;
	inf_status st = ic_classify_read(&params, &call->request.params, err);
	if (st == INF_OK && (params.top || params.candidates || params.flags))
		st = inf_fail(err, INF_E_UNSUPPORTED, "no_extension", "%s tells nothing but the token: top, candidates and the "
			      "probabilities of the vocabulary need a backend with inf.classify/1", call->base.via.backend->name);
	if (st == INF_OK)
		st = call->base.via.backend->info(call->base.model, &info, err);
	call->logprobs = info.gen_flags & INF_GEN_FLAG_LOGPROBS;
	const struct ic_classify_target target = { classify, call, ic_batch_width(&info) };
	return st == INF_OK ? ic_classify_run(&target, inputs, count, &params, err) : st;
}

inf_status inf_session_classify(inf_session *self, const inf_input *const *inputs, size_t count,
				const inf_classify_params *params, inf_error *err)
{
	struct classify_call call;
	inf_status st = ih_call_enter(&call.base, self, err);
	if (st != INF_OK)
		return st;
	st = take_params(&call, params, &call.base.error);
	if (st == INF_OK) {
		ih_call_list(&call.base, params->request_id, params->user);
		const inf_classify *table = ih_call_extension(&call.base, INF_EXT_CLASSIFY);
		if (table && INF_HAS(inf_classify, table, run) && table->run)
			st = table->run(call.base.model, inputs, count, &call.request.params, &call.base.error);
		else
			st = emulate(&call, inputs, count);
	}
	return ih_call_leave(&call.base, st, err);
}
