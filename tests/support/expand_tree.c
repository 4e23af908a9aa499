/* SPDX-License-Identifier: MIT */
/* expand_tree FILE FOLDER: a machine of the fixtures as files, for programs that are started on it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture_tree.h"

static const char *file, *folder;

/* fixture_tree reports its failures to a test. */
START_TEST(expand)
{
	struct fixture_tree *tree = fixture_tree_load(file);
	fixture_tree_write(tree, folder);
	fixture_tree_free(tree);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: expand_tree FILE FOLDER\n", stderr);
		return 2;
	}
	file = argv[1];
	folder = argv[2];
	Suite *suite = suite_create("expand_tree");
	TCase *tc = tcase_create(file);
	tcase_add_test(tc, expand);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	if (failed)
		srunner_print(runner, CK_NORMAL);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
