/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"

static const struct {
	const char *wanted, *word;
	bool is_near;
} cases[] = {
	{ "temprature", "temperature", true }, { "temp", "temperature", true }, { "caht", "chat", true }, { "hlep", "help", true },
	{ "modles", "models", true }, { "path", "llama-server.path", true }, { "pat", "llama-server.path", true },
	{ "max-token", "max-tokens", true }, { "a", "b", false }, { "a", "ab", false }, { "foo", "fit", false }, { "rest", "set", false },
	{ "x", "", false }, { "", "chat", false }, { "", "", false }, { "quantisation-of-it", "organisation-of-us", false },
	{ "a-key-that-is-rather-long-and-wrong", "a-key-that-is-rather-long-and-right", false },
	{ "a-key-that-is-rather-long-and-wrnog", "a-key-that-is-rather-long-and-wrong", true },
	{ "llama-server.paths.and.more", "llama-server.path", false },
	{ "something-that-goes-on-for-a-while-and-is-nothing-at-all", "log-file", false },
};

START_TEST(word_is_near_when_few_letters_differ)
{
	struct near near = NEAR_INIT(cases[_i].wanted);
	near_offer(&near, cases[_i].word);
	ck_assert_msg((near.count == 1) == cases[_i].is_near, "\"%s\" for \"%s\"", cases[_i].word, cases[_i].wanted);
}
END_TEST

/* However many letters are given, of two words that have nothing in common neither is near. */
START_TEST(word_of_other_letters_is_near_at_no_length)
{
	char wanted[NEAR_WORD_MAX + 1] = "", word[NEAR_WORD_MAX + 1] = "";
	for (size_t len = 1; len <= NEAR_WORD_MAX; len++) {
		memset(wanted, 'a', len);
		for (size_t other = 1; other <= NEAR_WORD_MAX; other++) {
			struct near near = NEAR_INIT(wanted);
			memset(word, 'b', other);
			word[other] = '\0';
			near_offer(&near, word);
			ck_assert_uint_eq(near.count, 0);
		}
	}
}
END_TEST

START_TEST(nearest_three_are_kept_in_their_order)
{
	struct near near = NEAR_INIT("counter");
	struct text text = TEXT_INIT(1000);
	near_offer(&near, "cuonter");
	near_offer(&near, "count");
	near_offer(&near, "counters");
	near_offer(&near, "countre");
	near_offer_as(&near, "counter", "counter-q4_k_m");
	near_offer(&near, "nothing");
	near_explain(&near, "--", "none", &text);
	ck_assert_str_eq(text_string(&text), "did you mean --counter-q4_k_m or --counters or --cuonter?");
	text_release(&text);
}
END_TEST

START_TEST(nothing_near_is_said_otherwise)
{
	struct near near = NEAR_INIT("xyzzy");
	struct text text = TEXT_INIT(1000);
	near_offer(&near, "counter");
	near_explain(&near, "--", "there is none", &text);
	ck_assert_str_eq(text_string(&text), "there is none");
	text_release(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("near");
	TCase *tcase = tcase_create("near");
	tcase_add_loop_test(tcase, word_is_near_when_few_letters_differ, 0, (int)(sizeof cases / sizeof *cases));
	tcase_add_test(tcase, word_of_other_letters_is_near_at_no_length);
	tcase_add_test(tcase, nearest_three_are_kept_in_their_order);
	tcase_add_test(tcase, nothing_near_is_said_otherwise);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
