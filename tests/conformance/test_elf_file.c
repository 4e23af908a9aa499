/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "elf_file.h"
#include "scratch.h"

enum { HEADERS = 4096 };	/* where most of what can lead astray stands */

static struct elf_file plugin;

static void open_plugin(void)
{
	const char *why = elf_file_open(&plugin, TEST_PLUGIN);
	ck_assert_msg(!why, "%s", why);
}

static void close_plugin(void)
{
	elf_file_release(&plugin);
}

/* All that the kit asks; how much there was. */
static size_t read_all(const struct elf_file *file)
{
	size_t count = 0, len;
	Elf64_Sym symbol;
	Elf64_Phdr segment;
	uint64_t value;
	for (size_t n = 0; n < 100000 && elf_file_symbol(file, n, &symbol); n++)
		count += strlen(elf_file_string(file, symbol.st_name));
	for (size_t n = 0; elf_file_segment(file, PT_LOAD, n, &segment); n++)
		count++;
	for (size_t n = 0; elf_file_dynamic(file, DT_NEEDED, n, &value); n++)
		count += strlen(elf_file_string(file, value));
	const char *note = elf_file_note(file, "INF", 1, 0, &len);
	for (size_t i = 0; note && i < len; i++)
		count += note[i] != 0;
	return count;
}

START_TEST(file_of_a_plugin_is_read)
{
	size_t len = 0;
	uint64_t flags = 0;
	const char *note = elf_file_note(&plugin, "INF", 1, 0, &len);
	ck_assert_ptr_nonnull(note);
	ck_assert_uint_eq(len, 128);
	ck_assert_str_eq(note, "abi=1.0;min=0;id=org.example.echo;backends=echo");
	ck_assert_ptr_null(elf_file_note(&plugin, "INF", 1, 1, &len));
	ck_assert(elf_file_dynamic(&plugin, DT_FLAGS_1, 0, &flags));
	ck_assert_uint_ne(flags & DF_1_NOW, 0);
	ck_assert_uint_gt(read_all(&plugin), 100);
}
END_TEST

START_TEST(file_cut_at_any_offset_is_read_without_a_crash)
{
	size_t step = plugin.size / 4000 + 1;
	for (size_t size = 0; size < plugin.size; size += size < HEADERS ? 1 : step) {
		struct elf_file cut = { malloc(size ? size : 1), size };
		memcpy(cut.bytes, plugin.bytes, size);
		read_all(&cut);
		elf_file_release(&cut);
	}
}
END_TEST

START_TEST(file_damaged_at_any_byte_is_read_without_a_crash)
{
	static const unsigned char values[] = { 0, 0x7f, 0x80, 0xff };
	size_t step = plugin.size / 4000 + 1;
	for (size_t at = EI_NIDENT; at < plugin.size; at += at < HEADERS ? 1 : step)
		for (size_t i = 0; i < sizeof values; i++) {
			unsigned char kept = plugin.bytes[at];
			plugin.bytes[at] = values[i];
			read_all(&plugin);
			plugin.bytes[at] = kept;
		}
}
END_TEST

static const struct { const char *bytes; size_t size; const char *why; } strangers[] = {
	{ "", 0, "no regular file of a sensible size" },
	{ "#!/bin/sh\nexit 0\n# longer than the header of an ELF file, which has 64 bytes\n", 76, "no 64-bit little-endian ELF file" },
	{ "\177ELF\1\1 of 32 bits, and longer than the header of an ELF file is: 64 bytes\n", 72, "no 64-bit little-endian ELF file" },
};

START_TEST(file_that_is_none_is_refused)
{
	struct scratch scratch;
	struct elf_file file;
	scratch_init(&scratch);
	scratch_write(&scratch, "file", strangers[_i].bytes, strangers[_i].size);
	ck_assert_str_eq(elf_file_open(&file, scratch_at(&scratch, "file")), strangers[_i].why);
	ck_assert_ptr_null(file.bytes);
	scratch_release(&scratch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf_file");
	TCase *tcase = tcase_create("file");
	tcase_add_checked_fixture(tcase, open_plugin, close_plugin);
	tcase_add_test(tcase, file_of_a_plugin_is_read);
	tcase_add_test(tcase, file_cut_at_any_offset_is_read_without_a_crash);
	tcase_add_test(tcase, file_damaged_at_any_byte_is_read_without_a_crash);
	tcase_add_loop_test(tcase, file_that_is_none_is_refused, 0, sizeof strangers / sizeof *strangers);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
