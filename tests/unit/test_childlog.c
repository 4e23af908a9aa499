/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "childlog.h"
#include "inference/plugin.h"

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static struct gr_childlog sink;		/* too large for the stack of a test */
static char text[GR_CHILDLOG_LINE];
static int32_t level;

static void start(int32_t lowest)
{
	gr_childlog_init(&sink, lowest, 1000);
}

static void push(const char *line, int64_t now_ms)
{
	gr_childlog_push(&sink, line, strlen(line), now_ms);
}

static bool pop(void)
{
	return gr_childlog_pop(&sink, &level, text);
}

static const struct {
	const char *line;
	int32_t level;		/* -1 = dropped */
	const char *text;
} lines[] = {
	{ "0.01.229.022 E srv    load_model: failed", INF_LOG_ERROR, "srv    load_model: failed" },
	{ "0.01.229.022 W srv    load_model: capping", INF_LOG_WARN, "srv    load_model: capping" },
	{ "0.01.229.022 I srv    init: ready", INF_LOG_DEBUG, "srv    init: ready" },
	{ "0.01.229.022 D graph", INF_LOG_DEBUG, "graph" },
	{ "12.59.999.999 E late", INF_LOG_ERROR, "late" },
	{ "error: invalid argument: -x", INF_LOG_DEBUG, "error: invalid argument: -x" },
	{ "1.2 E x", INF_LOG_DEBUG, "1.2 E x" },
	{ "0.01.229.022 Q x", INF_LOG_DEBUG, "0.01.229.022 Q x" },
	{ "0.01.229.022", INF_LOG_DEBUG, "0.01.229.022" },
	{ "0.01.229.022 E", INF_LOG_DEBUG, "0.01.229.022 E" },
	{ "0.01.229.022 E ", -1, "" },
	{ "", -1, "" },
	{ "0.01.229.022 I srv  log_server_r: request: GET /health 127.0.0.1 200", -1, "" },
	{ "0.01.229.022 I srv  update_slots: all slots are idle", -1, "" },
	{ "0.01.229.022 I srv  server_strea: conv_id= (empty=1)", -1, "" },
	{ "0.01.229.022 E a\tb\x1b[31mc\x7f", INF_LOG_ERROR, "a b [31mc " },
	{ "caf\xc3\xa9", INF_LOG_DEBUG, "caf\xc3\xa9" },
};

START_TEST(line_has_the_level_that_it_says)
{
	start(INF_LOG_DEBUG);
	push(lines[_i].line, 1000);
	ck_assert_int_eq(pop(), lines[_i].level >= 0);
	if (lines[_i].level >= 0) {
		ck_assert_int_eq(level, lines[_i].level);
		ck_assert_str_eq(text, lines[_i].text);
	}
	ck_assert(!pop());
}
END_TEST

START_TEST(line_below_what_is_wanted_is_not_kept)
{
	static const int kept[] = { 3, 2, 2, 1 };
	start(_i);
	push("0.01.229.022 I a", 1000);
	push("0.01.229.022 W b", 1000);
	push("0.01.229.022 E c", 1000);
	int count = 0;
	while (pop())
		count++;
	ck_assert_int_eq(count, kept[_i]);
}
END_TEST

/* The chatter that nobody wants must not use up what the wanted lines may have. */
START_TEST(line_below_what_is_wanted_costs_nothing)
{
	start(INF_LOG_WARN);
	for (int i = 0; i < 10 * GR_CHILDLOG_BURST; i++)
		push("0.01.229.022 I a", 1000);
	push("0.01.229.022 E c", 1000);
	ck_assert(pop());
	ck_assert_str_eq(text, "c");
	ck_assert(!pop());
}
END_TEST

START_TEST(burst_is_the_cap_and_what_is_past_it_is_counted)
{
	start(INF_LOG_DEBUG);
	for (int i = 0; i < GR_CHILDLOG_BURST + 3; i++)
		push("0.01.229.022 I a", 1000);
	for (int i = 0; i < GR_CHILDLOG_BURST; i++) {
		ck_assert(pop());
		ck_assert_str_eq(text, "a");
	}
	ck_assert(pop());
	ck_assert_str_eq(text, "3 lines were left out here");
	ck_assert_int_eq(level, INF_LOG_DEBUG);
	ck_assert(!pop());
}
END_TEST

START_TEST(rate_after_a_burst_is_that_of_the_clock)
{
	int64_t now = 1000;
	start(INF_LOG_DEBUG);
	for (int i = 0; i < GR_CHILDLOG_BURST; i++)
		push("0.01.229.022 I a", now);
	while (pop())
		;
	int count = 0;
	for (int i = 0; i < 10000; i++) {	/* ten seconds, a line each millisecond */
		push("0.01.229.022 I b", ++now);
		while (pop())
			count += strcmp(text, "b") == 0;
	}
	ck_assert_int_eq(count, 10 * GR_CHILDLOG_PER_SECOND);
}
END_TEST

START_TEST(silence_saves_up_no_more_than_a_burst)
{
	start(INF_LOG_DEBUG);
	push("0.01.229.022 I a", 1000);
	push("0.01.229.022 I a", 61000);
	int count = 0;
	for (int i = 0; i < 2 * GR_CHILDLOG_BURST; i++) {
		push("0.01.229.022 I b", 121000);
		while (pop())
			count += strcmp(text, "b") == 0;
	}
	ck_assert_int_eq(count, GR_CHILDLOG_BURST);
}
END_TEST

START_TEST(clock_that_jumps_fills_no_more_than_a_burst)
{
	static const int64_t clocks[] = { INT64_MAX / 2, INT64_MIN / 2, 0 };
	for (size_t c = 0; c < 3; c++) {
		start(INF_LOG_DEBUG);
		for (int i = 0; i < GR_CHILDLOG_BURST; i++)
			push("0.01.229.022 I a", 1000);
		while (pop())
			;
		for (int i = 0; i < 2 * GR_CHILDLOG_BURST; i++)
			push("0.01.229.022 I b", clocks[c]);
		int count = 0;
		while (pop())
			count += strcmp(text, "b") == 0;
		ck_assert_int_eq(count, clocks[c] > 1000 ? GR_CHILDLOG_BURST : 0);
	}
}
END_TEST

START_TEST(chatter_cannot_drown_a_failure)
{
	start(INF_LOG_DEBUG);
	for (int i = 0; i < 10 * GR_CHILDLOG_BURST; i++)
		push("0.01.229.022 I a", 1000);
	push("0.01.229.022 E c", 1000);
	bool found = false;
	while (pop())
		found |= level == INF_LOG_ERROR && strcmp(text, "c") == 0;
	ck_assert(found);
}
END_TEST

START_TEST(left_out_lines_are_told_before_the_next_of_their_kind)
{
	start(INF_LOG_DEBUG);
	for (int i = 0; i < GR_CHILDLOG_BURST + 1; i++)
		push("0.01.229.022 E a", 1000);
	for (int i = 0; i < GR_CHILDLOG_BURST; i++)
		ck_assert(pop());
	push("0.01.229.022 W b", 1000 + 1000);
	ck_assert(pop());
	ck_assert_str_eq(text, "1 line was left out here");
	ck_assert_int_eq(level, INF_LOG_WARN);
	ck_assert(pop());
	ck_assert_str_eq(text, "b");
	ck_assert(!pop());
}
END_TEST

/* Nobody takes the lines: what does not fit is left out, what came first stays whole. */
START_TEST(full_ring_leaves_out_and_keeps_what_it_has)
{
	char line[GR_CHILDLOG_LINE];
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	start(INF_LOG_DEBUG);
	int pushed = 0, popped = 0;
	for (int64_t now = 1000; now < 1000000; now += 1000, pushed++)
		push(line, now);
	while (pop() && strcmp(text, line) == 0)
		popped++;
	ck_assert_int_ge(popped, GR_CHILDLOG_RING / (GR_CHILDLOG_LINE + 2));
	char told[64];
	snprintf(told, sizeof told, "%d lines were left out here", pushed - popped);
	ck_assert_str_eq(text, told);
	ck_assert(!pop());
	push("again", 2000000);
	ck_assert(pop());
	ck_assert_str_eq(text, "again");
}
END_TEST

/* Room for the line, but not for what has to be said before it. */
START_TEST(ring_with_room_for_the_line_alone_leaves_it_out_too)
{
	char line[510];		/* 512 with what is kept beside it, so that nothing of the ring is left */
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	start(INF_LOG_DEBUG);
	int64_t now = 1000;
	for (int i = 0; i < 1000; i++, now += 1000)
		push(line, now);
	ck_assert(pop());
	push(line, now);
	while (pop() && text[0] == 'x')
		ck_assert_str_eq(text, line);
	ck_assert_ptr_nonnull(strstr(text, " lines were left out here"));
	ck_assert(!pop());
}
END_TEST

static const size_t lengths[] = {
	1, GR_CHILDLOG_LINE - 2, GR_CHILDLOG_LINE - 1, GR_CHILDLOG_LINE, GR_CHILDLOG_LINE + 1, 1 << 20,
};

START_TEST(long_line_is_cut_at_the_cap)
{
	size_t len = lengths[_i], kept = len < GR_CHILDLOG_LINE ? len : GR_CHILDLOG_LINE - 1;
	char *line = malloc(len);
	memset(line, 'x', len);
	start(INF_LOG_DEBUG);
	gr_childlog_push(&sink, line, len, 1000);
	free(line);
	ck_assert(pop());
	ck_assert_uint_eq(strlen(text), kept);
	ck_assert(!pop());
}
END_TEST

/* Through many turns of the ring nothing changes and nothing is lost. */
START_TEST(ring_that_turns_gives_every_line)
{
	char line[64];
	start(INF_LOG_DEBUG);
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof line, "line %d %.*s", i, i % 40, "........................................");
		push(line, 1000 + (int64_t)i * 1000);
		ck_assert(pop());
		ck_assert_str_eq(text, line);
	}
	ck_assert(!pop());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("childlog");
	TCase *tc = tcase_create("childlog");
	tcase_add_loop_test(tc, line_has_the_level_that_it_says, 0, ROWS(lines));
	tcase_add_loop_test(tc, line_below_what_is_wanted_is_not_kept, INF_LOG_DEBUG, INF_LOG_ERROR + 1);
	tcase_add_test(tc, line_below_what_is_wanted_costs_nothing);
	tcase_add_test(tc, burst_is_the_cap_and_what_is_past_it_is_counted);
	tcase_add_test(tc, rate_after_a_burst_is_that_of_the_clock);
	tcase_add_test(tc, silence_saves_up_no_more_than_a_burst);
	tcase_add_test(tc, clock_that_jumps_fills_no_more_than_a_burst);
	tcase_add_test(tc, chatter_cannot_drown_a_failure);
	tcase_add_test(tc, left_out_lines_are_told_before_the_next_of_their_kind);
	tcase_add_test(tc, full_ring_leaves_out_and_keeps_what_it_has);
	tcase_add_test(tc, ring_with_room_for_the_line_alone_leaves_it_out_too);
	tcase_add_loop_test(tc, long_line_is_cut_at_the_cap, 0, ROWS(lengths));
	tcase_add_test(tc, ring_that_turns_gives_every_line);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
