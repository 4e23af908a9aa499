/* SPDX-License-Identifier: MIT */
#include "pathtrust.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

enum { STRANGER = 12345 };

static struct scratch dir;
static struct ic_owners us;
static inf_error why;

static void setup(void)
{
	scratch_init(&dir);
	us = ic_owners_of(geteuid(), NULL);
	why = (inf_error){ .struct_size = sizeof why };
	scratch_dir(&dir, "a", 0755);
	scratch_dir(&dir, "a/b", 0755);
	scratch_dir(&dir, "other", 0755);
	scratch_write(&dir, "a/b/file", "x", 1);
	scratch_write(&dir, "other/file", "x", 1);
}

static void teardown(void)
{
	scratch_release(&dir);
}

static void expect(const char *name, const char *reason)
{
	const char *path = scratch_at(&dir, name);
	why = (inf_error){ .struct_size = sizeof why };
	inf_status st = ic_pathtrust_check(path, &us, &why);
	ck_assert_msg(st == (reason[0] ? INF_E_UNAVAILABLE : INF_OK) && !strcmp(why.reason, reason), "%s: %s: %s", name,
		      why.reason, why.message);
	ck_assert_int_eq(ic_pathtrust_check(path, &us, NULL), st);
}

static void set_mode(const char *name, mode_t mode)
{
	ck_assert_int_eq(chmod(scratch_at(&dir, name), mode), 0);
}

/* False where nobody may give files away: then there is nothing to test. */
static int give_away(const char *name)
{
	return lchown(scratch_at(&dir, name), STRANGER, STRANGER) == 0;
}

static const char *const parts[] = { "a/b/file", "a/b", "a" };
static const char *const part_names[] = { "the file ", "its directory ", "the directory above it, " };
static const mode_t writable[] = { 0775, 0757, 0777 };
enum { PARTS = 3, MODES = 3 };

START_TEST(path_nobody_else_can_change_is_trusted)
{
	expect("a/b/file", "");
	expect("a//b/./../b/file", "");
	ck_assert_str_eq(why.message, "");
}
END_TEST

START_TEST(part_writable_by_others_is_refused_and_named)
{
	bool own_group = geteuid() && getegid() == geteuid();
	set_mode(parts[_i % PARTS], writable[_i / PARTS]);
	if (own_group && writable[_i / PARTS] == 0775)
		return;
	expect("a/b/file", "mode");
	ck_assert_ptr_eq(strstr(why.message, part_names[_i % PARTS]), why.message);
	ck_assert_ptr_nonnull(strstr(why.message, ": chmod go-w /"));
}
END_TEST

/* For the user whose number the group has, and for nobody else. */
START_TEST(group_of_the_users_own_number_may_write)
{
	const char *part = parts[_i];
	if (!give_away(part))
		return;
	us = ic_owners_of(STRANGER, NULL);
	set_mode(part, 0775);
	expect("a/b/file", "");
	set_mode(part, 0777);
	expect("a/b/file", "mode");
	ck_assert_int_eq(lchown(scratch_at(&dir, part), STRANGER, STRANGER + 1), 0);
	set_mode(part, 0775);
	expect("a/b/file", "mode");
	us = ic_owners_of(0, "12345");
	ck_assert_int_eq(lchown(scratch_at(&dir, part), STRANGER, STRANGER), 0);
	expect("a/b/file", "mode");
}
END_TEST

START_TEST(part_of_a_stranger_is_refused_and_named)
{
	if (!give_away(parts[_i]))
		return;
	expect("a/b/file", "owner");
	ck_assert_ptr_eq(strstr(why.message, part_names[_i]), why.message);
	ck_assert_ptr_nonnull(strstr(why.message, "uid 12345"));
	us.uid[us.count++] = STRANGER;
	expect("a/b/file", "");
}
END_TEST

/* Root's as /tmp is; of anybody else it can be moved away by him. */
START_TEST(sticky_directory_is_accepted_above_if_it_is_roots)
{
	set_mode("a", 01777);
	expect("a/b/file", geteuid() == 0 ? "" : "mode");
}
END_TEST

START_TEST(sticky_directory_of_another_one_we_trust_is_refused)
{
	if (!give_away("a"))
		return;
	us.uid[us.count++] = STRANGER;
	set_mode("a", 01777);
	expect("a/b/file", "mode");
}
END_TEST

START_TEST(sticky_directory_is_refused_as_the_one_that_holds_the_file)
{
	set_mode("a/b", 01777);
	expect("a/b/file", "mode");
}
END_TEST

START_TEST(sticky_directory_is_refused_as_the_one_that_holds_a_link_to_it)
{
	scratch_dir(&dir, "shared", 01777);
	scratch_link(&dir, "shared/link", "../other/file");
	expect("shared/link", "mode");
	ck_assert_ptr_nonnull(strstr(why.message, "/shared has mode 1777"));
}
END_TEST

/* Also where the path comes back to it. */
START_TEST(sticky_directory_is_refused_behind_dots)
{
	scratch_dir(&dir, "shared", 01777);
	scratch_dir(&dir, "shared/below", 0755);
	scratch_write(&dir, "shared/file", "x", 1);
	expect("shared/below/../file", "mode");
}
END_TEST

/* A link to a directory there is ours, and sticky means that it stays. */
START_TEST(sticky_directory_is_accepted_for_a_link_to_a_directory)
{
	scratch_dir(&dir, "shared", 01777);
	scratch_link(&dir, "shared/link", "../other");
	expect("shared/link/file", geteuid() == 0 ? "" : "mode");
}
END_TEST

static const struct {
	const char *target, *spoiled, *reason;
} link_cases[] = {
	{ "../../other/file", NULL, "" },
	{ "../../other/file", "other", "mode" },	/* of the target */
	{ "../../other/file", "other/file", "mode" },
	{ "../../other/file", "a/b", "mode" },		/* of the link */
	{ "../../other/file", "a", "mode" },
	{ "file", NULL, "" },
	{ "nowhere", NULL, "lookup" },
	{ "link", NULL, "path" },			/* a loop */
	{ "file/more", NULL, "lookup" },
};

START_TEST(link_needs_both_directories)
{
	scratch_link(&dir, "a/b/link", link_cases[_i].target);
	if (link_cases[_i].spoiled)
		set_mode(link_cases[_i].spoiled, 0777);
	expect("a/b/link", link_cases[_i].reason);
}
END_TEST

START_TEST(link_that_is_absolute_is_followed_from_the_root)
{
	scratch_link(&dir, "a/b/link", scratch_at(&dir, "other/file"));
	expect("a/b/link", "");
	set_mode("other", 0777);
	expect("a/b/link", "mode");
}
END_TEST

START_TEST(link_to_a_directory_is_followed)
{
	scratch_link(&dir, "a/link", "../other");
	expect("a/link/file", "");
	set_mode("other", 0777);
	expect("a/link/file", "mode");
}
END_TEST

START_TEST(link_of_a_stranger_is_refused)
{
	scratch_link(&dir, "a/b/link", "file");
	if (!give_away("a/b/link"))
		return;
	expect("a/b/link", "owner");
	ck_assert_ptr_eq(strstr(why.message, "the link to it, "), why.message);
}
END_TEST

/* The cap and one past it. */
START_TEST(links_beyond_the_cap_are_refused)
{
	char name[32], target[32];
	for (int i = 0; i < IC_PATHTRUST_LINKS_MAX + _i; i++) {
		snprintf(name, sizeof name, "a/l%d", i);
		snprintf(target, sizeof target, "l%d", i + 1);
		char *path;
		ck_assert_int_gt(asprintf(&path, "%s/%s", dir.path, name), 0);
		ck_assert_int_eq(symlink(i + 1 < IC_PATHTRUST_LINKS_MAX + _i ? target : "b/file", path), 0);
		free(path);
	}
	expect("a/l0", _i ? "path" : "");
}
END_TEST

START_TEST(path_that_is_missing_says_so)
{
	expect("a/b/nothing", "lookup");
	ck_assert_int_eq(why.os_errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(why.message, "No such file or directory"));
}
END_TEST

START_TEST(path_that_is_relative_or_too_long_is_refused)
{
	static char long_path[2 * PATH_MAX];
	static char long_name[NAME_MAX + 8];
	memset(long_path, '/', sizeof long_path - 1);
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[0] = '/';
	const char *const paths[] = { "", "a/b/file", "./a", long_path, long_name };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		ck_assert_int_eq(ic_pathtrust_check(paths[i], &us, &why), INF_E_UNAVAILABLE);
		ck_assert_str_eq(why.reason, "path");
	}
	long_path[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(ic_pathtrust_check(long_path, &us, &why), INF_OK);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("pathtrust");
	TCase *tcase = tcase_create("pathtrust");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, path_nobody_else_can_change_is_trusted);
	tcase_add_loop_test(tcase, part_writable_by_others_is_refused_and_named, 0, PARTS * MODES);
	tcase_add_loop_test(tcase, group_of_the_users_own_number_may_write, 0, PARTS);
	tcase_add_loop_test(tcase, part_of_a_stranger_is_refused_and_named, 0, PARTS);
	tcase_add_test(tcase, sticky_directory_is_accepted_above_if_it_is_roots);
	tcase_add_test(tcase, sticky_directory_of_another_one_we_trust_is_refused);
	tcase_add_test(tcase, sticky_directory_is_refused_as_the_one_that_holds_the_file);
	tcase_add_test(tcase, sticky_directory_is_refused_behind_dots);
	tcase_add_test(tcase, sticky_directory_is_refused_as_the_one_that_holds_a_link_to_it);
	tcase_add_test(tcase, sticky_directory_is_accepted_for_a_link_to_a_directory);
	tcase_add_loop_test(tcase, link_needs_both_directories, 0, ROWS(link_cases));
	tcase_add_test(tcase, link_that_is_absolute_is_followed_from_the_root);
	tcase_add_test(tcase, link_to_a_directory_is_followed);
	tcase_add_test(tcase, link_of_a_stranger_is_refused);
	tcase_add_loop_test(tcase, links_beyond_the_cap_are_refused, 0, 2);
	tcase_add_test(tcase, path_that_is_missing_says_so);
	tcase_add_test(tcase, path_that_is_relative_or_too_long_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
