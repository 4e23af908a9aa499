/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_scan.h"
#include "gpu_verify.h"

#define FOUND(n) "x: found " #n " ROCm devices (Total VRAM: 1 MiB):\n"
#define DEVICE(n, gfx, mib) "  Device " #n ": AMD, " gfx " (0x1100), VMM: no, Wave Size: 32, VRAM: " #mib " MiB\n"
#define USING(n, pci) "x: using device ROCm" #n " (AMD) (" pci ") - 22000 MiB free\n"

static const struct {
	const char *log, *words;	/* NULL = agrees */
} logs[] = {
	{ "", NULL },
	{ FOUND(1) DEVICE(0, "gfx1100", 24576) USING(0, "0000:09:00.0"), NULL },
	{ DEVICE(0, "gfx1100", 24576), NULL },
	{ USING(0, "unknown id"), NULL },
	{ FOUND(1) DEVICE(0, "gfx1100", 24100), NULL },
	{ FOUND(1) DEVICE(0, "gfx1100", 24000), "24000 MiB, but 24576 MiB" },
	{ FOUND(1) DEVICE(0, "gfx1036", 24576), "gfx1036, but gfx1100" },
	{ FOUND(2) DEVICE(0, "gfx1100", 24576), "found 2 GPUs, but 1" },
	{ FOUND(0), "found 0 GPUs, but 1" },
	{ USING(0, "0000:03:00.0"), "0000:03:00.0, but 0000:09:00.0" },
	{ USING(1, "0000:03:00.0"), NULL },
};

START_TEST(server_is_believed_only_where_it_agrees)
{
	struct gr_devlog log;
	struct gr_refusal refusal;
	gr_devlog_init(&log);
	gr_devlog_feed(&log, logs[_i].log, strlen(logs[_i].log));
	choose_text("auto", NULL);
	gr_gpu_verify(&refusal, &log, &choice, &scan);
	ck_assert_int_eq(refusal.code != NULL, logs[_i].words != NULL);
	if (!logs[_i].words)
		return;
	ck_assert_str_eq(refusal.code, "pin_mismatch");
	ck_assert_msg(strstr(refusal.cause, logs[_i].words) != NULL, "%s", refusal.cause);
}
END_TEST

START_TEST(server_may_say_what_an_override_made_of_the_chip)
{
	static const char text[] = DEVICE(0, "gfx1030", 24576);
	struct gr_devlog log;
	struct gr_refusal refusal;
	gr_devlog_init(&log);
	gr_devlog_feed(&log, FOUND(1), strlen(FOUND(1)));
	gr_devlog_feed(&log, text, strlen(text));
	choose_text("2", "HSA_OVERRIDE_GFX_VERSION=10.3.0");
	gr_gpu_verify(&refusal, &log, &choice, &scan);
	ck_assert_ptr_null(refusal.code);
	choose_text("2", NULL);
	gr_gpu_verify(&refusal, &log, &choice, &scan);
	ck_assert_str_eq(refusal.code, "pin_mismatch");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gpu_verify");
	TCase *tc = tcase_create("gpu_verify");
	tcase_add_checked_fixture(tc, four_gpus, NULL);
	tcase_add_loop_test(tc, server_is_believed_only_where_it_agrees, 0, ROWS(logs));
	tcase_add_test(tc, server_may_say_what_an_override_made_of_the_chip);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
