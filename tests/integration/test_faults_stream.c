/* SPDX-License-Identifier: MIT */
/*
 * Streams that break in every way. Each fault ends the call soon, in one status and reason, and a server that lives
 * serves the next request.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fake_world.h"
#include "process.h"
#include "suite.h"

enum { SOON_MS = 3000, NOTICE_MS = 2000, SCRIPT_MAX = 8192 };

static struct sink sink;	/* too large for a stack */

static inf_status generate(struct fake_world *w, inf_gen_result *result)
{
	memset(&sink, 0, sizeof sink);
	return fake_generate(w, &sink, result);
}

static void expect_usable(struct fake_world *w, const char *after)
{
	inf_status st = generate(w, NULL);
	ck_assert_msg(st == INF_OK && !strcmp(sink.text, " w0 w1 w2 w3 w4 w5 w6 w7"), "after %s: %s: \"%s\"", after,
		      st ? w->err.message : "ok", sink.text);
}

/* ---- one fault, once --------------------------------------------------------------------------------------------- */
struct fault {
	const char *actions;		/* of the first request */
	inf_status status;
	const char *reason;
	const char *words;		/* in the message */
	const char *text;		/* what was delivered before */
};

/* A world of its own for all: that each leaves the model usable is the point. */
static void expect_faults(const char *path, const struct fault *cases, size_t count)
{
	static char script[1 << 16];
	struct fake_world w;
	size_t at = 0;
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(script + at, sizeof script - at, "on %s x1\n%son %s x1\n default\n", path,
			cases[i].actions, path);
	ck_assert_uint_lt(at, sizeof script);
	fake_open_loaded(&w, script);
	for (size_t i = 0; i < count; i++) {
		inf_gen_result result = { .struct_size = sizeof result };
		inf_status st = generate(&w, &result);
		ck_assert_msg(st == cases[i].status && !strcmp(w.err.reason, st ? cases[i].reason : w.err.reason),
			"%s: %d %s: %s",
			      cases[i].actions, st, w.err.reason, w.err.message);
		ck_assert_msg(!st || strstr(w.err.message, cases[i].words), "%s: %s", cases[i].actions, w.err.message);
		ck_assert_msg(!(w.err.flags & INF_ERR_FLAG_MODEL_DEAD), "%s", cases[i].actions);
		ck_assert_msg(!strcmp(sink.text, cases[i].text), "%s: \"%s\"", cases[i].actions, sink.text);
		ck_assert_msg(w.took_ms < SOON_MS, "%s: %lld ms", cases[i].actions, (long long)w.took_ms);
		if (st)
			ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
		w.err = (inf_error){ .struct_size = sizeof w.err };
		expect_usable(&w, cases[i].actions);
	}
	fake_close(&w);
}

#define EXPECT_FAULTS(path, cases) expect_faults(path, cases, sizeof cases / sizeof cases[0])

#define CUT INF_E_IO, "server_connection", "connection"
#define UNREADABLE INF_E_INTERNAL, "server_answer", "answer"

/* A kept connection may be closed just when it is used again, so a request without any answer is tried once more. */
#define TWICE(path, action) action "on " path " x1\n" action

static const struct fault connections[] = {
	{ "on /completion x1\n default\n", INF_OK, "", "", " w0 w1 w2 w3 w4 w5 w6 w7" },
	{ TWICE("/completion", ""), CUT, "" },
	{ TWICE("/completion", " reset\n"), CUT, "" },
	{ TWICE("/completion", " send HTTP/1.1 2\n"), CUT, "" },
	{ " send HTTP/1.1 200 OK\\r\\nContent-Type: te\n", CUT, "" },
	{ " send HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\ndata: \n", CUT, "" },
	{ " send this is no HTTP\\r\\n\\r\\n\n", CUT, "" },
	{ " stream\n", CUT, "" },
	{ " stream\n token a\n", CUT, "a" },
	{ " stream\n token a\n reset\n", CUT, "a" },
	{ " stream\n token a\n send 1\n", CUT, "a" },
	{ " stream\n token a\n send 40\\r\\ndata: {\"index\":0,\"content\":\"b\n", CUT, "a" },
	{ " stream\n token a\n send xyz\\r\\n\n", CUT, "a" },
	{ " stream\n token a\n send 5\\r\\ndata:data:\\r\\n\n", CUT, "a" },
	{ " stream\n token a\n send ffffffffffffffffff\\r\\n\n", CUT, "a" },
};

START_TEST(stream_that_is_cut_anywhere_ends_and_leaves_the_model_usable)
{
	EXPECT_FAULTS("/completion", connections);
}
END_TEST

static const struct fault contents[] = {
	/* No final event. */
	{ " stream\n end\n", INF_E_IO, "stream_cut", "final event", "" },
	{ " stream\n token a\n end\n", INF_E_IO, "stream_cut", "final event", "a" },
	{ " stream\n token a\n chunk data: {\"stop_type\":\"eos\"}\n end\n", INF_E_IO, "stream_cut", "final event",
	  "a" },
	{ " answer 200 {\"content\":\"a\",\"stop_type\":\"eos\"}\n", INF_E_IO, "stream_cut", "final event", "" },
	{ " answer 200\n", INF_E_IO, "stream_cut", "final event", "" },
	/* An error in a running stream. */
	{ " stream\n token a\n event {\"error\":{\"code\":500,\"message\":\"Context size has been "
	  "exceeded.\",\"type\":\"server_error\"}}\n end\n", INF_E_INTERNAL, "server_error",
	  "Context size has been exceeded.", "a" },
	{ " stream\n event {\"error\":{}}\n hang\n", INF_E_INTERNAL, "server_error", "does not say why", "" },
	/* What cannot be read. */
	{ " stream\n token a\n event {oops\n hang\n", UNREADABLE, "a" },
	{ " stream\n event [1]\n hang\n", UNREADABLE, "" },
	{ " stream\n event {\"content\":\"a\n hang\n", UNREADABLE, "" },
	{ " stream\n event {}{}\n hang\n", UNREADABLE, "" },
	{ " stream\n token a\\xff\n hang\n", INF_E_INTERNAL, "server_answer", "not UTF-8", "" },
	{ " stream\n token \\xed\\xa0\\x80\n hang\n", INF_E_INTERNAL, "server_answer", "not UTF-8", "" },
	{ " stream\n token \\xf0\\x9f\\x98\n hang\n", INF_E_INTERNAL, "server_answer", "not UTF-8", "" },
	/* A line of 1 MiB and what stands before it, and an event of several such lines. */
	{ " stream\n token a\n chunk data: \n fill 1048576\n chunk \\n\\n\n hang\n", INF_E_INTERNAL,
	  "sse_line_too_long", "1048576", "a" },
	{ " stream\n token a\n repeat 20 fill 1000000\n hang\n", INF_E_INTERNAL, "sse_line_too_long", "1048576", "a" },
	{ " stream\n chunk data: \n fill 600000\n chunk \\ndata: \n fill 600000\n chunk \\n\\n\n hang\n",
	  INF_E_INTERNAL, "sse_event_too_long", "1048576", "" },
};

START_TEST(stream_with_bad_content_is_refused_and_leaves_the_model_usable)
{
	EXPECT_FAULTS("/completion", contents);
}
END_TEST

static const struct fault refusals[] = {
	{ " answer 400 {\"error\":{\"code\":400,\"message\":\"Prompt contains invalid "
	  "tokens\",\"type\":\"invalid_request_error\"}}\n", INF_E_INVALID, "server_refused", "invalid tokens", "" },
	{ " answer 400 {\"error\":{\"code\":400,\"message\":\"too "
	  "long\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":402,\"n_ctx\":256}}\n", INF_E_CONTEXT_FULL,
	  "context_full", "402", "" },
	{ " answer 401 {\"error\":{\"message\":\"Invalid API Key\",\"type\":\"authentication_error\",\"code\":401}}\n",
	  INF_E_INTERNAL, "server_refused", "Invalid API Key", "" },
	{ " answer 403 {\"error\":{\"message\":\"off\",\"type\":\"feature_disabled\"}}\n", INF_E_INTERNAL,
	  "server_refused", "off", "" },
	{ " answer 404 {\"error\":{\"code\":404,\"message\":\"File Not Found\",\"type\":\"not_found_error\"}}\n",
	  INF_E_INTERNAL, "server_refused", "File Not Found", "" },
	{ " answer 413\n", INF_E_INTERNAL, "server_answer", "413", "" },
	{ " answer 500 {\"error\":{\"code\":500,\"message\":\"bad day\",\"type\":\"server_error\"}}\n", INF_E_INTERNAL,
	  "server_refused", "bad day", "" },
	{ " answer 500 {\"error\":\"bad day\"}\n", INF_E_INTERNAL, "server_answer", "500", "" },
	{ " answer 500 {\"error\":{\"message\":\"\\xff\\xfe\"}}\n", INF_E_INTERNAL, "server_refused", "refuses", "" },
	{ " answer 502 <html>Bad Gateway</html>\n", INF_E_INTERNAL, "server_answer", "502", "" },
	{ " answer 503 {\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}\n",
	  INF_E_INTERNAL, "server_refused", "Loading model", "" },
	{ " answer 204\n", INF_E_INTERNAL, "server_answer", "204", "" },
	{ " send HTTP/1.1 302 Found\\r\\nLocation: http://localhost/else\\r\\nContent-Length: 0\\r\\n\\r\\n\n",
	  INF_E_INTERNAL, "server_answer", "302", "" },
	{ " send HTTP/1.1 500 Oh\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n100000\\r\\n\n fill 1048576\n send \\r\\n"
	  "0\\r\\n\\r\\n\n", INF_E_INTERNAL, "server_answer", "500", "" },
};

START_TEST(stream_that_is_refused_tells_what_the_server_says)
{
	EXPECT_FAULTS("/completion", refusals);
}
END_TEST

/* The call before the stream. */
static const struct fault questions[] = {
	{ TWICE("/tokenize", ""), CUT, "" },
	{ TWICE("/tokenize", " reset\n"), CUT, "" },
	{ " answer 500 {\"error\":{\"message\":\"bad day\"}}\n", INF_E_INTERNAL, "server_refused", "bad day", "" },
	{ " answer 404\n", INF_E_INTERNAL, "server_answer", "404", "" },
	{ " answer 200 {\"tokens\":\"none\"}\n", UNREADABLE, "" },
	{ " answer 200 {\"tokens\":[1,\"x\"]}\n", UNREADABLE, "" },
	{ " answer 200 <html>\n", UNREADABLE, "" },
	{ " answer 200 {\"tokens\":[]}\n", INF_E_INVALID, "prompt_empty", "no tokens", "" },
	{ " send HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n{\"tokens\":[1,\n", CUT, "" },
};

START_TEST(question_that_fails_ends_the_call_and_leaves_the_model_usable)
{
	EXPECT_FAULTS("/tokenize", questions);
}
END_TEST

/* What looks odd and is allowed. */
static const struct fault oddities[] = {
	{ " stream\n ping\n token a\n ping\n repeat 5 ping\n token b\n final eos\n ping\n end\n", INF_OK, "", "",
	  "ab" },
	{ " stream\n event null\n token a\n event null\n final eos\n end\n", INF_OK, "", "", "a" },
	{ " stream\n event {\"unknown\":[1,{}]}\n token a\n event {\"content\":7,\"tokens\":\"x\"}\n final eos\n end\n",
	  INF_OK, "", "", "a" },
	{ " stream\n chunk id: 7\\nretry: 100\\nevent: x\\nfoo\\n\\n\n token a\n final eos\n end\n", INF_OK, "", "",
	  "a" },
	{ " stream\n token a\n event {\"content\":\"\",\"prompt_progress\":{\"total\":1}}\n final eos\n end\n", INF_OK,
	  "", "", "a" },
	{ " stream\n chunk data: {\"content\":\\r\\ndata: \"a\",\"tokens\":[5]}\\r\\n\\r\\n\n final eos\n end\n",
	  INF_OK, "", "", "a" },
	{ " stream\n token \\xc3\\xa9\\xf0\\x9f\\x98\\x80\n final eos\n end\n", INF_OK, "", "",
	  "\xc3\xa9\xf0\x9f\x98\x80" },
	/* Nothing counts behind the final event, not even the end. */
	{ " stream\n token a\n final eos\n token b\n end\n", INF_OK, "", "", "a" },
	{ " stream\n token a\n final eos\n final limit\n hang\n", INF_OK, "", "", "a" },
	{ " stream\n token a\n final eos\n reset\n", INF_OK, "", "", "a" },
	{ " stream\n final eos\n end\n", INF_OK, "", "", "" },
	/* Without chunks, and slowly. */
	{ " send HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n\n token a\n final eos\n", INF_OK, "",
	  "", "a" },
	{ " pace 20\n stream\n token a\n token b\n token c\n final eos\n end\n", INF_OK, "", "", "abc" },
	/* Numbers beyond what they can be. */
	{ " stream\n event "
	  "{\"content\":\"a\",\"tokens\":[99999999999999999999],\"tokens_predicted\":9223372036854775807}\n token b\n "
	  "final eos\n end\n", INF_OK, "", "", "ab" },
	{ " stream\n event {\"content\":\"a\",\"tokens\":[-7],\"tokens_predicted\":-9223372036854775808}\n token b\n "
	  "event {\"stop_type\":\"odd\",\"tokens_predicted\":1e300,\"timings/prompt_ms\":-1e308}\n end\n", INF_OK, "",
	  "", "ab" },
};

START_TEST(stream_with_oddities_is_read)
{
	EXPECT_FAULTS("/completion", oddities);
}
END_TEST

/* ---- any split --------------------------------------------------------------------------------------------------- */
START_TEST(stream_split_at_any_byte_equals_the_whole)
{
	struct fake_world w;
	struct sink *whole = calloc(1, sizeof *whole);
	inf_gen_result result = { .struct_size = sizeof result };
	fake_open_loaded(&w, "on /completion\n split #\n stream\n ping\n token \\xc3\\xa9\n event null\n token \"b\n "
		"final eos\n end\n");
	ck_assert_int_eq(fake_generate(&w, whole, &result), INF_OK);
	ck_assert_str_eq(whole->text, "\xc3\xa9\"b");
	int length = 0;
	for (; length < 700; length++) {
		inf_status st = generate(&w, &result);
		ck_assert_msg(st == INF_OK, "split at %d: %s", length, w.err.message);
		ck_assert_str_eq(sink.text, whole->text);
		ck_assert_uint_eq(sink.calls, whole->calls);
		ck_assert_mem_eq(sink.ids, whole->ids, whole->calls * sizeof *whole->ids);
		ck_assert_int_eq(result.finish, INF_FINISH_EOS);
		ck_assert_int_eq(result.generated_tokens, 2);
	}
	free(whole);
	fake_close(&w);
}
END_TEST

/* ---- it dies ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *script, *words;
} deaths[] = {
	{ "on /tokenize\n kill 11\n", "signal 11" },
	{ "on /completion\n kill 6\n", "signal 6" },
	{ "on /completion\n send HTTP/1.1 200 O\n kill 11\n", "signal 11" },
	{ "on /completion\n stream\n kill 11\n", "signal 11" },
	{ "on /completion\n stream\n token a\n kill 9\n", "signal 9" },
	{ "on /completion\n stream\n token a\n send 40\\r\\ndata: {\n kill 11\n", "signal 11" },
	{ "on /completion\n stream\n token a\n exit 0\n", "exit status 0" },
	{ "on /completion\n stream\n token a\n log rocBLAS error: bad luck\n exit 1\n", "bad luck" },
	{ "on /completion\n stream\n token a\n end\n exit 7\n", "exit status 7" },
	{ "on /completion x3\n default\non /completion\n kill 11\n", "signal 11" },
};

START_TEST(server_that_dies_in_a_call_is_told_until_the_model_is_closed)
{
	for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
		struct fake_world w;
		inf_status st = INF_OK;
		fake_open_loaded(&w, deaths[i].script);
		for (int n = 0; n < 4 && st == INF_OK; n++)
			st = generate(&w, NULL);
		for (int n = 0; n < 3; n++) {
			ck_assert_msg(st == INF_E_BACKEND_DIED, "%s: %d %s: %s", deaths[i].script, st, w.err.reason,
				w.err.message);
			ck_assert_msg(strstr(w.err.message, deaths[i].words), "%s: %s", deaths[i].script,
				w.err.message);
			ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
			ck_assert_msg(w.took_ms < NOTICE_MS, "%s: %lld ms", deaths[i].script, (long long)w.took_ms);
			st = generate(&w, NULL);
		}
		fake_close(&w);
	}
}
END_TEST

/* Its sockets are closed long before its end can be seen, as on a machine that is busy beyond measure. */
START_TEST(server_that_takes_its_time_to_die_is_told_as_dead)
{
	struct fake_world w;
	fake_open_loaded(&w, "on /completion\n stream\n token a\n unlisten\n cut\n wait 1200\n kill 9\n");
	ck_assert_int_eq(generate(&w, NULL), INF_E_BACKEND_DIED);
	ck_assert_ptr_nonnull(strstr(w.err.message, "signal 9"));
	ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_str_ne(w.err.reason, "server_deaf");
	ck_assert_str_eq(sink.text, "a");
	fake_close(&w);
}
END_TEST

/* ---- it does not end --------------------------------------------------------------------------------------------- */
static const char *const endless[] = {
	"on /tokenize\n hang\n",
	"on /completion\n hang\n",
	"on /completion\n stream\n hang\n",
	"on /completion\n stream\n pace 10\n repeat forever ping\n",
	"on /completion\n stream\n token a\n hang\n",
	"on /completion\n stream\n token a\n send 40\\r\\ndata: {\n hang\n",
	"on /completion\n stream\n repeat forever token x\n",
	"on /completion\n stream\n repeat forever event null\n",
	"on /completion\n stream\n repeat forever chunk :\\n\n",
	"on /completion\n send HTTP/1.1 200 OK\\r\\n\n pace 10\n repeat forever send X-More: 1\\r\\n\n",
	"on /completion\n pace 10\n repeat forever send HTTP/1.1 100 Continue\\r\\n\\r\\n\n",
};

struct deadline {
	int64_t cancel_ms;
};

static int32_t cancel_when_due(void *user)
{
	return monotonic_ms() < ((struct deadline *)user)->cancel_ms;
}

static int32_t take(void *user, const inf_token *token)
{
	(void)user;
	(void)token;
	return INF_CONTINUE;
}

static bool no_slot_busy(void *server)
{
	return harness_busy_slots(*(pid_t *)server) == 0;
}

START_TEST(stream_without_end_can_be_cancelled_and_frees_the_slot)
{
	for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
		struct fake_world w;
		fake_open_loaded(&w, endless[i]);
		pid_t server = harness_server_pid();
		struct deadline deadline = { monotonic_ms() + 200 };
		const inf_gen_params params = { .struct_size = sizeof params, .user = &deadline,
			.on_poll = cancel_when_due,
						.on_token = take };
		inf_status st = harness_generate(w.session, "x", &params, NULL, &w.err);
		ck_assert_msg(st == INF_E_CANCELLED, "%s: %d %s: %s", endless[i], st, w.err.reason, w.err.message);
		ck_assert_msg(monotonic_ms() - deadline.cancel_ms < 1000, "%s: %lld ms late", endless[i],
			      (long long)(monotonic_ms() - deadline.cancel_ms));
		ck_assert_msg(wait_until(no_slot_busy, &server, NOTICE_MS), "%s: the connection is still open",
			endless[i]);
		fake_close(&w);
	}
}
END_TEST

static void *generate_forever(void *arg)
{
	struct fake_world *w = arg;
	static struct sink own;
	inf_gen_params params = sink_params(&own, 0);
	inf_error err = { .struct_size = sizeof err };
	return (void *)(intptr_t)harness_generate(w->session, "x", &params, NULL, &err);
}

static bool slot_busy(void *server)
{
	return harness_busy_slots(*(pid_t *)server) == 1;
}

START_TEST(close_with_a_stream_that_hangs_on_a_deaf_server_is_bounded)
{
	struct fake_world w;
	pthread_t thread;
	void *status;
	fake_open_loaded(&w, "on start\n deaf\non /completion\n stream\n token a\n hang\n");
	pid_t server = harness_server_pid();
	ck_assert_int_eq(pthread_create(&thread, NULL, generate_forever, &w), 0);
	ck_assert(wait_until(slot_busy, &server, NOTICE_MS));
	ck_assert_int_eq(fake_close_session(&w), INF_OK);
	ck_assert_int_lt(w.took_ms, 5000);
	pthread_join(thread, &status);
	ck_assert_int_eq((intptr_t)status, INF_E_CLOSED);
	ck_assert(process_gone(&server));
	fake_close(&w);
}
END_TEST

/* ---- beside each other ------------------------------------------------------------------------------------------- */
struct beside {
	struct fake_world *w;
	struct sink sink;
	inf_status status;
	inf_error err;
	pthread_t thread;
};

static void *run_good(void *arg)
{
	struct beside *b = arg;
	inf_gen_params params = sink_params(&b->sink, 0);
	b->err.struct_size = sizeof b->err;
	b->status = harness_generate(b->w->session, "good", &params, NULL, &b->err);
	return NULL;
}

/* The prompts "bad" and "good" are known by their first token. */
START_TEST(faulty_stream_does_not_touch_the_one_beside_it)
{
	static const char *const faults[] = { " token a\n", " event {oops\n hang\n", " token a\n reset\n", " token "
		"\\xff\n", " end\n" };
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct fake_world w;
		struct beside *good = calloc(1, sizeof *good);
		char script[SCRIPT_MAX];
		snprintf(script, sizeof script, "on /completion has \"prompt\":[1,98,\n stream\n%son /completion has "
			"\"prompt\":[1,103,\n stream\n "
			 "token a\n pace 5\n repeat 60 token x\n final eos\n end\n", faults[i]);
		inf_load_params load = { .parallel_slots = 2 };
		fake_open(&w, script);
		ck_assert_int_eq(fake_load(&w, &load), INF_OK);
		pid_t server = harness_server_pid();
		good->w = &w;
		ck_assert_int_eq(pthread_create(&good->thread, NULL, run_good, good), 0);
		ck_assert(wait_until(slot_busy, &server, NOTICE_MS));
		for (int n = 0; n < 3; n++) {
			const inf_gen_params params = { .struct_size = sizeof params };
			inf_status st = harness_generate(w.session, "bad", &params, NULL, &w.err);
			ck_assert_msg(st == INF_E_IO || st == INF_E_INTERNAL, "%s: %d %s", faults[i], st,
				w.err.message);
		}
		pthread_join(good->thread, NULL);
		ck_assert_msg(good->status == INF_OK, "%s: %s", faults[i], good->err.message);
		ck_assert_uint_eq(good->sink.calls, 61);
		free(good);
		fake_close(&w);
	}
}
END_TEST

START_TEST(streams_of_a_server_that_floods_its_log_are_whole)
{
	struct fake_world w;
	fake_open_loaded(&w, "on start\n listen\n repeat forever log "
		"0123456789abcdef0123456789abcdef0123456789abcdef\n");
	for (int i = 0; i < 50; i++)
		expect_usable(&w, "a flood");
	fake_close(&w);
}
END_TEST

START_TEST(minimum_of_a_server_whose_grammars_know_no_tokens_is_unsupported)
{
	struct fake_world w;
	fake_open_loaded(&w, "on /completion has t ::= !<[2147483647]>\n answer 400 {\"error\":{\"code\":400,\"message\":\"Failed to "
			 "initialize samplers: failed to parse grammar\",\"type\":\"invalid_request_error\"}}\n");
	memset(&sink, 0, sizeof sink);
	inf_gen_params params = sink_params(&sink, 8);
	params.min_tokens = 2;
	ck_assert_int_eq(inf_session_generate(w.session, "x", 1, &params, NULL, &w.err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w.err.reason, "min_tokens");
	ck_assert_ptr_nonnull(strstr(w.err.message, "failed to parse grammar"));
	expect_usable(&w, "a minimum");
	fake_close(&w);
}
END_TEST

RUN_SUITE("faults_stream", 60, minimum_of_a_server_whose_grammars_know_no_tokens_is_unsupported,
	  stream_that_is_cut_anywhere_ends_and_leaves_the_model_usable,
	  stream_with_bad_content_is_refused_and_leaves_the_model_usable,
	  stream_that_is_refused_tells_what_the_server_says,
	  question_that_fails_ends_the_call_and_leaves_the_model_usable, stream_with_oddities_is_read,
	  stream_split_at_any_byte_equals_the_whole, server_that_dies_in_a_call_is_told_until_the_model_is_closed,
	  server_that_takes_its_time_to_die_is_told_as_dead,
	  stream_without_end_can_be_cancelled_and_frees_the_slot,
	  close_with_a_stream_that_hangs_on_a_deaf_server_is_bounded,
	  faulty_stream_does_not_touch_the_one_beside_it, streams_of_a_server_that_floods_its_log_are_whole)
