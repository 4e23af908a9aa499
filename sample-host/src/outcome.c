/* SPDX-License-Identifier: MIT */
#include "outcome.h"

#include <inttypes.h>
#include <stdio.h>

enum { FIGURE_MAX = 128 };

static double rate(int64_t tokens, int64_t ns)
{
	return tokens > 0 && ns > 0 ? (double)tokens * 1e9 / (double)ns : 0;
}

double outcome_prefill_rate(const struct outcome *self)
{
	return rate(self->result.prompt_tokens - self->result.cached_tokens, self->result.prefill_ns);
}

double outcome_decode_rate(const struct outcome *self)
{
	return rate(self->result.generated_tokens - 1, self->result.decode_ns);
}

double outcome_ms(int64_t ns)
{
	return (double)ns / 1e6;
}

static void print(struct console *console, const char *name, const char *value)
{
	console_notice(console, STYLE_DIM, "%-12s %s", name, value);
}

static void print_timing(struct console *console, const char *name, int64_t ns, double tokens_per_second)
{
	char value[FIGURE_MAX];
	int n = snprintf(value, sizeof value, "%.1f ms", outcome_ms(ns));
	if (tokens_per_second > 0)
		snprintf(value + n, sizeof value - (size_t)n, ", %.1f tokens/s", tokens_per_second);
	print(console, name, value);
}

static void print_tokens(struct console *console, const char *name, int64_t tokens, int64_t part, const char *part_name)
{
	char value[FIGURE_MAX];
	int n = snprintf(value, sizeof value, "%" PRId64 " tokens", tokens);
	if (part)
		snprintf(value + n, sizeof value - (size_t)n, ", %" PRId64 " of them %s", part, part_name);
	print(console, name, value);
}

static uint64_t mib(uint64_t bytes)
{
	return bytes >> 20;
}

static int32_t print_device(void *user, const inf_device *device)
{
	char value[FIGURE_MAX];
	bool used = device->flags & INF_DEVICE_FLAG_USED, before = device->flags & INF_DEVICE_FLAG_BEFORE;
	int n = snprintf(value, sizeof value, "%.64s", device->product);
	if (before)
		n += snprintf(value + n, sizeof value - (size_t)n, ", %" PRIu64 " MiB in use before", mib(device->memory_used_before));
	if (used)
		n += snprintf(value + n, sizeof value - (size_t)n, ", %" PRIu64 " now", mib(device->memory_used));
	if (device->flags & INF_DEVICE_FLAG_TOTAL)
		snprintf(value + n, sizeof value - (size_t)n, "%s %" PRIu64 " MiB", used ? " of" : ",", mib(device->memory_total));
	print(user, device->name, value);
	return INF_CONTINUE;
}

static void print_devices(inf_session *session, const inf_model_info *model, struct console *console)
{
	char value[FIGURE_MAX + sizeof model->devices];
	int n = snprintf(value, sizeof value, "%s", model->devices[0] ? model->devices : "not known");
	if (model->device_memory_bytes && model->gpu_layers < 0)
		snprintf(value + n, sizeof value - (size_t)n, ", %" PRIu64 " MiB", mib(model->device_memory_bytes));
	else if (model->device_memory_bytes)
		snprintf(value + n, sizeof value - (size_t)n, ", %" PRId32 " of %" PRId32 " layers, %" PRIu64 " MiB",
			 model->gpu_layers, model->num_layers + 1, mib(model->device_memory_bytes));
	print(console, "devices", value);
	inf_session_list_devices(session, console, print_device, NULL);
}

static void print_model(const inf_model_info *model, const char *path, struct console *console)
{
	char value[FIGURE_MAX];
	console_notice(console, STYLE_DIM, "%-12s %s%s%s", "model", path, model->model_type[0] ? ", " : "",
		       model->model_type);
	snprintf(value, sizeof value, "%" PRId32 " tokens", model->context_len);
	print(console, "context", model->context_len ? value : "not known");
}

static void print_end(const struct outcome *self, struct console *console)
{
	char value[FIGURE_MAX];
	if (self->first_token_ns)
		print_timing(console, "first token", self->first_token_ns, 0);
	print(console, "finish", self->finish);
	if (!(self->result.flags & INF_RESULT_FLAG_SEED))
		return;
	snprintf(value, sizeof value, "%" PRIu64, self->result.seed);
	print(console, "seed", value);
}

/* Of a backend that counts. */
static void print_server(inf_session *session, struct console *console)
{
	char value[FIGURE_MAX];
	inf_metrics_report report = { .struct_size = sizeof report };
	if (inf_session_metrics(session, &report, NULL) != INF_OK)
		return;
	int n = report.running ? snprintf(value, sizeof value, "%" PRIu64 " MiB of memory", mib(report.host_memory_bytes)) :
				 snprintf(value, sizeof value, "ended");
	if (report.restarts)
		snprintf(value + n, sizeof value - (size_t)n, ", started again %" PRId32 " times", report.restarts);
	print(console, "server", value);
}

void outcome_print(const struct outcome *self, inf_session *session, const inf_model_info *model, const char *model_path,
		   struct console *console)
{
	const inf_gen_result *result = &self->result;
	print(console, "backend", self->backend);
	print_model(model, model_path, console);
	print_devices(session, model, console);
	print_server(session, console);
	print_tokens(console, "prompt", result->prompt_tokens, result->cached_tokens, "cached");
	print_tokens(console, "generated", result->generated_tokens, result->reasoning_tokens, "reasoning");
	if (result->drafted_tokens)
		print_tokens(console, "drafted", result->drafted_tokens, result->accepted_tokens, "accepted");
	print_timing(console, "prefill", result->prefill_ns, outcome_prefill_rate(self));
	print_timing(console, "decode", result->decode_ns, outcome_decode_rate(self));
	print_end(self, console);
}
