/* SPDX-License-Identifier: MIT */
/* How the vulkan plugin asks the server for its devices, through the vtable itself: libinference does not show that. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profile.h"
#include "suite.h"
#include "vulkan_world.h"

enum { AVAILABLE_MS = 2000, ATTEMPTS = 5 };

struct direct {
	inf_host host;
	inf_kv options[2];
	const inf_backend *backend;
	inf_instance *instance;
};

static void create(struct direct *d, struct world *w)
{
	d->options[0] = (inf_kv){ "llama-server.path", w->stand_in };
	d->options[1] = (inf_kv){ "vulkan.allow-cpu-device", "true" };
	d->host = (inf_host){ .struct_size = sizeof d->host, .options = d->options, .option_count = 2 };
	d->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&d->host, &d->instance, &w->err), INF_OK);
}

static inf_availability available(struct direct *d, struct world *w)
{
	inf_availability out = { .struct_size = sizeof out };
	ck_assert_int_eq(d->backend->available(d->instance, d->backend, &out, &w->err), INF_OK);
	return out;
}

/* An instance that was asked once whether it is available, with the given reason; "" = it is. On a machine that is busy
 * beyond measure any answer may come too late: then once more. */
static inf_availability open_direct(struct direct *d, struct world *w, const char *reason)
{
	inf_availability report;
	for (int attempt = 0;; attempt++) {
		create(d, w);
		int64_t begun_ms = monotonic_ms();
		report = available(d, w);
		bool late = monotonic_ms() - begun_ms >= AVAILABLE_MS ||
			    (strstr(report.reason, "_timeout") && strcmp(report.reason, reason) != 0);
		if (!late || attempt == ATTEMPTS)
			break;
		gr_plugin.destroy(d->instance);
		unlink(scratch_at(&w->scratch, "asked"));
	}
	ck_assert_msg(strcmp(report.reason, reason) == 0, "%s", report.message);
	return report;
}

static void close_direct(struct direct *d, struct world *w)
{
	gr_plugin.destroy(d->instance);
	close_world(w);
}

START_TEST(answer_is_kept_while_the_binary_is_the_same)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", CARD_LIST(7000));
	open_direct(&d, &w, "");
	ck_assert_int_eq(available(&d, &w).score, 400);
	ck_assert_int_eq(times_asked(&w), 1);
	ck_assert_int_eq(unlink(w.stand_in), 0);
	write_stand_in(&w);
	ck_assert_int_eq(available(&d, &w).score, 400);
	ck_assert_int_eq(times_asked(&w), 2);
	close_direct(&d, &w);
}
END_TEST

START_TEST(hidden_devices_are_asked_for_only_where_there_is_no_other)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", "if [ -z \"$GGML_VK_VISIBLE_DEVICES\" ]; then\n"
	       "printf 'ggml_vulkan: No devices found.\\nAvailable devices:\\n  (none)\\n'\nelse\n"
	       SIMULATED_LIST(5000) "fi\n");
	open_direct(&d, &w, "");
	ck_assert_int_eq(times_asked(&w), 2);
	close_direct(&d, &w);
}
END_TEST

/* As llama-server does now and then: it does not wait for its log. */
START_TEST(answer_that_is_cut_is_asked_for_again)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", "[ $(wc -l < \"$here/asked\") = 1 ] && exec echo '  Vulkan0: llvmpipe (9 MiB, 9 MiB free)'\n"
	       CARD_LIST(7000));
	const inf_availability report = open_direct(&d, &w, "");
	ck_assert_msg(strstr(report.message, "RX 7600"), "%s", report.message);
	ck_assert_int_eq(times_asked(&w), 2);
	answer(&w, "list", "printf 'Available devices:\\n  (none)\\n'\n");
	unlink(scratch_at(&w.scratch, "asked"));
	gr_plugin.destroy(d.instance);
	open_direct(&d, &w, "vulkan_backend_missing");
	ck_assert_int_eq(times_asked(&w), 3);
	close_direct(&d, &w);
}
END_TEST

START_TEST(server_without_vulkan_is_asked_once)
{
	struct world w;
	struct direct d;
	open_world(&w);
	answer(&w, "list", "printf 'load_backend: loaded CPU backend from x\\nAvailable devices:\\n  (none)\\n'\n");
	open_direct(&d, &w, "vulkan_backend_missing");
	ck_assert_int_eq(times_asked(&w), 1);
	close_direct(&d, &w);
}
END_TEST

/* A question that fails is not asked again by available(), but by a load. */
static void expect_failure(const char *list, const char *reason, const char *words)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	open_world(&w);
	answer(&w, "list", list);
	const inf_availability report = open_direct(&d, &w, reason);
	ck_assert_msg(strstr(report.message, words), "%s", report.message);
	int64_t begun_ms = monotonic_ms();
	ck_assert_str_eq(available(&d, &w).reason, reason);
	ck_assert_int_lt(monotonic_ms() - begun_ms, AVAILABLE_MS);
	ck_assert_int_eq(times_asked(&w), 1);
	ck_assert_int_eq(unlink(scratch_at(&w.scratch, "list")), 0);
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model() };
	inf_status st = d.backend->load(d.instance, d.backend, &params, &model, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(available(&d, &w).score, 400);
	d.backend->close(model, NULL);
	close_direct(&d, &w);
}

START_TEST(question_that_hangs_ends_in_time)
{
	struct world w;
	struct direct d;
	int64_t took_ms = 0;
	expect_failure("exec sleep 1000\n", "device_list_timeout", "--list-devices");
	open_world(&w);
	answer(&w, "list", "exec sleep 1000\n");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		create(&d, &w);
		int64_t begun_ms = monotonic_ms();
		available(&d, &w);
		took_ms = monotonic_ms() - begun_ms;
		gr_plugin.destroy(d.instance);
		if (took_ms < AVAILABLE_MS)
			break;
	}
	ck_assert_int_lt(took_ms, AVAILABLE_MS);
	close_world(&w);
}
END_TEST

START_TEST(question_that_crashes_says_so)
{
	expect_failure("kill -SEGV $$\n", "device_list_failed", "signal 11");
	expect_failure("exit 3\n", "device_list_failed", "exit status 3");
}
END_TEST

START_TEST(list_of_nonsense_is_a_server_without_devices)
{
	struct world w;
	open_world(&w);
	answer(&w, "list", "head -c 3000000 /dev/zero; printf '\\n'; yes '  Vulkan0: (1 MiB' | head -c 500000\n");
	expect_unavailable(&w, "vulkan_backend_missing", "Vulkan");
	close_world(&w);
}
END_TEST

static int32_t refuse_progress(void *user, const inf_progress *progress)
{
	(void)progress;
	++*(int *)user;
	return 0;
}

START_TEST(load_is_cancelled_while_the_devices_are_asked_for)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	int calls = 0;
	open_world(&w);
	open_direct(&d, &w, "");
	answer(&w, "list", "exec sleep 1000\n");
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model(),
					 .on_progress = refuse_progress, .user = &calls };
	ck_assert_int_eq(d.backend->load(d.instance, d.backend, &params, &model, &w.err), INF_E_CANCELLED);
	ck_assert_str_eq(w.err.reason, "cancelled");
	ck_assert_int_gt(calls, 0);
	ck_assert(!was_written(&w, "argv"));
	ck_assert_int_eq(available(&d, &w).score, 400);
	close_direct(&d, &w);
}
END_TEST

static struct listing devices_of(struct direct *d, inf_model *model)
{
	struct listing listing = { .count = 0 };
	inf_error err = { .struct_size = sizeof err };
	const inf_devices *devices = d->backend->get_extension(d->instance, d->backend, model, INF_EXT_DEVICES);
	inf_status st = devices->of_model(model, &listing, note_device, &err);
	for (int attempt = 0; attempt < ATTEMPTS && strstr(err.reason, "_timeout"); attempt++)
		st = devices->of_model(model, &listing, note_device, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	return listing;
}

START_TEST(memory_of_a_models_device_is_told_before_and_now)
{
	struct world w;
	struct direct d;
	inf_model *model = NULL;
	open_world(&w);
	open_direct(&d, &w, "");
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model() };
	ck_assert_int_eq(d.backend->load(d.instance, d.backend, &params, &model, &w.err), INF_OK);
	struct listing listing = devices_of(&d, model);
	ck_assert_int_eq(listing.count, 1);
	ck_assert_uint_eq(listing.devices[0].flags, INF_DEVICE_FLAG_SELECTED | INF_DEVICE_FLAG_TOTAL |
			  INF_DEVICE_FLAG_USED | INF_DEVICE_FLAG_BEFORE);
	ck_assert_str_eq(listing.devices[0].name, "Vulkan0");
	uint64_t before = listing.devices[0].memory_used_before;
	ck_assert_uint_gt(before, 0);

	answer(&w, "list", SIMULATED_LIST(5000));
	listing = devices_of(&d, model);
	ck_assert_uint_eq(listing.devices[0].memory_used, UINT64_C(3000) << 20);
	ck_assert_uint_eq(listing.devices[0].memory_used_before, before);
	answer(&w, "list", "printf 'Available devices:\\n  (none)\\n'\n");
	listing = devices_of(&d, model);
	ck_assert_uint_eq(listing.devices[0].flags, INF_DEVICE_FLAG_SELECTED);
	d.backend->close(model, NULL);
	close_direct(&d, &w);
}
END_TEST

RUN_SUITE("vulkan_question", 60, answer_is_kept_while_the_binary_is_the_same,
	  hidden_devices_are_asked_for_only_where_there_is_no_other, answer_that_is_cut_is_asked_for_again,
	  server_without_vulkan_is_asked_once,
	  question_that_hangs_ends_in_time, question_that_crashes_says_so, list_of_nonsense_is_a_server_without_devices,
	  load_is_cancelled_while_the_devices_are_asked_for, memory_of_a_models_device_is_told_before_and_now)
