/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "gguf.h"
#include "utf8.h"

/*
 * The input is a file, once as it is and once with 128 KiB of zeros behind it, as tensor data. What is read must not
 * depend on how much one read gives, and must be fit to hand out.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	const uint8_t *data;
	size_t size, chunk;
};

static int64_t read_at(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const struct file *file = ctx;
	if (len > file->chunk)
		len = file->chunk;
	size_t there = offset < file->size ? file->size - (size_t)offset : 0;
	if (there > len)
		there = len;
	memset(buf, 0, len);
	if (there)
		memcpy(buf, file->data + offset, there);
	return (int64_t)len;
}

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (len == size || !gr_utf8_valid(text, len))
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			abort();
}

static void check_facts(const struct gr_gguf *g)
{
	check_text(g->architecture, sizeof g->architecture);
	check_text(g->name, sizeof g->name);
	check_text(g->type, sizeof g->type);
	check_text(g->tokenizer_model, sizeof g->tokenizer_model);
	check_text(g->size_label, sizeof g->size_label);
	check_text(g->license, sizeof g->license);
	if (g->expected_file_size > g->file_size || g->tensor_count > GR_GGUF_TENSORS_MAX ||
	    g->kv_count > GR_GGUF_KEYS_MAX || g->vocab_size > INT32_MAX || g->context_length > INT32_MAX ||
	    g->block_count > INT32_MAX || g->head_count_kv > INT32_MAX || g->add_bos > GR_GGUF_YES)
		abort();
}

/* Every byte is counted once. */
static void check_layers(const struct gr_gguf *g, const struct gr_gguf_layers *layers)
{
	uint64_t bytes = g->sizes.token_embedding + g->sizes.input + g->sizes.output, experts = 0;
	if (layers->count > GR_GGUF_LAYERS_MAX)
		abort();
	for (uint32_t i = 0; i < layers->count; i++) {
		bytes += layers->at[i].bytes;
		experts += layers->at[i].expert_bytes;
	}
	if (bytes != g->tensor_bytes || experts != g->sizes.experts)
		abort();
}

/* Whatever the facts are, the sums over them have to end. */
static void check_fit(const struct gr_gguf *g, const struct gr_gguf_layers *layers)
{
	const struct gr_fit_model model = { g, layers };
	const struct gr_fit_load load = { .context_len = 1 << 24, .slots = 256, .gpu_layers = -1 };
	const struct gr_fit_device device = { UINT64_C(1) << 34, 1 << 29 };
	struct gr_fit_plan plan;
	if (gr_fit_choose(&model, &load, 0, &device, 1, "m.gguf", &plan, NULL) != INF_OK ||
	    plan.total_bytes > plan.free_bytes)
		abort();
}

static inf_status read_file(const uint8_t *data, size_t size, uint64_t claimed, size_t chunk, char facts[600])
{
	struct gr_gguf g;
	static struct gr_gguf_layers layers;
	struct file file = { data, size, chunk };
	struct gr_gguf_source source = { &file, read_at, claimed };
	inf_error err = { .struct_size = sizeof err };
	memset(&layers, 0, sizeof layers);
	inf_status st = gr_gguf_read_layers(&source, "m.gguf", &g, &layers, &err);
	if (st != err.code || (st != INF_OK && (strncmp(err.reason, "gguf_", 5) != 0 || !err.message[0])))
		abort();
	if (st != INF_OK) {
		snprintf(facts, 600, "%s %s", err.reason, err.message);
		return st;
	}
	check_facts(&g);
	check_layers(&g, &layers);
	if (chunk == SIZE_MAX)
		check_fit(&g, &layers);
	snprintf(facts, 600, "%u %s %s %s %s %d %u %u %u %u %u %u %u %llu %llu %llu %x %a %d", layers.count, g.architecture, g.name,
		 g.type, g.tokenizer_model, g.file_type, g.context_length, g.block_count, g.embedding_length,
		 g.feed_forward_length, g.head_count, g.head_count_kv, g.vocab_size,
		 (unsigned long long)g.expected_file_size, (unsigned long long)g.tensor_bytes,
		 (unsigned long long)g.parameter_count, g.sampling.set, (double)g.sampling.temperature,
		 g.sampling.top_k);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t claims[] = { size, (uint64_t)size + (1 << 17) };
	for (size_t i = 0; i < 2; i++) {
		char whole[600], pieces[600];
		inf_status st = read_file(data, size, claims[i], SIZE_MAX, whole);
		if (read_file(data, size, claims[i], 7, pieces) != st || strcmp(whole, pieces) != 0)
			abort();
	}
	return 0;
}
