/* SPDX-License-Identifier: MIT */
/*
 * The real operations on real files, and what is common to all tables of operations on a table that fails on demand.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture_tree.h"
#include "scratch.h"
#include "sysroot.h"

enum { NOBODY = 65534 };

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static struct scratch scratch;
static struct gr_sysroot root;

static void setup(void)
{
	scratch_init(&scratch);
	ck_assert_int_eq(chmod(scratch.path, 0755), 0);
	ck_assert_int_eq(gr_sysroot_open(&root, scratch.path), 0);
}

static void teardown(void)
{
	gr_sysroot_release(&root);
	gr_sysroot_release(&root);
	gr_sysroot_release(NULL);
	scratch_release(&scratch);
}

/* ---- the real operations --------------------------------------------------------------------------------------- */
START_TEST(open_of_no_folder_says_why)
{
	struct gr_sysroot other = GR_SYSROOT_INIT;
	ck_assert_int_eq(gr_sysroot_open(&other, scratch_at(&scratch, "none")), -ENOENT);
	gr_sysroot_release(&other);
	ck_assert_int_eq(gr_sysroot_open(&other, scratch_write(&scratch, "file", "", 0)), -ENOTDIR);
	gr_sysroot_release(&other);
}
END_TEST

START_TEST(read_gives_a_piece_from_an_offset)
{
	char buf[8];
	scratch_write(&scratch, "file", "0123456789", 10);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "file", 0, buf, 4), 4);
	ck_assert_mem_eq(buf, "0123", 4);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "file", 7, buf, 8), 3);
	ck_assert_mem_eq(buf, "789", 3);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "file", 10, buf, 8), 0);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "file", 11, buf, 8), 0);
}
END_TEST

/* A pipe would hold up a reader for ever, and a device might wake up. */
START_TEST(read_of_anything_but_a_file_is_refused_at_once)
{
	char buf[8];
	scratch_dir(&scratch, "dir", 0755);
	scratch_link(&scratch, "loop", "loop");
	scratch_link(&scratch, "null", "/dev/null");
	ck_assert_int_eq(mkfifo(scratch_at(&scratch, "fifo"), 0666), 0);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "dir", 0, buf, 8), -EISDIR);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "loop", 0, buf, 8), -ELOOP);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "null", 0, buf, 8), -EINVAL);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "fifo", 0, buf, 8), -EINVAL);
	ck_assert_int_eq(root.ops.read_file(root.ops.ctx, "none", 0, buf, 8), -ENOENT);
}
END_TEST

static int count_names(const char *name, void *user)
{
	ck_assert_str_ne(name, ".");
	ck_assert_str_ne(name, "..");
	return ++*(int *)user == 3;
}

START_TEST(list_names_what_is_there_until_told_to_end)
{
	int count = 0;
	scratch_dir(&scratch, "dir", 0755);
	ck_assert_int_eq(root.ops.list_dir(root.ops.ctx, "dir", count_names, &count), 0);
	ck_assert_int_eq(count, 0);
	for (int i = 0; i < 5; i++) {
		char name[16];
		snprintf(name, sizeof name, "dir/%d", i);
		scratch_write(&scratch, name, "", 0);
	}
	ck_assert_int_eq(root.ops.list_dir(root.ops.ctx, "dir", count_names, &count), 0);
	ck_assert_int_eq(count, 3);
	ck_assert_int_eq(root.ops.list_dir(root.ops.ctx, "none", count_names, &count), -ENOENT);
	ck_assert_int_eq(root.ops.list_dir(root.ops.ctx, "dir/0", count_names, &count), -ENOTDIR);
}
END_TEST

static const struct {
	mode_t mode;
	int result;
} modes[] = { { 0666, 0 }, { 0444, -EACCES }, { 0222, -EACCES }, { 0, -EACCES } };

START_TEST(access_asks_for_reading_and_writing_as_the_effective_user)
{
	chmod(scratch_write(&scratch, "node", "", 0), modes[_i].mode);
	bool privileged = geteuid() == 0;
	if (privileged)
		ck_assert_int_eq(setresuid(-1, NOBODY, 0), 0);
	ck_assert_int_eq(root.ops.access_rw(root.ops.ctx, "node"), modes[_i].result);
	ck_assert_int_eq(root.ops.access_rw(root.ops.ctx, "none"), -ENOENT);
	if (privileged)
		ck_assert_int_eq(setresuid(-1, 0, 0), 0);
}
END_TEST

START_TEST(link_gives_its_target_if_there_is_room)
{
	char buf[8];
	scratch_link(&scratch, "link", "1234567");
	scratch_link(&scratch, "longer", "12345678");
	scratch_write(&scratch, "file", "", 0);
	ck_assert_int_eq(root.ops.read_link(root.ops.ctx, "link", buf, sizeof buf), 7);
	ck_assert_str_eq(buf, "1234567");
	ck_assert_int_eq(root.ops.read_link(root.ops.ctx, "longer", buf, sizeof buf), -ENAMETOOLONG);
	ck_assert_int_eq(root.ops.read_link(root.ops.ctx, "file", buf, sizeof buf), -EINVAL);
	ck_assert_int_eq(root.ops.read_link(root.ops.ctx, "none", buf, sizeof buf), -ENOENT);
}
END_TEST

START_TEST(stat_says_who_owns_a_node)
{
	struct gr_sysroot_node node;
	chmod(scratch_write(&scratch, "node", "", 0), 0640);
	ck_assert_int_eq(root.ops.stat_node(root.ops.ctx, "node", &node), 0);
	ck_assert_int_eq(node.mode & 07777, 0640);
	ck_assert_uint_eq(node.uid, geteuid());
	ck_assert_int_eq(root.ops.stat_node(root.ops.ctx, "none", &node), -ENOENT);
}
END_TEST

static const struct {
	const char *file, *name;	/* of group 992; NULL = none */
} groups[] = {
	{ "root:x:0:\nrender:x:992:user,other\n", "render" }, { "render:x:992\n", "render" }, { "render::992:\n", "render" },
	{ "render:x:992:", NULL }, { "render:x:9920:\n", NULL }, { "render:x:-992:\n", NULL }, { "render:x\n", NULL },
	{ "render\n", NULL }, { ":x:992:\n", NULL }, { "a:x:992:\nb:x:992:\n", "a" }, { "", NULL }, { "\n\n", NULL },
	{ "+::::\nrender:x:992:\n", "render" }, { "sixteen-letters-:x:992:\n", NULL }, { "fifteen-letters:x:992:\n",
	  "fifteen-letters" },
};

START_TEST(group_is_named_by_the_local_file)
{
	char name[16];
	scratch_dir(&scratch, "etc", 0755);
	scratch_write(&scratch, "etc/group", groups[_i].file, strlen(groups[_i].file));
	ck_assert_int_eq(gr_sysroot_group(&root.ops, 992, name, sizeof name), groups[_i].name != NULL);
	if (groups[_i].name)
		ck_assert_str_eq(name, groups[_i].name);
}
END_TEST

START_TEST(group_without_a_file_has_no_name)
{
	char name[16];
	ck_assert(!gr_sysroot_group(&root.ops, 0, name, sizeof name));
}
END_TEST

static int count_lines(char *line, void *user)
{
	ck_assert_ptr_null(strchr(line, '\n'));
	++*(int *)user;
	return 0;
}

START_TEST(lines_end_where_one_is_too_long)
{
	static const size_t lengths[] = { 1, GR_SYSROOT_LINE_MAX - 1, GR_SYSROOT_LINE_MAX };
	static const int seen[] = { 3, 3, 1 };
	for (int i = 0; i < 3; i++) {
		char text[2 * GR_SYSROOT_LINE_MAX];
		int count = 0, n = snprintf(text, sizeof text, "a\n%*s\nc\nno newline", (int)lengths[i], "b");
		scratch_write(&scratch, "lines", text, (size_t)n);
		gr_sysroot_each_line(&root.ops, "lines", count_lines, &count);
		ck_assert_int_eq(count, seen[i]);
	}
}
END_TEST

static int open_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

START_TEST(operations_leave_no_descriptor_behind)
{
	char buf[8];
	int count = 0, before = open_descriptors();
	scratch_dir(&scratch, "dir", 0755);
	scratch_write(&scratch, "dir/file", "x", 1);
	root.ops.read_file(root.ops.ctx, "dir/file", 0, buf, 8);
	root.ops.read_file(root.ops.ctx, "dir", 0, buf, 8);
	root.ops.list_dir(root.ops.ctx, "dir", count_names, &count);
	root.ops.list_dir(root.ops.ctx, "dir/file", count_names, &count);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* ---- text and numbers ------------------------------------------------------------------------------------------ */
static const struct {
	const char *text;
	int error;
	uint64_t value;
} numbers[] = {
	{ "0\n", 0, 0 }, { "17163091968\n", 0, 17163091968 }, { "17163091968", 0, 17163091968 }, { "1 \r\n\n", 0, 1 },
	{ "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -EBADMSG, 0 },
	{ "99999999999999999999999999999999999999999999999999999999999999", -EBADMSG, 0 },
	{ "999999999999999999999999999999999999999999999999999999999999999999999999", -EBADMSG, 0 },
	{ "", -EBADMSG, 0 }, { "\n", -EBADMSG, 0 }, { "N/A\n", -EBADMSG, 0 }, { "-1\n", -EBADMSG, 0 },
	{ "+1\n", -EBADMSG, 0 }, { " 1\n", -EBADMSG, 0 }, { "0x10\n", -EBADMSG, 0 }, { "1 2\n", -EBADMSG, 0 },
	{ "1e3\n", -EBADMSG, 0 }, { "1\n2\n", -EBADMSG, 0 },
};

START_TEST(number_is_plain_decimal_or_nothing)
{
	uint64_t value = 0;
	scratch_write(&scratch, "number", numbers[_i].text, strlen(numbers[_i].text));
	ck_assert_int_eq(gr_sysroot_u64(&root.ops, "number", &value), numbers[_i].error);
	ck_assert_uint_eq(value, numbers[_i].value);
}
END_TEST

START_TEST(number_with_a_nul_in_it_is_refused)
{
	uint64_t value = 0;
	scratch_write(&scratch, "number", "12\0003", 4);
	ck_assert_int_eq(gr_sysroot_u64(&root.ops, "number", &value), -EBADMSG);
}
END_TEST

START_TEST(text_is_cut_at_the_buffer_and_trimmed)
{
	char buf[6];
	scratch_write(&scratch, "file", "12345678", 8);
	ck_assert_int_eq(gr_sysroot_text(&root.ops, "file", buf, sizeof buf), 5);
	ck_assert_str_eq(buf, "12345");
	scratch_write(&scratch, "file", "12 \n", 4);
	ck_assert_int_eq(gr_sysroot_text(&root.ops, "file", buf, sizeof buf), 2);
	ck_assert_str_eq(buf, "12");
	ck_assert_int_eq(gr_sysroot_text(&root.ops, "none", buf, sizeof buf), -ENOENT);
	ck_assert_str_eq(buf, "");
}
END_TEST

static bool interrupt(struct fixture_tree *tree, const char *operation, const char *path, char *buf, size_t cap,
		      ssize_t *result)
{
	int *left = tree->user;
	(void)operation;
	(void)path;
	(void)buf;
	(void)cap;
	*result = -EINTR;
	return (*left)-- > 0;
}

START_TEST(read_that_is_interrupted_is_begun_again_but_not_for_ever)
{
	struct fixture_tree *tree = fixture_tree_new();
	int left = GR_SYSROOT_EINTR_MAX - 1;
	uint64_t value = 0;
	fixture_tree_file(tree, "number", "7\n");
	tree->fault = interrupt;
	tree->user = &left;
	ck_assert_int_eq(gr_sysroot_u64(&tree->ops, "number", &value), 0);
	ck_assert_uint_eq(value, 7);
	left = GR_SYSROOT_EINTR_MAX;
	ck_assert_int_eq(gr_sysroot_u64(&tree->ops, "number", &value), -EINTR);
	fixture_tree_free(tree);
}
END_TEST

/* ---- paths ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *path, *real;
	int error;
} paths[] = {
	{ "a/b/file", "a/b/file", 0 }, { "/a//b/./file", "a/b/file", 0 }, { "a/../a/b/file", "a/b/file", 0 },
	{ "link/file", "a/b/file", 0 }, { "absolute/file", "a/b/file", 0 }, { "../../a/b/file", "a/b/file", 0 },
	{ "a/up/b/file", "a/b/file", 0 }, { "outside/a/b/file", "a/b/file", 0 }, { "chain/file", "a/b/file", 0 },
	{ "a/none", "", -ENOENT }, { "loop", "", -ELOOP }, { "dangling", "", -ENOENT }, { "", "", 0 }, { "a/..", "", 0 },
};

static void make_paths(struct fixture_tree *tree)
{
	fixture_tree_file(tree, "a/b/file", "x");
	fixture_tree_link(tree, "link", "a/b");
	fixture_tree_link(tree, "absolute", "/a/b");
	fixture_tree_link(tree, "a/up", "..//a/../a");
	fixture_tree_link(tree, "outside", "../../../..");
	fixture_tree_link(tree, "chain", "link/../b/../../link/.");
	fixture_tree_link(tree, "loop", "loop/loop");
	fixture_tree_link(tree, "dangling", "a/none");
}

START_TEST(real_path_has_no_links_and_stays_below_the_root)
{
	struct fixture_tree *tree = fixture_tree_new();
	char real[GR_SYSROOT_PATH_MAX];
	make_paths(tree);
	ck_assert_int_eq(gr_sysroot_real(&tree->ops, paths[_i].path, real, sizeof real), paths[_i].error);
	ck_assert_str_eq(real, paths[_i].real);
	fixture_tree_write(tree, scratch.path);
	ck_assert_int_eq(gr_sysroot_real(&root.ops, paths[_i].path, real, sizeof real), paths[_i].error);
	ck_assert_str_eq(real, paths[_i].real);
	fixture_tree_free(tree);
}
END_TEST

START_TEST(real_path_that_is_too_long_is_refused)
{
	struct fixture_tree *tree = fixture_tree_new();
	char path[2 * GR_SYSROOT_PATH_MAX], target[GR_SYSROOT_PATH_MAX], real[GR_SYSROOT_PATH_MAX];
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(gr_sysroot_real(&tree->ops, path, real, sizeof real), -ENAMETOOLONG);
	memset(target, 'y', 400);
	target[400] = '\0';
	fixture_tree_link(tree, "long", target);
	snprintf(path, sizeof path, "long/%.200s", target);
	ck_assert_int_eq(gr_sysroot_real(&tree->ops, path, real, sizeof real), -ENAMETOOLONG);
	fixture_tree_file(tree, "a/b/file", "x");
	ck_assert_int_eq(gr_sysroot_real(&tree->ops, "a/b/file", real, 9), 0);
	ck_assert_int_eq(gr_sysroot_real(&tree->ops, "a/b/file", real, 8), -ENAMETOOLONG);
	ck_assert_str_eq(real, "");
	fixture_tree_free(tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysroot");
	TCase *tc = tcase_create("sysroot");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, open_of_no_folder_says_why);
	tcase_add_test(tc, read_gives_a_piece_from_an_offset);
	tcase_add_test(tc, read_of_anything_but_a_file_is_refused_at_once);
	tcase_add_test(tc, list_names_what_is_there_until_told_to_end);
	tcase_add_loop_test(tc, access_asks_for_reading_and_writing_as_the_effective_user, 0, ROWS(modes));
	tcase_add_test(tc, link_gives_its_target_if_there_is_room);
	tcase_add_test(tc, stat_says_who_owns_a_node);
	tcase_add_loop_test(tc, group_is_named_by_the_local_file, 0, ROWS(groups));
	tcase_add_test(tc, group_without_a_file_has_no_name);
	tcase_add_test(tc, lines_end_where_one_is_too_long);
	tcase_add_test(tc, operations_leave_no_descriptor_behind);
	tcase_add_loop_test(tc, number_is_plain_decimal_or_nothing, 0, ROWS(numbers));
	tcase_add_test(tc, number_with_a_nul_in_it_is_refused);
	tcase_add_test(tc, text_is_cut_at_the_buffer_and_trimmed);
	tcase_add_test(tc, read_that_is_interrupted_is_begun_again_but_not_for_ever);
	tcase_add_loop_test(tc, real_path_has_no_links_and_stays_below_the_root, 0, ROWS(paths));
	tcase_add_test(tc, real_path_that_is_too_long_is_refused);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
