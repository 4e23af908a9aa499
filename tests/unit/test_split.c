/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "split.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)

static const struct { const char *path; uint32_t no, count; const char *third; } parts[] = {
	{ "a-00001-of-00003.gguf", 1, 3, "a-00003-of-00003.gguf" },
	{ "/x/a b-00003-of-00003.gguf", 3, 3, "/x/a b-00003-of-00003.gguf" },
	{ "/x-00001-of-00002.gguf/y-00001-of-00009.gguf", 1, 9, "/x-00001-of-00002.gguf/y-00003-of-00009.gguf" },
	{ "a-00001-of-00002-00007-of-01000.gguf", 7, 1000, "a-00001-of-00002-00003-of-01000.gguf" },
};

START_TEST(parse_name_of_a_part_gives_its_number)
{
	struct gr_split split;
	char path[128];
	strcpy(path, parts[_i].path);
	ck_assert(gr_split_parse(path, &split));
	ck_assert_uint_eq(split.no, parts[_i].no);
	ck_assert_uint_eq(split.count, parts[_i].count);
	ck_assert_uint_eq(split.stem_len, strlen(path) - GR_SPLIT_SUFFIX);
	gr_split_rename(path, &split, 3);
	ck_assert_str_eq(path, parts[_i].third);
	gr_split_rename(path, &split, split.no);
	ck_assert_str_eq(path, parts[_i].path);
}
END_TEST

static const char *const others[] = {
	"", "a.gguf", "-00001-of-00003.gguf", "/x/-00001-of-00003.gguf", "a-00000-of-00003.gguf", "a-00004-of-00003.gguf",
	"a-00001-of-00000.gguf", "a-00001-of-01001.gguf", "a-99999-of-99999.gguf", "a-0001-of-00003.gguf",
	"a-000001-of-00003.gguf", "a-00001-of-0003.gguf", "a-00001-of-00003.GGUF", "a-00001-of-00003.gguf.part",
	"a-00001_of_00003.gguf", "a_00001-of-00003.gguf", "a-0000x-of-00003.gguf", "a- 0001-of-00003.gguf",
	"a-00001-of--0003.gguf", "a-00001-of-00003", "a-00001-of-00003.safetensors",
};

START_TEST(parse_other_name_is_no_part)
{
	struct gr_split split = { .no = 77 };
	ck_assert(!gr_split_parse(others[_i], &split));
	ck_assert_uint_eq(split.no, 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("split");
	TCase *tc = tcase_create("split");
	tcase_add_loop_test(tc, parse_name_of_a_part_gives_its_number, 0, COUNT(parts));
	tcase_add_loop_test(tc, parse_other_name_is_no_part, 0, COUNT(others));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
