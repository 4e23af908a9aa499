/* SPDX-License-Identifier: MIT */
#include "probe_report.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../backends/stub.h"

static struct ih_report report, found;
static char line[IH_REPORT_LINE_MAX];

static void setup(void)
{
	report = (struct ih_report){ .file = 7, .why = { .struct_size = sizeof report.why } };
	memset(&found, 0x55, sizeof found);
}

static void refuse_with(const char *message)
{
	report.state = INF_STATE_CRASHED;
	strcpy(report.why.reason, "crashed");
	snprintf(report.why.message, sizeof report.why.message, "%s", message);
}

/* Of its own, so that a sanitizer sees a read beyond it. */
static bool read_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	bool sound = ih_report_read(&found, copy, len);
	free(copy);
	return sound;
}

START_TEST(line_is_what_the_header_shows)
{
	static const inf_backend x = { STUB_BACKEND("x") }, y = { STUB_BACKEND("y") };
	static const inf_backend *const list[] = { &x, &y };
	static const inf_plugin plugin = { STUB_PLUGIN(list) };
	size_t len = ih_report_write(line, sizeof line, &report, &plugin);
	line[len] = '\0';
	ck_assert_str_eq(line, "{\"file\":7,\"state\":\"available\",\"reason\":\"\",\"message\":\"\",\"abi\":\"1.0\","
			 "\"id\":\"org.example.stub\",\"version\":\"1.2.3\",\"backends\":\"x,y\"}\n");
	ck_assert(read_copy(line, len));
	ck_assert_uint_eq(found.file, 7);
	ck_assert_int_eq(found.state, INF_STATE_AVAILABLE);
	ck_assert_int_eq(found.why.code, INF_OK);
}
END_TEST

static const char *const messages[] = {
	"plain", "a \"quote\" and a \\ and a / and a \t tab", "\x01\x1f\x7f", "\xc3\xa9t\xc3\xa9", "{\"file\":1}\n",
};

START_TEST(message_comes_back_as_it_was)
{
	refuse_with(messages[_i]);
	size_t len = ih_report_write(line, sizeof line, &report, NULL);
	ck_assert_ptr_eq(memchr(line, '\n', len), line + len - 1);
	ck_assert(read_copy(line, len));
	ck_assert_str_eq(found.why.message, report.why.message);
	ck_assert_str_eq(found.why.reason, "crashed");
	ck_assert_int_eq(found.state, INF_STATE_CRASHED);
	ck_assert_int_eq(found.why.code, INF_E_UNAVAILABLE);
}
END_TEST

START_TEST(message_that_is_not_utf8_is_made_so)
{
	refuse_with("a\xff" "b");
	ck_assert(read_copy(line, ih_report_write(line, sizeof line, &report, NULL)));
	ck_assert_str_eq(found.why.message, "a?b");
	static const char other[] = "{\"file\":0,\"state\":\"crashed\",\"reason\":\"a\xff\",\"message\":\"\xff\"}";
	ck_assert(read_copy(other, sizeof other - 1));
	ck_assert_str_eq(found.why.reason, "a?");
}
END_TEST

START_TEST(line_that_does_not_fit_is_not_written)
{
	char message[sizeof report.why.message];
	memset(message, 1, sizeof message - 1);	/* the longest there is: each byte takes six */
	message[sizeof message - 1] = '\0';
	refuse_with(message);
	size_t len = ih_report_write(line, sizeof line, &report, NULL);
	ck_assert_uint_gt(len, 6 * (sizeof message - 1));
	ck_assert_uint_eq(ih_report_write(line, len, &report, NULL), len);
	ck_assert_uint_eq(ih_report_write(line, len - 1, &report, NULL), 0);
}
END_TEST

#define OK_REST "\"reason\":\"\",\"message\":\"\"}"

static const struct {
	const char *text;
	bool sound;
} lines[] = {
	{ "{\"file\":0,\"state\":\"available\"," OK_REST, true },
	{ "{\"file\":0,\"state\":\"available\"," OK_REST "\n", true },
	{ "{\"later\":\"x\",\"file\":0,\"state\":\"available\"," OK_REST, true },
	{ "", false }, { "{", false }, { "{}", false }, { "\n", false }, { "null", false },
	{ " {\"file\":0,\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":0,\"state\":\"available\"," OK_REST "x", false },
	{ "{\"file\":0,\"state\":\"available\"," OK_REST "\n\n", false },
	{ "{\"file\":0,\"state\":\"available\",\"reason\":\"\",\"message\":\"\"", false },
	{ "{\"file\":0,\"state\":\"available\",\"reason\":\"\",\"message\":\"\",", false },
	{ "{\"file\":0,\"state\":\"available\",\"reason\":\"\",\"message\":\"\",}", false },
	{ "{\"file\":-1,\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":\"0\",\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":1234567890,\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":99999999999999999999,\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":0,\"file\":0,\"state\":\"available\"," OK_REST, false },
	{ "{\"file\":0,\"state\":\"fine\"," OK_REST, false },
	{ "{\"file\":0,\"state\":\"unknown\"," OK_REST, false },
	{ "{\"file\":0,\"state\":\"crashed\"," OK_REST, false },	/* no reason */
	{ "{\"file\":0,\"state\":\"available\",\"reason\":\"x\",\"message\":\"y\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\\n\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\\u00\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\\u0000\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\\u20ac\"}", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"\\", false },
	{ "{\"file\":0,\"state\":\"crashed\",\"reason\":\"x\",\"message\":\"a\nb\"}", false },
	{ "{\"file\":0,\"state\":{},\"reason\":\"x\",\"message\":\"y\"}", false },
};

START_TEST(line_is_sound_or_not)
{
	struct ih_report untouched = found;
	ck_assert(read_copy(lines[_i].text, strlen(lines[_i].text)) == lines[_i].sound);
	if (!lines[_i].sound)
		ck_assert_mem_eq(&found, &untouched, sizeof found);
}
END_TEST

START_TEST(line_cut_anywhere_is_none)
{
	refuse_with("\x01 \"x\" \\");
	size_t len = ih_report_write(line, sizeof line, &report, NULL);
	for (size_t cut = 0; cut + 1 < len; cut++)
		ck_assert(!read_copy(line, cut));
	ck_assert(read_copy(line, len - 1));
}
END_TEST

START_TEST(strings_that_are_too_long_are_cut)
{
	char text[4096];
	char many[2000];
	memset(many, 'm', sizeof many - 1);
	many[sizeof many - 1] = '\0';
	snprintf(text, sizeof text, "{\"file\":0,\"state\":\"crashed\",\"reason\":\"%.100s\",\"message\":\"%s\"}", many, many);
	ck_assert(read_copy(text, strlen(text)));
	ck_assert_uint_eq(strlen(found.why.reason), sizeof found.why.reason - 1);
	ck_assert_uint_eq(strlen(found.why.message), sizeof found.why.message - 1);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("probe_report");
	TCase *tcase = tcase_create("probe_report");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, line_is_what_the_header_shows);
	tcase_add_loop_test(tcase, message_comes_back_as_it_was, 0, ROWS(messages));
	tcase_add_test(tcase, message_that_is_not_utf8_is_made_so);
	tcase_add_test(tcase, line_that_does_not_fit_is_not_written);
	tcase_add_loop_test(tcase, line_is_sound_or_not, 0, ROWS(lines));
	tcase_add_test(tcase, line_cut_anywhere_is_none);
	tcase_add_test(tcase, strings_that_are_too_long_are_cut);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
