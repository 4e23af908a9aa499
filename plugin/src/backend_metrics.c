/* SPDX-License-Identifier: MIT */
/* inf.metrics/1: what the calls on a model took, counted once for each, and how its server is now. */
#include "backend.h"

void gr_metrics_begin(inf_model *self, inf_status st)
{
	pthread_mutex_lock(&self->lock);
	self->counters.requests += st == INF_OK;
	self->counters.refused += st == INF_E_BUSY;
	pthread_mutex_unlock(&self->lock);
}

void gr_metrics_end(inf_model *self, inf_status st)
{
	pthread_mutex_lock(&self->lock);
	self->counters.cancelled += st == INF_E_CANCELLED;
	self->counters.failed += st != INF_E_CANCELLED && st != INF_OK;
	pthread_mutex_unlock(&self->lock);
}

void gr_metrics_add(inf_model *self, const inf_gen_result *result)
{
	struct gr_counters *counters = &self->counters;
	pthread_mutex_lock(&self->lock);
	counters->prompt_tokens += (uint64_t)result->prompt_tokens;
	counters->cached_tokens += (uint64_t)result->cached_tokens;
	counters->generated_tokens += (uint64_t)result->generated_tokens;
	counters->prefill_ns += (uint64_t)result->prefill_ns;
	counters->decode_ns += (uint64_t)result->decode_ns;
	pthread_mutex_unlock(&self->lock);
}

void gr_metrics_restart(inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	self->counters.restarts++;
	pthread_mutex_unlock(&self->lock);
}

static void read_counters(inf_model *self, inf_metrics_report *out)
{
	int busy, waiting;
	gr_slots_count(self->slots, &busy, &waiting);
	pthread_mutex_lock(&self->lock);
	const struct gr_counters *counters = &self->counters;
	*out = (inf_metrics_report){
		.struct_size = sizeof *out,
		.requests = counters->requests,
		.requests_failed = counters->failed,
		.requests_cancelled = counters->cancelled,
		.requests_refused = counters->refused,
		.prompt_tokens = counters->prompt_tokens,
		.cached_tokens = counters->cached_tokens,
		.generated_tokens = counters->generated_tokens,
		.prefill_ns = counters->prefill_ns,
		.decode_ns = counters->decode_ns,
		.restarts = counters->restarts,
		.device_memory_bytes = self->info.device_memory_bytes,
		.slots = self->info.parallel_slots,
		.slots_busy = busy,
		.queue_depth = waiting,
	};
	pthread_mutex_unlock(&self->lock);
}

static void read_server(inf_model *self, inf_metrics_report *out)
{
	struct gr_activity activity = { 0 };
	if (!gr_server_try_hold(self))
		return;
	if (self->server && gr_supervisor_state(self->server) <= GR_STATE_UP) {
		out->running = 1;
		out->uptime_ns = (gr_now_ms() - self->started_ms) * 1000000;
		if (gr_supervisor_activity(self->server, &activity))
			out->host_memory_bytes = activity.resident_bytes;
	}
	gr_server_let_go(self);
}

static inf_status INF_CALL read_metrics(inf_model *model, inf_metrics_report *out, inf_error *err)
{
	inf_metrics_report report;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "metrics: out is NULL");
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	read_counters(model, &report);
	read_server(model, &report);
	inf_write_struct(out, &report, sizeof report);
	gr_slots_leave(model->slots);
	return INF_OK;
}

const inf_metrics gr_metrics_table = { sizeof gr_metrics_table, 0, read_metrics };
