/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "strv.h"

START_TEST(list_when_fresh_is_empty)
{
	struct gr_strv list = GR_STRV_INIT;
	ck_assert_ptr_null(list.items);
	ck_assert_uint_eq(list.count, 0);
	ck_assert(!list.failed);
	gr_strv_release(&list);
}
END_TEST

START_TEST(add_keeps_order_and_ends_with_null)
{
	struct gr_strv list = GR_STRV_INIT;
	char text[24];
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof text, "item %d", i);
		gr_strv_add(&list, text);
		ck_assert_ptr_null(list.items[list.count]);
	}
	ck_assert_uint_eq(list.count, 300);
	ck_assert_str_eq(list.items[0], "item 0");
	ck_assert_str_eq(list.items[299], "item 299");
	ck_assert(!list.failed);
	gr_strv_release(&list);
}
END_TEST

START_TEST(add_copies_text_with_percent_signs_as_it_is)
{
	struct gr_strv list = GR_STRV_INIT;
	gr_strv_add(&list, "100%s%n%d");
	gr_strv_add(&list, "");
	ck_assert_str_eq(list.items[0], "100%s%n%d");
	ck_assert_str_eq(list.items[1], "");
	gr_strv_release(&list);
}
END_TEST

START_TEST(addf_formats_any_length)
{
	static char text[100000];
	struct gr_strv list = GR_STRV_INIT;
	memset(text, 'x', sizeof text - 1);
	gr_strv_addf(&list, "%s=%d", text, -5);
	ck_assert_uint_eq(strlen(list.items[0]), sizeof text - 1 + 3);
	ck_assert_str_eq(list.items[0] + sizeof text - 1, "=-5");
	gr_strv_release(&list);
}
END_TEST

START_TEST(add_env_joins_name_and_value)
{
	struct gr_strv list = GR_STRV_INIT;
	gr_strv_add_env(&list, "A", "x=y");
	gr_strv_add_env(&list, "EMPTY", "");
	ck_assert_str_eq(list.items[0], "A=x=y");
	ck_assert_str_eq(list.items[1], "EMPTY=");
	ck_assert_str_eq(gr_env_get(list.items, "A"), "x=y");
	gr_strv_release(&list);
}
END_TEST

START_TEST(release_twice_is_harmless_and_the_list_usable)
{
	struct gr_strv list = GR_STRV_INIT;
	gr_strv_add(&list, "a");
	gr_strv_release(&list);
	gr_strv_release(&list);
	gr_strv_add(&list, "b");
	ck_assert_str_eq(list.items[0], "b");
	ck_assert_uint_eq(list.count, 1);
	gr_strv_release(&list);
}
END_TEST

START_TEST(add_survives_oom)
{
	static const char *const expected[] = { "a", "42", "N=v" };
	for (long n = 0;; n++) {
		struct gr_strv list = GR_STRV_INIT;
		failmalloc_arm(n);
		gr_strv_add(&list, "a");
		gr_strv_addf(&list, "%d", 42);
		gr_strv_add_env(&list, "N", "v");
		gr_strv_add(&list, "last");
		bool fired = failmalloc_disarm();
		ck_assert(list.failed == fired);
		if (!fired) {
			ck_assert_uint_eq(list.count, 4);
			gr_strv_release(&list);
			break;
		}
		/* What was there stays, what comes after the failure does not. */
		ck_assert_uint_lt(list.count, 4);
		for (size_t i = 0; i < list.count; i++)
			ck_assert_str_eq(list.items[i], expected[i]);
		ck_assert(!list.items || !list.items[list.count]);
		gr_strv_release(&list);
		ck_assert(!list.failed);
	}
}
END_TEST

static char *const env[] = {
	(char *)"PATH=/bin", (char *)"PATHS=/no", (char *)"EMPTY=", (char *)"EQUALS=a=b", (char *)"NOVALUE",
	(char *)"=odd", (char *)"TWICE=first", (char *)"TWICE=second", NULL,
};

static const struct {
	const char *name, *value;
} get_cases[] = {
	{ "PATH", "/bin" }, { "PATHS", "/no" }, { "PAT", NULL }, { "EMPTY", "" }, { "EQUALS", "a=b" }, { "NOVALUE", NULL },
	{ "path", NULL }, { "", "odd" }, { "TWICE", "first" }, { "EQUALS=a", "b" }, { "MISSING", NULL },
};

START_TEST(env_get_finds_the_whole_name)
{
	const char *value = gr_env_get(env, get_cases[_i].name);
	if (get_cases[_i].value)
		ck_assert_pstr_eq(value, get_cases[_i].value);
	else
		ck_assert_ptr_null(value);
}
END_TEST

START_TEST(env_get_in_no_list_is_null)
{
	char *const none[] = { NULL };
	ck_assert_ptr_null(gr_env_get(NULL, "PATH"));
	ck_assert_ptr_null(gr_env_get(none, "PATH"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("strv");
	TCase *tc = tcase_create("strv");
	tcase_add_test(tc, list_when_fresh_is_empty);
	tcase_add_test(tc, add_keeps_order_and_ends_with_null);
	tcase_add_test(tc, add_copies_text_with_percent_signs_as_it_is);
	tcase_add_test(tc, addf_formats_any_length);
	tcase_add_test(tc, add_env_joins_name_and_value);
	tcase_add_test(tc, release_twice_is_harmless_and_the_list_usable);
	tcase_add_test(tc, add_survives_oom);
	tcase_add_loop_test(tc, env_get_finds_the_whole_name, 0, sizeof get_cases / sizeof get_cases[0]);
	tcase_add_test(tc, env_get_in_no_list_is_null);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
