/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "wire_scan.h"

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static struct gr_scan over(const char *json, size_t len)
{
	return (struct gr_scan){ .at = json, .end = json + len };
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */
/* How much of it is taken as each kind; -1 = it is left. */
static const struct {
	const char *json;
	int count, real, any;
} numbers[] = {
	{ "0", 1, -1, 1 }, { "7", 1, -1, 1 }, { "123456789,", 9, -1, 9 }, { "1234567890", 9, -1, 10 }, { "00", -1, -1, -1 },
	{ "01", -1, -1, -1 }, { "-1", -1, -1, 2 }, { "-0", -1, -1, 2 }, { "", -1, -1, -1 }, { "-", -1, -1, -1 }, { "x", -1, -1, -1 },
	{ "+1", -1, -1, -1 }, { "999999999999999999", 9, -1, 18 }, { "1000000000000000000", 9, -1, 18 },
	{ "0.0", 1, 3, 3 }, { "-0.5}", -1, 4, 4 }, { "1.", 1, -1, -1 }, { ".5", -1, -1, -1 }, { "1e5", 1, 3, 3 }, { "1E-5", 1, 4, 4 },
	{ "1.5e+05,", 1, 7, 7 }, { "1e", 1, -1, -1 }, { "1e+", 1, -1, -1 }, { "1e+-1", 1, -1, -1 }, { "01.5", -1, -1, -1 },
	{ "1e400", 1, -1, 5 }, { "-1e400", -1, -1, 6 }, { "1e-400", 1, 6, 6 },
	{ "0.1234567890123456789012345678901234567890123456789012345678901", 1, 63, 63 },
	{ "0.12345678901234567890123456789012345678901234567890123456789012", 1, -1, -1 },
};

static void check_taken(const struct gr_scan *scan, const char *json, bool taken, int len)
{
	ck_assert_msg(taken == (len >= 0), "%s", json);
	if (taken)
		ck_assert_msg(scan->at - json == len, "%s: %d", json, (int)(scan->at - json));
	ck_assert(scan->at <= scan->end && !scan->no_memory);
}

START_TEST(number_is_taken_as_far_as_it_is_one)
{
	const char *json = numbers[_i].json;
	int32_t n;
	double value;
	struct gr_scan scan = over(json, strlen(json));
	check_taken(&scan, json, gr_scan_count(&scan, &n), numbers[_i].count);
	if (numbers[_i].count >= 0) {
		char taken[16] = "";
		memcpy(taken, json, (size_t)numbers[_i].count);
		ck_assert_int_eq(n, strtol(taken, NULL, 10));
	}
	scan = over(json, strlen(json));
	check_taken(&scan, json, gr_scan_real(&scan, &value), numbers[_i].real);
	if (numbers[_i].real >= 0)
		ck_assert_double_eq(value, strtod(json, NULL));
	scan = over(json, strlen(json));
	check_taken(&scan, json, gr_scan_skip_number(&scan), numbers[_i].any);
}
END_TEST

/* ---- text ------------------------------------------------------------------------------------------------------ */
#define TEXT(literal) literal, sizeof literal - 1

static const struct {
	const char *json;
	size_t json_len;
	int len;		/* with the quote; -1 = it is left */
	int skipped;		/* the same, where nobody reads it */
	const char *text;
	size_t text_len;
} texts[] = {
	{ TEXT("\"x"), 1, 1, TEXT("") }, { TEXT("a b\","), 4, 4, TEXT("a b") }, { TEXT("a"), -1, -1, TEXT("") },
	{ TEXT(""), -1, -1, TEXT("") }, { TEXT("a\\\"b\""), 5, 5, TEXT("a\"b") }, { TEXT("\\u20ac\\u0000\""), 13, 13, TEXT("\xe2\x82\xac\0") },
	{ TEXT("\\n\\t\\b\\f\\r\\/\\\\\""), 15, 15, TEXT("\n\t\b\f\r/\\") }, { TEXT("\\x\""), -1, -1, TEXT("") },
	{ TEXT("\\\0\""), -1, -1, TEXT("") }, { TEXT("\0\""), -1, -1, TEXT("") }, { TEXT("\n\""), -1, -1, TEXT("") },
	{ TEXT("\\"), -1, -1, TEXT("") }, { TEXT("\\u00e"), -1, -1, TEXT("") }, { TEXT("\\u00g0\""), -1, -1, TEXT("") },
	{ TEXT("\\ud83d\\ude00\""), -1, -1, TEXT("") }, { TEXT("\\udfff\""), -1, -1, TEXT("") }, { TEXT("\\ue000\""), 7, 7, TEXT("\xee\x80\x80") },
	{ TEXT("\xff\""), -1, 2, TEXT("") }, { TEXT("\xc3\\n\""), -1, 4, TEXT("") }, { TEXT("\xf0\x9f\x98\x80\""), 5, 5, TEXT("\xf0\x9f\x98\x80") },
};

START_TEST(text_is_taken_up_to_its_quote)
{
	struct gr_buf text = GR_BUF_INIT(64);
	char *json = malloc(texts[_i].json_len + !texts[_i].json_len);	/* just that size: a sanitizer sees a read beyond it */
	ck_assert_ptr_nonnull(json);
	memcpy(json, texts[_i].json, texts[_i].json_len);
	struct gr_scan scan = over(json, texts[_i].json_len);
	check_taken(&scan, json, gr_scan_text(&scan, &text), texts[_i].len);
	if (texts[_i].len >= 0) {
		ck_assert_uint_eq(text.len, texts[_i].text_len);
		ck_assert_mem_eq(gr_buf_text(&text), texts[_i].text, texts[_i].text_len + 1);
	}
	scan = over(json, texts[_i].json_len);
	check_taken(&scan, json, gr_scan_skip_text(&scan), texts[_i].skipped);
	gr_buf_release(&text);
	free(json);
}
END_TEST

START_TEST(text_larger_than_its_buffer_is_left)
{
	static const char fits[] = "abcdefgh\"", more[] = "abcdefghi\"", escaped[] = "abcdefgh\\n\"";
	struct gr_buf text = GR_BUF_INIT(8);
	struct gr_scan scan = over(fits, sizeof fits - 1);
	ck_assert(gr_scan_text(&scan, &text));
	scan = over(more, sizeof more - 1);
	ck_assert(!gr_scan_text(&scan, &text) && !scan.no_memory);
	scan = over(escaped, sizeof escaped - 1);
	ck_assert(!gr_scan_text(&scan, &text) && !scan.no_memory);
	gr_buf_release(&text);
}
END_TEST

START_TEST(text_survives_oom)
{
	static const char json[] = "0123456789012345678901234567890123456789012345678901234567890123456789\\n"
				   "0123456789012345678901234567890123456789012345678901234567890123456789\\n\"";
	for (long n = 0;; n++) {
		struct gr_buf text = GR_BUF_INIT(1024);
		struct gr_scan scan = over(json, sizeof json - 1);
		failmalloc_arm(n);
		bool taken = gr_scan_text(&scan, &text);
		bool fired = failmalloc_disarm();
		gr_buf_release(&text);
		ck_assert_int_eq(taken, !fired);
		ck_assert_int_eq(scan.no_memory, fired);
		if (!fired) {
			ck_assert_int_ge(n, 1);
			return;
		}
	}
}
END_TEST

/* ---- literals -------------------------------------------------------------------------------------------------- */
START_TEST(literal_is_taken_whole_or_not_at_all)
{
	struct gr_scan scan = over("abc", 3);
	ck_assert(!GR_SCAN_LITERAL(&scan, "abcd") && !GR_SCAN_LITERAL(&scan, "b"));
	ck_assert(GR_SCAN_LITERAL(&scan, "ab") && !gr_scan_end(&scan));
	ck_assert(!GR_SCAN_LITERAL(&scan, "cd") && GR_SCAN_LITERAL(&scan, "c") && gr_scan_end(&scan));
	ck_assert(!GR_SCAN_LITERAL(&scan, "c"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_scan");
	TCase *tc = tcase_create("scan");
	tcase_add_loop_test(tc, number_is_taken_as_far_as_it_is_one, 0, ROWS(numbers));
	tcase_add_loop_test(tc, text_is_taken_up_to_its_quote, 0, ROWS(texts));
	tcase_add_test(tc, text_larger_than_its_buffer_is_left);
	tcase_add_test(tc, text_survives_oom);
	tcase_add_test(tc, literal_is_taken_whole_or_not_at_all);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
