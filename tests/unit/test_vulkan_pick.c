/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan_pick.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

#define TOLD(n, uma) "ggml_vulkan: " #n " = X (radv) | uma: " #uma " | fp16: 1\n"
#define LLVMPIPE_TOLD(n) TOLD(n, 0) "ggml_vulkan: Warning: Device type is CPU. This is probably not the device you want.\n"
#define LIST "Available devices:\n"
#define CARD(n, mib) "  Vulkan" #n ": AMD Radeon RX 7800 XT (RADV NAVI32) (16368 MiB, " #mib " MiB free)\n"
#define PART(n, mib) "  Vulkan" #n ": AMD Radeon 890M Graphics (RADV GFX1150) (48000 MiB, " #mib " MiB free)\n"
#define LLVMPIPE(n, mib) "  Vulkan" #n ": llvmpipe (LLVM 21.1.8, 256 bits) (64000 MiB, " #mib " MiB free)\n"

static struct gr_devlog listed;
static struct gr_vulkan_pick pick;
static char names[256];

static void list(const char *text)
{
	gr_devlog_init_list(&listed);
	gr_devlog_feed(&listed, text, strlen(text));
}

/* The devices of the choice, or the reason. */
static const char *pick_of(const char *text, const struct gr_vulkan_wish *wish)
{
	list(text);
	gr_vulkan_pick(&pick, &listed, wish);
	if (pick.refusal.code)
		return pick.refusal.code;
	names[0] = '\0';
	for (size_t i = 0; i < pick.count; i++) {
		strcat(names, i ? "," : "");
		strcat(names, listed.devices[pick.devices[i]].id);
	}
	return names;
}

static const char two_cards_and_more[] = TOLD(0, 1) TOLD(1, 0) TOLD(2, 0) LLVMPIPE_TOLD(3) LIST
	PART(0, 40000) CARD(1, 9000) CARD(2, 16000) LLVMPIPE(3, 60000);
static const char part_and_more[] = TOLD(0, 1) LLVMPIPE_TOLD(1) LIST PART(0, 4000) LLVMPIPE(1, 60000);
static const char only_llvmpipe[] = LLVMPIPE_TOLD(0) LIST LLVMPIPE(0, 60000);
static const char untold[] = LIST CARD(0, 9000) LLVMPIPE(1, 60000);
static const char of_other_families[] =
	LIST "  ROCm0: AMD (100 MiB, 90 MiB free)\n  RPC0: 127.0.0.1:1 (9 MiB, 9 MiB free)\n" CARD(0, 9000);

static const struct {
	const char *listed, *devices;
	uint64_t need;
	bool allow_cpu;
	const char *expected;
} choices[] = {
	{ two_cards_and_more, NULL, 0, false, "Vulkan2" },
	{ two_cards_and_more, "", 0, false, "Vulkan2" },
	{ two_cards_and_more, "auto", 0, true, "Vulkan2" },
	{ two_cards_and_more, "auto", 16000 * MIB, false, "Vulkan2" },
	{ two_cards_and_more, "auto", 16000 * MIB + 1, false, "Vulkan2,Vulkan1" },
	{ two_cards_and_more, "auto", UINT64_MAX, true, "Vulkan2,Vulkan1" },
	{ two_cards_and_more, "all", 0, true, "Vulkan2,Vulkan1" },
	{ two_cards_and_more, "0", 0, false, "Vulkan0" },
	{ two_cards_and_more, "vulkan1, 0", 0, false, "Vulkan1,Vulkan0" },
	{ two_cards_and_more, "3", 0, true, "Vulkan3" },
	{ two_cards_and_more, "3", 0, false, "only_cpu_device" },
	{ two_cards_and_more, "4", 0, true, "device_unknown" },
	{ two_cards_and_more, "1,1", 0, true, "device_unknown" },
	{ two_cards_and_more, "1,Vulkan1", 0, true, "device_unknown" },
	{ two_cards_and_more, "1,", 0, true, "device_unknown" },
	{ two_cards_and_more, ",", 0, true, "device_unknown" },
	{ two_cards_and_more, "-1", 0, true, "device_unknown" },
	{ two_cards_and_more, "99999999999999999999", 0, true, "device_unknown" },
	{ two_cards_and_more, "a name that is longer than any token may be", 0, true, "device_unknown" },
	{ part_and_more, "auto", 0, true, "Vulkan0" },
	{ part_and_more, "all", UINT64_MAX, true, "Vulkan0" },
	{ only_llvmpipe, "auto", 0, false, "only_cpu_device" },
	{ only_llvmpipe, "Vulkan0", 0, false, "only_cpu_device" },
	{ only_llvmpipe, "auto", 0, true, "Vulkan0" },
	{ untold, "auto", 0, false, "Vulkan0" },
	{ untold, "1", 0, false, "only_cpu_device" },
	{ untold, "all", 0, true, "Vulkan0" },
	{ of_other_families, "all", 0, true, "Vulkan0" },
	{ of_other_families, "ROCm0", 0, true, "device_unknown" },
};

START_TEST(devices_are_chosen_by_kind_then_memory_or_by_name)
{
	const struct gr_vulkan_wish wish = { .devices = choices[_i].devices, .need_bytes = choices[_i].need,
					     .allow_cpu = choices[_i].allow_cpu };
	ck_assert_str_eq(pick_of(choices[_i].listed, &wish), choices[_i].expected);
	size_t selected = 0;
	for (size_t i = 0; i < listed.count; i++)
		selected += pick.fates[i] == GR_VULKAN_SELECTED;
	ck_assert_uint_eq(selected, pick.count);
	ck_assert(!pick.refusal.code == (pick.count > 0));
}
END_TEST

static const struct {
	const char *listed, *mask, *code, *words;
} refusals[] = {
	{ "", NULL, "vulkan_backend_missing", "has no Vulkan backend" },
	{ LIST "  (none)\n", NULL, "vulkan_backend_missing", "libggml0-backend-vulkan" },
	{ LIST "  (none)\n", "0", "vulkan_backend_missing", "" },
	{ "ggml_vulkan: No devices found.\n" LIST "  (none)\n", NULL, "vulkan_no_device", "mesa-vulkan-drivers" },
	{ "[Vulkan Loader] ERROR | DRIVER: vkCreateInstance: Found no drivers!\n", "0", "vulkan_no_device", "\"render\"" },
	{ "ggml_vulkan: Invalid device index 7 in GGML_VK_VISIBLE_DEVICES.\n", "7", "masked_by_env",
	  "GGML_VK_VISIBLE_DEVICES=\"7\"" },
	{ "0.00.053.689 D ggml_vulkan: Found 0 Vulkan devices:\n", "", "masked_by_env", "GGML_VK_VISIBLE_DEVICES=\"\"" },
	{ LLVMPIPE_TOLD(0), NULL, "vulkan_backend_missing", "" },	/* told of, not listed */
};

START_TEST(none_says_what_is_missing)
{
	char text[GR_REFUSAL_TEXT_MAX];
	const struct gr_vulkan_wish wish = { .mask = refusals[_i].mask, .allow_cpu = true };
	ck_assert_str_eq(pick_of(refusals[_i].listed, &wish), refusals[_i].code);
	gr_refusal_text(&pick.refusal, text);
	ck_assert_ptr_nonnull(strstr(text, refusals[_i].words));
	ck_assert_uint_eq(pick.count, 0);
}
END_TEST

START_TEST(every_sentence_fits_whatever_is_quoted)
{
	static const char *const lists[] = { "", only_llvmpipe, two_cards_and_more, "ggml_vulkan: No devices found.\n" };
	static char word[400];
	memset(word, 'W', sizeof word - 1);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct gr_vulkan_wish wish = { .devices = word, .mask = word };
		pick_of(lists[i], &wish);
		ck_assert_ptr_nonnull(pick.refusal.code);
		ck_assert_uint_lt(strlen(pick.refusal.cause), GR_REFUSAL_CAUSE_MAX - 1);
		ck_assert_uint_lt(strlen(pick.refusal.remedy), GR_REFUSAL_REMEDY_MAX - 1);
	}
}
END_TEST

START_TEST(fates_say_why_each_device_is_out)
{
	const struct gr_vulkan_wish free_choice = { .devices = "auto" }, named = { .devices = "0" };
	pick_of(two_cards_and_more, &free_choice);
	ck_assert_int_eq(pick.fates[0], GR_VULKAN_OUTRANKED);
	ck_assert_int_eq(pick.fates[2], GR_VULKAN_SELECTED);
	ck_assert_int_eq(pick.fates[3], GR_VULKAN_CPU);
	pick_of(two_cards_and_more, &named);
	ck_assert_int_eq(pick.fates[0], GR_VULKAN_SELECTED);
	ck_assert_int_eq(pick.fates[1], GR_VULKAN_NOT_LISTED);
	ck_assert_int_eq(pick.fates[3], GR_VULKAN_CPU);
	pick_of(of_other_families, &free_choice);
	ck_assert_int_eq(pick.fates[0], GR_VULKAN_OTHER);
	for (int fate = GR_VULKAN_OTHER; fate <= GR_VULKAN_NOT_LISTED; fate++)
		ck_assert_uint_gt(strlen(gr_vulkan_fate_text(fate)), 5);
}
END_TEST

START_TEST(kind_is_what_the_server_says_before_what_the_name_says)
{
	list(TOLD(0, 0) TOLD(1, 1) LIST LLVMPIPE(0, 1) CARD(1, 1)
	     "  Vulkan2: SwiftShader Device (LLVM 16.0.0) (8 MiB, 8 MiB free)\n" CARD(3, 1));
	ck_assert_int_eq(gr_vulkan_kind(gr_devlog_find(&listed, "Vulkan0")), GR_DEVLOG_KIND_CARD);
	ck_assert_int_eq(gr_vulkan_kind(gr_devlog_find(&listed, "Vulkan1")), GR_DEVLOG_KIND_SHARED);
	ck_assert_int_eq(gr_vulkan_kind(gr_devlog_find(&listed, "Vulkan2")), GR_DEVLOG_KIND_CPU);
	ck_assert_int_eq(gr_vulkan_kind(gr_devlog_find(&listed, "Vulkan3")), GR_DEVLOG_KIND_UNKNOWN);
}
END_TEST

#define USING(id, name) "x: using device " id " (" name ") (0000:03:00.0) - 16000 MiB free\n"
#define HOLDS(id) "x:  " id " model buffer size =  2.00 MiB\n"
#define RX "AMD Radeon RX 7800 XT (RADV NAVI32)"

static const struct {
	const char *log, *words;	/* NULL = agrees */
} proofs[] = {
	{ "", NULL },
	{ USING("Vulkan2", RX) HOLDS("Vulkan2"), NULL },
	{ HOLDS("Vulkan2") HOLDS("Vulkan_Host") HOLDS("CPU_Mapped"), NULL },
	{ USING("Vulkan1", RX), "Vulkan1 of llama-server" },
	{ HOLDS("Vulkan2") HOLDS("Vulkan0"), "Vulkan0 of llama-server" },
	{ USING("Vulkan2", "llvmpipe (LLVM 21.1.8, 256 bits)"), "is llvmpipe" },
	{ HOLDS("Vulkan7"), "Vulkan7" },
};

START_TEST(server_is_believed_only_where_it_agrees)
{
	struct gr_devlog log;
	struct gr_refusal refusal;
	const struct gr_vulkan_wish wish = { .devices = "auto" };
	pick_of(two_cards_and_more, &wish);
	gr_devlog_init(&log);
	gr_devlog_feed(&log, proofs[_i].log, strlen(proofs[_i].log));
	gr_vulkan_verify(&refusal, &log, &listed, &pick);
	ck_assert_int_eq(refusal.code != NULL, proofs[_i].words != NULL);
	if (!proofs[_i].words)
		return;
	ck_assert_str_eq(refusal.code, "pin_mismatch");
	ck_assert_ptr_nonnull(strstr(refusal.cause, proofs[_i].words));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vulkan_pick");
	TCase *tc = tcase_create("vulkan_pick");
	tcase_add_loop_test(tc, devices_are_chosen_by_kind_then_memory_or_by_name, 0, ROWS(choices));
	tcase_add_loop_test(tc, none_says_what_is_missing, 0, ROWS(refusals));
	tcase_add_test(tc, every_sentence_fits_whatever_is_quoted);
	tcase_add_test(tc, fates_say_why_each_device_is_out);
	tcase_add_test(tc, kind_is_what_the_server_says_before_what_the_name_says);
	tcase_add_loop_test(tc, server_is_believed_only_where_it_agrees, 0, ROWS(proofs));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
