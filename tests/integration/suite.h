/* SPDX-License-Identifier: MIT */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdlib.h>

#include "process.h"

/* Each test runs in a process of its own and must give back every thread, descriptor and child it took. */
static struct process_census suite_before;

static void suite_setup(void)
{
	suite_before = census_take();
}

static void suite_teardown(void)
{
	census_assert_restored(&suite_before);
}

/* Run one test case of plain tests and exit with its verdict. */
#define RUN_SUITE(name, seconds, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		Suite *suite = suite_create(name); \
		TCase *tc = tcase_create(name); \
		tcase_set_timeout(tc, seconds); \
		tcase_add_checked_fixture(tc, suite_setup, suite_teardown); \
		for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) \
			tcase_add_test(tc, tests[i]); \
		suite_add_tcase(suite, tc); \
		SRunner *runner = srunner_create(suite); \
		srunner_run_all(runner, CK_NORMAL); \
		int failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
	}

#endif
