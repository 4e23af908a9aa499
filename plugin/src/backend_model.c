/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backend.h"
#include "diagnose.h"
#include "fail.h"
#include "gguf_kind.h"
#include "modelfile.h"
#include "models.h"
#include "modelset.h"
#include "wire.h"

enum {
	KEY_BYTES = 16,
	HEALTH_TIMEOUT_MS = 2000,
	PROPS_TIMEOUT_MS = 10000,
	PROPS_MAX = 8 << 20,
	/* How often a loading server is asked: at first it is nearly ready each time, later a few per cent of the time
	 * passed are precise enough. */
	ASK_MIN_MS = 2, ASK_MAX_MS = 25, ASK_SHARE = 100,
	REPORT_MS = 100,		/* between two progress reports; the contract asks for 250 at most */
	DEATH_NOTICE_MS = 500,		/* after a connection broke: how long the server's end may take to be seen */
	/* Answering our own questions costs the server CPU time too: only more than this much of a second is movement. */
	CPU_WINDOW_MS = 1000, CPU_IDLE_TICKS = 3,
};

static int cpu_count(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* ---- the request ----------------------------------------------------------------------------------------------- */
static inf_status check_params(inf_load_params *out, const inf_load_params *in, inf_error *err)
{
	inf_status st = inf_read_request(out, sizeof *out, in, inf_load_params_V1_0, INF_LOAD_FLAG_ALLOW_CPU,
					 INF_LOAD_SET_GPU_LAYERS);
	if (st == INF_E_UNSUPPORTED)
		return inf_fail(err, st, "load_params", "load: a flag, a set bit or a field that this backend does not know");
	if (st != INF_OK || out->reserved0)
		return inf_fail(err, INF_E_INVALID, "load_params", "load: the parameters are missing or malformed");
	if (!out->path || out->path[0] != '/')
		return inf_fail(err, INF_E_INVALID, "path", "load: the path is not absolute: %s",
				out->path ? out->path : "(null)");
	if (out->adapter_path && out->adapter_path[0] != '/')
		return inf_fail(err, INF_E_INVALID, "adapter_path", "load: adapter_path is not absolute: %s",
				out->adapter_path);
	if (!(out->set & INF_LOAD_SET_GPU_LAYERS) && out->gpu_layers)
		return inf_fail(err, INF_E_INVALID, "gpu_layers", "load: gpu_layers is given without its bit in set");
	if (out->adapter_path && strchr(out->adapter_path, ','))
		return inf_fail(err, INF_E_UNSUPPORTED, "adapter_path",
				"load: llama-server takes a comma for the end of an adapter's path: rename %s", out->adapter_path);
	if (out->devices && !gr_profile.gpu && strcmp(out->devices, "cpu") != 0)
		return inf_fail(err, INF_E_UNSUPPORTED, "devices", "load: backend %s has no device but \"cpu\"",
				gr_profile.name);
	return INF_OK;
}

static inf_status check_kind(const struct gr_gguf *facts, const char *path, inf_error *err)
{
	enum gr_gguf_kind kind = gr_gguf_kind(facts);
	if (kind == GR_GGUF_KIND_MODEL)
		return INF_OK;
	return inf_fail(err, INF_E_BAD_MODEL, kind == GR_GGUF_KIND_VOCABULARY ? "no_tensors" : "not_a_model",
			"the file is of the kind \"%s\", not a model that generates text: %s", gr_gguf_kind_name(kind), path);
}

/* A directory stands for the only model in it, and any part of a split model for the whole. */
static inf_status find_model(struct gr_modelset *set, const char *path, inf_error *err)
{
	struct gr_buf found = GR_BUF_INIT(PATH_MAX);
	inf_status st = gr_models_resolve(path, NULL, &found, err);
	if (st == INF_OK)
		st = gr_modelset_read(gr_buf_text(&found), set, err);
	gr_buf_release(&found);
	return st;
}

static inf_status read_files(struct gr_modelset *set, uint64_t *adapter_bytes, const inf_load_params *params,
			     inf_error *err)
{
	struct gr_gguf adapter;
	*adapter_bytes = 0;
	inf_status st = find_model(set, params->path, err);
	if (st == INF_OK)
		st = check_kind(&set->facts, set->path, err);
	if (st != INF_OK || !params->adapter_path)
		return st;
	st = gr_modelfile_read(params->adapter_path, &adapter, err);
	if (st == INF_OK && gr_gguf_kind(&adapter) != GR_GGUF_KIND_ADAPTER)
		return inf_fail(err, INF_E_BAD_MODEL, "not_an_adapter", "the file is not a LoRA adapter: %s",
				params->adapter_path);
	if (st == INF_OK)
		*adapter_bytes = adapter.tensor_bytes;
	return st;
}

/* ---- the server's start ---------------------------------------------------------------------------------------- */
static void on_line(void *user, const char *line, size_t len)
{
	(void)len;
	gr_log(user, INF_LOG_DEBUG, "llama-server: %s", line);
}

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

static inf_status start_server(inf_model *self, const struct gr_launch_plan *plan, const struct gr_server_facts *facts,
			       inf_error *err)
{
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
	cache_home(self->instance, &cache);
	const struct gr_launch_place place = {
		.server_path = facts->file.path,
		.directory = self->rundir.path,
		.socket_path = self->rundir.socket,
		.home = self->rundir.home,
		.cache_home = cache.data,
		.api_key = key,
		.device = self->device,
		.extra_env = self->devices.env.items,
		.features = facts->features,
	};
	gr_launch_argv(&argv, plan, &place);
	gr_launch_env(&env, &place, self->instance->env.items, gr_profile.environment);
	if (argv.failed || env.failed) {
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's arguments");
		goto out;
	}
	const struct gr_supervisor_spec spec = {
		.spawn = { facts->file.path, argv.items, env.items, self->rundir.path },
		.on_line = self->instance->host->log && self->instance->host->log_level <= INF_LOG_DEBUG ? on_line : NULL,
		.user = self->instance,
	};
	st = gr_supervisor_start(&self->server, &spec, err);
out:
	explicit_bzero(key, sizeof key);
	gr_buf_release(&cache);
	gr_strv_release(&argv);
	gr_strv_release(&env);
	return st;
}

/* ---- why it died ----------------------------------------------------------------------------------------------- */
static inf_status explain_death(inf_model *self, const char *during, bool loading, inf_error *err)
{
	char exit_text[96];
	struct gr_exit exit = gr_supervisor_exit(self->server);
	char *output = malloc(GR_SUPERVISOR_RING + 1);
	struct gr_diagnosis d = { INF_E_BACKEND_DIED, "server_died", "", "" };
	if (output)
		d = gr_diagnose(output, gr_supervisor_output(self->server, output, GR_SUPERVISOR_RING + 1));
	free(output);
	gr_exit_text(&exit, exit_text, sizeof exit_text);
	inf_status st = loading ? d.status : INF_E_BACKEND_DIED;
	/* A signal says more than the last line of a server that had no time to complain. */
	bool said = d.quote[0] && !(exit.kind == GR_EXIT_SIGNAL && strcmp(d.reason, "server_died") == 0 && loading);
	inf_fail(err, st, d.reason, "llama-server ended %s with %s%s%s%s%s", during, exit_text,
		 said ? "; its words: " : "", said ? d.quote : "", d.hint[0] ? "; " : "", d.hint);
	gr_fail_flags(err, loading ? 0 : INF_ERR_FLAG_MODEL_DEAD);
	return st;
}

inf_status gr_model_check_alive(inf_model *self, inf_error *err)
{
	if (gr_supervisor_state(self->server) <= GR_STATE_UP)
		return INF_OK;
	return explain_death(self, "while the model was loaded", false, err);
}

static bool takes_connections(inf_model *self)
{
	int code = 0;
	const struct gr_http_request request = { .path = "/health", .timeout_ms = HEALTH_TIMEOUT_MS };
	inf_status st = gr_http_perform(self->http, &request, &code, NULL);
	return st != INF_E_IO;
}

inf_status gr_model_check_lost(inf_model *self, bool unreachable, int notice_ms, inf_error *err)
{
	if (gr_supervisor_wait_end(self->server, notice_ms) > GR_STATE_UP)
		return gr_model_check_alive(self, err);
	if (!unreachable || takes_connections(self))
		return INF_OK;
	gr_supervisor_set_lost(self->server);
	gr_supervisor_wait_end(self->server, notice_ms);
	inf_fail(err, INF_E_BACKEND_DIED, "server_deaf",
		 "llama-server runs on but takes no connections any more; it was killed: close the model and load it again");
	gr_fail_flags(err, INF_ERR_FLAG_MODEL_DEAD);
	return INF_E_BACKEND_DIED;
}

/* ---- until it is ready ----------------------------------------------------------------------------------------- */
struct loading {
	inf_model *model;
	const inf_load_params *params;
	int64_t started_ms, reported_ms, moved_ms;
	struct gr_activity activity;
	uint64_t cpu_begin;		/* CPU ticks when the window began */
	int64_t cpu_begin_ms;
	uint64_t output_total;
	int32_t stall_timeout_ms;
	int32_t stage;
	float fraction;
	bool cancelled, stalled;
};

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
	uint64_t output_total = gr_supervisor_output_total(l->model->server);
	gr_supervisor_activity(l->model->server, &activity);
	if (computes(l, activity.cpu_ticks, now) || activity.read_bytes != l->activity.read_bytes ||
	    activity.resident_bytes != l->activity.resident_bytes || output_total != l->output_total)
		l->moved_ms = now;
	l->activity = activity;
	l->output_total = output_total;
}

/* The weights arrive by read() or by being mapped in; either is a lower bound of what is there. */
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
	if (!l->params->on_progress)
		return true;
	const inf_progress progress = {
		.struct_size = sizeof progress, .stage = l->stage, .fraction = l->fraction, .note = NULL,
	};
	return l->params->on_progress(l->params->user, &progress) == INF_CONTINUE;
}

/* Anything but 0 ends the wait. */
static int tick(void *user)
{
	struct loading *l = user;
	int64_t now = gr_now_ms();
	if (now - l->reported_ms >= REPORT_MS) {
		l->reported_ms = now;
		notice_movement(l, now);
		if (l->stage >= INF_STAGE_READ)
			l->fraction = estimate_fraction(l);
		if (!report(l))
			l->cancelled = true;
	}
	if (now - l->moved_ms >= l->stall_timeout_ms)
		l->stalled = true;
	return l->cancelled || l->stalled || gr_supervisor_state(l->model->server) != GR_STATE_STARTING;
}

/* 1 ready, 0 not yet, -1 an answer that no loading server gives. */
static int ask_health(struct loading *l, int *out_code)
{
	const struct gr_http_request request = {
		.path = "/health", .timeout_ms = HEALTH_TIMEOUT_MS, .on_poll = tick, .user = l,
	};
	inf_status st = gr_http_perform(l->model->http, &request, out_code, NULL);
	if (st != INF_OK || *out_code == 503) {
		if (*out_code == 503)
			l->stage = INF_STAGE_READ;
		return 0;
	}
	return *out_code == 200 ? 1 : -1;
}

static inf_status explain_wait(struct loading *l, inf_error *err)
{
	char *output;
	struct gr_diagnosis d = { 0 };
	if (l->cancelled)
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "the load was cancelled");
	if (!l->stalled) {
		gr_supervisor_wait_end(l->model->server, DEATH_NOTICE_MS);
		return explain_death(l->model, "while it loaded the model", true, err);
	}
	output = malloc(GR_SUPERVISOR_RING + 1);
	if (output)
		d = gr_diagnose(output, gr_supervisor_output(l->model->server, output, GR_SUPERVISOR_RING + 1));
	free(output);
	return inf_fail(err, INF_E_TIMEOUT, "load_stalled",
			"llama-server made no progress for %d ms while it loaded the model (option stall-timeout-ms); its last "
			"words: %s", l->stall_timeout_ms, d.quote[0] ? d.quote : "none");
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

static int pause_for(const struct loading *l)
{
	int64_t share = (gr_now_ms() - l->started_ms) / ASK_SHARE;
	return share < ASK_MIN_MS ? ASK_MIN_MS : share > ASK_MAX_MS ? ASK_MAX_MS : (int)share;
}

static inf_status wait_ready(inf_model *self, const inf_load_params *params, int32_t stall_timeout_ms,
			     struct gr_wire_props *props, inf_error *err)
{
	struct loading l = {
		.model = self, .params = params, .stall_timeout_ms = stall_timeout_ms, .fraction = -1,
	};
	int code = 0;
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
		gr_supervisor_wait_end(self->server, pause_for(&l));
	}
	inf_status st = read_props(&l, props, err);
	if (st != INF_OK)
		return st;
	gr_supervisor_set_ready(self->server);
	l.stage = INF_STAGE_READY;
	l.fraction = 1;
	l.cancelled = !report(&l);
	return l.cancelled ? explain_wait(&l, err) : INF_OK;
}

/* ---- what was loaded ------------------------------------------------------------------------------------------- */
/* Bits of a weight, by LLAMA_FTYPE_*: what most tensors of such a file have. */
static int32_t quant_bits(int32_t file_type)
{
	static const int8_t bits[] = {
		32, 16, 4, 4, 0, 0, 0, 8, 5, 5, 2, 3, 3, 3, 4, 4, 5, 5, 6, 2, 2, 2, 3, 3, 1, 4, 3, 3, 2, 2, 4, 1, 16,
	};
	return file_type >= 0 && (size_t)file_type < sizeof bits ? bits[file_type] : 0;
}

static void fill_info(inf_model *self, const struct gr_launch_plan *plan, const struct gr_wire_props *props)
{
	const struct gr_gguf *file = &self->file;
	inf_model_info info = {
		.struct_size = sizeof info,
		.flags = (file->has_chat_template ? INF_INFO_FLAG_CHAT : 0) |
			 (plan->slots == 1 ? INF_INFO_FLAG_SERIAL : 0),
		.gen_fields = GR_GEN_FIELDS,
		.gen_flags = GR_GEN_FLAGS,
		.context_len = props->context_len,
		.context_train = (int32_t)file->context_length,
		.parallel_slots = plan->slots,
		.vocab_size = (int32_t)file->vocab_size,
		.num_layers = (int32_t)file->block_count,
		.hidden_size = (int32_t)file->embedding_length,
		.quant_bits = quant_bits(file->file_type),
	};
	snprintf(info.model_type, sizeof info.model_type, "%s", file->architecture);
	snprintf(info.name, sizeof info.name, "%s", file->name);
	self->info = info;
}

/* ---- before there is a server ---------------------------------------------------------------------------------- */
struct early {
	const inf_load_params *params;
	int64_t reported_ms;
};

static int report_early(void *user)
{
	struct early *early = user;
	const inf_progress progress = { .struct_size = sizeof progress, .stage = INF_STAGE_START, .fraction = -1 };
	int64_t now = gr_now_ms();
	if (!early->params->on_progress || now - early->reported_ms < REPORT_MS)
		return 0;
	early->reported_ms = now;
	return early->params->on_progress(early->params->user, &progress) != INF_CONTINUE;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */
static inf_status release(inf_model *self, inf_error *err)
{
	if (self->http)
		gr_http_drop_idle(self->http);	/* an open connection delays the server's own end */
	inf_status st = gr_supervisor_stop(self->server, err);
	gr_http_free(self->http);
	gr_slots_free(self->slots);
	gr_rundir_remove(&self->rundir);
	gr_devices_release(self);
	free(self->token_kinds);
	pthread_mutex_destroy(&self->lock);
	free(self);
	return st;
}

/* Start it and wait until it has proved that it uses its devices. */
static inf_status run_server(inf_model *self, const inf_load_params *params, const struct gr_load_options *options,
			     const struct gr_launch_plan *plan, const struct gr_server_facts *facts, inf_error *err)
{
	struct gr_wire_props props;
	inf_status st = start_server(self, plan, facts, err);
	if (st == INF_OK)
		st = wait_ready(self, params, options->stall_timeout_ms, &props, err);
	if (st != INF_OK)
		return st;
	fill_info(self, plan, &props);
	return gr_devices_prove(self, params, err);
}

static inf_status prepare(inf_model *self, const struct gr_modelset *set, const inf_load_params *params,
			  const struct gr_load_options *options, struct gr_launch_plan *plan,
			  struct gr_server_facts *facts, inf_error *err)
{
	struct early early = { params, 0 };
	self->file = set->facts;
	inf_status st = gr_launch_plan(plan, params, options, &self->file, cpu_count(), gr_profile.gpu, err);
	if (st == INF_OK)
		st = gr_instance_server(self->instance, report_early, &early, facts, err);
	if (st == INF_OK)
		st = gr_slots_new(&self->slots, plan->slots, err);
	if (st != INF_OK)
		return st;
	plan->model_path = set->path;
	self->token_kinds = calloc(self->file.vocab_size + 1, sizeof *self->token_kinds);
	if (!self->token_kinds)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	return INF_OK;
}

static inf_status bring_up(inf_model *self, struct gr_modelset *set, const inf_load_params *params, inf_error *err)
{
	struct gr_load_options options;
	struct gr_server_facts facts;
	struct gr_launch_plan plan;
	uint64_t adapter_bytes;
	inf_status st = gr_options_parse_load(&options, gr_options_table(gr_profile.name), params->options,
					      params->option_count, err);
	if (st == INF_OK)
		st = read_files(set, &adapter_bytes, params, err);
	if (st == INF_OK)
		st = prepare(self, set, params, &options, &plan, &facts, err);
	if (st != INF_OK)
		return st;
	const struct gr_devices_load load = {
		.params = params, .model = { &set->facts, &set->layers }, .adapter_bytes = adapter_bytes, .facts = &facts,
	};
	st = gr_devices_plan(self, &load, &plan, err);
	return st == INF_OK ? run_server(self, params, &options, &plan, &facts, err) : st;
}

inf_status gr_model_load(inf_instance *instance, const inf_load_params *params, inf_model **out, inf_error *err)
{
	inf_load_params checked;
	inf_status st = check_params(&checked, params, err);
	if (st != INF_OK)
		return st;
	inf_model *self = calloc(1, sizeof *self);
	struct gr_modelset *set = malloc(sizeof *set);
	if (!self || !set) {
		free(self);
		free(set);
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	}
	self->instance = instance;
	self->last_error.struct_size = sizeof self->last_error;
	pthread_mutex_init(&self->lock, NULL);
	st = bring_up(self, set, &checked, err);
	free(set);
	if (st != INF_OK) {
		release(self, NULL);
		return st;
	}
	gr_log(instance, INF_LOG_INFO, "loaded %s: %d slots of %d tokens", checked.path, self->info.parallel_slots,
	       self->info.context_len);
	*out = self;
	return INF_OK;
}

inf_status gr_model_close(inf_model *self, inf_error *err)
{
	gr_slots_close(self->slots);
	return release(self, err);
}
