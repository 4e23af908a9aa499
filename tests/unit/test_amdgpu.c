/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amdgpu.h"
#include "scratch.h"

enum { NOBODY = 65534, UNKNOWN_GROUP = 54321 };

static struct scratch scratch;

static void setup(void)
{
	scratch_init(&scratch);
	ck_assert_int_eq(chmod(scratch.path, 0755), 0);
	scratch_dir(&scratch, "dev", 0755);
}

static void teardown(void)
{
	scratch_release(&scratch);
}

static inf_availability fresh(void)
{
	return (inf_availability){ .struct_size = sizeof(inf_availability), .score = 600 };
}

static const char *make_node(mode_t mode)
{
	const char *path = scratch_write(&scratch, "dev/kfd", "", 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

/* As a user who is not root, who may do anything. */
static bool usable_for_a_user(inf_availability *out)
{
	bool root = geteuid() == 0;
	if (root)
		ck_assert_int_eq(setresuid(-1, NOBODY, 0), 0);
	bool usable = gr_amdgpu_usable(scratch.path, out);
	if (root)
		ck_assert_int_eq(setresuid(-1, 0, 0), 0);
	return usable;
}

static const char *const slashes[] = { "", "/" };

START_TEST(usable_with_an_accessible_node_is_true)
{
	char root[4096];
	inf_availability out = fresh(), before = fresh();
	make_node(0666);
	snprintf(root, sizeof root, "%s%s", scratch.path, slashes[_i]);
	ck_assert(gr_amdgpu_usable(root, &out));
	ck_assert(usable_for_a_user(&out));
	ck_assert_mem_eq(&out, &before, sizeof out);
}
END_TEST

START_TEST(usable_without_a_node_says_what_is_missing)
{
	inf_availability out = fresh();
	ck_assert(!gr_amdgpu_usable(scratch.path, &out));
	ck_assert_str_eq(out.reason, "kfd_dev_missing");
	ck_assert_ptr_nonnull(strstr(out.message, "/dev/kfd does not exist"));
	ck_assert_ptr_nonnull(strstr(out.message, "container"));
	ck_assert_uint_lt(strlen(out.message), sizeof out.message - 1);
}
END_TEST

START_TEST(usable_without_a_dev_directory_says_the_same)
{
	inf_availability out = fresh();
	ck_assert(!gr_amdgpu_usable(scratch_at(&scratch, "no-such-root"), &out));
	ck_assert_str_eq(out.reason, "kfd_dev_missing");
	ck_assert(!gr_amdgpu_usable(scratch_write(&scratch, "file", "", 0), &out));
	ck_assert_str_eq(out.reason, "kfd_dev_missing");
}
END_TEST

static const mode_t refused_modes[] = { 0, 0444, 0222 };

START_TEST(usable_without_permission_names_the_group)
{
	inf_availability out = fresh();
	char expected[64];
	struct stat st;
	ck_assert_int_eq(stat(make_node(refused_modes[_i]), &st), 0);
	const struct group *group = getgrgid(st.st_gid);
	ck_assert_ptr_nonnull(group);
	snprintf(expected, sizeof expected, "the group \"%s\"", group->gr_name);
	ck_assert(!usable_for_a_user(&out));
	ck_assert_str_eq(out.reason, "kfd_perm");
	ck_assert_ptr_nonnull(strstr(out.message, expected));
}
END_TEST

START_TEST(usable_without_permission_for_an_unnamed_group_says_render)
{
	inf_availability out = fresh();
	const char *path = make_node(0660);
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(path, 0, UNKNOWN_GROUP), 0);
	ck_assert(!usable_for_a_user(&out));
	ck_assert_str_eq(out.reason, "kfd_perm");
	ck_assert_ptr_nonnull(strstr(out.message, "\"render\""));
}
END_TEST

START_TEST(usable_below_a_closed_directory_is_a_matter_of_permission)
{
	inf_availability out = fresh();
	make_node(0666);
	ck_assert_int_eq(chmod(scratch_at(&scratch, "dev"), 0), 0);
	ck_assert(!usable_for_a_user(&out));
	ck_assert_int_eq(chmod(scratch_at(&scratch, "dev"), 0755), 0);
	ck_assert_str_eq(out.reason, "kfd_perm");
}
END_TEST

START_TEST(usable_with_any_other_error_quotes_it)
{
	inf_availability out = fresh();
	scratch_link(&scratch, "dev/kfd", "kfd");
	ck_assert(!gr_amdgpu_usable(scratch.path, &out));
	ck_assert_str_eq(out.reason, "kfd_open_error");
	ck_assert_ptr_nonnull(strstr(out.message, "symbolic links"));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("amdgpu");
	TCase *tc = tcase_create("amdgpu");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, usable_with_an_accessible_node_is_true, 0, ROWS(slashes));
	tcase_add_test(tc, usable_without_a_node_says_what_is_missing);
	tcase_add_test(tc, usable_without_a_dev_directory_says_the_same);
	tcase_add_loop_test(tc, usable_without_permission_names_the_group, 0, ROWS(refused_modes));
	tcase_add_test(tc, usable_without_permission_for_an_unnamed_group_says_render);
	tcase_add_test(tc, usable_below_a_closed_directory_is_a_matter_of_permission);
	tcase_add_test(tc, usable_with_any_other_error_quotes_it);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
