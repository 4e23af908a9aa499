/* SPDX-License-Identifier: MIT */
#include "env_report.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

static const char *const given[] = { "HSA_OVERRIDE_GFX_VERSION", "ROCM_PATH", NULL };
static const char *const selectors[] = { "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", NULL };
static const struct gr_env_roles roles = { selectors, given };

static void report(char *const *known, const char *block, size_t len)
{
	struct gr_findings out = { NULL, findings_keep, false };
	findings_reset();
	gr_env_report(&out, &roles, known, block, len);
}

static void report_one(const char *variable)
{
	report(NULL, variable, strlen(variable) + 1);
}

static const struct {
	const char *known, *key, *value;
} fates[] = {
	{ "HSA_OVERRIDE_GFX_VERSION=10.3.0", "HSA_OVERRIDE_GFX_VERSION", "\"10.3.0\" (given to the server)" },
	{ "HIP_VISIBLE_DEVICES=", "HIP_VISIBLE_DEVICES", "\"\" (decides which GPU is taken; not given to the server)" },
	{ "LLAMA_SERVER_PATH=/x", "LLAMA_SERVER_PATH", "\"/x\" (used here; not given to the server)" },
};

START_TEST(variable_that_is_known_tells_its_fate)
{
	char *const known[] = { (char *)fates[_i].known, (char *)"PATH=/bin", (char *)"HOME=/home/x", NULL };
	report(known, NULL, 0);
	ck_assert_int_eq(finding_count, 1);
	ck_assert_str_eq(findings_assert("environment", fates[_i].key, "")->value, fates[_i].value);
}
END_TEST

/* What create() copied counts, not what the process was started with. */
START_TEST(variable_that_changed_since_the_start_shows_what_counts)
{
	static const char block[] = "HIP_VISIBLE_DEVICES=old";
	char *const known[] = { (char *)"HIP_VISIBLE_DEVICES=new", NULL };
	report(known, block, sizeof block);
	ck_assert_int_eq(finding_count, 1);
	findings_assert("environment", "HIP_VISIBLE_DEVICES", "\"new\"");
}
END_TEST

static const char *const shown[] = {
	"HIP_LAUNCH_BLOCKING=1", "ROCR_X=1", "HSA_ENABLE_DEBUG=1", "GGML_VK_VISIBLE_DEVICES=0", "LLAMA_ARG_CTX_SIZE=64",
	"CUDA_VISIBLE_DEVICES=0", "GPU_DEVICE_ORDINAL=0", "VK_ICD_FILENAMES=/x.json", "LD_LIBRARY_PATH=/opt/rocm/lib",
};

START_TEST(variable_of_the_families_is_shown)
{
	report_one(shown[_i]);
	ck_assert_int_eq(finding_count, 1);
	ck_assert_ptr_nonnull(strstr(findings[0].value, "not given to the server"));
	ck_assert_int_eq(strncmp(findings[0].key, shown[_i], strlen(findings[0].key)), 0);
}
END_TEST

static const char *const hidden[] = {
	"AWS_SECRET_ACCESS_KEY=x", "PATH=/bin", "USER=alice", "HIP=1", "LD_LIBRARY_PATHS=1", "MY_HIP_X=1", "HIP_NO_VALUE", "=x", "",
	"HIP_A B=1", "HIP_\x01=1", "VK_\xff=1",
};

START_TEST(variable_of_others_is_not_shown)
{
	report_one(hidden[_i]);
	ck_assert_int_eq(finding_count, 0);
}
END_TEST

static const char *const secrets[] = {
	"LLAMA_API_KEY=planted", "LLAMA_ARG_API_KEY=planted", "LLAMA_ARG_HF_TOKEN=planted", "GGML_secret=planted",
	"GPU_CLOUD_PASSWORD=planted", "VK_AUTH=planted", "HSA_Credential_X=planted", "VK_PWD=planted",
	"LLAMA_ARG_MODEL_URL=https://me:planted@host/x.gguf",
};

START_TEST(secret_is_named_and_never_shown)
{
	char *const known[] = { (char *)secrets[_i], NULL };
	report_one(secrets[_i]);
	ck_assert_int_eq(finding_count, 1);
	ck_assert_ptr_nonnull(strstr(findings[0].value, "(set, not shown; not given to the server)"));
	findings_assert_nowhere("planted");
	report(known, NULL, 0);
	ck_assert_int_eq(finding_count, 1);
	findings_assert_nowhere("planted");
}
END_TEST

START_TEST(value_past_the_cap_is_cut_and_says_so)
{
	char variable[GR_ENV_REPORT_VALUE_MAX + 32] = "HIP_X=";
	size_t len = GR_ENV_REPORT_VALUE_MAX + (size_t)_i;
	memset(variable + 6, 'v', len);
	report_one(variable);
	ck_assert_uint_eq(strspn(findings[0].value + 1, "v"), GR_ENV_REPORT_VALUE_MAX);
	ck_assert_int_eq(strstr(findings[0].value, "...") != NULL, _i);
}
END_TEST

/* The kernel's block may be cut, and the program may have written over it: nothing is read behind its end. */
START_TEST(block_cut_anywhere_shows_whole_variables_only)
{
	static const char whole[] = "HIP_A=1\0junk\0\0HSA_B=22\0LLAMA_C=333";
	for (size_t len = 0; len <= sizeof whole; len++) {
		char *copy = malloc(len ? len : 1);
		memcpy(copy, whole, len);
		report(NULL, copy, len);
		ck_assert_int_eq(finding_count, (len > 7) + (len > 22) + (len >= sizeof whole));
		free(copy);
	}
}
END_TEST

START_TEST(strangers_are_counted_out_at_the_cap)
{
	char block[GR_ENV_REPORT_STRANGERS_MAX * 16 + 64] = "";
	size_t len = 0;
	for (int i = 0; i <= GR_ENV_REPORT_STRANGERS_MAX; i++)
		len += (size_t)sprintf(block + len, "HIP_%d=1", i) + 1;
	report(NULL, block, len);
	ck_assert_int_eq(finding_count, GR_ENV_REPORT_STRANGERS_MAX);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("env_report");
	TCase *tc = tcase_create("env_report");
	tcase_add_loop_test(tc, variable_that_is_known_tells_its_fate, 0, ROWS(fates));
	tcase_add_test(tc, variable_that_changed_since_the_start_shows_what_counts);
	tcase_add_loop_test(tc, variable_of_the_families_is_shown, 0, ROWS(shown));
	tcase_add_loop_test(tc, variable_of_others_is_not_shown, 0, ROWS(hidden));
	tcase_add_loop_test(tc, secret_is_named_and_never_shown, 0, ROWS(secrets));
	tcase_add_loop_test(tc, value_past_the_cap_is_cut_and_says_so, 0, 2);
	tcase_add_test(tc, block_cut_anywhere_shows_whole_variables_only);
	tcase_add_test(tc, strangers_are_counted_out_at_the_cap);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
