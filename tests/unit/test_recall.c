/* SPDX-License-Identifier: MIT */
#include "recall.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "scratch.h"

static struct scratch scratch;
static struct text seen;

static void setup(void)
{
	scratch_init(&scratch);
	setenv("XDG_STATE_HOME", scratch.path, 1);
	seen = (struct text)TEXT_INIT(1 << 20);
}

static void teardown(void)
{
	text_release(&seen);
	scratch_release(&scratch);
}

static void add(void *user, const char *entry)
{
	(void)user;
	text_puts(&seen, entry);
	text_puts(&seen, "|");
}

static const char *path(void)
{
	static char whole[4096];
	snprintf(whole, sizeof whole, "%s/inference/chat_history", scratch.path);
	return whole;
}

/* "a|b|", the oldest first. */
static const char *read_again(void)
{
	struct recall recall = RECALL_INIT;
	text_reset(&seen);
	recall_open(&recall, add, NULL);
	recall_release(&recall);
	return text_string(&seen);
}

static void write_file(const char *bytes, size_t len)
{
	read_again();			/* makes the directory */
	FILE *file = fopen(path(), "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

START_TEST(entries_come_back_as_they_were)
{
	struct recall recall = RECALL_INIT;
	struct stat status;
	recall_open(&recall, add, NULL);
	recall_add(&recall, "one");
	recall_add(&recall, "two\nlines\n");
	recall_add(&recall, "back\\slash \\n \\");
	recall_release(&recall);
	ck_assert_str_eq(read_again(), "one|two\nlines\n|back\\slash \\n \\|");
	ck_assert(!stat(path(), &status));
	ck_assert_int_eq(status.st_mode & 0777, 0600);
}
END_TEST

static const struct {
	const char *bytes, *entries;
} files[] = {
	{ "", "" }, { "\n\n", "" }, { "whole\nhalf", "whole|" }, { "a\\", "" }, { "a\\\nb\n", "a\\|b|" }, { "\\q\n", "q|" },
	{ "\xff\xfe\n", "\xff\xfe|" },
};

START_TEST(odd_file_gives_what_it_has)
{
	write_file(files[_i].bytes, strlen(files[_i].bytes));
	ck_assert_str_eq(read_again(), files[_i].entries);
}
END_TEST

START_TEST(pipe_in_its_place_is_left_alone)
{
	struct recall recall = RECALL_INIT;
	read_again();
	ck_assert(!mkfifo(path(), 0600));
	recall_open(&recall, add, NULL);
	recall_add(&recall, "nothing waits");
	recall_release(&recall);
	ck_assert_str_eq(text_string(&seen), "");
}
END_TEST

START_TEST(file_that_is_too_long_is_begun_anew)
{
	struct recall recall = RECALL_INIT;
	write_file("old\n", 4);
	ck_assert(!truncate(path(), RECALL_BYTES_MAX + 1));
	recall_open(&recall, add, NULL);
	recall_add(&recall, "new");
	recall_release(&recall);
	ck_assert_str_eq(read_again(), "new|");
}
END_TEST

START_TEST(entry_that_is_too_long_is_not_kept)
{
	struct recall recall = RECALL_INIT;
	char *entry = malloc(RECALL_ENTRY_MAX + 2);
	ck_assert_ptr_nonnull(entry);
	memset(entry, '\n', RECALL_ENTRY_MAX + 1);
	entry[RECALL_ENTRY_MAX + 1] = '\0';
	recall_open(&recall, add, NULL);
	recall_add(&recall, entry);
	entry[RECALL_ENTRY_MAX] = '\0';
	recall_add(&recall, entry);
	recall_release(&recall);
	ck_assert_uint_eq(strlen(read_again()), RECALL_ENTRY_MAX + 1);
	free(entry);
}
END_TEST

START_TEST(nothing_is_kept_without_a_directory)
{
	struct recall recall = RECALL_INIT;
	setenv("XDG_STATE_HOME", "/dev/null", 1);
	recall_open(&recall, add, NULL);
	ck_assert_ptr_null(recall.path);
	recall_add(&recall, "nowhere");
	recall_release(&recall);
}
END_TEST

START_TEST(open_survives_oom)
{
	write_file("one\ntwo\n", 8);
	for (long n = 0;; n++) {
		struct recall recall = RECALL_INIT;
		failmalloc_arm(n);
		recall_open(&recall, add, NULL);
		recall_add(&recall, "three");
		bool fired = failmalloc_disarm();
		recall_release(&recall);
		if (!fired)
			break;
	}
	ck_assert_ptr_nonnull(strstr(read_again(), "three|"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recall");
	TCase *tcase = tcase_create("recall");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, entries_come_back_as_they_were);
	tcase_add_loop_test(tcase, odd_file_gives_what_it_has, 0, (int)(sizeof files / sizeof *files));
	tcase_add_test(tcase, pipe_in_its_place_is_left_alone);
	tcase_add_test(tcase, file_that_is_too_long_is_begun_anew);
	tcase_add_test(tcase, entry_that_is_too_long_is_not_kept);
	tcase_add_test(tcase, nothing_is_kept_without_a_directory);
	tcase_add_test(tcase, open_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
