/* SPDX-License-Identifier: MIT */
/* The vulkan plugin: real layers on a simulated device, and the reasons why there is none. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture_tree.h"
#include "media_build.h"
#include "model_shapes.h"
#include "projector_shape.h"
#include "rpc_worker.h"
#include "suite.h"
#include "vulkan_world.h"

#define MACHINE TEST_FIXTURES "/01-7800xt-9950x-dgpu-first.tree"

enum { TEXT_TOKENS = 24 };

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
	setenv("LD_LIBRARY_PATH", "/opt/driver:relative", 1);
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
	ck_assert(was_given(&w, "env", "LD_LIBRARY_PATH=/opt/driver\n"));	/* containers bring drivers in so */
	greedy(&w, session, &on_device);
	inf_session_close(session, NULL);
	session = harness_load(w.registry, 0, 1);
	greedy(&w, session, &on_cpu);
	ck_assert_str_eq(on_device.text, on_cpu.text);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

static int32_t note_name(void *user, const inf_device *device)
{
	strcat(user, device->name);
	return INF_CONTINUE;
}

START_TEST(workers_take_layers_beside_the_device)
{
	struct world w;
	static struct sink on_both, on_cpu;
	struct rpc_worker worker;
	char names[256] = "";
	rpc_worker_start(&worker, 0);
	open_simulated(&w);
	const inf_kv option = { "rpc-servers", worker.name };
	inf_load_params params = { .options = &option, .option_count = 1 };
	inf_session *session = load(&w, &params);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "Vulkan0,RPC0");	/* as the log names them first */
	ck_assert_int_eq(info.gpu_layers, info.num_layers + 1);
	ck_assert(was_given(&w, "argv", "--device\nRPC0,Vulkan0\n"));
	ck_assert_int_eq(inf_session_list_devices(session, names, note_name, &w.err), INF_OK);
	ck_assert_str_eq(names, "Vulkan0");
	greedy(&w, session, &on_both);
	inf_session_close(session, NULL);
	session = harness_load(w.registry, 0, 1);
	greedy(&w, session, &on_cpu);
	ck_assert_str_eq(on_both.text, on_cpu.text);
	inf_session_close(session, NULL);
	close_world(&w);
	rpc_worker_stop(&worker);
}
END_TEST

/* Of the two that were asked for, one is not there: that is said, also where the CPU is allowed. */
START_TEST(workers_are_not_passed_over_where_the_device_is_missing)
{
	struct world w;
	struct rpc_worker worker;
	rpc_worker_start(&worker, 0);
	open_simulated(&w);
	const inf_kv option = { "rpc-servers", worker.name };
	inf_load_params params = { .options = &option, .option_count = 1, .devices = "Vulkan7",
				   .flags = INF_LOAD_FLAG_ALLOW_CPU };
	expect_refusal(&w, params, INF_E_INVALID, "device_unknown");
	close_world(&w);
	rpc_worker_stop(&worker);
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

static void see(struct world *w, inf_session *session)
{
	static struct sink sink;
	struct media_build image = media_build_png(8, 8, 0xff0000);
	const inf_media media = { .struct_size = sizeof media, .kind = INF_MEDIA_IMAGE, .data = image.data, .size = image.len };
	const inf_media *list[] = { &media };
	inf_message message = harness_message("user", "What is this?");
	const inf_message *messages[] = { &message };
	memset(&sink, 0, sizeof sink);
	const inf_gen_params gen = sink_params(&sink, TEXT_TOKENS);
	message.media = list;
	message.media_count = 1;
	inf_status st = inf_session_chat(session, messages, 1, &gen, NULL, &w->err);
	ck_assert_msg(st == INF_OK && sink.len, "%s", w->err.message);
	media_build_release(&image);
}

START_TEST(projector_goes_where_the_model_goes)
{
	enum { EMBD = 192 };		/* of the bundled model */
	static const struct { int32_t layers; const char *words; } cases[] = {
		{ -1, "CLIP using Vulkan0 backend" }, { 0, "CLIP using CPU backend" },
	};
	struct world w;
	open_simulated(&w);
	const char *projector = scratch_at(&w.scratch, "mmproj.gguf");
	projector_write(projector, PROJECTOR_IMAGES, EMBD);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *log = scratch_at(&w.scratch, i ? "cpu.log" : "device.log");
		const inf_kv options[] = { { "mmproj", projector }, { "log-file", log } };
		inf_load_params params = {
			.set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = cases[i].layers, .options = options, .option_count = 2,
		};
		inf_session *session = load(&w, &params);
		see(&w, session);
		inf_session_close(session, NULL);
		size_t len;
		char *said = scratch_read(log, &len);
		ck_assert_ptr_nonnull(memmem(said, len, cases[i].words, strlen(cases[i].words)));
		free(said);
	}
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

RUN_SUITE("vulkan", 60, workers_take_layers_beside_the_device,
	  workers_are_not_passed_over_where_the_device_is_missing,
	  simulated_device_counts_only_where_that_is_allowed, what_is_in_the_way_is_named,
	  mask_of_the_user_goes_to_the_question_and_to_the_load, devices_are_listed_as_the_server_sees_them,
	  backends_are_tried_in_the_order_rocm_vulkan_cpu, layers_are_on_the_device_and_write_what_the_cpu_writes,
	  some_layers_go_to_the_device_and_none_asks_for_no_device, projector_goes_where_the_model_goes,
	  server_that_does_not_use_the_device_is_caught,
	  another_device_under_the_same_name_is_caught, load_that_does_not_fit_starts_no_server,
	  fit_can_be_left_to_the_server_or_to_nobody)
