/* SPDX-License-Identifier: MIT */
/* What a binding does sooner or later: use a handle that it has set to NULL. */
#include <check.h>
#include <stdlib.h>

#include "inference/host.h"

static inf_error err;
static const inf_call_params call = { .struct_size = sizeof call };

static int32_t on_device(void *user, const inf_device *device)
{
	(void)user;
	(void)device;
	return INF_CONTINUE;
}

static int32_t on_finding(void *user, const inf_finding *finding)
{
	(void)user;
	(void)finding;
	return INF_CONTINUE;
}

static int32_t on_class(void *user, const inf_class *result)
{
	(void)user;
	(void)result;
	return INF_CONTINUE;
}

static int32_t on_adapter(void *user, const inf_adapter *adapter)
{
	(void)user;
	(void)adapter;
	return INF_CONTINUE;
}

static inf_status info(void)
{
	inf_model_info out = { .struct_size = sizeof out };
	return inf_session_info(NULL, &out, &err);
}

static inf_status generate(void)
{
	const inf_gen_params params = { .struct_size = sizeof params };
	return inf_session_generate(NULL, "x", 1, &params, NULL, &err);
}

static inf_status chat(void)
{
	const inf_message message = { .struct_size = sizeof message, .role = "user" }, *const list[] = { &message };
	const inf_gen_params params = { .struct_size = sizeof params };
	return inf_session_chat(NULL, list, 1, &params, NULL, &err);
}

static inf_status last_error(void)
{
	return inf_session_err(NULL, &err);
}

static inf_status devices(void)
{
	return inf_session_list_devices(NULL, NULL, on_device, &err);
}

static inf_status metrics(void)
{
	inf_metrics_report out = { .struct_size = sizeof out };
	return inf_session_metrics(NULL, &out, &err);
}

static inf_status cancel_request(void)
{
	return inf_session_cancel_request(NULL, "x", &err);
}

static inf_status tokenize(void)
{
	size_t count;
	return inf_session_tokenize(NULL, "x", 1, 0, &call, NULL, 0, &count, &err);
}

static inf_status detokenize(void)
{
	size_t len;
	return inf_session_detokenize(NULL, NULL, 0, 0, &call, NULL, 0, &len, &err);
}

static inf_status count_tokens(void)
{
	const inf_input input = { .struct_size = sizeof input, .prompt = "x", .prompt_len = 1 };
	size_t count;
	return inf_session_count(NULL, &input, &call, &count, &err);
}

static inf_status classify(void)
{
	const inf_classify_params params = { .struct_size = sizeof params, .on_class = on_class };
	return inf_session_classify(NULL, NULL, 0, &params, &err);
}

static inf_status batch(void)
{
	const inf_batch_params params = { .struct_size = sizeof params };
	return inf_session_batch(NULL, NULL, 0, &params, &err);
}

static inf_status dimension(void)
{
	int32_t out;
	return inf_session_embed_dimension(NULL, &out, &err);
}

static inf_status embed(void)
{
	const inf_text text = { "x", 1 };
	float vector[1];
	return inf_session_embed(NULL, &text, 1, 0, &call, vector, NULL, &err);
}

static inf_status rerank(void)
{
	const inf_text text = { "x", 1 };
	float score[1];
	return inf_session_rerank(NULL, &text, &text, 1, &call, score, NULL, &err);
}

static inf_status list_adapters(void)
{
	return inf_session_list_adapters(NULL, NULL, on_adapter, &err);
}

static inf_status set_scale(void)
{
	return inf_session_set_adapter_scale(NULL, 0, 1, &call, &err);
}

static inf_status save(void)
{
	return inf_session_save_state(NULL, 0, "x", &call, NULL, &err);
}

static inf_status restore(void)
{
	return inf_session_restore_state(NULL, 0, "x", &call, NULL, &err);
}

static inf_status fork_state(void)
{
	return inf_session_fork_state(NULL, 0, 1, &call, NULL, &err);
}

static inf_status stream_open(void)
{
	const inf_input input = { .struct_size = sizeof input, .prompt = "x", .prompt_len = 1 };
	inf_session_stream *out;
	return inf_session_stream_open(NULL, &input, NULL, &out, &err);
}

static inf_status stream_next(void)
{
	const inf_token *token;
	int32_t event;
	return inf_session_stream_next(NULL, 0, &event, &token, &err);
}

static inf_status stream_result(void)
{
	inf_gen_result out = { .struct_size = sizeof out };
	return inf_session_stream_result(NULL, &out, &err);
}

static inf_status load(void)
{
	const inf_load_params params = { .struct_size = sizeof params, .path = "/" };
	inf_session *out;
	return inf_session_load(NULL, NULL, &params, &out, &err);
}

static inf_status select_backend(void)
{
	const inf_candidate *out;
	return inf_registry_select(NULL, "x", &out, &err);
}

static inf_status list_devices(void)
{
	return inf_registry_list_devices(NULL, NULL, NULL, on_device, &err);
}

static inf_status diagnose(void)
{
	return inf_registry_diagnose(NULL, NULL, NULL, on_finding, &err);
}

static inf_status inspect(void)
{
	inf_model_file out = { .struct_size = sizeof out };
	return inf_registry_inspect_model(NULL, NULL, "/x", &out, &err);
}

static inf_status (*const functions[])(void) = {
	info, generate, chat, last_error, devices, metrics, cancel_request, tokenize, detokenize, count_tokens, classify, batch,
	dimension, embed, rerank, list_adapters, set_scale, save, restore, fork_state, stream_open, stream_next, stream_result,
	load, select_backend, list_devices, diagnose, inspect,
};

START_TEST(function_of_null_is_invalid)
{
	err = (inf_error){ .struct_size = sizeof err };
	ck_assert_int_eq(functions[_i](), INF_E_INVALID);
	ck_assert_int_eq(err.code, INF_E_INVALID);
	ck_assert_str_ne(err.message, "");
}
END_TEST

START_TEST(query_of_null_is_empty)
{
	inf_gen_result result = { .struct_size = sizeof result, .seed = 7 };
	ck_assert_uint_eq(inf_registry_count(NULL), 0);
	ck_assert_ptr_null(inf_registry_candidate(NULL, 0));
	ck_assert_uint_eq(inf_registry_option_count(NULL), 0);
	ck_assert_ptr_null(inf_registry_option(NULL, 0));
	ck_assert_ptr_null(inf_registry_get_extension(NULL, NULL, INF_EXT_OPTIONS));
	ck_assert_ptr_null(inf_session_get_extension(NULL, INF_EXT_METRICS));
	ck_assert_int_eq(inf_session_stream_descriptor(NULL), -1);
	inf_session_last_result(NULL, &result);
	ck_assert_uint_eq(result.seed, 0);
}
END_TEST

START_TEST(close_and_cancel_of_null_do_nothing)
{
	inf_session_cancel(NULL);
	inf_session_stream_cancel(NULL);
	inf_session_stream_close(NULL);
	ck_assert_int_eq(inf_session_close(NULL, &err), INF_OK);
	inf_registry_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handles");
	TCase *tcase = tcase_create("null");
	tcase_add_loop_test(tcase, function_of_null_is_invalid, 0, sizeof functions / sizeof *functions);
	tcase_add_test(tcase, query_of_null_is_empty);
	tcase_add_test(tcase, close_and_cancel_of_null_do_nothing);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
