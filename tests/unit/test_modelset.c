/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "gguf_build.h"
#include "modelset.h"
#include "scratch.h"

static struct scratch scratch;
static struct gr_modelset set;
static inf_error err;

static void set_up(void)
{
	scratch_init(&scratch);
	ck_assert_int_eq(chmod(scratch.path, 0755), 0);
	err = (inf_error){ .struct_size = sizeof err };
	memset(&set, 0x55, sizeof set);
}

static void tear_down(void)
{
	scratch_release(&scratch);
}

/* A part with two tensors of one layer; the first has the keys, as llama-gguf-split makes them. */
static const char *write_part(const char *name, uint32_t no, uint32_t count)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	char tensor[40];
	gguf_build_head(&b, 3);
	if (no == 1) {
		gguf_build_text(&b, "general.architecture", "llama");
		gguf_build_u32(&b, "llama.block_count", count);
	}
	if (count) {
		gguf_build_u32(&b, "split.no", no - 1);
		gguf_build_u32(&b, "split.count", count);
	}
	if (no == 1)
		gguf_build_tensor(&b, "token_embd.weight", 32, 4, 8, 256);
	if (no == 3)
		gguf_build_tensor(&b, "output.weight", 1, 1, 0, 256);
	snprintf(tensor, sizeof tensor, "blk.%u.attn_k.weight", no - 1);
	gguf_build_tensor(&b, tensor, 8, 4, 0, 0);
	snprintf(tensor, sizeof tensor, "blk.%u.ffn_up_exps.weight", no - 1);
	gguf_build_tensor(&b, tensor, 8, 4, 0, 128);
	gguf_build_data(&b, 256 + 136);
	const char *path = scratch_write(&scratch, name, b.data, b.len);
	gguf_build_release(&b);
	return path;
}

static void expect_failure(const char *path, inf_status status, const char *reason, const char *text)
{
	inf_status st = gr_modelset_read(path, &set, &err);
	ck_assert_int_eq(st, status);
	ck_assert_str_eq(err.reason, reason);
	ck_assert_msg(strstr(err.message, text), "%s", err.message);
	ck_assert_int_eq(gr_modelset_read(path, &set, NULL), status);
}

START_TEST(read_one_file_is_one_part)
{
	const char *path = write_part("a.gguf", 1, 0);
	ck_assert_int_eq(gr_modelset_read(path, &set, &err), INF_OK);
	ck_assert_uint_eq(set.part_count, 1);
	ck_assert_str_eq(set.path, path);
	ck_assert_uint_eq(set.facts.tensor_bytes, 256 + 136);
	ck_assert_uint_eq(set.layers.count, 1);
	ck_assert_uint_eq(set.layers.at[0].bytes, 256);
	ck_assert_uint_eq(set.layers.at[0].expert_bytes, 128);
}
END_TEST

/* Whichever part is given. */
START_TEST(read_parts_adds_them_up)
{
	const char *parts[3] = { write_part("a-00001-of-00003.gguf", 1, 3), write_part("a-00002-of-00003.gguf", 2, 3),
				 write_part("a-00003-of-00003.gguf", 3, 3) };
	uint64_t size = 0;
	struct stat st;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(stat(parts[i], &st), 0);
		size += (uint64_t)st.st_size;
	}
	ck_assert_msg(gr_modelset_read(parts[_i], &set, &err) == INF_OK, "%s", err.message);
	ck_assert_uint_eq(set.part_count, 3);
	ck_assert_str_eq(set.path, parts[0]);
	ck_assert_str_eq(set.facts.architecture, "llama");
	ck_assert_uint_eq(set.facts.file_size, size);
	ck_assert_uint_eq(set.facts.tensor_count, 8);
	ck_assert_uint_eq(set.facts.tensor_bytes, 3 * 256 + 136 + 4);
	ck_assert_uint_eq(set.facts.parameter_count, 3 * 64 + 128 + 1);
	ck_assert_uint_eq(set.facts.sizes.output, 4);
	ck_assert(set.facts.has_output_weight);
	ck_assert_uint_eq(set.facts.sizes.token_embedding, 136);
	ck_assert_uint_eq(set.facts.sizes.experts, 3 * 128);
	ck_assert_uint_eq(set.layers.count, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(set.layers.at[i].bytes, 256);
}
END_TEST

START_TEST(read_parts_with_some_missing_names_them)
{
	const char *second = write_part("a-00002-of-00004.gguf", 2, 4);
	expect_failure(second, INF_E_NOT_FOUND, "split_missing",
		       "a-00001-of-00004.gguf: 3 of the model's 4 parts are not there: 00001, 00003, 00004; put all of them");
	write_part("a-00001-of-00004.gguf", 1, 4);
	write_part("a-00004-of-00004.gguf", 4, 4);
	expect_failure(second, INF_E_NOT_FOUND, "split_missing",
		       "a-00001-of-00004.gguf: 1 of the model's 4 parts is not there: 00003;");
	const char *first = write_part("b-00001-of-01000.gguf", 1, 1000);
	expect_failure(first, INF_E_NOT_FOUND, "split_missing",
		       "999 of the model's 1000 parts are not there: 00002, 00003, 00004, 00005, 00006, 00007, 00008, 00009, ...;");
	expect_failure(scratch_at(&scratch, "c-00001-of-00002.gguf"), INF_E_NOT_FOUND, "model_missing",
		       "c-00001-of-00002.gguf: the file is not there");
}
END_TEST

START_TEST(read_part_of_another_model_is_a_mismatch)
{
	const char *first = write_part("a-00001-of-00002.gguf", 1, 2);
	write_part("a-00002-of-00002.gguf", 1, 2);
	expect_failure(first, INF_E_BAD_MODEL, "split_mismatch",
		       "a-00002-of-00002.gguf: its header says that it is part 1 of 2");
	write_part("a-00002-of-00002.gguf", 2, 3);
	expect_failure(first, INF_E_BAD_MODEL, "split_mismatch",
		       "a-00002-of-00002.gguf: its header says that it is part 2 of 3");
	write_part("a-00001-of-00002.gguf", 1, 3);
	expect_failure(first, INF_E_BAD_MODEL, "split_mismatch",
		       "a-00001-of-00002.gguf: its header says that it is part 1 of 3");
	const char *plain = write_part("b.gguf", 2, 5);
	expect_failure(plain, INF_E_BAD_MODEL, "split_name",
		       "b.gguf: part 2 of 5, but not named like one: call it NAME-00002-of-00005.gguf");
}
END_TEST

START_TEST(read_part_that_is_broken_names_it)
{
	const char *first = write_part("a-00001-of-00002.gguf", 1, 2);
	const char *second = write_part("a-00002-of-00002.gguf", 2, 2);
	ck_assert_int_eq(truncate(second, 300), 0);
	expect_failure(first, INF_E_BAD_MODEL, "gguf_truncated", "a-00002-of-00002.gguf: ");
}
END_TEST

/* A file that calls itself part 1 of 1 needs no other, whatever its name. */
START_TEST(read_single_part_is_whole)
{
	ck_assert_int_eq(gr_modelset_read(write_part("a-00001-of-00001.gguf", 1, 1), &set, &err), INF_OK);
	ck_assert_int_eq(gr_modelset_read(write_part("b.gguf", 1, 1), &set, &err), INF_OK);
	ck_assert_uint_eq(set.part_count, 1);
}
END_TEST

START_TEST(read_path_cap_is_kept)
{
	char path[PATH_MAX + 1];
	memset(path, 'x', sizeof path);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	expect_failure(path, INF_E_INVALID, "path", "the model's path has 4096 bytes, at most 4095");
	path[PATH_MAX - 1] = '\0';
	expect_failure(path, INF_E_IO, "model_io", "...xxx");
}
END_TEST

START_TEST(read_survives_oom)
{
	const char *first = write_part("a-00001-of-00002.gguf", 1, 2);
	write_part("a-00002-of-00002.gguf", 2, 2);
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = gr_modelset_read(first, &set, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modelset");
	TCase *tc = tcase_create("modelset");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, read_one_file_is_one_part);
	tcase_add_loop_test(tc, read_parts_adds_them_up, 0, 3);
	tcase_add_test(tc, read_parts_with_some_missing_names_them);
	tcase_add_test(tc, read_part_of_another_model_is_a_mismatch);
	tcase_add_test(tc, read_part_that_is_broken_names_it);
	tcase_add_test(tc, read_single_part_is_whole);
	tcase_add_test(tc, read_path_cap_is_kept);
	tcase_add_test(tc, read_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
