/* SPDX-License-Identifier: MIT */
/*
 * Streams of the chat endpoint that break: in a thought, in a tool call, by an error in the stream. Each ends the call in one
 * status and reason, half a call is never delivered, and a server that lives serves the next request.
 */
#include <stdio.h>
#include <string.h>

#include "fake_world.h"
#include "process.h"
#include "suite.h"

enum { SOON_MS = 3000 };

#define CHAT "/v1/chat/completions"
#define DELTA(fields) " event {\"choices\":[{\"finish_reason\":null,\"delta\":{" fields "}}]," \
	"\"timings\":{\"cache_n\":0,\"prompt_n\":3,\"predicted_n\":1}}\n"
#define FINISH(why) " event {\"choices\":[{\"finish_reason\":\"" why "\",\"delta\":{}}]}\n"
#define FRAGMENT "\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\\\"a\\\\\":\"}}]"
#define REST "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]"
#define GOOD " stream\n" DELTA("\"reasoning_content\":\"hm\"") DELTA("\"content\":\"a\"") FINISH("stop") " end\n"

static struct sink sink;

static inf_status chat(struct fake_world *w, inf_gen_result *result)
{
	memset(&sink, 0, sizeof sink);
	inf_gen_params params = sink_params(&sink, 0);
	const inf_message message = harness_message("user", "x"), *messages[] = { &message };
	params.set |= INF_GEN_SET_THINKING;
	params.thinking = 1;
	int64_t start = monotonic_ms();
	inf_status st = inf_session_chat(w->session, messages, 1, &params, result, &w->err);
	w->took_ms = monotonic_ms() - start;
	return st;
}

static const struct fault {
	const char *actions;
	inf_status status;
	const char *reason, *words, *text;
} faults[] = {
	{ GOOD, INF_OK, "", "", "hma" },
	/* The end is missing. */
	{ " stream\n" DELTA(FRAGMENT) " end\n", INF_E_IO, "stream_cut", "final event", "" },
	{ " stream\n" DELTA(FRAGMENT) DELTA(REST) " end\n", INF_E_IO, "stream_cut", "final event", "" },
	{ " stream\n" DELTA("\"content\":\"a\"") " chunk data: [DONE]\\n\\n\n end\n", INF_E_IO, "stream_cut", "final event", "a" },
	{ " stream\n" DELTA("\"reasoning_content\":\"hm\"") " end\n", INF_E_IO, "stream_cut", "final event", "hm" },
	{ " stream\n" DELTA(FRAGMENT), INF_E_IO, "server_connection", "connection", "" },
	{ " stream\n" DELTA(FRAGMENT) " reset\n", INF_E_IO, "server_connection", "connection", "" },
	/* An error in it. */
	{ " stream\n" DELTA("\"content\":\"a\"") " event {\"error\":{\"code\":500,\"message\":\"The model produced output that does "
	  "not match the expected peg-native format\",\"type\":\"server_error\"}}\n end\n", INF_E_BAD_OUTPUT, "template_mismatch",
	  "chat template", "a" },
	{ " stream\n" DELTA(FRAGMENT) " event {\"error\":{\"code\":500,\"message\":\"Context size has been exceeded.\"}}\n end\n",
	  INF_E_INTERNAL, "server_error", "Context size", "" },
	/* What cannot be read. */
	{ " stream\n event {\"choices\":\n hang\n", INF_E_INTERNAL, "server_answer", "answer", "" },
	{ " stream\n" DELTA("\"content\":\"a\\xff\"") " hang\n", INF_E_INTERNAL, "server_answer", "UTF-8", "" },
	{ " stream\n" DELTA("\"tool_calls\":[[]]") " hang\n", INF_E_INTERNAL, "server_answer", "tool call", "" },
	{ " stream\n" DELTA(REST) FINISH("tool_calls") " hang\n", INF_E_INTERNAL, "server_answer", "name", "" },
	/* Before it. */
	{ " answer 400 {\"error\":{\"code\":400,\"message\":\"no such thing\",\"type\":\"invalid_request_error\"}}\n", INF_E_INVALID,
	  "server_refused", "no such thing", "" },
	{ " answer 404 {\"error\":{\"code\":404,\"message\":\"File Not Found\",\"type\":\"not_found_error\"}}\n", INF_E_INTERNAL,
	  "server_refused", "File Not Found", "" },
};

START_TEST(chat_stream_that_breaks_leaves_the_model_usable)
{
	static char script[1 << 16];
	struct fake_world w;
	size_t at = 0, count = sizeof faults / sizeof *faults;
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(script + at, sizeof script - at, "on " CHAT " x1\n%son " CHAT " x1\n" GOOD, faults[i].actions);
	ck_assert_uint_lt(at, sizeof script);
	fake_open_loaded(&w, script);
	for (size_t i = 0; i < count; i++) {
		const struct fault *fault = &faults[i];
		inf_gen_result result = { .struct_size = sizeof result };
		inf_status st = chat(&w, &result);
		ck_assert_msg(st == fault->status && (!st || !strcmp(w.err.reason, fault->reason)), "%s: %d %s: %s", fault->actions,
			      st, w.err.reason, w.err.message);
		ck_assert_msg(!st || strstr(w.err.message, fault->words), "%s: %s", fault->actions, w.err.message);
		ck_assert_str_eq(sink.text, fault->text);
		ck_assert_int_eq(result.tool_call_count, 0);
		ck_assert_int_lt(w.took_ms, SOON_MS);
		ck_assert_msg(chat(&w, NULL) == INF_OK, "after %s: %s", fault->actions, w.err.message);
		ck_assert_str_eq(sink.text, "hma");
	}
	fake_close(&w);
}
END_TEST

START_TEST(silence_in_a_tool_call_ends_the_server)
{
	static const inf_kv limits[] = { { "token-timeout-ms", "300" } };
	struct fake_world w;
	fake_open(&w, "on " CHAT "\n stream\n" DELTA(FRAGMENT) " hang\n");
	w.options = limits;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	ck_assert_int_eq(chat(&w, NULL), INF_E_TIMEOUT);
	ck_assert_str_eq(w.err.reason, "token_timeout");
	ck_assert_uint_eq(sink.calls, 0);
	fake_close(&w);
}
END_TEST

/* Fragments were not seen by the host, so the call can be made again. */
START_TEST(death_in_a_tool_call_is_repaired_by_one_start)
{
	static const inf_kv options[] = { { "restart", "on-demand" } };
	struct fake_world w;
	fake_open(&w, "on " CHAT " x1\n stream\n" DELTA(FRAGMENT) " kill 11\n");
	w.options = options;
	w.option_count = 1;
	ck_assert_int_eq(fake_load(&w, NULL), INF_OK);
	fake_write(&w, "on " CHAT "\n stream\n" DELTA(FRAGMENT) DELTA(REST) FINISH("tool_calls") " end\n");
	inf_gen_result result = { .struct_size = sizeof result };
	ck_assert_msg(chat(&w, &result) == INF_OK, "%s", w.err.message);
	ck_assert_str_eq(sink.text, "{\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}");
	ck_assert_int_eq(result.tool_call_count, 1);
	ck_assert_uint_eq(fake_starts(&w), 2);
	fake_close(&w);
}
END_TEST

START_TEST(cancel_in_a_tool_call_is_obeyed)
{
	struct fake_world w;
	fake_open_loaded(&w, "on " CHAT "\n stream\n" DELTA("\"content\":\"a\"") DELTA(FRAGMENT) " hang\n");
	memset(&sink, 0, sizeof sink);
	sink.cancel_after_calls = 1;
	inf_gen_params params = sink_params(&sink, 0);
	const inf_message message = harness_message("user", "x"), *messages[] = { &message };
	params.set |= INF_GEN_SET_THINKING;
	inf_gen_result result = { .struct_size = sizeof result };
	ck_assert_int_eq(inf_session_chat(w.session, messages, 1, &params, &result, &w.err), INF_E_CANCELLED);
	ck_assert_int_eq(result.finish, INF_FINISH_CANCELLED);
	ck_assert_int_eq(result.tool_call_count, 0);
	fake_close(&w);
}
END_TEST

RUN_SUITE("faults_chat", 60, chat_stream_that_breaks_leaves_the_model_usable, silence_in_a_tool_call_ends_the_server,
	  death_in_a_tool_call_is_repaired_by_one_start, cancel_in_a_tool_call_is_obeyed)
