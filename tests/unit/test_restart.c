/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "restart.h"

static struct gr_restart restart;

static void setup(void)
{
	restart = (struct gr_restart){ 0 };
}

START_TEST(wait_doubles_with_each_end_in_a_row)
{
	static const char *const reasons[] = { "a", "b", "a", "b", "a" };
	static const int64_t waits[] = { 0, 1000, 2000, 4000, 8000 };
	setup();
	for (int i = 0; i < 5; i++) {
		gr_restart_ended(&restart, 1000, reasons[i]);
		ck_assert_int_eq(gr_restart_wait_ms(&restart, 1000), waits[i]);
	}
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 5000), 4000);
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 9000), 0);
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 99000), 0);
}
END_TEST

START_TEST(same_reason_again_and_again_is_given_up)
{
	setup();
	for (int i = 0; i < GR_RESTART_SAME_MAX; i++) {
		ck_assert_int_ge(gr_restart_wait_ms(&restart, 1000), 0);
		gr_restart_ended(&restart, 1000, "model_rejected");
	}
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 1000000000), -1);
}
END_TEST

START_TEST(different_reasons_are_given_up_later)
{
	static const char *const reasons[] = { "a", "b", "c", "d", "e", "f" };
	setup();
	for (int i = 0; i < GR_RESTART_ROW_MAX; i++) {
		ck_assert_int_ge(gr_restart_wait_ms(&restart, 1000), 0);
		gr_restart_ended(&restart, 1000, reasons[i]);
	}
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 1000000000), -1);
}
END_TEST

START_TEST(completed_request_takes_it_back)
{
	setup();
	for (int i = 0; i < 8; i++) {
		gr_restart_ended(&restart, i * 1000, "server_died");
		ck_assert_int_eq(gr_restart_wait_ms(&restart, i * 1000), 0);
		gr_restart_worked(&restart);
	}
}
END_TEST

START_TEST(ends_beyond_the_budget_have_to_be_earned)
{
	setup();
	for (int i = 0; i < GR_RESTART_BUDGET; i++) {
		gr_restart_ended(&restart, 5000, "server_died");
		gr_restart_worked(&restart);
		ck_assert_int_eq(gr_restart_wait_ms(&restart, 5000), 0);
	}
	gr_restart_ended(&restart, 5000, "server_died");
	gr_restart_worked(&restart);
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 5000), GR_RESTART_EARN_MS);
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 5000 + GR_RESTART_EARN_MS), 0);
}
END_TEST

START_TEST(given_up_is_given_up)
{
	setup();
	gr_restart_give_up(&restart);
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 0), -1);
}
END_TEST

START_TEST(long_reason_is_compared_by_what_is_kept)
{
	setup();
	for (int i = 0; i < GR_RESTART_SAME_MAX; i++)
		gr_restart_ended(&restart, 0, "a_reason_of_thirty_one_letters_");
	ck_assert_int_eq(gr_restart_wait_ms(&restart, 0), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("restart");
	TCase *tc = tcase_create("restart");
	tcase_add_test(tc, wait_doubles_with_each_end_in_a_row);
	tcase_add_test(tc, same_reason_again_and_again_is_given_up);
	tcase_add_test(tc, different_reasons_are_given_up_later);
	tcase_add_test(tc, completed_request_takes_it_back);
	tcase_add_test(tc, ends_beyond_the_budget_have_to_be_earned);
	tcase_add_test(tc, given_up_is_given_up);
	tcase_add_test(tc, long_reason_is_compared_by_what_is_kept);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
