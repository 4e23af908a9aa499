/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failmalloc.h"
#include "interrupt.h"
#include "scratch.h"

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { CAP = 8, LARGE_CAP = 300000 };

static struct scratch scratch;

static void setup(void)
{
	scratch_init(&scratch);
}

static void teardown(void)
{
	scratch_release(&scratch);
}

static int open_with(const char *bytes, size_t len)
{
	int fd = open(scratch_write(&scratch, "in", bytes, len), O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* "a|bc|!|": each line and a '|', "!" for a long one, '.' for one without a newline. */
static void add(struct text *seen, enum lines_event event, const struct lines *lines)
{
	if (event == LINES_LINE)
		text_add(seen, lines->line, lines->len);
	else
		text_puts(seen, "!");
	text_puts(seen, lines->is_whole ? "|" : ".");
}

static enum lines_event read_all(struct lines *lines, struct text *seen, struct failure *why)
{
	enum lines_event event;
	while ((event = lines_next(lines, LINES_FOREVER, why)) == LINES_LINE || event == LINES_LONG)
		add(seen, event, lines);
	return event;
}

static const struct { const char *bytes, *seen; } cases[] = {
	{ "", "" }, { "\n", "|" }, { "\n\n", "||" }, { "a", "a." }, { "a\n", "a|" }, { "a\nbc\n", "a|bc|" }, { "a\nbc", "a|bc." },
	{ "12345678\n", "12345678|" }, { "12345678", "12345678." }, { "123456789\n", "!|" }, { "123456789", "!." },
	{ "123456789\na\n", "!|a|" }, { "1234567890123456789\n\n12345678\n123456789", "!||12345678|!." }, { "a\r\nb", "a\r|b." },
};

START_TEST(lines_of_a_file_are_told_apart)
{
	struct failure why = FAILURE_INIT;
	struct text seen = TEXT_INIT(1000);
	size_t len = strlen(cases[_i].bytes);
	int fd = open_with(cases[_i].bytes, len);
	struct lines lines = lines_of(fd, "in", CAP);
	ck_assert_int_eq(read_all(&lines, &seen, &why), LINES_END);
	ck_assert_str_eq(text_string(&seen), cases[_i].seen);
	ck_assert_uint_eq(lines.end, len);
	lines_release(&lines);
	text_release(&seen);
	close(fd);
}
END_TEST

START_TEST(byte_at_a_time_equals_whole)
{
	struct failure why = FAILURE_INIT;
	struct text seen = TEXT_INIT(1000);
	int fds[2];
	enum lines_event event = LINES_LATE;
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	struct lines lines = lines_of(fds[0], "in", CAP);
	for (const char *at = cases[_i].bytes; *at; at++) {
		ck_assert_int_eq(write(fds[1], at, 1), 1);
		while ((event = lines_next(&lines, 0, &why)) != LINES_LATE)
			add(&seen, event, &lines);
	}
	close(fds[1]);
	ck_assert_int_eq(read_all(&lines, &seen, &why), LINES_END);
	ck_assert_str_eq(text_string(&seen), cases[_i].seen);
	ck_assert_uint_eq(lines.end, strlen(cases[_i].bytes));
	lines_release(&lines);
	text_release(&seen);
	close(fds[0]);
}
END_TEST

/* Longer than what is read at once. */
START_TEST(long_line_is_passed_over_without_being_kept)
{
	struct failure why = FAILURE_INIT;
	struct text bytes = TEXT_INIT(16 << 20), seen = TEXT_INIT(16 << 20);
	for (int more = 0; more < 2; more++) {
		text_repeat(&bytes, 'x', (size_t)(LARGE_CAP + more));
		text_puts(&bytes, "\n");
	}
	text_repeat(&bytes, 'y', 10 * LARGE_CAP);
	text_puts(&bytes, "\nend");
	int fd = open_with(bytes.data, bytes.len);
	struct lines lines = lines_of(fd, "in", LARGE_CAP);
	ck_assert_int_eq(lines_next(&lines, LINES_FOREVER, &why), LINES_LINE);
	ck_assert_uint_eq(lines.len, LARGE_CAP);
	ck_assert_int_eq(read_all(&lines, &seen, &why), LINES_END);
	ck_assert_str_eq(text_string(&seen), "!|!|end.");
	ck_assert_uint_eq(lines.end, bytes.len);
	ck_assert_uint_le(lines.read.cap, 4 * LARGE_CAP);
	lines_release(&lines);
	text_release(&seen);
	text_release(&bytes);
	close(fd);
}
END_TEST

START_TEST(blank_lines_are_known)
{
	static const struct { const char *bytes; size_t len; bool is_blank; } lines[] = {
		{ "", 0, true }, { " \t\r", 3, true }, { " x", 2, false }, { "\0", 1, false }, { "\v", 1, false },
	};
	for (int i = 0; i < ROWS(lines); i++) {
		const struct lines self = { .line = lines[i].bytes, .len = lines[i].len };
		ck_assert_int_eq(lines_is_blank(&self), lines[i].is_blank);
	}
}
END_TEST

static const struct { const char *bytes; size_t count; } counts[] = {
	{ "", 0 }, { "\n \n\t\r\n", 0 }, { "a", 1 }, { "a\n", 1 }, { "a\n\nb", 2 }, { " a\n \nb\n", 2 }, { "a\n ", 1 },
};

START_TEST(lines_with_text_are_counted_from_where_reading_is)
{
	int fd = open_with(counts[_i].bytes, strlen(counts[_i].bytes));
	size_t count = 99;
	ck_assert(lines_count(fd, &count));
	ck_assert_uint_eq(count, counts[_i].count);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	lseek(fd, 0, SEEK_END);
	ck_assert(lines_count(fd, &count));
	ck_assert_uint_eq(count, 0);
	close(fd);
}
END_TEST

START_TEST(lines_of_a_pipe_cannot_be_counted)
{
	int fds[2];
	size_t count;
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert(!lines_count(fds[0], &count));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(directory_fails_with_its_name)
{
	struct failure why = FAILURE_INIT;
	int fd = open(scratch.path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	struct lines lines = lines_of(fd, "the-input", CAP);
	ck_assert_int_eq(lines_next(&lines, LINES_FOREVER, &why), LINES_FAILED);
	ck_assert_str_eq(why.error.reason, "read");
	ck_assert_ptr_nonnull(strstr(why.error.message, "the-input: cannot be read: Is a directory"));
	lines_release(&lines);
	close(fd);
}
END_TEST

START_TEST(signal_ends_waiting)
{
	struct failure why = FAILURE_INIT;
	int fds[2];
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	struct lines lines = lines_of(fds[0], "in", CAP);
	interrupt_install();
	raise(SIGTERM);
	ck_assert_int_eq(lines_next(&lines, LINES_FOREVER, &why), LINES_INTERRUPTED);
	ck_assert_int_eq(lines_next(&lines, 0, &why), LINES_INTERRUPTED);
	lines_release(&lines);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(reading_survives_oom)
{
	int fd = open_with("a\n12345678\n", 11);
	for (long n = 0;; n++) {
		struct failure why = FAILURE_INIT;
		struct lines lines = lines_of(fd, "in", CAP);
		lseek(fd, 0, SEEK_SET);
		failmalloc_arm(n);
		enum lines_event event = lines_next(&lines, LINES_FOREVER, &why);
		bool fired = failmalloc_disarm();
		lines_release(&lines);
		ck_assert_int_eq(event, fired ? LINES_FAILED : LINES_LINE);
		if (!fired)
			break;
		ck_assert_int_eq(why.error.code, INF_E_NO_MEMORY);
	}
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lines");
	TCase *lines = tcase_create("lines");
	suite_add_tcase(suite, lines);
	tcase_add_checked_fixture(lines, setup, teardown);
	tcase_add_loop_test(lines, lines_of_a_file_are_told_apart, 0, ROWS(cases));
	tcase_add_loop_test(lines, byte_at_a_time_equals_whole, 0, ROWS(cases));
	tcase_add_test(lines, long_line_is_passed_over_without_being_kept);
	tcase_add_test(lines, blank_lines_are_known);
	tcase_add_loop_test(lines, lines_with_text_are_counted_from_where_reading_is, 0, ROWS(counts));
	tcase_add_test(lines, lines_of_a_pipe_cannot_be_counted);
	tcase_add_test(lines, directory_fails_with_its_name);
	tcase_add_test(lines, reading_survives_oom);
	tcase_add_test(lines, signal_ends_waiting);	/* the last: with CK_FORK=no a signal stays caught */
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
