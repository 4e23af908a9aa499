/* SPDX-License-Identifier: MIT */
#include "classify.h"

#include "batch.h"
#include "fanout.h"
#include "request.h"

enum { TOP_MAX = 1000 };

/* ---- what is read of a request ----------------------------------------------------------------------------------- */
inf_status ic_classify_read(inf_classify_params *out, const inf_classify_params *params, inf_error *err)
{
	inf_status st = inf_read_request(out, sizeof *out, params, inf_classify_params_V1_0, INF_CLASSIFY_FLAG_VOCABULARY, 0);
	if (st != INF_OK)
		return ic_request_refused(err, st, "classify_params", params, INF_CLASSIFY_FLAG_VOCABULARY, 0);
	if (!out->on_class || out->reserved0)
		return inf_fail(err, INF_E_INVALID, "classify_params", "on_class is NULL, or reserved0 is not 0");
	if (out->top < 0 || out->top > TOP_MAX)
		return inf_fail(err, INF_E_INVALID, "classify_params", "top is %d, it must be 0..%d", out->top, TOP_MAX);
	if (!out->candidates != !out->candidate_count)
		return inf_fail(err, INF_E_INVALID, "classify_params", "candidates without a count, or the other way round");
	if (out->candidates && out->flags & INF_CLASSIFY_FLAG_VOCABULARY)
		return inf_fail(err, INF_E_INVALID, "classify_params", "logprobs cannot be of candidates and of the vocabulary: "
				"leave out one of the two");
	return INF_OK;
}

static inf_status check_gen(const inf_gen_params *p, inf_error *err)
{
	const struct {
		const char *name;
		bool given;
	} fields[] = {
		{ "max_tokens", p->max_tokens }, { "min_tokens", p->min_tokens }, { "stop_tokens", p->stop_token_count },
		{ "stop_strings", p->stop_string_count }, { "json_schema", p->json_schema }, { "grammar", p->grammar },
		{ "tools", p->tools || p->tool_choice }, { "thinking", p->thinking || p->set & INF_GEN_SET_THINKING },
		{ "thinking_budget", p->thinking_budget },
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i].given)
			return inf_fail(err, INF_E_INVALID, "gen_meaningless", "%s has no meaning for one token: leave it out",
					fields[i].name);
	return INF_OK;
}

/* ---- one input --------------------------------------------------------------------------------------------------- */
struct classification {
	const struct ic_classify_target *target;
	const inf_input *const *inputs;
	const inf_classify_params *params;
};

struct ic_class_source {
	const struct classification *call;
	struct ic_fanout *fanout;
	inf_class *result;
	size_t index;
};

static int32_t INF_CALL on_poll(void *user)
{
	const struct ic_class_source *source = user;
	return ic_fanout_goes_on(source->fanout) ? INF_CONTINUE : 0;
}

static void deliver(void *arg)
{
	struct ic_class_source *self = arg;
	const inf_classify_params *params = self->call->params;
	if (params->on_class(params->user, self->result) != INF_CONTINUE)
		ic_fanout_stop(self->fanout);
}

void ic_class_tell(const struct ic_class_job *job, inf_class *result)
{
	struct ic_class_source *source = job->source;
	result->struct_size = sizeof *result;
	result->index = source->index;
	source->result = result;
	ic_fanout_tell(source->fanout, deliver, source);
}

static inf_status classify(struct ic_class_source *source, struct ic_class_job *job, inf_error *err)
{
	const struct classification *call = source->call;
	union ic_gen_params gen;
	inf_input input;
	inf_status st = ic_input_read(&input, call->inputs[source->index], err);
	if (st == INF_OK)
		st = ic_gen_params_read(&gen, input.params, call->params->gen, err);
	if (st == INF_OK)
		st = check_gen(&gen.known, err);
	if (st != INF_OK)
		return st;
	gen.known.request_id = call->params->request_id;
	gen.known.user = source;
	gen.known.on_poll = on_poll;
	job->input = &input;
	job->gen = &gen.known;
	return ic_status_check(call->target->classify(call->target->model, job, err), err);
}

static void run_one(struct ic_fanout *fanout, size_t index, void *user)
{
	struct ic_class_source source = { .call = user, .fanout = fanout, .index = index };
	struct ic_class_job job = { .params = source.call->params, .source = &source };
	inf_error error = { .struct_size = sizeof error };
	inf_status st = classify(&source, &job, &error);
	/* One that was cancelled although nobody here said so, was so by the id of them all. */
	if (st == INF_E_CLOSED || (st == INF_E_CANCELLED && ic_fanout_goes_on(fanout))) {
		ic_fanout_fail(fanout, &error);
	} else if (st != INF_OK) {
		inf_class failed = { .error = &error };
		ic_class_tell(&job, &failed);
	}
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */
inf_status ic_classify_run(const struct ic_classify_target *target, const inf_input *const *inputs, size_t count,
			   const inf_classify_params *params, inf_error *err)
{
	struct classification self = { target, inputs, params };
	const struct ic_fanout_work work = {
		.count = count, .width = target->slots, .run = run_one, .user = &self, .on_poll = params->on_poll,
		.host = params->user,
	};
	if (count && !inputs)
		return inf_fail(err, INF_E_INVALID, "classify_params", "the inputs are NULL");
	return ic_fanout_run(&work, err);
}
