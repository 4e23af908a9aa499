/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "adapters.h"
#include "failmalloc.h"

static const struct {
	const char *text;
	size_t count;
	const char *path;		/* of the last */
	float scale;			/* of the last */
} good_cases[] = {
	{ "/a.gguf", 1, "/a.gguf", 1 },
	{ "/a.gguf:0", 1, "/a.gguf", 0 },
	{ "/a.gguf:0.5", 1, "/a.gguf", 0.5f },
	{ "/a.gguf:-0.25", 1, "/a.gguf", -0.25f },
	{ "/a.gguf:1e-3", 1, "/a.gguf", 1e-3f },
	{ "/a.gguf:123456789012345", 1, "/a.gguf", 123456789012345.f },
	{ "/a,/b", 2, "/b", 1 },
	{ "/a:0.1,/b:0.2,/c c:0.75", 3, "/c c", 0.75f },
	{ "/a:b:3", 1, "/a:b", 3 },
	{ "/a.gguf:-0", 1, "/a.gguf", 0 },
};

START_TEST(parse_gives_paths_and_scales)
{
	struct gr_adapters adapters = { 0 };
	ck_assert_int_eq(gr_adapters_parse(&adapters, good_cases[_i].text, NULL), INF_OK);
	ck_assert_uint_eq(adapters.count, good_cases[_i].count);
	const struct gr_adapter *last = &adapters.items[adapters.count - 1];
	ck_assert_str_eq(last->path, good_cases[_i].path);
	ck_assert_float_eq(last->scale, good_cases[_i].scale);
	gr_adapters_release(&adapters);
}
END_TEST

static const struct {
	const char *text, *reason, *word;
} bad_cases[] = {
	{ "", "adapter_path", "empty" }, { ",", "adapter_path", "empty" }, { "/a,", "adapter_path", "empty" },
	{ ",/a", "adapter_path", "empty" }, { "/a,,/b", "adapter_path", "empty" }, { "a.gguf", "adapter_path", "\"a.gguf\"" },
	{ ":1", "adapter_path", "\"\"" }, { "/a,b:1", "adapter_path", "\"b\"" }, { "/a:", "adapter_scale", "\"\"" },
	{ "/a:b.gguf", "adapter_scale", "\"b.gguf\"" }, { "/a:nan", "adapter_scale", "\"nan\"" },
	{ "/a:inf", "adapter_scale", "\"inf\"" }, { "/a:1e39", "adapter_scale", "\"1e39\"" }, { "/a:-1e39", "adapter_scale", "\"-1e39\"" }, { "/a:0x1", "adapter_scale", "\"0x1\"" },
	{ "/a: 1", "adapter_scale", "\" 1\"" }, { "/a:+1", "adapter_scale", "\"+1\"" }, { "/a:-", "adapter_scale", "\"-\"" },
	{ "/a:.", "adapter_scale", "\".\"" }, { "/a:1.2.3", "adapter_scale", "\"1.2.3\"" }, { "/a:0,5", "adapter_path", "\"5\"" },
	{ "/a:2.", "adapter_scale", "\"2.\"" },
};

START_TEST(parse_refuses_what_is_no_list_and_says_where)
{
	struct gr_adapters adapters = { 0 };
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_adapters_parse(&adapters, bad_cases[_i].text, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, bad_cases[_i].reason);
	ck_assert_msg(strstr(err.message, bad_cases[_i].word) != NULL, "%s", err.message);
	gr_adapters_release(&adapters);
}
END_TEST

START_TEST(add_takes_colons_and_no_comma)
{
	struct gr_adapters adapters = { 0 };
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_adapters_add(&adapters, "/a:0.5", &err), INF_OK);
	ck_assert_str_eq(adapters.items[0].path, "/a:0.5");
	ck_assert_float_eq(adapters.items[0].scale, 1);
	ck_assert_int_eq(gr_adapters_add(&adapters, "/a,b", &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "adapter_path");
	ck_assert_int_eq(gr_adapters_add(&adapters, "a", &err), INF_E_INVALID);
	ck_assert_uint_eq(adapters.count, 1);
	gr_adapters_release(&adapters);
}
END_TEST

START_TEST(list_holds_no_more_than_its_cap)
{
	struct gr_adapters adapters = { 0 };
	inf_error err = { .struct_size = sizeof err };
	for (int i = 0; i < GR_ADAPTERS_MAX; i++)
		ck_assert_int_eq(gr_adapters_parse(&adapters, "/a", &err), INF_OK);
	ck_assert_int_eq(gr_adapters_parse(&adapters, "/a", &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "adapter_count");
	ck_assert_uint_eq(adapters.count, GR_ADAPTERS_MAX);
	gr_adapters_release(&adapters);
}
END_TEST

START_TEST(path_holds_no_more_than_the_system_takes)
{
	char path[PATH_MAX + 1];
	struct gr_adapters adapters = { 0 };
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ck_assert_int_eq(gr_adapters_add(&adapters, path, NULL), INF_E_INVALID);
	path[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(gr_adapters_add(&adapters, path, NULL), INF_OK);
	gr_adapters_release(&adapters);
	gr_adapters_release(NULL);
}
END_TEST

START_TEST(parse_survives_oom)
{
	for (long n = 0;; n++) {
		struct gr_adapters adapters = { 0 };
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = gr_adapters_parse(&adapters, "/a:0.5,/b,/c", &err);
		bool fired = failmalloc_disarm();
		gr_adapters_release(&adapters);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("adapters");
	TCase *tc = tcase_create("adapters");
	tcase_add_loop_test(tc, parse_gives_paths_and_scales, 0, sizeof good_cases / sizeof good_cases[0]);
	tcase_add_loop_test(tc, parse_refuses_what_is_no_list_and_says_where, 0, sizeof bad_cases / sizeof bad_cases[0]);
	tcase_add_test(tc, add_takes_colons_and_no_comma);
	tcase_add_test(tc, list_holds_no_more_than_its_cap);
	tcase_add_test(tc, path_holds_no_more_than_the_system_takes);
	tcase_add_test(tc, parse_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
