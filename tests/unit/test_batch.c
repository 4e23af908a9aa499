/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"

enum { COUNT = 20 };

/* A model that answers with what stands in the prompt: a status, and whether it says why. */
struct prompt {
	inf_status status;
	bool silent;
};

static struct prompt prompts[COUNT];
static inf_input inputs[COUNT];
static const inf_input *pointers[COUNT];
static inf_gen_params gen;
static inf_batch_params params;
static inf_classify_params classify_params;
static inf_status told[COUNT];
static char reasons[COUNT][32];
static size_t told_count;
static inf_error err;

static inf_status answer(const inf_input *input, const inf_gen_params *p, inf_error *error)
{
	const struct prompt *prompt = (const void *)input->prompt;
	ck_assert_uint_eq(p->flags, INF_GEN_FLAG_IGNORE_EOS);
	ck_assert_str_eq(p->request_id, "of all");
	ck_assert_ptr_nonnull(p->on_poll);
	if (p->on_poll(p->user) != INF_CONTINUE)	/* another input has ended the whole */
		return inf_fail(error, INF_E_CANCELLED, "cancelled", "as on_poll said");
	return prompt->status >= 0 || prompt->silent ? prompt->status : inf_fail(error, prompt->status, "test", "as it was told");
}

static inf_status generate(void *model, const inf_input *input, const inf_gen_params *p, inf_gen_result *result, inf_error *error)
{
	ck_assert_ptr_eq(model, prompts);
	ck_assert_ptr_null(p->on_token);
	result->generated_tokens = 1;
	return answer(input, p, error);
}

static inf_status classify(void *model, const struct ic_class_job *job, inf_error *error)
{
	inf_class result = { .id = 7 };
	ck_assert_ptr_eq(model, prompts);
	inf_status st = answer(job->input, job->gen, error);
	if (st == INF_OK)
		ic_class_tell(job, &result);
	return st;
}

static void tell(size_t index, const inf_error *error)
{
	ck_assert_int_eq(told[index], 1);
	told[index] = error ? error->code : INF_OK;
	strcpy(reasons[index], error ? error->reason : "");
	told_count++;
}

static int32_t on_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	ck_assert_ptr_eq(user, reasons);
	ck_assert_int_eq(result->generated_tokens, 1);
	tell(index, error);
	return INF_CONTINUE;
}

static int32_t on_class(void *user, const inf_class *result)
{
	ck_assert_ptr_eq(user, reasons);
	ck_assert(result->error || result->id == 7);
	tell(result->index, result->error);
	return INF_CONTINUE;
}

static void setup(void)
{
	memset(prompts, 0, sizeof prompts);
	for (size_t i = 0; i < COUNT; i++) {
		inputs[i] = (inf_input){ .struct_size = sizeof inputs[i], .prompt = (const char *)&prompts[i], .prompt_len = 1 };
		pointers[i] = &inputs[i];
		told[i] = 1;
	}
	told_count = 0;
	gen = (inf_gen_params){ .struct_size = sizeof gen, .flags = INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_IGNORE_EOS,
				.request_id = "not this" };
	params = (inf_batch_params){ .struct_size = sizeof params, .gen = &gen, .user = reasons, .on_result = on_result,
				     .request_id = "of all" };
	classify_params = (inf_classify_params){ .struct_size = sizeof classify_params, .gen = &gen, .user = reasons,
						 .on_class = on_class, .request_id = "of all" };
	err = (inf_error){ .struct_size = sizeof err };
}

/* Batches at even numbers, on one slot and on several. */
static inf_status run(int number)
{
	const int32_t slots = 1 + number / 2 * 3;
	const struct ic_batch_target many = { .generate = generate, .model = prompts, .slots = slots };
	const struct ic_classify_target tokens = { classify, prompts, slots };
	if (number % 2)
		return ic_classify_run(&tokens, pointers, COUNT, &classify_params, &err);
	return ic_batch_run(&many, pointers, COUNT, &params, &err);
}

START_TEST(params_of_the_whole_go_before_those_of_an_input)
{
	ck_assert_int_eq(run(_i), INF_OK);
	ck_assert_uint_eq(told_count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(told[i], INF_OK);
}
END_TEST

START_TEST(failure_of_an_input_always_has_a_code)
{
	prompts[3].status = INF_E_BUSY;
	prompts[4] = (struct prompt){ .status = INF_E_IO, .silent = true };
	prompts[5].status = 12;
	ck_assert_int_eq(run(_i), INF_OK);
	ck_assert_uint_eq(told_count, COUNT);
	ck_assert_int_eq(told[3], INF_E_BUSY);
	ck_assert_str_eq(reasons[3], "test");
	ck_assert_int_eq(told[4], INF_E_IO);
	ck_assert_int_eq(told[5], INF_E_INTERNAL);
	ck_assert_str_eq(reasons[5], "bad_status");
}
END_TEST

START_TEST(model_that_closes_ends_all)
{
	prompts[6].status = INF_E_CLOSED;
	ck_assert_int_eq(run(_i), INF_E_CLOSED);
	ck_assert_int_eq(err.code, INF_E_CLOSED);
	ck_assert_str_eq(err.message, "as it was told");
	ck_assert_int_eq(told[6], 1);			/* not told */
	ck_assert_uint_lt(told_count, COUNT);
}
END_TEST

static const struct {
	inf_model_info info;
	int32_t width;
} widths[] = {
	{ { .parallel_slots = 0 }, 1 }, { { .parallel_slots = -5 }, 1 }, { { .parallel_slots = 1 }, 1 },
	{ { .parallel_slots = 7 }, 7 }, { { .parallel_slots = 7, .flags = INF_INFO_FLAG_SERIAL }, 1 },
};

START_TEST(width_is_the_models_slots_and_at_least_one)
{
	ck_assert_int_eq(ic_batch_width(&widths[_i].info), widths[_i].width);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tcase = tcase_create("batch");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, params_of_the_whole_go_before_those_of_an_input, 0, 4);
	tcase_add_loop_test(tcase, failure_of_an_input_always_has_a_code, 0, 4);
	tcase_add_loop_test(tcase, model_that_closes_ends_all, 0, 4);
	tcase_add_loop_test(tcase, width_is_the_models_slots_and_at_least_one, 0, (int)(sizeof widths / sizeof widths[0]));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
