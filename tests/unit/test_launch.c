/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "launch.h"

enum { TRAINED = 2048, CPUS = 8, ON_CPU = 0, ON_GPU = 1 };

static const struct gr_load_options defaults = { .threads = 0, .batch_size = 512, .stall_timeout_ms = 60000 };
static const struct gr_gguf trained = { .context_length = TRAINED };

static inf_load_params load_params(void)
{
	return (inf_load_params){ .struct_size = sizeof(inf_load_params), .path = "/models/a b.gguf" };
}

static inf_status plan_on(struct gr_launch_plan *out, const inf_load_params *params, int gpu, inf_error *err)
{
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_launch_plan(out, params, &defaults, &trained, CPUS, gpu, err);
}

/* ---- features -------------------------------------------------------------------------------------------------- */
static const char help_text[] =
	"-fit,  --fit [on|off]                   whether to adjust unset arguments to fit in device memory ('on' or\n"
	"-fitt, --fit-target MiB0,MiB1,MiB2,...\n"
	"                                        target margin per device for --fit, comma-separated list of values,\n"
	"--log-colors [on|off|auto]              Set colored logging ('on', 'off', or 'auto', default: 'auto')\n"
	"--offline                               Offline mode: forces use of cache, prevents network access\n"
	"-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold.\n"
	"--host HOST                             IP addresses to listen on, comma-separated, or UNIX socket paths\n"
	"                                        ending in .sock; with multiple TCP addresses, :: binds IPv6 only;\n"
	"--cors-origins ORIGINS                  comma-separated list of allowed origins for CORS (default: *)\n"
	"--ui-mcp-proxy, --webui-mcp-proxy, --no-ui-mcp-proxy, --no-webui-mcp-proxy\n"
	"--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI (default: enabled)\n"
	"--threads-http N                        number of threads used to process HTTP requests (default: -1)\n"
	"--sleep-idle-seconds SECONDS            number of seconds of idleness after which the server will sleep\n"
	"-mm,   --mmproj FILE                    path to a multimodal projector file. see tools/mtmd/README.md\n"
	"--mmproj-offload, --no-mmproj-offload   whether to enable GPU offloading for multimodal projector (default:\n"
	"--rpc SERVERS                           comma-separated list of RPC servers (host:port)\n"
	"--spec-draft-model, -md, --model-draft FNAME\n"
	"--spec-draft-n-max N                    number of tokens to draft for speculative decoding (default: 3)\n"
	"--spec-type none,draft-simple,draft-eagle3,ngram-simple,ngram-map-k,ngram-mod,ngram-cache\n"
	"-cram, --cache-ram N                    set the maximum cache size in MiB\n"
	"--cache-idle-slots, --no-cache-idle-slots\n"
	"                                        save idle slots to the prompt cache on new task\n"
	"--slot-save-path PATH                   path to save slot kv cache (default: disabled)\n";

enum { ALL_FEATURES = (1 << 22) - 1 };

static const struct {
	const char *help;
	uint32_t features;
} feature_cases[] = {
	{ "", 0 },
	{ "usage: something else", 0 },
	{ help_text, ALL_FEATURES },
	{ "--no-webui                              Disable the Web UI\n", GR_FEATURE_NO_WEBUI },
	{ "--host HOST   ip address to listen, or bind to an UNIX socket if the address ends with .sock\n",
	  GR_FEATURE_UNIX_SOCKET },
	{ "-fitt, --fit-target MiB0,MiB1\n", GR_FEATURE_FIT_TARGET },
	{ "--ui-mcp-proxy, --no-ui-mcp-proxy\n", 0 },
	{ "--mmproj FILE                           path to a multimodal projector file\n", GR_FEATURE_MMPROJ },
	{ "-mmu,  --mmproj-url URL                 URL to a multimodal projector file\n", 0 },
};

START_TEST(features_of_a_help_text_are_what_it_names)
{
	ck_assert_uint_eq(gr_launch_features(feature_cases[_i].help), feature_cases[_i].features);
}
END_TEST

/* ---- plan ------------------------------------------------------------------------------------------------------ */
START_TEST(plan_of_an_empty_request_is_complete)
{
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err;
	ck_assert_int_eq(plan_on(&plan, &params, ON_GPU, &err), INF_OK);
	ck_assert_ptr_eq(plan.model_path, params.path);
	ck_assert_ptr_null(plan.adapters);
	ck_assert_ptr_null(plan.state_dir);
	ck_assert_ptr_null(plan.cache_type_k);
	ck_assert_int_eq(plan.context_len, TRAINED);
	ck_assert_int_eq(plan.slots, 1);
	ck_assert_int_eq(plan.gpu_layers, -1);
	ck_assert_int_eq(gr_launch_threads(&plan), 1);
	ck_assert_int_eq(plan.batch_size, 512);
	ck_assert_uint_eq(plan.fixed, GR_FIT_LAYERS_FIXED);
	ck_assert_int_eq(plan.fit, GR_FIT_AUTO);
}
END_TEST

static const struct {
	int32_t asked;
	uint32_t model;
	inf_status status;
	int32_t planned;
} context_cases[] = {
	{ 0, TRAINED, INF_OK, TRAINED },
	{ 0, 131072, INF_OK, GR_LAUNCH_CONTEXT_DEFAULT },
	{ 0, 0, INF_OK, GR_LAUNCH_CONTEXT_DEFAULT },
	{ 512, TRAINED, INF_OK, 512 },
	{ TRAINED, TRAINED, INF_OK, TRAINED },
	{ TRAINED + 1, TRAINED, INF_E_INVALID, 0 },
	{ 100000, 0, INF_OK, 100000 },
	{ -1, TRAINED, INF_E_INVALID, 0 },
	{ GR_LAUNCH_CONTEXT_MAX, 0, INF_OK, GR_LAUNCH_CONTEXT_MAX },
	{ GR_LAUNCH_CONTEXT_MAX + 1, 0, INF_E_INVALID, 0 },
	{ INT32_MAX, INT32_MAX, INF_E_INVALID, 0 },
	{ 512, UINT32_MAX, INF_OK, 512 },
};

START_TEST(plan_context_obeys_request_model_and_limit)
{
	inf_load_params params = load_params();
	const struct gr_gguf model = { .context_length = context_cases[_i].model };
	struct gr_launch_plan plan = { .context_len = -7 };
	inf_error err = { .struct_size = sizeof err };
	params.context_len = context_cases[_i].asked;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &defaults, &model, CPUS, ON_CPU, &err), context_cases[_i].status);
	ck_assert_int_eq(plan.context_len, context_cases[_i].status == INF_OK ? context_cases[_i].planned : -7);
	if (context_cases[_i].status != INF_OK)
		ck_assert_ptr_nonnull(strstr(err.message, "context_len"));
}
END_TEST

static const struct {
	int32_t asked, context_len;
	inf_status status;
	int32_t planned;
} slot_cases[] = {
	{ 0, 0, INF_OK, 1 },
	{ 4, 0, INF_OK, 4 },
	{ GR_LAUNCH_SLOTS_MAX, 0, INF_OK, GR_LAUNCH_SLOTS_MAX },
	{ GR_LAUNCH_SLOTS_MAX + 1, 0, INF_E_INVALID, 0 },
	{ -1, 0, INF_E_INVALID, 0 },
	{ INT32_MIN, 0, INF_E_INVALID, 0 },
	{ 256, GR_LAUNCH_CONTEXT_MAX / 256, INF_OK, 256 },
	{ 256, GR_LAUNCH_CONTEXT_MAX / 256 + 1, INF_E_INVALID, 0 },
	{ 256, INT32_MAX, INF_E_INVALID, 0 },
};

START_TEST(plan_slots_obey_request_and_limits)
{
	inf_load_params params = load_params();
	const struct gr_gguf model = { 0 };
	struct gr_launch_plan plan;
	inf_error err = { .struct_size = sizeof err };
	params.parallel_slots = slot_cases[_i].asked;
	params.context_len = slot_cases[_i].context_len;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &defaults, &model, CPUS, ON_CPU, &err), slot_cases[_i].status);
	if (slot_cases[_i].status == INF_OK)
		ck_assert_int_eq(plan.slots, slot_cases[_i].planned);
	else
		ck_assert_ptr_nonnull(strstr(err.message, "parallel_slots"));
}
END_TEST

static const struct {
	int gpu;
	uint64_t set;
	int32_t asked;
	inf_status status;
	int32_t planned;
} layer_cases[] = {
	{ ON_GPU, 0, 0, INF_OK, -1 },
	{ ON_GPU, INF_LOAD_SET_GPU_LAYERS, -1, INF_OK, -1 },
	{ ON_GPU, INF_LOAD_SET_GPU_LAYERS, 0, INF_OK, 0 },
	{ ON_GPU, INF_LOAD_SET_GPU_LAYERS, 12, INF_OK, 12 },
	{ ON_GPU, INF_LOAD_SET_GPU_LAYERS, -2, INF_E_INVALID, 0 },
	{ ON_CPU, 0, 0, INF_OK, 0 },
	{ ON_CPU, INF_LOAD_SET_GPU_LAYERS, 0, INF_OK, 0 },
	{ ON_CPU, INF_LOAD_SET_GPU_LAYERS, 1, INF_E_UNSUPPORTED, 0 },
	{ ON_CPU, INF_LOAD_SET_GPU_LAYERS, -2, INF_E_INVALID, 0 },
};

START_TEST(plan_gpu_layers_count_only_with_their_bit)
{
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err;
	params.set = layer_cases[_i].set;
	params.gpu_layers = layer_cases[_i].asked;
	ck_assert_int_eq(plan_on(&plan, &params, layer_cases[_i].gpu, &err), layer_cases[_i].status);
	if (layer_cases[_i].status == INF_OK)
		ck_assert_int_eq(plan.gpu_layers, layer_cases[_i].planned);
	else
		ck_assert_ptr_nonnull(strstr(err.message, "gpu_layers"));
}
END_TEST

static const struct {
	int gpu, cpus;
	int32_t option, layers, planned;
} thread_cases[] = {
	{ ON_GPU, 16, 0, -1, 1 },
	{ ON_GPU, 16, 0, 10, 15 },	/* the rest is computed on the CPU */
	{ ON_GPU, 16, 6, -1, 6 },
	{ ON_CPU, 16, 0, 0, 15 },
	{ ON_CPU, 16, 16, 0, 16 },
	{ ON_CPU, 2, 0, 0, 1 },
	{ ON_CPU, 1, 0, 0, 1 },
	{ ON_CPU, 0, 0, 0, 1 },
};

START_TEST(plan_threads_leave_a_cpu_unless_told)
{
	inf_load_params params = load_params();
	const struct gr_load_options options = { .threads = thread_cases[_i].option, .batch_size = 64 };
	struct gr_launch_plan plan;
	params.set = INF_LOAD_SET_GPU_LAYERS;
	params.gpu_layers = thread_cases[_i].layers;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, thread_cases[_i].cpus, thread_cases[_i].gpu,
					NULL), INF_OK);
	ck_assert_int_eq(gr_launch_threads(&plan), thread_cases[_i].planned);
	ck_assert_int_eq(plan.batch_size, 64);
}
END_TEST

/* What may become less to fit: the contract lets layers go to the CPU only where the load allows it. */
static const struct {
	uint32_t flags;
	uint64_t set;
	int32_t layers, context;
	uint32_t fixed;
} fixed_cases[] = {
	{ 0, 0, 0, 0, GR_FIT_LAYERS_FIXED },
	{ 0, 0, 0, 512, GR_FIT_LAYERS_FIXED | GR_FIT_CONTEXT_FIXED },
	{ INF_LOAD_FLAG_ALLOW_CPU, 0, 0, 0, 0 },
	{ INF_LOAD_FLAG_ALLOW_CPU, 0, 0, 512, GR_FIT_CONTEXT_FIXED },
	{ INF_LOAD_FLAG_ALLOW_CPU, INF_LOAD_SET_GPU_LAYERS, -1, 0, GR_FIT_LAYERS_FIXED },
	{ 0, INF_LOAD_SET_GPU_LAYERS, 3, 0, GR_FIT_LAYERS_FIXED },
};

START_TEST(plan_fixes_what_the_request_says)
{
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err;
	params.flags = fixed_cases[_i].flags;
	params.set = fixed_cases[_i].set;
	params.gpu_layers = fixed_cases[_i].layers;
	params.context_len = fixed_cases[_i].context;
	ck_assert_int_eq(plan_on(&plan, &params, ON_GPU, &err), INF_OK);
	ck_assert_uint_eq(plan.fixed, fixed_cases[_i].fixed);
}
END_TEST

START_TEST(plan_of_the_servers_own_fit_leaves_the_context_to_it)
{
	const struct gr_load_options options = { .fit = GR_FIT_SERVER, .batch_size = 512 };
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, NULL), INF_OK);
	ck_assert_int_eq(plan.context_len, 0);
	params.context_len = 300;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, NULL), INF_OK);
	ck_assert_int_eq(plan.context_len, 300);
}
END_TEST

START_TEST(plan_becomes_what_fits)
{
	struct gr_launch_plan plan = { .context_len = 4096, .slots = 2, .gpu_layers = -1, .batch_size = 128, .cpu_count = 8,
				       .cache_type_k = "q8_0", .cache_type_v = "q8_0" };
	const struct gr_fit_load wanted = gr_launch_memory(&plan);
	ck_assert_uint_eq(wanted.context_len, 4096);
	ck_assert_uint_eq(wanted.slots, 2);
	ck_assert_uint_eq(wanted.batch_size, 128);
	ck_assert_int_eq(wanted.gpu_layers, -1);
	ck_assert_str_eq(wanted.cache_type_k, "q8_0");
	ck_assert_str_eq(wanted.cache_type_v, "q8_0");
	ck_assert_int_eq(gr_launch_threads(&plan), 1);
	const struct gr_fit_plan fits = { .context_len = 1024, .gpu_layers = 7 };
	gr_launch_shrink(&plan, &fits);
	ck_assert_int_eq(plan.context_len, 1024);
	ck_assert_int_eq(plan.gpu_layers, 7);
	ck_assert_int_eq(gr_launch_threads(&plan), 7);	/* the CPU has something to do now */
}
END_TEST

static const struct {
	const char *mode, *type;
	inf_status status;
} cache_cases[] = {
	{ NULL, NULL, INF_OK },
	{ "native", NULL, INF_OK },
	{ "f16", "f16", INF_OK },
	{ "q8_0", "q8_0", INF_OK },
	{ "q4_0", "q4_0", INF_OK },
	{ "iq4_nl", "iq4_nl", INF_OK },
	{ "f16/f16", "f16", INF_OK },
	{ "q8_0/", NULL, INF_E_UNSUPPORTED },
	{ "/q8_0", NULL, INF_E_UNSUPPORTED },
	{ "/", NULL, INF_E_UNSUPPORTED },
	{ "q8_0/q9", NULL, INF_E_UNSUPPORTED },
	{ "q8_0/q4_0/q4_0", NULL, INF_E_UNSUPPORTED },
	{ "q8", NULL, INF_E_UNSUPPORTED },
	{ "native/q8_0", NULL, INF_E_UNSUPPORTED },
	{ "", NULL, INF_E_UNSUPPORTED },
	{ "Q8_0", NULL, INF_E_UNSUPPORTED },
	{ "q8_0 --evil", NULL, INF_E_UNSUPPORTED },
	{ "paged", NULL, INF_E_UNSUPPORTED },
};

START_TEST(plan_cache_mode_is_one_the_server_has)
{
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err;
	params.cache_mode = cache_cases[_i].mode;
	ck_assert_int_eq(plan_on(&plan, &params, ON_GPU, &err), cache_cases[_i].status);
	if (cache_cases[_i].status != INF_OK) {
		ck_assert_ptr_nonnull(strstr(err.message, "cache_mode"));
		return;
	}
	if (cache_cases[_i].type) {
		ck_assert_str_eq(plan.cache_type_k, cache_cases[_i].type);
		ck_assert_str_eq(plan.cache_type_v, cache_cases[_i].type);
	} else {
		ck_assert_ptr_null(plan.cache_type_k);
		ck_assert_ptr_null(plan.cache_type_v);
	}
}
END_TEST

START_TEST(plan_cache_mode_of_two_types_is_keys_and_values)
{
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err;
	params.cache_mode = "q8_0/iq4_nl";
	ck_assert_int_eq(plan_on(&plan, &params, ON_GPU, &err), INF_OK);
	ck_assert_str_eq(plan.cache_type_k, "q8_0");
	ck_assert_str_eq(plan.cache_type_v, "iq4_nl");
	const struct gr_fit_load memory = gr_launch_memory(&plan);
	ck_assert_str_eq(memory.cache_type_k, "q8_0");
	ck_assert_str_eq(memory.cache_type_v, "iq4_nl");
}
END_TEST

static const struct {
	const char *draft;
	int32_t max;
	inf_status status;
	const char *says;
} draft_cases[] = {
	{ "/models/d.gguf", 0, INF_OK, "" },
	{ "/models/d.gguf", 8, INF_OK, "" },
	{ NULL, 0, INF_OK, "" },
	{ "d.gguf", 0, INF_E_INVALID, "d.gguf" },
	{ NULL, 8, INF_E_INVALID, "draft-max" },
};

START_TEST(plan_draft_is_checked)
{
	inf_load_params params = load_params();
	struct gr_load_options options = defaults;
	struct gr_launch_plan plan;
	inf_error err = { .struct_size = sizeof err };
	options.draft_model = draft_cases[_i].draft;
	options.draft_max = draft_cases[_i].max;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, &err), draft_cases[_i].status);
	if (draft_cases[_i].status == INF_OK)
		ck_assert_ptr_eq(plan.draft_path, draft_cases[_i].draft);
	else
		ck_assert_ptr_nonnull(strstr(err.message, draft_cases[_i].says));
}
END_TEST

/* ---- argv ------------------------------------------------------------------------------------------------------ */
static char first_adapter[] = "/models/lora.gguf", second_adapter[] = "/models/b:1.gguf";
static const struct gr_adapters no_adapters = { 0 };
static const struct gr_adapters two_adapters = { 2, { { first_adapter, 1, 0 }, { second_adapter, 0.5f, 0 } } };

static const struct gr_launch_plan full_plan = {
	.model_path = "/models/a b.gguf", .adapters = &two_adapters, .state_dir = "/home/u/states", .cache_type_k = "q8_0",
	.cache_type_v = "q4_0", .context_len = 1024, .slots = 4, .gpu_layers = -1, .threads = 3, .batch_size = 256,
};

static const struct gr_launch_place full_place = {
	.server_path = "/opt/llama-server", .directory = "/run/i-x", .socket_path = "/run/i-x/server.sock",
	.home = "/run/i-x/home", .cache_home = "/var/cache/u", .api_key = "0123456789abcdef", .device = "ROCm0",
	.features = ALL_FEATURES,
};

static size_t position(const struct gr_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return i;
	return list->count;
}

static const char *value_of(const struct gr_strv *argv, const char *name)
{
	size_t i = position(argv, name);
	return i + 1 < argv->count ? argv->items[i + 1] : "(absent)";
}

static const struct {
	const char *name, *value;
} pair_cases[] = {
	{ "-m", "/models/a b.gguf" }, { "--lora", "/models/lora.gguf" }, { "--cache-type-k", "q8_0" },
	{ "--cache-type-v", "q4_0" }, { "--device", "ROCm0" }, { "-np", "4" }, { "-c", "4096" }, { "-b", "256" },
	{ "-t", "3" }, { "--host", "/run/i-x/server.sock" }, { "--threads-http", "12" }, { "--fit", "off" },
	{ "--cache-ram", "0" }, { "--slot-save-path", "/home/u/states" }, { "--log-colors", "off" }, { "-lv", "4" }, { "-ngl", "999" }, { "--cors-origins", "http://x.invalid" },
};

START_TEST(argv_of_a_full_plan_holds_each_option)
{
	struct gr_strv argv = GR_STRV_INIT;
	gr_launch_argv(&argv, &full_plan, &full_place);
	ck_assert(!argv.failed);
	ck_assert_str_eq(argv.items[0], "/opt/llama-server");
	for (size_t i = 0; i < sizeof pair_cases / sizeof pair_cases[0]; i++)
		ck_assert_str_eq(value_of(&argv, pair_cases[i].name), pair_cases[i].value);
	ck_assert_uint_lt(position(&argv, "--offline"), argv.count);
	ck_assert_uint_lt(position(&argv, "--no-ui"), argv.count);
	ck_assert_uint_lt(position(&argv, "--no-cache-idle-slots"), argv.count);
	ck_assert_uint_eq(position(&argv, "--no-webui"), argv.count);
	ck_assert_ptr_null(argv.items[argv.count]);
	gr_strv_release(&argv);
}
END_TEST

static const struct {
	int32_t task, pooling;
	struct gr_gguf model;
	const char *argument, *value, *batch;	/* what the server is started with */
} task_cases[] = {
	{ GR_TASK_GENERATE, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_LAST }, NULL, NULL, "512" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { 0 }, "--embeddings", "mean", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_MEAN }, "--embeddings", "mean", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_CLS }, "--embeddings", "cls", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_LAST }, "--embeddings", "last", "512" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_RANK }, "--embeddings", "mean", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_AUTO, { .pooling_type = 77 }, "--embeddings", "mean", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_CLS, { .pooling_type = GR_GGUF_POOLING_LAST }, "--embeddings", "cls", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_MEAN, { .pooling_type = GR_GGUF_POOLING_CLS }, "--embeddings", "mean", "1026" },
	{ GR_TASK_EMBED, GR_POOLING_LAST, { .pooling_type = GR_GGUF_POOLING_CLS }, "--embeddings", "last", "512" },
	{ GR_TASK_EMBED, GR_POOLING_LAST, { .architecture = "bert" }, "--embeddings", "last", "1026" },
	{ GR_TASK_RERANK, GR_POOLING_AUTO, { .pooling_type = GR_GGUF_POOLING_RANK }, "--reranking", NULL, "1026" },
};

/* The batch is the context of 1000 tokens as the server rounds it, and a multiple of the three slots. */
START_TEST(argv_for_a_task_names_it_and_makes_room_for_a_whole_text)
{
	const struct gr_load_options options = {
		.batch_size = 512, .task = task_cases[_i].task, .pooling = task_cases[_i].pooling,
	};
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	struct gr_strv argv = GR_STRV_INIT;
	const char *pooling = task_cases[_i].value ? task_cases[_i].value : "(absent)";
	bool whole = strcmp(task_cases[_i].batch, "512") != 0;
	params.context_len = 1000;
	params.parallel_slots = 3;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &task_cases[_i].model, CPUS, ON_CPU, NULL), INF_OK);
	gr_launch_argv(&argv, &plan, &full_place);
	ck_assert_uint_eq(position(&argv, "--embeddings") < argv.count, task_cases[_i].task == GR_TASK_EMBED);
	ck_assert_uint_eq(position(&argv, "--reranking") < argv.count, task_cases[_i].task == GR_TASK_RERANK);
	ck_assert_str_eq(value_of(&argv, "--pooling"), pooling);
	ck_assert_str_eq(value_of(&argv, "-c"), "3072");
	ck_assert_str_eq(value_of(&argv, "-b"), task_cases[_i].batch);
	ck_assert_str_eq(value_of(&argv, "-ub"), whole ? task_cases[_i].batch : "(absent)");
	ck_assert_uint_eq(gr_launch_memory(&plan).flags, whole ? GR_FIT_WHOLE_BATCH : 0);
	gr_strv_release(&argv);
}
END_TEST

/* The server's own fit would choose a context that the batch does not follow. */
START_TEST(plan_of_a_whole_batch_always_has_a_context)
{
	const struct gr_load_options options = { .batch_size = 512, .task = GR_TASK_EMBED, .fit = GR_FIT_SERVER };
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, NULL), INF_OK);
	ck_assert_int_eq(plan.context_len, TRAINED);
}
END_TEST

START_TEST(plan_refuses_a_pooling_where_no_vectors_are_made)
{
	const struct gr_load_options options = {
		.batch_size = 512, .task = _i ? GR_TASK_RERANK : GR_TASK_GENERATE, .pooling = GR_POOLING_MEAN,
	};
	inf_load_params params = load_params();
	struct gr_launch_plan plan;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_CPU, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "pooling");
}
END_TEST

static const struct {
	const char *device, *split_mode;
} split_cases[] = {
	{ "ROCm0", "none" }, { "ROCm0,ROCm1", "(absent)" }, { "none", "(absent)" },
};

START_TEST(argv_for_one_gpu_does_not_split)
{
	struct gr_launch_place place = full_place;
	struct gr_strv argv = GR_STRV_INIT;
	place.device = split_cases[_i].device;
	gr_launch_argv(&argv, &full_plan, &place);
	ck_assert_str_eq(value_of(&argv, "--device"), split_cases[_i].device);
	ck_assert_str_eq(value_of(&argv, "--split-mode"), split_cases[_i].split_mode);
	gr_strv_release(&argv);
}
END_TEST

START_TEST(argv_of_the_servers_own_fit_gives_only_what_the_request_gave)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_strv argv = GR_STRV_INIT, given = GR_STRV_INIT;
	plan.fit = GR_FIT_SERVER;
	plan.context_len = 0;
	plan.fit_target_bytes = UINT64_C(1500) << 20;
	gr_launch_argv(&argv, &plan, &full_place);
	ck_assert_str_eq(value_of(&argv, "--fit"), "on");
	ck_assert_str_eq(value_of(&argv, "--fit-target"), "1500");
	ck_assert_uint_eq(position(&argv, "-c"), argv.count);
	ck_assert_uint_eq(position(&argv, "-ngl"), argv.count);
	plan.context_len = 512;
	plan.layers_given = true;
	plan.gpu_layers = 9;
	gr_launch_argv(&given, &plan, &full_place);
	ck_assert_str_eq(value_of(&given, "-c"), "2048");
	ck_assert_str_eq(value_of(&given, "-ngl"), "9");
	gr_strv_release(&argv);
	gr_strv_release(&given);
}
END_TEST

START_TEST(argv_with_adapters_names_each_and_keeps_no_prompts)
{
	static const struct gr_adapters none = { 0 };
	struct gr_launch_plan plan = full_plan;
	struct gr_strv argv = GR_STRV_INIT, without = GR_STRV_INIT;
	plan.state_dir = NULL;
	gr_launch_argv(&argv, &plan, &full_place);
	size_t first = position(&argv, first_adapter), second = position(&argv, second_adapter);
	ck_assert_uint_lt(first, second);
	ck_assert_str_eq(argv.items[second - 1], "--lora");
	ck_assert_str_eq(value_of(&argv, "--slot-save-path"), full_place.directory);
	plan.adapters = &none;
	gr_launch_argv(&without, &plan, &full_place);
	ck_assert_uint_eq(position(&without, "--lora"), without.count);
	ck_assert_uint_eq(position(&without, "--cache-ram"), without.count);
	ck_assert_uint_eq(position(&without, "--slot-save-path"), without.count);
	gr_strv_release(&argv);
	gr_strv_release(&without);
}
END_TEST

START_TEST(argv_has_the_sleep_only_where_it_is_wanted)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_strv argv = GR_STRV_INIT, asleep = GR_STRV_INIT;
	gr_launch_argv(&argv, &plan, &full_place);
	ck_assert_uint_eq(position(&argv, "--sleep-idle-seconds"), argv.count);
	plan.sleep_idle_seconds = 90;
	gr_launch_argv(&asleep, &plan, &full_place);
	ck_assert_str_eq(value_of(&asleep, "--sleep-idle-seconds"), "90");
	gr_strv_release(&argv);
	gr_strv_release(&asleep);
}
END_TEST

static const struct {
	int32_t gpu_layers;
	uint32_t features;
	bool kept_off;
} projector_cases[] = {
	{ -1, ALL_FEATURES, false }, { 5, ALL_FEATURES, false }, { 0, ALL_FEATURES, true },
	{ 0, ALL_FEATURES & ~GR_FEATURE_MMPROJ_OFFLOAD, false },
};

START_TEST(argv_has_the_projector_where_the_model_is)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_launch_place place = full_place;
	struct gr_strv without = GR_STRV_INIT, argv = GR_STRV_INIT;
	plan.gpu_layers = projector_cases[_i].gpu_layers;
	place.features = projector_cases[_i].features;
	gr_launch_argv(&without, &plan, &place);
	ck_assert_uint_eq(position(&without, "--mmproj"), without.count);
	ck_assert_uint_eq(position(&without, "--no-mmproj-offload"), without.count);
	plan.projector_path = "/models/mmproj.gguf";
	gr_launch_argv(&argv, &plan, &place);
	ck_assert_str_eq(value_of(&argv, "--mmproj"), "/models/mmproj.gguf");
	ck_assert((position(&argv, "--no-mmproj-offload") < argv.count) == projector_cases[_i].kept_off);
	gr_strv_release(&without);
	gr_strv_release(&argv);
}
END_TEST

static const struct {
	struct gr_launch_plan plan;
	uint32_t features;
	const char *reason;
} check_cases[] = {
	{ { .gpu_layers = -1 }, 0, "" },
	{ { .gpu_layers = -1, .fit = GR_FIT_SERVER }, ALL_FEATURES, "" },
	{ { .gpu_layers = -1, .fit = GR_FIT_SERVER }, ALL_FEATURES & ~GR_FEATURE_FIT, "fit_unsupported" },
	{ { .gpu_layers = 0, .fit = GR_FIT_SERVER }, 0, "" },
	{ { .sleep_idle_seconds = 5 }, GR_FEATURE_SLEEP_IDLE, "" },
	{ { .sleep_idle_seconds = 5 }, ALL_FEATURES & ~GR_FEATURE_SLEEP_IDLE, "sleep_unsupported" },
	{ { .state_dir = "/s" }, GR_FEATURE_SLOT_SAVE, "" },
	{ { .state_dir = "/s" }, ALL_FEATURES & ~GR_FEATURE_SLOT_SAVE, "state_unsupported" },
	{ { .projector_path = "/p" }, GR_FEATURE_MMPROJ, "" },
	{ { .projector_path = "/p" }, ALL_FEATURES & ~GR_FEATURE_MMPROJ, "mmproj_unsupported" },
	{ { .draft_path = "/d" }, GR_FEATURE_DRAFT, "" },
	{ { .draft_path = "/d" }, ALL_FEATURES & ~GR_FEATURE_DRAFT, "draft_unsupported" },
	{ { .speculative = GR_SPECULATIVE_NGRAM_MOD }, GR_FEATURE_NGRAM_MOD, "" },
	{ { .speculative = GR_SPECULATIVE_NGRAM_MOD }, ALL_FEATURES & ~GR_FEATURE_NGRAM_MOD, "speculative_unsupported" },
	{ { .speculative = GR_SPECULATIVE_NGRAM_SIMPLE }, GR_FEATURE_NGRAM_SIMPLE, "" },
	{ { .speculative = GR_SPECULATIVE_NGRAM_SIMPLE }, ALL_FEATURES & ~GR_FEATURE_NGRAM_SIMPLE, "speculative_unsupported" },
	{ { .rpc = "a:1" }, GR_FEATURE_RPC, "" },
	{ { .rpc = "a:1", .draft_path = "/d", .adapters = &two_adapters }, ALL_FEATURES, "rpc_draft_adapter" },
	{ { .rpc = "a:1", .draft_path = "/d", .adapters = &no_adapters }, ALL_FEATURES, "" },
	{ { .rpc = "a:1", .adapters = &two_adapters }, ALL_FEATURES, "" },
	{ { .draft_path = "/d", .adapters = &two_adapters }, ALL_FEATURES, "" },
	{ { .rpc = "a:1" }, ALL_FEATURES & ~GR_FEATURE_RPC, "rpc_unsupported" },
};

START_TEST(argv_names_the_workers_before_their_devices)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_launch_place place = full_place;
	struct gr_strv argv = GR_STRV_INIT, alone = GR_STRV_INIT;
	gr_launch_argv(&alone, &plan, &place);
	ck_assert_uint_eq(position(&alone, "--rpc"), alone.count);
	plan.rpc = "10.0.0.2:50052,10.0.0.3:50052";
	place.device = "RPC0,RPC1,ROCm0";
	gr_launch_argv(&argv, &plan, &place);
	ck_assert_str_eq(value_of(&argv, "--rpc"), "10.0.0.2:50052,10.0.0.3:50052");
	ck_assert_uint_lt(position(&argv, "--rpc"), position(&argv, "--device"));
	gr_strv_release(&argv);
	gr_strv_release(&alone);
}
END_TEST

static const struct {
	struct gr_launch_plan plan;
	uint32_t features;
	const char *draft, *type, *max, *old_max;
} speculation_cases[] = {
	{ { .speculative = GR_SPECULATIVE_NONE }, ALL_FEATURES, "(absent)", "(absent)", "(absent)", "(absent)" },
	{ { .draft_path = "/d" }, ALL_FEATURES, "/d", "draft-simple", "(absent)", "(absent)" },
	{ { .draft_path = "/d", .draft_max = 9 }, ALL_FEATURES, "/d", "draft-simple", "9", "(absent)" },
	{ { .speculative = GR_SPECULATIVE_NGRAM_SIMPLE }, ALL_FEATURES, "(absent)", "ngram-simple", "(absent)", "(absent)" },
	{ { .draft_path = "/d", .speculative = GR_SPECULATIVE_NGRAM_MOD }, ALL_FEATURES, "/d", "draft-simple,ngram-mod", "(absent)",
	  "(absent)" },
	/* a server before there were kinds */
	{ { .draft_path = "/d", .draft_max = 9 }, GR_FEATURE_DRAFT, "/d", "(absent)", "(absent)", "9" },
	{ { .draft_path = "/d", .speculative = GR_SPECULATIVE_NGRAM_MOD }, GR_FEATURE_DRAFT | GR_FEATURE_NGRAM_MOD, "/d", "ngram-mod",
	  "(absent)", "(absent)" },
};

START_TEST(argv_speculates_as_the_server_wants_to_be_told)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_launch_place place = full_place;
	struct gr_strv argv = GR_STRV_INIT;
	plan.draft_path = speculation_cases[_i].plan.draft_path;
	plan.draft_max = speculation_cases[_i].plan.draft_max;
	plan.speculative = speculation_cases[_i].plan.speculative;
	place.features = speculation_cases[_i].features;
	gr_launch_argv(&argv, &plan, &place);
	ck_assert_str_eq(value_of(&argv, "--model-draft"), speculation_cases[_i].draft);
	ck_assert_str_eq(value_of(&argv, "--spec-type"), speculation_cases[_i].type);
	ck_assert_str_eq(value_of(&argv, "--spec-draft-n-max"), speculation_cases[_i].max);
	ck_assert_str_eq(value_of(&argv, "--draft-max"), speculation_cases[_i].old_max);
	gr_strv_release(&argv);
}
END_TEST

START_TEST(plan_with_workers_has_layers_for_them)
{
	inf_load_params params = load_params();
	struct gr_load_options options = defaults;
	struct gr_launch_plan plan;
	inf_error err = { .struct_size = sizeof err };
	options.rpc_servers = "a:1";
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, &err), INF_OK);
	ck_assert_str_eq(plan.rpc, "a:1");
	ck_assert_int_eq(plan.gpu_layers, -1);
	params.set = INF_LOAD_SET_GPU_LAYERS;
	ck_assert_int_eq(gr_launch_plan(&plan, &params, &options, &trained, CPUS, ON_GPU, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "gpu_layers");
	ck_assert_ptr_nonnull(strstr(err.message, "rpc-servers"));
}
END_TEST

START_TEST(check_refuses_what_the_server_cannot_do)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_launch_check(&check_cases[_i].plan, check_cases[_i].features, "/opt/llama-server", &err);
	ck_assert_int_eq(st, *check_cases[_i].reason ? INF_E_UNSUPPORTED : INF_OK);
	ck_assert_str_eq(err.reason, check_cases[_i].reason);
}
END_TEST

START_TEST(argv_never_holds_the_key)
{
	struct gr_strv argv = GR_STRV_INIT;
	gr_launch_argv(&argv, &full_plan, &full_place);
	for (size_t i = 0; i < argv.count; i++)
		ck_assert_ptr_null(strstr(argv.items[i], full_place.api_key));
	gr_strv_release(&argv);
}
END_TEST

START_TEST(argv_for_a_server_without_features_holds_none)
{
	static const char *const optional[] = {
		"--threads-http", "--cors-origins", "--fit", "--log-colors", "-lv", "--offline", "--no-ui", "--no-webui",
		"--lora", "--cache-type-k", "--cache-type-v", "--device", "--no-cache-idle-slots",
	};
	struct gr_launch_place place = full_place;
	struct gr_launch_plan plan = full_plan;
	struct gr_strv argv = GR_STRV_INIT;
	place.features = 0;
	place.device = NULL;
	plan.adapters = NULL;
	plan.state_dir = NULL;
	plan.cache_type_k = plan.cache_type_v = NULL;
	gr_launch_argv(&argv, &plan, &place);
	for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
		ck_assert_msg(position(&argv, optional[i]) == argv.count, "%s", optional[i]);
	ck_assert_str_eq(value_of(&argv, "-m"), plan.model_path);
	ck_assert_str_eq(value_of(&argv, "--host"), place.socket_path);
	gr_strv_release(&argv);
}
END_TEST

START_TEST(argv_for_the_older_web_ui_option_uses_it)
{
	struct gr_launch_place place = full_place;
	struct gr_strv argv = GR_STRV_INIT;
	place.features = GR_FEATURE_NO_WEBUI;
	gr_launch_argv(&argv, &full_plan, &place);
	ck_assert_uint_lt(position(&argv, "--no-webui"), argv.count);
	gr_strv_release(&argv);
}
END_TEST

START_TEST(argv_at_the_largest_context_is_exact)
{
	struct gr_launch_plan plan = full_plan;
	struct gr_strv argv = GR_STRV_INIT;
	plan.slots = GR_LAUNCH_SLOTS_MAX;
	plan.context_len = GR_LAUNCH_CONTEXT_MAX / GR_LAUNCH_SLOTS_MAX;
	plan.gpu_layers = 17;
	gr_launch_argv(&argv, &plan, &full_place);
	ck_assert_str_eq(value_of(&argv, "-c"), "16777216");
	ck_assert_str_eq(value_of(&argv, "-np"), "256");
	ck_assert_str_eq(value_of(&argv, "-ngl"), "17");
	gr_strv_release(&argv);
}
END_TEST

/* ---- environment ----------------------------------------------------------------------------------------------- */
static char *const host_env[] = {
	(char *)"PATH=/custom/bin", (char *)"LANG=en_US.UTF-8", (char *)"HOME=/home/u", (char *)"LLAMA_ARG_CTX_SIZE=7",
	(char *)"LD_PRELOAD=/evil.so", (char *)"LD_LIBRARY_PATH=/evil", (char *)"LLAMA_API_KEY=stolen",
	(char *)"http_proxy=http://p", (char *)"TMPDIR=/host/tmp", (char *)"XDG_CONFIG_HOME=/home/u/.config",
	(char *)"HIP_VISIBLE_DEVICES=1", (char *)"HIP_VISIBLE_DEVICES_X=2", (char *)"OMP_NUM_THREADS=99", NULL,
};
static const char *const passed[] = { "HIP_VISIBLE_DEVICES", "HSA_XNACK", NULL };

static const char *const expected_env[] = {
	"PATH=/custom/bin", "LANG=en_US.UTF-8", "HOME=/run/i-x/home", "XDG_CONFIG_HOME=/run/i-x/home", "TMPDIR=/run/i-x",
	"XDG_CACHE_HOME=/var/cache/u", "LLAMA_API_KEY=0123456789abcdef", "GGML_NO_BACKTRACE=1", "OMP_WAIT_POLICY=passive",
	"HIP_VISIBLE_DEVICES=1",
};

START_TEST(env_holds_what_is_listed_and_nothing_else)
{
	const size_t count = sizeof expected_env / sizeof expected_env[0];
	struct gr_strv env = GR_STRV_INIT;
	gr_launch_env(&env, &full_place, host_env, passed);
	ck_assert(!env.failed);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(position(&env, expected_env[i]) < env.count, "%s", expected_env[i]);
	ck_assert_uint_eq(env.count, count);
	gr_strv_release(&env);
}
END_TEST

START_TEST(env_names_nothing_twice)
{
	struct gr_strv env = GR_STRV_INIT;
	gr_launch_env(&env, &full_place, host_env, passed);
	for (size_t i = 0; i < env.count; i++)
		for (size_t j = 0; j < i; j++) {
			size_t name = strcspn(env.items[i], "=") + 1;
			ck_assert_int_ne(strncmp(env.items[i], env.items[j], name), 0);
		}
	gr_strv_release(&env);
}
END_TEST

START_TEST(env_has_a_library_path_only_where_the_place_has_one)
{
	static const char *const values[] = { NULL, "", "/opt/rocm/lib:/x" };
	char host_value[] = "LD_LIBRARY_PATH=/evil", *host[] = { host_value, NULL };
	const struct gr_launch_place place = { .home = "/h", .directory = "/d", .library_path = values[_i] };
	struct gr_strv env = GR_STRV_INIT;
	gr_launch_env(&env, &place, host, NULL);
	const char *value = gr_env_get(env.items, "LD_LIBRARY_PATH");
	if (_i < 2)
		ck_assert_ptr_null(value);
	else
		ck_assert_str_eq(value, values[_i]);
	gr_strv_release(&env);
}
END_TEST

START_TEST(env_of_an_empty_host_still_has_a_path)
{
	struct gr_launch_place place = full_place;
	struct gr_strv env = GR_STRV_INIT;
	place.cache_home = NULL;
	place.api_key = NULL;
	gr_launch_env(&env, &place, NULL, NULL);
	ck_assert_str_eq(gr_env_get(env.items, "PATH"), "/usr/local/bin:/usr/bin:/bin");
	ck_assert_ptr_null(gr_env_get(env.items, "LANG"));
	ck_assert_ptr_null(gr_env_get(env.items, "XDG_CACHE_HOME"));
	ck_assert_ptr_null(gr_env_get(env.items, "LLAMA_API_KEY"));
	gr_strv_release(&env);
}
END_TEST

START_TEST(lists_survive_oom)
{
	for (long n = 0;; n++) {
		struct gr_strv argv = GR_STRV_INIT, env = GR_STRV_INIT;
		failmalloc_arm(n);
		gr_launch_argv(&argv, &full_plan, &full_place);
		gr_launch_env(&env, &full_place, host_env, passed);
		bool fired = failmalloc_disarm();
		ck_assert(fired == (argv.failed || env.failed));
		gr_strv_release(&argv);
		gr_strv_release(&env);
		if (!fired)
			break;
	}
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("launch");
	TCase *tc = tcase_create("plan");
	tcase_add_loop_test(tc, features_of_a_help_text_are_what_it_names, 0, ROWS(feature_cases));
	tcase_add_test(tc, plan_of_an_empty_request_is_complete);
	tcase_add_loop_test(tc, plan_context_obeys_request_model_and_limit, 0, ROWS(context_cases));
	tcase_add_loop_test(tc, plan_slots_obey_request_and_limits, 0, ROWS(slot_cases));
	tcase_add_loop_test(tc, plan_gpu_layers_count_only_with_their_bit, 0, ROWS(layer_cases));
	tcase_add_loop_test(tc, plan_threads_leave_a_cpu_unless_told, 0, ROWS(thread_cases));
	tcase_add_loop_test(tc, plan_fixes_what_the_request_says, 0, sizeof fixed_cases / sizeof fixed_cases[0]);
	tcase_add_test(tc, plan_of_the_servers_own_fit_leaves_the_context_to_it);
	tcase_add_test(tc, plan_becomes_what_fits);
	tcase_add_test(tc, plan_cache_mode_of_two_types_is_keys_and_values);
	tcase_add_loop_test(tc, plan_draft_is_checked, 0, ROWS(draft_cases));
	tcase_add_test(tc, plan_with_workers_has_layers_for_them);
	tcase_add_loop_test(tc, plan_cache_mode_is_one_the_server_has, 0, ROWS(cache_cases));
	suite_add_tcase(suite, tc);
	tc = tcase_create("lists");
	tcase_add_test(tc, argv_of_a_full_plan_holds_each_option);
	tcase_add_loop_test(tc, argv_for_a_task_names_it_and_makes_room_for_a_whole_text, 0,
			    sizeof task_cases / sizeof task_cases[0]);
	tcase_add_test(tc, plan_of_a_whole_batch_always_has_a_context);
	tcase_add_loop_test(tc, plan_refuses_a_pooling_where_no_vectors_are_made, 0, 2);
	tcase_add_loop_test(tc, argv_for_one_gpu_does_not_split, 0, ROWS(split_cases));
	tcase_add_test(tc, argv_of_the_servers_own_fit_gives_only_what_the_request_gave);
	tcase_add_test(tc, argv_with_adapters_names_each_and_keeps_no_prompts);
	tcase_add_test(tc, argv_has_the_sleep_only_where_it_is_wanted);
	tcase_add_loop_test(tc, argv_speculates_as_the_server_wants_to_be_told, 0, ROWS(speculation_cases));
	tcase_add_test(tc, argv_names_the_workers_before_their_devices);
	tcase_add_loop_test(tc, check_refuses_what_the_server_cannot_do, 0, ROWS(check_cases));
	tcase_add_test(tc, argv_never_holds_the_key);
	tcase_add_loop_test(tc, argv_has_the_projector_where_the_model_is, 0, ROWS(projector_cases));
	tcase_add_test(tc, argv_for_a_server_without_features_holds_none);
	tcase_add_test(tc, argv_for_the_older_web_ui_option_uses_it);
	tcase_add_test(tc, argv_at_the_largest_context_is_exact);
	tcase_add_test(tc, env_holds_what_is_listed_and_nothing_else);
	tcase_add_test(tc, env_names_nothing_twice);
	tcase_add_loop_test(tc, env_has_a_library_path_only_where_the_place_has_one, 0, 3);
	tcase_add_test(tc, env_of_an_empty_host_still_has_a_path);
	tcase_add_test(tc, lists_survive_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
