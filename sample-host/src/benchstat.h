/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHSTAT_H
#define INFER_BENCHSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * benchstat: what a list of measurements comes to, and whether two of them differ. Pure.
 *
 * Two results differ if their ranges, smallest to largest, do not overlap. Of n measurements before and n after, taken
 * from the same distribution, all n of one side lie above the other's in 2 of C(2n, n) cases: 2.9 % for 4, 0.8 % for 5.
 * With less than BENCH_COMPARE_MIN on a side that is no evidence, and nothing is said.
 */
enum { BENCH_COMPARE_MIN = 4 };

struct bench_stat {
	size_t count;			/* 0 = not measured, the rest is 0 */
	double median, p25, p75, p95, min, max;
};

/* Sorts the values. Between two of them a quantile is interpolated. */
struct bench_stat bench_stat_of(double *values, size_t count);

enum bench_verdict { BENCH_SAME, BENCH_BETTER, BENCH_WORSE, BENCH_TOO_FEW };

/* repetitions: independent measurements behind each, the smaller number. */
enum bench_verdict bench_compare(const struct bench_stat *before, const struct bench_stat *after, size_t repetitions,
				 bool is_more_better);
/* Of the median; 0 where it was 0. */
double bench_percent(const struct bench_stat *before, const struct bench_stat *after);

const char *bench_verdict_name(enum bench_verdict verdict);	/* "same", "better", "worse", "too few" */

/* Counts in buckets of which twelve make a decade, from 1 microsecond to 100 seconds; what is beyond is in the last one
 * at its side. */
enum { BENCH_BUCKETS_DECADE = 12, BENCH_BUCKETS = 8 * BENCH_BUCKETS_DECADE };

struct bench_histogram {
	uint64_t counts[BENCH_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *self, double ms);
void bench_histogram_merge(struct bench_histogram *self, const struct bench_histogram *other);
uint64_t bench_histogram_total(const struct bench_histogram *self);
double bench_bucket_ms(size_t bucket);	/* where it begins */

#endif
