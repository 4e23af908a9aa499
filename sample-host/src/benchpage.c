/* SPDX-License-Identifier: MIT */
#include "benchpage.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "benchview.h"
#include "utf8.h"

/* Of a plot, in its own units. */
enum { WIDTH = 720, HEIGHT = 320, LEFT = 70, RIGHT = 20, TOP = 16, BOTTOM = 46, BAR = 16, BAR_GAP = 6, COLORS = 6, TICKS = 4,
       LABELS = 12, LABEL_MAX = 32 };

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n<title>infer bench</title>\n<style>\n"
	":root { --paper: #fff; --ink: #1b1f24; --faint: #d5dae0; --soft: #59636e;\n"
	"  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #7d4e00; }\n"
	"@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --faint: #30363d; --soft: #9198a1;\n"
	"  --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #f778ba; --c5: #d29922; } }\n"
	"body { background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; max-width: 60rem;\n"
	"  margin: 2rem auto; padding: 0 1rem; }\n"
	"h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }\n"
	"p { margin: .3rem 0; } .soft { color: var(--soft); }\n"
	"table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }\n"
	"th, td { padding: .15rem .7rem; border-bottom: 1px solid var(--faint); text-align: left; }\n"
	"td.n, th.n { text-align: right; } code { overflow-wrap: anywhere; }\n"
	"svg { width: 100%; height: auto; } svg.key { width: 1em; height: .7em; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }\n"
	".axis { stroke: var(--soft); } .grid { stroke: var(--faint); } .line { fill: none; stroke-width: 2; }\n"
	".s0 { stroke: var(--c0); fill: var(--c0); } .s1 { stroke: var(--c1); fill: var(--c1); }\n"
	".s2 { stroke: var(--c2); fill: var(--c2); } .s3 { stroke: var(--c3); fill: var(--c3); }\n"
	".s4 { stroke: var(--c4); fill: var(--c4); } .s5 { stroke: var(--c5); fill: var(--c5); }\n"
	".line.s0, .line.s1, .line.s2, .line.s3, .line.s4, .line.s5 { fill: none; }\n"
	"</style>\n</head>\n<body>\n";

static void add_escaped(struct text *out, const char *string)
{
	uint32_t code;
	for (size_t at = 0, len = strlen(string), n; at < len; at += n) {
		n = utf8_next(string + at, len - at, &code);
		if (code == UTF8_BAD || (code < 0x20 && code != '\n') || code == 0x7f)
			text_puts(out, "\xef\xbf\xbd");
		else if (strchr("<>&\"'", string[at]))
			text_printf(out, "&#%d;", string[at]);
		else
			text_add(out, string + at, n);
	}
}

/* ---- what all plots have ---- */

static void begin_plot(struct text *out, const char *name, const char *title, int height)
{
	text_printf(out, "<svg id=\"%s\" class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\">\n<title>%s</title>\n", name, WIDTH,
		    height, title);
}

static void end_plot(struct text *out)
{
	text_puts(out, "</svg>\n");
}

static void add_line(struct text *out, const char *style, double x1, double y1, double x2, double y2)
{
	text_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", style, x1, y1, x2, y2);
}

static void add_number_at(struct text *out, double x, double y, const char *anchor, double value)
{
	text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	if (value == floor(value) && fabs(value) < 1e9)
		text_printf(out, "%.0f", value);
	else
		benchview_add_number(out, value);
	text_puts(out, "</text>\n");
}

static void add_label(struct text *out, double x, double y, const char *anchor, const char *label)
{
	text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	add_escaped(out, label);
	text_puts(out, "</text>\n");
}

/* Up to where an axis goes that shows `most`: a round number, times the ticks. */
static double axis_end(double most)
{
	double step = most / TICKS, decade = pow(10, floor(log10(step > 0 ? step : 1)));
	static const double nice[] = { 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10 };
	for (size_t i = 0; i < sizeof nice / sizeof nice[0]; i++)
		if (nice[i] * decade * TICKS >= most)
			return nice[i] * decade * TICKS;
	return most;
}

static double x_of(double share)
{
	return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_of(double share)
{
	return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static void add_y_axis(struct text *out, double end)
{
	for (int i = 0; i <= TICKS; i++) {
		double share = (double)i / TICKS;
		add_line(out, i ? "grid" : "axis", LEFT, y_of(share), WIDTH - RIGHT, y_of(share));
		add_number_at(out, LEFT - 8, y_of(share) + 4, "end", end * share);
	}
}

static void add_legend(struct text *out, size_t index, const char *label)
{
	if (!label[0])
		return;
	text_printf(out, "<span class=\"soft\"><svg class=\"key\" viewBox=\"0 0 10 7\"><rect class=\"s%zu\" width=\"10\" height=\"7\"/>"
			 "</svg> ", index % COLORS);
	add_escaped(out, label);
	text_puts(out, "</span>\n");
}

static void add_stream_legend(struct text *out, size_t index, int32_t streams)
{
	char label[LABEL_MAX];
	snprintf(label, sizeof label, "%d stream%s", (int)streams, streams == 1 ? "" : "s");
	add_legend(out, index, label);
}

/* ---- throughput against streams ---- */

static void add_throughput_row(struct text *out, const struct bench_row *row, size_t index, double most_streams, double end)
{
	text_printf(out, "<polyline class=\"line s%zu\" points=\"", index % COLORS);
	for (size_t i = 0; i < row->point_count; i++)
		text_printf(out, "%.1f,%.1f ", x_of(row->points[i].streams / most_streams),
			    y_of(row->points[i].stats[BENCH_TOTAL_RATE].median / end));
	text_puts(out, "\"/>\n");
	for (size_t i = 0; i < row->point_count; i++) {
		const struct bench_stat *stat = &row->points[i].stats[BENCH_TOTAL_RATE];
		double x = x_of(row->points[i].streams / most_streams);
		text_printf(out, "<g class=\"s%zu\"><line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", index % COLORS, x,
			    y_of(stat->min / end), x, y_of(stat->max / end));
		text_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", x, y_of(stat->median / end));
		add_escaped(out, row->setting);
		text_printf(out, " %d streams: ", (int)row->points[i].streams);
		benchview_add_number(out, stat->median);
		text_puts(out, " tokens/s</title></circle></g>\n");
	}
}

/* Is it the first of the report with so many streams? Each has one number below the axis. */
static bool is_first(const struct bench_report *report, size_t row, int32_t streams)
{
	for (size_t r = 0; r < row; r++)
		for (size_t i = 0; i < report->rows[r].point_count; i++)
			if (report->rows[r].points[i].streams == streams)
				return false;
	return true;
}

static void add_stream_axis(struct text *out, const struct bench_report *report, double most)
{
	for (size_t r = 0; r < report->row_count; r++)
		for (size_t i = 0; i < report->rows[r].point_count; i++) {
			int32_t streams = report->rows[r].points[i].streams;
			if (is_first(report, r, streams))
				add_number_at(out, x_of(streams / most), HEIGHT - BOTTOM + 18, "middle", streams);
		}
	add_label(out, WIDTH - RIGHT, HEIGHT - 8, "end", "streams");
}

static void add_throughput(struct text *out, const struct bench_report *report)
{
	double most = 0, streams = 1;
	for (struct bench_walk at = { 0 }; bench_walk_next(&at, report);) {
		if (at.metric != BENCH_TOTAL_RATE)
			continue;
		most = at.stat->max > most ? at.stat->max : most;
		streams = at.point->streams > streams ? at.point->streams : streams;
	}
	double end = axis_end(most > 0 ? most : 1);
	text_puts(out, "<h2>Throughput against streams</h2>\n<p class=\"soft\">Tokens per second of all streams together; the "
		       "median, and a line from the least to the most.</p>\n");
	for (size_t r = 0; r < report->row_count; r++)
		add_legend(out, r, report->rows[r].setting);
	begin_plot(out, "throughput", "Throughput against streams", HEIGHT);
	add_y_axis(out, end);
	add_stream_axis(out, report, streams);
	for (size_t r = 0; r < report->row_count; r++)
		if (report->rows[r].point_count)
			add_throughput_row(out, &report->rows[r], r, streams, end);
	end_plot(out);
}

/* ---- the distribution of latencies ---- */

struct range {
	size_t first, last;		/* buckets */
	double most;			/* the largest share of a point that is in one */
};

static struct range find_range(const struct bench_row *row)
{
	struct range range = { BENCH_BUCKETS, 0, 0 };
	for (size_t p = 0; p < row->point_count; p++) {
		double total = (double)bench_histogram_total(&row->points[p].gaps);
		for (size_t i = 0; i < BENCH_BUCKETS; i++) {
			double count = (double)row->points[p].gaps.counts[i];
			if (!(count > 0))
				continue;
			range.first = i < range.first ? i : range.first;
			range.last = i > range.last ? i : range.last;
			range.most = count / total > range.most ? count / total : range.most;
		}
	}
	return range;
}

static double bucket_x(const struct range *range, size_t bucket)
{
	return x_of((double)(bucket - range->first) / (double)(range->last + 1 - range->first));
}

/* Decades, and between them what there is room for. */
static void add_bucket_axis(struct text *out, const struct range *range)
{
	static const size_t steps[] = { 1, 3, 6, BENCH_BUCKETS_DECADE };
	size_t step = 0;
	while (step + 1 < sizeof steps / sizeof steps[0] && (range->last + 1 - range->first) / steps[step] > LABELS)
		step++;
	for (size_t i = range->first; i <= range->last + 1; i++)
		if (i % steps[step] == 0)
			add_number_at(out, bucket_x(range, i), HEIGHT - BOTTOM + 18, "middle", bench_bucket_ms(i));
	add_label(out, WIDTH - RIGHT, HEIGHT - 8, "end", "ms");
}

static void add_distribution(struct text *out, const struct bench_point *point, size_t index, const struct range *range,
			     double end)
{
	double total = (double)bench_histogram_total(&point->gaps);
	text_printf(out, "<polyline class=\"line s%zu\" points=\"%.1f,%.1f ", index % COLORS, x_of(0), y_of(0));
	for (size_t i = range->first; i <= range->last && total > 0; i++) {
		double y = y_of((double)point->gaps.counts[i] / total * 100 / end);
		text_printf(out, "%.1f,%.1f %.1f,%.1f ", bucket_x(range, i), y, bucket_x(range, i + 1), y);
	}
	text_printf(out, "%.1f,%.1f\"/>\n", x_of(1), y_of(0));
}

static void add_latency(struct text *out, const struct bench_row *row, const char *name)
{
	const struct range range = find_range(row);
	if (range.first > range.last)
		return;
	double end = axis_end(range.most * 100);
	text_puts(out, "<h3>From token to token</h3>\n<p class=\"soft\">How long a stream waited for its next token, in ms; how "
		       "many of its tokens, in per cent.</p>\n");
	for (size_t i = 0; i < row->point_count; i++)
		add_stream_legend(out, i, row->points[i].streams);
	begin_plot(out, name, "Distribution of the time from token to token", HEIGHT);
	add_y_axis(out, end);
	add_bucket_axis(out, &range);
	for (size_t i = 0; i < row->point_count; i++)
		add_distribution(out, &row->points[i], i, &range, end);
	end_plot(out);
}

/* ---- the time line ---- */

static void add_bar(struct text *out, int color, const char *what, double y, double from, double to, double end)
{
	double x = x_of(from / end), width = x_of(to / end) - x;
	text_printf(out, "<rect class=\"s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\">", color, x, y,
		    width > 0 ? width : 0, BAR);
	text_printf(out, "<title>%s: %.1f to %.1f ms</title></rect>\n", what, from, to);
}

static void add_timeline(struct text *out, const struct bench_point *point, const char *name)
{
	double most = 0;
	int height = TOP + point->streams * (BAR + BAR_GAP) + BOTTOM;
	for (size_t i = 0; i < (size_t)point->streams; i++)
		most = point->spans[i].end > most ? point->spans[i].end : most;
	double end = axis_end(most > 0 ? most : 1), bottom = height - BOTTOM;
	text_printf(out, "<h3>Time line</h3>\n<p class=\"soft\">The last repetition with %d stream%s, in ms.</p>\n",
		    (int)point->streams, point->streams == 1 ? "" : "s");
	add_legend(out, 5, "waits for a slot");
	add_legend(out, 1, "prompt");
	add_legend(out, 0, "tokens");
	begin_plot(out, name, "Time line of one repetition", height);
	for (int i = 0; i <= TICKS; i++) {
		double x = x_of((double)i / TICKS);
		add_line(out, "grid", x, TOP, x, bottom);
		add_number_at(out, x, bottom + 18, "middle", end * i / TICKS);
	}
	add_label(out, WIDTH - RIGHT, height - 8, "end", "ms");
	for (size_t i = 0; i < (size_t)point->streams; i++) {
		const struct bench_span *span = &point->spans[i];
		double y = TOP + (double)i * (BAR + BAR_GAP);
		add_number_at(out, LEFT - 8, y + BAR - 4, "end", (double)i + 1);
		add_bar(out, 5, "waits", y, span->begin, span->slot, end);
		add_bar(out, 1, "prompt", y, span->slot, span->first, end);
		add_bar(out, 0, "tokens", y, span->first, span->last, end);
	}
	end_plot(out);
}

/* ---- the page ---- */

static void add_fact(struct text *out, const char *name, const char *value)
{
	text_printf(out, "<tr><th>%s</th><td>", name);
	add_escaped(out, value);
	text_puts(out, "</td></tr>\n");
}

static void add_facts(struct text *out, const struct bench_report *report)
{
	text_puts(out, "<h1>infer bench: ");
	add_escaped(out, report->model);
	text_puts(out, "</h1>\n<table id=\"facts\">\n");
	text_printf(out, "<tr><th>size</th><td>%" PRIu64 " bytes</td></tr>\n", report->model_bytes);
	add_fact(out, "type", report->model_type);
	add_fact(out, "backend", report->backend);
	add_fact(out, "its version", report->backend_version);
	add_fact(out, "infer", report->infer);
	add_fact(out, "devices", report->devices);
	add_fact(out, "system", report->system);
	text_printf(out, "<tr><th>CPUs</th><td>%d</td></tr>\n", (int)report->cpus);
	add_fact(out, "date", report->date);
	text_printf(out, "<tr><th>repetitions</th><td>%d, after one to warm up%s</td></tr>\n", (int)report->repetitions,
		    report->is_whole ? "" : "; stopped before the end");
	text_puts(out, "<tr><th>command</th><td><code>");
	add_escaped(out, report->command);
	text_puts(out, "</code></td></tr>\n</table>\n");
}

static void add_cell(struct text *out, double value)
{
	text_puts(out, "<td class=\"n\">");
	benchview_add_number(out, value);
	text_puts(out, "</td>");
}

static void add_results(struct text *out, const struct bench_report *report)
{
	text_puts(out, "<h2>All results</h2>\n<div class=\"wide\"><table id=\"results\">\n<tr><th>setting</th>"
		       "<th class=\"n\">streams</th><th>what</th><th>unit</th><th class=\"n\">median</th><th class=\"n\">min</th><th class=\"n\">max</th>"
		       "<th class=\"n\">p95</th><th class=\"n\">count</th></tr>\n");
	for (struct bench_walk at = { 0 }; bench_walk_next(&at, report);) {
		const struct bench_metric_spec *spec = bench_metric_spec(at.metric);
		text_puts(out, "<tr><td>");
		add_escaped(out, at.row->setting);
		text_printf(out, "</td><td class=\"n\">%d</td><td>%s</td><td>%s</td>", at.point ? (int)at.point->streams : 0,
			    spec->title, spec->unit);
		add_cell(out, at.stat->median);
		add_cell(out, at.stat->min);
		add_cell(out, at.stat->max);
		add_cell(out, at.stat->p95);
		text_printf(out, "<td class=\"n\">%zu</td></tr>\n", at.stat->count);
	}
	text_puts(out, "</table></div>\n");
}

static void add_row(struct text *out, const struct bench_row *row, size_t index)
{
	char name[LABEL_MAX];
	text_puts(out, "<section>\n<h2>");
	add_escaped(out, row->setting[0] ? row->setting : "Latency");
	text_puts(out, "</h2>\n");
	if (row->error.code != INF_OK) {
		text_puts(out, "<p>");
		add_escaped(out, row->error.message);
		text_puts(out, "</p>\n");
	}
	snprintf(name, sizeof name, "latency-%zu", index);
	add_latency(out, row, name);
	snprintf(name, sizeof name, "timeline-%zu", index);
	if (row->point_count)
		add_timeline(out, &row->points[row->point_count - 1], name);
	text_puts(out, "</section>\n");
}

void benchpage_add(struct text *out, const struct bench_report *report)
{
	text_puts(out, head);
	add_facts(out, report);
	add_throughput(out, report);
	for (size_t i = 0; i < report->row_count; i++)
		add_row(out, &report->rows[i], i);
	add_results(out, report);
	text_puts(out, "<p class=\"soft\">Numbers of a machine that does other things too are noise: compare ranges, not "
		       "medians.</p>\n</body>\n</html>\n");
}
