/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fixture_tree.h"
#include "oom.h"

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))
#define EVENTS "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"
#define CONTROL "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"

static const struct {
	const char *groups, *path, *text, *other_path, *other_text;
	int64_t kills;
} counts[] = {
	{ "0::/user.slice/a.scope\n", "sys/fs/cgroup/user.slice/a.scope/memory.events", EVENTS, NULL, NULL, 2 },
	{ "0::/\n", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, 2 },
	/* a container that does not see its own path */
	{ "0::/docker/0a1b\n", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, 2 },
	{ "0::/../../x\n", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", EVENTS, "sys/fs/cgroup/memory.events", "oom_kill 99\n", 2 },
	/* version 1, alone and beside version 2 */
	{ "5:devices:/\n4:memory:/x\n", "sys/fs/cgroup/memory/x/memory.oom_control", CONTROL, NULL, NULL, 7 },
	{ "4:cpu,memory:/x\n", "sys/fs/cgroup/memory/x/memory.oom_control", CONTROL, NULL, NULL, 7 },
	{ "4:memory:/hidden\n0::/\n", "sys/fs/cgroup/memory/memory.oom_control", CONTROL, NULL, NULL, 7 },
	{ "4:memory:/x\n0::/y\n", "sys/fs/cgroup/memory/x/memory.oom_control", CONTROL, "sys/fs/cgroup/y/memory.events",
	  EVENTS, 7 },
	{ "4:memory:/x\n0::/y\n", "sys/fs/cgroup/y/memory.events", EVENTS, "sys/fs/cgroup/memory/x/memory.oom_control",
	  "oom_kill_disable 0\nunder_oom 0\n", 2 },	/* a kernel that does not count yet */
	{ "4:memory_recursive:/x\n", "sys/fs/cgroup/memory/x/memory.oom_control", CONTROL, NULL, NULL, -1 },
	{ "4:memory:/x:y\n", "sys/fs/cgroup/memory/x:y/memory.oom_control", CONTROL, NULL, NULL, 7 },
	/* what no kernel writes */
	{ "", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, -1 },
	{ "nonsense\n0:\n::\n:\n", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, -1 },
	{ "0::relative\n", "sys/fs/cgroup/memory.events", EVENTS, NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill\n", NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill -1\n", NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill 18446744073709551615\n", NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill 9223372036854775808\n", NULL, NULL, -1 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill 9223372036854775807\n", NULL, NULL, INT64_MAX },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "xoom_kill 5\noom_kill 6\n", NULL, NULL, 6 },
	{ "0::/a\n", "sys/fs/cgroup/a/memory.events", "oom_kill 6", NULL, NULL, -1 },	/* no whole line */
};

START_TEST(look_reads_the_count_of_our_own_group)
{
	struct fixture_tree *tree = fixture_tree_new();
	struct gr_oom oom;
	fixture_tree_file(tree, "proc/self/cgroup", counts[_i].groups);
	fixture_tree_file(tree, counts[_i].path, counts[_i].text);
	if (counts[_i].other_path)
		fixture_tree_file(tree, counts[_i].other_path, counts[_i].other_text);
	gr_oom_look(&oom, &tree->ops);
	ck_assert_int_eq(oom.kills, counts[_i].kills);
	ck_assert_uint_eq(oom.available_bytes, 0);
	fixture_tree_free(tree);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes;
} memories[] = {
	{ "MemTotal:       24684016 kB\nMemFree:         1000000 kB\nMemAvailable:    2000000 kB\n", UINT64_C(2048000000) },
	{ "MemTotal: 1 kB\n", 0 },
	{ "MemAvailable: 18446744073709551615 kB\n", 0 },
	{ "MemAvailable: x kB\n", 0 },
};

START_TEST(look_reads_the_memory_that_is_available)
{
	struct fixture_tree *tree = fixture_tree_new();
	struct gr_oom oom;
	fixture_tree_file(tree, "proc/meminfo", memories[_i].text);
	gr_oom_look(&oom, &tree->ops);
	ck_assert_uint_eq(oom.available_bytes, memories[_i].bytes);
	ck_assert_int_eq(oom.kills, -1);
	fixture_tree_free(tree);
}
END_TEST

START_TEST(look_that_may_not_read_knows_nothing)
{
	struct fixture_tree *tree = fixture_tree_new();
	struct gr_oom oom = { 5, 5 };
	fixture_tree_file(tree, "proc/self/cgroup", "0::/a\n");
	fixture_tree_errno(tree, "sys/fs/cgroup/a/memory.events", EACCES);
	fixture_tree_errno(tree, "proc/meminfo", EIO);
	gr_oom_look(&oom, &tree->ops);
	ck_assert_int_eq(oom.kills, -1);
	ck_assert_uint_eq(oom.available_bytes, 0);
	fixture_tree_free(tree);
}
END_TEST

START_TEST(look_at_a_path_that_is_too_long_takes_the_root)
{
	struct fixture_tree *tree = fixture_tree_new();
	struct gr_oom oom;
	char groups[GR_SYSROOT_PATH_MAX + 8] = "0::/";
	memset(groups + 4, 'g', GR_SYSROOT_PATH_MAX - 8);
	strcat(groups, "\n");
	fixture_tree_file(tree, "proc/self/cgroup", groups);
	fixture_tree_file(tree, "sys/fs/cgroup/memory.events", EVENTS);
	gr_oom_look(&oom, &tree->ops);
	ck_assert_int_eq(oom.kills, 2);
	fixture_tree_free(tree);
}
END_TEST

/* Whatever this machine has, it is read without harm; memory is always told. */
START_TEST(look_at_this_machine_finds_its_memory)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct gr_oom oom;
	ck_assert_int_eq(gr_sysroot_open(&root, "/"), 0);
	gr_oom_look(&oom, &root.ops);
	ck_assert_uint_gt(oom.available_bytes, 0);
	ck_assert_int_ge(oom.kills, -1);
	gr_sysroot_release(&root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("oom");
	TCase *tc = tcase_create("oom");
	tcase_add_loop_test(tc, look_reads_the_count_of_our_own_group, 0, ROWS(counts));
	tcase_add_loop_test(tc, look_reads_the_memory_that_is_available, 0, ROWS(memories));
	tcase_add_test(tc, look_that_may_not_read_knows_nothing);
	tcase_add_test(tc, look_at_a_path_that_is_too_long_takes_the_root);
	tcase_add_test(tc, look_at_this_machine_finds_its_memory);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
