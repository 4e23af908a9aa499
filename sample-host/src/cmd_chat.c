/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "dialog.h"
#include "path.h"

static enum exit_code load(struct chat *chat, struct failure *why)
{
	struct engine *engine = &chat->engine;
	enum exit_code code = engine_find(engine, &chat->options, chat->console, why);
	if (code == EXIT_DONE)
		code = engine_load(engine, &chat->options, chat->console, why);
	if (code != EXIT_DONE)
		return code;
	if (!(engine->model.flags & INF_INFO_FLAG_CHAT))
		return failure_set(why, INF_E_UNSUPPORTED, "no_chat_template", "%s has no chat template: use infer generate, or "
				   "infer run", path_name(engine->model_path));
	if (chat->console->err.is_tty && !chat->is_once)
		console_notice(chat->console, STYLE_DIM, "%s on %s (%s)", path_name(engine->model_path), engine->backend->backend,
			       engine->model.devices[0] ? engine->model.devices : "device not known");
	return EXIT_DONE;
}

enum exit_code cmd_chat(const struct options *options, struct console *console, struct failure *why)
{
	struct chat chat;
	enum exit_code code = engine_require_model(options, why);
	if (code != EXIT_DONE)
		return code;
	chat_init(&chat, options, console);
	code = dialog_run(&chat, load, why);
	chat_release(&chat);
	return code;
}
