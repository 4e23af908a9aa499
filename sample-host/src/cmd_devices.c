/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "json.h"
#include "table.h"

enum { GIB_SHIFT = 30, DEVICES_MAX = 512 };

/* What all backends said; a backend that has nothing to show says why. */
struct listing {
	struct text *out;
	const struct terminal *terminal;
	struct json_list *json;	/* NULL = text */
	const char *backend;
	size_t count;
};

static const char *kind_name(int32_t kind)
{
	static const char *const names[] = {
		[INF_DEVICE_DISCRETE] = "discrete", [INF_DEVICE_INTEGRATED] = "integrated",
		[INF_DEVICE_PARTITION] = "partition", [INF_DEVICE_CPU] = "cpu",
	};
	return kind >= INF_DEVICE_DISCRETE && kind <= INF_DEVICE_CPU ? names[kind] : "unknown";
}

/* Tenths of a GiB, without the locale. */
static void add_gib(struct text *out, uint64_t bytes)
{
	uint64_t tenths = (bytes * 10 + (UINT64_C(1) << (GIB_SHIFT - 1))) >> GIB_SHIFT;
	text_printf(out, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

static void add_memory(struct text *out, const inf_device *device)
{
	if (!(device->flags & INF_DEVICE_FLAG_TOTAL)) {
		text_puts(out, "memory not known");
		return;
	}
	if (device->flags & INF_DEVICE_FLAG_USED) {
		add_gib(out, device->memory_free);
		text_puts(out, " of ");
	}
	add_gib(out, device->memory_total);
	text_printf(out, " GiB%s (%s)", device->flags & INF_DEVICE_FLAG_USED ? " free" : "", device->memory_source);
}

static void add_device(struct listing *listing, const inf_device *device)
{
	struct text *out = listing->out;
	text_printf(out, "%s %s %" PRId32 "  %s", device->flags & INF_DEVICE_FLAG_SELECTED ? "*" : " ", listing->backend,
		    device->index, device->product);
	if (device->gfx[0])
		text_printf(out, "  %s", device->gfx);
	text_printf(out, "  %s  %s  ", device->pci[0] ? device->pci : "-", kind_name(device->kind));
	add_memory(out, device);
	text_printf(out, "\n      %s", device->uuid[0] ? device->uuid : "no UUID");
	if (device->name[0])
		text_printf(out, ", %s", device->name);
	text_printf(out, ": %s\n", device->message);
}

static int32_t on_device(void *user, const inf_device *device)
{
	struct listing *listing = user;
	if (listing->json)
		json_list_device(listing->json, listing->backend, kind_name(device->kind), device);
	else
		add_device(listing, device);
	return ++listing->count < DEVICES_MAX ? INF_CONTINUE : 0;
}

static void ask(struct listing *listing, const inf_registry *registry, const inf_candidate *candidate)
{
	inf_error err = { .struct_size = sizeof err };
	listing->backend = candidate->backend;
	inf_status st = inf_registry_list_devices(registry, candidate, listing, on_device, &err);
	if (st == INF_OK || st == INF_E_UNSUPPORTED || listing->json)
		return;
	struct text line = TEXT_INIT(TEXT_LINE_MAX);
	text_printf(&line, "%s: %s [%s]", candidate->backend, err.message, err.reason);
	table_add_indented(listing->out, text_string(&line), 2, listing->terminal);
	listing->out->failed |= line.failed;
	text_release(&line);
}

static enum exit_code list(const struct engine *engine, const struct options *options, struct console *console,
			   struct failure *why)
{
	struct text *out = &console->scratch;
	struct json_list *json = options->flags & OPTION_JSON ? json_list_new() : NULL;
	struct listing listing = { .out = out, .terminal = &console->out, .json = json };
	const inf_candidate *named;
	text_reset(out);
	if (options->flags & OPTION_JSON && !json)
		return failure_memory(why, "the list of devices");
	if (options->backend && inf_registry_select(engine->registry, options->backend, &named, &why->error) == INF_E_NOT_FOUND) {
		json_list_free(json);
		return failure_as(why, EXIT_NO_BACKEND);
	}
	for (size_t i = 0; i < inf_registry_count(engine->registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(engine->registry, i);
		bool wanted = !options->backend || strcmp(options->backend, candidate->backend) == 0;
		if (wanted && (candidate->state == INF_STATE_AVAILABLE || candidate->state == INF_STATE_UNAVAILABLE))
			ask(&listing, engine->registry, candidate);
	}
	if (json)
		json_list_finish(json, "devices", out);
	else if (!listing.count)
		text_puts(out, "No GPU was found that a backend could use.\n");
	if (out->failed)
		return failure_memory(why, "the list of devices");
	console_write(console, text_string(out), out->len);
	return console_check(console, why) == EXIT_DONE ? EXIT_DONE : why->code;
}

enum exit_code cmd_devices(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = list(&engine, options, console, why);
	engine_close(&engine, console);
	return code;
}
