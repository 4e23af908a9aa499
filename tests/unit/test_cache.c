/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

enum { NOW = 1000000, STRANGER = 12345 };

#define PLUGIN "/usr/lib/inference/backends/x.so"

static struct scratch dir;
static struct ih_cache cache;
static const struct ih_file_id id = { 1, 2, 3, { 4, 5 } };
static struct ih_report report, found;
static char entry[4096];	/* the path of the one file in the cache */

static void setup(void)
{
	scratch_init(&dir);
	cache = (struct ih_cache)IH_CACHE_INIT;
	report = (struct ih_report){ .state = INF_STATE_CRASHED, .why = { .struct_size = sizeof report.why,
				     .reason = "crashed", .message = "it crashed" } };
	ih_cache_open(&cache, dir.path, NULL, geteuid());
}

static void teardown(void)
{
	ih_cache_release(&cache);
	scratch_release(&dir);
}

/* How many files there are; entry is the last. */
static int count_files(void)
{
	const char *path = scratch_at(&dir, "inference/probe");
	int count = 0;
	DIR *stream = opendir(path);
	ck_assert_ptr_nonnull(stream);
	for (struct dirent *e; (e = readdir(stream)); ) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(entry, sizeof entry, "%s/%s", path, e->d_name);
		count++;
	}
	closedir(stream);
	return count;
}

static void store(void)
{
	ih_cache_store(&cache, PLUGIN, &id, NOW, &report);
	ck_assert_int_eq(count_files(), 1);
}

static bool find(int64_t now_s)
{
	return ih_cache_find(&cache, PLUGIN, &id, now_s, &found);
}

START_TEST(verdict_comes_back)
{
	ck_assert(!find(NOW));
	store();
	ck_assert(find(NOW));
	ck_assert_int_eq(found.state, INF_STATE_CRASHED);
	ck_assert_str_eq(found.why.reason, "crashed");
	ck_assert_str_eq(found.why.message, "it crashed");
	ck_assert(!ih_cache_find(&cache, "/usr/lib/inference/backends/y.so", &id, NOW, &found));
}
END_TEST

START_TEST(verdict_is_replaced)
{
	store();
	strcpy(report.why.message, "it crashed again");
	store();
	ck_assert(find(NOW));
	ck_assert_str_eq(found.why.message, "it crashed again");
}
END_TEST

static const struct ih_file_id others[] = {
	{ 9, 2, 3, { 4, 5 } }, { 1, 9, 3, { 4, 5 } }, { 1, 2, 9, { 4, 5 } }, { 1, 2, 3, { 9, 5 } }, { 1, 2, 3, { 4, 9 } },
};

START_TEST(verdict_of_a_file_that_changed_is_none)
{
	store();
	ck_assert(!ih_cache_find(&cache, PLUGIN, &others[_i], NOW, &found));
}
END_TEST

static const struct {
	int32_t state;
	const char *reason;
	bool expires;
} kinds[] = {
	{ INF_STATE_CRASHED, "crashed", false }, { INF_STATE_INCOMPATIBLE, "abi_major", false },
	{ INF_STATE_NOT_A_PLUGIN, "no_entry", false }, { INF_STATE_AVAILABLE, "", false },
	{ INF_STATE_NOT_A_PLUGIN, "dlopen", true }, { INF_STATE_TIMED_OUT, "timed_out", true },
};

START_TEST(verdict_expires_where_the_environment_may_be_at_fault)
{
	report.state = kinds[_i].state;
	strcpy(report.why.reason, kinds[_i].reason);
	if (!kinds[_i].reason[0])
		report.why.message[0] = '\0';
	store();
	ck_assert(find(NOW));
	ck_assert(find(NOW + IH_CACHE_EXPIRY_S - 1));
	ck_assert(find(NOW + IH_CACHE_EXPIRY_S) == !kinds[_i].expires);
	ck_assert(find(NOW - 1) == !kinds[_i].expires);	/* the clock was set back: who knows */
}
END_TEST

START_TEST(files_are_small_and_for_nobody_else)
{
	struct stat st;
	store();
	ck_assert_int_eq(stat(entry, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(scratch_at(&dir, "inference/probe"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
}
END_TEST

/* ---- what may lie there ---- */

static void overwrite(const char *bytes, size_t len)
{
	FILE *file = fopen(entry, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

START_TEST(content_cut_anywhere_is_no_verdict)
{
	size_t len;
	store();
	char *bytes = scratch_read(entry, &len);
	for (size_t cut = 0; cut + 1 < len; cut++) {
		overwrite(bytes, cut);
		ck_assert(!find(NOW));
	}
	free(bytes);
}
END_TEST

/* The message alone may be changed without a trace. */
START_TEST(content_with_any_byte_changed_is_survived)
{
	size_t len;
	store();
	char *bytes = scratch_read(entry, &len);
	const char *message = strstr(bytes, "it crashed");
	ck_assert_ptr_nonnull(message);
	for (size_t i = 0; i < (size_t)(message - bytes); i++) {
		char was = bytes[i];
		bytes[i] = '\x02';
		overwrite(bytes, len);
		bytes[i] = was;
		ck_assert_msg(!find(NOW), "byte %zu", i);
	}
	free(bytes);
}
END_TEST

START_TEST(content_too_long_is_no_verdict)
{
	static char bytes[IH_CACHE_FILE_MAX + 10];
	size_t len;
	store();
	char *good = scratch_read(entry, &len);
	memset(bytes, '\n', sizeof bytes);
	memcpy(bytes, good, len);
	free(good);
	overwrite(bytes, sizeof bytes);
	ck_assert(!find(NOW));
	overwrite("", 0);
	ck_assert(!find(NOW));
}
END_TEST

static void put_fifo(void)
{
	ck_assert_int_eq(mkfifo(entry, 0600), 0);
}

static void put_dir(void)
{
	ck_assert_int_eq(mkdir(entry, 0700), 0);
}

static void put_link(void)
{
	ck_assert_int_eq(symlink("/dev/zero", entry), 0);
}

static const struct {
	void (*put)(void);
	bool replaced;
} things[] = { { put_fifo, true }, { put_dir, false }, { put_link, true } };

/* A hang would end in libcheck's timeout. */
START_TEST(thing_that_is_no_file_is_no_verdict)
{
	store();
	ck_assert_int_eq(unlink(entry), 0);
	things[_i].put();
	ck_assert(!find(NOW));
	ih_cache_store(&cache, PLUGIN, &id, NOW, &report);
	ck_assert_int_eq(count_files(), 1);
	ck_assert(find(NOW) == things[_i].replaced);
}
END_TEST

/* ---- where ---- */

START_TEST(directory_is_made_below_home)
{
	struct stat st;
	ih_cache_release(&cache);
	ih_cache_open(&cache, NULL, dir.path, geteuid());
	ck_assert_int_ge(cache.dir_fd, 0);
	ck_assert_int_eq(stat(scratch_at(&dir, ".cache/inference/probe"), &st), 0);
	ih_cache_release(&cache);
	ih_cache_open(&cache, "relative", dir.path, geteuid());	/* counts as not set */
	ck_assert_int_ge(cache.dir_fd, 0);
}
END_TEST

START_TEST(directory_of_xdg_is_made)
{
	ih_cache_release(&cache);
	ih_cache_open(&cache, scratch_at(&dir, "new"), NULL, geteuid());
	ck_assert_int_ge(cache.dir_fd, 0);
}
END_TEST

static const char *const levels[] = { "", "inference", "inference/probe" };

START_TEST(directory_others_can_write_to_is_not_used)
{
	ih_cache_release(&cache);
	ck_assert_int_eq(chmod(scratch_at(&dir, levels[_i]), 0777), 0);
	ih_cache_open(&cache, dir.path, NULL, geteuid());
	ck_assert_int_lt(cache.dir_fd, 0);
	ih_cache_store(&cache, PLUGIN, &id, NOW, &report);
	ck_assert(!find(NOW));
}
END_TEST

/* As root with the HOME of a user: nothing of root's is left in it. */
START_TEST(directory_of_somebody_else_is_not_touched)
{
	struct stat st;
	const char *home = scratch_dir(&dir, "home", 0755);
	ih_cache_release(&cache);
	ih_cache_open(&cache, NULL, home, geteuid() + 1);
	ck_assert_int_lt(cache.dir_fd, 0);
	ck_assert_int_ne(stat(scratch_at(&dir, "home/.cache"), &st), 0);
}
END_TEST

START_TEST(directory_that_is_a_link_is_not_followed)
{
	ih_cache_release(&cache);
	scratch_dir(&dir, "elsewhere", 0700);
	ck_assert_int_eq(rmdir(scratch_at(&dir, "inference/probe")), 0);
	scratch_link(&dir, "inference/probe", "../elsewhere");
	ih_cache_open(&cache, dir.path, NULL, geteuid());
	ck_assert_int_lt(cache.dir_fd, 0);
}
END_TEST

static const char *const nowhere[] = { "", "/nonexistent/a/b", "/dev/null", "/proc/self" };

START_TEST(no_directory_is_no_cache)
{
	ih_cache_release(&cache);
	ih_cache_open(&cache, _i ? nowhere[_i] : NULL, NULL, geteuid());
	ck_assert_int_lt(cache.dir_fd, 0);
	ih_cache_store(&cache, PLUGIN, &id, NOW, &report);
	ck_assert(!find(NOW));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *tcase = tcase_create("cache");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, verdict_comes_back);
	tcase_add_test(tcase, verdict_is_replaced);
	tcase_add_loop_test(tcase, verdict_of_a_file_that_changed_is_none, 0, ROWS(others));
	tcase_add_loop_test(tcase, verdict_expires_where_the_environment_may_be_at_fault, 0, ROWS(kinds));
	tcase_add_test(tcase, files_are_small_and_for_nobody_else);
	tcase_add_test(tcase, content_cut_anywhere_is_no_verdict);
	tcase_add_test(tcase, content_with_any_byte_changed_is_survived);
	tcase_add_test(tcase, content_too_long_is_no_verdict);
	tcase_add_loop_test(tcase, thing_that_is_no_file_is_no_verdict, 0, ROWS(things));
	tcase_add_test(tcase, directory_is_made_below_home);
	tcase_add_test(tcase, directory_of_xdg_is_made);
	tcase_add_loop_test(tcase, directory_others_can_write_to_is_not_used, 0, ROWS(levels));
	tcase_add_test(tcase, directory_of_somebody_else_is_not_touched);
	tcase_add_test(tcase, directory_that_is_a_link_is_not_followed);
	tcase_add_loop_test(tcase, no_directory_is_no_cache, 0, ROWS(nowhere));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
