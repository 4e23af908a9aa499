/* SPDX-License-Identifier: MIT */
#ifndef GR_GGUF_H
#define GR_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * gguf: bounded reader of GGUF v2 and v3 headers.
 *
 * Reads a model's metadata and tensor descriptors, front to back through one window, and keeps a few facts. What is
 * not one of them is stepped over and never built: a vocabulary of a quarter of a million tokens costs a few
 * milliseconds and no memory. No count, length or offset in the file is believed before it is held against the
 * bytes that are there, and the limits below bound the work whatever the file says.
 *
 * The bytes come from a source, so the reader opens nothing itself. Text it hands out is well-formed UTF-8 without
 * control characters, cut at a code point where the field is too short; a text that is not UTF-8 becomes "".
 * A key whose value has an unexpected type counts as absent.
 *
 * Not thread-safe for one source; it keeps no state of its own between calls.
 */
enum {
	GR_GGUF_WINDOW = 64 * 1024,		/* bytes read from the source at a time */
	GR_GGUF_KEYS_MAX = 1 << 16,
	GR_GGUF_TENSORS_MAX = 1 << 18,
	GR_GGUF_KEY_LENGTH_MAX = 65535,		/* the GGUF specification's own limit */
	GR_GGUF_TENSOR_NAME_MAX = 255,
	GR_GGUF_STRING_MAX = 1 << 30,		/* bytes of one string value, as in ggml */
	GR_GGUF_ITEMS_MAX = 1 << 24,		/* strings and inner arrays, in all arrays of the file together */
	GR_GGUF_DEPTH_MAX = 4,			/* arrays in arrays */
	GR_GGUF_DIMS_MAX = 4,			/* of a tensor, as in ggml */
	GR_GGUF_LAYERS_MAX = 512,		/* layers that are told apart, as many as llama.cpp can load */
};

/*
 * read_at puts up to len bytes at offset into buf and returns how many, 0 at the end, < 0 on an I/O error, which it
 * keeps in ctx. It may give fewer than asked for.
 */
struct gr_gguf_source {
	void *ctx;
	int64_t (*read_at)(void *ctx, uint64_t offset, void *buf, size_t len);
	uint64_t size;		/* bytes */
};

enum gr_gguf_answer {
	GR_GGUF_UNSAID = 0,
	GR_GGUF_NO,
	GR_GGUF_YES,
};

/* What a text's vector is made of; llama.cpp's numbers. */
enum gr_gguf_pooling {
	GR_GGUF_POOLING_NONE,
	GR_GGUF_POOLING_MEAN,
	GR_GGUF_POOLING_CLS,
	GR_GGUF_POOLING_LAST,
	GR_GGUF_POOLING_RANK,
};

/* The sampling the file declares as its default (general.sampling.*); a value counts only with its bit in set. */
enum {
	GR_GGUF_SET_TEMPERATURE = 1u << 0,
	GR_GGUF_SET_TOP_K = 1u << 1,
	GR_GGUF_SET_TOP_P = 1u << 2,
	GR_GGUF_SET_MIN_P = 1u << 3,
	GR_GGUF_SET_REPEAT_PENALTY = 1u << 4,
};

struct gr_gguf_sampling {
	uint32_t set;		/* GR_GGUF_SET_* */
	float temperature;	/* all floats are finite; ranges are not checked */
	float top_p;
	float min_p;
	float repeat_penalty;
	int32_t top_k;
};

/* Bytes of tensors by where llama.cpp puts them. The layers are the rest of tensor_bytes. */
struct gr_gguf_sizes {
	uint64_t token_embedding;	/* token_embd.weight */
	uint64_t input;			/* the other tensors that are looked up by token or position */
	uint64_t output;		/* what is of no layer otherwise, output.weight included */
	uint64_t experts;		/* of the layers, those of a mixture of experts; all of them, used at once or not */
};

/* 0 or "" = the file does not say, unless noted. Counts never exceed INT32_MAX. */
struct gr_gguf {
	uint32_t version;			/* 2 or 3 */
	uint64_t tensor_count, kv_count;
	uint64_t file_size;			/* of the source, bytes */
	uint64_t expected_file_size;		/* where the last tensor ends, bytes; 0 = not known: a tensor has an
						   unknown type */
	uint64_t tensor_bytes;			/* all tensors, without padding; one of an unknown type reaches up to the
						   next, or to the end of the file */
	uint64_t parameter_count;		/* elements of all tensors */
	struct gr_gguf_sizes sizes;
	bool has_output_weight;			/* else the token embedding is used a second time, for the output */
	bool has_rank_head;			/* a classifier, that ranks documents */
	int32_t main_tensor_type;		/* the one with the most bytes; -1 = no tensor, or not known */

	char architecture[64];			/* "llama", "qwen3"; not cut: a longer one is refused */
	char name[128];
	char type[32];				/* "model", "adapter", "mmproj" */
	char size_label[32];			/* "8B", "8x7B" */
	char license[64];			/* "apache-2.0" */
	int32_t file_type;			/* LLAMA_FTYPE_*: 0 is F32; -1 = the file does not say */
	uint32_t split_no, split_count;		/* shard split_no (from 0) of split_count; count 0 = not split */

	/* <architecture>.*; the largest where the file has one for each layer */
	uint32_t context_length;		/* tokens the model was trained for */
	uint32_t block_count;
	uint32_t embedding_length;
	uint32_t embedding_length_out;		/* of the vectors it gives, if that is another; 0 = as embedding_length */
	uint32_t feed_forward_length;
	uint32_t head_count, head_count_kv;	/* without head_count_kv it is as head_count */
	uint32_t key_length, value_length;	/* of one head; 0 = embedding_length / head_count */
	uint32_t key_length_swa, value_length_swa;	/* in layers with a sliding window, if they differ */
	uint32_t key_length_mla;		/* not 0: keys and values are cached compressed, as one row */
	uint32_t sliding_window;		/* tokens */
	uint32_t sliding_pattern;		/* one layer in so many attends to everything; see also gr_gguf_layers */
	uint32_t shared_kv_layers;		/* so many of the last layers use the keys and values of others */
	uint32_t predict_layers;		/* so many of the last layers only predict further tokens */
	uint32_t expert_count, expert_used_count, expert_feed_forward_length;
	uint32_t ssm_conv_kernel, ssm_inner_size, ssm_state_size, ssm_group_count;
	uint32_t wkv_head_size, token_shift_count, shortconv_cache;
	uint32_t pooling_type;			/* enum gr_gguf_pooling; not 0: the model gives embeddings or ranks */

	uint32_t vocab_size;			/* entries of the token list, else <architecture>.vocab_size */
	char tokenizer_model[32];		/* "llama", "gpt2" */
	enum gr_gguf_answer add_bos;
	bool has_chat_template;
	struct gr_gguf_sampling sampling;
};

enum {
	GR_GGUF_LAYER_ATTENTION = 1u << 0,	/* has matrices for keys and values */
	GR_GGUF_LAYER_LATENT = 1u << 1,		/* they give one compressed row */
	GR_GGUF_LAYER_RECURRENT = 1u << 2,
	GR_GGUF_LAYER_SLIDING = 1u << 3,	/* the file's pattern says so */
};

struct gr_gguf_layer {
	uint64_t bytes, expert_bytes;	/* of its tensors; the experts are part of the bytes */
	uint32_t key_width, value_width;	/* numbers that attn_k and attn_v give for a token; 0 = no such tensor */
	uint32_t head_count_kv;		/* where has_head_counts */
	uint32_t flags;			/* GR_GGUF_LAYER_* */
};

/* About 16 KiB: for the heap. Starts zeroed. */
struct gr_gguf_layers {
	uint32_t count;			/* the last layer with a tensor, and those before it */
	bool has_head_counts, has_pattern;	/* the file has a value for each layer */
	struct gr_gguf_layer at[GR_GGUF_LAYERS_MAX];
};

/*
 * Read the header of source. name stands for the file in messages. *out is written only on INF_OK.
 * Returns INF_E_NO_MEMORY, INF_E_IO ("gguf_read": read_at failed), or INF_E_BAD_MODEL with one of these reasons:
 *   gguf_empty       no byte at all
 *   gguf_not_gguf    does not begin with the magic
 *   gguf_version     a GGUF version this reader does not know
 *   gguf_big_endian  a GGUF for machines of the other byte order
 *   gguf_truncated   ends inside the header, or before the last tensor does
 *   gguf_corrupt     contradicts itself, or says what no real file says
 */
inf_status gr_gguf_read(const struct gr_gguf_source *source, const char *name, struct gr_gguf *out, inf_error *err);

/*
 * As above, and add what the file holds to *layers, so that one object can take all parts of a split model. After a
 * failure *layers is spoilt. A layer beyond GR_GGUF_LAYERS_MAX counts as output. layers may be NULL.
 */
inf_status gr_gguf_read_layers(const struct gr_gguf_source *source, const char *name, struct gr_gguf *out,
			       struct gr_gguf_layers *layers, inf_error *err);

#endif
