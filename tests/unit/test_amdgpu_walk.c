/* SPDX-License-Identifier: MIT */
/*
 * The walk over the nodes of the KFD topology, and what belongs to each of them.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_machine.h"

/* ---- the walk -------------------------------------------------------------------------------------------------- */
START_TEST(walk_goes_by_number_and_skips_what_the_runtime_skips)
{
	const struct card second = { 2, 129, "0000:09:00.0", 110000, 0x744c, 0x900, "2", GIB };
	const struct card foreign_gpu = { 3, 130, "0000:0a:00.0", 110000, 0x744c, 0xa00, "3", GIB };
	const struct card tenth = { 10, 131, "0000:0b:00.0", 110000, 0x744c, 0xb00, "4", GIB };
	const struct card cpu = { .node = 4 };
	add_card(&tenth);
	add_card(&second);
	add_card(&foreign_gpu);
	add_node(&cpu);
	fixture_tree_property(tree, NODES "/3/properties", "vendor_id", "4318");
	fixture_tree_remove(tree, "dev/dri/renderD129");
	look();
	ck_assert_uint_eq(scan.gpu_count, 2);
	ck_assert_str_eq(scan.gpus[0].pci, "0000:03:00.0");
	ck_assert_uint_eq(scan.gpus[0].ordinal, 0);
	ck_assert_uint_eq(scan.gpus[0].runtime_node, 1);
	ck_assert_str_eq(scan.gpus[1].pci, "0000:0b:00.0");
	ck_assert_uint_eq(scan.gpus[1].ordinal, 2);		/* the foreign one is 1, the one without a node is none */
	ck_assert_uint_eq(scan.gpus[1].runtime_node, 4);	/* CPU, ours, foreign, CPU */
	ck_assert_uint_eq(scan.ordinal_count, 3);
	ck_assert_uint_eq(scan.hidden_count, 1);
}
END_TEST

/* A node without compute units is a node, but no GPU of the runtime's. */
START_TEST(walk_gives_no_ordinal_to_a_node_without_units)
{
	const struct card second = { 2, 129, "0000:09:00.0", 110000, 0x744c, 0x900, "2", GIB };
	add_card(&second);
	fixture_tree_property(tree, NODES "/1/properties", "simd_count", "0");
	look();
	ck_assert_uint_eq(scan.gpu_count, 1);
	ck_assert_uint_eq(scan.gpus[0].ordinal, 0);
	ck_assert_uint_eq(scan.gpus[0].runtime_node, 2);
}
END_TEST

START_TEST(walk_has_a_cap)
{
	for (unsigned i = 1; i < 90; i++) {
		const struct card card = { i, 128 + i, "0000:09:00.0", 110000, 0x744c, 0x900, "0", GIB };
		char path[64];
		add_node(&card);
		snprintf(path, sizeof path, "dev/dri/renderD%u", card.minor);
		fixture_tree_file(tree, path, "");
	}
	look();
	ck_assert_str_eq(code(), "ok");
	ck_assert_uint_eq(scan.gpu_count, GR_AMDGPU_GPUS_MAX);
	ck_assert_uint_eq(scan.ordinal_count, 89);
}
END_TEST

static int generation_changes;

/* Each look at the generation sees another one, until it settles; the second card is gone in the first walk only. */
static bool change_generation(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
			      ssize_t *result)
{
	(void)self;
	if (strcmp(operation, "read") != 0 || strcmp(path, GENERATION) != 0)
		return false;
	generation_changes -= generation_changes > 0;
	*result = snprintf(buf, cap, "%d\n", generation_changes);
	return true;
}

START_TEST(walk_is_begun_again_until_the_topology_holds_still)
{
	static const int changes[] = { 0, 1, 4, 7, 9, 1000 };
	static const bool unsettled[] = { false, false, false, false, true, true };
	generation_changes = changes[_i];
	tree->fault = change_generation;
	look();
	ck_assert_int_eq(scan.unsettled, unsettled[_i]);
	ck_assert_uint_eq(scan.gpu_count, 1);
	ck_assert_str_eq(code(), "ok");
}
END_TEST

static bool vanish_in_first_walk(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
				 ssize_t *result)
{
	(void)buf;
	(void)cap;
	(void)result;
	if (!self->user && strcmp(operation, "read") == 0 && strcmp(path, NODES "/1/properties") == 0) {
		self->user = self;
		fixture_tree_file(self, GENERATION, "4\n");
		fixture_tree_remove(self, NODES "/1");
	}
	return false;
}

START_TEST(walk_that_loses_a_node_on_the_way_believes_the_next_one)
{
	tree->fault = vanish_in_first_walk;
	look();
	ck_assert_uint_eq(scan.gpu_count, 0);
	ck_assert_str_eq(code(), "kfd_no_gpu_node");
	ck_assert(!scan.unsettled);
}
END_TEST

static bool arrive_in_first_walk(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
				 ssize_t *result)
{
	const struct card before = { 1, 129, "0000:02:00.0", 110000, 0x744c, 0x200, "2", GIB };
	const struct card moved = { 2, 128, "0000:03:00.0", 110001, 0x747e, 0x300, "9804009041903827589", 17163091968 };
	(void)buf;
	(void)cap;
	(void)result;
	if (!self->user && strcmp(operation, "access") == 0 && strcmp(path, "dev/dri/renderD128") == 0) {
		self->user = self;
		fixture_tree_file(self, GENERATION, "4\n");
		add_card(&before);
		add_node(&moved);
	}
	return false;
}

/* A card that is plugged in takes the place of ours: an ordinal of the first walk would mean the wrong card. */
START_TEST(walk_that_gains_a_node_on_the_way_believes_the_next_one)
{
	tree->fault = arrive_in_first_walk;
	look();
	ck_assert_uint_eq(scan.gpu_count, 2);
	ck_assert_uint_eq(scan.ordinal_count, 2);
	ck_assert_str_eq(scan.gpus[0].pci, "0000:02:00.0");
	ck_assert_str_eq(scan.gpus[1].pci, "0000:03:00.0");
	ck_assert_uint_eq(scan.gpus[1].ordinal, 1);
	ck_assert(!scan.unsettled);
}
END_TEST

START_TEST(walk_without_a_generation_is_made_once)
{
	fixture_tree_remove(tree, GENERATION);
	look();
	ck_assert_str_eq(code(), "ok");
	ck_assert(!scan.unsettled);
}
END_TEST

/* ---- properties ------------------------------------------------------------------------------------------------ */
static const struct {
	const char *key, *value, *gfx;
	uint64_t unique_id;
} properties[] = {
	{ "unique_id", "18446744073709551615", "gfx1101", UINT64_MAX },
	{ "unique_id", "18446744073709551616", "gfx1101", 0 },
	{ "unique_id", "-1", "gfx1101", 0 },
	{ "unique_id", "", "gfx1101", 0 },
	{ "unique_id", "0x5", "gfx1101", 0 },
	{ "unique_id", "   5  trailing", "gfx1101", 5 },
	{ "gfx_target_version", "90010", "gfx90a", 9804009041903827589u },
	{ "gfx_target_version", "90012", "gfx90c", 9804009041903827589u },
	{ "gfx_target_version", "100306", "gfx1036", 9804009041903827589u },
	{ "gfx_target_version", "120001", "gfx1201", 9804009041903827589u },
	{ "gfx_target_version", "0", "", 9804009041903827589u },
	{ "gfx_target_version", "60000", "", 9804009041903827589u },
	{ "gfx_target_version", "641500", "", 9804009041903827589u },
	{ "gfx_target_version", "91600", "", 9804009041903827589u },
	{ "gfx_target_version", "90016", "", 9804009041903827589u },
	{ "gfx_target_version", "4295057306", "", 9804009041903827589u },
	{ "no_such_key", "1", "gfx1101", 9804009041903827589u },
};

START_TEST(property_is_an_unsigned_number_or_zero)
{
	if (strcmp(properties[_i].key, "no_such_key") == 0)
		fixture_tree_property(tree, NODES "/1/properties", "num_xcc", "1\nno_such_key 1\nnot a line\n\n x\nunique");
	else
		fixture_tree_property(tree, NODES "/1/properties", properties[_i].key, properties[_i].value);
	const struct gr_amdgpu_gpu *gpu = look();
	ck_assert_uint_eq(scan.gpu_count, 1);
	ck_assert_str_eq(gpu->gfx, properties[_i].gfx);
	ck_assert_uint_eq(gpu->unique_id, properties[_i].unique_id);
}
END_TEST

START_TEST(banks_add_up_and_other_heaps_do_not_count)
{
	put(NODES "/1", "mem_banks/0/properties", "heap_type 1\nsize_in_bytes 1000\n");
	put(NODES "/1", "mem_banks/1/properties", "heap_type 2\nsize_in_bytes 234");
	put(NODES "/1", "mem_banks/2/properties", "heap_type 0\nsize_in_bytes 99999\n");
	put(NODES "/1", "mem_banks/4/properties", "heap_type 1\nsize_in_bytes 99999\n");
	ck_assert_uint_eq(look()->bank_bytes, 1234);
	put(NODES "/1", "mem_banks/1/properties", "heap_type 2\nsize_in_bytes 18446744073709551615\n");
	ck_assert_uint_eq(look()->bank_bytes, 0);
}
END_TEST

/* ---- joins ----------------------------------------------------------------------------------------------------- */
/* On some chips the low bits of location_id are the number of a partition. */
START_TEST(gpu_is_placed_by_the_device_of_its_render_node)
{
	fixture_tree_property(tree, NODES "/1/properties", "location_id", "773");
	ck_assert_str_eq(look()->pci, "0000:03:00.0");
}
END_TEST

START_TEST(gpu_without_drm_is_placed_by_its_location)
{
	fixture_tree_remove(tree, "sys/class/drm");
	fixture_tree_property(tree, NODES "/1/properties", "domain", "65537");
	fixture_tree_property(tree, NODES "/1/properties", "location_id", "50021");
	const struct gr_amdgpu_gpu *gpu = look();
	ck_assert_str_eq(gpu->pci, "10001:c3:0c.5");
	ck_assert_str_eq(gpu->directory, "");
	ck_assert_int_eq(gpu->memory.total_from, GR_AMDGPU_FROM_BANK);
	ck_assert_uint_eq(gpu->memory.total_bytes, card_7800.bank);
	ck_assert_int_eq(gpu->memory.used_from, GR_AMDGPU_FROM_NOTHING);
}
END_TEST

/* An MI300X in eight parts: one PCI device, seven of its platform devices, one unique_id. */
static void make_cpx(const char *id)
{
	char path[128], target[128];
	const char *folder = NULL;
	fixture_tree_remove(tree, NODES "/1");
	fixture_tree_remove(tree, CARD);
	fixture_tree_remove(tree, "sys/bus/pci/devices/0000:03:00.0");
	for (unsigned i = 0; i < 8; i++) {
		struct card card = { 1 + i, 128 + i, "0000:05:00.0", 90402, 0x74a1, 0x500 + i, id, 24 * GIB };
		if (i == 0) {
			folder = add_card(&card);
			put(folder, "board_info", "type : oam\n");
			add_memory(folder, "vram", 192 * GIB, 100 * GIB);
			continue;
		}
		add_node(&card);
		snprintf(path, sizeof path, "sys/class/drm/renderD%u", card.minor);
		snprintf(target, sizeof target, "../../devices/platform/amdgpu_xcp.%u/drm/renderD%u", i, card.minor);
		fixture_tree_link(tree, path, target);
		snprintf(path, sizeof path, "sys/devices/platform/amdgpu_xcp.%u/drm/renderD%u/device", i, card.minor);
		fixture_tree_link(tree, path, "../..");
		snprintf(path, sizeof path, "dev/dri/renderD%u", card.minor);
		fixture_tree_file(tree, path, "");
	}
}

START_TEST(partitions_have_a_share_of_the_memory_and_no_uuid_of_their_own)
{
	make_cpx("77");
	look();
	ck_assert_uint_eq(scan.gpu_count, 8);
	for (size_t i = 0; i < 8; i++) {
		const struct gr_amdgpu_gpu *gpu = &scan.gpus[i];
		char pci[20];
		snprintf(pci, sizeof pci, "0000:05:00.%zu", i);
		ck_assert_str_eq(gpu->pci, pci);
		ck_assert_uint_eq(gpu->ordinal, i);
		ck_assert(gpu->partition);
		ck_assert(gpu->id_shared);
		ck_assert_int_eq(gpu->kind, GR_AMDGPU_DISCRETE);
		ck_assert_uint_eq(gpu->memory.total_bytes, 24 * GIB);
		ck_assert_uint_eq(gpu->memory.free_bytes, 24 * GIB);
		ck_assert_int_eq(gpu->memory.used_from, GR_AMDGPU_FROM_NOTHING);
	}
}
END_TEST

/* Where the ids are 0, the platform devices alone tell. */
START_TEST(partitions_are_known_by_their_platform_devices)
{
	make_cpx("0");
	look();
	ck_assert(!scan.gpus[0].partition);
	ck_assert(scan.gpus[1].partition && scan.gpus[7].partition);
	ck_assert(!scan.gpus[1].id_shared);
	ck_assert_uint_eq(scan.gpus[7].memory.total_bytes, 24 * GIB);
}
END_TEST

START_TEST(shared_ids_count_also_where_the_other_node_is_hidden)
{
	make_cpx("77");
	for (unsigned i = 1; i < 8; i++) {
		char path[64];
		snprintf(path, sizeof path, "dev/dri/renderD%u", 128 + i);
		fixture_tree_remove(tree, path);
	}
	look();
	ck_assert_uint_eq(scan.gpu_count, 1);
	ck_assert(scan.gpus[0].id_shared);
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *ids, *product_name, *expected;
} names[] = {
	{ "747E,\tC8,\tAMD Radeon RX 7800 XT\n", NULL, "AMD Radeon RX 7800 XT" },
	{ "# comment\n1.0.0\n747E,\tFF,\tAMD Radeon RX 7700 XT\n747E,\tC8,\tAMD Radeon RX 7800 XT", NULL, "" },
	{ "747E,\tFF,\tAMD Radeon RX 7700 XT\n747e, c8, Small\n", NULL, "Small" },
	{ "747E,\tC8,\tBad\033\xffName\n", NULL, "Bad??Name" },
	{ "747E,\tC8\n747E\n,,\n,\n", NULL, "" },
	{ NULL, NULL, "" },
	{ NULL, "AMD Instinct MI210\n", "AMD Instinct MI210" },
	{ "747E,\tC8,\tAMD Radeon RX 7800 XT\n", "Own name\n", "Own name" },
	{ "747E,\tC8,\tA name that is much longer than what a name may be, by far\n", NULL,
	  "A name that is much longer than what a name may" },
};

START_TEST(product_is_named_by_the_card_or_by_libdrm)
{
	if (names[_i].ids)
		fixture_tree_file(tree, "usr/share/libdrm/amdgpu.ids", names[_i].ids);
	if (names[_i].product_name)
		fixture_tree_file(tree, CARD "/product_name", names[_i].product_name);
	ck_assert_str_eq(look()->product, names[_i].expected);
}
END_TEST

START_TEST(product_is_found_across_the_seams_of_the_file)
{
	char text[20000];
	for (size_t pad = 4050; pad < 4110; pad++) {
		size_t len = 0;
		while (len < pad - 40)
			len += (size_t)sprintf(text + len, "1234,\t00,\tSomething else\n");
		sprintf(text + len, "%*s\n747E,\tC8,\tFound\n747E,\tC8,\tToo late\n", (int)(pad - len), "#");
		fixture_tree_file(tree, "usr/share/libdrm/amdgpu.ids", text);
		ck_assert_str_eq(look()->product, "Found");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("amdgpu_walk");
	TCase *tc = tcase_create("amdgpu_walk");
	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_test(tc, walk_goes_by_number_and_skips_what_the_runtime_skips);
	tcase_add_test(tc, walk_gives_no_ordinal_to_a_node_without_units);
	tcase_add_test(tc, walk_has_a_cap);
	tcase_add_loop_test(tc, walk_is_begun_again_until_the_topology_holds_still, 0, 6);
	tcase_add_test(tc, walk_that_loses_a_node_on_the_way_believes_the_next_one);
	tcase_add_test(tc, walk_that_gains_a_node_on_the_way_believes_the_next_one);
	tcase_add_test(tc, walk_without_a_generation_is_made_once);
	tcase_add_loop_test(tc, property_is_an_unsigned_number_or_zero, 0, ROWS(properties));
	tcase_add_test(tc, banks_add_up_and_other_heaps_do_not_count);
	tcase_add_test(tc, gpu_is_placed_by_the_device_of_its_render_node);
	tcase_add_test(tc, gpu_without_drm_is_placed_by_its_location);
	tcase_add_test(tc, partitions_have_a_share_of_the_memory_and_no_uuid_of_their_own);
	tcase_add_test(tc, partitions_are_known_by_their_platform_devices);
	tcase_add_test(tc, shared_ids_count_also_where_the_other_node_is_hidden);
	tcase_add_loop_test(tc, product_is_named_by_the_card_or_by_libdrm, 0, ROWS(names));
	tcase_add_test(tc, product_is_found_across_the_seams_of_the_file);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
