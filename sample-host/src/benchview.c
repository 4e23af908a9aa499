/* SPDX-License-Identifier: MIT */
#include "benchview.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

enum { NUMBER_MAX = 32, SETTING_MIN = 7, COLUMN = 10 };

static const char *number(double value, char digits[NUMBER_MAX])
{
	double size = fabs(value);
	snprintf(digits, NUMBER_MAX, "%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3, value);
	return digits;
}

void benchview_add_number(struct text *out, double value)
{
	char digits[NUMBER_MAX];
	text_puts(out, number(value, digits));
}

static void add_column(struct text *out, double value)
{
	char digits[NUMBER_MAX];
	text_printf(out, " %*s", COLUMN, number(value, digits));
}

/* ---- the first columns: whose result, and of what ---- */

static size_t setting_columns(const struct bench_report *report)
{
	size_t most = 0;
	for (size_t i = 0; i < report->row_count; i++) {
		size_t columns = utf8_columns(report->rows[i].setting, strlen(report->rows[i].setting));
		most = columns > most ? columns : most;
	}
	return most && most < SETTING_MIN ? SETTING_MIN : most;
}

static void add_setting(struct text *out, const char *setting, size_t columns)
{
	if (!columns)
		return;
	size_t used = utf8_columns(setting, strlen(setting));
	terminal_add_visible(out, setting, strlen(setting), "");
	text_repeat(out, ' ', (columns > used ? columns - used : 0) + 2);
}

static void add_what(struct text *out, int32_t streams, enum bench_metric metric)
{
	const struct bench_metric_spec *spec = bench_metric_spec(metric);
	if (streams)
		text_printf(out, "%7" PRId32, streams);
	else
		text_puts(out, "      -");
	text_printf(out, "  %-11s  %-8s", spec->title, spec->unit);
}

static void add_heads(struct text *out, size_t setting, const char *rest, const struct terminal *terminal)
{
	text_puts(out, terminal_style(terminal, STYLE_BOLD));
	add_setting(out, "SETTING", setting);
	text_printf(out, "STREAMS  %-11s  %-8s%s%s\n", "WHAT", "UNIT", rest, terminal_plain(terminal, STYLE_BOLD));
}

/* ---- a report ---- */

static void add_fact(struct text *out, const char *name, const char *value)
{
	text_printf(out, "%-9s ", name);
	terminal_add_visible(out, value, strlen(value), "");
	text_puts(out, "\n");
}

static void add_facts(struct text *out, const struct bench_report *report)
{
	char value[4 * BENCH_FACT_MAX];
	snprintf(value, sizeof value, "%s, %.1f MiB%s%s", report->model, (double)report->model_bytes / (1 << 20),
		 report->model_type[0] ? ", " : "", report->model_type);
	add_fact(out, "model", value);
	snprintf(value, sizeof value, "%s %s, infer %s", report->backend, report->backend_version, report->infer);
	add_fact(out, "backend", value);
	snprintf(value, sizeof value, "%s, %d CPUs, %s", report->devices, (int)report->cpus, report->system);
	add_fact(out, "machine", value);
	snprintf(value, sizeof value, "%s, %d times after one to warm up%s", report->date, (int)report->repetitions,
		 report->is_whole ? "" : ": not complete");
	add_fact(out, "measured", value);
}

static void add_errors(struct text *out, const struct bench_report *report)
{
	for (size_t i = 0; i < report->row_count; i++) {
		const struct bench_row *row = &report->rows[i];
		if (row->error.code == INF_OK || !row->setting[0])
			continue;
		terminal_add_visible(out, row->setting, strlen(row->setting), "");
		text_puts(out, ": ");
		terminal_add_visible(out, row->error.message, strlen(row->error.message), "");
		text_puts(out, "\n");
	}
}

void benchview_add_report(struct text *out, const struct bench_report *report, const struct terminal *terminal)
{
	size_t columns = setting_columns(report);
	add_facts(out, report);
	text_puts(out, "\n");
	add_heads(out, columns, "     MEDIAN        MIN        MAX        P95", terminal);
	for (struct bench_walk at = { 0 }; bench_walk_next(&at, report);) {
		add_setting(out, at.row->setting, columns);
		add_what(out, at.point ? at.point->streams : 0, at.metric);
		add_column(out, at.stat->median);
		add_column(out, at.stat->min);
		add_column(out, at.stat->max);
		add_column(out, at.stat->p95);
		text_puts(out, "\n");
	}
	add_errors(out, report);
}

/* ---- CSV ---- */

static void add_quoted(struct text *out, const char *string)
{
	text_puts(out, "\"");
	for (; *string; string++)
		text_puts(out, *string == '"' ? "\"\"" : (char[]){ *string, '\0' });
	text_puts(out, "\"");
}

void benchview_add_csv(struct text *out, const struct bench_report *report)
{
	text_puts(out, "setting,streams,metric,count,median,p25,p75,p95,min,max\n");
	for (struct bench_walk at = { 0 }; bench_walk_next(&at, report);) {
		const struct bench_stat *stat = at.stat;
		add_quoted(out, at.row->setting);
		text_printf(out, ",%" PRId32 ",%s,%zu,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f\n", at.point ? at.point->streams : 0,
			    bench_metric_spec(at.metric)->key, stat->count, stat->median, stat->p25, stat->p75, stat->p95,
			    stat->min, stat->max);
	}
}

/* ---- a comparison ---- */

static void add_verdicts(struct text *out, const struct bench_comparison *self)
{
	text_printf(out, "\n%zu results: %zu better, %zu worse, %zu the same", self->count, self->counts[BENCH_BETTER],
		    self->counts[BENCH_WORSE], self->counts[BENCH_SAME]);
	if (self->counts[BENCH_TOO_FEW])
		text_printf(out, ", %zu from too few repetitions to tell (%d are needed)", self->counts[BENCH_TOO_FEW],
			    BENCH_COMPARE_MIN);
	text_puts(out, "; better or worse is where the ranges do not overlap\n");
	if (self->alone)
		text_printf(out, "%zu more are in one of the files only\n", self->alone);
}

void benchview_add_comparison(struct text *out, const struct bench_comparison *self, const struct terminal *terminal)
{
	static const enum style styles[] = { STYLE_PLAIN, STYLE_GREEN, STYLE_RED, STYLE_DIM };
	size_t columns = setting_columns(self->before);
	struct text differences = TEXT_INIT(BENCH_COMMAND_MAX);
	bench_comparison_add_differences(self, &differences);
	if (differences.len)
		text_printf(out, "Not of the same: %s.\n\n", text_string(&differences));
	add_heads(out, columns, "     BEFORE      AFTER   CHANGE", terminal);
	for (size_t i = 0; i < self->count; i++) {
		const struct bench_change *change = &self->changes[i];
		add_setting(out, change->setting, columns);
		add_what(out, change->streams, change->metric);
		add_column(out, change->before->median);
		add_column(out, change->after->median);
		text_printf(out, " %+6.1f %%  %s%s%s\n", change->percent, terminal_style(terminal, styles[change->verdict]),
			    bench_verdict_name(change->verdict), terminal_plain(terminal, styles[change->verdict]));
	}
	add_verdicts(out, self);
	text_release(&differences);
}
