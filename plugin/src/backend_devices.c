/* SPDX-License-Identifier: MIT */
/* What a model runs on: the devices of a load, what of it they can hold, and the proof that it is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "fail.h"

enum {
	LOG_LATE_MS = 1000,		/* longest wait for the line that ends the log of a load */
	LOG_ASK_MS = 2,
	MEMORY_LOOK_MS = 50,
	MEMORY_SETTLED_MS = 300,	/* free memory that has not grown for so long will not */
	MEMORY_WAIT_MS = 10000,
	PROJECTOR_SHARE = 2,		/* times its weights: as much again to compute with, which was assumed and not measured */
};

static const uint64_t server_fit_margin = UINT64_C(1) << 30;	/* llama-server's own default for a device */

/* ---- the choice ------------------------------------------------------------------------------------------------ */
void gr_devices_release(inf_model *self)
{
	if (gr_profile.devices.release)
		gr_profile.devices.release(&self->devices);
	self->devices = (struct gr_device_choice)GR_DEVICE_CHOICE_INIT;
}

static struct gr_device_query query_of(const inf_instance *instance, const char *server, const struct gr_devlog *listed)
{
	return (struct gr_device_query){ .options = &instance->options, .env = instance->env.items, .server = server,
					 .listed = listed };
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void gr_devices_reserve(const struct gr_start *start, struct gr_fit_device *first)
{
	first->reserve_bytes = add(first->reserve_bytes, start->adapter_bytes);
	for (int i = 0; i < PROJECTOR_SHARE; i++)
		first->reserve_bytes = add(first->reserve_bytes, start->projector_bytes);
}

static void choose(inf_model *self, const struct gr_devlog *listed, uint64_t need_bytes)
{
	const struct gr_start *start = self->start;
	struct gr_device_query query = query_of(self->instance, start->facts.file.path, listed);
	query.wish = start->devices;
	query.need_bytes = need_bytes;
	gr_devices_release(self);
	if (gr_profile.devices.choose)	/* else all devices are those of other machines */
		gr_profile.devices.choose(&query, &self->devices);
	if (self->devices.memory_count)
		gr_devices_reserve(start, self->devices.memory);
}

static uint64_t free_bytes(const struct gr_device_choice *choice)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < choice->memory_count; i++)
		sum = add(sum, choice->memory[i].free_bytes);
	return sum;
}

/* Each device more has a price of its own, so what a load needs is known only for devices that were chosen. */
static void choose_enough(inf_model *self, const struct gr_devlog *listed)
{
	const struct gr_launch_plan *plan = &self->start->plan;
	const struct gr_fit_model model = { &self->start->set.facts, &self->start->set.layers };
	const struct gr_fit_load memory = gr_launch_memory(plan);
	const struct gr_fit_device ideal = { 0, 0 };
	uint64_t need = plan->fit == GR_FIT_AUTO ? gr_fit_total(&model, &memory, &ideal, 1) : 0;
	for (uint32_t before = 0;;) {
		const struct gr_device_choice *choice = &self->devices;
		choose(self, listed, need);
		if (plan->fit != GR_FIT_AUTO || choice->refusal.code || choice->memory_count <= before)
			return;
		before = choice->memory_count;
		need = gr_fit_total(&model, &memory, choice->memory, choice->memory_count);
		if (need <= free_bytes(choice))
			return;
	}
}

/* A server that cannot say what there is, is no obstacle where the CPU is allowed. */
static inf_status ask_and_choose(inf_model *self, const struct gr_progress *progress, inf_error *err)
{
	struct gr_devlog listed;
	struct gr_early early = { progress, 0 };
	inf_error why = { .struct_size = sizeof why };
	inf_status st = gr_instance_devices(self->instance, &self->start->facts.file, gr_report_early, &early, &listed, &why);
	gr_devices_release(self);
	if (st == INF_OK) {
		choose_enough(self, &listed);
	} else if (st == INF_E_UNAVAILABLE && self->start->flags & INF_LOAD_FLAG_ALLOW_CPU) {
		gr_log(self->instance, INF_LOG_WARN, "%s", why.message);
		gr_refuse(&self->devices.refusal, "devices_unknown", "llama-server does not say which devices there are");
		st = INF_OK;
	} else {
		inf_write_struct(err, &why, sizeof why);
	}
	return st;
}

static inf_status refuse(const struct gr_refusal *refusal, inf_error *err)
{
	char text[GR_REFUSAL_TEXT_MAX];
	gr_refusal_text(refusal, text);
	return inf_fail(err, gr_refusal_status(refusal), refusal->code, "%s", text);
}

/* ---- the memory ------------------------------------------------------------------------------------------------ */
static void tell(const inf_model *self, const struct gr_launch_plan *plan, const struct gr_fit_plan *fits)
{
	if (fits->limit == GR_FIT_LIMIT_LAYERS)
		gr_log(self->instance, INF_LOG_WARN,
		       "only %d layers of the model fit into device memory: the CPU takes the rest", fits->gpu_layers);
	if (fits->context_len < (uint32_t)plan->context_len)
		gr_log(self->instance, INF_LOG_WARN, "context of %u tokens instead of %d: more does not fit into device memory",
		       fits->context_len, plan->context_len);
}

static inf_status fit(inf_model *self, struct gr_fit_plan *fits, inf_error *err)
{
	const struct gr_device_choice *choice = &self->devices;
	const struct gr_start *start = self->start;
	const struct gr_fit_model model = { &start->set.facts, &start->set.layers };
	const struct gr_fit_load wanted = gr_launch_memory(&start->plan);
	return gr_fit_choose(&model, &wanted, start->plan.fixed, choice->memory, choice->memory_count, start->set.path, fits,
			     err);
}

/* The memory of a process that has just ended comes back late. */
struct patience {
	const struct gr_progress *progress;
	int64_t until_ms, moved_ms;
	uint64_t free_bytes;
};

/* INF_OK: look again. Else there is no more to come, or the caller has enough. */
static inf_status wait_for_memory(inf_model *self, struct patience *p)
{
	const inf_progress progress = { .struct_size = sizeof progress, .stage = INF_STAGE_START, .fraction = -1 };
	const struct timespec a_little = { .tv_nsec = MEMORY_LOOK_MS * 1000000L };
	const struct gr_progress *to = p->progress;
	int64_t now = gr_now_ms();
	if (free_bytes(&self->devices) > p->free_bytes)
		p->moved_ms = now;
	p->free_bytes = free_bytes(&self->devices);
	if (now - p->moved_ms >= MEMORY_SETTLED_MS || now >= p->until_ms)
		return INF_E_NO_VRAM;
	if (to->on_progress && to->on_progress(to->user, &progress) != INF_CONTINUE)
		return INF_E_CANCELLED;
	nanosleep(&a_little, NULL);
	return INF_OK;
}

static inf_status choose_and_fit(inf_model *self, const struct gr_progress *progress, inf_error *err)
{
	int64_t now = gr_now_ms();
	struct patience patience = { progress, now + MEMORY_WAIT_MS, now, 0 };
	struct gr_launch_plan *plan = &self->start->plan;
	struct gr_fit_plan fits;
	for (;;) {
		inf_status st = ask_and_choose(self, progress, err);
		if (st == INF_OK && !self->devices.refusal.code && self->start->workers.list.count)
			st = gr_rpc_take(self, progress, err);
		if (st != INF_OK)
			return st;
		if (self->devices.refusal.code || plan->fit != GR_FIT_AUTO)
			return INF_OK;
		if (!self->devices.memory_count) {
			gr_log(self->instance, INF_LOG_WARN, "how much device memory is free is not known: nothing is fitted to it");
			return INF_OK;
		}
		st = fit(self, &fits, err);
		if (st == INF_OK)
			break;
		inf_status wait = wait_for_memory(self, &patience);
		if (wait == INF_E_CANCELLED)
			return inf_fail(err, wait, "cancelled", "the load was cancelled");
		if (wait != INF_OK)
			return st;
	}
	tell(self, plan, &fits);
	gr_launch_shrink(plan, &fits);
	return INF_OK;
}

inf_status gr_devices_plan(inf_model *self, const struct gr_progress *progress, inf_error *err)
{
	struct gr_launch_plan *plan = &self->start->plan;
	bool allow_cpu = self->start->flags & INF_LOAD_FLAG_ALLOW_CPU;
	bool remote = self->start->workers.list.count;
	inf_status st = INF_OK;
	self->device = "none";
	if ((!gr_profile.devices.choose && !remote) || plan->gpu_layers == 0)
		return INF_OK;
	if (remote)
		st = gr_rpc_find(self, progress, err);
	if (st == INF_OK)
		st = choose_and_fit(self, progress, err);
	if (st != INF_OK)
		return st;
	if (self->devices.refusal.code) {
		if (allow_cpu && !remote)	/* workers that are asked for are not passed over in silence */
			plan->gpu_layers = 0;
		else
			st = refuse(&self->devices.refusal, err);
		gr_devices_release(self);
		return st;
	}
	if (self->devices.env.failed)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the choice of a device");
	if (self->devices.text[0])
		gr_log(self->instance, INF_LOG_INFO, "%s", self->devices.text);
	if (self->devices.unseen_bytes)
		plan->fit_target_bytes = server_fit_margin + self->devices.unseen_bytes;
	plan->rpc = remote && plan->gpu_layers ? self->start->workers.argument : NULL;
	if (plan->gpu_layers == 0)	/* only where the CPU is allowed */
		gr_devices_release(self);
	else
		self->device = allow_cpu && gr_profile.devices.choose && !gr_profile.question.env ? NULL : self->devices.argument;
	return INF_OK;
}

/* ---- the proof ------------------------------------------------------------------------------------------------- */
/* Weights that the server says are in the host's memory. */
static uint64_t host_bytes(const struct gr_devlog *log)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < log->count; i++)
		if (strncmp(log->devices[i].id, "CPU", 3) == 0)
			sum += log->devices[i].model_bytes;
	return sum;
}

static void add_device(char *list, size_t cap, const char *id)
{
	size_t len = strlen(list);
	snprintf(list + len, cap - len, "%s%s", len ? "," : "", id);
}

/* What the log proves. The server says "offloaded 5/5 layers to GPU" without any GPU too, so memory is what counts. */
static void note_devices(inf_model *self, const struct gr_devlog *log)
{
	inf_model_info *info = &self->info;
	pthread_mutex_lock(&self->lock);
	info->device_memory_bytes = gr_devlog_device_bytes(log);
	info->gpu_layers = info->device_memory_bytes ? log->offloaded : host_bytes(log) ? 0 : -1;
	info->devices[0] = '\0';
	for (size_t i = 0; i < log->count; i++)
		if (log->devices[i].model_bytes && strncmp(log->devices[i].id, "CPU", 3) != 0 &&
		    !strstr(log->devices[i].id, "_Host"))
			add_device(info->devices, sizeof info->devices, log->devices[i].id);
	if (!info->devices[0] && host_bytes(log))
		add_device(info->devices, sizeof info->devices, "cpu");
	pthread_mutex_unlock(&self->lock);
}

/* The server's log may come later than its answer: it writes it from a thread of its own. */
static char *log_of_load(inf_model *self, size_t *len)
{
	char *output = malloc(GR_SUPERVISOR_RING + 1);
	int64_t deadline = gr_now_ms() + LOG_LATE_MS;
	if (!output)
		return NULL;
	do
		*len = gr_supervisor_output(self->server, output, GR_SUPERVISOR_RING + 1);
	while (!strstr(output, "listening on") && gr_now_ms() < deadline &&
	       gr_supervisor_wait_end(self->server, LOG_ASK_MS) <= GR_STATE_UP);
	return output;
}

static bool read_log(inf_model *self, struct gr_devlog *log)
{
	size_t len;
	char *output = log_of_load(self, &len);
	if (!output)
		return false;
	gr_devlog_init(log);
	gr_devlog_feed(log, output, len);
	free(output);
	return true;
}

static inf_status judge(inf_model *self, const struct gr_devlog *log, inf_error *err)
{
	struct gr_refusal refusal = { .code = NULL };
	char text[GR_REFUSAL_TEXT_MAX];
	if (!self->info.device_memory_bytes && host_bytes(log))
		return inf_fail(err, INF_E_UNAVAILABLE, "cpu_fallback",
				"llama-server put the model on the CPU although %s was asked for: allow the CPU, or use another "
				"llama-server", self->device);
	if (gr_profile.devices.verify)
		gr_profile.devices.verify(&self->devices, log, &refusal);
	if (!refusal.code)
		return INF_OK;
	gr_refusal_text(&refusal, text);
	return inf_fail(err, INF_E_UNAVAILABLE, refusal.code, "%s", text);
}

inf_status gr_devices_prove(inf_model *self, inf_error *err)
{
	inf_status st = INF_OK;
	if (self->device && strcmp(self->device, "none") == 0) {
		pthread_mutex_lock(&self->lock);
		snprintf(self->info.devices, sizeof self->info.devices, "cpu");
		pthread_mutex_unlock(&self->lock);
		return INF_OK;
	}
	struct gr_devlog *log = calloc(1, sizeof *log);
	if (!log || !read_log(self, log)) {
		free(log);
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's log");
	}
	note_devices(self, log);
	if (!(self->start->flags & INF_LOAD_FLAG_ALLOW_CPU))
		st = judge(self, log, err);
	free(log);
	return st;
}

inf_status gr_speculation_prove(inf_model *self, inf_error *err)
{
	static const char words[] = "failed to initialize speculative decoding context";
	const struct gr_launch_plan *plan = &self->start->plan;
	size_t len;
	inf_status st = INF_OK;
	if (!plan->draft_path && !plan->speculative)
		return INF_OK;
	char *output = log_of_load(self, &len);
	if (!output)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's log");
	const char *said = strstr(output, words);
	if (said && plan->draft_path)
		st = inf_fail(err, INF_E_BAD_MODEL, "draft_rejected",
			      "llama-server cannot use %s as a draft for this model: take one with the same vocabulary, or leave "
			      "draft-model out; its words: %.*s", plan->draft_path, (int)strcspn(said, "\r\n"), said);
	else if (said)
		st = inf_fail(err, INF_E_UNSUPPORTED, "speculative_rejected",
			      "llama-server cannot guess tokens ahead for this model: leave the option speculative out; its words: %.*s",
			      (int)strcspn(said, "\r\n"), said);
	free(output);
	return st;
}

/* ---- inf.devices/1 --------------------------------------------------------------------------------------------- */
/* The server, and what it says now. Profiles that find the devices themselves also do without a server: path "". */
static inf_status ask_server(inf_instance *self, struct gr_server_file *file, struct gr_devlog *out, inf_error *err)
{
	bool needed = gr_profile.question.env;
	inf_status st = gr_server_find(file, self->options.server_path, gr_profile.server_variable, self->env.items,
				       needed ? err : NULL);
	if (st == INF_OK)
		return gr_instance_devices(self, file, NULL, NULL, out, err);
	file->path[0] = '\0';
	return needed ? st : INF_OK;
}

static inf_status list(inf_instance *self, const inf_backend *backend, void *user,
		       int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	struct gr_server_file file;
	struct gr_devlog listed;
	(void)backend;
	inf_status st = gr_instance_check(self, err);
	if (st != INF_OK)
		return st;
	if (!on_device)
		return inf_fail(err, INF_E_INVALID, "argument", "list: on_device is NULL");
	st = ask_server(self, &file, &listed, err);
	const struct gr_device_query query = query_of(self, file.path[0] ? file.path : NULL, &listed);
	return st == INF_OK ? gr_profile.devices.list(&query, user, on_device, err) : st;
}

static inf_status report(inf_model *model, void *user, int32_t (*on_device)(void *user, const inf_device *device),
			 inf_error *err)
{
	struct gr_server_file file;
	struct gr_devlog listed;
	inf_status st = INF_OK;
	gr_devlog_init_list(&listed);
	if (gr_profile.question.env)
		st = ask_server(model->instance, &file, &listed, err);
	const struct gr_device_query query = query_of(model->instance, NULL, &listed);
	return st == INF_OK ? gr_profile.devices.report(&query, &model->devices, user, on_device, err) : st;
}

static inf_status of_model(inf_model *model, void *user, int32_t (*on_device)(void *user, const inf_device *device),
			   inf_error *err)
{
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	bool held = gr_server_try_hold(model);
	if (!held)
		st = inf_fail(err, INF_E_BUSY, "restart_busy", "llama-server ended and is being started again: ask again");
	else if (!on_device)
		st = inf_fail(err, INF_E_INVALID, "argument", "of_model: on_device is NULL");
	else if (!model->devices.argument[0])
		st = inf_fail(err, INF_E_UNAVAILABLE, "on_cpu", "no device was chosen for the model: it runs on the CPU");
	else
		st = report(model, user, on_device, err);
	if (held)
		gr_server_let_go(model);
	gr_slots_leave(model->slots);
	return st;
}

const inf_devices gr_devices_table = { .struct_size = sizeof gr_devices_table, .list = list, .of_model = of_model };
