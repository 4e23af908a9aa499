/* SPDX-License-Identifier: MIT */
#include "benchreport.h"

static const struct bench_metric_spec specs[BENCH_METRIC_COUNT] = {
	[BENCH_LOAD] = { "load_ms", "load", "ms", false },
	[BENCH_TOTAL_RATE] = { "total_rate", "all streams", "tokens/s", true },
	[BENCH_RATIO] = { "ratio", "against one", "times", true },
	[BENCH_PREFILL_RATE] = { "prefill_rate", "prefill", "tokens/s", true },
	[BENCH_DECODE_RATE] = { "decode_rate", "decode", "tokens/s", true },
	[BENCH_FIRST_TOKEN] = { "first_token_ms", "first token", "ms", false },
	[BENCH_OVERHEAD] = { "overhead_ms", "overhead", "ms", false },
};

const struct bench_metric_spec *bench_metric_spec(enum bench_metric metric)
{
	return &specs[metric];
}

const struct bench_stat *bench_stat_in(const struct bench_row *row, const struct bench_point *point,
				       enum bench_metric metric)
{
	return point ? &point->stats[metric] : &row->load;
}

static bool step(struct bench_walk *self, const struct bench_report *report)
{
	if (self->row_index >= report->row_count)
		return false;
	self->row = &report->rows[self->row_index];
	self->metric = (enum bench_metric)self->next++;
	self->point = self->metric == BENCH_LOAD ? NULL : &self->row->points[self->point_index];
	if (self->point && self->point_index >= self->row->point_count) {
		self->row_index++;
		self->point_index = self->next = 0;
		self->point = NULL;
		self->stat = NULL;
		return true;
	}
	if (self->next == BENCH_METRIC_COUNT) {
		self->point_index++;
		self->next = BENCH_LOAD + 1;
	}
	self->stat = bench_stat_in(self->row, self->point, self->metric);
	return true;
}

bool bench_walk_next(struct bench_walk *self, const struct bench_report *report)
{
	while (step(self, report)) {
		bool is_one = self->metric == BENCH_RATIO && self->point && self->point->streams == 1;
		if (self->stat && self->stat->count && !is_one)
			return true;
	}
	return false;
}
