/* SPDX-License-Identifier: MIT */
/*
 * A server whose health is good and whose completions are not, one that crashes again when it is started again, and
 * calls that wait behind one that hangs.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fake_world.h"
#include "process.h"
#include "suite.h"

enum { LIMIT_MS = 300, SOON_MS = 3000, OPTIONS_MAX = 4 };

static struct sink sink;

static const inf_kv limits[] = {
	{ "first-token-timeout-ms", "300" }, { "token-timeout-ms", "300" }, { "restart", "on-demand" },
};

static void open_with(struct fake_world *w, const char *script, size_t options)
{
	fake_open(w, script);
	w->options = limits;
	w->option_count = options;
	inf_status st = fake_load(w, NULL);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

static inf_status generate(struct fake_world *w)
{
	memset(&sink, 0, sizeof sink);
	return fake_generate(w, &sink, NULL);
}

/* ---- the watchdogs ----------------------------------------------------------------------------------------------- */
static const struct {
	const char *actions, *reason, *text;
} hangs[] = {
	{ " hang\n", "first_token_timeout", "" },
	{ " stream\n hang\n", "first_token_timeout", "" },
	{ " stream\n pace 20\n repeat forever ping\n", "first_token_timeout", "" },
	{ " stream\n token a\n hang\n", "token_timeout", "a" },
	{ " stream\n token a\n pace 20\n repeat forever ping\n", "token_timeout", "a" },
	{ " stream\n token a\n send 40\\r\\ndata: {\n pace 20\n repeat forever send x\n", "token_timeout", "a" },
	{ " send HTTP/1.1 200 OK\\r\\n\n pace 20\n repeat forever send X-More: 1\\r\\n\n", "first_token_timeout", "" },
};

START_TEST(completion_that_hangs_ends_at_its_limit_and_the_model_is_dead)
{
	for (size_t i = 0; i < sizeof hangs / sizeof hangs[0]; i++) {
		struct fake_world w;
		char script[512];
		snprintf(script, sizeof script, "on /completion\n%s", hangs[i].actions);
		open_with(&w, script, 2);
		pid_t server = harness_server_pid();
		inf_status st = generate(&w);
		ck_assert_msg(st == INF_E_TIMEOUT && !strcmp(w.err.reason, hangs[i].reason), "%s: %d %s: %s", script,
			st, w.err.reason,
			      w.err.message);
		ck_assert_msg(w.took_ms >= LIMIT_MS && w.took_ms < LIMIT_MS + SOON_MS, "%s: %lld ms", script,
			(long long)w.took_ms);
		ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
		ck_assert_str_eq(sink.text, hangs[i].text);
		ck_assert(wait_until(process_gone, &server, SOON_MS));
		ck_assert_int_eq(generate(&w), INF_E_BACKEND_DIED);
		ck_assert_str_eq(w.err.reason, hangs[i].reason);
		fake_close(&w);
	}
}
END_TEST

/* Slower than the limit in all, but never silent for so long. */
START_TEST(slow_prefill_and_slow_tokens_are_not_taken_for_a_hang)
{
	struct fake_world w;
	open_with(&w, "on /completion\n stream\n pace 100\n repeat 8 event "
		"{\"content\":\"\",\"prompt_progress\":{\"total\":8}}\n repeat 8 token "
		  "x\n final eos\n end\n", 2);
	ck_assert_msg(generate(&w) == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(w.took_ms, 4 * LIMIT_MS);
	ck_assert_str_eq(sink.text, "xxxxxxxx");
	fake_close(&w);
}
END_TEST

/* It says nothing, but it computes: it has more patience, and not for ever. */
START_TEST(server_that_computes_in_silence_has_more_time)
{
	struct fake_world w;
	const inf_kv options[] = { { "first-token-timeout-ms", "2500" } };
	fake_open(&w, "on /completion\n stream\n burn 4000000\n token a\n final eos\n end\n");
	w.options = options;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	ck_assert_msg(generate(&w) == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(w.took_ms, 4000);
	fake_close(&w);
}
END_TEST

/* ---- started again ----------------------------------------------------------------------------------------------- */
START_TEST(crash_before_anything_was_seen_is_repaired_by_one_start)
{
	static const char *const crashes[] = {
		"on /tokenize x1\n kill 11\n", "on /completion x1\n kill 11\n", "on /completion x1\n stream\n ping\n "
			"kill 11\n",
	};
	for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
		struct fake_world w;
		open_with(&w, crashes[i], 3);
		fake_write(&w, "");		/* the next one is good */
		ck_assert_msg(generate(&w) == INF_OK, "%s: %s", crashes[i], w.err.message);
		ck_assert_str_eq(sink.text, " w0 w1 w2 w3 w4 w5 w6 w7");
		ck_assert_uint_eq(fake_starts(&w), 2);
		fake_close(&w);
	}
}
END_TEST

START_TEST(crash_after_a_token_is_told_and_the_next_call_starts_the_server)
{
	struct fake_world w;
	open_with(&w, "on /completion\n stream\n token a\n kill 11\n", 3);
	fake_write(&w, "");
	ck_assert_int_eq(generate(&w), INF_E_BACKEND_DIED);
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	ck_assert_str_eq(sink.text, "a");
	ck_assert_uint_eq(fake_starts(&w), 1);
	ck_assert_int_eq(generate(&w), INF_OK);
	ck_assert_uint_eq(fake_starts(&w), 2);
	fake_close(&w);
}
END_TEST

/* Each start is good, each completion kills it. */
START_TEST(crash_loop_is_given_up)
{
	struct fake_world w;
	open_with(&w, "on /completion\n log GGML_ASSERT(false) failed\n kill 6\n", 3);
	int calls = 0;
	inf_status st;
	do {
		st = generate(&w);
		ck_assert_int_eq(st, INF_E_BACKEND_DIED);
		ck_assert_int_lt(++calls, 10);
	} while (!(w.err.flags & INF_ERR_FLAG_MODEL_DEAD));
	ck_assert_str_eq(w.err.reason, "restart_given_up");
	ck_assert_ptr_nonnull(strstr(w.err.message, "GGML_ASSERT"));
	ck_assert_uint_eq(fake_starts(&w), 3);
	ck_assert_int_eq(generate(&w), INF_E_BACKEND_DIED);
	ck_assert_uint_eq(fake_starts(&w), 3);
	fake_close(&w);
}
END_TEST

START_TEST(server_that_cannot_start_again_tells_its_last_line)
{
	struct fake_world w;
	open_with(&w, "on /completion x1\n kill 11\n", 3);
	fake_write(&w, "on start\n log error: no more today\n exit 1\n");
	ck_assert_int_eq(generate(&w), INF_E_BACKEND_DIED);
	ck_assert_str_eq(w.err.reason, "server_error");
	ck_assert_ptr_nonnull(strstr(w.err.message, "no more today"));
	fake_write(&w, "");
	ck_assert_msg(generate(&w) == INF_OK, "%s", w.err.message);
	fake_close(&w);
}
END_TEST

static int32_t stop_soon(void *user)
{
	return monotonic_ms() < *(int64_t *)user;
}

START_TEST(start_again_that_hangs_can_be_cancelled)
{
	struct fake_world w;
	open_with(&w, "on /completion x1\n kill 11\n", 3);
	fake_write(&w, "on start\n deaf\n hang\n");
	int64_t until = monotonic_ms() + 500;
	const inf_gen_params params = { .struct_size = sizeof params, .user = &until, .on_poll = stop_soon };
	ck_assert_int_eq(harness_generate(w.session, "x", &params, NULL, &w.err), INF_E_CANCELLED);
	ck_assert_int_lt(monotonic_ms() - until, SOON_MS);
	fake_close(&w);
}
END_TEST

START_TEST(hang_with_restart_is_told_and_the_next_call_has_a_new_server)
{
	struct fake_world w;
	open_with(&w, "on /completion\n stream\n token a\n hang\n", 3);
	fake_write(&w, "");
	ck_assert_int_eq(generate(&w), INF_E_TIMEOUT);
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	ck_assert_int_eq(generate(&w), INF_OK);
	ck_assert_uint_eq(fake_starts(&w), 2);
	fake_close(&w);
}
END_TEST

/* ---- a batch --------------------------------------------------------------------------------------------------- */
enum { INPUTS = 3, BLOCK_MS = 3 * LIMIT_MS };

/* Who blocks in on_token holds up what the others say. */
struct batch {
	const char *prompts;		/* of one byte each */
	int64_t token_ms, result_ms[INPUTS];
	inf_error errors[INPUTS];
};

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static int32_t take_slowly(void *user, size_t index, const inf_token *token)
{
	struct batch *b = user;
	(void)token;
	if (b->prompts[index] == 's')
		wait_until(never, NULL, BLOCK_MS);
	b->token_ms = monotonic_ms();
	return INF_CONTINUE;
}

static int32_t take_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	struct batch *b = user;
	(void)result;
	b->result_ms[index] = monotonic_ms();
	if (error)
		b->errors[index] = *error;
	return INF_CONTINUE;
}

static void run_batch(struct batch *b, size_t options)
{
	static const char script[] = "on /completion has \"prompt\":[1,115\n stream\n token a\n token b\n final eos\n end\n"
		"on /completion has \"prompt\":[1,104\n stream\n hang\n"
		"on /completion\n stream\n pace 50\n repeat 40 token x\n final eos\n end\n";
	const inf_batch_params params = { .struct_size = sizeof params, .user = b, .on_token = take_slowly, .on_result = take_result };
	inf_load_params load = { .parallel_slots = 2 };
	inf_input inputs[INPUTS];
	const inf_input *pointers[INPUTS];
	struct fake_world w;
	fake_open(&w, script);
	w.options = limits;
	w.option_count = options;
	ck_assert_msg(fake_load(&w, &load) == INF_OK, "%s", w.err.message);
	size_t count = strlen(b->prompts);
	for (size_t i = 0; i < count; i++) {
		inputs[i] = (inf_input){ .struct_size = sizeof inputs[i], .prompt = &b->prompts[i], .prompt_len = 1 };
		pointers[i] = &inputs[i];
	}
	ck_assert_msg(inf_session_batch(w.session, pointers, count, &params, &w.err) == INF_OK, "%s", w.err.message);
	fake_close(&w);
}

START_TEST(input_that_blocks_is_not_the_silence_of_another)
{
	struct batch b = { .prompts = "sxs" };
	run_batch(&b, 2);
	for (int i = 0; i < INPUTS; i++)
		ck_assert_msg(b.errors[i].code == INF_OK, "%d: %s", i, b.errors[i].message);
}
END_TEST

/* The blocking of the two before it, 4 times BLOCK_MS, excuses no silence that came later. */
START_TEST(input_that_hangs_after_others_have_blocked_ends_at_its_limit)
{
	struct batch b = { .prompts = "ssh" };
	run_batch(&b, 2);
	ck_assert_int_eq(b.errors[0].code, INF_OK);
	ck_assert_int_eq(b.errors[1].code, INF_OK);
	ck_assert_int_eq(b.errors[2].code, INF_E_TIMEOUT);
	ck_assert_str_eq(b.errors[2].reason, "first_token_timeout");
	ck_assert_int_lt(b.result_ms[2] - b.token_ms, LIMIT_MS + BLOCK_MS);
}
END_TEST

/* ---- the queue --------------------------------------------------------------------------------------------------- */
struct holder {
	struct fake_world *w;
	struct sink sink;
	inf_status status;
	inf_error err;
	pthread_t thread;
};

static void *hold(void *arg)
{
	struct holder *h = arg;
	inf_gen_params params = sink_params(&h->sink, 0);
	h->err.struct_size = sizeof h->err;
	h->status = harness_generate(h->w->session, "x", &params, NULL, &h->err);
	return NULL;
}

static bool slot_busy(void *server)
{
	return harness_busy_slots(*(pid_t *)server) == 1;
}

START_TEST(call_behind_one_that_hangs_is_busy_in_time_and_nothing_of_it_reaches_the_server)
{
	struct fake_world w;
	struct holder *h = calloc(1, sizeof *h);
	const inf_kv options[] = { { "queue-timeout-ms", "300" } };
	fake_open(&w, "on /completion x1\n stream\n token a\n hang\non /completion\n kill 11\n");
	w.options = options;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	pid_t server = harness_server_pid();
	h->w = &w;
	ck_assert_int_eq(pthread_create(&h->thread, NULL, hold, h), 0);
	ck_assert(wait_until(slot_busy, &server, SOON_MS));
	ck_assert_int_eq(generate(&w), INF_E_BUSY);
	ck_assert_str_eq(w.err.reason, "queue_timeout");
	ck_assert_int_ge(w.took_ms, LIMIT_MS);
	ck_assert_int_lt(w.took_ms, LIMIT_MS + SOON_MS);
	ck_assert(!process_gone(&server));
	inf_session_cancel(w.session);
	pthread_join(h->thread, NULL);
	ck_assert_int_eq(h->status, INF_E_CANCELLED);
	free(h);
	fake_close(&w);
}
END_TEST

/* The one that hangs ends by its watchdog, and then the one behind it finds a dead or a new server. */
START_TEST(call_behind_one_that_hangs_gets_the_new_server)
{
	struct fake_world w;
	struct holder *h = calloc(1, sizeof *h);
	open_with(&w, "on /completion\n stream\n token a\n hang\n", 3);
	pid_t server = harness_server_pid();
	fake_write(&w, "");
	h->w = &w;
	ck_assert_int_eq(pthread_create(&h->thread, NULL, hold, h), 0);
	ck_assert(wait_until(slot_busy, &server, SOON_MS));
	ck_assert_msg(generate(&w) == INF_OK, "%s", w.err.message);
	pthread_join(h->thread, NULL);
	ck_assert_int_eq(h->status, INF_E_TIMEOUT);
	ck_assert_uint_eq(fake_starts(&w), 2);
	free(h);
	fake_close(&w);
}
END_TEST

RUN_SUITE("faults_hang", 60, completion_that_hangs_ends_at_its_limit_and_the_model_is_dead,
	  slow_prefill_and_slow_tokens_are_not_taken_for_a_hang, server_that_computes_in_silence_has_more_time,
	  crash_before_anything_was_seen_is_repaired_by_one_start,
	  crash_after_a_token_is_told_and_the_next_call_starts_the_server, crash_loop_is_given_up,
	  server_that_cannot_start_again_tells_its_last_line, start_again_that_hangs_can_be_cancelled,
	  hang_with_restart_is_told_and_the_next_call_has_a_new_server,
	  input_that_blocks_is_not_the_silence_of_another, input_that_hangs_after_others_have_blocked_ends_at_its_limit,
	  call_behind_one_that_hangs_is_busy_in_time_and_nothing_of_it_reaches_the_server,
	  call_behind_one_that_hangs_gets_the_new_server)
