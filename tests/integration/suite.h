/* SPDX-License-Identifier: MIT */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdlib.h>

/* Run one test case of plain tests and exit with its verdict. */
#define RUN_SUITE(name, seconds, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		Suite *suite = suite_create(name); \
		TCase *tc = tcase_create(name); \
		tcase_set_timeout(tc, seconds); \
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
