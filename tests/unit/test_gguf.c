/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "gguf.h"
#include "gguf_build.h"
#include "model_shapes.h"
#include "gguf_kind.h"
#include "gguf_type.h"
#include "utf8.h"

#ifndef GR_SAMPLE_MODEL
# error "GR_SAMPLE_MODEL is the path of the bundled model"
#endif

static inf_status read_bytes(const unsigned char *data, size_t size, size_t chunk, struct gr_gguf *out, inf_error *err)
{
	struct gguf_bytes bytes = { .data = data, .size = size, .chunk = chunk };
	struct gr_gguf_source source = gguf_bytes_source(&bytes);
	return gr_gguf_read(&source, "m.gguf", out, err);
}

static void expect_ok(struct gguf_build *b, struct gr_gguf *out)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = read_bytes(b->data, b->len, 0, out, &err);
	ck_assert_msg(st == INF_OK, "%s: %s", err.reason, err.message);
	ck_assert_int_eq(err.code, 0);
	gguf_build_release(b);
}

static void expect_refusal(struct gguf_build *b, const char *reason, const char *message)
{
	struct gr_gguf out;
	inf_error err = { .struct_size = sizeof err };
	memset(&out, 0x55, sizeof out);
	ck_assert_int_eq(read_bytes(b->data, b->len, 0, &out, &err), INF_E_BAD_MODEL);
	ck_assert_str_eq(err.message, message);
	ck_assert_str_eq(err.reason, reason);
	for (size_t i = 0; i < sizeof out; i++)
		ck_assert_int_eq(((unsigned char *)&out)[i], 0x55);
	gguf_build_release(b);
}

/* A file with everything in it that the reader looks for, and every type that it steps over. */
static struct gguf_build whole_file(void)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "qwen3");
	gguf_build_text(&b, "general.name", "Tiny \xe6\xbc\xa2\xe5\xad\x97");
	gguf_build_text(&b, "general.type", "model");
	gguf_build_u32(&b, "general.file_type", 15);
	gguf_build_u32(&b, "general.alignment", 32);
	gguf_build_f32(&b, "general.sampling.temp", 0.75f);
	gguf_build_key(&b, "general.sampling.top_k", GGUF_I32);
	gguf_build_number(&b, 4, 20);
	gguf_build_key(&b, "general.sampling.top_p", GGUF_F64);
	gguf_build_number(&b, 8, UINT64_C(0x3fec000000000000));		/* 0.875 */
	gguf_build_f32(&b, "general.sampling.min_p", 0.0f);
	gguf_build_f32(&b, "general.sampling.penalty_repeat", 1.5f);
	gguf_build_u32(&b, "qwen3.context_length", 32768);
	gguf_build_u32(&b, "qwen3.block_count", 28);
	gguf_build_u32(&b, "qwen3.embedding_length", 1024);
	gguf_build_u32(&b, "qwen3.feed_forward_length", 3072);
	gguf_build_u32(&b, "qwen3.attention.head_count", 16);
	gguf_build_key(&b, "qwen3.attention.head_count_kv", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_I32, 3);
	for (unsigned i = 0; i < 3; i++)
		gguf_build_number(&b, 4, 8 - i);
	gguf_build_u32(&b, "qwen3.vocab_size", 999);
	gguf_build_u32(&b, "qwen3.rope.scaling.original_context_length", 1);
	gguf_build_u32(&b, "clip.vision.block_count", 2);
	gguf_build_u32(&b, "split.no", 1);
	gguf_build_u32(&b, "split.count", 3);
	gguf_build_text(&b, "tokenizer.ggml.model", "gpt2");
	gguf_build_key(&b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_STRING, 4);
	gguf_build_string(&b, "<s>");
	gguf_build_string(&b, "");
	gguf_build_string(&b, "word");
	gguf_build_string(&b, "\xff");
	gguf_build_bool(&b, "tokenizer.ggml.add_bos_token", 1);
	gguf_build_text(&b, "tokenizer.chat_template", "{% for message in messages %}{% endfor %}");
	static const size_t size[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
	for (uint32_t type = GGUF_U8; type <= GGUF_F64; type++) {
		if (!size[type])
			continue;
		gguf_build_key(&b, "test.scalar", type);
		gguf_build_number(&b, size[type], 1);
		gguf_build_key(&b, "test.array", GGUF_ARRAY);
		gguf_build_array(&b, type, 2);
		gguf_build_number(&b, size[type], 1);
		gguf_build_number(&b, size[type], 2);
	}
	gguf_build_key(&b, "test.nested", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_ARRAY, 2);
	gguf_build_array(&b, GGUF_U16, 1);
	gguf_build_number(&b, 2, 7);
	gguf_build_array(&b, GGUF_STRING, 1);
	gguf_build_string(&b, "inner");
	gguf_build_tensor(&b, "token_embd.weight", 64, 3, 0, 0);	/* F32, 768 bytes */
	gguf_build_tensor(&b, "blk.0.attn_q.weight", 64, 2, 8, 768);	/* Q8_0, 136 bytes */
	gguf_build_data(&b, 768 + 136);
	return b;
}

static void check_whole_file(const struct gr_gguf *g)
{
	ck_assert_uint_eq(g->version, 3);
	ck_assert_uint_eq(g->tensor_count, 2);
	ck_assert_uint_eq(g->expected_file_size, g->file_size);
	ck_assert_uint_eq(g->tensor_bytes, 768 + 136);
	ck_assert_uint_eq(g->parameter_count, 64 * 3 + 64 * 2);
	ck_assert_str_eq(g->architecture, "qwen3");
	ck_assert_str_eq(g->name, "Tiny \xe6\xbc\xa2\xe5\xad\x97");
	ck_assert_str_eq(g->type, "model");
	ck_assert_int_eq(g->file_type, 15);
	ck_assert_uint_eq(g->split_no, 1);
	ck_assert_uint_eq(g->split_count, 3);
	ck_assert_uint_eq(g->context_length, 32768);
	ck_assert_uint_eq(g->block_count, 28);
	ck_assert_uint_eq(g->embedding_length, 1024);
	ck_assert_uint_eq(g->feed_forward_length, 3072);
	ck_assert_uint_eq(g->head_count, 16);
	ck_assert_uint_eq(g->head_count_kv, 8);
	ck_assert_uint_eq(g->vocab_size, 4);
	ck_assert_str_eq(g->tokenizer_model, "gpt2");
	ck_assert_int_eq(g->add_bos, GR_GGUF_YES);
	ck_assert(g->has_chat_template);
	ck_assert_uint_eq(g->sampling.set, 0x1f);
	ck_assert_float_eq(g->sampling.temperature, 0.75f);
	ck_assert_int_eq(g->sampling.top_k, 20);
	ck_assert_float_eq(g->sampling.top_p, 0.875f);
	ck_assert_float_eq(g->sampling.min_p, 0.0f);
	ck_assert_float_eq(g->sampling.repeat_penalty, 1.5f);
}

START_TEST(read_whole_file_gives_every_fact)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	ck_assert_uint_eq(b.data[16], 48);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.kv_count, 48);
	check_whole_file(&g);
}
END_TEST

START_TEST(read_byte_at_a_time_equals_whole)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	for (size_t chunk = 1; chunk < 12; chunk++) {
		ck_assert_int_eq(read_bytes(b.data, b.len, chunk, &g, NULL), INF_OK);
		check_whole_file(&g);
	}
	gguf_build_release(&b);
}
END_TEST

START_TEST(read_version_2_equals_version_3)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	b.data[4] = 2;
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.version, 2);
	g.version = 3;
	check_whole_file(&g);
}
END_TEST

START_TEST(read_empty_header_says_nothing)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.expected_file_size, 24);
	ck_assert_str_eq(g.architecture, "");
	ck_assert_int_eq(g.file_type, -1);
	ck_assert_int_eq(g.add_bos, GR_GGUF_UNSAID);
	ck_assert_uint_eq(g.sampling.set, 0);
	ck_assert(!g.has_chat_template);
}
END_TEST

START_TEST(read_architecture_after_its_keys_resolves_them)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "bert.context_length", 512);
	gguf_build_u32(&b, "llama.context_length", 4096);
	gguf_build_u32(&b, "llama.vision.block_count", 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_u32(&b, "llama.vocab_size", 32000);
	gguf_build_u32(&b, "llama2.vocab_size", 7);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.context_length, 4096);
	ck_assert_uint_eq(g.block_count, 0);
	ck_assert_uint_eq(g.vocab_size, 32000);
}
END_TEST

START_TEST(read_architecture_before_its_keys_passes_over_others)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	char key[40];
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "a");
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "b%d.context_length", i);
		gguf_build_u32(&b, key, 2);
	}
	gguf_build_u32(&b, "a.context_length", 1);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.context_length, 1);
}
END_TEST

/* More prefixes than are remembered, and longer ones: those beyond are dropped, and nothing breaks. */
START_TEST(read_very_many_prefixes_are_bounded)
{
	static const int widths[] = { 1, 63, 64, 110 };
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	char key[200];
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "a.context_length", 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "%0*d.context_length", i < 62 ? 3 : widths[_i], i);
		gguf_build_u32(&b, key, 2);
	}
	gguf_build_text(&b, "general.architecture", "a");
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.context_length, 1);
}
END_TEST

static const struct { uint32_t type; size_t size; uint64_t value; uint32_t expected; } integers[] = {
	{ GGUF_U8, 1, 200, 200 }, { GGUF_I8, 1, 100, 100 }, { GGUF_U16, 2, 60000, 60000 }, { GGUF_I16, 2, 30000, 30000 },
	{ GGUF_U32, 4, INT32_MAX, INT32_MAX }, { GGUF_I32, 4, INT32_MAX, INT32_MAX },
	{ GGUF_U64, 8, 131072, 131072 }, { GGUF_I64, 8, 131072, 131072 },
	/* not integers: as if absent */
	{ GGUF_F32, 4, 0x45800000, 0 }, { GGUF_BOOL, 1, 1, 0 }, { GGUF_F64, 8, 5, 0 },
};

START_TEST(read_count_of_any_integer_type_is_taken)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_key(&b, "llama.context_length", integers[_i].type);
	gguf_build_number(&b, integers[_i].size, integers[_i].value);
	gguf_build_key(&b, "llama.block_count", GGUF_ARRAY);
	gguf_build_array(&b, integers[_i].type, 2);
	gguf_build_number(&b, integers[_i].size, integers[_i].value);
	gguf_build_number(&b, integers[_i].size, 1);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.context_length, integers[_i].expected);
	ck_assert_uint_eq(g.block_count, integers[_i].expected);
}
END_TEST

static const struct { uint32_t type; size_t size; uint64_t value; const char *message; } bad_counts[] = {
	{ GGUF_I8, 1, 0xff, "m.gguf: key 0: .context_length is -1" },
	{ GGUF_I16, 2, 0x8000, "m.gguf: key 0: .context_length is -32768" },
	{ GGUF_I32, 4, 0xffffffff, "m.gguf: key 0: .context_length is -1" },
	{ GGUF_U32, 4, 0x80000000, "m.gguf: key 0: .context_length is 2147483648" },
	{ GGUF_I64, 8, UINT64_MAX, "m.gguf: key 0: .context_length is -1" },
	{ GGUF_U64, 8, UINT64_MAX, "m.gguf: key 0: .context_length is 9223372036854775807" },
};

START_TEST(read_count_out_of_range_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "x.context_length", bad_counts[_i].type);
	gguf_build_number(&b, bad_counts[_i].size, bad_counts[_i].value);
	expect_refusal(&b, "gguf_corrupt", bad_counts[_i].message);
}
END_TEST

START_TEST(read_keys_of_other_types_count_as_absent)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "general.architecture", 1);
	gguf_build_u32(&b, "general.name", 1);
	gguf_build_text(&b, "general.file_type", "1");
	gguf_build_text(&b, "general.sampling.temp", "0.5");
	gguf_build_f32(&b, "general.sampling.top_k", 20.0f);
	gguf_build_u32(&b, "tokenizer.ggml.add_bos_token", 1);
	gguf_build_u32(&b, "tokenizer.ggml.tokens", 5);
	gguf_build_key(&b, "tokenizer.chat_template", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_STRING, 1);
	gguf_build_string(&b, "{}");
	gguf_build_key(&b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_U8, 3);
	gguf_build_bytes(&b, "abc", 3);
	expect_ok(&b, &g);
	ck_assert_str_eq(g.architecture, "");
	ck_assert_str_eq(g.name, "");
	ck_assert_int_eq(g.file_type, -1);
	ck_assert_uint_eq(g.sampling.set, 0);
	ck_assert_int_eq(g.add_bos, GR_GGUF_UNSAID);
	ck_assert_uint_eq(g.vocab_size, 0);
	ck_assert(!g.has_chat_template);
}
END_TEST

START_TEST(read_empty_array_counts_as_absent)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_u32(&b, "llama.context_length", 5);
	gguf_build_key(&b, "llama.block_count", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_U32, 0);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.context_length, 5);
	ck_assert_uint_eq(g.block_count, 0);
}
END_TEST

START_TEST(read_float_that_is_not_finite_counts_as_absent)
{
	static const struct { uint32_t type; size_t size; uint64_t bits; } floats[] = {
		{ GGUF_F32, 4, 0x7fc00000 }, { GGUF_F32, 4, 0xff800000 }, { GGUF_F64, 8, UINT64_C(0x7ff8000000000000) },
		{ GGUF_F64, 8, UINT64_C(0x7fefffffffffffff) },
	};
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		struct gr_gguf g;
		gguf_build_head(&b, 3);
		gguf_build_key(&b, "general.sampling.temp", floats[i].type);
		gguf_build_number(&b, floats[i].size, floats[i].bits);
		expect_ok(&b, &g);
		ck_assert_uint_eq(g.sampling.set, 0);
	}
}
END_TEST

#define LONG16 "0123456789abcdef"
#define LONG128 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16

static const struct { const char *in, *name; } names[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "line\nbreak\x1b[31m\x7f", "line break [31m " },
	{ "c1 \xc2\x9b" "31m \xc2\xa0", "c1   31m \xc2\xa0" },
	{ "bad \xff", "" },
	{ "cut \xc3", "" },
	{ "\xed\xa0\x80", "" },
	{ LONG128, "0123456789abcdef" LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789abcde" },
	{ LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789abc\xe6\xbc\xa2",
	  LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789abc" },
	{ LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789ab\xe6\xbc\xa2",
	  LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789ab\xe6\xbc\xa2" },
	{ LONG128 LONG128 LONG128 "\xff", LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "0123456789abcde" },
};

START_TEST(read_name_is_clean_and_fits)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.name", names[_i].in);
	expect_ok(&b, &g);
	ck_assert_str_eq(g.name, names[_i].name);
	ck_assert(gr_utf8_valid(g.name, strlen(g.name)));
}
END_TEST

START_TEST(read_name_with_nul_becomes_a_space)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "general.name", GGUF_STRING);
	gguf_build_number(&b, 8, 3);
	gguf_build_bytes(&b, "a\0b", 3);
	expect_ok(&b, &g);
	ck_assert_str_eq(g.name, "a b");
}
END_TEST

START_TEST(read_architecture_at_the_cap_fits)
{
	char text[65];
	struct gr_gguf g;
	struct gguf_build b = GGUF_BUILD_INIT;
	memset(text, 'x', 64);
	text[63] = '\0';
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", text);
	expect_ok(&b, &g);
	ck_assert_str_eq(g.architecture, text);
	text[63] = 'x';
	text[64] = '\0';
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", text);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: general.architecture has 64 bytes, at most 63");
}
END_TEST

START_TEST(read_key_length_cap_is_kept)
{
	char *key = malloc(GR_GGUF_KEY_LENGTH_MAX + 2);
	memset(key, 'k', GR_GGUF_KEY_LENGTH_MAX + 1);
	key[GR_GGUF_KEY_LENGTH_MAX + 1] = '\0';
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, key + 1, 1);
	expect_ok(&b, &g);
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, key, 1);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: length 65536, at most 65535");
	free(key);
}
END_TEST

START_TEST(read_tensor_name_cap_is_kept)
{
	char name[GR_GGUF_TENSOR_NAME_MAX + 2];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, name + 1, 1, 1, 0, 0);
	gguf_build_data(&b, 4);
	expect_ok(&b, &g);
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, name, 1, 1, 0, 0);
	gguf_build_data(&b, 4);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: tensor 0: length 256, at most 255");
}
END_TEST

START_TEST(read_key_count_cap_is_kept)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	for (int i = 0; i < GR_GGUF_KEYS_MAX; i++)
		gguf_build_bool(&b, "k", 1);
	ck_assert_int_eq(read_bytes(b.data, b.len, 0, &g, NULL), INF_OK);
	gguf_build_bool(&b, "k", 1);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: 65537 keys, at most 65536");
}
END_TEST

START_TEST(read_tensor_count_cap_is_kept)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	for (int i = 0; i < GR_GGUF_TENSORS_MAX; i++)
		gguf_build_tensor(&b, "t", 0, 1, 0, 0);
	size_t len = b.len;
	gguf_build_data(&b, 0);
	ck_assert_int_eq(read_bytes(b.data, b.len, 0, &g, NULL), INF_OK);
	b.len = len;
	gguf_build_tensor(&b, "t", 0, 1, 0, 0);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: 262145 tensors, at most 262144");
}
END_TEST

static void build_nested(struct gguf_build *b, int depth)
{
	gguf_build_head(b, 3);
	gguf_build_key(b, "nested", GGUF_ARRAY);
	for (int i = 1; i < depth; i++)
		gguf_build_array(b, GGUF_ARRAY, 1);
	gguf_build_array(b, GGUF_U8, 1);
	gguf_build_number(b, 1, 7);
}

START_TEST(read_nesting_cap_is_kept)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	build_nested(&b, GR_GGUF_DEPTH_MAX);
	expect_ok(&b, &g);
	build_nested(&b, GR_GGUF_DEPTH_MAX + 1);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: arrays nested more than 4 deep");
	build_nested(&b, 100000);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: arrays nested more than 4 deep");
}
END_TEST

/* A sparse file can claim to hold the strings; nobody may walk them all. */
static int64_t read_zeros_after_head(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const struct gguf_build *b = ctx;
	memset(buf, 0, len);
	if (offset < b->len)
		memcpy(buf, b->data + offset, len < b->len - offset ? len : (size_t)(b->len - offset));
	return (int64_t)len;
}

static inf_status read_array_in_sparse_file(uint32_t type, uint64_t count, inf_error *err)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "first", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_STRING, 1);
	gguf_build_string(&b, "");
	gguf_build_key(&b, "strings", GGUF_ARRAY);
	gguf_build_array(&b, type, count);
	struct gr_gguf_source source = { .ctx = &b, .read_at = read_zeros_after_head, .size = UINT64_C(1) << 40 };
	inf_status st = gr_gguf_read(&source, "m.gguf", &g, err);
	gguf_build_release(&b);
	return st;
}

START_TEST(read_item_cap_is_kept)
{
	inf_error err = { .struct_size = sizeof err };
	uint32_t type = _i ? GGUF_ARRAY : GGUF_STRING;
	ck_assert_int_eq(read_array_in_sparse_file(type, GR_GGUF_ITEMS_MAX - 1, &err), INF_OK);
	ck_assert_int_eq(read_array_in_sparse_file(type, GR_GGUF_ITEMS_MAX, &err), INF_E_BAD_MODEL);
	ck_assert_str_eq(err.message, "m.gguf: key 1: more than 16777216 strings or arrays in arrays");
	ck_assert_str_eq(err.reason, "gguf_corrupt");
}
END_TEST

START_TEST(read_string_cap_is_kept)
{
	for (int over = 0; over < 2; over++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		struct gr_gguf g;
		inf_error err = { .struct_size = sizeof err };
		gguf_build_head(&b, 3);
		gguf_build_key(&b, "long", GGUF_STRING);
		gguf_build_number(&b, 8, GR_GGUF_STRING_MAX + (uint64_t)over);
		struct gr_gguf_source source = { &b, read_zeros_after_head, UINT64_C(1) << 40 };
		inf_status st = gr_gguf_read(&source, "m.gguf", &g, &err);
		ck_assert_int_eq(st, over ? INF_E_BAD_MODEL : INF_OK);
		if (over)
			ck_assert_str_eq(err.message, "m.gguf: key 0: length 1073741825, at most 1073741824");
		gguf_build_release(&b);
	}
}
END_TEST

/* ---- refusals ---- */

static const struct { const char *bytes; size_t len; const char *reason, *message; } heads[] = {
	{ "", 0, "gguf_empty", "m.gguf: the file is empty: download it again" },
	{ "G", 1, "gguf_truncated", "m.gguf: the file ends here, inside its header, after 1 bytes: download it again" },
	{ "GGU", 3, "gguf_truncated", "m.gguf: the file ends here, inside its header, after 3 bytes: download it again" },
	{ "GGX", 3, "gguf_not_gguf", "m.gguf: not a GGUF file: it does not begin with \"GGUF\"" },
	{ "XXXXxxxxxxxxxxxxxxxxxxxx", 24, "gguf_not_gguf", "m.gguf: not a GGUF file: it does not begin with \"GGUF\"" },
	{ "FUGG\3\0\0\0", 8, "gguf_not_gguf", "m.gguf: not a GGUF file: it does not begin with \"GGUF\"" },
	{ "version https://git-lfs.github.com/spec/v1\n", 43, "gguf_not_gguf",
	  "m.gguf: not a GGUF file: it is a Git LFS pointer, the model itself was not fetched: git lfs pull" },
	{ "<!DOCTYPE html>", 15, "gguf_not_gguf",
	  "m.gguf: not a GGUF file: it looks like a web page, the download failed" },
	{ "PK\3\4aaaa", 8, "gguf_not_gguf",
	  "m.gguf: not a GGUF file: it is a zip archive or a PyTorch checkpoint, convert it to GGUF" },
	{ "\x10\0\0\0\0\0\0\0{\"__metadata__\"", 24, "gguf_not_gguf",
	  "m.gguf: not a GGUF file: it looks like a safetensors file, convert it to GGUF" },
	{ "tjgg\3\0\0\0", 8, "gguf_not_gguf",
	  "m.gguf: not a GGUF file: it is in the GGML format that came before GGUF, convert it" },
	{ "GGUF\0\0\0\0", 8, "gguf_version",
	  "m.gguf: GGUF version 0 is too old, 2 and 3 are read: convert the model again" },
	{ "GGUF\1\0\0\0", 8, "gguf_version",
	  "m.gguf: GGUF version 1 is too old, 2 and 3 are read: convert the model again" },
	{ "GGUF\4\0\0\0", 8, "gguf_version", "m.gguf: GGUF version 4 is not known here, 2 and 3 are" },
	{ "GGUF\3\0\1\0", 8, "gguf_version", "m.gguf: GGUF version 65539 is not known here, 2 and 3 are" },
	{ "GGUF\0\0\0\3", 8, "gguf_big_endian",
	  "m.gguf: a GGUF file for big-endian machines: get the little-endian one" },
	{ "GGUF\0\0\0\2aaaaaaaabbbbbbbb", 24, "gguf_big_endian",
	  "m.gguf: a GGUF file for big-endian machines: get the little-endian one" },
	{ "GGUF\3\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0", 24, "gguf_corrupt",
	  "m.gguf: 9223372036854775808 tensors, at most 262144" },
	{ "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 24, "gguf_corrupt",
	  "m.gguf: 18446744073709551615 keys, at most 65536" },
	{ "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "gguf_truncated",
	  "m.gguf: tensor 0: the file ends here, inside its header, after 24 bytes: download it again" },
};

START_TEST(read_bad_head_is_refused)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_bytes(&b, heads[_i].bytes, heads[_i].len);
	expect_refusal(&b, heads[_i].reason, heads[_i].message);
}
END_TEST

/* One key, whose value is as the case says; 16 bytes follow. */
static const struct { uint32_t type; uint64_t a; size_t a_size; uint64_t n; const char *reason, *message; } values[] = {
	{ 13, 0, 0, 0, "gguf_corrupt", "m.gguf: key 0: unknown value type 13" },
	{ UINT32_MAX, 0, 0, 0, "gguf_corrupt", "m.gguf: key 0: unknown value type 4294967295" },
	{ GGUF_STRING, 0, 0, UINT64_MAX, "gguf_corrupt",
	  "m.gguf: key 0: length 18446744073709551615 exceeds the 16 bytes left" },
	{ GGUF_STRING, 0, 0, 9000000000, "gguf_corrupt", "m.gguf: key 0: length 9000000000 exceeds the 16 bytes left" },
	{ GGUF_STRING, 0, 0, 17, "gguf_truncated",
	  "m.gguf: key 0: the file ends here, inside its header, after 61 bytes: download it again" },
	{ GGUF_ARRAY, 13, 4, 1, "gguf_corrupt", "m.gguf: key 0: unknown type 13 of array elements" },
	{ GGUF_ARRAY, GGUF_U8, 4, 17, "gguf_truncated",
	  "m.gguf: key 0: the file ends here, inside its header, after 65 bytes: download it again" },
	{ GGUF_ARRAY, GGUF_F64, 4, 3, "gguf_truncated",
	  "m.gguf: key 0: the file ends here, inside its header, after 65 bytes: download it again" },
	{ GGUF_ARRAY, GGUF_F64, 4, UINT64_C(0x2000000000000001), "gguf_corrupt",
	  "m.gguf: key 0: array length 2305843009213693953 exceeds the 16 bytes left" },
	{ GGUF_ARRAY, GGUF_STRING, 4, UINT64_MAX, "gguf_corrupt",
	  "m.gguf: key 0: array length 18446744073709551615 exceeds the 16 bytes left" },
	{ GGUF_ARRAY, GGUF_ARRAY, 4, UINT64_MAX / 12, "gguf_corrupt",
	  "m.gguf: key 0: array length 1537228672809129301 exceeds the 16 bytes left" },
};

START_TEST(read_bad_value_is_refused)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "k", values[_i].type);
	gguf_build_number(&b, values[_i].a_size, values[_i].a);
	gguf_build_number(&b, 8, values[_i].n);
	gguf_build_bytes(&b, "0123456789abcdef", 16);
	expect_refusal(&b, values[_i].reason, values[_i].message);
}
END_TEST

START_TEST(read_key_without_name_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "", 1);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: the key is empty");
}
END_TEST

START_TEST(read_key_longer_than_the_file_is_refused)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "k", 1);
	gguf_build_put(&b, 24, 8, UINT64_C(1) << 63);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: length 9223372036854775808 exceeds the 9 bytes left");
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "k", 1);
	gguf_build_put(&b, 24, 8, 10);
	expect_refusal(&b, "gguf_truncated",
		       "m.gguf: key 0: the file ends here, inside its header, after 41 bytes: download it again");
}
END_TEST

static const struct { uint32_t type; uint64_t value; const char *message; } alignments[] = {
	{ GGUF_U32, 0, "m.gguf: key 0: general.alignment is 0, not a power of 2" },
	{ GGUF_U32, 48, "m.gguf: key 0: general.alignment is 48, not a power of 2" },
	{ GGUF_I64, UINT64_MAX, "m.gguf: key 0: general.alignment is -1, not a power of 2" },
	{ GGUF_U64, UINT64_C(1) << 32, "m.gguf: key 0: general.alignment is 4294967296, not a power of 2" },
	{ GGUF_F64, 32, "m.gguf: key 0: general.alignment is not an integer" },
};

START_TEST(read_bad_alignment_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "general.alignment", alignments[_i].type);
	gguf_build_number(&b, alignments[_i].type == GGUF_U32 ? 4 : 8, alignments[_i].value);
	expect_refusal(&b, "gguf_corrupt", alignments[_i].message);
}
END_TEST

START_TEST(read_alignment_moves_the_data)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_u32(&b, "general.alignment", 4096);
	gguf_build_tensor(&b, "a", 1, 1, 0, 0);
	gguf_build_tensor(&b, "b", 1, 1, 0, 4096);
	gguf_build_data(&b, 8200);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.expected_file_size, 4096 + 4096 + 4);
	ck_assert_uint_eq(g.tensor_bytes, 8);
}
END_TEST

/* ---- tensors ---- */

START_TEST(read_tensors_in_any_order_end_with_the_last)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "b", 8, 1, 0, 32);
	gguf_build_tensor(&b, "a", 8, 1, 0, 0);
	gguf_build_data(&b, 64);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.expected_file_size, g.file_size);
}
END_TEST

static const struct { uint64_t row, rows; uint32_t type; uint64_t offset; const char *message; } bad_tensors[] = {
	{ 33, 1, 8, 0, "m.gguf: tensor 0: 33 elements in a row, not a multiple of 32" },
	{ 128, 1, 12, 0, "m.gguf: tensor 0: 128 elements in a row, not a multiple of 256" },
	{ 1, 1, 0, 8, "m.gguf: tensor 0: offset 8 is not a multiple of 32" },
	{ UINT64_MAX, 1, 0, 0, "m.gguf: tensor 0: more elements than can be counted" },
	{ UINT64_C(1) << 32, UINT64_C(1) << 32, 0, 0, "m.gguf: tensor 0: more elements than can be counted" },
	{ UINT64_C(1) << 32, UINT64_C(1) << 31, 0, 0, "m.gguf: tensor 0: more elements than can be counted" },
	{ INT64_MAX, 1, 0, 0, "m.gguf: tensor 0: 9223372036854775807 elements at offset 0 are more than can be counted" },
	{ 32, 1, 0, UINT64_C(0xffffffffffffffe0),
	  "m.gguf: tensor 0: 32 elements at offset 18446744073709551584 are more than can be counted" },
};

START_TEST(read_bad_tensor_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "t", bad_tensors[_i].row, bad_tensors[_i].rows, bad_tensors[_i].type,
			  bad_tensors[_i].offset);
	gguf_build_data(&b, 1000);
	expect_refusal(&b, "gguf_corrupt", bad_tensors[_i].message);
}
END_TEST

START_TEST(read_tensor_sums_that_overflow_are_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	for (int i = 0; i < 3; i++)
		gguf_build_tensor(&b, "t", INT64_MAX, 1, 24, 0);	/* I8 */
	gguf_build_data(&b, 1000);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: tensor 2: 9223372036854775807 elements at offset 0 are more than"
		       " can be counted");
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "t", 32, 1, 24, UINT64_C(0xffffffffffffffc0));
	gguf_build_data(&b, 1000);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: the tensor data overflows");
}
END_TEST

START_TEST(read_tensor_of_five_dimensions_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "t", 1, 1, 0, 0);
	gguf_build_put(&b, 24 + 9, 4, 5);
	gguf_build_data(&b, 1000);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: tensor 0: 5 dimensions, at most 4");
}
END_TEST

START_TEST(read_tensor_of_no_and_four_dimensions_counts)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_string(&b, "scalar");
	gguf_build_number(&b, 4, 0);
	gguf_build_number(&b, 4, 0);
	gguf_build_number(&b, 8, 0);
	gguf_build_string(&b, "four");
	gguf_build_number(&b, 4, 4);
	for (unsigned i = 2; i <= 5; i++)
		gguf_build_number(&b, 8, i);
	gguf_build_number(&b, 4, 1);
	gguf_build_number(&b, 8, 32);
	gguf_build_put(&b, 8, 8, 2);
	gguf_build_data(&b, 32 + 240);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.parameter_count, 121);
	ck_assert_uint_eq(g.tensor_bytes, 4 + 240);
	ck_assert_uint_eq(g.expected_file_size, g.file_size);
}
END_TEST

/* Bits for each weight, as the names of the types and ggml's own tables give them, times 256 weights. */
static const struct { uint32_t type; uint64_t bytes_of_256; } types[] = {
	{ 0, 1024 }, { 1, 512 }, { 2, 144 }, { 3, 160 }, { 6, 176 }, { 7, 192 }, { 8, 272 }, { 9, 288 }, { 10, 84 },
	{ 11, 110 }, { 12, 144 }, { 13, 176 }, { 14, 210 }, { 15, 292 }, { 16, 66 }, { 17, 74 }, { 18, 98 }, { 19, 50 },
	{ 20, 144 }, { 21, 110 }, { 22, 82 }, { 23, 136 }, { 24, 256 }, { 25, 512 }, { 26, 1024 }, { 27, 2048 },
	{ 28, 2048 }, { 29, 56 }, { 30, 512 }, { 34, 54 }, { 35, 66 }, { 39, 136 }, { 40, 144 },
};

START_TEST(read_tensor_of_each_type_has_its_size)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	uint64_t bytes = types[_i].bytes_of_256 * 3;
	char message[200];
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "t", 256, 3, types[_i].type, 0);
	gguf_build_data(&b, (size_t)bytes);
	ck_assert_int_eq(read_bytes(b.data, b.len, 0, &g, NULL), INF_OK);
	ck_assert_uint_eq(g.tensor_bytes, bytes);
	ck_assert_uint_eq(g.expected_file_size, b.len);
	ck_assert_uint_eq(g.parameter_count, 768);
	b.len--;
	snprintf(message, sizeof message, "m.gguf: the file is cut off, %zu of %zu bytes are there: download it again",
		 b.len, b.len + 1);
	expect_refusal(&b, "gguf_truncated", message);
}
END_TEST

START_TEST(read_tensor_of_unknown_type_gives_up_the_size)
{
	static const uint32_t unknown[] = { 4, 5, 31, 36, 41, 142, 100000, UINT32_MAX };
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		struct gr_gguf g;
		gguf_build_head(&b, 3);
		gguf_build_tensor(&b, "a", 7, 5, unknown[i], 0);
		gguf_build_tensor(&b, "b", 32, 1, 0, 32);
		gguf_build_data(&b, 32 + 128);
		expect_ok(&b, &g);
		ck_assert_uint_eq(g.expected_file_size, 0);
		ck_assert_uint_eq(g.parameter_count, 35 + 32);
		/* It can be no more than what lies up to the next tensor, so that much is counted. */
		ck_assert_uint_eq(g.tensor_bytes, 32 + 128);
		ck_assert_uint_eq(g.sizes.output, 32 + 128);
	}
}
END_TEST

START_TEST(read_tensor_of_unknown_type_reaches_to_what_follows)
{
	static const struct { uint64_t first, second; size_t data; uint64_t bytes; int32_t main_type; } cases[] = {
		{ 0, 64, 64 + 128, 64 + 128, 0 },	/* up to the other tensor, which has most */
		{ 0, 320, 320 + 128, 320 + 128, -1 },
		{ 128, 0, 128 + 100, 128 + 100, 0 },	/* up to the end of the file */
		{ 128, 0, 128 + 500, 128 + 500, -1 },
		{ 128, 0, 128, 128, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		struct gr_gguf g;
		gguf_build_head(&b, 3);
		bool first = cases[i].first < cases[i].second;
		gguf_build_tensor(&b, "a", 32, 1, first ? 100000 : 0, first ? cases[i].first : cases[i].second);
		gguf_build_tensor(&b, "b", 32, 1, first ? 0 : 100000, first ? cases[i].second : cases[i].first);
		gguf_build_data(&b, cases[i].data);
		expect_ok(&b, &g);
		ck_assert_uint_eq(g.tensor_bytes, cases[i].bytes);
		ck_assert_int_eq(g.main_tensor_type, cases[i].main_type);
	}
	struct gguf_build b = GGUF_BUILD_INIT;		/* not in the order of their places */
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "a", 32, 1, 100000, 128);
	gguf_build_tensor(&b, "b", 32, 1, 0, 0);
	gguf_build_data(&b, 1000);
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.tensor_bytes, 128);
}
END_TEST

/* ---- where tensors belong, and what layers are ---- */

static struct gr_gguf_layers layers;

static void clear_layers(void)
{
	layers = (struct gr_gguf_layers){ 0 };
}

static inf_status read_layers(const struct gguf_build *b, struct gr_gguf *out, inf_error *err)
{
	struct gguf_bytes bytes = { .data = b->data, .size = b->len };
	struct gr_gguf_source source = gguf_bytes_source(&bytes);
	return gr_gguf_read_layers(&source, "m.gguf", out, &layers, err);
}

static const struct {
	const char *name;
	struct gr_gguf_sizes sizes;
	struct gr_gguf_layer layer;	/* of layer 1 */
	uint32_t layers;
} places[] = {
	{ "token_embd.weight", { .token_embedding = 128 }, { 0 }, 0 },
	{ "token_embd_norm.weight", { .input = 128 }, { 0 }, 0 },
	{ "position_embd.weight", { .input = 128 }, { 0 }, 0 },
	{ "token_types.weight", { .input = 128 }, { 0 }, 0 },
	{ "per_layer_token_embd.weight", { .input = 128 }, { 0 }, 0 },
	{ "output.weight", { .output = 128 }, { 0 }, 0 },
	{ "output.bias", { .output = 128 }, { 0 }, 0 },
	{ "cls.weight", { .output = 128 }, { 0 }, 0 },
	{ "cls.output.weight", { .output = 128 }, { 0 }, 0 },
	{ "cls.output.bias", { .output = 128 }, { 0 }, 0 },
	{ "output_norm.weight", { .output = 128 }, { 0 }, 0 },
	{ "rope_freqs.weight", { .output = 128 }, { 0 }, 0 },
	{ "", { .output = 128 }, { 0 }, 0 },
	{ "blk", { .output = 128 }, { 0 }, 0 },
	{ "blk.", { .output = 128 }, { 0 }, 0 },
	{ "blk.1", { .output = 128 }, { 0 }, 0 },
	{ "blk.x.attn_k.weight", { .output = 128 }, { 0 }, 0 },
	{ "blk.-1.attn_k.weight", { .output = 128 }, { 0 }, 0 },
	{ "blk.512.attn_k.weight", { .output = 128 }, { 0 }, 0 },
	{ "blk.999999.attn_k.weight", { .output = 128 }, { 0 }, 0 },
	{ "blk.4294967297.attn_k.weight", { .output = 128 }, { 0 }, 0 },
	{ "blk.0.attn_k.weight", { 0 }, { 0 }, 1 },
	{ "blk.511.attn_k.weight", { 0 }, { 0 }, 512 },
	{ "blk.1.", { 0 }, { .bytes = 128 }, 2 },
	{ "blk.1.attn_q.weight", { 0 }, { .bytes = 128 }, 2 },
	{ "blk.1.attn_k.bias", { 0 }, { .bytes = 128 }, 2 },
	{ "blk.1.attn_k.weight", { 0 }, { 128, 0, 4, 0, 0, GR_GGUF_LAYER_ATTENTION }, 2 },
	{ "blk.001.attn_v.weight", { 0 }, { 128, 0, 0, 4, 0, 0 }, 2 },
	{ "dec.blk.1.attn_k.weight", { 0 }, { 128, 0, 4, 0, 0, GR_GGUF_LAYER_ATTENTION }, 2 },
	{ "blk.1.attn_qkv.weight", { 0 }, { 128, 0, 0, 0, 0, GR_GGUF_LAYER_ATTENTION }, 2 },
	{ "blk.1.attn_kv_a_mqa.weight", { 0 }, { 128, 0, 0, 0, 0, GR_GGUF_LAYER_ATTENTION | GR_GGUF_LAYER_LATENT }, 2 },
	{ "blk.1.ssm_conv1d.weight", { 0 }, { 128, 0, 0, 0, 0, GR_GGUF_LAYER_RECURRENT }, 2 },
	{ "blk.1.shortconv.conv.weight", { 0 }, { 128, 0, 0, 0, 0, GR_GGUF_LAYER_RECURRENT }, 2 },
	{ "blk.1.time_mix_key.weight", { 0 }, { 128, 0, 0, 0, 0, GR_GGUF_LAYER_RECURRENT }, 2 },
	{ "blk.1.ffn_up_exps.weight", { .experts = 128 }, { 128, 128, 0, 0, 0, 0 }, 2 },
	{ "blk.1.ffn_gate_up_exps.weight", { .experts = 128 }, { 128, 128, 0, 0, 0, 0 }, 2 },
	{ "blk.1.ffn_down_chexps.weight", { .experts = 128 }, { 128, 128, 0, 0, 0, 0 }, 2 },
	{ "blk.1.ffn_up_shexp.weight", { 0 }, { .bytes = 128 }, 2 },
};

START_TEST(read_tensor_is_counted_where_its_name_says)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, places[_i].name, 8, 4, 0, 0);
	gguf_build_data(&b, 128);
	ck_assert_int_eq(read_layers(&b, &g, &err), INF_OK);
	ck_assert_mem_eq(&g.sizes, &places[_i].sizes, sizeof g.sizes);
	ck_assert_uint_eq(layers.count, places[_i].layers);
	ck_assert_mem_eq(&layers.at[1], &places[_i].layer, sizeof layers.at[1]);
	ck_assert_int_eq(g.has_output_weight, !strcmp(places[_i].name, "output.weight"));
	ck_assert_int_eq(g.has_rank_head, !strcmp(places[_i].name, "cls.weight") || !strcmp(places[_i].name, "cls.output.weight"));
	ck_assert_int_eq(g.main_tensor_type, 0);
	expect_ok(&b, &g);	/* without layers */
	ck_assert_mem_eq(&g.sizes, &places[_i].sizes, sizeof g.sizes);
}
END_TEST

START_TEST(read_parts_add_up_in_the_layers)
{
	for (int part = 0; part < 3; part++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		struct gr_gguf g;
		char name[32];
		inf_error err = { .struct_size = sizeof err };
		gguf_build_head(&b, 3);
		gguf_build_tensor(&b, "blk.1.ffn_up.weight", 8, 4, 0, 0);
		snprintf(name, sizeof name, "blk.%d.attn_k.weight", part);
		gguf_build_tensor(&b, name, 32, (uint64_t)part + 1, 8, 128);
		gguf_build_data(&b, 1000);
		ck_assert_int_eq(read_layers(&b, &g, &err), INF_OK);
		gguf_build_release(&b);
	}
	ck_assert_uint_eq(layers.count, 3);
	ck_assert_uint_eq(layers.at[0].bytes, 34);
	ck_assert_uint_eq(layers.at[1].bytes, 3 * 128 + 2 * 34);
	ck_assert_uint_eq(layers.at[2].bytes, 3 * 34);
	ck_assert_uint_eq(layers.at[2].key_width, 3);
}
END_TEST

static void build_list(struct gguf_build *b, const char *key, uint32_t type, size_t size, unsigned count)
{
	gguf_build_key(b, key, GGUF_ARRAY);
	gguf_build_array(b, type, count);
	for (unsigned i = 0; i < count; i++)
		gguf_build_number(b, size, type == GGUF_BOOL ? i % 3 == 0 : i % 5);
}

/* The architecture before its keys, and after them; arrays of other models are none of ours. */
START_TEST(read_list_gives_each_layer_its_number)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	gguf_build_head(&b, 3);
	if (!_i)
		gguf_build_text(&b, "general.architecture", "llama");
	build_list(&b, "clip.attention.head_count_kv", GGUF_U32, 4, 40);
	build_list(&b, "llama.attention.head_count_kv", GGUF_I32, 4, 30);
	build_list(&b, "llama.attention.sliding_window_pattern", GGUF_BOOL, 1, 30);
	build_list(&b, "llama.feed_forward_length", GGUF_U16, 2, 30);
	if (_i)
		gguf_build_text(&b, "general.architecture", "llama");
	ck_assert_int_eq(read_layers(&b, &g, &err), INF_OK);
	ck_assert_uint_eq(g.head_count_kv, 4);
	ck_assert_uint_eq(g.feed_forward_length, 4);
	ck_assert_uint_eq(g.sliding_pattern, 0);
	ck_assert(layers.has_head_counts && layers.has_pattern);
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_uint_eq(layers.at[i].head_count_kv, i < 30 ? i % 5 : 0);
		ck_assert_uint_eq(layers.at[i].flags, i < 30 && i % 3 == 0 ? GR_GGUF_LAYER_SLIDING : 0);
	}
	expect_ok(&b, &g);
	ck_assert_uint_eq(g.head_count_kv, 4);
}
END_TEST

START_TEST(read_lists_are_bounded)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	gguf_build_head(&b, 3);
	build_list(&b, "llama.attention.head_count_kv", GGUF_U8, 1, GR_GGUF_LAYERS_MAX + 1);
	for (int i = 0; i < 10; i++)
		build_list(&b, "other.attention.head_count_kv", GGUF_U8, 1, 5000);
	build_list(&b, "llama.attention.sliding_window_pattern", GGUF_BOOL, 1, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	build_list(&b, "test.floats", GGUF_F32, 4, 5000);
	ck_assert_int_eq(read_layers(&b, &g, &err), INF_OK);
	ck_assert_uint_eq(layers.at[GR_GGUF_LAYERS_MAX - 1].head_count_kv, (GR_GGUF_LAYERS_MAX - 1) % 5);
	ck_assert(!layers.has_pattern);
	gguf_build_release(&b);
}
END_TEST

START_TEST(read_scalar_is_no_list)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "gemma3");
	gguf_build_u32(&b, "gemma3.attention.sliding_window_pattern", 6);
	gguf_build_u32(&b, "gemma3.attention.head_count_kv", 4);
	ck_assert_int_eq(read_layers(&b, &g, &err), INF_OK);
	ck_assert_uint_eq(g.sliding_pattern, 6);
	ck_assert(!layers.has_pattern && !layers.has_head_counts);
	gguf_build_release(&b);
}
END_TEST

START_TEST(read_list_with_a_bad_number_is_corrupt)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_key(&b, "llama.attention.head_count_kv", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_I32, 2);
	gguf_build_number(&b, 4, 8);
	gguf_build_number(&b, 4, UINT32_MAX);
	expect_refusal(&b, "gguf_corrupt", "m.gguf: key 0: .attention.head_count_kv is -1");
}
END_TEST

#define OF(f) offsetof(struct gr_gguf, f)

static const struct { const char *key; size_t offset; } counts[] = {
	{ "attention.key_length", OF(key_length) }, { "attention.value_length", OF(value_length) },
	{ "attention.key_length_swa", OF(key_length_swa) }, { "attention.value_length_swa", OF(value_length_swa) },
	{ "attention.key_length_mla", OF(key_length_mla) }, { "attention.sliding_window", OF(sliding_window) },
	{ "attention.shared_kv_layers", OF(shared_kv_layers) }, { "nextn_predict_layers", OF(predict_layers) },
	{ "expert_count", OF(expert_count) }, { "expert_used_count", OF(expert_used_count) },
	{ "expert_feed_forward_length", OF(expert_feed_forward_length) }, { "ssm.conv_kernel", OF(ssm_conv_kernel) },
	{ "ssm.inner_size", OF(ssm_inner_size) }, { "ssm.state_size", OF(ssm_state_size) },
	{ "ssm.group_count", OF(ssm_group_count) }, { "wkv.head_size", OF(wkv_head_size) },
	{ "token_shift_count", OF(token_shift_count) }, { "shortconv.l_cache", OF(shortconv_cache) },
	{ "pooling_type", OF(pooling_type) }, { "embedding_length_out", OF(embedding_length_out) },
};

START_TEST(read_count_of_the_architecture_is_kept)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	char key[80];
	uint32_t kept;
	snprintf(key, sizeof key, "x.%s", counts[_i].key);
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "x");
	gguf_build_u32(&b, key, 7);
	snprintf(key, sizeof key, "y.%s", counts[_i].key);
	gguf_build_u32(&b, key, 8);
	expect_ok(&b, &g);
	memcpy(&kept, (const char *)&g + counts[_i].offset, sizeof kept);
	ck_assert_uint_eq(kept, 7);
}
END_TEST

START_TEST(read_size_label_and_license_are_kept)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.size_label", "8x7B");
	gguf_build_text(&b, "general.license", "apache-2.0");
	expect_ok(&b, &g);
	ck_assert_str_eq(g.size_label, "8x7B");
	ck_assert_str_eq(g.license, "apache-2.0");
}
END_TEST

static const struct {
	const char *type, *architecture;
	uint64_t tensors;
	uint32_t split_count, pooling;
	enum gr_gguf_kind kind;
	const char *name;
} kinds[] = {
	{ "", "llama", 9, 0, 0, GR_GGUF_KIND_MODEL, "model" },
	{ "model", "qwen3", 9, 0, 0, GR_GGUF_KIND_MODEL, "model" },
	{ "model", "llama", 0, 3, 0, GR_GGUF_KIND_MODEL, "model" },
	{ "model", "qwen3", 9, 0, 3, GR_GGUF_KIND_EMBEDDING, "embedding" },
	{ "", "bert", 9, 0, 0, GR_GGUF_KIND_EMBEDDING, "embedding" },
	{ "", "clip", 9, 0, 0, GR_GGUF_KIND_PROJECTOR, "projector" },
	{ "mmproj", "clip", 9, 0, 0, GR_GGUF_KIND_PROJECTOR, "projector" },
	{ "adapter", "llama", 9, 0, 0, GR_GGUF_KIND_ADAPTER, "adapter" },
	{ "", "llama", 0, 0, 0, GR_GGUF_KIND_VOCABULARY, "vocabulary" },
	{ "model", "", 0, 1, 0, GR_GGUF_KIND_VOCABULARY, "vocabulary" },
	{ "imatrix", "", 9, 0, 0, GR_GGUF_KIND_OTHER, "other" },
	{ "", "controlvector", 9, 0, 0, GR_GGUF_KIND_OTHER, "other" },
};

START_TEST(kind_follows_from_the_facts)
{
	struct gr_gguf g = { .tensor_count = kinds[_i].tensors, .split_count = kinds[_i].split_count,
			     .pooling_type = kinds[_i].pooling };
	strcpy(g.type, kinds[_i].type);
	strcpy(g.architecture, kinds[_i].architecture);
	ck_assert_int_eq(gr_gguf_kind(&g), kinds[_i].kind);
	ck_assert_str_eq(gr_gguf_kind_name(kinds[_i].kind), kinds[_i].name);
}
END_TEST

static const struct { int32_t file_type, main_type; const char *name; } quantisations[] = {
	{ 15, 12, "Q4_K_M" }, { 0, 0, "F32" }, { 1, 1, "F16" }, { 7, -1, "Q8_0" }, { 38, 39, "MXFP4" }, { 32, 30, "BF16" },
	{ 40, -1, "Q1_0" }, { 41, 0, "Q2_0" }, { -1, 12, "Q4_K" }, { 1024, 2, "Q4_0" }, { 4, 3, "Q4_1" }, { -1, -1, "" }, { INT32_MAX, 36, "" }, { INT32_MIN, 99, "" },
};

START_TEST(quantisation_is_the_file_types_name)
{
	struct gr_gguf g = { .file_type = quantisations[_i].file_type, .main_tensor_type = quantisations[_i].main_type };
	ck_assert_str_eq(gr_gguf_quantisation(&g), quantisations[_i].name);
}
END_TEST

START_TEST(read_main_type_is_the_one_with_most_bytes)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "a", 32, 1, 8, 0);	/* Q8_0, 34 bytes each */
	gguf_build_tensor(&b, "b", 10, 1, 0, 64);	/* F32, 40 bytes */
	gguf_build_tensor(&b, "c", 32, 1, 8, 128);
	gguf_build_data(&b, 1000);
	expect_ok(&b, &g);
	ck_assert_int_eq(g.main_tensor_type, 8);
	gguf_build_head(&b, 3);
	gguf_build_tensor(&b, "a", 32, 1, 100000, 0);
	gguf_build_data(&b, 0);
	expect_ok(&b, &g);
	ck_assert_int_eq(g.main_tensor_type, -1);
}
END_TEST

/* ---- whole files, damaged ---- */

START_TEST(read_file_cut_anywhere_is_truncated)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	for (size_t size = 1; size < b.len; size++) {
		inf_error err = { .struct_size = sizeof err };
		unsigned char *copy = malloc(size);
		memcpy(copy, b.data, size);
		ck_assert_int_eq(read_bytes(copy, size, 0, &g, &err), INF_E_BAD_MODEL);
		ck_assert_str_eq(err.reason, "gguf_truncated");
		free(copy);
		/* As of a file that grows meanwhile: the source has more than it said. */
		struct gguf_bytes bytes = { .data = b.data, .size = b.len };
		struct gr_gguf_source source = gguf_bytes_source(&bytes);
		source.size = size;
		ck_assert_int_eq(gr_gguf_read(&source, "m.gguf", &g, &err), INF_E_BAD_MODEL);
		ck_assert_str_eq(err.reason, "gguf_truncated");
	}
	gguf_build_release(&b);
}
END_TEST

/* Every byte, set to what breaks most: nothing may crash, and whatever is refused has a reason. */
START_TEST(read_file_with_any_byte_changed_is_survived)
{
	static const unsigned char evil[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	for (size_t at = 0; at < b.len - 904; at++) {
		unsigned char kept = b.data[at];
		for (size_t i = 0; i < sizeof evil; i++) {
			inf_error err = { .struct_size = sizeof err };
			b.data[at] = evil[i];
			inf_status st = read_bytes(b.data, b.len, 0, &g, &err);
			if (st == INF_OK)
				ck_assert(gr_utf8_valid(g.name, strlen(g.name)));
			else
				ck_assert_msg(st == INF_E_BAD_MODEL && !strncmp(err.reason, "gguf_", 5), "at %zu", at);
		}
		b.data[at] = kept;
	}
	gguf_build_release(&b);
}
END_TEST

START_TEST(read_source_that_ends_early_is_truncated)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	struct gguf_bytes bytes = { .data = b.data, .size = 100 };
	struct gr_gguf_source source = gguf_bytes_source(&bytes);
	source.size = b.len;
	ck_assert_int_eq(gr_gguf_read(&source, "m.gguf", &g, &err), INF_E_BAD_MODEL);
	ck_assert_str_eq(err.reason, "gguf_truncated");
	gguf_build_release(&b);
}
END_TEST

START_TEST(read_source_that_fails_is_an_io_error)
{
	struct gguf_build b = whole_file();
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	struct gguf_bytes bytes = { .data = b.data, .size = b.len, .chunk = 1, .fail_from = 100 };
	struct gr_gguf_source source = gguf_bytes_source(&bytes);
	ck_assert_int_eq(gr_gguf_read(&source, "m.gguf", &g, &err), INF_E_IO);
	ck_assert_str_eq(err.reason, "gguf_read");
	ck_assert_str_eq(err.message, "m.gguf: key 1: the read at byte 100 failed");
	gguf_build_release(&b);
}
END_TEST

/* ---- the bundled model, and a large vocabulary ---- */

static const unsigned char *map_sample_model(size_t *size)
{
	struct stat st;
	int fd = open(GR_SAMPLE_MODEL, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0 && fstat(fd, &st) == 0, "%s", GR_SAMPLE_MODEL);
	*size = (size_t)st.st_size;
	const unsigned char *data = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert(data != MAP_FAILED);
	close(fd);
	return data;
}

START_TEST(read_sample_model_gives_its_facts)
{
	size_t size;
	const unsigned char *data = map_sample_model(&size);
	struct gr_gguf g;
	ck_assert_int_eq(read_bytes(data, size, 0, &g, NULL), INF_OK);
	ck_assert_str_eq(g.architecture, "llama");
	ck_assert_str_eq(g.name, "Austen 2M");
	ck_assert_uint_eq(g.expected_file_size, size);
	ck_assert_uint_eq(g.parameter_count, 1967808);
	ck_assert_uint_eq(g.vocab_size, 2048);
	ck_assert_uint_eq(g.context_length, 2048);
	ck_assert_uint_eq(g.head_count_kv, 2);
	ck_assert_int_eq(g.file_type, 7);
	ck_assert_str_eq(g.tokenizer_model, "gpt2");
	ck_assert(g.has_chat_template);
	munmap((void *)(uintptr_t)data, size);
}
END_TEST

START_TEST(read_sample_model_cut_anywhere_is_truncated)
{
	size_t size;
	const unsigned char *data = map_sample_model(&size);
	struct gr_gguf g;
	/* Every byte of the beginning and of the descriptors; what is between is the same strings over and over. */
	for (size_t cut = 1; cut < size; cut += cut < 4096 ? 1 : cut < 60000 ? 53 : cut < 66000 ? 1 : 65521) {
		inf_error err = { .struct_size = sizeof err };
		ck_assert_int_eq(read_bytes(data, cut, 0, &g, &err), INF_E_BAD_MODEL);
		ck_assert_str_eq(err.reason, "gguf_truncated");
	}
	ck_assert_int_eq(read_bytes(data, size - 1, 0, &g, NULL), INF_E_BAD_MODEL);
	munmap((void *)(uintptr_t)data, size);
}
END_TEST

START_TEST(read_large_vocabulary_takes_little_memory)
{
	enum { TOKENS = 262144 };
	struct gguf_build b = GGUF_BUILD_INIT;
	struct gr_gguf g;
	inf_error err = { .struct_size = sizeof err };
	char token[32];
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "gemma3");
	gguf_build_key(&b, "tokenizer.ggml.tokens", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_STRING, TOKENS);
	for (int i = 0; i < TOKENS; i++) {
		snprintf(token, sizeof token, "%.*s%d", i % 12, "abcdefghijkl", i);
		gguf_build_string(&b, token);
	}
	gguf_build_key(&b, "tokenizer.ggml.scores", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_F32, TOKENS);
	for (int i = 0; i < TOKENS; i++)
		gguf_build_number(&b, 4, 0);
	gguf_build_u32(&b, "gemma3.context_length", 131072);
	struct gguf_bytes bytes = { .data = b.data, .size = b.len };
	struct gr_gguf_source source = gguf_bytes_source(&bytes);
	failmalloc_arm(FAILMALLOC_NEVER);
	inf_status st = gr_gguf_read(&source, "m.gguf", &g, &err);
	failmalloc_disarm();
	ck_assert_int_eq(st, INF_OK);
	ck_assert_uint_eq(g.vocab_size, TOKENS);
	ck_assert_uint_eq(g.context_length, 131072);
	ck_assert_uint_le(failmalloc_bytes(), 128 * 1024);
	ck_assert_uint_le(bytes.reads, b.len / GR_GGUF_WINDOW + 4);
	gguf_build_release(&b);
}
END_TEST

/* The work is that of the header, whatever lies behind it. */
START_TEST(read_large_model_touches_only_its_header)
{
	uint64_t size;
	struct gguf_bytes bytes;
	struct gr_gguf g;
	struct gguf_build header = model_shape_header("mixtral-8x7b-q8_0", &size);
	struct gr_gguf_source source = model_shape_source(&header, size, &bytes);
	ck_assert_int_eq(gr_gguf_read(&source, "m.gguf", &g, NULL), INF_OK);
	ck_assert_uint_gt(g.tensor_bytes, UINT64_C(40) << 30);
	ck_assert_uint_le(bytes.reads, header.len / GR_GGUF_WINDOW + 2);
	gguf_build_release(&header);
}
END_TEST

START_TEST(read_survives_oom)
{
	struct gguf_build b = whole_file();
	for (long n = 0;; n++) {
		struct gr_gguf g;
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = read_bytes(b.data, b.len, 0, &g, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(err.code, st);
		if (!fired)
			break;
	}
	gguf_build_release(&b);
}
END_TEST

#define COUNT(table) (int)(sizeof table / sizeof *table)

static void add_facts(TCase *tc)
{
	tcase_add_test(tc, read_whole_file_gives_every_fact);
	tcase_add_test(tc, read_byte_at_a_time_equals_whole);
	tcase_add_test(tc, read_version_2_equals_version_3);
	tcase_add_test(tc, read_empty_header_says_nothing);
	tcase_add_test(tc, read_architecture_after_its_keys_resolves_them);
	tcase_add_test(tc, read_architecture_before_its_keys_passes_over_others);
	tcase_add_loop_test(tc, read_very_many_prefixes_are_bounded, 0, 4);
	tcase_add_loop_test(tc, read_count_of_any_integer_type_is_taken, 0, COUNT(integers));
	tcase_add_loop_test(tc, read_count_out_of_range_is_corrupt, 0, COUNT(bad_counts));
	tcase_add_test(tc, read_keys_of_other_types_count_as_absent);
	tcase_add_test(tc, read_empty_array_counts_as_absent);
	tcase_add_test(tc, read_float_that_is_not_finite_counts_as_absent);
	tcase_add_loop_test(tc, read_name_is_clean_and_fits, 0, COUNT(names));
	tcase_add_test(tc, read_name_with_nul_becomes_a_space);
}

static void add_caps(TCase *tc)
{
	tcase_add_test(tc, read_architecture_at_the_cap_fits);
	tcase_add_test(tc, read_key_length_cap_is_kept);
	tcase_add_test(tc, read_tensor_name_cap_is_kept);
	tcase_add_test(tc, read_key_count_cap_is_kept);
	tcase_add_test(tc, read_tensor_count_cap_is_kept);
	tcase_add_test(tc, read_nesting_cap_is_kept);
	tcase_add_loop_test(tc, read_item_cap_is_kept, 0, 2);
	tcase_add_test(tc, read_string_cap_is_kept);
}

static void add_refusals(TCase *tc)
{
	tcase_add_loop_test(tc, read_bad_head_is_refused, 0, COUNT(heads));
	tcase_add_loop_test(tc, read_bad_value_is_refused, 0, COUNT(values));
	tcase_add_test(tc, read_key_without_name_is_corrupt);
	tcase_add_test(tc, read_key_longer_than_the_file_is_refused);
	tcase_add_loop_test(tc, read_bad_alignment_is_corrupt, 0, COUNT(alignments));
	tcase_add_test(tc, read_alignment_moves_the_data);
	tcase_add_test(tc, read_tensors_in_any_order_end_with_the_last);
	tcase_add_loop_test(tc, read_bad_tensor_is_corrupt, 0, COUNT(bad_tensors));
	tcase_add_test(tc, read_tensor_sums_that_overflow_are_corrupt);
	tcase_add_test(tc, read_tensor_of_five_dimensions_is_corrupt);
	tcase_add_test(tc, read_tensor_of_no_and_four_dimensions_counts);
	tcase_add_loop_test(tc, read_tensor_of_each_type_has_its_size, 0, COUNT(types));
	tcase_add_test(tc, read_tensor_of_unknown_type_gives_up_the_size);
	tcase_add_test(tc, read_tensor_of_unknown_type_reaches_to_what_follows);
}

static void add_layers(TCase *tc)
{
	tcase_add_loop_test(tc, read_tensor_is_counted_where_its_name_says, 0, COUNT(places));
	tcase_add_test(tc, read_parts_add_up_in_the_layers);
	tcase_add_loop_test(tc, read_list_gives_each_layer_its_number, 0, 2);
	tcase_add_test(tc, read_lists_are_bounded);
	tcase_add_test(tc, read_scalar_is_no_list);
	tcase_add_test(tc, read_list_with_a_bad_number_is_corrupt);
	tcase_add_loop_test(tc, read_count_of_the_architecture_is_kept, 0, COUNT(counts));
	tcase_add_test(tc, read_size_label_and_license_are_kept);
	tcase_add_loop_test(tc, kind_follows_from_the_facts, 0, COUNT(kinds));
	tcase_add_loop_test(tc, quantisation_is_the_file_types_name, 0, COUNT(quantisations));
	tcase_add_test(tc, read_main_type_is_the_one_with_most_bytes);
}

static void add_files(TCase *tc)
{
	tcase_add_test(tc, read_file_cut_anywhere_is_truncated);
	tcase_add_test(tc, read_file_with_any_byte_changed_is_survived);
	tcase_add_test(tc, read_source_that_ends_early_is_truncated);
	tcase_add_test(tc, read_source_that_fails_is_an_io_error);
	tcase_add_test(tc, read_sample_model_gives_its_facts);
	tcase_add_test(tc, read_sample_model_cut_anywhere_is_truncated);
	tcase_add_test(tc, read_large_vocabulary_takes_little_memory);
	tcase_add_test(tc, read_large_model_touches_only_its_header);
	tcase_add_test(tc, read_survives_oom);
}

int main(void)
{
	Suite *suite = suite_create("gguf");
	TCase *tc = tcase_create("gguf");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, clear_layers, NULL);
	add_facts(tc);
	add_caps(tc);
	add_refusals(tc);
	add_layers(tc);
	add_files(tc);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
