/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "answer.h"
#include "engine.h"
#include "input.h"
#include "state.h"

static enum exit_code answer(const struct options *options, const struct engine *engine, const struct text *prompt,
			     struct console *console, struct failure *why)
{
	const struct question question = { .prompt = text_string(prompt), .prompt_len = prompt->len };
	struct answer answer;
	answer_init(&answer, options, engine, console);
	enum exit_code code = answer_run(&answer, &question, why);
	if (code == EXIT_DONE)
		code = state_save(options, engine, why);
	answer_release(&answer);
	return code;
}

enum exit_code cmd_generate(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct text prompt = TEXT_INIT(INPUT_MAX);
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE)
		code = input_prompt(options, &prompt, why);
	if (code == EXIT_DONE)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = state_load(options, &engine, why);
	if (code == EXIT_DONE)
		code = answer(options, &engine, &prompt, console, why);
	else
		code = answer_cut_short(options, &engine, console, code);
	engine_close(&engine, console);
	text_release(&prompt);
	return code;
}
