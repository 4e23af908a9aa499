/* SPDX-License-Identifier: MIT */
#include "backend_call.h"
#include "batch.h"

static inf_status generate(void *model, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
			   inf_error *err)
{
	if (input->msgs || input->msg_count)
		return gr_backend_chat(model, input->msgs, input->msg_count, params, result, err);
	return gr_backend_generate(model, input->prompt, input->prompt_len, params, result, err);
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
	const struct ic_batch_target target = { generate, model, ic_batch_width(&info) };
	inf_read_request(&known, sizeof known, params, inf_batch_params_V1_0, 0, 0);	/* what is wrong with them is said below */
	if (st == INF_OK)
		st = gr_call_list_whole(&whole, model, known.request_id, NULL, err);
	if (st == INF_OK) {
		st = ic_batch_run(&target, inputs, count, params, err);
		gr_call_unlist(&whole);
	}
	gr_slots_leave(model->slots);
	return st;
}

const inf_batch gr_batch_table = { .struct_size = sizeof gr_batch_table, .run = run };
