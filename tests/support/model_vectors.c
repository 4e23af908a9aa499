/* SPDX-License-Identifier: MIT */
#include "model_vectors.h"

#include <stdio.h>

#include "model_tensors.h"

enum { WIDTH = 32, FEED_FORWARD = 32, CONTEXT = 512, WORD_MAX = 64 };
enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, POOL_MEAN = 1, POOL_RANK = 4 };

static uint32_t vocabulary(const struct model_vectors *model)
{
	uint32_t count = MODEL_FIRST_WORD;
	for (const char *const *word = model->words; *word; word++)
		count++;
	return count;
}

/* A piece that begins a word has U+2581 in front. */
static void add_words(struct gguf_build *b, const struct model_vectors *model)
{
	static const char *const heads[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]" };
	uint32_t count = vocabulary(model);
	char text[WORD_MAX];
	gguf_build_key(b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(b, GGUF_STRING, count);
	for (uint32_t i = 0; i < MODEL_FIRST_WORD; i++)
		gguf_build_string(b, heads[i]);
	for (const char *const *word = model->words; *word; word++) {
		snprintf(text, sizeof text, "\xe2\x96\x81%s", *word);
		gguf_build_string(b, text);
	}
	gguf_build_key(b, "tokenizer.ggml.token_type", GGUF_ARRAY);
	gguf_build_array(b, GGUF_I32, count);
	for (uint32_t i = 0; i < count; i++)
		gguf_build_number(b, 4, i < MODEL_FIRST_WORD ? TYPE_CONTROL : TYPE_NORMAL);
}

static void add_tokenizer(struct gguf_build *b, const struct model_vectors *model)
{
	gguf_build_text(b, "tokenizer.ggml.model", "bert");
	gguf_build_text(b, "tokenizer.ggml.pre", "default");
	add_words(b, model);
	gguf_build_u32(b, "tokenizer.ggml.token_type_count", 2);
	gguf_build_u32(b, "tokenizer.ggml.padding_token_id", MODEL_PAD);
	gguf_build_u32(b, "tokenizer.ggml.unknown_token_id", MODEL_UNKNOWN_WORD);
	gguf_build_u32(b, "tokenizer.ggml.bos_token_id", MODEL_CLS);
	gguf_build_u32(b, "tokenizer.ggml.cls_token_id", MODEL_CLS);
	gguf_build_u32(b, "tokenizer.ggml.eos_token_id", MODEL_SEP);
	gguf_build_u32(b, "tokenizer.ggml.seperator_token_id", MODEL_SEP);	/* as the format spells it */
}

static void add_keys(struct gguf_build *b, const struct model_vectors *model)
{
	gguf_build_text(b, "general.architecture", "bert");
	gguf_build_text(b, "general.type", "model");
	gguf_build_text(b, "general.name", model->name);
	gguf_build_u32(b, "general.file_type", 0);
	gguf_build_u32(b, "bert.context_length", CONTEXT);
	gguf_build_u32(b, "bert.block_count", 1);
	gguf_build_u32(b, "bert.embedding_length", WIDTH);
	gguf_build_u32(b, "bert.feed_forward_length", FEED_FORWARD);
	gguf_build_u32(b, "bert.attention.head_count", 1);
	gguf_build_f32(b, "bert.attention.layer_norm_epsilon", 1e-6f);
	gguf_build_bool(b, "bert.attention.causal", false);
	gguf_build_u32(b, "bert.pooling_type", model->wanted < 0 ? POOL_MEAN : POOL_RANK);
}

static void add_norm(struct model_tensors *tensors, const char *weight, const char *bias)
{
	model_tensors_vector(tensors, weight, WIDTH, 1);
	model_tensors_vector(tensors, bias, WIDTH, 0);
}

/* Queries and keys of nothing, values as they are: attention is the mean of what is there. */
static void add_block(struct model_tensors *tensors)
{
	model_tensors_diagonal(tensors, "blk.0.attn_q.weight", WIDTH, 0);
	model_tensors_vector(tensors, "blk.0.attn_q.bias", WIDTH, 0);
	model_tensors_diagonal(tensors, "blk.0.attn_k.weight", WIDTH, 0);
	model_tensors_vector(tensors, "blk.0.attn_k.bias", WIDTH, 0);
	model_tensors_diagonal(tensors, "blk.0.attn_v.weight", WIDTH, 1);
	model_tensors_vector(tensors, "blk.0.attn_v.bias", WIDTH, 0);
	model_tensors_diagonal(tensors, "blk.0.attn_output.weight", WIDTH, MODEL_MIX);
	model_tensors_vector(tensors, "blk.0.attn_output.bias", WIDTH, 0);
	add_norm(tensors, "blk.0.attn_output_norm.weight", "blk.0.attn_output_norm.bias");
	model_tensors_zeros(tensors, "blk.0.ffn_up.weight", WIDTH, FEED_FORWARD);
	model_tensors_vector(tensors, "blk.0.ffn_up.bias", FEED_FORWARD, 0);
	model_tensors_zeros(tensors, "blk.0.ffn_down.weight", FEED_FORWARD, WIDTH);
	model_tensors_vector(tensors, "blk.0.ffn_down.bias", WIDTH, 0);
	add_norm(tensors, "blk.0.layer_output_norm.weight", "blk.0.layer_output_norm.bias");
}

struct gguf_build model_vectors_build(const struct model_vectors *model)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct model_tensors tensors = { .count = 0 };
	uint32_t count = vocabulary(model);
	gguf_build_head(&b, 3);
	add_keys(&b, model);
	add_tokenizer(&b, model);

	float *embedding = model_tensors_zeros(&tensors, "token_embd.weight", WIDTH, count);
	for (uint32_t i = 0; i < count; i++)
		embedding[i * WIDTH + i] = 1;
	model_tensors_zeros(&tensors, "position_embd.weight", WIDTH, CONTEXT);
	model_tensors_zeros(&tensors, "token_types.weight", WIDTH, 2);
	add_norm(&tensors, "token_embd_norm.weight", "token_embd_norm.bias");
	add_block(&tensors);
	if (model->wanted >= 0) {
		float *head = model_tensors_zeros(&tensors, "cls.output.weight", WIDTH, 1);
		head[MODEL_FIRST_WORD + model->wanted] = 1;
		model_tensors_vector(&tensors, "cls.output.bias", 1, 0);
	}
	model_tensors_write(&tensors, &b);
	return b;
}
