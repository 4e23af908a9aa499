/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include "request.h"

/* ---- what is read of a request ----------------------------------------------------------------------------------- */
inf_status ic_input_read(inf_input *out, const inf_input *in, inf_error *err)
{
	inf_status st = inf_read_request(out, sizeof *out, in, inf_input_V1_0, 0, ~0ull);
	if (st != INF_OK)
		return inf_fail(err, st, "input", "an input is NULL, malformed, or has a field that is not known here");
	if (out->prompt && (out->msgs || out->msg_count))
		return inf_fail(err, INF_E_INVALID, "input", "an input has both a prompt and messages");
	return INF_OK;
}

inf_status ic_gen_params_read(union ic_gen_params *out, const inf_gen_params *own, const inf_gen_params *common,
			      inf_error *err)
{
	static const inf_gen_params defaults = { .struct_size = sizeof defaults };
	const inf_gen_params *from = own ? own : common ? common : &defaults;
	if (from->struct_size < inf_gen_params_V1_0 || from->struct_size > INF_STRUCT_MAX)
		return inf_fail(err, INF_E_INVALID, "params", "generation parameters: struct_size is %u, not %d to %u",
				from->struct_size, inf_gen_params_V1_0, INF_STRUCT_MAX);
	memcpy(out->bytes, from, from->struct_size);	/* all of it: what is newer than we are the backend judges */
	out->known.flags &= ~INF_GEN_FLAG_NO_WAIT;
	out->known.request_id = NULL;
	out->known.user = NULL;
	out->known.on_token = NULL;
	out->known.on_poll = NULL;
	return INF_OK;
}

inf_status ic_status_check(inf_status st, inf_error *err)
{
	if (st > 0)
		return inf_fail(err, INF_E_INTERNAL, "bad_status", "the backend returned the unknown status %d", st);
	if (st != INF_OK && err->code != st)
		return inf_fail(err, st, "", "the backend does not say why");
	return st;
}

int32_t ic_batch_width(const inf_model_info *info)
{
	return info->parallel_slots < 1 || info->flags & INF_INFO_FLAG_SERIAL ? 1 : info->parallel_slots;
}

/* ---- one input --------------------------------------------------------------------------------------------------- */
struct batch {
	const struct ic_batch_target *target;
	const inf_input *const *inputs;
	inf_batch_params params;
};

struct job {
	const struct batch *batch;
	struct ic_fanout *fanout;
	size_t index;
	inf_gen_result result;
	inf_error error;
	inf_status status;
};

struct delivery {
	const struct job *job;
	const inf_token *token;
	int32_t answer;
};

static void deliver_token(void *arg)
{
	struct delivery *self = arg;
	const inf_batch_params *params = &self->job->batch->params;
	self->answer = params->on_token(params->user, self->job->index, self->token);
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct delivery delivery = { .job = user, .token = token };
	bool told = ic_fanout_tell(delivery.job->fanout, deliver_token, &delivery);
	return told ? delivery.answer : 0;
}

static int32_t INF_CALL on_poll(void *user)
{
	const struct job *job = user;
	return ic_fanout_goes_on(job->fanout) ? INF_CONTINUE : 0;
}

static void deliver_result(void *arg)
{
	const struct job *self = arg;
	const inf_batch_params *params = &self->batch->params;
	const inf_error *error = self->status == INF_OK ? NULL : &self->error;
	if (params->on_result && params->on_result(params->user, self->index, &self->result, error) != INF_CONTINUE)
		ic_fanout_stop(self->fanout);
}

static inf_status generate(struct job *self)
{
	const struct batch *batch = self->batch;
	union ic_gen_params params;
	inf_input input;
	inf_status st = ic_input_read(&input, batch->inputs[self->index], &self->error);
	if (st == INF_OK)
		st = ic_gen_params_read(&params, input.params, batch->params.gen, &self->error);
	if (st != INF_OK)
		return st;
	params.known.request_id = batch->params.request_id;
	params.known.user = self;
	params.known.on_poll = on_poll;
	if (batch->params.on_token)
		params.known.on_token = on_token;
	st = batch->target->generate(batch->target->model, &input, &params.known, &self->result, &self->error);
	return ic_status_check(st, &self->error);
}

static void run_one(struct ic_fanout *fanout, size_t index, void *user)
{
	struct job job = {
		.batch = user, .fanout = fanout, .index = index,
		.result = { .struct_size = sizeof job.result, .finish = INF_FINISH_ERROR },
		.error = { .struct_size = sizeof job.error },
	};
	job.status = generate(&job);
	/* One that was cancelled although nobody here said so, was so by the id of them all. */
	if (job.status == INF_E_CLOSED || (job.status == INF_E_CANCELLED && ic_fanout_goes_on(fanout)))
		ic_fanout_fail(fanout, &job.error);
	else
		ic_fanout_tell(fanout, deliver_result, &job);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */
static inf_status read_params(struct batch *self, const inf_batch_params *params, size_t count, inf_error *err)
{
	inf_status st = inf_read_request(&self->params, sizeof self->params, params, inf_batch_params_V1_0, 0, 0);
	if (st != INF_OK)
		return ic_request_refused(err, st, "batch_params", params, 0, 0);
	if (self->params.parallel < 0 || self->params.reserved0)
		return inf_fail(err, INF_E_INVALID, "batch_params", "the batch's parallel is negative, or reserved0 is not 0");
	if (count && !self->inputs)
		return inf_fail(err, INF_E_INVALID, "batch_params", "the batch's inputs are NULL");
	return INF_OK;
}

inf_status ic_batch_run(const struct ic_batch_target *target, const inf_input *const *inputs, size_t count,
			const inf_batch_params *params, inf_error *err)
{
	struct batch self = { .target = target, .inputs = inputs };
	inf_status st = read_params(&self, params, count, err);
	if (st != INF_OK)
		return st;
	int32_t parallel = self.params.parallel;
	const struct ic_fanout_work work = {
		.count = count, .width = parallel && parallel < target->slots ? parallel : target->slots,
		.run = run_one, .user = &self, .on_poll = self.params.on_poll, .host = self.params.user,
		.waiter = target->waiter,
	};
	return ic_fanout_run(&work, err);
}
