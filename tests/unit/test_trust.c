/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <check.h>
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "scratch.h"

static struct scratch dir;
static struct ic_owners us;
static struct ih_file_id id;
static struct ih_note note;
static inf_error why;

static void setup(void)
{
	scratch_init(&dir);
	us = ic_owners_of(geteuid(), NULL);
	why = (inf_error){ .struct_size = sizeof why };
}

static void teardown(void)
{
	scratch_release(&dir);
}

static const char *good(const char *name)
{
	return scratch_copy(&dir, name, TEST_BACKENDS "/echo.so");
}

static void expect_refused(const char *path, int32_t state, const char *reason)
{
	ck_assert_int_eq(ih_trust_check(path, &us, &id, &note, &why), state);
	ck_assert_str_eq(why.reason, reason);
	ck_assert_str_ne(why.message, "");
	ck_assert_int_eq(ih_trust_check(path, &us, &id, &note, NULL), state);
}

START_TEST(good_file_is_trusted)
{
	const char *path = good("x.so");
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(ih_trust_check(path, &us, &id, &note, &why), INF_STATE_AVAILABLE);
	ck_assert(id.dev == st.st_dev && id.ino == st.st_ino);
	ck_assert_str_eq(why.message, "");
}
END_TEST

START_TEST(symlink_has_the_identity_of_its_target)
{
	struct ih_file_id target;
	const char *path = good("x.so");
	ck_assert_int_eq(ih_trust_check(path, &us, &target, &note, &why), INF_STATE_AVAILABLE);
	ck_assert_int_eq(ih_trust_check(scratch_link(&dir, "y.so", "x.so"), &us, &id, &note, &why), INF_STATE_AVAILABLE);
	ck_assert(id.dev == target.dev && id.ino == target.ino);
}
END_TEST

/* A hang would end in libcheck's timeout. */
START_TEST(fifo_does_not_hang)
{
	const char *path = scratch_at(&dir, "x.so");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_refused(path, INF_STATE_NOT_A_PLUGIN, "not_regular");
}
END_TEST

START_TEST(directory_is_no_plugin)
{
	expect_refused(scratch_dir(&dir, "x.so", 0700), INF_STATE_NOT_A_PLUGIN, "not_regular");
}
END_TEST

START_TEST(dangling_symlink_is_no_plugin)
{
	expect_refused(scratch_link(&dir, "x.so", "nowhere.so"), INF_STATE_NOT_A_PLUGIN, "open");
	ck_assert_ptr_nonnull(strstr(why.message, "No such file or directory"));
}
END_TEST

START_TEST(symlink_loop_is_no_plugin)
{
	expect_refused(scratch_link(&dir, "x.so", "x.so"), INF_STATE_NOT_A_PLUGIN, "open");
}
END_TEST

static const mode_t writable[] = { 0666, 0646, 0664, 0777, 0755 | S_IWGRP };

START_TEST(file_writable_by_others_is_untrusted)
{
	const char *path = good("x.so");
	ck_assert_int_eq(chmod(path, writable[_i]), 0);
	expect_refused(path, INF_STATE_UNTRUSTED, "mode");
	ck_assert_ptr_nonnull(strstr(why.message, "chmod go-w"));
}
END_TEST

static const mode_t dir_modes[] = { 0777, 01777, 0770, 0775 };

START_TEST(directory_writable_by_others_is_untrusted)
{
	scratch_dir(&dir, "d", dir_modes[_i]);
	expect_refused(good("d/x.so"), INF_STATE_UNTRUSTED, "mode");
	ck_assert_ptr_nonnull(strstr(why.message, "its directory"));
}
END_TEST

START_TEST(owner_somebody_else_is_untrusted)
{
	const char *path = good("x.so");
	us = (struct ic_owners){ { geteuid() + 1, geteuid() + 2 }, 2 };
	expect_refused(path, INF_STATE_UNTRUSTED, "owner");
	us.uid[us.count++] = geteuid();
	ck_assert_int_eq(ih_trust_check(path, &us, &id, &note, &why), INF_STATE_AVAILABLE);
}
END_TEST

static const struct {
	uid_t euid;
	const char *sudo_uid;
	size_t count;
	uid_t third;
} owner_cases[] = {
	{ 1000, NULL, 2, 0 }, { 0, NULL, 2, 0 }, { 0, "1000", 3, 1000 }, { 0, "0", 3, 0 }, { 1000, "1001", 2, 0 },
	{ 0, "", 2, 0 }, { 0, "-1", 2, 0 }, { 0, "+5", 2, 0 }, { 0, " 5", 2, 0 }, { 0, "5x", 2, 0 }, { 0, "bob", 2, 0 },
	{ 0, "4294967294", 3, 4294967294u }, { 0, "4294967295", 2, 0 }, { 0, "99999999999999999999", 2, 0 },
};

START_TEST(owners_are_root_the_user_and_who_called_sudo)
{
	struct ic_owners owners = ic_owners_of(owner_cases[_i].euid, owner_cases[_i].sudo_uid);
	ck_assert_uint_eq(owners.count, owner_cases[_i].count);
	ck_assert_uint_eq(owners.uid[0], 0);
	ck_assert_uint_eq(owners.uid[1], owner_cases[_i].euid);
	if (owners.count > 2)
		ck_assert_uint_eq(owners.uid[2], owner_cases[_i].third);
}
END_TEST

static const char *const texts[] = {
	"", "#!/bin/sh\n", "\177ELF", "INPUT(libc.so.6) /* a linker script is no plugin, however long it is */",
};

START_TEST(text_file_is_no_plugin)
{
	const char *path = scratch_write(&dir, "x.so", texts[_i], strlen(texts[_i]));
	expect_refused(path, INF_STATE_NOT_A_PLUGIN, "not_elf");
}
END_TEST

#define AT(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
static const struct {
	size_t offset, size;
	uint64_t value;
	const char *reason;
} mutations[] = {
	{ EI_MAG0, 1, 0, "not_elf" }, { EI_CLASS, 1, ELFCLASS32, "machine" }, { EI_DATA, 1, 9, "machine" },
	{ AT(e_machine), EM_68K, "machine" }, { AT(e_type), ET_EXEC, "not_shared" }, { AT(e_type), ET_REL, "not_shared" },
	{ AT(e_type), ET_CORE, "not_shared" }, { AT(e_phentsize), 32, "bad_elf" }, { AT(e_phnum), 0, "bad_elf" },
	{ AT(e_phnum), IH_IMAGE_SEGMENTS_MAX + 1, "bad_elf" }, { AT(e_phnum), PN_XNUM, "bad_elf" },
	{ AT(e_phoff), 1ull << 40, "truncated" }, { AT(e_phoff), ~0ull, "truncated" },
	{ AT(e_phoff), ~0ull - sizeof(Elf64_Phdr), "truncated" },
};

START_TEST(elf_header_that_is_wrong_is_no_plugin)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	memcpy(bytes + mutations[_i].offset, &mutations[_i].value, mutations[_i].size);
	const char *path = scratch_write(&dir, "x.so", bytes, len);
	free(bytes);
	expect_refused(path, INF_STATE_NOT_A_PLUGIN, mutations[_i].reason);
}
END_TEST

static const struct {
	size_t offset;
	uint64_t value;
} segment_mutations[] = {
	{ offsetof(Elf64_Phdr, p_filesz), 1ull << 40 }, { offsetof(Elf64_Phdr, p_filesz), ~0ull },
	{ offsetof(Elf64_Phdr, p_offset), 1ull << 40 }, { offsetof(Elf64_Phdr, p_offset), ~0ull },
};

START_TEST(segment_outside_the_file_is_no_plugin)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(bytes + elf->e_phoff);
	while (segment->p_type != PT_LOAD || !segment->p_filesz)
		segment++;
	memcpy((char *)segment + segment_mutations[_i].offset, &segment_mutations[_i].value, sizeof(uint64_t));
	const char *path = scratch_write(&dir, "x.so", bytes, len);
	free(bytes);
	expect_refused(path, INF_STATE_NOT_A_PLUGIN, "truncated");
}
END_TEST

static size_t end_of_segments(const char *bytes)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)bytes;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(bytes + elf->e_phoff);
	size_t end = 0;
	for (size_t i = 0; i < elf->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_offset + segments[i].p_filesz > end)
			end = segments[i].p_offset + segments[i].p_filesz;
	return end;
}

/* Every length of the headers, around the end of the last segment, and many of the rest. */
START_TEST(truncated_file_is_no_plugin_at_any_length)
{
	size_t len, end;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	const char *path = scratch_copy(&dir, "x.so", TEST_BACKENDS "/echo.so");
	end = end_of_segments(bytes);
	free(bytes);
	ck_assert_uint_gt(end, 0);
	for (size_t cut = len; cut-- > 0; ) {
		if (cut > 1024 && cut % 97 && (cut + 1 < end || cut > end + 1))
			continue;
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		int32_t state = ih_trust_check(path, &us, &id, &note, &why);
		ck_assert_int_eq(state, cut >= end ? INF_STATE_AVAILABLE : INF_STATE_NOT_A_PLUGIN);
	}
}
END_TEST

START_TEST(check_leaves_no_descriptor_open)
{
	const char *path = good("x.so"), *text = scratch_write(&dir, "y.so", "", 0);
	int before = dup(STDERR_FILENO), after;
	close(before);
	ih_trust_check(path, &us, &id, &note, NULL);
	ih_trust_check(text, &us, &id, &note, NULL);
	ih_trust_check(dir.path, &us, &id, &note, NULL);
	after = dup(STDERR_FILENO);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("trust");
	TCase *tcase = tcase_create("trust");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, good_file_is_trusted);
	tcase_add_test(tcase, symlink_has_the_identity_of_its_target);
	tcase_add_test(tcase, fifo_does_not_hang);
	tcase_add_test(tcase, directory_is_no_plugin);
	tcase_add_test(tcase, dangling_symlink_is_no_plugin);
	tcase_add_test(tcase, symlink_loop_is_no_plugin);
	tcase_add_loop_test(tcase, file_writable_by_others_is_untrusted, 0, count(sizeof writable, sizeof *writable));
	tcase_add_loop_test(tcase, directory_writable_by_others_is_untrusted, 0, count(sizeof dir_modes, sizeof *dir_modes));
	tcase_add_test(tcase, owner_somebody_else_is_untrusted);
	tcase_add_loop_test(tcase, owners_are_root_the_user_and_who_called_sudo, 0,
			    count(sizeof owner_cases, sizeof *owner_cases));
	tcase_add_loop_test(tcase, text_file_is_no_plugin, 0, count(sizeof texts, sizeof *texts));
	tcase_add_loop_test(tcase, elf_header_that_is_wrong_is_no_plugin, 0, count(sizeof mutations, sizeof *mutations));
	tcase_add_loop_test(tcase, segment_outside_the_file_is_no_plugin, 0,
			    count(sizeof segment_mutations, sizeof *segment_mutations));
	tcase_add_test(tcase, truncated_file_is_no_plugin_at_any_length);
	tcase_add_test(tcase, check_leaves_no_descriptor_open);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
