/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <errno.h>
#include <time.h>

#include "interrupt.h"
#include "json.h"

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void answer_init(struct answer *self, const struct options *options, const struct engine *engine,
		 struct console *console)
{
	*self = (struct answer){
		.options = options,
		.engine = engine,
		.console = console,
		.reply = TEXT_INIT(ANSWER_MAX),
	};
}

void answer_release(struct answer *self)
{
	text_release(&self->reply);
}

/* ---- tokens ---- */

static bool print_line(struct console *console, const struct text *line)
{
	if (line->failed)
		console->write_errno = ENOMEM;
	return console_write(console, text_string(line), line->len);
}

static bool show_json(struct answer *self, const inf_token *token)
{
	struct text *line = &self->console->scratch;
	text_reset(line);
	json_add_token(line, token);
	return print_line(self->console, line);
}

/* On a line of its own. */
static bool show_call(struct answer *self, const inf_token *token)
{
	struct console *console = self->console;
	bool mid_line = self->mid_line;
	self->is_reasoning = self->mid_line = false;
	return (!mid_line || console_text(console, "\n", 1, STYLE_PLAIN)) &&
	       console_text(console, token->text, token->text_len, STYLE_PLAIN) &&
	       console_text(console, "\n", 1, STYLE_PLAIN);
}

static bool show_text(struct answer *self, const inf_token *token)
{
	if (token->flags & INF_TOKEN_FLAG_TOOL_CALL)
		return show_call(self, token);
	bool is_reasoning = token->flags & INF_TOKEN_FLAG_REASONING, was_reasoning = self->is_reasoning;
	if (is_reasoning && !self->console->out.is_tty)
		return true;
	self->is_reasoning = is_reasoning;
	if (was_reasoning && !is_reasoning && !console_text(self->console, "\n\n", 2, STYLE_PLAIN))
		return false;
	if (token->text_len)
		self->mid_line = token->text[token->text_len - 1] != '\n';
	return console_text(self->console, token->text, token->text_len, is_reasoning ? STYLE_DIM : STYLE_PLAIN);
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct answer *self = user;
	if (!self->first_ns)
		self->first_ns = now_ns();
	if (!(token->flags & (INF_TOKEN_FLAG_REASONING | INF_TOKEN_FLAG_TOOL_CALL)))
		text_add(&self->reply, token->text, token->text_len);
	bool shown = self->options->flags & OPTION_JSON ? show_json(self, token) : show_text(self, token);
	return shown ? INF_CONTINUE : 0;
}

/* For a signal that came before the call was in flight; the handler's own cancel would have missed it. */
static int32_t INF_CALL on_poll(void *user)
{
	(void)user;
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

/* ---- the call ---- */

static bool is_shown_media(const struct question *question)
{
	for (size_t i = 0; i < question->message_count; i++)
		if (question->messages[i]->media_count)
			return true;
	return false;
}

void answer_choose_thinking(inf_gen_params *params, const inf_model_info *model)
{
	if (!(model->flags & INF_INFO_FLAG_THINKING) || params->set & INF_GEN_SET_THINKING || params->stop_token_count ||
	    params->min_tokens || params->grammar)
		return;
	params->set |= INF_GEN_SET_THINKING;
	params->thinking = 1;
}

inf_gen_params answer_params(const struct options *options, const struct engine *engine, const struct question *question)
{
	inf_gen_params params = options->gen;
	params.options = engine->settings.request;
	params.option_count = engine->settings.request_count;
	params.tools = question->tools;
	if (!params.max_tokens)
		params.max_tokens = question->max_tokens;
	if (question->messages && !is_shown_media(question))
		answer_choose_thinking(&params, &engine->model);
	return params;
}

static inf_status call(struct answer *self, const struct question *question, inf_gen_result *result, inf_error *err)
{
	const struct engine *engine = self->engine;
	inf_gen_params params = answer_params(self->options, engine, question);
	inf_status st;
	params.user = self;
	params.on_token = on_token;
	params.on_poll = on_poll;
	self->begun_ns = now_ns();
	interrupt_watch(engine->session);
	if (question->messages)
		st = inf_session_chat(engine->session, question->messages, question->message_count, &params, result, err);
	else
		st = inf_session_generate(engine->session, question->prompt, question->prompt_len, &params, result, err);
	interrupt_watch(NULL);
	return st;
}

static void end_json(struct console *console, const struct outcome *outcome)
{
	text_reset(&console->scratch);
	json_add_outcome(&console->scratch, outcome);
	print_line(console, &console->scratch);
}

/* After Ctrl-C there is a ^C on the terminal. */
static void end_line(struct console *console, enum exit_code interrupted)
{
	if (interrupted && console->out.is_tty)
		atomic_store(&console->mid_line, true);
	console_end_line(console);
}

static void sum_up(struct answer *self, const struct outcome *outcome)
{
	if (self->options->flags & OPTION_JSON)
		end_json(self->console, outcome);
	if (self->options->flags & OPTION_STATS)
		outcome_print(outcome, self->engine->session, &self->engine->model, self->engine->model_path, self->console);
}

enum exit_code answer_run(struct answer *self, const struct question *question, struct failure *why)
{
	struct outcome *outcome = &self->outcome;
	*outcome = (struct outcome){
		.result.struct_size = sizeof outcome->result,
		.backend = self->engine->backend->backend,
		.model = &self->engine->model,
	};
	inf_status st = call(self, question, &outcome->result, &why->error);
	enum exit_code interrupted = st == INF_E_CANCELLED ? interrupt_code() : EXIT_DONE;
	if (self->first_ns)
		outcome->first_token_ns = self->first_ns - self->begun_ns;
	outcome->finish = inf_finish_name(interrupted ? INF_FINISH_CANCELLED : outcome->result.finish);
	end_line(self->console, interrupted);
	if (st != INF_OK && !interrupted && !self->console->write_errno)
		return failure_as(why, EXIT_FAILED);
	sum_up(self, outcome);
	return console_check(self->console, why) == EXIT_DONE ? interrupted : why->code;
}

enum exit_code answer_cut_short(const struct options *options, const struct engine *engine, struct console *console,
				enum exit_code code)
{
	const struct outcome outcome = {
		.finish = inf_finish_name(INF_FINISH_CANCELLED),
		.backend = engine->backend ? engine->backend->backend : "",
	};
	if (options->flags & OPTION_JSON && (code == EXIT_INTERRUPTED || code == EXIT_TERMINATED))
		end_json(console, &outcome);
	return code;
}
