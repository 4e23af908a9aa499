/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/extensions.h"

#include "fit.h"
#include "model_shapes.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define LLAMA "llama-3.1-8b-q4_k_m"
#define QWEN "qwen2.5-7b-q4_k_m"
#define GEMMA "gemma-3-4b-q4_k_m"
#define GEMMA2 "gemma-2-2b-q8_0"
#define MIXTRAL "mixtral-8x7b-q8_0"
#define QWEN_MOE "qwen3-30b-a3b-q4_k_m"
#define GPT_OSS "gpt-oss-20b-mxfp4"

static struct gr_gguf facts;
static struct gr_gguf_layers layers;
static const struct gr_fit_model model = { &facts, &layers };

static void read_shape(const char *name)
{
	uint64_t size;
	struct gguf_bytes bytes;
	inf_error err = { .struct_size = sizeof err };
	struct gguf_build header = model_shape_header(name, &size);
	struct gr_gguf_source source = model_shape_source(&header, size, &bytes);
	layers = (struct gr_gguf_layers){ 0 };
	inf_status st = gr_gguf_read_layers(&source, name, &facts, &layers, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	ck_assert_uint_eq(facts.expected_file_size, size);
	gguf_build_release(&header);
}

/* ---- against llama-fit-params ---------------------------------------------------------------------------------- */

/*
 * What llama-fit-params 0.7.0 prints, in MiB and cut off: weights, KV cache and compute buffer of one device, and the
 * host's weights and compute buffer where everything is on the device (it counts them otherwise elsewhere too).
 */
static const struct measured {
	const char *name;
	uint32_t context_len, slots;	/* -c is their product */
	int32_t gpu_layers;
	const char *cache_type;
	uint32_t batch_size, flags;
	uint64_t weights, kv, compute, host_weights, host_compute;
} measured[] = {
	{ LLAMA, 4096, 1, -1, NULL, 0, 0, 4403, 512, 286, 281, 36 },
	{ QWEN, 4096, 1, -1, NULL, 0, 0, 4168, 224, 329, 292, 32 },
	{ GEMMA, 4096, 1, -1, NULL, 0, 0, 2368, 254, 537, 525, 25 },
	{ LLAMA, 8192, 1, -1, NULL, 0, 0, 4403, 1024, 290, 281, 40 },
	{ LLAMA, 32768, 1, -1, NULL, 0, 0, 4403, 4096, 314, 281, 64 },
	{ LLAMA, 131072, 1, -1, NULL, 0, 0, 4403, 16384, 410, 281, 160 },
	{ QWEN, 8192, 1, -1, NULL, 0, 0, 4168, 448, 333, 292, 36 },
	{ QWEN, 32768, 1, -1, NULL, 0, 0, 4168, 1792, 357, 292, 60 },
	{ QWEN, 131072, 1, -1, NULL, 0, 0, 4168, 7168, 453, 292, 156 },
	{ GEMMA, 8192, 1, -1, NULL, 0, 0, 2368, 334, 541, 525, 29 },
	{ GEMMA, 32768, 1, -1, NULL, 0, 0, 2368, 814, 565, 525, 53 },
	{ GEMMA, 131072, 1, -1, NULL, 0, 0, 2368, 2734, 661, 525, 149 },
	{ LLAMA, 4096, 1, -1, "q8_0", 0, 0, 4403, 272, 286, 281, 36 },
	{ QWEN, 4096, 1, -1, "q8_0", 0, 0, 4168, 119, 329, 292, 32 },
	{ GEMMA, 4096, 1, -1, "q8_0", 0, 0, 2368, 134, 537, 525, 25 },
	{ LLAMA, 4096, 1, -1, "q4_0", 0, 0, 4403, 144, 286, 281, 36 },
	{ QWEN, 4096, 1, -1, "q4_0", 0, 0, 4168, 63, 329, 292, 32 },
	{ GEMMA, 4096, 1, -1, "q4_0", 0, 0, 2368, 71, 537, 525, 25 },
	/* slots with a cache each, as -np without --kv-unified makes them */
	{ LLAMA, 1024, 4, -1, NULL, 0, 0, 4403, 512, 283, 281, 33 },
	{ LLAMA, 4096, 4, -1, NULL, 0, 0, 4403, 2048, 286, 281, 36 },
	{ LLAMA, 333, 3, -1, NULL, 0, 0, 4403, 192, 283, 281, 32 },
	{ GEMMA, 1024, 4, -1, NULL, 0, 0, 2368, 544, 534, 525, 22 },
	{ GEMMA, 4096, 4, -1, NULL, 0, 0, 2368, 1016, 537, 525, 25 },
	{ GEMMA, 8192, 4, -1, NULL, 0, 0, 2368, 1336, 541, 525, 29 },
	/* small batches and contexts */
	{ LLAMA, 100, 1, -1, NULL, 0, 0, 4403, 32, 55, 281, 6 },
	{ LLAMA, 300, 1, -1, NULL, 0, 0, 4403, 64, 165, 281, 19 },
	{ LLAMA, 1000, 1, -1, NULL, 0, 0, 4403, 128, 283, 281, 33 },
	{ LLAMA, 4096, 1, -1, NULL, 256, 0, 4403, 512, 143, 281, 18 },
	{ LLAMA, 4096, 1, -1, NULL, 1024, 0, 4403, 512, 286, 281, 36 },
	/* other windows, tied embeddings, experts */
	{ GEMMA2, 4096, 1, -1, NULL, 0, 0, 2649, 416, 526, 597, 26 },
	{ MIXTRAL, 4096, 1, -1, NULL, 0, 0, 47193, 512, 204, 132, 36 },
	{ MIXTRAL, 8192, 4, -1, NULL, 0, 0, 47193, 4096, 208, 132, 40 },
	{ GPT_OSS, 4096, 1, -1, NULL, 0, 0, 10949, 114, 420, 586, 27 },
	{ GPT_OSS, 8192, 4, -1, NULL, 0, 0, 10949, 840, 424, 586, 31 },
};

static void expect_mib(const char *what, uint64_t bytes, uint64_t mib)
{
	double got = (double)bytes / (double)MIB;
	ck_assert_msg(got > (double)mib - 1 && got < (double)mib + 1.5, "%s: %.2f MiB, measured %d", what, got,
		      (int)mib);
}

static struct gr_fit_need need_of(const struct measured *m)
{
	struct gr_fit_need need;
	const struct gr_fit_load load = {
		.context_len = m->context_len, .slots = m->slots, .batch_size = m->batch_size, .gpu_layers = m->gpu_layers,
		.flags = m->flags, .cache_type_k = m->cache_type, .cache_type_v = m->cache_type,
	};
	read_shape(m->name);
	gr_fit_need(&model, &load, &need);
	return need;
}

START_TEST(need_of_a_measured_load_agrees)
{
	const struct measured *m = &measured[_i];
	struct gr_fit_need need = need_of(m);
	expect_mib("weights", need.weights, m->weights);
	expect_mib("kv", need.kv, m->kv);
	expect_mib("compute", need.compute, m->compute);
	expect_mib("host weights", need.host_weights, m->host_weights);
	expect_mib("host compute", need.host_compute, m->host_compute);
	ck_assert_uint_eq(need.host_kv, 0);
}
END_TEST

/* -ngl. */
static const struct {
	const char *name;
	int32_t gpu_layers;
	uint64_t weights, kv, compute, host_kv, host_compute;
} parts[] = {
	{ LLAMA, 0, 0, 0, 0, 512, 294 }, { LLAMA, 1, 410, 0, 258, 512, 128 }, { LLAMA, 2, 543, 16, 258, 496, 128 },
	{ LLAMA, 16, 2290, 240, 258, 272, 128 }, { LLAMA, 32, 4270, 496, 258, 16, 128 }, { LLAMA, 33, 4403, 512, 286, 0, 36 },
	{ LLAMA, 34, 4403, 512, 286, 0, 36 }, { LLAMA, -1, 4403, 512, 286, 0, 36 }, { GEMMA, 0, 0, 0, 0, 254, 542 },
	{ GEMMA, 1, 525, 0, 517, 254, 90 }, { GEMMA, 2, 582, 6, 517, 248, 90 }, { GEMMA, 20, 1558, 144, 517, 110, 90 },
	{ GEMMA, 34, 2310, 248, 517, 6, 90 }, { GEMMA, 35, 2368, 254, 537, 0, 25 }, { QWEN_MOE, 0, 0, 0, 0, 384, 320 },
	{ QWEN_MOE, 1, 243, 0, 336, 384, 92 }, { QWEN_MOE, 2, 727, 8, 304, 376, 92 }, { MIXTRAL, 0, 0, 0, 0, 512, 212 },
	{ MIXTRAL, 1, 132, 0, 94, 512, 212 }, { MIXTRAL, 9, 11898, 128, 196, 384, 212 },
};

START_TEST(need_of_a_part_takes_the_last_layers)
{
	struct measured m = { .name = parts[_i].name, .context_len = 4096, .slots = 1, .gpu_layers = parts[_i].gpu_layers };
	struct gr_fit_need need = need_of(&m);
	expect_mib("weights", need.weights, parts[_i].weights);
	expect_mib("kv", need.kv, parts[_i].kv);
	expect_mib("compute", need.compute, parts[_i].compute);
	expect_mib("host kv", need.host_kv, parts[_i].host_kv);
	expect_mib("host compute", need.host_compute, parts[_i].host_compute);
	/* What is not here is there; a tied embedding is on both sides. */
	uint64_t twice = !facts.has_output_weight && parts[_i].gpu_layers ? facts.sizes.token_embedding : 0;
	ck_assert_uint_eq(need.weights + need.host_weights, facts.tensor_bytes + twice);
}
END_TEST

static const struct { const char *name; uint32_t context_len; uint64_t compute; } without_flash[] = {
	{ LLAMA, 4096, 308 }, { LLAMA, 32768, 2156 }, { QWEN, 4096, 335 }, { QWEN, 32768, 1893 }, { GEMMA, 4096, 556 },
	{ GEMMA, 32768, 611 },
};

START_TEST(need_without_flash_attention_agrees_within_3_per_cent)
{
	struct measured m = {
		.name = without_flash[_i].name, .context_len = without_flash[_i].context_len, .slots = 1, .gpu_layers = -1,
		.flags = GR_FIT_NO_FLASH_ATTENTION,
	};
	double got = (double)need_of(&m).compute / (double)MIB, want = (double)without_flash[_i].compute;
	ck_assert_msg(got > want * 0.97 && got < want * 1.03, "%.1f MiB, measured %.0f", got, want);
}
END_TEST

/* From the source only: llama-fit-params cannot be told to. */
START_TEST(need_of_a_unified_cache_shares_the_context)
{
	struct measured m = { .name = GEMMA, .context_len = 1024, .slots = 4, .gpu_layers = -1,
			      .flags = GR_FIT_UNIFIED_CACHE };
	expect_mib("kv", need_of(&m).kv, 544);
	m.context_len = 4096;
	/* 5 layers of 16384 cells and 29 of 4 * 1024 + 512, 4096 bytes each */
	expect_mib("kv", need_of(&m).kv, 5 * 64 + 29 * 18);
	m.slots = 1;
	m.flags = GR_FIT_FULL_WINDOW;
	expect_mib("kv", need_of(&m).kv, 34 * 16);
}
END_TEST

START_TEST(need_with_different_cache_types_counts_each)
{
	struct gr_fit_need need;
	struct gr_fit_load load = { .context_len = 4096, .slots = 1, .gpu_layers = -1, .cache_type_k = "f32",
				    .cache_type_v = "q4_0" };
	static const struct { const char *type; uint64_t kib; } types[] = {
		{ "f32", 1024 }, { "f16", 512 }, { "bf16", 512 }, { "q8_0", 272 }, { "q5_1", 192 }, { "q5_0", 176 },
		{ "q4_1", 160 }, { "q4_0", 144 }, { "iq4_nl", 144 }, { "new", 512 }, { NULL, 512 },
	};
	read_shape(LLAMA);
	gr_fit_need(&model, &load, &need);
	expect_mib("kv", need.kv, 512 + 72);
	for (int i = 0; i < COUNT(types); i++) {
		load.cache_type_k = load.cache_type_v = types[i].type;
		gr_fit_need(&model, &load, &need);
		ck_assert_uint_eq(need.kv, types[i].kib * MIB);
	}
}
END_TEST

/* ---- layers of other kinds ------------------------------------------------------------------------------------- */

/* A model of plain facts: two thirds of the layers are as the flags say. */
static void make_model(const char *architecture, uint32_t count)
{
	facts = (struct gr_gguf){ .block_count = count, .embedding_length = 2048, .head_count = 16, .head_count_kv = 8 };
	layers = (struct gr_gguf_layers){ .count = count };
	snprintf(facts.architecture, sizeof facts.architecture, "%s", architecture);
	for (uint32_t i = 0; i < count; i++)
		layers.at[i].flags = GR_GGUF_LAYER_ATTENTION;
}

static uint64_t kv_of(uint32_t context_len, uint32_t slots)
{
	struct gr_fit_need need;
	const struct gr_fit_load load = { .context_len = context_len, .slots = slots, .gpu_layers = -1 };
	gr_fit_need(&model, &load, &need);
	return need.kv;
}

/* The numbers of these four are llama-fit-params' as well: 7, 28, 121, 486, 48, 192, 62 and 184 MiB. */
START_TEST(kv_of_a_state_space_is_independent_of_the_context)
{
	make_model("mamba", 24);
	facts.ssm_conv_kernel = 4;
	facts.ssm_inner_size = 4096;
	facts.ssm_state_size = 16;
	for (int i = 0; i < 24; i++)
		layers.at[i].flags = GR_GGUF_LAYER_RECURRENT;
	ck_assert_uint_eq(kv_of(4096, 1), 24 * (3 * 4096 + 16 * 4096) * 4);
	ck_assert_uint_eq(kv_of(131072, 1), kv_of(4096, 1));
	ck_assert_uint_eq(kv_of(4096, 4), 4 * kv_of(4096, 1));
	facts.ssm_group_count = 8;
	ck_assert_uint_eq(kv_of(4096, 1), 24 * (3 * (4096 + 2 * 8 * 16) + 16 * 4096) * 4);
}
END_TEST

START_TEST(kv_of_compressed_attention_has_no_values)
{
	make_model("deepseek2", 27);
	facts.head_count_kv = 1;
	facts.key_length = 576;
	facts.value_length = 512;
	facts.key_length_mla = 192;
	for (int i = 0; i < 27; i++)
		layers.at[i].flags |= GR_GGUF_LAYER_LATENT;
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(27) * 4096 * 576 * 2);
	/* A file from before llama.cpp cached it compressed: all heads, keys and values. */
	facts.key_length_mla = 0;
	facts.head_count_kv = 16;
	facts.key_length = 192;
	facts.value_length = 128;
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(27) * 4096 * 16 * (192 + 128) * 2);
}
END_TEST

START_TEST(kv_of_a_hybrid_counts_each_layer_as_what_it_is)
{
	make_model("lfm2", 16);
	facts.shortconv_cache = 3;
	facts.head_count = 32;
	facts.head_count_kv = 8;
	layers.has_head_counts = true;
	for (int i = 0; i < 16; i++) {
		layers.at[i].head_count_kv = i % 3 == 2 ? 8 : 0;
		layers.at[i].flags = i % 3 == 2 ? GR_GGUF_LAYER_ATTENTION : GR_GGUF_LAYER_RECURRENT;
	}
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(5) * 4096 * 8 * 128 * 2 + 11 * 2048 * 2 * 4);
	/* Both at once, told by the tensors alone: a fused matrix of a recurrent layer is not attention's. */
	layers.has_head_counts = false;
	for (int i = 0; i < 16; i++) {
		layers.at[i].flags = GR_GGUF_LAYER_ATTENTION | GR_GGUF_LAYER_RECURRENT;
		layers.at[i].key_width = i < 4 ? 512 : 0;
	}
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(4) * 4096 * 1024 * 2 + 16 * 2048 * 2 * 4);
	/* Recurrent layers with matrices of attention's names, as in Kimi Linear, where the file counts no heads. */
	layers.has_head_counts = true;
	for (int i = 0; i < 16; i++) {
		layers.at[i].key_width = 512;
		layers.at[i].head_count_kv = i < 4 ? 8 : 0;
	}
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(4) * 4096 * 1024 * 2 + 16 * 2048 * 2 * 4);
	facts.shortconv_cache = 0;
	facts.wkv_head_size = 64;
	ck_assert_uint_eq(kv_of(256, 1), UINT64_C(4) * 256 * 1024 * 2 + 16 * (2 * 2048 + 2048 * 64) * 4);
}
END_TEST

START_TEST(kv_of_a_pattern_in_the_file_follows_it)
{
	make_model("gemma4", 12);
	facts.sliding_window = 1024;
	facts.shared_kv_layers = 6;
	facts.key_length = facts.value_length = 512;
	facts.key_length_swa = facts.value_length_swa = 256;
	layers.has_pattern = true;
	for (int i = 0; i < 12; i++) {
		if (i % 6 != 5)
			layers.at[i].flags |= GR_GGUF_LAYER_SLIDING;
		layers.at[i].key_width = 1024;		/* values are made of the keys' matrix in some */
	}
	ck_assert_uint_eq(kv_of(8192, 1), UINT64_C(5) * 1536 * 4096 + 8192 * 4096);
	/* From the numbers of heads instead. */
	for (int i = 0; i < 12; i++)
		layers.at[i].key_width = 0;
	ck_assert_uint_eq(kv_of(8192, 1), UINT64_C(5) * 1536 * 8 * 512 * 2 + 8192 * 8 * 1024 * 2);
	facts.predict_layers = 1;
	ck_assert_uint_eq(kv_of(8192, 1), UINT64_C(5) * 1536 * 8 * 512 * 2);
}
END_TEST

START_TEST(kv_of_a_period_in_the_file_follows_it)
{
	make_model("cohere2", 8);
	facts.sliding_window = 512;
	uint64_t row = 8 * 256 * 2, sliding = 1024 * row, full = 8192 * row;
	ck_assert_uint_eq(kv_of(8192, 1), 6 * sliding + 2 * full);
	facts.sliding_pattern = 2;
	ck_assert_uint_eq(kv_of(8192, 1), 4 * sliding + 4 * full);
	facts.sliding_pattern = 1;
	ck_assert_uint_eq(kv_of(8192, 1), 8 * full);
	make_model("smallthinker", 6);		/* the first of four attends to everything */
	ck_assert_uint_eq(kv_of(8192, 1), 4 * (4096 + 512) * row + 2 * full);
	make_model("qwen2", 8);			/* it has a window that llama.cpp does not use */
	facts.sliding_window = 512;
	ck_assert_uint_eq(kv_of(8192, 1), 8 * full);
}
END_TEST

START_TEST(kv_without_known_tensors_takes_every_layer_for_attention)
{
	make_model("unheard-of", 4);
	layers = (struct gr_gguf_layers){ 0 };
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(4) * 4096 * 8 * 256 * 2);
	facts.head_count_kv = 0;	/* not said: as many as heads */
	ck_assert_uint_eq(kv_of(4096, 1), UINT64_C(4) * 4096 * 16 * 256 * 2);
}
END_TEST

/* The widest place of a graph is not always the logits. Measured too, with vocabularies of 1024 and 32000 words. */
static const struct { uint32_t embd, ff, heads, key_length, vocab, experts, used, expert_ff; uint64_t compute; } graphs[] = {
	{ 8192, 28672, 64, 0, 32000, 0, 0, 0, 236 }, { 2048, 16384, 16, 0, 1024, 0, 0, 0, 116 },
	{ 2048, 8192, 16, 0, 1024, 8, 1, 8192, 68 }, { 2048, 8192, 16, 0, 1024, 8, 2, 0, 116 },
	{ 2048, 8192, 16, 0, 1024, 8, 4, 8192, 212 }, { 2048, 16384, 16, 0, 1024, 64, 8, 512, 76 },
	{ 2048, 512, 64, 256, 1024, 0, 0, 0, 84 }, { 2048, 10944, 16, 192, 102400, 64, 6, 1408, 220 },
	{ 5120, 25600, 64, 128, 151936, 0, 0, 0, 340 },
};

START_TEST(compute_is_as_wide_as_the_graph)
{
	struct gr_fit_need need;
	const struct gr_fit_load load = { .context_len = 4096, .slots = 1, .gpu_layers = -1 };
	make_model("llama", 8);
	facts.embedding_length = graphs[_i].embd;
	facts.feed_forward_length = graphs[_i].ff;
	facts.head_count = graphs[_i].heads;
	facts.key_length = graphs[_i].key_length;
	facts.vocab_size = graphs[_i].vocab;
	facts.expert_count = graphs[_i].experts;
	facts.expert_used_count = graphs[_i].used;
	facts.expert_feed_forward_length = graphs[_i].expert_ff;
	gr_fit_need(&model, &load, &need);
	expect_mib("compute", need.compute, graphs[_i].compute);
}
END_TEST

/* ---- what fits ------------------------------------------------------------------------------------------------- */
static inf_status choose(const struct gr_fit_load *wanted, uint32_t fixed, uint64_t free_bytes, struct gr_fit_plan *plan,
			 inf_error *err)
{
	const struct gr_fit_device device = { free_bytes, 972 * MIB };
	*err = (inf_error){ .struct_size = sizeof *err };
	memset(plan, 0x55, sizeof *plan);
	return gr_fit_choose(&model, wanted, fixed, &device, 1, "m.gguf", plan, err);
}

/* Llama 8B takes 4403 * 1.02 + 512 + 286 + 972 = 6262 MiB with 4096 tokens, and 128 KiB more for each token of context. */
static const struct {
	uint32_t wanted_context, fixed;
	uint64_t free_mib;
	uint32_t context_len;
	int32_t gpu_layers;
	enum gr_fit_limit limit;
} choices[] = {
	{ 4096, 0, 16368, 4096, -1, GR_FIT_LIMIT_NONE },
	{ 4096, GR_FIT_LAYERS_FIXED | GR_FIT_CONTEXT_FIXED, 6263, 4096, -1, GR_FIT_LIMIT_NONE },
	{ 4096, GR_FIT_LAYERS_FIXED, 6261, 3840, -1, GR_FIT_LIMIT_CONTEXT },
	{ 4096, GR_FIT_LAYERS_FIXED, 5812, 512, -1, GR_FIT_LIMIT_CONTEXT },
	{ 4096, 0, 6261, 4096, 32, GR_FIT_LIMIT_LAYERS },
	{ 4096, GR_FIT_CONTEXT_FIXED, 4096, 4096, 17, GR_FIT_LIMIT_LAYERS },
	{ 4096, 0, 1000, 4096, 0, GR_FIT_LIMIT_LAYERS },
	{ 4096, 0, 0, 4096, 0, GR_FIT_LIMIT_LAYERS },
	{ 131072, 0, 8000, 17664, -1, GR_FIT_LIMIT_CONTEXT },
	{ 131072, 0, 6000, 4096, 30, GR_FIT_LIMIT_LAYERS },
	{ 131072, GR_FIT_LAYERS_FIXED, 6000, 1792, -1, GR_FIT_LIMIT_CONTEXT },
	{ 1000, 0, 16368, 1000, -1, GR_FIT_LIMIT_NONE },
	{ 100, GR_FIT_LAYERS_FIXED, 16368, 100, -1, GR_FIT_LIMIT_NONE },
};

START_TEST(choose_gives_the_most_that_fits)
{
	struct gr_fit_plan plan;
	inf_error err;
	const struct gr_fit_load wanted = { .context_len = choices[_i].wanted_context, .slots = 1, .gpu_layers = -1 };
	read_shape(LLAMA);
	inf_status st = choose(&wanted, choices[_i].fixed, choices[_i].free_mib * MIB, &plan, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	ck_assert_uint_eq(plan.context_len, choices[_i].context_len);
	ck_assert_int_eq(plan.gpu_layers, choices[_i].gpu_layers);
	ck_assert_int_eq(plan.limit, choices[_i].limit);
	ck_assert_uint_le(plan.total_bytes, plan.free_bytes);
	ck_assert_uint_eq(plan.free_bytes, choices[_i].free_mib * MIB);
	if (choices[_i].limit == GR_FIT_LIMIT_NONE)
		return;
	/* One step more of what was reduced is too much. */
	struct gr_fit_load more = wanted;
	more.context_len = plan.context_len;
	if (choices[_i].limit == GR_FIT_LIMIT_CONTEXT)
		more.context_len += GR_FIT_CONTEXT_STEP;
	else
		more.gpu_layers = plan.gpu_layers + 1;
	ck_assert_int_eq(choose(&more, GR_FIT_CONTEXT_FIXED | GR_FIT_LAYERS_FIXED, choices[_i].free_mib * MIB, &plan, &err),
			 INF_E_NO_VRAM);
}
END_TEST

static const struct {
	uint32_t context_len, slots;
	int32_t gpu_layers;
	uint32_t fixed;
	uint64_t free_mib;
	const char *message;
} refusals[] = {
	{ 131072, 1, -1, GR_FIT_CONTEXT_FIXED | GR_FIT_LAYERS_FIXED, 16368,
	  "m.gguf: with 131072 tokens of context it needs 21.7 GiB of device memory, 16.0 GiB are free; "
	  "at most 84224 tokens fit" },
	{ 8192, 4, -1, GR_FIT_CONTEXT_FIXED | GR_FIT_LAYERS_FIXED, 8192,
	  "m.gguf: with 8192 tokens of context in each of 4 slots it needs 9.6 GiB of device memory, 8.0 GiB are free; "
	  "at most 4864 tokens fit each" },
	{ 4096, 1, -1, GR_FIT_LAYERS_FIXED, 4096,
	  "m.gguf: with 4096 tokens of context it needs 6.1 GiB of device memory, 4.0 GiB are free; only 17 of 33 layers "
	  "fit: let the CPU take the rest, or get a smaller quantisation" },
	{ 4096, 1, 20, GR_FIT_LAYERS_FIXED | GR_FIT_CONTEXT_FIXED, 3000,
	  "m.gguf: with 4096 tokens of context it needs 4.4 GiB of device memory, 2.9 GiB are free; only 9 of 33 layers "
	  "fit: let the CPU take the rest, or get a smaller quantisation" },
	{ 4096, 1, -1, GR_FIT_LAYERS_FIXED, 1000,
	  "m.gguf: with 4096 tokens of context it needs 6.1 GiB of device memory, 1000 MiB are free; no layer fits: free "
	  "device memory, or get a smaller quantisation" },
	{ 4096, 1, -1, GR_FIT_LAYERS_FIXED, 500,
	  "m.gguf: with 4096 tokens of context it needs 6.1 GiB of device memory, 500 MiB are free; no layer fits: free "
	  "device memory, or get a smaller quantisation" },
};

START_TEST(choose_without_room_says_what_would_fit)
{
	struct gr_fit_plan plan, before;
	inf_error err;
	const struct gr_fit_load wanted = { .context_len = refusals[_i].context_len, .slots = refusals[_i].slots,
					    .gpu_layers = refusals[_i].gpu_layers };
	read_shape(LLAMA);
	memset(&before, 0x55, sizeof before);
	ck_assert_int_eq(choose(&wanted, refusals[_i].fixed, refusals[_i].free_mib * MIB, &plan, &err), INF_E_NO_VRAM);
	ck_assert_str_eq(err.message, refusals[_i].message);
	ck_assert_str_eq(err.reason, "vram_too_small");
	ck_assert_mem_eq(&plan, &before, sizeof plan);
}
END_TEST

/* The hint is true: what it says fits, a step more does not. */
START_TEST(choose_hint_is_the_largest_context)
{
	struct gr_fit_plan plan;
	inf_error err;
	struct gr_fit_load wanted = { .context_len = 131072, .slots = 1, .gpu_layers = -1 };
	const uint32_t both = GR_FIT_CONTEXT_FIXED | GR_FIT_LAYERS_FIXED;
	read_shape(GEMMA);
	for (uint64_t mib = 4200; mib < 6800; mib += 100) {
		wanted.context_len = 131072;
		ck_assert_int_eq(choose(&wanted, both, mib * MIB, &plan, &err), INF_E_NO_VRAM);
		const char *hint = strstr(err.message, "at most ");
		ck_assert_msg(hint, "%s", err.message);
		wanted.context_len = (uint32_t)strtoul(hint + strlen("at most "), NULL, 10);
		ck_assert_int_eq(choose(&wanted, both, mib * MIB, &plan, &err), INF_OK);
		wanted.context_len += GR_FIT_CONTEXT_STEP;
		ck_assert_int_eq(choose(&wanted, both, mib * MIB, &plan, &err), INF_E_NO_VRAM);
	}
}
END_TEST

/* A draft takes what a load of it alone would, with the same context and an f16 cache, and shrinks with that context. */
START_TEST(choose_with_a_draft_counts_both)
{
	static struct gr_gguf draft_facts;
	static struct gr_gguf_layers draft_layers;
	struct gr_fit_need alone;
	struct gr_fit_plan with, without;
	inf_error err;
	const struct gr_fit_load own = { .context_len = 8192, .slots = 1, .gpu_layers = -1 };
	struct gr_fit_load wanted = { .context_len = 8192, .slots = 1, .gpu_layers = 20, .cache_type_k = "q4_0",
				      .cache_type_v = "q4_0" };
	read_shape(GEMMA);
	draft_facts = *model.facts;
	draft_layers = *model.layers;
	const struct gr_fit_model draft = { &draft_facts, &draft_layers };
	gr_fit_need(&draft, &own, &alone);
	read_shape(LLAMA);
	ck_assert_int_eq(choose(&wanted, GR_FIT_CONTEXT_FIXED, 40000 * MIB, &without, &err), INF_OK);
	wanted.draft = &draft;
	ck_assert_int_eq(choose(&wanted, GR_FIT_CONTEXT_FIXED, 40000 * MIB, &with, &err), INF_OK);
	ck_assert_uint_eq(with.total_bytes - without.total_bytes, alone.weights + alone.kv + alone.compute);
	ck_assert_mem_eq(&with.need, &without.need, sizeof with.need);
	/* room for less than all: the context becomes shorter, for both */
	wanted.gpu_layers = -1;
	ck_assert_int_eq(choose(&wanted, GR_FIT_LAYERS_FIXED, 9200 * MIB, &with, &err), INF_OK);
	ck_assert_uint_lt(with.context_len, 8192);
	ck_assert_uint_le(with.total_bytes, 9200 * MIB);
	/* nothing on the device: neither is the draft */
	wanted.gpu_layers = 0;
	ck_assert_int_eq(choose(&wanted, 0, 10 * MIB, &with, &err), INF_OK);
	ck_assert_uint_eq(with.total_bytes, 0);
}
END_TEST

START_TEST(choose_over_two_devices_splits_whole_layers)
{
	struct gr_fit_plan plan;
	inf_error err = { .struct_size = sizeof err };
	struct gr_fit_device devices[] = { { 4 * GIB, 972 * MIB }, { 4 * GIB, 972 * MIB } };
	const struct gr_fit_load wanted = { .context_len = 4096, .slots = 1, .gpu_layers = -1 };
	read_shape(LLAMA);
	ck_assert_int_eq(gr_fit_choose(&model, &wanted, GR_FIT_LAYERS_FIXED, devices, 1, "m", &plan, &err), INF_E_NO_VRAM);
	ck_assert_int_eq(gr_fit_choose(&model, &wanted, GR_FIT_LAYERS_FIXED, devices, 2, "m", &plan, &err), INF_OK);
	ck_assert_uint_eq(plan.free_bytes, 8 * GIB);
	/* weights, cache, two compute buffers and reserves, and what one layer may leave empty */
	uint64_t largest = 0;
	for (uint32_t i = 0; i < layers.count; i++)
		largest = layers.at[i].bytes > largest ? layers.at[i].bytes : largest;
	ck_assert_uint_eq(plan.total_bytes, plan.need.weights + plan.need.weights / 50 + plan.need.kv +
			  2 * plan.need.compute + 2 * 972 * MIB + largest + plan.need.kv / 33);
	/* One that is full already takes nothing and costs nothing but its compute buffer. */
	devices[0] = (struct gr_fit_device){ 100 * MIB, 972 * MIB };
	devices[1].free_bytes = 7 * GIB;
	ck_assert_int_eq(gr_fit_choose(&model, &wanted, GR_FIT_LAYERS_FIXED, devices, 2, "m", &plan, &err), INF_OK);
}
END_TEST

/* Nothing a file can say makes a sum wrap, or a search long. */
START_TEST(need_of_absurd_facts_stays_at_the_top)
{
	struct gr_fit_plan plan;
	struct gr_fit_need need;
	inf_error err;
	struct gr_fit_load load = { .context_len = INT32_MAX, .slots = 256, .gpu_layers = -1 };
	make_model(_i & 1 ? "gemma3" : "llama", GR_GGUF_LAYERS_MAX);
	facts.block_count = INT32_MAX;
	facts.embedding_length = facts.head_count = facts.head_count_kv = facts.key_length = facts.value_length = INT32_MAX;
	facts.feed_forward_length = facts.vocab_size = facts.expert_count = facts.expert_used_count = INT32_MAX;
	facts.expert_feed_forward_length = facts.sliding_window = INT32_MAX;
	facts.ssm_conv_kernel = facts.ssm_inner_size = facts.ssm_state_size = facts.ssm_group_count = INT32_MAX;
	facts.wkv_head_size = _i & 2 ? INT32_MAX : 0;
	facts.token_shift_count = INT32_MAX;
	facts.tensor_bytes = facts.sizes.output = facts.sizes.token_embedding = UINT64_MAX;
	for (int i = 0; i < GR_GGUF_LAYERS_MAX; i++)
		layers.at[i] = (struct gr_gguf_layer){ .bytes = UINT64_MAX / 2, .flags = 0xf, .key_width = _i & 4 ? UINT32_MAX : 0 };
	for (int i = 0; i < 2; i++) {
		load.flags = i ? GR_FIT_NO_FLASH_ATTENTION | GR_FIT_UNIFIED_CACHE : 0;
		gr_fit_need(&model, &load, &need);
		ck_assert_uint_eq(need.weights, UINT64_MAX);
		ck_assert_uint_eq(need.kv, UINT64_MAX);
	}
	ck_assert_int_eq(choose(&load, GR_FIT_LAYERS_FIXED, 16 * GIB, &plan, &err), INF_E_NO_VRAM);
	ck_assert_int_eq(choose(&load, 0, 16 * GIB, &plan, &err), INF_OK);
	ck_assert_int_eq(plan.gpu_layers, 0);
	facts = (struct gr_gguf){ 0 };
	layers = (struct gr_gguf_layers){ 0 };
	gr_fit_need(&model, &load, &need);
	ck_assert_uint_eq(need.weights + need.kv, 0);
}
END_TEST

static const struct reserve_case {
	int32_t kind;
	bool headless;
	uint64_t mib;
} reserves[] = {
	{ INF_DEVICE_DISCRETE, false, 460 + 1024 }, { INF_DEVICE_DISCRETE, true, 460 + 512 },
	{ INF_DEVICE_PARTITION, false, 460 + 1024 }, { INF_DEVICE_PARTITION, true, 460 + 512 },
	{ INF_DEVICE_INTEGRATED, false, 460 + 2048 }, { INF_DEVICE_INTEGRATED, true, 460 + 2048 },
	{ INF_DEVICE_CPU, false, 2048 }, { INF_DEVICE_CPU, true, 2048 },
	{ 0, false, 460 + 1024 }, { 99, true, 460 + 512 },
};

START_TEST(reserve_is_what_the_kind_of_device_needs)
{
	const struct reserve_case *c = &reserves[_i];
	ck_assert_uint_eq(gr_fit_reserve(c->kind, c->headless), c->mib * MIB);
}
END_TEST

static void add_needs(TCase *tc)
{
	tcase_add_loop_test(tc, need_of_a_measured_load_agrees, 0, COUNT(measured));
	tcase_add_loop_test(tc, need_of_a_part_takes_the_last_layers, 0, COUNT(parts));
	tcase_add_loop_test(tc, need_without_flash_attention_agrees_within_3_per_cent, 0, COUNT(without_flash));
	tcase_add_loop_test(tc, compute_is_as_wide_as_the_graph, 0, COUNT(graphs));
	tcase_add_test(tc, need_of_a_unified_cache_shares_the_context);
	tcase_add_test(tc, need_with_different_cache_types_counts_each);
	tcase_add_test(tc, kv_of_a_state_space_is_independent_of_the_context);
	tcase_add_test(tc, kv_of_compressed_attention_has_no_values);
	tcase_add_test(tc, kv_of_a_hybrid_counts_each_layer_as_what_it_is);
	tcase_add_test(tc, kv_of_a_pattern_in_the_file_follows_it);
	tcase_add_test(tc, kv_of_a_period_in_the_file_follows_it);
	tcase_add_test(tc, kv_without_known_tensors_takes_every_layer_for_attention);
	tcase_add_loop_test(tc, reserve_is_what_the_kind_of_device_needs, 0, COUNT(reserves));
	tcase_add_loop_test(tc, need_of_absurd_facts_stays_at_the_top, 0, 8);
}

static void add_choices(TCase *tc)
{
	tcase_add_loop_test(tc, choose_gives_the_most_that_fits, 0, COUNT(choices));
	tcase_add_loop_test(tc, choose_without_room_says_what_would_fit, 0, COUNT(refusals));
	tcase_add_test(tc, choose_hint_is_the_largest_context);
	tcase_add_test(tc, choose_with_a_draft_counts_both);
	tcase_add_test(tc, choose_over_two_devices_splits_whole_layers);
}

int main(void)
{
	Suite *suite = suite_create("fit");
	TCase *tc = tcase_create("fit");
	add_needs(tc);
	add_choices(tc);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
