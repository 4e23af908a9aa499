/* SPDX-License-Identifier: MIT */
/* What a diagnosis says of machines, and of the process on them. */
#include "gpu_report.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "fixture_tree.h"
#include "machine_report.h"

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static struct gr_amdgpu_scan scan;
static struct gr_gpu_support support;
static struct gr_gpu_choice choice;

static void report(struct fixture_tree *tree, char *const *env)
{
	const struct gr_gpu_wish wish = gr_gpu_wish_of("auto");
	struct gr_findings out = { NULL, findings_keep, false };
	findings_reset();
	gr_amdgpu_scan(&scan, &tree->ops, env);
	gr_gpu_support_parse(&support, "gfx1030 gfx1100 gfx1101", GR_GPU_SUPPORT_CONFIG);
	gr_gpu_select(&choice, &scan, &support, &wish, env);
	gr_gpu_report(&out, &tree->ops, &scan, &support, &choice, env);
}

static const struct {
	const char *machine, *code;	/* NULL = usable */
	const char *section, *key, *words;
	int32_t severity;
} machines[] = {
	{ "01-7800xt-9950x-dgpu-first", NULL, "gpu", "0 class", "discrete, decided by board_info", INF_FINDING_FACT },
	{ "01-7800xt-9950x-dgpu-first", NULL, "gpu", "1 choice", "no code for it", INF_FINDING_FACT },
	{ "01-7800xt-9950x-dgpu-first", NULL, "driver", "KFD node 1", "GPU, gfx_target_version 110001, renderD128",
	  INF_FINDING_FACT },
	{ "01-7800xt-9950x-dgpu-first", NULL, "driver", "PCI 0000:03:00.0", "1002:747e, driver amdgpu", INF_FINDING_FACT },
	{ "08-container-no-kfd", "kfd_dev_missing", "driver", "/dev/kfd", "does not exist", INF_FINDING_NOTE },
	{ "09-nvidia-only", "no_amd_gpu", "driver", "/dev/kfd", "does not exist", INF_FINDING_FACT },
	{ "11-kfd-eacces", "kfd_perm", "driver", "/dev/kfd", "group 992 (render): cannot be opened: Permission denied",
	  INF_FINDING_NOTE },
	{ "13-cgroup-one-of-two", NULL, "gpu", "hidden", "1 GPUs", INF_FINDING_NOTE },
	{ "14-rx580-no-atomics", "kfd_no_gpu_node", "driver", "PCI 0000:03:00.0", "driver amdgpu", INF_FINDING_FACT },
	{ "17-module-not-loaded", "driver_not_loaded", "driver", "amdgpu", "not loaded", INF_FINDING_NOTE },
	{ "17-module-not-loaded", "driver_not_loaded", "driver", "PCI 0000:03:00.0", "no driver", INF_FINDING_NOTE },
};

START_TEST(machine_shows_what_its_verdict_rests_on)
{
	char path[512];
	snprintf(path, sizeof path, TEST_FIXTURES "/%s.tree", machines[_i].machine);
	struct fixture_tree *tree = fixture_tree_load(path);
	report(tree, NULL);
	ck_assert_str_eq(choice.refusal.code ? choice.refusal.code : "usable",
			 machines[_i].code ? machines[_i].code : "usable");
	if (choice.refusal.code) {
		ck_assert_uint_gt(strlen(choice.refusal.cause), 0);
		ck_assert_uint_gt(strlen(choice.refusal.remedy), 0);
		ck_assert_ptr_null(findings_find("gpu", "pin"));
	} else {
		findings_assert("gpu", "pin", "--device ROCm0");
	}
	const struct kept_finding *found = findings_assert(machines[_i].section, machines[_i].key, machines[_i].words);
	ck_assert_int_eq(found->severity, machines[_i].severity);
	fixture_tree_free(tree);
}
END_TEST

START_TEST(override_and_mask_are_worth_a_look)
{
	char *const env[] = { (char *)"HSA_OVERRIDE_GFX_VERSION=10.3.0", (char *)"HIP_VISIBLE_DEVICES=0", NULL };
	struct fixture_tree *tree = fixture_tree_load(TEST_FIXTURES "/01-7800xt-9950x-dgpu-first.tree");
	report(tree, env);
	ck_assert_int_eq(findings_assert("gpu", "0", "gfx1101 run as gfx1030")->severity, INF_FINDING_NOTE);
	ck_assert_int_eq(findings_assert("gpu", "mask", "HIP_VISIBLE_DEVICES=\"0\" leaves 1 of 2")->severity,
			 INF_FINDING_NOTE);
	fixture_tree_free(tree);
}
END_TEST

/* Of the kernel's command line only what concerns the GPU: the rest names disks. */
START_TEST(command_line_shows_no_more_than_concerns_the_gpu)
{
	struct fixture_tree *tree = fixture_tree_load(TEST_FIXTURES "/17-module-not-loaded.tree");
	fixture_tree_file(tree, "proc/cmdline", "root=UUID=secret-disk nomodeset quiet modprobe.blacklist=amdgpu amdgpu.gtt=1\n");
	report(tree, NULL);
	ck_assert_str_eq(findings_assert("driver", "command line", "")->value,
			 "nomodeset modprobe.blacklist=amdgpu amdgpu.gtt=1");
	findings_assert_nowhere("secret-disk");
	fixture_tree_free(tree);
}
END_TEST

static void report_machine(struct fixture_tree *tree, const struct gr_machine_process *process, char *const *env)
{
	struct gr_findings out = { NULL, findings_keep, false };
	findings_reset();
	gr_machine_report(&out, &tree->ops, process, env);
}

static struct gr_machine_process a_process(void)
{
	return (struct gr_machine_process){
		.kernel = "Linux 6.1 x86_64", .libc = "glibc 2.36", .cpus = 32, .cpus_usable = 8, .uid = 1000,
		.groups = { 1000, 44, FIXTURE_GROUP }, .group_count = 3,
	};
}

START_TEST(system_tells_distribution_processor_and_memory)
{
	struct fixture_tree *tree = fixture_tree_new();
	const struct gr_machine_process process = a_process();
	fixture_tree_file(tree, "etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
	fixture_tree_file(tree, "proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD Ryzen 9 9950X\n");
	fixture_tree_file(tree, "proc/meminfo", "MemTotal:       65734124 kB\nMemAvailable:   32867062 kB\n");
	fixture_tree_file(tree, "sys/fs/cgroup/memory.max", "1073741824\n");
	report_machine(tree, &process, NULL);
	ck_assert_str_eq(findings_assert("system", "os", "")->value, "Debian GNU/Linux 12, glibc 2.36");
	ck_assert_str_eq(findings_assert("system", "cpu", "")->value, "AMD Ryzen 9 9950X, 32 CPUs online, 8 usable");
	ck_assert_str_eq(findings_assert("system", "memory", "")->value, "31.3 of 62.7 GiB available");
	findings_assert("system", "memory limit", "1024 MiB");
	fixture_tree_free(tree);
}
END_TEST

START_TEST(system_without_any_file_says_what_is_not_known)
{
	struct fixture_tree *tree = fixture_tree_new();
	const struct gr_machine_process process = a_process();
	fixture_tree_file(tree, "proc/meminfo", "MemTotal: many kB\nMemAvailable");
	report_machine(tree, &process, NULL);
	findings_assert("system", "os", "unknown distribution");
	findings_assert("system", "cpu", "model not known");
	findings_assert("system", "memory", "not known");
	findings_assert("process", "container", "no sign");
	fixture_tree_free(tree);
}
END_TEST

/* A person's group usually has the person's name. */
START_TEST(groups_of_the_system_are_named_and_those_of_people_are_not)
{
	struct fixture_tree *tree = fixture_tree_new();
	const struct gr_machine_process process = a_process();
	fixture_tree_file(tree, "etc/group", "video:x:44:alice\nrender:x:992:alice\nalice:x:1000:\n");
	report_machine(tree, &process, NULL);
	ck_assert_str_eq(findings_assert("process", "groups", "")->value, "1000, 44 (video), 992 (render)");
	ck_assert_str_eq(findings_assert("process", "user", "")->value, "uid 1000");
	findings_assert_nowhere("alice");
	fixture_tree_free(tree);
}
END_TEST

START_TEST(elevated_process_is_a_note_with_a_remedy)
{
	struct fixture_tree *tree = fixture_tree_new();
	struct gr_machine_process process = a_process();
	char *const env[] = { (char *)"container=podman", NULL };
	process.elevated = true;
	report_machine(tree, &process, env);
	const struct kept_finding *found = findings_assert("process", "rights", "variables");
	ck_assert_str_eq(found->reason, "elevated");
	ck_assert_uint_gt(strlen(found->remedy), 0);
	findings_assert("process", "container", "podman");
	fixture_tree_free(tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gpu_report");
	TCase *tc = tcase_create("gpu_report");
	tcase_add_loop_test(tc, machine_shows_what_its_verdict_rests_on, 0, ROWS(machines));
	tcase_add_test(tc, override_and_mask_are_worth_a_look);
	tcase_add_test(tc, command_line_shows_no_more_than_concerns_the_gpu);
	tcase_add_test(tc, system_tells_distribution_processor_and_memory);
	tcase_add_test(tc, system_without_any_file_says_what_is_not_known);
	tcase_add_test(tc, groups_of_the_system_are_named_and_those_of_people_are_not);
	tcase_add_test(tc, elevated_process_is_a_note_with_a_remedy);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
