/* SPDX-License-Identifier: MIT */
#include "benchstat.h"

#include <math.h>
#include <stdlib.h>

static const double first_bucket_ms = 0.001;

static int compare_values(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t count, double share)
{
	double place = share * (double)(count - 1);
	size_t below = (size_t)place;
	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct bench_stat bench_stat_of(double *values, size_t count)
{
	if (!count)
		return (struct bench_stat){ 0 };
	qsort(values, count, sizeof *values, compare_values);
	return (struct bench_stat){
		.count = count,
		.median = quantile(values, count, 0.5),
		.p25 = quantile(values, count, 0.25),
		.p75 = quantile(values, count, 0.75),
		.p95 = quantile(values, count, 0.95),
		.min = values[0],
		.max = values[count - 1],
	};
}

enum bench_verdict bench_compare(const struct bench_stat *before, const struct bench_stat *after, size_t repetitions,
				 bool is_more_better)
{
	if (repetitions < BENCH_COMPARE_MIN || before->count < BENCH_COMPARE_MIN || after->count < BENCH_COMPARE_MIN)
		return BENCH_TOO_FEW;
	if (after->min > before->max)
		return is_more_better ? BENCH_BETTER : BENCH_WORSE;
	if (after->max < before->min)
		return is_more_better ? BENCH_WORSE : BENCH_BETTER;
	return BENCH_SAME;
}

double bench_percent(const struct bench_stat *before, const struct bench_stat *after)
{
	return before->median == 0 ? 0 : (after->median / before->median - 1) * 100;
}

const char *bench_verdict_name(enum bench_verdict verdict)
{
	static const char *const names[] = { "same", "better", "worse", "too few" };
	return names[verdict];
}

/* The small amount more is for a value that is exactly where a bucket begins, or has that digit lost. */
void bench_histogram_add(struct bench_histogram *self, double ms)
{
	double place = ms > first_bucket_ms ? log10(ms / first_bucket_ms) * BENCH_BUCKETS_DECADE + 1e-9 : 0;
	self->counts[place < BENCH_BUCKETS ? (size_t)place : BENCH_BUCKETS - 1]++;
}

void bench_histogram_merge(struct bench_histogram *self, const struct bench_histogram *other)
{
	for (size_t i = 0; i < BENCH_BUCKETS; i++)
		self->counts[i] += other->counts[i];
}

uint64_t bench_histogram_total(const struct bench_histogram *self)
{
	uint64_t total = 0;
	for (size_t i = 0; i < BENCH_BUCKETS; i++)
		total += self->counts[i];
	return total;
}

double bench_bucket_ms(size_t bucket)
{
	return first_bucket_ms * pow(10, (double)bucket / BENCH_BUCKETS_DECADE);
}
