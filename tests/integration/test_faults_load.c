/* SPDX-License-Identifier: MIT */
/*
 * Loads of a server that is late, stalls, lies, floods or dies. Each ends within its time, in one status and reason.
 */
#include <stdio.h>
#include <string.h>

#include "fake_world.h"
#include "process.h"
#include "suite.h"

enum {
	SOON_MS = 3000,			/* nothing is waited for */
	STALL_MS = 1000,		/* the least that the option allows */
	DEAF_MS = 5000,			/* SIGTERM twice, then SIGKILL */
	GAP_MS = 500,			/* between two reports: 250 are promised, the machine may be busy */
};

static const inf_kv stall_soon[] = { { "stall-timeout-ms", "1000" } };

START_TEST(load_of_a_good_server_generates)
{
	struct fake_world w;
	static struct sink sink;
	inf_gen_result result = { .struct_size = sizeof result };
	fake_open_loaded(&w, "");
	ck_assert_int_eq(fake_generate(&w, &sink, &result), INF_OK);
	ck_assert_str_eq(sink.text, " w0 w1 w2 w3 w4 w5 w6 w7");
	ck_assert_int_eq(result.finish, INF_FINISH_EOS);
	ck_assert_uint_eq(fake_starts(&w), 1);
	fake_close(&w);
}
END_TEST

/* ---- it dies ----------------------------------------------------------------------------------------------------- */
struct ending {
	const char *script;
	inf_status status;
	const char *reason;		/* NULL = not looked at */
	const char *words;		/* must be in the message */
};

static void expect_refusals(const struct ending *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct fake_world w;
		fake_open(&w, cases[i].script);
		inf_status st = fake_load(&w, NULL);
		ck_assert_msg(st == cases[i].status && (!cases[i].reason || !strcmp(w.err.reason, cases[i].reason)),
			      "%s: %d %s: %s", cases[i].script, st, w.err.reason, w.err.message);
		ck_assert_msg(strstr(w.err.message, cases[i].words), "%s: %s", cases[i].script, w.err.message);
		ck_assert_msg(w.took_ms < SOON_MS, "%s: %lld ms", cases[i].script, (long long)w.took_ms);
		ck_assert_ptr_null(w.session);
		fake_close(&w);
	}
}

static const struct ending last_lines[] = {
	{ "on start\n log llama-server: error while loading shared libraries: libhipblas.so.3: cannot open shared "
	  "object file: No such file or directory\n exit 127\n", INF_E_UNAVAILABLE, "server_library_missing",
	  "libhipblas.so.3" },
	{ "on start\n log error while handling argument \"-dev\": invalid device: ROCm0\n exit 1\n", INF_E_UNAVAILABLE,
	  "device_missing", "ROCm0" },
	{ "on start\n log error: invalid argument: --frobnicate\n exit 1\n", INF_E_UNAVAILABLE, "server_argument",
	  "--frobnicate" },
	{ "on start\n log error while handling argument \"-c\": stoi\n exit 1\n", INF_E_UNAVAILABLE, "server_argument",
	  "stoi" },
	{ "on start\n log 0.00.020.000 E llama_model_load: error loading model: unknown model architecture: 'zzzzz'\n "
	  "exit 1\n", INF_E_BAD_MODEL, "model_architecture", "zzzzz" },
	{ "on start\n log llama_model_load: error loading model: tensor 'blk.0.ffn_up.weight' data is not within the "
	  "file bounds, model is corrupted or incomplete\n exit 1\n", INF_E_BAD_MODEL, "gguf_truncated",
	  "blk.0.ffn_up.weight" },
	{ "on start\n log gguf_init_from_file: failed to open GGUF file '/x' (No such file or directory)\n exit 1\n",
	  INF_E_NOT_FOUND, "model_missing", "'/x'" },
	{ "on start\n log llama_adapter_lora_init: failed to apply lora adapter\n exit 1\n", INF_E_BAD_MODEL, "adapter",
	  "lora" },
	{ "on start\n log ggml_backend_cuda_buffer_type_alloc_buffer: allocating 900.00 MiB on device 0: cudaMalloc "
	  "failed: out of memory\n exit 1\n", INF_E_NO_VRAM, "vram", "900.00 MiB" },
	{ "on start\n log llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv "
	  "cache\n exit 1\n", INF_E_NO_MEMORY, "memory", "kv cache" },
	{ "on start\n log ggml_aligned_malloc: insufficient memory (attempted to allocate 2602.38 MB)\n exit 1\n",
	  INF_E_NO_MEMORY, "memory", "2602.38" },
	{ "on start\n log srv  start: couldn't bind HTTP server socket, hostname: /x.sock, port: 9931\n exit 1\n",
	  INF_E_IO, "server_socket", "couldn't bind" },
	{ "on start\n log llama_model_load: error loading model: key not found in model: llama.block_count\n exit 1\n",
	  INF_E_BAD_MODEL, "model_rejected", "llama.block_count" },
	{ "on start\n log gguf_init_from_reader: failed to read magic\n exit 1\n", INF_E_BAD_MODEL, "model_rejected",
	  "magic" },
	{ "on start\n log srv    load_model: failed to load model, '/x.gguf'\n exit 1\n", INF_E_BAD_MODEL,
	  "model_rejected", "/x.gguf" },
	{ "on start\n log ./src/ggml.c:1655: GGML_ASSERT(ctx->mem_buffer != NULL) failed\n kill 6\n",
	  INF_E_BACKEND_DIED, "server_assert", "mem_buffer" },
	{ "on start\n log something that nobody knows\n exit 3\n", INF_E_BACKEND_DIED, "server_died",
	  "something that nobody knows" },
	/* A line without its end, a line that is not text, and none. */
	{ "on start\n log error: invalid argument: --half\\0\n exit 1\n", INF_E_UNAVAILABLE, "server_argument",
	  "--half" },
	{ "on start\n log \\xff\\xfe\\x01 odd\n exit 1\n", INF_E_BACKEND_DIED, "server_died", "odd" },
	{ "on start\n exit 1\n", INF_E_BACKEND_DIED, "server_died", "exit status 1" },
	{ "on start\n exit 0\n", INF_E_BACKEND_DIED, "server_ended", "exit status 0" },
	/* What was said last is not always what matters. */
	{ "on start\n log llama_model_load: error loading model: unknown model architecture: 'q'\n log srv load_model: "
	  "failed to load model, '/x'\n log srv llama_server: exiting due to model loading error\n exit 1\n",
	  INF_E_BAD_MODEL, "model_architecture", "'q'" },
	{ "on start\n log warning: common_fit_params: error: failed\n log bye\n exit 1\n", INF_E_BACKEND_DIED,
	  "server_died", "bye" },
};

START_TEST(load_of_a_server_that_ends_tells_its_last_line)
{
	expect_refusals(last_lines, sizeof last_lines / sizeof last_lines[0]);
}
END_TEST

/* Every stage, and every way to go. */
static const struct ending stages[] = {
	{ "on start\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on start\n kill 9\n", INF_E_BACKEND_DIED, NULL, "signal 9" },
	{ "on start\n kill 7\n", INF_E_IO, "model_file_lost", "signal 7" },
	{ "on start\n wait 150\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on start\n listen\n wait 150\n kill 11\non /health\n hang\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /health\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /health x3\n answer 503 {}\non /health\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /health\n send HTTP/1.1 200 OK\\r\\nContent-Le\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /props\n kill 11\n", INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /props\n send HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n{\"total_slots\n kill 11\n",
	  INF_E_BACKEND_DIED, NULL, "signal 11" },
	{ "on /props\n exit 0\n", INF_E_BACKEND_DIED, NULL, "exit status 0" },
};

START_TEST(load_of_a_server_that_dies_at_any_stage_ends_soon)
{
	expect_refusals(stages, sizeof stages / sizeof stages[0]);
}
END_TEST

START_TEST(load_of_a_server_that_crashes_each_time_fails_each_time)
{
	struct fake_world w;
	fake_open(&w, "on start x3\n log error: once more\n exit 1\n");
	for (size_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(fake_load(&w, NULL), INF_E_BACKEND_DIED);
		ck_assert_str_eq(w.err.reason, "server_error");
		ck_assert_uint_eq(fake_starts(&w), i);
	}
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	fake_close(&w);
}
END_TEST

/* It is in a session of its own, where no signal to the group reaches it. */
START_TEST(load_does_not_wait_for_a_grandchild_that_holds_the_output)
{
	struct fake_world w;
	fake_open(&w, "on start\n grandchild 4\n log error: gone\n exit 1\n");
	ck_assert_int_eq(fake_load(&w, NULL), INF_E_BACKEND_DIED);
	ck_assert_str_eq(w.err.reason, "server_error");
	ck_assert_int_lt(w.took_ms, SOON_MS);
	fake_close(&w);
}
END_TEST

START_TEST(server_that_dies_just_after_the_load_is_told_by_the_next_call)
{
	struct fake_world w;
	fake_open(&w, "on start\n listen\n wait 200\n kill 11\n");
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	pid_t server = harness_server_pid();
	ck_assert(wait_until(process_gone, &server, SOON_MS));
	ck_assert_int_eq(fake_generate(&w, NULL, NULL), INF_E_BACKEND_DIED);
	ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
	fake_close(&w);
}
END_TEST

/* A library was missing, or the machine was out of memory: the file stays the same when that is repaired. */
START_TEST(load_asks_a_server_again_that_did_not_run_before)
{
	static const char *const faults[] = {
		"on --version\n kill 9\n", "on --version\n exit 1\non --help\n hang\n",
		"on --help\n log error while loading shared libraries: libx.so\n exit 127\n",
		"on --help\n print usage: something else\n",
	};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct fake_world w;
		fake_open(&w, "");
		fake_write(&w, faults[i]);
		fake_touch(&w);
		ck_assert_msg(fake_load(&w, NULL) == INF_E_UNAVAILABLE, "%s: %s", faults[i], w.err.message);
		fake_write(&w, "");
		ck_assert_msg(fake_load(&w, NULL) == INF_OK, "%s: %s", faults[i], w.err.message);
		fake_close(&w);
	}
}
END_TEST

/* ---- it lies ----------------------------------------------------------------------------------------------------- */
static const struct ending lies[] = {
	{ "on /health\n answer 404 {}\n", INF_E_INTERNAL, "server_answer", "404" },
	{ "on /health\n answer 500 <html>\n", INF_E_INTERNAL, "server_answer", "500" },
	{ "on /props\n answer 500 {}\n", INF_E_INTERNAL, "server_answer", "500" },
	{ "on /props\n answer 401 {}\n", INF_E_INTERNAL, "server_answer", "401" },
	{ "on /props\n answer 200 <html>hello</html>\n", INF_E_INTERNAL, "server_answer", "hello" },
	{ "on /props\n answer 200\n", INF_E_INTERNAL, "server_answer", "properties" },
	{ "on /props\n answer 200 [1]\n", INF_E_INTERNAL, "server_answer", "properties" },
	{ "on /props\n answer 200 {\"role\":\"router\",\"default_generation_settings\":{\"n_ctx\":512}}\n",
	  INF_E_INTERNAL, "server_answer", "did not load the model" },
	{ "on /props\n answer 200 {\"total_slots\":1}\n", INF_E_INTERNAL, "server_answer", "did not load the model" },
	{ "on /props\n answer 200 {\"default_generation_settings\":{\"n_ctx\":-5}}\n", INF_E_INTERNAL, "server_answer",
	  "did not load the model" },
	{ "on /props\n stream\n fill 9000000\n end\n", INF_E_INTERNAL, "server_answer", "too large" },
};

START_TEST(load_of_a_server_that_answers_otherwise_is_refused)
{
	expect_refusals(lies, sizeof lies / sizeof lies[0]);
}
END_TEST

/* ---- it is late, or stalls --------------------------------------------------------------------------------------- */
struct reports {
	int count, cancel_at;		/* cancel_at 0 = never */
	int cancel_from_stage;		/* stop at the first report of it; 0 = never */
	int64_t first_ms, last_ms, longest_ms;
	int32_t stage;
	uint32_t stages;		/* that were reported, as bits */
	float fraction;
};

static int32_t on_progress(void *user, const inf_progress *progress)
{
	struct reports *r = user;
	int64_t now = monotonic_ms();
	if (r->count++ && now - r->last_ms > r->longest_ms)
		r->longest_ms = now - r->last_ms;
	r->last_ms = now;
	ck_assert_int_ge(progress->stage, r->stage);
	ck_assert(progress->fraction >= r->fraction || progress->fraction < 0);
	r->stage = progress->stage;
	r->stages |= 1u << progress->stage;
	r->fraction = progress->fraction;
	if (r->cancel_from_stage && r->stage >= r->cancel_from_stage)
		return 0;
	return r->count == r->cancel_at ? 0 : INF_CONTINUE;
}

static inf_status load_with_reports(struct fake_world *w, struct reports *r)
{
	inf_load_params params = { .user = r, .on_progress = on_progress };
	inf_status st = fake_load(w, &params);
	int64_t since = monotonic_ms() - r->last_ms;
	if (since > r->longest_ms)
		r->longest_ms = since;
	return st;
}

START_TEST(load_waits_for_a_late_server)
{
	struct fake_world w;
	struct reports r = { 0 };
	fake_open(&w, "on start\n wait 400\non /health x4\n wait 100\n answer 503 {\"error\":{\"code\":503}}\non "
		"/props\n wait 300\n "
		  "default\n");
	ck_assert_msg(load_with_reports(&w, &r) == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(w.took_ms, 1000);
	ck_assert_int_lt(r.longest_ms, GAP_MS);
	ck_assert_int_eq(r.stage, INF_STAGE_READY);
	fake_close(&w);
}
END_TEST

START_TEST(load_reports_the_stages_that_the_server_goes_through)
{
	struct fake_world w;
	struct reports r = { 0 };
	fake_open(&w, "on /health x1\n wait 200\n answer 503 {\"error\":{\"code\":503}}\n"
		      "on /health x1\n wait 200\n log cmn  common_init_: warming up the model with an empty run\n wait 300\n"
		      " answer 503 {\"error\":{\"code\":503}}\n");
	ck_assert_msg(load_with_reports(&w, &r) == INF_OK, "%s", w.err.message);
	ck_assert_uint_eq(r.stages, 1u << INF_STAGE_START | 1u << INF_STAGE_READ | 1u << INF_STAGE_WARMUP | 1u << INF_STAGE_READY);
	fake_close(&w);
}
END_TEST

#define PROPS_OF(TEMPLATE) "on /props\n answer 200 {\"default_generation_settings\":{\"n_ctx\":512},\"total_slots\":1," \
	"\"chat_template\":\"" TEMPLATE "\"}\non /apply-template\n kill 9\n"

START_TEST(load_asks_for_thinking_only_where_the_template_has_a_word_of_it)
{
	struct fake_world w;
	fake_open(&w, PROPS_OF("{{ messages }}"));
	ck_assert_msg(fake_load(&w, NULL) == INF_OK, "%s", w.err.message);
	fake_close(&w);
	fake_open(&w, PROPS_OF("{{ enable_thinking }}"));
	ck_assert_int_eq(fake_load(&w, NULL), INF_E_BACKEND_DIED);
	fake_close(&w);
}
END_TEST

static const char *const stalls[] = {
	"on start\n hang\n",
	"on start\n listen\n hang\non /health\n hang\n",
	"on /health\n answer 503 {\"error\":{\"code\":503}}\n",
	"on /health\n send HTTP/1.1 200 OK\\r\\nContent-Le\n hang\n",
	"on /props\n hang\n",
	"on /props\n send HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n{\n hang\n",
};

START_TEST(load_of_a_server_that_stalls_ends_at_the_deadline_and_reports_until_then)
{
	for (size_t i = 0; i < sizeof stalls / sizeof stalls[0]; i++) {
		struct fake_world w;
		struct reports r = { 0 };
		fake_open(&w, stalls[i]);
		w.options = stall_soon;
		w.option_count = 1;
		inf_status st = load_with_reports(&w, &r);
		ck_assert_msg(st == INF_E_TIMEOUT && !strcmp(w.err.reason, "load_stalled"), "%s: %d %s: %s",
			stalls[i], st, w.err.reason,
			      w.err.message);
		ck_assert_ptr_nonnull(strstr(w.err.message, "stall-timeout-ms"));
		ck_assert_msg(w.took_ms >= STALL_MS && w.took_ms < STALL_MS + SOON_MS, "%s: %lld ms", stalls[i],
			(long long)w.took_ms);
		ck_assert_msg(r.longest_ms < GAP_MS, "%s: a gap of %lld ms", stalls[i], (long long)r.longest_ms);
		ck_assert_int_ge(r.count, 4);
		fake_close(&w);
	}
}
END_TEST

/* What the questions cost it is no movement. */
START_TEST(load_of_a_server_that_answers_and_does_nothing_else_is_stalled)
{
	static const inf_kv options[] = { { "stall-timeout-ms", "2000" } };
	struct fake_world w;
	fake_open(&w, "on /health\n burn 200\n answer 503 {\"error\":{\"code\":503}}\n");
	w.options = options;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_E_TIMEOUT);
	ck_assert_str_eq(w.err.reason, "load_stalled");
	ck_assert_int_lt(w.took_ms, 2000 + SOON_MS);
	fake_close(&w);
}
END_TEST

START_TEST(load_of_a_stalled_server_tells_what_it_said_last)
{
	struct fake_world w;
	fake_open(&w, "on start\n log load_tensors: loading model tensors, this can take a while...\n hang\n");
	w.options = stall_soon;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_E_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(w.err.message, "this can take a while"));
	fake_close(&w);
}
END_TEST

/* Each line is news. */
START_TEST(load_of_a_server_that_keeps_talking_is_not_stalled)
{
	struct fake_world w;
	fake_open(&w, "on start\n log loading 1\n wait 700\n log loading 2\n wait 700\n log loading 3\n wait 700\n");
	w.options = stall_soon;
	w.option_count = 1;
	ck_assert_msg(fake_load(&w, NULL) == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(w.took_ms, 2000);
	fake_close(&w);
}
END_TEST

/* ---- it is cancelled, or closed ---------------------------------------------------------------------------------- */
static const struct {
	const char *script;
	int cancel_at, cancel_from_stage;
	bool look_again;
} cancellations[] = {
	{ "on --version\n hang\n", 2, 0, true },
	{ "on --help\n hang\n", 2, 0, true },
	{ "on start\n hang\n", 1, 0, false },
	{ "on start\n hang\n", 3, 0, false },
	{ "on /health\n hang\n", 2, 0, false },
	{ "on /health\n answer 503 {}\n", 0, INF_STAGE_READ, false },
	{ "on /props\n hang\n", 3, 0, false },
	{ "", 0, INF_STAGE_READY, false },
};

START_TEST(load_can_be_cancelled_in_every_phase)
{
	for (size_t i = 0; i < sizeof cancellations / sizeof cancellations[0]; i++) {
		struct fake_world w;
		struct reports r = { .cancel_at = cancellations[i].cancel_at,
			.cancel_from_stage = cancellations[i].cancel_from_stage };
		fake_open(&w, cancellations[i].look_again ? "" : cancellations[i].script);
		if (cancellations[i].look_again) {
			fake_write(&w, cancellations[i].script);
			fake_touch(&w);
		}
		inf_status st = load_with_reports(&w, &r);
		ck_assert_msg(st == INF_E_CANCELLED && !strcmp(w.err.reason, "cancelled"), "case %zu: %d %s: %s", i,
			st, w.err.reason,
			      w.err.message);
		ck_assert_msg(w.took_ms < SOON_MS, "case %zu: %lld ms", i, (long long)w.took_ms);
		ck_assert_ptr_null(w.session);
		fake_close(&w);
	}
}
END_TEST

START_TEST(cancelled_load_of_a_server_deaf_to_sigterm_is_bounded)
{
	struct fake_world w;
	struct reports r = { .cancel_at = 2 };
	fake_open(&w, "on start\n deaf\n hang\n");
	ck_assert_int_eq(load_with_reports(&w, &r), INF_E_CANCELLED);
	ck_assert_int_lt(w.took_ms, DEAF_MS);
	fake_close(&w);
}
END_TEST

START_TEST(close_of_a_server_deaf_to_sigterm_is_bounded)
{
	struct fake_world w;
	fake_open_loaded(&w, "on start\n deaf\n");
	ck_assert_int_eq(fake_generate(&w, NULL, NULL), INF_OK);
	pid_t server = harness_server_pid();
	ck_assert_int_eq(fake_close_session(&w), INF_OK);
	ck_assert_int_lt(w.took_ms, DEAF_MS);
	ck_assert(process_gone(&server));
	fake_close(&w);
}
END_TEST

START_TEST(close_does_not_wait_for_a_grandchild_that_holds_the_output)
{
	struct fake_world w;
	fake_open_loaded(&w, "on start\n grandchild 4\n");
	ck_assert_int_eq(fake_close_session(&w), INF_OK);
	ck_assert_int_lt(w.took_ms, SOON_MS);
	fake_close(&w);
}
END_TEST

/* ---- it floods --------------------------------------------------------------------------------------------------- */
#define LINE_OF_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(load_and_close_are_not_held_up_by_a_flood_of_output)
{
	struct fake_world w;
	fake_open_loaded(&w, "on start\n repeat 20000 log " LINE_OF_64 "\n listen\n repeat forever "
		"print " LINE_OF_64 "\n");
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(fake_generate(&w, NULL, NULL), INF_OK);
	ck_assert_int_lt(w.took_ms, SOON_MS);
	ck_assert_int_eq(fake_close_session(&w), INF_OK);
	ck_assert_int_lt(w.took_ms, SOON_MS);
	fake_close(&w);
}
END_TEST

START_TEST(load_of_a_server_that_floods_and_dies_tells_its_last_line)
{
	struct fake_world w;
	fake_open(&w, "on start\n repeat 20000 log " LINE_OF_64 "\n log error: invalid argument: --last\n exit 1\n");
	ck_assert_int_eq(fake_load(&w, NULL), INF_E_UNAVAILABLE);
	ck_assert_str_eq(w.err.reason, "server_argument");
	fake_close(&w);
}
END_TEST

RUN_SUITE("faults_load", 60, load_of_a_good_server_generates, load_of_a_server_that_ends_tells_its_last_line,
	  load_of_a_server_that_dies_at_any_stage_ends_soon, load_of_a_server_that_crashes_each_time_fails_each_time,
	  load_does_not_wait_for_a_grandchild_that_holds_the_output,
	  server_that_dies_just_after_the_load_is_told_by_the_next_call, load_asks_a_server_again_that_did_not_run_before,
	  load_of_a_server_that_answers_otherwise_is_refused,
	  load_waits_for_a_late_server, load_reports_the_stages_that_the_server_goes_through,
	  load_asks_for_thinking_only_where_the_template_has_a_word_of_it,
	  load_of_a_server_that_stalls_ends_at_the_deadline_and_reports_until_then,
	  load_of_a_server_that_answers_and_does_nothing_else_is_stalled,
	  load_of_a_stalled_server_tells_what_it_said_last, load_of_a_server_that_keeps_talking_is_not_stalled,
	  load_can_be_cancelled_in_every_phase, cancelled_load_of_a_server_deaf_to_sigterm_is_bounded,
	  close_of_a_server_deaf_to_sigterm_is_bounded, close_does_not_wait_for_a_grandchild_that_holds_the_output,
	  load_and_close_are_not_held_up_by_a_flood_of_output,
	  load_of_a_server_that_floods_and_dies_tells_its_last_line)
