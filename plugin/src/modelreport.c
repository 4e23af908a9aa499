/* SPDX-License-Identifier: MIT */
#include "modelreport.h"

#include <stdio.h>

#include "fit.h"
#include "gguf_kind.h"

#define COPY(to, from) snprintf((to), sizeof (to), "%s", (from))

static int32_t kind_of(const struct gr_gguf *facts)
{
	static const int32_t kinds[GR_GGUF_KINDS] = {
		[GR_GGUF_KIND_MODEL] = INF_MODEL_KIND_MODEL, [GR_GGUF_KIND_EMBEDDING] = INF_MODEL_KIND_EMBEDDING,
		[GR_GGUF_KIND_PROJECTOR] = INF_MODEL_KIND_PROJECTOR, [GR_GGUF_KIND_ADAPTER] = INF_MODEL_KIND_ADAPTER,
		[GR_GGUF_KIND_VOCABULARY] = INF_MODEL_KIND_VOCABULARY, [GR_GGUF_KIND_OTHER] = INF_MODEL_KIND_OTHER,
	};
	return kinds[gr_gguf_kind(facts)];
}

static void fill_texts(const struct gr_gguf *facts, inf_model_file *out)
{
	COPY(out->quantisation, gr_gguf_quantisation(facts));
	COPY(out->size_label, facts->size_label);
	COPY(out->tokenizer, facts->tokenizer_model);
	COPY(out->architecture, facts->architecture);
	COPY(out->license, facts->license);
	COPY(out->title, facts->name);
}

/* Counts of a header never exceed INT32_MAX. */
static void fill_numbers(const struct gr_gguf *facts, inf_model_file *out)
{
	uint32_t length = facts->head_count ? facts->embedding_length / facts->head_count : 0;
	out->context_train = (int32_t)facts->context_length;
	out->num_layers = (int32_t)facts->block_count;
	out->hidden_size = (int32_t)facts->embedding_length;
	out->feed_forward_size = (int32_t)facts->feed_forward_length;
	out->vocab_size = (int32_t)facts->vocab_size;
	out->head_count = (int32_t)facts->head_count;
	out->head_count_kv = (int32_t)(facts->head_count_kv ? facts->head_count_kv : facts->head_count);
	out->key_length = (int32_t)(facts->key_length ? facts->key_length : length);
	out->value_length = (int32_t)(facts->value_length ? facts->value_length : length);
	out->sliding_window = (int32_t)facts->sliding_window;
	out->expert_count = (int32_t)facts->expert_count;
	out->expert_used_count = (int32_t)facts->expert_used_count;
	out->file_type = facts->file_type;
	out->version = (int32_t)facts->version;
}

static void fill_sizes(const struct gr_gguf *facts, inf_model_file *out)
{
	const struct gr_gguf_sizes *sizes = &facts->sizes;
	out->file_bytes = facts->file_size;
	out->parameter_count = facts->parameter_count;
	out->tensor_bytes = facts->tensor_bytes;
	out->embedding_bytes = sizes->token_embedding + sizes->input;
	out->output_bytes = sizes->output;
	if (out->embedding_bytes + out->output_bytes <= facts->tensor_bytes)	/* absurd parts can add up to anything */
		out->layer_bytes = facts->tensor_bytes - out->embedding_bytes - out->output_bytes;
	out->expert_bytes = sizes->experts;
}

static void fill_memory(const struct gr_modelset *set, inf_model_file *out)
{
	const struct gr_fit_model model = { &set->facts, &set->layers };
	uint32_t train = set->facts.context_length;
	const struct gr_fit_load load = {
		.context_len = train && train < GR_MODELREPORT_CONTEXT ? train : GR_MODELREPORT_CONTEXT,
		.slots = 1, .gpu_layers = -1,
	};
	struct gr_fit_need need;
	gr_fit_need(&model, &load, &need);
	out->context_len = (int32_t)load.context_len;
	if (__builtin_add_overflow(need.weights, need.kv, &out->device_bytes) ||
	    __builtin_add_overflow(out->device_bytes, need.compute, &out->device_bytes))
		out->device_bytes = UINT64_MAX;
	if (__builtin_add_overflow(need.host_weights, need.host_compute, &out->host_bytes))
		out->host_bytes = UINT64_MAX;
}

static void begin(const char *path, const struct gr_modelname *name, int64_t modified, inf_model_file *out)
{
	struct gr_modelname own;
	if (!name)
		gr_modelname_of(path, &own);
	*out = (inf_model_file){ .struct_size = sizeof *out, .path = path, .modified = modified };
	COPY(out->name, name ? name->name : own.name);
	COPY(out->repository, name ? name->repository : own.repository);
}

void gr_modelreport(const char *path, const struct gr_modelname *name, const struct gr_modelset *set, int64_t modified,
		    inf_model_file *out)
{
	begin(path, name, modified, out);
	out->kind = kind_of(&set->facts);
	out->part_count = (int32_t)set->part_count;
	if (set->facts.has_chat_template)
		out->flags |= INF_MODEL_FLAG_CHAT;
	for (uint32_t i = 0; i < set->layers.count; i++)
		if (set->layers.at[i].flags & GR_GGUF_LAYER_RECURRENT)
			out->flags |= INF_MODEL_FLAG_RECURRENT;
	fill_texts(&set->facts, out);
	fill_numbers(&set->facts, out);
	fill_sizes(&set->facts, out);
	if (out->kind == INF_MODEL_KIND_MODEL)
		fill_memory(set, out);
}

void gr_modelreport_broken(const char *path, const struct gr_modelname *name, const inf_error *error, int64_t modified,
			   inf_model_file *out)
{
	begin(path, name, modified, out);
	out->code = error->code;
	out->file_type = -1;
	COPY(out->reason, error->reason);
	COPY(out->message, error->message);
}

void gr_modelreport_directory(const char *path, const struct gr_modelname *name, inf_model_file *out)
{
	begin(path, name, 0, out);
	out->kind = INF_MODEL_KIND_DIRECTORY;
	out->file_type = -1;
}
