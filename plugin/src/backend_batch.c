/* SPDX-License-Identifier: MIT */
/* inf.batch/1. Each input has a thread, which makes it ready and sleeps while the thread of the call reads what all of them are
 * answered. */
#include <pthread.h>

#include "backend_call.h"
#include "batch.h"

struct batch {
	inf_model *model;
	pthread_t caller;		/* which turns the reader, unless it has no thread to read for */
	struct gr_reading reading;	/* reader NULL = each reads its own */
};

static inf_status generate(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
			   inf_error *err)
{
	const struct batch *self = user;
	inf_error error = { .struct_size = sizeof error };
	inf_status st = gr_model_enter(self->model, err);
	if (st != INF_OK)
		return st;
	bool alone = !self->reading.reader || pthread_equal(self->caller, pthread_self());
	st = gr_model_answer(self->model, alone ? NULL : &self->reading, input, params, result, &error);
	return gr_model_finish(self->model, st, &error, err);
}

static void wait(void *user, int wait_ms, bool ends)
{
	gr_http_reader_turn(user, wait_ms, ends);
}

static void wake(void *user)
{
	gr_http_reader_wake(user);
}

static inf_status run_read(inf_model *model, int32_t slots, const inf_input *const *inputs, size_t count,
			   const inf_batch_params *params, inf_error *err)
{
	struct batch self = { .model = model, .caller = pthread_self() };
	if (slots > 1 && count > 1)
		gr_http_reader_new(&self.reading.reader, NULL);		/* where descriptors are scarce it works without */
	const struct ic_fanout_waiter waiter = { wait, wake, self.reading.reader };
	const struct ic_batch_target target = { generate, &self, slots, self.reading.reader ? &waiter : NULL };
	inf_status st = ic_batch_run(&target, inputs, count, params, err);
	gr_http_reader_free(self.reading.reader);
	return st;
}

static inf_status run(inf_model *model, const inf_input *const *inputs, size_t count, const inf_batch_params *params,
		      inf_error *err)
{
	inf_model_info info = { .struct_size = sizeof info };
	inf_batch_params known = { 0 };
	struct gr_call whole;
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = gr_backend_info(model, &info, err);
	inf_read_request(&known, sizeof known, params, inf_batch_params_V1_0, 0, 0);	/* what is wrong with them is said below */
	if (st == INF_OK)
		st = gr_call_list_whole(&whole, model, known.request_id, NULL, err);
	if (st == INF_OK) {
		st = run_read(model, ic_batch_width(&info), inputs, count, params, err);
		gr_call_unlist(&whole);
	}
	gr_slots_leave(model->slots);
	return st;
}

const inf_batch gr_batch_table = { .struct_size = sizeof gr_batch_table, .run = run };
