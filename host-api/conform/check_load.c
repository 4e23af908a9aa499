/* SPDX-License-Identifier: MIT */
/* INF-131 to 136: load(), info(). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failures.h"

enum { GAP_MS = 500, CANCEL_MS = 5000, LOADS_MAX = 8 };

/* ---- INF-131, INF-132 ---- */
static void expect_load(struct kit_world *world, const inf_load_params *params, inf_status wanted, const char *name,
			const char *what)
{
	inf_error err = { .struct_size = sizeof err };
	inf_model *model = NULL;
	inf_status st = kit_load(world, params, &model, &err);
	if (st == INF_OK && model)
		world->kit->backend->close(model, NULL);
	if (kit_expect(world->kit, st == wanted, "load() with %s returned %s, not %s%s%s", what, kit_status(st), kit_status(wanted),
		       st == INF_OK ? "" : ": ", st == INF_OK ? "" : err.message) && name)
		kit_expect(world->kit, kit_names(err.message, name), "load() with %s is refused without naming it: %s", what,
			   err.message);
}

static void refuse_tail(struct kit_world *world)
{
	size_t size = sizeof(inf_load_params) + 8;
	const inf_load_params params = kit_load_params(world->kit);
	inf_load_params *longer = kit_guarded(size);
	memcpy(longer, &params, sizeof params);
	longer->struct_size = (uint32_t)size;
	expect_load(world, longer, INF_OK, NULL, "8 zero bytes behind what is known");
	((unsigned char *)longer)[size - 1] = 1;
	expect_load(world, longer, INF_E_UNSUPPORTED, NULL, "a byte behind what is known");
}

void kit_inf_131(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	kit_world_close_model(&world);
	inf_load_params params = kit_load_params(kit);
	params.flags = 1u << 31;
	expect_load(&world, &params, INF_E_UNSUPPORTED, NULL, "an unknown flag");
	params = kit_load_params(kit);
	params.set = 1ull << 62;
	expect_load(&world, &params, INF_E_UNSUPPORTED, NULL, "an unknown bit in set");
	refuse_tail(&world);
	params = kit_load_params(kit);
	params.cache_mode = "no such mode";
	inf_model *model = NULL;
	inf_status st = kit_load(&world, &params, &model, NULL);
	kit_expect(kit, st == INF_E_UNSUPPORTED || st == INF_E_INVALID, "load() with cache_mode \"no such mode\" returned %s",
		   kit_status(st));
	if (st == INF_OK && model)
		kit->backend->close(model, NULL);
	kit_world_close(&world);
}

static inf_load_params with_options(struct kit *kit, inf_kv *room, const inf_kv *more, size_t count)
{
	inf_load_params params = kit_load_params(kit);
	if (kit->load_count)
		memcpy(room, kit->at_load, kit->load_count * sizeof *room);
	memcpy(room + kit->load_count, more, count * sizeof *room);
	params.options = room;
	params.option_count = kit->load_count + count;
	return params;
}

/* A value that the option takes: its default, else the first there is. */
static const char *value_of(const inf_option *option, char *room, size_t size)
{
	if (option->default_value && option->default_value[0])
		return option->default_value;
	if (option->type == INF_OPTION_BOOL)
		return "false";
	snprintf(room, size, "%s", option->values ? option->values : "");
	if (option->type == INF_OPTION_ENUM)
		room[strcspn(room, "|")] = '\0';
	else if (strstr(room, ".."))
		*strstr(room, "..") = '\0';
	return room[0] ? room : NULL;
}

static bool is_set(const struct kit *kit, const char *key)
{
	for (size_t i = 0; i < kit->load_count; i++)
		if (!strcmp(kit->at_load[i].key, key))
			return true;
	return false;
}

static void refuse_twice(struct kit_world *world)
{
	struct kit *kit = world->kit;
	const inf_options *table = kit->backend->get_extension(NULL, kit->backend, NULL, INF_EXT_OPTIONS);
	for (uint32_t i = 0; table && i < table->count; i++) {
		const inf_option *option = table->options[i];
		inf_kv room[KIT_SETTINGS_MAX + 2];
		char text[128];
		const char *value = value_of(option, text, sizeof text);
		if (!(option->where & INF_OPTION_AT_LOAD) || !value || is_set(kit, option->key))
			continue;
		const inf_kv twice[] = { { option->key, value }, { option->key, value } };
		const inf_load_params params = with_options(kit, room, twice, 2);
		expect_load(world, &params, INF_E_INVALID, option->key, option->key);
		return;
	}
	kit_note(kit, "inf.options/1 lists no option to be given twice");
}

void kit_inf_132(struct kit *kit)
{
	static const inf_kv unknown[] = { { "inf-conform-unknown", "1" } }, optional[] = { { "?inf-conform-unknown", "1" } };
	struct kit_world world;
	inf_kv room[KIT_SETTINGS_MAX + 2];
	if (!kit_world_load(&world, kit))
		return;
	kit_world_close_model(&world);
	inf_load_params params = with_options(kit, room, unknown, 1);
	expect_load(&world, &params, INF_E_UNSUPPORTED, "inf-conform-unknown", "an unknown option");
	params = with_options(kit, room, optional, 1);
	expect_load(&world, &params, INF_OK, NULL, "an unknown option that begins with '?'");
	refuse_twice(&world);
	kit_world_close(&world);
}

/* ---- INF-133 ---- */
static void expect_no_handle(struct kit_world *world, const struct kit_failure *failure, const inf_model *out)
{
	if (failure->status == INF_OK)
		kit_expect(world->kit, out, "%s is INF_OK without a model", failure->what);
	else
		kit_expect(world->kit, !out, "*out is not NULL after %s", failure->what);
}

void kit_inf_133(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_open(&world, kit))
		return;
	kit_bad_loads(&world, expect_no_handle);
	kit_world_close(&world);
}

/* ---- INF-134 ---- */
struct watch {
	int32_t stage, stop;
	float fraction;
	int calls;
	bool went_back, out_of_range, stops;
	int64_t last_ns, gap_ns;
};

static int32_t INF_CALL on_progress(void *user, const inf_progress *progress)
{
	struct watch *watch = user;
	int64_t now = kit_now_ns();
	watch->gap_ns = now - watch->last_ns > watch->gap_ns ? now - watch->last_ns : watch->gap_ns;
	watch->last_ns = now;
	watch->calls++;
	watch->went_back |= progress->stage < watch->stage || (progress->fraction >= 0 && progress->fraction < watch->fraction);
	watch->out_of_range |= progress->stage < INF_STAGE_START || !(progress->fraction <= 1);
	watch->stage = progress->stage;
	if (progress->fraction >= 0)
		watch->fraction = progress->fraction;
	return watch->stops ? watch->stop : INF_CONTINUE;
}

static inf_status watch_load(struct kit_world *world, struct watch *watch, inf_model **out)
{
	inf_load_params params = kit_load_params(world->kit);
	watch->last_ns = kit_now_ns();
	params.user = watch;
	params.on_progress = on_progress;
	inf_status st = kit_load(world, &params, out, NULL);
	int64_t rest = kit_now_ns() - watch->last_ns;
	watch->gap_ns = rest > watch->gap_ns ? rest : watch->gap_ns;
	return st;
}

static void check_rate(struct kit_world *world)
{
	int64_t best = INT64_MAX;
	for (int i = 0; i < KIT_ATTEMPTS && best > GAP_MS; i++) {
		struct watch watch = { .stage = 0 };
		inf_model *model = NULL;
		if (watch_load(world, &watch, &model) == INF_OK)
			world->kit->backend->close(model, NULL);
		best = watch.gap_ns / 1000000 < best ? watch.gap_ns / 1000000 : best;
		kit_expect(world->kit, !watch.went_back, "stage or fraction went back");
		kit_expect(world->kit, !watch.out_of_range, "stage or fraction is out of range");
	}
	kit_expect(world->kit, best <= GAP_MS, "on_progress was not asked for %lld ms", (long long)best);
}

static void check_cancel(struct kit_world *world, int32_t value)
{
	struct watch watch = { .stops = true, .stop = value };
	inf_model *model = NULL;
	int64_t begun = kit_now_ns();
	inf_status st = watch_load(world, &watch, &model);
	int64_t ms = (kit_now_ns() - begun) / 1000000;
	if (st == INF_OK && model)
		world->kit->backend->close(model, NULL);
	if (!watch.calls)
		return;
	kit_expect(world->kit, st == INF_E_CANCELLED, "on_progress returned %d, and load() %s", value, kit_status(st));
	kit_expect(world->kit, watch.calls == 1, "on_progress was asked again after it said stop");
	kit_expect(world->kit, ms <= CANCEL_MS, "a load that was stopped at once took %lld ms", (long long)ms);
}

void kit_inf_134(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	kit_world_close_model(&world);
	check_rate(&world);
	check_cancel(&world, 0);
	check_cancel(&world, 2);
	check_cancel(&world, -1);
	kit_world_close(&world);
}

/* ---- INF-135 ---- */
/* Is another device than the CPU in use? */
static bool has_device(const char *devices)
{
	char list[sizeof((inf_model_info *)NULL)->devices];
	char *rest = strcpy(list, devices);
	for (char *name; (name = strsep(&rest, ","));)
		if (name[0] && strcmp(name, "cpu"))
			return true;
	return false;
}

static void check_device(struct kit *kit, const inf_model_info *info)
{
	kit_expect(kit, info->gpu_layers, "all layers were asked for, and gpu_layers is 0 after INF_OK");
	kit_expect(kit, info->gpu_layers <= 0 || info->gpu_layers >= info->num_layers, "all layers were asked for, and gpu_layers is "
		   "%d of %d after INF_OK", info->gpu_layers, info->num_layers);
	kit_expect(kit, !info->devices[0] || has_device(info->devices), "devices are \"%s\" after INF_OK", info->devices);
	if (info->gpu_layers < 0 || !info->devices[0])
		kit_skip(kit, "info() does not know where the layers are: gpu_layers is %d, devices \"%s\"", info->gpu_layers,
			 info->devices);
}

/* With the bit, and where that is not implemented without it, which means the same. */
static void load_all_layers(struct kit_world *world)
{
	struct kit *kit = world->kit;
	inf_load_params params = kit_load_params(kit);
	inf_error err = { .struct_size = sizeof err };
	params.set = INF_LOAD_SET_GPU_LAYERS;
	params.gpu_layers = -1;
	inf_status st = kit_load(world, &params, &world->model, &err);
	if (st == INF_E_UNSUPPORTED) {
		params = kit_load_params(kit);
		st = kit_load(world, &params, &world->model, &err);
	}
	if (st != INF_OK)
		world->model = NULL;
	world->info.struct_size = sizeof world->info;
	if (st == INF_OK && kit->backend->info(world->model, &world->info, NULL) == INF_OK)
		check_device(kit, &world->info);
	else if (st == INF_E_UNAVAILABLE || st == INF_E_NO_VRAM)
		kit_note(kit, "load() fails: %s: %s", kit_status(st), err.message);
	else
		kit_skip(kit, "the model does not load: %s: %s", kit_status(st), err.message);
}

void kit_inf_135(struct kit *kit)
{
	enum { CPU_SCORES = 99 };
	struct kit_world world;
	inf_availability found = { .struct_size = sizeof found };
	if (!kit_world_open(&world, kit))
		return;
	kit->backend->available(world.instance, kit->backend, &found, NULL);
	if (found.score > 0 && found.score <= CPU_SCORES)
		kit_skip(kit, "a backend of the CPU: its score is %d", found.score);
	else
		load_all_layers(&world);
	kit_world_close(&world);
}

/* ---- INF-136 ---- */
static bool is_known_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) && kit_is_utf8(text, strlen(text)) && !strchr(text, '\n');
}

static void check_info(struct kit *kit, const inf_model_info *info)
{
	kit_expect(kit, !(info->gen_fields & ~INF_GEN_SET_KNOWN), "gen_fields has bits of no field");
	kit_expect(kit, !(info->gen_flags & ~INF_GEN_FLAG_KNOWN), "gen_flags has bits of no flag");
	kit_expect(kit, info->context_len >= 0 && info->context_train >= 0 && info->parallel_slots >= 0 && info->vocab_size >= 0 &&
		   info->num_layers >= 0 && info->hidden_size >= 0 && info->quant_bits >= 0 && info->quant_group >= 0,
		   "a number of info() is negative");
	kit_expect(kit, info->gpu_layers >= -1 && info->gpu_layers <= info->num_layers + 1, "gpu_layers is %d of %d", info->gpu_layers,
		   info->num_layers);
	kit_expect(kit, is_known_text(info->model_type, sizeof info->model_type) && is_known_text(info->name, sizeof info->name) &&
		   is_known_text(info->devices, sizeof info->devices), "a text of info() is not one line of UTF-8");
	kit_expect(kit, !(info->flags & INF_INFO_FLAG_SERIAL) || info->parallel_slots <= 1, "it is serial with %d slots",
		   info->parallel_slots);
}

static bool take_info(struct kit_world *world, inf_model_info *out)
{
	inf_error err = { .struct_size = sizeof err };
	*out = (inf_model_info){ .struct_size = sizeof *out };
	inf_status st = world->kit->backend->info(world->model, out, &err);
	return kit_expect(world->kit, st == INF_OK, "info() returned %s: %s", kit_status(st), err.message);
}

/* What was asked for is kept, or the load fails. */
static void check_asked(struct kit *kit, int32_t context_len, int32_t slots)
{
	struct kit_world world;
	inf_load_params params = kit_load_params(kit);
	inf_model_info info;
	params.context_len = context_len;
	params.parallel_slots = slots;
	if (!kit_world_open(&world, kit))
		return;
	if (kit_load(&world, &params, &world.model, NULL) == INF_OK && take_info(&world, &info)) {
		kit_expect(kit, !info.context_len || info.context_len >= context_len, "a context of %d was asked for, and info() says %d",
			   context_len, info.context_len);
		kit_expect(kit, !info.parallel_slots || info.parallel_slots == slots, "%d slots were asked for, and info() says %d",
			   slots, info.parallel_slots);
	}
	kit_world_close(&world);
}

void kit_inf_136(struct kit *kit)
{
	struct kit_world world;
	inf_availability found = { .struct_size = sizeof found };
	const inf_load_params params = kit_load_params(kit);
	inf_error err = { .struct_size = sizeof err };
	inf_model_info first, second;
	if (!kit_world_open(&world, kit))
		return;
	inf_status st = kit_load(&world, &params, &world.model, &err);
	if (st != INF_OK) {
		world.model = NULL;
		kit->backend->available(world.instance, kit->backend, &found, NULL);
		if (found.score)
			kit_fail(kit, "available() has the score %d, but load() returned %s: %s", found.score, kit_status(st),
				 err.message);
		else
			kit_skip(kit, "the backend is not available: %s", found.message);
		kit_world_close(&world);
		return;
	}
	if (take_info(&world, &first) && take_info(&world, &second)) {
		check_info(kit, &first);
		kit_expect(kit, !memcmp(&first, &second, sizeof first), "info() said something else the second time");
	}
	kit_world_close(&world);
	check_asked(kit, 128, 2);
	check_asked(kit, INT32_MAX, 1);
}
