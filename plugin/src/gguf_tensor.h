/* SPDX-License-Identifier: MIT */
#ifndef GR_GGUF_TENSOR_H
#define GR_GGUF_TENSOR_H

#include <stddef.h>
#include <stdint.h>

/*
 * gguf_tensor: where a tensor belongs, from its name. Private to the gguf reader; pure.
 *
 * The names are those of llama.cpp (llama-arch.cpp): "blk.7.attn_k.weight" is of layer 7, "token_embd.weight" of the
 * input, and what has no block number and is not of the input goes with the output.
 */
enum gr_gguf_part {
	GR_GGUF_PART_TOKEN_EMBEDDING,	/* token_embd.weight */
	GR_GGUF_PART_INPUT,		/* the rest of the input: read one row for each token, never offloaded */
	GR_GGUF_PART_OUTPUT_WEIGHT,	/* output.weight; a model without one uses the token embedding again */
	GR_GGUF_PART_RANK_HEAD,		/* cls.weight, cls.output.weight */
	GR_GGUF_PART_OUTPUT,		/* the rest of the output, and what is not known */
	GR_GGUF_PART_LAYER,
};

/* What the name says about a tensor of a layer. */
enum gr_gguf_role {
	GR_GGUF_ROLE_NONE,
	GR_GGUF_ROLE_EXPERTS,		/* the stacked matrices of all experts */
	GR_GGUF_ROLE_KEY,		/* attn_k.weight */
	GR_GGUF_ROLE_VALUE,
	GR_GGUF_ROLE_FUSED,		/* queries, keys and values in one matrix */
	GR_GGUF_ROLE_LATENT,		/* compressed keys and values */
	GR_GGUF_ROLE_RECURRENT,		/* of a state space or a short convolution */
};

struct gr_gguf_place {
	enum gr_gguf_part part;
	enum gr_gguf_role role;
	uint32_t layer;			/* of PART_LAYER */
};

struct gr_gguf_place gr_gguf_place(const char *name, size_t len);

#endif
