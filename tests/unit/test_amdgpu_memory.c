/* SPDX-License-Identifier: MIT */
/*
 * How much memory a GPU has and how much of it is in use, also where the numbers move.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_machine.h"

/* ---- memory ---------------------------------------------------------------------------------------------------- */
static const struct {
	const char *total, *used;
	uint64_t bank, expected_total, expected_used;
	enum gr_amdgpu_source total_from, used_from;
	bool moving;
} memories[] = {
#define V GR_AMDGPU_FROM_VRAM
#define B GR_AMDGPU_FROM_BANK
#define N GR_AMDGPU_FROM_NOTHING
	{ "17163091968", "1491832832", 17163091968, 17163091968, 1491832832, V, V, false },
	{ "17163091968", "0", 17163091968, 17163091968, 0, V, V, false },
	{ "17163091968", "17163091968", 17163091968, 17163091968, 17163091968, V, V, false },
	{ "17163091968", "17163091969", 17163091968, 17163091968, 17163091968, V, V, true },
	{ "17163091968", "1491832832", 0, 17163091968, 1491832832, V, V, false },
	/* 5 % apart, and a little more */
	{ "100000000000", "1", 95238095239, 100000000000, 1, V, V, false },
	{ "100000000001", "1", 95238095238, 95238095238, 1, B, V, false },
	{ "0", "5", GIB, GIB, 5, B, V, true },
	{ "0", "0", 0, 0, 0, V, V, false },
	{ "1099511627777", "5", GIB, GIB, 5, B, V, false },
	{ "N/A", "5", GIB, GIB, 0, B, N, false },
	{ "-1", "5", GIB, GIB, 0, B, N, false },
	{ "", "5", GIB, GIB, 0, B, N, false },
	{ "99999999999999999999", "5", GIB, GIB, 0, B, N, false },
	{ "17163091968", "N/A", GIB, GIB, 0, B, N, false },
	{ "17163091968", "-5", GIB, GIB, 0, B, N, false },
	{ NULL, NULL, GIB, GIB, 0, B, N, false },
	{ NULL, NULL, 0, 0, 0, N, N, false },
#undef V
#undef B
#undef N
};

START_TEST(memory_of_a_card_is_what_the_driver_says_if_it_can_be)
{
	put(NODES "/1", "mem_banks/0/properties", "heap_type 1\nsize_in_bytes %llu\n",
	    (unsigned long long)memories[_i].bank);
	remove_vram_files();
	if (memories[_i].total) {
		put(CARD, "mem_info_vram_total", "%s\n", memories[_i].total);
		put(CARD, "mem_info_vram_used", "%s\n", memories[_i].used);
	}
	const struct gr_amdgpu_memory *memory = &look()->memory;
	ck_assert_uint_eq(memory->total_bytes, memories[_i].expected_total);
	ck_assert_uint_eq(memory->used_bytes, memories[_i].expected_used);
	ck_assert_uint_eq(memory->free_bytes, memories[_i].expected_total - memories[_i].expected_used);
	ck_assert_int_eq(memory->total_from, memories[_i].total_from);
	ck_assert_int_eq(memory->used_from, memories[_i].used_from);
	ck_assert_int_eq(memory->moving, memories[_i].moving);
	ck_assert(!memory->stale);
}
END_TEST

/* What mem_info_vram_used gives, reading after reading; the last one stays. */
struct readings {
	const uint64_t *values;
	size_t count, at;
};

static bool give_readings(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
			  ssize_t *result)
{
	struct readings *readings = self->user;
	if (strcmp(operation, "read") != 0 || !strstr(path, "mem_info_vram_used"))
		return false;
	size_t at_value = readings->at < readings->count ? readings->at : readings->count - 1;
	*result = snprintf(buf, cap, "%llu\n", (unsigned long long)readings->values[at_value]);
	readings->at++;
	return true;
}

static const struct {
	uint64_t values[8];
	size_t count, reads;
	uint64_t used;
	bool moving;
} jumps[] = {
	{ { 1 * GIB, 1 * GIB }, 2, 2, 1 * GIB, false },
	/* within total / 128, which is 127.9 MiB here */
	{ { 1 * GIB, 1 * GIB + 127 * MIB }, 2, 2, 1 * GIB + 127 * MIB, false },
	{ { 1 * GIB + 127 * MIB, 1 * GIB }, 2, 2, 1 * GIB + 127 * MIB, false },
	{ { 1 * GIB, 1 * GIB + 129 * MIB, 3 * GIB, 3 * GIB }, 4, 4, 3 * GIB, false },
	{ { 1 * GIB, 2 * GIB, 3 * GIB, 4 * GIB, 5 * GIB, 6 * GIB, 8 * GIB, 7 * GIB }, 8, 8, 8 * GIB, true },
	{ { 1 * GIB, 30 * GIB, 2 * GIB, 2 * GIB }, 4, 4, 2 * GIB, false },
	{ { 30 * GIB }, 1, 8, 17163091968, true },
};

START_TEST(memory_that_jumps_is_read_again_but_not_for_ever)
{
	struct readings readings = { jumps[_i].values, jumps[_i].count, 0 };
	tree->fault = give_readings;
	tree->user = &readings;
	const struct gr_amdgpu_memory *memory = &look()->memory;
	ck_assert_uint_eq(readings.at, jumps[_i].reads);
	ck_assert_uint_eq(memory->used_bytes, jumps[_i].used);
	ck_assert_int_eq(memory->moving, jumps[_i].moving);
	ck_assert_uint_eq(memory->free_bytes, 17163091968 - jumps[_i].used);
}
END_TEST

static bool vanish_inside_a_reading(struct fixture_tree *self, const char *operation, const char *path, char *buf,
				    size_t cap, ssize_t *result)
{
	static int errors[] = { -ENODEV, -ENOENT };
	(void)operation;
	(void)buf;
	(void)cap;
	if (!strstr(path, "mem_info_vram_total") || !self->user || strcmp(operation, "read") != 0)
		return false;
	*result = errors[*(int *)self->user];
	return true;
}

START_TEST(memory_of_a_device_that_vanishes_is_stale)
{
	int which = _i;
	tree->fault = vanish_inside_a_reading;
	tree->user = &which;
	const struct gr_amdgpu_gpu *gpu = look();
	ck_assert_str_eq(code(), "ok");
	ck_assert(gpu->memory.stale);
	ck_assert_uint_eq(gpu->memory.total_bytes, card_7800.bank);
	tree->user = NULL;
	gr_amdgpu_refresh(&scan.gpus[0], &tree->ops);
	ck_assert(!gpu->memory.stale);
	ck_assert_uint_eq(gpu->memory.used_bytes, 1491832832);
	tree->user = &which;
	gr_amdgpu_refresh(&scan.gpus[0], &tree->ops);
	ck_assert(gpu->memory.stale);
	ck_assert_uint_eq(gpu->memory.used_bytes, 1491832832);
	ck_assert_uint_eq(gpu->memory.total_bytes, 17163091968);
}
END_TEST

START_TEST(memory_is_read_anew_and_kept_when_the_card_is_gone)
{
	const struct gr_amdgpu_gpu *gpu = look();
	put(CARD, "mem_info_vram_used", "5000000000\n");
	gr_amdgpu_refresh(&scan.gpus[0], &tree->ops);
	ck_assert_uint_eq(gpu->memory.used_bytes, 5000000000);
	fixture_tree_remove(tree, "sys/class/drm");
	gr_amdgpu_refresh(&scan.gpus[0], &tree->ops);
	ck_assert(gpu->memory.stale);
	ck_assert_uint_eq(gpu->memory.used_bytes, 5000000000);
}
END_TEST

/* ---- memory of a processor's GPU ------------------------------------------------------------------------------- */
static const struct {
	uint64_t bank, gtt, gtt_used, vram, vram_used;
	const char *meminfo;
	uint64_t total, used, free_bytes;
	enum gr_amdgpu_source used_from;
	bool limited;
} apus[] = {
#define MEMINFO(kib) "MemTotal:       131072000 kB\nMemFree: 1 kB\nMemAvailable:   " kib " kB\nBuffers: 1 kB\n"
	/* the bank is GTT: system memory */
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, NULL, 96 * GIB, 2 * GIB, 94 * GIB, GR_AMDGPU_FROM_GTT, false },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("104857600"), 96 * GIB, 2 * GIB, 94 * GIB, GR_AMDGPU_FROM_GTT, false },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("52428800"), 96 * GIB, 2 * GIB, 48 * GIB, GR_AMDGPU_FROM_GTT, true },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("2097152"), 96 * GIB, 2 * GIB, 0, GR_AMDGPU_FROM_GTT, true },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("1"), 96 * GIB, 2 * GIB, 0, GR_AMDGPU_FROM_GTT, true },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("-1"), 96 * GIB, 2 * GIB, 94 * GIB, GR_AMDGPU_FROM_GTT, false },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, MEMINFO("18446744073709551615"), 96 * GIB, 2 * GIB, 94 * GIB,
	  GR_AMDGPU_FROM_GTT, false },
	{ 96 * GIB, 96 * GIB, 2 * GIB, GIB / 2, 7, "MemAvailable:", 96 * GIB, 2 * GIB, 94 * GIB, GR_AMDGPU_FROM_GTT, false },
	/* the bank is what the firmware set aside */
	{ 64 * GIB, 32 * GIB, 2 * GIB, 64 * GIB, 7 * GIB, NULL, 64 * GIB, 7 * GIB, 57 * GIB, GR_AMDGPU_FROM_VRAM, false },
	/* no bank: never the carve-out */
	{ 0, 32 * GIB, 2 * GIB, GIB / 2, 7, NULL, 32 * GIB, 2 * GIB, 30 * GIB, GR_AMDGPU_FROM_GTT, false },
#undef MEMINFO
};

START_TEST(memory_of_a_processors_gpu_is_what_rocm_will_use)
{
	make_chip(110501, 0x1586);
	fixture_tree_remove(tree, CARD "/board_info");
	put(NODES "/1", "mem_banks/0/properties", "heap_type 1\nsize_in_bytes %llu\n", (unsigned long long)apus[_i].bank);
	add_memory(CARD, "gtt", apus[_i].gtt, apus[_i].gtt_used);
	add_memory(CARD, "vram", apus[_i].vram, apus[_i].vram_used);
	if (apus[_i].meminfo)
		fixture_tree_file(tree, "proc/meminfo", apus[_i].meminfo);
	const struct gr_amdgpu_memory *memory = &look()->memory;
	ck_assert_uint_eq(memory->total_bytes, apus[_i].total);
	ck_assert_uint_eq(memory->used_bytes, apus[_i].used);
	ck_assert_uint_eq(memory->free_bytes, apus[_i].free_bytes);
	ck_assert_int_eq(memory->used_from, apus[_i].used_from);
	ck_assert_int_eq(memory->host_limited, apus[_i].limited);
}
END_TEST

START_TEST(memory_of_a_card_is_not_bounded_by_that_of_the_host)
{
	fixture_tree_file(tree, "proc/meminfo", "MemAvailable: 1 kB\n");
	ck_assert_uint_eq(look()->memory.free_bytes, 17163091968 - 1491832832);
}
END_TEST

START_TEST(memory_of_an_mi300a_is_its_bank)
{
	make_chip(90402, 0x74a0);
	fixture_tree_remove(tree, CARD "/board_info");
	remove_vram_files();
	const struct gr_amdgpu_memory *memory = &look()->memory;
	ck_assert_uint_eq(memory->total_bytes, card_7800.bank);
	ck_assert_int_eq(memory->total_from, GR_AMDGPU_FROM_BANK);
	ck_assert_int_eq(memory->used_from, GR_AMDGPU_FROM_NOTHING);
	ck_assert(!memory->stale);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("amdgpu_memory");
	TCase *tc = tcase_create("amdgpu_memory");
	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, memory_of_a_card_is_what_the_driver_says_if_it_can_be, 0, ROWS(memories));
	tcase_add_loop_test(tc, memory_that_jumps_is_read_again_but_not_for_ever, 0, ROWS(jumps));
	tcase_add_loop_test(tc, memory_of_a_device_that_vanishes_is_stale, 0, 2);
	tcase_add_test(tc, memory_is_read_anew_and_kept_when_the_card_is_gone);
	tcase_add_loop_test(tc, memory_of_a_processors_gpu_is_what_rocm_will_use, 0, ROWS(apus));
	tcase_add_test(tc, memory_of_a_card_is_not_bounded_by_that_of_the_host);
	tcase_add_test(tc, memory_of_an_mi300a_is_its_bank);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
