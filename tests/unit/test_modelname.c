/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "modelname.h"
#include "utf8.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)
#define HUB "/home/u/.cache/huggingface/hub/"

static const struct { const char *path, *name, *repository; } names[] = {
	{ "/m/Qwen3-4B-Q4_K_M.gguf", "Qwen3-4B-Q4_K_M", "" },
	{ "a.GGUF", "a", "" },
	{ "/m/.gguf", ".gguf", "" },
	{ "/m/big-00002-of-00003.gguf", "big", "" },
	{ HUB "models--Qwen--Qwen2.5-0.5B-Instruct-GGUF/snapshots/9217f5/qwen2.5-0.5b-instruct-q4_k_m.gguf",
	  "qwen2.5-0.5b-instruct-q4_k_m", "Qwen/Qwen2.5-0.5B-Instruct-GGUF" },
	{ HUB "models--a--b--c/snapshots/1/Q8_0/x-00001-of-00002.gguf", "x", "a/b--c" },
	{ HUB "models--gpt2/snapshots/1/gpt2.gguf", "gpt2", "gpt2" },
	{ HUB "models--a--b/blobs/x.gguf", "x", "" },
	{ HUB "datasets--a--b/snapshots/1/x.gguf", "x", "" },
	{ "/c/ggml-org_gemma-3-1b-it-GGUF_gemma-3-1b-it-Q4_K_M.gguf", "gemma-3-1b-it-Q4_K_M", "ggml-org/gemma-3-1b-it-GGUF" },
	{ "/c/a_b-gguf_c.gguf", "c", "a/b-gguf" },
	{ "/c/b-GGUF_.gguf", "b-GGUF_", "" },
	{ "/c/b-GGUF_c.gguf", "b-GGUF_c", "" },
	{ "/m/a\x1b[31m\n.gguf", "a [31m ", "" },
	{ "/m/\xff\xc3.gguf", "??", "" },
	{ "/m/\xe6\xbc\xa2.gguf", "\xe6\xbc\xa2", "" },
	{ "", "", "" },
};

START_TEST(name_of_a_path_is_what_people_say)
{
	struct gr_modelname name;
	gr_modelname_of(names[_i].path, &name);
	ck_assert_str_eq(name.name, names[_i].name);
	ck_assert_str_eq(name.repository, names[_i].repository);
	ck_assert(gr_utf8_valid(name.name, strlen(name.name)));
}
END_TEST

START_TEST(name_too_long_is_cut)
{
	static const size_t lengths[] = { GR_MODELNAME_MAX, GR_MODELNAME_MAX + 1, 3000 };
	for (int i = 0; i < COUNT(lengths); i++) {
		char path[3100];
		struct gr_modelname name;
		memset(path, 'x', lengths[i]);
		strcpy(path + lengths[i], ".gguf");
		gr_modelname_of(path, &name);
		ck_assert_uint_eq(strlen(name.name), GR_MODELNAME_MAX);
	}
}
END_TEST

#define QWEN "/Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf"
#define IN_HUB HUB "models--Qwen--Qwen2.5-0.5B-Instruct-GGUF/snapshots/1/qwen2.5-0.5b-instruct-q4_k_m.gguf"

static const struct { const char *path, *quantisation, *wish; enum gr_modelname_match match; } matches[] = {
	{ QWEN, "", "qwen2.5-0.5b-instruct-q4_k_m", GR_MODELNAME_WHOLE },
	{ QWEN, "", "Qwen2.5_0.5B Instruct-Q4-K-M", GR_MODELNAME_WHOLE },
	{ QWEN, "", "qwen2.5-0.5b-instruct", GR_MODELNAME_WHOLE },
	{ QWEN, "", "qwen2.5-0.5b-instruct:q4_k_m", GR_MODELNAME_WHOLE },
	{ QWEN, "", "qwen2.5-0.5b", GR_MODELNAME_PART },
	{ QWEN, "", "qwen2.5-0.5b:Q4_K_M", GR_MODELNAME_PART },
	{ QWEN, "", "qwen2.5-0.5b:q4", GR_MODELNAME_PART },
	{ QWEN, "", "qwen2.5-0.5b:q4_k_s", GR_MODELNAME_OTHER },
	{ QWEN, "", "qwen2.5-0.5b:q4_k_m_l", GR_MODELNAME_OTHER },
	{ QWEN, "Q8_0", "qwen2.5-0.5b:q8_0", GR_MODELNAME_PART },
	{ QWEN, "", "0.5b", GR_MODELNAME_PART },
	{ QWEN, "", "instruct", GR_MODELNAME_PART },
	{ QWEN, "", "qwen2", GR_MODELNAME_OTHER },
	{ QWEN, "", "5-0.5b", GR_MODELNAME_OTHER },
	{ QWEN, "", "qwen2.5-0", GR_MODELNAME_OTHER },
	{ QWEN, "", "qwen", GR_MODELNAME_OTHER },
	{ QWEN, "", "", GR_MODELNAME_OTHER },
	{ QWEN, "", ":q4_k_m", GR_MODELNAME_OTHER },
	{ QWEN, "", "qwen2.5-0.5b:", GR_MODELNAME_OTHER },
	{ QWEN, "", "/", GR_MODELNAME_OTHER },
	{ IN_HUB, "", "Qwen/Qwen2.5-0.5B-Instruct-GGUF", GR_MODELNAME_WHOLE },
	{ IN_HUB, "", "qwen/qwen2.5-0.5b-instruct-gguf:q4_k_m", GR_MODELNAME_WHOLE },
	{ IN_HUB, "", "qwen/qwen2.5-0.5b-instruct-gguf:q8_0", GR_MODELNAME_OTHER },
	{ IN_HUB, "", "qwen", GR_MODELNAME_PART },
	{ "/m/model.Q4_K_M.gguf", "", "model", GR_MODELNAME_WHOLE },
	{ "/m/llama-3.1-8b-BF16.gguf", "", "llama-3.1-8b:bf16", GR_MODELNAME_WHOLE },
	{ "/m/llama-3.1-8b-BF16.gguf", "", "llama-3", GR_MODELNAME_OTHER },
	{ "/m/x-UD-Q4_K_XL.gguf", "Q4_K_M", "x-ud:q4_k_xl", GR_MODELNAME_WHOLE },
	{ "/m/x-IQ2_XXS.gguf", "", "x", GR_MODELNAME_WHOLE },
	{ "/m/x-iq-test.gguf", "", "x", GR_MODELNAME_PART },
	{ "/m/model.gguf", "Q8_0", "model:q8_0", GR_MODELNAME_WHOLE },
	{ "/m/\xe6\xbc\xa2.gguf", "", "\xe6\xbc\xa2", GR_MODELNAME_WHOLE },
};

START_TEST(wish_matches_whole_words_of_the_name)
{
	struct gr_modelname name;
	gr_modelname_of(matches[_i].path, &name);
	ck_assert_msg(gr_modelname_match(&name, matches[_i].quantisation, matches[_i].wish) == matches[_i].match,
		      "%s, %s", matches[_i].path, matches[_i].wish);
}
END_TEST

START_TEST(wish_longer_than_any_name_matches_none)
{
	struct gr_modelname name;
	char wish[5000];
	gr_modelname_of("/m/x.gguf", &name);
	for (size_t len = 500; len < sizeof wish; len += 3) {
		memset(wish, 'x', len);
		wish[len] = '\0';
		ck_assert_int_eq(gr_modelname_match(&name, "", wish), GR_MODELNAME_OTHER);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modelname");
	TCase *tc = tcase_create("modelname");
	tcase_add_loop_test(tc, name_of_a_path_is_what_people_say, 0, COUNT(names));
	tcase_add_test(tc, name_too_long_is_cut);
	tcase_add_loop_test(tc, wish_matches_whole_words_of_the_name, 0, COUNT(matches));
	tcase_add_test(tc, wish_longer_than_any_name_matches_none);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
