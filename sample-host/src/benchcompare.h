/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHCOMPARE_H
#define INFER_BENCHCOMPARE_H

#include "benchreport.h"
#include "text.h"

/*
 * benchcompare: two reports side by side: of each result that is in both, whether it differs beyond its own spread, as
 * bench_compare() has it. Pure.
 */
enum { BENCH_CHANGES_MAX = BENCH_ROWS_MAX * (1 + BENCH_POINTS_MAX * (BENCH_METRIC_COUNT - 1)) };

struct bench_change {
	const char *setting;		/* the first report's */
	int32_t streams;		/* 0 = of the load */
	enum bench_metric metric;
	const struct bench_stat *before, *after;
	enum bench_verdict verdict;
	double percent;
};

struct bench_comparison {
	const struct bench_report *before, *after;	/* borrowed */
	struct bench_change changes[BENCH_CHANGES_MAX];
	size_t count;
	size_t counts[BENCH_TOO_FEW + 1];	/* of each verdict */
	size_t alone;			/* results that are in one report only */
};

void bench_comparison_make(struct bench_comparison *self, const struct bench_report *before,
			   const struct bench_report *after);

/* "the model, the devices": what makes the two reports ones of different things; nothing where they are alike. */
void bench_comparison_add_differences(const struct bench_comparison *self, struct text *out);

#endif
