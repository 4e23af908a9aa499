/* SPDX-License-Identifier: MIT */
#include "model_script.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model_tensors.h"

enum { HEAD = 32, FEED_FORWARD = 32, WIDTH_MULTIPLE = 32, CONTEXT = 4096, TEXT_MAX = 1024 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6 };

static const float epsilon = 1e-6f;

uint32_t model_script_vocabulary(const struct model_script *script)
{
	return MODEL_FIRST_PIECE + (uint32_t)script->piece_count;
}

uint32_t model_script_width(const struct model_script *script)
{
	return (model_script_vocabulary(script) + WIDTH_MULTIPLE - 1) / WIDTH_MULTIPLE * WIDTH_MULTIPLE;
}

float model_script_logit(const struct model_script *script, int32_t last, int32_t next)
{
	float logit = script->default_logit, after_any = script->default_logit;
	bool named = false;
	for (size_t i = 0; i < script->step_count; i++) {
		const struct model_step *step = &script->steps[i];
		named |= step->last == last;
		if (step->next == next && step->last == last)
			logit = step->logit;
		if (step->next == next && step->last == MODEL_ANY)
			after_any = step->logit;
	}
	return named ? logit : after_any;
}

double model_script_logprob(const struct model_script *script, int32_t last, int32_t next)
{
	double sum = 0;
	for (uint32_t i = 0; i < model_script_vocabulary(script); i++)
		sum += exp(model_script_logit(script, last, (int32_t)i));
	return model_script_logit(script, last, next) - log(sum);
}

static size_t put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	out[0] = (char)(0xc0 | code >> 6);
	out[1] = (char)(0x80 | (code & 0x3f));
	return 2;
}

static bool is_printable(unsigned byte)
{
	return (byte > ' ' && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
}

/* The character that stands for a byte in the vocabulary of GPT-2: itself, or one from 256 on. */
static unsigned byte_character(unsigned byte)
{
	unsigned code = 256;
	if (is_printable(byte))
		return byte;
	for (unsigned i = 0; i < byte; i++)
		code += !is_printable(i);
	return code;
}

static void spell_bpe(char out[TEXT_MAX], const char *text, size_t len)
{
	size_t used = 0;
	for (size_t i = 0; i < len && used + 3 < TEXT_MAX; i++)
		used += put_utf8(out + used, byte_character((unsigned char)text[i]));
	out[used] = '\0';
}

/* A space is U+2581. */
static void spell_spm(char out[TEXT_MAX], const char *text)
{
	static const char blank[] = "\xe2\x96\x81";
	size_t used = 0;
	for (; *text && used + sizeof blank < TEXT_MAX; text++) {
		size_t len = *text == ' ' ? sizeof blank - 1 : 1;
		memcpy(out + used, *text == ' ' ? blank : text, len);
		used += len;
	}
	out[used] = '\0';
}

/* With SPM a space in a text is never the byte, it is a character of its own. */
static bool is_space(const struct model_script *script, uint32_t id)
{
	return id == MODEL_BYTE(' ') && script->tokenizer == MODEL_SPM;
}

static void spell(const struct model_script *script, uint32_t id, char out[TEXT_MAX])
{
	static const char *const heads[] = { "<unk>", "<s>", "</s>" };
	const struct model_piece *piece = &script->pieces[id - MODEL_FIRST_PIECE];
	char byte = (char)(id - MODEL_FIRST_BYTE);
	if (id < MODEL_FIRST_BYTE)
		snprintf(out, TEXT_MAX, "%s", heads[id]);
	else if (id < MODEL_FIRST_PIECE && script->tokenizer == MODEL_BPE)
		spell_bpe(out, &byte, 1);
	else if (is_space(script, id))
		spell_spm(out, " ");
	else if (id < MODEL_FIRST_PIECE)
		snprintf(out, TEXT_MAX, "<0x%02X>", id - MODEL_FIRST_BYTE);
	else if (piece->kind != MODEL_NORMAL)
		snprintf(out, TEXT_MAX, "%s", piece->text);
	else if (script->tokenizer == MODEL_BPE)
		spell_bpe(out, piece->text, strlen(piece->text));
	else
		spell_spm(out, piece->text);
}

static uint32_t type_of(const struct model_script *script, uint32_t id)
{
	if (id >= MODEL_FIRST_PIECE)
		return script->pieces[id - MODEL_FIRST_PIECE].kind;
	if (id >= MODEL_FIRST_BYTE)
		return script->tokenizer == MODEL_BPE || is_space(script, id) ? TYPE_NORMAL : TYPE_BYTE;
	return id == MODEL_UNK ? TYPE_UNKNOWN : TYPE_CONTROL;
}

static void add_words(struct gguf_build *b, const struct model_script *script)
{
	uint32_t count = model_script_vocabulary(script);
	char text[TEXT_MAX];
	gguf_build_key(b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(b, GGUF_STRING, count);
	for (uint32_t i = 0; i < count; i++) {
		spell(script, i, text);
		gguf_build_string(b, text);
	}
	gguf_build_key(b, "tokenizer.ggml.token_type", GGUF_ARRAY);
	gguf_build_array(b, GGUF_I32, count);
	for (uint32_t i = 0; i < count; i++)
		gguf_build_number(b, 4, type_of(script, i));
}

/* SPM wants scores and BPE merges; none of them says anything here. */
static void add_tokenizer(struct gguf_build *b, const struct model_script *script)
{
	bool bpe = script->tokenizer == MODEL_BPE;
	gguf_build_text(b, "tokenizer.ggml.model", bpe ? "gpt2" : "llama");
	gguf_build_text(b, "tokenizer.ggml.pre", bpe ? "llama-bpe" : "default");
	add_words(b, script);
	gguf_build_key(b, bpe ? "tokenizer.ggml.merges" : "tokenizer.ggml.scores", GGUF_ARRAY);
	gguf_build_array(b, bpe ? GGUF_STRING : GGUF_F32, bpe ? 0 : model_script_vocabulary(script));
	for (uint32_t i = 0; !bpe && i < model_script_vocabulary(script); i++)
		gguf_build_number(b, 4, 0);
	gguf_build_u32(b, "tokenizer.ggml.unknown_token_id", MODEL_UNK);
	gguf_build_u32(b, "tokenizer.ggml.bos_token_id", MODEL_BOS);
	gguf_build_u32(b, "tokenizer.ggml.eos_token_id", script->eos ? (uint32_t)script->eos : MODEL_EOS);
	gguf_build_bool(b, "tokenizer.ggml.add_bos_token", script->add_bos);
	gguf_build_bool(b, "tokenizer.ggml.add_space_prefix", false);
	if (script->chat_template)
		gguf_build_text(b, "tokenizer.chat_template", script->chat_template);
}

static void add_keys(struct gguf_build *b, const struct model_script *script)
{
	gguf_build_text(b, "general.architecture", "llama");
	gguf_build_text(b, "general.type", "model");
	gguf_build_text(b, "general.name", script->name);
	gguf_build_u32(b, "general.file_type", 0);
	gguf_build_u32(b, "llama.context_length", script->context_len ? script->context_len : CONTEXT);
	gguf_build_u32(b, "llama.block_count", 1);
	gguf_build_u32(b, "llama.embedding_length", model_script_width(script));
	gguf_build_u32(b, "llama.feed_forward_length", FEED_FORWARD);
	gguf_build_u32(b, "llama.attention.head_count", 1);
	gguf_build_u32(b, "llama.attention.head_count_kv", 1);
	gguf_build_u32(b, "llama.attention.key_length", HEAD);
	gguf_build_u32(b, "llama.attention.value_length", HEAD);
	gguf_build_u32(b, "llama.rope.dimension_count", HEAD);
	gguf_build_u32(b, "llama.vocab_size", model_script_vocabulary(script));
	gguf_build_f32(b, "llama.attention.layer_norm_rms_epsilon", epsilon);
}

/* A block that adds nothing to what passes it. */
static void add_block(struct model_tensors *tensors, uint32_t width)
{
	model_tensors_vector(tensors, "blk.0.attn_norm.weight", width, 1);
	model_tensors_zeros(tensors, "blk.0.attn_q.weight", width, HEAD);
	model_tensors_zeros(tensors, "blk.0.attn_k.weight", width, HEAD);
	model_tensors_zeros(tensors, "blk.0.attn_v.weight", width, HEAD);
	model_tensors_zeros(tensors, "blk.0.attn_output.weight", HEAD, width);
	model_tensors_vector(tensors, "blk.0.ffn_norm.weight", width, 1);
	model_tensors_zeros(tensors, "blk.0.ffn_gate.weight", width, FEED_FORWARD);
	model_tensors_zeros(tensors, "blk.0.ffn_up.weight", width, FEED_FORWARD);
	model_tensors_zeros(tensors, "blk.0.ffn_down.weight", FEED_FORWARD, width);
}

struct gguf_build model_script_build(const struct model_script *script)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct model_tensors tensors = { .count = 0 };
	uint32_t width = model_script_width(script), count = model_script_vocabulary(script);
	gguf_build_head(&b, 3);
	add_keys(&b, script);
	add_tokenizer(&b, script);

	float *embedding = model_tensors_zeros(&tensors, "token_embd.weight", width, count);
	for (uint32_t i = 0; i < count; i++)
		embedding[i * width + i] = 1;
	model_tensors_vector(&tensors, "output_norm.weight", width, sqrtf(1.0f / (float)width + epsilon));
	float *output = model_tensors_zeros(&tensors, "output.weight", width, count);
	for (uint32_t next = 0; next < count; next++)
		for (uint32_t last = 0; last < count; last++)
			output[next * width + last] = model_script_logit(script, (int32_t)last, (int32_t)next);
	add_block(&tensors, width);
	model_tensors_write(&tensors, &b);
	return b;
}

struct gguf_build model_script_adapter(const struct model_script *script, int32_t next, float added)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct model_tensors tensors = { .count = 0 };
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_text(&b, "general.type", "adapter");
	gguf_build_text(&b, "general.name", "adapter");
	gguf_build_text(&b, "adapter.type", "lora");
	gguf_build_f32(&b, "adapter.lora.alpha", 1);
	model_tensors_vector(&tensors, "output.weight.lora_a", model_script_width(script), 1);
	model_tensors_zeros(&tensors, "output.weight.lora_b", 1, model_script_vocabulary(script))[next] = added;
	model_tensors_write(&tensors, &b);
	return b;
}
