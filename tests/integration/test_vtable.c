/* SPDX-License-Identifier: MIT */
/*
 * The vtable as a host without libinference calls it: nothing stands between its mistakes and races and the engine.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "model_shapes.h"
#include "prompt.h"
#include "scratch.h"
#include "suite.h"

enum { ROUNDS = 6 };

struct world {
	inf_host host;
	inf_kv options[1];
	const inf_backend *backend;
	inf_instance *instance;
	inf_model *model;
	inf_error err;
};

static void open_world(struct world *w, const char *server)
{
	memset(w, 0, sizeof *w);
	w->options[0] = (inf_kv){ "llama-server.path", server };
	w->host = (inf_host){ .struct_size = sizeof w->host, .options = w->options, .option_count = 1 };
	w->err.struct_size = sizeof w->err;
	w->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&w->host, &w->instance, &w->err), INF_OK);
}

static inf_status load(struct world *w, int32_t (*on_progress)(void *user, const inf_progress *progress), void *user)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .parallel_slots = 2, .on_progress = on_progress,
		.user = user,
	};
	return w->backend->load(w->instance, w->backend, &params, &w->model, &w->err);
}

struct job {
	struct world *world;
	atomic_bool inside;
	inf_status status;
	inf_error err;
	pthread_t thread;
};

static int32_t note_inside(void *user)
{
	((struct job *)user)->inside = true;
	return INF_CONTINUE;
}

static void *generate(void *arg)
{
	struct job *job = arg;
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .user = job, .on_poll = note_inside,
	};
	job->err.struct_size = sizeof job->err;
	job->status = job->world->backend->generate(job->world->model, "Once", 4, &params, NULL, &job->err);
	return NULL;
}

static bool is_inside(void *ctx)
{
	return ((struct job *)ctx)->inside;
}

/* Two calls generate and two wait for a slot; when close() returns the model is freed, so none may touch it any more. */
START_TEST(close_waits_until_every_call_has_left)
{
	struct world w;
	open_world(&w, harness_server());
	for (int round = 0; round < ROUNDS; round++) {
		struct job jobs[4] = { { .world = &w }, { .world = &w }, { .world = &w }, { .world = &w } };
		ck_assert_int_eq(load(&w, NULL, NULL), INF_OK);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, generate, &jobs[i]), 0);
		for (int i = 0; i < 4; i++)
			ck_assert(wait_until(is_inside, &jobs[i], 5000));
		if (round % 2)
			kill(harness_server_pid(), SIGKILL);
		ck_assert_int_eq(w.backend->close(w.model, &w.err), INF_OK);
		for (int i = 0; i < 4; i++) {
			pthread_join(jobs[i].thread, NULL);
			ck_assert(jobs[i].status == INF_E_CLOSED || jobs[i].status == INF_E_BACKEND_DIED);
			ck_assert_int_eq(jobs[i].err.code, jobs[i].status);
		}
	}
	gr_plugin.destroy(w.instance);
}
END_TEST

static int32_t stop_when_ready(void *user, const inf_progress *progress)
{
	(void)user;
	return progress->stage == INF_STAGE_READY ? 0 : INF_CONTINUE;
}

START_TEST(load_stopped_at_ready_is_cancelled)
{
	struct world w;
	open_world(&w, harness_server());
	ck_assert_int_eq(load(&w, stop_when_ready, NULL), INF_E_CANCELLED);
	ck_assert_ptr_null(w.model);
	gr_plugin.destroy(w.instance);
}
END_TEST

START_TEST(result_is_written_when_a_call_fails_at_once)
{
	struct world w;
	open_world(&w, harness_server());
	ck_assert_int_eq(load(&w, NULL, NULL), INF_OK);
	const inf_gen_params params = { .struct_size = sizeof params };
	inf_gen_result result;
	memset(&result, 0x55, sizeof result);
	result.struct_size = sizeof result;
	ck_assert_int_eq(w.backend->generate(w.model, "\xff", 1, &params, &result, &w.err), INF_E_INVALID);
	ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
	ck_assert_int_eq(result.generated_tokens, 0);
	ck_assert_int_eq(w.backend->close(w.model, NULL), INF_OK);
	gr_plugin.destroy(w.instance);
}
END_TEST

/* A script in place of the server; it answers --version and --help like the real one. */
static const char *script(struct scratch *scratch, const char *body)
{
	char text[8192];
	snprintf(text, sizeof text, "#!/bin/sh\ncase $* in --version|--help|*--list-devices) exec '%s' \"$@\";; esac\n%s\n",
		 harness_server(), body);
	const char *path = scratch_write(scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

/* Each waits for the other at the FIFO. */
START_TEST(first_load_asks_for_version_and_help_at_once)
{
	struct world w;
	struct scratch scratch;
	char fifo[4096], text[16384];
	scratch_init(&scratch);
	snprintf(fifo, sizeof fifo, "%s/fifo", scratch.path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	snprintf(text, sizeof text, "#!/bin/sh\ncase $* in --version) read -r line < '%s';; --help) echo > '%s';; esac\n"
		 "exec '%s' \"$@\"\n", fifo, fifo, harness_server());
	const char *path = scratch_write(&scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	open_world(&w, path);
	ck_assert_msg(load(&w, NULL, NULL) == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(w.backend->close(w.model, NULL), INF_OK);
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

START_TEST(bytes_of_a_dying_server_come_out_as_utf8)
{
	struct world w;
	struct scratch scratch;
	scratch_init(&scratch);
	open_world(&w, script(&scratch, "printf 'error: \\377\\376 caf\\303\\251 \\303( end\\n' >&2; exit 3"));
	ck_assert_int_eq(load(&w, NULL, NULL), INF_E_BACKEND_DIED);
	ck_assert_msg(strstr(w.err.message, "error: ?? caf\xc3\xa9 ?( end") != NULL, "%s", w.err.message);
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

struct found {
	inf_model_file file;
	char path[4096];
	int count;
};

static int32_t note_file(void *user, const inf_model_file *file)
{
	struct found *found = user;
	found->file = *file;
	snprintf(found->path, sizeof found->path, "%s", file->path);
	found->count++;
	return INF_CONTINUE;
}

START_TEST(models_are_listed_inspected_and_resolved_before_any_load)
{
	struct world w;
	struct scratch scratch;
	struct found found = { .count = 0 };
	inf_model_file file = { .struct_size = sizeof file };
	char path[4096];
	size_t len;
	scratch_init(&scratch);
	open_world(&w, "/nonexistent/llama-server");	/* none is needed */
	char *model = scratch_read(harness_model(), &len);
	const char *one = scratch_write(&scratch, "Austen-2M-Q8_0.gguf", model, len), *dirs[] = { scratch.path };
	scratch_write(&scratch, "broken.gguf", model, 1000);
	free(model);

	const inf_models *models = w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_MODELS);
	ck_assert_ptr_nonnull(models);
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, 0, &found, note_file, &w.err), INF_OK);
	ck_assert_int_eq(found.count, 1);
	ck_assert_str_eq(found.path, one);
	ck_assert_str_eq(found.file.architecture, "llama");
	ck_assert_int_eq(found.file.kind, INF_MODEL_KIND_MODEL);
	ck_assert_uint_eq(found.file.file_bytes, len);
	found.count = 0;
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, INF_MODELS_FLAG_BROKEN, &found, note_file, &w.err),
			 INF_OK);
	ck_assert_int_eq(found.count, 2);

	ck_assert_int_eq(models->inspect(w.instance, w.backend, one, &file, &w.err), INF_OK);
	ck_assert_int_eq(file.num_layers, 4);
	ck_assert_str_eq(file.quantisation, "Q8_0");
	ck_assert_int_eq(models->resolve(w.instance, w.backend, "austen-2m", dirs, 1, path, sizeof path, &w.err), INF_OK);
	ck_assert_str_eq(path, one);
	ck_assert_int_eq(models->resolve(w.instance, w.backend, "nobody", dirs, 1, path, sizeof path, &w.err),
			 INF_E_NOT_FOUND);
	ck_assert_int_eq(models->resolve(w.instance, w.backend, "austen-2m", dirs, 1, path, 5, &w.err), INF_E_INVALID);
	const char *relative[] = { "models" };
	ck_assert_int_eq(models->list(w.instance, w.backend, relative, 1, 0, &found, note_file, &w.err), INF_E_INVALID);
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

START_TEST(list_that_is_incomplete_says_so_at_last)
{
	struct world w;
	struct scratch scratch;
	struct found found = { .count = 0 };
	char path[512];
	scratch_init(&scratch);
	open_world(&w, "/nonexistent/llama-server");
	const inf_models *models = w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_MODELS);
	size_t len = (size_t)snprintf(path, sizeof path, "%s", scratch.path);
	for (int depth = 0; depth < 14; depth++) {
		len += (size_t)snprintf(path + len, sizeof path - len, "/d");
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	const char *dirs[] = { scratch.path };
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, 0, &found, note_file, &w.err), INF_OK);
	ck_assert_int_eq(found.count, 0);
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, INF_MODELS_FLAG_BROKEN, &found, note_file, &w.err),
			 INF_OK);
	ck_assert_int_eq(found.count, 1);
	ck_assert_int_eq(found.file.code, INF_E_TIMEOUT);
	ck_assert_str_eq(found.file.reason, "search_incomplete");
	ck_assert_str_eq(found.path, scratch.path);
	found.count = 0;
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, INF_MODELS_FLAG_DIRECTORIES, &found, note_file, &w.err),
			 INF_OK);
	ck_assert_int_eq(found.count, 12);
	ck_assert_int_eq(found.file.kind, INF_MODEL_KIND_DIRECTORY);
	ck_assert_int_eq(models->list(w.instance, w.backend, dirs, 1, 4, &found, note_file, &w.err), INF_E_UNSUPPORTED);
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

/* ---- what a load would take ------------------------------------------------------------------------------------ */
#define GIB (UINT64_C(1) << 30)

/* The header of a model that people run; its weights are a hole. */
static const char *write_shape(struct scratch *scratch, const char *name)
{
	uint64_t size;
	struct gguf_build header = model_shape_header(name, &size);
	const char *path = scratch_write(scratch, "shape.gguf", (const char *)header.data, header.len);
	ck_assert_int_eq(truncate(path, (off_t)size), 0);
	gguf_build_release(&header);
	return path;
}

/* Of llama-3.1-8b-q4_k_m; what the numbers rest on is in test_fit. */
static const struct fit_case {
	inf_fit_request request;
	inf_status status;
	const char *reason;
	int32_t context_len, gpu_layers, limit;
} fit_cases[] = {
	{ { .memory_free = 16 * GIB }, INF_OK, "", 4096, 33, INF_FIT_LIMIT_NONE },
	{ { .memory_free = 16 * GIB, .context_len = 8192 }, INF_OK, "", 8192, 33, INF_FIT_LIMIT_NONE },
	{ { .memory_free = 16 * GIB, .context_len = 131072 }, INF_OK, "", 131072, 22, INF_FIT_LIMIT_LAYERS },
	{ { .memory_free = 16 * GIB, .context_len = 131072, .cache_mode = "q4_0" }, INF_OK, "", 131072, 33,
	  INF_FIT_LIMIT_NONE },
	{ { .memory_free = 16 * GIB, .context_len = 131072, .flags = INF_FIT_FLAG_SHORTER }, INF_OK, "", 80128, 33,
	  INF_FIT_LIMIT_CONTEXT },
	{ { .memory_free = 16 * GIB, .context_len = 131072, .flags = INF_FIT_FLAG_SHORTER | INF_FIT_FLAG_HEADLESS }, INF_OK,
	  "", 84224, 33, INF_FIT_LIMIT_CONTEXT },
	{ { .memory_free = 16 * GIB, .context_len = 8192, .parallel_slots = 16, .flags = INF_FIT_FLAG_SHORTER }, INF_OK, "",
	  4864, 33, INF_FIT_LIMIT_CONTEXT },
	{ { .memory_free = 1 * GIB }, INF_OK, "", 4096, 0, INF_FIT_LIMIT_LAYERS },
	{ { .memory_free = 1 * GIB, .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = -1 }, INF_E_NO_VRAM, "vram_too_small", 0, 0, 0 },
	{ { .memory_free = 1 * GIB, .set = INF_LOAD_SET_GPU_LAYERS }, INF_OK, "", 4096, 0, INF_FIT_LIMIT_NONE },
	{ { .context_len = -1 }, INF_E_INVALID, "context_len", 0, 0, 0 },
	{ { .context_len = 131073 }, INF_E_INVALID, "context_too_long", 0, 0, 0 },
	{ { .parallel_slots = 257 }, INF_E_INVALID, "parallel_slots", 0, 0, 0 },
	{ { .cache_mode = "q3" }, INF_E_UNSUPPORTED, "cache_mode", 0, 0, 0 },
	{ { .gpu_layers = 3 }, INF_E_INVALID, "request", 0, 0, 0 },
	{ { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = -2 }, INF_E_INVALID, "gpu_layers", 0, 0, 0 },
	{ { .flags = 4 }, INF_E_UNSUPPORTED, "request", 0, 0, 0 },
	{ { .set = 2 }, INF_E_UNSUPPORTED, "request", 0, 0, 0 },
};

START_TEST(fit_gives_what_a_load_would_do)
{
	struct world w;
	struct scratch scratch;
	scratch_init(&scratch);
	open_world(&w, "/nonexistent/llama-server");
	const char *path = write_shape(&scratch, "llama-3.1-8b-q4_k_m");
	const inf_models *models = w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_MODELS);
	for (size_t i = 0; i < sizeof fit_cases / sizeof *fit_cases; i++) {
		const struct fit_case *c = &fit_cases[i];
		inf_fit_request request = c->request;
		inf_fit_report report = { .struct_size = sizeof report, .total = 7 };
		request.struct_size = sizeof request;
		w.err = (inf_error){ .struct_size = sizeof w.err };
		ck_assert_msg(models->fit(w.instance, w.backend, path, &request, &report, &w.err) == c->status, "%zu: %s", i,
			      w.err.message);
		ck_assert_str_eq(w.err.reason, c->reason);
		ck_assert_msg(report.context_len == c->context_len && report.gpu_layers == c->gpu_layers &&
			      report.limit == c->limit, "%zu: %d tokens, %d layers, limit %d", i, report.context_len,
			      report.gpu_layers, report.limit);
		if (c->status != INF_OK) {
			ck_assert_uint_eq(report.total, 7);
			continue;
		}
		ck_assert_int_eq(report.layer_count, 33);
		ck_assert_uint_eq(report.total, report.weights + report.kv_cache + report.compute + report.reserve);
		ck_assert_uint_le(report.total, request.memory_free);
		ck_assert_uint_gt(report.host_bytes, 0);
		ck_assert_int_eq(report.total == 0, report.gpu_layers == 0);
	}
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

START_TEST(fit_of_what_cannot_be_loaded_says_why)
{
	struct world w;
	struct scratch scratch;
	struct gguf_build b = GGUF_BUILD_INIT;
	const inf_fit_request request = { .struct_size = sizeof request, .memory_free = GIB };
	inf_fit_report report = { .struct_size = sizeof report };
	scratch_init(&scratch);
	open_world(&w, "/nonexistent/llama-server");
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.type", "adapter");
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_tensor(&b, "blk.0.attn_k.weight.lora_a", 8, 4, 0, 0);
	gguf_build_data(&b, 128);
	const char *path = scratch_write(&scratch, "adapter.gguf", (const char *)b.data, b.len);
	const inf_models *models = w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_MODELS);
	ck_assert_int_eq(models->fit(w.instance, w.backend, path, &request, &report, &w.err), INF_E_BAD_MODEL);
	ck_assert_str_eq(w.err.reason, "not_a_model");
	ck_assert_int_eq(models->fit(w.instance, w.backend, "/nonexistent.gguf", &request, &report, &w.err),
			 INF_E_NOT_FOUND);
	ck_assert_int_eq(models->fit(w.instance, w.backend, "relative.gguf", &request, &report, &w.err), INF_E_INVALID);
	ck_assert_int_eq(models->fit(w.instance, w.backend, path, NULL, &report, &w.err), INF_E_INVALID);
	ck_assert_int_eq(models->fit(w.instance, w.backend, path, &request, NULL, &w.err), INF_E_INVALID);
	gguf_build_release(&b);
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

struct silence {
	int64_t last_ms, longest_ms;
	int reports;
};

static int32_t note_silence(void *user, const inf_progress *progress)
{
	struct silence *s = user;
	int64_t now = monotonic_ms();
	(void)progress;
	if (s->last_ms && now - s->last_ms > s->longest_ms)
		s->longest_ms = now - s->last_ms;
	s->last_ms = now;
	s->reports++;
	return INF_CONTINUE;
}

/* The binary hangs when it is asked what it can do: the load says so in time, and progress goes on meanwhile. */
START_TEST(load_reports_while_the_binary_is_looked_at)
{
	struct world w;
	struct scratch scratch;
	struct silence silence = { 0 };
	scratch_init(&scratch);
	const char *path = scratch_write(&scratch, "llama-server", "#!/bin/sh\nexec sleep 60\n", 25);
	ck_assert_int_eq(chmod(path, 0755), 0);
	open_world(&w, path);
	ck_assert_int_eq(load(&w, note_silence, &silence), INF_E_UNAVAILABLE);
	ck_assert_str_eq(w.err.reason, "server_probe_timeout");
	ck_assert_int_gt(silence.last_ms, 0);
	ck_assert_int_ge(silence.reports, 8);		/* four a second while it looked for two */
	ck_assert_int_lt(silence.longest_ms, 1000);	/* one of them may be late on a busy machine */
	/* The answer is kept: asking again costs nothing. */
	inf_availability report = { .struct_size = sizeof report };
	int64_t before = monotonic_ms();
	ck_assert_int_eq(w.backend->available(w.instance, w.backend, &report, &w.err), INF_OK);
	ck_assert_int_lt(monotonic_ms() - before, 200);
	ck_assert_int_eq(report.score, 0);
	ck_assert_str_eq(report.reason, "server_probe_timeout");
	gr_plugin.destroy(w.instance);
	scratch_release(&scratch);
}
END_TEST

RUN_SUITE("vtable", 90, close_waits_until_every_call_has_left, load_stopped_at_ready_is_cancelled,
	  result_is_written_when_a_call_fails_at_once, first_load_asks_for_version_and_help_at_once,
	  bytes_of_a_dying_server_come_out_as_utf8,
	  load_reports_while_the_binary_is_looked_at, models_are_listed_inspected_and_resolved_before_any_load,
	  list_that_is_incomplete_says_so_at_last, fit_gives_what_a_load_would_do, fit_of_what_cannot_be_loaded_says_why)
