/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "sse.h"
#include "wire_chat.h"

enum { LOG_MAX = 32 << 20 };

/* ---- what a stream says ---------------------------------------------------------------------------------------- */
struct reader {
	struct gr_sse sse;
	struct gr_wire_stream *stream;
	struct gr_buf log;		/* a line for each event */
	inf_status status;
	inf_error err;
};

static void note(struct reader *r, const struct gr_wire_event *event)
{
	static const char *const stops[] = { "none", "eos", "word", "limit", "tools" };
	if (event->kind == GR_WIRE_TOKEN)
		gr_buf_printf(&r->log, "%s%lld %s\n", event->flags & INF_TOKEN_FLAG_REASONING ? "thought" :
			      event->flags & INF_TOKEN_FLAG_TOOL_CALL ? "call" : "text", (long long)event->predicted, event->text);
	else if (event->kind == GR_WIRE_FINAL)
		gr_buf_printf(&r->log, "%s%lld %lld/%lld\n", stops[event->stop], (long long)event->predicted,
			      (long long)event->cached, (long long)event->evaluated);
	else if (event->kind == GR_WIRE_ERROR)
		gr_buf_printf(&r->log, "error %s\n", event->error.message);
	if (!event->merged && event->kind != GR_WIRE_ERROR && event->kind != GR_WIRE_NOTHING)
		gr_buf_puts(&r->log, "not merged\n");
}

static int on_event(const struct gr_sse_event *sse, void *user)
{
	struct reader *r = user;
	struct gr_wire_event event;
	r->status = gr_wire_stream_decode(r->stream, sse->data, sse->data_len, &event, &r->err);
	while (r->status == INF_OK) {
		note(r, &event);
		if (event.kind != GR_WIRE_TOKEN)
			return 0;
		r->status = gr_wire_stream_next(r->stream, &event, &r->err);
	}
	return -1;
}

/* In pieces of so many bytes, each in memory of its own. */
static void read_stream(struct reader *r, const char *bytes, size_t len, size_t piece)
{
	*r = (struct reader){ .log = GR_BUF_INIT(LOG_MAX), .err.struct_size = sizeof r->err };
	r->stream = gr_wire_stream_new_chat();
	gr_sse_init(&r->sse, on_event, r);
	if (!r->stream)
		r->status = INF_E_NO_MEMORY;
	for (size_t at = 0; at < len && r->status == INF_OK; at += piece) {
		size_t n = piece < len - at ? piece : len - at;
		char *copy = malloc(n);
		inf_status st = INF_E_NO_MEMORY;
		if (copy) {
			memcpy(copy, bytes + at, n);
			st = gr_sse_feed(&r->sse, copy, n, &r->err);
		}
		if (r->status == INF_OK)
			r->status = st;
		free(copy);
	}
	gr_sse_release(&r->sse);
	gr_wire_stream_free(r->stream);
}

#define TIMED(n) ",\"timings\":{\"cache_n\":3,\"prompt_n\":7,\"predicted_n\":" #n "}"
#define DELTA(n, delta) "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{" delta "}}]" TIMED(n) "}\n\n"
#define FINISH(n, why) "data: {\"choices\":[{\"finish_reason\":\"" why "\",\"index\":0,\"delta\":{}}]" TIMED(n) "}\n\n"
#define CALL(i, rest) "\"tool_calls\":[{\"index\":" #i "," rest "}]"
#define NAMED(id, name, arguments) \
	"\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}"
#define MORE(arguments) "\"function\":{\"arguments\":\"" arguments "\"}"

static const struct { const char *bytes, *log; } streams[] = {
	{ "", "" },
	{ DELTA(1, "\"role\":\"assistant\",\"content\":null") DELTA(2, "\"content\":\"a\"") DELTA(4, "\"content\":\"\xc3\xa9\"")
	  FINISH(5, "stop") "data: [DONE]\n\n", "text2 a\ntext4 \xc3\xa9\neos5 3/10\n" },
	{ DELTA(2, "\"reasoning_content\":\"hm\"") DELTA(5, "\"content\":\"a\"") FINISH(5, "length"),
	  "thought2 hm\ntext5 a\nlimit5 3/10\n" },
	{ DELTA(2, "\"reasoning_content\":\"hm\",\"content\":\"a\"") FINISH(3, "odd"), "thought2 hm\ntext2 a\nnone3 3/10\n" },
	/* A call in fragments, and two of them. */
	{ DELTA(4, CALL(0, NAMED("x", "f", "{"))) DELTA(5, CALL(0, MORE("\\\"a\\\":"))) DELTA(6, CALL(0, MORE("1}")))
	  FINISH(8, "tool_calls"), "call8 {\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}\ntools8 3/10\n" },
	{ DELTA(4, CALL(0, NAMED("x", "f", "{}"))) DELTA(5, CALL(1, NAMED("y", "g", "{"))) DELTA(6, CALL(1, MORE("}")))
	  FINISH(8, "tool_calls"), "call5 {\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{}\"}\n"
	  "call8 {\"id\":\"y\",\"name\":\"g\",\"arguments\":\"{}\"}\ntools8 3/10\n" },
	{ DELTA(4, "\"tool_calls\":[{\"index\":0," NAMED("x", "f", "{}") "},{\"index\":1," NAMED("y", "g", "{}") "}]")
	  FINISH(8, "tool_calls"), "call4 {\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{}\"}\n"
	  "call8 {\"id\":\"y\",\"name\":\"g\",\"arguments\":\"{}\"}\ntools8 3/10\n" },
	/* Text around calls keeps its place. */
	{ DELTA(1, "\"content\":\"a\"") DELTA(4, CALL(0, NAMED("x", "f", "{}"))) DELTA(6, "\"content\":\"b\"") FINISH(7, "stop"),
	  "text1 a\ncall6 {\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{}\"}\ntext6 b\neos7 3/10\n" },
	/* Cut in the middle it is none, at its end it is one. */
	{ DELTA(4, CALL(0, NAMED("x", "f", "{\\\"a\\\":"))) FINISH(5, "length"), "limit5 3/10\n" },
	{ DELTA(4, CALL(0, NAMED("x", "f", "{\\\"a\\\":1}"))) FINISH(5, "length"),
	  "call5 {\"id\":\"x\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}\nlimit5 3/10\n" },
	{ DELTA(4, CALL(0, NAMED("x", "f", "{\\\"a"))) , "" },
	/* Without an id, an index or any number. */
	{ DELTA(4, "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]") FINISH(5, "tool_calls"),
	  "call5 {\"id\":\"call_0\",\"name\":\"f\",\"arguments\":\"{}\"}\ntools5 3/10\n" },
	{ "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
	  "text-1 a\neos-1 -1/-1\n" },
	/* What says nothing. */
	{ "data: null\n\ndata: {}\n\n: ping\n\ndata: {\"choices\":[]}\n\ndata: {\"choices\":[1]}\n\ndata: {\"choices\":{}}\n\n"
	  "data: {\"choices\":[{\"delta\":[]}]}\n\n" DELTA(1, "\"content\":7,\"reasoning_content\":[],\"tool_calls\":{}"), "" },
	{ "data: {\"error\":{\"code\":500,\"message\":\"no\"},\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", "error no\n" },
};

START_TEST(stream_says_the_same_however_it_is_cut)
{
	const char *bytes = streams[_i].bytes;
	for (size_t piece = 1; piece <= 1000; piece += piece < 20 ? 1 : 245) {
		struct reader r;
		read_stream(&r, bytes, strlen(bytes), piece);
		ck_assert_msg(r.status == INF_OK, "%s", r.err.message);
		ck_assert_str_eq(gr_buf_text(&r.log), streams[_i].log);
		gr_buf_release(&r.log);
	}
}
END_TEST

static const struct { const char *bytes; inf_status status; const char *reason; } bad_streams[] = {
	{ "data: [DONE\n\n", INF_E_INTERNAL, "server_answer" },
	{ "data: {\"choices\":\n\n", INF_E_INTERNAL, "server_answer" },
	{ "data: []\n\n", INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, "\"content\":\"\xff\""), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, "\"reasoning_content\":\"\xed\xa0\x80\""), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, "\"tool_calls\":[1]"), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, "\"tool_calls\":[null]"), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, NAMED("x", "f", "\xff"))), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, NAMED("x", "\xff", ""))), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, NAMED("\xff", "f", ""))), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, MORE("{}"))) FINISH(2, "tool_calls"), INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, NAMED("x", "f", "{}"))) DELTA(2, CALL(1, NAMED("y", "f", "{}"))) DELTA(3, CALL(0, MORE(" "))),
	  INF_E_INTERNAL, "server_answer" },
	{ DELTA(1, CALL(0, NAMED("x", "f", "{}"))) DELTA(2, "\"content\":\"a\"") DELTA(3, CALL(0, MORE(" "))), INF_E_INTERNAL,
	  "server_answer" },
};

START_TEST(hostile_stream_is_refused)
{
	struct reader r;
	read_stream(&r, bad_streams[_i].bytes, strlen(bad_streams[_i].bytes), 7);
	ck_assert_msg(r.status == bad_streams[_i].status, "%d %s", r.status, r.err.message);
	ck_assert_str_eq(r.err.reason, bad_streams[_i].reason);
	gr_buf_release(&r.log);
}
END_TEST

START_TEST(stream_with_changed_bytes_is_survived)
{
	const char *whole = streams[_i].bytes;
	size_t len = strlen(whole);
	for (size_t at = 0; at < len; at++)
		for (int bit = 0; bit < 8; bit += 2) {
			struct reader r;
			char *bytes = malloc(len);
			memcpy(bytes, whole, len);
			bytes[at] = (char)(bytes[at] ^ 1 << bit);
			read_stream(&r, bytes, len, len);
			gr_buf_release(&r.log);
			free(bytes);
		}
}
END_TEST

/* ---- caps ------------------------------------------------------------------------------------------------------ */
static void add_fragment(struct gr_buf *bytes, size_t index, const char *name, size_t arguments)
{
	char *text = malloc(arguments + 1);
	memset(text, '1', arguments);
	text[arguments] = '\0';
	gr_buf_printf(bytes, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%zu,\"function\":{\"name\":\"%s\","
		      "\"arguments\":\"%s\"}}]}}]}\n\n", index, name, text);
	free(text);
}

static inf_status status_of(struct gr_buf *bytes, const char *reason)
{
	struct reader r;
	gr_buf_puts(bytes, FINISH(9, "tool_calls"));
	read_stream(&r, bytes->data, bytes->len, bytes->len);
	if (r.status != INF_OK)
		ck_assert_str_eq(r.err.reason, reason);
	gr_buf_release(&r.log);
	gr_buf_release(bytes);
	return r.status;
}

START_TEST(call_may_be_as_large_as_its_cap_and_no_larger)
{
	enum { PIECE = 1 << 19 };
	for (size_t past = 0; past < 2; past++) {
		struct gr_buf bytes = GR_BUF_INIT(LOG_MAX);
		for (size_t n = 0; n < GR_WIRE_CALL_MAX; n += PIECE)
			add_fragment(&bytes, 0, "f", PIECE);
		if (past)
			add_fragment(&bytes, 0, "", 1);
		ck_assert_int_eq(status_of(&bytes, "tool_call_large"), past ? INF_E_BAD_OUTPUT : INF_OK);
	}
}
END_TEST

START_TEST(answer_may_have_so_many_calls_and_no_more)
{
	for (size_t past = 0; past < 2; past++) {
		struct gr_buf bytes = GR_BUF_INIT(LOG_MAX);
		for (size_t i = 0; i < GR_WIRE_TOOLS_MAX + past; i++)
			add_fragment(&bytes, i, "f", 1);
		ck_assert_int_eq(status_of(&bytes, "tool_calls_many"), past ? INF_E_BAD_OUTPUT : INF_OK);
	}
}
END_TEST

START_TEST(name_of_a_call_has_a_cap)
{
	char name[GR_WIRE_TOOL_NAME_MAX + 2];
	for (size_t past = 0; past < 2; past++) {
		struct gr_buf bytes = GR_BUF_INIT(LOG_MAX);
		memset(name, 'n', sizeof name);
		name[GR_WIRE_TOOL_NAME_MAX + past] = '\0';
		add_fragment(&bytes, 0, name, 1);
		ck_assert_int_eq(status_of(&bytes, "server_answer"), past ? INF_E_INTERNAL : INF_OK);
	}
}
END_TEST

/* ---- what hosts give ------------------------------------------------------------------------------------------- */
#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"

static const struct { const char *text; inf_status status; } tools[] = {
	{ "[" TOOL("f") "]", INF_OK }, { " [" TOOL("f") "," TOOL("g") "] \n", INF_OK }, { "[" TOOL("f") "," TOOL("g") "]", INF_OK },
	{ "", INF_E_INVALID }, { "[]", INF_E_INVALID }, { "{}", INF_E_INVALID }, { "null", INF_E_INVALID }, { "[null]", INF_E_INVALID },
	{ "[" TOOL("") "]", INF_E_INVALID }, { "[" TOOL("f") "]]", INF_E_INVALID }, { "[" TOOL("f") ",]", INF_E_INVALID },
	{ "[{\"type\":\"function\",\"function\":{\"name\":1}}]", INF_E_INVALID },
	{ "[{\"type\":\"function\",\"function\":[]}]", INF_E_INVALID }, { "[{\"function\":{\"name\":\"f\"}}]", INF_E_INVALID },
	{ "[" TOOL("a\\u0000b") "]", INF_E_INVALID }, { "[" TOOL("f") "," "{}" "]", INF_E_INVALID },
};

START_TEST(tools_are_functions_with_names)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_wire_check_tools(tools[_i].text, &err);
	ck_assert_msg(st == tools[_i].status, "%s: %s", tools[_i].text, err.message);
	if (st != INF_OK)
		ck_assert_str_eq(err.reason, "tools");
}
END_TEST

START_TEST(tools_have_a_cap_on_number_and_depth)
{
	for (int past = 0; past < 2; past++) {
		struct gr_buf text = GR_BUF_INIT(LOG_MAX);
		for (int i = 0; i < GR_WIRE_TOOLS_MAX + past; i++)
			gr_buf_puts(&text, i ? "," TOOL("f") : "[" TOOL("f"));
		gr_buf_puts(&text, "]");
		ck_assert_int_eq(gr_wire_check_tools(text.data, NULL), past ? INF_E_INVALID : INF_OK);
		gr_buf_reset(&text);
		gr_buf_puts(&text, "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":");
		int depth = GR_WIRE_TOOL_DEPTH - 3 + past;
		for (int i = 0; i < depth; i++)
			gr_buf_puts(&text, "[");
		for (int i = 0; i < depth; i++)
			gr_buf_puts(&text, "]");
		gr_buf_puts(&text, "}}]");
		ck_assert_int_eq(gr_wire_check_tools(text.data, NULL), past ? INF_E_INVALID : INF_OK);
		gr_buf_release(&text);
	}
}
END_TEST

#define OPENAI(id, name, arguments) \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"
#define OURS(id, name, arguments) "{\"id\":\"" id "\",\"name\":\"" name "\",\"arguments\":\"" arguments "\"}"

static const struct { const char *text, *read; } calls[] = {
	{ "[" OURS("x", "f", "{}") "]", "[" OPENAI("x", "f", "{}") "]" },
	{ "[" OPENAI("x", "f", "{\\\"a\\\":1}") "]", "[" OPENAI("x", "f", "{\\\"a\\\":1}") "]" },
	{ "[" OURS("x", "f", "{}") "," OPENAI("y", "g", "{}") "]", "[" OPENAI("x", "f", "{}") "," OPENAI("y", "g", "{}") "]" },
	{ "", NULL }, { "[]", NULL }, { "{}", NULL }, { "[7]", NULL }, { "[" OURS("", "f", "{}") "]", NULL },
	{ "[" OURS("x", "", "{}") "]", NULL }, { "[" OURS("x", "f", "") "]", NULL }, { "[" OURS("x", "f", "{") "]", NULL },
	{ "[" OURS("x", "f", "[]") "]", NULL }, { "[{\"id\":\"x\",\"name\":\"f\",\"arguments\":{}}]", NULL },
	{ "[{\"name\":\"f\",\"arguments\":\"{}\"}]", NULL }, { "[{\"id\":\"x\",\"function\":{}}]", NULL },
};

START_TEST(calls_of_a_message_become_what_the_server_knows)
{
	inf_error err = { .struct_size = sizeof err };
	char *read = NULL;
	inf_status st = gr_wire_read_calls(calls[_i].text, &read, &err);
	if (calls[_i].read)
		ck_assert_str_eq(read, calls[_i].read);
	else
		ck_assert_msg(st == INF_E_INVALID && !strcmp(err.reason, "tool_calls") && !read, "%s", err.message);
	free(read);
}
END_TEST

START_TEST(strings_are_found_however_they_are_written)
{
	struct gr_buf text = GR_BUF_INIT(LOG_MAX);
	const char *in = "[{\"k\\u0065y\":[\"<\\u007c>\",7,{\"arguments\":\"{\\\"in\\\":\\\"\\\\u0041b\\\"}\"}]}]";
	ck_assert_int_eq(gr_wire_append_strings(&text, in), INF_OK);
	ck_assert_ptr_eq(strstr(text.data, in), text.data);
	static const char *const found[] = { "\nkey\n", "\n<|>\n", "\narguments\n", "\nin\n", "\nAb\n" };
	for (size_t i = 0; i < sizeof found / sizeof *found; i++)
		ck_assert_msg(strstr(text.data, found[i]) != NULL, "%s", found[i]);
	gr_buf_release(&text);
}
END_TEST

/* ---- requests -------------------------------------------------------------------------------------------------- */
static const struct gr_wire_message talk[] = {
	{ .role = "user", .content = "a\0b", .content_len = 3 },
	{ .role = "assistant", .content = "", .tool_calls = (char[]){ "[" OPENAI("x", "f", "{\\\"n\\\":18446744073709551616}") "]" } },
	{ .role = "tool", .content = "r", .content_len = 1, .tool_call_id = "x" },
};

static const struct gr_wire_chat full_chat = {
	.tools = "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"maximum\":123456789012345678901234567890}}}]",
	.tool_choice = "required", .thinking = GR_WIRE_THINKING_OFF, .thinking_budget = 17,
};

START_TEST(encode_chat_says_everything_it_is_given)
{
	static const char *const parts[] = {
		"\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"},", "\"tool_call_id\":\"x\"", "18446744073709551616",
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"maximum\":123456789012345678901234567890}}}]",
		"\"tool_choice\":\"required\"", "\"chat_template_kwargs\":{\"enable_thinking\":false}",
		"\"reasoning_budget_tokens\":17", "\"timings_per_token\":true", "\"stream\":true", "\"return_progress\":true",
		"\"n_predict\":5", "\"logit_bias\":[[9,false]]", "\"json_schema\":{}",
	};
	const int32_t banned[] = { 9 };
	const struct gr_wire_completion completion = {
		.max_tokens = 5, .suppress_tokens = banned, .suppress_token_count = 1, .json_schema = "{}",
	};
	struct gr_buf body = GR_BUF_INIT(LOG_MAX);
	ck_assert_int_eq(gr_wire_encode_chat(&body, &completion, talk, 3, &full_chat, NULL), INF_OK);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(body.data, parts[i]) != NULL, "%s is not in %s", parts[i], body.data);
	ck_assert_ptr_null(strstr(body.data, "\"prompt\""));
	gr_buf_release(&body);
}
END_TEST

START_TEST(encode_chat_leaves_out_what_is_not_given)
{
	static const char *const parts[] = { "tools", "tool_choice", "chat_template_kwargs", "reasoning", "tool_call" };
	const struct gr_wire_completion completion = { 0 };
	const struct gr_wire_chat chat = { 0 };
	struct gr_buf body = GR_BUF_INIT(LOG_MAX);
	ck_assert_int_eq(gr_wire_encode_chat(&body, &completion, talk, 1, &chat, NULL), INF_OK);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(body.data, parts[i]) == NULL, "%s is in %s", parts[i], body.data);
	gr_buf_reset(&body);
	ck_assert_int_eq(gr_wire_encode_chat_template(&body, talk, 1, &chat), INF_OK);
	ck_assert_str_eq(body.data, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"}]}");
	gr_buf_release(&body);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
static inf_status do_everything(void)
{
	static const char stream[] = DELTA(1, "\"content\":\"a\"") DELTA(4, CALL(0, NAMED("x", "f", "{}")))
		FINISH(5, "tool_calls");
	const struct gr_wire_completion completion = { 0 };
	struct gr_buf body = GR_BUF_INIT(LOG_MAX);
	struct reader r;
	char *read = NULL;
	inf_status st = gr_wire_encode_chat(&body, &completion, talk, 3, &full_chat, NULL);
	if (st == INF_OK)
		st = gr_wire_append_strings(&body, full_chat.tools);
	if (st == INF_OK)
		st = gr_wire_read_calls("[" OURS("x", "f", "{}") "]", &read, NULL);
	gr_buf_release(&body);
	free(read);
	if (st != INF_OK)
		return st;
	read_stream(&r, stream, sizeof stream - 1, sizeof stream);
	if (r.status == INF_OK && strlen(gr_buf_text(&r.log)) < 10)
		r.status = INF_E_NO_MEMORY;	/* the test's own */
	gr_buf_release(&r.log);
	return r.status;
}

START_TEST(chat_survives_oom)
{
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = do_everything();
		bool fired = failmalloc_disarm();
		if (!fired) {
			ck_assert_int_eq(st, INF_OK);
			break;
		}
		ck_assert(st == INF_OK || st == INF_E_NO_MEMORY);
	}
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("wire_chat");
	TCase *tc = tcase_create("wire_chat");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, stream_says_the_same_however_it_is_cut, 0, ROWS(streams));
	tcase_add_loop_test(tc, hostile_stream_is_refused, 0, ROWS(bad_streams));
	tcase_add_loop_test(tc, stream_with_changed_bytes_is_survived, 0, ROWS(streams));
	tcase_add_test(tc, call_may_be_as_large_as_its_cap_and_no_larger);
	tcase_add_test(tc, answer_may_have_so_many_calls_and_no_more);
	tcase_add_test(tc, name_of_a_call_has_a_cap);
	tcase_add_loop_test(tc, tools_are_functions_with_names, 0, ROWS(tools));
	tcase_add_test(tc, tools_have_a_cap_on_number_and_depth);
	tcase_add_loop_test(tc, calls_of_a_message_become_what_the_server_knows, 0, ROWS(calls));
	tcase_add_test(tc, strings_are_found_however_they_are_written);
	tcase_add_test(tc, encode_chat_says_everything_it_is_given);
	tcase_add_test(tc, encode_chat_leaves_out_what_is_not_given);
	tcase_add_test(tc, chat_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
