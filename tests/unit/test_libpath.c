/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "fixture_tree.h"
#include "libpath.h"
#include "scratch.h"

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static struct fixture_tree *tree;

static void setup(void)
{
	tree = fixture_tree_new();
	fixture_tree_file(tree, "opt/llama/bin/llama-server", "");
	fixture_tree_file(tree, "opt/llama/bin/libggml.so.0", "");
	fixture_tree_file(tree, "opt/llama/lib/libllama.so", "");
	fixture_tree_file(tree, "opt/llama/lib64/libllama.so", "");
	fixture_tree_file(tree, "opt/llama/library/libllama.so", "");
	fixture_tree_file(tree, "opt/rocm/lib/libamdhip64.so.6", "");
	fixture_tree_file(tree, "opt/ollama/lib/libggml-base.so", "");
	fixture_tree_file(tree, "opt/old/libllama.so.0.0.1", "");
	fixture_tree_file(tree, "opt/src/libllama.h", "");
	fixture_tree_file(tree, "opt/other/liballama.so", "");
	fixture_tree_link(tree, "usr/bin/llama-server", "/opt/llama/bin/llama-server");
	fixture_tree_link(tree, "opt/alias", "ollama/lib");
	fixture_tree_dir(tree, "secret");
	fixture_tree_errno(tree, "secret", EACCES);
}

static void teardown(void)
{
	fixture_tree_free(tree);
}

static const struct {
	const char *value, *server, *kept, *dropped;
} cases[] = {
	{ "", "/opt/llama/bin/llama-server", "", "" },
	{ "/opt/rocm/lib", "/opt/llama/bin/llama-server", "/opt/rocm/lib", "" },
	{ "/opt/ollama/lib:/opt/rocm/lib", "/opt/llama/bin/llama-server", "/opt/rocm/lib", "/opt/ollama/lib" },
	{ "/opt/rocm/lib;/opt/old", "/opt/llama/bin/llama-server", "/opt/rocm/lib", "/opt/old" },
	{ "/opt/old:/opt/ollama/lib", "/opt/llama/bin/llama-server", "", "/opt/old:/opt/ollama/lib" },
	/* what belongs to the server stays */
	{ "/opt/llama/bin:/opt/llama/lib:/opt/llama/lib64", "/opt/llama/bin/llama-server",
	  "/opt/llama/bin:/opt/llama/lib:/opt/llama/lib64", "" },
	{ "/opt/llama/bin/:/opt//llama/lib", "/usr/bin/llama-server", "/opt/llama/bin/:/opt//llama/lib", "" },
	{ "/opt/llama/library", "/opt/llama/bin/llama-server", "", "/opt/llama/library" },
	{ "/opt/llama/lib", "/opt/rocm/lib/llama-server", "", "/opt/llama/lib" },
	/* a link to a foreign build is one */
	{ "/opt/alias", "/opt/llama/bin/llama-server", "", "/opt/alias" },
	/* no library, not the name, not there, not readable, not a folder */
	{ "/opt/src:/opt/other:/nowhere:/secret:/opt/llama/bin/llama-server", "/opt/llama/bin/llama-server",
	  "/opt/src:/opt/other:/nowhere:/secret:/opt/llama/bin/llama-server", "" },
	/* relative to whatever the working directory is */
	{ "lib:./x::$ORIGIN/../lib:/opt/rocm/lib:", "/opt/llama/bin/llama-server", "/opt/rocm/lib", "lib:./x:$ORIGIN/../lib" },
	{ ":::;;", "/opt/llama/bin/llama-server", "", "" },
};

START_TEST(filter_drops_foreign_builds_and_relative_entries)
{
	struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
	gr_libpath_filter(cases[_i].value, cases[_i].server, &tree->ops, &kept, &dropped);
	ck_assert_str_eq(gr_buf_text(&kept), cases[_i].kept);
	ck_assert_str_eq(gr_buf_text(&dropped), cases[_i].dropped);
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}
END_TEST

START_TEST(filter_drops_entries_past_the_cap)
{
	struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
	char value[(GR_LIBPATH_ENTRIES_MAX + 1) * 4 + 1] = "";
	for (int i = 0; i <= GR_LIBPATH_ENTRIES_MAX; i++)
		strcat(value, i == GR_LIBPATH_ENTRIES_MAX ? "/zz:" : "/xx:");
	gr_libpath_filter(value, "/opt/llama/bin/llama-server", &tree->ops, &kept, &dropped);
	ck_assert_uint_eq(kept.len, GR_LIBPATH_ENTRIES_MAX * 4 - 1);
	ck_assert_str_eq(gr_buf_text(&dropped), "/zz");
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}
END_TEST

START_TEST(filter_drops_an_entry_that_is_too_long)
{
	struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
	char value[2 * GR_SYSROOT_PATH_MAX + 16] = "/";
	memset(value + 1, 'x', 2 * GR_SYSROOT_PATH_MAX);
	strcat(value, ":/opt/rocm/lib");
	gr_libpath_filter(value, "/opt/llama/bin/llama-server", &tree->ops, &kept, &dropped);
	ck_assert_str_eq(gr_buf_text(&kept), "/opt/rocm/lib");
	ck_assert_uint_eq(dropped.len, GR_SYSROOT_PATH_MAX - 1);
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}
END_TEST

START_TEST(filter_keeps_what_fits)
{
	struct gr_buf kept = GR_BUF_INIT(8), dropped = GR_BUF_INIT(8);
	gr_libpath_filter("/a:/bbbbbbbbbbbb:/cc:/dddd:rel:relative", "/opt/llama/bin/llama-server", &tree->ops, &kept,
			  &dropped);
	ck_assert_str_eq(gr_buf_text(&kept), "/a:/cc");
	ck_assert_str_eq(gr_buf_text(&dropped), "rel");
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}
END_TEST

/* Below a real folder: the machine of the other tests allocates itself. */
START_TEST(filter_survives_oom)
{
	struct scratch scratch;
	struct gr_sysroot root = GR_SYSROOT_INIT;
	scratch_init(&scratch);
	scratch_dir(&scratch, "old", 0700);
	scratch_write(&scratch, "old/libllama.so.1", "", 0);
	ck_assert_int_eq(gr_sysroot_open(&root, scratch.path), 0);
	for (long n = 0;; n++) {
		struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
		failmalloc_arm(n);
		gr_libpath_filter("/rocm:/old:rel", "/bin/llama-server", &root.ops, &kept, &dropped);
		bool fired = failmalloc_disarm();
		bool good = strcmp(gr_buf_text(&kept), "/rocm") == 0 && strcmp(gr_buf_text(&dropped), "/old:rel") == 0;
		bool foreign = strstr(gr_buf_text(&kept), "/old") != NULL;
		gr_buf_release(&kept);
		gr_buf_release(&dropped);
		ck_assert(!foreign);
		ck_assert(fired != good);
		if (!fired)
			break;
	}
	gr_sysroot_release(&root);
	scratch_release(&scratch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("libpath");
	TCase *tc = tcase_create("libpath");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, filter_drops_foreign_builds_and_relative_entries, 0, ROWS(cases));
	tcase_add_test(tc, filter_drops_entries_past_the_cap);
	tcase_add_test(tc, filter_drops_an_entry_that_is_too_long);
	tcase_add_test(tc, filter_keeps_what_fits);
	tcase_add_test(tc, filter_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
