/* SPDX-License-Identifier: MIT */
/*
 * What a load does about the memory of the devices, on fake cards whose free memory a test decides.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "amd_world.h"
#include "gguf_build.h"
#include "process.h"
#include "suite.h"

enum { SLOTS = 64 };

#define MIB (UINT64_C(1) << 20)
#define TOTAL UINT64_C(17163091968)
#define RESERVE ((460 + 1024) * MIB)	/* of a card with a display: the runtime, and what stays free */
#define CARD "sys/devices/pci0000:00/0000:03:00.0/"

static void set_free(struct world *w, const char *card, uint64_t total, uint64_t free_bytes)
{
	char path[128], text[32];
	snprintf(path, sizeof path, "%s/mem_info_vram_used", card);
	int len = snprintf(text, sizeof text, "%" PRIu64 "\n", total - free_bytes);
	scratch_write(&w->scratch, path, text, (size_t)len);
}

static void open_with_free(struct world *w, uint64_t free_bytes)
{
	open_world(w);
	scratch_write(&w->scratch, CARD "drm/card0/card0-DP-1/status", "connected\n", 10);
	set_free(w, CARD, TOTAL, free_bytes);
	open_registry(w, w->stand_in);
}

/* No server was started. */
static void assert_not_started(struct world *w)
{
	ck_assert_int_eq(access(scratch_at(&w->scratch, "argv"), F_OK), -1);
}

static bool started_with(struct world *w, const char *line)
{
	char *argv = report(w, "argv");
	bool has = has_line(argv, line);
	free(argv);
	return has;
}

static int32_t context_of(inf_session *session)
{
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(session, &info, NULL), INF_OK);
	return info.context_len;
}

START_TEST(load_that_fits_has_the_whole_context)
{
	struct world w;
	open_with_free(&w, RESERVE + 200 * MIB);
	inf_load_params params = { .parallel_slots = SLOTS };
	inf_session *session = load_rocm(&w, &params);
	ck_assert_int_eq(context_of(session), 2048);
	ck_assert(started_with(&w, "-ngl\n999"));
	ck_assert(started_with(&w, "--fit\noff"));
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(load_without_room_for_the_context_gets_the_longest_that_fits)
{
	struct world w;
	open_with_free(&w, RESERVE + 60 * MIB);
	inf_load_params params = { .parallel_slots = SLOTS };
	inf_session *session = load_rocm(&w, &params);
	int32_t context = context_of(session);
	ck_assert_int_ge(context, 512);
	ck_assert_int_lt(context, 2048);
	ck_assert_int_eq(context % 256, 0);
	inf_session_close(session, NULL);
	/* One step more is refused: it was the longest. */
	params.context_len = context + 256;
	refuse_rocm(&w, &params, INF_E_NO_VRAM, "vram_too_small");
	close_world(&w);
}
END_TEST

START_TEST(load_with_a_context_that_cannot_fit_is_refused_before_the_start)
{
	struct world w;
	open_with_free(&w, RESERVE + 60 * MIB);
	inf_load_params params = { .parallel_slots = SLOTS, .context_len = 2048 };
	refuse_rocm(&w, &params, INF_E_NO_VRAM, "vram_too_small");
	assert_not_started(&w);
	ck_assert_ptr_nonnull(strstr(w.err.message, "with 2048 tokens of context in each of 64 slots it needs 1.6 GiB"));
	ck_assert_ptr_nonnull(strstr(w.err.message, "1.5 GiB are free; at most "));
	close_world(&w);
}
END_TEST

/* A projector with a hole for its weights, of which twice as much is counted. */
START_TEST(load_without_room_for_its_projector_is_refused_before_the_start)
{
	enum { ROOM = 100, ROW = 4096, ROWS = 3392 };	/* F32: 53 MiB */
	struct world w;
	struct gguf_build b = GGUF_BUILD_INIT;
	open_with_free(&w, RESERVE + ROOM * MIB);
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "clip");
	gguf_build_text(&b, "general.type", "mmproj");
	gguf_build_tensor(&b, "v.patch_embd.weight", ROW, ROWS, 0, 0);
	gguf_build_data(&b, 0);
	const char *path = scratch_write(&w.scratch, "mmproj.gguf", b.data, b.len);
	ck_assert_int_eq(truncate(path, (off_t)(b.len + UINT64_C(4) * ROW * ROWS)), 0);
	const inf_kv options[] = { { "mmproj", path } };
	inf_load_params params = { .context_len = 256, .options = options, .option_count = 1 };
	refuse_rocm(&w, &params, INF_E_NO_VRAM, "vram_too_small");
	assert_not_started(&w);
	params.option_count = 0;
	inf_session_close(load_rocm(&w, &params), NULL);
	gguf_build_release(&b);
	close_world(&w);
}
END_TEST

START_TEST(load_without_room_for_any_layer_is_refused_unless_the_cpu_is_allowed)
{
	struct world w;
	open_with_free(&w, RESERVE);
	inf_load_params params = { 0 };
	refuse_rocm(&w, &params, INF_E_NO_VRAM, "vram_too_small");
	assert_not_started(&w);
	params.flags = INF_LOAD_FLAG_ALLOW_CPU;
	inf_session *session = load_rocm(&w, &params);
	ck_assert(started_with(&w, "-ngl\n0"));
	ck_assert(started_with(&w, "--device\nnone"));
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(load_with_the_cpu_allowed_puts_there_what_does_not_fit)
{
	struct world w;
	open_with_free(&w, RESERVE + 60 * MIB);
	inf_load_params params = { .flags = INF_LOAD_FLAG_ALLOW_CPU, .parallel_slots = SLOTS, .context_len = 2048 };
	inf_session *session = load_rocm(&w, &params);
	char *argv = report(&w, "argv");
	const char *layers = strstr(argv, "\n-ngl\n");
	ck_assert_ptr_nonnull(layers);
	ck_assert_int_ge(atoi(layers + 6), 1);
	ck_assert_int_le(atoi(layers + 6), 4);
	free(argv);
	ck_assert_int_eq(context_of(session), 2048);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(load_with_the_fit_of_another_is_not_computed_here)
{
	struct world w;
	const inf_kv none = { "fit", "none" }, server = { "fit", "server" };
	open_with_free(&w, 0);
	inf_load_params params = { .options = &none, .option_count = 1 };
	inf_session *session = load_rocm(&w, &params);
	ck_assert(started_with(&w, "--fit\noff"));
	ck_assert(started_with(&w, "-c\n2048"));
	inf_session_close(session, NULL);

	params.options = &server;
	session = load_rocm(&w, &params);
	ck_assert(started_with(&w, "--fit\non"));
	char target[64];	/* the desktop's memory is free to the runtime, so it is added to the margin */
	snprintf(target, sizeof target, "--fit-target\n%" PRIu64, 1024 + TOTAL / MIB);
	ck_assert(started_with(&w, target));
	ck_assert(!started_with(&w, "-c"));
	ck_assert(!started_with(&w, "-ngl"));
	ck_assert_int_ge(context_of(session), 512);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(load_that_one_card_cannot_hold_takes_two)
{
	static const char says[] =
		"0.00.010.000 I ggml_cuda_init: found 2 ROCm devices (Total VRAM: 49120 MiB):\n"
		"0.00.020.000 I load_tensors:        ROCm0 model buffer size =     1.00 MiB\n"
		"0.00.020.000 I load_tensors:        ROCm1 model buffer size =     1.00 MiB\n";
	struct world w;
	open_world_on(&w, "05-2x7900xtx");
	const char *cards[] = { "sys/bus/pci/devices/0000:03:00.0", "sys/bus/pci/devices/0000:09:00.0" };
	for (int i = 0; i < 2; i++) {
		size_t len;
		char name[96];
		snprintf(name, sizeof name, "%s/mem_info_vram_total", cards[i]);
		char *total = scratch_read(scratch_at(&w.scratch, name), &len);
		set_free(&w, cards[i], strtoull(total, NULL, 10), RESERVE - 512 * MIB + 100 * MIB);
		free(total);
	}
	world_says(&w, says);
	open_registry(&w, w.stand_in);
	inf_load_params params = { .parallel_slots = SLOTS, .context_len = 2048 };
	inf_session *session = load_rocm(&w, &params);
	ck_assert(started_with(&w, "--device\nROCm0,ROCm1"));
	inf_session_close(session, NULL);

	world_says(&w, "0.00.010.000 I ggml_cuda_init: found 1 ROCm devices (Total VRAM: 24560 MiB):\n"
		       "0.00.020.000 I load_tensors:        ROCm0 model buffer size =     1.00 MiB\n");
	params.context_len = 512;
	session = load_rocm(&w, &params);
	ck_assert(started_with(&w, "--device\nROCm0"));
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

struct returning {
	struct world *world;
	int reports;
};

/* The memory of a process that has ended comes back in pieces, one for each look. */
static int32_t give_back(void *user, const inf_progress *progress)
{
	struct returning *r = user;
	if (progress->stage == INF_STAGE_START && progress->fraction < 0)
		set_free(r->world, CARD, TOTAL, RESERVE - 400 * MIB + (uint64_t)++r->reports * 100 * MIB);
	return INF_CONTINUE;
}

START_TEST(load_waits_for_memory_that_comes_back_late)
{
	struct world w;
	struct returning returning = { .world = &w };
	open_with_free(&w, RESERVE - 400 * MIB);
	inf_load_params params = { .user = &returning, .on_progress = give_back };
	inf_session *session = load_rocm(&w, &params);
	ck_assert_int_ge(returning.reports, 4);
	ck_assert_int_eq(context_of(session), 2048);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(card_without_a_display_needs_less_kept_free)
{
	struct world w;
	open_world(&w);
	scratch_write(&w.scratch, CARD "drm/card0/card0-DP-1/status", "disconnected\n", 13);
	set_free(&w, CARD, TOTAL, RESERVE - 512 * MIB + 200 * MIB);
	open_registry(&w, w.stand_in);
	inf_load_params params = { .parallel_slots = SLOTS, .context_len = 2048 };
	inf_session_close(load_rocm(&w, &params), NULL);
	scratch_write(&w.scratch, CARD "drm/card0/card0-DP-1/status", "connected\n", 10);
	refuse_rocm(&w, &params, INF_E_NO_VRAM, "vram_too_small");
	close_world(&w);
}
END_TEST

struct listing {
	inf_device devices[4];
	int count;
};

static int32_t note_device(void *user, const inf_device *device)
{
	struct listing *listing = user;
	listing->devices[listing->count++] = *device;
	return INF_CONTINUE;
}

START_TEST(devices_of_a_model_show_memory_before_and_now)
{
	struct world w;
	struct listing listing = { .count = 0 };
	open_with_free(&w, 8192 * MIB);
	inf_load_params params = { 0 };
	inf_session *session = load_rocm(&w, &params);
	set_free(&w, CARD, TOTAL, 8000 * MIB);
	ck_assert_int_eq(inf_session_list_devices(session, &listing, note_device, &w.err), INF_OK);
	ck_assert_int_eq(listing.count, 1);
	ck_assert_str_eq(listing.devices[0].name, "ROCm0");
	ck_assert_str_eq(listing.devices[0].pci, "0000:03:00.0");
	ck_assert(listing.devices[0].flags & INF_DEVICE_FLAG_BEFORE);
	ck_assert_uint_eq(listing.devices[0].memory_used_before, TOTAL - 8192 * MIB);
	ck_assert_uint_eq(listing.devices[0].memory_used, TOTAL - 8000 * MIB);
	ck_assert_int_eq(inf_session_list_devices(session, NULL, NULL, &w.err), INF_E_INVALID);
	inf_session_close(session, NULL);

	inf_load_params none = { .set = INF_LOAD_SET_GPU_LAYERS };
	session = load_rocm(&w, &none);
	ck_assert_int_eq(inf_session_list_devices(session, &listing, note_device, &w.err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(w.err.reason, "on_cpu");
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

RUN_SUITE("memory", 60, load_that_fits_has_the_whole_context,
	  load_without_room_for_the_context_gets_the_longest_that_fits,
	  load_with_a_context_that_cannot_fit_is_refused_before_the_start,
	  load_without_room_for_its_projector_is_refused_before_the_start,
	  load_without_room_for_any_layer_is_refused_unless_the_cpu_is_allowed,
	  load_with_the_cpu_allowed_puts_there_what_does_not_fit, load_with_the_fit_of_another_is_not_computed_here,
	  load_that_one_card_cannot_hold_takes_two, load_waits_for_memory_that_comes_back_late, card_without_a_display_needs_less_kept_free,
	  devices_of_a_model_show_memory_before_and_now)
