/* SPDX-License-Identifier: MIT */
#include "compose.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { CAP = 64 };

/* Lines with '|' behind each, and the messages that they make, with '|' behind each whole one; what is not whole is left out. */
static const struct {
	const char *lines, *messages;
} cases[] = {
	{ "hello|", "hello|" },
	{ "|", "|" },
	{ "a|b|", "a|b|" },
	{ "a\\|b|", "a\nb|" },
	{ "a\\|b\\|c|d|", "a\nb\nc|d|" },
	{ "\\||", "\n|" },
	{ "a\\|", "" },
	{ "a\\b|", "a\\b|" },
	{ "\"\"\"one\"\"\"|", "one|" },
	{ "\"\"\"\"\"\"|", "|" },
	{ "\"\"\"|one|two|\"\"\"|", "one\ntwo|" },
	{ "\"\"\"one|two\"\"\"|x|", "one\ntwo|x|" },
	{ "\"\"\"|a\\||b\"\"\"|", "a\\\n\nb|" },
	{ "\"\"\"|never ended|", "" },
	{ "\"\"|", "\"\"|" },
	{ "say \"\"\"|", "say \"\"\"|" },
	{ "a\\|\"\"\"b|", "a\n\"\"\"b|" },
};

static void make(const char *lines, struct text *out)
{
	struct compose compose = COMPOSE_INIT(CAP);
	for (const char *at = lines; *at; at += strcspn(at, "|") + 1) {
		if (!compose_line(&compose, at, strcspn(at, "|")))
			continue;
		text_puts(out, compose.message.failed ? "!" : text_string(&compose.message));
		text_puts(out, "|");
	}
	compose_release(&compose);
}

START_TEST(lines_make_messages)
{
	struct text seen = TEXT_INIT(1024);
	make(cases[_i].lines, &seen);
	ck_assert_str_eq(text_string(&seen), cases[_i].messages);
	text_release(&seen);
}
END_TEST

START_TEST(message_at_the_cap_is_whole_and_one_beyond_fails_once)
{
	char line[CAP + 2];
	struct compose compose = COMPOSE_INIT(CAP);
	memset(line, 'x', sizeof line);
	ck_assert(compose_line(&compose, line, CAP));
	ck_assert(!compose.message.failed);
	ck_assert(compose_line(&compose, line, CAP + 1));
	ck_assert(compose.message.failed);
	ck_assert(compose_line(&compose, "next", 4));
	ck_assert_str_eq(text_string(&compose.message), "next");
	compose_release(&compose);
}
END_TEST

START_TEST(block_is_verbatim_and_a_line_is_not)
{
	struct compose compose = COMPOSE_INIT(CAP);
	ck_assert(compose_line(&compose, "\"\"\"/reset\"\"\"", 12));
	ck_assert(compose.is_verbatim);
	ck_assert(compose_line(&compose, "/reset", 6));
	ck_assert(!compose.is_verbatim);
	compose_release(&compose);
}
END_TEST

START_TEST(reset_forgets_what_is_open)
{
	struct compose compose = COMPOSE_INIT(CAP);
	ck_assert(!compose_line(&compose, "\"\"\"half", 7));
	compose_reset(&compose);
	ck_assert(compose_line(&compose, "whole", 5));
	ck_assert_str_eq(text_string(&compose.message), "whole");
	compose_release(&compose);
}
END_TEST

START_TEST(line_survives_oom)
{
	for (long n = 0;; n++) {
		struct compose compose = COMPOSE_INIT(CAP);
		failmalloc_arm(n);
		bool whole = compose_line(&compose, "hello", 5);
		bool fired = failmalloc_disarm();
		ck_assert(whole);
		ck_assert_int_eq(compose.message.failed, fired);
		compose_release(&compose);
		if (!fired)
			break;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compose");
	TCase *tcase = tcase_create("compose");
	tcase_add_loop_test(tcase, lines_make_messages, 0, ROWS(cases));
	tcase_add_test(tcase, message_at_the_cap_is_whole_and_one_beyond_fails_once);
	tcase_add_test(tcase, block_is_verbatim_and_a_line_is_not);
	tcase_add_test(tcase, reset_forgets_what_is_open);
	tcase_add_test(tcase, line_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
