/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHREPORT_H
#define INFER_BENCHREPORT_H

#include "benchstat.h"
#include "failure.h"

/*
 * benchreport: what infer bench measured, and what is needed to measure it again. One row for each value of --sweep, or one
 * row; in it one point for each number of streams.
 */
enum {
	BENCH_ROWS_MAX = 16,
	BENCH_POINTS_MAX = 8,
	BENCH_STREAMS_MAX = 64,
	BENCH_REPETITIONS_MAX = 100,
	BENCH_FACT_MAX = 256,		/* bytes */
	BENCH_COMMAND_MAX = 2048,
};

enum bench_metric {
	BENCH_LOAD,			/* of the row; all others are of a point */
	BENCH_TOTAL_RATE,
	BENCH_RATIO,
	BENCH_PREFILL_RATE,
	BENCH_DECODE_RATE,
	BENCH_FIRST_TOKEN,
	BENCH_OVERHEAD,
	BENCH_METRIC_COUNT
};

struct bench_metric_spec {
	const char *key, *title, *unit;
	bool is_more_better;
};

/* A generation, in ms since the first of its repetition began. */
struct bench_span {
	double begin, slot, first, last, end;
};

struct bench_point {
	int32_t streams;
	size_t repetitions;		/* that were measured */
	int64_t prompt_tokens, generated_tokens;	/* of each generation */
	struct bench_stat stats[BENCH_METRIC_COUNT];
	struct bench_histogram gaps;	/* ms from token to token */
	struct bench_span spans[BENCH_STREAMS_MAX];	/* of the last repetition */
};

struct bench_row {
	char setting[BENCH_FACT_MAX];	/* "threads=2"; "" = no sweep */
	struct bench_stat load;
	int32_t context_len, slots;
	struct bench_point points[BENCH_POINTS_MAX];
	size_t point_count;
	inf_error error;		/* code INF_OK = none; else what is there was measured before it */
};

struct bench_report {
	char date[BENCH_FACT_MAX];	/* "2026-01-31T12:00:00Z" */
	char infer[BENCH_FACT_MAX], library[BENCH_FACT_MAX];	/* versions */
	char backend[BENCH_FACT_MAX], backend_version[BENCH_FACT_MAX];
	char model[BENCH_FACT_MAX], model_type[BENCH_FACT_MAX];
	uint64_t model_bytes;
	char devices[BENCH_FACT_MAX], system[BENCH_FACT_MAX];
	int32_t cpus;
	char command[BENCH_COMMAND_MAX];
	int32_t prompt_tokens, gen_tokens, repetitions;	/* that were asked for */
	bool is_whole;
	struct bench_row rows[BENCH_ROWS_MAX];
	size_t row_count;
};

const struct bench_metric_spec *bench_metric_spec(enum bench_metric metric);
/* BENCH_LOAD is the row's, with point NULL. */
const struct bench_stat *bench_stat_in(const struct bench_row *row, const struct bench_point *point,
				       enum bench_metric metric);

/* Go through all that was measured: row by row, its load, then the metrics of each point, but for the ratio of one stream
 * to itself. A walk begins zeroed. */
struct bench_walk {
	const struct bench_row *row;
	const struct bench_point *point;	/* NULL = the load */
	enum bench_metric metric;
	const struct bench_stat *stat;
	size_t row_index, point_index, next;
};

bool bench_walk_next(struct bench_walk *self, const struct bench_report *report);

#endif
