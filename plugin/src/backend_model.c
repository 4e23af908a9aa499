/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_call.h"
#include "fail.h"
#include "gguf_kind.h"
#include "modelfile.h"
#include "models.h"
#include "prompt.h"
#include "request.h"

enum { REPORT_MS = 100 };		/* between two progress reports; the contract asks for 250 at most */

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
	if (st != INF_OK)
		return ic_request_refused(err, st, "load_params", in, INF_LOAD_FLAG_ALLOW_CPU, INF_LOAD_SET_GPU_LAYERS);
	if (out->reserved0)
		return inf_fail(err, INF_E_INVALID, "load_params", "load: reserved0 is not 0");
	if (!out->path || out->path[0] != '/')
		return inf_fail(err, INF_E_INVALID, "path", "load: the path is not absolute: %s",
				out->path ? out->path : "(null)");
	if (!(out->set & INF_LOAD_SET_GPU_LAYERS) && out->gpu_layers)
		return inf_fail(err, INF_E_INVALID, "gpu_layers", "load: gpu_layers is given without its bit in set");
	if (out->devices && !gr_profile.gpu && strcmp(out->devices, "cpu") != 0)
		return inf_fail(err, INF_E_UNSUPPORTED, "devices", "load: backend %s has no device but \"cpu\"",
				gr_profile.name);
	return INF_OK;
}

static bool ranks(const struct gr_gguf *facts)
{
	return facts->has_rank_head || facts->pooling_type == GR_GGUF_POOLING_RANK;
}

enum gr_task gr_model_task(const struct gr_gguf *facts)
{
	if (gr_gguf_kind(facts) != GR_GGUF_KIND_EMBEDDING)
		return GR_TASK_GENERATE;
	return ranks(facts) ? GR_TASK_RERANK : GR_TASK_EMBED;
}

static inf_status check_for_task(const struct gr_gguf *facts, const char *path, const struct gr_load_options *options,
				 inf_error *err)
{
	bool embeds = gr_gguf_kind(facts) == GR_GGUF_KIND_EMBEDDING;
	if (options->task == GR_TASK_GENERATE && embeds)
		return inf_fail(err, INF_E_BAD_MODEL, "not_a_model", "the file is of the kind \"embedding\", not a model that "
				"generates text (option task=%s is for it): %s", ranks(facts) ? "rerank" : "embed", path);
	if (options->task == GR_TASK_RERANK && !facts->has_rank_head)
		return inf_fail(err, INF_E_BAD_MODEL, "no_rank_head", "the model has no head that ranks documents, so task=rerank "
				"needs another: %s", path);
	if (options->task == GR_TASK_EMBED && options->pooling == GR_POOLING_AUTO && embeds && ranks(facts))
		return inf_fail(err, INF_E_BAD_MODEL, "ranks_only", "the model ranks documents and gives no vectors: load it with "
				"task=rerank, or name a pooling: %s", path);
	return INF_OK;
}

inf_status gr_model_check_kind(const struct gr_gguf *facts, const char *path, const struct gr_load_options *options,
			       inf_error *err)
{
	enum gr_gguf_kind kind = gr_gguf_kind(facts);
	if (kind == GR_GGUF_KIND_MODEL || kind == GR_GGUF_KIND_EMBEDDING)
		return check_for_task(facts, path, options, err);
	return inf_fail(err, INF_E_BAD_MODEL, kind == GR_GGUF_KIND_VOCABULARY ? "no_tensors" : "not_a_model",
			"the file is of the kind \"%s\", not a model that generates text: %s", gr_gguf_kind_name(kind), path);
}

static const char *task_name(int32_t task)
{
	return task == GR_TASK_EMBED ? "embed" : task == GR_TASK_RERANK ? "rerank" : "generate";
}

inf_status gr_model_check_task(const inf_model *model, enum gr_task task, const char *what, inf_error *err)
{
	int32_t loaded = model->start->options.task;
	if (loaded == (int32_t)task)
		return INF_OK;
	return inf_fail(err, INF_E_UNSUPPORTED, "task", "%s: the model was loaded with task=%s, load it with task=%s", what,
			task_name(loaded), task_name(task));
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

static inf_status find_draft(struct gr_start *start, const char *path, inf_error *err)
{
	start->draft = malloc(sizeof *start->draft);
	if (!start->draft)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the draft model");
	static const struct gr_load_options draft = { .task = GR_TASK_GENERATE };
	inf_status st = find_model(start->draft, path, err);
	if (st == INF_OK)
		st = gr_model_check_kind(&start->draft->facts, start->draft->path, &draft, err);
	start->draft_model = (struct gr_fit_model){ &start->draft->facts, &start->draft->layers };
	return st;
}

static inf_status read_projector(struct gr_start *start, inf_error *err)
{
	struct gr_gguf projector;
	inf_status st = gr_modelfile_read(start->projector_path, &projector, err);
	if (st == INF_OK && gr_gguf_kind(&projector) != GR_GGUF_KIND_PROJECTOR)
		st = inf_fail(err, INF_E_BAD_MODEL, "not_a_projector", "the file is of the kind \"%s\", not a projector: %s",
			      gr_gguf_kind_name(gr_gguf_kind(&projector)), start->projector_path);
	if (st == INF_OK)
		start->projector_bytes = projector.tensor_bytes;
	return st;
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

static uint32_t media_flags(const struct gr_wire_props *props)
{
	return (props->vision ? INF_INFO_FLAG_IMAGES : 0) | (props->audio ? INF_INFO_FLAG_AUDIO : 0) |
	       (props->vision && props->video ? INF_INFO_FLAG_VIDEO : 0);
}

static void fill_info(inf_model *self, const struct gr_wire_props *props)
{
	const struct gr_launch_plan *plan = &self->start->plan;
	const struct gr_gguf *file = &self->file;
	bool generates = plan->task == GR_TASK_GENERATE;
	bool tools = generates && file->has_chat_template && props->tools;
	inf_model_info info = {
		.struct_size = sizeof info,
		.flags = (generates && file->has_chat_template ? INF_INFO_FLAG_CHAT : 0) |
			 (plan->slots == 1 ? INF_INFO_FLAG_SERIAL : 0) | media_flags(props) |
			 (tools ? INF_INFO_FLAG_TOOLS : 0),
		.gen_fields = (generates ? GR_GEN_FIELDS : 0) | (tools ? INF_GEN_SET_TOOLS : 0),
		.gen_flags = generates ? GR_GEN_FLAGS & ~(plan->draft_path || plan->speculative ? INF_GEN_FLAG_LOGPROBS : 0) : 0,
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

/* Whoever waits for the load is asked while the server answers its first questions. */
static int32_t INF_CALL report_ready(void *user)
{
	const struct gr_progress *progress = user;
	const inf_progress ready = { .struct_size = sizeof ready, .stage = INF_STAGE_READY, .fraction = 1 };
	return progress->on_progress ? progress->on_progress(progress->user, &ready) : INF_CONTINUE;
}

/* Only the template knows, so the server is asked for its work, where it has a word of it. */
static inf_status find_thinking(inf_model *self, const struct gr_wire_props *props, struct gr_progress *progress,
				inf_error *err)
{
	struct gr_call call = { .model = self, .on_poll = report_ready, .user = progress, .err = err };
	bool thinks = false;
	bool asks = self->info.flags & INF_INFO_FLAG_CHAT && props->thinks;
	inf_status st = asks ? gr_prompt_obeys_thinking(&call, &thinks) : INF_OK;
	if (thinks) {
		self->info.flags |= INF_INFO_FLAG_THINKING;
		self->info.gen_fields |= INF_GEN_SET_THINKING | INF_GEN_SET_THINKING_BUDGET;
	}
	return st;
}

/* ---- before there is a server ---------------------------------------------------------------------------------- */
int gr_report_early(void *user)
{
	struct gr_early *early = user;
	const inf_progress progress = { .struct_size = sizeof progress, .stage = INF_STAGE_START, .fraction = -1 };
	int64_t now = gr_now_ms();
	if (!early->progress->on_progress || now - early->reported_ms < REPORT_MS)
		return 0;
	early->reported_ms = now;
	return early->progress->on_progress(early->progress->user, &progress) != INF_CONTINUE;
}

/* ---- the start ------------------------------------------------------------------------------------------------- */
static void free_start(struct gr_start *start)
{
	if (!start)
		return;
	free(start->devices);
	free(start->state_dir);
	gr_adapters_release(&start->adapters);
	free(start->projector_path);
	free(start->draft);
	free(start);
}

static bool copy_text(const char *text, char **out)
{
	*out = text ? strdup(text) : NULL;
	return *out || !text;
}

static inf_status copy_adapters(struct gr_start *start, const char *path, inf_error *err)
{
	inf_status st = path ? gr_adapters_add(&start->adapters, path, err) : INF_OK;
	return st == INF_OK && start->options.adapters ?
	       gr_adapters_parse(&start->adapters, start->options.adapters, err) : st;
}

/* What only a generation has a use for: the server would load a draft or a projector, and leave it unused. */
static inf_status check_task_options(const struct gr_load_options *options, inf_error *err)
{
	const char *useless = options->draft_model ? "draft-model" : options->draft_max ? "draft-max" :
			      options->speculative ? "speculative" : options->mmproj ? "mmproj" :
			      options->state_dir ? "state-dir" : NULL;
	if (options->task == GR_TASK_GENERATE || !useless)
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "task", "option %s: it has no meaning with task=%s: leave one of the two out", useless,
			task_name(options->task));
}

/* What the request says, in memory of our own: the server may be started again long after it. */
static inf_status copy_request(struct gr_start *start, const inf_load_params *params, inf_error *err)
{
	struct gr_load_options *options = &start->options;
	start->flags = params->flags;
	inf_status st = gr_options_parse_load(options, gr_options_table(gr_profile.name), params->options,
					      params->option_count, err);
	if (st == INF_OK)
		st = check_task_options(options, err);
	if (st != INF_OK)
		return st;
	if (!copy_text(params->devices, &start->devices) || !copy_text(options->state_dir, &start->state_dir))
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	st = copy_adapters(start, params->adapter_path, err);
	options->state_dir = options->adapters = NULL;		/* text of the caller's */
	const char *mmproj = options->mmproj;
	if (st == INF_OK && mmproj && mmproj[0] != '/')
		return inf_fail(err, INF_E_INVALID, "option_value", "option mmproj: the path is not absolute: %s", mmproj);
	if (st == INF_OK && !copy_text(mmproj, &start->projector_path))
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	options->mmproj = start->projector_path;
	if (st == INF_OK && start->options.rpc_servers)
		st = gr_rpc_list_parse(&start->workers.list, start->options.rpc_servers, err);
	if (st == INF_OK && start->workers.list.count && start->devices && !gr_profile.gpu)
		st = inf_fail(err, INF_E_INVALID, "devices", "load: devices is \"%.16s\", so the workers of rpc-servers would get nothing: "
			      "leave one of the two out", start->devices);
	return st;
}

static inf_status read_files(struct gr_start *start, const char *path, inf_error *err)
{
	inf_status st = find_model(&start->set, path, err);
	if (st == INF_OK)
		st = gr_model_check_kind(&start->set.facts, start->set.path, &start->options, err);
	if (st == INF_OK)
		st = gr_lora_read(start, err);
	if (st == INF_OK && start->projector_path)
		st = read_projector(start, err);
	if (st == INF_OK && start->options.draft_model && start->options.draft_model[0] == '/')
		st = find_draft(start, start->options.draft_model, err);
	return st == INF_OK && start->state_dir ? gr_state_open(start, err) : st;
}

static inf_status plan_start(inf_model *self, const inf_load_params *params, const struct gr_progress *progress,
			     inf_error *err)
{
	struct gr_start *start = self->start;
	struct gr_early early = { progress, 0 };
	inf_status st = gr_launch_plan(&start->plan, params, &start->options, &start->set.facts, cpu_count(),
				       gr_profile.gpu || start->workers.list.count, err);
	start->plan.model_path = start->set.path;
	start->plan.adapters = &start->adapters;
	start->plan.state_dir = start->state_dir;
	start->options.draft_model = NULL;	/* text of the caller's */
	if (start->draft) {
		start->plan.draft_path = start->draft->path;
		start->plan.draft = &start->draft_model;
	}
	if (st == INF_OK)
		st = gr_instance_server(self->instance, gr_report_early, &early, &start->facts, err);
	if (st == INF_OK)
		st = gr_launch_check(&start->plan, start->facts.features, start->facts.file.path, err);
	start->plan.rpc = start->options.rpc_servers = NULL;	/* text of the caller's; the addresses are found for each start */
	return st;
}

/* A later start gives the same context, or none. */
static void keep_promises(inf_model *self)
{
	self->start->plan.context_len = self->info.context_len;
	self->start->plan.fixed |= GR_FIT_CONTEXT_FIXED;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */
static inf_status release(inf_model *self, inf_error *err)
{
	inf_status st = gr_server_drop(self, err);
	gr_model_tell_log(self);
	gr_model_log_release(self);
	gr_slots_free(self->slots);
	gr_devices_release(self);
	free(self->token_kinds);
	free(self->token_roles);
	free_start(self->start);
	pthread_cond_destroy(&self->server_free);
	pthread_mutex_destroy(&self->lock);
	free(self);
	return st;
}

static inf_status prepare(inf_model *self, const inf_load_params *params, const struct gr_progress *progress,
			  inf_error *err)
{
	struct gr_start *start = self->start;
	inf_status st = copy_request(start, params, err);
	if (st == INF_OK && start->options.log_file)
		st = gr_logfile_open(&self->log.file, start->options.log_file, err);
	start->options.log_file = NULL;		/* text of the caller's, and opened only once */
	if (st == INF_OK)
		st = read_files(start, params->path, err);
	if (st == INF_OK)
		st = plan_start(self, params, progress, err);
	if (st != INF_OK)
		return st;
	self->file = start->set.facts;
	self->token_kinds = calloc(self->file.vocab_size + 1, sizeof *self->token_kinds);
	self->token_roles = calloc(self->file.vocab_size + 1, sizeof *self->token_roles);
	if (!self->token_kinds || !self->token_roles)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	return gr_slots_new(&self->slots, start->plan.slots, start->options.queue_depth, start->options.queue_timeout_ms,
			    err);
}

static inf_status bring_up(inf_model *self, const inf_load_params *params, inf_error *err)
{
	struct gr_progress progress = { params->on_progress, params->user };
	struct gr_wire_props props;
	inf_status st = prepare(self, params, &progress, err);
	if (st == INF_OK)
		st = gr_server_start(self, &progress, &props, err);
	if (st != INF_OK)
		return st;
	fill_info(self, &props);
	st = find_thinking(self, &props, &progress, err);
	if (st != INF_OK)
		return st;
	keep_promises(self);
	gr_server_remember_clocks(self);
	st = gr_devices_prove(self, err);
	return st == INF_OK ? gr_speculation_prove(self, err) : st;
}

static inf_model *new_model(inf_instance *instance)
{
	inf_model *self = calloc(1, sizeof *self);
	struct gr_start *start = calloc(1, sizeof *start);
	if (!self || !start) {
		free(self);
		free(start);
		return NULL;
	}
	self->instance = instance;
	self->start = start;
	self->last_error.struct_size = self->death.struct_size = sizeof self->death;
	pthread_mutex_init(&self->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&self->server_free, &attr);
	pthread_condattr_destroy(&attr);
	gr_model_log_init(self);
	return self;
}

inf_status gr_model_load(inf_instance *instance, const inf_load_params *params, inf_model **out, inf_error *err)
{
	inf_load_params checked;
	inf_status st = check_params(&checked, params, err);
	if (st != INF_OK)
		return st;
	inf_model *self = new_model(instance);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model");
	st = bring_up(self, &checked, err);
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
	gr_streams_end(self);
	return release(self, err);
}
