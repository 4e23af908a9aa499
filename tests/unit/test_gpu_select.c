/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_scan.h"

/* ---- masks ----------------------------------------------------------------------------------------------------- */
START_TEST(choice_names_the_mask_that_left_nothing)
{
	choose_text("auto", "ROCR_VISIBLE_DEVICES=GPU-0");
	ck_assert_str_eq(code(), "masked_by_env");
	assert_says("ROCR_VISIBLE_DEVICES=\"GPU-0\"");
	choose_text("auto", "ROCR_VISIBLE_DEVICES=1|HIP_VISIBLE_DEVICES=7");
	assert_says("HIP_VISIBLE_DEVICES=\"7\"");
	ck_assert_int_eq(choice.fates[0], GR_GPU_MASKED);
	ck_assert_uint_eq(choice.count, 0);
	ck_assert_str_eq(choice.pin, "");
}
END_TEST

START_TEST(choice_makes_a_hostile_value_printable)
{
	char variables[4096] = "HIP_VISIBLE_DEVICES=\n\033[31m\xff";
	memset(variables + strlen(variables), 'x', 3000);
	choose_text("auto", variables);
	ck_assert_str_eq(code(), "masked_by_env");
	assert_says("HIP_VISIBLE_DEVICES=\"??[31m?xxx");
	ck_assert_uint_lt(strlen(choice.refusal.cause), sizeof choice.refusal.cause - 1);
}
END_TEST

/* ---- rank ------------------------------------------------------------------------------------------------------ */
static const struct {
	const char *wish, *variables, *chosen, *pin;
} ranks[] = {
	{ "auto", NULL, "1", "GPU-b85e000000000001" },
	{ NULL, NULL, "1", "GPU-b85e000000000001" },
	{ "", NULL, "1", "GPU-b85e000000000001" },
	{ "all", NULL, "1,0,2", "GPU-b85e000000000001,GPU-b85e402c0fb3757f,2" },
	{ "auto", "HIP_VISIBLE_DEVICES=0", "0", "GPU-b85e402c0fb3757f" },
	{ "auto", "HIP_VISIBLE_DEVICES=2,0", "0", "GPU-b85e402c0fb3757f" },
	{ "auto", "HIP_VISIBLE_DEVICES=2", "2", "2" },
	{ "auto", "HIP_VISIBLE_DEVICES=3,2", "2", "2" },
	/* named ones are taken in their order, whatever the masks and kinds */
	{ "0000:03:00.0", NULL, "0", "GPU-b85e402c0fb3757f" },
	{ "03:00.0", NULL, "0", "GPU-b85e402c0fb3757f" },
	{ "2,0000:09:00.0", NULL, "2,1", "2,GPU-b85e000000000001" },
	{ "GPU-B85E000000000001", NULL, "1", "GPU-b85e000000000001" },
	{ " 1 , 0 ", NULL, "1,0", "GPU-b85e000000000001,GPU-b85e402c0fb3757f" },
	{ "0000:0E:00.0", NULL, "3", "3" },
	{ "0", "ROCR_VISIBLE_DEVICES=|HIP_VISIBLE_DEVICES=-1", "0", "GPU-b85e402c0fb3757f" },
};

START_TEST(choice_is_ranked_and_pinned)
{
	choose_text(ranks[_i].wish, ranks[_i].variables);
	ck_assert_str_eq(code(), "ok");
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), ranks[_i].chosen);
	ck_assert_str_eq(choice.pin, ranks[_i].pin);
	ck_assert_str_eq(choice.devices, choice.count == 1 ? "ROCm0" : choice.count == 2 ? "ROCm0,ROCm1" :
			 "ROCm0,ROCm1,ROCm2");
}
END_TEST

START_TEST(choice_of_equals_is_the_first)
{
	scan.gpus[0].memory.free_bytes = scan.gpus[1].memory.free_bytes;
	choose_text("auto", NULL);
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "0");
}
END_TEST

static const struct {
	const char *list, *words;
} unknown_names[] = {
	{ "4", "\"4\" does not exist" }, { "0000:99:00.0", "does not exist" }, { "GPU-b85e402c0fb3757e", "does not exist" },
	{ "GPU-b85e", "does not exist" }, { "GPU-0000000000000000", "does not exist" }, { "0,0", "named twice" },
	{ "0,03:00.0", "named twice" }, { "0,", "does not exist" }, { ",0", "does not exist" }, { "-1", "does not exist" },
	{ "99999999999999999999999", "does not exist" }, { "card0", "does not exist" }, { "igpu", "does not exist" },
	{ " ", "does not exist" },
};

START_TEST(choice_of_an_unknown_name_is_refused)
{
	choose_text(unknown_names[_i].list, NULL);
	ck_assert_str_eq(code(), "device_unknown");
	ck_assert_int_eq(gr_refusal_status(&choice.refusal), INF_E_INVALID);
	assert_says(unknown_names[_i].words);
	assert_says("0..3");
	ck_assert_uint_eq(choice.count, 0);
}
END_TEST

START_TEST(choice_of_a_shared_uuid_is_refused_but_a_number_is_not)
{
	scan.gpus[0].unique_id = scan.gpus[1].unique_id;
	scan.gpus[0].id_shared = scan.gpus[1].id_shared = true;
	choose_text("GPU-b85e000000000001", NULL);
	ck_assert_str_eq(code(), "device_unknown");
	assert_says("several partitions");
	choose_text("0,1", NULL);
	ck_assert_str_eq(choice.pin, "0,1");
}
END_TEST

START_TEST(choice_of_everything_fits_its_buffers)
{
	no_gpus();
	for (int i = 0; i < GR_AMDGPU_GPUS_MAX; i++)
		add_gpu("0000:03:00.0", "gfx942", UINT64_MAX - (uint64_t)i, UINT64_MAX, GR_AMDGPU_DISCRETE);
	choose_text("all", NULL);
	ck_assert_str_eq(code(), "ok");
	ck_assert_uint_eq(choice.count, GR_AMDGPU_GPUS_MAX);
	ck_assert_uint_eq(choice.free_bytes, UINT64_MAX);
	ck_assert_uint_eq(strlen(choice.pin), GR_AMDGPU_GPUS_MAX * 21 - 1);
	ck_assert_str_eq(choice.devices + strlen(choice.devices) - 14, ",ROCm62,ROCm63");
}
END_TEST

/* ---- need ------------------------------------------------------------------------------------------------------ */
static const struct {
	const char *wish;
	uint64_t need;
	const char *chosen;
} needs[] = {
	{ "auto", 0, "1" }, { "auto", 22 * GIB, "1" }, { "auto", 22 * GIB + 1, "1,0" }, { "auto", 42 * GIB, "1,0" },
	{ "auto", 42 * GIB + 1, "1,0" },	/* the third card is another gfx */
	{ "all", 50 * GIB, "1,0,2" }, { "all", 50 * GIB + 1, "1,0,2" },
	{ "2", 8 * GIB, "2" }, { "2", 8 * GIB + 1, "2" }, { "2,1", 30 * GIB, "2,1" }, { "auto", UINT64_MAX, "1,0" },
};

START_TEST(need_takes_cards_of_one_kind_until_it_is_met)
{
	struct gr_gpu_wish wish = gr_gpu_wish_of(needs[_i].wish);
	wish.need_bytes = needs[_i].need;
	choose(&wish, NULL);
	ck_assert_str_eq(code(), "ok");
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), needs[_i].chosen);
}
END_TEST

START_TEST(need_that_nothing_meets_gets_the_group_with_most_memory)
{
	struct gr_gpu_wish wish = gr_gpu_wish_of("auto");
	wish.need_bytes = 60 * GIB;
	snprintf(scan.gpus[1].gfx, sizeof scan.gpus[1].gfx, "gfx1201");	/* 22 GiB, the largest alone */
	snprintf(scan.gpus[2].gfx, sizeof scan.gpus[2].gfx, "gfx1100");	/* 8 + 20 GiB */
	choose(&wish, NULL);
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "0,2");
	ck_assert_uint_eq(choice.free_bytes, 28 * GIB);
	ck_assert_int_eq(choice.fates[1], GR_GPU_OUTRANKED);
}
END_TEST

START_TEST(need_that_one_card_of_another_gfx_meets_is_met)
{
	struct gr_gpu_wish wish = gr_gpu_wish_of("auto");
	snprintf(scan.gpus[1].gfx, sizeof scan.gpus[1].gfx, "gfx1201");
	wish.need_bytes = 26 * GIB;
	snprintf(scan.gpus[2].gfx, sizeof scan.gpus[2].gfx, "gfx1100");
	choose(&wish, NULL);
	ck_assert_str_eq(code(), "ok");
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "0,2");
	ck_assert_int_eq(choice.fates[1], GR_GPU_OUTRANKED);
}
END_TEST

/* ---- kinds ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *gfx;
	uint32_t flags;
	const char *code;
} alone[] = {
	{ "gfx1036", 0, "only_igpu" },
	{ "gfx1036", GR_GPU_ALLOW_INTEGRATED, "ok" },
	{ "gfx1103", 0, "only_igpu" },
	{ "gfx1150", 0, "only_igpu" },
	{ "gfx1151", 0, "ok" },
	{ "gfx1151", GR_GPU_NEVER_INTEGRATED, "only_igpu" },
	{ "gfx1151", GR_GPU_NEVER_INTEGRATED | GR_GPU_ALLOW_INTEGRATED, "only_igpu" },
};

START_TEST(integrated_gpu_alone_is_taken_only_where_it_is_good)
{
	const struct gr_gpu_wish wish = { .policy = GR_GPU_AUTO, .flags = alone[_i].flags };
	only_integrated(alone[_i].gfx);
	choose(&wish, NULL);
	ck_assert_str_eq(code(), alone[_i].code);
	if (choice.refusal.code) {
		ck_assert_int_eq(choice.fates[0], GR_GPU_INTEGRATED);
		assert_says("0000:c3:00.0");
		assert_says("rocm.device=0000:c3:00.0");
	}
}
END_TEST

START_TEST(integrated_gpu_beside_a_card_is_never_taken_unless_named)
{
	struct gr_gpu_wish wish = { .policy = GR_GPU_ALL, .flags = GR_GPU_ALLOW_INTEGRATED };
	snprintf(scan.gpus[3].gfx, sizeof scan.gpus[3].gfx, "gfx1151");
	choose(&wish, NULL);
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "1,0,2");
	ck_assert_int_eq(choice.fates[3], GR_GPU_INTEGRATED);
	choose_text("3", NULL);
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "3");
	ck_assert_int_eq(choice.fates[1], GR_GPU_NOT_LISTED);
}
END_TEST

START_TEST(integrated_gpu_that_a_mask_left_is_not_taken)
{
	choose_text("auto", "HIP_VISIBLE_DEVICES=3");
	ck_assert_str_eq(code(), "only_igpu");
	assert_says("HIP_VISIBLE_DEVICES=\"3\"");
	ck_assert_int_eq(choice.fates[0], GR_GPU_MASKED);
	ck_assert_int_eq(choice.fates[3], GR_GPU_INTEGRATED);
}
END_TEST

START_TEST(integrated_gpu_is_explained_by_the_card_that_another_driver_has)
{
	only_integrated("gfx1036");
	scan.unbound[scan.unbound_count++] = (struct gr_amdgpu_unbound){ "0000:03:00.0", "vfio-pci" };
	choose_text("auto", NULL);
	ck_assert_str_eq(code(), "only_igpu");
	assert_says("the card at 0000:03:00.0 has the driver vfio-pci: bind it to amdgpu");
	scan.unbound[0] = (struct gr_amdgpu_unbound){ "10001:03:00.0", "a-driver-of-23-letters." };
	choose_text("auto", NULL);
	ck_assert_uint_lt(strlen(choice.refusal.remedy), sizeof choice.refusal.remedy - 1);
	scan.unbound[0].driver[0] = '\0';
	choose_text("auto", NULL);
	assert_says("has no driver: bind it");
}
END_TEST

START_TEST(datacenter_apu_counts_as_a_card)
{
	no_gpus();
	add_gpu("0000:01:00.0", "gfx942", 7, 60 * GIB, GR_AMDGPU_APU_DATACENTER);
	choose_text("auto", NULL);
	ck_assert_str_eq(choice.pin, "GPU-0000000000000007");
}
END_TEST

/* ---- support and overrides ------------------------------------------------------------------------------------- */
START_TEST(unsupported_cards_are_passed_over)
{
	gr_gpu_support_parse(&support, "gfx1032", GR_GPU_SUPPORT_TENSILE);
	choose_text("auto", NULL);
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "2");
	ck_assert_int_eq(choice.fates[0], GR_GPU_UNSUPPORTED);
	ck_assert_int_eq(choice.fates[3], GR_GPU_UNSUPPORTED);
}
END_TEST

START_TEST(unsupported_card_is_named_with_the_list_and_the_way_out)
{
	gr_gpu_support_parse(&support, "gfx906 gfx90a", GR_GPU_SUPPORT_TENSILE);
	choose_text("auto", NULL);
	ck_assert_str_eq(code(), "gfx_unsupported");
	assert_says("no code for gfx1100");
	assert_says("gfx 906 90a");
	assert_says("built for gfx1100");
	gr_gpu_support_parse(&support, "gfx906 gfx1030", GR_GPU_SUPPORT_TENSILE);
	choose_text("2", NULL);
	ck_assert_str_eq(code(), "gfx_unsupported");
	assert_says("HSA_OVERRIDE_GFX_VERSION=10.3.0");
	choose_text("0000:0e:00.0", NULL);
	assert_says("no code for gfx1036");
}
END_TEST

START_TEST(unsupported_card_with_a_long_list_still_fits)
{
	char names[GR_GPU_TARGETS_MAX * 20] = "";
	for (int i = 0; i < GR_GPU_TARGETS_MAX; i++)
		snprintf(names + strlen(names), 20, "gfx%d ", 1040 + i);
	gr_gpu_support_parse(&support, names, GR_GPU_SUPPORT_TENSILE);
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION=63.255.255");
	ck_assert_str_eq(code(), "gfx_unsupported");
	assert_says("no code for gfx63ffff");
	assert_says("...); use");
}
END_TEST

START_TEST(unsupported_card_beside_a_supported_processor_leaves_only_that)
{
	gr_gpu_support_parse(&support, "gfx1036", GR_GPU_SUPPORT_TENSILE);
	choose_text("auto", NULL);
	ck_assert_str_eq(code(), "only_igpu");
	assert_says("for this build");
}
END_TEST

static const struct {
	const char *value, *gfx;	/* NULL = refused */
} override_values[] = {
	{ "10.3.0", "gfx1030" }, { "11.0.1", "gfx1101" }, { "9.0.10", "gfx90a" }, { "9.4.2", "gfx942" }, { "12.0.1", "gfx1201" },
	{ "63.255.255", "gfx63ffff" }, { "64.0.0", NULL }, { "10.256.0", NULL }, { "10.3.256", NULL }, { "", NULL },
	{ "10.3", NULL }, { "10.3.0.0", NULL }, { "10.3.0 ", NULL }, { " 10.3.0", NULL }, { "\"10.3.0\"", NULL },
	{ "gfx1030", NULL }, { "10.3.x", NULL }, { "-10.3.0", NULL }, { "+10.3.0", NULL }, { "10..0", NULL }, { ".3.0", NULL },
	{ "4294967306.3.0", NULL }, { "10.3.0\n", NULL }, { "010.003.000", "gfx1030" },
};

START_TEST(override_has_exactly_one_form)
{
	char gfx[GR_GPU_TARGET_NAME_MAX], variables[128];
	bool good = gr_gpu_override_gfx(override_values[_i].value, gfx);
	ck_assert_int_eq(good, override_values[_i].gfx != NULL);
	snprintf(variables, sizeof variables, "HSA_OVERRIDE_GFX_VERSION=%s", override_values[_i].value);
	choose_text("auto", variables);
	ck_assert_str_eq(code(), good ? "ok" : "bad_override");
	if (good)
		ck_assert_str_eq(choice.gfx[choice.gpus[0]], override_values[_i].gfx);
	else
		assert_says("10.3.0");
}
END_TEST

START_TEST(override_of_one_node_comes_before_that_of_all)
{
	gr_gpu_support_parse(&support, "gfx1030", GR_GPU_SUPPORT_TENSILE);
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION=9.0.0|HSA_OVERRIDE_GFX_VERSION_3=10.3.0");
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "2");
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION=bad|HSA_OVERRIDE_GFX_VERSION_3=10.3.0");
	ck_assert_str_eq(code(), "bad_override");
	choose_text("2", "HSA_OVERRIDE_GFX_VERSION_1=bad");
	ck_assert_str_eq(code(), "bad_override");	/* it fails the whole runtime */
	assert_says("HSA_OVERRIDE_GFX_VERSION_1 is \"bad\"");
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION_9=bad|HSA_OVERRIDE_GFX_VERSION_1=10.3.0");
	ck_assert_str_eq(ordinals(choice.gpus, choice.count), "0");
}
END_TEST

/* The chip stays what it is: an override makes no card of the processor's GPU. */
START_TEST(override_does_not_change_the_kind)
{
	only_integrated("gfx1036");
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION=11.5.1");
	ck_assert_str_eq(code(), "only_igpu");
}
END_TEST

/* ---- around it ------------------------------------------------------------------------------------------------- */
START_TEST(refusal_of_the_scan_is_passed_on)
{
	gr_refuse(&scan.refusal, "kfd_perm", "no permission");
	gr_refusal_remedy(&scan.refusal, "join the group");
	choose_text("auto", "HSA_OVERRIDE_GFX_VERSION=bad");
	ck_assert_str_eq(code(), "kfd_perm");
	ck_assert_int_eq(gr_refusal_status(&choice.refusal), INF_E_PERMISSION);
	ck_assert_int_eq(choice.fates[0], GR_GPU_NOT_LOOKED_AT);
	assert_says("no permission; join the group");
}
END_TEST

START_TEST(pin_is_two_variables)
{
	struct gr_strv env = GR_STRV_INIT;
	choose_text("1,2", NULL);
	gr_gpu_pin_env(&choice, &env);
	ck_assert_uint_eq(env.count, 2);
	ck_assert_str_eq(env.items[0], "ROCR_VISIBLE_DEVICES=GPU-b85e000000000001,2");
	ck_assert_str_eq(env.items[1], "GGML_VK_VISIBLE_DEVICES=");
	gr_strv_release(&env);
}
END_TEST

START_TEST(text_of_each_gpu_says_what_it_is_and_why)
{
	char text[256];
	scan.gpus[0].rule = GR_AMDGPU_RULE_BOARD_INFO;
	scan.gpus[0].memory.total_from = scan.gpus[0].memory.used_from = GR_AMDGPU_FROM_VRAM;
	scan.gpus[3].rule = GR_AMDGPU_RULE_GFX_TABLE;
	scan.gpus[3].memory.host_limited = true;
	choose_text("0", NULL);
	gr_gpu_device_text(&choice, &scan, 0, text, sizeof text);
	ck_assert_str_eq(text, "0: 0000:03:00.0 gfx1100, discrete by board_info, 20480 of 24576 MiB free (total from vram, used "
			 "from vram): selected");
	gr_gpu_device_text(&choice, &scan, 3, text, sizeof text);
	ck_assert_str_eq(text, "3: 0000:0e:00.0 gfx1036, integrated by gfx table, 61440 of 24576 MiB free (total from nothing, "
			 "used from nothing, as the host has no more): not named by rocm.device");
}
END_TEST

START_TEST(text_names_the_card_and_its_memory)
{
	char text[208];
	snprintf(scan.gpus[1].product, sizeof scan.gpus[1].product, "AMD Radeon RX 7900 XTX");
	choose_text("auto", NULL);
	gr_gpu_choice_text(&choice, &scan, text, sizeof text);
	ck_assert_str_eq(text, "AMD Radeon RX 7900 XTX gfx1100 at 0000:09:00.0, 24576 MiB");	/* in use: not known */
	for (size_t i = 0; i < scan.gpu_count; i++)
		scan.gpus[i].memory.used_from = GR_AMDGPU_FROM_VRAM;
	gr_gpu_choice_text(&choice, &scan, text, sizeof text);
	ck_assert_str_eq(text, "AMD Radeon RX 7900 XTX gfx1100 at 0000:09:00.0, 22528 of 24576 MiB free");
	choose_text("2,1", "HSA_OVERRIDE_GFX_VERSION_3=10.3.0");
	gr_gpu_choice_text(&choice, &scan, text, sizeof text);
	ck_assert_str_eq(text, "2 GPUs, first gfx1032 run as gfx1030 at 0000:0a:00.0, 30720 of 49152 MiB free");
	for (size_t cap = 1; cap < sizeof text; cap++) {
		gr_gpu_choice_text(&choice, &scan, text, cap);
		ck_assert_uint_lt(strlen(text), cap);
	}
	choose_text("9", NULL);
	gr_gpu_choice_text(&choice, &scan, text, sizeof text);
	ck_assert_str_eq(text, "");
	for (int fate = GR_GPU_SELECTED; fate <= GR_GPU_NOT_LISTED; fate++)
		ck_assert_uint_gt(strlen(gr_gpu_fate_text((enum gr_gpu_fate)fate)), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gpu_select");
	TCase *tc = tcase_create("gpu_select");
	tcase_add_checked_fixture(tc, four_gpus, NULL);
	tcase_add_test(tc, choice_names_the_mask_that_left_nothing);
	tcase_add_test(tc, choice_makes_a_hostile_value_printable);
	tcase_add_loop_test(tc, choice_is_ranked_and_pinned, 0, ROWS(ranks));
	tcase_add_test(tc, choice_of_equals_is_the_first);
	tcase_add_loop_test(tc, choice_of_an_unknown_name_is_refused, 0, ROWS(unknown_names));
	tcase_add_test(tc, choice_of_a_shared_uuid_is_refused_but_a_number_is_not);
	tcase_add_test(tc, choice_of_everything_fits_its_buffers);
	tcase_add_loop_test(tc, need_takes_cards_of_one_kind_until_it_is_met, 0, ROWS(needs));
	tcase_add_test(tc, need_that_nothing_meets_gets_the_group_with_most_memory);
	tcase_add_test(tc, need_that_one_card_of_another_gfx_meets_is_met);
	tcase_add_loop_test(tc, integrated_gpu_alone_is_taken_only_where_it_is_good, 0, ROWS(alone));
	tcase_add_test(tc, integrated_gpu_beside_a_card_is_never_taken_unless_named);
	tcase_add_test(tc, integrated_gpu_that_a_mask_left_is_not_taken);
	tcase_add_test(tc, integrated_gpu_is_explained_by_the_card_that_another_driver_has);
	tcase_add_test(tc, datacenter_apu_counts_as_a_card);
	tcase_add_test(tc, unsupported_cards_are_passed_over);
	tcase_add_test(tc, unsupported_card_is_named_with_the_list_and_the_way_out);
	tcase_add_test(tc, unsupported_card_with_a_long_list_still_fits);
	tcase_add_test(tc, unsupported_card_beside_a_supported_processor_leaves_only_that);
	tcase_add_loop_test(tc, override_has_exactly_one_form, 0, ROWS(override_values));
	tcase_add_test(tc, override_of_one_node_comes_before_that_of_all);
	tcase_add_test(tc, override_does_not_change_the_kind);
	tcase_add_test(tc, refusal_of_the_scan_is_passed_on);
	tcase_add_test(tc, pin_is_two_variables);
	tcase_add_test(tc, text_of_each_gpu_says_what_it_is_and_why);
	tcase_add_test(tc, text_names_the_card_and_its_memory);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
