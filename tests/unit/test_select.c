/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 6 };

struct given {
	const char *backend;
	int32_t state;
	int32_t score;
};

#define OK(name, score) { name, INF_STATE_AVAILABLE, score }
#define NO(name, why) { name, INF_STATE_##why, 0 }

static inf_candidate candidates[MAX];
static inf_error err;

static size_t make(const struct given *given)
{
	size_t count = 0;
	for (; count < MAX && given[count].backend; count++)
		candidates[count] = (inf_candidate){
			.struct_size = sizeof candidates[0],
			.state = given[count].state,
			.path = "/plugins/file.so",
			.backend = given[count].backend,
			.description = "",
			.version = "",
			.reason = given[count].state == INF_STATE_AVAILABLE ? "" : "some_reason",
			.message = given[count].state == INF_STATE_AVAILABLE ? "fine" : "because of this",
			.score = given[count].score,
		};
	err = (inf_error){ .struct_size = sizeof err };
	return count;
}

static const struct {
	struct given given[MAX];
	int best;		/* index */
} rankings[] = {
	{ { OK("rocm", 400) }, 0 },
	{ { OK("vulkan", 799), OK("rocm", 1) }, 1 },
	{ { OK("rocm", 799), OK("metal", 1) }, 1 },
	{ { OK("llama_cpp", 50), OK("vulkan", 200), OK("rocm", 400), OK("metal", 400) }, 3 },
	{ { OK("vulkan", 200), OK("cuda", 500), OK("sycl", 499) }, 1 },
	{ { OK("vulkan", 200), OK("sycl", 200) }, 0 },
	{ { OK("remote", 99), OK("vulkan", 100) }, 1 },
	{ { OK("remote", 99), OK("llama_cpp", 1) }, 1 },
	{ { OK("llama_cpp", 799), OK("vulkan", 100) }, 1 },
	{ { OK("llama_cpp", 799), OK("remote", 99) }, 0 },
	{ { OK("remote", 10), OK("cpu", 20) }, 1 },
	{ { OK("cpu", 20), OK("remote", 20) }, 0 },
	{ { NO("metal", UNAVAILABLE), OK("rocm", 400) }, 1 },
	{ { NO("rocm", UNAVAILABLE), OK("llama_cpp", 50) }, 1 },
	{ { NO("rocm", DISABLED), NO("", UNTRUSTED), NO("", NOT_A_PLUGIN), OK("cpu", 1) }, 3 },
	{ { OK("cpu", 1), NO("cpu", SHADOWED), NO("", CRASHED), NO("", TIMED_OUT) }, 0 },
};

START_TEST(wish_none_takes_the_best)
{
	const inf_candidate *best = NULL;
	size_t count = make(rankings[_i].given);
	ck_assert_int_eq(ih_select(candidates, count, NULL, &best, &err), INF_OK);
	ck_assert_int_eq(best - candidates, rankings[_i].best);
}
END_TEST

START_TEST(wish_none_without_candidates_is_unavailable)
{
	const inf_candidate *best = NULL;
	ck_assert_int_eq(ih_select(NULL, 0, NULL, &best, NULL), INF_E_UNAVAILABLE);
	make((struct given[MAX]){ { NULL, 0, 0 } });
	ck_assert_int_eq(ih_select(candidates, 0, NULL, &best, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "no_plugin");
	ck_assert_ptr_nonnull(strstr(err.message, "INF_PLUGIN_PATH"));
	ck_assert_ptr_null(best);
}
END_TEST

START_TEST(wish_none_with_nothing_available_says_why_of_each)
{
	static const struct given given[MAX] = { NO("", UNTRUSTED), NO("rocm", UNAVAILABLE), NO("rocm", SHADOWED) };
	const inf_candidate *best = NULL;
	ck_assert_int_eq(ih_select(candidates, make(given), NULL, &best, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "none_available");
	ck_assert_str_eq(err.message, "no backend can be used here: rocm: because of this; file.so: because of this");
}
END_TEST

/* A name never falls back, however good the others are. */
static const struct {
	const char *wish;
	inf_status status;
	const char *reason, *message;
} wishes[] = {
	{ "vulkan", INF_OK, "", "" },
	{ "rocm", INF_E_UNAVAILABLE, "some_reason", "rocm: because of this" },
	{ "cpu", INF_E_UNAVAILABLE, "some_reason", "cpu: because of this" },
	{ "cuda", INF_E_NOT_FOUND, "backend_unknown", "no backend \"cuda\"; there are: metal, rocm, cpu, vulkan" },
	{ "Metal", INF_E_NOT_FOUND, "backend_unknown", "no backend \"Metal\"; there are: metal, rocm, cpu, vulkan" },
	{ "met", INF_E_NOT_FOUND, "backend_unknown", "no backend \"met\"; there are: metal, rocm, cpu, vulkan" },
};

START_TEST(wish_by_name_is_exact_and_without_fallback)
{
	static const struct given given[MAX] = {
		OK("metal", 700), NO("rocm", UNAVAILABLE), NO("", UNTRUSTED), NO("cpu", DISABLED), OK("vulkan", 1),
		NO("rocm", SHADOWED),
	};
	const inf_candidate *found = NULL;
	inf_status st = ih_select(candidates, make(given), wishes[_i].wish, &found, &err);
	ck_assert_int_eq(st, wishes[_i].status);
	ck_assert_str_eq(err.reason, wishes[_i].reason);
	ck_assert_str_eq(err.message, wishes[_i].message);
	if (st == INF_OK)
		ck_assert_str_eq(found->backend, wishes[_i].wish);
	else
		ck_assert_ptr_null(found);
}
END_TEST

START_TEST(wish_by_name_takes_the_unshadowed_one)
{
	static const struct given given[MAX] = { OK("rocm", 1), NO("rocm", SHADOWED) };
	const inf_candidate *found = NULL;
	ck_assert_int_eq(ih_select(candidates, make(given), "rocm", &found, &err), INF_OK);
	ck_assert_ptr_eq(found, &candidates[0]);
}
END_TEST

START_TEST(wish_by_name_without_names_says_so)
{
	static const struct given given[MAX] = { NO("", UNTRUSTED) };
	const inf_candidate *found = NULL;
	ck_assert_int_eq(ih_select(candidates, make(given), "rocm", &found, &err), INF_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.message, "no plugin"));
}
END_TEST

static const struct {
	int32_t in, out;
} scores[] = {
	{ INT32_MIN, 0 }, { -1, 0 }, { 0, 0 }, { 1, 1 }, { 799, 799 }, { 800, 799 }, { INT32_MAX, 799 },
};

START_TEST(score_is_cut_to_the_plugins_range)
{
	ck_assert_int_eq(ih_score(scores[_i].in), scores[_i].out);
}
END_TEST

static const struct {
	const char *list, *name;
	bool in;
} globs[] = {
	{ NULL, "rocm", false }, { "", "rocm", false }, { "rocm", "rocm", true }, { "roc", "rocm", false },
	{ "rocm", "rocm2", false }, { "ro*", "rocm", true }, { "*", "rocm", true }, { "r?cm", "rocm", true },
	{ "[qr]ocm", "rocm", true }, { "cuda:rocm", "rocm", true }, { "rocm:cuda", "rocm", true }, { ":", "rocm", false },
	{ "cuda:vulkan", "rocm", false }, { "cuda::ro*", "rocm", true }, { "[", "rocm", false }, { "ROCM", "rocm", false },
};

START_TEST(name_in_list_follows_the_globs)
{
	ck_assert_int_eq(ih_name_in_list(globs[_i].list, globs[_i].name), globs[_i].in);
}
END_TEST

START_TEST(glob_longer_than_any_name_is_ignored)
{
	char list[300];
	memset(list, '*', sizeof list);
	memcpy(list + sizeof list - 6, ":rocm", 6);
	ck_assert(!ih_name_in_list(list, "cuda"));
	ck_assert(ih_name_in_list(list, "rocm"));
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("select");
	TCase *tcase = tcase_create("select");
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, wish_none_takes_the_best, 0, count(sizeof rankings, sizeof *rankings));
	tcase_add_test(tcase, wish_none_without_candidates_is_unavailable);
	tcase_add_test(tcase, wish_none_with_nothing_available_says_why_of_each);
	tcase_add_loop_test(tcase, wish_by_name_is_exact_and_without_fallback, 0, count(sizeof wishes, sizeof *wishes));
	tcase_add_test(tcase, wish_by_name_takes_the_unshadowed_one);
	tcase_add_test(tcase, wish_by_name_without_names_says_so);
	tcase_add_loop_test(tcase, score_is_cut_to_the_plugins_range, 0, count(sizeof scores, sizeof *scores));
	tcase_add_loop_test(tcase, name_in_list_follows_the_globs, 0, count(sizeof globs, sizeof *globs));
	tcase_add_test(tcase, glob_longer_than_any_name_is_ignored);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
