/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "failmalloc.h"

START_TEST(text_of_a_fresh_buffer_is_empty)
{
	struct gr_buf buf = GR_BUF_INIT(10);
	ck_assert_str_eq(gr_buf_text(&buf), "");
	ck_assert_uint_eq(buf.len, 0);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(release_of_null_and_twice_is_harmless)
{
	struct gr_buf buf = GR_BUF_INIT(10);
	gr_buf_release(NULL);
	ck_assert_int_eq(gr_buf_puts(&buf, "abc"), INF_OK);
	gr_buf_release(&buf);
	gr_buf_release(&buf);
	ck_assert_uint_eq(buf.max, 10);
}
END_TEST

START_TEST(append_after_release_works_again)
{
	struct gr_buf buf = GR_BUF_INIT(10);
	ck_assert_int_eq(gr_buf_puts(&buf, "abc"), INF_OK);
	gr_buf_release(&buf);
	ck_assert_int_eq(gr_buf_puts(&buf, "de"), INF_OK);
	ck_assert_str_eq(gr_buf_text(&buf), "de");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_in_pieces_joins_and_terminates)
{
	struct gr_buf buf = GR_BUF_INIT(100000);
	for (size_t i = 0; i < 5000; i++) {
		ck_assert_int_eq(gr_buf_append(&buf, "xy", 2), INF_OK);
		ck_assert_uint_eq(buf.len, 2 * (i + 1));
		ck_assert_int_eq(buf.data[buf.len], 0);
	}
	for (size_t i = 0; i < buf.len; i++)
		ck_assert_int_eq(buf.data[i], i % 2 ? 'y' : 'x');
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_of_nul_bytes_keeps_them)
{
	struct gr_buf buf = GR_BUF_INIT(10);
	ck_assert_int_eq(gr_buf_append(&buf, "a\0b", 3), INF_OK);
	ck_assert_uint_eq(buf.len, 3);
	ck_assert_mem_eq(buf.data, "a\0b", 4);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_of_nothing_terminates)
{
	struct gr_buf buf = GR_BUF_INIT(0);
	ck_assert_int_eq(gr_buf_append(&buf, NULL, 0), INF_OK);
	ck_assert_str_eq(gr_buf_text(&buf), "");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_at_the_cap_fits)
{
	struct gr_buf buf = GR_BUF_INIT(8);
	ck_assert_int_eq(gr_buf_puts(&buf, "1234"), INF_OK);
	ck_assert_int_eq(gr_buf_puts(&buf, "5678"), INF_OK);
	ck_assert_str_eq(gr_buf_text(&buf), "12345678");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_past_the_cap_fails_and_keeps)
{
	struct gr_buf buf = GR_BUF_INIT(8);
	ck_assert_int_eq(gr_buf_puts(&buf, "1234"), INF_OK);
	ck_assert_int_eq(gr_buf_puts(&buf, "56789"), INF_E_INTERNAL);
	ck_assert_int_eq(gr_buf_append(&buf, "", SIZE_MAX), INF_E_INTERNAL);
	ck_assert_str_eq(gr_buf_text(&buf), "1234");
	ck_assert_int_eq(gr_buf_puts(&buf, "5678"), INF_OK);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(printf_appends_and_grows)
{
	char long_text[3001];
	memset(long_text, 'z', 3000);
	long_text[3000] = '\0';
	struct gr_buf buf = GR_BUF_INIT(4000);
	ck_assert_int_eq(gr_buf_printf(&buf, "%d %s|", 42, "tokens"), INF_OK);
	ck_assert_int_eq(gr_buf_printf(&buf, "%s", long_text), INF_OK);
	ck_assert_uint_eq(buf.len, 10 + 3000);
	ck_assert_mem_eq(buf.data, "42 tokens|zzz", 13);
	ck_assert_int_eq(buf.data[buf.len], 0);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(printf_past_the_cap_fails_and_keeps)
{
	struct gr_buf buf = GR_BUF_INIT(4);
	ck_assert_int_eq(gr_buf_printf(&buf, "%d", 1234), INF_OK);
	ck_assert_int_eq(gr_buf_printf(&buf, "%d", 5), INF_E_INTERNAL);
	ck_assert_str_eq(gr_buf_text(&buf), "1234");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(consume_drops_from_the_front)
{
	struct gr_buf buf = GR_BUF_INIT(10);
	ck_assert_int_eq(gr_buf_puts(&buf, "abcdef"), INF_OK);
	gr_buf_consume(&buf, 0);
	gr_buf_consume(&buf, 2);
	ck_assert_str_eq(gr_buf_text(&buf), "cdef");
	gr_buf_consume(&buf, 4);
	ck_assert_str_eq(gr_buf_text(&buf), "");
	ck_assert_int_eq(gr_buf_puts(&buf, "0123456789"), INF_OK);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(reset_keeps_the_memory)
{
	struct gr_buf buf = GR_BUF_INIT(1000);
	ck_assert_int_eq(gr_buf_printf(&buf, "%900d", 1), INF_OK);
	gr_buf_reset(&buf);
	ck_assert_str_eq(gr_buf_text(&buf), "");
	failmalloc_arm(FAILMALLOC_NEVER);
	inf_status st = gr_buf_printf(&buf, "%900d", 1);
	failmalloc_disarm();
	ck_assert_int_eq(st, INF_OK);
	ck_assert_uint_eq(failmalloc_count(), 0);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(append_survives_oom)
{
	struct gr_buf buf = GR_BUF_INIT(100000);
	for (long n = 0;; n++) {
		size_t written = 0;
		inf_status st = INF_OK;
		gr_buf_release(&buf);
		failmalloc_arm(n);
		for (int i = 0; i < 2000 && st == INF_OK; i++) {
			st = gr_buf_puts(&buf, "0123456789");
			written += st == INF_OK ? 10 : 0;
		}
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_uint_eq(buf.len, written);
		ck_assert_uint_eq(strlen(gr_buf_text(&buf)), written);
		if (!fired)
			break;
	}
	gr_buf_release(&buf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tc = tcase_create("buf");
	tcase_add_test(tc, text_of_a_fresh_buffer_is_empty);
	tcase_add_test(tc, release_of_null_and_twice_is_harmless);
	tcase_add_test(tc, append_after_release_works_again);
	tcase_add_test(tc, append_in_pieces_joins_and_terminates);
	tcase_add_test(tc, append_of_nul_bytes_keeps_them);
	tcase_add_test(tc, append_of_nothing_terminates);
	tcase_add_test(tc, append_at_the_cap_fits);
	tcase_add_test(tc, append_past_the_cap_fails_and_keeps);
	tcase_add_test(tc, printf_appends_and_grows);
	tcase_add_test(tc, printf_past_the_cap_fails_and_keeps);
	tcase_add_test(tc, consume_drops_from_the_front);
	tcase_add_test(tc, reset_keeps_the_memory);
	tcase_add_test(tc, append_survives_oom);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
