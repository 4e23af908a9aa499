/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "stop.h"
#include "utf8.h"

enum { STRINGS_MAX = 5 };

static const struct {
	const char *strings[STRINGS_MAX], *text, *out;
	int matched;
} cases[] = {
	{ { "STOP" }, "", "", -1 },
	{ { "STOP" }, "go on", "go on", -1 },
	{ { "STOP" }, "STOP", "", 0 },
	{ { "STOP" }, "go STOP on", "go ", 0 },
	{ { "STOP" }, "go STO", "go STO", -1 },
	{ { "STOP" }, "SSSTOP", "SS", 0 },
	{ { "STOP" }, "STSTOSTOP", "STSTO", 0 },
	{ { "STOP" }, "stop", "stop", -1 },
	{ { "aab" }, "aaaab", "aa", 0 },
	{ { "abcabd" }, "abcabcabd", "abc", 0 },
	{ { "aaaa" }, "aaabaaaab", "aaab", 0 },
	{ { "x" }, "axb", "a", 0 },
	{ { "\n\n" }, "line\nline\n\nmore", "line\nline", 0 },
	/* the one that is complete first, wherever it began */
	{ { "abcd", "bc" }, "abcd", "a", 1 },
	{ { "bc", "abcd" }, "abcd", "a", 0 },
	{ { "abcd", "bce" }, "abce", "a", 1 },
	{ { "abcd", "bce" }, "abcd", "", 0 },
	{ { "abcd", "cx" }, "abcx", "ab", 1 },
	{ { "later", "early" }, "early later", "", 1 },
	/* of those that end together the longest, of equal ones the first */
	{ { "c", "bc", "abc" }, "xabc", "x", 2 },
	{ { "abc", "bc", "c" }, "xabc", "x", 0 },
	{ { "bc", "bc" }, "abc", "a", 0 },
	{ { "ab", "abc" }, "abc", "", 0 },
	/* code points stay whole; these share their first bytes */
	{ { "\xc3\xa9!" }, "caf\xc3\xa9 caf\xc3\xa9!", "caf\xc3\xa9 caf", 0 },
	{ { "\xc3\xa9" }, "caf\xc3\xa8 \xc3\xa9", "caf\xc3\xa8 ", 0 },
	{ { "\xf0\x9f\x98\x80\xf0\x9f\x98\x81" }, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x81x",
	  "\xf0\x9f\x98\x80", 0 },
	{ { "<|im_end|>", "</s>" }, "a < b </ c <|im_en <|im_end|>", "a < b </ c <|im_en ", 0 },
	{ { NULL }, "anything at all", "anything at all", -1 },
};

enum { CASES = sizeof cases / sizeof *cases };

static size_t count_of(const char *const *strings)
{
	size_t n = 0;
	while (n < STRINGS_MAX && strings[n])
		n++;
	return n;
}

/* What a matcher must give out, found by comparing at every place. */
struct expected {
	size_t len;		/* of the text delivered in all */
	int matched;
};

/* from: matches that end before it do not count. */
static struct expected find_first_from(const char *const *strings, size_t count, const char *text, size_t len, size_t from)
{
	for (size_t end = from + 1; end <= len; end++) {
		struct expected best = { .matched = -1 };
		size_t best_len = 0;
		for (size_t i = 0; i < count; i++) {
			size_t n = strlen(strings[i]);
			if (n <= end && n > best_len && !memcmp(text + end - n, strings[i], n)) {
				best = (struct expected){ end - n, (int)i };
				best_len = n;
			}
		}
		if (best.matched >= 0)
			return best;
	}
	return (struct expected){ len, -1 };
}

static struct expected find_first(const char *const *strings, size_t count, const char *text, size_t len)
{
	return find_first_from(strings, count, text, len, 0);
}

/* How much of the end of text could still become one of the strings. */
static size_t undecided(const char *const *strings, size_t count, const char *text, size_t len)
{
	size_t most = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t n = strlen(strings[i]) - 1; n > most; n--)
			if (n <= len && !memcmp(text + len - n, strings[i], n))
				most = n;
	return most;
}

/* Feed text in the pieces whose lengths next() gives, and check everything that comes out. */
static void check_feeding(const char *const *strings, size_t count, const char *text,
			  size_t (*next)(const char *rest, size_t len, void *user), void *user)
{
	struct gr_stop stop;
	struct gr_stop_out out;
	struct gr_buf seen = GR_BUF_INIT(1 << 20);
	size_t len = strlen(text), at = 0;
	struct expected want = find_first(strings, count, text, len);
	ck_assert_int_eq(gr_stop_init(&stop, strings, count, NULL), INF_OK);
	while (at < len) {
		size_t piece = next(text + at, len - at, user);
		char *chunk = strndup(text + at, piece);
		ck_assert_int_eq(gr_stop_feed(&stop, chunk, piece, &out, NULL), INF_OK);
		ck_assert_int_eq(out.text[out.len], 0);
		ck_assert(out.text != chunk || out.len == piece);
		ck_assert_int_eq(gr_buf_append(&seen, out.text, out.len), INF_OK);
		free(chunk);
		at += piece;
		if (out.matched < 0)
			ck_assert_uint_eq(seen.len, at - undecided(strings, count, text, at));
	}
	int matched = len ? out.matched : -1;
	ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
	ck_assert_int_eq(out.text[out.len], 0);
	ck_assert_int_eq(out.matched, matched);
	ck_assert_int_eq(gr_buf_append(&seen, out.text, out.len), INF_OK);
	if (matched != want.matched || seen.len != want.len || memcmp(gr_buf_text(&seen), text, want.len) != 0)
		ck_abort_msg("\"%s\": matched %d not %d, delivered \"%s\"", text, matched, want.matched,
			     gr_buf_text(&seen));
	gr_stop_release(&stop);
	gr_buf_release(&seen);
}

static size_t next_all(const char *rest, size_t len, void *user)
{
	(void)rest;
	(void)user;
	return len;
}

static size_t next_code_point(const char *rest, size_t len, void *user)
{
	(void)user;
	size_t n = 1;
	while (n < len && ((unsigned char)rest[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static size_t next_cut(const char *rest, size_t len, void *user)
{
	size_t *first = user, n = *first;
	(void)rest;
	*first = len;
	return n && n < len ? n : len;
}

static size_t next_random(const char *rest, size_t len, void *user)
{
	uint64_t *state = user;
	(void)rest;
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	size_t n = 1 + (*state >> 33) % 4;
	return n < len ? n : len;
}

START_TEST(feed_whole_finds_the_first_match)
{
	struct expected want = find_first(cases[_i].strings, count_of(cases[_i].strings), cases[_i].text,
					  strlen(cases[_i].text));
	ck_assert_int_eq(want.matched, cases[_i].matched);
	ck_assert_uint_eq(want.len, strlen(cases[_i].out));
	check_feeding(cases[_i].strings, count_of(cases[_i].strings), cases[_i].text, next_all, NULL);
}
END_TEST

START_TEST(feed_code_point_at_a_time_equals_whole)
{
	check_feeding(cases[_i].strings, count_of(cases[_i].strings), cases[_i].text, next_code_point, NULL);
}
END_TEST

START_TEST(feed_cut_anywhere_equals_whole)
{
	for (size_t cut = 1; cut < strlen(cases[_i].text); cut++) {
		size_t first = cut;
		check_feeding(cases[_i].strings, count_of(cases[_i].strings), cases[_i].text, next_cut, &first);
	}
}
END_TEST

/* What is complete while the matcher is dormant is text; what begins there and ends later is a match. */
START_TEST(feed_dormant_up_to_anywhere_counts_what_ends_later)
{
	const char *const *strings = cases[_i].strings, *text = cases[_i].text;
	size_t count = count_of(strings), len = strlen(text);
	for (size_t cut = 0; cut <= len; cut++) {
		struct expected want = find_first_from(strings, count, text, len, cut);
		struct gr_buf seen = GR_BUF_INIT(1 << 20);
		struct gr_stop stop;
		struct gr_stop_out out = { .matched = -1 };
		ck_assert_int_eq(gr_stop_init(&stop, strings, count, NULL), INF_OK);
		for (size_t at = 0; at < len; at++) {
			stop.dormant = at < cut;
			ck_assert_int_eq(gr_stop_feed(&stop, text + at, 1, &out, NULL), INF_OK);
			ck_assert(at >= cut || out.matched < 0);
			ck_assert_int_eq(gr_buf_append(&seen, out.text, out.len), INF_OK);
		}
		ck_assert_msg(out.matched == want.matched, "\"%s\" from %zu: matched %d", text, cut, out.matched);
		ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
		ck_assert_int_eq(gr_buf_append(&seen, out.text, out.len), INF_OK);
		ck_assert_uint_eq(seen.len, want.len);
		ck_assert(memcmp(gr_buf_text(&seen), text, want.len) == 0);
		gr_stop_release(&stop);
		gr_buf_release(&seen);
	}
}
END_TEST

/* Of two letters, so that strings overlap themselves and each other all the time. */
START_TEST(feed_random_text_agrees_with_comparing)
{
	uint64_t state = 42;
	for (int round = 0; round < 5000; round++) {
		char storage[STRINGS_MAX][8], text[41];
		const char *strings[STRINGS_MAX];
		size_t count = 1 + next_random("", 4, &state);
		for (size_t i = 0; i < count; i++) {
			size_t len = next_random("", 4, &state) + (round % 3 ? 0 : 3);
			for (size_t k = 0; k < len; k++)
				storage[i][k] = "ab"[next_random("", 4, &state) & 1];
			storage[i][len] = '\0';
			strings[i] = storage[i];
		}
		size_t len = 10 * next_random("", 4, &state);
		for (size_t k = 0; k < len; k++)
			text[k] = "abbb"[next_random("", 4, &state) - 1];
		text[len] = '\0';
		check_feeding(strings, count, text, next_random, &state);
	}
}
END_TEST

START_TEST(feed_with_utf8_gives_whole_code_points)
{
	static const char *const strings[] = { "\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa3", "\xf0\x9f\x98\x80" };
	const char *text = "\xe6\xbc\xa2\xe6\xbc\xa2\xe5\xad\x98 \xf0\x9f\x98\x81\xe6\xbc\xa2!\xe6\xbc\xa2\xe5\xad\x97";
	struct gr_stop stop;
	struct gr_stop_out out = { .matched = -1 };
	ck_assert_int_eq(gr_stop_init(&stop, strings, 3, NULL), INF_OK);
	for (size_t at = 0, n; text[at]; at += n) {
		n = next_code_point(text + at, strlen(text + at), NULL);
		ck_assert_int_eq(gr_stop_feed(&stop, text + at, n, &out, NULL), INF_OK);
		ck_assert(gr_utf8_valid(out.text, out.len));
	}
	ck_assert_int_eq(out.matched, 0);
	gr_stop_release(&stop);
}
END_TEST

START_TEST(feed_without_strings_passes_the_chunk_itself)
{
	struct gr_stop stop;
	struct gr_stop_out out;
	const char *text = "text";
	ck_assert_int_eq(gr_stop_init(&stop, NULL, 0, NULL), INF_OK);
	failmalloc_arm(FAILMALLOC_NEVER);
	inf_status st = gr_stop_feed(&stop, text, 4, &out, NULL);
	failmalloc_disarm();
	ck_assert_int_eq(st, INF_OK);
	ck_assert_uint_eq(failmalloc_count(), 0);
	ck_assert_ptr_eq(out.text, text);
	ck_assert_uint_eq(out.len, 4);
	ck_assert_int_eq(out.matched, -1);
	ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, 0);
	gr_stop_release(&stop);
}
END_TEST

START_TEST(feed_without_a_beginning_passes_the_chunk_itself)
{
	static const char *const strings[] = { "STOP" };
	struct gr_stop stop;
	struct gr_stop_out out;
	const char *text = "text";
	ck_assert_int_eq(gr_stop_init(&stop, strings, 1, NULL), INF_OK);
	failmalloc_arm(FAILMALLOC_NEVER);
	inf_status st = gr_stop_feed(&stop, text, 4, &out, NULL);
	failmalloc_disarm();
	ck_assert_int_eq(st, INF_OK);
	ck_assert_uint_eq(failmalloc_count(), 0);
	ck_assert_ptr_eq(out.text, text);
	ck_assert_uint_eq(out.len, 4);
	gr_stop_release(&stop);
}
END_TEST

START_TEST(feed_after_a_match_is_swallowed)
{
	static const char *const strings[] = { "no", "STOP" };
	struct gr_stop stop;
	struct gr_stop_out out;
	ck_assert_int_eq(gr_stop_init(&stop, strings, 2, NULL), INF_OK);
	ck_assert_int_eq(gr_stop_feed(&stop, "aSTOPb", 6, &out, NULL), INF_OK);
	ck_assert_str_eq(out.text, "a");
	ck_assert_int_eq(gr_stop_feed(&stop, "no more", 7, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(out.matched, 1);
	ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(out.matched, 1);
	gr_stop_release(&stop);
}
END_TEST

START_TEST(feed_after_flush_begins_anew)
{
	static const char *const strings[] = { "STOP" };
	struct gr_stop stop;
	struct gr_stop_out out;
	ck_assert_int_eq(gr_stop_init(&stop, strings, 1, NULL), INF_OK);
	ck_assert_int_eq(gr_stop_feed(&stop, "ST", 2, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
	ck_assert_str_eq(out.text, "ST");
	ck_assert_int_eq(gr_stop_feed(&stop, "OP STOP", 7, &out, NULL), INF_OK);
	ck_assert_str_eq(out.text, "OP ");
	ck_assert_int_eq(out.matched, 0);
	ck_assert_int_eq(gr_stop_flush(&stop, &out, NULL), INF_OK);
	ck_assert_int_eq(gr_stop_feed(&stop, "STOP", 4, &out, NULL), INF_OK);
	ck_assert_int_eq(out.matched, 0);
	gr_stop_release(&stop);
}
END_TEST

START_TEST(init_copies_the_strings)
{
	char text[] = "STOP";
	const char *strings[] = { text };
	struct gr_stop stop;
	struct gr_stop_out out;
	ck_assert_int_eq(gr_stop_init(&stop, strings, 1, NULL), INF_OK);
	memset(text, 'x', 4);
	strings[0] = NULL;
	ck_assert_int_eq(gr_stop_feed(&stop, "aSTOP", 5, &out, NULL), INF_OK);
	ck_assert_int_eq(out.matched, 0);
	gr_stop_release(&stop);
	gr_stop_release(&stop);
	gr_stop_release(NULL);
}
END_TEST

START_TEST(init_at_the_caps_works)
{
	char *text = malloc(GR_STOP_LENGTH_MAX + 1);
	memset(text, 'a', GR_STOP_LENGTH_MAX);
	text[GR_STOP_LENGTH_MAX] = '\0';
	const char *strings[GR_STOP_COUNT_MAX];
	for (size_t i = 0; i < GR_STOP_COUNT_MAX; i++)
		strings[i] = text;
	struct gr_stop stop;
	struct gr_stop_out out;
	ck_assert_int_eq(gr_stop_init(&stop, strings, GR_STOP_COUNT_MAX, NULL), INF_OK);
	ck_assert_int_eq(gr_stop_feed(&stop, text, GR_STOP_LENGTH_MAX - 1, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(gr_stop_feed(&stop, "b", 1, &out, NULL), INF_OK);
	ck_assert_uint_eq(out.len, GR_STOP_LENGTH_MAX);
	ck_assert_int_eq(gr_stop_feed(&stop, text, GR_STOP_LENGTH_MAX, &out, NULL), INF_OK);
	ck_assert_int_eq(out.matched, 0);
	gr_stop_release(&stop);
	free(text);
}
END_TEST

static void expect_refusal(const char *const *strings, size_t count, const char *message)
{
	struct gr_stop stop;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_stop_init(&stop, strings, count, &err), INF_E_INVALID);
	ck_assert_int_eq(err.code, INF_E_INVALID);
	ck_assert_str_eq(err.reason, "stop_strings");
	ck_assert_str_eq(err.message, message);
	gr_stop_release(&stop);
}

START_TEST(init_with_too_many_strings_is_refused)
{
	const char *strings[GR_STOP_COUNT_MAX + 1];
	for (size_t i = 0; i <= GR_STOP_COUNT_MAX; i++)
		strings[i] = "a";
	expect_refusal(strings, GR_STOP_COUNT_MAX + 1, "65 stop strings, at most 64");
}
END_TEST

START_TEST(init_with_a_too_long_string_is_refused)
{
	char *text = malloc(GR_STOP_LENGTH_MAX + 2);
	memset(text, 'a', GR_STOP_LENGTH_MAX + 1);
	text[GR_STOP_LENGTH_MAX + 1] = '\0';
	const char *const strings[] = { "a", text };
	expect_refusal(strings, 2, "stop string 1 is longer than 4096 bytes");
	free(text);
}
END_TEST

START_TEST(init_with_an_empty_string_is_refused)
{
	static const char *const strings[][2] = { { "a", "" }, { "a", NULL } };
	expect_refusal(strings[_i], 2, "stop string 1 is empty");
}
END_TEST

START_TEST(feed_chunk_cap_is_kept)
{
	static const char *const strings[] = { "STOP" };
	struct gr_stop stop;
	struct gr_stop_out out;
	inf_error err = { .struct_size = sizeof err };
	char *text = malloc(GR_STOP_CHUNK_MAX + 2);
	memset(text, 'S', GR_STOP_CHUNK_MAX + 1);
	text[GR_STOP_CHUNK_MAX + 1] = '\0';
	ck_assert_int_eq(gr_stop_init(&stop, strings, 1, NULL), INF_OK);
	ck_assert_int_eq(gr_stop_feed(&stop, text, GR_STOP_CHUNK_MAX, &out, &err), INF_OK);
	ck_assert_uint_eq(out.len, GR_STOP_CHUNK_MAX - 1);
	ck_assert_int_eq(gr_stop_feed(&stop, text, GR_STOP_CHUNK_MAX + 1, &out, &err), INF_E_INTERNAL);
	ck_assert_str_eq(err.reason, "stop_chunk_too_long");
	ck_assert_uint_eq(out.len, 0);
	gr_stop_release(&stop);
	free(text);
}
END_TEST

static inf_status match_everything(inf_error *err)
{
	static const char *const strings[] = { "STOP", "<|im_end|>" };
	struct gr_stop stop;
	struct gr_stop_out out;
	inf_status st = gr_stop_init(&stop, strings, 2, err);
	if (st == INF_OK)
		st = gr_stop_feed(&stop, "some text ST", 12, &out, err);
	if (st == INF_OK)
		st = gr_stop_feed(&stop, "and <|im_", 9, &out, err);
	if (st == INF_OK)
		st = gr_stop_flush(&stop, &out, err);
	gr_stop_release(&stop);
	return st;
}

START_TEST(feed_survives_oom)
{
	long n = 0;
	for (;; n++) {
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = match_everything(&err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(err.code, st);
		if (!fired)
			break;
	}
	ck_assert_int_gt(n, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stop");
	TCase *tc = tcase_create("stop");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, feed_whole_finds_the_first_match, 0, CASES);
	tcase_add_loop_test(tc, feed_code_point_at_a_time_equals_whole, 0, CASES);
	tcase_add_loop_test(tc, feed_cut_anywhere_equals_whole, 0, CASES);
	tcase_add_loop_test(tc, feed_dormant_up_to_anywhere_counts_what_ends_later, 0, CASES);
	tcase_add_test(tc, feed_random_text_agrees_with_comparing);
	tcase_add_test(tc, feed_with_utf8_gives_whole_code_points);
	tcase_add_test(tc, feed_without_strings_passes_the_chunk_itself);
	tcase_add_test(tc, feed_without_a_beginning_passes_the_chunk_itself);
	tcase_add_test(tc, feed_after_a_match_is_swallowed);
	tcase_add_test(tc, feed_after_flush_begins_anew);
	tcase_add_test(tc, init_copies_the_strings);
	tcase_add_test(tc, init_at_the_caps_works);
	tcase_add_test(tc, init_with_too_many_strings_is_refused);
	tcase_add_test(tc, init_with_a_too_long_string_is_refused);
	tcase_add_loop_test(tc, init_with_an_empty_string_is_refused, 0, 2);
	tcase_add_test(tc, feed_chunk_cap_is_kept);
	tcase_add_test(tc, feed_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
