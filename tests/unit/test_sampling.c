/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sampling.h"
#include "stop.h"

enum { VOCABULARY = 1000, TOKEN_LIST_MAX = 1 << 16, TEXT_MAX = 1 << 20 };

#define ALL_FIELDS INF_GEN_SET_KNOWN
#define NEAR 1e-6

static inf_gen_params gen_params(void)
{
	return (inf_gen_params){ .struct_size = sizeof(inf_gen_params) };
}

static inf_status check_with(const inf_gen_params *params, uint64_t fields, inf_error *err)
{
	inf_gen_params copy;
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_sampling_check(&copy, params, fields, INF_GEN_FLAG_KNOWN, VOCABULARY, err);
}

/* ---- the request itself ---------------------------------------------------------------------------------------- */
START_TEST(check_of_an_empty_request_passes_and_copies)
{
	inf_gen_params params = gen_params(), copy;
	inf_error err = { .struct_size = sizeof err, .code = 77 };
	params.user = &params;
	ck_assert_int_eq(gr_sampling_check(&copy, &params, 0, 0, 0, &err), INF_OK);
	ck_assert_ptr_eq(copy.user, &params);
	ck_assert_int_eq(err.code, 77);
}
END_TEST

START_TEST(check_of_a_missing_request_is_invalid)
{
	inf_error err;
	ck_assert_int_eq(check_with(NULL, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "gen_params");
}
END_TEST

static const struct {
	uint32_t size;
	inf_status status;
} size_cases[] = {
	{ 0, INF_E_INVALID }, { 4, INF_E_INVALID }, { inf_gen_params_V1_0 - 1, INF_E_INVALID },
	{ inf_gen_params_V1_0, INF_OK }, { INF_STRUCT_MAX, INF_OK }, { INF_STRUCT_MAX + 1, INF_E_INVALID },
	{ UINT32_MAX, INF_E_INVALID },
};

START_TEST(check_struct_size_decides)
{
	static union {
		inf_gen_params params;
		char bytes[INF_STRUCT_MAX + 1];
	} newer;
	inf_error err;
	newer.params.struct_size = size_cases[_i].size;
	ck_assert_int_eq(check_with(&newer.params, ALL_FIELDS, &err), size_cases[_i].status);
}
END_TEST

START_TEST(check_non_zero_field_of_a_later_minor_is_unsupported)
{
	static union {
		inf_gen_params params;
		char bytes[sizeof(inf_gen_params) + 8];
	} newer;
	inf_error err;
	newer.params.struct_size = sizeof newer;
	newer.bytes[sizeof newer.bytes - 1] = 1;
	ck_assert_int_eq(check_with(&newer.params, ALL_FIELDS, &err), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(check_unknown_bits_are_unsupported)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.set = 1ull << 63;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_UNSUPPORTED);
	params.set = 0;
	params.flags = 1u << 31;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(check_flag_that_is_not_implemented_is_named)
{
	inf_gen_params params = gen_params(), copy;
	inf_error err = { .struct_size = sizeof err };
	params.flags = INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_NO_BOS;
	ck_assert_int_eq(gr_sampling_check(&copy, &params, ALL_FIELDS, INF_GEN_FLAG_NO_WAIT, 0, &err),
			 INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "gen_flag");
	ck_assert_ptr_nonnull(strstr(err.message, "0x20"));
}
END_TEST

START_TEST(check_reserved_field_must_be_zero)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.reserved0 = 1;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "reserved0"));
}
END_TEST

START_TEST(check_schema_and_grammar_exclude_each_other)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.json_schema = "{}";
	params.grammar = "root ::= \"a\"";
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "grammar"));
}
END_TEST

/* ---- each field ------------------------------------------------------------------------------------------------ */
static const int32_t some_ids[] = { 1, 2, 3 };
static const char *const some_strings[] = { "stop", "caf\xc3\xa9" };

static void give(inf_gen_params *p, uint64_t bit)
{
	switch (bit) {
	case INF_GEN_SET_TEMPERATURE: p->temperature = 0.5f; break;
	case INF_GEN_SET_TOP_K: p->top_k = 40; break;
	case INF_GEN_SET_TOP_P: p->top_p = 0.5f; break;
	case INF_GEN_SET_MIN_P: p->min_p = 0.5f; break;
	case INF_GEN_SET_SEED: p->seed = 42; break;
	case INF_GEN_SET_REPEAT_PENALTY: p->repeat_penalty = 1.5f; break;
	case INF_GEN_SET_FREQUENCY_PENALTY: p->frequency_penalty = 0.5f; break;
	case INF_GEN_SET_PRESENCE_PENALTY: p->presence_penalty = 0.5f; break;
	case INF_GEN_SET_THINKING: p->thinking = 1; break;
	case INF_GEN_SET_MAX_TOKENS: p->max_tokens = 8; break;
	case INF_GEN_SET_MIN_TOKENS: p->min_tokens = 8; break;
	case INF_GEN_SET_THINKING_BUDGET: p->thinking_budget = 8; break;
	case INF_GEN_SET_STOP_TOKENS: p->stop_tokens = some_ids; p->stop_token_count = 3; break;
	case INF_GEN_SET_SUPPRESS_TOKENS: p->suppress_tokens = some_ids; p->suppress_token_count = 3; break;
	case INF_GEN_SET_STOP_STRINGS: p->stop_strings = some_strings; p->stop_string_count = 2; break;
	case INF_GEN_SET_JSON_SCHEMA: p->json_schema = "{}"; break;
	case INF_GEN_SET_GRAMMAR: p->grammar = "root ::= \"a\""; break;
	default: ck_abort_msg("no such field");
	}
}

static const struct {
	uint64_t bit;
	const char *name;
} fields[] = {
	{ INF_GEN_SET_TEMPERATURE, "temperature" }, { INF_GEN_SET_TOP_K, "top_k" }, { INF_GEN_SET_TOP_P, "top_p" },
	{ INF_GEN_SET_MIN_P, "min_p" }, { INF_GEN_SET_SEED, "seed" }, { INF_GEN_SET_REPEAT_PENALTY, "repeat_penalty" },
	{ INF_GEN_SET_FREQUENCY_PENALTY, "frequency_penalty" }, { INF_GEN_SET_PRESENCE_PENALTY, "presence_penalty" },
	{ INF_GEN_SET_THINKING, "thinking" }, { INF_GEN_SET_MAX_TOKENS, "max_tokens" },
	{ INF_GEN_SET_MIN_TOKENS, "min_tokens" }, { INF_GEN_SET_THINKING_BUDGET, "thinking_budget" },
	{ INF_GEN_SET_STOP_TOKENS, "stop_tokens" }, { INF_GEN_SET_SUPPRESS_TOKENS, "suppress_tokens" },
	{ INF_GEN_SET_STOP_STRINGS, "stop_strings" }, { INF_GEN_SET_JSON_SCHEMA, "json_schema" },
	{ INF_GEN_SET_GRAMMAR, "grammar" },
};

enum { GROUP_1 = 9, FIELDS = sizeof fields / sizeof fields[0] };

START_TEST(check_field_with_its_bit_passes)
{
	inf_gen_params params = gen_params();
	inf_error err;
	give(&params, fields[_i].bit);
	params.set = fields[_i].bit;
	ck_assert_int_eq(check_with(&params, fields[_i].bit, &err), INF_OK);
}
END_TEST

START_TEST(check_field_not_implemented_is_unsupported_by_name)
{
	inf_gen_params params = gen_params();
	inf_error err;
	give(&params, fields[_i].bit);
	params.set = fields[_i].bit;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS & ~fields[_i].bit, &err), INF_E_UNSUPPORTED);
	ck_assert_int_eq(err.code, INF_E_UNSUPPORTED);
	ck_assert_ptr_eq(strstr(err.message, fields[_i].name), err.message);
}
END_TEST

START_TEST(check_zero_field_with_its_bit_counts_as_given)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.set = fields[_i].bit;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS & ~fields[_i].bit, &err), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(check_value_without_its_bit_is_invalid_by_name)
{
	inf_gen_params params = gen_params();
	inf_error err;
	give(&params, fields[_i].bit);
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "gen_bit");
	ck_assert_ptr_eq(strstr(err.message, fields[_i].name), err.message);
}
END_TEST

START_TEST(check_value_of_group_2_needs_no_bit)
{
	inf_gen_params params = gen_params();
	inf_error err;
	give(&params, fields[_i].bit);
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_OK);
}
END_TEST

/* ---- ranges ---------------------------------------------------------------------------------------------------- */
static const struct {
	uint64_t bit;
	size_t offset;
	const char *name;
	float low, high;
} ranges[] = {
	{ INF_GEN_SET_TEMPERATURE, offsetof(inf_gen_params, temperature), "temperature", 0, 1000 },
	{ INF_GEN_SET_TOP_P, offsetof(inf_gen_params, top_p), "top_p", 0, 1 },
	{ INF_GEN_SET_MIN_P, offsetof(inf_gen_params, min_p), "min_p", 0, 1 },
	{ INF_GEN_SET_REPEAT_PENALTY, offsetof(inf_gen_params, repeat_penalty), "repeat_penalty", 1e-3f, 1000 },
	{ INF_GEN_SET_FREQUENCY_PENALTY, offsetof(inf_gen_params, frequency_penalty), "frequency_penalty", -2, 2 },
	{ INF_GEN_SET_PRESENCE_PENALTY, offsetof(inf_gen_params, presence_penalty), "presence_penalty", -2, 2 },
};

static inf_status check_float(int row, float value, inf_error *err)
{
	inf_gen_params params = gen_params();
	params.set = ranges[row].bit;
	memcpy((char *)&params + ranges[row].offset, &value, sizeof value);
	return check_with(&params, ALL_FIELDS, err);
}

START_TEST(check_number_inside_its_range_passes)
{
	inf_error err;
	ck_assert_int_eq(check_float(_i, ranges[_i].low, &err), INF_OK);
	ck_assert_int_eq(check_float(_i, ranges[_i].high, &err), INF_OK);
	ck_assert_int_eq(check_float(_i, (ranges[_i].low + ranges[_i].high) / 2 + 0.001f, &err), INF_OK);
}
END_TEST

START_TEST(check_number_outside_its_range_is_invalid_by_name)
{
	const float outside[] = {
		nextafterf(ranges[_i].low, -INFINITY), nextafterf(ranges[_i].high, INFINITY), -1e30f, 1e30f, INFINITY,
		-INFINITY, NAN, -NAN,
	};
	inf_error err;
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		ck_assert_int_eq(check_float(_i, outside[i], &err), INF_E_INVALID);
		ck_assert_ptr_eq(strstr(err.message, ranges[_i].name), err.message);
	}
}
END_TEST

START_TEST(check_nan_without_its_bit_is_invalid)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.top_p = NAN;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "top_p"));
}
END_TEST

START_TEST(check_negative_counts_are_invalid_by_name)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.max_tokens = -1;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "max_tokens"));
	params = gen_params();
	params.top_k = INT32_MIN;
	params.set = INF_GEN_SET_TOP_K;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "top_k"));
}
END_TEST

static const struct {
	int32_t least, most;
	const char *schema, *grammar;
	uint32_t flags;
	inf_status status;
	int32_t translated;
} min_cases[] = {
	{ 1, 0, NULL, NULL, 0, INF_OK, 1 }, { INT32_MAX, 0, NULL, NULL, 0, INF_OK, INT32_MAX },
	{ 8, 8, NULL, NULL, 0, INF_OK, 8 },
	{ 8, 7, NULL, NULL, 0, INF_E_INVALID, 0 }, { -1, 0, NULL, NULL, 0, INF_E_INVALID, 0 },
	{ 1, 0, "{}", NULL, 0, INF_E_UNSUPPORTED, 0 }, { 1, 0, NULL, "root ::= \"a\"", 0, INF_E_UNSUPPORTED, 0 },
	{ 0, 0, "{}", NULL, 0, INF_OK, 0 },
	/* the end is never sampled anyway */
	{ 8, 0, NULL, NULL, INF_GEN_FLAG_IGNORE_EOS, INF_OK, 0 },
};

START_TEST(check_min_tokens_goes_with_the_rest_or_is_refused_by_name)
{
	inf_gen_params params = gen_params(), out;
	inf_error err = { .struct_size = sizeof err };
	struct gr_wire_completion completion;
	const struct gr_gguf_sampling none = { 0 };
	params.flags = min_cases[_i].flags;
	params.min_tokens = min_cases[_i].least;
	params.max_tokens = min_cases[_i].most;
	params.json_schema = min_cases[_i].schema;
	params.grammar = min_cases[_i].grammar;
	inf_status st = gr_sampling_check(&out, &params, ALL_FIELDS, INF_GEN_FLAG_KNOWN, VOCABULARY, &err);
	ck_assert_int_eq(st, min_cases[_i].status);
	if (min_cases[_i].status != INF_OK) {
		ck_assert_ptr_eq(strstr(err.message, "min_tokens"), err.message);
		return;
	}
	gr_sampling_translate(&completion, &out, &none, 1);
	ck_assert_int_eq(completion.min_tokens, min_cases[_i].translated);
}
END_TEST

static const struct {
	const char *text;
	uint32_t vocabulary;
	inf_status status;
	const char *says;
} bias_cases[] = {
	{ NULL, VOCABULARY, INF_OK, NULL }, { "0:1,1:false", VOCABULARY, INF_OK, NULL },
	{ "0:1,99999999:1", VOCABULARY, INF_E_INVALID, "99999999" }, { "-1:1", VOCABULARY, INF_E_INVALID, "-1" },
	{ "99999999:1", 0, INF_OK, NULL }, { "0:1,one:1,2:2", VOCABULARY, INF_E_INVALID, "\"one:1,2:2\"" },
	{ "0:1,", VOCABULARY, INF_E_INVALID, "logit_bias: \"\"" },
};

START_TEST(check_bias_names_the_entry)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_sampling_check_bias(bias_cases[_i].text, bias_cases[_i].vocabulary, &err);
	ck_assert_int_eq(st, bias_cases[_i].status);
	if (st == INF_OK)
		return;
	ck_assert_ptr_nonnull(strstr(err.message, "logit_bias"));
	ck_assert_ptr_nonnull(strstr(err.message, bias_cases[_i].says));
}
END_TEST

/* ---- lists and texts ------------------------------------------------------------------------------------------- */
static const struct {
	int32_t id;
	uint32_t vocabulary;
	inf_status status;
} id_cases[] = {
	{ 0, VOCABULARY, INF_OK }, { VOCABULARY - 1, VOCABULARY, INF_OK }, { VOCABULARY, VOCABULARY, INF_E_INVALID },
	{ -1, VOCABULARY, INF_E_INVALID }, { INT32_MIN, VOCABULARY, INF_E_INVALID }, { INT32_MAX, 0, INF_OK },
	{ -1, 0, INF_E_INVALID },
};

START_TEST(check_token_ids_are_in_the_vocabulary)
{
	const int32_t ids[] = { 0, id_cases[_i].id };
	inf_gen_params stop = gen_params(), suppress = gen_params(), copy;
	inf_error err = { .struct_size = sizeof err };
	stop.stop_tokens = suppress.suppress_tokens = ids;
	stop.stop_token_count = suppress.suppress_token_count = 2;
	ck_assert_int_eq(gr_sampling_check(&copy, &stop, ALL_FIELDS, 0, id_cases[_i].vocabulary, &err),
			 id_cases[_i].status);
	ck_assert(id_cases[_i].status == INF_OK || strstr(err.message, "stop_tokens"));
	ck_assert_int_eq(gr_sampling_check(&copy, &suppress, ALL_FIELDS, 0, id_cases[_i].vocabulary, &err),
			 id_cases[_i].status);
	ck_assert(id_cases[_i].status == INF_OK || strstr(err.message, "suppress_tokens"));
}
END_TEST

START_TEST(check_token_list_at_the_cap_fits)
{
	static int32_t ids[TOKEN_LIST_MAX + 1];
	inf_gen_params params = gen_params();
	inf_error err;
	params.suppress_tokens = ids;
	params.suppress_token_count = TOKEN_LIST_MAX;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_OK);
	params.suppress_token_count++;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	params.suppress_token_count = SIZE_MAX;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
}
END_TEST

START_TEST(check_null_lists_are_invalid)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.stop_token_count = 1;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	params = gen_params();
	params.stop_string_count = 1;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	params.stop_strings = (const char *const[]){ NULL };
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
}
END_TEST

START_TEST(check_stop_strings_at_the_cap_fit)
{
	const char *strings[GR_STOP_COUNT_MAX + 1];
	inf_gen_params params = gen_params();
	inf_error err;
	for (int i = 0; i <= GR_STOP_COUNT_MAX; i++)
		strings[i] = "x";
	params.stop_strings = strings;
	params.stop_string_count = GR_STOP_COUNT_MAX;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_OK);
	params.stop_string_count++;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "stop_strings"));
}
END_TEST

START_TEST(check_empty_texts_are_invalid_by_name)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.grammar = "";
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_eq(strstr(err.message, "grammar"), err.message);
	params = gen_params();
	params.json_schema = "";
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_eq(strstr(err.message, "json_schema"), err.message);
	params = gen_params();
	params.stop_strings = (const char *const[]){ "ok", "" };
	params.stop_string_count = 2;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "stop string"));
}
END_TEST

START_TEST(check_texts_must_be_utf8)
{
	inf_gen_params params = gen_params();
	inf_error err;
	params.grammar = "root ::= \"\xff\"";
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "utf8");
	params = gen_params();
	params.json_schema = "{\"a\":\"\xc3\"}";
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	params = gen_params();
	params.stop_strings = (const char *const[]){ "ok", "\xed\xa0\x80" };
	params.stop_string_count = 2;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "utf8");
}
END_TEST

START_TEST(check_text_at_the_cap_fits)
{
	char *text = malloc(TEXT_MAX + 2);
	inf_gen_params params = gen_params();
	inf_error err;
	memset(text, ' ', TEXT_MAX + 1);
	text[TEXT_MAX] = '\0';
	params.grammar = text;
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_OK);
	text[TEXT_MAX] = ' ';
	text[TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(check_with(&params, ALL_FIELDS, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "grammar"));
	free(text);
}
END_TEST

/* ---- translation ----------------------------------------------------------------------------------------------- */
static const struct gr_gguf_sampling silent;
static const struct gr_gguf_sampling talkative = {
	.set = GR_GGUF_SET_TEMPERATURE | GR_GGUF_SET_TOP_K | GR_GGUF_SET_TOP_P | GR_GGUF_SET_MIN_P |
	       GR_GGUF_SET_REPEAT_PENALTY,
	.temperature = 0.6f, .top_k = 20, .top_p = 0.95f, .min_p = 0.05f, .repeat_penalty = 1.1f,
};

static struct gr_wire_completion translate(const inf_gen_params *params, const struct gr_gguf_sampling *declared)
{
	struct gr_wire_completion out;
	gr_sampling_translate(&out, params, declared, 4711);
	return out;
}

START_TEST(translate_of_nothing_gives_the_contract_defaults)
{
	inf_gen_params params = gen_params();
	struct gr_wire_completion out = translate(&params, &silent);
	ck_assert_int_eq(out.max_tokens, -1);
	ck_assert_uint_eq(out.seed, 4711);
	ck_assert_float_eq(out.temperature, 0);
	ck_assert_int_eq(out.top_k, 0);
	ck_assert_float_eq(out.top_p, 1);
	ck_assert_float_eq(out.min_p, 0);
	ck_assert_float_eq(out.repeat_penalty, 1);
	ck_assert_float_eq(out.frequency_penalty, 0);
	ck_assert_float_eq(out.presence_penalty, 0);
	ck_assert(!out.ignore_eos && out.cache_prompt && !out.logprobs);
	ck_assert_ptr_null(out.json_schema);
	ck_assert_ptr_null(out.grammar);
	ck_assert_uint_eq(out.suppress_token_count, 0);
	ck_assert_uint_eq(out.prompt_count, 0);
}
END_TEST

START_TEST(translate_takes_what_the_file_declares)
{
	inf_gen_params params = gen_params();
	struct gr_wire_completion out = translate(&params, &talkative);
	ck_assert_float_eq(out.temperature, 0.6f);
	ck_assert_int_eq(out.top_k, 20);
	ck_assert_float_eq(out.top_p, 0.95f);
	ck_assert_float_eq(out.min_p, 0.05f);
	ck_assert_float_eq(out.repeat_penalty, 1.1f);
}
END_TEST

START_TEST(translate_given_zero_beats_the_file)
{
	inf_gen_params params = gen_params();
	params.set = INF_GEN_SET_TEMPERATURE | INF_GEN_SET_TOP_K | INF_GEN_SET_TOP_P | INF_GEN_SET_MIN_P;
	struct gr_wire_completion out = translate(&params, &talkative);
	ck_assert_float_eq(out.temperature, 0);
	ck_assert_int_eq(out.top_k, 0);
	ck_assert_float_eq(out.top_p, 1);
	ck_assert_float_eq(out.min_p, 0);
}
END_TEST

START_TEST(translate_given_values_pass_through)
{
	inf_gen_params params = gen_params();
	for (size_t i = 0; i < FIELDS; i++) {
		give(&params, fields[i].bit);
		params.set |= fields[i].bit;
	}
	params.flags = INF_GEN_FLAG_IGNORE_EOS | INF_GEN_FLAG_NO_PROMPT_CACHE | INF_GEN_FLAG_LOGPROBS;
	struct gr_wire_completion out = translate(&params, &talkative);
	ck_assert_int_eq(out.max_tokens, 8);
	ck_assert_uint_eq(out.seed, 42);
	ck_assert_float_eq(out.temperature, 0.5f);
	ck_assert_int_eq(out.top_k, 40);
	ck_assert_float_eq(out.top_p, 0.5f);
	ck_assert_float_eq(out.min_p, 0.5f);
	ck_assert_float_eq(out.repeat_penalty, 1.5f);
	ck_assert_float_eq(out.frequency_penalty, 0.5f);
	ck_assert_float_eq(out.presence_penalty, 0.5f);
	ck_assert_ptr_eq(out.suppress_tokens, some_ids);
	ck_assert_uint_eq(out.suppress_token_count, 3);
	ck_assert_str_eq(out.json_schema, "{}");
	ck_assert_str_eq(out.grammar, "root ::= \"a\"");
	ck_assert(out.ignore_eos && !out.cache_prompt && out.logprobs);
}
END_TEST

static const uint64_t alone[] = {
	INF_GEN_SET_TEMPERATURE, INF_GEN_SET_TOP_K, INF_GEN_SET_TOP_P, INF_GEN_SET_MIN_P, INF_GEN_SET_REPEAT_PENALTY,
};

START_TEST(translate_one_given_value_leaves_the_declared_others)
{
	inf_gen_params params = gen_params();
	give(&params, alone[_i]);
	params.set = alone[_i];
	struct gr_wire_completion out = translate(&params, &talkative);
	ck_assert_float_eq(out.temperature, alone[_i] == INF_GEN_SET_TEMPERATURE ? 0.5f : 0.6f);
	ck_assert_int_eq(out.top_k, alone[_i] == INF_GEN_SET_TOP_K ? 40 : 20);
	ck_assert_float_eq(out.top_p, alone[_i] == INF_GEN_SET_TOP_P ? 0.5f : 0.95f);
	ck_assert_float_eq(out.min_p, alone[_i] == INF_GEN_SET_MIN_P ? 0.5f : 0.05f);
	ck_assert_float_eq(out.repeat_penalty, alone[_i] == INF_GEN_SET_REPEAT_PENALTY ? 1.5f : 1.1f);
}
END_TEST

/* What a file declares was never checked, and the server refuses some of it. */
static const struct gr_gguf_sampling nonsense[] = {
	{ .set = GR_GGUF_SET_REPEAT_PENALTY, .repeat_penalty = 0 },
	{ .set = GR_GGUF_SET_REPEAT_PENALTY, .repeat_penalty = -1 },
	{ .set = GR_GGUF_SET_TEMPERATURE, .temperature = -1 },
	{ .set = GR_GGUF_SET_TOP_K, .top_k = -40 },
	{ .set = GR_GGUF_SET_TOP_P, .top_p = -0.5f },
	{ .set = GR_GGUF_SET_TOP_P, .top_p = 40 },
	{ .set = GR_GGUF_SET_MIN_P, .min_p = -1 },
	{ .set = GR_GGUF_SET_MIN_P, .min_p = 2 },
};

START_TEST(translate_declared_value_out_of_range_gives_the_default)
{
	inf_gen_params params = gen_params();
	struct gr_wire_completion out = translate(&params, &nonsense[_i]), expected = translate(&params, &silent);
	ck_assert_float_eq(out.repeat_penalty, expected.repeat_penalty);
	ck_assert_float_eq(out.temperature, expected.temperature);
	ck_assert_int_eq(out.top_k, expected.top_k);
	ck_assert_float_eq(out.top_p, expected.top_p);
	ck_assert_float_eq(out.min_p, expected.min_p);
}
END_TEST

static const struct {
	uint64_t given;
	uint32_t sent;
} seed_cases[] = {
	{ 0, 0 }, { 1, 1 }, { 0x123456789abcdef0ull, 0x9abcdef0u }, { 0xfffffffeu, 0xfffffffeu },
	{ 0xffffffffu, 0xfffffffeu }, { UINT64_MAX, 0xfffffffeu },
};

START_TEST(translate_seed_is_never_the_random_one)
{
	inf_gen_params params = gen_params();
	struct gr_wire_completion out;
	params.set = INF_GEN_SET_SEED;
	params.seed = seed_cases[_i].given;
	ck_assert_uint_eq(translate(&params, &silent).seed, seed_cases[_i].sent);
	params.set = 0;
	gr_sampling_translate(&out, &params, &silent, UINT32_MAX);
	ck_assert_uint_ne(out.seed, UINT32_MAX);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("sampling");
	TCase *tc = tcase_create("request");
	tcase_add_test(tc, check_of_an_empty_request_passes_and_copies);
	tcase_add_test(tc, check_of_a_missing_request_is_invalid);
	tcase_add_loop_test(tc, check_struct_size_decides, 0, ROWS(size_cases));
	tcase_add_test(tc, check_non_zero_field_of_a_later_minor_is_unsupported);
	tcase_add_test(tc, check_unknown_bits_are_unsupported);
	tcase_add_test(tc, check_flag_that_is_not_implemented_is_named);
	tcase_add_test(tc, check_reserved_field_must_be_zero);
	tcase_add_test(tc, check_schema_and_grammar_exclude_each_other);
	suite_add_tcase(suite, tc);
	tc = tcase_create("fields");
	tcase_add_loop_test(tc, check_field_with_its_bit_passes, 0, FIELDS);
	tcase_add_loop_test(tc, check_field_not_implemented_is_unsupported_by_name, 0, FIELDS);
	tcase_add_loop_test(tc, check_zero_field_with_its_bit_counts_as_given, 0, FIELDS);
	tcase_add_loop_test(tc, check_value_without_its_bit_is_invalid_by_name, 0, GROUP_1);
	tcase_add_loop_test(tc, check_value_of_group_2_needs_no_bit, GROUP_1, FIELDS);
	tcase_add_loop_test(tc, check_number_inside_its_range_passes, 0, ROWS(ranges));
	tcase_add_loop_test(tc, check_number_outside_its_range_is_invalid_by_name, 0, ROWS(ranges));
	tcase_add_test(tc, check_nan_without_its_bit_is_invalid);
	tcase_add_test(tc, check_negative_counts_are_invalid_by_name);
	tcase_add_loop_test(tc, check_min_tokens_goes_with_the_rest_or_is_refused_by_name, 0,
			    (int)(sizeof min_cases / sizeof min_cases[0]));
	tcase_add_loop_test(tc, check_bias_names_the_entry, 0, (int)(sizeof bias_cases / sizeof bias_cases[0]));
	tcase_add_loop_test(tc, check_token_ids_are_in_the_vocabulary, 0, ROWS(id_cases));
	tcase_add_test(tc, check_token_list_at_the_cap_fits);
	tcase_add_test(tc, check_null_lists_are_invalid);
	tcase_add_test(tc, check_stop_strings_at_the_cap_fit);
	tcase_add_test(tc, check_empty_texts_are_invalid_by_name);
	tcase_add_test(tc, check_texts_must_be_utf8);
	tcase_add_test(tc, check_text_at_the_cap_fits);
	suite_add_tcase(suite, tc);
	tc = tcase_create("translation");
	tcase_add_test(tc, translate_of_nothing_gives_the_contract_defaults);
	tcase_add_test(tc, translate_takes_what_the_file_declares);
	tcase_add_test(tc, translate_given_zero_beats_the_file);
	tcase_add_test(tc, translate_given_values_pass_through);
	tcase_add_loop_test(tc, translate_one_given_value_leaves_the_declared_others, 0, ROWS(alone));
	tcase_add_loop_test(tc, translate_declared_value_out_of_range_gives_the_default, 0, ROWS(nonsense));
	tcase_add_loop_test(tc, translate_seed_is_never_the_random_one, 0, ROWS(seed_cases));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
