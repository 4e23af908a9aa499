/* SPDX-License-Identifier: MIT */
/* inf.stream/1. A stream is inside the model from open() until its generation is over; afterwards it knows no model. It has a
 * thread, which makes it ready and sleeps while one thread of the model reads what all its streams are answered. */
#include <limits.h>
#include <stdlib.h>

#include "backend_call.h"
#include "pull.h"
#include "thread.h"

/* What is in flight of a stream, whether or not its thread has come as far as the call. */
struct flight {
	inf_model *model;
	void *pull;
	struct gr_http_reader *reader;	/* NULL = it reads itself */
	struct gr_call whole;
};

/* ---- the thread that reads ----------------------------------------------------------------------------------------- */
static void *read_all(void *model)
{
	struct gr_stream_reader *self = &((inf_model *)model)->streams;
	pthread_setname_np(pthread_self(), "inf-reader");
	while (!atomic_load(&self->ends))
		gr_http_reader_turn(self->reader, INT_MAX, false);
	return NULL;
}

/* From the first stream on. NULL where descriptors or threads are scarce: the streams work without it. */
static struct gr_http_reader *take_reader(inf_model *model)
{
	struct gr_stream_reader *self = &model->streams;
	pthread_mutex_lock(&model->lock);
	if (!self->reader && gr_http_reader_new(&self->reader, NULL) == INF_OK &&
	    ic_thread_start(&self->thread, IC_PULL_STACK, read_all, model) != 0) {
		gr_http_reader_free(self->reader);
		self->reader = NULL;
	}
	struct gr_http_reader *reader = self->reader;
	pthread_mutex_unlock(&model->lock);
	return reader;
}

void gr_streams_end(inf_model *model)
{
	struct gr_stream_reader *self = &model->streams;
	if (!self->reader)
		return;
	atomic_store(&self->ends, true);
	gr_http_reader_wake(self->reader);
	pthread_join(self->thread, NULL);
	gr_http_reader_free(self->reader);
	self->reader = NULL;
}

/* ---- a generation --------------------------------------------------------------------------------------------------- */
static void land(struct flight *self)
{
	gr_call_unlist(&self->whole);
	free(self);
}

static inf_status begin(void *user, void *stream, const char *request_id, inf_error *err)
{
	struct flight *self = user;
	self->pull = stream;
	return gr_call_list_whole(&self->whole, self->model, request_id, stream, err);
}

static inf_status run(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
		      inf_error *err)
{
	struct flight *flight = user;
	inf_model *model = flight->model;
	inf_error error = { .struct_size = sizeof error };
	const struct gr_reading reading = { flight->reader, ic_pull_taken };
	inf_status st = gr_model_answer(model, flight->reader ? &reading : NULL, input, params, result, &error);
	ic_pull_last(flight->pull);
	land(flight);
	return gr_model_finish(model, st, &error, err);
}

static inf_status stopped(void *user, const void *stream)
{
	const struct flight *self = user;
	return gr_call_told(self->model, stream);
}

static void room(void *user)
{
	const struct flight *self = user;
	gr_http_reader_wake(self->reader);
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */
static inf_status open_inside(inf_stream **out, inf_model *model, const inf_input *input, const inf_gen_params *params,
			      inf_error *err)
{
	struct flight *flight = calloc(1, sizeof *flight);
	if (!flight)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	flight->model = flight->whole.model = model;
	flight->reader = take_reader(model);
	const struct ic_pull_job job = {
		.begin = begin, .run = run, .stopped = stopped, .room = flight->reader ? room : NULL, .user = flight,
	};
	inf_status st = ic_pull_open(out, input, params, &job, err);
	if (st != INF_OK)
		land(flight);
	return st;
}

static inf_status INF_CALL open_stream(inf_model *model, const inf_input *input, const inf_gen_params *params,
				       inf_stream **out, inf_error *err)
{
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "open: out is NULL");
	*out = NULL;
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = open_inside(out, model, input, params, err);
	if (st != INF_OK)
		gr_slots_leave(model->slots);
	return st;
}

const inf_streams gr_streams_table = {
	sizeof gr_streams_table, 0, open_stream, ic_pull_next, ic_pull_descriptor, ic_pull_result, ic_pull_cancel, ic_pull_close,
};
