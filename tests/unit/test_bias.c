/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bias.h"

START_TEST(entries_come_one_after_another)
{
	const char *at = "15:2.5,0:-1e3,2147483647:false,7:-inf";
	const struct gr_bias expected[] = {
		{ 15, false, 2.5 }, { 0, false, -1000 }, { INT32_MAX, true, 0 }, { 7, true, 0 },
	};
	struct gr_bias bias;
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_TAKEN);
		ck_assert_int_eq(bias.id, expected[i].id);
		ck_assert_int_eq(bias.never, expected[i].never);
		ck_assert_double_eq(bias.added, expected[i].added);
	}
	ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_END);
	ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_END);
}
END_TEST

static const char *const malformed[] = {
	"", ",", ":", "15", "15:", ":1", "15:x", "x:1", "15:true", "15:inf", "15:nan", "15:-Inf", "15:FALSE", "15 :1",
	"15: 1", "15:1:2", "15=1", "1.5:1", "15,16:1", "15:1000001", "15:-1000001", "99999999999:1", "15:1;16:1",
};

START_TEST(entry_that_is_none_is_refused)
{
	const char *at = malformed[_i];
	struct gr_bias bias;
	ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_MALFORMED);
}
END_TEST

START_TEST(comma_at_the_end_is_refused)
{
	const char *at = "1:2,";
	struct gr_bias bias;
	ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_TAKEN);
	ck_assert_int_eq(gr_bias_next(&at, &bias), GR_BIAS_MALFORMED);
}
END_TEST

START_TEST(bias_at_the_cap_is_taken)
{
	struct gr_bias bias;
	const char *most = "1:1000000", *least = "1:-1e6";
	ck_assert_int_eq(gr_bias_next(&most, &bias), GR_BIAS_TAKEN);
	ck_assert_double_eq(bias.added, GR_BIAS_MAX);
	ck_assert_int_eq(gr_bias_next(&least, &bias), GR_BIAS_TAKEN);
	ck_assert_double_eq(bias.added, -GR_BIAS_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bias");
	TCase *tc = tcase_create("bias");
	tcase_add_test(tc, entries_come_one_after_another);
	tcase_add_loop_test(tc, entry_that_is_none_is_refused, 0, (int)(sizeof malformed / sizeof malformed[0]));
	tcase_add_test(tc, comma_at_the_end_is_refused);
	tcase_add_test(tc, bias_at_the_cap_is_taken);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
