/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

static void add_digits(struct object *self, const char *key, double value, int digits_behind_point)
{
	char digits[64];
	snprintf(digits, sizeof digits, "%.*f", digits_behind_point, value);
	add(self, key, json_object_new_double_s(value, digits));
}

static void add_thousandths(struct object *self, const char *key, double value)
{
	add_digits(self, key, value, 3);
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

static void add_object(struct object *self, const char *key, struct object *value)
{
	self->failed |= value->failed;
	add(self, key, value->json);
}

void json_add_token(struct text *out, const inf_token *token)
{
	struct object line = object_new();
	if (token->text_len > TEXT_LINE_MAX) {
		line.failed = true;
		print(&line, out);
		return;
	}
	bool is_call = token->flags & INF_TOKEN_FLAG_TOOL_CALL;
	add_integer(&line, "id", token->id);
	add_bytes(&line, "text", is_call ? "" : token->text, is_call ? 0 : token->text_len);
	if (is_call)
		add(&line, "tool_call", json_tokener_parse(token->text));
	if (token->count != 1)
		add_integer(&line, "count", token->count);
	if (token->flags & INF_TOKEN_FLAG_REASONING)
		add(&line, "reasoning", json_object_new_boolean(1));
	print(&line, out);
}

void json_add_piece(struct text *out, int32_t id, const struct text *piece)
{
	struct object line = object_new();
	add_integer(&line, "id", id);
	add_bytes(&line, "text", text_string(piece), piece->len);
	print(&line, out);
}

void json_add_text(struct text *out, const struct text *text)
{
	struct object line = object_new();
	add_bytes(&line, "text", text_string(text), text->len);
	print(&line, out);
}

/* Nine digits give the float back. */
static json_object *float_new(float value)
{
	char digits[32];
	snprintf(digits, sizeof digits, "%.9g", (double)value);
	return json_object_new_double_s((double)value, digits);
}

void json_add_vector(struct text *out, size_t index, int64_t tokens, const float *vector, int32_t dimension)
{
	struct object line = object_new();
	json_object *list = json_object_new_array();
	add_integer(&line, "index", (int64_t)index);
	add_integer(&line, "tokens", tokens);
	for (int32_t i = 0; list && i < dimension && !line.failed; i++) {
		json_object *number = float_new(vector[i]);
		line.failed = !number || json_object_array_add(list, number);
	}
	add(&line, "vector", list);
	print(&line, out);
}

void json_add_rank(struct text *out, const struct rank *rank)
{
	struct object line = object_new();
	add_integer(&line, "index", (int64_t)rank->index);
	add(&line, "score", float_new(rank->score));
	if (rank->tokens)
		add_integer(&line, "tokens", rank->tokens);
	add_bytes(&line, "document", rank->document.data, rank->document.len);
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
	if (result->drafted_tokens) {
		add_integer(&line, "drafted_tokens", result->drafted_tokens);
		add_integer(&line, "accepted_tokens", result->accepted_tokens);
	}
	add_integer(&line, "reasoning_tokens", result->reasoning_tokens);
	add_integer(&line, "tool_calls", result->tool_call_count);
	add_thousandths(&line, "prefill_ms", outcome_ms(result->prefill_ns));
	add_thousandths(&line, "decode_ms", outcome_ms(result->decode_ns));
	add_thousandths(&line, "tokens_per_second", outcome_decode_rate(outcome));
	if (result->flags & INF_RESULT_FLAG_SEED)
		add(&line, "seed", json_object_new_uint64(result->seed));
	print(&line, out);
}

/* JSON has no infinity: null is a probability of 0, and one that is not known. */
static json_object *score(int32_t id, float logprob)
{
	struct object self = object_new();
	add_integer(&self, "id", id);
	if (isfinite(logprob))
		add_digits(&self, "logprob", logprob, 6);
	else if (!self.failed)
		self.failed = json_object_object_add(self.json, "logprob", NULL) != 0;
	if (!self.failed)
		return self.json;
	json_object_put(self.json);
	return NULL;
}

static void add_scores(struct object *self, const char *key, const inf_class *c, const int32_t *candidates)
{
	size_t count = candidates ? c->logprob_count : c->top_count;
	json_object *list = json_object_new_array();
	for (size_t i = 0; list && i < count; i++) {
		json_object *item = candidates ? score(candidates[i], c->logprobs[i]) : score(c->top[i].id, c->top[i].logprob);
		if (!item || json_object_array_add(list, item)) {
			json_object_put(item);
			self->failed = true;
			break;
		}
	}
	add(self, key, list);
}

static void add_class_error(struct object *line, const inf_error *why)
{
	struct object error = object_new();
	add_string(&error, "status", inf_status_name(why->code));
	add_string(&error, "reason", why->reason);
	add_string(&error, "message", why->message);
	add_object(line, "error", &error);
}

void json_add_class(struct text *out, const inf_class *c, const int32_t *candidates)
{
	struct object line = object_new();
	add_integer(&line, "index", (int64_t)c->index);
	if (c->error) {
		add_class_error(&line, c->error);
	} else {
		add_integer(&line, "id", c->id);
		add_bytes(&line, "text", c->text, c->text_len);
		if (isfinite(c->logprob))
			add_digits(&line, "logprob", c->logprob, 6);
		if (candidates)
			add_scores(&line, "candidates", c, candidates);
		if (c->top_count)
			add_scores(&line, "top", c, NULL);
		add_integer(&line, "prompt_tokens", c->result->prompt_tokens);
	}
	print(&line, out);
}

/* ---- failures and lists ---- */

void json_add_failure(struct text *out, const struct failure *failure)
{
	struct object line = object_new(), error = object_new();
	add_string(&error, "status", failure_status(failure));
	add_string(&error, "reason", failure->error.reason);
	add_string(&error, "message", failure->error.message);
	add_object(&line, "error", &error);
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

/* The list takes the entry over. */
static void append(struct object *owner, json_object *list, json_object *entry)
{
	if (!entry || json_object_array_add(list, entry)) {
		json_object_put(entry);
		owner->failed = true;
	}
}

static void add_candidates(struct object *self, const inf_registry *registry, const struct scrub *scrub)
{
	json_object *list = json_object_new_array();
	for (size_t i = 0; list && i < inf_registry_count(registry); i++) {
		inf_candidate candidate = *inf_registry_candidate(registry, i);
		char *path = scrub_copy(scrub, candidate.path), *message = scrub_copy(scrub, candidate.message);
		candidate.path = path;
		candidate.message = message;
		append(self, list, path && message ? candidate_json(&candidate) : NULL);
		free(path);
		free(message);
	}
	add(self, "candidates", list);
}

static void add_selected(struct object *self, const char *key, const inf_candidate *selected)
{
	if (selected)
		add_string(self, key, selected->backend);
	else if (!self->failed)
		json_object_object_add(self->json, key, NULL);
}

void json_add_backends(struct text *out, const inf_registry *registry, const inf_candidate *selected)
{
	static const struct scrub nothing = { NULL, NULL };
	struct object line = object_new();
	add_candidates(&line, registry, &nothing);
	add_selected(&line, "selected", selected);
	print(&line, out);
}

static json_object *finding_json(const struct diagnosis *diagnosis, const struct diagnosis_line *line)
{
	struct object entry = object_new();
	json_object *backends = json_object_new_array();
	add_string(&entry, "severity", diagnosis_severity(line->severity));
	add_string(&entry, "section", line->section);
	add_string(&entry, "key", line->key);
	add_string(&entry, "value", line->value);
	add_string(&entry, "reason", line->reason);
	add_string(&entry, "remedy", line->remedy);
	for (size_t i = 0; backends && i < diagnosis->backend_count; i++)
		if (line->backends >> i & 1)
			append(&entry, backends, json_object_new_string(diagnosis->backends[i]));
	add(&entry, "backends", backends);
	if (!entry.failed)
		return entry.json;
	json_object_put(entry.json);
	return NULL;
}

static void add_verdict(struct object *self, const struct diagnosis *diagnosis, const inf_error *why)
{
	const struct diagnosis_line *cause = diagnosis->cause;
	struct object verdict = object_new();
	const char *message = diagnosis->selected ? diagnosis->selected->message : why->message;
	char *shown = scrub_copy(&diagnosis->scrub, message);
	add(&verdict, "usable", json_object_new_boolean(diagnosis->selected && !cause));
	add_selected(&verdict, "backend", diagnosis->selected);
	add_string(&verdict, "reason", cause ? cause->reason : diagnosis->selected ? "" : why->reason);
	add_string(&verdict, "message", cause ? cause->value : shown ? shown : "");
	add_string(&verdict, "remedy", cause ? cause->remedy : "");
	free(shown);
	add_object(self, "verdict", &verdict);
}

void json_add_diagnosis(struct text *out, const struct diagnosis *diagnosis, const inf_registry *registry,
			const inf_error *why)
{
	struct object line = object_new();
	json_object *list = json_object_new_array();
	add_verdict(&line, diagnosis, why);
	add_candidates(&line, registry, &diagnosis->scrub);
	for (size_t i = 0; list && i < diagnosis->count; i++)
		append(&line, list, finding_json(diagnosis, &diagnosis->lines[i]));
	add(&line, "findings", list);
	print(&line, out);
}

/* ---- lists ---- */

struct json_list {
	json_object *list;
	bool failed;
};

struct json_list *json_list_new(void)
{
	struct json_list *self = calloc(1, sizeof *self);
	if (self)
		self->list = json_object_new_array();
	if (self && !self->list) {
		free(self);
		self = NULL;
	}
	return self;
}

void json_list_free(struct json_list *self)
{
	if (self)
		json_object_put(self->list);
	free(self);
}

static void list_append(struct json_list *self, struct object *entry)
{
	if (entry->failed || json_object_array_add(self->list, entry->json)) {
		json_object_put(entry->json);
		self->failed = true;
	}
}

/* The list becomes part of the object. */
static void add_list(struct object *self, const char *key, struct json_list *list)
{
	self->failed |= list->failed;
	add(self, key, list->list);
	free(list);
}

void json_list_finish(struct json_list *self, const char *key, struct text *out)
{
	struct object line = object_new();
	add_list(&line, key, self);
	print(&line, out);
}

static void add_null(struct object *self, const char *key)
{
	if (!self->failed)
		json_object_object_add(self->json, key, NULL);
}

/* null where the number is not known. */
static void add_bytes_or_null(struct object *self, const char *key, uint64_t bytes, bool known)
{
	if (known)
		add(self, key, json_object_new_uint64(bytes));
	else
		add_null(self, key);
}

void json_list_device(struct json_list *self, const char *backend, const char *kind, const inf_device *device)
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
	list_append(self, &entry);
}

/* ---- configuration ---- */

static void add_string_or_null(struct object *self, const char *key, const char *value)
{
	if (value)
		add_string(self, key, value);
	else
		add_null(self, key);
}

static struct object row_of_config(const struct config_row *row)
{
	static const char *const origins[] = { "default", "file", "environment", "command_line" };
	char key[512];
	struct object entry = object_new();
	snprintf(key, sizeof key, "%s%.*s", row->prefix, (int)row->key_len, row->key);
	add_string(&entry, "key", key);
	add_string_or_null(&entry, "value", row->value);
	add_string(&entry, "from", origins[row->origin]);
	add_string_or_null(&entry, "variable", row->variable);
	add_string_or_null(&entry, "section", row->section);
	if (row->line)
		add_integer(&entry, "line", row->line);
	else
		add_null(&entry, "line");
	return entry;
}

void json_add_config(struct text *out, const struct config_rows *rows, const char *path, bool is_there)
{
	struct object line = object_new();
	struct json_list *list = json_list_new();
	for (size_t i = 0; list && i < rows->count; i++) {
		struct object entry = row_of_config(&rows->items[i]);
		list_append(list, &entry);
	}
	add_string_or_null(&line, "file", path);
	add(&line, "read", json_object_new_boolean(is_there));
	if (list)
		add_list(&line, "options", list);
	line.failed |= !list;
	print(&line, out);
}

/* ---- models ---- */

/* The fields of inf_model_file under their own names, but for its kind and what is wrong with it. */
static const struct field {
	const char *key;
	size_t offset;
	enum { FIELD_TEXT, FIELD_BYTES, FIELD_NUMBER } kind;
} fields[] = {
	{ "name", offsetof(inf_model_file, name), FIELD_TEXT },
	{ "repository", offsetof(inf_model_file, repository), FIELD_TEXT },
	{ "title", offsetof(inf_model_file, title), FIELD_TEXT },
	{ "architecture", offsetof(inf_model_file, architecture), FIELD_TEXT },
	{ "size_label", offsetof(inf_model_file, size_label), FIELD_TEXT },
	{ "quantisation", offsetof(inf_model_file, quantisation), FIELD_TEXT },
	{ "tokenizer", offsetof(inf_model_file, tokenizer), FIELD_TEXT },
	{ "license", offsetof(inf_model_file, license), FIELD_TEXT },
	{ "modified", offsetof(inf_model_file, modified), FIELD_BYTES },
	{ "part_count", offsetof(inf_model_file, part_count), FIELD_NUMBER },
	{ "version", offsetof(inf_model_file, version), FIELD_NUMBER },
	{ "file_bytes", offsetof(inf_model_file, file_bytes), FIELD_BYTES },
	{ "parameter_count", offsetof(inf_model_file, parameter_count), FIELD_BYTES },
	{ "tensor_bytes", offsetof(inf_model_file, tensor_bytes), FIELD_BYTES },
	{ "embedding_bytes", offsetof(inf_model_file, embedding_bytes), FIELD_BYTES },
	{ "output_bytes", offsetof(inf_model_file, output_bytes), FIELD_BYTES },
	{ "layer_bytes", offsetof(inf_model_file, layer_bytes), FIELD_BYTES },
	{ "expert_bytes", offsetof(inf_model_file, expert_bytes), FIELD_BYTES },
	{ "device_bytes", offsetof(inf_model_file, device_bytes), FIELD_BYTES },
	{ "host_bytes", offsetof(inf_model_file, host_bytes), FIELD_BYTES },
	{ "context_len", offsetof(inf_model_file, context_len), FIELD_NUMBER },
	{ "context_train", offsetof(inf_model_file, context_train), FIELD_NUMBER },
	{ "num_layers", offsetof(inf_model_file, num_layers), FIELD_NUMBER },
	{ "hidden_size", offsetof(inf_model_file, hidden_size), FIELD_NUMBER },
	{ "feed_forward_size", offsetof(inf_model_file, feed_forward_size), FIELD_NUMBER },
	{ "vocab_size", offsetof(inf_model_file, vocab_size), FIELD_NUMBER },
	{ "head_count", offsetof(inf_model_file, head_count), FIELD_NUMBER },
	{ "head_count_kv", offsetof(inf_model_file, head_count_kv), FIELD_NUMBER },
	{ "key_length", offsetof(inf_model_file, key_length), FIELD_NUMBER },
	{ "value_length", offsetof(inf_model_file, value_length), FIELD_NUMBER },
	{ "sliding_window", offsetof(inf_model_file, sliding_window), FIELD_NUMBER },
	{ "expert_count", offsetof(inf_model_file, expert_count), FIELD_NUMBER },
	{ "expert_used_count", offsetof(inf_model_file, expert_used_count), FIELD_NUMBER },
};

static const char *kind_name(int32_t kind)
{
	static const char *const names[] = { "other", "model", "embedding", "projector", "adapter", "vocabulary" };
	return names[kind > 0 && kind <= INF_MODEL_KIND_VOCABULARY ? kind : INF_MODEL_KIND_OTHER];
}

static void add_field(struct object *self, const struct field *field, const inf_model_file *file)
{
	const char *place = (const char *)file + field->offset;
	uint64_t wide = 0;
	int32_t narrow = 0;
	if (field->kind == FIELD_TEXT) {
		if (place[0])
			add_string(self, field->key, place);
		else
			add_null(self, field->key);
		return;
	}
	if (field->kind == FIELD_BYTES)
		memcpy(&wide, place, sizeof wide);
	else
		memcpy(&narrow, place, sizeof narrow);
	add_bytes_or_null(self, field->key, field->kind == FIELD_BYTES ? wide : (uint64_t)narrow, wide || narrow > 0);
}

static void add_error(struct object *self, const inf_model_file *file)
{
	struct object error = object_new();
	if (file->code == INF_OK) {
		json_object_put(error.json);
		add_null(self, "error");
		return;
	}
	add_string(&error, "status", inf_status_name(file->code));
	add_string(&error, "reason", file->reason);
	add_string(&error, "message", file->message);
	self->failed |= error.failed;
	add(self, "error", error.json);
}

static struct object model_object(const inf_model_file *file, const char *path)
{
	struct object entry = object_new();
	add_string(&entry, "path", path ? path : "");
	add_string(&entry, "kind", kind_name(file->kind));
	add(&entry, "chat", json_object_new_boolean((file->flags & INF_MODEL_FLAG_CHAT) != 0));
	add(&entry, "recurrent", json_object_new_boolean((file->flags & INF_MODEL_FLAG_RECURRENT) != 0));
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		add_field(&entry, &fields[i], file);
	add_bytes_or_null(&entry, "file_type", (uint64_t)file->file_type, file->file_type >= 0);
	add_error(&entry, file);
	return entry;
}

void json_list_model(struct json_list *self, const inf_model_file *file)
{
	struct object entry = model_object(file, file->path);
	list_append(self, &entry);
}

void json_add_inspection(struct text *out, const inf_model_file *file, const char *path, struct json_list *fits)
{
	struct object line = object_new(), entry = model_object(file, path);
	line.failed |= entry.failed;
	add(&line, "model", entry.json);
	if (fits)
		add_list(&line, "fit", fits);
	print(&line, out);
}

/* ---- what fits ---- */

static struct object row_object(const inf_fit_report *report)
{
	static const char *const limits[] = { "none", "context", "layers" };
	struct object row = object_new();
	add_integer(&row, "context_len", report->context_len);
	add_integer(&row, "gpu_layers", report->gpu_layers);
	add_integer(&row, "layer_count", report->layer_count);
	add_string(&row, "limit", limits[report->limit >= 0 && report->limit <= INF_FIT_LIMIT_LAYERS ? report->limit : 0]);
	add_bytes_or_null(&row, "weights", report->weights, true);
	add_bytes_or_null(&row, "kv_cache", report->kv_cache, true);
	add_bytes_or_null(&row, "compute", report->compute, true);
	add_bytes_or_null(&row, "reserve", report->reserve, true);
	add_bytes_or_null(&row, "total", report->total, true);
	add_bytes_or_null(&row, "host_bytes", report->host_bytes, true);
	return row;
}

void json_list_fit(struct json_list *self, const struct fit *fit)
{
	struct object entry = object_new();
	struct json_list *rows = json_list_new();
	const struct fit_device *device = &fit->device;
	if (!rows) {
		json_object_put(entry.json);
		self->failed = true;
		return;
	}
	for (size_t i = 0; i < fit->row_count; i++) {
		struct object row = row_object(&fit->rows[i]);
		list_append(rows, &row);
	}
	if (device->backend[0])
		add_string(&entry, "backend", device->backend);
	else
		add_null(&entry, "backend");
	add_bytes_or_null(&entry, "index", (uint64_t)device->index, device->backend[0]);
	add_string(&entry, "name", device->name);
	add_bytes_or_null(&entry, "memory_free", device->memory_free, true);
	add_bytes_or_null(&entry, "longest_context", (uint64_t)fit->longest, fit->longest > 0);
	add_list(&entry, "rows", rows);
	list_append(self, &entry);
}
