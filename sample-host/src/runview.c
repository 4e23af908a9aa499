/* SPDX-License-Identifier: MIT */
#include "runview.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "modelview.h"
#include "path.h"
#include "table.h"

enum {
	CHOICE_MAX = 20,	/* models that are listed */
	SENTENCE_MAX = 16 << 10,
};

/* ---- which model ---- */

static void add_model(struct text *out, const char *path, const inf_model_file *file)
{
	char size[MODELVIEW_NUMBER_MAX];
	const char *name = path_name(path);
	text_puts(out, name);
	modelview_size(file->file_bytes, size);
	if (file->file_bytes)
		text_printf(out, " (%s%s%s)", file->quantisation, file->quantisation[0] ? ", " : "", size);
	if (file->repository[0]) {
		text_printf(out, " of %s", file->repository);
	} else {
		text_puts(out, " in ");
		modelview_add_path(out, path, name - path > 1 ? (size_t)(name - path) - 1 : 1);
	}
}

/* ---- where it runs ---- */

static bool is_cpu(const inf_model_info *model)
{
	return !strcasecmp(model->devices, "cpu");
}

struct products {
	struct text *out;
	size_t count;
};

static int32_t add_product(void *user, const inf_device *device)
{
	struct products *self = user;
	text_printf(self->out, "%s%s", self->count++ ? " and " : "", device->product[0] ? device->product : device->name);
	return INF_CONTINUE;
}

static void add_devices(struct text *out, const struct engine *engine)
{
	struct products products = { .out = out };
	const char *devices = engine->model.devices;
	inf_session_list_devices(engine->session, &products, add_product, NULL);
	if (products.count)
		return;
	text_puts(out, is_cpu(&engine->model) ? "the CPU" : devices[0] ? devices : "a device that is not known");
}

static bool has_unusable(const inf_registry *registry)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		int32_t state = inf_registry_candidate(registry, i)->state;
		if (state != INF_STATE_AVAILABLE && state != INF_STATE_SHADOWED)
			return true;
	}
	return false;
}

/* An option, or the line of the file that stands for it. */
static void add_source(struct text *out, const struct options *options, const char *name, const char *option)
{
	const struct given *given = options_given(options, name);
	if (given && given->section)
		text_printf(out, "line %" PRIu32 " of %s", given->line, path_name(options->config_path));
	else
		text_puts(out, option);
}

static void add_said(struct text *out, const struct options *options, const char *name, const char *option)
{
	text_puts(out, "as ");
	add_source(out, options, name, option);
	text_puts(out, " says");
}

/* Of a backend that has a GPU. */
static void add_reason_of_cpu(struct text *out, const struct options *options, const struct run_choice *choice)
{
	if (options->load.set & INF_LOAD_SET_GPU_LAYERS) {
		add_said(out, options, "gpu-layers", "--gpu-layers");
	} else if (choice->shares) {
		text_puts(out, "since the GPU's memory does not hold the model");
	} else {
		text_puts(out, "as ");
		add_source(out, options, "allow-cpu", "--allow-cpu");
		text_puts(out, " lets it");
	}
}

static void add_reason(struct text *out, const struct engine *engine, const struct options *options,
		       const struct run_choice *choice)
{
	const char *wanted = getenv("INF_BACKEND");
	if (engine->backend->score >= RUNVIEW_GPU_SCORE && is_cpu(&engine->model))
		add_reason_of_cpu(out, options, choice);
	else if (options->backend && options->backend[0])
		add_said(out, options, "backend", "--backend");
	else if (wanted && wanted[0])
		text_puts(out, "as INF_BACKEND says");
	else if (engine->backend->score >= RUNVIEW_GPU_SCORE)
		text_puts(out, "the first in rank of what can be used here");
	else
		text_puts(out, has_unusable(engine->registry) ? "since no GPU can be used here (infer backends says why)" :
								"the only backend that is here");
}

static void add_layers(struct text *out, const inf_model_info *model, bool shares)
{
	bool is_part = model->gpu_layers > 0 && model->gpu_layers <= model->num_layers;
	if (is_part)
		text_printf(out, "; %" PRId32 " of %" PRId32 " layers there, the rest on the CPU", model->gpu_layers,
			    model->num_layers + 1);
	else if (shares && !is_cpu(model))
		text_puts(out, "; as many layers there as its memory holds, the rest on the CPU");
}

/* ---- with how much context ---- */

static void add_context(struct text *out, const inf_model_info *model, const struct options *options,
			const struct run_choice *choice)
{
	if (!model->context_len)
		return;
	text_printf(out, "; context %" PRId32, model->context_len);
	if (model->context_train > model->context_len)
		text_printf(out, " of %" PRId32, model->context_train);
	text_puts(out, " tokens");
	if (choice->is_context_given) {
		text_puts(out, ", ");
		add_said(out, options, "context", "-c");
	} else if (model->context_train && model->context_train <= model->context_len) {
		text_puts(out, ", all that the model was trained for");
	} else {
		text_puts(out, choice->is_context_cut ? ", more may not fit into memory" : ", -c N takes more");
	}
}

void runview_tell(const struct chat *chat, const struct run_choice *choice)
{
	const struct engine *engine = &chat->engine;
	const struct terminal *terminal = &chat->console->err;
	struct text line = TEXT_INIT(SENTENCE_MAX), visible = TEXT_INIT(SENTENCE_MAX), page = TEXT_INIT(SENTENCE_MAX);
	add_model(&line, engine->model_path, &choice->file);
	text_printf(&line, ": %s on ", engine->backend->backend);
	add_devices(&line, engine);
	text_puts(&line, ", ");
	add_reason(&line, engine, &chat->options, choice);
	add_layers(&line, &engine->model, choice->shares);
	add_context(&line, &engine->model, &chat->options, choice);
	if (chat->continues)
		text_printf(&line, "; it has no chat template, so it continues text instead of answering, %" PRId32 " tokens at a time",
			    chat_limit(chat));
	terminal_add_visible(&visible, text_string(&line), line.len, "");
	text_puts(&page, terminal_style(terminal, STYLE_DIM));
	table_add_wrapped(&page, text_string(&visible), 0, terminal->is_tty ? terminal_columns(terminal) : SIZE_MAX);
	text_puts(&page, terminal_plain(terminal, STYLE_DIM));
	if (!line.failed && !visible.failed && !page.failed)
		console_draw(chat->console, text_string(&page), page.len);
	text_release(&page);
	text_release(&visible);
	text_release(&line);
}

/* ---- what is left to the user ---- */

static void add_row(struct text *out, const struct terminal *terminal, const char *size, const char *quantisation, const char *kind,
		    const char *what)
{
	text_printf(out, "%10s  %-8s  %-9s  %s%s%s\n", size, quantisation, kind, terminal_style(terminal, STYLE_BOLD), what,
		    terminal_plain(terminal, STYLE_BOLD));
}

void runview_add_choice(struct text *out, const struct modelfind *models, const struct terminal *terminal)
{
	struct text what = TEXT_INIT(SENTENCE_MAX), command = TEXT_INIT(SENTENCE_MAX);
	char size[MODELVIEW_NUMBER_MAX];
	add_row(out, terminal, "SIZE", "QUANT", "KIND", "TYPE");
	for (size_t i = 0; i < models->match_count && i < CHOICE_MAX; i++) {
		const inf_model_file *file = &models->list.items[models->matches[i]];
		text_reset(&what);
		text_reset(&command);
		modelview_size(file->file_bytes, size);
		modelpick_add_handle(&what, &models->list, models->matches[i]);
		text_puts(&command, "infer run ");
		terminal_add_visible(&command, text_string(&what), what.len, "");
		add_row(out, terminal, file->code == INF_OK ? size : "-", file->quantisation[0] ? file->quantisation : "-",
			file->code == INF_OK ? modelview_kind(file) : "broken", text_string(&command));
	}
	if (models->match_count > CHOICE_MAX)
		text_printf(out, "and %zu more: infer models lists all\n", models->match_count - CHOICE_MAX);
	out->failed |= what.failed || command.failed;
	text_release(&command);
	text_release(&what);
}

void runview_add_places(struct text *out, const struct modelfind *models, const struct terminal *terminal)
{
	const struct text *searched = &models->walk.searched;
	if (!models->walk.found) {
		modelview_add_nothing(out, searched, terminal);
		return;
	}
	struct text sentence = TEXT_INIT(TEXT_LINE_MAX);
	text_printf(&sentence, "Searched: %s. To add a model put its file *.gguf there, or name its directory in INF_MODELS; "
		    "\"hf download OWNER/REPOSITORY FILE.gguf\" fetches one into Hugging Face's cache.", text_string(searched));
	table_add_sentence(out, text_string(&sentence), terminal);
	out->failed |= sentence.failed;
	text_release(&sentence);
}
