/* SPDX-License-Identifier: MIT */
#include "benchjson.h"
#include "benchpage.h"
#include "benchview.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { PAGE_MAX = 1 << 20, ALL = 2 * 2 * (BENCH_METRIC_COUNT - 1) };

static struct bench_report before, after, again;
static struct bench_comparison comparison;
static struct text text;

static struct bench_stat around(double median)
{
	return (struct bench_stat){ 5, median, median * 0.98, median * 1.02, median * 1.04, median * 0.95, median * 1.05 };
}

/* Two settings, each with one stream and with two: a load and twice all metrics, but for the ratio of one stream. */
static void fill(struct bench_report *report)
{
	memset(report, 0, sizeof *report);
	strcpy(report->model, "a.gguf");
	strcpy(report->backend, "echo");
	strcpy(report->devices, "cpu");
	report->model_bytes = 1000;
	report->prompt_tokens = 8;
	report->gen_tokens = 4;
	report->row_count = 2;
	for (size_t r = 0; r < report->row_count; r++) {
		struct bench_row *row = &report->rows[r];
		strcpy(row->setting, r ? "threads=2" : "threads=1");
		row->load = around(100);
		row->point_count = 2;
		for (size_t i = 0; i < row->point_count; i++) {
			row->points[i].streams = (int32_t)i + 1;
			row->points[i].repetitions = 5;
			for (size_t m = BENCH_LOAD + 1; m < BENCH_METRIC_COUNT; m++)
				row->points[i].stats[m] = around(10 * (double)m);
			bench_histogram_add(&row->points[i].gaps, 1.5);
		}
	}
}

static void setup(void)
{
	fill(&before);
	fill(&after);
	memset(&again, 0, sizeof again);
	text = (struct text)TEXT_INIT(PAGE_MAX);
}

static void teardown(void)
{
	text_release(&text);
}

/* ---- comparing ---- */

START_TEST(report_against_itself_is_the_same)
{
	bench_comparison_make(&comparison, &before, &after);
	ck_assert_uint_eq(comparison.count, ALL);
	ck_assert_uint_eq(comparison.counts[BENCH_SAME], ALL);
	ck_assert_uint_eq(comparison.alone, 0);
	bench_comparison_add_differences(&comparison, &text);
	ck_assert_uint_eq(text.len, 0);
}
END_TEST

static const struct {
	enum bench_metric metric;
	double factor;
	enum bench_verdict verdict;
} cases[] = {
	{ BENCH_TOTAL_RATE, 2, BENCH_BETTER }, { BENCH_TOTAL_RATE, 0.5, BENCH_WORSE }, { BENCH_DECODE_RATE, 1.05, BENCH_SAME },
	{ BENCH_DECODE_RATE, 0.8, BENCH_WORSE }, { BENCH_FIRST_TOKEN, 1.2, BENCH_WORSE },
	{ BENCH_FIRST_TOKEN, 0.8, BENCH_BETTER }, { BENCH_OVERHEAD, 3, BENCH_WORSE }, { BENCH_PREFILL_RATE, 1.2, BENCH_BETTER },
};

START_TEST(one_that_changed_is_found)
{
	struct bench_stat *stat = &after.rows[1].points[0].stats[cases[_i].metric];
	*stat = around(stat->median * cases[_i].factor);
	bench_comparison_make(&comparison, &before, &after);
	size_t expected = cases[_i].verdict == BENCH_SAME ? ALL : 1;
	ck_assert_uint_eq(comparison.counts[cases[_i].verdict], expected);
	for (size_t i = 0; expected == 1 && i < comparison.count; i++) {
		const struct bench_change *change = &comparison.changes[i];
		if (change->verdict == BENCH_SAME)
			continue;
		ck_assert_int_eq(change->metric, cases[_i].metric);
		ck_assert_int_eq(change->streams, 1);
		ck_assert_str_eq(change->setting, "threads=2");
		ck_assert_double_eq_tol(change->percent, (cases[_i].factor - 1) * 100, 1e-6);
	}
}
END_TEST

START_TEST(load_that_changed_is_of_no_stream)
{
	after.rows[0].load = around(300);
	bench_comparison_make(&comparison, &before, &after);
	ck_assert_uint_eq(comparison.counts[BENCH_WORSE], 1);
	ck_assert_int_eq(comparison.changes[0].verdict, BENCH_WORSE);
	ck_assert_int_eq(comparison.changes[0].streams, 0);
	ck_assert_int_eq(comparison.changes[0].metric, BENCH_LOAD);
}
END_TEST

START_TEST(few_repetitions_of_many_streams_are_too_few)
{
	after.rows[0].points[1].repetitions = 3;
	bench_comparison_make(&comparison, &before, &after);
	ck_assert_uint_eq(comparison.counts[BENCH_TOO_FEW], BENCH_METRIC_COUNT - 1);
}
END_TEST

START_TEST(results_in_one_report_are_counted)
{
	after.rows[1].points[1].streams = 4;
	after.rows[0].load.count = 0;
	bench_comparison_make(&comparison, &before, &after);
	ck_assert_uint_eq(comparison.count, ALL - BENCH_METRIC_COUNT);
	ck_assert_uint_eq(comparison.alone, 2 * (BENCH_METRIC_COUNT - 1) + 1);
	strcpy(after.rows[1].setting, after.rows[0].setting);
	bench_comparison_make(&comparison, &after, &before);
	ck_assert_uint_le(comparison.alone, 2 * ALL);
}
END_TEST

START_TEST(another_model_is_named)
{
	after.model_bytes++;
	after.gen_tokens++;
	bench_comparison_make(&comparison, &before, &after);
	bench_comparison_add_differences(&comparison, &text);
	ck_assert_str_eq(text_string(&text), "the model, the tokens generated");
}
END_TEST

/* ---- written and read ---- */

START_TEST(report_comes_back_as_it_was_written)
{
	struct failure why = FAILURE_INIT;
	before.rows[0].points[1].stats[BENCH_RATIO] = (struct bench_stat){ 0 };
	benchjson_add_report(&text, &before);
	ck_assert(!text.failed);
	ck_assert_int_eq(benchjson_read(text_string(&text), text.len, "a.json", &again, &why), EXIT_DONE);
	bench_comparison_make(&comparison, &before, &again);
	ck_assert_uint_eq(comparison.count, ALL - 1);
	ck_assert_uint_eq(comparison.counts[BENCH_SAME], ALL - 1);
	bench_comparison_add_differences(&comparison, &text);
	ck_assert_double_eq_tol(again.rows[1].points[0].stats[BENCH_DECODE_RATE].p95,
				before.rows[1].points[0].stats[BENCH_DECODE_RATE].p95, 1e-6);
}
END_TEST

START_TEST(report_that_is_cut_is_refused)
{
	benchjson_add_report(&text, &before);
	for (size_t len = 0; len + 1 < text.len; len += 7) {
		struct failure why = FAILURE_INIT;
		memset(&again, 0, sizeof again);
		ck_assert_int_eq(benchjson_read(text_string(&text), len, "a.json", &again, &why), EXIT_FAILED);
		ck_assert_str_eq(why.error.reason, "bench_file");
		ck_assert_ptr_nonnull(strstr(why.error.message, "a.json"));
	}
}
END_TEST

/* What is put in the place of what. */
static const struct { const char *old, *new; } hostile[] = {
	{ "infer-bench/1", "infer-bench/2" }, { "\"rows\":[", "\"rows\":{}, \"more\":[" }, { "\"streams\":1", "\"streams\":0" },
	{ "\"streams\":1", "\"streams\":-1" }, { "\"streams\":1", "\"streams\":99999999999" },
	{ "\"streams\":1", "\"streams\":\"1\"" },
	{ "\"repetitions\":5", "\"repetitions\":-5" }, { "\"count\":5", "\"count\":1.5" },
	{ "\"median\":100.000000", "\"median\":1e999" },
	{ "\"median\":100.000000", "\"median\":null" }, { "\"median\":100.000000", "\"median\":1000" },
	{ "\"median\":100.000000", "\"other\":1000" }, { "\"load_ms\":{", "\"load_ms\":[], \"was\":{" },
	{ "\"points\":[{", "\"points\":[7,{" }, { "\"setting\":\"threads=1\"", "\"setting\":7" },
};

START_TEST(report_that_makes_no_sense_is_refused)
{
	struct failure why = FAILURE_INIT;
	struct text changed = TEXT_INIT(PAGE_MAX);
	benchjson_add_report(&text, &before);
	const char *at = strstr(text_string(&text), hostile[_i].old);
	ck_assert_ptr_nonnull(at);
	text_add(&changed, text_string(&text), (size_t)(at - text_string(&text)));
	text_puts(&changed, hostile[_i].new);
	text_puts(&changed, at + strlen(hostile[_i].old));
	ck_assert_int_eq(benchjson_read(text_string(&changed), changed.len, "a.json", &again, &why), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "bench_file");
	text_release(&changed);
}
END_TEST

static void add_rows(size_t count)
{
	text_reset(&text);
	text_puts(&text, "{\"format\":\"infer-bench/1\",\"model\":\"\",\"backend\":\"\",\"devices\":\"\",\"system\":\"\","
			 "\"model_bytes\":0,\"cpus\":1,\"prompt_tokens\":8,\"gen_tokens\":4,\"rows\":[");
	for (size_t i = 0; i < count; i++)
		text_printf(&text, "%s{\"setting\":\"\",\"load_ms\":null,\"points\":[]}", i ? "," : "");
	text_puts(&text, "]}");
}

START_TEST(rows_are_read_up_to_the_cap)
{
	struct failure why = FAILURE_INIT;
	add_rows(BENCH_ROWS_MAX);
	ck_assert_int_eq(benchjson_read(text_string(&text), text.len, "a.json", &again, &why), EXIT_DONE);
	ck_assert_uint_eq(again.row_count, BENCH_ROWS_MAX);
	add_rows(BENCH_ROWS_MAX + 1);
	ck_assert_int_eq(benchjson_read(text_string(&text), text.len, "a.json", &again, &why), EXIT_FAILED);
}
END_TEST

/* ---- shown ---- */

START_TEST(csv_has_a_line_for_each_result)
{
	size_t lines = 0;
	strcpy(before.rows[0].setting, "odd=\"x\"");
	benchview_add_csv(&text, &before);
	for (const char *at = text_string(&text); *at; at++)
		lines += *at == '\n';
	ck_assert_uint_eq(lines, 1 + ALL);
	ck_assert_ptr_nonnull(strstr(text_string(&text), "\n\"odd=\"\"x\"\"\",2,decode_rate,5,40.000000,"));
}
END_TEST

START_TEST(page_escapes_what_is_not_its_own)
{
	strcpy(before.model, "<script>alert(\"1\")</script>&\x1b\xff");
	strcpy(before.rows[1].setting, "a=<b>");
	strcpy(before.rows[1].error.message, "it's <i>bad</i>");
	before.rows[1].error.code = INF_E_INTERNAL;
	benchpage_add(&text, &before);
	ck_assert(!text.failed);
	ck_assert_ptr_null(strstr(text_string(&text), "<script"));
	ck_assert_ptr_null(strstr(text_string(&text), "<b>"));
	ck_assert_ptr_null(strstr(text_string(&text), "<i>"));
	ck_assert_ptr_null(strchr(text_string(&text), 0x1b));
	ck_assert_ptr_nonnull(strstr(text_string(&text), "&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#38;"
				     "\xef\xbf\xbd\xef\xbf\xbd"));
}
END_TEST

START_TEST(page_of_nothing_has_no_number_that_is_none)
{
	before.row_count = 1;
	before.rows[0].point_count = 0;
	benchpage_add(&text, &before);
	before.rows[0].point_count = 1;
	before.rows[0].points[0].gaps = (struct bench_histogram){ { 0 } };
	memset(before.rows[0].points[0].stats, 0, sizeof before.rows[0].points[0].stats);
	benchpage_add(&text, &before);
	ck_assert(!text.failed);
	ck_assert_ptr_null(strstr(text_string(&text), "nan"));
	ck_assert_ptr_null(strstr(text_string(&text), "inf\""));
}
END_TEST

START_TEST(page_survives_oom)
{
	for (long n = 0;; n++) {
		text_release(&text);
		text = (struct text)TEXT_INIT(PAGE_MAX);
		failmalloc_arm(n);
		benchpage_add(&text, &before);
		bool fired = failmalloc_disarm(), failed = text.failed;
		ck_assert_int_eq(failed, fired);
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("benchcompare");
	TCase *all = tcase_create("all");
	suite_add_tcase(suite, all);
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, report_against_itself_is_the_same);
	tcase_add_loop_test(all, one_that_changed_is_found, 0, ROWS(cases));
	tcase_add_test(all, load_that_changed_is_of_no_stream);
	tcase_add_test(all, few_repetitions_of_many_streams_are_too_few);
	tcase_add_test(all, results_in_one_report_are_counted);
	tcase_add_test(all, another_model_is_named);
	tcase_add_test(all, report_comes_back_as_it_was_written);
	tcase_add_test(all, report_that_is_cut_is_refused);
	tcase_add_loop_test(all, report_that_makes_no_sense_is_refused, 0, ROWS(hostile));
	tcase_add_test(all, rows_are_read_up_to_the_cap);
	tcase_add_test(all, csv_has_a_line_for_each_result);
	tcase_add_test(all, page_escapes_what_is_not_its_own);
	tcase_add_test(all, page_of_nothing_has_no_number_that_is_none);
	tcase_add_test(all, page_survives_oom);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
