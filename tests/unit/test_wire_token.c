/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "wire_chat.h"
#include "wire_token.h"

enum { EVENT_MAX = 1024 };
enum shape { COMPLETION, CHAT };

#define BEFORE "{\"index\":0,\"content\":\""
#define COUNTED "\",\"tokens\":[320],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":1,\"tokens_evaluated\":3"
#define AFTER COUNTED "}"
#define CANDIDATE(token, bytes, logprob) "{\"id\":320,\"token\":\"" token "\",\"bytes\":[" bytes "],\"logprob\":" logprob
#define LIKELIEST CANDIDATE(" is", "32,105,115", "-0.5") "}"
#define PROBABLE(token, bytes, logprob, top) ",\"completion_probabilities\":[" CANDIDATE(token, bytes, logprob) \
	",\"top_logprobs\":[" top "]}]}"
#define LOGPROB(logprob) BEFORE " was" COUNTED PROBABLE(" was", "32,119,97,115", logprob, LIKELIEST)
#define DELTA(delta) "{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{" delta "}}],\"created\":1795713376,"
#define NAMES "\"id\":\"chatcmpl-XgKoyxmc1es8NgYCVXNAF8bAaTlXGqKb\",\"model\":\"model\",\"system_fingerprint\":\"b11669-Debian\"," \
	"\"object\":\"chat.completion.chunk\""
#define PREFILL "\"cache_n\":0,\"prompt_n\":21,\"prompt_ms\":0.958,\"prompt_per_token_ms\":0.045619047619047615," \
	"\"prompt_per_second\":21920.668058455114"
#define DECODE "\"predicted_ms\":0.181,\"predicted_per_token_ms\":0.181,\"predicted_per_second\":5524.861878453039"
#define TIMINGS(predicted) ",\"timings\":{" PREFILL ",\"predicted_n\":" predicted "," DECODE "}"
#define CHUNK(delta) DELTA(delta) NAMES TIMINGS("2") "}"
#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static struct gr_buf text;
static struct gr_wire_stream *streams[2];	/* by shape */

static void setup(void)
{
	text = (struct gr_buf)GR_BUF_INIT(GR_WIRE_PIECE_MAX);
	streams[COMPLETION] = gr_wire_stream_new();
	streams[CHAT] = gr_wire_stream_new_chat();
	ck_assert(streams[COMPLETION] && streams[CHAT]);
}

static void teardown(void)
{
	gr_buf_release(&text);
	gr_wire_stream_free(streams[COMPLETION]);
	gr_wire_stream_free(streams[CHAT]);
}

static enum gr_wire_token read_into(struct gr_buf *buf, enum shape shape, const char *data, size_t len, struct gr_wire_event *out)
{
	return shape == CHAT ? gr_wire_token_read_chat(buf, data, len, out) : gr_wire_token_read(buf, data, len, out);
}

static const struct gr_wire_event untouched = { .id = -7, .predicted = -7, .evaluated = -7, .cached = -7, .slot = -7 };

/* From memory of just that size, so that a sanitizer sees a read beyond it. */
static enum gr_wire_token read_event(enum shape shape, const char *data, size_t len, struct gr_wire_event *out)
{
	char *copy = malloc(len + !len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, len);
	*out = untouched;
	enum gr_wire_token read = read_into(&text, shape, copy, len, out);
	free(copy);
	return read;
}

/* json-c's word on it: an event behind a space is left to it. */
static inf_status ask_json(enum shape shape, const char *data, size_t len, struct gr_wire_event *out)
{
	char spaced[EVENT_MAX + 1] = " ";
	ck_assert_uint_le(len, EVENT_MAX);
	memcpy(spaced + 1, data, len);
	return gr_wire_stream_decode(streams[shape], spaced, len + 1, out, NULL);
}

/* To the last bit of the probability. */
static void check_same(const struct gr_wire_event *fast, const struct gr_wire_event *json, const char *data)
{
	ck_assert_int_eq(fast->kind, json->kind);
	ck_assert_msg(fast->text_len == json->text_len, "%zu, not %zu: %s", fast->text_len, json->text_len, data);
	ck_assert_mem_eq(fast->text, json->text, json->text_len + 1);
	ck_assert_int_eq(fast->id, json->id);
	ck_assert_uint_eq(fast->flags, json->flags);
	ck_assert_msg(fast->has_logprob == json->has_logprob, "%s", data);
	ck_assert_msg(memcmp(&fast->logprob, &json->logprob, sizeof fast->logprob) == 0, "%s", data);
	ck_assert_int_eq(fast->predicted, json->predicted);
	ck_assert_int_eq(fast->merged, json->merged);
	ck_assert_int_eq(fast->evaluated, json->evaluated);
	ck_assert_int_eq(fast->cached, json->cached);
	ck_assert_int_eq(fast->slot, json->slot);
}

/* What is taken means what json-c makes of it, and so does what the stream says behind it. */
static bool check_agrees(enum shape shape, const char *data, size_t len)
{
	struct gr_wire_event fast, fast_next, json, json_next;
	if (read_event(shape, data, len, &fast) != GR_WIRE_TOKEN_TAKEN)
		return false;
	ck_assert_int_eq(gr_wire_stream_decode(streams[shape], data, len, &fast, NULL), INF_OK);
	ck_assert_int_eq(gr_wire_stream_next(streams[shape], &fast_next, NULL), INF_OK);
	char *kept = malloc(fast.text_len + 1);		/* json-c's event ends the stream's loan of the text */
	ck_assert_ptr_nonnull(kept);
	memcpy(kept, fast.text, fast.text_len + 1);
	fast.text = kept;
	ck_assert_msg(ask_json(shape, data, len, &json) == INF_OK, "%.*s", (int)len, data);
	ck_assert_int_eq(json.kind, GR_WIRE_TOKEN);
	check_same(&fast, &json, data);
	ck_assert_int_eq(gr_wire_stream_next(streams[shape], &json_next, NULL), INF_OK);
	check_same(&fast_next, &json_next, data);
	free(kept);
	return true;
}

/* ---- what is taken --------------------------------------------------------------------------------------------- */
#define TEXT(literal) literal, sizeof literal - 1

static const struct {
	enum shape shape;
	const char *event, *text;
	size_t text_len;
	int32_t id, predicted, evaluated;
	const char *logprob;		/* as the event has it; NULL = none */
	uint32_t flags;
} taken[] = {
	{ COMPLETION, BEFORE " was" AFTER, TEXT(" was"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE AFTER, TEXT(""), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" AFTER, TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "\\\"\\\\\\/\\b\\f\\n\\r\\t" AFTER, TEXT("\"\\/\b\f\n\r\t"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "a\\u0000b\\u001F" AFTER, TEXT("a\0b\x1f"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "\\u007f\\u0080\\u07FF\\u0800\\uffff" AFTER, TEXT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "\\ud7ff\\uE000" AFTER, TEXT("\xed\x9f\xbf\xee\x80\x80"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, BEFORE "\x7f" AFTER, TEXT("\x7f"), 320, 1, 3, NULL, 0 },
	{ COMPLETION, "{\"index\":12,\"content\":\"x\",\"tokens\":[0],\"stop\":false,\"id_slot\":7,\"tokens_predicted\":0,\"tokens_evaluated\":0}",
	  TEXT("x"), 0, 0, 0, NULL, 0 },
	{ COMPLETION, "{\"index\":0,\"content\":\"x\",\"tokens\":[999999999],\"stop\":false,\"id_slot\":0,\"tokens_predicted\":16777216,"
	  "\"tokens_evaluated\":16777216}", TEXT("x"), 999999999, 16777216, 16777216, NULL, 0 },
	/* probabilities */
	{ COMPLETION, LOGPROB("-3.4150962829589844"), TEXT(" was"), 320, 1, 3, "-3.4150962829589844", 0 },
	{ COMPLETION, LOGPROB("0.0"), TEXT(" was"), 320, 1, 3, "0.0", 0 },
	{ COMPLETION, LOGPROB("-0.0"), TEXT(" was"), 320, 1, 3, "-0.0", 0 },
	{ COMPLETION, LOGPROB("-3.5762774e-05"), TEXT(" was"), 320, 1, 3, "-3.5762774e-05", 0 },
	{ COMPLETION, LOGPROB("-1e-45"), TEXT(" was"), 320, 1, 3, "-1e-45", 0 },
	{ COMPLETION, LOGPROB("-4.94065645841246544177e-324"), TEXT(" was"), 320, 1, 3, "-4.94065645841246544177e-324", 0 },
	{ COMPLETION, LOGPROB("-16777217.0000000018626451492309570312500"), TEXT(" was"), 320, 1, 3,
	  "-16777217.0000000018626451492309570312500", 0 },
	{ COMPLETION, BEFORE "\xf0\x9f\x98\x80" COUNTED PROBABLE("\xf0\x9f\x98\x80", "240,159,152,128", "-2.5",
	  CANDIDATE("\xef\xbf\xbd", "128", "0") "}"), TEXT("\xf0\x9f\x98\x80"), 320, 1, 3, "-2.5", 0 },
	{ COMPLETION, BEFORE "\\\"" COUNTED PROBABLE("\\\"\\n", "34", "-2.5", CANDIDATE("", "", "-1.5") "}"), TEXT("\""), 320, 1, 3,
	  "-2.5", 0 },
	/* chats */
	{ CHAT, CHUNK("\"content\":\" was\""), TEXT(" was"), -1, 2, -1, NULL, 0 },
	{ CHAT, CHUNK("\"reasoning_content\":\" hm\\n1\""), TEXT(" hm\n1"), -1, 2, -1, NULL, INF_TOKEN_FLAG_REASONING },
	{ CHAT, CHUNK("\"content\":\"\\u0000\xe2\x82\xac\""), TEXT("\0\xe2\x82\xac"), -1, 2, -1, NULL, 0 },
	{ CHAT, DELTA("\"content\":\"x\"") NAMES "}", TEXT("x"), -1, -1, -1, NULL, 0 },
	{ CHAT, DELTA("\"content\":\"x\"") NAMES TIMINGS("16777216") "}", TEXT("x"), -1, 16777216, -1, NULL, 0 },
	{ CHAT, DELTA("\"content\":\"x\"") NAMES ",\"timings\":{" PREFILL ",\"predicted_n\":9," DECODE ",\"draft_n\":6,"
	  "\"draft_n_accepted\":3}}", TEXT("x"), -1, 9, -1, NULL, 0 },
};

START_TEST(token_event_says_what_is_in_it)
{
	struct gr_wire_event event;
	enum shape shape = taken[_i].shape;
	ck_assert_int_eq(read_event(shape, taken[_i].event, strlen(taken[_i].event), &event), GR_WIRE_TOKEN_TAKEN);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert_uint_eq(event.text_len, taken[_i].text_len);
	ck_assert_mem_eq(event.text, taken[_i].text, taken[_i].text_len + 1);
	ck_assert_int_eq(event.id, shape == CHAT ? untouched.id : taken[_i].id);
	ck_assert_int_eq(event.predicted, taken[_i].predicted);
	ck_assert_int_eq(event.evaluated, shape == CHAT ? untouched.evaluated : taken[_i].evaluated);
	ck_assert_uint_eq(event.flags, taken[_i].flags);
	ck_assert_int_eq(event.has_logprob, taken[_i].logprob != NULL);
	float logprob = taken[_i].logprob ? (float)strtod(taken[_i].logprob, NULL) : 0;
	ck_assert_mem_eq(&event.logprob, &logprob, sizeof logprob);
	ck_assert_int_eq(event.cached, untouched.cached);
	ck_assert(check_agrees(shape, taken[_i].event, strlen(taken[_i].event)));
}
END_TEST

/* A stream goes the same way. */
START_TEST(stream_takes_token_events)
{
	struct gr_wire_event event;
	struct gr_wire_stream *stream = streams[taken[_i].shape];
	const char *data = taken[_i].event;
	ck_assert_int_eq(gr_wire_stream_decode(stream, data, strlen(data), &event, NULL), INF_OK);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert_uint_eq(event.text_len, taken[_i].text_len);
	ck_assert_mem_eq(event.text, taken[_i].text, taken[_i].text_len + 1);
	ck_assert_int_eq(event.id, taken[_i].id);
	ck_assert_int_eq(event.evaluated, taken[_i].evaluated);
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

/* A text behind a call that is not whole yet ends the call: json-c's chunks and ours are of one stream. */
START_TEST(chunk_behind_a_call_ends_it)
{
	static const char call[] = CHUNK("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"),
			  words[] = CHUNK("\"content\":\" was\"");
	struct gr_wire_event event;
	ck_assert_int_eq(gr_wire_stream_decode(streams[CHAT], call, strlen(call), &event, NULL), INF_OK);
	ck_assert_int_eq(event.kind, GR_WIRE_NOTHING);
	ck_assert_int_eq(gr_wire_stream_decode(streams[CHAT], words, strlen(words), &event, NULL), INF_OK);
	ck_assert_uint_eq(event.flags, INF_TOKEN_FLAG_TOOL_CALL);
	ck_assert_int_eq(gr_wire_stream_next(streams[CHAT], &event, NULL), INF_OK);
	ck_assert_uint_eq(event.flags, 0);
	ck_assert_str_eq(event.text, " was");
}
END_TEST

/* What the chunk said is not said again. */
START_TEST(mark_behind_a_chunk_says_nothing)
{
	static const char words[] = CHUNK("\"content\":\" was\"");
	struct gr_wire_event event;
	ck_assert_int_eq(gr_wire_stream_decode(streams[CHAT], words, strlen(words), &event, NULL), INF_OK);
	ck_assert_int_eq(gr_wire_stream_decode(streams[CHAT], "[DONE]", 6, &event, NULL), INF_OK);
	ck_assert_int_eq(gr_wire_stream_next(streams[CHAT], &event, NULL), INF_OK);
	ck_assert_int_eq(event.kind, GR_WIRE_NOTHING);
	ck_assert_int_eq(event.predicted, -1);
	ck_assert(!event.merged);
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
	/* probabilities */
	LOGPROB("-1"), LOGPROB("null"), LOGPROB("\"-1.5\""), LOGPROB("-1.5 "), LOGPROB("-01.5"), LOGPROB("-.5"), LOGPROB("-1."),
	LOGPROB("-1.5e"), LOGPROB("-1.5e+"), LOGPROB("+1.5"), LOGPROB("--1.5"), LOGPROB("-1,5"), LOGPROB("1e999"), LOGPROB("NaN"),
	LOGPROB("-Infinity"), LOGPROB("0x1p3"), LOGPROB("-1.5f"), LOGPROB(""), LOGPROB("-"),
	LOGPROB("0.0000000000000000000000000000000000000000000000000000000000000001"),
	BEFORE COUNTED ",\"completion_probabilities\":[]}", BEFORE COUNTED PROBABLE("", "", "-1.5", ""),
	BEFORE COUNTED PROBABLE("", "", "-1.5", LIKELIEST "," LIKELIEST), BEFORE COUNTED PROBABLE("", "1,", "-1.5", LIKELIEST),
	BEFORE COUNTED PROBABLE("", ",1", "-1.5", LIKELIEST), BEFORE COUNTED PROBABLE("", "\"\"", "-1.5", LIKELIEST),
	BEFORE COUNTED PROBABLE("\n", "", "-1.5", LIKELIEST), BEFORE COUNTED PROBABLE("\\ud83d\\ude00", "", "-1.5", LIKELIEST),
	BEFORE COUNTED PROBABLE("", "", "-1.5", CANDIDATE("", "", "null") "}"),
	BEFORE COUNTED PROBABLE("", "", "-1.5", CANDIDATE("", "", "-1.5") ",\"x\":1}"),
	BEFORE COUNTED PROBABLE("", "1000000000000000000", "-1.5", LIKELIEST),
	/* a chat's */
	CHUNK("\"content\":\"x\""),
};

static const char *const left_of_chat[] = {
	"", "{", "[DONE]", BEFORE "x" AFTER,
	/* other deltas */
	CHUNK(""), CHUNK("\"content\":null"), CHUNK("\"content\":\"\""), CHUNK("\"reasoning_content\":\"\""),
	CHUNK("\"role\":\"assistant\",\"content\":null"), CHUNK("\"role\":\"assistant\",\"content\":\"x\""),
	CHUNK("\"content\":\"x\",\"reasoning_content\":\"y\""), CHUNK("\"reasoning_\":\"x\""), CHUNK("\"contents\":\"x\""),
	CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]"),
	CHUNK("\"content\":\"x\\ud83d\\ude00\""), CHUNK("\"content\":\"\xff\""), CHUNK("\"content\":\"\n\""), CHUNK("\"content\" :\"x\""),
	/* another order, something more, something less */
	"{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"delta\":{\"content\":\"x\"}}],\"created\":1," NAMES TIMINGS("2") "}",
	"{\"choices\":[{\"index\":0,\"finish_reason\":null,\"delta\":{\"content\":\"x\"}}],\"created\":1," NAMES TIMINGS("2") "}",
	"{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"x\"}},{}],\"created\":1," NAMES "}",
	"{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"x\"},\"logprobs\":null}],\"created\":1," NAMES "}",
	DELTA("\"content\":\"x\"") NAMES, DELTA("\"content\":\"x\"") NAMES "} ", DELTA("\"content\":\"x\"") NAMES ",\"usage\":{}}",
	DELTA("\"content\":\"x\"") NAMES TIMINGS("2") ",\"prompt_progress\":{\"total\":3,\"cache\":0,\"processed\":3,\"time_ms\":0}}",
	DELTA("\"content\":\"x\"") NAMES TIMINGS("2") TIMINGS("3") "}", DELTA("\"content\":\"x\"") NAMES TIMINGS("16777217") "}",
	DELTA("\"content\":\"x\"") NAMES TIMINGS("2.0") "}", DELTA("\"content\":\"x\"") NAMES TIMINGS("null") "}",
	DELTA("\"content\":\"x\"") NAMES TIMINGS("-1") "}", DELTA("\"content\":\"x\"") NAMES ",\"timings\":{}}",
	DELTA("\"content\":\"x\"") NAMES ",\"timings\":null}", DELTA("\"content\":\"x\"") NAMES ",\"error\":{}}",
	DELTA("\"content\":\"x\"") NAMES ",\"timings\":{" PREFILL ",\"predicted_n\":9," DECODE ",\"draft_n\":6}}",
	DELTA("\"content\":\"x\"") NAMES ",\"timings\":{" PREFILL ",\"predicted_n\":9," DECODE ",\"predicted_n\":8}}",
};

static void check_left(enum shape shape, const char *event)
{
	struct gr_wire_event out;
	ck_assert_msg(read_event(shape, event, strlen(event), &out) == GR_WIRE_TOKEN_LEFT, "%s", event);
	ck_assert_mem_eq(&out, &untouched, sizeof out);
}

START_TEST(anything_else_is_left_untouched)
{
	check_left(COMPLETION, left[_i]);
}
END_TEST

START_TEST(any_other_chunk_is_left_untouched)
{
	check_left(CHAT, left_of_chat[_i]);
}
END_TEST

START_TEST(nul_in_event_is_left)
{
	static const char raw[] = BEFORE "a\0b" AFTER, behind[] = BEFORE "a" AFTER;
	struct gr_wire_event event;
	ck_assert_int_eq(read_event(COMPLETION, raw, sizeof raw - 1, &event), GR_WIRE_TOKEN_LEFT);
	ck_assert_int_eq(read_event(COMPLETION, behind, sizeof behind, &event), GR_WIRE_TOKEN_LEFT);
}
END_TEST

START_TEST(event_cut_anywhere_is_left)
{
	struct gr_wire_event event;
	for (size_t len = 0; len < strlen(taken[_i].event); len++)
		ck_assert_int_eq(read_event(taken[_i].shape, taken[_i].event, len, &event), GR_WIRE_TOKEN_LEFT);
}
END_TEST

/* Each byte replaced, left out, and doubled. */
START_TEST(changed_event_agrees_with_json)
{
	static const char others[] = "0123456789-+.eE\"\\/{}[],: \t\nabnrtuxfFdD\x01\x7f\x80\xbf\xc3\xed\xf0\xff";
	char event[EVENT_MAX];
	const char *base = taken[_i].event;
	enum shape shape = taken[_i].shape;
	size_t len = strlen(base);
	for (size_t at = 0; at < len; at++) {
		memcpy(event, base, len);
		for (size_t i = 0; i < sizeof others; i++) {	/* the NUL too */
			event[at] = others[i];
			check_agrees(shape, event, len);
		}
		memcpy(event + at, base + at + 1, len - at - 1);
		check_agrees(shape, event, len - 1);
		memcpy(event, base, at + 1);
		memcpy(event + at + 1, base + at, len - at);
		check_agrees(shape, event, len + 1);
	}
}
END_TEST

/* Of any bits that are a finite float, as the server prints it. */
START_TEST(probability_is_the_same_to_the_last_bit)
{
	char event[EVENT_MAX];
	uint32_t bits = 1;
	for (int i = 0; i < 2000; i++) {
		float value;
		bits = bits * 1664525 + 1013904223;
		memcpy(&value, &bits, sizeof value);
		if (!isfinite(value))
			continue;
		int len = snprintf(event, sizeof event, LOGPROB("%.17g"), (double)value);
		if (check_agrees(COMPLETION, event, (size_t)len)) {
			struct gr_wire_event out;
			read_event(COMPLETION, event, (size_t)len, &out);
			ck_assert_mem_eq(&out.logprob, &value, sizeof value);
		}
	}
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
#define PART "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define PARTS PART "\\n" PART "\\n" PART

static const struct {
	enum shape shape;
	const char *event;
} grown[] = {
	{ COMPLETION, BEFORE PARTS AFTER },
	{ COMPLETION, BEFORE PARTS COUNTED PROBABLE(" was", "", "-1.5", LIKELIEST) },
	{ CHAT, CHUNK("\"content\":\"" PARTS "\"") },
};

START_TEST(token_survives_oom)
{
	const char *data = grown[_i].event;
	for (long n = 0;; n++) {
		struct gr_buf own = GR_BUF_INIT(GR_WIRE_PIECE_MAX);
		struct gr_wire_event event = untouched;
		failmalloc_arm(n);
		enum gr_wire_token read = read_into(&own, grown[_i].shape, data, strlen(data), &event);
		bool fired = failmalloc_disarm();
		gr_buf_release(&own);
		ck_assert_int_eq(read, fired ? GR_WIRE_TOKEN_NO_MEMORY : GR_WIRE_TOKEN_TAKEN);
		ck_assert_int_eq(event.predicted == untouched.predicted, fired);
		if (!fired) {
			ck_assert_int_ge(n, 2);	/* it was made to fail at all */
			return;
		}
	}
}
END_TEST

/* And that it is ours and not json-c's: json-c's memory is not made to fail. */
START_TEST(stream_without_memory_for_a_token_says_so)
{
	struct gr_wire_event event;
	inf_error err = { .struct_size = sizeof err };
	failmalloc_arm(0);
	inf_status st = gr_wire_stream_decode(streams[taken[_i].shape], taken[_i].event, strlen(taken[_i].event), &event, &err);
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
	tcase_add_test(tc, chunk_behind_a_call_ends_it);
	tcase_add_test(tc, mark_behind_a_chunk_says_nothing);
	tcase_add_loop_test(tc, anything_else_is_left_untouched, 0, ROWS(left));
	tcase_add_loop_test(tc, any_other_chunk_is_left_untouched, 0, ROWS(left_of_chat));
	tcase_add_test(tc, nul_in_event_is_left);
	tcase_add_loop_test(tc, event_cut_anywhere_is_left, 0, ROWS(taken));
	tcase_add_loop_test(tc, changed_event_agrees_with_json, 0, ROWS(taken));
	tcase_add_test(tc, probability_is_the_same_to_the_last_bit);
	tcase_add_loop_test(tc, token_survives_oom, 0, ROWS(grown));
	tcase_add_loop_test(tc, stream_without_memory_for_a_token_says_so, 0, ROWS(taken));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
