/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dialog.h"
#include "input.h"
#include "modelfind.h"
#include "runview.h"

/* The chat is the first in it, so that the dialog's is ours. */
struct run {
	struct chat chat;
	struct run_choice choice;
};

enum {
	CONTEXT_MAX = 8192,		/* tokens; a longer one is paid for in memory whether it is used or not */
	CONTEXT_MIN = 2048,		/* with less a conversation is soon forgotten: rather some layers on the CPU */
	PAGE_MAX = 1 << 20,
};

/* ---- which model ---- */

static void show(const struct chat *chat, const struct text *page)
{
	if (!(chat->options.flags & OPTION_JSON) && !page->failed)
		console_draw(chat->console, text_string(page), page->len);
}

/* The only one that generates text. */
static enum exit_code choose_only(struct modelfind *models, size_t *out, struct failure *why)
{
	modelfind_choose_texts(models);
	*out = models->matches[0];
	if (models->match_count == 1)
		return EXIT_DONE;
	if (models->match_count)
		return failure_usage(why, "model_ambiguous", "there are %zu models, say which: infer run NAME", models->match_count);
	return failure_set(why, INF_E_NOT_FOUND, "model_missing", models->walk.found ? "of the models that are there none generates "
			   "text: infer models lists them, infer run FILE takes one from elsewhere" :
			   "there is no model to run: infer run FILE takes one from elsewhere");
}

static void explain(const struct chat *chat, const struct modelfind *models)
{
	struct text page = TEXT_INIT(PAGE_MAX);
	const struct terminal *terminal = &chat->console->err;
	if (models->match_count > 1)
		runview_add_choice(&page, models, terminal);
	else if (!models->match_count)
		runview_add_places(&page, models, terminal);
	show(chat, &page);
	text_release(&page);
}

static enum exit_code look_up(struct chat *chat, struct failure *why)
{
	struct engine *engine = &chat->engine;
	const char *wish = chat->options.model;
	size_t index = 0;
	struct modelfind models = {
		.walk = { .registry = engine->registry, .backend = engine->backend,
			  .progress.console = chat->options.verbosity ? NULL : chat->console },
	};
	enum exit_code code = modelfind_look(&models, why);
	bool looked = code == EXIT_DONE;
	if (looked)
		code = wish ? modelfind_choose(&models, wish, &index, why) : choose_only(&models, &index, why);
	if (code == EXIT_DONE)
		code = engine_resolve(engine, models.list.items[index].path, NULL, why);
	else if (looked)
		explain(chat, &models);
	modelfind_release(&models);
	return code;
}

static enum exit_code find_model(struct chat *chat, struct failure *why)
{
	const char *wish = chat->options.model;
	if (wish && !wish[0])
		return failure_usage(why, "empty_value", "the name of the model is empty: infer models lists those that are there");
	enum exit_code code = wish && engine_is_path(wish) ? engine_resolve(&chat->engine, wish, NULL, why) : look_up(chat, why);
	return code == EXIT_FAILED ? options_blame(&chat->options, wish, why) : code;
}

/* ---- whether it is one to talk with ---- */

/* What only a template gives a meaning to. */
static enum exit_code check_continues(const struct chat *chat, struct failure *why)
{
	const struct options *options = &chat->options;
	const char *option = options->system ? "system" : options->messages_file ? "messages" : options->tools_file ? "tools" :
			     options->images.count ? "image" : options->sounds.count ? "audio" :
			     options->gen.set & INF_GEN_SET_THINKING ? "think" : NULL;
	if (!option)
		return EXIT_DONE;
	const struct given *given = options_given(options, option);
	bool is_line = !given || !given->section;
	failure_set(why, INF_E_UNSUPPORTED, "no_chat_template", "the model has no chat template, it continues text: leave out %s%s, or "
		    "choose another model", is_line ? "--" : "this ", is_line ? option : "line");
	return is_line ? why->code : options_place(given->spec, options->config_path, given->line, why);
}

/* ---- the load ---- */

static enum exit_code load(struct chat *chat, struct run_choice *choice, struct failure *why)
{
	struct options *options = &chat->options;
	*why = (struct failure)FAILURE_INIT;
	options->load.context_len = choice->context_asked;
	return engine_load_session(&chat->engine, options, chat->console, why);
}

static bool is_too_large(enum exit_code code, const struct failure *why)
{
	return code == EXIT_FAILED && why->error.code == INF_E_NO_VRAM;
}

/* The longest context that the device holds beside all layers, as long as one can talk with it; else the CPU gets layers, and
 * the library says with how much context. What is refused for want of memory is refused before anything is started. */
static enum exit_code load_what_fits(struct chat *chat, struct run_choice *choice, struct failure *why)
{
	struct options *options = &chat->options;
	int32_t *context = &choice->context_asked;
	bool is_free = !choice->is_context_given;
	enum exit_code code = load(chat, choice, why);
	for (; is_too_large(code, why) && is_free && *context / 2 >= CONTEXT_MIN; code = load(chat, choice, why)) {
		*context /= 2;
		choice->is_context_cut = true;
	}
	if (!is_too_large(code, why) || options->load.flags & INF_LOAD_FLAG_ALLOW_CPU)
		return code;
	if (is_free) {
		*context = 0;
		choice->is_context_cut = true;
	}
	if (!(options->load.set & INF_LOAD_SET_GPU_LAYERS)) {
		options->load.flags |= INF_LOAD_FLAG_ALLOW_CPU;
		choice->shares = true;
	}
	return load(chat, choice, why);
}

/* What is available of the host's memory; UINT64_MAX = not known. */
static uint64_t host_memory(void)
{
	struct text page = TEXT_INIT(PAGE_MAX);
	uint64_t kib = UINT64_MAX >> 10;
	struct failure other = FAILURE_INIT;
	const char *at = input_file("/proc/meminfo", &page, &other) == EXIT_DONE ? strstr(text_string(&page), "MemAvailable:") : NULL;
	if (at)
		sscanf(at, "MemAvailable: %" SCNu64, &kib);
	text_release(&page);
	return kib << 10;
}

/* A backend for the CPU takes whatever it is told to. */
static bool fits_host(const struct engine *engine, int32_t context)
{
	inf_fit_report report = { .struct_size = sizeof report };
	const inf_fit_request request = {
		.struct_size = sizeof request, .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0, .context_len = context,
	};
	inf_status st = inf_registry_fit_model(engine->registry, engine->backend, engine->model_path, &request, &report, NULL);
	return st != INF_OK || engine->backend->score >= RUNVIEW_GPU_SCORE || report.host_bytes <= host_memory();
}

/* 0 leaves it to the library: with --allow-cpu layers would go to the CPU for the sake of it. */
static void choose_context(const struct chat *chat, struct run_choice *choice)
{
	const inf_load_params *load = &chat->options.load;
	int32_t train = choice->file.context_train;
	choice->is_context_given = load->context_len > 0;
	choice->context_asked = load->context_len;
	if (choice->is_context_given || load->flags & INF_LOAD_FLAG_ALLOW_CPU)
		return;
	choice->context_asked = train < CONTEXT_MAX ? train : CONTEXT_MAX;
	choice->is_context_cut = !fits_host(&chat->engine, choice->context_asked);
	if (choice->is_context_cut)
		choice->context_asked = 0;
}

/* ---- another model ---- */

/* What the model before made of the options is not what was asked for. */
static void forget(struct options *options, struct run_choice *choice)
{
	if (!choice->is_context_given)
		options->load.context_len = 0;
	if (choice->shares)
		options->load.flags &= ~INF_LOAD_FLAG_ALLOW_CPU;
	choice->shares = false;
}

static enum exit_code load_another(void *run, struct failure *why)
{
	struct run *self = run;
	enum exit_code code = engine_inspect(&self->chat.engine, &self->choice.file, why);
	if (code != EXIT_DONE)
		return code;
	forget(&self->chat.options, &self->choice);
	choose_context(&self->chat, &self->choice);
	return load_what_fits(&self->chat, &self->choice, why);
}

/* ---- the command ---- */

static enum exit_code begin(struct chat *chat, struct failure *why)
{
	struct run_choice *choice = &((struct run *)chat)->choice;
	choose_context(chat, choice);
	chat->engine.load = load_another;
	chat->engine.load_user = chat;
	enum exit_code code = load_what_fits(chat, choice, why);
	if (code != EXIT_DONE)
		return code;
	chat->continues = !(chat->engine.model.flags & INF_INFO_FLAG_CHAT);
	if (chat->continues && check_continues(chat, why) != EXIT_DONE)
		return why->code;
	runview_tell(chat, choice);
	return EXIT_DONE;
}

/* The model comes before the message: without it there is nothing to read one for. */
static enum exit_code find(struct run *self, struct failure *why)
{
	struct chat *chat = &self->chat;
	enum exit_code code = engine_find(&chat->engine, &chat->options, chat->console, why);
	if (code == EXIT_DONE)
		code = engine_select(&chat->engine, &chat->options, why);
	if (code == EXIT_DONE)
		code = find_model(chat, why);
	if (code == EXIT_DONE)
		code = engine_inspect(&chat->engine, &self->choice.file, why);
	return answer_cut_short(&chat->options, &chat->engine, chat->console, code);
}

enum exit_code cmd_run(const struct options *options, struct console *console, struct failure *why)
{
	struct run self = { .choice.file.struct_size = sizeof self.choice.file };
	chat_init(&self.chat, options, console);
	enum exit_code code = find(&self, why);
	if (code == EXIT_DONE)
		code = dialog_run(&self.chat, begin, why);
	chat_release(&self.chat);
	return code;
}
