/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "wake.h"

START_TEST(slept_tells_one_caller_after_each_sleep)
{
	struct gr_wake wake = { 0 };
	gr_wake_slept(&wake, 700000, 500000);	/* the sleep before we were there */
	ck_assert(!gr_wake_slept(&wake, 710000, 510000));
	ck_assert(gr_wake_slept(&wake, 720000, 511000));
	ck_assert(!gr_wake_slept(&wake, 720000, 511000));
	ck_assert(gr_wake_slept(&wake, 800000, 511001));
}
END_TEST

START_TEST(slept_does_not_take_a_pause_between_two_clocks_for_sleep)
{
	struct gr_wake wake = { 0 };
	gr_wake_slept(&wake, 100000, 50000);
	ck_assert(!gr_wake_slept(&wake, 100000 + GR_WAKE_SLEEP_MS - 1, 50000));
	ck_assert(gr_wake_slept(&wake, 100000 + GR_WAKE_SLEEP_MS, 50000));
}
END_TEST

START_TEST(slept_is_not_confused_by_clocks_that_go_back)
{
	struct gr_wake wake = { 0 };
	gr_wake_slept(&wake, 100000, 50000);
	ck_assert(!gr_wake_slept(&wake, 90000, 50000));
	ck_assert(!gr_wake_slept(&wake, 100000, 50000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wake");
	TCase *tc = tcase_create("wake");
	tcase_add_test(tc, slept_tells_one_caller_after_each_sleep);
	tcase_add_test(tc, slept_does_not_take_a_pause_between_two_clocks_for_sleep);
	tcase_add_test(tc, slept_is_not_confused_by_clocks_that_go_back);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
