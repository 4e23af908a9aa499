/* SPDX-License-Identifier: MIT */
/*
 * The vulkan plugin with real layers on a real, though simulated, device: Mesa's llvmpipe. A stand-in for llama-server counts
 * how often it is asked for its devices; it answers from a script where a test is about other devices or other drivers, and
 * drops or replaces --device where one is about a server that does not do what it was told.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture_tree.h"
#include "harness.h"
#include "model_shapes.h"
#include "process.h"
#include "profile.h"
#include "scratch.h"
#include "suite.h"

#define MACHINE TEST_FIXTURES "/01-7800xt-9950x-dgpu-first.tree"

enum { OPTIONS_MAX = 8, TEXT_TOKENS = 24, AVAILABLE_MS = 2000, ATTEMPTS = 5 };

struct world {
	struct scratch scratch;
	const char *stand_in;
	inf_kv options[OPTIONS_MAX];
	size_t option_count;
	inf_registry *registry;
	inf_error err;
};

static const char script[] =
	"#!/bin/sh\n"
	"export here='%s'; real='%s'\n"
	"case \" $* \" in\n"
	"*' --version '*|*' --help '*) exec \"$real\" \"$@\";;\n"
	"*' --list-devices '*)\n"
	"  echo asked >> \"$here/asked\"\n"
	"  [ -f \"$here/list\" ] && exec /bin/sh \"$here/list\"\n"
	"  exec \"$real\" \"$@\";;\n"
	"esac\n"
	"printf '%%s\\n' \"$@\" > \"$here/argv\"\n"
	"env > \"$here/env\"\n"
	"n=$#; i=0; before=\n"
	"while [ $i -lt $n ]; do\n"
	"  arg=$1; shift; i=$((i+1))\n"
	"  [ \"$before\" = --device ] && [ -f \"$here/device\" ] && arg=$(cat \"$here/device\")\n"
	"  before=$arg; set -- \"$@\" \"$arg\"\n"
	"done\n"
	"exec \"$real\" \"$@\"\n";

/* A list of one card, with so much of its 8000 MiB free. */
#define CARD_LIST(free) "cat <<'END'\nggml_vulkan: Found 1 Vulkan devices:\n" \
	"ggml_vulkan: 0 = AMD Radeon RX 7600 (RADV NAVI33) (radv) | uma: 0 | fp16: 1\n" \
	"Available devices:\n  Vulkan0: AMD Radeon RX 7600 (RADV NAVI33) (8000 MiB, " #free " MiB free)\nEND\n"

/* One device that is simulated on the CPU. */
#define SIMULATED_LIST(free) "cat <<'END'\nggml_vulkan: 0 = llvmpipe | uma: 0 |\n" \
	"ggml_vulkan: Warning: Device type is CPU.\nAvailable devices:\n" \
	"  Vulkan0: llvmpipe (LLVM 21.1.8, 256 bits) (8000 MiB, " #free " MiB free)\nEND\n"

static const char *server(void)
{
	static char path[1024];
	const char *tools = getenv("GR_TEST_LLAMA_TOOLS");
	ck_assert_msg(tools && *tools, "GR_TEST_LLAMA_TOOLS is not set: run the tests through ctest");
	snprintf(path, sizeof path, "%s/llama-server", tools);
	return path;
}

static void add_option(struct world *w, const char *key, const char *value)
{
	ck_assert_uint_lt(w->option_count, OPTIONS_MAX);
	w->options[w->option_count++] = (inf_kv){ key, value };
}

static void write_stand_in(struct world *w)
{
	char text[4096];
	int len = snprintf(text, sizeof text, script, w->scratch.path, server());
	w->stand_in = scratch_write(&w->scratch, "llama-server", text, (size_t)len);
	ck_assert_int_eq(chmod(w->stand_in, 0755), 0);
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	write_stand_in(w);
	add_option(w, "llama-server.path", w->stand_in);
}

static void open_registry(struct world *w)
{
	const char *dirs[] = { harness_plugins() };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1, .options = w->options, .option_count = w->option_count,
	};
	inf_registry_close(w->registry);
	w->registry = harness_open(&params);
}

/* A registry that takes llvmpipe. */
static void open_simulated(struct world *w)
{
	open_world(w);
	add_option(w, "vulkan.allow-cpu-device", "true");
	open_registry(w);
}

static void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static void answer(struct world *w, const char *name, const char *text)
{
	scratch_write(&w->scratch, name, text, strlen(text));
}

static bool was_written(struct world *w, const char *name)
{
	return access(scratch_at(&w->scratch, name), F_OK) == 0;
}

static int times_asked(struct world *w)
{
	size_t len = 0;
	if (!was_written(w, "asked"))
		return 0;
	free(scratch_read(scratch_at(&w->scratch, "asked"), &len));
	return (int)(len / strlen("asked\n"));
}

/* What the server was started with has this in it. */
static bool was_given(struct world *w, const char *name, const char *words)
{
	size_t len;
	char *text = scratch_read(scratch_at(&w->scratch, name), &len);
	bool found = strstr(text, words);
	free(text);
	return found;
}

static inf_status try_load(struct world *w, inf_load_params *params, inf_session **out)
{
	params->struct_size = sizeof *params;
	if (!params->path)
		params->path = harness_model();
	*out = NULL;
	return inf_session_load(w->registry, harness_backend(w->registry, "vulkan"), params, out, &w->err);
}

static inf_session *load(struct world *w, inf_load_params *params)
{
	inf_session *session;
	inf_status st = try_load(w, params, &session);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return session;
}

static void expect_refusal(struct world *w, inf_load_params params, inf_status status, const char *reason)
{
	inf_session *session;
	ck_assert_int_eq(try_load(w, &params, &session), status);
	ck_assert_str_eq(w->err.reason, reason);
}

static void expect_unavailable(struct world *w, const char *reason, const char *words)
{
	open_registry(w);
	const inf_candidate *vulkan = harness_backend(w->registry, "vulkan");
	ck_assert_int_eq(vulkan->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(vulkan->reason, reason);
	ck_assert_msg(strstr(vulkan->message, words), "%s", vulkan->message);
}

static void greedy(struct world *w, inf_session *session, struct sink *sink)
{
	memset(sink, 0, sizeof *sink);
	inf_gen_params gen = sink_params(sink, TEXT_TOKENS);
	gen.set |= INF_GEN_SET_TEMPERATURE;
	gen.temperature = 0;
	ck_assert_int_eq(harness_generate(session, "It is a truth", &gen, NULL, &w->err), INF_OK);
	ck_assert_uint_gt(sink->len, 0);
}

/* ---- what is there --------------------------------------------------------------------------------------------- */
START_TEST(simulated_device_counts_only_where_that_is_allowed)
{
	struct world w;
	open_world(&w);
	expect_unavailable(&w, "only_cpu_device", "vulkan.allow-cpu-device=true");
	ck_assert_ptr_nonnull(strstr(harness_backend(w.registry, "vulkan")->message, "llvmpipe"));
	expect_refusal(&w, (inf_load_params){ 0 }, INF_E_UNAVAILABLE, "only_cpu_device");
	add_option(&w, "vulkan.allow-cpu-device", "true");
	open_registry(&w);
	const inf_candidate *vulkan = harness_backend(w.registry, "vulkan");
	ck_assert_int_eq(vulkan->state, INF_STATE_AVAILABLE);
	ck_assert_int_eq(vulkan->score, 400);
	ck_assert_ptr_nonnull(strstr(vulkan->message, "as Vulkan0"));
	close_world(&w);
}
END_TEST

START_TEST(what_is_in_the_way_is_named)
{
	struct world w;
	open_world(&w);
	add_option(&w, "vulkan.allow-cpu-device", "true");
	setenv("GGML_VK_VISIBLE_DEVICES", "7", 1);
	expect_unavailable(&w, "masked_by_env", "GGML_VK_VISIBLE_DEVICES=\"7\"");
	setenv("GGML_VK_VISIBLE_DEVICES", "", 1);
	expect_unavailable(&w, "masked_by_env", "GGML_VK_VISIBLE_DEVICES=\"\"");
	unsetenv("GGML_VK_VISIBLE_DEVICES");
	setenv("VK_DRIVER_FILES", "/nonexistent.json", 1);
	expect_unavailable(&w, "vulkan_no_device", "mesa-vulkan-drivers");
	answer(&w, "list", "printf 'Available devices:\\n  (none)\\n'\n");
	expect_unavailable(&w, "vulkan_backend_missing", "libggml0-backend-vulkan");
	add_option(&w, "vulkan.device", "Vulkan1");
	answer(&w, "list", CARD_LIST(7000));
	expect_unavailable(&w, "device_unknown", "\"Vulkan1\"");
	close_world(&w);
}
END_TEST

START_TEST(mask_of_the_user_goes_to_the_question_and_to_the_load)
{
	struct world w;
	setenv("GGML_VK_VISIBLE_DEVICES", "0,0", 1);
	open_world(&w);
	add_option(&w, "vulkan.allow-cpu-device", "true");
	add_option(&w, "vulkan.device", "Vulkan1");
	open_registry(&w);
	inf_load_params params = { 0 };
	inf_session *session = load(&w, &params);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "Vulkan1");
	ck_assert(was_given(&w, "env", "GGML_VK_VISIBLE_DEVICES=0,0\n"));
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

struct listing {
	inf_device devices[4];
	int count;
};

static int32_t note_device(void *user, const inf_device *device)
{
	struct listing *listing = user;
	listing->devices[listing->count++] = *device;
	return INF_CONTINUE;
}

static struct listing list(struct world *w)
{
	struct listing listing = { .count = 0 };
	inf_status st = inf_registry_list_devices(w->registry, harness_backend(w->registry, "vulkan"), &listing, note_device,
						  &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return listing;
}

START_TEST(devices_are_listed_as_the_server_sees_them)
{
	struct world w;
	open_world(&w);
	open_registry(&w);
	struct listing listing = list(&w);
	ck_assert_int_eq(listing.count, 1);
	ck_assert_str_eq(listing.devices[0].name, "Vulkan0");
	ck_assert_int_eq(strncmp(listing.devices[0].product, "llvmpipe", 8), 0);
	ck_assert_int_eq(listing.devices[0].kind, INF_DEVICE_CPU);
	ck_assert_str_eq(listing.devices[0].reason, "only_cpu_device");
	ck_assert_uint_gt(listing.devices[0].memory_total, listing.devices[0].memory_free);
	answer(&w, "list", CARD_LIST(7000));
	listing = list(&w);
	ck_assert_int_eq(listing.devices[0].kind, INF_DEVICE_DISCRETE);
	ck_assert_uint_eq(listing.devices[0].flags,
			  INF_DEVICE_FLAG_SELECTED | INF_DEVICE_FLAG_TOTAL | INF_DEVICE_FLAG_USED);
	ck_assert_uint_eq(listing.devices[0].memory_used, UINT64_C(1000) << 20);
	close_world(&w);
}
END_TEST

START_TEST(backends_are_tried_in_the_order_rocm_vulkan_cpu)
{
	struct world w;
	const inf_candidate *chosen;
	open_world(&w);
	struct fixture_tree *machine = fixture_tree_load(MACHINE);
	fixture_tree_write(machine, w.scratch.path);
	fixture_tree_free(machine);
	add_option(&w, "rocm.sysroot", w.scratch.path);
	add_option(&w, "vulkan.allow-cpu-device", "true");
	open_registry(&w);
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "rocm");
	ck_assert_int_eq(unlink(scratch_at(&w.scratch, "dev/kfd")), 0);
	open_registry(&w);
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "vulkan");
	w.option_count--;
	open_registry(&w);
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "llama_cpp");
	close_world(&w);
}
END_TEST

/* ---- loads ----------------------------------------------------------------------------------------------------- */
START_TEST(layers_are_on_the_device_and_write_what_the_cpu_writes)
{
	struct world w;
	static struct sink on_device, on_cpu;
	open_simulated(&w);
	inf_load_params params = { 0 };
	inf_session *session = load(&w, &params);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "Vulkan0");
	ck_assert_int_eq(info.gpu_layers, info.num_layers + 1);
	ck_assert_uint_gt(info.device_memory_bytes, UINT64_C(2) << 20);
	ck_assert(was_given(&w, "argv", "--device\nVulkan0\n"));
	ck_assert(was_given(&w, "env", "GGML_VK_VISIBLE_DEVICES=0\n"));
	ck_assert(!was_given(&w, "env", "VK_LOADER_DEBUG"));
	greedy(&w, session, &on_device);
	inf_session_close(session, NULL);
	session = harness_load(w.registry, 0, 1);
	greedy(&w, session, &on_cpu);
	ck_assert_str_eq(on_device.text, on_cpu.text);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(some_layers_go_to_the_device_and_none_asks_for_no_device)
{
	struct world w;
	open_simulated(&w);
	inf_load_params some = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 2, .flags = INF_LOAD_FLAG_ALLOW_CPU };
	inf_session *session = load(&w, &some);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_int_eq(info.gpu_layers, 2);
	ck_assert_str_eq(info.devices, "Vulkan0");
	ck_assert(was_given(&w, "argv", "-ngl\n2\n"));
	ck_assert(was_given(&w, "argv", "--device\nVulkan0\n"));
	inf_session_close(session, NULL);

	int asked = times_asked(&w);
	inf_load_params none = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0 };
	session = load(&w, &none);
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "cpu");
	ck_assert(was_given(&w, "argv", "--device\nnone\n"));
	ck_assert_int_eq(times_asked(&w), asked);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(server_that_does_not_use_the_device_is_caught)
{
	struct world w;
	open_simulated(&w);
	answer(&w, "device", "none");
	expect_refusal(&w, (inf_load_params){ 0 }, INF_E_UNAVAILABLE, "cpu_fallback");
	inf_load_params allowed = { .flags = INF_LOAD_FLAG_ALLOW_CPU };
	inf_session *session = load(&w, &allowed);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "cpu");
	ck_assert_int_eq(info.gpu_layers, 0);
	inf_session_close(session, NULL);
	answer(&w, "device", "Vulkan9");
	expect_refusal(&w, (inf_load_params){ 0 }, INF_E_UNAVAILABLE, "device_missing");
	close_world(&w);
}
END_TEST

START_TEST(another_device_under_the_same_name_is_caught)
{
	struct world w;
	setenv("GGML_VK_VISIBLE_DEVICES", "0", 1);
	open_simulated(&w);
	answer(&w, "list", CARD_LIST(7000));
	expect_refusal(&w, (inf_load_params){ 0 }, INF_E_UNAVAILABLE, "pin_mismatch");
	ck_assert_ptr_nonnull(strstr(w.err.message, "llvmpipe"));
	close_world(&w);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
START_TEST(load_that_does_not_fit_starts_no_server)
{
	struct world w;
	uint64_t size;
	open_world(&w);
	answer(&w, "list", CARD_LIST(3000));
	open_registry(&w);
	struct gguf_build header = model_shape_header("llama-3.1-8b-q4_k_m", &size);
	const char *path = scratch_write(&w.scratch, "large.gguf", header.data, header.len);
	ck_assert_int_eq(truncate(path, (off_t)size), 0);
	gguf_build_release(&header);
	expect_refusal(&w, (inf_load_params){ .path = path }, INF_E_NO_VRAM, "vram_too_small");
	ck_assert(!was_written(&w, "argv"));
	close_world(&w);
}
END_TEST

START_TEST(fit_can_be_left_to_the_server_or_to_nobody)
{
	static const struct { const char *value, *given; } modes[] = {
		{ "auto", "--fit\noff\n" }, { "server", "--fit\non\n" }, { "none", "--fit\noff\n" },
	};
	struct world w;
	open_simulated(&w);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		const inf_kv option = { "fit", modes[i].value };
		inf_load_params params = { .options = &option, .option_count = 1 };
		inf_session *session = load(&w, &params);
		inf_model_info info = { .struct_size = sizeof info };
		inf_session_info(session, &info, NULL);
		ck_assert_str_eq(info.devices, "Vulkan0");
		ck_assert(was_given(&w, "argv", modes[i].given));
		inf_session_close(session, NULL);
	}
	close_world(&w);
}
END_TEST

/* ---- the vtable itself: what libinference does not show -------------------------------------------------------- */
struct direct {
	inf_host host;
	inf_kv options[2];
	const inf_backend *backend;
	inf_instance *instance;
};

static void create(struct direct *d, struct world *w)
{
	d->options[0] = (inf_kv){ "llama-server.path", w->stand_in };
	d->options[1] = (inf_kv){ "vulkan.allow-cpu-device", "true" };
	d->host = (inf_host){ .struct_size = sizeof d->host, .options = d->options, .option_count = 2 };
	d->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&d->host, &d->instance, &w->err), INF_OK);
}

static inf_availability available(struct direct *d, struct world *w)
{
	inf_availability out = { .struct_size = sizeof out };
	ck_assert_int_eq(d->backend->available(d->instance, d->backend, &out, &w->err), INF_OK);
	return out;
}

/* An instance that was asked once whether it is available, with the given reason; "" = it is. On a machine that is busy
 * beyond measure any answer may come too late: then once more. */
static inf_availability open_direct(struct direct *d, struct world *w, const char *reason)
{
	inf_availability report;
	for (int attempt = 0;; attempt++) {
		create(d, w);
		int64_t begun_ms = monotonic_ms();
		report = available(d, w);
		bool late = monotonic_ms() - begun_ms >= AVAILABLE_MS ||
			    (strstr(report.reason, "_timeout") && strcmp(report.reason, reason) != 0);
		if (!late || attempt == ATTEMPTS)
			break;
		gr_plugin.destroy(d->instance);
		unlink(scratch_at(&w->scratch, "asked"));
	}
	ck_assert_msg(strcmp(report.reason, reason) == 0, "%s", report.message);
	return report;
}

static void close_direct(struct direct *d, struct world *w)
{
	gr_plugin.destroy(d->instance);
	close_world(w);
}

START_TEST(answer_is_kept_while_the_binary_is_the_same)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", CARD_LIST(7000));
	open_direct(&d, &w, "");
	ck_assert_int_eq(available(&d, &w).score, 400);
	ck_assert_int_eq(times_asked(&w), 1);
	ck_assert_int_eq(unlink(w.stand_in), 0);
	write_stand_in(&w);
	ck_assert_int_eq(available(&d, &w).score, 400);
	ck_assert_int_eq(times_asked(&w), 2);
	close_direct(&d, &w);
}
END_TEST

START_TEST(hidden_devices_are_asked_for_only_where_there_is_no_other)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", "if [ -z \"$GGML_VK_VISIBLE_DEVICES\" ]; then echo 'ggml_vulkan: No devices found.'; else\n"
	       SIMULATED_LIST(5000) "fi\n");
	open_direct(&d, &w, "");
	ck_assert_int_eq(times_asked(&w), 2);
	close_direct(&d, &w);
}
END_TEST

/* As llama-server does now and then: it does not wait for its log. */
START_TEST(answer_that_is_cut_is_asked_for_again)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", "[ $(wc -l < \"$here/asked\") = 1 ] && exec echo '  Vulkan0: llvmpipe (9 MiB, 9 MiB free)'\n"
	       CARD_LIST(7000));
	const inf_availability report = open_direct(&d, &w, "");
	ck_assert_msg(strstr(report.message, "RX 7600"), "%s", report.message);
	ck_assert_int_eq(times_asked(&w), 2);
	answer(&w, "list", "printf 'Available devices:\\n  (none)\\n'\n");
	unlink(scratch_at(&w.scratch, "asked"));
	gr_plugin.destroy(d.instance);
	open_direct(&d, &w, "vulkan_backend_missing");
	ck_assert_int_eq(times_asked(&w), 3);
	close_direct(&d, &w);
}
END_TEST

/* A question that fails is not asked again by available(), but by a load. */
static void expect_failure(const char *list, const char *reason, const char *words)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	open_world(&w);
	answer(&w, "list", list);
	const inf_availability report = open_direct(&d, &w, reason);
	ck_assert_msg(strstr(report.message, words), "%s", report.message);
	int64_t begun_ms = monotonic_ms();
	ck_assert_str_eq(available(&d, &w).reason, reason);
	ck_assert_int_lt(monotonic_ms() - begun_ms, AVAILABLE_MS);
	ck_assert_int_eq(times_asked(&w), 1);
	ck_assert_int_eq(unlink(scratch_at(&w.scratch, "list")), 0);
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model() };
	inf_status st = d.backend->load(d.instance, d.backend, &params, &model, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(available(&d, &w).score, 400);
	d.backend->close(model, NULL);
	close_direct(&d, &w);
}

START_TEST(question_that_hangs_ends_in_time)
{
	struct world w;
	struct direct d;
	int64_t took_ms = 0;
	expect_failure("exec sleep 1000\n", "device_list_timeout", "--list-devices");
	open_world(&w);
	answer(&w, "list", "exec sleep 1000\n");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		create(&d, &w);
		int64_t begun_ms = monotonic_ms();
		available(&d, &w);
		took_ms = monotonic_ms() - begun_ms;
		gr_plugin.destroy(d.instance);
		if (took_ms < AVAILABLE_MS)
			break;
	}
	ck_assert_int_lt(took_ms, AVAILABLE_MS);
	close_world(&w);
}
END_TEST

START_TEST(question_that_crashes_says_so)
{
	expect_failure("kill -SEGV $$\n", "device_list_failed", "signal 11");
	expect_failure("exit 3\n", "device_list_failed", "exit status 3");
}
END_TEST

START_TEST(list_of_nonsense_is_a_server_without_devices)
{
	struct world w;
	open_world(&w);
	answer(&w, "list", "head -c 3000000 /dev/zero; printf '\\n'; yes '  Vulkan0: (1 MiB' | head -c 500000\n");
	expect_unavailable(&w, "vulkan_backend_missing", "Vulkan");
	close_world(&w);
}
END_TEST

static int32_t refuse_progress(void *user, const inf_progress *progress)
{
	(void)progress;
	++*(int *)user;
	return 0;
}

START_TEST(load_is_cancelled_while_the_devices_are_asked_for)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	int calls = 0;
	open_world(&w);
	open_direct(&d, &w, "");
	answer(&w, "list", "exec sleep 1000\n");
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model(),
					 .on_progress = refuse_progress, .user = &calls };
	ck_assert_int_eq(d.backend->load(d.instance, d.backend, &params, &model, &w.err), INF_E_CANCELLED);
	ck_assert_str_eq(w.err.reason, "cancelled");
	ck_assert_int_gt(calls, 0);
	ck_assert(!was_written(&w, "argv"));
	ck_assert_int_eq(available(&d, &w).score, 400);
	close_direct(&d, &w);
}
END_TEST

static struct listing devices_of(struct direct *d, inf_model *model)
{
	struct listing listing = { .count = 0 };
	inf_error err = { .struct_size = sizeof err };
	const inf_devices *devices = d->backend->get_extension(d->instance, d->backend, model, INF_EXT_DEVICES);
	inf_status st = devices->of_model(model, &listing, note_device, &err);
	for (int attempt = 0; attempt < ATTEMPTS && strstr(err.reason, "_timeout"); attempt++)
		st = devices->of_model(model, &listing, note_device, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	return listing;
}

START_TEST(memory_of_a_models_device_is_told_before_and_now)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	open_world(&w);
	open_direct(&d, &w, "");
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model() };
	ck_assert_int_eq(d.backend->load(d.instance, d.backend, &params, &model, &w.err), INF_OK);
	struct listing listing = devices_of(&d, model);
	ck_assert_int_eq(listing.count, 1);
	ck_assert_uint_eq(listing.devices[0].flags, INF_DEVICE_FLAG_SELECTED | INF_DEVICE_FLAG_TOTAL |
			  INF_DEVICE_FLAG_USED | INF_DEVICE_FLAG_BEFORE);
	ck_assert_str_eq(listing.devices[0].name, "Vulkan0");
	uint64_t before = listing.devices[0].memory_used_before;
	ck_assert_uint_gt(before, 0);

	answer(&w, "list", SIMULATED_LIST(5000));
	listing = devices_of(&d, model);
	ck_assert_uint_eq(listing.devices[0].memory_used, UINT64_C(3000) << 20);
	ck_assert_uint_eq(listing.devices[0].memory_used_before, before);
	answer(&w, "list", "printf 'Available devices:\\n  (none)\\n'\n");
	listing = devices_of(&d, model);
	ck_assert_uint_eq(listing.devices[0].flags, INF_DEVICE_FLAG_SELECTED);
	d.backend->close(model, NULL);
	close_direct(&d, &w);
}
END_TEST

RUN_SUITE("vulkan", 60, simulated_device_counts_only_where_that_is_allowed, what_is_in_the_way_is_named,
	  mask_of_the_user_goes_to_the_question_and_to_the_load, devices_are_listed_as_the_server_sees_them,
	  backends_are_tried_in_the_order_rocm_vulkan_cpu, layers_are_on_the_device_and_write_what_the_cpu_writes,
	  some_layers_go_to_the_device_and_none_asks_for_no_device, server_that_does_not_use_the_device_is_caught,
	  another_device_under_the_same_name_is_caught, load_that_does_not_fit_starts_no_server,
	  fit_can_be_left_to_the_server_or_to_nobody, answer_is_kept_while_the_binary_is_the_same,
	  hidden_devices_are_asked_for_only_where_there_is_no_other, answer_that_is_cut_is_asked_for_again, question_that_hangs_ends_in_time,
	  question_that_crashes_says_so, list_of_nonsense_is_a_server_without_devices,
	  load_is_cancelled_while_the_devices_are_asked_for, memory_of_a_models_device_is_told_before_and_now)
