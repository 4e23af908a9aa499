/* SPDX-License-Identifier: MIT */
#include "gguf_tensor.h"

#include <stdbool.h>
#include <string.h>

enum { LAYER_DIGITS_MAX = 6 };

static const struct {
	const char *name;
	enum gr_gguf_part part;
} outer[] = {
	{ "token_embd.weight", GR_GGUF_PART_TOKEN_EMBEDDING },
	{ "output.weight", GR_GGUF_PART_OUTPUT_WEIGHT },
	{ "cls.weight", GR_GGUF_PART_RANK_HEAD },
	{ "cls.output.weight", GR_GGUF_PART_RANK_HEAD },
};

/* Beginnings of the names of the input layer. */
static const char *const inputs[] = { "token_embd", "position_embd", "token_types", "per_layer_token_embd" };

/* After "blk.N."; a trailing '*' stands for any rest. */
static const struct {
	const char *name;
	enum gr_gguf_role role;
} roles[] = {
	{ "ffn_up_exps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_down_exps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_gate_exps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_gate_up_exps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_up_chexps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_down_chexps*", GR_GGUF_ROLE_EXPERTS },
	{ "ffn_gate_chexps*", GR_GGUF_ROLE_EXPERTS },
	{ "attn_k.weight", GR_GGUF_ROLE_KEY },
	{ "attn_v.weight", GR_GGUF_ROLE_VALUE },
	{ "attn_qkv.weight", GR_GGUF_ROLE_FUSED },
	{ "attn_kv_a_mqa.weight", GR_GGUF_ROLE_LATENT },
	{ "ssm_*", GR_GGUF_ROLE_RECURRENT },
	{ "time_mix_*", GR_GGUF_ROLE_RECURRENT },
	{ "shortconv.*", GR_GGUF_ROLE_RECURRENT },
};

static bool matches(const char *pattern, const char *name, size_t len)
{
	size_t n = strlen(pattern);
	if (pattern[n - 1] == '*')
		return len >= n - 1 && !memcmp(name, pattern, n - 1);
	return len == n && !memcmp(name, pattern, n);
}

static bool begins(const char *prefix, const char *name, size_t len)
{
	size_t n = strlen(prefix);
	return len >= n && !memcmp(name, prefix, n);
}

/* The number after "blk.", and how many bytes it and what surrounds it take; 0 = it is not the name of a layer. */
static size_t take_layer(const char *name, size_t len, uint32_t *layer)
{
	/* Encoder and decoder of one model count their layers alike. */
	size_t at = begins("enc.", name, len) || begins("dec.", name, len) ? 4 : 0;
	if (!begins("blk.", name + at, len - at))
		return 0;
	at += 4;
	size_t first = at;
	for (*layer = 0; at < len && name[at] >= '0' && name[at] <= '9' && at - first < LAYER_DIGITS_MAX; at++)
		*layer = *layer * 10 + (uint32_t)(name[at] - '0');
	return at > first && at < len && name[at] == '.' ? at + 1 : 0;
}

static enum gr_gguf_role role_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (matches(roles[i].name, name, len))
			return roles[i].role;
	return GR_GGUF_ROLE_NONE;
}

struct gr_gguf_place gr_gguf_place(const char *name, size_t len)
{
	struct gr_gguf_place place = { .part = GR_GGUF_PART_OUTPUT };
	size_t rest = take_layer(name, len, &place.layer);
	if (rest) {
		place.part = GR_GGUF_PART_LAYER;
		place.role = role_of(name + rest, len - rest);
		return place;
	}
	place.layer = 0;
	for (size_t i = 0; i < sizeof outer / sizeof *outer; i++)
		if (matches(outer[i].name, name, len)) {
			place.part = outer[i].part;
			return place;
		}
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		if (begins(inputs[i], name, len))
			place.part = GR_GGUF_PART_INPUT;
	return place;
}
