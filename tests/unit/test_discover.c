/* SPDX-License-Identifier: MIT */
#include "discover.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "scratch.h"

struct heard {
	int warnings;
	char last[IH_LOG_LINE_MAX];	/* warning */
};

static struct scratch dir;
static struct heard heard;
static struct ih_log sink;
static struct ih_paths found;
static inf_error err;

static void hear(void *ctx, int32_t level, const char *msg, size_t len)
{
	struct heard *self = ctx;
	ck_assert_uint_eq(strlen(msg), len);
	if (level != INF_LOG_WARN)
		return;
	self->warnings++;
	snprintf(self->last, sizeof self->last, "%s", msg);
}

static void setup(void)
{
	scratch_init(&dir);
	heard = (struct heard){ 0 };
	sink = (struct ih_log){ hear, &heard, INF_LOG_DEBUG };
	found = (struct ih_paths)IH_PATHS_INIT;
	err = (inf_error){ .struct_size = sizeof err };
}

static void teardown(void)
{
	ih_paths_release(&found);
	scratch_release(&dir);
}

static void touch(const char *name)
{
	scratch_write(&dir, name, "", 0);
}

static void expect(const char *const *names, size_t count)
{
	ck_assert_uint_eq(found.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(found.items[i], scratch_at(&dir, names[i]));
}

START_TEST(places_are_searched_in_order)
{
	static const char *const expected[] = {
		"given2/z.so", "given1/a.so", "env1/b.so", "env2/a.so", "data/inference/backends/c.so", "installed/0.so",
	};
	const char *given[] = { scratch_dir(&dir, "given2", 0700), scratch_dir(&dir, "given1", 0700) };
	char list[1024];
	scratch_dir(&dir, "data", 0700);
	scratch_dir(&dir, "data/inference", 0700);
	scratch_dir(&dir, "data/inference/backends", 0700);
	snprintf(list, sizeof list, "%s:%s/", scratch_dir(&dir, "env1", 0700), scratch_dir(&dir, "env2", 0700));
	for (size_t i = 0; i < 4; i++)
		touch(expected[i]);
	const struct ih_search search = {
		.dirs = given, .dir_count = 2, .plugin_path = list, .xdg_data_home = scratch_at(&dir, "data"),
		.home = "/nonexistent", .installed = scratch_dir(&dir, "installed", 0700),
	};
	touch(expected[4]);
	touch(expected[5]);
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	expect(expected, 6);
	ck_assert_int_eq(heard.warnings, 0);
}
END_TEST

START_TEST(names_are_sorted_by_bytes_and_filtered)
{
	static const char *const others[] = { ".so", ".hidden.so", "lib.so.1", "x.SO", "so", "a.so~", "README" };
	static const char *const expected[] = { "B.so", "a b.so", "a-1.so", "a.so", "a1.so", "b.so", "\xc3\xa9.so" };
	const char *given[] = { dir.path };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		touch(others[i]);
	for (size_t i = sizeof expected / sizeof *expected; i-- > 0; )
		touch(expected[i]);
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	expect(expected, sizeof expected / sizeof *expected);
}
END_TEST

static const char *const relative[] = { "plugins", "./plugins", "../plugins", "", "~", NULL };

START_TEST(given_dir_relative_is_invalid)
{
	const char *given[] = { dir.path, relative[_i] };
	const struct ih_search search = { .dirs = given, .dir_count = 2 };
	touch("a.so");
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_E_INVALID);
	ck_assert_int_eq(err.code, INF_E_INVALID);
	ck_assert_str_eq(err.reason, "dir_relative");
	if (relative[_i])
		ck_assert_ptr_nonnull(strstr(err.message, relative[_i]));
	ck_assert_ptr_null(found.items);
}
END_TEST

static const struct {
	const char *before, *after;	/* around a good directory */
	int warnings;
} lists[] = {
	{ "", "", 0 }, { ":", "", 1 }, { "", ":", 1 }, { "::", "", 2 }, { "plugins:", "", 1 }, { "", ":.:..", 2 },
	{ "/nonexistent:", "", 1 }, { "", ":/dev/null", 1 },
};

START_TEST(plugin_path_bad_component_is_reported_and_skipped)
{
	static const char *const expected[] = { "a.so" };
	char list[1024];
	snprintf(list, sizeof list, "%s%s%s", lists[_i].before, dir.path, lists[_i].after);
	const struct ih_search search = { .plugin_path = list };
	touch("a.so");
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	expect(expected, 1);
	ck_assert_int_eq(heard.warnings, lists[_i].warnings);
}
END_TEST

START_TEST(plugin_path_empty_is_unset)
{
	const struct ih_search search = { .plugin_path = "" };
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, 0);
	ck_assert_int_eq(heard.warnings, 0);
}
END_TEST

START_TEST(given_dir_missing_is_reported)
{
	const char *given[] = { scratch_at(&dir, "nowhere"), dir.path };
	const struct ih_search search = { .dirs = given, .dir_count = 2 };
	touch("a.so");
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_int_eq(heard.warnings, 1);
	ck_assert_ptr_nonnull(strstr(heard.last, given[0]));
	ck_assert_ptr_nonnull(strstr(heard.last, "No such file or directory"));
}
END_TEST

START_TEST(default_dir_missing_is_silent)
{
	const struct ih_search search = { .home = dir.path, .installed = scratch_at(&dir, "nowhere") };
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_int_eq(heard.warnings, 0);
}
END_TEST

static const struct {
	const char *data_home;
	int warnings;
} data_homes[] = { { NULL, 0 }, { "", 0 }, { "data", 1 } };

START_TEST(data_home_unusable_falls_back_to_home)
{
	static const char *const expected[] = { ".local/share/inference/backends/a.so" };
	const struct ih_search search = { .xdg_data_home = data_homes[_i].data_home, .home = dir.path };
	scratch_dir(&dir, ".local", 0700);
	scratch_dir(&dir, ".local/share", 0700);
	scratch_dir(&dir, ".local/share/inference", 0700);
	scratch_dir(&dir, ".local/share/inference/backends", 0700);
	touch(expected[0]);
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	expect(expected, 1);
	ck_assert_int_eq(heard.warnings, data_homes[_i].warnings);
}
END_TEST

START_TEST(home_relative_is_not_searched)
{
	const struct ih_search search = { .home = "." };
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

/* The cap and one past it. */
START_TEST(files_beyond_the_cap_skip_the_directory)
{
	const char *given[] = { dir.path };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	char name[32];
	for (int i = 0; i < IH_DISCOVER_FILES_MAX + _i; i++) {
		char path[512];
		snprintf(name, sizeof name, "%05d.so", i);
		snprintf(path, sizeof path, "%s/%s", dir.path, name);
		FILE *file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		fclose(file);
	}
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, _i ? 0 : IH_DISCOVER_FILES_MAX);
	ck_assert_int_eq(heard.warnings, _i);
}
END_TEST

START_TEST(dirs_beyond_the_cap_are_invalid)
{
	const char *given[IH_DISCOVER_DIRS_MAX + 1];
	const struct ih_search search = { .dirs = given, .dir_count = (size_t)(IH_DISCOVER_DIRS_MAX + _i) };
	for (size_t i = 0; i < search.dir_count; i++)
		given[i] = dir.path;
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), _i ? INF_E_INVALID : INF_OK);
	ck_assert_str_eq(err.reason, _i ? "dir_limit" : "");
}
END_TEST

START_TEST(plugin_path_beyond_the_cap_is_reported)
{
	const char *given[IH_DISCOVER_DIRS_MAX];
	const struct ih_search search = { .dirs = given, .dir_count = (size_t)(IH_DISCOVER_DIRS_MAX - 1 + _i),
					  .plugin_path = dir.path };
	const char *empty = scratch_dir(&dir, "empty", 0700);
	for (size_t i = 0; i < search.dir_count; i++)
		given[i] = empty;
	touch("a.so");
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, _i ? 0 : 1);
	ck_assert_int_eq(heard.warnings, _i);
}
END_TEST

/* A directory whose own path is as long as it gets: the kernel takes "/./." for nothing. */
START_TEST(file_path_beyond_the_cap_is_reported)
{
	char path[IH_DISCOVER_PATH_MAX];
	const char *given[] = { path };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	size_t room = sizeof path - 1 - strlen("/") - strlen("a.so"), len = strlen(dir.path);
	touch(_i ? "aa.so" : "a.so");
	memcpy(path, dir.path, len);
	for (; len + 2 <= room; len += 2)
		memcpy(path + len, "/.", 2);
	if (len < room) {
		memmove(path + 1, path, len);	/* "//tmp" is "/tmp" */
		len++;
	}
	path[len] = '\0';
	ck_assert_uint_eq(len, room);
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_uint_eq(found.count, _i ? 0 : 1);
	ck_assert_int_eq(heard.warnings, _i);
}
END_TEST

START_TEST(given_dir_path_beyond_the_cap_is_invalid)
{
	char path[IH_DISCOVER_PATH_MAX + 1];
	const char *given[] = { path };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	memset(path, 'x', sizeof path);
	path[0] = '/';
	path[IH_DISCOVER_PATH_MAX - 1 + _i] = '\0';
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), _i ? INF_E_INVALID : INF_OK);
}
END_TEST

START_TEST(log_level_is_obeyed)
{
	const char *given[] = { scratch_at(&dir, "nowhere") };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	sink.level = INF_LOG_ERROR;
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_int_eq(heard.warnings, 0);
	sink.write = NULL;
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
}
END_TEST

START_TEST(log_line_is_one_line)
{
	const char *given[] = { "/nonexistent/a\nERROR: b" };
	const struct ih_search search = { .dirs = given, .dir_count = 1 };
	ck_assert_int_eq(ih_discover(&search, &sink, &found, &err), INF_OK);
	ck_assert_ptr_nonnull(strstr(heard.last, "/nonexistent/a ERROR: b"));
}
END_TEST

START_TEST(discover_survives_oom)
{
	const char *given[] = { dir.path, dir.path };
	const struct ih_search search = { .dirs = given, .dir_count = 2 };
	for (int i = 0; i < 12; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d.so", i);
		touch(name);
	}
	sink.write = NULL;	/* it asserts, and libcheck may be linked statically: its allocations would fail, too */
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = ih_discover(&search, &sink, &found, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
		ck_assert_int_eq(err.code, INF_E_NO_MEMORY);
		ck_assert_ptr_null(found.items);
	}
	ck_assert_uint_eq(found.count, 24);
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("discover");
	TCase *tcase = tcase_create("discover");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, places_are_searched_in_order);
	tcase_add_test(tcase, names_are_sorted_by_bytes_and_filtered);
	tcase_add_loop_test(tcase, given_dir_relative_is_invalid, 0, count(sizeof relative, sizeof *relative));
	tcase_add_loop_test(tcase, plugin_path_bad_component_is_reported_and_skipped, 0,
			    count(sizeof lists, sizeof *lists));
	tcase_add_test(tcase, plugin_path_empty_is_unset);
	tcase_add_test(tcase, given_dir_missing_is_reported);
	tcase_add_test(tcase, default_dir_missing_is_silent);
	tcase_add_loop_test(tcase, data_home_unusable_falls_back_to_home, 0, count(sizeof data_homes, sizeof *data_homes));
	tcase_add_test(tcase, home_relative_is_not_searched);
	tcase_add_loop_test(tcase, files_beyond_the_cap_skip_the_directory, 0, 2);
	tcase_add_loop_test(tcase, dirs_beyond_the_cap_are_invalid, 0, 2);
	tcase_add_loop_test(tcase, plugin_path_beyond_the_cap_is_reported, 0, 2);
	tcase_add_loop_test(tcase, file_path_beyond_the_cap_is_reported, 0, 2);
	tcase_add_loop_test(tcase, given_dir_path_beyond_the_cap_is_invalid, 0, 2);
	tcase_add_test(tcase, log_level_is_obeyed);
	tcase_add_test(tcase, log_line_is_one_line);
	tcase_add_test(tcase, discover_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
