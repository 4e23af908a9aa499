/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rundir.h"
#include "scratch.h"
#include "strv.h"

enum {
	SOCKET_PATH_MAX = 107,		/* bytes that fit into sun_path with their NUL */
	NAME = sizeof "/inference-XXXXXX" - 1,
	BASE_MAX = SOCKET_PATH_MAX - NAME - (sizeof "/server.sock" - 1),
};

static struct scratch scratch;
static struct gr_strv env;

static void setup(void)
{
	scratch_init(&scratch);
	env = (struct gr_strv)GR_STRV_INIT;
}

static void teardown(void)
{
	gr_strv_release(&env);
	scratch_release(&scratch);
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static bool is_below(const char *path, const char *base)
{
	size_t len = strlen(base);
	return strncmp(path, base, len) == 0 && path[len] == '/';
}

static void check_private(const char *path)
{
	struct stat st;
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_eq(st.st_uid, geteuid());
}

static void make(struct gr_rundir *out)
{
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_rundir_make(out, env.items, &err) == INF_OK, "%s", err.message);
}

/* An existing directory whose path has exactly that length. */
static const char *dir_of_length(size_t len)
{
	char name[PATH_MAX];
	size_t have = strlen(scratch.path) + 1;
	ck_assert_uint_gt(len, have);
	ck_assert_uint_le(len - have, NAME_MAX);
	memset(name, 'd', len - have);
	name[len - have] = '\0';
	return scratch_dir(&scratch, name, 0700);
}

/* ---- making ---------------------------------------------------------------------------------------------------- */
static const mode_t umasks[] = { 0, 022, 077 };

START_TEST(make_gives_a_private_directory_whatever_the_umask)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", scratch.path);
	mode_t old = umask(umasks[_i]);
	make(&dir);
	umask(old);
	check_private(dir.path);
	check_private(dir.home);
	ck_assert(is_below(dir.path, scratch.path));
	ck_assert(is_below(dir.socket, dir.path));
	ck_assert(is_below(dir.home, dir.path));
	ck_assert(!exists(dir.socket));
	gr_rundir_remove(&dir);
}
END_TEST

START_TEST(make_twice_gives_two_directories)
{
	struct gr_rundir a = GR_RUNDIR_INIT, b = GR_RUNDIR_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", scratch.path);
	make(&a);
	make(&b);
	ck_assert_str_ne(a.path, b.path);
	gr_rundir_remove(&a);
	ck_assert(exists(b.home));
	gr_rundir_remove(&b);
}
END_TEST

static const struct {
	size_t length;
	bool used;
} length_cases[] = {
	{ BASE_MAX - 10, true }, { BASE_MAX - 1, true }, { BASE_MAX, true },
	{ BASE_MAX + 1, false }, { BASE_MAX + 2, false }, { BASE_MAX + 80, false },
};

START_TEST(make_uses_a_base_that_leaves_room_for_the_socket)
{
	const char *base = dir_of_length(length_cases[_i].length);
	struct gr_rundir dir = GR_RUNDIR_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", base);
	gr_strv_add_env(&env, "TMPDIR", scratch.path);
	make(&dir);
	ck_assert_uint_le(strlen(dir.socket), SOCKET_PATH_MAX);
	ck_assert(is_below(dir.socket, dir.path));
	ck_assert(is_below(dir.path, base) == length_cases[_i].used);
	ck_assert(is_below(dir.path, scratch.path));
	check_private(dir.path);
	gr_rundir_remove(&dir);
	ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

START_TEST(make_gives_a_path_that_a_socket_can_be_bound_to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct gr_rundir dir = GR_RUNDIR_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", dir_of_length(BASE_MAX));
	make(&dir);
	ck_assert_uint_eq(strlen(dir.socket), SOCKET_PATH_MAX);
	strcpy(address.sun_path, dir.socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	gr_rundir_remove(&dir);
	ck_assert(!exists(dir.path));
}
END_TEST

/* A comma ends an address in the server's --host. */
START_TEST(make_passes_over_a_base_with_a_comma)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", scratch_dir(&scratch, "a,b", 0700));
	gr_strv_add_env(&env, "TMPDIR", scratch.path);
	make(&dir);
	ck_assert_ptr_null(strchr(dir.socket, ','));
	ck_assert(is_below(dir.path, scratch.path));
	gr_rundir_remove(&dir);
}
END_TEST

static const char *const unusable[] = { "", "relative", "./relative", "/no/such/directory", "/dev/null" };

START_TEST(make_passes_over_a_base_that_cannot_be_used)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	scratch_dir(&scratch, "relative", 0700);
	ck_assert_int_eq(chdir(scratch.path), 0);
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", unusable[_i]);
	gr_strv_add_env(&env, "TMPDIR", scratch.path);
	make(&dir);
	ck_assert(is_below(dir.path, scratch.path));
	ck_assert(!is_below(dir.path, scratch_at(&scratch, "relative")));
	gr_rundir_remove(&dir);
}
END_TEST

START_TEST(make_without_any_variable_uses_tmp)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	ck_assert_int_eq(gr_rundir_make(&dir, NULL, NULL), INF_OK);
	ck_assert(is_below(dir.path, "/tmp"));
	gr_rundir_remove(&dir);
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", "relative");
	gr_strv_add_env(&env, "TMPDIR", "relative");
	make(&dir);
	ck_assert(is_below(dir.path, "/tmp"));
	gr_rundir_remove(&dir);
}
END_TEST

static const char *path_in(const struct gr_rundir *dir, const char *name)
{
	static char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", dir->path, name);
	return path;
}

/* ---- removing -------------------------------------------------------------------------------------------------- */
static void write_in(const struct gr_rundir *dir, const char *name)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", dir->path, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0), 0);
}

static void mkdir_in(const struct gr_rundir *dir, const char *name)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", dir->path, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void link_in(const struct gr_rundir *dir, const char *name, const char *target)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", dir->path, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

START_TEST(remove_takes_nested_content)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	char path[GR_RUNDIR_PATH], deep[512] = "";
	gr_strv_add_env(&env, "TMPDIR", scratch.path);
	make(&dir);
	write_in(&dir, "file");
	write_in(&dir, "home/.hidden");
	for (int i = 0; i < 50; i++) {		/* more levels than the walk holds descriptors */
		strcat(deep, i ? "/deep" : "deep");
		mkdir_in(&dir, deep);
	}
	strcat(deep, "/file");
	write_in(&dir, deep);
	strcpy(path, dir.path);
	gr_rundir_remove(&dir);
	ck_assert(!exists(path));
	ck_assert_str_eq(dir.path, "");
	ck_assert_str_eq(dir.socket, "");
}
END_TEST

START_TEST(remove_does_not_follow_links)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	char path[GR_RUNDIR_PATH];
	const char *outside = scratch_dir(&scratch, "outside", 0700);
	const char *precious = scratch_write(&scratch, "outside/precious", "x", 1);
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", scratch.path);
	make(&dir);
	link_in(&dir, "to-directory", outside);
	link_in(&dir, "home/to-file", precious);
	link_in(&dir, "dangling", "/no/such/target");
	link_in(&dir, "up", "..");
	link_in(&dir, "loop", "loop");
	strcpy(path, dir.path);
	gr_rundir_remove(&dir);
	ck_assert(!exists(path));
	ck_assert(exists(precious));
}
END_TEST

START_TEST(remove_of_nothing_is_harmless)
{
	struct gr_rundir empty = GR_RUNDIR_INIT, gone = GR_RUNDIR_INIT;
	gr_rundir_remove(&empty);
	gr_strv_add_env(&env, "TMPDIR", scratch.path);
	make(&gone);
	ck_assert_int_eq(rmdir(gone.home), 0);
	ck_assert_int_eq(unlink(path_in(&gone, "owner")), 0);
	ck_assert_int_eq(rmdir(gone.path), 0);
	gr_rundir_remove(&gone);
	gr_rundir_remove(&gone);
	ck_assert(exists(scratch.path));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("rundir");
	TCase *tc = tcase_create("rundir");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, make_gives_a_private_directory_whatever_the_umask, 0, ROWS(umasks));
	tcase_add_test(tc, make_twice_gives_two_directories);
	tcase_add_loop_test(tc, make_uses_a_base_that_leaves_room_for_the_socket, 0, ROWS(length_cases));
	tcase_add_test(tc, make_gives_a_path_that_a_socket_can_be_bound_to);
	tcase_add_loop_test(tc, make_passes_over_a_base_that_cannot_be_used, 0, ROWS(unusable));
	tcase_add_test(tc, make_passes_over_a_base_with_a_comma);
	tcase_add_test(tc, make_without_any_variable_uses_tmp);
	tcase_add_test(tc, remove_takes_nested_content);
	tcase_add_test(tc, remove_does_not_follow_links);
	tcase_add_test(tc, remove_of_nothing_is_harmless);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
