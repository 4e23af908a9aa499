/* SPDX-License-Identifier: MIT */
#ifndef MODEL_SCRIPT_H
#define MODEL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gguf_build.h"

/*
 * model_script: small language models that do what is written down: the logits depend on the last token alone, and are
 * exactly (but for the rounding of float) those that the script gives.
 *
 * It is a llama of one block that adds nothing: the embedding of a token is a vector with a single 1, and the output matrix
 * is the table of logits. The norm before it is undone by its weights.
 *
 * Token ids are the same with either tokenizer: 0 <unk>, 1 <s>, 2 </s>, then the 256 bytes, then the pieces of the script in
 * their order. Whatever text comes in can be encoded: pieces of kind WORD are found in it wherever they occur, the longest
 * first; the rest becomes bytes. (A CONTROL is found in a template or where the caller allows special tokens, never in a
 * user's text.) No space is added in front.
 */
enum { MODEL_UNK = 0, MODEL_BOS = 1, MODEL_EOS = 2, MODEL_FIRST_BYTE = 3, MODEL_FIRST_PIECE = MODEL_FIRST_BYTE + 256 };

#define MODEL_BYTE(byte) (MODEL_FIRST_BYTE + (byte))
#define MODEL_PIECE(index) (MODEL_FIRST_PIECE + (index))

enum model_piece_kind {
	MODEL_NORMAL = 1,	/* as a model learns them; text is encoded as one only where the tokenizer comes to it itself */
	MODEL_CONTROL = 3,	/* not shown in the output */
	MODEL_WORD = 4,		/* "user defined" in GGUF */
};

struct model_piece {
	const char *text;	/* as it reads: spaces are spaces with either tokenizer */
	enum model_piece_kind kind;
};

enum { MODEL_ANY = -1 };	/* as the last token: after every one that no step names as the last */

struct model_step {
	int32_t last, next;
	float logit;
};

enum model_tokenizer { MODEL_SPM, MODEL_BPE };

struct model_script {
	const char *name;			/* general.name */
	enum model_tokenizer tokenizer;
	const struct model_piece *pieces;
	size_t piece_count;
	const struct model_step *steps;
	size_t step_count;
	float default_logit;			/* of what no step names */
	const char *chat_template;		/* NULL = none */
	int32_t eos;				/* 0 = MODEL_EOS */
	bool add_bos;
	uint32_t context_len;			/* 0 = 4096 */
};

/* The whole file. */
struct gguf_build model_script_build(const struct model_script *script);

/* A LoRA adapter for it that adds a number, times its scale, to the logit of one token after whatever token. */
struct gguf_build model_script_adapter(const struct model_script *script, int32_t next, float added);

float model_script_logit(const struct model_script *script, int32_t last, int32_t next);
/* The logarithm of the probability that next follows last: what a server without samplers reports. */
double model_script_logprob(const struct model_script *script, int32_t last, int32_t next);

/* The width of its vectors: the size of the vocabulary and a few more. */
uint32_t model_script_width(const struct model_script *script);
uint32_t model_script_vocabulary(const struct model_script *script);

#endif
