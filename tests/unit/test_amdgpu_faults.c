/* SPDX-License-Identifier: MIT */
/*
 * The scan where files and kernels misbehave, and what it touches.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_machine.h"
#include "scratch.h"

/* ---- what is touched ------------------------------------------------------------------------------------------- */
/* Files that the kernel prints from memory. Everything else of a card may wake it, or fail while it sleeps. */
static const char *const harmless[] = {
	"mem_info_vram_total", "mem_info_vram_used", "mem_info_gtt_total", "mem_info_gtt_used", "mem_info_vram_vendor",
	"board_info", "in1_label", "vendor", "class", "revision", "product_name", "uma", "hwmon", "driver", "device",
	"drm", "card0", "status",
};

static bool is_harmless(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	for (int i = 0; i < ROWS(harmless); i++)
		if (strcmp(harmless[i], name) == 0)
			return true;
	return strncmp(name, "0000:", 5) == 0 || strcmp(path, "sys/bus/pci/devices") == 0;
}

START_TEST(scan_touches_nothing_that_wakes_a_card)
{
	make_chip(130000, 0x9999);	/* in no table, so that every rule is asked */
	fixture_tree_remove(tree, CARD "/board_info");
	put(CARD, "hwmon/hwmon4/in1_label", "vddgfx\n");
	put(CARD, "drm/card0/card0-DP-1/status", "disconnected\n");
	put(CARD, "drm/card0/card0-DP-1/edid", "\n");
	put(CARD, "gpu_busy_percent", "0\n");
	put(CARD, "hwmon/hwmon4/power1_average", "0\n");
	look();
	ck_assert_uint_gt(tree->read_count, 20);
	for (size_t i = 0; i < tree->read_count; i++) {
		const char *operation = tree->reads[i], *path = strchr(operation, ' ') + 1;
		if (strncmp(path, "dev/", 4) == 0)
			ck_assert_msg(strncmp(operation, "access ", 7) == 0 || strncmp(operation, "stat ", 5) == 0, "%s", operation);
		else if (strncmp(path, "sys/class/drm/", 14) == 0 || strncmp(path, "sys/bus/", 8) == 0)
			ck_assert_msg(strncmp(operation, "link ", 5) == 0 || strncmp(operation, "stat ", 5) == 0 ||
				      is_harmless(path), "%s", operation);
	}
}
END_TEST

/* ---- hostile --------------------------------------------------------------------------------------------------- */
#define MOST "18446744073709551615"

static const char *const garbage[] = {
	"", "\n", "-1\n", "N/A\n", MOST "\n", "18446744073709551616\n", "4294967296\n", "0x1002\n", "../../..\n",
	("heap_type 1\nsize_in_bytes " MOST "\n"),
	("simd_count 1\nvendor_id 4098\ndrm_render_minor " MOST "\n"),
	("vendor_id 4098\nsimd_count " MOST "\ngfx_target_version " MOST "\ndomain " MOST "\nlocation_id " MOST "\n"
	 "drm_render_minor 128\n"),
	" \t \n \n", "unique_id", "\xff\xfe\n\x01 \x02\n",
};

START_TEST(garbage_in_any_file_does_no_harm)
{
	char *large = malloc(65536);
	memset(large, 'A', 65535);
	large[65535] = '\0';
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->entries[i].kind != FIXTURE_FILE)
			continue;
		char *path = strdup(tree->entries[i].path), *before = strdup(tree->entries[i].text);
		for (int j = 0; j <= ROWS(garbage); j++) {
			fixture_tree_file(tree, path, j < ROWS(garbage) ? garbage[j] : large);
			const struct gr_amdgpu_memory *memory = &look()->memory;
			ck_assert_uint_le(memory->free_bytes, memory->total_bytes);
			ck_assert_uint_le(memory->used_bytes, memory->total_bytes);
			ck_assert_uint_le(scan.gpu_count, 1);
		}
		fixture_tree_file(tree, path, before);
		free(path);
		free(before);
	}
	free(large);
}
END_TEST

static const int any_errors[] = { EACCES, EPERM, EIO, ENOENT, ENODEV, EINVAL, EINTR, ENOMEM, EBUSY, ETIMEDOUT };

START_TEST(error_from_any_file_does_no_harm)
{
	for (size_t i = 0; i < tree->count; i++) {
		for (int j = 0; j < ROWS(any_errors); j++) {
			tree->entries[i].error = any_errors[j];
			look();
			ck_assert(scan.gpu_count == 1 || scan.refusal.code);
		}
		tree->entries[i].error = 0;
	}
	look();
	ck_assert_str_eq(code(), "ok");
}
END_TEST

/* From one call on, nothing of the card answers any more. */
struct departure {
	size_t at, calls;
	int error;
};

static bool depart(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
		   ssize_t *result)
{
	struct departure *departure = self->user;
	(void)operation;
	(void)buf;
	(void)cap;
	if (departure->calls++ < departure->at || !(strstr(path, "0000:03:00.0") || strstr(path, "renderD128") ||
						    strncmp(path, NODES "/1", strlen(NODES "/1")) == 0))
		return false;
	*result = -departure->error;
	return true;
}

static const int departures[] = { ENODEV, ENOENT, EIO, EPERM };

START_TEST(card_that_goes_away_at_any_moment_does_no_harm)
{
	struct departure departure = { .at = SIZE_MAX, .error = departures[_i] };
	tree->fault = depart;
	tree->user = &departure;
	look();
	ck_assert_str_eq(code(), "ok");
	size_t whole = departure.calls, gone = 0, stale = 0;
	ck_assert_uint_gt(whole, 20);
	for (departure.at = 0; departure.at < whole; departure.at++) {
		departure.calls = 0;
		const struct gr_amdgpu_memory *memory = &look()->memory;
		ck_assert(scan.refusal.code || scan.gpu_count == 1);
		ck_assert_uint_le(memory->used_bytes, memory->total_bytes);
		ck_assert_uint_eq(memory->free_bytes, memory->total_bytes - memory->used_bytes);
		gone += scan.refusal.code != NULL;
		stale += memory->stale;
	}
	ck_assert_uint_gt(gone, 5);
	if (departure.error == ENODEV)
		ck_assert_uint_ge(stale, 3);
}
END_TEST

/* read() of a node may fail where open() did not: the control group is asked at each. */
static const struct {
	const char *file, *code;
	size_t gpus;
	uint32_t hidden;
} denials[] = {
	{ "gpu_id", "kfd_cgroup", 0, 1 }, { "properties", "kfd_cgroup", 0, 1 }, { "mem_banks/0/properties", "ok", 1, 0 },
	{ "name", "ok", 1, 0 },
};

START_TEST(read_that_is_denied_hides_the_node)
{
	char path[256];
	snprintf(path, sizeof path, NODES "/1/%s", denials[_i].file);
	fixture_tree_errno(tree, path, EPERM);
	look();
	ck_assert_str_eq(code(), denials[_i].code);
	ck_assert_uint_eq(scan.gpu_count, denials[_i].gpus);
	ck_assert_uint_eq(scan.hidden_count, denials[_i].hidden);
}
END_TEST

/* Of two cards one is denied: the other is the first, for us and for the runtime. */
START_TEST(read_that_is_denied_leaves_the_other_cards)
{
	const struct card second = { 2, 129, "0000:09:00.0", 110000, 0x744c, 0x900, "2", GIB };
	add_card(&second);
	fixture_tree_errno(tree, NODES "/1/properties", EPERM);
	look();
	ck_assert_str_eq(code(), "ok");
	ck_assert_uint_eq(scan.gpu_count, 1);
	ck_assert_str_eq(scan.gpus[0].pci, "0000:09:00.0");
	ck_assert_uint_eq(scan.gpus[0].ordinal, 0);
	ck_assert_uint_eq(scan.ordinal_count, 1);
	ck_assert_uint_eq(scan.hidden_count, 1);
}
END_TEST

static bool endless_file(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
			 ssize_t *result)
{
	(void)self;
	(void)path;
	if (strcmp(operation, "read") != 0)
		return false;
	for (size_t i = 0; i < cap; i++)
		buf[i] = "1 1\n"[i % 4];
	*result = (ssize_t)cap;
	return true;
}

START_TEST(files_without_an_end_end)
{
	tree->fault = endless_file;
	look();
	ck_assert_uint_lt(tree->read_count, 1000);
}
END_TEST

static size_t names_given;

static int endless_dir(void *ctx, const char *path, gr_sysroot_name_fn *fn, void *user)
{
	(void)ctx;
	(void)path;
	for (names_given = 0; names_given < 1000000; names_given++) {
		char name[32];
		snprintf(name, sizeof name, names_given % 2 ? "%zu" : "0000:%02zx:00.0", names_given % 200);
		if (fn(name, user))
			break;
	}
	return 0;
}

static void count_of_walks(const char *prefix, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < tree->read_count; i++)
		*count += strncmp(tree->reads[i], prefix, strlen(prefix)) == 0;
}

START_TEST(directories_without_an_end_end)
{
	struct gr_sysroot_ops ops = tree->ops;
	size_t nodes, devices;
	ops.list_dir = endless_dir;
	gr_amdgpu_scan(&scan, &ops, NULL);
	count_of_walks("read " NODES, &nodes);
	count_of_walks("read sys/bus/pci", &devices);
	ck_assert_uint_lt(names_given, 1000000);
	ck_assert_uint_le(nodes, 20 * GR_AMDGPU_NODES_MAX);
	ck_assert_uint_le(devices, 2 * GR_AMDGPU_PCI_MAX);
}
END_TEST

/* ---- on disk --------------------------------------------------------------------------------------------------- */
START_TEST(machine_on_disk_is_the_same_machine)
{
	struct scratch scratch;
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct gr_amdgpu_scan *other = calloc(1, sizeof *other);
	look();
	scratch_init(&scratch);
	fixture_tree_write(tree, scratch.path);
	ck_assert_int_eq(gr_sysroot_open(&root, scratch.path), 0);
	gr_amdgpu_scan(other, &root.ops, NULL);
	ck_assert_ptr_null(other->refusal.code);
	ck_assert_uint_eq(other->gpu_count, 1);
	ck_assert_mem_eq(&other->gpus[0], &scan.gpus[0], sizeof scan.gpus[0]);
	gr_sysroot_release(&root);
	scratch_release(&scratch);
	free(other);
}
END_TEST

START_TEST(this_very_machine_gives_an_answer)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	ck_assert_int_eq(gr_sysroot_open(&root, "/"), 0);
	gr_amdgpu_scan(&scan, &root.ops, NULL);
	ck_assert(scan.refusal.code || scan.gpu_count);
	gr_sysroot_release(&root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("amdgpu_faults");
	TCase *tc = tcase_create("amdgpu_faults");
	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_test(tc, scan_touches_nothing_that_wakes_a_card);
	tcase_add_test(tc, garbage_in_any_file_does_no_harm);
	tcase_add_test(tc, error_from_any_file_does_no_harm);
	tcase_add_loop_test(tc, card_that_goes_away_at_any_moment_does_no_harm, 0, ROWS(departures));
	tcase_add_loop_test(tc, read_that_is_denied_hides_the_node, 0, ROWS(denials));
	tcase_add_test(tc, read_that_is_denied_leaves_the_other_cards);
	tcase_add_test(tc, files_without_an_end_end);
	tcase_add_test(tc, directories_without_an_end_end);
	tcase_add_test(tc, machine_on_disk_is_the_same_machine);
	tcase_add_test(tc, this_very_machine_gives_an_answer);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
