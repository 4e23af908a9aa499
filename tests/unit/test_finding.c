/* SPDX-License-Identifier: MIT */
#include "finding.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct sink {
	int calls, stop_after;
	int32_t severity;
	char section[32], key[256], value[2048], reason[64], remedy[128];
};

static int32_t take(void *user, const inf_finding *finding)
{
	struct sink *sink = user;
	ck_assert_uint_eq(finding->struct_size, sizeof *finding);
	sink->severity = finding->severity;
	strcpy(sink->section, finding->section);
	strcpy(sink->key, finding->key);
	strcpy(sink->value, finding->value);
	strcpy(sink->reason, finding->reason);
	strcpy(sink->remedy, finding->remedy);
	return ++sink->calls == sink->stop_after ? 0 : INF_CONTINUE;
}

START_TEST(fact_has_neither_reason_nor_remedy)
{
	struct sink sink = { .severity = -1 };
	struct gr_findings findings = { &sink, take, false };
	gr_finding_fact(&findings, "system", "kernel", "%s %d", "Linux", 6);
	ck_assert_int_eq(sink.severity, INF_FINDING_FACT);
	ck_assert_str_eq(sink.section, "system");
	ck_assert_str_eq(sink.key, "kernel");
	ck_assert_str_eq(sink.value, "Linux 6");
	ck_assert_str_eq(sink.reason, "");
	ck_assert_str_eq(sink.remedy, "");
}
END_TEST

START_TEST(problem_keeps_reason_and_remedy)
{
	struct sink sink = { 0 };
	struct gr_findings findings = { &sink, take, false };
	const inf_finding head = { .severity = INF_FINDING_PROBLEM, .section = "verdict", .key = "rocm", .reason = "kfd_perm",
				   .remedy = "join the group" };
	gr_finding_add(&findings, &head, "no permission");
	ck_assert_int_eq(sink.severity, INF_FINDING_PROBLEM);
	ck_assert_str_eq(sink.reason, "kfd_perm");
	ck_assert_str_eq(sink.remedy, "join the group");
}
END_TEST

static const struct {
	const char *in, *out;
} texts[] = {
	{ "a\nb\tc", "a b c" }, { "\x1b[31mred\x7f", " [31mred " }, { "caf\xc3\xa9", "caf\xc3\xa9" }, { "caf\xe9s", "caf?s" },
	{ "", "" },
};

START_TEST(value_of_any_bytes_becomes_one_line_of_utf8)
{
	struct sink sink = { 0 };
	struct gr_findings findings = { &sink, take, false };
	gr_finding_fact(&findings, "s", texts[_i].in, "%s", texts[_i].in);
	ck_assert_str_eq(sink.value, texts[_i].out);
	ck_assert_str_eq(sink.key, texts[_i].out);
}
END_TEST

/* The cap falls on each byte of a code point in turn. */
START_TEST(value_past_the_cap_is_cut_between_code_points)
{
	struct sink sink = { 0 };
	struct gr_findings findings = { &sink, take, false };
	char text[GR_FINDING_VALUE_MAX + 64];
	size_t len = GR_FINDING_VALUE_MAX - 5 + (size_t)_i;
	memset(text, 'x', len);
	strcpy(text + len, "\xf0\x9f\x98\x80tail");
	gr_finding_fact(&findings, "s", "k", "%s", text);
	ck_assert_uint_eq(strlen(sink.value), _i == 0 ? len + 4 : len);
	ck_assert_ptr_null(strchr(sink.value, '?'));
}
END_TEST

START_TEST(callback_that_says_stop_is_not_called_again)
{
	struct sink sink = { .stop_after = 2 };
	struct gr_findings findings = { &sink, take, false };
	for (int i = 0; i < 5; i++)
		gr_finding_fact(&findings, "s", "k", "%d", i);
	ck_assert_int_eq(sink.calls, 2);
	ck_assert_str_eq(sink.value, "1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("finding");
	TCase *tc = tcase_create("finding");
	tcase_add_test(tc, fact_has_neither_reason_nor_remedy);
	tcase_add_test(tc, problem_keeps_reason_and_remedy);
	tcase_add_loop_test(tc, value_of_any_bytes_becomes_one_line_of_utf8, 0, (int)(sizeof texts / sizeof texts[0]));
	tcase_add_loop_test(tc, value_past_the_cap_is_cut_between_code_points, 0, 4);
	tcase_add_test(tc, callback_that_says_stop_is_not_called_again);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
