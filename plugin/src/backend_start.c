/* SPDX-License-Identifier: MIT */
/* One start of a model's server: from the plan to an answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "backend.h"
#include "diagnose.h"
#include "fail.h"
#include "modelfile.h"

enum {
	KEY_BYTES = 16,
	HEALTH_TIMEOUT_MS = 2000,
	PROPS_TIMEOUT_MS = 10000,
	PROPS_MAX = 8 << 20,
	/* How often a loading server is asked: when it has said something, as it does when it becomes ready, and from time to
	 * time, a hundredth of the time passed, in case that it says nothing. */
	ASK_SPOKE_MS = 1, ASK_MIN_MS = 2, ASK_MAX_MS = 25, ASK_SHARE = 100,
	REPORT_MS = 60,			/* between two progress reports; who waits for a restart is to be asked every 100 */
	DEVICE_LOOK_MS = 1000,		/* without another sign of life, before the devices are asked */
	DEVICE_GROWTH = 16 << 20,	/* bytes: a desktop on the same card moves less, and to and fro */
	REMOTE_PATIENCE = 5,		/* times the stall limit, for models on a network file system */
	DEATH_NOTICE_MS = 500,		/* after a connection broke: how long the server's end may take to be seen */
	/* Answering our own questions costs the server CPU time too: only more than this of a second is movement. */
	CPU_WINDOW_MS = 1000, CPU_IDLE_TICKS = 3,
};

/* ---- the server's start ---------------------------------------------------------------------------------------- */
static inf_status make_key(char out[2 * KEY_BYTES + 1], inf_error *err)
{
	unsigned char bytes[KEY_BYTES];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return gr_fail_errno(err, INF_E_IO, errno, "random", "no random bytes for the server's key");
	for (int i = 0; i < KEY_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return INF_OK;
}

/* GPU runtimes keep compiled kernels there; without it every start would compile them again. */
static void cache_home(const inf_instance *instance, struct gr_buf *out)
{
	const char *cache = gr_env_get(instance->env.items, "XDG_CACHE_HOME");
	const char *home = gr_env_get(instance->env.items, "HOME");
	if (cache && cache[0] == '/')
		gr_buf_puts(out, cache);
	else if (home && home[0] == '/')
		gr_buf_printf(out, "%s/.cache", home);
}

static inf_status spawn_server(inf_model *self, inf_error *err)
{
	const struct gr_start *start = self->start;
	char key[2 * KEY_BYTES + 1];
	struct gr_strv argv = GR_STRV_INIT, env = GR_STRV_INIT;
	struct gr_buf cache = GR_BUF_INIT(PATH_MAX);
	inf_status st = make_key(key, err);
	if (st == INF_OK)
		st = gr_rundir_make(&self->rundir, self->instance->env.items, err);
	if (st == INF_OK)
		st = gr_http_new(&self->http, self->rundir.socket, key, err);
	if (st != INF_OK)
		goto out;
	gr_http_keep(self->http, (size_t)start->plan.slots);
	cache_home(self->instance, &cache);
	const struct gr_launch_place place = {
		.server_path = start->facts.file.path,
		.directory = self->rundir.path,
		.socket_path = self->rundir.socket,
		.home = self->rundir.home,
		.cache_home = cache.data,
		.api_key = key,
		.device = self->device,
		.extra_env = self->devices.env.items,
		.features = start->facts.features,
	};
	gr_launch_argv(&argv, &start->plan, &place);
	gr_instance_child_env(self->instance, &place, &env);
	if (argv.failed || env.failed) {
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's arguments");
		goto out;
	}
	const struct gr_supervisor_spec spec = {
		.spawn = { start->facts.file.path, argv.items, env.items, self->rundir.path },
		.on_line = gr_model_on_line,
		.user = self,
	};
	gr_instance_tell_env(self->instance, &place);
	gr_server_watch_memory(self);
	self->started_ms = gr_now_ms();
	st = gr_supervisor_start(&self->server, &spec, err);
	if (st == INF_OK)
		gr_rundir_record(&self->rundir, gr_supervisor_pid(self->server));
out:
	explicit_bzero(key, sizeof key);
	gr_buf_release(&cache);
	gr_strv_release(&argv);
	gr_strv_release(&env);
	return st;
}

/* ---- until it is ready ----------------------------------------------------------------------------------------- */
struct loading {
	inf_model *model;
	const struct gr_progress *progress;
	int64_t started_ms, reported_ms, moved_ms;
	struct gr_activity activity;
	uint64_t cpu_begin;		/* CPU ticks when the window began */
	int64_t cpu_begin_ms;
	uint64_t output_total, device_used;
	uint64_t heard;			/* output_total before the server was asked */
	int64_t stall_ms;
	int32_t stage;
	float fraction;
	bool cancelled, stalled;
};

static int32_t add_used(void *user, const inf_device *device)
{
	*(uint64_t *)user += device->memory_used;
	return INF_CONTINUE;
}

static uint64_t device_used(const inf_model *self)
{
	uint64_t used = 0;
	const struct gr_device_query query = { .options = &self->instance->options, .env = self->instance->env.items };
	/* To ask a server for its devices takes too long for a look between two others. */
	if (self->devices.argument[0] && gr_profile.devices.report && !gr_profile.question.env)
		gr_profile.devices.report(&query, &self->devices, &used, add_used, NULL);
	return used;
}

/* What the server is at, by the newest lines of its log. */
static void notice_stage(struct loading *l)
{
	char *output = malloc(GR_SUPERVISOR_RING + 1);
	int32_t stage = l->stage;
	if (!output)
		return;
	gr_supervisor_output(l->model->server, output, GR_SUPERVISOR_RING + 1);
	if (strstr(output, "load_tensors:") && l->model->devices.argument[0] && strstr(output, "model buffer size"))
		stage = INF_STAGE_UPLOAD;
	if (strstr(output, "llama_context:") || strstr(output, "warming up the model"))
		stage = INF_STAGE_WARMUP;
	free(output);
	if (stage > l->stage) {
		l->stage = stage;
		l->moved_ms = gr_now_ms();	/* each stage has its whole time */
	}
}

static bool computes(struct loading *l, uint64_t cpu_ticks, int64_t now)
{
	bool busy = cpu_ticks > l->cpu_begin + CPU_IDLE_TICKS;
	if (busy || now - l->cpu_begin_ms >= CPU_WINDOW_MS) {
		l->cpu_begin = cpu_ticks;
		l->cpu_begin_ms = now;
	}
	return busy;
}

static void notice_movement(struct loading *l, int64_t now)
{
	struct gr_activity activity = { 0 };
	uint64_t output_total = gr_supervisor_output_total(l->model->server), used = l->device_used;
	gr_supervisor_activity(l->model->server, &activity);
	if (output_total != l->output_total)
		notice_stage(l);
	if (now - l->moved_ms >= DEVICE_LOOK_MS)
		used = device_used(l->model);
	if (computes(l, activity.cpu_ticks, now) || activity.read_bytes != l->activity.read_bytes ||
	    activity.resident_bytes != l->activity.resident_bytes || output_total != l->output_total ||
	    used >= l->device_used + DEVICE_GROWTH)
		l->moved_ms = now;
	l->activity = activity;
	l->output_total = output_total;
	if (used >= l->device_used + DEVICE_GROWTH)
		l->device_used = used;
}

/* The weights arrive by read() or by being mapped in; the server's own libraries count too, so it is an estimate. */
static float estimate_fraction(const struct loading *l)
{
	uint64_t total = l->model->file.file_size;
	uint64_t have = l->activity.read_bytes > l->activity.resident_bytes ? l->activity.read_bytes :
			l->activity.resident_bytes;
	float fraction = total ? (float)((double)have / (double)total) : -1;
	if (fraction > 0.95f)
		fraction = 0.95f;
	return fraction > l->fraction ? fraction : l->fraction;
}

static bool report(struct loading *l)
{
	if (!l->progress->on_progress)
		return true;
	const inf_progress progress = {
		.struct_size = sizeof progress, .stage = l->stage, .fraction = l->fraction, .note = NULL,
	};
	return l->progress->on_progress(l->progress->user, &progress) == INF_CONTINUE;
}

/* Anything but 0 ends the wait. */
static int tick(void *user)
{
	struct loading *l = user;
	int64_t now = gr_now_ms();
	gr_model_tell_log(l->model);
	if (now - l->reported_ms >= REPORT_MS) {
		l->reported_ms = now;
		notice_movement(l, now);
		if (l->stage >= INF_STAGE_READ)
			l->fraction = estimate_fraction(l);
		if (!report(l))
			l->cancelled = true;
	}
	if (now - l->moved_ms >= l->stall_ms)
		l->stalled = true;
	return l->cancelled || l->stalled || gr_supervisor_state(l->model->server) != GR_STATE_STARTING;
}

/* 1 ready, 0 not yet, -1 an answer that no loading server gives. */
static int ask_health(struct loading *l, int *out_code)
{
	const struct gr_http_request request = {
		.path = "/health", .timeout_ms = HEALTH_TIMEOUT_MS, .on_poll = tick, .user = l,
	};
	if (faccessat(AT_FDCWD, l->model->rundir.socket, F_OK, AT_EACCESS) != 0)		/* libcurl would take longer to find that out */
		return 0;
	inf_status st = gr_http_perform(l->model->http, &request, out_code, NULL);
	if (st != INF_OK || *out_code == 503) {
		if (*out_code == 503 && l->stage < INF_STAGE_READ)
			l->stage = INF_STAGE_READ;
		return 0;
	}
	return *out_code == 200 ? 1 : -1;
}

static inf_status explain_wait(struct loading *l, inf_error *err)
{
	char words[GR_DIAGNOSE_QUOTE];
	if (l->cancelled)
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "the load was cancelled");
	if (!l->stalled) {
		gr_supervisor_wait_end(l->model->server, DEATH_NOTICE_MS);
		return gr_server_explain_death(l->model, true, err);
	}
	gr_server_last_words(l->model, words, sizeof words);
	return inf_fail(err, INF_E_TIMEOUT, "load_stalled",
			"llama-server made no progress for %lld ms while it loaded the model%s (option stall-timeout-ms); its last "
			"words: %s", (long long)l->stall_ms, gr_modelfile_is_remote(l->model->start->set.path) ?
			" from a network file system" : "", words[0] ? words : "none");
}

/* http.h has one user pointer for both callbacks. */
struct props_answer {
	struct loading *loading;
	struct gr_buf body;
	inf_status refused;		/* why the answer could not be kept */
};

static int props_body(void *user, const char *bytes, size_t len)
{
	struct props_answer *answer = user;
	answer->refused = gr_buf_append(&answer->body, bytes, len);
	return answer->refused != INF_OK;
}

static int props_tick(void *user)
{
	return tick(((struct props_answer *)user)->loading);
}

static inf_status read_props(struct loading *l, struct gr_wire_props *out, inf_error *err)
{
	struct props_answer answer = { .loading = l, .body = GR_BUF_INIT(PROPS_MAX) };
	int code = 0;
	const struct gr_http_request request = {
		.path = "/props", .timeout_ms = PROPS_TIMEOUT_MS, .on_body = props_body, .on_poll = props_tick,
		.user = &answer,
	};
	inf_status st = gr_http_perform(l->model->http, &request, &code, err);
	if (answer.refused != INF_OK)
		st = inf_fail(err, answer.refused, "server_answer", "llama-server's answer about its properties is too large");
	else if (st == INF_E_CANCELLED || st == INF_E_IO)
		st = explain_wait(l, err);
	else if (st == INF_OK && code != 200)
		st = inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server answers /props with HTTP status %d", code);
	if (st == INF_OK)
		st = gr_wire_decode_props(gr_buf_text(&answer.body), answer.body.len, out, err);
	if (st == INF_OK && (out->router || out->context_len <= 0))
		st = inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server did not load the model it was given");
	gr_buf_release(&answer.body);
	return st;
}

static void pause_before_next(struct loading *l)
{
	int64_t share = (gr_now_ms() - l->started_ms) / ASK_SHARE;
	int longest = share < ASK_MIN_MS ? ASK_MIN_MS : share > ASK_MAX_MS ? ASK_MAX_MS : (int)share;
	gr_supervisor_wait_end(l->model->server, ASK_SPOKE_MS);
	l->heard = gr_supervisor_wait_output(l->model->server, l->heard, longest - ASK_SPOKE_MS);
}

static inf_status wait_ready(inf_model *self, const struct gr_progress *progress, struct gr_wire_props *props,
			     inf_error *err)
{
	struct loading l = { .model = self, .progress = progress, .fraction = -1 };
	int code = 0;
	l.stall_ms = self->start->options.stall_timeout_ms;
	if (gr_modelfile_is_remote(self->start->set.path))
		l.stall_ms *= REMOTE_PATIENCE;
	l.started_ms = l.moved_ms = gr_now_ms();
	for (;;) {
		if (tick(&l))
			return explain_wait(&l, err);
		int health = ask_health(&l, &code);
		if (health > 0)
			break;
		if (health < 0)
			return inf_fail(err, INF_E_INTERNAL, "server_answer",
					"llama-server answers its health check with HTTP status %d", code);
		pause_before_next(&l);
	}
	inf_status st = read_props(&l, props, err);
	if (st != INF_OK)
		return st;
	memcpy(self->media_marker, props->media_marker, sizeof self->media_marker);
	gr_supervisor_set_ready(self->server);
	l.stage = INF_STAGE_READY;
	l.fraction = 1;
	l.cancelled = !report(&l);
	return l.cancelled ? explain_wait(&l, err) : INF_OK;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */
inf_status gr_server_drop(inf_model *self, inf_error *err)
{
	if (self->http)
		gr_http_drop_idle(self->http);	/* an open connection delays the server's own end */
	inf_status st = gr_supervisor_stop(self->server, err);
	self->server = NULL;
	gr_http_free(self->http);
	self->http = NULL;
	gr_rundir_remove(&self->rundir);
	return st;
}

inf_status gr_server_start(inf_model *self, const struct gr_progress *progress, struct gr_wire_props *props,
			   inf_error *err)
{
	inf_status st = gr_devices_plan(self, progress, err);
	if (st == INF_OK)
		st = spawn_server(self, err);
	if (st == INF_OK)
		st = wait_ready(self, progress, props, err);
	return st == INF_OK ? gr_lora_begin(self, err) : st;
}
