/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_mask.h"
#include "gpu_scan.h"

static const struct {
	const char *variables, *visible, *blamed;
} masks[] = {
	{ NULL, "0,1,2,3", NULL },
	{ "ROCR_VISIBLE_DEVICES=0", "0", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=3,1", "3,1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=0,1,2,3", "0,1,2,3", NULL },
	{ "ROCR_VISIBLE_DEVICES= 1 ,\t2", "1,2", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=0x1,02", "1,2", "ROCR_VISIBLE_DEVICES" },
	/* set but empty hides everything; a bad token ends the list */
	{ "ROCR_VISIBLE_DEVICES=", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=-1", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1,4,0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1,x,0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1,1,0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1,,0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=,0", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1,", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=99999999999999999999", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1 0", "", "ROCR_VISIBLE_DEVICES" },
	/* UUIDs may be short, but must be clear */
	{ "ROCR_VISIBLE_DEVICES=GPU-b85e402c0fb3757f", "0", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=gpu-B85E0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=GPU-b85e", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=GPU-", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=GPU-0", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=GPU-b85e402c0fb3757f0", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=GPU-0000000000000000", "", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=2,GPU-b85e4,0", "2,0", "ROCR_VISIBLE_DEVICES" },
	/* HIP counts what ROCr left; empty is not set */
	{ "HIP_VISIBLE_DEVICES=1", "1", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=", "0,1,2,3", NULL },
	{ "HIP_VISIBLE_DEVICES=-1", "", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=0,-1,2", "0", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=1,1,0", "1,0", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=01", "", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES= 1", "", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=0x1", "", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=1,", "1", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=GPU-b85e0", "1", "HIP_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=GPU-B85E0", "", "HIP_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=3,1|HIP_VISIBLE_DEVICES=1", "1", "HIP_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1|HIP_VISIBLE_DEVICES=1", "", "HIP_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=1|HIP_VISIBLE_DEVICES=0", "1", "ROCR_VISIBLE_DEVICES" },
	{ "ROCR_VISIBLE_DEVICES=|HIP_VISIBLE_DEVICES=0", "", "ROCR_VISIBLE_DEVICES" },
	/* CUDA's variable stands in for HIP's */
	{ "CUDA_VISIBLE_DEVICES=2", "2", "CUDA_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=|CUDA_VISIBLE_DEVICES=2", "2", "CUDA_VISIBLE_DEVICES" },
	{ "HIP_VISIBLE_DEVICES=1|CUDA_VISIBLE_DEVICES=2", "1", "HIP_VISIBLE_DEVICES" },
	{ "CUDA_VISIBLE_DEVICES=GPU-8f6b1b4e-1234-5678-9abc-def012345678", "", "CUDA_VISIBLE_DEVICES" },
	{ "CUDA_VISIBLE_DEVICES=", "0,1,2,3", NULL },
	{ "GPU_DEVICE_ORDINAL=1", "0,1,2,3", NULL },
	{ "NOT_ROCR_VISIBLE_DEVICES=1", "0,1,2,3", NULL },
};

static struct gr_gpu_mask mask_of(const char *variables, char *blamed, size_t cap)
{
	struct gr_gpu_mask mask;
	struct gr_strv env = GR_STRV_INIT;
	split_variables(variables, &env);
	gr_gpu_mask(&mask, &scan, env.items);
	snprintf(blamed, cap, "%s", mask.variable ? mask.variable : "");
	gr_strv_release(&env);
	return mask;
}

START_TEST(mask_is_read_as_the_runtime_reads_it)
{
	char blamed[64];
	const struct gr_gpu_mask mask = mask_of(masks[_i].variables, blamed, sizeof blamed);
	ck_assert_str_eq(ordinals(mask.gpus, mask.count), masks[_i].visible);
	ck_assert_str_eq(blamed, masks[_i].blamed ? masks[_i].blamed : "");
}
END_TEST

START_TEST(mask_by_uuid_never_means_a_gpu_without_one)
{
	char blamed[64];
	only_integrated("gfx1151");
	struct gr_gpu_mask mask = mask_of("ROCR_VISIBLE_DEVICES=GPU-0000000000000000", blamed, sizeof blamed);
	ck_assert_uint_eq(mask.count, 0);
	mask = mask_of("HIP_VISIBLE_DEVICES=GPU-0000000000000000", blamed, sizeof blamed);
	ck_assert_uint_eq(mask.count, 0);
}
END_TEST

START_TEST(mask_for_cuda_is_nvidias_where_its_driver_is)
{
	char blamed[64];
	scan.nvidia = true;
	struct gr_gpu_mask mask = mask_of("CUDA_VISIBLE_DEVICES=1", blamed, sizeof blamed);
	ck_assert_uint_eq(mask.count, 4);
	mask = mask_of("HIP_VISIBLE_DEVICES=1|CUDA_VISIBLE_DEVICES=0", blamed, sizeof blamed);
	ck_assert_str_eq(ordinals(mask.gpus, mask.count), "1");
}
END_TEST

/* Ordinal 1 is someone else's: ROCr counts it, and HIP does not. */
START_TEST(mask_counts_foreign_gpus_in_rocr_only)
{
	char blamed[64];
	no_gpus();
	add_gpu("0000:03:00.0", "gfx1100", 1, GIB, GR_AMDGPU_DISCRETE);
	scan.ordinal_count = 2;
	add_gpu("0000:09:00.0", "gfx1100", 2, GIB, GR_AMDGPU_DISCRETE);
	struct gr_gpu_mask mask = mask_of("ROCR_VISIBLE_DEVICES=2", blamed, sizeof blamed);
	ck_assert_str_eq(ordinals(mask.gpus, mask.count), "2");
	mask = mask_of("ROCR_VISIBLE_DEVICES=1", blamed, sizeof blamed);
	ck_assert_uint_eq(mask.count, 0);
	mask = mask_of("HIP_VISIBLE_DEVICES=1", blamed, sizeof blamed);
	ck_assert_str_eq(ordinals(mask.gpus, mask.count), "2");
}
END_TEST

START_TEST(mask_with_endless_lists_ends)
{
	char list[8192] = "HIP_VISIBLE_DEVICES=", blamed[64];
	for (int i = 0; i < 1500; i++)
		strcat(list, "0,1,");
	const struct gr_gpu_mask mask = mask_of(list, blamed, sizeof blamed);
	ck_assert_uint_eq(mask.count, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gpu_mask");
	TCase *tc = tcase_create("gpu_mask");
	tcase_add_checked_fixture(tc, four_gpus, NULL);
	tcase_add_loop_test(tc, mask_is_read_as_the_runtime_reads_it, 0, ROWS(masks));
	tcase_add_test(tc, mask_by_uuid_never_means_a_gpu_without_one);
	tcase_add_test(tc, mask_for_cuda_is_nvidias_where_its_driver_is);
	tcase_add_test(tc, mask_counts_foreign_gpus_in_rocr_only);
	tcase_add_test(tc, mask_with_endless_lists_ends);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
