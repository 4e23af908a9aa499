/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum { BODY_MAX = 64 << 20, MANY = 40000 };

#define REST ",\"stop_type\":\"limit\",\"tokens_evaluated\":5,\"timings/cache_n\":4,\"id_slot\":1}"
#define LOGPROB(id, text, value) "{\"id\":" #id ",\"token\":\"" text "\",\"bytes\":[1,2],\"logprob\":" #value "}"
#define PROB(id, text, value) "{\"id\":" #id ",\"token\":\"" text "\",\"bytes\":[],\"prob\":" #value "}"

/* Text with what the search for the list, and for its objects, must not fall for. */
#define TRAP "\\\"top_logprobs\\\":[{}] }{ ][ \\\" }"

static const char logprobs_body[] =
	"{\"tokens\":[7],\"content\":\"" TRAP "\",\"completion_probabilities\":[{\"id\":7,\"token\":\"" TRAP "\",\"logprob\":-1.5,"
	"\"top_logprobs\":[" LOGPROB(9, TRAP "\\\\", -0.5) "," LOGPROB(7, "}", -1.5) ", " LOGPROB(3, "", -3.4e38) "]}]" REST;

static const char probs_body[] =
	"{\"tokens\":[2],\"content\":\"\",\"completion_probabilities\":[{\"id\":2,\"token\":\"\",\"bytes\":[],\"prob\":0.25,\"top_probs\":["
	PROB(8, "a\\u0000b", 0.75) "," PROB(2, "", 0.25) "," PROB(5, "x", 0) "]}]" REST;

static inf_status decode(const char *body, size_t len, size_t wanted, struct gr_wire_choice *out, inf_error *err)
{
	/* At its exact size, so that a reader that goes past the end is caught. */
	char *copy = malloc(len ? len : 1);
	memcpy(copy, body, len);
	inf_status st = gr_wire_decode_choice(copy, len, wanted, out, err);
	free(copy);
	return st;
}

START_TEST(choice_of_logprobs_is_read)
{
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	ck_assert_int_eq(decode(logprobs_body, sizeof logprobs_body - 1, 3, &c, NULL), INF_OK);
	ck_assert_int_eq(c.id, 7);
	ck_assert_str_eq(gr_buf_text(&c.text), "\"top_logprobs\":[{}] }{ ][ \" }");
	ck_assert_str_eq(gr_buf_text(&c.likeliest_text), "\"top_logprobs\":[{}] }{ ][ \" }\\");
	ck_assert_double_eq_tol(c.logprob, -1.5, 1e-6);
	ck_assert_uint_eq(c.score_count, 3);
	ck_assert_int_eq(c.scores[0].id, 9);
	ck_assert_double_eq_tol(c.scores[0].logprob, -0.5, 1e-6);
	ck_assert_int_eq(c.scores[1].id, 7);
	ck_assert_int_eq(c.scores[2].id, 3);
	ck_assert(isinf(c.scores[2].logprob) && c.scores[2].logprob < 0);
	ck_assert(!c.eos);
	ck_assert_int_eq(c.evaluated, 5);
	ck_assert_int_eq(c.cached, 4);
	ck_assert_int_eq(c.slot, 1);
	gr_wire_choice_release(&c);
	ck_assert_ptr_null(c.scores);
}
END_TEST

START_TEST(choice_of_probabilities_is_read_as_logarithms)
{
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	ck_assert_int_eq(decode(probs_body, sizeof probs_body - 1, 3, &c, NULL), INF_OK);
	ck_assert_uint_eq(c.score_count, 3);
	ck_assert_double_eq_tol(c.logprob, log(0.25), 1e-6);
	ck_assert_double_eq_tol(c.scores[0].logprob, log(0.75), 1e-6);
	ck_assert(isinf(c.scores[2].logprob));
	ck_assert_uint_eq(c.likeliest_text.len, 3);
	ck_assert_mem_eq(c.likeliest_text.data, "a\0b", 4);
	gr_wire_choice_release(&c);
}
END_TEST

START_TEST(choice_without_probabilities_is_a_token_alone)
{
	static const char body[] = "{\"tokens\":[243],\"content\":\"\xef\xbf\xbd\",\"stop_type\":\"eos\"}";
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	ck_assert_int_eq(decode(body, sizeof body - 1, 3, &c, NULL), INF_OK);
	ck_assert_int_eq(c.id, 243);
	ck_assert_str_eq(gr_buf_text(&c.text), "\xef\xbf\xbd");
	ck_assert_uint_eq(c.score_count, 0);
	ck_assert(c.eos);
	ck_assert_int_eq(c.slot, -1);
	gr_wire_choice_release(&c);
}
END_TEST

/* Nothing that was cut off is believed. */
START_TEST(choice_cut_anywhere_is_refused)
{
	for (size_t len = 0; len < sizeof logprobs_body - 1; len++) {
		struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
		inf_error err = { .struct_size = sizeof err };
		ck_assert_msg(decode(logprobs_body, len, 3, &c, &err) == INF_E_INTERNAL, "%zu bytes", len);
		ck_assert_str_eq(err.reason, "server_answer");
		gr_wire_choice_release(&c);
	}
}
END_TEST

/* Every byte of it something else, at random and as quotes and brackets: no crash, and never more than was asked for. */
START_TEST(choice_with_any_byte_changed_is_survived)
{
	static const char bytes[] = "\"\\{}[],:0\xff\x01";
	for (size_t at = 0; at < sizeof logprobs_body - 1; at++)
		for (size_t b = 0; b < sizeof bytes; b++) {
			char body[sizeof logprobs_body];
			struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
			memcpy(body, logprobs_body, sizeof body);
			body[at] = bytes[b];
			decode(body, sizeof body - 1, 3, &c, NULL);
			ck_assert_uint_le(c.score_count, 3);
			gr_wire_choice_release(&c);
		}
}
END_TEST

static const char *const hostile[] = {
	"", "null", "[]", "{}", "{\"tokens\":[]}", "{\"tokens\":[1]}", "{\"tokens\":[-1],\"content\":\"\"}",
	"{\"tokens\":[4294967296],\"content\":\"\"}", "{\"tokens\":[\"1\"],\"content\":\"\"}", "{\"tokens\":[1],\"content\":5}",
	"{\"tokens\":[1],\"content\":\"\xff\"}", "\"top_logprobs\":[", "{\"top_logprobs\":[{\"id\":1}]}", "{\"top_logprobs\":[{]}",
	"{\"tokens\":[1],\"content\":\"\",\"top_logprobs\":[{\"id\":-1,\"token\":\"\",\"logprob\":0}]}",
	"{\"tokens\":[1],\"content\":\"\",\"top_logprobs\":[{\"id\":1,\"token\":5,\"logprob\":0}]}",
	"{\"tokens\":[1],\"content\":\"\",\"top_logprobs\":[{\"id\":1,\"token\":\"\",\"logprob\":\"0\"}]}",
	"{\"tokens\":[1],\"content\":\"\",\"top_logprobs\":[{\"id\":1,\"token\":\"\xc3\",\"logprob\":0}]}",
	"{\"tokens\":[1],\"content\":\"\",\"top_logprobs\":[{{{{{{{{{{}}}}}}}}}}]}",
};

START_TEST(choice_that_is_none_is_refused)
{
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(decode(hostile[_i], strlen(hostile[_i]), 3, &c, &err), INF_E_INTERNAL);
	ck_assert_str_eq(err.reason, "server_answer");
	gr_wire_choice_release(&c);
}
END_TEST

START_TEST(choice_with_more_scores_than_wanted_is_refused)
{
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	ck_assert_int_eq(decode(logprobs_body, sizeof logprobs_body - 1, 2, &c, NULL), INF_E_INTERNAL);
	gr_wire_choice_release(&c);
}
END_TEST

START_TEST(choice_of_a_whole_vocabulary_is_read)
{
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	struct gr_wire_choice c = GR_WIRE_CHOICE_INIT;
	gr_buf_puts(&body, "{\"tokens\":[0],\"content\":\"a\",\"completion_probabilities\":[{\"id\":0,\"logprob\":0.0,\"top_logprobs\":[");
	for (int i = 0; i < MANY; i++)
		gr_buf_printf(&body, "%s{\"id\":%d,\"token\":\" %d\",\"bytes\":[32],\"logprob\":-%d.5}", i ? "," : "", MANY - i, i, i);
	gr_buf_puts(&body, "]}]" REST);
	ck_assert_int_eq(decode(body.data, body.len, MANY, &c, NULL), INF_OK);
	ck_assert_uint_eq(c.score_count, MANY);
	ck_assert_int_eq(c.scores[MANY - 1].id, 1);
	ck_assert_double_eq_tol(c.scores[MANY - 1].logprob, -(MANY - 1) - 0.5, 0.01);
	gr_wire_choice_release(&c);
	gr_buf_release(&body);
}
END_TEST

/* ---- the question ---------------------------------------------------------------------------------------------- */
static struct json_object *encode(const struct gr_wire_probe *probe)
{
	static const int32_t prompt[] = { 1, 2 }, suppressed[] = { 4 };
	const struct gr_wire_completion completion = { .prompt = prompt, .prompt_count = 2, .max_tokens = 1, .temperature = 1,
						       .suppress_tokens = suppressed, .suppress_token_count = 1, .probe = probe };
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&body, &completion, NULL), INF_OK);
	struct json_object *root = json_tokener_parse(gr_buf_text(&body));
	ck_assert_ptr_nonnull(root);
	gr_buf_release(&body);
	return root;
}

static const char *text_of(struct json_object *root, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(root, key, &value);
	return value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "missing";
}

START_TEST(probe_asks_for_one_answer_with_the_token_itself)
{
	struct json_object *root = encode(&(struct gr_wire_probe){ .wanted = 12 });
	ck_assert_str_eq(text_of(root, "n_probs"), "12");
	ck_assert_str_eq(text_of(root, "return_tokens"), "true");
	ck_assert_str_eq(text_of(root, "n_predict"), "1");
	ck_assert_str_eq(text_of(root, "stream"), "missing");
	ck_assert_str_eq(text_of(root, "post_sampling_probs"), "missing");
	ck_assert_str_eq(text_of(root, "samplers"), "missing");
	ck_assert_str_eq(text_of(root, "logit_bias"), "[[4,false]]");
	json_object_put(root);
}
END_TEST

START_TEST(probe_among_favoured_raises_them_and_bypasses_the_samplers)
{
	static const int32_t favoured[] = { 7, 9 };
	struct json_object *root = encode(&(struct gr_wire_probe){ .wanted = 2, .favoured = favoured, .favoured_count = 2,
								   .raise = 100, .among_favoured = true });
	ck_assert_str_eq(text_of(root, "post_sampling_probs"), "true");
	ck_assert_str_eq(text_of(root, "samplers"), "[\"temperature\"]");
	ck_assert_str_eq(text_of(root, "logit_bias"), "[[4,false],[7,100.0],[9,100.0]]");
	json_object_put(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_classify");
	TCase *tc = tcase_create("wire_classify");
	tcase_add_test(tc, choice_of_logprobs_is_read);
	tcase_add_test(tc, choice_of_probabilities_is_read_as_logarithms);
	tcase_add_test(tc, choice_without_probabilities_is_a_token_alone);
	tcase_add_test(tc, choice_cut_anywhere_is_refused);
	tcase_add_test(tc, choice_with_any_byte_changed_is_survived);
	tcase_add_loop_test(tc, choice_that_is_none_is_refused, 0, (int)(sizeof hostile / sizeof hostile[0]));
	tcase_add_test(tc, choice_with_more_scores_than_wanted_is_refused);
	tcase_add_test(tc, choice_of_a_whole_vocabulary_is_read);
	tcase_add_test(tc, probe_asks_for_one_answer_with_the_token_itself);
	tcase_add_test(tc, probe_among_favoured_raises_them_and_bypasses_the_samplers);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
