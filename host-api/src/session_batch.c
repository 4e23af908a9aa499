/* SPDX-License-Identifier: MIT */
/* session_batch: inf.batch/1 of a session, by the backend or, where it has none, by generations on threads of ours. */
#include "batch.h"
#include "session.h"

struct batch_call {
	struct ih_call base;
	int32_t (INF_CALL *on_token)(void *user, size_t index, const inf_token *token);
	int32_t (INF_CALL *on_result)(void *user, size_t index, const inf_gen_result *result, const inf_error *error);
	union {				/* the host's, of any age, with our callbacks */
		inf_batch_params params;
		unsigned char bytes[INF_STRUCT_MAX];
	} request;
};

static int32_t INF_CALL on_token(void *user, size_t index, const inf_token *token)
{
	struct batch_call *call = user;
	return ih_call_goes_on(&call->base) ? call->on_token(call->base.user, index, token) : 0;
}

static int32_t INF_CALL on_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	struct batch_call *call = user;
	int32_t answer = INF_CONTINUE;
	if (!ih_call_goes_on(&call->base))
		return 0;
	if (call->on_result)
		answer = call->on_result(call->base.user, index, result, error);
	return ih_call_goes_on(&call->base) ? answer : 0;
}

static inf_status take_params(struct batch_call *call, const inf_batch_params *params, inf_error *err)
{
	uint32_t size = params ? params->struct_size : 0;
	if (size < inf_batch_params_V1_0 || size > INF_STRUCT_MAX)
		return inf_fail(err, INF_E_INVALID, "params", "batch parameters: struct_size is %u, not %d to %u", size,
				inf_batch_params_V1_0, INF_STRUCT_MAX);
	memcpy(call->request.bytes, params, size);	/* all of it: what is newer than we are the plugin judges */
	call->on_token = params->on_token;
	call->on_result = params->on_result;
	call->base.on_poll = params->on_poll;
	call->request.params.user = call;
	call->request.params.on_result = on_result;
	call->request.params.on_poll = ih_call_poll;
	if (params->on_token)
		call->request.params.on_token = on_token;
	return INF_OK;
}

static inf_status generate(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
			   inf_error *err)
{
	const struct ih_call *call = user;
	if (input->msgs || input->msg_count)
		return call->via.backend->chat(call->model, input->msgs, input->msg_count, params, result, err);
	return call->via.backend->generate(call->model, input->prompt, input->prompt_len, params, result, err);
}

static inf_status emulate(struct batch_call *call, const inf_input *const *inputs, size_t count)
{
	inf_model_info info = { .struct_size = sizeof info };
	inf_status st = call->base.via.backend->info(call->base.model, &info, &call->base.error);
	const struct ic_batch_target target = { .generate = generate, .model = &call->base, .slots = ic_batch_width(&info) };
	return st == INF_OK ? ic_batch_run(&target, inputs, count, &call->request.params, &call->base.error) : st;
}

inf_status inf_session_batch(inf_session *self, const inf_input *const *inputs, size_t count,
			     const inf_batch_params *params, inf_error *err)
{
	struct batch_call call;
	inf_status st = ih_call_enter(&call.base, self, err);
	if (st != INF_OK)
		return st;
	st = take_params(&call, params, &call.base.error);
	if (st == INF_OK) {
		ih_call_list(&call.base, params->request_id, params->user);
		const inf_batch *table = ih_call_extension(&call.base, INF_EXT_BATCH);
		if (table && INF_HAS(inf_batch, table, run) && table->run)
			st = table->run(call.base.model, inputs, count, &call.request.params, &call.base.error);
		else
			st = emulate(&call, inputs, count);
	}
	return ih_call_leave(&call.base, st, err);
}
