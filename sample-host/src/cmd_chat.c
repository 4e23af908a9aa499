/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <ctype.h>
#include <string.h>

#include "answer.h"
#include "attachments.h"
#include "engine.h"
#include "history.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"
#include "path.h"
#include "report.h"
#include "state.h"

struct chat {
	const struct options *options;	/* borrowed */
	struct console *console;	/* borrowed */
	struct engine engine;
	struct history history;
	struct text tools;		/* of --tools; empty = none */
	size_t kept;			/* messages that /reset leaves: the system message */
	struct attachments attachments;
	bool shown;			/* a message that was answered has them */
};

static enum exit_code add_message(struct chat *self, const char *role, const struct text *text, struct failure *why)
{
	if (!text->failed && history_add(&self->history, role, text_string(text), text->len))
		return EXIT_DONE;
	return failure_set(why, INF_E_NO_MEMORY, "history_full", "the conversation is longer than %d messages or than "
			   "memory: /reset begins a new one", HISTORY_MAX);
}

static enum exit_code begin(struct chat *self, struct failure *why)
{
	const char *system = self->options->system;
	enum exit_code code = engine_find(&self->engine, self->options, self->console, why);
	if (code == EXIT_DONE)
		code = engine_load(&self->engine, self->options, self->console, why);
	if (code != EXIT_DONE)
		return code;
	if (!(self->engine.model.flags & INF_INFO_FLAG_CHAT))
		return failure_set(why, INF_E_UNSUPPORTED, "no_chat_template", "%s has no chat template: use infer generate",
				   path_name(self->engine.model_path));
	if (system && system[0] && !history_add(&self->history, "system", system, strlen(system)))
		return failure_memory(why, "the system message");
	self->kept = self->history.count;
	return state_load(self->options, &self->engine, why);
}

static enum exit_code ask(struct chat *self, struct answer *answer, struct failure *why)
{
	if (!self->shown && self->attachments.count)
		history_attach(&self->history, self->attachments.list, self->attachments.count);
	const struct question question = {
		.messages = (const inf_message *const *)self->history.messages,
		.message_count = self->history.count,
		.tools = self->tools.len ? self->tools.data : NULL,
	};
	return answer_run(answer, &question, why);
}

/* ---- one answer ---- */

/* Of --tools and --messages. */
static enum exit_code read_files(struct chat *self, struct history *talk, struct failure *why)
{
	const struct options *options = self->options;
	struct text text = TEXT_INIT(INPUT_MAX);
	enum exit_code code = options->tools_file ? input_text(options->tools_file, &self->tools, why) : EXIT_DONE;
	bool is_text = self->tools.len && strlen(text_string(&self->tools)) == self->tools.len;
	if (code == EXIT_DONE && options->tools_file && !is_text)
		code = failure_set(why, INF_E_INVALID, "tools", "%.200s: is no JSON array of tools", options->tools_file);
	if (code == EXIT_DONE && options->messages_file)
		code = input_text(options->messages_file, &text, why);
	if (code == EXIT_DONE && options->messages_file)
		code = json_read_messages(text_string(&text), text.len, options->messages_file, talk, why);
	text_release(&text);
	return code;
}

/* The messages of the file, and a message that was given besides. */
static enum exit_code read_question(struct chat *self, struct history *talk, struct failure *why)
{
	const struct options *options = self->options;
	struct text message = TEXT_INIT(INPUT_MAX);
	bool given = !options->messages_file || options->arguments.count || options->prompt_file;
	enum exit_code code = read_files(self, talk, why);
	if (code == EXIT_DONE && given)
		code = input_prompt(options, &message, why);
	if (code == EXIT_DONE && given && !history_add(talk, "user", text_string(&message), message.len))
		code = failure_memory(why, "the message");
	text_release(&message);
	return code;
}

static enum exit_code answer_once(struct chat *self, struct failure *why)
{
	struct history talk = HISTORY_INIT;
	struct answer answer;
	answer_init(&answer, self->options, &self->engine, self->console);
	enum exit_code code = read_question(self, &talk, why);
	if (code == EXIT_DONE)
		code = begin(self, why);
	for (size_t i = 0; code == EXIT_DONE && i < talk.count; i++)
		if (!history_copy(&self->history, talk.messages[i]))
			code = failure_memory(why, "the messages");
	if (code == EXIT_DONE)
		code = ask(self, &answer, why);
	else
		code = answer_cut_short(self->options, &self->engine, self->console, code);
	answer_release(&answer);
	history_release(&talk);
	return code;
}

/* ---- a conversation ---- */

static bool is_interrupted(enum exit_code code)
{
	return code == EXIT_INTERRUPTED || code == EXIT_TERMINATED;
}

/* A user message left without an answer would be followed by another one, which many templates refuse. */
static enum exit_code remember(struct chat *self, const struct answer *answer, enum exit_code code, size_t before,
			       struct failure *why)
{
	if (code == EXIT_DONE || (is_interrupted(code) && answer->reply.len)) {
		self->shown = true;
		return add_message(self, "assistant", &answer->reply, why) == EXIT_DONE ? code : why->code;
	}
	history_cut(&self->history, before);
	return code;
}

/* Into a pipe or file, where nothing else keeps one answer from running into the next. */
static void separate(struct chat *self, const struct answer *answer)
{
	const struct text *reply = &answer->reply;
	if (!(self->options->flags & OPTION_JSON) && !self->console->out.is_tty && reply->len &&
	    reply->data[reply->len - 1] != '\n')
		console_write(self->console, "\n", 1);
}

/* EXIT_DONE when the conversation can go on. */
static enum exit_code settle(struct chat *self, enum exit_code code, const struct failure *why)
{
	if (code == EXIT_INTERRUPTED)
		interrupt_forget();
	if (code == EXIT_FAILED && !self->console->write_errno && !(why->error.flags & INF_ERR_FLAG_MODEL_DEAD)) {
		report_failure(self->console, self->options->flags, why);
		return EXIT_DONE;
	}
	return code == EXIT_INTERRUPTED ? EXIT_DONE : code;
}

static enum exit_code reply_to(struct chat *self, const struct text *message, struct failure *why)
{
	struct answer answer;
	size_t before = self->history.count;
	answer_init(&answer, self->options, &self->engine, self->console);
	enum exit_code code = add_message(self, "user", message, why);
	if (code == EXIT_DONE)
		code = ask(self, &answer, why);
	separate(self, &answer);
	code = remember(self, &answer, code, before, why);
	answer_release(&answer);
	return settle(self, code, why);
}

/* "/reset", but not "/etc/fstab: what is this?" */
static bool is_command(const char *line)
{
	size_t len = 1;
	while (isalpha((unsigned char)line[len]))
		len++;
	return line[0] == '/' && len > 1 && !line[len];
}

static enum exit_code take_line(struct chat *self, const struct text *line, bool *leave, struct failure *why)
{
	const char *text = text_string(line);
	if (!line->len)
		return EXIT_DONE;
	if (!is_command(text))
		return reply_to(self, line, why);
	*leave = !strcmp(text, "/quit");
	if (!strcmp(text, "/reset"))
		history_cut(&self->history, self->kept);
	else if (!*leave)
		console_notice(self->console, STYLE_PLAIN, "infer: unknown command %s: there are /reset and /quit", text);
	return EXIT_DONE;
}

static void show_prompt(struct chat *self)
{
	struct console *console = self->console;
	if (console->out.is_tty && !(self->options->flags & OPTION_JSON))
		console_text(console, "> ", 2, STYLE_BOLD);
	else if (console->err.is_tty)
		console_draw(console, "> ", 2);
}

static enum exit_code converse(struct chat *self, struct input *input, struct text *line, struct failure *why)
{
	bool leave = false;
	while (!leave) {
		enum exit_code code = EXIT_DONE;
		*why = (struct failure)FAILURE_INIT;
		show_prompt(self);
		enum input_event event = input_line(input, line, why);
		atomic_store(&self->console->mid_line, event == INPUT_END || event == INPUT_INTERRUPTED);
		if (event == INPUT_LINE)
			code = take_line(self, line, &leave, why);
		else if (event == INPUT_FAILED)
			report_failure(self->console, self->options->flags, why);
		else
			return interrupt_code();
		if (code != EXIT_DONE)
			return code;
	}
	return EXIT_DONE;
}

static void greet(struct chat *self)
{
	const struct engine *engine = &self->engine;
	if (!self->console->err.is_tty)
		return;
	console_notice(self->console, STYLE_DIM, "%s on %s (%s)", path_name(engine->model_path),
		       engine->backend->backend, engine->model.devices[0] ? engine->model.devices : "device not known");
	console_notice(self->console, STYLE_DIM, "/reset forgets, /quit leaves, Ctrl-C stops an answer");
}

static enum exit_code talk(struct chat *self, struct failure *why)
{
	struct input input = INPUT_INIT;
	struct text line = TEXT_INIT(INPUT_LINE_MAX);
	enum exit_code code = begin(self, why);
	if (code == EXIT_DONE) {
		greet(self);
		code = converse(self, &input, &line, why);
	} else {
		code = answer_cut_short(self->options, &self->engine, self->console, code);
	}
	text_release(&line);
	input_release(&input);
	return code;
}

enum exit_code cmd_chat(const struct options *options, struct console *console, struct failure *why)
{
	struct chat chat = {
		.options = options, .console = console, .engine = ENGINE_INIT, .history = HISTORY_INIT,
		.tools = TEXT_INIT(INPUT_MAX), .attachments = ATTACHMENTS_INIT,
	};
	bool is_once = options->messages_file || options->tools_file || !input_is_person(options);
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE)
		code = attachments_read(&chat.attachments, options, why);
	if (code == EXIT_DONE)
		code = is_once ? answer_once(&chat, why) : talk(&chat, why);
	if (code == EXIT_DONE)
		code = state_save(options, &chat.engine, why);
	if (!console_end_line(console) && code == EXIT_DONE)
		code = console_check(console, why);
	engine_close(&chat.engine, console);
	history_release(&chat.history);
	text_release(&chat.tools);
	attachments_release(&chat.attachments);
	return code;
}
