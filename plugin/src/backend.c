/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

enum {
	PROBE_MS = 1900,		/* all questions to a binary within one call */
	LOAD_DEVICES_MS = 10000,	/* a load lets the drivers wake a sleeping card */
	PROBE_OUTPUT = 256 * 1024,
	LIST_ATTEMPTS = 3,		/* where the answer is not whole */
	LOG_MAX = 2048,
};

/* Host variables that concern every profile; all else of the host's environment is never looked at. */
static const char *const host_variables[] = {
	"PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LLAMA_SERVER_PATH", "SUDO_UID",
	"INF_MODELS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "LLAMA_CACHE", NULL,
};

/* ---- instance -------------------------------------------------------------------------------------------------- */
static void copy_variables(struct gr_strv *env, const char *const *names)
{
	for (size_t i = 0; names && names[i]; i++) {
		const char *value = secure_getenv(names[i]);
		if (value)
			gr_strv_add_env(env, names[i], value);
	}
}

static inf_status copy_environment(inf_instance *self, inf_error *err)
{
	const char *const own[] = { gr_profile.server_variable, NULL };
	const char *const libraries[] = { gr_profile.library_path ? "LD_LIBRARY_PATH" : NULL, NULL };
	copy_variables(&self->env, host_variables);
	copy_variables(&self->env, own);
	copy_variables(&self->env, libraries);
	copy_variables(&self->env, gr_profile.environment);
	copy_variables(&self->env, gr_profile.selectors);
	if (self->env.failed)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the environment");
	return INF_OK;
}

inf_status gr_backend_create(const inf_host *host, inf_instance **out, inf_error *err)
{
	if (!out || !host || !INF_HAS(inf_host, host, get_extension))
		return inf_fail(err, INF_E_INVALID, "host", "create: the inf_host table is missing or too short");
	*out = NULL;
	inf_instance *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for an instance");
	self->host = host;
	self->owner = getpid();
	pthread_mutex_init(&self->lock, NULL);
	inf_status st = gr_options_parse_instance(&self->options, gr_options_table(gr_profile.name), host->options,
						  host->option_count, err);
	if (st == INF_OK)
		st = copy_environment(self, err);
	if (st == INF_OK && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		st = inf_fail(err, INF_E_INTERNAL, "http", "libcurl cannot be initialised");
	if (st != INF_OK) {
		gr_strv_release(&self->env);
		pthread_mutex_destroy(&self->lock);
		free(self);
		return st;
	}
	const struct gr_swept swept = gr_rundir_sweep(self->env.items);
	if (swept.directories || swept.servers)
		gr_log(self, INF_LOG_INFO, "removed %u runtime directories of hosts that are gone, and killed %u servers",
		       swept.directories, swept.servers);
	*out = self;
	return INF_OK;
}

void gr_backend_destroy(inf_instance *self)
{
	if (!self || self->owner != getpid())
		return;
	curl_global_cleanup();
	gr_strv_release(&self->env);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

inf_status gr_instance_check(const inf_instance *self, inf_error *err)
{
	if (self && self->owner == getpid())
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "forked", self ? "this handle belongs to the process that was forked" :
			"the instance is NULL");
}

void gr_log(const inf_instance *self, int32_t level, const char *format, ...)
{
	char line[LOG_MAX];
	if (!self->host->log || level < self->host->log_level)
		return;
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	inf_utf8_fix(line);
	self->host->log(self->host->ctx, level, line, strlen(line));
}

/* ---- the server's own word ------------------------------------------------------------------------------------- */
/* One look at a binary. */
struct look {
	inf_instance *instance;
	const struct gr_server_file *file;
	int64_t deadline_ms;
	int (*on_wait)(void *user);	/* anything but 0 ends it; may be NULL */
	void *user;
	char *output;			/* PROBE_OUTPUT bytes */
};

static inf_status start_run(const inf_instance *self, const struct gr_server_run *run, struct gr_child *out, inf_error *err)
{
	struct gr_strv env = GR_STRV_INIT;
	const struct gr_launch_place place = {
		.server_path = run->path, .home = "/nonexistent", .directory = "/tmp", .extra_env = run->device_env,
	};
	char *argv[GR_SERVER_ARGUMENTS_MAX + 2] = { (char *)run->path };
	for (size_t i = 0; run->arguments[i]; i++)
		argv[i + 1] = (char *)run->arguments[i];
	gr_instance_child_env(self, &place, &env);
	inf_status st = INF_E_NO_MEMORY;
	if (!env.failed) {
		const struct gr_spawn spec = { run->path, argv, env.items, "/" };
		st = gr_child_start(out, &spec, err);
	}
	gr_strv_release(&env);
	return st;
}

static inf_status finish_run(const struct gr_server_run *run, struct gr_child *child, struct gr_exit *exit, inf_error *err)
{
	return gr_child_finish(child, run->path, run->timeout_ms, run->output, run->output_cap, exit, run->on_wait, run->user,
			       err);
}

inf_status gr_instance_run(const inf_instance *self, const struct gr_server_run *run, struct gr_exit *exit,
			   inf_error *err)
{
	struct gr_child child;
	inf_status st = start_run(self, run, &child, err);
	return st == INF_OK ? finish_run(run, &child, exit, err) : st;
}

/* Of the binary, with a few arguments, NULL-terminated. */
static struct gr_server_run run_of(const struct look *look, const char *const *arguments, char *const *extra_env)
{
	int64_t left = look->deadline_ms - gr_now_ms();
	return (struct gr_server_run){
		.path = look->file->path, .arguments = arguments, .device_env = extra_env,
		.timeout_ms = left > 1 ? (int)left : 1, .output = look->output, .output_cap = PROBE_OUTPUT,
		.on_wait = look->on_wait, .user = look->user,
	};
}

static bool ended_well(const struct gr_exit *exit)
{
	return exit->kind == GR_EXIT_UNKNOWN || (exit->kind == GR_EXIT_CODE && exit->value == 0);
}

static inf_status hear_binary(const struct look *look, struct gr_child *child, inf_error *err)
{
	char text[64];
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	const struct gr_server_run run = run_of(look, NULL, NULL);
	inf_status st = finish_run(&run, child, &exit, err);
	if (st != INF_OK || ended_well(&exit))
		return st;
	look->output[strcspn(look->output, "\n")] = '\0';
	return inf_fail(err, INF_E_UNAVAILABLE, "server_broken", "%s does not run: %s: %s", look->file->path,
			gr_exit_text(&exit, text, sizeof text), look->output);
}

/* "version: 0.7.0 (build 11669, commit Debian)" -> "0.7.0 (build 11669, commit Debian)" */
static void read_version(const char *output, char *out, size_t cap)
{
	const char *at = strstr(output, "version: ");
	at = at ? at + strlen("version: ") : "of unknown version";
	snprintf(out, cap, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static inf_status ask_binary(const struct look *look, const char *argument, struct gr_child *out, inf_error *err)
{
	const char *const arguments[] = { argument, NULL };
	const struct gr_server_run run = run_of(look, arguments, NULL);
	return start_run(look->instance, &run, out, err);
}

static void drop_binary(const struct look *look, struct gr_child *child)
{
	struct gr_exit exit;
	struct gr_server_run run = run_of(look, NULL, NULL);
	run.timeout_ms = 0;
	run.on_wait = NULL;
	finish_run(&run, child, &exit, NULL);
}

/* Both questions at once: most of what an answer takes is the loading of libraries. */
static inf_status learn(const struct look *look, struct gr_server_facts *facts, inf_error *err)
{
	struct gr_child version, help;
	inf_status st = ask_binary(look, "--help", &help, err);
	if (st != INF_OK)
		return st;
	st = ask_binary(look, "--version", &version, err);
	if (st == INF_OK)
		st = hear_binary(look, &version, err);
	if (st != INF_OK) {
		drop_binary(look, &help);
		return st;
	}
	read_version(look->output, facts->version, sizeof facts->version);
	st = hear_binary(look, &help, err);
	if (st != INF_OK)
		return st;
	facts->features = gr_launch_features(look->output);
	if (!(facts->features & GR_FEATURE_UNIX_SOCKET))
		return inf_fail(err, INF_E_UNAVAILABLE, "server_too_old",
				"%s (%s) cannot listen on a Unix socket: a llama-server from 2025 or later is needed",
				facts->file.path, facts->version);
	return INF_OK;
}

/* Without the lock: it takes a while, and the callback is the host's. Two callers may look at the same time. */
static inf_status look_again(inf_instance *self, const struct gr_server_file *file, int (*on_wait)(void *user),
			     void *user, struct gr_server_facts *out, inf_error *err)
{
	struct gr_server_facts facts = { .file = *file, .error = { .struct_size = sizeof facts.error } };
	struct look look = { self, file, gr_now_ms() + PROBE_MS, on_wait, user, malloc(PROBE_OUTPUT) };
	if (!look.output)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's help text");
	facts.status = learn(&look, &facts, &facts.error);
	free(look.output);
	if (facts.status == INF_E_CANCELLED)
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "the load was cancelled");
	pthread_mutex_lock(&self->lock);
	self->facts = facts;
	pthread_mutex_unlock(&self->lock);
	*out = facts;
	return INF_OK;
}

inf_status gr_instance_server(inf_instance *self, int (*on_wait)(void *user), void *user, struct gr_server_facts *out,
			      inf_error *err)
{
	struct gr_server_file file;
	inf_status st = gr_server_find(&file, self->options.server_path, gr_profile.server_variable, self->env.items,
				       err);
	if (st != INF_OK)
		return st;
	pthread_mutex_lock(&self->lock);
	*out = self->facts;
	pthread_mutex_unlock(&self->lock);
	/* What was in its way, a missing library or a machine without memory, can be gone while the file is the same: a
	 * load asks again, available() does not, because it may be called often. */
	if (!gr_server_same(&file, &out->file) || (on_wait && out->status != INF_OK))
		st = look_again(self, &file, on_wait, user, out, err);
	if (st == INF_OK && out->status != INF_OK) {
		st = out->status == INF_E_TIMEOUT ? INF_E_UNAVAILABLE : out->status;
		out->error.code = st;
		inf_write_struct(err, &out->error, sizeof out->error);
	}
	return st;
}

/* ---- its devices ----------------------------------------------------------------------------------------------- */
/* -lv stands first: it counts for what is said while the devices are looked for. */
static inf_status list_devices(const struct look *look, char *const *extra_env, struct gr_devlog *out, inf_error *err)
{
	static const char *const arguments[] = { "-lv", "5", "--list-devices", NULL };
	char text[64];
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	gr_devlog_init_list(out);
	const struct gr_server_run run = run_of(look, arguments, extra_env);
	inf_status st = gr_instance_run(look->instance, &run, &exit, err);
	if (st == INF_E_TIMEOUT)
		return inf_fail(err, st, "device_list_timeout", "%s --list-devices does not end in time: a driver of a GPU may "
				"hang, see whether vulkaninfo does too", look->file->path);
	if (st == INF_OK && !ended_well(&exit))
		return inf_fail(err, INF_E_UNAVAILABLE, "device_list_failed", "%s --list-devices ended with %s: a driver of a GPU "
				"may be broken, see whether vulkaninfo runs", look->file->path,
				gr_exit_text(&exit, text, sizeof text));
	if (st == INF_OK)
		gr_devlog_feed(out, look->output, strlen(look->output));
	return st;
}

/* As long as the answer is not whole: see gr_devlog_list_is_whole(). */
static inf_status list_whole(const struct look *look, char *const *extra_env, struct gr_devlog *out, inf_error *err)
{
	struct gr_devlog again;
	inf_error why = { .struct_size = sizeof why };
	inf_status st = list_devices(look, extra_env, out, err);
	for (int i = 1; st == INF_OK && i < LIST_ATTEMPTS && !gr_devlog_list_is_whole(out); i++) {
		inf_status more = list_devices(look, extra_env, &again, &why);
		if (more == INF_OK) {
			*out = again;
		} else if (more == INF_E_CANCELLED || !out->count) {	/* else what is known is better than nothing */
			inf_write_struct(err, &why, sizeof why);
			return more;
		} else {
			break;
		}
	}
	return st;
}

static bool is_set(char *const *env, const char *assignment)
{
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(assignment, "="), assignment);
	return gr_env_get(env, name);
}

/* The server hides what is no GPU. Shown nevertheless, it can be refused by its name, or taken. */
static inf_status ask_devices(const struct look *look, struct gr_devlog *out, inf_error *err)
{
	const struct gr_device_question *question = &gr_profile.question;
	struct gr_strv env = GR_STRV_INIT;
	struct gr_devlog hidden;
	for (size_t i = 0; question->env[i]; i++)
		gr_strv_add(&env, question->env[i]);
	inf_status st = list_whole(look, env.items, out, err);
	if (st == INF_OK && out->found == 0 && question->reveal && !is_set(look->instance->env.items, question->reveal)) {
		gr_strv_add(&env, question->reveal);
		st = list_whole(look, env.items, &hidden, err);
		if (st == INF_OK && hidden.count)
			*out = hidden;
	}
	if (env.failed)
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for an environment");
	gr_strv_release(&env);
	return st;
}

/* The answer is also kept. */
static inf_status devices_by(inf_instance *self, struct look *look, struct gr_devlog *out, inf_error *err)
{
	struct gr_server_list list = { .file = *look->file, .error = { .struct_size = sizeof list.error } };
	look->output = malloc(PROBE_OUTPUT);
	if (!look->output)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's list of devices");
	list.status = ask_devices(look, &list.log, &list.error);
	free(look->output);
	*out = list.log;
	if (list.status == INF_E_CANCELLED)
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "the load was cancelled");
	if (list.status == INF_E_TIMEOUT)
		list.status = list.error.code = INF_E_UNAVAILABLE;
	pthread_mutex_lock(&self->lock);
	self->list = list;
	pthread_mutex_unlock(&self->lock);
	if (list.status != INF_OK)
		inf_write_struct(err, &list.error, sizeof list.error);
	return list.status;
}

inf_status gr_instance_devices(inf_instance *self, const struct gr_server_file *file, int (*on_wait)(void *user),
			       void *user, struct gr_devlog *out, inf_error *err)
{
	struct look look = { self, file, gr_now_ms() + (on_wait ? LOAD_DEVICES_MS : PROBE_MS), on_wait, user, NULL };
	gr_devlog_init_list(out);
	return gr_profile.question.env ? devices_by(self, &look, out, err) : INF_OK;
}

/* For available(), which may be called often: the last answer is good enough while the file stays the same. */
static inf_status known_devices(inf_instance *self, const struct gr_server_file *file, int64_t deadline_ms,
				struct gr_devlog *out, inf_error *err)
{
	struct look look = { self, file, deadline_ms, NULL, NULL, NULL };
	inf_status st = INF_OK;
	pthread_mutex_lock(&self->lock);
	bool known = gr_server_same(file, &self->list.file);
	if (known) {
		*out = self->list.log;
		st = self->list.status;
		if (st != INF_OK)
			inf_write_struct(err, &self->list.error, sizeof self->list.error);
	}
	pthread_mutex_unlock(&self->lock);
	return known ? st : devices_by(self, &look, out, err);
}

/* ---- vtable ---------------------------------------------------------------------------------------------------- */
/* True where no device is needed, or there is one; else what is in the way is in *report. */
static bool device_usable(const inf_instance *self, const char *server, const struct gr_devlog *listed,
			  inf_availability *report)
{
	struct gr_device_choice choice = GR_DEVICE_CHOICE_INIT;
	const struct gr_device_query query = { .options = &self->options, .env = self->env.items, .server = server,
					       .listed = listed };
	if (!gr_profile.devices.choose)
		return true;
	gr_profile.devices.choose(&query, &choice);
	bool usable = !choice.refusal.code;
	if (usable) {
		snprintf(report->message, sizeof report->message, "%s", choice.text);
	} else {
		snprintf(report->reason, sizeof report->reason, "%s", choice.refusal.code);
		gr_refusal_text(&choice.refusal, report->message);
	}
	gr_profile.devices.release(&choice);
	return usable;
}

static void describe(inf_availability *report, const struct gr_server_facts *facts)
{
	char device[sizeof report->message];
	snprintf(device, sizeof device, "%s", report->message);
	report->score = gr_profile.score;
	if (device[0])
		snprintf(report->message, sizeof report->message, "%.90s; llama-server %.*s at %.74s", device,
			 (int)strcspn(facts->version, " "), facts->version, facts->file.path);
	else
		snprintf(report->message, sizeof report->message, "llama-server %.64s at %.120s", facts->version,
			 facts->file.path);
}

inf_status gr_backend_available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	inf_availability report = { .struct_size = sizeof report };
	inf_error why = { .struct_size = sizeof why };
	struct gr_server_facts facts;
	struct gr_devlog listed;
	int64_t deadline_ms = gr_now_ms() + PROBE_MS;
	(void)backend;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "available: out is NULL");
	inf_status st = gr_instance_check(self, err);
	if (st != INF_OK)
		return st;
	/* No server is asked where there is no device, and then what it was built for counts. */
	if (!device_usable(self, NULL, NULL, &report))
		goto out;
	st = gr_instance_server(self, NULL, NULL, &facts, &why);
	if (st == INF_OK && gr_profile.question.env)
		st = known_devices(self, &facts.file, deadline_ms, &listed, &why);
	if (st == INF_OK && !device_usable(self, facts.file.path, gr_profile.question.env ? &listed : NULL, &report))
		goto out;
	if (st == INF_OK) {
		describe(&report, &facts);
	} else {
		snprintf(report.reason, sizeof report.reason, "%s", why.reason);
		snprintf(report.message, sizeof report.message, "%.*s", (int)sizeof report.message - 1, why.message);
	}
out:
	inf_utf8_fix(report.message);
	inf_write_struct(out, &report, sizeof report);
	return INF_OK;
}

inf_status gr_backend_load(inf_instance *self, const inf_backend *backend, const inf_load_params *params,
			   inf_model **out, inf_error *err)
{
	(void)backend;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "load: out is NULL");
	*out = NULL;
	inf_status st = gr_instance_check(self, err);
	return st == INF_OK ? gr_model_load(self, params, out, err) : st;
}

static inf_status check_model(const inf_model *model, inf_error *err)
{
	if (!model)
		return inf_fail(err, INF_E_INVALID, "argument", "the model is NULL");
	return gr_instance_check(model->instance, err);
}

inf_status gr_model_enter(inf_model *model, inf_error *err)
{
	inf_status st = check_model(model, err);
	return st == INF_OK ? gr_slots_enter(model->slots, err) : st;
}

inf_status gr_backend_info(inf_model *model, inf_model_info *out, inf_error *err)
{
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	pthread_mutex_lock(&model->lock);
	inf_model_info info = model->info;
	pthread_mutex_unlock(&model->lock);
	if (out)
		inf_write_struct(out, &info, sizeof info);
	else
		st = inf_fail(err, INF_E_INVALID, "argument", "info: out is NULL");
	gr_slots_leave(model->slots);
	return st;
}

inf_status gr_model_finish(inf_model *model, inf_status st, const inf_error *error, inf_error *err)
{
	pthread_mutex_lock(&model->lock);
	model->last_error = *error;
	model->last_error.code = st;
	pthread_mutex_unlock(&model->lock);
	gr_model_tell_log(model);
	gr_slots_leave(model->slots);
	if (st != INF_OK)
		inf_write_struct(err, error, sizeof *error);
	return st;
}

/* What a call reports that fails before it has anything to report. */
static inf_status begin(inf_model *model, inf_gen_result *result, inf_error *err)
{
	const inf_gen_result nothing = { .struct_size = sizeof nothing, .finish = INF_FINISH_ERROR };
	inf_write_struct(result, &nothing, sizeof nothing);
	return gr_model_enter(model, err);
}

inf_status gr_backend_generate(inf_model *model, const char *prompt, size_t prompt_len, const inf_gen_params *params,
			       inf_gen_result *result, inf_error *err)
{
	inf_error error = { .struct_size = sizeof error };
	inf_status st = begin(model, result, err);
	if (st != INF_OK)
		return st;
	st = gr_model_generate(model, NULL, prompt, prompt_len, params, result, &error);
	return gr_model_finish(model, st, &error, err);
}

inf_status gr_backend_chat(inf_model *model, const inf_message *const *msgs, size_t msg_count,
			   const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	inf_error error = { .struct_size = sizeof error };
	inf_status st = begin(model, result, err);
	if (st != INF_OK)
		return st;
	st = gr_model_chat(model, NULL, msgs, msg_count, params, result, &error);
	return gr_model_finish(model, st, &error, err);
}

inf_status gr_backend_err(inf_model *model, inf_error *out)
{
	inf_status st = gr_model_enter(model, out);
	if (st != INF_OK)
		return st;
	pthread_mutex_lock(&model->lock);
	inf_error last = model->last_error;
	pthread_mutex_unlock(&model->lock);
	gr_slots_leave(model->slots);
	inf_write_struct(out, &last, sizeof last);
	return last.code;
}

inf_status gr_backend_close(inf_model *model, inf_error *err)
{
	inf_status st = check_model(model, err);
	return st == INF_OK ? gr_model_close(model, err) : st;
}

/* What works without a model, and what only with one. */
static const void *find_extension(const inf_model *model, const char *id)
{
	enum gr_task task = model ? model->start->options.task : GR_TASK_GENERATE;
	const struct {
		const char *id;
		const void *table;	/* NULL = not here */
	} extensions[] = {
		{ INF_EXT_OPTIONS, gr_options_table(gr_profile.name) },
		{ INF_EXT_MODELS, &gr_models_table },
		{ INF_EXT_DIAGNOSE, &gr_diagnose_table },
		{ INF_EXT_DEVICES, gr_profile.devices.list ? &gr_devices_table : NULL },
		{ INF_EXT_TOKENIZE, model ? &gr_tokenize_table : NULL },
		{ INF_EXT_BATCH, model ? &gr_batch_table : NULL },
		{ INF_EXT_CLASSIFY, model ? &gr_classify_table : NULL },
		{ INF_EXT_EMBED, model && task == GR_TASK_EMBED ? &gr_embed_table : NULL },
		{ INF_EXT_RERANK, model && task == GR_TASK_RERANK ? &gr_rerank_table : NULL },
		{ INF_EXT_LORA, model && model->start->adapters.count ? &gr_lora_table : NULL },
		{ INF_EXT_STATE, model && model->start->state_dir ? &gr_state_table : NULL },
		{ INF_EXT_CANCEL, model ? &gr_cancel_table : NULL },
		{ INF_EXT_STREAM, model ? &gr_streams_table : NULL },
		{ INF_EXT_METRICS, model ? &gr_metrics_table : NULL },
	};
	for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
		if (strcmp(id, extensions[i].id) == 0)
			return extensions[i].table;
	return NULL;
}

const void *gr_backend_get_extension(inf_instance *instance, const inf_backend *self, inf_model *model, const char *id)
{
	(void)instance;
	(void)self;
	return id ? find_extension(model, id) : NULL;
}
