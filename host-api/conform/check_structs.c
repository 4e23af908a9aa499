/* SPDX-License-Identifier: MIT */
/* INF-191: structs of every age, each at the end of its memory. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

enum { PATTERN = 0xa5 };

/* What is done with a struct at the end of its memory; size is what it says of itself. */
typedef inf_status call_with(struct kit_world *world, void *at);

struct subject {
	const char *name;
	call_with *call;
	size_t min, known;
	const void *sample;		/* of a request, `known` bytes */
};

/* ---- requests ---- */
static inf_status with_load_params(struct kit_world *world, void *at)
{
	inf_model *out = NULL;
	return kit_load(world, at, &out, NULL);
}

static inf_status with_gen_params(struct kit_world *world, void *at)
{
	return world->kit->backend->generate(world->model, "a b", 3, at, NULL, NULL);
}

static inf_status with_message(struct kit_world *world, void *at)
{
	struct kit_sink *sink = kit_sink_new();
	const inf_gen_params params = kit_params(world, sink, 1);
	inf_status st = kit_chat(world, sink, at, &params, NULL, NULL);
	free(sink);
	return st;
}

static bool is_refusal(inf_status st)
{
	return st == INF_E_INVALID || st == INF_E_UNSUPPORTED;
}

static inf_status give(struct kit_world *world, const struct subject *subject, size_t room, uint32_t struct_size, int tail)
{
	unsigned char *at = kit_guarded(room < 8 ? 8 : room);
	memcpy(at, subject->sample, room < subject->known ? (room < 8 ? 8 : room) : subject->known);
	memcpy(at, &struct_size, sizeof struct_size);
	if (tail)
		at[room - 1] = (unsigned char)tail;
	return subject->call(world, at);
}

static void check_request(struct kit_world *world, const struct subject *subject)
{
	struct kit *kit = world->kit;
	const uint32_t too_small[] = { 0, 4, (uint32_t)subject->min - 1 }, too_large[] = { INF_STRUCT_MAX + 1, UINT32_MAX };
	for (size_t i = 0; i < sizeof too_small / sizeof *too_small; i++) {
		inf_status st = give(world, subject, too_small[i], too_small[i], 0);
		kit_expect(kit, st == INF_E_INVALID, "%s with struct_size %u: %s", subject->name, too_small[i], kit_status(st));
	}
	for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
		inf_status st = give(world, subject, subject->known, too_large[i], 0);
		kit_expect(kit, st == INF_E_INVALID, "%s with struct_size %u: %s", subject->name, too_large[i], kit_status(st));
	}
	const size_t good[] = { subject->min, subject->known, subject->known + 8, INF_STRUCT_MAX };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		inf_status st = give(world, subject, good[i], (uint32_t)good[i], 0);
		kit_expect(kit, !is_refusal(st), "%s with struct_size %zu: %s", subject->name, good[i], kit_status(st));
	}
	inf_status st = give(world, subject, subject->known + 8, (uint32_t)subject->known + 8, 1);
	kit_expect(kit, st == INF_E_UNSUPPORTED, "%s with a byte behind what is known: %s", subject->name, kit_status(st));
}

static void check_requests(struct kit_world *world)
{
	struct kit_sink *sink = kit_sink_new();
	inf_load_params load = kit_load_params(world->kit);
	const inf_gen_params gen = kit_params(world, sink, 1);
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "a", .content_len = 1 };
	load.path = "/nonexistent/model";
	sink->stop_at_call = 1;
	const struct subject subjects[] = {
		{ "inf_load_params", with_load_params, inf_load_params_V1_0, sizeof load, &load },
		{ "inf_gen_params", with_gen_params, inf_gen_params_V1_0, sizeof gen, &gen },
		{ "inf_message", with_message, inf_message_V1_0, sizeof message, &message },
	};
	size_t count = sizeof subjects / sizeof *subjects - !(world->info.flags & INF_INFO_FLAG_CHAT);
	for (size_t i = 0; i < count; i++)
		check_request(world, &subjects[i]);
	free(sink);
}

/* ---- reports ---- */
static inf_status into_availability(struct kit_world *world, void *at)
{
	return world->kit->backend->available(world->instance, world->kit->backend, at, NULL);
}

static inf_status into_info(struct kit_world *world, void *at)
{
	return world->kit->backend->info(world->model, at, NULL);
}

static inf_status into_last_error(struct kit_world *world, void *at)
{
	return world->kit->backend->err(world->model, at);
}

static inf_status into_result(struct kit_world *world, void *at)
{
	struct kit_sink *sink = kit_sink_new();
	inf_status st = kit_say(world, sink, 1, at);
	free(sink);
	return st;
}

static inf_status into_error(struct kit_world *world, void *at)
{
	inf_model *out = NULL;
	inf_load_params params = kit_load_params(world->kit);
	params.path = "/nonexistent/model";
	kit_load(world, &params, &out, at);
	return INF_OK;
}

static bool is_pattern(const unsigned char *bytes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (bytes[i] != PATTERN)
			return false;
	return true;
}

static unsigned char *fill(struct kit_world *world, const struct subject *subject, size_t room, uint32_t struct_size)
{
	struct kit *kit = world->kit;
	unsigned char *at = kit_guarded(room);
	uint32_t after;
	memset(at, PATTERN, room);
	memcpy(at, &struct_size, sizeof struct_size);
	inf_status st = subject->call(world, at);
	memcpy(&after, at, sizeof after);
	kit_expect(kit, st == INF_OK, "%s with struct_size %u: %s", subject->name, struct_size, kit_status(st));
	kit_expect(kit, after == struct_size, "%s: struct_size %u was changed to %u", subject->name, struct_size, after);
	return at;
}

static void check_report(struct kit_world *world, const struct subject *subject)
{
	struct kit *kit = world->kit;
	const uint32_t nothing[] = { 0, 4, INF_STRUCT_MAX + 1, UINT32_MAX };
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		kit_expect(kit, is_pattern(fill(world, subject, 8, nothing[i]), 4, 8), "%s with struct_size %u was written to", subject->name,
			   nothing[i]);
	const size_t some[] = { 8, subject->min, subject->known, subject->known + 8, INF_STRUCT_MAX };
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		const unsigned char *at = fill(world, subject, some[i], (uint32_t)some[i]);
		kit_expect(kit, !is_pattern(at, 4, 8), "%s with struct_size %zu was not filled in", subject->name, some[i]);
		for (size_t j = subject->known; j < some[i]; j++)
			if (at[j]) {
				kit_fail(kit, "%s with struct_size %zu: byte %zu, which nobody knows, is not 0", subject->name, some[i], j);
				break;
			}
	}
}

static void check_reports(struct kit_world *world)
{
	static const struct subject subjects[] = {
		{ "inf_availability", into_availability, inf_availability_V1_0, sizeof(inf_availability), NULL },
		{ "inf_model_info", into_info, inf_model_info_V1_0, sizeof(inf_model_info), NULL },
		{ "inf_gen_result", into_result, inf_gen_result_V1_0, sizeof(inf_gen_result), NULL },
		{ "inf_error of load()", into_error, inf_error_V1_0, sizeof(inf_error), NULL },
		{ "inf_error of err()", into_last_error, inf_error_V1_0, sizeof(inf_error), NULL },
	};
	for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
		check_report(world, &subjects[i]);
}

void kit_inf_191(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	check_requests(&world);
	check_reports(&world);
	kit_world_close(&world);
}
