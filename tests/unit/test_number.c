/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "scratch.h"

static const struct {
	const char *text;
	bool is_integer, is_real;
	double value;
} cases[] = {
	{ "0", true, true, 0 }, { "7", true, true, 7 }, { "-7", true, true, -7 }, { "007", true, true, 7 },
	{ "2147483647", true, true, 2147483647 }, { "2147483648", false, true, 2147483648 },
	{ "-2147483648", true, true, -2147483648.0 }, { "-2147483649", false, true, -2147483649.0 },
	{ "99999999999999999999999", false, true, 1e23 },
	{ "1.5", false, true, 1.5 }, { "-0.25", false, true, -0.25 }, { "1e3", false, true, 1000 },
	{ "2.5E-1", false, true, 0.25 }, { "1e+2", false, true, 100 },
	{ "", false, false, 0 }, { "-", false, false, 0 }, { "+1", false, false, 0 }, { " 1", false, false, 0 },
	{ "1 ", false, false, 0 }, { "1x", false, false, 0 }, { "--1", false, false, 0 }, { "0x10", false, false, 0 },
	{ "1,5", false, false, 0 }, { ".5", false, false, 0 }, { "5.", false, false, 0 }, { "1.e3", false, false, 0 },
	{ "1e", false, false, 0 }, { "1e+", false, false, 0 }, { "1.5.5", false, false, 0 }, { "e3", false, false, 0 },
	{ "nan", false, false, 0 }, { "inf", false, false, 0 }, { "-inf", false, false, 0 }, { "1e999", false, false, 0 },
	{ "\xd9\xa4", false, false, 0 },
};

START_TEST(number_is_taken_whole_or_not_at_all)
{
	int32_t integer = 77;
	double real = 77;
	size_t len = strlen(cases[_i].text);
	ck_assert_msg(gr_number_integer(cases[_i].text, len, &integer) == cases[_i].is_integer, "\"%s\"", cases[_i].text);
	ck_assert_msg(gr_number_real(cases[_i].text, len, &real) == cases[_i].is_real, "\"%s\"", cases[_i].text);
	ck_assert_int_eq(integer, cases[_i].is_integer ? (int32_t)cases[_i].value : 77);
	ck_assert_double_eq(real, cases[_i].is_real ? cases[_i].value : 77);
}
END_TEST

START_TEST(number_ends_where_its_length_says)
{
	int32_t integer;
	double real;
	ck_assert(gr_number_integer("12345", 2, &integer));
	ck_assert_int_eq(integer, 12);
	ck_assert(gr_number_real("0..1", 1, &real));
	ck_assert_double_eq(real, 0);
	ck_assert(!gr_number_integer("1\0" "2", 3, &integer));
	ck_assert(!gr_number_real("1\0" "2", 3, &real));
}
END_TEST

START_TEST(number_at_the_cap_is_read_and_one_past_it_is_not)
{
	char text[GR_NUMBER_TEXT_MAX + 2];
	int32_t integer;
	double real;
	memset(text, '0', sizeof text);
	ck_assert(gr_number_integer(text, GR_NUMBER_TEXT_MAX, &integer));
	ck_assert(gr_number_real(text, GR_NUMBER_TEXT_MAX, &real));
	ck_assert(!gr_number_integer(text, GR_NUMBER_TEXT_MAX + 1, &integer));
	ck_assert(!gr_number_real(text, GR_NUMBER_TEXT_MAX + 1, &real));
}
END_TEST

/* A locale with a decimal comma, made here: few machines have one. Without localedef there is nothing to show. */
START_TEST(number_does_not_heed_the_locale)
{
	static const char source[] = "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n";
	struct scratch scratch;
	char command[512];
	double real;
	scratch_init(&scratch);
	const char *path = scratch_write(&scratch, "source", source, sizeof source - 1);
	snprintf(command, sizeof command, "localedef --no-archive -c -i '%s' -f ISO-8859-1 '%s/xx_XX' >'%s/log' 2>&1", path,
		 scratch.path, scratch.path);
	setenv("LOCPATH", scratch.path, 1);
	if (system(command) != -1 && setlocale(LC_NUMERIC, "xx_XX"))
		ck_assert_double_eq(strtod("1.5", NULL), 1);
	ck_assert(gr_number_real("1.5", 3, &real));
	ck_assert_double_eq(real, 1.5);
	ck_assert(!gr_number_real("1,5", 3, &real));
	scratch_release(&scratch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("number");
	TCase *tc = tcase_create("number");
	tcase_add_loop_test(tc, number_is_taken_whole_or_not_at_all, 0, (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(tc, number_ends_where_its_length_says);
	tcase_add_test(tc, number_at_the_cap_is_read_and_one_past_it_is_not);
	tcase_add_test(tc, number_does_not_heed_the_locale);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
