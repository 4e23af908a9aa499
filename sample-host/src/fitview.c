/* SPDX-License-Identifier: MIT */
#include "fitview.h"

#include <inttypes.h>

#include "modelview.h"

static bool has_row(const inf_fit_report *report)
{
	return report->gpu_layers > 0;
}

static enum exit_code ask(const inf_registry *registry, const char *path, const inf_fit_request *request,
			  inf_fit_report *out, struct failure *why)
{
	out->struct_size = sizeof *out;
	if (inf_registry_fit_model(registry, NULL, path, request, out, &why->error) != INF_OK)
		return failure_as(why, EXIT_FAILED);
	return EXIT_DONE;
}

/* Not a failure: maybe nothing fits with all layers. */
static int32_t longest_context(const struct fit *self, const inf_registry *registry, const char *path, int32_t last)
{
	inf_fit_report report = { .struct_size = sizeof report };
	const inf_fit_request request = {
		.struct_size = sizeof request, .flags = INF_FIT_FLAG_SHORTER, .set = INF_LOAD_SET_GPU_LAYERS,
		.memory_free = self->device.memory_free, .device_kind = self->device.kind, .context_len = last,
		.gpu_layers = -1,
	};
	if (inf_registry_fit_model(registry, NULL, path, &request, &report, NULL) != INF_OK)
		return 0;
	return report.context_len;
}

enum exit_code fit_compute(struct fit *self, const inf_registry *registry, const char *path,
			   const inf_model_file *model, struct failure *why)
{
	int64_t last = model->context_train > 0 ? model->context_train : FITVIEW_CONTEXT_UNKNOWN;
	int64_t context = last < FITVIEW_CONTEXT_FIRST ? last : FITVIEW_CONTEXT_FIRST;
	self->row_count = 0;
	while (self->row_count < FITVIEW_ROWS_MAX) {
		const inf_fit_request request = {
			.struct_size = sizeof request, .memory_free = self->device.memory_free,
			.device_kind = self->device.kind, .context_len = (int32_t)context,
		};
		if (ask(registry, path, &request, &self->rows[self->row_count], why) != EXIT_DONE)
			return why->code;
		self->row_count++;
		if (context == last)
			break;
		context = 2 * context < last ? 2 * context : last;
	}
	self->longest = longest_context(self, registry, path, (int32_t)last);
	return EXIT_DONE;
}

/* ---- as text ---- */

static void add_head(struct text *out, const struct fit_device *device, const struct terminal *terminal)
{
	char size[MODELVIEW_NUMBER_MAX];
	modelview_size(device->memory_free, size);
	text_printf(out, "%s%s%s", terminal_style(terminal, STYLE_BOLD), size, device->is_total ? "" : " free");
	if (device->backend[0]) {
		text_puts(out, " on ");
		terminal_add_visible(out, device->name, strlen(device->name), "");
		text_printf(out, " (%s %" PRId32 ")", device->backend, device->index);
	}
	text_printf(out, "%s%s\n", terminal_plain(terminal, STYLE_BOLD),
		    device->is_total ? ", of which it is not known how much is free" : "");
}

static void add_row(struct text *out, const inf_fit_report *report, const struct terminal *terminal)
{
	const uint64_t sizes[] = { report->weights, report->kv_cache, report->compute, report->reserve, report->total };
	bool fits = report->limit == INF_FIT_LIMIT_NONE;
	char size[MODELVIEW_NUMBER_MAX], layers[32];
	enum style style = fits ? STYLE_GREEN : has_row(report) ? STYLE_YELLOW : STYLE_RED;
	snprintf(layers, sizeof layers, "%" PRId32 "/%" PRId32, report->gpu_layers, report->layer_count);
	text_printf(out, "  %8" PRId32 "  %7s", report->context_len, layers);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		modelview_size(sizes[i], size);
		text_printf(out, "  %8s", has_row(report) ? size : "-");
	}
	text_printf(out, "  %s%s%s\n", terminal_style(terminal, style), fits ? "fits" : has_row(report) ? "in part" : "no",
		    terminal_plain(terminal, style));
}

void fitview_add(struct text *out, const struct fit *fit, const struct terminal *terminal)
{
	add_head(out, &fit->device, terminal);
	text_printf(out, "  %s CONTEXT   LAYERS   WEIGHTS  KV CACHE   COMPUTE   RESERVE     TOTAL%s\n",
		    terminal_style(terminal, STYLE_BOLD), terminal_plain(terminal, STYLE_BOLD));
	for (size_t i = 0; i < fit->row_count; i++)
		add_row(out, &fit->rows[i], terminal);
	if (fit->longest)
		text_printf(out, "  All layers fit with up to %" PRId32 " tokens of context.\n", fit->longest);
	else
		text_puts(out, "  Not all layers fit, with whatever context: the CPU gets the rest.\n");
}
