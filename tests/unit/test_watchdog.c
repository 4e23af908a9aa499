/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "watchdog.h"

enum { LIMIT = 5000 };

static struct gr_watchdog dog;

START_TEST(expired_after_the_limit_without_an_event)
{
	gr_watchdog_begin(&dog, LIMIT, 100);
	ck_assert(!gr_watchdog_expired(&dog, 100 + LIMIT - 1));
	ck_assert(gr_watchdog_expired(&dog, 100 + LIMIT));
	gr_watchdog_event(&dog, 4000);
	ck_assert(!gr_watchdog_expired(&dog, 100 + LIMIT));
	ck_assert(gr_watchdog_expired(&dog, 4000 + LIMIT));
}
END_TEST

START_TEST(look_is_wanted_once_a_second_without_an_event)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	ck_assert(!gr_watchdog_wants_look(&dog, GR_WATCHDOG_LOOK_MS - 1));
	ck_assert(gr_watchdog_wants_look(&dog, GR_WATCHDOG_LOOK_MS));
	gr_watchdog_look(&dog, GR_WATCHDOG_LOOK_MS, 7);
	ck_assert(!gr_watchdog_wants_look(&dog, GR_WATCHDOG_LOOK_MS + 1));
	gr_watchdog_event(&dog, 3000);
	ck_assert(!gr_watchdog_wants_look(&dog, 3500));
}
END_TEST

/* The child uses so many ms of CPU in each second, for so many seconds. */
static void live(int64_t cpu_per_second, int seconds)
{
	for (int i = 1; i <= seconds; i++)
		gr_watchdog_look(&dog, i * 1000, i * cpu_per_second);
}

START_TEST(child_that_computes_is_given_more_time)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	live(50, 20);
	ck_assert(!gr_watchdog_expired(&dog, 20000 + LIMIT - 1));
	ck_assert(gr_watchdog_expired(&dog, 20000 + LIMIT));
}
END_TEST

START_TEST(child_that_only_keeps_the_connection_alive_is_not)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	live(49, 5);
	ck_assert(gr_watchdog_expired(&dog, LIMIT));
}
END_TEST

START_TEST(child_that_spins_is_given_up_in_the_end)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	live(1000, LIMIT * GR_WATCHDOG_PATIENCE / 1000);
	ck_assert(!gr_watchdog_expired(&dog, LIMIT * GR_WATCHDOG_PATIENCE - 1));
	ck_assert(gr_watchdog_expired(&dog, LIMIT * GR_WATCHDOG_PATIENCE));
}
END_TEST

START_TEST(first_look_knows_nothing_to_compare_with)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	gr_watchdog_look(&dog, 1000, 999999);
	ck_assert(gr_watchdog_expired(&dog, LIMIT));
}
END_TEST

START_TEST(time_in_callbacks_does_not_count)
{
	gr_watchdog_begin(&dog, LIMIT, 0);
	gr_watchdog_excuse(&dog, 60000);
	ck_assert(!gr_watchdog_expired(&dog, 60000 + LIMIT - 1));
	ck_assert(gr_watchdog_expired(&dog, 60000 + LIMIT));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tc = tcase_create("watchdog");
	tcase_add_test(tc, expired_after_the_limit_without_an_event);
	tcase_add_test(tc, look_is_wanted_once_a_second_without_an_event);
	tcase_add_test(tc, child_that_computes_is_given_more_time);
	tcase_add_test(tc, child_that_only_keeps_the_connection_alive_is_not);
	tcase_add_test(tc, child_that_spins_is_given_up_in_the_end);
	tcase_add_test(tc, first_look_knows_nothing_to_compare_with);
	tcase_add_test(tc, time_in_callbacks_does_not_count);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
