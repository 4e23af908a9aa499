/* SPDX-License-Identifier: MIT */
#include "model_shapes.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { F32 = 0, F16 = 1, Q8_0 = 8, Q4_K = 12, Q6_K = 14, MXFP4 = 39 };

enum {
	TIED = 1 << 0,			/* no output.weight */
	QKV_BIAS = 1 << 1,
	QK_NORM = 1 << 2,
	POST_NORMS = 1 << 3,
	ROPE_FREQS = 1 << 4,
	SINKS = 1 << 5,
	BIASES = 1 << 6,		/* of all projections and experts */
	WORDS = 1 << 7,			/* a vocabulary with words and merges, not only a size */
};

/* What llama-quantize makes of it. */
enum quantisation { AS_Q8_0, AS_Q4_K_M, AS_MXFP4 };

struct shape {
	const char *name, *architecture;
	uint32_t layers, embd, ff, heads, kv_heads, head_length, vocab, context, window, experts, experts_used, flags;
	enum quantisation as;
	uint32_t expert_ff;		/* 0 = ff */
};

static const struct shape shapes[] = {
	{ "llama-3.1-8b-q4_k_m", "llama", 32, 4096, 14336, 32, 8, 0, 128256, 131072, 0, 0, 0, ROPE_FREQS, AS_Q4_K_M, 0 },
	{ "qwen2.5-7b-q4_k_m", "qwen2", 28, 3584, 18944, 28, 4, 0, 152064, 32768, 0, 0, 0, QKV_BIAS, AS_Q4_K_M, 0 },
	{ "gemma-3-4b-q4_k_m", "gemma3", 34, 2560, 10240, 8, 4, 256, 262144, 131072, 1024, 0, 0,
	  TIED | QK_NORM | POST_NORMS, AS_Q4_K_M, 0 },
	{ "gemma-2-2b-q8_0", "gemma2", 26, 2304, 9216, 8, 4, 256, 256000, 8192, 4096, 0, 0, TIED | POST_NORMS, AS_Q8_0, 0 },
	{ "mixtral-8x7b-q8_0", "llama", 32, 4096, 14336, 32, 8, 0, 32000, 32768, 0, 8, 2, 0, AS_Q8_0, 0 },
	{ "gpt-oss-20b-mxfp4", "gpt-oss", 24, 2880, 2880, 64, 8, 64, 201088, 131072, 128, 32, 4,
	  POST_NORMS | BIASES | SINKS, AS_MXFP4, 0 },
	{ "qwen3-0.6b-q8_0", "qwen3", 28, 1024, 3072, 16, 8, 128, 151936, 40960, 0, 0, 0, TIED | QK_NORM | WORDS,
	  AS_Q8_0, 0 },
	{ "qwen3-30b-a3b-q4_k_m", "qwen3moe", 48, 2048, 6144, 32, 4, 128, 151936, 40960, 0, 128, 8, QK_NORM,
	  AS_Q4_K_M, 768 },
	{ "llama-3.2-1b-q8_0", "llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072, 0, 0, 0, TIED | ROPE_FREQS, AS_Q8_0, 0 },
	{ "small-dense-q4_k_m", "llama", 8, 2048, 16384, 32, 8, 64, 20000, 131072, 0, 0, 0, 0, AS_Q4_K_M, 0 },
	{ "small-words-q8_0", "llama", 8, 2048, 4096, 32, 8, 64, 60000, 131072, 0, 0, 0, 0, AS_Q8_0, 0 },
	{ "small-moe-q8_0", "qwen3moe", 8, 2048, 6144, 32, 4, 128, 20000, 40960, 0, 32, 4, QK_NORM, AS_Q8_0, 768 },
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

const char *const model_shape_names[SHAPES + 1] = {
	"llama-3.1-8b-q4_k_m", "qwen2.5-7b-q4_k_m", "gemma-3-4b-q4_k_m", "gemma-2-2b-q8_0", "mixtral-8x7b-q8_0",
	"gpt-oss-20b-mxfp4", "qwen3-0.6b-q8_0", "qwen3-30b-a3b-q4_k_m", "llama-3.2-1b-q8_0",
	"small-dense-q4_k_m", "small-words-q8_0", "small-moe-q8_0",
};

struct building {
	struct gguf_build b;
	const struct shape *shape;
	uint64_t offset;
};

static uint64_t bytes_of(uint32_t type, uint64_t elements)
{
	switch (type) {
	case F16:
		return elements * 2;
	case Q8_0:
		return elements / 32 * 34;
	case Q4_K:
		return elements / 256 * 144;
	case Q6_K:
		return elements / 256 * 210;
	case MXFP4:
		return elements / 32 * 17;
	default:
		return elements * 4;
	}
}

/* depth 0 = a vector, 1 = a matrix. */
static void add_tensor(struct building *g, const char *name, uint32_t type, uint64_t row, uint64_t rows, uint64_t depth)
{
	uint32_t dims = depth > 1 ? 3 : rows > 1 || depth == 1 ? 2 : 1;
	size_t counter = 8;
	uint64_t count;
	gguf_build_string(&g->b, name);
	gguf_build_number(&g->b, 4, dims);
	gguf_build_number(&g->b, 8, row);
	if (dims > 1)
		gguf_build_number(&g->b, 8, rows);
	if (dims > 2)
		gguf_build_number(&g->b, 8, depth);
	gguf_build_number(&g->b, 4, type);
	gguf_build_number(&g->b, 8, g->offset);
	memcpy(&count, g->b.data + counter, sizeof count);
	gguf_build_put(&g->b, counter, 8, count + 1);
	g->offset += (bytes_of(type, row * rows * (depth ? depth : 1)) + 31) / 32 * 32;
}

static void add_to_layer(struct building *g, uint32_t layer, const char *name, uint32_t type, uint64_t row,
			 uint64_t rows, uint64_t depth)
{
	char full[64];
	snprintf(full, sizeof full, "blk.%u.%s", layer, name);
	add_tensor(g, full, type, row, rows, depth);
}

static void add_number(struct building *g, const char *key, uint32_t value)
{
	char full[128];
	snprintf(full, sizeof full, "%s.%s", g->shape->architecture, key);
	gguf_build_u32(&g->b, full, value);
}

static uint32_t expert_ff(const struct shape *s)
{
	return s->expert_ff ? s->expert_ff : s->ff;
}

/* As many words as the shape has, and merges of the first ones. */
static void add_words(struct building *g)
{
	enum { MERGES = 1000 };
	char word[32];
	gguf_build_text(&g->b, "tokenizer.ggml.model", "gpt2");
	gguf_build_text(&g->b, "tokenizer.ggml.pre", "qwen2");
	gguf_build_key(&g->b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(&g->b, GGUF_STRING, g->shape->vocab);
	for (uint32_t i = 0; i < g->shape->vocab; i++) {
		snprintf(word, sizeof word, "w%x", i);
		gguf_build_string(&g->b, word);
	}
	gguf_build_key(&g->b, "tokenizer.ggml.token_type", GGUF_ARRAY);
	gguf_build_array(&g->b, GGUF_I32, g->shape->vocab);
	for (uint32_t i = 0; i < g->shape->vocab; i++)
		gguf_build_number(&g->b, 4, 1);
	gguf_build_key(&g->b, "tokenizer.ggml.merges", GGUF_ARRAY);
	gguf_build_array(&g->b, GGUF_STRING, MERGES);
	for (uint32_t i = 0; i < MERGES; i++) {
		snprintf(word, sizeof word, "w %x", i);
		gguf_build_string(&g->b, word);
	}
}

static void add_keys(struct building *g)
{
	const struct shape *s = g->shape;
	char key[128];
	gguf_build_text(&g->b, "general.architecture", s->architecture);
	gguf_build_text(&g->b, "general.type", "model");
	gguf_build_text(&g->b, "general.name", s->name);
	gguf_build_u32(&g->b, "general.file_type", s->as == AS_Q4_K_M ? 15 : s->as == AS_Q8_0 ? 7 : 38);
	add_number(g, "context_length", s->context);
	add_number(g, "block_count", s->layers);
	add_number(g, "embedding_length", s->embd);
	add_number(g, "feed_forward_length", s->ff);
	add_number(g, "attention.head_count", s->heads);
	add_number(g, "attention.head_count_kv", s->kv_heads);
	if (!(s->flags & WORDS))
		add_number(g, "vocab_size", s->vocab);
	if (s->head_length) {
		add_number(g, "attention.key_length", s->head_length);
		add_number(g, "attention.value_length", s->head_length);
		add_number(g, "rope.dimension_count", s->head_length);
	} else {
		add_number(g, "rope.dimension_count", s->embd / s->heads);
	}
	if (s->window)
		add_number(g, "attention.sliding_window", s->window);
	if (s->experts) {
		add_number(g, "expert_count", s->experts);
		add_number(g, "expert_used_count", s->experts_used);
		add_number(g, "expert_feed_forward_length", expert_ff(s));
	}
	snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", s->architecture);
	gguf_build_f32(&g->b, key, 1e-6f);
	if (s->flags & WORDS)
		add_words(g);
	else
		gguf_build_text(&g->b, "tokenizer.ggml.model", "no_vocab");
}

/* Every third layer, and the first and last eighth, get more bits (use_more_bits in llama-quant.cpp). */
static uint32_t type_of(const struct shape *s, uint32_t layer, bool important)
{
	uint32_t n = s->layers;
	if (s->as != AS_Q4_K_M)
		return Q8_0;
	bool more = layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
	return important && more ? Q6_K : Q4_K;
}

static void add_attention(struct building *g, uint32_t i)
{
	const struct shape *s = g->shape;
	uint64_t length = s->head_length ? s->head_length : s->embd / s->heads;
	uint64_t q = length * s->heads, kv = length * s->kv_heads;
	add_to_layer(g, i, "attn_norm.weight", F32, s->embd, 1, 0);
	add_to_layer(g, i, "attn_q.weight", type_of(s, i, false), s->embd, q, 1);
	add_to_layer(g, i, "attn_k.weight", type_of(s, i, false), s->embd, kv, 1);
	add_to_layer(g, i, "attn_v.weight", type_of(s, i, true), s->embd, kv, 1);
	add_to_layer(g, i, "attn_output.weight", type_of(s, i, false), q, s->embd, 1);
	if (s->flags & (QKV_BIAS | BIASES)) {
		add_to_layer(g, i, "attn_q.bias", F32, q, 1, 0);
		add_to_layer(g, i, "attn_k.bias", F32, kv, 1, 0);
		add_to_layer(g, i, "attn_v.bias", F32, kv, 1, 0);
	}
	if (s->flags & BIASES)
		add_to_layer(g, i, "attn_output.bias", F32, s->embd, 1, 0);
	if (s->flags & SINKS)
		add_to_layer(g, i, "attn_sinks.weight", F32, s->heads, 1, 0);
	if (s->flags & QK_NORM) {
		add_to_layer(g, i, "attn_q_norm.weight", F32, length, 1, 0);
		add_to_layer(g, i, "attn_k_norm.weight", F32, length, 1, 0);
	}
}

static void add_experts(struct building *g, uint32_t i)
{
	const struct shape *s = g->shape;
	uint32_t type = s->as == AS_MXFP4 ? MXFP4 : type_of(s, i, true);
	add_to_layer(g, i, "ffn_gate_inp.weight", F32, s->embd, s->experts, 1);
	add_to_layer(g, i, "ffn_gate_exps.weight", type, s->embd, expert_ff(s), s->experts);
	add_to_layer(g, i, "ffn_up_exps.weight", type, s->embd, expert_ff(s), s->experts);
	add_to_layer(g, i, "ffn_down_exps.weight", type, expert_ff(s), s->embd, s->experts);
	if (!(s->flags & BIASES))
		return;
	add_to_layer(g, i, "ffn_gate_inp.bias", F32, s->experts, 1, 0);
	add_to_layer(g, i, "ffn_gate_exps.bias", F32, expert_ff(s), s->experts, 1);
	add_to_layer(g, i, "ffn_up_exps.bias", F32, expert_ff(s), s->experts, 1);
	add_to_layer(g, i, "ffn_down_exps.bias", F32, s->embd, s->experts, 1);
}

static void add_feed_forward(struct building *g, uint32_t i)
{
	const struct shape *s = g->shape;
	bool gpt_oss = s->as == AS_MXFP4;
	if (s->flags & POST_NORMS)
		add_to_layer(g, i, "post_attention_norm.weight", F32, s->embd, 1, 0);
	if (!gpt_oss)
		add_to_layer(g, i, "ffn_norm.weight", F32, s->embd, 1, 0);
	if (s->flags & POST_NORMS && !gpt_oss)
		add_to_layer(g, i, "post_ffw_norm.weight", F32, s->embd, 1, 0);
	if (s->experts) {
		add_experts(g, i);
		return;
	}
	add_to_layer(g, i, "ffn_gate.weight", type_of(s, i, false), s->embd, s->ff, 1);
	add_to_layer(g, i, "ffn_up.weight", type_of(s, i, false), s->embd, s->ff, 1);
	add_to_layer(g, i, "ffn_down.weight", type_of(s, i, true), s->ff, s->embd, 1);
}

struct gguf_build model_shape_header(const char *name, uint64_t *file_size)
{
	struct building g = { .b = GGUF_BUILD_INIT };
	for (int i = 0; i < SHAPES; i++)
		if (!strcmp(shapes[i].name, name))
			g.shape = &shapes[i];
	if (!g.shape)
		abort();
	const struct shape *s = g.shape;
	gguf_build_head(&g.b, 3);
	add_keys(&g);
	uint32_t table = s->as != AS_Q4_K_M ? Q8_0 : s->flags & TIED ? Q6_K : Q4_K;
	add_tensor(&g, "token_embd.weight", table, s->embd, s->vocab, 1);
	add_tensor(&g, "output_norm.weight", F32, s->embd, 1, 0);
	if (!(s->flags & TIED))
		add_tensor(&g, "output.weight", s->as == AS_Q4_K_M ? Q6_K : Q8_0, s->embd, s->vocab, 1);
	if (s->flags & ROPE_FREQS)
		add_tensor(&g, "rope_freqs.weight", F32, s->embd / s->heads / 2, 1, 0);
	for (uint32_t i = 0; i < s->layers; i++) {
		add_attention(&g, i);
		add_feed_forward(&g, i);
	}
	gguf_build_data(&g.b, 0);
	*file_size = g.b.len + g.offset;
	return g.b;
}

struct gr_gguf_source model_shape_source(const struct gguf_build *header, uint64_t file_size, struct gguf_bytes *bytes)
{
	*bytes = (struct gguf_bytes){ .data = header->data, .size = header->len };
	struct gr_gguf_source source = gguf_bytes_source(bytes);
	source.size = file_size;
	return source;
}
