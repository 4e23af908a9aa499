/* SPDX-License-Identifier: MIT */
#include "projector_shape.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { F32 = 0, F16 = 1 };
enum { EMBD = 8, HEADS = 2, FF = 16, PATCH = 16, SIDE = 2, MELS = 80, FRAMES = 3000, STACK = 150, MIXED = 16 };
enum { TENSORS_MAX = 48, COUNT_AT = 8 };

struct tensor {
	const char *name;
	uint32_t type, dims;
	uint64_t ne[4];
	float center, spread;		/* weights lie between center - spread and center + spread */
};

struct building {
	struct gguf_build b;
	struct tensor tensors[TENSORS_MAX];
	size_t count;
};

static void add(struct building *g, const char *name, uint32_t type, uint32_t dims, const uint64_t *ne, float center,
		float spread)
{
	if (g->count == TENSORS_MAX)
		abort();
	struct tensor *t = &g->tensors[g->count++];
	*t = (struct tensor){ name, type, dims, { 1, 1, 1, 1 }, center, spread };
	memcpy(t->ne, ne, dims * sizeof *ne);
}

#define ADD(g, name, type, center, spread, ...) \
	add(g, name, type, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), (const uint64_t[]){ __VA_ARGS__ }, \
	    center, spread)

static void add_images(struct building *g, uint32_t embd)
{
	ADD(g, "v.patch_embd.weight", F16, 0, 0.05f, PATCH, PATCH, 3, EMBD);
	ADD(g, "v.position_embd.weight", F32, 0, 0.1f, EMBD, SIDE * SIDE);
	ADD(g, "v.blk.0.attn_q.weight", F32, 0, 0.1f, EMBD, EMBD);
	ADD(g, "v.blk.0.attn_k.weight", F32, 0, 0.1f, EMBD, EMBD);
	ADD(g, "v.blk.0.attn_v.weight", F32, 0, 0.1f, EMBD, EMBD);
	ADD(g, "v.blk.0.attn_out.weight", F32, 0, 0.1f, EMBD, EMBD);
	ADD(g, "v.blk.0.ln1.weight", F32, 1, 0, EMBD);
	ADD(g, "v.blk.0.ln1.bias", F32, 0, 0, EMBD);
	ADD(g, "v.blk.0.ln2.weight", F32, 1, 0, EMBD);
	ADD(g, "v.blk.0.ln2.bias", F32, 0, 0, EMBD);
	ADD(g, "v.blk.0.ffn_up.weight", F32, 0, 0.1f, EMBD, FF);
	ADD(g, "v.blk.0.ffn_down.weight", F32, 0, 0.1f, FF, EMBD);
	ADD(g, "mm.0.weight", F32, 0, 1, EMBD, MIXED);
	ADD(g, "mm.0.bias", F32, 0, 0.1f, MIXED);
	ADD(g, "mm.2.weight", F32, 0, 3, MIXED, embd);
	ADD(g, "mm.2.bias", F32, 0, 0.1f, embd);
}

static void add_audio(struct building *g, uint32_t embd)
{
	ADD(g, "a.conv1d.1.weight", F16, 0, 0.2f, 3, MELS, EMBD);
	ADD(g, "a.conv1d.1.bias", F32, 0, 0.1f, 1, EMBD);
	ADD(g, "a.conv1d.2.weight", F16, 0, 0.5f, 3, EMBD, EMBD);
	ADD(g, "a.conv1d.2.bias", F32, 0, 0.1f, 1, EMBD);
	ADD(g, "a.position_embd.weight", F32, 0, 0.1f, EMBD, FRAMES / 2);
	ADD(g, "a.blk.0.attn_q.weight", F32, 0, 0.3f, EMBD, EMBD);
	ADD(g, "a.blk.0.attn_q.bias", F32, 0, 0, EMBD);
	ADD(g, "a.blk.0.attn_k.weight", F32, 0, 0.3f, EMBD, EMBD);
	ADD(g, "a.blk.0.attn_v.weight", F32, 0, 0.3f, EMBD, EMBD);
	ADD(g, "a.blk.0.attn_v.bias", F32, 0, 0, EMBD);
	ADD(g, "a.blk.0.attn_out.weight", F32, 0, 0.3f, EMBD, EMBD);
	ADD(g, "a.blk.0.attn_out.bias", F32, 0, 0, EMBD);
	ADD(g, "a.blk.0.ln1.weight", F32, 1, 0, EMBD);
	ADD(g, "a.blk.0.ln1.bias", F32, 0, 0, EMBD);
	ADD(g, "a.blk.0.ln2.weight", F32, 1, 0, EMBD);
	ADD(g, "a.blk.0.ln2.bias", F32, 0, 0, EMBD);
	ADD(g, "a.blk.0.ffn_up.weight", F32, 0, 0.3f, EMBD, FF);
	ADD(g, "a.blk.0.ffn_up.bias", F32, 0, 0, FF);
	ADD(g, "a.blk.0.ffn_down.weight", F32, 0, 0.3f, FF, EMBD);
	ADD(g, "a.blk.0.ffn_down.bias", F32, 0, 0, EMBD);
	ADD(g, "a.post_ln.weight", F32, 1, 0, EMBD);
	ADD(g, "a.post_ln.bias", F32, 0, 0, EMBD);
	ADD(g, "mm.a.norm_pre.weight", F32, 1, 0, EMBD * STACK);
	ADD(g, "mm.a.mlp.1.weight", F32, 0, 0.2f, EMBD * STACK, 2 * MIXED);
	ADD(g, "mm.a.norm_mid.weight", F32, 1, 0, MIXED);
	ADD(g, "mm.a.mlp.2.weight", F32, 0, 3, MIXED, embd);
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */
static void put_encoder(struct gguf_build *b, const char *side, uint32_t embd)
{
	static const struct { const char *name; uint32_t value; } numbers[] = {
		{ "embedding_length", EMBD }, { "feed_forward_length", FF }, { "block_count", 1 },
		{ "attention.head_count", HEADS },
	};
	char key[96];
	snprintf(key, sizeof key, "clip.has_%s_encoder", side);
	gguf_build_bool(b, key, true);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		snprintf(key, sizeof key, "clip.%s.%s", side, numbers[i].name);
		gguf_build_u32(b, key, numbers[i].value);
	}
	snprintf(key, sizeof key, "clip.%s.projection_dim", side);
	gguf_build_u32(b, key, embd);
	snprintf(key, sizeof key, "clip.%s.attention.layer_norm_epsilon", side);
	gguf_build_f32(b, key, 1e-5f);
}

static void put_colours(struct gguf_build *b, const char *key)
{
	static const float half = 0.5f;
	gguf_build_key(b, key, GGUF_ARRAY);
	gguf_build_array(b, GGUF_F32, 3);
	for (int i = 0; i < 3; i++)
		gguf_build_bytes(b, &half, sizeof half);
}

static void put_keys(struct gguf_build *b, unsigned what, uint32_t embd)
{
	gguf_build_text(b, "general.architecture", "clip");
	gguf_build_text(b, "general.type", "mmproj");
	gguf_build_text(b, "general.name", "a projector for tests");
	gguf_build_u32(b, "general.file_type", 0);
	gguf_build_bool(b, "clip.use_gelu", true);
	if (what & PROJECTOR_IMAGES) {
		put_encoder(b, "vision", embd);
		gguf_build_text(b, "clip.vision.projector_type", "mlp");
		gguf_build_u32(b, "clip.vision.image_size", PATCH * SIDE);
		gguf_build_u32(b, "clip.vision.patch_size", PATCH);
		put_colours(b, "clip.vision.image_mean");
		put_colours(b, "clip.vision.image_std");
	}
	if (what & PROJECTOR_AUDIO) {
		put_encoder(b, "audio", embd);
		gguf_build_text(b, "clip.audio.projector_type", "ultravox");
		gguf_build_u32(b, "clip.audio.num_mel_bins", MELS);
		gguf_build_u32(b, "clip.audio.projector.stack_factor", STACK);
	}
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */
static uint64_t elements_of(const struct tensor *t)
{
	return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
}

static void put_tensor(struct gguf_build *b, const struct tensor *t, uint64_t *offset)
{
	gguf_build_string(b, t->name);
	gguf_build_number(b, 4, t->dims);
	for (uint32_t i = 0; i < t->dims; i++)
		gguf_build_number(b, 8, t->ne[i]);
	gguf_build_number(b, 4, t->type);
	gguf_build_number(b, 8, *offset);
	*offset += (elements_of(t) * (t->type == F16 ? 2 : 4) + 31) / 32 * 32;
}

/* Of a normal number of half precision, or zero. */
static uint16_t half_of(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	int exponent = (int)(bits >> 23 & 0xff) - 127 + 15;
	return exponent <= 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)exponent << 10 | (bits >> 13 & 0x3ff));
}

static void put_weights(struct gguf_build *b, const struct tensor *t, uint32_t *seed)
{
	gguf_build_data(b, 0);
	for (uint64_t i = 0; i < elements_of(t); i++) {
		*seed = *seed * 1664525 + 1013904223;
		float value = t->center + t->spread * ((float)(*seed >> 8) / 8388608.0f - 1);
		uint16_t half = half_of(value);
		gguf_build_bytes(b, t->type == F16 ? (const void *)&half : &value, t->type == F16 ? 2 : 4);
	}
}

struct gguf_build projector_file(unsigned what, uint32_t embd)
{
	struct building g = { .b = GGUF_BUILD_INIT };
	uint64_t offset = 0;
	uint32_t seed = 1;
	gguf_build_head(&g.b, 3);
	put_keys(&g.b, what, embd);
	if (what & PROJECTOR_IMAGES)
		add_images(&g, embd);
	if (what & PROJECTOR_AUDIO)
		add_audio(&g, embd);
	gguf_build_put(&g.b, COUNT_AT, 8, g.count);
	for (size_t i = 0; i < g.count; i++)
		put_tensor(&g.b, &g.tensors[i], &offset);
	for (size_t i = 0; i < g.count; i++)
		put_weights(&g.b, &g.tensors[i], &seed);
	gguf_build_data(&g.b, 0);
	return g.b;
}

void projector_write(const char *path, unsigned what, uint32_t embd)
{
	struct gguf_build b = projector_file(what, embd);
	FILE *f = fopen(path, "wbe");
	if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f) != 0)
		abort();
	gguf_build_release(&b);
}
