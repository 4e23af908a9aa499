/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "server.h"
#include "strv.h"

enum { STRANGER = 12345 };

#define VARIABLE "ROCM_LLAMA_SERVER_PATH"

static struct scratch scratch;
static struct gr_strv env;

static void setup(void)
{
	scratch_init(&scratch);
	env = (struct gr_strv)GR_STRV_INIT;
	gr_strv_add_env(&env, "UNRELATED", "x");
}

static void teardown(void)
{
	gr_strv_release(&env);
	scratch_release(&scratch);
}

static const char *program(const char *name, mode_t mode)
{
	const char *path = scratch_write(&scratch, name, "#!/bin/sh\n", 10);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

/* A directory with a llama-server of that mode in it; mode 0: without one. */
static const char *bin_dir(const char *name, mode_t mode)
{
	char file[64];
	const char *dir = scratch_dir(&scratch, name, 0755);
	snprintf(file, sizeof file, "%s/llama-server", name);
	if (mode)
		program(file, mode);
	return dir;
}

static void set_path(const char *first, const char *second)
{
	char value[2 * PATH_MAX];
	snprintf(value, sizeof value, "%s:%s", first, second);
	gr_strv_add_env(&env, "PATH", value);
}

static inf_status find(struct gr_server_file *out, const char *named, inf_error *err)
{
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_server_find(out, named, VARIABLE, env.items, err);
}

/* ---- which one ------------------------------------------------------------------------------------------------- */
enum { BY_OPTION = 1, BY_OWN_VARIABLE = 2, BY_COMMON_VARIABLE = 4, BY_PATH = 8, SOURCES = 16 };

START_TEST(find_takes_the_first_source_that_says_something)
{
	const char *option = program("by-option", 0755), *own = program("by-own", 0755);
	const char *common = program("by-common", 0755), *dir = bin_dir("bin", 0755);
	struct gr_server_file file;
	inf_error err;
	char expected[PATH_MAX];
	snprintf(expected, sizeof expected, "%s/llama-server", dir);
	if (_i & BY_PATH)
		gr_strv_add_env(&env, "PATH", dir);
	if (_i & BY_COMMON_VARIABLE) {
		gr_strv_add_env(&env, "LLAMA_SERVER_PATH", common);
		strcpy(expected, common);
	}
	if (_i & BY_OWN_VARIABLE) {
		gr_strv_add_env(&env, VARIABLE, own);
		strcpy(expected, own);
	}
	if (_i & BY_OPTION)
		strcpy(expected, option);
	inf_status st = find(&file, _i & BY_OPTION ? option : NULL, &err);
	ck_assert_int_eq(st, _i ? INF_OK : INF_E_UNAVAILABLE);
	if (st == INF_OK)
		ck_assert_str_eq(file.path, expected);
}
END_TEST

START_TEST(find_without_an_own_variable_ignores_it)
{
	const char *common = program("by-common", 0755);
	struct gr_server_file file;
	gr_strv_add_env(&env, VARIABLE, "/no/such/file");
	gr_strv_add_env(&env, "LLAMA_SERVER_PATH", common);
	ck_assert_int_eq(gr_server_find(&file, NULL, NULL, env.items, NULL), INF_OK);
	ck_assert_str_eq(file.path, common);
}
END_TEST

START_TEST(find_with_empty_variables_searches_on)
{
	const char *dir = bin_dir("bin", 0755);
	struct gr_server_file file;
	inf_error err;
	gr_strv_add_env(&env, VARIABLE, "");
	gr_strv_add_env(&env, "LLAMA_SERVER_PATH", "");
	gr_strv_add_env(&env, "PATH", dir);
	ck_assert_int_eq(find(&file, NULL, &err), INF_OK);
	ck_assert_ptr_eq(strstr(file.path, dir), file.path);
}
END_TEST

START_TEST(find_follows_a_link)
{
	program("real", 0755);
	const char *link = scratch_link(&scratch, "link", "real");
	struct gr_server_file file;
	inf_error err;
	ck_assert_int_eq(find(&file, link, &err), INF_OK);
	ck_assert_str_eq(file.path, link);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------------------------- */
enum bad { BAD_MISSING, BAD_RELATIVE, BAD_EMPTY, BAD_MODE, BAD_DIRECTORY, BAD_WRITABLE, BAD_LONG, BAD_FIFO, BAD_GROUP, BAD_ABOVE, BAD_COUNT };

static const char *const bad_reasons[BAD_COUNT] = {
	[BAD_MISSING] = "llama_server_missing", [BAD_RELATIVE] = "llama_server_missing", [BAD_EMPTY] = "llama_server_missing",
	[BAD_MODE] = "server_not_executable", [BAD_DIRECTORY] = "server_not_executable",
	[BAD_WRITABLE] = "server_untrusted", [BAD_LONG] = "llama_server_missing", [BAD_FIFO] = "server_not_executable",
	[BAD_GROUP] = "server_untrusted", [BAD_ABOVE] = "server_untrusted",
};

static const char *make_bad(enum bad kind)
{
	static char long_path[PATH_MAX + 1];
	const char *path;
	switch (kind) {
	case BAD_MISSING:
		return scratch_at(&scratch, "missing");
	case BAD_RELATIVE:
		program("relative", 0755);
		return "relative";
	case BAD_EMPTY:
		return "";
	case BAD_MODE:
		return program("data", 0644);
	case BAD_DIRECTORY:
		return scratch_dir(&scratch, "llama-server", 0755);
	case BAD_WRITABLE:
		return program("writable", 0777);
	case BAD_GROUP:
		return program("of-a-group", 0775);
	case BAD_ABOVE:
		scratch_dir(&scratch, "above", 0777);
		scratch_dir(&scratch, "above/below", 0755);
		return program("above/below/llama-server", 0755);
	case BAD_LONG:
		memset(long_path, '/', sizeof long_path - 1);
		return long_path;
	default:
		path = scratch_at(&scratch, "fifo");
		ck_assert_int_eq(mkfifo(path, 0755), 0);
		return path;
	}
}

static void expect_refusal(enum bad kind, const char *named, const char *origin)
{
	struct gr_server_file file = { .path = "untouched" };
	inf_error err;
	ck_assert_int_eq(find(&file, named, &err), INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.code, INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, bad_reasons[kind]);
	ck_assert_ptr_eq(strstr(err.message, origin), err.message);
	ck_assert_str_eq(file.path, "untouched");
}

/* A good one further down is never taken instead. */
START_TEST(find_named_but_unusable_is_refused)
{
	ck_assert_int_eq(chdir(scratch.path), 0);
	const char *bad = make_bad((enum bad)_i);
	gr_strv_add_env(&env, "PATH", bin_dir("bin", 0755));
	expect_refusal((enum bad)_i, bad, "option llama-server.path: ");
	if (_i == BAD_EMPTY)
		return;		/* in a variable it means nothing was said */
	gr_strv_add_env(&env, "LLAMA_SERVER_PATH", bad);
	expect_refusal((enum bad)_i, NULL, "LLAMA_SERVER_PATH: ");
	gr_strv_add_env(&env, VARIABLE, bad);
	expect_refusal((enum bad)_i, NULL, VARIABLE ": ");
}
END_TEST

START_TEST(find_missing_file_records_the_errno)
{
	struct gr_server_file file;
	inf_error err;
	ck_assert_int_eq(find(&file, "/no/such/llama-server", &err), INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.os_errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.message, "/no/such/llama-server"));
}
END_TEST

START_TEST(find_file_of_a_stranger_is_refused_unless_he_called_sudo)
{
	const char *path = program("theirs", 0755);
	struct gr_server_file file;
	inf_error err;
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(path, STRANGER, STRANGER), 0);
	expect_refusal(BAD_WRITABLE, path, "option llama-server.path: ");
	gr_strv_add_env(&env, "SUDO_UID", "12345");
	ck_assert_int_eq(find(&file, path, &err), INF_OK);
}
END_TEST

START_TEST(find_invoker_of_sudo_counts_only_for_root)
{
	const char *path = program("theirs", 0755);
	struct gr_server_file file;
	inf_error err;
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(scratch.path, 0755), 0);
	ck_assert_int_eq(chown(path, STRANGER, STRANGER), 0);
	gr_strv_add_env(&env, "SUDO_UID", "12345");
	ck_assert_int_eq(setresuid(-1, STRANGER + 1, 0), 0);
	inf_status st = find(&file, path, &err);
	ck_assert_int_eq(setresuid(-1, 0, 0), 0);
	ck_assert_int_eq(st, INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "server_untrusted");
}
END_TEST

/* ---- PATH ------------------------------------------------------------------------------------------------------ */
static const mode_t passed_over[] = { 0, 0644, 0777 };

START_TEST(search_passes_over_what_cannot_be_used)
{
	const char *bad = bin_dir("bad", passed_over[_i]), *good = bin_dir("good", 0755);
	struct gr_server_file file;
	inf_error err;
	set_path(bad, good);
	ck_assert_int_eq(find(&file, NULL, &err), INF_OK);
	ck_assert_ptr_eq(strstr(file.path, good), file.path);
}
END_TEST

START_TEST(search_takes_the_first_of_two)
{
	const char *first = bin_dir("first", 0755), *second = bin_dir("second", 0755);
	struct gr_server_file file;
	inf_error err;
	set_path(first, second);
	ck_assert_int_eq(find(&file, NULL, &err), INF_OK);
	ck_assert_ptr_eq(strstr(file.path, first), file.path);
}
END_TEST

static const char *const relative_paths[] = { "bin", ".", "", ":", "::bin:./bin:", "../bin", "~/bin" };

START_TEST(search_skips_relative_entries)
{
	struct gr_server_file file;
	inf_error err;
	ck_assert_int_eq(chdir(bin_dir("bin", 0755)), 0);
	ck_assert_int_eq(symlink(".", "bin"), 0);
	gr_strv_add_env(&env, "PATH", relative_paths[_i]);
	ck_assert_int_eq(find(&file, NULL, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "llama_server_missing");
}
END_TEST

START_TEST(search_skips_an_entry_that_is_too_long)
{
	static char entry[PATH_MAX + 1];
	struct gr_server_file file;
	inf_error err;
	memset(entry, '/', sizeof entry - 1);
	set_path(entry, bin_dir("good", 0755));
	ck_assert_int_eq(find(&file, NULL, &err), INF_OK);
	ck_assert_ptr_nonnull(strstr(file.path, "/good/llama-server"));
}
END_TEST

/* What was found and not trusted is said, wherever in PATH it was. */
START_TEST(search_untrusted_only_says_so)
{
	const char *bad = bin_dir("bad", 0777), *none = bin_dir("none", 0);
	struct gr_server_file file;
	inf_error err;
	set_path(_i ? none : bad, _i ? bad : none);
	ck_assert_int_eq(find(&file, NULL, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "server_untrusted");
	ck_assert_ptr_nonnull(strstr(err.message, bad));
}
END_TEST

START_TEST(search_finding_nothing_says_what_to_do)
{
	struct gr_server_file file;
	inf_error err;
	if (_i)
		gr_strv_add_env(&env, "PATH", bin_dir("none", 0));
	ck_assert_int_eq(find(&file, NULL, &err), INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.code, INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "llama_server_missing");
	ck_assert_ptr_nonnull(strstr(err.message, "PATH"));
	ck_assert_ptr_nonnull(strstr(err.message, "install llama.cpp"));
	ck_assert_ptr_nonnull(strstr(err.message, "option llama-server.path"));
	ck_assert_ptr_nonnull(strstr(err.message, VARIABLE " or LLAMA_SERVER_PATH"));
	ck_assert_int_eq(gr_server_find(&file, NULL, NULL, env.items, &err), INF_E_UNAVAILABLE);
	ck_assert_ptr_null(strstr(err.message, VARIABLE));
	ck_assert_ptr_nonnull(strstr(err.message, "LLAMA_SERVER_PATH"));
}
END_TEST

START_TEST(find_in_no_environment_is_missing)
{
	struct gr_server_file file;
	ck_assert_int_eq(gr_server_find(&file, NULL, VARIABLE, NULL, NULL), INF_E_UNAVAILABLE);
}
END_TEST

/* ---- the same file? -------------------------------------------------------------------------------------------- */
static void rewrite(const char *path)
{
	scratch_write(&scratch, "server", "#!/bin/sh\nexit\n", 15);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static void replace(const char *path)
{
	ck_assert_int_eq(rename(program("new", 0755), path), 0);
}

static void touch(const char *path)
{
	const struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000, .tv_nsec = 1 } };
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void leave(const char *path)
{
	(void)path;
}

static const struct {
	void (*change)(const char *path);
	bool same;
} change_cases[] = { { leave, true }, { rewrite, false }, { replace, false }, { touch, false } };

START_TEST(same_sees_any_change_of_the_file)
{
	const char *path = program("server", 0755);
	struct gr_server_file before, after;
	inf_error err;
	ck_assert_int_eq(find(&before, path, &err), INF_OK);
	change_cases[_i].change(path);
	ck_assert_int_eq(find(&after, path, &err), INF_OK);
	ck_assert(!!gr_server_same(&before, &after) == change_cases[_i].same);
}
END_TEST

START_TEST(same_is_false_for_another_name_of_the_file)
{
	const char *path = program("server", 0755), *other = scratch_at(&scratch, "other");
	struct gr_server_file a, b;
	inf_error err;
	ck_assert_int_eq(link(path, other), 0);
	ck_assert_int_eq(find(&a, path, &err), INF_OK);
	ck_assert_int_eq(find(&b, other, &err), INF_OK);
	ck_assert(!gr_server_same(&a, &b));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("server");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, find_takes_the_first_source_that_says_something, 0, SOURCES);
	tcase_add_test(tc, find_without_an_own_variable_ignores_it);
	tcase_add_test(tc, find_with_empty_variables_searches_on);
	tcase_add_test(tc, find_follows_a_link);
	tcase_add_loop_test(tc, find_named_but_unusable_is_refused, 0, BAD_COUNT);
	tcase_add_test(tc, find_missing_file_records_the_errno);
	tcase_add_test(tc, find_file_of_a_stranger_is_refused_unless_he_called_sudo);
	tcase_add_test(tc, find_invoker_of_sudo_counts_only_for_root);
	tcase_add_loop_test(tc, search_passes_over_what_cannot_be_used, 0, ROWS(passed_over));
	tcase_add_test(tc, search_takes_the_first_of_two);
	tcase_add_loop_test(tc, search_skips_relative_entries, 0, ROWS(relative_paths));
	tcase_add_test(tc, search_skips_an_entry_that_is_too_long);
	tcase_add_loop_test(tc, search_untrusted_only_says_so, 0, 2);
	tcase_add_loop_test(tc, search_finding_nothing_says_what_to_do, 0, 2);
	tcase_add_test(tc, find_in_no_environment_is_missing);
	tcase_add_loop_test(tc, same_sees_any_change_of_the_file, 0, ROWS(change_cases));
	tcase_add_test(tc, same_is_false_for_another_name_of_the_file);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
