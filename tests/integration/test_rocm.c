/* SPDX-License-Identifier: MIT */
/*
 * The rocm plugin on a fake machine: what is chosen, what the server gets, what is believed.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amd_world.h"
#include "process.h"
#include "suite.h"

static const char says_other_gpu[] =
	"0.00.010.000 I ggml_cuda_init: found 1 ROCm devices (Total VRAM: 512 MiB):\n"
	"0.00.010.100 I   Device 0: AMD Radeon Graphics, gfx1036 (0x1036), VMM: no, Wave Size: 32, VRAM: 512 MiB\n"
	"0.00.020.000 I load_tensors:        ROCm0 model buffer size =     2.00 MiB\n";

START_TEST(rocm_is_selected_before_the_cpu_where_a_device_is)
{
	struct world w;
	const inf_candidate *chosen = NULL;
	open_world(&w);
	open_registry(&w, w.stand_in);
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "rocm");
	ck_assert_ptr_nonnull(strstr(chosen->message, "0000:03:00.0"));
	close_world(&w);
}
END_TEST

START_TEST(rocm_with_a_mask_that_hides_the_card_says_which)
{
	struct world w;
	open_world(&w);
	setenv("HIP_VISIBLE_DEVICES", "1", 1);
	open_registry(&w, w.stand_in);
	const inf_candidate *rocm = harness_backend(w.registry, "rocm");
	ck_assert_int_eq(rocm->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(rocm->reason, "only_igpu");
	ck_assert_ptr_nonnull(strstr(rocm->message, "HIP_VISIBLE_DEVICES=\"1\""));
	close_world(&w);
}
END_TEST

START_TEST(rocm_takes_the_device_and_the_targets_that_its_options_name)
{
	struct world w;
	open_world(&w);
	const char *dirs[] = { harness_plugins() };
	inf_kv options[] = { { "rocm.sysroot", w.scratch.path }, { "llama-server.path", w.stand_in },
			     { "rocm.device", "0000:0e:00.0" }, { "rocm.targets", "gfx1036" } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = 4,
	};
	ck_assert_int_eq(inf_registry_open(&params, &w.registry, &w.err), INF_OK);
	ck_assert_ptr_nonnull(strstr(harness_backend(w.registry, "rocm")->message, "gfx1036 at 0000:0e:00.0"));
	inf_registry_close(w.registry);
	options[2].value = "auto";
	ck_assert_int_eq(inf_registry_open(&params, &w.registry, &w.err), INF_OK);
	ck_assert_str_eq(harness_backend(w.registry, "rocm")->reason, "only_igpu");
	inf_registry_close(w.registry);
	options[3].value = "gfx900";
	ck_assert_int_eq(inf_registry_open(&params, &w.registry, &w.err), INF_OK);
	ck_assert_str_eq(harness_backend(w.registry, "rocm")->reason, "gfx_unsupported");
	close_world(&w);
}
END_TEST

START_TEST(rocm_without_kfd_says_why_and_the_cpu_is_selected)
{
	struct world w;
	const inf_candidate *chosen = NULL;
	open_world(&w);
	ck_assert_int_eq(unlink(scratch_at(&w.scratch, "dev/kfd")), 0);
	open_registry(&w, w.stand_in);
	const inf_candidate *rocm = harness_backend(w.registry, "rocm");
	ck_assert_int_eq(rocm->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(rocm->reason, "kfd_dev_missing");
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "llama_cpp");
	ck_assert_int_eq(inf_registry_select(w.registry, "rocm", &chosen, &w.err), INF_E_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(w.err.message, "/dev/kfd"));
	close_world(&w);
}
END_TEST

START_TEST(rocm_server_gets_the_device_and_a_curated_environment)
{
	struct world w;
	open_world(&w);
	setenv("HIP_VISIBLE_DEVICES", "0", 1);
	setenv("CUDA_VISIBLE_DEVICES", "", 1);
	setenv("LLAMA_ARG_CTX_SIZE", "64", 1);
	setenv("LLAMA_API_KEY", "the-hosts-own", 1);
	setenv("GGML_CUDA_DEVICES", "9", 1);
	setenv("LD_PRELOAD_FOR_TEST", "x", 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	open_registry(&w, w.stand_in);
	inf_load_params params = { .parallel_slots = 2, .context_len = 512 };
	inf_session *session = load_rocm(&w, &params);
	const inf_gen_params gen = { .struct_size = sizeof gen, .max_tokens = 4 };
	ck_assert_int_eq(harness_generate(session, "x", &gen, NULL, &w.err), INF_OK);

	char *argv = report(&w, "argv"), *env = report(&w, "env"), *cwd = report(&w, "cwd"), *fds = report(&w, "fds");
	ck_assert(has_line(argv, "--device\nROCm0"));
	ck_assert(has_line(argv, "-ngl\n999"));
	ck_assert(has_line(argv, "-np\n2"));
	ck_assert(has_line(argv, "-c\n1024"));
	char pin[64];
	snprintf(pin, sizeof pin, "ROCR_VISIBLE_DEVICES=%s", WORLD_UUID);
	ck_assert(has_line(env, pin));
	ck_assert(has_line(argv, "--split-mode\nnone"));
	ck_assert(has_line(env, "GGML_NO_BACKTRACE=1"));
	const char *const forbidden[] = { "LLAMA_ARG_CTX_SIZE", "the-hosts-own", "GGML_CUDA_DEVICES", "LD_PRELOAD_FOR_TEST",
					  "http_proxy", "GR_TEST_", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES" };
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
		ck_assert_ptr_null(strstr(env, forbidden[i]));
	/* The key is in the environment, which only the owner can read, and nowhere in argv. */
	char *key = harness_process_env(harness_server_pid(), "LLAMA_API_KEY");
	ck_assert_uint_eq(strlen(key), 32);
	ck_assert_ptr_null(strstr(argv, key));
	ck_assert_ptr_nonnull(strstr(cwd, "/inference-"));
	ck_assert_int_eq(strncmp(fds, "0 /dev/null\n", 12), 0);

	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "ROCm0");
	ck_assert_uint_eq(info.device_memory_bytes, 2 << 20);
	free(argv);
	free(env);
	free(cwd);
	free(fds);
	free(key);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(rocm_layers_go_through_and_zero_means_the_cpu)
{
	struct world w;
	open_world(&w);
	open_registry(&w, w.stand_in);
	inf_load_params some = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 3 };
	inf_session *session = load_rocm(&w, &some);
	char *argv = report(&w, "argv");
	ck_assert(has_line(argv, "-ngl\n3"));
	ck_assert(has_line(argv, "--device\nROCm0"));
	free(argv);
	inf_session_close(session, NULL);

	inf_load_params none = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0 };
	session = load_rocm(&w, &none);
	argv = report(&w, "argv");
	ck_assert(has_line(argv, "--device\nnone"));
	free(argv);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(rocm_server_without_the_device_fails_instead_of_using_the_cpu)
{
	struct world w;
	inf_load_params params = { 0 };
	open_world(&w);
	open_registry(&w, harness_server());	/* has no ROCm */
	refuse_rocm(&w, &params, INF_E_UNAVAILABLE, "device_missing");
	ck_assert_ptr_nonnull(strstr(w.err.message, "ROCm0"));
	close_world(&w);
}
END_TEST

START_TEST(rocm_load_that_ends_on_the_cpu_or_another_gpu_fails)
{
	struct world w;
	open_world(&w);
	open_registry(&w, w.stand_in);
	inf_load_params params = { 0 };
	world_says(&w, "");
	refuse_rocm(&w, &params, INF_E_UNAVAILABLE, "cpu_fallback");
	world_says(&w, says_other_gpu);
	refuse_rocm(&w, &params, INF_E_UNAVAILABLE, "pin_mismatch");
	inf_load_params allowed = { .flags = INF_LOAD_FLAG_ALLOW_CPU };
	inf_session *session = load_rocm(&w, &allowed);
	inf_model_info info = { .struct_size = sizeof info };
	inf_session_info(session, &info, NULL);
	ck_assert_str_eq(info.devices, "cpu");
	ck_assert_int_eq(info.gpu_layers, 0);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

struct listing {
	inf_device devices[8];
	int count;
};

static int32_t note_device(void *user, const inf_device *device)
{
	struct listing *listing = user;
	listing->devices[listing->count++] = *device;
	return INF_CONTINUE;
}

START_TEST(rocm_devices_are_listed_before_any_load)
{
	struct world w;
	struct listing listing = { .count = 0 };
	open_world(&w);
	open_registry(&w, w.stand_in);
	const inf_candidate *rocm = harness_backend(w.registry, "rocm");
	ck_assert_int_eq(inf_registry_list_devices(w.registry, rocm, &listing, note_device, &w.err), INF_OK);
	ck_assert_int_eq(listing.count, 2);
	ck_assert_str_eq(listing.devices[0].pci, "0000:03:00.0");
	ck_assert_str_eq(listing.devices[0].uuid, WORLD_UUID);
	ck_assert_str_eq(listing.devices[0].gfx, "gfx1101");
	ck_assert_str_eq(listing.devices[0].name, "ROCm0");
	ck_assert_int_eq(listing.devices[0].kind, INF_DEVICE_DISCRETE);
	ck_assert(listing.devices[0].flags & INF_DEVICE_FLAG_SELECTED);
	ck_assert_uint_eq(listing.devices[0].memory_total, 17163091968);
	ck_assert_uint_eq(listing.devices[0].memory_used, 1491832832);
	ck_assert_int_eq(listing.devices[1].kind, INF_DEVICE_INTEGRATED);
	ck_assert_str_ne(listing.devices[1].reason, "");
	ck_assert_ptr_null(inf_registry_get_extension(w.registry, harness_backend(w.registry, "llama_cpp"),
						      INF_EXT_DEVICES));
	close_world(&w);
}
END_TEST

START_TEST(rocm_without_its_backend_in_the_server_is_not_available)
{
	struct world w;
	const inf_candidate *chosen = NULL;
	char path[4096];
	open_world(&w);
	/* The machine's root is the scratch folder, so the server has to be below it twice. */
	for (const char *slash = w.scratch.path; (slash = strchr(slash + 1, '/')) != NULL;) {
		snprintf(path, sizeof path, "%.*s", (int)(slash - w.scratch.path - 1), w.scratch.path + 1);
		scratch_dir(&w.scratch, path, 0700);
	}
	scratch_dir(&w.scratch, w.scratch.path + 1, 0700);
	snprintf(path, sizeof path, "%s/libggml-cpu-x64.so", w.scratch.path + 1);
	scratch_write(&w.scratch, path, "", 0);
	snprintf(path, sizeof path, "%s/llama-server", w.scratch.path + 1);
	scratch_write(&w.scratch, path, "", 0);
	open_registry(&w, w.stand_in);
	const inf_candidate *rocm = harness_backend(w.registry, "rocm");
	ck_assert_int_eq(rocm->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(rocm->reason, "hip_backend_missing");
	ck_assert_ptr_nonnull(strstr(rocm->message, "libggml0-backend-hip"));
	ck_assert_int_eq(inf_registry_select(w.registry, NULL, &chosen, &w.err), INF_OK);
	ck_assert_str_eq(chosen->backend, "llama_cpp");
	close_world(&w);
}
END_TEST

START_TEST(rocm_server_is_found_by_its_own_variable_first)
{
	struct world w;
	open_world(&w);
	setenv("ROCM_LLAMA_SERVER_PATH", w.stand_in, 1);
	setenv("LLAMA_SERVER_PATH", harness_server(), 1);
	open_registry(&w, NULL);
	ck_assert_ptr_nonnull(strstr(harness_backend(w.registry, "rocm")->message, w.stand_in));
	ck_assert_ptr_nonnull(strstr(harness_backend(w.registry, "llama_cpp")->message, harness_server()));
	close_world(&w);
}
END_TEST

RUN_SUITE("rocm", 60, rocm_is_selected_before_the_cpu_where_a_device_is,
	  rocm_with_a_mask_that_hides_the_card_says_which, rocm_takes_the_device_and_the_targets_that_its_options_name,
	  rocm_without_kfd_says_why_and_the_cpu_is_selected, rocm_server_gets_the_device_and_a_curated_environment,
	  rocm_layers_go_through_and_zero_means_the_cpu,
	  rocm_server_without_the_device_fails_instead_of_using_the_cpu,
	  rocm_load_that_ends_on_the_cpu_or_another_gpu_fails, rocm_devices_are_listed_before_any_load, rocm_without_its_backend_in_the_server_is_not_available,
	  rocm_server_is_found_by_its_own_variable_first)
