/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "process.h"
#include "suite.h"

enum { THREADS = 8, SLOTS = 4, ROUNDS = 3, TOKENS = 24 };

struct job {
	inf_session *session;
	int number;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
	inf_status status;
	pthread_t thread;
};

/* Alone, one after the other. */
static void expected_text(inf_session *session, int number, char *out)
{
	struct sink *sink = calloc(1, sizeof *sink);
	const inf_gen_params params = sink_params(sink, TOKENS + number);
	char prompt[32];
	snprintf(prompt, sizeof prompt, "Chapter %d. ", number);
	inf_error err = { .struct_size = sizeof err };
	inf_status st = harness_generate(session, prompt, &params, NULL, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	strcpy(out, sink->text);
	free(sink);
}

static void *run_job(void *arg)
{
	struct job *job = arg;
	char prompt[32];
	snprintf(prompt, sizeof prompt, "Chapter %d. ", job->number);
	job->result.struct_size = sizeof job->result;
	job->err.struct_size = sizeof job->err;
	for (int round = 0; round < ROUNDS && job->status == INF_OK; round++) {
		memset(&job->sink, 0, sizeof job->sink);
		const inf_gen_params params = sink_params(&job->sink, TOKENS + job->number);
		job->status = harness_generate(job->session, prompt, &params, &job->result, &job->err);
	}
	return NULL;
}

START_TEST(generate_eight_threads_on_four_slots_keep_results_apart)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 512, SLOTS);
	struct job *jobs = calloc(THREADS, sizeof *jobs);
	for (int i = 0; i < THREADS; i++) {
		jobs[i].session = session;
		jobs[i].number = i;
		ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		char text[SINK_TEXT];
		pthread_join(jobs[i].thread, NULL);
		ck_assert_msg(jobs[i].status == INF_OK, "%s", jobs[i].err.message);
		/* The counts are this call's alone; the text is the prompt's own (greedy, whatever runs beside it
		 * may change the last bits of a logit but hardly the first words). */
		ck_assert_int_eq(jobs[i].result.generated_tokens, TOKENS + i);
		ck_assert_uint_eq(jobs[i].sink.tokens, (uint64_t)(TOKENS + i));
		expected_text(session, i, text);
		ck_assert_msg(strncmp(text, jobs[i].sink.text, 6) == 0, "\"%s\" is not \"%s\"", jobs[i].sink.text, text);
	}
	ck_assert_int_eq(inf_session_err(session, NULL), INF_OK);
	free(jobs);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

/* err() and the per-call errors of calls that fail in different ways at once. */
static void *fail_job(void *arg)
{
	struct job *job = arg;
	inf_gen_params params = sink_params(&job->sink, 4);
	params.json_schema = "{}";
	params.min_tokens = job->number % 2;			/* UNSUPPORTED with a schema */
	params.max_tokens = job->number % 2 ? 4 : -1;		/* INVALID */
	job->err.struct_size = sizeof job->err;
	for (int i = 0; i < 50; i++) {
		job->status = harness_generate(job->session, "x", &params, NULL, &job->err);
		ck_assert_int_eq(job->err.code, job->status);
		ck_assert_int_eq(job->status, job->number % 2 ? INF_E_UNSUPPORTED : INF_E_INVALID);
	}
	return NULL;
}

START_TEST(errors_of_concurrent_calls_are_each_callers_own)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 512, 2);
	struct job *jobs = calloc(4, sizeof *jobs);
	inf_error last = { .struct_size = sizeof last };
	for (int i = 0; i < 4; i++) {
		jobs[i].session = session;
		jobs[i].number = i;
		ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, fail_job, &jobs[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(jobs[i].thread, NULL);
	inf_status st = inf_session_err(session, &last);
	ck_assert(st == INF_E_UNSUPPORTED || st == INF_E_INVALID);
	ck_assert_int_eq(last.code, st);
	free(jobs);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

START_TEST(two_models_and_two_instances_do_not_see_each_other)
{
	inf_registry *first = harness_registry(), *second = harness_registry();
	inf_session *sessions[] = { harness_load(first, 256, 1), harness_load(first, 512, 2), harness_load(second, 1024, 1) };
	const int32_t context[] = { 256, 512, 1024 };
	struct job *jobs = calloc(3, sizeof *jobs);
	for (int i = 0; i < 3; i++) {
		inf_model_info info = { .struct_size = sizeof info };
		inf_session_info(sessions[i], &info, NULL);
		ck_assert_int_eq(info.context_len, context[i]);
		jobs[i].session = sessions[i];
		jobs[i].number = i;
		ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(jobs[i].thread, NULL);
		ck_assert_msg(jobs[i].status == INF_OK, "%s", jobs[i].err.message);
		ck_assert_int_eq(jobs[i].result.generated_tokens, TOKENS + i);
	}
	inf_session_close(sessions[0], NULL);
	/* The others live on. */
	run_job(&jobs[1]);
	ck_assert_int_eq(jobs[1].status, INF_OK);
	inf_session_close(sessions[1], NULL);
	inf_registry_close(first);
	run_job(&jobs[2]);
	ck_assert_int_eq(jobs[2].status, INF_OK);
	inf_session_close(sessions[2], NULL);
	inf_registry_close(second);
	free(jobs);
}
END_TEST

RUN_SUITE("concurrency", 90, generate_eight_threads_on_four_slots_keep_results_apart,
	  errors_of_concurrent_calls_are_each_callers_own, two_models_and_two_instances_do_not_see_each_other)
