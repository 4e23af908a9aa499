/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "scratch.h"
#include "session.h"

enum { SOON_MS = 5000, STREAMS = 8, EARLY = 50, LONG_WORD = 100000 };

static const inf_kv repeat = { "echo.repeat", "true" };

static struct process_census before;
static struct scratch dir;
static inf_registry *registry;
static inf_session *session;
static inf_gen_params params;
static inf_error err;
static atomic_int stalls;		/* questions of streams that stand still */

inf_status __real_ih_call_told(inf_session *session, const void *user);
inf_status __wrap_ih_call_told(inf_session *session, const void *user);

inf_status __wrap_ih_call_told(inf_session *self, const void *user)
{
	stalls++;
	return __real_ih_call_told(self, user);
}

static void setup(void)
{
	const char *dirs[1];
	before = census_take();
	scratch_init(&dir);
	dirs[0] = dir.path;
	const inf_registry_params where = {
		.struct_size = sizeof where, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs, .plugin_dir_count = 1,
	};
	const inf_load_params load = { .struct_size = sizeof load, .path = "/dev/null" };
	unsetenv("INF_BACKEND_DISABLE");
	scratch_copy(&dir, "echo.so", TEST_BACKENDS "/echo.so");
	err = (inf_error){ .struct_size = sizeof err };
	params = (inf_gen_params){ .struct_size = sizeof params };
	stalls = 0;
	ck_assert_int_eq(inf_registry_open(&where, &registry, &err), INF_OK);
	ck_assert_int_eq(inf_session_load(registry, inf_registry_candidate(registry, 0), &load, &session, &err), INF_OK);
}

static void teardown(void)
{
	inf_session_close(session, NULL);
	inf_registry_close(registry);
	scratch_release(&dir);
	census_assert_restored(&before);
}

static inf_session_stream *open_stream(const char *prompt)
{
	inf_session_stream *stream = NULL;
	const inf_input input = { .struct_size = sizeof input, .prompt = prompt, .prompt_len = strlen(prompt) };
	inf_status st = inf_session_stream_open(session, &input, &params, &stream, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	return stream;
}

/* Append what comes until there is nothing at hand; true at the end. */
static bool fetch(inf_session_stream *stream, int32_t timeout_ms, char *text, inf_status *status)
{
	int32_t event;
	const inf_token *token;
	do {
		*status = inf_session_stream_next(stream, timeout_ms, &event, &token, &err);
		if (event == INF_STREAM_TOKEN && text)
			strcat(text, token->text);
	} while (event == INF_STREAM_TOKEN);
	return event == INF_STREAM_END;
}

static void expect_end(inf_session_stream *stream, inf_status expected)
{
	inf_status st;
	ck_assert(fetch(stream, SOON_MS, NULL, &st));
	ck_assert_int_eq(st, expected);
}

/* A stream whose queue is full. */
static inf_session_stream *open_stalled(void)
{
	static char word[LONG_WORD + 1];
	memset(word, 'x', LONG_WORD);
	params.options = &repeat;
	params.option_count = 1;
	inf_session_stream *stream = open_stream(word);
	for (int64_t deadline = monotonic_ms() + SOON_MS; !stalls && monotonic_ms() < deadline;)
		sched_yield();
	ck_assert_int_gt(stalls, 0);
	return stream;
}

/* ---- what it gives ------------------------------------------------------------------------------------------------- */
START_TEST(stream_gives_what_generate_would)
{
	char text[64] = "";
	inf_status st;
	inf_gen_result result = { .struct_size = sizeof result }, last = result;
	inf_session_stream *stream = open_stream("one two three");
	ck_assert(fetch(stream, SOON_MS, text, &st));
	ck_assert_int_eq(st, INF_OK);
	ck_assert_str_eq(text, "one two three");
	ck_assert_int_eq(inf_session_stream_result(stream, &result, &err), INF_OK);
	ck_assert_int_eq(result.generated_tokens, 3);
	ck_assert_int_eq(result.finish, INF_FINISH_EOS);
	inf_session_last_result(session, &last);
	ck_assert_mem_eq(&last, &result, sizeof last);
	inf_session_stream_close(stream);
}
END_TEST

START_TEST(stream_of_messages_is_a_chat)
{
	char text[64] = "";
	inf_status st;
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "hello there", .content_len = 11 };
	const inf_message *const msgs[] = { &message };
	const inf_input input = { .struct_size = sizeof input, .msgs = msgs, .msg_count = 1 };
	inf_session_stream *stream = NULL;
	ck_assert_int_eq(inf_session_stream_open(session, &input, NULL, &stream, &err), INF_OK);
	ck_assert(fetch(stream, SOON_MS, text, &st));
	ck_assert_str_eq(text, "hello there");
	inf_session_stream_close(stream);
}
END_TEST

START_TEST(stream_ends_with_the_backends_error)
{
	inf_session_stream *stream = open_stream("\xff");
	expect_end(stream, INF_E_INVALID);
	ck_assert_str_eq(err.reason, "utf8");
	inf_session_stream_close(stream);
}
END_TEST

START_TEST(many_streams_are_served_by_one_poll)
{
	inf_session_stream *streams[STREAMS];
	struct pollfd fds[STREAMS];
	char texts[STREAMS][64] = { "" }, prompts[STREAMS][64];
	int open = STREAMS;
	for (int i = 0; i < STREAMS; i++) {
		snprintf(prompts[i], sizeof prompts[i], "this is the stream %d of some", i);
		streams[i] = open_stream(prompts[i]);
		fds[i] = (struct pollfd){ .fd = inf_session_stream_descriptor(streams[i]), .events = POLLIN };
	}
	while (open && poll(fds, STREAMS, SOON_MS) > 0)
		for (int i = 0; i < STREAMS; i++) {
			inf_status st;
			if (!fds[i].revents || !fetch(streams[i], 0, texts[i], &st))
				continue;
			ck_assert_int_eq(st, INF_OK);
			fds[i].fd = -1;
			open--;
		}
	ck_assert_int_eq(open, 0);
	for (int i = 0; i < STREAMS; i++) {
		ck_assert_str_eq(texts[i], prompts[i]);
		inf_session_stream_close(streams[i]);
	}
}
END_TEST

START_TEST(open_checks_its_arguments)
{
	const inf_input input = { .struct_size = sizeof input, .flags = 1 };
	inf_session_stream *stream = (inf_session_stream *)&input;
	ck_assert_int_eq(inf_session_stream_open(session, &input, &params, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_stream_open(session, &input, &params, &stream, &err), INF_E_UNSUPPORTED);
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(inf_session_stream_open(session, NULL, &params, &stream, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_stream_descriptor(NULL), -1);
	inf_session_stream_cancel(NULL);
	inf_session_stream_close(NULL);
}
END_TEST

/* ---- ending it ----------------------------------------------------------------------------------------------------- */
static void by_itself(inf_session_stream *stream)
{
	inf_session_stream_cancel(stream);
}

static void by_session(inf_session_stream *stream)
{
	(void)stream;
	inf_session_cancel(session);
}

static void by_id(inf_session_stream *stream)
{
	(void)stream;
	ck_assert_int_eq(inf_session_cancel_request(session, "it", &err), INF_OK);
}

static void (*const cancels[])(inf_session_stream *stream) = { by_itself, by_session, by_id };

static bool was_cancelled(void *stream)
{
	inf_gen_result result = { .struct_size = sizeof result };
	return inf_session_stream_result(stream, &result, NULL) == INF_OK && result.finish == INF_FINISH_CANCELLED;
}

/* Without a fetch that would let it go on. */
START_TEST(stream_that_stands_still_is_cancelled_by_everybody)
{
	params.request_id = "it";
	inf_session_stream *stream = open_stalled();
	cancels[_i](stream);
	ck_assert(wait_until(was_cancelled, stream, SOON_MS));
	expect_end(stream, INF_E_CANCELLED);
	inf_session_stream_close(stream);
}
END_TEST

/* Mostly before its thread has begun to generate. */
START_TEST(stream_is_cancelled_by_everybody_as_soon_as_it_is_open)
{
	params.request_id = "it";
	params.options = &repeat;
	params.option_count = 1;
	for (int i = 0; i < EARLY; i++) {
		inf_session_stream *stream = open_stream("again ");
		cancels[_i](stream);
		expect_end(stream, INF_E_CANCELLED);
		ck_assert_int_eq(inf_session_cancel_request(session, "it", &err), INF_E_NOT_FOUND);
		inf_session_stream_close(stream);
	}
}
END_TEST

START_TEST(close_ends_a_stream_that_stands_still)
{
	inf_session_stream_close(open_stalled());
}
END_TEST

/* ---- by request id -------------------------------------------------------------------------------------------------- */
struct run {
	const char *id;
	atomic_bool inside;
	bool batch;
	inf_status status;
	pthread_t thread;
};

static int32_t INF_CALL note(void *user)
{
	((struct run *)user)->inside = true;
	return INF_CONTINUE;
}

static void *run_endless(void *arg)
{
	struct run *run = arg;
	const inf_gen_params p = {
		.struct_size = sizeof p, .request_id = run->id, .options = &repeat, .option_count = 1, .user = run, .on_poll = note,
	};
	const inf_input input = { .struct_size = sizeof input, .prompt = "again ", .prompt_len = 6 };
	const inf_input *const inputs[] = { &input, &input };
	const inf_batch_params batch = { .struct_size = sizeof batch, .gen = &p, .request_id = run->id, .user = run, .on_poll = note };
	run->status = run->batch ? inf_session_batch(session, inputs, 2, &batch, NULL) :
				   inf_session_generate(session, "again ", 6, &p, NULL, NULL);
	return NULL;
}

static bool is_inside(void *ctx)
{
	return ((struct run *)ctx)->inside;
}

static void start(struct run *run)
{
	ck_assert_int_eq(pthread_create(&run->thread, NULL, run_endless, run), 0);
	ck_assert(wait_until(is_inside, run, SOON_MS));
}

START_TEST(cancel_request_ends_the_calls_of_that_id_and_no_other)
{
	struct run runs[4] = { { .id = "a" }, { .id = "a" }, { .id = "b" }, { .id = NULL } };
	for (int i = 0; i < 4; i++)
		start(&runs[i]);
	ck_assert_int_eq(inf_session_cancel_request(session, "c", &err), INF_E_NOT_FOUND);
	ck_assert_str_eq(err.reason, "request_id");
	ck_assert_int_eq(inf_session_cancel_request(session, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_cancel_request(session, "a", &err), INF_OK);
	for (int i = 0; i < 2; i++) {
		pthread_join(runs[i].thread, NULL);
		ck_assert_int_eq(runs[i].status, INF_E_CANCELLED);
	}
	ck_assert_int_eq(inf_session_cancel_request(session, "a", &err), INF_E_NOT_FOUND);
	ck_assert_int_eq(inf_session_cancel_request(session, "b", &err), INF_OK);	/* it runs */
	pthread_join(runs[2].thread, NULL);
	inf_session_cancel(session);
	pthread_join(runs[3].thread, NULL);
}
END_TEST

START_TEST(cancel_request_ends_a_batch)
{
	struct run run = { .id = "all", .batch = true };
	start(&run);
	ck_assert_int_eq(inf_session_cancel_request(session, "all", &err), INF_OK);
	pthread_join(run.thread, NULL);
	ck_assert_int_eq(run.status, INF_E_CANCELLED);
}
END_TEST

/* ---- what a backend has not ------------------------------------------------------------------------------------------- */
START_TEST(metrics_of_a_backend_without_them_are_unsupported)
{
	inf_metrics_report report = { .struct_size = sizeof report };
	ck_assert_int_eq(inf_session_metrics(session, &report, &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "no_extension");
}
END_TEST

START_TEST(session_in_a_forked_child_opens_no_stream)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		inf_session_stream *stream = NULL;
		inf_metrics_report report = { .struct_size = sizeof report };
		const inf_input input = { .struct_size = sizeof input };
		bool good = inf_session_stream_open(session, &input, NULL, &stream, &err) == INF_E_INVALID &&
			    inf_session_cancel_request(session, "x", &err) == INF_E_INVALID &&
			    inf_session_metrics(session, &report, &err) == INF_E_INVALID;
		_exit(good ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_stream");
	TCase *tcase = tcase_create("session_stream");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, stream_gives_what_generate_would);
	tcase_add_test(tcase, stream_of_messages_is_a_chat);
	tcase_add_test(tcase, stream_ends_with_the_backends_error);
	tcase_add_test(tcase, many_streams_are_served_by_one_poll);
	tcase_add_test(tcase, open_checks_its_arguments);
	tcase_add_loop_test(tcase, stream_that_stands_still_is_cancelled_by_everybody, 0, sizeof cancels / sizeof *cancels);
	tcase_add_loop_test(tcase, stream_is_cancelled_by_everybody_as_soon_as_it_is_open, 0, sizeof cancels / sizeof *cancels);
	tcase_add_test(tcase, close_ends_a_stream_that_stands_still);
	tcase_add_test(tcase, cancel_request_ends_the_calls_of_that_id_and_no_other);
	tcase_add_test(tcase, cancel_request_ends_a_batch);
	tcase_add_test(tcase, metrics_of_a_backend_without_them_are_unsupported);
	tcase_add_test(tcase, session_in_a_forked_child_opens_no_stream);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
