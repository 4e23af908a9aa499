/* SPDX-License-Identifier: MIT */
/* Streams of libinference over a backend that has inf.stream/1 itself. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fake_world.h"
#include "process.h"
#include "suite.h"

enum { SOON_MS = 10000, TOKENS = 24, MANY = 64, SLOTS = 4 };

#define PIECE_512 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* More than a stream keeps for a host that does not fetch. */
static const char flood[] = "on /completion\n stream\n repeat 20000 token " PIECE_512 "\n hang\n";
static const char endless[] = "on /completion\n stream\n repeat 3 token a\n hang\n";

static inf_error err;
static atomic_int polls;
static atomic_bool poll_stops;

static int32_t INF_CALL on_poll(void *user)
{
	(void)user;
	polls++;
	return poll_stops ? 0 : INF_CONTINUE;
}

static inf_gen_params plain_params(void)
{
	polls = 0;
	poll_stops = false;
	err = (inf_error){ .struct_size = sizeof err };
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .set = INF_GEN_SET_TEMPERATURE, .max_tokens = TOKENS, .on_poll = on_poll,
	};
}

static inf_session_stream *open_stream(inf_session *session, const inf_gen_params *params)
{
	inf_session_stream *stream = NULL;
	char prompt[] = "It was";
	const inf_input input = { .struct_size = sizeof input, .prompt = prompt, .prompt_len = strlen(prompt) };
	inf_status st = inf_session_stream_open(session, &input, params, &stream, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	memset(prompt, 'X', sizeof prompt);
	return stream;
}

static inf_status fetch(inf_session_stream *stream, char *text, size_t cap)
{
	inf_status st;
	int32_t event;
	const inf_token *token;
	do {
		st = inf_session_stream_next(stream, SOON_MS, &event, &token, &err);
		if (event == INF_STREAM_TOKEN && text)
			strncat(text, token->text, cap - 1 - strlen(text));
	} while (event == INF_STREAM_TOKEN);
	ck_assert_int_eq(event, INF_STREAM_END);
	return st;
}

/* More than once: the end stays what it is. */
static void expect_end(inf_session_stream *stream, inf_status expected)
{
	for (int i = 0; i < 2; i++) {
		inf_status st = fetch(stream, NULL, 0);
		ck_assert_msg(st == expected, "%d: %s", st, err.message);
		ck_assert(st == INF_OK || err.code == expected);
	}
}

/* ---- with the real server -------------------------------------------------------------------------------------------- */
START_TEST(stream_gives_what_generate_does)
{
	static struct sink sink;
	char text[1024] = "";
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, SLOTS);
	inf_gen_params params = plain_params();
	inf_gen_result result = { .struct_size = sizeof result }, last = { .struct_size = sizeof last };
	inf_session_stream *stream = open_stream(session, &params);
	ck_assert_msg(fetch(stream, text, sizeof text) == INF_OK, "%s", err.message);
	ck_assert_int_eq(inf_session_stream_result(stream, &result, &err), INF_OK);
	ck_assert_int_eq(result.generated_tokens, TOKENS);
	inf_session_last_result(session, &last);
	ck_assert_int_eq(last.generated_tokens, TOKENS);
	ck_assert_int_eq(inf_session_err(session, &err), INF_OK);
	inf_session_stream_close(stream);
	ck_assert_int_gt(polls, 0);
	inf_gen_params collect = sink_params(&sink, TOKENS);
	collect.set = INF_GEN_SET_TEMPERATURE;
	ck_assert_int_eq(harness_generate(session, "It was", &collect, NULL, NULL), INF_OK);
	ck_assert_str_eq(text, sink.text);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

/* More streams than slots, each as long as it is told; params of the input count where there are no others. */
START_TEST(many_streams_do_not_mix)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, SLOTS);
	inf_session_stream *streams[MANY];
	for (int i = 0; i < MANY; i++) {
		inf_gen_params params = plain_params();
		params.max_tokens = i % 8 + 1;
		const inf_input input = { .struct_size = sizeof input, .prompt = "It was", .prompt_len = 6, .params = &params };
		ck_assert_int_eq(inf_session_stream_open(session, &input, NULL, &streams[i], &err), INF_OK);
	}
	for (int i = MANY - 1; i >= 0; i--) {
		inf_gen_result result = { .struct_size = sizeof result };
		ck_assert_msg(fetch(streams[i], NULL, 0) == INF_OK, "%s", err.message);
		ck_assert_int_eq(inf_session_stream_result(streams[i], &result, NULL), INF_OK);
		ck_assert_int_eq(result.generated_tokens, i % 8 + 1);
		inf_session_stream_close(streams[i]);
	}
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

/* ---- how it ends ----------------------------------------------------------------------------------------------------- */
static bool was_cancelled(void *stream)
{
	inf_gen_result result = { .struct_size = sizeof result };
	return inf_session_stream_result(stream, &result, NULL) == INF_OK && result.finish == INF_FINISH_CANCELLED;
}

static void by_itself(struct fake_world *w, inf_session_stream *stream)
{
	(void)w;
	inf_session_stream_cancel(stream);
}

static void by_session(struct fake_world *w, inf_session_stream *stream)
{
	(void)stream;
	inf_session_cancel(w->session);
}

static void by_id(struct fake_world *w, inf_session_stream *stream)
{
	(void)stream;
	ck_assert_int_eq(inf_session_cancel_request(w->session, "it", &err), INF_OK);
}

static void by_poll(struct fake_world *w, inf_session_stream *stream)
{
	(void)w;
	(void)stream;
	poll_stops = true;
}

static void (*const cancels[])(struct fake_world *w, inf_session_stream *stream) = { by_itself, by_session, by_id, by_poll };
static const char *const scripts[] = { flood, endless };

static bool is_asked(void *seen)
{
	return polls > *(int *)seen + 2;
}

/* Nobody fetches meanwhile; it stands still, or waits for the server. */
START_TEST(stream_is_cancelled_by_everybody)
{
	struct fake_world w;
	int seen = 0;
	fake_open_loaded(&w, scripts[_i % 2]);
	inf_gen_params params = plain_params();
	params.request_id = "it";
	params.max_tokens = 0;
	inf_session_stream *stream = open_stream(w.session, &params);
	ck_assert(wait_until(is_asked, &seen, SOON_MS));
	cancels[_i / 2](&w, stream);
	ck_assert(wait_until(was_cancelled, stream, SOON_MS));
	expect_end(stream, INF_E_CANCELLED);
	ck_assert_int_eq(inf_session_err(w.session, &err), INF_E_CANCELLED);
	ck_assert_int_eq(inf_session_cancel_request(w.session, "it", &err), INF_E_NOT_FOUND);
	inf_session_stream_close(stream);
	fake_close(&w);
}
END_TEST

START_TEST(stream_that_is_closed_early_is_forgotten)
{
	struct fake_world w;
	fake_open_loaded(&w, flood);
	inf_gen_params params = plain_params();
	params.request_id = "it";
	inf_session_stream_close(open_stream(w.session, &params));
	ck_assert_int_eq(inf_session_cancel_request(w.session, "it", &err), INF_E_NOT_FOUND);
	fake_close(&w);
}
END_TEST

/* Which a host should not do; it must find out. */
START_TEST(stream_that_outlives_its_session_ends_closed)
{
	struct fake_world w;
	fake_open_loaded(&w, scripts[_i]);
	inf_gen_params params = plain_params();
	inf_session_stream *stream = open_stream(w.session, &params), *other = open_stream(w.session, &params);
	ck_assert_int_eq(fake_close_session(&w), INF_OK);
	expect_end(stream, INF_E_CLOSED);
	inf_session_stream_close(stream);
	inf_session_stream_close(other);
	fake_close(&w);
}
END_TEST

struct closer {
	struct fake_world *world;
	inf_session_stream *stream;
	pthread_t thread;
};

static void *close_soon(void *arg)
{
	struct closer *self = arg;
	int seen = 0;
	ck_assert(wait_until(is_asked, &seen, SOON_MS));
	ck_assert_int_eq(fake_close_session(self->world), INF_OK);
	return NULL;
}

/* The one waits for a token while the other closes. */
START_TEST(stream_that_is_waited_for_ends_with_its_session)
{
	struct fake_world w;
	fake_open_loaded(&w, endless);
	inf_gen_params params = plain_params();
	params.max_tokens = 0;
	struct closer closer = { &w, open_stream(w.session, &params), 0 };
	ck_assert_int_eq(pthread_create(&closer.thread, NULL, close_soon, &closer), 0);
	expect_end(closer.stream, INF_E_CLOSED);
	inf_session_stream_close(closer.stream);
	pthread_join(closer.thread, NULL);
	fake_close(&w);
}
END_TEST

START_TEST(stream_says_what_is_wrong_with_it)
{
	static const inf_kv unknown = { "nobody.knows", "1" };
	struct fake_world w;
	inf_session_stream *stream = NULL;
	inf_status st;
	fake_open_loaded(&w, endless);
	inf_gen_params params = plain_params();
	const inf_input input = { .struct_size = sizeof input, .prompt = "x", .prompt_len = 1 };
	ck_assert_int_eq(inf_session_stream_open(w.session, NULL, &params, &stream, &err), INF_E_INVALID);
	ck_assert_ptr_null(stream);
	params.options = &unknown;
	params.option_count = 1;
	st = inf_session_stream_open(w.session, &input, &params, &stream, &err);
	if (st == INF_OK)
		st = fetch(stream, NULL, 0);
	ck_assert_int_eq(st, INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "option_unknown");
	inf_session_stream_close(stream);
	params.struct_size = 8;
	ck_assert_int_eq(inf_session_stream_open(w.session, &input, &params, &stream, &err), INF_E_INVALID);
	fake_close(&w);
}
END_TEST

#define LOOP(test, count) tcase_add_loop_test(tcase, test, 0, count)

int main(void)
{
	Suite *suite = suite_create("session_streams");
	TCase *tcase = tcase_create("session_streams");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, suite_setup, suite_teardown);
	tcase_add_test(tcase, stream_gives_what_generate_does);
	tcase_add_test(tcase, many_streams_do_not_mix);
	tcase_add_test(tcase, stream_that_is_closed_early_is_forgotten);
	tcase_add_test(tcase, stream_that_is_waited_for_ends_with_its_session);
	tcase_add_test(tcase, stream_says_what_is_wrong_with_it);
	LOOP(stream_is_cancelled_by_everybody, 8);
	LOOP(stream_that_outlives_its_session_ends_closed, 2);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
