/* SPDX-License-Identifier: MIT */
/* inf.stream/1. A stream is inside the model from open() until its generation is over; afterwards it knows no model. It has a
 * thread, which makes it ready and sleeps while one thread of the model reads what all its streams are answered. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "backend_call.h"
#include "pull.h"

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

static bool start_thread(inf_model *model)
{
	pthread_attr_t attr;
	sigset_t all, old;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, IC_PULL_STACK);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int error = pthread_create(&model->streams.thread, &attr, read_all, model);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error == 0;
}

/* From the first stream on. NULL where descriptors or threads are scarce: the streams work without it. */
static struct gr_http_reader *take_reader(inf_model *model)
{
	struct gr_stream_reader *self = &model->streams;
	pthread_mutex_lock(&model->lock);
	if (!self->reader && gr_http_reader_new(&self->reader, NULL) == INF_OK && !start_thread(model)) {
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

static struct ic_pull *pull_of(inf_stream *stream)
{
	return (struct ic_pull *)stream;
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
static inf_status open_inside(struct ic_pull **out, inf_model *model, const inf_input *input, const inf_gen_params *params,
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
