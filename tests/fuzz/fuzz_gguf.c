/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf.h"
#include "utf8.h"

/*
 * The input is a file, once as it is and once with a MiB of zeros behind it, as tensor data. What is read must not
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
	if (g->expected_file_size > g->file_size || g->tensor_count > GR_GGUF_TENSORS_MAX ||
	    g->kv_count > GR_GGUF_KEYS_MAX || g->vocab_size > INT32_MAX || g->context_length > INT32_MAX ||
	    g->block_count > INT32_MAX || g->head_count_kv > INT32_MAX || g->add_bos > GR_GGUF_YES)
		abort();
}

static inf_status read_file(const uint8_t *data, size_t size, uint64_t claimed, size_t chunk, char facts[600])
{
	struct gr_gguf g;
	struct file file = { data, size, chunk };
	struct gr_gguf_source source = { &file, read_at, claimed };
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_gguf_read(&source, "m.gguf", &g, &err);
	if (st != err.code || (st != INF_OK && (strncmp(err.reason, "gguf_", 5) != 0 || !err.message[0])))
		abort();
	if (st != INF_OK) {
		snprintf(facts, 600, "%s %s", err.reason, err.message);
		return st;
	}
	check_facts(&g);
	snprintf(facts, 600, "%s %s %s %s %d %u %u %u %u %u %u %u %llu %llu %llu %x %a %d", g.architecture, g.name,
		 g.type, g.tokenizer_model, g.file_type, g.context_length, g.block_count, g.embedding_length,
		 g.feed_forward_length, g.head_count, g.head_count_kv, g.vocab_size,
		 (unsigned long long)g.expected_file_size, (unsigned long long)g.tensor_bytes,
		 (unsigned long long)g.parameter_count, g.sampling.set, (double)g.sampling.temperature,
		 g.sampling.top_k);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t claims[] = { size, (uint64_t)size + (1 << 20) };
	for (size_t i = 0; i < 2; i++) {
		char whole[600], pieces[600];
		inf_status st = read_file(data, size, claims[i], SIZE_MAX, whole);
		if (read_file(data, size, claims[i], 7, pieces) != st || strcmp(whole, pieces) != 0)
			abort();
	}
	return 0;
}
