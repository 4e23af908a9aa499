/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "scratch.h"

enum { COUNT = 6, SLOTS = 3 };

static const inf_kv repeat = { "echo.repeat", "true" };

static struct scratch dir;
static inf_registry *registry;
static inf_session *session;
static inf_input inputs[COUNT];
static const inf_input *pointers[COUNT];
static inf_gen_params gen;
static inf_batch_params batch;
static inf_classify_params classify;
static inf_error err;

/* What came, and what is to be done then. */
static struct {
	pthread_t thread;
	char texts[COUNT][64];
	int32_t tokens[COUNT];
	inf_status status[COUNT];
	int32_t finish[COUNT];
	char reasons[COUNT][32];
	int results, polls;
	int32_t ids[COUNT];
	float logprobs[COUNT];
	int32_t stop_input;		/* on_token says stop for this one; -1 = none */
	int stop_at_result;		/* 0 = never */
	int cancel_at_poll, cancel_at_token;
	sem_t *begun;			/* posted with the first token; NULL = not */
} seen;

static int32_t INF_CALL on_token(void *user, size_t index, const inf_token *token)
{
	ck_assert(user == &seen && pthread_equal(seen.thread, pthread_self()) && seen.status[index] == 1);
	size_t len = strlen(seen.texts[index]);
	snprintf(seen.texts[index] + len, sizeof seen.texts[0] - len, "%s", token->text);
	seen.tokens[index]++;
	if (seen.begun)
		sem_post(seen.begun);
	if (seen.tokens[index] == seen.cancel_at_token)
		inf_session_cancel(session);
	return (int32_t)index == seen.stop_input ? 0 : INF_CONTINUE;
}

static void note(size_t index, const inf_error *error)
{
	ck_assert(pthread_equal(seen.thread, pthread_self()));
	ck_assert_int_eq(seen.status[index], 1);
	seen.status[index] = error ? error->code : INF_OK;
	snprintf(seen.reasons[index], sizeof seen.reasons[0], "%s", error ? error->reason : "");
	seen.results++;
}

static int32_t INF_CALL on_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	ck_assert_ptr_eq(user, &seen);
	note(index, error);
	seen.finish[index] = result->finish;
	return seen.results == seen.stop_at_result ? 0 : INF_CONTINUE;
}

static int32_t INF_CALL on_class(void *user, const inf_class *result)
{
	ck_assert_ptr_eq(user, &seen);
	note(result->index, result->error);
	if (result->error)
		return INF_CONTINUE;
	ck_assert_uint_eq(strlen(result->text), result->text_len);
	snprintf(seen.texts[result->index], sizeof seen.texts[0], "%s", result->text);
	seen.ids[result->index] = result->id;
	seen.logprobs[result->index] = result->logprob;
	return seen.results == seen.stop_at_result ? 0 : INF_CONTINUE;
}

static int32_t INF_CALL on_poll(void *user)
{
	ck_assert(user == &seen && pthread_equal(seen.thread, pthread_self()));
	if (++seen.polls == seen.cancel_at_poll)
		inf_session_cancel(session);
	return INF_CONTINUE;
}

static void set_input(size_t index, const char *prompt)
{
	inputs[index] = (inf_input){ .struct_size = sizeof inputs[0], .prompt = prompt, .prompt_len = strlen(prompt) };
	pointers[index] = &inputs[index];
}

static void load(int32_t slots)
{
	const inf_load_params params = { .struct_size = sizeof params, .path = "/dev/null", .parallel_slots = slots,
					 .context_len = 10 };
	inf_session_close(session, NULL);
	ck_assert_int_eq(inf_session_load(registry, inf_registry_candidate(registry, 0), &params, &session, &err), INF_OK);
}

static void forget(void)
{
	memset(&seen, 0, sizeof seen);
	seen.thread = pthread_self();
	seen.stop_input = -1;
	for (size_t i = 0; i < COUNT; i++)
		seen.status[i] = 1;
}

static void setup(void)
{
	const char *dirs[1];
	scratch_init(&dir);
	dirs[0] = dir.path;
	const inf_registry_params where = {
		.struct_size = sizeof where, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1,
	};
	unsetenv("INF_BACKEND_DISABLE");
	scratch_copy(&dir, "echo.so", TEST_BACKENDS "/echo.so");
	err = (inf_error){ .struct_size = sizeof err };
	ck_assert_int_eq(inf_registry_open(&where, &registry, &err), INF_OK);
	session = NULL;
	load(SLOTS);
	static const char *const prompts[COUNT] = { "one two", "", "three", "four five six", "seven eight", "nine" };
	for (size_t i = 0; i < COUNT; i++)
		set_input(i, prompts[i]);
	gen = (inf_gen_params){ .struct_size = sizeof gen };
	batch = (inf_batch_params){ .struct_size = sizeof batch, .user = &seen, .on_token = on_token, .on_result = on_result,
				    .on_poll = on_poll };
	classify = (inf_classify_params){ .struct_size = sizeof classify, .user = &seen, .on_class = on_class,
					  .on_poll = on_poll };
	forget();
}

static void teardown(void)
{
	inf_session_close(session, NULL);
	inf_registry_close(registry);
	scratch_release(&dir);
}

static inf_status run_batch(void)
{
	return inf_session_batch(session, pointers, COUNT, &batch, &err);
}

static inf_status run_classify(void)
{
	return inf_session_classify(session, pointers, COUNT, &classify, &err);
}

/* ---- batch ---- */

START_TEST(batch_answers_each_input_on_any_number_of_slots)
{
	load(_i);
	ck_assert_int_eq(run_batch(), INF_OK);
	ck_assert_int_eq(seen.results, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_int_eq(seen.status[i], INF_OK);
		ck_assert_int_eq(seen.finish[i], INF_FINISH_EOS);
		ck_assert_str_eq(seen.texts[i], inputs[i].prompt);
	}
}
END_TEST

START_TEST(batch_inputs_that_are_bad_fail_alone)
{
	const inf_message message = { sizeof message, 0, "user", "hello there", 11, NULL, 0, NULL, NULL };
	const inf_message *const msgs[] = { &message };
	inf_gen_params wrong_size = { .struct_size = 8 };
	inputs[0].prompt = "\xff";
	inputs[0].prompt_len = 1;
	inputs[1].struct_size = 8;
	inputs[2].msgs = msgs;
	inputs[2].msg_count = 1;			/* beside its prompt */
	inputs[3] = (inf_input){ .struct_size = sizeof inputs[0], .msgs = msgs, .msg_count = 1 };
	inputs[4].params = &wrong_size;
	pointers[5] = NULL;
	ck_assert_int_eq(run_batch(), INF_OK);
	static const char *const reasons[COUNT] = { "utf8", "input", "input", "", "params", "input" };
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_str_eq(seen.reasons[i], reasons[i]);
	ck_assert_str_eq(seen.texts[3], "hello there");
	ck_assert_int_eq(seen.results, COUNT);
}
END_TEST

START_TEST(batch_params_of_an_input_go_before_those_of_the_batch)
{
	inf_gen_params own = { .struct_size = sizeof own, .max_tokens = 2, .flags = INF_GEN_FLAG_NO_WAIT, .user = &gen };
	gen.max_tokens = 1;
	batch.gen = &gen;
	inputs[3].params = &own;
	ck_assert_int_eq(run_batch(), INF_OK);
	ck_assert_str_eq(seen.texts[0], "one");
	ck_assert_str_eq(seen.texts[3], "four five");
	ck_assert_int_eq(seen.finish[3], INF_FINISH_LENGTH);
	ck_assert_ptr_eq(own.user, &gen);
}
END_TEST

/* The backend, not this library, judges fields of generation parameters that are newer than both. */
START_TEST(batch_newer_params_reach_the_plugin)
{
	struct {
		inf_gen_params known;
		uint64_t newer;
	} later = { gen, 1 };
	later.known.struct_size = sizeof later;
	inputs[0].params = &later.known;
	ck_assert_int_eq(run_batch(), INF_OK);
	ck_assert_int_eq(seen.status[0], INF_E_UNSUPPORTED);
	ck_assert_int_eq(seen.status[2], INF_OK);
}
END_TEST

START_TEST(batch_without_callbacks_runs)
{
	batch.on_token = NULL;
	batch.on_result = NULL;
	batch.on_poll = NULL;
	ck_assert_int_eq(run_batch(), INF_OK);
	ck_assert_int_eq(inf_session_batch(session, NULL, 0, &batch, NULL), INF_OK);
}
END_TEST

START_TEST(batch_parameters_are_checked)
{
	struct {
		inf_batch_params known;
		uint64_t newer;
	} later = { batch, 1 };
	later.known.struct_size = sizeof later;
	ck_assert_int_eq(inf_session_batch(session, pointers, COUNT, &later.known, &err), INF_E_UNSUPPORTED);
	ck_assert_int_eq(inf_session_batch(session, pointers, COUNT, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_batch(session, NULL, COUNT, &batch, &err), INF_E_INVALID);
	batch.parallel = -1;
	ck_assert_int_eq(run_batch(), INF_E_INVALID);
	batch.parallel = 0;
	batch.struct_size--;
	ck_assert_int_eq(run_batch(), INF_E_INVALID);
	ck_assert_int_eq(seen.results, 0);
}
END_TEST

START_TEST(batch_token_that_says_stop_ends_its_input_alone)
{
	load(_i);
	seen.stop_input = 3;
	ck_assert_int_eq(run_batch(), INF_OK);
	ck_assert_int_eq(seen.results, COUNT);
	ck_assert_int_eq(seen.finish[3], INF_FINISH_CALLER);
	ck_assert_str_eq(seen.texts[3], "four");
	ck_assert_str_eq(seen.texts[4], "seven eight");
}
END_TEST

START_TEST(batch_result_that_says_stop_ends_all)
{
	load(_i);
	seen.stop_at_result = 2;
	ck_assert_int_eq(run_batch(), INF_E_CANCELLED);
	ck_assert_int_eq(err.code, INF_E_CANCELLED);
	ck_assert_int_eq(seen.results, 2);
}
END_TEST

static void endlessly(void)
{
	gen.options = &repeat;
	gen.option_count = 1;
	batch.gen = &gen;
}

START_TEST(batch_is_cancelled_from_its_callbacks)
{
	load(1 + _i / 2);
	endlessly();
	*(_i % 2 ? &seen.cancel_at_poll : &seen.cancel_at_token) = 3;
	ck_assert_int_eq(run_batch(), INF_E_CANCELLED);
	ck_assert_str_eq(err.reason, "cancelled");
	ck_assert_int_le(seen.results, 1);	/* that of the empty prompt */
	forget();
	batch.gen = NULL;
	ck_assert_int_eq(run_batch(), INF_OK);
}
END_TEST

static void *run_endless_batch(void *status)
{
	seen.thread = pthread_self();
	*(inf_status *)status = run_batch();
	return NULL;
}

START_TEST(batch_ends_with_the_session_that_is_cancelled_or_closed)
{
	sem_t begun;
	pthread_t thread;
	inf_status status = INF_OK;
	sem_init(&begun, 0, 0);
	seen.begun = &begun;
	load(1 + _i / 2);
	endlessly();
	ck_assert_int_eq(pthread_create(&thread, NULL, run_endless_batch, &status), 0);
	sem_wait(&begun);
	if (_i % 2) {
		inf_session_cancel(session);
	} else {
		inf_session_close(session, NULL);
		session = NULL;
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(status, _i % 2 ? INF_E_CANCELLED : INF_E_CLOSED);
	ck_assert_int_eq(err.code, status);
	sem_destroy(&begun);
}
END_TEST

/* ---- classify ---- */

START_TEST(classify_tells_the_first_token_of_each_input)
{
	load(_i);
	ck_assert_int_eq(run_classify(), INF_OK);
	ck_assert_int_eq(seen.results, COUNT);
	ck_assert_str_eq(seen.texts[0], "one");
	ck_assert_int_eq(seen.ids[0], 0);
	ck_assert(isnan(seen.logprobs[0]));
	ck_assert_str_eq(seen.texts[1], "");		/* it ends at once */
	ck_assert_int_eq(seen.ids[1], -1);
	ck_assert_str_eq(seen.texts[3], "four");
}
END_TEST

START_TEST(classify_inputs_that_are_bad_fail_alone)
{
	inf_gen_params own = { .struct_size = sizeof own, .max_tokens = 2 };
	inputs[0].prompt = "\xff";
	inputs[0].prompt_len = 1;
	inputs[2].params = &own;
	pointers[5] = NULL;
	ck_assert_int_eq(run_classify(), INF_OK);
	static const char *const reasons[COUNT] = { "utf8", "", "gen_meaningless", "", "", "input" };
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_str_eq(seen.reasons[i], reasons[i]);
}
END_TEST

START_TEST(classify_what_a_generation_does_not_tell_is_unsupported)
{
	static const int32_t ids[] = { 0 };
	const inf_classify_params all[] = { { .top = 1 }, { .flags = INF_CLASSIFY_FLAG_VOCABULARY },
					    { .candidates = ids, .candidate_count = 1 } };
	for (size_t i = 0; i < 3; i++) {
		classify.top = all[i].top;
		classify.flags = all[i].flags;
		classify.candidates = all[i].candidates;
		classify.candidate_count = all[i].candidate_count;
		ck_assert_int_eq(run_classify(), INF_E_UNSUPPORTED);
		ck_assert_str_eq(err.reason, "no_extension");
	}
	ck_assert_int_eq(inf_session_classify(session, pointers, COUNT, NULL, &err), INF_E_INVALID);
	classify.on_class = NULL;
	ck_assert_int_eq(run_classify(), INF_E_INVALID);
	ck_assert_int_eq(seen.results, 0);
}
END_TEST

START_TEST(classify_is_cancelled)
{
	load(1 + _i);
	seen.stop_at_result = 2;
	ck_assert_int_eq(run_classify(), INF_E_CANCELLED);
	ck_assert_int_eq(seen.results, 2);
	forget();
	seen.cancel_at_poll = 1;
	ck_assert_int_eq(run_classify(), INF_E_CANCELLED);
	ck_assert_int_le(seen.results, COUNT);
}
END_TEST

/* Asserts nothing, as that allocates. */
static int32_t INF_CALL count_class(void *user, const inf_class *result)
{
	(void)user;
	seen.status[result->index] = result->error ? result->error->code : INF_OK;
	seen.results++;
	return INF_CONTINUE;
}

START_TEST(classify_survives_oom)
{
	load(1);
	classify.on_class = count_class;
	classify.on_poll = NULL;
	for (long n = 0;; n++) {
		forget();
		failmalloc_arm(n);
		inf_status st = run_classify();
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, INF_OK);
		int lacking = 0;
		for (size_t i = 0; i < COUNT; i++)
			lacking += seen.status[i] == INF_E_NO_MEMORY;
		ck_assert_int_eq(seen.results, COUNT);
		ck_assert_int_eq(lacking, fired);
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_batch");
	TCase *tcase = tcase_create("session_batch");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, batch_answers_each_input_on_any_number_of_slots, 0, SLOTS + 1);
	tcase_add_test(tcase, batch_inputs_that_are_bad_fail_alone);
	tcase_add_test(tcase, batch_params_of_an_input_go_before_those_of_the_batch);
	tcase_add_test(tcase, batch_newer_params_reach_the_plugin);
	tcase_add_test(tcase, batch_without_callbacks_runs);
	tcase_add_test(tcase, batch_parameters_are_checked);
	tcase_add_loop_test(tcase, batch_token_that_says_stop_ends_its_input_alone, 1, 3);
	tcase_add_loop_test(tcase, batch_result_that_says_stop_ends_all, 1, 3);
	tcase_add_loop_test(tcase, batch_is_cancelled_from_its_callbacks, 0, 4);
	tcase_add_loop_test(tcase, batch_ends_with_the_session_that_is_cancelled_or_closed, 0, 4);
	tcase_add_loop_test(tcase, classify_tells_the_first_token_of_each_input, 1, 3);
	tcase_add_test(tcase, classify_inputs_that_are_bad_fail_alone);
	tcase_add_test(tcase, classify_what_a_generation_does_not_tell_is_unsupported);
	tcase_add_loop_test(tcase, classify_is_cancelled, 0, 2);
	tcase_add_test(tcase, classify_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
