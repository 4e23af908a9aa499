/* SPDX-License-Identifier: MIT */
/* inf.stream/1. A stream is inside the model from open() until its generation is over; afterwards it knows no model. */
#include <stdlib.h>

#include "backend_call.h"
#include "pull.h"

/* What is in flight of a stream, whether or not its thread has come as far as the call. */
struct flight {
	inf_model *model;
	struct gr_call whole;
};

static void land(struct flight *self)
{
	gr_call_unlist(&self->whole);
	free(self);
}

static struct ic_pull *pull_of(inf_stream *stream)
{
	return (struct ic_pull *)stream;
}

static inf_status begin(void *user, void *stream, const char *request_id, inf_error *err)
{
	struct flight *self = user;
	return gr_call_list_whole(&self->whole, self->model, request_id, stream, err);
}

static inf_status run(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
		      inf_error *err)
{
	struct flight *flight = user;
	inf_model *model = flight->model;
	inf_error error = { .struct_size = sizeof error };
	inf_status st = gr_model_answer(model, NULL, input, params, result, &error);
	land(flight);
	return gr_model_finish(model, st, &error, err);
}

static inf_status stopped(void *user, const void *stream)
{
	const struct flight *self = user;
	return gr_call_told(self->model, stream);
}

static inf_status open_inside(struct ic_pull **out, inf_model *model, const inf_input *input, const inf_gen_params *params,
			      inf_error *err)
{
	struct flight *flight = calloc(1, sizeof *flight);
	const struct ic_pull_job job = { .begin = begin, .run = run, .stopped = stopped, .user = flight };
	if (!flight)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	flight->model = flight->whole.model = model;
	inf_status st = ic_pull_open(out, input, params, &job, err);
	if (st != INF_OK)
		land(flight);
	return st;
}

static inf_status INF_CALL open_stream(inf_model *model, const inf_input *input, const inf_gen_params *params,
				       inf_stream **out, inf_error *err)
{
	struct ic_pull *pull = NULL;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "open: out is NULL");
	*out = NULL;
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = open_inside(&pull, model, input, params, err);
	if (st != INF_OK)
		gr_slots_leave(model->slots);
	else
		*out = (inf_stream *)pull;
	return st;
}

static inf_status INF_CALL next(inf_stream *stream, int32_t timeout_ms, int32_t *event, const inf_token **token,
				inf_error *err)
{
	return ic_pull_next(pull_of(stream), timeout_ms, event, token, err);
}

static int32_t INF_CALL descriptor(inf_stream *stream)
{
	return ic_pull_descriptor(pull_of(stream));
}

static inf_status INF_CALL result(inf_stream *stream, inf_gen_result *out, inf_error *err)
{
	return ic_pull_result(pull_of(stream), out, err);
}

static void INF_CALL cancel(inf_stream *stream)
{
	ic_pull_cancel(pull_of(stream));
}

static void INF_CALL close_stream(inf_stream *stream)
{
	ic_pull_close(pull_of(stream));
}

const inf_streams gr_streams_table = {
	sizeof gr_streams_table, 0, open_stream, next, descriptor, result, cancel, close_stream,
};
