/* SPDX-License-Identifier: MIT */
#include "benchcompare.h"

#include <string.h>

static const struct bench_row *find_row(const struct bench_report *report, const char *setting)
{
	for (size_t i = 0; i < report->row_count; i++)
		if (!strcmp(report->rows[i].setting, setting))
			return &report->rows[i];
	return NULL;
}

static const struct bench_point *find_point(const struct bench_row *row, int32_t streams)
{
	for (size_t i = 0; i < row->point_count; i++)
		if (row->points[i].streams == streams)
			return &row->points[i];
	return NULL;
}

/* The result of the same setting, streams and metric, or NULL. */
static const struct bench_stat *find(const struct bench_report *report, const struct bench_walk *at, size_t *repetitions)
{
	const struct bench_row *row = find_row(report, at->row->setting);
	const struct bench_point *point = row && at->point ? find_point(row, at->point->streams) : NULL;
	if (!row || (at->point && !point))
		return NULL;
	const struct bench_stat *stat = bench_stat_in(row, point, at->metric);
	*repetitions = point ? point->repetitions : stat->count;
	return stat->count ? stat : NULL;
}

static size_t count_all(const struct bench_report *report)
{
	size_t count = 0;
	for (struct bench_walk walk = { 0 }; bench_walk_next(&walk, report);)
		count++;
	return count;
}

void bench_comparison_make(struct bench_comparison *self, const struct bench_report *before,
			   const struct bench_report *after)
{
	size_t missing = 0, there;
	*self = (struct bench_comparison){ .before = before, .after = after };
	for (struct bench_walk at = { 0 }; bench_walk_next(&at, before);) {
		const struct bench_stat *other = find(after, &at, &there);
		if (!other) {
			missing++;
			continue;
		}
		size_t here = at.point ? at.point->repetitions : at.stat->count;
		struct bench_change *change = &self->changes[self->count++];
		*change = (struct bench_change){
			.setting = at.row->setting, .streams = at.point ? at.point->streams : 0, .metric = at.metric,
			.before = at.stat, .after = other, .percent = bench_percent(at.stat, other),
			.verdict = bench_compare(at.stat, other, here < there ? here : there,
						 bench_metric_spec(at.metric)->is_more_better),
		};
		self->counts[change->verdict]++;
	}
	size_t others = count_all(after);	/* a report with the same row twice may have fewer than were found in it */
	self->alone = missing + (others > self->count ? others - self->count : 0);
}

void bench_comparison_add_differences(const struct bench_comparison *self, struct text *out)
{
	const struct bench_report *a = self->before, *b = self->after;
	const struct {
		bool differs;
		const char *what;
	} differences[] = {
		{ strcmp(a->model, b->model) || a->model_bytes != b->model_bytes, "the model" },
		{ strcmp(a->backend, b->backend) != 0, "the backend" },
		{ strcmp(a->devices, b->devices) != 0, "the devices" },
		{ strcmp(a->system, b->system) || a->cpus != b->cpus, "the machine" },
		{ a->prompt_tokens != b->prompt_tokens, "the tokens of the prompt" },
		{ a->gen_tokens != b->gen_tokens, "the tokens generated" },
	};
	for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
		if (differences[i].differs)
			text_printf(out, "%s%s", out->len ? ", " : "", differences[i].what);
}
