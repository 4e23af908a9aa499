/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "logfile.h"
#include "scratch.h"

/* What the next writes give instead of writing: -errno, or that many bytes; then the real one. */
static ssize_t results[4];
static size_t result_count;

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	if (!result_count)
		return __real_writev(fd, parts, count);
	ssize_t n = results[--result_count];
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	return n;
}

static struct scratch scratch;

static void setup(void)
{
	scratch_init(&scratch);
}

static void teardown(void)
{
	scratch_release(&scratch);
}

static void write_line(struct gr_logfile *self, const char *line)
{
	gr_logfile_write(self, line, strlen(line));
}

static void expect(const char *path, const char *content)
{
	size_t len;
	char *text = scratch_read(path, &len);
	ck_assert_str_eq(text, content);
	free(text);
}

START_TEST(file_is_created_for_the_user_and_appended_to)
{
	const char *path = scratch_at(&scratch, "a.log");
	struct stat st;
	for (int i = 0; i < 2; i++) {
		struct gr_logfile log = GR_LOGFILE_INIT;
		ck_assert_int_eq(gr_logfile_open(&log, path, NULL), INF_OK);
		ck_assert(fcntl(log.fd, F_GETFD) & FD_CLOEXEC);
		write_line(&log, i ? "two" : "one");
		write_line(&log, "");
		ck_assert_uint_eq(log.lost, 0);
		gr_logfile_close(&log);
	}
	expect(path, "one\n\ntwo\n\n");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

static const struct {
	const char *path;		/* below the scratch, but for the first two */
	inf_status status;
	const char *reason;
} refusals[] = {
	{ "a.log", INF_E_INVALID, "option_value" },
	{ "", INF_E_INVALID, "option_value" },
	{ "nowhere/a.log", INF_E_IO, "log_file" },
	{ "folder", INF_E_IO, "log_file" },
	{ "link", INF_E_IO, "log_file" },
	{ "pipe", INF_E_IO, "log_file" },
};

START_TEST(path_where_no_file_can_be_is_refused)
{
	struct gr_logfile log = GR_LOGFILE_INIT;
	inf_error err = { .struct_size = sizeof err };
	scratch_dir(&scratch, "folder", 0700);
	scratch_link(&scratch, "link", scratch_write(&scratch, "target", "", 0));
	ck_assert_int_eq(mkfifo(scratch_at(&scratch, "pipe"), 0600), 0);
	const char *path = _i < 2 ? refusals[_i].path : scratch_at(&scratch, refusals[_i].path);
	ck_assert_int_eq(gr_logfile_open(&log, path, &err), refusals[_i].status);
	ck_assert_str_eq(err.reason, refusals[_i].reason);
	ck_assert_ptr_nonnull(strstr(err.message, "log-file"));
	ck_assert_int_eq(log.fd, -1);
	write_line(&log, "x");
	ck_assert_uint_eq(log.lost, 0);
}
END_TEST

START_TEST(pipe_that_somebody_reads_is_no_file_either)
{
	struct gr_logfile log = GR_LOGFILE_INIT;
	inf_error err = { .struct_size = sizeof err };
	const char *path = scratch_at(&scratch, "pipe");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_eq(gr_logfile_open(&log, path, &err), INF_E_IO);
	ck_assert_int_eq(log.fd, -1);
	close(reader);
}
END_TEST

START_TEST(full_disk_loses_lines_and_nothing_else)
{
	struct gr_logfile log = GR_LOGFILE_INIT;
	ck_assert_int_eq(gr_logfile_open(&log, "/dev/full", NULL), INF_OK);
	write_line(&log, "one");
	write_line(&log, "two");
	ck_assert_uint_eq(log.lost, 2);
	ck_assert_int_eq(log.error, ENOSPC);
	gr_logfile_close(&log);
}
END_TEST

START_TEST(disk_with_room_again_is_written_again)
{
	static const ssize_t faults[] = { -EIO, -ENOSPC, 2 };
	static const int errors[] = { EIO, ENOSPC, ENOSPC };
	const char *path = scratch_at(&scratch, "a.log");
	struct gr_logfile log = GR_LOGFILE_INIT;
	ck_assert_int_eq(gr_logfile_open(&log, path, NULL), INF_OK);
	results[0] = faults[_i];
	result_count = 1;
	write_line(&log, "one");
	write_line(&log, "two");
	ck_assert_uint_eq(log.lost, 1);
	ck_assert_int_eq(log.error, errors[_i]);
	expect(path, "two\n");
	gr_logfile_close(&log);
}
END_TEST

START_TEST(write_that_is_interrupted_is_begun_again)
{
	const char *path = scratch_at(&scratch, "a.log");
	struct gr_logfile log = GR_LOGFILE_INIT;
	ck_assert_int_eq(gr_logfile_open(&log, path, NULL), INF_OK);
	results[0] = results[1] = -EINTR;
	result_count = 2;
	write_line(&log, "one");
	ck_assert_uint_eq(log.lost, 0);
	expect(path, "one\n");
	gr_logfile_close(&log);
}
END_TEST

/* A disk on which not even an empty file can be made. */
START_TEST(file_that_a_full_disk_does_not_take_loses_every_line)
{
	struct gr_logfile log = { .fd = -1, .error = ENOSPC };
	write_line(&log, "one");
	write_line(&log, "two");
	ck_assert_uint_eq(log.lost, 2);
	gr_logfile_close(&log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("logfile");
	TCase *tc = tcase_create("logfile");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file_is_created_for_the_user_and_appended_to);
	tcase_add_loop_test(tc, path_where_no_file_can_be_is_refused, 0, (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(tc, pipe_that_somebody_reads_is_no_file_either);
	tcase_add_test(tc, full_disk_loses_lines_and_nothing_else);
	tcase_add_loop_test(tc, disk_with_room_again_is_written_again, 0, 3);
	tcase_add_test(tc, write_that_is_interrupted_is_begun_again);
	tcase_add_test(tc, file_that_a_full_disk_does_not_take_loses_every_line);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
