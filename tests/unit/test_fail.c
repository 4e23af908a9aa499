/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "utf8.h"

enum { UNTOUCHED = 0xa5, MESSAGE = sizeof ((inf_error *)0)->message };

static inf_error fresh(uint32_t struct_size)
{
	inf_error err;
	memset(&err, UNTOUCHED, sizeof err);
	err.struct_size = struct_size;
	return err;
}

/* ---- inf_fail -------------------------------------------------------------------------------------------------- */
START_TEST(fail_fills_every_field)
{
	inf_error err = fresh(sizeof err);
	ck_assert_int_eq(inf_fail(&err, INF_E_IO, "disk", "%s: %d bytes", "file", 7), INF_E_IO);
	ck_assert_int_eq(err.code, INF_E_IO);
	ck_assert_int_eq(err.os_errno, 0);
	ck_assert_uint_eq(err.flags, 0);
	ck_assert_str_eq(err.reason, "disk");
	ck_assert_str_eq(err.message, "file: 7 bytes");
	ck_assert_uint_eq(err.struct_size, sizeof err);
}
END_TEST

START_TEST(fail_without_an_error_returns_the_status)
{
	ck_assert_int_eq(inf_fail(NULL, INF_E_BUSY, "x", "y"), INF_E_BUSY);
	ck_assert_int_eq(gr_fail_errno(NULL, INF_E_IO, ENOENT, "x", "y"), INF_E_IO);
	gr_fail_flags(NULL, INF_ERR_FLAG_RETRYABLE);
}
END_TEST

START_TEST(fail_without_a_reason_has_an_empty_one)
{
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_IO, NULL, "text");
	ck_assert_str_eq(err.reason, "");
}
END_TEST

START_TEST(fail_reason_longer_than_its_field_is_cut)
{
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_IO, "0123456789012345678901234567890123456789", "text");
	ck_assert_str_eq(err.reason, "0123456789012345678901234567890");
}
END_TEST

START_TEST(fail_message_is_one_line)
{
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_IO, "x", "a\nb\tc\r\x1b[0md\x01");
	ck_assert_str_eq(err.message, "a b c  [0md ");
}
END_TEST

/* Each width of a code point, at every offset against the end of the field. */
static const char *const points[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

START_TEST(fail_long_message_is_cut_at_a_code_point)
{
	size_t width = strlen(points[_i]);
	for (size_t before = 0; before < 8; before++) {
		char text[2 * MESSAGE];
		size_t len = 0;
		while (len < before)
			text[len++] = '.';
		while (len + width < sizeof text) {
			memcpy(text + len, points[_i], width);
			len += width;
		}
		text[len] = '\0';
		inf_error err = fresh(sizeof err);
		inf_fail(&err, INF_E_IO, "x", "%s", text);
		size_t kept = strlen(err.message);
		ck_assert(gr_utf8_valid(err.message, kept));
		ck_assert_mem_eq(err.message, text, kept);
		ck_assert_uint_ge(kept + 2 * width, MESSAGE);
	}
}
END_TEST

START_TEST(fail_message_that_just_fits_is_whole)
{
	char text[MESSAGE];
	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 4, "\xe2\x82\xac", 4);
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_IO, "x", "%s", text);
	ck_assert_str_eq(err.message, text);
}
END_TEST

/* ---- inf_utf8_fix ---------------------------------------------------------------------------------------------- */
static const struct {
	const char *text, *fixed;
} fix_cases[] = {
	{ "", "" },
	{ "plain\x01\x7f", "plain\x01\x7f" },
	{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
	  "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	{ "\xff", "?" },
	{ "a\x80z", "a?z" },
	{ "\xc3", "?" },
	{ "\xc3z", "?z" },
	{ "\xe2\x82z", "??z" },
	{ "\xf0\x9f\x98", "???" },
	{ "\xc0\xaf", "??" },
	{ "\xe0\x80\xaf", "???" },
	{ "\xed\xa0\x80", "???" },
	{ "\xf4\x90\x80\x80", "????" },
	{ "\xf5\x80\x80\x80", "????" },
	{ "\xc3\xc3\xa9", "?\xc3\xa9" },
	{ "\xe2\xe2\x82\xac", "?\xe2\x82\xac" },
};

START_TEST(utf8_fix_replaces_only_what_is_wrong)
{
	char *text = strdup(fix_cases[_i].text);
	inf_utf8_fix(text);
	ck_assert_str_eq(text, fix_cases[_i].fixed);
	free(text);
}
END_TEST

/* Any two bytes after each kind of lead byte. */
START_TEST(utf8_fix_agrees_with_the_validator)
{
	static const unsigned char leads[] = { 'a', 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf1, 0xf4 };
	for (size_t lead = 0; lead < sizeof leads; lead++) {
		for (unsigned pair = 0; pair < 0x10000; pair++) {
			char fixed[5], text[] = { (char)leads[lead], (char)(pair >> 8), (char)pair, (char)0x80, 0 };
			size_t len = strlen(text);
			memcpy(fixed, text, sizeof text);
			inf_utf8_fix(fixed);
			if (!gr_utf8_valid(fixed, len) || (gr_utf8_valid(text, len) && strcmp(fixed, text) != 0))
				ck_abort_msg("%02x %04x", leads[lead], pair);
		}
	}
}
END_TEST

START_TEST(fail_message_is_utf8_whatever_it_quotes)
{
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_IO, "x", "/models/\xff\xe2\x82 caf\xc3\xa9");
	ck_assert_str_eq(err.message, "/models/??? caf\xc3\xa9");
	gr_fail_errno(&err, INF_E_IO, ENOENT, "x", "%s", "\xc3");
	ck_assert_str_eq(err.message, "?: No such file or directory");
}
END_TEST

/* ---- struct_size of an error ----------------------------------------------------------------------------------- */
static const uint32_t error_sizes[] = {
	0, 1, 4, 5, 8, 12, 16, 47, 48, 49, sizeof(inf_error) - 1, sizeof(inf_error), sizeof(inf_error) + 8, INF_STRUCT_MAX,
	INF_STRUCT_MAX + 1, UINT32_MAX,
};

/* How many bytes of the caller's struct may change. */
static size_t writable(uint32_t struct_size)
{
	return struct_size <= 4 || struct_size > INF_STRUCT_MAX ? 0 : struct_size;
}

static union {
	inf_error err;
	unsigned char bytes[INF_STRUCT_MAX + 64];
} any_age;

static void reset_any_age(uint32_t struct_size)
{
	memset(any_age.bytes, UNTOUCHED, sizeof any_age.bytes);
	any_age.err.struct_size = struct_size;
}

static void check_untouched_from(size_t first)
{
	for (size_t i = first < 4 ? 4 : first; i < sizeof any_age.bytes; i++)
		ck_assert_msg(any_age.bytes[i] == UNTOUCHED, "byte %zu changed", i);
}

START_TEST(fail_writes_only_what_the_caller_has)
{
	uint32_t size = error_sizes[_i];
	reset_any_age(size);
	ck_assert_int_eq(inf_fail(&any_age.err, INF_E_IO, "disk", "text"), INF_E_IO);
	ck_assert_uint_eq(any_age.err.struct_size, size);
	check_untouched_from(writable(size));
	if (writable(size) >= 8)
		ck_assert_int_eq(any_age.err.code, INF_E_IO);
	for (size_t i = sizeof(inf_error); i < writable(size); i++)
		ck_assert_uint_eq(any_age.bytes[i], 0);
}
END_TEST

START_TEST(fail_errno_and_flags_write_only_what_the_caller_has)
{
	uint32_t size = error_sizes[_i];
	reset_any_age(size);
	gr_fail_errno(&any_age.err, INF_E_IO, ENOENT, "disk", "text");
	gr_fail_flags(&any_age.err, INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_uint_eq(any_age.err.struct_size, size);
	check_untouched_from(writable(size));
	if (writable(size) >= 12)
		ck_assert_int_eq(any_age.err.os_errno, ENOENT);
	if (writable(size) >= 16)
		ck_assert_uint_eq(any_age.err.flags, INF_ERR_FLAG_MODEL_DEAD);
}
END_TEST

/* ---- gr_fail_errno --------------------------------------------------------------------------------------------- */
START_TEST(fail_errno_appends_the_text_and_keeps_the_number)
{
	inf_error err = fresh(sizeof err);
	ck_assert_int_eq(gr_fail_errno(&err, INF_E_NOT_FOUND, ENOENT, "missing", "%s", "/x"), INF_E_NOT_FOUND);
	ck_assert_int_eq(err.code, INF_E_NOT_FOUND);
	ck_assert_int_eq(err.os_errno, ENOENT);
	ck_assert_str_eq(err.reason, "missing");
	ck_assert_str_eq(err.message, "/x: No such file or directory");
}
END_TEST

START_TEST(fail_errno_of_an_unknown_number_says_so)
{
	inf_error err = fresh(sizeof err);
	gr_fail_errno(&err, INF_E_IO, 99999, "x", "text");
	ck_assert_str_eq(err.message, "text: unknown error");
	ck_assert_int_eq(err.os_errno, 99999);
}
END_TEST

START_TEST(fail_errno_text_is_not_a_format_again)
{
	inf_error err = fresh(sizeof err);
	gr_fail_errno(&err, INF_E_IO, EIO, "x", "%s", "100%s%n");
	ck_assert_ptr_eq(strstr(err.message, "100%s%n: "), err.message);
}
END_TEST

START_TEST(fail_errno_long_text_is_cut_at_a_code_point)
{
	char text[2 * MESSAGE];
	for (size_t i = 0; i + 3 < sizeof text; i += 3)
		strcpy(text + i, "\xe2\x82\xac");
	for (size_t skip = 0; skip < 4; skip++) {
		inf_error err = fresh(sizeof err);
		gr_fail_errno(&err, INF_E_IO, EIO, "x", "%.*s%s", (int)skip, "...", text);
		ck_assert(gr_utf8_valid(err.message, strlen(err.message)));
		ck_assert_uint_gt(strlen(err.message), MESSAGE - 8);
	}
}
END_TEST

START_TEST(fail_flags_are_added)
{
	inf_error err = fresh(sizeof err);
	inf_fail(&err, INF_E_BUSY, "x", "text");
	gr_fail_flags(&err, INF_ERR_FLAG_RETRYABLE);
	gr_fail_flags(&err, INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE | INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_int_eq(err.code, INF_E_BUSY);
}
END_TEST

/* ---- inf_write_struct ------------------------------------------------------------------------------------------ */
START_TEST(write_struct_to_null_is_harmless)
{
	inf_availability report = { .struct_size = sizeof report };
	inf_write_struct(NULL, &report, sizeof report);
}
END_TEST

START_TEST(write_struct_to_an_older_caller_is_cut)
{
	inf_model_info report = { .struct_size = sizeof report, .context_len = 7, .name = "model" };
	unsigned char old[64];
	memset(old, UNTOUCHED, sizeof old);
	uint32_t size = 24;
	memcpy(old, &size, sizeof size);
	inf_write_struct(old, &report, sizeof report);
	ck_assert_mem_eq(old + 4, (unsigned char *)&report + 4, size - 4);
	for (size_t i = size; i < sizeof old; i++)
		ck_assert_uint_eq(old[i], UNTOUCHED);
}
END_TEST

START_TEST(write_struct_to_a_newer_caller_zeroes_the_rest)
{
	inf_availability report = { .struct_size = sizeof report, .score = 50, .message = "fine" };
	struct {
		inf_availability known;
		unsigned char later[16];
	} newer;
	memset(&newer, UNTOUCHED, sizeof newer);
	newer.known.struct_size = sizeof newer;
	inf_write_struct(&newer, &report, sizeof report);
	ck_assert_uint_eq(newer.known.struct_size, sizeof newer);
	ck_assert_int_eq(newer.known.score, 50);
	ck_assert_str_eq(newer.known.message, "fine");
	for (size_t i = 0; i < sizeof newer.later; i++)
		ck_assert_uint_eq(newer.later[i], 0);
}
END_TEST

/* ---- inf_read_request ------------------------------------------------------------------------------------------ */
enum { KNOWN = sizeof(inf_load_params), MIN = inf_load_params_V1_0 };

static union {
	inf_load_params params;
	unsigned char bytes[INF_STRUCT_MAX + 64];
} request;

static inf_status read_request(inf_load_params *out)
{
	return inf_read_request(out, KNOWN, &request, MIN, INF_LOAD_FLAG_ALLOW_CPU, INF_LOAD_SET_GPU_LAYERS);
}

static void reset_request(uint32_t struct_size)
{
	memset(&request, 0, sizeof request);
	request.params.struct_size = struct_size;
	request.params.context_len = 77;
}

static const struct {
	uint32_t size;
	int tail;		/* value of the byte behind the fields we know */
	inf_status status;
} request_sizes[] = {
	{ 0, 0, INF_E_INVALID }, { 4, 0, INF_E_INVALID }, { MIN - 1, 0, INF_E_INVALID }, { MIN, 0, INF_OK },
	{ KNOWN, 0, INF_OK }, { KNOWN, 1, INF_OK }, { KNOWN + 8, 0, INF_OK }, { KNOWN + 8, 1, INF_E_UNSUPPORTED },
	{ INF_STRUCT_MAX, 0, INF_OK }, { INF_STRUCT_MAX, 1, INF_E_UNSUPPORTED }, { INF_STRUCT_MAX + 1, 0, INF_E_INVALID },
	{ UINT32_MAX, 0, INF_E_INVALID },
};

START_TEST(read_request_judges_struct_size_and_tail)
{
	inf_load_params out;
	reset_request(request_sizes[_i].size);
	request.bytes[KNOWN] = (unsigned char)request_sizes[_i].tail;
	ck_assert_int_eq(read_request(&out), request_sizes[_i].status);
	ck_assert_int_eq(out.context_len, request_sizes[_i].status == INF_OK ? 77 : 0);
}
END_TEST

START_TEST(read_request_finds_any_byte_of_the_tail)
{
	inf_load_params out;
	for (size_t at = KNOWN; at < KNOWN + 16; at++) {
		reset_request(KNOWN + 16);
		request.bytes[at] = 0x80;
		ck_assert_int_eq(read_request(&out), INF_E_UNSUPPORTED);
	}
	reset_request(KNOWN + 16);
	request.bytes[KNOWN + 16] = 0x80;
	ck_assert_int_eq(read_request(&out), INF_OK);
}
END_TEST

START_TEST(read_request_of_an_older_caller_zeroes_the_rest)
{
	struct {
		inf_message known;
		uint64_t later;
	} out;
	inf_message old = { .struct_size = sizeof old, .role = "user", .content_len = 3 };
	memset(&out, UNTOUCHED, sizeof out);
	ck_assert_int_eq(inf_read_request(&out, sizeof out, &old, inf_message_V1_0, 0, ~0ull), INF_OK);
	ck_assert_str_eq(out.known.role, "user");
	ck_assert_uint_eq(out.known.content_len, 3);
	ck_assert_uint_eq(out.later, 0);
}
END_TEST

START_TEST(read_request_of_null_is_invalid)
{
	inf_load_params out;
	memset(&out, UNTOUCHED, sizeof out);
	ck_assert_int_eq(inf_read_request(&out, sizeof out, NULL, MIN, 0, 0), INF_E_INVALID);
	ck_assert_ptr_null(out.path);
}
END_TEST

START_TEST(read_request_unknown_bit_is_unsupported)
{
	inf_load_params out;
	reset_request(KNOWN);
	for (int bit = 0; bit < 32; bit++) {
		request.params.flags = 1u << bit;
		ck_assert_int_eq(read_request(&out),
				 request.params.flags == INF_LOAD_FLAG_ALLOW_CPU ? INF_OK : INF_E_UNSUPPORTED);
	}
	request.params.flags = 0;
	for (int bit = 0; bit < 64; bit++) {
		request.params.set = 1ull << bit;
		ck_assert_int_eq(read_request(&out),
				 request.params.set == INF_LOAD_SET_GPU_LAYERS ? INF_OK : INF_E_UNSUPPORTED);
	}
}
END_TEST

/* ---- inf_gen_check --------------------------------------------------------------------------------------------- */
static const int32_t ids[] = { 1 };
static const char *const strings[] = { "x" };

static const struct {
	inf_gen_params params;
	uint64_t bit;
	int needs_bit;		/* group 1 */
} gen_cases[] = {
	{ { .temperature = 0.1f }, INF_GEN_SET_TEMPERATURE, 1 },
	{ { .temperature = NAN }, INF_GEN_SET_TEMPERATURE, 1 },
	{ { .top_k = -1 }, INF_GEN_SET_TOP_K, 1 },
	{ { .top_p = 1e-30f }, INF_GEN_SET_TOP_P, 1 },
	{ { .min_p = 1 }, INF_GEN_SET_MIN_P, 1 },
	{ { .seed = 1ull << 63 }, INF_GEN_SET_SEED, 1 },
	{ { .repeat_penalty = 1 }, INF_GEN_SET_REPEAT_PENALTY, 1 },
	{ { .frequency_penalty = -1 }, INF_GEN_SET_FREQUENCY_PENALTY, 1 },
	{ { .presence_penalty = 1 }, INF_GEN_SET_PRESENCE_PENALTY, 1 },
	{ { .thinking = 1 }, INF_GEN_SET_THINKING, 1 },
	{ { .max_tokens = 1 }, INF_GEN_SET_MAX_TOKENS, 0 },
	{ { .min_tokens = 1 }, INF_GEN_SET_MIN_TOKENS, 0 },
	{ { .thinking_budget = 1 }, INF_GEN_SET_THINKING_BUDGET, 0 },
	{ { .stop_tokens = ids, .stop_token_count = 1 }, INF_GEN_SET_STOP_TOKENS, 0 },
	{ { .suppress_tokens = ids, .suppress_token_count = 1 }, INF_GEN_SET_SUPPRESS_TOKENS, 0 },
	{ { .stop_strings = strings, .stop_string_count = 1 }, INF_GEN_SET_STOP_STRINGS, 0 },
	{ { .json_schema = "{}" }, INF_GEN_SET_JSON_SCHEMA, 0 },
	{ { .grammar = "" }, INF_GEN_SET_GRAMMAR, 0 },
};

START_TEST(gen_check_field_without_its_bit)
{
	inf_gen_params params = gen_cases[_i].params;
	uint64_t bad = 0;
	ck_assert_int_eq(inf_gen_check(&params, INF_GEN_SET_KNOWN, &bad), gen_cases[_i].needs_bit ? INF_E_INVALID : INF_OK);
	ck_assert_uint_eq(bad, gen_cases[_i].needs_bit ? gen_cases[_i].bit : 0);
}
END_TEST

START_TEST(gen_check_field_with_its_bit)
{
	inf_gen_params params = gen_cases[_i].params;
	uint64_t bad = 0;
	params.set = gen_cases[_i].bit;
	ck_assert_int_eq(inf_gen_check(&params, gen_cases[_i].bit, &bad), INF_OK);
	ck_assert_uint_eq(bad, 0);
	ck_assert_int_eq(inf_gen_check(&params, INF_GEN_SET_KNOWN & ~gen_cases[_i].bit, &bad), INF_E_UNSUPPORTED);
	ck_assert_uint_eq(bad, gen_cases[_i].bit);
	ck_assert_int_eq(inf_gen_check(&params, 0, NULL), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(gen_check_of_zero_passes_and_negative_zero_is_zero)
{
	inf_gen_params params = { .temperature = -0.0f, .frequency_penalty = -0.0f };
	uint64_t bad = 7;
	ck_assert_int_eq(inf_gen_check(&params, 0, &bad), INF_OK);
	ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(gen_check_contradictions_are_invalid)
{
	const inf_gen_params reserved = { .reserved0 = 1 }, both = { .json_schema = "{}", .grammar = "x" };
	ck_assert_int_eq(inf_gen_check(&reserved, INF_GEN_SET_KNOWN, NULL), INF_E_INVALID);
	ck_assert_int_eq(inf_gen_check(&both, INF_GEN_SET_KNOWN, NULL), INF_E_INVALID);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("fail");
	TCase *tc = tcase_create("errors");
	tcase_add_test(tc, fail_fills_every_field);
	tcase_add_test(tc, fail_without_an_error_returns_the_status);
	tcase_add_test(tc, fail_without_a_reason_has_an_empty_one);
	tcase_add_test(tc, fail_reason_longer_than_its_field_is_cut);
	tcase_add_test(tc, fail_message_is_one_line);
	tcase_add_loop_test(tc, fail_long_message_is_cut_at_a_code_point, 0, ROWS(points));
	tcase_add_test(tc, fail_message_that_just_fits_is_whole);
	tcase_add_loop_test(tc, utf8_fix_replaces_only_what_is_wrong, 0, ROWS(fix_cases));
	tcase_add_test(tc, utf8_fix_agrees_with_the_validator);
	tcase_add_test(tc, fail_message_is_utf8_whatever_it_quotes);
	tcase_add_loop_test(tc, fail_writes_only_what_the_caller_has, 0, ROWS(error_sizes));
	tcase_add_loop_test(tc, fail_errno_and_flags_write_only_what_the_caller_has, 0, ROWS(error_sizes));
	tcase_add_test(tc, fail_errno_appends_the_text_and_keeps_the_number);
	tcase_add_test(tc, fail_errno_of_an_unknown_number_says_so);
	tcase_add_test(tc, fail_errno_text_is_not_a_format_again);
	tcase_add_test(tc, fail_errno_long_text_is_cut_at_a_code_point);
	tcase_add_test(tc, fail_flags_are_added);
	suite_add_tcase(suite, tc);
	tc = tcase_create("structs");
	tcase_add_test(tc, write_struct_to_null_is_harmless);
	tcase_add_test(tc, write_struct_to_an_older_caller_is_cut);
	tcase_add_test(tc, write_struct_to_a_newer_caller_zeroes_the_rest);
	tcase_add_loop_test(tc, read_request_judges_struct_size_and_tail, 0, ROWS(request_sizes));
	tcase_add_test(tc, read_request_finds_any_byte_of_the_tail);
	tcase_add_test(tc, read_request_of_an_older_caller_zeroes_the_rest);
	tcase_add_test(tc, read_request_of_null_is_invalid);
	tcase_add_test(tc, read_request_unknown_bit_is_unsupported);
	tcase_add_loop_test(tc, gen_check_field_without_its_bit, 0, ROWS(gen_cases));
	tcase_add_loop_test(tc, gen_check_field_with_its_bit, 0, ROWS(gen_cases));
	tcase_add_test(tc, gen_check_of_zero_passes_and_negative_zero_is_zero);
	tcase_add_test(tc, gen_check_contradictions_are_invalid);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
