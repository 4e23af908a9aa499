/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "failmalloc.h"
#include "modelfile.h"
#include "utf8.h"

#ifndef GR_SAMPLE_MODEL
# error "GR_SAMPLE_MODEL is the path of the bundled model"
#endif

static char dir[] = "/tmp/modelfile-XXXXXX";

static void make_dir(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
}

static void remove_dir(void)
{
	char command[64];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
}

static const char *in_dir(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static int count_fds(void)
{
	int n = 0;
	DIR *fds = opendir("/proc/self/fd");
	ck_assert_ptr_nonnull(fds);
	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

/* The end of the message is compared: its beginning is the path. */
static void expect_refusal(const char *path, inf_status status, const char *reason, int error, const char *text)
{
	struct gr_gguf g;
	int fds = count_fds();
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_modelfile_read(path, &g, &err), status);
	ck_assert_int_eq(err.code, status);
	ck_assert_str_eq(err.reason, reason);
	ck_assert_int_eq(err.os_errno, error);
	char message[600];
	snprintf(message, sizeof message, "%s: %s", path, text);
	ck_assert_str_eq(err.message, message);
	ck_assert_int_eq(count_fds(), fds);
	ck_assert_int_eq(gr_modelfile_read(path, &g, NULL), status);
}

/* ---- reads that fail: linked with --wrap=pread ---- */

ssize_t __real_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);

static int interruptions, read_error;
static size_t read_most;

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
	if (interruptions > 0) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	if (read_error && offset > 0) {
		errno = read_error;
		return -1;
	}
	return __real_pread(fd, buf, read_most && len > read_most ? read_most : len, offset);
}

START_TEST(read_sample_model_gives_its_facts)
{
	struct gr_gguf g;
	int fds = count_fds();
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_modelfile_read(GR_SAMPLE_MODEL, &g, &err), INF_OK);
	ck_assert_int_eq(err.code, 0);
	ck_assert_str_eq(g.architecture, "llama");
	ck_assert_uint_eq(g.file_size, g.expected_file_size);
	ck_assert_uint_eq(g.block_count, 4);
	ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(read_through_a_symbolic_link_works)
{
	struct gr_gguf g;
	ck_assert_int_eq(symlink(GR_SAMPLE_MODEL, in_dir("link.gguf")), 0);
	ck_assert_int_eq(gr_modelfile_read(in_dir("link.gguf"), &g, NULL), INF_OK);
	ck_assert_uint_eq(g.vocab_size, 2048);
}
END_TEST

START_TEST(read_missing_file_is_not_found)
{
	expect_refusal(in_dir("absent.gguf"), INF_E_NOT_FOUND, "model_missing", ENOENT,
		       "the file is not there: No such file or directory");
}
END_TEST

START_TEST(read_below_a_file_is_not_found)
{
	write_file(in_dir("file"), "x", 1);
	expect_refusal(in_dir("file/m.gguf"), INF_E_NOT_FOUND, "model_missing", ENOTDIR,
		       "the file is not there: Not a directory");
}
END_TEST

START_TEST(read_broken_link_is_not_found)
{
	ck_assert_int_eq(symlink("nowhere", in_dir("m.gguf")), 0);
	expect_refusal(in_dir("m.gguf"), INF_E_NOT_FOUND, "model_missing", ENOENT,
		       "the model's symbolic link leads nowhere: No such file or directory");
}
END_TEST

START_TEST(read_link_to_itself_is_an_io_error)
{
	ck_assert_int_eq(symlink("m.gguf", in_dir("m.gguf")), 0);
	expect_refusal(in_dir("m.gguf"), INF_E_IO, "model_io", ELOOP,
		       "it cannot be opened: Too many levels of symbolic links");
}
END_TEST

START_TEST(read_directory_is_refused)
{
	expect_refusal(dir, INF_E_BAD_MODEL, "model_is_directory", 0,
		       "a directory, not a model: give the .gguf file in it");
}
END_TEST

static const char not_regular[] = "not a regular file: a model cannot be read from a pipe, socket or device";

START_TEST(read_fifo_is_refused_at_once)
{
	ck_assert_int_eq(mkfifo(in_dir("m.gguf"), 0600), 0);
	expect_refusal(in_dir("m.gguf"), INF_E_BAD_MODEL, "model_not_regular", 0, not_regular);
}
END_TEST

START_TEST(read_device_is_refused)
{
	expect_refusal("/dev/zero", INF_E_BAD_MODEL, "model_not_regular", 0, not_regular);
}
END_TEST

START_TEST(read_socket_is_refused)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, in_dir("m.gguf"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	expect_refusal(in_dir("m.gguf"), INF_E_BAD_MODEL, "model_not_regular", ENXIO,
		       "not a regular file: No such device or address");
	close(fd);
}
END_TEST

START_TEST(read_unreadable_file_is_a_permission_error)
{
	write_file(in_dir("m.gguf"), "GGUF", 4);
	ck_assert_int_eq(chmod(in_dir("m.gguf"), 0), 0);
	bool root = geteuid() == 0;
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	expect_refusal(in_dir("m.gguf"), INF_E_PERMISSION, "model_permission", EACCES,
		       "this user may not read it, check its mode and the directories above it: Permission denied");
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(read_empty_file_is_refused)
{
	write_file(in_dir("m.gguf"), "", 0);
	expect_refusal(in_dir("m.gguf"), INF_E_BAD_MODEL, "gguf_empty", 0, "the file is empty: download it again");
}
END_TEST

START_TEST(read_cut_off_model_says_so)
{
	char *bytes = malloc(100000);
	FILE *model = fopen(GR_SAMPLE_MODEL, "re");
	ck_assert_ptr_nonnull(model);
	ck_assert_uint_eq(fread(bytes, 1, 100000, model), 100000);
	fclose(model);
	write_file(in_dir("m.gguf"), bytes, 100000);
	free(bytes);
	expect_refusal(in_dir("m.gguf"), INF_E_BAD_MODEL, "gguf_truncated", 0,
		       "the file is cut off, 100000 of 2159968 bytes are there: download it again");
}
END_TEST

START_TEST(read_that_fails_is_an_io_error)
{
	read_most = 16;
	read_error = EIO;
	expect_refusal(GR_SAMPLE_MODEL, INF_E_IO, "model_io", EIO, "reading it failed: Input/output error");
	read_most = 0;
	read_error = 0;
}
END_TEST

START_TEST(read_interrupted_is_tried_again)
{
	struct gr_gguf g;
	interruptions = 5;
	ck_assert_int_eq(gr_modelfile_read(GR_SAMPLE_MODEL, &g, NULL), INF_OK);
	ck_assert_int_eq(interruptions, 0);
}
END_TEST

/* The cause must be readable however long the path is, and the message UTF-8 whatever its bytes. */
START_TEST(read_long_path_shows_its_end)
{
	static const struct { const char *part, *shown; } cases[] = {
		{ "/directory", "/directory/" }, { "/\xe6\xbc\xa2\xe5\xad\x97", "/\xe6\xbc\xa2\xe5\xad\x97/" },
		{ "/\xff\xfe", "/\?\?/" },
	};
	for (int shift = 0; shift < 7; shift++) {
		struct gr_gguf g;
		char path[3000] = "";
		inf_error err = { .struct_size = sizeof err };
		while (strlen(path) < 2900)
			strcat(path, cases[_i].part);
		strcat(path, &"/123456m.gguf"[shift]);
		ck_assert_int_eq(gr_modelfile_read(path, &g, &err), INF_E_NOT_FOUND);
		ck_assert(gr_utf8_valid(err.message, strlen(err.message)));
		ck_assert_ptr_nonnull(strstr(err.message, "m.gguf: the file is not there: No such file or directory"));
		ck_assert_ptr_nonnull(strstr(err.message, cases[_i].shown));
		ck_assert(!strncmp(err.message, "...", 3));
		ck_assert_uint_le(strlen(err.message), 290);
	}
}
END_TEST

START_TEST(read_survives_oom)
{
	for (long n = 0;; n++) {
		struct gr_gguf g;
		int fds = count_fds();
		failmalloc_arm(n);
		inf_status st = gr_modelfile_read(GR_SAMPLE_MODEL, &g, NULL);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(count_fds(), fds);
		if (!fired)
			break;
	}
}
END_TEST

/* ---- where it lies --------------------------------------------------------------------------------------------- */
static long said_type;		/* 0 = ask the kernel */

int __real_statfs(const char *path, struct statfs *out);
int __wrap_statfs(const char *path, struct statfs *out);

int __wrap_statfs(const char *path, struct statfs *out)
{
	int result = __real_statfs(path, out);
	if (said_type)
		out->f_type = said_type;
	return result;
}

static const struct { long type; bool remote; } file_systems[] = {
	{ 0x6969, true }, { 0xff534d42, true }, { 0xfe534d42, true }, { 0x65735546, true }, { 0x01021997, true },
	{ 0x00c36400, true }, { 0xef53, false }, { 0x9123683e, false }, { 0x58465342, false }, { 0x01021994, false },
};

START_TEST(remote_is_told_by_the_kind_of_file_system)
{
	said_type = file_systems[_i].type;
	ck_assert_int_eq(gr_modelfile_is_remote(GR_SAMPLE_MODEL), file_systems[_i].remote);
	said_type = 0;
	ck_assert(!gr_modelfile_is_remote("/nonexistent/model.gguf"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modelfile");
	TCase *tc = tcase_create("modelfile");
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, read_sample_model_gives_its_facts);
	tcase_add_test(tc, read_through_a_symbolic_link_works);
	tcase_add_test(tc, read_missing_file_is_not_found);
	tcase_add_test(tc, read_below_a_file_is_not_found);
	tcase_add_test(tc, read_broken_link_is_not_found);
	tcase_add_test(tc, read_link_to_itself_is_an_io_error);
	tcase_add_test(tc, read_directory_is_refused);
	tcase_add_test(tc, read_fifo_is_refused_at_once);
	tcase_add_test(tc, read_device_is_refused);
	tcase_add_test(tc, read_socket_is_refused);
	tcase_add_test(tc, read_unreadable_file_is_a_permission_error);
	tcase_add_test(tc, read_empty_file_is_refused);
	tcase_add_test(tc, read_cut_off_model_says_so);
	tcase_add_test(tc, read_that_fails_is_an_io_error);
	tcase_add_test(tc, read_interrupted_is_tried_again);
	tcase_add_loop_test(tc, read_long_path_shows_its_end, 0, 3);
	tcase_add_test(tc, read_survives_oom);
	tcase_add_loop_test(tc, remote_is_told_by_the_kind_of_file_system, 0,
			    (int)(sizeof file_systems / sizeof file_systems[0]));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
