/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "process.h"
#include "suite.h"

enum { SLOT_FREE_MS = 3000, PROMPT_WORDS = 1900 };

struct world {
	inf_registry *registry;
	inf_session *session;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
	pid_t server;
};

static void open_world(struct world *w, int32_t slots)
{
	memset(w, 0, sizeof *w);
	w->registry = harness_registry();
	w->session = harness_load(w->registry, 0, slots);
	w->result.struct_size = sizeof w->result;
	w->err.struct_size = sizeof w->err;
	w->server = harness_server_pid();
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
}

static bool slots_free(void *ctx)
{
	return harness_busy_slots(((struct world *)ctx)->server) == 0;
}

/* The model serves the next request as if nothing had happened. */
static void expect_usable(struct world *w)
{
	struct sink sink = { .len = 0 };
	const inf_gen_params params = sink_params(&sink, 3);
	ck_assert(wait_until(slots_free, w, SLOT_FREE_MS));
	ck_assert_int_eq(harness_generate(w->session, "Again", &params, &w->result, &w->err), INF_OK);
	ck_assert_int_eq(w->result.generated_tokens, 3);
}

/* Without an end of its own. */
static inf_gen_params endless(struct sink *sink)
{
	inf_gen_params params = sink_params(sink, 0);
	params.flags = INF_GEN_FLAG_IGNORE_EOS;
	return params;
}

START_TEST(cancel_in_decode_frees_the_slot)
{
	struct world w;
	open_world(&w, 1);
	inf_gen_params params = endless(&w.sink);
	w.sink.cancel_after_calls = 5;
	ck_assert_int_eq(harness_generate(w.session, "Once", &params, &w.result, &w.err), INF_E_CANCELLED);
	ck_assert_int_eq(w.err.code, INF_E_CANCELLED);
	ck_assert_int_eq(w.result.finish, INF_FINISH_CANCELLED);
	ck_assert_int_ge(w.result.generated_tokens, 5);
	expect_usable(&w);
	close_world(&w);
}
END_TEST

static int32_t count_and_stop(void *user)
{
	++*(int *)user;
	return 0;
}

/* One that would be over before anybody asked again. */
START_TEST(call_of_a_host_that_gave_up_before_it_is_cancelled_at_once)
{
	struct world w;
	int asked = 0;
	open_world(&w, 1);
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1, .user = &asked, .on_poll = count_and_stop };
	ck_assert_int_eq(harness_generate(w.session, "Once", &params, &w.result, &w.err), INF_E_CANCELLED);
	ck_assert_int_eq(asked, 1);
	ck_assert_int_eq(w.result.generated_tokens, 0);
	expect_usable(&w);
	close_world(&w);
}
END_TEST

/* Cancels as soon as the server evaluates the prompt. */
struct prefill {
	struct world *world;
	bool seen;
};

static int32_t poll_until_prefill(void *user)
{
	struct prefill *p = user;
	p->seen = p->seen || harness_busy_slots(p->world->server) == 1;
	return p->seen ? 0 : INF_CONTINUE;
}

static int32_t no_token_expected(void *user, const inf_token *token)
{
	(void)user;
	(void)token;
	ck_abort_msg("a token came before the cancellation");
	return 0;
}

START_TEST(cancel_in_prefill_frees_the_slot)
{
	struct world w;
	open_world(&w, 1);
	struct prefill prefill = { .world = &w };
	char *prompt = malloc(PROMPT_WORDS * 2 + 1);
	for (int i = 0; i < PROMPT_WORDS; i++)
		memcpy(prompt + 2 * i, " a", 2);
	prompt[PROMPT_WORDS * 2] = '\0';
	inf_gen_params params = {
		.struct_size = sizeof params, .user = &prefill, .on_poll = poll_until_prefill,
		.on_token = no_token_expected, .flags = INF_GEN_FLAG_NO_PROMPT_CACHE,
	};
	ck_assert_int_eq(harness_generate(w.session, prompt, &params, &w.result, &w.err), INF_E_CANCELLED);
	ck_assert(prefill.seen);
	ck_assert_int_eq(w.result.generated_tokens, 0);
	free(prompt);
	expect_usable(&w);
	close_world(&w);
}
END_TEST

START_TEST(stop_from_on_token_is_no_error)
{
	struct world w;
	open_world(&w, 1);
	for (size_t k = 1; k <= 3; k++) {
		inf_gen_params params = endless(&w.sink);
		memset(&w.sink, 0, sizeof w.sink);
		w.sink.thread = pthread_self();
		w.sink.stop_after_calls = k;
		ck_assert_int_eq(harness_generate(w.session, "Once", &params, &w.result, &w.err), INF_OK);
		ck_assert_int_eq(w.result.finish, INF_FINISH_CALLER);
		ck_assert_uint_eq(w.sink.calls, k);
	}
	expect_usable(&w);
	close_world(&w);
}
END_TEST

/* A generation on a thread of its own. */
struct job {
	struct world *world;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
	inf_status status;
	uint32_t flags;
	pthread_t thread;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	inf_gen_params params = endless(&job->sink);
	params.flags |= job->flags;
	job->result.struct_size = sizeof job->result;
	job->err.struct_size = sizeof job->err;
	job->status = harness_generate(job->world->session, "Once", &params, &job->result, &job->err);
	return NULL;
}

static bool slot_busy(void *ctx)
{
	return harness_busy_slots(((struct world *)ctx)->server) == 1;
}

START_TEST(cancel_of_the_session_from_another_thread_ends_all_calls)
{
	struct world w;
	open_world(&w, 1);
	struct job jobs[2] = { { .world = &w }, { .world = &w } };	/* one runs, one waits for the slot */
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]), 0);
	ck_assert(wait_until(slot_busy, &w, SLOT_FREE_MS));
	/* The second may not have entered yet; a cancellation concerns those that have. */
	do {
		inf_session_cancel(w.session);
	} while (pthread_tryjoin_np(jobs[0].thread, NULL) != 0 && usleep(1000) == 0);
	do {
		inf_session_cancel(w.session);
	} while (pthread_tryjoin_np(jobs[1].thread, NULL) != 0 && usleep(1000) == 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(jobs[i].status, INF_E_CANCELLED);
		ck_assert_int_eq(jobs[i].result.finish, INF_FINISH_CANCELLED);
	}
	expect_usable(&w);
	close_world(&w);
}
END_TEST

START_TEST(generate_without_a_free_slot_is_busy_when_it_may_not_wait)
{
	struct world w;
	open_world(&w, 1);
	struct job job = { .world = &w };
	ck_assert_int_eq(pthread_create(&job.thread, NULL, run_job, &job), 0);
	ck_assert(wait_until(slot_busy, &w, SLOT_FREE_MS));
	struct job second = { .world = &w, .flags = INF_GEN_FLAG_NO_WAIT };
	run_job(&second);
	ck_assert_int_eq(second.status, INF_E_BUSY);
	ck_assert(second.err.flags & INF_ERR_FLAG_RETRYABLE);
	inf_session_cancel(w.session);
	pthread_join(job.thread, NULL);
	ck_assert_int_eq(job.status, INF_E_CANCELLED);
	close_world(&w);
}
END_TEST

static int32_t generate_again(void *user, const inf_token *token)
{
	struct world *w = user;
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 2, .flags = INF_GEN_FLAG_NO_WAIT,
	};
	(void)token;
	ck_assert_int_eq(inf_session_generate(w->session, "x", 1, &params, NULL, &w->err), INF_E_BUSY);
	return INF_CONTINUE;
}

START_TEST(generate_from_a_callback_without_waiting_is_busy)
{
	struct world w;
	open_world(&w, 1);
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 2, .user = &w, .on_token = generate_again,
	};
	ck_assert_int_eq(harness_generate(w.session, "Once", &params, &w.result, &w.err), INF_OK);
	close_world(&w);
}
END_TEST

START_TEST(close_ends_a_call_in_flight)
{
	struct world w;
	open_world(&w, 1);
	struct job job = { .world = &w };
	ck_assert_int_eq(pthread_create(&job.thread, NULL, run_job, &job), 0);
	ck_assert(wait_until(slot_busy, &w, SLOT_FREE_MS));
	ck_assert_int_eq(inf_session_close(w.session, &w.err), INF_OK);
	pthread_join(job.thread, NULL);
	ck_assert_int_eq(job.status, INF_E_CLOSED);
	inf_registry_close(w.registry);
}
END_TEST

RUN_SUITE("cancel", 60, call_of_a_host_that_gave_up_before_it_is_cancelled_at_once, cancel_in_decode_frees_the_slot, cancel_in_prefill_frees_the_slot,
	  stop_from_on_token_is_no_error, cancel_of_the_session_from_another_thread_ends_all_calls,
	  generate_without_a_free_slot_is_busy_when_it_may_not_wait, generate_from_a_callback_without_waiting_is_busy,
	  close_ends_a_call_in_flight)
