/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf_build.h"
#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

struct outcome {
	inf_status status;
	inf_error err;
};

static struct outcome try_load(inf_registry *registry, inf_load_params *params)
{
	struct outcome out = { .err.struct_size = sizeof out.err };
	inf_session *session = NULL;
	params->struct_size = sizeof *params;
	out.status = inf_session_load(registry, harness_backend(registry, "llama_cpp"), params, &session, &out.err);
	ck_assert((out.status == INF_OK) == (session != NULL));
	inf_session_close(session, NULL);
	return out;
}

static struct outcome try_path(inf_registry *registry, const char *path)
{
	inf_load_params params = { .path = path };
	return try_load(registry, &params);
}

START_TEST(load_of_broken_files_gives_different_clear_errors)
{
	struct scratch scratch;
	size_t len;
	scratch_init(&scratch);
	inf_registry *registry = harness_registry();
	char *model = scratch_read(harness_model(), &len);
	const struct {
		const char *path;
		inf_status status;
		const char *reason, *word;
	} cases[] = {
		{ scratch_at(&scratch, "missing.gguf"), INF_E_NOT_FOUND, "model_missing", "missing.gguf" },
		{ scratch_write(&scratch, "empty.gguf", "", 0), INF_E_BAD_MODEL, "gguf_empty", "empty" },
		{ scratch_write(&scratch, "cut.gguf", model, len / 2), INF_E_BAD_MODEL, "gguf_truncated", "cut.gguf" },
		{ scratch_write(&scratch, "head.gguf", model, 100), INF_E_BAD_MODEL, "gguf_truncated", "head.gguf" },
		{ scratch_write(&scratch, "text.gguf", "Dear diary", 10), INF_E_BAD_MODEL, "gguf_not_gguf", "GGUF" },
		{ scratch_dir(&scratch, "folder", 0755), INF_E_NOT_FOUND, "model_missing", "folder" },
		{ scratch_write(&scratch, "big-00001-of-00003.gguf", model, len), INF_E_BAD_MODEL, "split_mismatch", "big" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct outcome out = try_path(registry, cases[i].path);
		ck_assert_int_eq(out.status, cases[i].status);
		ck_assert_str_eq(out.err.reason, cases[i].reason);
		ck_assert_msg(strstr(out.err.message, cases[i].word) != NULL, "%s", out.err.message);
	}
	free(model);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

START_TEST(load_of_a_directory_takes_its_only_model)
{
	struct scratch scratch;
	size_t len;
	scratch_init(&scratch);
	inf_registry *registry = harness_registry();
	char *model = scratch_read(harness_model(), &len);
	const char *folder = scratch_dir(&scratch, "folder", 0755);
	scratch_write(&scratch, "folder/notes.txt", "x", 1);
	scratch_write(&scratch, "folder/one.gguf", model, len);
	ck_assert_int_eq(try_path(registry, folder).status, INF_OK);
	scratch_write(&scratch, "folder/two.gguf", model, len);
	struct outcome out = try_path(registry, folder);
	ck_assert_int_eq(out.status, INF_E_INVALID);
	ck_assert_str_eq(out.err.reason, "model_ambiguous");
	ck_assert_ptr_nonnull(strstr(out.err.message, "two"));
	free(model);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

START_TEST(load_of_what_only_the_server_can_refuse_quotes_it)
{
	struct scratch scratch;
	size_t len;
	scratch_init(&scratch);
	inf_registry *registry = harness_registry();
	char *model = scratch_read(harness_model(), &len);
	/* The architecture "llama" everywhere it is a key or the value: a model of an unknown kind. */
	for (char *at = model; (at = memmem(at, len - (size_t)(at - model), "llama", 5)); at += 5)
		memcpy(at, "zzzzz", 5);
	struct outcome out = try_path(registry, scratch_write(&scratch, "odd.gguf", model, len));
	ck_assert_int_eq(out.status, INF_E_BAD_MODEL);
	ck_assert_str_eq(out.err.reason, "model_architecture");
	ck_assert_ptr_nonnull(strstr(out.err.message, "zzzzz"));
	free(model);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

START_TEST(load_of_bad_requests_names_the_field)
{
	inf_registry *registry = harness_registry();
	const inf_kv unknown[] = { { "thread", "1" } }, bad[] = { { "threads", "many" } };
	const struct {
		inf_load_params params;
		inf_status status;
		const char *word;
	} cases[] = {
		{ { .path = "relative.gguf" }, INF_E_INVALID, "absolute" },
		{ { .path = harness_model(), .context_len = 4096 }, INF_E_INVALID, "2048" },
		{ { .path = harness_model(), .context_len = -1 }, INF_E_INVALID, "context_len" },
		{ { .path = harness_model(), .parallel_slots = 257 }, INF_E_INVALID, "parallel_slots" },
		{ { .path = harness_model(), .cache_mode = "q9" }, INF_E_UNSUPPORTED, "cache_mode" },
		{ { .path = harness_model(), .devices = "GPU-1" }, INF_E_UNSUPPORTED, "device" },
		{ { .path = harness_model(), .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 9 }, INF_E_UNSUPPORTED, "gpu_layers" },
		{ { .path = harness_model(), .gpu_layers = 9 }, INF_E_INVALID, "gpu_layers" },
		{ { .path = harness_model(), .flags = 0x80 }, INF_E_UNSUPPORTED, "flag" },
		{ { .path = harness_model(), .adapter_path = harness_model() }, INF_E_BAD_MODEL, "adapter" },
		{ { .path = harness_model(), .adapter_path = "/nonexistent/a.gguf" }, INF_E_NOT_FOUND, "a.gguf" },
		{ { .path = harness_model(), .options = unknown, .option_count = 1 }, INF_E_UNSUPPORTED, "threads" },
		{ { .path = harness_model(), .options = bad, .option_count = 1 }, INF_E_INVALID, "many" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		inf_load_params params = cases[i].params;
		struct outcome out = try_load(registry, &params);
		ck_assert_msg(out.status == cases[i].status, "case %zu: %d %s", i, out.status, out.err.message);
		ck_assert_msg(strstr(out.err.message, cases[i].word) != NULL, "%s", out.err.message);
	}
	inf_registry_close(registry);
}
END_TEST

START_TEST(load_with_a_compressed_cache_generates)
{
	inf_registry *registry = harness_registry();
	const inf_kv options[] = { { "threads", "2" }, { "batch-size", "64" }, { "?rocm.later", "x" } };
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .cache_mode = "q8_0", .options = options,
		.option_count = 3, .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0, .devices = "cpu",
	};
	inf_error err = { .struct_size = sizeof err };
	inf_session *session = NULL;
	inf_status st = inf_session_load(registry, harness_backend(registry, "llama_cpp"), &params, &session, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	const inf_gen_params gen = { .struct_size = sizeof gen, .max_tokens = 4 };
	ck_assert_int_eq(harness_generate(session, "x", &gen, NULL, &err), INF_OK);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

/* A LoRA adapter that shifts what the second layer's feed-forward gives. */
static const char *make_adapter(struct scratch *scratch)
{
	enum { FF = 512, WIDTH = 192, F32 = 0 };
	struct gguf_build file = GGUF_BUILD_INIT;
	gguf_build_head(&file, 3);
	gguf_build_text(&file, "general.architecture", "llama");
	gguf_build_text(&file, "general.type", "adapter");
	gguf_build_text(&file, "adapter.type", "lora");
	gguf_build_f32(&file, "adapter.lora.alpha", 1);
	gguf_build_tensor(&file, "blk.1.ffn_down.weight.lora_a", FF, 1, F32, 0);
	gguf_build_tensor(&file, "blk.1.ffn_down.weight.lora_b", 1, WIDTH, F32, FF * 4);
	gguf_build_data(&file, (FF + WIDTH) * 4);
	float *weights = (float *)(void *)(file.data + file.len - (FF + WIDTH) * 4);
	for (int i = 0; i < FF + WIDTH; i++)
		weights[i] = i % 3 ? 2.0f : -1.0f;
	const char *path = scratch_write(scratch, "adapter.gguf", file.data, file.len);
	gguf_build_release(&file);
	return path;
}

static void first_words(inf_registry *registry, const char *adapter, struct sink *sink)
{
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .adapter_path = adapter };
	inf_error err = { .struct_size = sizeof err };
	inf_session *session = NULL;
	inf_status st = inf_session_load(registry, harness_backend(registry, "llama_cpp"), &params, &session, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	const inf_gen_params gen = sink_params(sink, 16);
	ck_assert_int_eq(harness_generate(session, "It is a truth", &gen, NULL, &err), INF_OK);
	inf_session_close(session, NULL);
}

START_TEST(load_with_an_adapter_changes_the_text)
{
	struct scratch scratch;
	struct sink *sinks = calloc(2, sizeof *sinks);
	scratch_init(&scratch);
	inf_registry *registry = harness_registry();
	first_words(registry, NULL, &sinks[0]);
	first_words(registry, make_adapter(&scratch), &sinks[1]);
	ck_assert_str_ne(sinks[0].text, sinks[1].text);
	free(sinks);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

struct progress {
	int calls;
	int32_t stage;
	float fraction;
	int stop_at;
};

static int32_t on_progress(void *user, const inf_progress *progress)
{
	struct progress *p = user;
	ck_assert_int_ge(progress->stage, p->stage);
	ck_assert(progress->fraction >= p->fraction);
	p->stage = progress->stage;
	p->fraction = progress->fraction;
	return ++p->calls == p->stop_at ? 0 : INF_CONTINUE;
}

START_TEST(load_progress_never_goes_back_and_ends_ready)
{
	inf_registry *registry = harness_registry();
	struct progress progress = { .fraction = -1 };
	inf_load_params params = { .path = harness_model(), .user = &progress, .on_progress = on_progress };
	ck_assert_int_eq(try_load(registry, &params).status, INF_OK);
	ck_assert_int_ge(progress.calls, 2);
	ck_assert_int_eq(progress.stage, INF_STAGE_READY);
	ck_assert(progress.fraction >= 1);
	inf_registry_close(registry);
}
END_TEST

START_TEST(load_cancelled_from_progress_leaves_no_server)
{
	inf_registry *registry = harness_registry();
	struct process_census before = census_take();
	struct progress progress = { .fraction = -1, .stop_at = 1 };
	inf_load_params params = { .path = harness_model(), .user = &progress, .on_progress = on_progress };
	ck_assert_int_eq(try_load(registry, &params).status, INF_E_CANCELLED);
	ck_assert_int_eq(progress.calls, 1);
	census_assert_restored(&before);
	inf_registry_close(registry);
}
END_TEST

/* A server that starts and then does nothing. */
static const char *sleeper(struct scratch *scratch)
{
	char text[8192];
	snprintf(text, sizeof text,
		 "#!/bin/sh\ncase $1 in --*) exec '%s' \"$@\";; esac\n"
		 "echo 'warming my hands' >&2\nexec sleep 600\n", harness_server());
	const char *path = scratch_write(scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

START_TEST(load_without_progress_fails_after_the_stall_limit)
{
	struct scratch scratch;
	scratch_init(&scratch);
	inf_registry *registry = harness_registry_with(sleeper(&scratch));
	struct process_census before = census_take();
	const inf_kv options[] = { { "stall-timeout-ms", "1000" } };
	inf_load_params params = { .path = harness_model(), .options = options, .option_count = 1 };
	int64_t started = monotonic_ms();
	struct outcome out = try_load(registry, &params);
	ck_assert_int_eq(out.status, INF_E_TIMEOUT);
	ck_assert_str_eq(out.err.reason, "load_stalled");
	ck_assert_ptr_nonnull(strstr(out.err.message, "warming my hands"));
	ck_assert_int_lt(monotonic_ms() - started, 5000);
	census_assert_restored(&before);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

static void expect_unavailable(const char *server_path, const char *reason)
{
	inf_registry *registry = harness_registry_with(server_path);
	const inf_candidate *candidate = harness_backend(registry, "llama_cpp");
	ck_assert_int_eq(candidate->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(candidate->reason, reason);
	ck_assert_str_ne(candidate->message, "");
	ck_assert_int_eq(try_path(registry, harness_model()).status, INF_E_UNAVAILABLE);
	inf_registry_close(registry);
}

START_TEST(backend_is_unavailable_without_a_working_server)
{
	struct scratch scratch;
	scratch_init(&scratch);
	expect_unavailable(scratch_at(&scratch, "nothing"), "llama_server_missing");
	expect_unavailable(scratch_write(&scratch, "text", "x", 1), "server_not_executable");
	const char *broken = scratch_write(&scratch, "broken", "#!/bin/sh\necho 'no such luck' >&2\nexit 3\n", 40);
	ck_assert_int_eq(chmod(broken, 0755), 0);
	expect_unavailable(broken, "server_broken");
	const char *old = scratch_write(&scratch, "old", "#!/bin/sh\necho version: 1\n", 26);
	ck_assert_int_eq(chmod(old, 0755), 0);
	expect_unavailable(old, "server_too_old");
	ck_assert_int_eq(chmod(old, 0777), 0);
	expect_unavailable(old, "server_untrusted");
	scratch_release(&scratch);
}
END_TEST

RUN_SUITE("load", 60, load_of_broken_files_gives_different_clear_errors, load_of_a_directory_takes_its_only_model,
	  load_of_what_only_the_server_can_refuse_quotes_it, load_of_bad_requests_names_the_field,
	  load_with_a_compressed_cache_generates, load_with_an_adapter_changes_the_text, load_progress_never_goes_back_and_ends_ready,
	  load_cancelled_from_progress_leaves_no_server, load_without_progress_fails_after_the_stall_limit,
	  backend_is_unavailable_without_a_working_server)
