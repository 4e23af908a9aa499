/* SPDX-License-Identifier: MIT */
/*
 * Why a scan finds no GPU that can be used: each reason by itself.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gpu_machine.h"

/* ---- reasons --------------------------------------------------------------------------------------------------- */
static void nothing(void)
{
}

static void no_node(void)
{
	fixture_tree_remove(tree, NODES "/1");
}

static void no_card(void)
{
	no_node();
	fixture_tree_remove(tree, "sys/bus/pci/devices/0000:03:00.0");
}

static void wsl(void)
{
	no_card();
	fixture_tree_file(tree, "dev/dxg", "");
}

static void unbound(void)
{
	no_node();
	fixture_tree_remove(tree, CARD "/driver");
}

static void no_module(void)
{
	unbound();
	fixture_tree_remove(tree, "sys/module/amdgpu");
}

static void vfio(void)
{
	no_node();
	fixture_tree_link(tree, CARD "/driver", "../../../bus/pci/drivers/vfio-pci");
}

static void no_kfd(void)
{
	fixture_tree_remove(tree, "dev/kfd");
}

static void no_kfd_docker(void)
{
	no_kfd();
	fixture_tree_file(tree, ".dockerenv", "");
}

static void no_kfd_podman(void)
{
	no_kfd();
	fixture_tree_file(tree, "run/.containerenv", "");
}

static void kfd_eacces(void)
{
	fixture_tree_errno(tree, "dev/kfd", EACCES);
}

static void kfd_eacces_unnamed(void)
{
	kfd_eacces();
	fixture_tree_remove(tree, "etc/group");
}

static void kfd_eacces_long(void)
{
	kfd_eacces();
	fixture_tree_file(tree, "etc/group", "a-group-name-of-32-letters-12345:x:992:\n");
}

static void kfd_eacces_closed(void)
{
	kfd_eacces();
	fixture_tree_find(tree, "dev/kfd")->mode = S_IFCHR | 0600;
}

static void kfd_eacces_docker(void)
{
	kfd_eacces();
	fixture_tree_file(tree, ".dockerenv", "");
}

static void kfd_eacces_docker_long(void)
{
	kfd_eacces_docker();
	fixture_tree_file(tree, "etc/group", "a-group-name-of-32-letters-12345:x:992:\n");
}

static void kfd_eperm(void)
{
	fixture_tree_errno(tree, "dev/kfd", EPERM);
}

static void kfd_einval(void)
{
	fixture_tree_errno(tree, "dev/kfd", EINVAL);
}

static void kfd_enxio(void)
{
	fixture_tree_errno(tree, "dev/kfd", ENXIO);
}

static void no_topology(void)
{
	fixture_tree_remove(tree, "sys/class/kfd");
}

static void denied_properties(void)
{
	fixture_tree_errno(tree, NODES "/1/properties", EPERM);
}

static void denied(void)
{
	fixture_tree_errno(tree, NODES "/1/gpu_id", EPERM);
	denied_properties();
}

static void denied_alone(void)
{
	denied();
	fixture_tree_remove(tree, "sys/bus");
	fixture_tree_remove(tree, "sys/module");
}

static void render_eacces(void)
{
	fixture_tree_errno(tree, "dev/dri/renderD128", EACCES);
}

static void render_eio(void)
{
	fixture_tree_errno(tree, "dev/dri/renderD128", EIO);
}

static void render_enoent(void)
{
	fixture_tree_remove(tree, "dev/dri");
}

static void render_eperm(void)
{
	fixture_tree_errno(tree, "dev/dri/renderD128", EPERM);
}

static void accelerator(void)
{
	no_node();
	put(CARD, "class", "0x120000\n");
}

static void sound_only(void)
{
	no_node();
	put(CARD, "class", "0x040300\n");
}

static void no_units(void)
{
	fixture_tree_property(tree, NODES "/1/properties", "simd_count", "0");
}

static void foreign(void)
{
	fixture_tree_property(tree, NODES "/1/properties", "vendor_id", "4318");
}

static const struct {
	void (*change)(void);
	const char *code, *cause, *remedy;
} reasons[] = {
	{ nothing, "ok", NULL, NULL },
	{ no_card, "no_amd_gpu", "no AMD GPU", "another backend" },
	{ wsl, "wsl_dxg", "/dev/dxg", "native Linux" },
	{ no_module, "driver_not_loaded", "0000:03:00.0", "modprobe amdgpu" },
	{ vfio, "driver_not_bound", "the driver vfio-pci", "0000:03:00.0" },
	{ unbound, "driver_not_bound", "no driver", "0000:03:00.0" },
	{ no_kfd, "kfd_dev_missing", "although amdgpu is loaded", "CONFIG_HSA_AMD" },
	{ no_kfd_docker, "kfd_dev_missing", "this container", "--device /dev/kfd --device /dev/dri" },
	{ no_kfd_podman, "kfd_dev_missing", "this container", "--device /dev/kfd --device /dev/dri" },
	{ kfd_eacces, "kfd_perm", "/dev/kfd (mode 0660, group render)", "add your user to the group render and log in again" },
	{ kfd_eacces_unnamed, "kfd_perm", "group 992", "group 992 (in a container: --group-add)" },
	{ kfd_eacces_long, "kfd_perm", "a-group-name-of-32-letters-12345", "a-group-name-of-32-letters-12345" },
	{ kfd_eacces_closed, "kfd_perm", "/dev/kfd (mode 0600, group render)", "a udev rule" },
	{ kfd_eacces_docker, "kfd_perm", "group render", "--group-add render" },
	{ kfd_eacces_docker_long, "kfd_perm", "a-group-name", "--group-add a-group-name-of-32-letters-12345" },
	{ kfd_eperm, "kfd_cgroup", "denies /dev/kfd", "DeviceAllow" },
	{ kfd_einval, "kfd_open_error", "Invalid argument", "dmesg" },
	{ kfd_enxio, "kfd_open_error", "No such device", "dmesg" },
	{ no_topology, "kfd_topology_missing", "/sys", "mount /sys" },
	{ denied, "kfd_cgroup", "every AMD GPU", "DeviceAllow" },
	{ denied_properties, "kfd_cgroup", "every AMD GPU", "DeviceAllow" },
	{ denied_alone, "kfd_cgroup", "every AMD GPU", "DeviceAllow" },
	{ no_node, "kfd_no_gpu_node", "took no GPU", "PCIe atomics" },
	{ accelerator, "kfd_no_gpu_node", "took no GPU", "dmesg" },
	{ sound_only, "no_amd_gpu", "no AMD GPU", "another backend" },
	{ no_units, "kfd_no_gpu_node", "took no GPU", "dmesg" },
	{ foreign, "kfd_no_gpu_node", "took no GPU", "dmesg" },
	{ render_eacces, "render_perm", "/dev/dri/renderD128 (mode 0660, group render): no GPU will work", "group render" },
	{ render_eio, "render_open_error", "/dev/dri/renderD128", "Input/output error" },
	{ render_enoent, "render_missing", "renderD*", "--device /dev/dri" },
	{ render_eperm, "render_missing", "renderD*", "control group" },
};

START_TEST(refusal_names_cause_and_remedy)
{
	reasons[_i].change();
	look();
	ck_assert_str_eq(code(), reasons[_i].code);
	if (!scan.refusal.code)
		return;
	assert_says(reasons[_i].cause);
	assert_says(reasons[_i].remedy);
	ck_assert_uint_lt(strlen(scan.refusal.cause), sizeof scan.refusal.cause - 1);
	ck_assert_uint_lt(strlen(scan.refusal.remedy), sizeof scan.refusal.remedy - 1);
}
END_TEST

START_TEST(refusal_knows_a_container_by_its_variable)
{
	char variable[] = "container=lxc";
	char *env[] = { variable, NULL };
	no_kfd();
	gr_amdgpu_scan(&scan, &tree->ops, env);
	assert_says("this container");
}
END_TEST

START_TEST(refusal_for_a_group_is_not_about_the_card_that_is_fine)
{
	const struct card igpu = { 2, 129, "0000:0e:00.0", 100306, 0x13c0, 0xe00, NULL, GIB };
	add_card(&igpu);
	fixture_tree_errno(tree, "dev/dri/renderD129", EACCES);
	look();
	ck_assert_str_eq(code(), "render_perm");	/* libhsakmt opens them all, masked or not */
	assert_says("renderD129");
	ck_assert_int_eq(scan.refusal.os_errno, EACCES);
}
END_TEST

START_TEST(unbound_devices_are_listed_beside_those_that_work)
{
	const struct card other = { 9, 140, "0000:0b:00.0", 110000, 0x744c, 0xb00, "1", GIB };
	add_card(&other);
	fixture_tree_remove(tree, NODES "/9");
	fixture_tree_link(tree, "sys/devices/pci0000:00/0000:0b:00.0/driver", "../../../bus/pci/drivers/vfio-pci");
	put("sys/bus/pci/devices/0000:03:00.1", "vendor", "0x1002\n");	/* the sound of the card */
	put("sys/bus/pci/devices/0000:03:00.1", "class", "0x040300\n");
	look();
	ck_assert_str_eq(code(), "ok");
	ck_assert_uint_eq(scan.unbound_count, 1);
	ck_assert_str_eq(scan.unbound[0].pci, "0000:0b:00.0");
	ck_assert_str_eq(scan.unbound[0].driver, "vfio-pci");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("amdgpu_reasons");
	TCase *tc = tcase_create("amdgpu_reasons");
	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, refusal_names_cause_and_remedy, 0, ROWS(reasons));
	tcase_add_test(tc, refusal_knows_a_container_by_its_variable);
	tcase_add_test(tc, refusal_for_a_group_is_not_about_the_card_that_is_fine);
	tcase_add_test(tc, unbound_devices_are_listed_beside_those_that_work);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
