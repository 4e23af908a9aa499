/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "modelpick.h"

static const struct {
	const char *path, *name, *repository, *title, *quantisation;
	int32_t kind;
	inf_status code;
} models[] = {
	{ "/hub/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", "Qwen2.5-0.5B-Instruct-Q4_K_M", "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "Qwen2.5 0.5B Instruct",
	  "Q4_K_M", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/hub/Qwen2.5-0.5B-Instruct-Q8_0.gguf", "Qwen2.5-0.5B-Instruct-Q8_0", "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "Qwen2.5 0.5B Instruct",
	  "Q8_0", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/m/tiny.gguf", "tiny", "", "A Tiny Storyteller", "F16", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/n/tiny.gguf", "tiny", "", "", "Q8_0", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/m/tiny-lora.gguf", "tiny-lora", "", "", "F16", INF_MODEL_KIND_ADAPTER, INF_OK },
	{ "/m/tiny-embed.gguf", "tiny-embed", "", "", "F16", INF_MODEL_KIND_EMBEDDING, INF_OK },
	{ "/m/odd name's.gguf", "odd name's", "", "", "", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/m/half.gguf", "half", "", "", "", INF_MODEL_KIND_OTHER, INF_E_BAD_MODEL },
	{ "/hub/b/same.gguf", "same", "Bob/Same", "", "Q4_0", INF_MODEL_KIND_MODEL, INF_OK },
	{ "/hub/a/same.gguf", "same", "Ann/Same", "", "Q4_0", INF_MODEL_KIND_MODEL, INF_OK },
};

enum { MODELS = sizeof models / sizeof *models };

static struct model_list list;

static void fill(void)
{
	for (size_t i = 0; i < MODELS; i++) {
		inf_model_file file = { .struct_size = sizeof file, .path = models[i].path, .kind = models[i].kind, .code = models[i].code };
		snprintf(file.name, sizeof file.name, "%s", models[i].name);
		snprintf(file.repository, sizeof file.repository, "%s", models[i].repository);
		snprintf(file.title, sizeof file.title, "%s", models[i].title);
		snprintf(file.quantisation, sizeof file.quantisation, "%s", models[i].quantisation);
		model_list_add(&list, &file);
	}
}

static void empty(void)
{
	model_list_release(&list);
}

static const char *digits(const size_t *indices, size_t count)
{
	static char out[MODELS + 1];
	for (size_t i = 0; i < count; i++)
		out[i] = (char)('0' + indices[i]);
	out[count] = '\0';
	return out;
}

static const struct {
	const char *wish, *expected;
} whole_cases[] = {
	{ "tiny", "23" }, { "TINY", "23" }, { "tiny.gguf", "23" }, { "tiny-lora", "4" }, { "half", "7" }, { "odd name's", "6" },
	{ "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "01" }, { "qwen/qwen2.5-0.5b-instruct-gguf/qwen2.5-0.5b-instruct-q8_0", "1" },
	{ "Bob/Same/same", "8" }, { "Bob/Same", "8" }, { "ann/same", "9" }, { "tin", "" }, { "", "" }, { "/tiny", "" }, { "/", "" },
};

START_TEST(whole_is_every_letter_or_another_case)
{
	size_t out[MODELS];
	ck_assert_str_eq(digits(out, modelpick_whole(&list, whole_cases[_i].wish, out)), whole_cases[_i].expected);
}
END_TEST

static const struct {
	const char *wish, *expected;
} part_cases[] = {
	{ "qwen2.5", "01" }, { "qwen2.5:q8_0", "1" }, { "qwen2.5:Q4", "0" }, { "qwen2.5-0.5b-instruct-gguf:q4_k_m", "0" }, { "wen2.5", "01" },
	{ "Qwen2.5 0.5B", "01" }, { "storyteller", "2" }, { "a_tiny", "2" }, { "tiny:f16", "245" }, { "in", "01" }, { "ny", "" },
	{ "loR", "4" }, { "same", "89" }, { "bob", "8" }, { "qwen:", "01" }, { ":q8", "" }, { "", "" }, { ":", "" }, { "nobody", "" },
	{ "qwen2.5:q9", "" }, { "qwen2.5:8", "" }, { "tiny:", "2345" }, { "half", "7" },
};

START_TEST(part_is_found_in_names_and_titles)
{
	size_t out[MODELS];
	ck_assert_str_eq(digits(out, modelpick_part(&list, part_cases[_i].wish, out)), part_cases[_i].expected);
}
END_TEST

START_TEST(part_longer_than_any_name_is_none)
{
	char wish[5000];
	size_t out[MODELS];
	memset(wish, 'q', sizeof wish - 1);
	for (size_t len = 500; len < sizeof wish; len += 100) {
		wish[len] = '\0';
		ck_assert_uint_eq(modelpick_part(&list, wish, out), 0);
		ck_assert_uint_eq(modelpick_whole(&list, wish, out), 0);
		wish[len] = 'q';
	}
}
END_TEST

START_TEST(text_models_are_preferred_where_there_are_some)
{
	size_t mixed[] = { 4, 2, 5, 3 }, others[] = { 4, 5, 7 };
	ck_assert_str_eq(digits(mixed, modelpick_prefer_text(&list, mixed, 4)), "23");
	ck_assert_str_eq(digits(others, modelpick_prefer_text(&list, others, 3)), "457");
	ck_assert_uint_eq(modelpick_prefer_text(&list, others, 0), 0);
}
END_TEST

static const char *const handles[MODELS] = {
	"Qwen2.5-0.5B-Instruct-Q4_K_M", "Qwen2.5-0.5B-Instruct-Q8_0", "/m/tiny.gguf", "/n/tiny.gguf", "tiny-lora", "tiny-embed",
	"'odd name'\\''s'", "half", "Bob/Same/same", "Ann/Same/same",
};

START_TEST(handle_means_that_model_alone)
{
	struct text text = TEXT_INIT(1000);
	modelpick_add_handle(&text, &list, (size_t)_i);
	ck_assert_str_eq(text_string(&text), handles[_i]);
	text_release(&text);
}
END_TEST

static const struct {
	const char *wish, *expected;
} near_cases[] = {
	{ "qwem2.5-0.5b", "did you mean Qwen2.5-0.5B-Instruct-Q4_K_M or Qwen2.5-0.5B-Instruct-Q8_0?" }, { "tiny-embde.gguf", "did you mean tiny-embed?" },
	{ "hlaf", "none" }, { "zzz", "none" }, { "", "none" }, { ".gguf", "none" },
	{ "a-name-that-is-longer-than-any-that-near-will-ever-take-and-so-is-near-to-nothing", "none" },
};

START_TEST(near_names_are_offered)
{
	struct text text = TEXT_INIT(1000);
	modelpick_add_near(&text, &list, near_cases[_i].wish, "none");
	ck_assert_str_eq(text_string(&text), near_cases[_i].expected);
	text_release(&text);
}
END_TEST

START_TEST(list_survives_oom)
{
	empty();
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		fill();
		bool fired = failmalloc_disarm();
		ck_assert(list.failed == fired);
		ck_assert(fired || list.count == MODELS);
		empty();
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modelpick");
	TCase *tcase = tcase_create("modelpick");
	tcase_add_checked_fixture(tcase, fill, empty);
	tcase_add_loop_test(tcase, whole_is_every_letter_or_another_case, 0, (int)(sizeof whole_cases / sizeof *whole_cases));
	tcase_add_loop_test(tcase, part_is_found_in_names_and_titles, 0, (int)(sizeof part_cases / sizeof *part_cases));
	tcase_add_test(tcase, part_longer_than_any_name_is_none);
	tcase_add_test(tcase, text_models_are_preferred_where_there_are_some);
	tcase_add_loop_test(tcase, handle_means_that_model_alone, 0, MODELS);
	tcase_add_loop_test(tcase, near_names_are_offered, 0, (int)(sizeof near_cases / sizeof *near_cases));
	tcase_add_test(tcase, list_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
