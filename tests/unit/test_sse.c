/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "sse.h"

/* What came out, as "name|data;" for each event. */
struct transcript {
	struct gr_buf text;
	int events, stop_after;
};

static int record(const struct gr_sse_event *event, void *user)
{
	struct transcript *seen = user;
	ck_assert_ptr_nonnull(event->name);
	ck_assert_int_eq(event->data[event->data_len], 0);
	ck_assert_int_eq(gr_buf_puts(&seen->text, event->name), INF_OK);
	ck_assert_int_eq(gr_buf_puts(&seen->text, "|"), INF_OK);
	ck_assert_int_eq(gr_buf_append(&seen->text, event->data, event->data_len), INF_OK);
	ck_assert_int_eq(gr_buf_puts(&seen->text, ";"), INF_OK);
	return ++seen->events == seen->stop_after;
}

static int count(const struct gr_sse_event *event, void *user)
{
	(void)event;
	++*(int *)user;
	return 0;
}

static const struct { const char *in, *out; } cases[] = {
	{ "", "" },
	{ "data: a\n\n", "|a;" },
	{ "data: a\r\n\r\n", "|a;" },
	{ "data: a\r\r", "|a;" },
	{ "data: a\r\n\n", "|a;" },
	{ "data: a\n\r\n", "|a;" },
	{ "data: a\n\r", "|a;" },
	{ "data: a\r\n\rdata: b\n\n", "|a;|b;" },
	{ "data: a\r\rdata: b\r\r", "|a;|b;" },
	{ "data: a\n\ndata: b\n\n", "|a;|b;" },
	{ "data: a\n\n\n\r\n\rdata: b\n\n\n", "|a;|b;" },
	{ "\n\n\ndata: a\n\n", "|a;" },
	{ "data:a\n\n", "|a;" },
	{ "data:  a \n\n", "| a ;" },
	{ "data: a:b: c\n\n", "|a:b: c;" },
	{ "data\n\n", "|;" },
	{ "data:\n\n", "|;" },
	{ "data: \n\n", "|;" },
	{ "data: a\ndata: b\n\n", "|a\nb;" },
	{ "data: a\r\ndata: b\r\n\r\n", "|a\nb;" },
	{ "data\ndata\n\n", "|\n;" },
	{ "data\ndata: a\ndata\n\n", "|\na\n;" },
	{ "event: x\ndata: y\n\n", "x|y;" },
	{ "data: y\nevent: x\n\n", "x|y;" },
	{ "event: x\nevent: longer name\ndata: y\n\n", "longer name|y;" },
	{ "event: x\nevent\ndata: y\n\n", "|y;" },
	{ "events: x\neven: x\ndata: y\n\n", "|y;" },
	{ "event: x\ndata: 1\n\ndata: 2\n\n", "x|1;|2;" },
	{ "event: x\n\ndata: y\n\n", "|y;" },
	{ ": ping\n\n", "" },
	{ ":\n\n:\n\ndata: a\n:\n\n", "|a;" },
	{ "data: a\n:data: b\ndata: c\n\n", "|a\nc;" },
	{ "id: 1\nretry: 10\ndata: a\nunknown: b\n\n", "|a;" },
	{ "Data: a\nDATA: b\ndatax: c\ndat: d\n data: e\ndata : f\n\n", "" },
	{ "data: a", "" },
	{ "data: a\n", "" },
	{ "data: a\n\ndata: b\n", "|a;" },
	{ "\xef\xbb\xbf" "data: a\n\n", "|a;" },
	{ "\xef\xbb\xbf\n" "data: a\n\n", "|a;" },
	{ "\xef\xbb\xbf\xef\xbb\xbf" "data: a\n\ndata: b\n\n", "|b;" },
	{ "\n\xef\xbb\xbf" "data: a\n\ndata: b\n\n", "|b;" },
	{ "\xef\xbb" "data: a\n\ndata: b\n\n", "|b;" },
	{ "data: \xef\xbb\xbf\xff\x80\n\n", "|\xef\xbb\xbf\xff\x80;" },
	{ "data: null\n\n", "|null;" },
	{ "data: {\"content\":\" multimedia\",\"tokens\":[19004],\"stop\":false}\n\n",
	  "|{\"content\":\" multimedia\",\"tokens\":[19004],\"stop\":false};" },
};

enum { CASES = sizeof cases / sizeof *cases };

/* Feed text in pieces of `step` bytes, the first one of `first`. */
static void run(struct transcript *seen, const char *text, size_t len, size_t first, size_t step)
{
	struct gr_sse sse;
	inf_error err = { .struct_size = sizeof err };
	*seen = (struct transcript){ .text = GR_BUF_INIT(1 << 20) };
	gr_sse_init(&sse, record, seen);
	for (size_t at = 0, piece = first; at < len || !at; at += piece, piece = step) {
		if (piece > len - at)
			piece = len - at;
		/* On the heap, so that a read past the piece is seen. */
		char *copy = malloc(piece ? piece : 1);
		memcpy(copy, text + at, piece);
		ck_assert_int_eq(gr_sse_feed(&sse, copy, piece, &err), INF_OK);
		free(copy);
		if (!len)
			break;
	}
	ck_assert_int_eq(err.code, 0);
	gr_sse_release(&sse);
}

static void expect(const char *in, const char *out, size_t first, size_t step)
{
	struct transcript seen;
	run(&seen, in, strlen(in), first, step);
	ck_assert_str_eq(gr_buf_text(&seen.text), out);
	gr_buf_release(&seen.text);
}

START_TEST(feed_whole_gives_the_events)
{
	size_t len = strlen(cases[_i].in);
	expect(cases[_i].in, cases[_i].out, len, len);
}
END_TEST

START_TEST(feed_byte_at_a_time_equals_whole)
{
	expect(cases[_i].in, cases[_i].out, 1, 1);
}
END_TEST

START_TEST(feed_cut_anywhere_equals_whole)
{
	size_t len = strlen(cases[_i].in);
	for (size_t first = 1; first < len; first++) {
		expect(cases[_i].in, cases[_i].out, first, len);
		expect(cases[_i].in, cases[_i].out, first, 3);
	}
}
END_TEST

START_TEST(feed_nul_in_data_keeps_it)
{
	struct transcript seen;
	run(&seen, "data: a\0b\n\n", 11, 11, 11);
	ck_assert_uint_eq(seen.text.len, 5);
	ck_assert_mem_eq(seen.text.data, "|a\0b;", 5);
	gr_buf_release(&seen.text);
}
END_TEST

START_TEST(release_of_null_and_zeroed_is_harmless)
{
	struct gr_sse sse;
	memset(&sse, 0, sizeof sse);
	gr_sse_release(NULL);
	gr_sse_release(&sse);
}
END_TEST

START_TEST(feed_stopped_by_the_callback_is_cancelled)
{
	struct gr_sse sse;
	struct transcript seen = { .text = GR_BUF_INIT(100), .stop_after = 2 };
	inf_error err = { .struct_size = sizeof err };
	gr_sse_init(&sse, record, &seen);
	const char *text = "data: a\n\ndata: b\n\ndata: c\n\n";
	ck_assert_int_eq(gr_sse_feed(&sse, text, strlen(text), &err), INF_E_CANCELLED);
	ck_assert_int_eq(err.code, 0);		/* what stopped it is the callback's to say */
	ck_assert_str_eq(gr_buf_text(&seen.text), "|a;|b;");
	gr_sse_release(&sse);
	gr_buf_release(&seen.text);
}
END_TEST

/* A line of len bytes without its end, fed in pieces, then the end of the event. */
static inf_status feed_line(const char *begin, size_t len, size_t piece, int *events, inf_error *err)
{
	struct gr_sse sse;
	char *line = malloc(len + 2);
	memset(line, 'x', len);
	memcpy(line, begin, strlen(begin));
	memcpy(line + len, "\n\n", 2);
	*events = 0;
	gr_sse_init(&sse, count, events);
	inf_status st = INF_OK;
	for (size_t at = 0; st == INF_OK && at < len + 2; at += piece)
		st = gr_sse_feed(&sse, line + at, piece < len + 2 - at ? piece : len + 2 - at, err);
	gr_sse_release(&sse);
	free(line);
	return st;
}

static const struct { const char *begin; size_t piece; int events; } line_caps[] = {
	{ "data:", SIZE_MAX / 2, 1 }, { "data:", 4096, 1 }, { "data:", GR_SSE_LINE_MAX, 1 },
	{ ":", SIZE_MAX / 2, 0 }, { ":", 65537, 0 }, { "event:", 65537, 0 }, { "", SIZE_MAX / 2, 0 },
};

START_TEST(feed_line_at_the_cap_fits)
{
	int events;
	ck_assert_int_eq(feed_line(line_caps[_i].begin, GR_SSE_LINE_MAX, line_caps[_i].piece, &events, NULL), INF_OK);
	ck_assert_int_eq(events, line_caps[_i].events);
}
END_TEST

START_TEST(feed_line_past_the_cap_fails)
{
	int events;
	inf_error err = { .struct_size = sizeof err };
	inf_status st = feed_line(line_caps[_i].begin, GR_SSE_LINE_MAX + 1, line_caps[_i].piece, &events, &err);
	ck_assert_int_eq(st, INF_E_INTERNAL);
	ck_assert_int_eq(err.code, INF_E_INTERNAL);
	ck_assert_str_eq(err.reason, "sse_line_too_long");
	ck_assert_str_eq(err.message, "event stream: a line is longer than 1048576 bytes");
	ck_assert_int_eq(events, 0);
}
END_TEST

/* An event of two data lines that is data_len bytes long in all. */
static inf_status feed_two_lines(size_t data_len, int *events, inf_error *err)
{
	struct gr_sse sse;
	size_t half = data_len / 2, rest = data_len - 1 - half;
	char *xs = malloc(data_len);
	memset(xs, 'x', data_len);
	*events = 0;
	gr_sse_init(&sse, count, events);
	ck_assert_int_eq(gr_sse_feed(&sse, "data:", 5, err), INF_OK);
	ck_assert_int_eq(gr_sse_feed(&sse, xs, half, err), INF_OK);
	ck_assert_int_eq(gr_sse_feed(&sse, "\ndata:", 6, err), INF_OK);
	ck_assert_int_eq(gr_sse_feed(&sse, xs, rest, err), INF_OK);
	inf_status st = gr_sse_feed(&sse, "\n\n", 2, err);
	gr_sse_release(&sse);
	free(xs);
	return st;
}

START_TEST(feed_event_at_the_cap_fits)
{
	int events;
	ck_assert_int_eq(feed_two_lines(GR_SSE_LINE_MAX, &events, NULL), INF_OK);
	ck_assert_int_eq(events, 1);
}
END_TEST

START_TEST(feed_event_past_the_cap_fails)
{
	int events;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(feed_two_lines(GR_SSE_LINE_MAX + 1, &events, &err), INF_E_INTERNAL);
	ck_assert_str_eq(err.reason, "sse_event_too_long");
	ck_assert_int_eq(events, 0);
}
END_TEST

START_TEST(feed_steady_stream_allocates_nothing)
{
	static const char text[] = "event: token\ndata: {\"content\":\" word\"}\ndata: more\n\n:\n\n";
	struct gr_sse sse;
	int events = 0;
	inf_status st = INF_OK;
	gr_sse_init(&sse, count, &events);
	for (int round = 0; round < 2; round++) {
		failmalloc_arm(FAILMALLOC_NEVER);
		for (size_t cut = 0; cut < sizeof text && st == INF_OK; cut++) {
			st = gr_sse_feed(&sse, text, cut, NULL);
			if (st == INF_OK)
				st = gr_sse_feed(&sse, text + cut, sizeof text - 1 - cut, NULL);
			if (cut == sizeof text - 1)
				break;
		}
		failmalloc_disarm();
		ck_assert_int_eq(st, INF_OK);
	}
	ck_assert_uint_eq(failmalloc_count(), 0);
	ck_assert_int_eq(events, 2 * (int)sizeof text);
	gr_sse_release(&sse);
}
END_TEST

/* Looking for the end of each line through all the rest of the chunk would take minutes. */
START_TEST(feed_megabytes_of_line_ends_is_linear)
{
	static const char *const ends[] = { "\r", "\n", "\r\n", "data\r" };
	size_t size = 8 << 20, unit = strlen(ends[_i]);
	struct gr_sse sse;
	int events = 0;
	char *text = malloc(size);
	for (size_t i = 0; i < size; i++)
		text[i] = ends[_i][i % unit];
	gr_sse_init(&sse, count, &events);
	inf_status st = gr_sse_feed(&sse, text, size, NULL);
	ck_assert_int_eq(st, _i == 3 ? INF_E_INTERNAL : INF_OK);
	gr_sse_release(&sse);
	free(text);
}
END_TEST

static inf_status parse_everything(int *events, inf_error *err)
{
	struct gr_sse sse;
	inf_status st = INF_OK;
	char text[2000] = "event: a name\ndata: ";
	memset(text + strlen(text), 'x', 1500);
	strcat(text, "\ndata: y\n\n");
	size_t len = strlen(text);
	*events = 0;
	gr_sse_init(&sse, count, events);
	for (size_t at = 0; st == INF_OK && at < len; at += 100)
		st = gr_sse_feed(&sse, text + at, len - at < 100 ? len - at : 100, err);
	gr_sse_release(&sse);
	return st;
}

START_TEST(feed_survives_oom)
{
	long n = 0;
	for (;; n++) {
		int events;
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = parse_everything(&events, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(events, fired ? 0 : 1);
		ck_assert_int_eq(err.code, st);
		if (!fired)
			break;
	}
	ck_assert_int_gt(n, 2);
}
END_TEST

int main(void)
{
	enum { CAPS = sizeof line_caps / sizeof *line_caps };
	Suite *suite = suite_create("sse");
	TCase *tc = tcase_create("sse");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, feed_whole_gives_the_events, 0, CASES);
	tcase_add_loop_test(tc, feed_byte_at_a_time_equals_whole, 0, CASES);
	tcase_add_loop_test(tc, feed_cut_anywhere_equals_whole, 0, CASES);
	tcase_add_test(tc, feed_nul_in_data_keeps_it);
	tcase_add_test(tc, release_of_null_and_zeroed_is_harmless);
	tcase_add_test(tc, feed_stopped_by_the_callback_is_cancelled);
	tcase_add_loop_test(tc, feed_line_at_the_cap_fits, 0, CAPS);
	tcase_add_loop_test(tc, feed_line_past_the_cap_fails, 0, CAPS);
	tcase_add_test(tc, feed_event_at_the_cap_fits);
	tcase_add_test(tc, feed_event_past_the_cap_fails);
	tcase_add_test(tc, feed_steady_stream_allocates_nothing);
	tcase_add_loop_test(tc, feed_megabytes_of_line_ends_is_linear, 0, 4);
	tcase_add_test(tc, feed_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
