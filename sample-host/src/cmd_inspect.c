/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "fitview.h"
#include "json.h"
#include "modelview.h"
#include "table.h"

enum { DEVICES_MAX = 64, PAGE_MAX = 1 << 20 };

struct devices {
	const char *backend;		/* whose are being listed */
	struct fit_device items[DEVICES_MAX];
	size_t count;
};

/* ---- which devices ---- */

static int32_t on_device(void *user, const inf_device *device)
{
	struct devices *self = user;
	bool is_known = device->flags & INF_DEVICE_FLAG_USED;
	if (!is_known && !(device->flags & INF_DEVICE_FLAG_TOTAL))
		return INF_CONTINUE;
	struct fit_device *to = &self->items[self->count++];
	*to = (struct fit_device){
		.backend = self->backend, .index = device->index, .kind = device->kind,
		.memory_free = is_known ? device->memory_free : device->memory_total, .is_total = !is_known,
	};
	snprintf(to->name, sizeof to->name, "%s", device->product[0] ? device->product : device->name);
	return self->count < DEVICES_MAX ? INF_CONTINUE : 0;
}

static void find_devices(struct devices *self, const inf_registry *registry, const struct options *options)
{
	for (size_t i = 0; i < inf_registry_count(registry) && self->count < DEVICES_MAX; i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		if (options->backend && strcmp(options->backend, candidate->backend))
			continue;
		if (candidate->state != INF_STATE_AVAILABLE && candidate->state != INF_STATE_UNAVAILABLE)
			continue;
		self->backend = candidate->backend;
		inf_registry_list_devices(registry, candidate, self, on_device, NULL);
	}
}

static void choose_devices(struct devices *self, const inf_registry *registry, const struct options *options)
{
	if (!options->memory_count)
		find_devices(self, registry, options);
	for (; self->count < options->memory_count && self->count < DEVICES_MAX; self->count++)
		self->items[self->count] = (struct fit_device){
			.backend = "", .kind = INF_DEVICE_DISCRETE, .memory_free = options->memories[self->count],
		};
}

/* ---- the answer ---- */

static enum exit_code add_fits(struct text *out, struct json_list *json, const struct engine *engine,
			       const struct options *options, const inf_model_file *file, const struct terminal *terminal,
			       struct failure *why)
{
	struct devices devices = { .count = 0 };
	enum exit_code code = EXIT_DONE;
	choose_devices(&devices, engine->registry, options);
	for (size_t i = 0; code == EXIT_DONE && i < devices.count; i++) {
		struct fit fit = { .device = devices.items[i] };
		code = fit_compute(&fit, engine->registry, engine->model_path, file, why);
		if (code == EXIT_DONE && json) {
			json_list_fit(json, &fit);
		} else if (code == EXIT_DONE) {
			text_puts(out, "\n");
			fitview_add(out, &fit, terminal);
		}
	}
	if (code == EXIT_DONE && !devices.count && !json)
		text_puts(out, "\nNo GPU was found that a backend could use: --vram 16G says what a card would hold.\n");
	return code;
}

static enum exit_code describe(struct text *out, const struct engine *engine, const struct options *options,
			       const inf_model_file *file, const struct terminal *terminal, struct failure *why)
{
	bool as_json = options->flags & OPTION_JSON, fits = options->flags & OPTION_FIT;
	struct json_list *json = as_json && fits ? json_list_new() : NULL;
	enum exit_code code = EXIT_DONE;
	if (as_json && fits && !json)
		return failure_memory(why, "the description");
	if (!as_json)
		modelview_add_page(out, file, engine->model_path, terminal);
	if (fits)
		code = add_fits(out, json, engine, options, file, terminal, why);
	if (code == EXIT_DONE && as_json) {
		json_add_inspection(out, file, engine->model_path, json);
		json = NULL;
	}
	json_list_free(json);
	return code;
}

static enum exit_code inspect(const struct engine *engine, const struct options *options, struct console *console,
			      struct failure *why)
{
	struct text out = TEXT_INIT(PAGE_MAX);
	inf_model_file file = { .struct_size = sizeof file };
	if (inf_registry_inspect_model(engine->registry, NULL, engine->model_path, &file, &why->error) != INF_OK)
		return failure_as(why, EXIT_FAILED);
	enum exit_code code = describe(&out, engine, options, &file, &console->out, why);
	if (code == EXIT_DONE && out.failed)
		code = failure_memory(why, "the description");
	if (code == EXIT_DONE) {
		console_write(console, text_string(&out), out.len);
		code = console_check(console, why);
	}
	text_release(&out);
	return code;
}

enum exit_code cmd_inspect(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	const struct words *arguments = &options->arguments;
	if (arguments->count != 1 || !arguments->items[0][0])
		return failure_usage(why, "no_model", "infer inspect takes one model: a file, or a name of infer models");
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_resolve(&engine, arguments->items[0], options->verbosity ? NULL : console, why);
	if (code == EXIT_DONE)
		code = inspect(&engine, options, console, why);
	engine_close(&engine, console);
	return code;
}
