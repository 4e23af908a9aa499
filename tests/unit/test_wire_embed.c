/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "wire_embed.h"

enum { BODY_MAX = 16 << 20, DIMENSION = 2, COUNT = 2 };

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
/* As base64 of little-endian floats: 1, 2 and 3, -0.5; and what is no number, or infinite, beside 1. */
#define ONE_TWO "AACAPwAAAEA="
#define THREE_HALF "AABAQAAAAL8="
#define ONE_NAN "AACAPwAAwH8="
#define ONE_INFINITE "AACAPwAAgH8="
#define ITEM(index, vector) "{\"index\":" #index ",\"embedding\":\"" vector "\"}"
#define BODY(items) "{\"data\":[" items "]}"

/* ---- json-c out of memory -------------------------------------------------------------------------------------- */
static long json_countdown = -1;
static bool json_fired;

static bool json_fails(void)
{
	if (json_countdown < 0 || json_countdown-- != 0)
		return false;
	json_fired = true;
	return true;
}

#define WRAP(type, name, on_failure, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params { return json_fails() ? (on_failure) : __real_##name args; }

WRAP(struct json_object *, json_object_new_object, NULL, (void), ())
WRAP(struct json_object *, json_object_new_array, NULL, (void), ())
WRAP(struct json_object *, json_object_new_string_len, NULL, (const char *s, int len), (s, len))
WRAP(int, json_object_object_add, -1, (struct json_object *o, const char *key, struct json_object *v), (o, key, v))
WRAP(int, json_object_array_add, -1, (struct json_object *o, struct json_object *v), (o, v))
WRAP(const char *, json_object_to_json_string_length, NULL, (struct json_object *o, int flags, size_t *len),
     (o, flags, len))
WRAP(struct json_tokener *, json_tokener_new_ex, NULL, (int depth), (depth))

/* ---- requests --------------------------------------------------------------------------------------------------- */
static const int32_t some_ids[] = { 2, 40, 3 };
static const struct gr_wire_ids lists[] = { { some_ids, 3 }, { some_ids, 1 } };

START_TEST(encode_of_texts_asks_for_raw_vectors_in_base64)
{
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_embeddings(&body, lists, 2), INF_OK);
	ck_assert_str_eq(gr_buf_text(&body), "{\"encoding_format\":\"base64\",\"embd_normalize\":-1,\"input\":[[2,40,3],[2]]}");
	gr_buf_release(&body);
}
END_TEST

START_TEST(encode_of_a_document_escapes_it)
{
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	const inf_text query = { "a\"b", 3 }, document = { "c\0\n", 3 }, nothing = { NULL, 0 };
	ck_assert_int_eq(gr_wire_encode_rank(&body, &query, &document), INF_OK);
	ck_assert_str_eq(gr_buf_text(&body), "{\"query\":\"a\\\"b\",\"documents\":[\"c\\u0000\\n\"]}");
	gr_buf_reset(&body);
	ck_assert_int_eq(gr_wire_encode_rank(&body, &nothing, &nothing), INF_OK);
	ck_assert_str_eq(gr_buf_text(&body), "{\"query\":\"\",\"documents\":[\"\"]}");
	gr_buf_release(&body);
}
END_TEST

START_TEST(encode_past_the_cap_fails)
{
	struct gr_buf body = GR_BUF_INIT(64);
	ck_assert_int_eq(gr_wire_encode_embeddings(&body, lists, 2), INF_E_INTERNAL);
	gr_buf_release(&body);
}
END_TEST

/* ---- vectors ---------------------------------------------------------------------------------------------------- */
static inf_status decode(const char *body, float *vectors, inf_error *err)
{
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_wire_decode_embeddings(body, strlen(body), COUNT, DIMENSION, vectors, err);
}

static const char *const good_bodies[] = {
	BODY(ITEM(0, ONE_TWO) "," ITEM(1, THREE_HALF)),
	BODY(ITEM(1, THREE_HALF) "," ITEM(0, ONE_TWO)),
	BODY("{\"index\":0,\"embedding\":[1,2.0]},{\"embedding\":[3,-0.5],\"index\":1,\"object\":\"embedding\"}"),
};

START_TEST(decode_gives_the_vectors_in_the_order_of_the_texts)
{
	static const float expected[] = { 1, 2, 3, -0.5f };
	float vectors[COUNT * DIMENSION];
	inf_error err;
	ck_assert_msg(decode(good_bodies[_i], vectors, &err) == INF_OK, "%s", err.message);
	ck_assert_mem_eq(vectors, expected, sizeof expected);
}
END_TEST

/* The padding is that of the last group of three bytes. */
START_TEST(decode_of_vectors_of_any_length_agrees)
{
	static const char *const texts[] = { "AACAPw==", "AACAPwAAAEA=", "AACAPwAAAEAAAEBA", "AACAPwAAAEAAAEBAAACAQA==" };
	float vector[4] = { 0 };
	char body[128];
	snprintf(body, sizeof body, BODY("{\"index\":0,\"embedding\":\"%s\"}"), texts[_i]);
	ck_assert_int_eq(gr_wire_decode_embeddings(body, strlen(body), 1, (size_t)_i + 1, vector, NULL), INF_OK);
	for (int i = 0; i <= _i; i++)
		ck_assert_float_eq(vector[i], (float)(i + 1));
}
END_TEST

static const struct {
	const char *body, *reason;
} bad_bodies[] = {
	{ "", "server_answer" },
	{ "[]", "server_answer" },
	{ "{}", "server_answer" },
	{ "{\"data\":{}}", "server_answer" },
	{ "{\"data\":[]}", "server_answer" },
	{ "{\"data\":[1,2]}", "server_answer" },
	{ BODY(ITEM(0, ONE_TWO)), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(0, ONE_TWO)), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(2, ONE_TWO)), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, ONE_TWO) "," ITEM(2, ONE_TWO)), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1}"), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":null}"), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":\"1\",\"embedding\":\"" ONE_TWO "\"}"), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPwAAAEA")), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPwAAAE==")), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPw!AAEA=")), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACA=wAAAEA=")), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPw\\u0000AAEA=")), "server_answer" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "")), "embedding_dimension" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPw==")), "embedding_dimension" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, "AACAPwAAAEAAAEBA")), "embedding_dimension" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":[]}"), "embedding_dimension" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":[1,2,3]}"), "embedding_dimension" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":[1,\"2\"]}"), "not_finite" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":[null,1]}"), "not_finite" },
	{ BODY(ITEM(0, ONE_TWO) ",{\"index\":1,\"embedding\":[1e300,1]}"), "not_finite" },
	{ BODY(ITEM(0, ONE_TWO) "," ITEM(1, ONE_NAN)), "not_finite" },
	{ BODY(ITEM(0, ONE_INFINITE) "," ITEM(1, ONE_TWO)), "not_finite" },
};

START_TEST(decode_of_what_are_no_vectors_is_refused)
{
	float vectors[COUNT * DIMENSION];
	inf_error err;
	ck_assert_int_eq(decode(bad_bodies[_i].body, vectors, &err), INF_E_INTERNAL);
	ck_assert_str_eq(err.reason, bad_bodies[_i].reason);
}
END_TEST

START_TEST(decode_of_an_answer_that_is_cut_off_is_refused)
{
	float vectors[COUNT * DIMENSION];
	for (size_t len = 0; len < strlen(good_bodies[_i]); len++)
		ck_assert_int_eq(gr_wire_decode_embeddings(good_bodies[_i], len, COUNT, DIMENSION, vectors, NULL), INF_E_INTERNAL);
}
END_TEST

/* ---- ranks ------------------------------------------------------------------------------------------------------ */
static const struct {
	const char *body;
	bool good;
	float score;
	int64_t tokens;
} rank_cases[] = {
	{ "{\"results\":[{\"index\":0,\"relevance_score\":-1.5}],\"usage\":{\"prompt_tokens\":7}}", true, -1.5f, 7 },
	{ "{\"results\":[{\"relevance_score\":2}]}", true, 2, -1 },
	{ "{\"results\":[{\"relevance_score\":2}],\"usage\":{\"prompt_tokens\":-4}}", true, 2, -1 },
	{ "{\"results\":[{\"relevance_score\":2}],\"usage\":7}", true, 2, -1 },
	{ "{\"results\":[{\"relevance_score\":null}]}", false, 0, 0 },
	{ "{\"results\":[{\"relevance_score\":\"2\"}]}", false, 0, 0 },
	{ "{\"results\":[{\"relevance_score\":1e300}]}", false, 0, 0 },
	{ "{\"results\":[{}]}", false, 0, 0 },
	{ "{\"results\":[3]}", false, 0, 0 },
	{ "{\"results\":[]}", false, 0, 0 },
	{ "{\"results\":[{\"relevance_score\":1},{\"relevance_score\":2}]}", false, 0, 0 },
	{ "{}", false, 0, 0 },
	{ "", false, 0, 0 },
};

START_TEST(decode_rank_takes_one_score)
{
	const char *body = rank_cases[_i].body;
	float score;
	int64_t tokens;
	inf_status st = gr_wire_decode_rank(body, strlen(body), &score, &tokens, NULL);
	ck_assert_int_eq(st, rank_cases[_i].good ? INF_OK : INF_E_INTERNAL);
	if (!rank_cases[_i].good)
		return;
	ck_assert_float_eq(score, rank_cases[_i].score);
	ck_assert_int_eq(tokens, rank_cases[_i].tokens);
}
END_TEST

static const struct {
	const char *type, *message;
	int64_t said;
	bool too_long;
	int64_t tokens;
} length_cases[] = {
	{ "exceed_context_size_error", "x", 513, true, 513 },
	{ "exceed_context_size_error", "x", -1, true, -1 },
	{ "server_error", "input (523 tokens) is too large to process. increase the physical batch size", -1, true, 523 },
	{ "server_error", "input is too large to process", -1, true, -1 },
	{ "server_error", "input (99999999999999999999 tokens) is too large to process", -1, true, -1 },
	{ "server_error", "something else", -1, false, -1 },
	{ "", "", -1, false, -1 },
};

START_TEST(refusal_of_a_long_input_is_known_by_its_words)
{
	struct gr_wire_error error = { .prompt_tokens = length_cases[_i].said, .context_len = -1 };
	int64_t tokens;
	snprintf(error.type, sizeof error.type, "%s", length_cases[_i].type);
	snprintf(error.message, sizeof error.message, "%s", length_cases[_i].message);
	ck_assert_int_eq(gr_wire_is_too_long(&error, &tokens), length_cases[_i].too_long);
	ck_assert_int_eq(tokens, length_cases[_i].tokens);
}
END_TEST

/* ---- out of memory ---------------------------------------------------------------------------------------------- */
static inf_status everything(void)
{
	static const inf_text text = { "text", 4 };
	float vectors[COUNT * DIMENSION], score;
	int64_t tokens;
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	inf_status st = gr_wire_encode_embeddings(&body, lists, 2);
	if (st == INF_OK)
		st = gr_wire_encode_rank(&body, &text, &text);
	if (st == INF_OK)
		st = gr_wire_decode_embeddings(good_bodies[0], strlen(good_bodies[0]), COUNT, DIMENSION, vectors, NULL);
	if (st == INF_OK)
		st = gr_wire_decode_rank(rank_cases[0].body, strlen(rank_cases[0].body), &score, &tokens, NULL);
	gr_buf_release(&body);
	return st;
}

START_TEST(all_survive_oom)
{
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = everything();
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(all_survive_json_c_oom)
{
	for (long n = 0;; n++) {
		json_countdown = n;
		json_fired = false;
		inf_status st = everything();
		json_countdown = -1;
		ck_assert(json_fired == (st != INF_OK));
		if (!json_fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_embed");
	TCase *tc = tcase_create("wire_embed");
	tcase_add_test(tc, encode_of_texts_asks_for_raw_vectors_in_base64);
	tcase_add_test(tc, encode_of_a_document_escapes_it);
	tcase_add_test(tc, encode_past_the_cap_fails);
	tcase_add_loop_test(tc, decode_gives_the_vectors_in_the_order_of_the_texts, 0, ROWS(good_bodies));
	tcase_add_loop_test(tc, decode_of_vectors_of_any_length_agrees, 0, 4);
	tcase_add_loop_test(tc, decode_of_what_are_no_vectors_is_refused, 0, ROWS(bad_bodies));
	tcase_add_loop_test(tc, decode_of_an_answer_that_is_cut_off_is_refused, 0, ROWS(good_bodies));
	tcase_add_loop_test(tc, decode_rank_takes_one_score, 0, ROWS(rank_cases));
	tcase_add_loop_test(tc, refusal_of_a_long_input_is_known_by_its_words, 0, ROWS(length_cases));
	tcase_add_test(tc, all_survive_oom);
	tcase_add_test(tc, all_survive_json_c_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
