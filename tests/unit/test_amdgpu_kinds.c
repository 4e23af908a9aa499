/* SPDX-License-Identifier: MIT */
/*
 * Discrete or integrated: each rule by itself.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_machine.h"

/* ---- kinds ----------------------------------------------------------------------------------------------------- */
static void nothing(void)
{
}

/* A chip, and no hint but what the test adds. The tables do not know 130000. */
static void bare(unsigned version)
{
	make_chip(version, 0x9999);
	fixture_tree_remove(tree, CARD "/board_info");
}

static void with_memory(uint64_t vram, uint64_t gtt)
{
	bare(130000);
	add_memory(CARD, "vram", vram, 0);
	add_memory(CARD, "gtt", gtt, 0);
}

static void mi300(unsigned device_id, bool board_info, bool vram)
{
	make_chip(90402, device_id);
	if (!board_info)
		fixture_tree_remove(tree, CARD "/board_info");
	if (!vram)
		remove_vram_files();
}

static void mi300x(void)
{
	mi300(0x74a1, true, true);
}

static void mi300x_old(void)
{
	mi300(0x74a1, false, true);
}

static void mi300a(void)
{
	mi300(0x74a0, false, false);
}

static void mi300a_vram(void)
{
	mi300(0x74a0, false, true);
}

static void mi300_unknown(void)
{
	mi300(0x74ff, false, false);
}

static void mi300_no_sysfs(void)
{
	mi300x();
	fixture_tree_remove(tree, "sys/class/drm");
	fixture_tree_remove(tree, "sys/bus/pci/devices/0000:03:00.0");
}

static void mi350(void)
{
	make_chip(90500, 0x75a0);
}

static void board_beats_table(void)
{
	make_chip(100306, 0x13c0);
}

static void table_igpu(void)
{
	bare(100306);
}

static void table_card(void)
{
	bare(110001);
}

static void table_card_vddnb(void)
{
	table_card();
	put(CARD, "hwmon/hwmon4/in1_label", "vddnb\n");
}

static void vddnb(void)
{
	bare(130000);
	put(CARD, "hwmon/hwmon4/in1_label", "vddnb\n");
}

static void vddgfx(void)
{
	bare(130000);
	put(CARD, "hwmon/hwmon4/in1_label", "vddgfx\n");
}

static void uma(void)
{
	bare(130000);
	put(CARD, "uma/carveout", "1\n");
}

static void vendor(void)
{
	bare(130000);
	put(CARD, "mem_info_vram_vendor", "samsung\n");
}

static void vendor_unknown(void)
{
	bare(130000);
	put(CARD, "mem_info_vram_vendor", "unknown\n");
}

static void bank_is_gtt(void)
{
	with_memory(96 * GIB, card_7800.bank);
}

static void bank_is_both(void)
{
	with_memory(card_7800.bank, card_7800.bank);
}

static void vendor_beats_bank(void)
{
	bank_is_gtt();
	put(CARD, "mem_info_vram_vendor", "hynix\n");
}

static void small(void)
{
	with_memory(2 * GIB, 8 * GIB);
}

static void small_at_the_edge(void)
{
	with_memory(4 * GIB, 16 * GIB);
}

static void small_but_not_four_times(void)
{
	with_memory(4 * GIB, 16 * GIB - 4);
}

static void small_gtt(void)
{
	with_memory(GIB, 8 * GIB - 1);
}

static void small_card(void)
{
	with_memory(4 * GIB + 1, 64 * GIB);
}

/* A small card in a large machine, with a kernel from before board_info. */
static void small_card_of_the_table(void)
{
	bare(100304);
	add_memory(CARD, "vram", 4 * GIB, 0);
	add_memory(CARD, "gtt", 32 * GIB, 0);
}

static void huge_carveout(void)
{
	bare(110501);
	add_memory(CARD, "vram", 96 * GIB, 0);
}

static const struct {
	void (*change)(void);
	enum gr_amdgpu_kind kind;
	enum gr_amdgpu_rule rule;
} kinds[] = {
	{ mi300x, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_DATACENTER },
	{ mi300x_old, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_DATACENTER },
	{ mi300a, GR_AMDGPU_APU_DATACENTER, GR_AMDGPU_RULE_DATACENTER },
	{ mi300a_vram, GR_AMDGPU_APU_DATACENTER, GR_AMDGPU_RULE_DATACENTER },
	{ mi300_unknown, GR_AMDGPU_APU_DATACENTER, GR_AMDGPU_RULE_DATACENTER },
	{ mi300_no_sysfs, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_DATACENTER },
	{ mi350, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_DATACENTER },
	{ nothing, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_BOARD_INFO },
	{ board_beats_table, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_BOARD_INFO },
	{ table_igpu, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_GFX_TABLE },
	{ table_card, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_GFX_TABLE },
	{ table_card_vddnb, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_GFX_TABLE },
	{ small_card_of_the_table, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_GFX_TABLE },
	{ huge_carveout, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_GFX_TABLE },
	{ vddnb, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_NORTHBRIDGE },
	{ uma, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_NORTHBRIDGE },
	{ vddgfx, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
	{ vendor, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_VRAM_VENDOR },
	{ vendor_unknown, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
	{ vendor_beats_bank, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_VRAM_VENDOR },
	{ bank_is_gtt, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_BANK_IS_GTT },
	{ bank_is_both, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
	{ small, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_SMALL_VRAM },
	{ small_at_the_edge, GR_AMDGPU_INTEGRATED, GR_AMDGPU_RULE_SMALL_VRAM },
	{ small_but_not_four_times, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
	{ small_gtt, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
	{ small_card, GR_AMDGPU_DISCRETE, GR_AMDGPU_RULE_NONE },
};

START_TEST(kind_is_decided_by_the_first_rule_that_says_something)
{
	kinds[_i].change();
	const struct gr_amdgpu_gpu *gpu = look();
	ck_assert_str_eq(gr_amdgpu_rule_name(gpu->rule), gr_amdgpu_rule_name(kinds[_i].rule));
	ck_assert_str_eq(gr_amdgpu_kind_name(gpu->kind), gr_amdgpu_kind_name(kinds[_i].kind));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("amdgpu_kinds");
	TCase *tc = tcase_create("amdgpu_kinds");
	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, kind_is_decided_by_the_first_rule_that_says_something, 0, ROWS(kinds));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
