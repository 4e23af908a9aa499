/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "json.h"
#include "jsonobject.h"

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
		object_add_string_or_null(self, field->key, place);
		return;
	}
	if (field->kind == FIELD_BYTES)
		memcpy(&wide, place, sizeof wide);
	else
		memcpy(&narrow, place, sizeof narrow);
	object_add_unsigned_or_null(self, field->key, field->kind == FIELD_BYTES ? wide : (uint64_t)narrow, wide || narrow > 0);
}

static void add_model_error(struct object *self, const inf_model_file *file)
{
	inf_error error = { .struct_size = sizeof error, .code = file->code };
	snprintf(error.reason, sizeof error.reason, "%s", file->reason);
	snprintf(error.message, sizeof error.message, "%s", file->message);
	object_add_error(self, inf_status_name(file->code), &error);
}

static struct object model_object(const inf_model_file *file, const char *path)
{
	struct object entry = object_new();
	object_add_string(&entry, "path", path ? path : "");
	object_add_string(&entry, "kind", kind_name(file->kind));
	object_add_boolean(&entry, "chat", (file->flags & INF_MODEL_FLAG_CHAT) != 0);
	object_add_boolean(&entry, "recurrent", (file->flags & INF_MODEL_FLAG_RECURRENT) != 0);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		add_field(&entry, &fields[i], file);
	object_add_unsigned_or_null(&entry, "file_type", (uint64_t)file->file_type, file->file_type >= 0);
	if (file->code != INF_OK)
		add_model_error(&entry, file);
	return entry;
}

void json_list_model(struct json_list *self, const inf_model_file *file)
{
	struct object entry = model_object(file, file->path);
	json_list_append(self, &entry);
}

void json_add_inspection(struct text *out, const inf_model_file *file, const char *path, struct json_list *fits)
{
	struct object line = object_new(), entry = model_object(file, path);
	object_add_object(&line, "model", &entry);
	if (fits)
		object_add_list(&line, "fit", fits);
	object_print(&line, out);
}

/* ---- what fits ---- */

static void append_row(struct json_list *list, const inf_fit_report *report)
{
	static const char *const limits[] = { "none", "context", "layers" };
	const struct {
		const char *key;
		uint64_t bytes;
	} parts[] = {
		{ "weights_bytes", report->weights }, { "kv_cache_bytes", report->kv_cache },
		{ "compute_bytes", report->compute }, { "reserve_bytes", report->reserve },
		{ "total_bytes", report->total }, { "host_bytes", report->host_bytes },
	};
	struct object row = object_new();
	object_add_integer(&row, "context_len", report->context_len);
	object_add_integer(&row, "gpu_layers", report->gpu_layers);
	object_add_integer(&row, "layer_count", report->layer_count);
	object_add_string(&row, "limit", limits[report->limit >= 0 && report->limit <= INF_FIT_LIMIT_LAYERS ? report->limit : 0]);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		object_add_unsigned_or_null(&row, parts[i].key, parts[i].bytes, true);
	json_list_append(list, &row);
}

void json_list_fit(struct json_list *self, const struct fit *fit)
{
	struct object entry = object_new();
	struct json_list *rows = json_list_new();
	const struct fit_device *device = &fit->device;
	for (size_t i = 0; i < fit->row_count; i++)
		append_row(rows, &fit->rows[i]);
	object_add_string_or_null(&entry, "backend", device->backend);
	object_add_unsigned_or_null(&entry, "index", (uint64_t)device->index, device->backend[0]);
	object_add_string_or_null(&entry, "product", device->name);
	object_add_unsigned_or_null(&entry, "memory_free_bytes", device->memory_free, true);
	object_add_unsigned_or_null(&entry, "longest_context_len", (uint64_t)fit->longest, fit->longest > 0);
	object_add_list(&entry, "rows", rows);
	json_list_append(self, &entry);
}
