/* SPDX-License-Identifier: MIT */
#include "benchstat.h"

#include <check.h>
#include <stdlib.h>

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { VALUES_MAX = 6 };

/* ---- what values come to ---- */

static const struct {
	double values[VALUES_MAX];
	size_t count;
	double median, p25, p75, p95, min, max;
} stats[] = {
	{ { 7 }, 1, 7, 7, 7, 7, 7, 7 },
	{ { 3, 1 }, 2, 2, 1.5, 2.5, 2.9, 1, 3 },
	{ { 5, 1, 3 }, 3, 3, 2, 4, 4.8, 1, 5 },
	{ { 4, 1, 3, 2 }, 4, 2.5, 1.75, 3.25, 3.85, 1, 4 },
	{ { 10, 50, 20, 40, 30 }, 5, 30, 20, 40, 48, 10, 50 },
	{ { 2, 2, 2, 2 }, 4, 2, 2, 2, 2, 2, 2 },
	{ { 0, -1, 1 }, 3, 0, -0.5, 0.5, 0.9, -1, 1 },
};

START_TEST(values_have_their_quantiles)
{
	double values[VALUES_MAX];
	for (size_t i = 0; i < VALUES_MAX; i++)
		values[i] = stats[_i].values[i];
	struct bench_stat stat = bench_stat_of(values, stats[_i].count);
	ck_assert_uint_eq(stat.count, stats[_i].count);
	ck_assert_double_eq_tol(stat.median, stats[_i].median, 1e-9);
	ck_assert_double_eq_tol(stat.p25, stats[_i].p25, 1e-9);
	ck_assert_double_eq_tol(stat.p75, stats[_i].p75, 1e-9);
	ck_assert_double_eq_tol(stat.p95, stats[_i].p95, 1e-9);
	ck_assert_double_eq(stat.min, stats[_i].min);
	ck_assert_double_eq(stat.max, stats[_i].max);
}
END_TEST

START_TEST(no_values_are_no_result)
{
	struct bench_stat stat = bench_stat_of(NULL, 0);
	ck_assert_uint_eq(stat.count, 0);
	ck_assert_double_eq(stat.median, 0);
}
END_TEST

/* ---- what differs ---- */

static const struct {
	struct bench_stat before, after;
	size_t repetitions;
	enum bench_verdict more, less;		/* where more, or less, is better */
} changes[] = {
	{ { 5, 10, 0, 0, 0, 9, 11 }, { 5, 10, 0, 0, 0, 9, 11 }, 5, BENCH_SAME, BENCH_SAME },
	{ { 5, 10, 0, 0, 0, 9, 11 }, { 5, 13, 0, 0, 0, 12, 14 }, 5, BENCH_BETTER, BENCH_WORSE },
	{ { 5, 13, 0, 0, 0, 12, 14 }, { 5, 10, 0, 0, 0, 9, 11 }, 5, BENCH_WORSE, BENCH_BETTER },
	{ { 5, 10, 0, 0, 0, 9, 11 }, { 5, 12, 0, 0, 0, 11, 14 }, 5, BENCH_SAME, BENCH_SAME },	/* they touch */
	{ { 5, 10, 0, 0, 0, 9, 30 }, { 5, 20, 0, 0, 0, 12, 25 }, 5, BENCH_SAME, BENCH_SAME },	/* twice as much, but noise */
	{ { 4, 10, 0, 0, 0, 9, 11 }, { 4, 13, 0, 0, 0, 12, 14 }, 4, BENCH_BETTER, BENCH_WORSE },
	{ { 3, 10, 0, 0, 0, 9, 11 }, { 5, 13, 0, 0, 0, 12, 14 }, 5, BENCH_TOO_FEW, BENCH_TOO_FEW },
	{ { 5, 10, 0, 0, 0, 9, 11 }, { 3, 13, 0, 0, 0, 12, 14 }, 5, BENCH_TOO_FEW, BENCH_TOO_FEW },
	{ { 8, 10, 0, 0, 0, 9, 11 }, { 8, 13, 0, 0, 0, 12, 14 }, 3, BENCH_TOO_FEW, BENCH_TOO_FEW },	/* of streams */
};

START_TEST(ranges_that_do_not_overlap_differ)
{
	const struct bench_stat *before = &changes[_i].before, *after = &changes[_i].after;
	ck_assert_int_eq(bench_compare(before, after, changes[_i].repetitions, true), changes[_i].more);
	ck_assert_int_eq(bench_compare(before, after, changes[_i].repetitions, false), changes[_i].less);
}
END_TEST

START_TEST(change_is_that_of_the_median)
{
	const struct bench_stat none = { 0 }, ten = { .median = 10 }, eight = { .median = 8 };
	ck_assert_double_eq_tol(bench_percent(&ten, &eight), -20, 1e-9);
	ck_assert_double_eq_tol(bench_percent(&eight, &ten), 25, 1e-9);
	ck_assert_double_eq(bench_percent(&none, &ten), 0);
}
END_TEST

/* ---- histograms ---- */

static const struct {
	double ms;
	size_t bucket;
} buckets[] = {
	{ -1, 0 }, { 0, 0 }, { 0.0005, 0 }, { 0.001, 0 }, { 0.00121, 0 }, { 0.00122, 1 }, { 0.01, 12 }, { 1, 36 }, { 9.9, 47 },
	{ 10, 48 }, { 99999, 95 }, { 100000, 95 }, { 1e12, 95 },
};

START_TEST(value_is_counted_in_its_bucket)
{
	struct bench_histogram histogram = { { 0 } }, sum = { { 0 } };
	bench_histogram_add(&histogram, buckets[_i].ms);
	ck_assert_uint_eq(histogram.counts[buckets[_i].bucket], 1);
	bench_histogram_merge(&sum, &histogram);
	bench_histogram_merge(&sum, &histogram);
	ck_assert_uint_eq(sum.counts[buckets[_i].bucket], 2);
	ck_assert_uint_eq(bench_histogram_total(&sum), 2);
}
END_TEST

START_TEST(bucket_begins_where_its_values_do)
{
	for (size_t i = 1; i < BENCH_BUCKETS; i++) {
		struct bench_histogram histogram = { { 0 } };
		bench_histogram_add(&histogram, bench_bucket_ms(i) * 1.0001);
		bench_histogram_add(&histogram, bench_bucket_ms(i) * 0.9999);
		ck_assert_uint_eq(histogram.counts[i], 1);
		ck_assert_uint_eq(histogram.counts[i - 1], 1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("benchstat");
	TCase *all = tcase_create("all");
	suite_add_tcase(suite, all);
	tcase_add_loop_test(all, values_have_their_quantiles, 0, ROWS(stats));
	tcase_add_test(all, no_values_are_no_result);
	tcase_add_loop_test(all, ranges_that_do_not_overlap_differ, 0, ROWS(changes));
	tcase_add_test(all, change_is_that_of_the_median);
	tcase_add_loop_test(all, value_is_counted_in_its_bucket, 0, ROWS(buckets));
	tcase_add_test(all, bucket_begins_where_its_values_do);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
