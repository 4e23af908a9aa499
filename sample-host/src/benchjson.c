/* SPDX-License-Identifier: MIT */
#include "benchjson.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "batchjson.h"
#include "utf8.h"

#define FORMAT "infer-bench/1"

/* ---- writing ---- */

/* Without memory json-c hands out NULL, which it also takes for null: so whether all went well is kept beside it. */
struct maker {
	bool failed;
};

static void add(struct maker *self, json_object *object, const char *key, json_object *value)
{
	if (!object || !value || json_object_object_add(object, key, value)) {
		json_object_put(value);
		self->failed = true;
	}
}

static void append(struct maker *self, json_object *list, json_object *value)
{
	if (!list || !value || json_object_array_add(list, value)) {
		json_object_put(value);
		self->failed = true;
	}
}

static void add_integer(struct maker *self, json_object *object, const char *key, int64_t value)
{
	add(self, object, key, json_object_new_int64(value));
}

/* A file name need not be UTF-8: its other bytes become '?'. */
static void add_string(struct maker *self, json_object *object, const char *key, const char *value)
{
	char copy[BENCH_COMMAND_MAX];
	snprintf(copy, sizeof copy, "%s", value);
	for (size_t at = 0, len = strlen(copy), good; (good = utf8_check(copy + at, len - at)) < len - at;) {
		at += good;
		copy[at] = '?';
	}
	add(self, object, key, json_object_new_string(copy));
}

/* null for 0. */
static void add_integer_or_null(struct maker *self, json_object *object, const char *key, int64_t value)
{
	if (value)
		add_integer(self, object, key, value);
	else
		self->failed |= !object || json_object_object_add(object, key, NULL);
}

/* null for "". */
static void add_string_or_null(struct maker *self, json_object *object, const char *key, const char *value)
{
	if (value[0])
		add_string(self, object, key, value);
	else
		self->failed |= !object || json_object_object_add(object, key, NULL);
}

static json_object *number_new(double value)
{
	char digits[64];
	snprintf(digits, sizeof digits, "%.6f", value);
	return json_object_new_double_s(value, digits);
}

static void add_number(struct maker *self, json_object *object, const char *key, double value)
{
	add(self, object, key, number_new(value));
}

static const struct {
	const char *key;
	size_t offset;
} quantiles[] = {
	{ "median", offsetof(struct bench_stat, median) }, { "p25", offsetof(struct bench_stat, p25) },
	{ "p75", offsetof(struct bench_stat, p75) }, { "p95", offsetof(struct bench_stat, p95) },
	{ "min", offsetof(struct bench_stat, min) }, { "max", offsetof(struct bench_stat, max) },
};

enum { QUANTILE_COUNT = sizeof quantiles / sizeof quantiles[0] };

static void add_stat(struct maker *self, json_object *object, const char *key, const struct bench_stat *stat)
{
	if (!stat->count) {
		self->failed |= json_object_object_add(object, key, NULL) != 0;
		return;
	}
	json_object *made = json_object_new_object();
	add_integer(self, made, "count", (int64_t)stat->count);
	for (size_t i = 0; i < QUANTILE_COUNT; i++)
		add_number(self, made, quantiles[i].key, *(const double *)((const char *)stat + quantiles[i].offset));
	add(self, object, key, made);
}

static json_object *pair_new(struct maker *self, double ms, uint64_t count)
{
	json_object *pair = json_object_new_array();
	append(self, pair, number_new(ms));
	append(self, pair, json_object_new_int64((int64_t)count));
	return pair;
}

static json_object *span_new(struct maker *self, const struct bench_span *span)
{
	json_object *made = json_object_new_object();
	add_number(self, made, "begin_ms", span->begin);
	add_number(self, made, "slot_ms", span->slot);
	add_number(self, made, "first_token_ms", span->first);
	add_number(self, made, "last_token_ms", span->last);
	add_number(self, made, "end_ms", span->end);
	return made;
}

static json_object *point_new(struct maker *self, const struct bench_point *point)
{
	json_object *made = json_object_new_object(), *gaps = json_object_new_array(), *spans = json_object_new_array();
	add_integer(self, made, "streams", point->streams);
	add_integer(self, made, "repetitions", (int64_t)point->repetitions);
	add_integer(self, made, "prompt_tokens", point->prompt_tokens);
	add_integer(self, made, "generated_tokens", point->generated_tokens);
	for (size_t m = BENCH_LOAD + 1; m < BENCH_METRIC_COUNT; m++)
		add_stat(self, made, bench_metric_spec((enum bench_metric)m)->key, &point->stats[m]);
	for (size_t i = 0; i < BENCH_BUCKETS; i++)
		if (point->gaps.counts[i])
			append(self, gaps, pair_new(self, bench_bucket_ms(i), point->gaps.counts[i]));
	for (size_t i = 0; i < (size_t)point->streams; i++)
		append(self, spans, span_new(self, &point->spans[i]));
	add(self, made, "token_gaps", gaps);
	add(self, made, "timeline", spans);
	return made;
}

static json_object *row_new(struct maker *self, const struct bench_row *row)
{
	json_object *made = json_object_new_object(), *points = json_object_new_array();
	add_string_or_null(self, made, "setting", row->setting);
	add_integer_or_null(self, made, "context_len", row->context_len);
	add_integer_or_null(self, made, "slots", row->slots);
	add_stat(self, made, bench_metric_spec(BENCH_LOAD)->key, &row->load);
	for (size_t i = 0; i < row->point_count; i++)
		append(self, points, point_new(self, &row->points[i]));
	add(self, made, "points", points);
	if (row->error.code == INF_OK)
		return made;
	json_object *error = json_object_new_object();
	add_string(self, error, "status", inf_status_name(row->error.code));
	add_string_or_null(self, error, "reason", row->error.reason);
	add_string(self, error, "message", row->error.message);
	add(self, made, "error", error);
	return made;
}

static void add_facts(struct maker *self, json_object *made, const struct bench_report *report)
{
	add_string(self, made, "format", FORMAT);
	add_string(self, made, "date", report->date);
	add_string(self, made, "infer", report->infer);
	add_string(self, made, "library", report->library);
	add_string_or_null(self, made, "backend", report->backend);
	add_string_or_null(self, made, "backend_version", report->backend_version);
	add_string_or_null(self, made, "model", report->model);
	add_string_or_null(self, made, "model_type", report->model_type);
	add_integer_or_null(self, made, "model_bytes", (int64_t)report->model_bytes);
	add_string_or_null(self, made, "devices", report->devices);
	add_string_or_null(self, made, "system", report->system);
	add_integer(self, made, "cpus", report->cpus);
	add_string(self, made, "command", report->command);
	add_integer(self, made, "prompt_tokens", report->prompt_tokens);
	add_integer(self, made, "gen_tokens", report->gen_tokens);
	add_integer(self, made, "repetitions", report->repetitions);
	add(self, made, "complete", json_object_new_boolean(report->is_whole));
}

static void print(struct maker *self, json_object *made, struct text *out)
{
	size_t len = 0;
	const char *line = made && !self->failed ? batchjson_print(made, &len) : NULL;
	if (line) {
		text_add(out, line, len);
		text_puts(out, "\n");
	}
	out->failed |= !line;
	json_object_put(made);
}

void benchjson_add_report(struct text *out, const struct bench_report *report)
{
	struct maker self = { false };
	json_object *made = json_object_new_object(), *rows = json_object_new_array();
	add_facts(&self, made, report);
	for (size_t i = 0; i < report->row_count; i++)
		append(&self, rows, row_new(&self, &report->rows[i]));
	add(&self, made, "rows", rows);
	print(&self, made, out);
}

void benchjson_add_comparison(struct text *out, const struct bench_comparison *comparison)
{
	struct maker self = { false };
	struct text differences = TEXT_INIT(BENCH_COMMAND_MAX);
	json_object *made = json_object_new_object(), *list = json_object_new_array();
	bench_comparison_add_differences(comparison, &differences);
	add_string_or_null(&self, made, "different", text_string(&differences));
	add_integer(&self, made, "alone", (int64_t)comparison->alone);
	for (size_t i = 0; i < comparison->count; i++) {
		const struct bench_change *change = &comparison->changes[i];
		json_object *item = json_object_new_object();
		add_string_or_null(&self, item, "setting", change->setting);
		add_integer(&self, item, "streams", change->streams);
		add_string(&self, item, "metric", bench_metric_spec(change->metric)->key);
		add_number(&self, item, "before", change->before->median);
		add_number(&self, item, "after", change->after->median);
		add_number(&self, item, "percent", change->percent);
		add_string(&self, item, "verdict", bench_verdict_name(change->verdict));
		append(&self, list, item);
	}
	add(&self, made, "changes", list);
	print(&self, made, out);
	text_release(&differences);
}

/* ---- reading ---- */

/* NULL unless it is there and of that type. */
static json_object *get(json_object *object, const char *key, enum json_type type)
{
	json_object *value = NULL;
	if (!json_object_object_get_ex(object, key, &value) || json_object_get_type(value) != type)
		return NULL;
	return value;
}

static bool get_string(json_object *object, const char *key, char *out, size_t size)
{
	json_object *value = get(object, key, json_type_string);
	if (!value || (size_t)json_object_get_string_len(value) >= size)
		return false;
	snprintf(out, size, "%s", json_object_get_string(value));
	return true;
}

static bool is_null(json_object *object, const char *key)
{
	json_object *value = NULL;
	return json_object_object_get_ex(object, key, &value) && !value;
}

/* null = "". */
static bool get_string_or_null(json_object *object, const char *key, char *out, size_t size)
{
	if (!is_null(object, key))
		return get_string(object, key, out, size);
	out[0] = '\0';
	return true;
}

static bool get_integer(json_object *object, const char *key, int64_t most, int64_t *out)
{
	json_object *value = get(object, key, json_type_int);
	if (value)
		*out = json_object_get_int64(value);
	return value && *out >= 0 && *out <= most;
}

static bool get_int32(json_object *object, const char *key, int32_t *out)
{
	int64_t value;
	if (!get_integer(object, key, INT32_MAX, &value))
		return false;
	*out = (int32_t)value;
	return true;
}

static bool get_number(json_object *object, const char *key, double *out)
{
	json_object *value = NULL;
	if (!json_object_object_get_ex(object, key, &value) ||
	    (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int)))
		return false;
	*out = json_object_get_double(value);
	return isfinite(*out);
}

/* null = not measured. */
static bool get_stat(json_object *object, const char *key, struct bench_stat *out)
{
	json_object *stat = NULL;
	int64_t count;
	if (!json_object_object_get_ex(object, key, &stat))
		return false;
	if (!stat)
		return true;
	if (!json_object_is_type(stat, json_type_object) || !get_integer(stat, "count", INT32_MAX, &count))
		return false;
	out->count = (size_t)count;
	for (size_t i = 0; i < QUANTILE_COUNT; i++)
		if (!get_number(stat, quantiles[i].key, (double *)((char *)out + quantiles[i].offset)))
			return false;
	return out->min <= out->median && out->median <= out->max;
}

static bool read_point(json_object *object, struct bench_point *out)
{
	int64_t repetitions;
	bool ok = json_object_is_type(object, json_type_object) && get_int32(object, "streams", &out->streams) &&
		  get_integer(object, "repetitions", INT32_MAX, &repetitions);
	if (!ok || out->streams < 1)
		return false;
	out->repetitions = (size_t)repetitions;
	for (size_t m = BENCH_LOAD + 1; ok && m < BENCH_METRIC_COUNT; m++)
		ok = get_stat(object, bench_metric_spec((enum bench_metric)m)->key, &out->stats[m]);
	return ok;
}

static bool read_row(json_object *object, struct bench_row *out)
{
	json_object *points = get(object, "points", json_type_array);
	if (!points || json_object_array_length(points) > BENCH_POINTS_MAX ||
	    !get_string_or_null(object, "setting", out->setting, sizeof out->setting) ||
	    !get_stat(object, bench_metric_spec(BENCH_LOAD)->key, &out->load))
		return false;
	out->point_count = json_object_array_length(points);
	for (size_t i = 0; i < out->point_count; i++)
		if (!read_point(json_object_array_get_idx(points, i), &out->points[i]))
			return false;
	return true;
}

static bool read_report(json_object *object, struct bench_report *out)
{
	char format[sizeof FORMAT];
	int64_t bytes = 0;
	json_object *rows = get(object, "rows", json_type_array);
	if (!rows || json_object_array_length(rows) > BENCH_ROWS_MAX ||
	    !get_string(object, "format", format, sizeof format) || strcmp(format, FORMAT) ||
	    !get_string_or_null(object, "model", out->model, sizeof out->model) ||
	    !get_string_or_null(object, "backend", out->backend, sizeof out->backend) ||
	    !get_string_or_null(object, "devices", out->devices, sizeof out->devices) ||
	    !get_string_or_null(object, "system", out->system, sizeof out->system) ||
	    (!is_null(object, "model_bytes") && !get_integer(object, "model_bytes", INT64_MAX, &bytes)) || !get_int32(object, "cpus", &out->cpus) ||
	    !get_int32(object, "prompt_tokens", &out->prompt_tokens) || !get_int32(object, "gen_tokens", &out->gen_tokens))
		return false;
	out->model_bytes = (uint64_t)bytes;
	out->row_count = json_object_array_length(rows);
	for (size_t i = 0; i < out->row_count; i++)
		if (!json_object_is_type(json_object_array_get_idx(rows, i), json_type_object) ||
		    !read_row(json_object_array_get_idx(rows, i), &out->rows[i]))
			return false;
	return true;
}

enum exit_code benchjson_read(const char *bytes, size_t len, const char *name, struct bench_report *out,
			      struct failure *why)
{
	json_object *object = NULL;
	while (len && strchr(" \t\r\n", bytes[len - 1]))
		len--;
	inf_status st = batchjson_parse(bytes, len, &object, NULL);
	if (st == INF_E_NO_MEMORY)
		return failure_memory(why, "a report");
	bool ok = st == INF_OK && read_report(object, out);
	json_object_put(object);
	return ok ? EXIT_DONE : failure_set(why, INF_E_INVALID, "bench_file", "%.200s: not a report of infer bench --json of the "
					    "format " FORMAT, name);
}
