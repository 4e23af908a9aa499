/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "failmalloc.h"
#include "process.h"
#include "scratch.h"
#include "statefile.h"

enum { BIG = 2 * GR_STATEFILE_CHUNK + 12345, MODEL = 1 << 20 };

static const struct gr_statefile_identity identity = { 1, 2, 3, 4, 5 };
static struct scratch scratch;
static struct process_census before;

static void setup(void)
{
	before = census_take();
	scratch_init(&scratch);
}

static void teardown(void)
{
	scratch_release(&scratch);
	census_assert_restored(&before);
}

/* As the server writes it: by path, into the file that is there. */
static void write_as_server(const struct gr_statefile *file, size_t len)
{
	FILE *out = fopen(file->path, "we");
	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < len; i++)
		putc_unlocked((int)(i * 7 + i / 251) & 0xff, out);
	fclose(out);
}

static void keep(const char *name, size_t len)
{
	struct gr_statefile file = GR_STATEFILE_INIT;
	uint64_t bytes = 0;
	ck_assert_int_eq(gr_statefile_create(&file, scratch.path, NULL), INF_OK);
	write_as_server(&file, len);
	ck_assert_uint_eq(gr_statefile_size(&file), len);
	ck_assert_int_eq(gr_statefile_keep(&file, scratch.path, name, &identity, NULL, &bytes, NULL), INF_OK);
	ck_assert_uint_eq(bytes, len + GR_STATEFILE_SEAL);
	gr_statefile_release(&file);
}

static inf_status check(const char *name, inf_error *err)
{
	uint64_t bytes = 0;
	err->struct_size = sizeof *err;
	return gr_statefile_check(scratch.path, name, &identity, NULL, &bytes, err);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */
static const struct { const char *name; bool good; } names[] = {
	{ "a", true }, { "A-z_0.9", true }, { "a.", true }, { "-", true }, { "_", true },
	{ NULL, false }, { "", false }, { ".", false }, { "..", false }, { ".a", false }, { "a/b", false }, { "/", false },
	{ "a b", false }, { "a\\b", false }, { "a:b", false }, { "\xff", false }, { "a\n", false }, { "*", false },
};

START_TEST(name_is_letters_digits_and_a_little_more)
{
	ck_assert_int_eq(gr_statefile_check_name(names[_i].name, NULL), names[_i].good ? INF_OK : INF_E_INVALID);
}
END_TEST

START_TEST(name_is_no_longer_than_its_cap)
{
	char name[GR_STATEFILE_NAME_MAX + 2];
	memset(name, 'a', sizeof name);
	name[GR_STATEFILE_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(gr_statefile_check_name(name, NULL), INF_E_INVALID);
	name[GR_STATEFILE_NAME_MAX] = '\0';
	ck_assert_int_eq(gr_statefile_check_name(name, NULL), INF_OK);
	keep(name, 10);
}
END_TEST

START_TEST(dir_is_no_longer_than_leaves_room_for_names)
{
	char dir[PATH_MAX];
	memset(dir, 'a', sizeof dir);
	dir[0] = '/';
	dir[PATH_MAX - GR_STATEFILE_NAME_MAX - 1] = '\0';
	ck_assert_int_eq(gr_statefile_check_dir(dir, NULL), INF_E_INVALID);
	ck_assert_int_eq(gr_statefile_check_dir(scratch.path, NULL), INF_OK);
}
END_TEST

/* ---- the seal -------------------------------------------------------------------------------------------------- */
static const size_t sizes[] = { 0, 1, 7, 8, 9, 4096, GR_STATEFILE_CHUNK - 1, GR_STATEFILE_CHUNK, GR_STATEFILE_CHUNK + 1, BIG };

START_TEST(file_of_any_size_that_was_kept_is_whole)
{
	inf_error err;
	struct stat st;
	keep("a", sizes[_i]);
	ck_assert_int_eq(check("a", &err), INF_OK);
	ck_assert_int_eq(stat(scratch_at(&scratch, "a"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(file_cut_at_any_offset_is_damaged)
{
	inf_error err;
	size_t len;
	keep("a", 300);
	char *bytes = scratch_read(scratch_at(&scratch, "a"), &len);
	int fd = open(scratch_at(&scratch, "a"), O_WRONLY | O_CLOEXEC);
	for (size_t cut = len; cut-- > 0;) {
		ck_assert_int_eq(ftruncate(fd, (off_t)cut), 0);
		ck_assert_int_eq(check("a", &err), INF_E_BAD_MODEL);
		ck_assert_str_eq(err.reason, "state_damaged");
	}
	close(fd);
	free(bytes);
}
END_TEST

START_TEST(file_with_any_bit_changed_is_damaged)
{
	inf_error err;
	keep("a", 300);
	int fd = open(scratch_at(&scratch, "a"), O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < 300 + GR_STATEFILE_SEAL; at++)
		for (int bit = 0; bit < 8; bit++) {
			unsigned char byte;
			ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
			byte = (unsigned char)(byte ^ 1 << bit);
			ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
			ck_assert_msg(check("a", &err) == INF_E_BAD_MODEL && !strcmp(err.reason, "state_damaged"), "%ld.%d", (long)at, bit);
			byte = (unsigned char)(byte ^ 1 << bit);
			ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		}
	ck_assert_int_eq(check("a", &err), INF_OK);
	close(fd);
}
END_TEST

/* Two high bits, which a weaker sum would let cancel each other; swapped words; a zero more. */
START_TEST(digest_tells_what_simple_sums_do_not)
{
	uint64_t words[64] = { 0 }, other[64] = { 0 };
	other[3] = other[9] = UINT64_C(1) << 63;
	ck_assert_uint_ne(gr_digest(GR_DIGEST_INIT, words, sizeof words), gr_digest(GR_DIGEST_INIT, other, sizeof other));
	words[5] = 1;
	memset(other, 0, sizeof other);
	other[6] = 1;
	ck_assert_uint_ne(gr_digest(GR_DIGEST_INIT, words, sizeof words), gr_digest(GR_DIGEST_INIT, other, sizeof other));
	ck_assert_uint_ne(gr_digest(GR_DIGEST_INIT, "\0\0", 1), gr_digest(GR_DIGEST_INIT, "\0\0", 2));
	ck_assert_uint_ne(gr_digest_text("f16"), gr_digest_text("q8_0"));
	ck_assert_uint_eq(gr_digest_text("f16"), gr_digest_text("f16"));
}
END_TEST

static const struct {
	struct gr_statefile_identity other;
	const char *reason;
} others[] = {
	{ { 9, 2, 3, 4, 5 }, "state_of_other_model" }, { { 1, 9, 3, 4, 5 }, "state_of_other_adapters" },
	{ { 1, 2, 9, 4, 5 }, "state_of_other_cache" }, { { 1, 2, 3, 9, 5 }, "state_of_other_server" },
	{ { 1, 2, 3, 4, 9 }, "state_of_other_context" }, { { 9, 9, 9, 9, 9 }, "state_of_other_model" },
};

START_TEST(file_for_something_else_says_for_what)
{
	inf_error err = { .struct_size = sizeof err };
	uint64_t bytes = 77;
	keep("a", 300);
	ck_assert_int_eq(gr_statefile_check(scratch.path, "a", &others[_i].other, NULL, &bytes, &err), INF_E_BAD_MODEL);
	ck_assert_str_eq(err.reason, others[_i].reason);
	ck_assert_uint_eq(bytes, 77);
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------------------------- */
static int stop_at(void *user)
{
	int *left = user;
	return (*left)-- <= 0;
}

START_TEST(poll_that_stops_ends_both_ways_between_chunks)
{
	for (int after = 0; after < 3; after++) {
		int left = after;
		struct gr_statefile file = GR_STATEFILE_INIT;
		const struct gr_statefile_poll poll = { stop_at, &left };
		uint64_t bytes;
		ck_assert_int_eq(gr_statefile_create(&file, scratch.path, NULL), INF_OK);
		write_as_server(&file, BIG);
		ck_assert_int_eq(gr_statefile_keep(&file, scratch.path, "a", &identity, &poll, &bytes, NULL), INF_E_CANCELLED);
		gr_statefile_release(&file);
		ck_assert_int_ne(access(scratch_at(&scratch, "a"), F_OK), 0);
		keep("b", BIG);
		left = after;
		ck_assert_int_eq(gr_statefile_check(scratch.path, "b", &identity, &poll, &bytes, NULL), INF_E_CANCELLED);
		unlink(scratch_at(&scratch, "b"));
	}
}
END_TEST

START_TEST(create_in_no_directory_fails_and_leaves_nothing)
{
	struct gr_statefile file = GR_STATEFILE_INIT;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_statefile_create(&file, "/nonexistent", &err), INF_E_IO);
	ck_assert_int_eq(err.os_errno, ENOENT);
	ck_assert_str_eq(err.reason, "state_io");
	gr_statefile_release(&file);
	gr_statefile_sweep("/nonexistent");
}
END_TEST

START_TEST(sweep_leaves_what_is_being_written)
{
	struct gr_statefile file = GR_STATEFILE_INIT;
	scratch_write(&scratch, ".saving-0", "x", 1);
	scratch_link(&scratch, ".saving-1", "/etc/passwd");
	ck_assert_int_eq(mkfifo(scratch_at(&scratch, ".saving-2"), 0600), 0);
	scratch_write(&scratch, "saving-3", "x", 1);
	ck_assert_int_eq(gr_statefile_create(&file, scratch.path, NULL), INF_OK);
	gr_statefile_sweep(scratch.path);
	ck_assert_int_eq(access(file.path, F_OK), 0);
	ck_assert_int_ne(access(scratch_at(&scratch, ".saving-0"), F_OK), 0);
	ck_assert_int_eq(access(scratch_at(&scratch, "saving-3"), F_OK), 0);
	gr_statefile_release(&file);
}
END_TEST

/* ---- models ---------------------------------------------------------------------------------------------------- */
START_TEST(sample_tells_models_apart_and_copies_not)
{
	char *bytes = calloc(1, MODEL);
	uint64_t first, copy, other;
	bytes[MODEL / 2] = 1;
	ck_assert_int_eq(gr_statefile_sample(scratch_write(&scratch, "a", bytes, MODEL), &first, NULL), INF_OK);
	ck_assert_int_eq(gr_statefile_sample(scratch_write(&scratch, "b", bytes, MODEL), &copy, NULL), INF_OK);
	ck_assert_uint_eq(first, copy);
	ck_assert_int_eq(gr_statefile_sample(scratch_write(&scratch, "c", bytes, MODEL - 1), &other, NULL), INF_OK);
	ck_assert_uint_ne(first, other);
	memset(bytes, 3, MODEL);	/* other weights of the same shape */
	ck_assert_int_eq(gr_statefile_sample(scratch_write(&scratch, "d", bytes, MODEL), &other, NULL), INF_OK);
	ck_assert_uint_ne(first, other);
	for (size_t len = 0; len < 3; len++)
		ck_assert_int_eq(gr_statefile_sample(scratch_write(&scratch, "e", bytes, len), &other, NULL), INF_OK);
	ck_assert_int_eq(gr_statefile_sample("/nonexistent", &other, NULL), INF_E_IO);
	free(bytes);
}
END_TEST

START_TEST(keep_and_check_survive_oom)
{
	for (long n = 0;; n++) {
		struct gr_statefile file = GR_STATEFILE_INIT;
		inf_error err = { .struct_size = sizeof err };
		uint64_t bytes;
		ck_assert_int_eq(gr_statefile_create(&file, scratch.path, NULL), INF_OK);
		write_as_server(&file, 100);
		failmalloc_arm(n);
		inf_status st = gr_statefile_keep(&file, scratch.path, "a", &identity, NULL, &bytes, &err);
		if (st == INF_OK)
			st = gr_statefile_check(scratch.path, "a", &identity, NULL, &bytes, &err);
		bool fired = failmalloc_disarm();
		gr_statefile_release(&file);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

int main(void)
{
	Suite *suite = suite_create("statefile");
	TCase *tc = tcase_create("statefile");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, name_is_letters_digits_and_a_little_more, 0, ROWS(names));
	tcase_add_test(tc, name_is_no_longer_than_its_cap);
	tcase_add_test(tc, dir_is_no_longer_than_leaves_room_for_names);
	tcase_add_loop_test(tc, file_of_any_size_that_was_kept_is_whole, 0, ROWS(sizes));
	tcase_add_test(tc, file_cut_at_any_offset_is_damaged);
	tcase_add_test(tc, file_with_any_bit_changed_is_damaged);
	tcase_add_test(tc, digest_tells_what_simple_sums_do_not);
	tcase_add_loop_test(tc, file_for_something_else_says_for_what, 0, ROWS(others));
	tcase_add_test(tc, poll_that_stops_ends_both_ways_between_chunks);
	tcase_add_test(tc, create_in_no_directory_fails_and_leaves_nothing);
	tcase_add_test(tc, sweep_leaves_what_is_being_written);
	tcase_add_test(tc, sample_tells_models_apart_and_copies_not);
	tcase_add_test(tc, keep_and_check_survive_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
