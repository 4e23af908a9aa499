/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "modelreport.h"
#include "model_shapes.h"

static struct gr_modelset set;

static void read_shape(const char *name)
{
	uint64_t size;
	struct gguf_bytes bytes;
	inf_error err = { .struct_size = sizeof err };
	struct gguf_build header = model_shape_header(name, &size);
	struct gr_gguf_source source = model_shape_source(&header, size, &bytes);
	set = (struct gr_modelset){ .part_count = 1 };
	inf_status st = gr_gguf_read_layers(&source, name, &set.facts, &set.layers, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	gguf_build_release(&header);
}

START_TEST(report_of_a_model_has_all_its_facts)
{
	inf_model_file file;
	read_shape("gemma-3-4b-q4_k_m");
	memset(&file, 0x55, sizeof file);
	gr_modelreport("/m/Gemma-Q4_K_M.gguf", NULL, &set, 1700000000, &file);
	ck_assert_uint_eq(file.struct_size, sizeof file);
	ck_assert_int_eq(file.kind, INF_MODEL_KIND_MODEL);
	ck_assert_int_eq(file.code, INF_OK);
	ck_assert_str_eq(file.path, "/m/Gemma-Q4_K_M.gguf");
	ck_assert_str_eq(file.name, "Gemma-Q4_K_M");
	ck_assert_str_eq(file.title, "gemma-3-4b-q4_k_m");
	ck_assert_str_eq(file.quantisation, "Q4_K_M");
	ck_assert_str_eq(file.architecture, "gemma3");
	ck_assert_str_eq(file.reason, "");
	ck_assert_int_eq(file.modified, 1700000000);
	ck_assert_int_eq(file.num_layers, 34);
	ck_assert_int_eq(file.head_count_kv, 4);
	ck_assert_int_eq(file.key_length, 256);
	ck_assert_int_eq(file.sliding_window, 1024);
	ck_assert_int_eq(file.part_count, 1);
	ck_assert_int_eq(file.context_len, 4096);
	ck_assert_uint_eq(file.embedding_bytes + file.output_bytes + file.layer_bytes, file.tensor_bytes);
	/* 2368 + 254 + 537 MiB on the device, 525 + 25 on the host, each a little more */
	ck_assert_uint_eq(file.device_bytes >> 20, 3159);
	ck_assert_uint_eq(file.host_bytes >> 20, 550);
	ck_assert_uint_eq(file.flags, 0);
}
END_TEST

START_TEST(report_fills_in_what_follows_from_other_facts)
{
	inf_model_file file;
	read_shape("llama-3.1-8b-q4_k_m");
	set.facts.head_count_kv = 0;
	set.facts.context_length = 1000;
	set.facts.has_chat_template = true;
	set.layers.at[3].flags |= GR_GGUF_LAYER_RECURRENT;
	gr_modelreport("/m/x.gguf", NULL, &set, 0, &file);
	ck_assert_int_eq(file.key_length, 128);
	ck_assert_int_eq(file.value_length, 128);
	ck_assert_int_eq(file.head_count_kv, 32);
	ck_assert_int_eq(file.context_len, 1000);
	ck_assert_uint_eq(file.flags, INF_MODEL_FLAG_CHAT | INF_MODEL_FLAG_RECURRENT);
	strcpy(set.facts.type, "mmproj");
	gr_modelreport("/m/x.gguf", NULL, &set, 0, &file);
	ck_assert_int_eq(file.kind, INF_MODEL_KIND_PROJECTOR);
	ck_assert_uint_eq(file.device_bytes, 0);
}
END_TEST

START_TEST(report_of_a_broken_file_has_the_reason)
{
	inf_model_file file;
	const struct gr_modelname name = { "n", "r" };
	inf_error err = { .struct_size = sizeof err };
	inf_fail(&err, INF_E_BAD_MODEL, "gguf_empty", "x.gguf: the file is empty");
	memset(&file, 0x55, sizeof file);
	gr_modelreport_broken("/m/x.gguf", &name, &err, 5, &file);
	ck_assert_int_eq(file.code, INF_E_BAD_MODEL);
	ck_assert_int_eq(file.kind, INF_MODEL_KIND_OTHER);
	ck_assert_int_eq(file.file_type, -1);
	ck_assert_str_eq(file.reason, "gguf_empty");
	ck_assert_str_eq(file.message, "x.gguf: the file is empty");
	ck_assert_str_eq(file.name, "n");
	ck_assert_str_eq(file.repository, "r");
	ck_assert_uint_eq(file.tensor_bytes, 0);
}
END_TEST

START_TEST(report_of_a_directory_has_its_path_and_name)
{
	inf_model_file file;
	memset(&file, 0x55, sizeof file);
	gr_modelreport_directory("/m/llama", NULL, &file);
	ck_assert_uint_eq(file.struct_size, sizeof file);
	ck_assert_int_eq(file.kind, INF_MODEL_KIND_DIRECTORY);
	ck_assert_int_eq(file.code, INF_OK);
	ck_assert_str_eq(file.path, "/m/llama");
	ck_assert_str_eq(file.name, "llama");
	ck_assert_int_eq(file.file_type, -1);
	ck_assert_uint_eq(file.file_bytes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modelreport");
	TCase *tc = tcase_create("modelreport");
	tcase_add_test(tc, report_of_a_directory_has_its_path_and_name);
	tcase_add_test(tc, report_of_a_model_has_all_its_facts);
	tcase_add_test(tc, report_fills_in_what_follows_from_other_facts);
	tcase_add_test(tc, report_of_a_broken_file_has_the_reason);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
