/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Without memory json-c hands out NULL, which it also takes for null: then the line is wrong, so it is not printed. */
struct object {
	json_object *json;
	bool failed;
};

static struct object object_new(void)
{
	struct object self = { .json = json_object_new_object() };
	self.failed = !self.json;
	return self;
}

static void add(struct object *self, const char *key, json_object *value)
{
	if (self->failed || !value || json_object_object_add(self->json, key, value)) {
		json_object_put(value);
		self->failed = true;
	}
}

static void add_integer(struct object *self, const char *key, int64_t value)
{
	add(self, key, json_object_new_int64(value));
}

static void add_thousandths(struct object *self, const char *key, double value)
{
	char digits[64];
	snprintf(digits, sizeof digits, "%.3f", value);
	add(self, key, json_object_new_double_s(value, digits));
}

static void replace_bad(struct text *out, const char *bytes, size_t len)
{
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &code);
		if (code == UTF8_BAD)
			text_puts(out, "\xef\xbf\xbd");
		else
			text_add(out, bytes + at, n);
	}
}

static void add_bytes(struct object *self, const char *key, const char *bytes, size_t len)
{
	struct text repaired = TEXT_INIT(TEXT_LINE_MAX);
	if (utf8_check(bytes, len) == len) {
		add(self, key, json_object_new_string_len(bytes, (int)len));
		return;
	}
	replace_bad(&repaired, bytes, len);
	self->failed |= repaired.failed;
	add(self, key, json_object_new_string_len(text_string(&repaired), (int)repaired.len));
	text_release(&repaired);
}

static void add_string(struct object *self, const char *key, const char *value)
{
	add_bytes(self, key, value, strlen(value));
}

static void print(struct object *self, struct text *out)
{
	size_t len = 0;
	const char *line = NULL;
	if (!self->failed)
		line = json_object_to_json_string_length(self->json,
							 JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (line) {
		text_add(out, line, len);
		text_add(out, "\n", 1);
	}
	out->failed |= !line;
	json_object_put(self->json);
}

void json_add_token(struct text *out, const inf_token *token)
{
	struct object line = object_new();
	if (token->text_len > TEXT_LINE_MAX) {
		line.failed = true;
		print(&line, out);
		return;
	}
	add_integer(&line, "id", token->id);
	add_bytes(&line, "text", token->text, token->text_len);
	if (token->count != 1)
		add_integer(&line, "count", token->count);
	if (token->flags & INF_TOKEN_FLAG_REASONING)
		add(&line, "reasoning", json_object_new_boolean(1));
	print(&line, out);
}

void json_add_outcome(struct text *out, const struct outcome *outcome)
{
	const inf_gen_result *result = &outcome->result;
	struct object line = object_new();
	add_string(&line, "finish", outcome->finish);
	if (result->finish == INF_FINISH_STOP_TOKEN || result->finish == INF_FINISH_STOP_STRING)
		add_integer(&line, "stop_index", result->stop_index);
	add_string(&line, "backend", outcome->backend);
	if (outcome->model) {
		add_string(&line, "devices", outcome->model->devices);
		add_integer(&line, "gpu_layers", outcome->model->gpu_layers);
		add_integer(&line, "device_bytes", (int64_t)outcome->model->device_memory_bytes);
	}
	add_integer(&line, "prompt_tokens", result->prompt_tokens);
	add_integer(&line, "cached_tokens", result->cached_tokens);
	add_integer(&line, "generated_tokens", result->generated_tokens);
	add_thousandths(&line, "prefill_ms", outcome_ms(result->prefill_ns));
	add_thousandths(&line, "decode_ms", outcome_ms(result->decode_ns));
	add_thousandths(&line, "tokens_per_second", outcome_decode_rate(outcome));
	if (result->flags & INF_RESULT_FLAG_SEED)
		add(&line, "seed", json_object_new_uint64(result->seed));
	print(&line, out);
}

void json_add_failure(struct text *out, const struct failure *failure)
{
	struct object line = object_new(), error = object_new();
	add_string(&error, "status", failure_status(failure));
	add_string(&error, "reason", failure->error.reason);
	add_string(&error, "message", failure->error.message);
	line.failed |= error.failed;
	add(&line, "error", error.json);
	print(&line, out);
}

static json_object *candidate_json(const inf_candidate *candidate)
{
	struct object entry = object_new();
	add_string(&entry, "path", candidate->path);
	add_string(&entry, "state", inf_state_name(candidate->state));
	add_string(&entry, "reason", candidate->reason);
	add_string(&entry, "message", candidate->message);
	add_string(&entry, "backend", candidate->backend);
	add_integer(&entry, "score", candidate->score);
	add_string(&entry, "version", candidate->version);
	if (!entry.failed)
		return entry.json;
	json_object_put(entry.json);
	return NULL;
}

void json_add_backends(struct text *out, const inf_registry *registry, const inf_candidate *selected)
{
	struct object line = object_new();
	json_object *list = json_object_new_array();
	for (size_t i = 0; list && i < inf_registry_count(registry); i++) {
		json_object *entry = candidate_json(inf_registry_candidate(registry, i));
		if (!entry || json_object_array_add(list, entry)) {
			json_object_put(entry);
			line.failed = true;
		}
	}
	add(&line, "candidates", list);
	if (selected)
		add_string(&line, "selected", selected->backend);
	else if (!line.failed)
		json_object_object_add(line.json, "selected", NULL);
	print(&line, out);
}

struct device_list {
	json_object *list;
	bool failed;
};

struct device_list *json_list_new(void)
{
	struct device_list *self = calloc(1, sizeof *self);
	if (self)
		self->list = json_object_new_array();
	if (self && !self->list) {
		free(self);
		self = NULL;
	}
	return self;
}

/* null where the number is not known. */
static void add_bytes_or_null(struct object *self, const char *key, uint64_t bytes, bool known)
{
	if (known)
		add(self, key, json_object_new_int64((int64_t)bytes));
	else if (!self->failed)
		json_object_object_add(self->json, key, NULL);
}

void json_list_device(struct device_list *self, const char *backend, const char *kind, const inf_device *device)
{
	struct object entry = object_new();
	bool used = device->flags & INF_DEVICE_FLAG_USED;
	add_string(&entry, "backend", backend);
	add_integer(&entry, "index", device->index);
	add_string(&entry, "name", device->name[0] ? device->name : device->product);
	add_string(&entry, "gfx", device->gfx);
	add_string(&entry, "uuid", device->uuid);
	add_string(&entry, "pci", device->pci);
	add_string(&entry, "class", kind);
	add_bytes_or_null(&entry, "vram_total", device->memory_total, device->flags & INF_DEVICE_FLAG_TOTAL);
	add_bytes_or_null(&entry, "vram_used", device->memory_used, used);
	add_bytes_or_null(&entry, "vram_free", device->memory_free, used);
	add_string(&entry, "vram_source", device->memory_source);
	add(&entry, "selected", json_object_new_boolean((device->flags & INF_DEVICE_FLAG_SELECTED) != 0));
	add_string(&entry, "reason", device->reason);
	add_string(&entry, "message", device->message);
	if (entry.failed || json_object_array_add(self->list, entry.json)) {
		json_object_put(entry.json);
		self->failed = true;
	}
}

void json_list_finish(struct device_list *self, struct text *out)
{
	struct object line = object_new();
	line.failed |= self->failed;
	add(&line, "devices", self->list);
	print(&line, out);
	free(self);
}
