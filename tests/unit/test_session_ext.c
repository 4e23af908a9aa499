/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

static struct scratch dir;
static inf_registry *registry;
static inf_session *session;
static inf_error err;

static void reload(const char *backend)
{
	const inf_load_params load = { .struct_size = sizeof load, .path = "/dev/null" };
	inf_session_close(session, NULL);
	session = NULL;
	for (size_t i = 0; i < inf_registry_count(registry); i++)
		if (!strcmp(inf_registry_candidate(registry, i)->backend, backend))
			ck_assert_int_eq(inf_session_load(registry, inf_registry_candidate(registry, i), &load, &session, &err), INF_OK);
	ck_assert_ptr_nonnull(session);
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
	scratch_copy(&dir, "words.so", TEST_BACKENDS "/words.so");
	err = (inf_error){ .struct_size = sizeof err };
	ck_assert_int_eq(inf_registry_open(&where, &registry, &err), INF_OK);
	session = NULL;
	reload("words");
}

static void teardown(void)
{
	inf_session_close(session, NULL);
	inf_registry_close(registry);
	scratch_release(&dir);
}

static inf_status embed(const char *word, const inf_call_params *call)
{
	const inf_text text = { word, strlen(word) };
	float vector;
	return inf_session_embed(session, &text, 1, 0, call, &vector, NULL, &err);
}

static void expect(inf_status st, inf_status expected, const char *reason)
{
	ck_assert_int_eq(st, expected);
	ck_assert_int_eq(err.code, expected);
	ck_assert_str_eq(err.reason, reason);
	ck_assert_str_ne(err.message, "");
}

/* ---- the table -------------------------------------------------------------------------------------------------- */
START_TEST(call_goes_through_the_table)
{
	const inf_text texts[] = { { "one", 3 }, { "three", 5 } };
	float vectors[2];
	int64_t counts[2];
	int32_t ids[2], dimension = 0;
	size_t count = 0;
	ck_assert_int_eq(inf_session_embed_dimension(session, &dimension, &err), INF_OK);
	ck_assert_int_eq(dimension, 1);
	ck_assert_int_eq(inf_session_embed(session, texts, 2, 0, NULL, vectors, counts, &err), INF_OK);
	ck_assert_float_eq(vectors[1], 5);
	ck_assert_int_eq(counts[0], 3);
	ck_assert_int_eq(inf_session_tokenize(session, "ab", 2, 0, NULL, ids, 2, &count, &err), INF_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(ids[1], 'b');
}
END_TEST

static int32_t say_stop(void *user)
{
	(void)user;
	return 0;
}

static int32_t note_scale(void *user, const inf_adapter *adapter)
{
	*(float *)user = adapter->scale;
	return INF_CONTINUE;
}

START_TEST(call_for_adapters_and_states_goes_through_the_table)
{
	inf_state_info info = { .struct_size = sizeof info };
	float scale = 0;
	ck_assert_int_eq(inf_session_list_adapters(session, &scale, note_scale, &err), INF_OK);
	ck_assert_float_eq(scale, 0.5f);
	ck_assert_int_eq(inf_session_save_state(session, 3, "four", NULL, &info, &err), INF_OK);
	ck_assert(info.tokens == 3 && info.bytes == 4);
	ck_assert_int_eq(inf_session_fork_state(session, 5, 6, NULL, &info, &err), INF_OK);
	ck_assert(info.tokens == 5 && info.bytes == 6);
	expect(inf_session_set_adapter_scale(session, 0, 1, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_restore_state(session, 0, "a", NULL, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	reload("echo");
	expect(inf_session_list_adapters(session, &scale, note_scale, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_set_adapter_scale(session, 0, 1, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_save_state(session, 0, "a", NULL, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_restore_state(session, 0, "a", NULL, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_fork_state(session, 0, 1, NULL, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
}
END_TEST

START_TEST(save_that_is_told_to_stop_is_cancelled)
{
	const inf_call_params stop = { .struct_size = sizeof stop, .on_poll = say_stop };
	expect(inf_session_save_state(session, 0, "wait", &stop, NULL, &err), INF_E_CANCELLED, "cancelled");
}
END_TEST

/* ---- streams ------------------------------------------------------------------------------------------------------ */
static int32_t event;
static const inf_token *token;

static inf_status open_stream(const char *word, const inf_gen_params *params, inf_session_stream **out)
{
	const inf_input input = { .struct_size = sizeof input, .prompt = word, .prompt_len = strlen(word) };
	return inf_session_stream_open(session, &input, params, out, &err);
}

static int32_t count_poll(void *polls)
{
	++*(int *)polls;
	return INF_CONTINUE;
}

START_TEST(stream_goes_through_the_table)
{
	int polls = 0;
	const inf_gen_params params = { .struct_size = sizeof params, .user = &polls, .on_poll = count_poll, .request_id = "w" };
	inf_gen_result last = { .struct_size = sizeof last };
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(open_stream("word", &params, &stream), INF_OK);
	ck_assert_int_eq(inf_session_cancel_request(session, "other", &err), INF_E_NOT_FOUND);
	ck_assert_int_eq(inf_session_stream_next(stream, -1, &event, &token, &err), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	ck_assert_str_eq(token->text, "word");
	ck_assert_int_eq(polls, 1);
	ck_assert_int_eq(inf_session_stream_next(stream, -1, &event, &token, NULL), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_END);
	inf_session_last_result(session, &last);
	ck_assert_int_eq(last.generated_tokens, 1);
	ck_assert_int_eq(inf_session_cancel_request(session, "w", &err), INF_E_NOT_FOUND);
	ck_assert_int_eq(inf_session_stream_descriptor(stream), -1);
	inf_session_stream_close(stream);
}
END_TEST

/* This backend asks only when it is fetched from: its model and the session may be gone then. */
START_TEST(stream_of_the_table_ends_with_its_session)
{
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(open_stream("word", NULL, &stream), INF_OK);
	if (_i) {
		ck_assert_int_eq(inf_session_close(session, NULL), INF_OK);
		session = NULL;
	} else {
		inf_session_cancel(session);
	}
	expect(inf_session_stream_next(stream, -1, &event, &token, &err), _i ? INF_E_CLOSED : INF_E_CANCELLED,
	       _i ? "closing" : "cancelled");
	ck_assert_int_eq(event, INF_STREAM_END);
	if (session)
		ck_assert_int_eq(inf_session_err(session, &err), INF_E_CANCELLED);
	inf_session_stream_close(stream);
}
END_TEST

/* As finalizers may have it, and not only once. */
START_TEST(stream_that_ended_outlives_its_session)
{
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(open_stream("word", NULL, &stream), INF_OK);
	while (inf_session_stream_next(stream, -1, &event, &token, &err) == INF_OK && event == INF_STREAM_TOKEN)
		;
	ck_assert_int_eq(event, INF_STREAM_END);
	ck_assert_int_eq(inf_session_close(session, NULL), INF_OK);
	session = NULL;
	ck_assert_int_eq(inf_session_stream_next(stream, -1, &event, &token, &err), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_END);
	inf_session_stream_close(stream);
}
END_TEST

START_TEST(stream_that_is_closed_early_is_remembered)
{
	const inf_gen_params stop = { .struct_size = sizeof stop, .on_poll = say_stop };
	inf_session_stream *stream = NULL;
	inf_gen_result last = { .struct_size = sizeof last };
	ck_assert_int_eq(open_stream("word", NULL, &stream), INF_OK);	/* its generation would be over */
	inf_session_stream_close(stream);
	ck_assert_int_eq(inf_session_err(session, &err), INF_OK);
	inf_session_last_result(session, &last);
	ck_assert_int_eq(last.generated_tokens, 1);
	ck_assert_int_eq(open_stream("word", &stop, &stream), INF_OK);
	inf_session_stream_close(stream);
	expect(inf_session_err(session, &err), INF_E_CANCELLED, "cancelled");
}
END_TEST

/* Whatever stands in it before, and whatever the backend leaves alone. */
START_TEST(event_of_a_call_that_is_refused_is_no_end)
{
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(open_stream("deaf", NULL, &stream), INF_OK);
	event = INF_STREAM_END;
	ck_assert_int_eq(inf_session_stream_next(stream, -2, &event, &token, &err), INF_E_INVALID);
	ck_assert_int_eq(event, INF_STREAM_WAITING);
	inf_session_stream_close(stream);
}
END_TEST

START_TEST(stream_that_breaks_the_contract_is_an_internal_error)
{
	inf_session_stream *stream = NULL;
	expect(open_stream("odd", NULL, &stream), INF_E_INTERNAL, "bad_status");
	expect(open_stream("none", NULL, &stream), INF_E_INTERNAL, "bad_status");
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(open_stream("late", NULL, &stream), INF_OK);
	ck_assert_int_eq(inf_session_stream_next(stream, -1, &event, &token, &err), INF_OK);
	expect(inf_session_stream_next(stream, -1, &event, &token, &err), INF_E_INTERNAL, "bad_status");
	inf_session_stream_close(stream);
}
END_TEST

/* What is newer than the library reaches the backend, which refuses it. */
START_TEST(stream_hands_on_parameters_that_are_newer)
{
	union {
		inf_gen_params known;
		unsigned char bytes[sizeof(inf_gen_params) + 16];
	} newer = { .known = { .struct_size = sizeof newer } };
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(open_stream("word", &newer.known, &stream), INF_OK);
	inf_session_stream_close(stream);
	newer.bytes[sizeof newer - 1] = 1;
	expect(open_stream("word", &newer.known, &stream), INF_E_UNSUPPORTED, "params");
	newer.known.struct_size = 8;
	expect(open_stream("word", &newer.known, &stream), INF_E_INVALID, "params");
}
END_TEST

START_TEST(call_without_a_table_is_unsupported)
{
	const inf_text text = { "x", 1 };
	const inf_input input = { .struct_size = sizeof input, .prompt = "x", .prompt_len = 1 };
	float number;
	int32_t id = 0;
	size_t n;
	reload("echo");
	expect(inf_session_tokenize(session, "x", 1, 0, NULL, NULL, 0, &n, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_detokenize(session, &id, 1, 0, NULL, NULL, 0, &n, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_count(session, &input, NULL, &n, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_embed_dimension(session, &id, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(embed("x", NULL), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_rerank(session, &text, &text, 1, NULL, &number, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
	ck_assert_ptr_nonnull(strstr(err.message, "echo"));
	ck_assert_ptr_nonnull(strstr(err.message, "inf.rerank/1"));
	/* The session is left again: it can be closed. */
}
END_TEST

START_TEST(call_that_the_table_lacks_is_unsupported)
{
	const inf_text text = { "x", 1 };
	const inf_input input = { .struct_size = sizeof input, .prompt = "x", .prompt_len = 1 };
	float number;
	int32_t id = 0;
	size_t n;
	expect(inf_session_count(session, &input, NULL, &n, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_detokenize(session, &id, 1, 0, NULL, NULL, 0, &n, &err), INF_E_UNSUPPORTED, "no_extension");
	expect(inf_session_rerank(session, &text, &text, 1, NULL, &number, NULL, &err), INF_E_UNSUPPORTED, "no_extension");
}
END_TEST

/* ---- parameters and errors ---------------------------------------------------------------------------------------- */
START_TEST(params_of_another_age_reach_the_backend)
{
	struct {
		inf_call_params known;
		uint64_t newer;
	} call = { .known.struct_size = sizeof call };
	const inf_call_params small = { .struct_size = sizeof small - 1 }, huge = { .struct_size = INF_STRUCT_MAX + 1 };
	ck_assert_int_eq(embed("x", &call.known), INF_OK);
	call.newer = 1;
	expect(embed("x", &call.known), INF_E_UNSUPPORTED, "call_params");
	expect(embed("x", &small), INF_E_INVALID, "call_params");
	expect(embed("x", &huge), INF_E_INVALID, "call_params");
}
END_TEST

START_TEST(status_that_is_none_and_failure_without_a_word_get_one)
{
	expect(embed("odd", NULL), INF_E_INTERNAL, "bad_status");
	err = (inf_error){ .struct_size = sizeof err };
	expect(embed("silent", NULL), INF_E_IO, "");
	ck_assert_int_eq(inf_session_embed(session, &(inf_text){ "silent", 6 }, 1, 0, NULL, &(float){ 0 }, NULL, NULL), INF_E_IO);
}
END_TEST

/* What err() remembers is of generate and chat. */
START_TEST(failure_is_not_remembered)
{
	embed("silent", NULL);
	ck_assert_int_eq(inf_session_err(session, &err), INF_OK);
}
END_TEST

/* ---- being stopped ------------------------------------------------------------------------------------------------- */
struct poll {
	int calls;
	int32_t answer;
	bool cancels;
};

static int32_t INF_CALL on_poll(void *user)
{
	struct poll *self = user;
	self->calls++;
	if (self->cancels)
		inf_session_cancel(session);
	return self->answer;
}

static const struct {
	const char *word;
	int32_t answer;
	bool cancels;
} stops[] = { { "wait", 0, false }, { "wait", 2, false }, { "wait", INF_CONTINUE, true }, { "deaf", INF_CONTINUE, true } };

START_TEST(call_that_is_told_to_stop_is_cancelled)
{
	struct poll poll = { .answer = stops[_i].answer, .cancels = stops[_i].cancels };
	const inf_call_params call = { .struct_size = sizeof call, .user = &poll, .on_poll = on_poll };
	expect(embed(stops[_i].word, &call), INF_E_CANCELLED, "cancelled");
	ck_assert_int_eq(poll.calls, 1);
	ck_assert_int_eq(embed("x", NULL), INF_OK);
}
END_TEST

struct waiting {
	pthread_t thread;
	sem_t started;
	inf_status status;
	inf_error err;
};

static int32_t INF_CALL post_once(void *user)
{
	struct waiting *self = user;
	int value = 0;
	sem_getvalue(&self->started, &value);
	if (!value)
		sem_post(&self->started);
	return INF_CONTINUE;
}

static void *wait_for_stop(void *arg)
{
	struct waiting *self = arg;
	const inf_text text = { "wait", 4 };
	const inf_call_params call = { .struct_size = sizeof call, .user = self, .on_poll = post_once };
	float vector;
	self->status = inf_session_embed(session, &text, 1, 0, &call, &vector, NULL, &self->err);
	return NULL;
}

START_TEST(call_in_flight_ends_with_cancel_and_with_close)
{
	struct waiting waiting = { .err.struct_size = sizeof waiting.err };
	sem_init(&waiting.started, 0, 0);
	ck_assert_int_eq(pthread_create(&waiting.thread, NULL, wait_for_stop, &waiting), 0);
	sem_wait(&waiting.started);
	if (_i) {
		ck_assert_int_eq(inf_session_close(session, &err), INF_OK);
		session = NULL;
	} else {
		inf_session_cancel(session);
	}
	pthread_join(waiting.thread, NULL);
	sem_destroy(&waiting.started);
	ck_assert_int_eq(waiting.status, _i ? INF_E_CLOSED : INF_E_CANCELLED);
	ck_assert_int_eq(waiting.err.code, waiting.status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_ext");
	TCase *tcase = tcase_create("session_ext");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, call_goes_through_the_table);
	tcase_add_test(tcase, call_for_adapters_and_states_goes_through_the_table);
	tcase_add_test(tcase, save_that_is_told_to_stop_is_cancelled);
	tcase_add_test(tcase, stream_goes_through_the_table);
	tcase_add_test(tcase, stream_that_ended_outlives_its_session);
	tcase_add_test(tcase, stream_that_is_closed_early_is_remembered);
	tcase_add_test(tcase, event_of_a_call_that_is_refused_is_no_end);
	tcase_add_test(tcase, stream_that_breaks_the_contract_is_an_internal_error);
	tcase_add_test(tcase, stream_hands_on_parameters_that_are_newer);
	tcase_add_loop_test(tcase, stream_of_the_table_ends_with_its_session, 0, 2);
	tcase_add_test(tcase, call_without_a_table_is_unsupported);
	tcase_add_test(tcase, call_that_the_table_lacks_is_unsupported);
	tcase_add_test(tcase, params_of_another_age_reach_the_backend);
	tcase_add_test(tcase, status_that_is_none_and_failure_without_a_word_get_one);
	tcase_add_test(tcase, failure_is_not_remembered);
	tcase_add_loop_test(tcase, call_that_is_told_to_stop_is_cancelled, 0, (int)(sizeof stops / sizeof *stops));
	tcase_add_loop_test(tcase, call_in_flight_ends_with_cancel_and_with_close, 0, 2);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
