/* SPDX-License-Identifier: MIT */
/*
 * inf.diagnose/1 through libinference: fake machines, and a stand-in for llama-server that answers --list-devices as a
 * server with ROCm would, dies, or hangs.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "findings.h"
#include "fixture_tree.h"
#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

enum { TIME_MAX_MS = 10000, LIST_MS = 5000 };

static const char lists_gpu[] = "Available devices:\n  ROCm0: AMD Radeon RX 7800 XT (16368 MiB, 16206 MiB free)\n";

struct world {
	struct scratch scratch;
	const char *stand_in;
	inf_registry *registry;
	inf_error err;
};

static const char script[] =
	"#!/bin/sh\n"
	"case $1 in --version|--help) exec '%s' \"$@\";; esac\n"
	"[ \"$1\" = --list-devices ] || exit 9\n"
	"env > '%s/env'\n"
	"cat '%s/list'\n"
	"%s\n";

/* then: what the stand-in does after it listed. */
static void open_world(struct world *w, const char *machine, const char *list, const char *then)
{
	char text[4096], path[512];
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	snprintf(path, sizeof path, TEST_FIXTURES "/%s.tree", machine);
	struct fixture_tree *tree = fixture_tree_load(path);
	fixture_tree_write(tree, w->scratch.path);
	fixture_tree_free(tree);
	scratch_write(&w->scratch, "list", list, strlen(list));
	snprintf(text, sizeof text, script, harness_server(), w->scratch.path, w->scratch.path, then);
	w->stand_in = scratch_write(&w->scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(w->stand_in, 0755), 0);
}

static void open_registry(struct world *w, const char *server, const char *key, const char *value)
{
	const char *dirs[] = { harness_plugins() };
	const inf_kv options[] = { { "rocm.sysroot", w->scratch.path }, { "llama-server.path", server }, { key, value } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = key ? 3 : 2,
	};
	w->registry = harness_open(&params);
}

static void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static const struct kept_finding *diagnose(struct world *w, const char *backend)
{
	findings_reset();
	inf_status st = inf_registry_diagnose(w->registry, harness_backend(w->registry, backend), NULL, findings_keep,
					      &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_str_eq(findings[0].section, "verdict");
	ck_assert_str_eq(findings[0].key, backend);
	return &findings[0];
}

static void assert_explained(const struct kept_finding *verdict, const char *reason, int32_t severity)
{
	ck_assert_str_eq(verdict->reason, reason);
	ck_assert_int_eq(verdict->severity, severity);
	ck_assert_uint_gt(strlen(verdict->value), 0);
	ck_assert_uint_gt(strlen(verdict->remedy), 0);
}

START_TEST(machine_that_works_is_a_fact_and_the_list_is_that_of_a_load)
{
	struct world w;
	size_t len;
	open_world(&w, "01-7800xt-9950x-dgpu-first", lists_gpu, "exit 0");
	open_registry(&w, w.stand_in, NULL, NULL);
	const struct kept_finding *verdict = diagnose(&w, "rocm");
	ck_assert_int_eq(verdict->severity, INF_FINDING_FACT);
	ck_assert_str_eq(verdict->reason, "");
	findings_assert("server", "device ROCm0", "AMD Radeon RX 7800 XT, 16206 of 16368 MiB free");
	findings_assert("server", "path", "(by the option llama-server.path)");
	findings_assert("gpu", "0 choice", "selected");
	findings_assert("options", "rocm.sysroot", w.scratch.path);
	char *env = scratch_read(scratch_at(&w.scratch, "env"), &len);
	ck_assert_ptr_nonnull(strstr(env, "ROCR_VISIBLE_DEVICES=GPU-880ed6479d653a85\n"));
	free(env);
	close_world(&w);
}
END_TEST

static const struct {
	const char *machine, *variable, *value, *key, *option, *reason;
	int32_t severity;
} refusals[] = {
	{ "08-container-no-kfd", NULL, NULL, NULL, NULL, "kfd_dev_missing", INF_FINDING_PROBLEM },
	{ "09-nvidia-only", NULL, NULL, NULL, NULL, "no_amd_gpu", INF_FINDING_NOTE },
	{ "14-rx580-no-atomics", NULL, NULL, NULL, NULL, "kfd_no_gpu_node", INF_FINDING_PROBLEM },
	{ "17-module-not-loaded", NULL, NULL, NULL, NULL, "driver_not_loaded", INF_FINDING_PROBLEM },
	{ "01-7800xt-9950x-dgpu-first", "HIP_VISIBLE_DEVICES", "1", NULL, NULL, "only_igpu", INF_FINDING_PROBLEM },
	{ "01-7800xt-9950x-dgpu-first", "ROCR_VISIBLE_DEVICES", "", NULL, NULL, "masked_by_env", INF_FINDING_PROBLEM },
	{ "01-7800xt-9950x-dgpu-first", "HSA_OVERRIDE_GFX_VERSION", "gfx1030", NULL, NULL, "bad_override",
	  INF_FINDING_PROBLEM },
	{ "01-7800xt-9950x-dgpu-first", NULL, NULL, "rocm.targets", "gfx900", "gfx_unsupported", INF_FINDING_PROBLEM },
	{ "01-7800xt-9950x-dgpu-first", NULL, NULL, "rocm.device", "7", "device_unknown", INF_FINDING_PROBLEM },
};

static void refusal_comes_first_with_cause_and_remedy(size_t row)
{
	struct world w;
	open_world(&w, refusals[row].machine, "Available devices:\n", "exit 0");
	if (refusals[row].variable)
		setenv(refusals[row].variable, refusals[row].value, 1);
	open_registry(&w, w.stand_in, refusals[row].key, refusals[row].option);
	assert_explained(diagnose(&w, "rocm"), refusals[row].reason, refusals[row].severity);
	ck_assert_str_eq(harness_backend(w.registry, "rocm")->reason, refusals[row].reason);
	findings_assert("server", "devices", "none");
	if (refusals[row].variable)
		ck_assert_int_eq(unsetenv(refusals[row].variable), 0);
	close_world(&w);
}

START_TEST(refusals_come_first_with_cause_and_remedy)
{
	for (size_t row = 0; row < sizeof refusals / sizeof refusals[0]; row++)
		refusal_comes_first_with_cause_and_remedy(row);
}
END_TEST

/* As somebody else than root, for whom permissions count; root again before the end, so that the census can look. */
START_TEST(node_without_permission_is_refused_and_says_whose_it_is)
{
	struct world w;
	open_world(&w, "11-kfd-eacces", lists_gpu, "exit 0");
	ck_assert_int_eq(chmod(w.scratch.path, 0755), 0);
	ck_assert_int_eq(chmod(scratch_at(&w.scratch, "dev/kfd"), 0600), 0);	/* the group stays root's */
	open_registry(&w, harness_server(), NULL, NULL);
	if (geteuid() == 0) {
		ck_assert_int_eq(seteuid(65534), 0);
		const struct kept_finding *verdict = diagnose(&w, "rocm");
		ck_assert_int_eq(seteuid(0), 0);
		assert_explained(verdict, "kfd_perm", INF_FINDING_PROBLEM);
		ck_assert_int_eq(findings_assert("driver", "/dev/kfd", "mode 0600, owner root, group 0")->severity,
				 INF_FINDING_NOTE);
		findings_assert("driver", "/dev/kfd", "cannot be opened: Permission denied");
		findings_assert("process", "user", "uid 65534");
	}
	close_world(&w);
}
END_TEST

START_TEST(server_without_the_device_is_found_before_any_load)
{
	struct world w;
	open_world(&w, "01-7800xt-9950x-dgpu-first", "", "");
	open_registry(&w, harness_server(), NULL, NULL);	/* has no ROCm */
	ck_assert_int_eq(harness_backend(w.registry, "rocm")->state, INF_STATE_AVAILABLE);
	assert_explained(diagnose(&w, "rocm"), "device_missing", INF_FINDING_PROBLEM);
	findings_assert("server", "devices", "none: it computes on the CPU only");
	findings_assert("server", "version", "(build ");
	close_world(&w);
}
END_TEST

START_TEST(server_that_dies_while_it_lists_is_quoted)
{
	struct world w;
	open_world(&w, "01-7800xt-9950x-dgpu-first", "error while loading shared libraries: libamdhip64.so.6: cannot open\n",
		   "kill -SEGV $$");
	open_registry(&w, w.stand_in, NULL, NULL);
	const struct kept_finding *verdict = diagnose(&w, "rocm");
	assert_explained(verdict, "list_devices", INF_FINDING_PROBLEM);
	ck_assert_ptr_nonnull(strstr(verdict->value, "signal 11"));
	ck_assert_ptr_nonnull(strstr(verdict->value, "libamdhip64.so.6"));
	close_world(&w);
}
END_TEST

START_TEST(server_that_hangs_while_it_lists_is_ended_in_time)
{
	struct world w;
	open_world(&w, "01-7800xt-9950x-dgpu-first", lists_gpu, "exec sleep 600");
	open_registry(&w, w.stand_in, NULL, NULL);
	int64_t before = monotonic_ms();
	const struct kept_finding *verdict = diagnose(&w, "rocm");
	int64_t took = monotonic_ms() - before;
	ck_assert_int_ge(took, LIST_MS - 1);
	ck_assert_int_le(took, TIME_MAX_MS);
	assert_explained(verdict, "list_devices", INF_FINDING_PROBLEM);
	ck_assert_ptr_nonnull(strstr(verdict->value, "within"));
	close_world(&w);
}
END_TEST

START_TEST(missing_server_is_the_verdict_of_one_and_a_problem_beside_that_of_another)
{
	struct world w;
	open_world(&w, "08-container-no-kfd", "", "");
	open_registry(&w, "/nonexistent", NULL, NULL);
	assert_explained(diagnose(&w, "llama_cpp"), "llama_server_missing", INF_FINDING_PROBLEM);
	assert_explained(diagnose(&w, "rocm"), "kfd_dev_missing", INF_FINDING_PROBLEM);
	assert_explained(findings_assert("server", "llama-server", "/nonexistent"), "llama_server_missing", INF_FINDING_PROBLEM);
	close_world(&w);
}
END_TEST

/* The message knows the remedy where the search knew it: it is cut off and not said twice. */
START_TEST(server_that_is_not_in_path_is_told_apart_from_its_remedy)
{
	struct world w;
	char *path = strdup(getenv("PATH"));
	open_world(&w, "08-container-no-kfd", "", "");
	const char *dirs[] = { harness_plugins() };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1,
	};
	unsetenv("LLAMA_SERVER_PATH");
	setenv("PATH", "/nonexistent", 1);
	w.registry = harness_open(&params);
	setenv("PATH", path, 1);
	const struct kept_finding *verdict = diagnose(&w, "llama_cpp");
	ck_assert_str_eq(verdict->value, "llama-server was not found in PATH");
	ck_assert_int_eq(strncmp(verdict->remedy, "install llama.cpp, or name it", 29), 0);
	free(path);
	close_world(&w);
}
END_TEST

/* Inherited ones are those that the process was started with: the test's own environment has them. */
START_TEST(variables_are_shown_with_their_fate_and_secrets_are_not)
{
	struct world w;
	open_world(&w, "01-7800xt-9950x-dgpu-first", lists_gpu, "exit 0");
	setenv("HSA_XNACK", "1", 1);
	setenv("HIP_VISIBLE_DEVICES", "0", 1);
	open_registry(&w, w.stand_in, NULL, NULL);
	diagnose(&w, "rocm");
	ck_assert_str_eq(findings_assert("environment", "HSA_XNACK", "")->value, "\"1\" (given to the server)");
	findings_assert("environment", "HIP_VISIBLE_DEVICES", "\"0\" (decides which GPU is taken");
	ck_assert_str_eq(findings_assert("environment", "LLAMA_ARG_CTX_SIZE", "")->value, "\"77\" (not given to the server)");
	findings_assert("environment", "LLAMA_API_KEY", "(set, not shown");
	findings_assert("environment", "GGML_TEST_TOKEN", "(set, not shown");
	findings_assert_nowhere("planted");
	diagnose(&w, "llama_cpp");
	findings_assert("environment", "LLAMA_API_KEY", "(set, not shown");
	findings_assert_nowhere("planted");
	close_world(&w);
}
END_TEST

static int32_t stop_at_once(void *user, const inf_finding *finding)
{
	(void)finding;
	++*(int *)user;
	return 0;
}

START_TEST(callback_may_stop_and_arguments_are_checked)
{
	struct world w;
	int calls = 0;
	open_world(&w, "01-7800xt-9950x-dgpu-first", lists_gpu, "exit 0");
	open_registry(&w, w.stand_in, NULL, NULL);
	const inf_candidate *rocm = harness_backend(w.registry, "rocm");
	ck_assert_int_eq(inf_registry_diagnose(w.registry, rocm, &calls, stop_at_once, &w.err), INF_OK);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(inf_registry_diagnose(w.registry, rocm, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_int_eq(inf_registry_diagnose(w.registry, NULL, NULL, findings_keep, &w.err), INF_E_INVALID);
	close_world(&w);
}
END_TEST

RUN_SUITE("doctor", 60, machine_that_works_is_a_fact_and_the_list_is_that_of_a_load,
	  refusals_come_first_with_cause_and_remedy, node_without_permission_is_refused_and_says_whose_it_is,
	  server_without_the_device_is_found_before_any_load, server_that_dies_while_it_lists_is_quoted,
	  server_that_hangs_while_it_lists_is_ended_in_time,
	  missing_server_is_the_verdict_of_one_and_a_problem_beside_that_of_another,
	  server_that_is_not_in_path_is_told_apart_from_its_remedy,
	  variables_are_shown_with_their_fate_and_secrets_are_not, callback_may_stop_and_arguments_are_checked)
