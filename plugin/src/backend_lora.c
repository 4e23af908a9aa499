/* SPDX-License-Identifier: MIT */
/* LoRA adapters of a model: read at load, and their scales changed while it runs (inf.lora/1). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend_call.h"
#include "fail.h"
#include "gguf_kind.h"
#include "modelfile.h"
#include "pathtext.h"

enum { BEGIN_TIMEOUT_MS = 10000, TAKE_BACK_MS = 1000, BODY_MAX = 64 << 10 };

/* ---- at load --------------------------------------------------------------------------------------------------- */
static inf_status check_file(const struct gr_gguf *adapter, const struct gr_gguf *model, const char *path, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	gr_pathtext(path, shown);
	if (gr_gguf_kind(adapter) != GR_GGUF_KIND_ADAPTER)
		return inf_fail(err, INF_E_BAD_MODEL, "not_an_adapter", "the file is not a LoRA adapter: %s", shown);
	if (adapter->architecture[0] && strcmp(adapter->architecture, model->architecture) != 0)
		return inf_fail(err, INF_E_BAD_MODEL, "adapter",
				"%s: the adapter is for a model of the architecture \"%s\", this one's is \"%s\": use the model it was "
				"made for", shown, adapter->architecture, model->architecture);
	return INF_OK;
}

inf_status gr_lora_read(struct gr_start *start, inf_error *err)
{
	struct gr_gguf adapter;
	for (size_t i = 0; i < start->adapters.count; i++) {
		const char *path = start->adapters.items[i].path;
		inf_status st = gr_modelfile_read(path, &adapter, err);
		if (st == INF_OK)
			st = check_file(&adapter, &start->set.facts, path, err);
		if (st != INF_OK)
			return st;
		if (__builtin_add_overflow(start->adapter_bytes, adapter.tensor_bytes, &start->adapter_bytes))
			start->adapter_bytes = UINT64_MAX;
	}
	return INF_OK;
}

/* ---- the server's scales --------------------------------------------------------------------------------------- */
static void read_scales(const struct gr_adapters *adapters, float scales[GR_ADAPTERS_MAX])
{
	for (size_t i = 0; i < adapters->count; i++)
		scales[i] = adapters->items[i].scale;
}

static bool all_as_trained(const struct gr_adapters *adapters)
{
	for (size_t i = 0; i < adapters->count; i++)
		if (adapters->items[i].scale != 1)
			return false;
	return true;
}

/* Those of the model; no caller is asked whether to go on. */
static inf_status tell_scales(inf_model *self, int timeout_ms, inf_error *err)
{
	const struct gr_adapters *adapters = &self->start->adapters;
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	float scales[GR_ADAPTERS_MAX];
	int code = 0;
	read_scales(adapters, scales);
	inf_status st = gr_wire_encode_adapters(&body, scales, adapters->count);
	if (st != INF_OK)
		return gr_call_encode_failed(st, err);
	const struct gr_http_request request = {
		.path = "/lora-adapters", .body = body.data, .body_len = body.len, .timeout_ms = timeout_ms,
	};
	st = gr_http_perform(self->http, &request, &code, err);
	gr_buf_release(&body);
	if (st == INF_OK && code != 200)
		st = inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server answers the scales of the adapters with HTTP status "
			      "%d", code);
	return st;
}

/* Not in argv: the server's form for it has changed, and cannot carry every path. */
inf_status gr_lora_begin(inf_model *self, inf_error *err)
{
	return all_as_trained(&self->start->adapters) ? INF_OK : tell_scales(self, BEGIN_TIMEOUT_MS, err);
}

/* ---- a new scale ----------------------------------------------------------------------------------------------- */
struct change {
	int32_t index;
	float scale;
	struct gr_buf body, answer;
};

/* Else the server would go on from what it has evaluated with the old scales. */
static inf_status erase_slots(struct gr_call *call, struct change *change)
{
	static const struct gr_buf nothing = { .data = (char *)"{}", .len = 2 };
	char path[48];
	const struct gr_question question = { .kind = GR_QUESTION_COMPUTES, .path = path, .body = &nothing,
					      .answer = &change->answer };
	for (int32_t i = 0; i < call->model->info.parallel_slots; i++) {
		snprintf(path, sizeof path, "/slots/%d?action=erase", (int)i);
		inf_status st = gr_call_ask(call, &question);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

/* After a failure it is not known whether the server took the new scales: it takes the old ones again, or ends. */
static void take_back(inf_model *model)
{
	if (gr_supervisor_state(model->server) <= GR_STATE_UP && tell_scales(model, TAKE_BACK_MS, NULL) != INF_OK)
		gr_server_give_up(model, INF_E_BACKEND_DIED, "scale_unknown", "did not take back the scale of an adapter", NULL);
}

/* All slots are ours, so nobody else writes the scales. In this order: a change that ends half way costs time, no more. */
static inf_status apply(struct gr_call *call, void *user)
{
	struct change *change = user;
	inf_model *model = call->model;
	struct gr_adapters *adapters = &model->start->adapters;
	const struct gr_question question = { .kind = GR_QUESTION_COMPUTES, .path = "/lora-adapters", .body = &change->body,
					      .answer = &change->answer };
	float scales[GR_ADAPTERS_MAX];
	read_scales(adapters, scales);
	scales[change->index] = change->scale;
	gr_buf_reset(&change->body);
	inf_status st = gr_wire_encode_adapters(&change->body, scales, adapters->count);
	if (st != INF_OK)
		return gr_call_encode_failed(st, call->err);
	st = erase_slots(call, change);
	if (st != INF_OK)
		return st;
	st = gr_call_ask(call, &question);
	if (st != INF_OK) {
		take_back(model);
		return st;
	}
	pthread_mutex_lock(&model->lock);
	adapters->items[change->index].scale = change->scale;
	pthread_mutex_unlock(&model->lock);
	return INF_OK;
}

static inf_status check_change(const inf_model *model, int32_t index, float scale, inf_error *err)
{
	size_t count = model->start->adapters.count;
	if (index < 0 || (size_t)index >= count)
		return inf_fail(err, INF_E_INVALID, "adapter_index", "adapter %d does not exist: the model has %zu, counted from 0",
				index, count);
	if (!isfinite(scale))
		return inf_fail(err, INF_E_INVALID, "adapter_scale", "the scale of an adapter is a finite number");
	return INF_OK;
}

static inf_status INF_CALL set_scale(inf_model *model, int32_t index, float scale, const inf_call_params *params,
				     inf_error *err)
{
	struct gr_call call;
	struct change change = { index, scale, GR_BUF_INIT(BODY_MAX), GR_BUF_INIT(BODY_MAX) };
	const struct gr_call_work work = { .run = apply, .user = &change, .alone = true };
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	st = check_change(model, index, scale, err);
	if (st == INF_OK)
		st = gr_call_run(&call, &work);
	gr_buf_release(&change.body);
	gr_buf_release(&change.answer);
	gr_call_leave(&call);
	return st;
}

/* ---- the list -------------------------------------------------------------------------------------------------- */
static inf_status INF_CALL list(inf_model *model, void *user,
				int32_t (INF_CALL *on_adapter)(void *user, const inf_adapter *adapter), inf_error *err)
{
	float scales[GR_ADAPTERS_MAX];
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	const struct gr_adapters *adapters = &model->start->adapters;
	pthread_mutex_lock(&model->lock);
	read_scales(adapters, scales);
	pthread_mutex_unlock(&model->lock);
	for (size_t i = 0; on_adapter && i < adapters->count; i++) {
		const inf_adapter adapter = { .struct_size = sizeof adapter, .path = adapters->items[i].path, .index = (int32_t)i,
					      .scale = scales[i] };
		if (on_adapter(user, &adapter) != INF_CONTINUE)
			break;
	}
	gr_slots_leave(model->slots);
	return on_adapter ? INF_OK : inf_fail(err, INF_E_INVALID, "argument", "list: on_adapter is NULL");
}

const inf_lora gr_lora_table = { .struct_size = sizeof(inf_lora), .list = list, .set_scale = set_scale };
