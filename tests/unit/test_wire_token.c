/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "wire_token.h"

enum { EVENT_MAX = 512 };

#define BEFORE "{\"index\":0,\"content\":\""
#define AFTER "\",\"tokens\":[320],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":1,\"tokens_evaluated\":3}"
#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static struct gr_buf text;
static struct gr_wire_stream *stream;

static void setup(void)
{
	text = (struct gr_buf)GR_BUF_INIT(GR_WIRE_PIECE_MAX);
	stream = gr_wire_stream_new();
	ck_assert_ptr_nonnull(stream);
}

static void teardown(void)
{
	gr_buf_release(&text);
	gr_wire_stream_free(stream);
}

/* From memory of just that size, so that a sanitizer sees a read beyond it. */
static enum gr_wire_token read_event(const char *data, size_t len, struct gr_wire_event *out)
{
	char *copy = malloc(len + !len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, len);
	*out = (struct gr_wire_event){ .id = -7, .predicted = -7 };
	enum gr_wire_token read = gr_wire_token_read(&text, copy, len, out);
	free(copy);
	return read;
}

/* json-c's word on it: an event behind a space is left to it. */
static inf_status ask_json(const char *data, size_t len, struct gr_wire_event *out)
{
	char spaced[EVENT_MAX + 1] = " ";
	ck_assert_uint_le(len, EVENT_MAX);
	memcpy(spaced + 1, data, len);
	return gr_wire_stream_decode(stream, spaced, len + 1, out, NULL);
}

/* What is taken means what json-c makes of it. */
static bool check_agrees(const char *data, size_t len)
{
	struct gr_wire_event fast, json;
	if (read_event(data, len, &fast) != GR_WIRE_TOKEN_TAKEN)
		return false;
	ck_assert_msg(ask_json(data, len, &json) == INF_OK, "%.*s", (int)len, data);
	ck_assert_int_eq(json.kind, GR_WIRE_TOKEN);
	ck_assert_msg(fast.text_len == json.text_len, "%zu, not %zu: %.*s", fast.text_len, json.text_len, (int)len, data);
	ck_assert_mem_eq(fast.text, json.text, json.text_len + 1);
	ck_assert_int_eq(fast.id, json.id);
	ck_assert_int_eq(fast.predicted, json.predicted);
	ck_assert_int_eq(fast.evaluated, json.evaluated);
	ck_assert(!json.has_logprob && !json.flags && json.cached == -1);
	return true;
}

/* ---- what is taken --------------------------------------------------------------------------------------------- */
#define TEXT(literal) literal, sizeof literal - 1

static const struct {
	const char *event, *text;
	size_t text_len;
	int32_t id, predicted, evaluated;
} taken[] = {
	{ BEFORE " was" AFTER, TEXT(" was"), 320, 1, 3 },
	{ BEFORE AFTER, TEXT(""), 320, 1, 3 },
	{ BEFORE "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" AFTER, TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 320, 1, 3 },
	{ BEFORE "\\\"\\\\\\/\\b\\f\\n\\r\\t" AFTER, TEXT("\"\\/\b\f\n\r\t"), 320, 1, 3 },
	{ BEFORE "a\\u0000b\\u001F" AFTER, TEXT("a\0b\x1f"), 320, 1, 3 },
	{ BEFORE "\\u007f\\u0080\\u07FF\\u0800\\uffff" AFTER, TEXT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"), 320, 1, 3 },
	{ BEFORE "\\ud7ff\\uE000" AFTER, TEXT("\xed\x9f\xbf\xee\x80\x80"), 320, 1, 3 },
	{ BEFORE "\x7f" AFTER, TEXT("\x7f"), 320, 1, 3 },
	{ "{\"index\":12,\"content\":\"x\",\"tokens\":[0],\"stop\":false,\"id_slot\":7,\"tokens_predicted\":0,\"tokens_evaluated\":0}",
	  TEXT("x"), 0, 0, 0 },
	{ "{\"index\":0,\"content\":\"x\",\"tokens\":[999999999],\"stop\":false,\"id_slot\":0,\"tokens_predicted\":16777216,"
	  "\"tokens_evaluated\":16777216}", TEXT("x"), 999999999, 16777216, 16777216 },
};

START_TEST(token_event_says_what_is_in_it)
{
	struct gr_wire_event event;
	ck_assert_int_eq(read_event(taken[_i].event, strlen(taken[_i].event), &event), GR_WIRE_TOKEN_TAKEN);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert_uint_eq(event.text_len, taken[_i].text_len);
	ck_assert_mem_eq(event.text, taken[_i].text, taken[_i].text_len + 1);
	ck_assert_int_eq(event.id, taken[_i].id);
	ck_assert_int_eq(event.predicted, taken[_i].predicted);
	ck_assert_int_eq(event.evaluated, taken[_i].evaluated);
	ck_assert(check_agrees(taken[_i].event, strlen(taken[_i].event)));
}
END_TEST

/* A stream goes the same way, and json-c is not asked. */
START_TEST(stream_takes_token_events)
{
	struct gr_wire_event event;
	const char *data = taken[_i].event;
	ck_assert_int_eq(gr_wire_stream_decode(stream, data, strlen(data), &event, NULL), INF_OK);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert_uint_eq(event.text_len, taken[_i].text_len);
	ck_assert_mem_eq(event.text, taken[_i].text, taken[_i].text_len + 1);
	ck_assert_int_eq(event.cached, -1);
	ck_assert_int_eq(gr_wire_stream_next(stream, &event, NULL), INF_OK);
	ck_assert_int_eq(event.kind, GR_WIRE_NOTHING);
}
END_TEST

START_TEST(text_uses_its_memory_again)
{
	struct gr_wire_event event;
	const char *longest = BEFORE "\\u20ac\\u20ac\\u20ac\\u20ac\\u20ac\\u20ac\\u20ac\\u20ac" AFTER, *next = BEFORE " was" AFTER;
	ck_assert_int_eq(gr_wire_token_read(&text, longest, strlen(longest), &event), GR_WIRE_TOKEN_TAKEN);
	failmalloc_arm(0);
	enum gr_wire_token read = gr_wire_token_read(&text, next, strlen(next), &event);
	ck_assert(!failmalloc_disarm());
	ck_assert_int_eq(read, GR_WIRE_TOKEN_TAKEN);
	ck_assert_str_eq(event.text, " was");
}
END_TEST

/* ---- what is left ---------------------------------------------------------------------------------------------- */
#define COUNTS(id, slot, predicted, evaluated) \
	BEFORE "\",\"tokens\":[" id "],\"stop\":false,\"id_slot\":" slot ",\"tokens_predicted\":" predicted ",\"tokens_evaluated\":" \
	evaluated "}"

static const char *const left[] = {
	"", "{", "null", "[DONE]",
	/* other events */
	"{\"index\":0,\"content\":\"\",\"tokens\":[0],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":0,\"tokens_evaluated\":3,"
	"\"prompt_progress\":{\"total\":3,\"cache\":0,\"processed\":0,\"time_ms\":0}}",
	"{\"index\":0,\"content\":\"\",\"tokens\":[1],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":1,\"tokens_evaluated\":3,"
	"\"completion_probabilities\":[{\"id\":1,\"token\":\"\",\"bytes\":[],\"logprob\":-1.5,\"top_logprobs\":[]}]}",
	"{\"stop_type\":\"limit\",\"truncated\":false,\"timings/cache_n\":0,\"id_slot\":0}",
	"{\"error\":{\"code\":500,\"message\":\"x\"}}",
	/* another order, something more, something less */
	"{\"content\":\"x\",\"index\":0,\"tokens\":[1],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":1,\"tokens_evaluated\":3}",
	"{\"index\":0,\"content\":\"x\",\"tokens\":[1],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":1}",
	"{\"index\":0,\"content\":\"x\",\"tokens\":[1],\"stop\":true,\"id_slot\":-1,\"tokens_predicted\":1,\"tokens_evaluated\":3}",
	BEFORE "x" AFTER " ", " " BEFORE "x" AFTER, BEFORE "x" AFTER "}", BEFORE "x\" ,\"tokens\":[1]}",
	COUNTS("", "-1", "1", "3"), COUNTS("1,2", "-1", "1", "3"), COUNTS(" 1", "-1", "1", "3"),
	/* numbers */
	COUNTS("-1", "-1", "1", "3"), COUNTS("01", "-1", "1", "3"), COUNTS("1.0", "-1", "1", "3"), COUNTS("1e2", "-1", "1", "3"),
	COUNTS("1000000000", "-1", "1", "3"), COUNTS("+1", "-1", "1", "3"), COUNTS("\"1\"", "-1", "1", "3"),
	COUNTS("1", "-2", "1", "3"), COUNTS("1", "-", "1", "3"), COUNTS("1", "-10", "1", "3"), COUNTS("1", "", "1", "3"),
	COUNTS("1", "-1", "16777217", "3"), COUNTS("1", "-1", "1", "16777217"), COUNTS("1", "-1", "-1", "3"),
	COUNTS("1", "-1", "1", "null"), COUNTS("1", "-1", "00", "3"),
	/* texts */
	BEFORE "\\x" AFTER, BEFORE "\\" AFTER, BEFORE "\\u12" AFTER, BEFORE "\\u12g4" AFTER, BEFORE "\\U0041" AFTER,
	BEFORE "\\ud83d" AFTER, BEFORE "\\ud83dx" AFTER, BEFORE "\\ud83d\\n" AFTER, BEFORE "\\ude00" AFTER,
	BEFORE "\\ud83d\\ude00" AFTER, BEFORE "\\uD800" AFTER, BEFORE "\\uDFFF" AFTER,
	BEFORE "\n" AFTER, BEFORE "\x1f" AFTER, BEFORE "\xff" AFTER, BEFORE "\xc3" AFTER, BEFORE "\xed\xa0\x80" AFTER,
	BEFORE "\xc0\x80" AFTER,
};

START_TEST(anything_else_is_left_untouched)
{
	struct gr_wire_event event;
	ck_assert_int_eq(read_event(left[_i], strlen(left[_i]), &event), GR_WIRE_TOKEN_LEFT);
	ck_assert_int_eq(event.id, -7);
	ck_assert_int_eq(event.predicted, -7);
	ck_assert_ptr_null(event.text);
}
END_TEST

START_TEST(nul_in_event_is_left)
{
	static const char raw[] = BEFORE "a\0b" AFTER, behind[] = BEFORE "a" AFTER;
	struct gr_wire_event event;
	ck_assert_int_eq(read_event(raw, sizeof raw - 1, &event), GR_WIRE_TOKEN_LEFT);
	ck_assert_int_eq(read_event(behind, sizeof behind, &event), GR_WIRE_TOKEN_LEFT);
}
END_TEST

START_TEST(event_cut_anywhere_is_left)
{
	struct gr_wire_event event;
	for (size_t len = 0; len < strlen(taken[_i].event); len++)
		ck_assert_int_eq(read_event(taken[_i].event, len, &event), GR_WIRE_TOKEN_LEFT);
}
END_TEST

/* Each byte replaced, left out, and doubled. */
START_TEST(changed_event_agrees_with_json)
{
	static const char others[] = "0123456789-+.eE\"\\/{}[],: \t\nabnrtuxfFdD\x01\x7f\x80\xbf\xc3\xed\xf0\xff";
	char event[EVENT_MAX];
	const char *base = taken[_i].event;
	size_t len = strlen(base);
	for (size_t at = 0; at < len; at++) {
		memcpy(event, base, len);
		for (size_t i = 0; i < sizeof others; i++) {	/* the NUL too */
			event[at] = others[i];
			check_agrees(event, len);
		}
		memcpy(event + at, base + at + 1, len - at - 1);
		check_agrees(event, len - 1);
		memcpy(event, base, at + 1);
		memcpy(event + at + 1, base + at, len - at);
		check_agrees(event, len + 1);
	}
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
START_TEST(token_survives_oom)
{
	char data[EVENT_MAX + sizeof AFTER];
	int len = snprintf(data, sizeof data, BEFORE "%0100d\\n%0100d\\n%0100d" AFTER, 1, 2, 3);
	for (long n = 0;; n++) {
		struct gr_buf own = GR_BUF_INIT(GR_WIRE_PIECE_MAX);
		struct gr_wire_event event = { .id = -7 };
		failmalloc_arm(n);
		enum gr_wire_token read = gr_wire_token_read(&own, data, (size_t)len, &event);
		bool fired = failmalloc_disarm();
		gr_buf_release(&own);
		ck_assert_int_eq(read, fired ? GR_WIRE_TOKEN_NO_MEMORY : GR_WIRE_TOKEN_TAKEN);
		ck_assert_int_eq(event.id, fired ? -7 : 320);
		if (!fired) {
			ck_assert_int_ge(n, 2);	/* it was made to fail at all */
			return;
		}
	}
}
END_TEST

START_TEST(stream_without_memory_for_a_token_says_so)
{
	struct gr_wire_event event;
	inf_error err = { .struct_size = sizeof err };
	failmalloc_arm(0);
	inf_status st = gr_wire_stream_decode(stream, taken[0].event, strlen(taken[0].event), &event, &err);
	ck_assert(failmalloc_disarm());
	ck_assert_int_eq(st, INF_E_NO_MEMORY);
	ck_assert_str_eq(err.reason, "no_memory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_token");
	TCase *tc = tcase_create("token");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, token_event_says_what_is_in_it, 0, ROWS(taken));
	tcase_add_loop_test(tc, stream_takes_token_events, 0, ROWS(taken));
	tcase_add_test(tc, text_uses_its_memory_again);
	tcase_add_loop_test(tc, anything_else_is_left_untouched, 0, ROWS(left));
	tcase_add_test(tc, nul_in_event_is_left);
	tcase_add_loop_test(tc, event_cut_anywhere_is_left, 0, ROWS(taken));
	tcase_add_loop_test(tc, changed_event_agrees_with_json, 0, ROWS(taken));
	tcase_add_test(tc, token_survives_oom);
	tcase_add_test(tc, stream_without_memory_for_a_token_says_so);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
