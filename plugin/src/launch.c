/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include <stdbool.h>
#include <string.h>

#include "gguf_kind.h"

static const struct {
	uint32_t feature;
	const char *word;
} feature_words[] = {
	{ GR_FEATURE_UNIX_SOCKET, ".sock" },
	{ GR_FEATURE_NO_WEBUI, "--no-webui" },
	{ GR_FEATURE_NO_UI, "--no-ui," },
	{ GR_FEATURE_OFFLINE, "--offline" },
	{ GR_FEATURE_FIT, "--fit " },
	{ GR_FEATURE_CORS_ORIGINS, "--cors-origins" },
	{ GR_FEATURE_THREADS_HTTP, "--threads-http" },
	{ GR_FEATURE_LOG_COLORS, "--log-colors" },
	{ GR_FEATURE_VERBOSITY, "-lv," },
	{ GR_FEATURE_FIT_TARGET, "--fit-target" },
	{ GR_FEATURE_SLEEP_IDLE, "--sleep-idle-seconds" },
	{ GR_FEATURE_MMPROJ, "--mmproj FILE" },
	{ GR_FEATURE_MMPROJ_OFFLOAD, "--no-mmproj-offload" },
	{ GR_FEATURE_RPC, "--rpc " },
	{ GR_FEATURE_DRAFT, "--model-draft" },
	{ GR_FEATURE_DRAFT_KIND, "draft-simple" },
	{ GR_FEATURE_DRAFT_N_MAX, "--spec-draft-n-max" },
	{ GR_FEATURE_NGRAM_SIMPLE, "ngram-simple" },
	{ GR_FEATURE_NGRAM_MOD, "ngram-mod" },
	{ GR_FEATURE_CACHE_RAM, "--cache-ram" },
	{ GR_FEATURE_SLOT_SAVE, "--slot-save-path" },
	{ GR_FEATURE_CACHE_IDLE_SLOTS, "--no-cache-idle-slots" },
};

/* Types llama.cpp offers for the KV cache. */
static const char *const cache_types[] = {
	"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1",
};

uint32_t gr_launch_features(const char *help_text)
{
	uint32_t features = 0;
	for (size_t i = 0; i < sizeof feature_words / sizeof feature_words[0]; i++)
		if (strstr(help_text, feature_words[i].word))
			features |= feature_words[i].feature;
	return features;
}

/* ---- plan ------------------------------------------------------------------------------------------------------ */
static inf_status plan_context(struct gr_launch_plan *plan, const inf_load_params *params, const struct gr_gguf *model,
			       inf_error *err)
{
	int32_t train = model->context_length <= INT32_MAX ? (int32_t)model->context_length : 0;
	if (params->context_len < 0)
		return inf_fail(err, INF_E_INVALID, "context_len", "context_len is %d, it cannot be negative",
				params->context_len);
	if (train && params->context_len > train)
		return inf_fail(err, INF_E_INVALID, "context_too_long",
				"context_len is %d, but the model was trained for %d tokens: ask for no more than that",
				params->context_len, train);
	plan->context_len = params->context_len;
	if (plan->context_len)
		plan->fixed |= GR_FIT_CONTEXT_FIXED;
	if (!plan->context_len && plan->fit == GR_FIT_SERVER && !plan->whole_batch)
		return INF_OK;
	if (!plan->context_len)
		plan->context_len = train && train < GR_LAUNCH_CONTEXT_DEFAULT ? train : GR_LAUNCH_CONTEXT_DEFAULT;
	if ((int64_t)plan->context_len * plan->slots > GR_LAUNCH_CONTEXT_MAX)
		return inf_fail(err, INF_E_INVALID, "context_too_long",
				"context_len %d times parallel_slots %d is above %d tokens", plan->context_len, plan->slots,
				GR_LAUNCH_CONTEXT_MAX);
	return INF_OK;
}

/* llama-server crashes on a completion if it makes a vector of every token, so some pooling is always asked for. */
static const char *pooling_of(const struct gr_load_options *options, const struct gr_gguf *model)
{
	static const char *const asked[] = {
		[GR_POOLING_MEAN] = "mean", [GR_POOLING_CLS] = "cls", [GR_POOLING_LAST] = "last",
	};
	if (options->pooling != GR_POOLING_AUTO)
		return asked[options->pooling];
	return model->pooling_type == GR_GGUF_POOLING_CLS ? "cls" : model->pooling_type == GR_GGUF_POOLING_LAST ? "last" : "mean";
}

/* Only of a text whose last token speaks for it can the server compute one piece after the other. */
static inf_status plan_task(struct gr_launch_plan *plan, const struct gr_load_options *options,
			    const struct gr_gguf *model, inf_error *err)
{
	plan->task = (enum gr_task)options->task;
	if (options->pooling != GR_POOLING_AUTO && plan->task != GR_TASK_EMBED)
		return inf_fail(err, INF_E_INVALID, "pooling", "option pooling: it is for task=embed");
	if (plan->task == GR_TASK_EMBED)
		plan->pooling = pooling_of(options, model);
	plan->whole_batch = plan->task == GR_TASK_RERANK ||
			    (plan->pooling && (strcmp(plan->pooling, "last") != 0 || gr_gguf_is_encoder(model)));
	return INF_OK;
}

static const char *cache_type(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof cache_types / sizeof cache_types[0]; i++)
		if (strlen(cache_types[i]) == len && strncmp(text, cache_types[i], len) == 0)
			return cache_types[i];
	return NULL;
}

/* "q8_0", or "q8_0/q4_0" for keys and values. */
static inf_status plan_cache(struct gr_launch_plan *plan, const char *mode, inf_error *err)
{
	if (!mode || strcmp(mode, "native") == 0)
		return INF_OK;
	size_t len = strcspn(mode, "/");
	const char *values = mode[len] ? mode + len + 1 : mode;
	plan->cache_type_k = cache_type(mode, len);
	plan->cache_type_v = cache_type(values, strlen(values));
	if (!plan->cache_type_k || !plan->cache_type_v)
		return inf_fail(err, INF_E_UNSUPPORTED, "cache_mode",
				"cache_mode \"%.32s\" is neither native nor one of f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1, nor two of "
				"them as KEYS/VALUES", mode);
	return INF_OK;
}

static inf_status plan_speculation(struct gr_launch_plan *plan, const struct gr_load_options *options, inf_error *err)
{
	plan->draft_path = options->draft_model;
	plan->draft_max = options->draft_max;
	plan->speculative = (enum gr_speculative)options->speculative;
	if (plan->draft_path && plan->draft_path[0] != '/')
		return inf_fail(err, INF_E_INVALID, "draft_model", "option draft-model: the path is not absolute: %s",
				plan->draft_path);
	if (plan->draft_max && !plan->draft_path)
		return inf_fail(err, INF_E_INVALID, "draft_max",
				"option draft-max says how much draft-model guesses, but there is none: leave it out, or give both");
	return INF_OK;
}

static inf_status plan_layers(struct gr_launch_plan *plan, const inf_load_params *params, int gpu, inf_error *err)
{
	plan->layers_given = params->set & INF_LOAD_SET_GPU_LAYERS;
	if (plan->layers_given && params->gpu_layers < -1)
		return inf_fail(err, INF_E_INVALID, "gpu_layers", "gpu_layers is %d, it must be -1 or more",
				params->gpu_layers);
	if (plan->layers_given && !gpu && params->gpu_layers > 0)
		return inf_fail(err, INF_E_UNSUPPORTED, "gpu_layers",
				"gpu_layers is %d, but this backend computes on the CPU: use 0 or a GPU backend",
				params->gpu_layers);
	if (plan->layers_given || !(params->flags & INF_LOAD_FLAG_ALLOW_CPU))
		plan->fixed |= GR_FIT_LAYERS_FIXED;
	plan->gpu_layers = !gpu ? 0 : plan->layers_given ? params->gpu_layers : -1;
	if (plan->rpc && plan->gpu_layers == 0)
		return inf_fail(err, INF_E_INVALID, "gpu_layers",
				"gpu_layers is 0, so the workers of rpc-servers would get nothing: leave one of the two out");
	return INF_OK;
}

inf_status gr_launch_plan(struct gr_launch_plan *out, const inf_load_params *params, const struct gr_load_options *options,
			  const struct gr_gguf *model, int cpu_count, int gpu, inf_error *err)
{
	struct gr_launch_plan plan = {
		.model_path = params->path,
		.projector_path = options->mmproj,
		.rpc = options->rpc_servers,
		.slots = params->parallel_slots ? params->parallel_slots : 1,
		.batch_size = options->batch_size,
		.threads = options->threads,
		.cpu_count = cpu_count,
		.sleep_idle_seconds = options->sleep_idle_seconds,
		.fit = (enum gr_fit_mode)options->fit,
	};
	if (plan.slots < 1 || plan.slots > GR_LAUNCH_SLOTS_MAX)
		return inf_fail(err, INF_E_INVALID, "parallel_slots", "parallel_slots is %d, it must be 1..%d",
				params->parallel_slots, GR_LAUNCH_SLOTS_MAX);
	inf_status st = plan_task(&plan, options, model, err);
	if (st == INF_OK)
		st = plan_layers(&plan, params, gpu, err);
	if (st == INF_OK)
		st = plan_context(&plan, params, model, err);
	if (st == INF_OK)
		st = plan_cache(&plan, params->cache_mode, err);
	if (st == INF_OK)
		st = plan_speculation(&plan, options, err);
	if (st != INF_OK)
		return st;
	*out = plan;
	return INF_OK;
}

/* What --spec-type takes, and the feature that says so. */
static const struct {
	const char *name;
	uint32_t feature;
} speculations[] = {
	[GR_SPECULATIVE_NGRAM_SIMPLE] = { "ngram-simple", GR_FEATURE_NGRAM_SIMPLE },
	[GR_SPECULATIVE_NGRAM_MOD] = { "ngram-mod", GR_FEATURE_NGRAM_MOD },
};

inf_status gr_launch_check(const struct gr_launch_plan *plan, uint32_t features, const char *server, inf_error *err)
{
	if (plan->fit == GR_FIT_SERVER && plan->gpu_layers && !(features & GR_FEATURE_FIT))
		return inf_fail(err, INF_E_UNSUPPORTED, "fit_unsupported",
				"%s has no --fit of its own: use fit=auto, or a newer llama-server", server);
	if (plan->sleep_idle_seconds && !(features & GR_FEATURE_SLEEP_IDLE))
		return inf_fail(err, INF_E_UNSUPPORTED, "sleep_unsupported",
				"%s has no --sleep-idle-seconds: leave the option out, or use a newer llama-server", server);
	if (plan->state_dir && !(features & GR_FEATURE_SLOT_SAVE))
		return inf_fail(err, INF_E_UNSUPPORTED, "state_unsupported",
				"%s has no --slot-save-path: leave state-dir out, or use a newer llama-server", server);
	if (plan->projector_path && !(features & GR_FEATURE_MMPROJ))
		return inf_fail(err, INF_E_UNSUPPORTED, "mmproj_unsupported",
				"%s has no --mmproj: leave the option out, or use a newer llama-server", server);
	if (plan->draft_path && !(features & GR_FEATURE_DRAFT))
		return inf_fail(err, INF_E_UNSUPPORTED, "draft_unsupported",
				"%s takes no draft model: leave draft-model out, or use a newer llama-server", server);
	if (plan->speculative && !(features & speculations[plan->speculative].feature))
		return inf_fail(err, INF_E_UNSUPPORTED, "speculative_unsupported",
				"%s has no %s: leave speculative out, or use a newer llama-server", server,
				speculations[plan->speculative].name);
	if (plan->rpc && !(features & GR_FEATURE_RPC))
		return inf_fail(err, INF_E_UNSUPPORTED, "rpc_unsupported",
				"%s was built without RPC: leave rpc-servers out, or use a llama-server that has --rpc", server);
	/* Where two models share a worker and a scale changes, llama.cpp 0.7.0 asks it for a graph that it no longer has. */
	if (plan->rpc && plan->draft_path && plan->adapters && plan->adapters->count)
		return inf_fail(err, INF_E_UNSUPPORTED, "rpc_draft_adapter",
				"rpc-servers, draft-model and adapters together would end llama-server: leave one of them out");
	return INF_OK;
}

struct gr_fit_load gr_launch_memory(const struct gr_launch_plan *plan)
{
	return (struct gr_fit_load){
		.context_len = (uint32_t)plan->context_len,
		.slots = (uint32_t)plan->slots,
		.batch_size = (uint32_t)plan->batch_size,
		.gpu_layers = plan->gpu_layers,
		.flags = plan->whole_batch ? GR_FIT_WHOLE_BATCH : 0,
		.cache_type_k = plan->cache_type_k,
		.cache_type_v = plan->cache_type_v,
		.draft = plan->draft,
	};
}

void gr_launch_shrink(struct gr_launch_plan *plan, const struct gr_fit_plan *fits)
{
	plan->context_len = (int32_t)fits->context_len;
	plan->gpu_layers = fits->gpu_layers;
}

/* One CPU is left to the host and the server's HTTP threads: a compute thread that has to share its CPU holds up all
 * the others at every barrier. */
int32_t gr_launch_threads(const struct gr_launch_plan *plan)
{
	if (plan->threads)
		return plan->threads;
	return plan->gpu_layers == -1 || plan->cpu_count < 2 ? 1 : plan->cpu_count - 1;
}

/* ---- argv ------------------------------------------------------------------------------------------------------ */
static void add_pair(struct gr_strv *out, const char *name, const char *value)
{
	gr_strv_add(out, name);
	gr_strv_add(out, value);
}

static void add_number(struct gr_strv *out, const char *name, int32_t value)
{
	gr_strv_add(out, name);
	gr_strv_addf(out, "%d", value);
}

/* What was evaluated with other scales must not be used: slots can be erased, which takes the right to their actions, but
 * not the server's cache of prompts in memory. */
static void add_adapters(struct gr_strv *out, const struct gr_launch_plan *plan, uint32_t features)
{
	if (!plan->adapters || !plan->adapters->count)
		return;
	for (size_t i = 0; i < plan->adapters->count; i++)
		add_pair(out, "--lora", plan->adapters->items[i].path);
	if (features & GR_FEATURE_CACHE_RAM)
		add_pair(out, "--cache-ram", "0");
}

static void add_slot_actions(struct gr_strv *out, const struct gr_launch_plan *plan, const struct gr_launch_place *place)
{
	bool adapters = plan->adapters && plan->adapters->count;
	if (plan->state_dir || (adapters && place->features & GR_FEATURE_SLOT_SAVE))
		add_pair(out, "--slot-save-path", plan->state_dir ? plan->state_dir : place->directory);
}

/* A projector goes where the model goes; where no layer goes to a GPU, it would still take one if it found it. */
static void add_projector(struct gr_strv *out, const struct gr_launch_plan *plan, uint32_t features)
{
	if (!plan->projector_path)
		return;
	add_pair(out, "--mmproj", plan->projector_path);
	if (!plan->gpu_layers && features & GR_FEATURE_MMPROJ_OFFLOAD)
		gr_strv_add(out, "--no-mmproj-offload");
}

static int32_t round_up(int32_t n, int32_t step)
{
	return (n + step - 1) / step * step;
}

/* As the server rounds it. It would also make no batch larger than the context that it is asked for. */
static int32_t slot_context(const struct gr_launch_plan *plan)
{
	return round_up(plan->context_len, GR_FIT_CONTEXT_STEP);
}

/* With pooling mean, llama-server 0.7.0 ends with an assertion where the slots do not share a batch evenly. */
static int32_t whole_batch(const struct gr_launch_plan *plan)
{
	return round_up(slot_context(plan), plan->slots);
}

static void add_model(struct gr_strv *out, const struct gr_launch_plan *plan, const char *device, uint32_t features)
{
	add_pair(out, "-m", plan->model_path);
	if (plan->cache_type_k) {
		add_pair(out, "--cache-type-k", plan->cache_type_k);
		add_pair(out, "--cache-type-v", plan->cache_type_v);
	}
	if (plan->rpc)
		add_pair(out, "--rpc", plan->rpc);	/* before what names the devices of its workers */
	if (device) {
		/* An assertion too: the server refuses to start without it. */
		add_pair(out, "--device", device);
		if (strcmp(device, "none") != 0 && !strchr(device, ','))
			add_pair(out, "--split-mode", "none");
	}
	/* The server's own fit changes only what is not given. */
	if (plan->fit != GR_FIT_SERVER || plan->layers_given || plan->gpu_layers == 0)
		add_number(out, "-ngl", plan->gpu_layers < 0 ? 999 : plan->gpu_layers);
	/* Without an explicit number the server makes four slots that share one KV cache. */
	add_number(out, "-np", plan->slots);
	if (plan->context_len)
		add_number(out, "-c", slot_context(plan) * plan->slots);
	/* A slot keeps what it evaluated until it is taken for something else, and only then has it to be copied away. The server
	 * would do so for every idle slot before each request. */
	if (features & GR_FEATURE_CACHE_IDLE_SLOTS)
		gr_strv_add(out, "--no-cache-idle-slots");
	add_number(out, "-b", plan->whole_batch ? whole_batch(plan) : plan->batch_size);
	if (plan->whole_batch)
		add_number(out, "-ub", whole_batch(plan));
	add_number(out, "-t", gr_launch_threads(plan));
	if (plan->sleep_idle_seconds)
		add_number(out, "--sleep-idle-seconds", plan->sleep_idle_seconds);
}

static void add_task(struct gr_strv *out, const struct gr_launch_plan *plan)
{
	if (plan->task == GR_TASK_RERANK)
		gr_strv_add(out, "--reranking");
	if (plan->task == GR_TASK_EMBED) {
		gr_strv_add(out, "--embeddings");
		add_pair(out, "--pooling", plan->pooling);
	}
}

/* A server that knows several kinds of speculation loads the draft model and leaves it unused, unless it is told the kind. */
static void add_speculation(struct gr_strv *out, const struct gr_launch_plan *plan, uint32_t has)
{
	bool names_draft = plan->draft_path && (has & GR_FEATURE_DRAFT_KIND);
	if (plan->draft_path)
		add_pair(out, "--model-draft", plan->draft_path);
	if (plan->draft_max)
		add_number(out, has & GR_FEATURE_DRAFT_N_MAX ? "--spec-draft-n-max" : "--draft-max", plan->draft_max);
	if (!names_draft && !plan->speculative)
		return;
	gr_strv_add(out, "--spec-type");
	gr_strv_addf(out, "%s%s%s", names_draft ? "draft-simple" : "", names_draft && plan->speculative ? "," : "",
		     plan->speculative ? speculations[plan->speculative].name : "");
}

static void add_service(struct gr_strv *out, const struct gr_launch_plan *plan, const struct gr_launch_place *place)
{
	uint32_t has = place->features;
	add_pair(out, "--host", place->socket_path);
	add_pair(out, "--alias", "model");
	if (has & GR_FEATURE_THREADS_HTTP)
		add_number(out, "--threads-http", plan->slots + GR_LAUNCH_SPARE_HTTP_THREADS);
	if (has & GR_FEATURE_CORS_ORIGINS)
		add_pair(out, "--cors-origins", "http://x.invalid");
	if (has & GR_FEATURE_FIT)
		add_pair(out, "--fit", plan->fit == GR_FIT_SERVER ? "on" : "off");
	if (has & GR_FEATURE_FIT_TARGET && plan->fit == GR_FIT_SERVER && plan->fit_target_bytes)
		add_number(out, "--fit-target", (int32_t)(plan->fit_target_bytes >> 20));
	if (has & GR_FEATURE_LOG_COLORS)
		add_pair(out, "--log-colors", "off");
	if (has & GR_FEATURE_VERBOSITY)
		add_number(out, "-lv", 4);	/* carries the device and offload lines */
	if (has & GR_FEATURE_OFFLINE)
		gr_strv_add(out, "--offline");
	if (has & GR_FEATURE_NO_UI)
		gr_strv_add(out, "--no-ui");
	else if (has & GR_FEATURE_NO_WEBUI)
		gr_strv_add(out, "--no-webui");
}

void gr_launch_argv(struct gr_strv *out, const struct gr_launch_plan *plan, const struct gr_launch_place *place)
{
	gr_strv_add(out, place->server_path);
	add_model(out, plan, place->device, place->features);
	add_adapters(out, plan, place->features);
	add_slot_actions(out, plan, place);
	add_projector(out, plan, place->features);
	add_task(out, plan);
	add_speculation(out, plan, place->features);
	add_service(out, plan, place);
}

/* ---- environment --------------------------------------------------------------------------------------------- */
void gr_launch_env(struct gr_strv *out, const struct gr_launch_place *place, char *const *host_env,
		   const char *const *pass)
{
	const char *path = gr_env_get(host_env, "PATH"), *lang = gr_env_get(host_env, "LANG");
	gr_strv_add_env(out, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
	if (lang)
		gr_strv_add_env(out, "LANG", lang);
	gr_strv_add_env(out, "HOME", place->home);
	gr_strv_add_env(out, "XDG_CONFIG_HOME", place->home);
	gr_strv_add_env(out, "TMPDIR", place->directory);
	if (place->cache_home)
		gr_strv_add_env(out, "XDG_CACHE_HOME", place->cache_home);
	if (place->api_key)
		gr_strv_add_env(out, "LLAMA_API_KEY", place->api_key);
	/* An abort would else start a debugger for its backtrace; spinning barriers collapse beside a busy neighbour. */
	gr_strv_add_env(out, "GGML_NO_BACKTRACE", "1");
	gr_strv_add_env(out, "OMP_WAIT_POLICY", "passive");
	for (size_t i = 0; place->extra_env && place->extra_env[i]; i++)
		gr_strv_add(out, place->extra_env[i]);
	for (size_t i = 0; pass && pass[i]; i++) {
		const char *value = gr_env_get(host_env, pass[i]);
		if (value)
			gr_strv_add_env(out, pass[i], value);
	}
	if (place->library_path && place->library_path[0])
		gr_strv_add_env(out, "LD_LIBRARY_PATH", place->library_path);
}
