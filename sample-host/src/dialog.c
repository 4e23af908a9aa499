/* SPDX-License-Identifier: MIT */
#include "dialog.h"

#include <string.h>

#include "chatcommand.h"
#include "compose.h"
#include "editor.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"
#include "recall.h"
#include "report.h"
#include "state.h"

/* ---- one answer ---- */

/* Of --tools and --messages. */
static enum exit_code read_files(struct chat *self, struct history *talk, struct failure *why)
{
	const struct options *options = &self->options;
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
	const struct options *options = &self->options;
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

static enum exit_code begin(struct chat *self, dialog_load_fn *load, struct failure *why)
{
	enum exit_code code = load(self, why);
	return code == EXIT_DONE ? chat_begin(self, why) : code;
}

static enum exit_code answer_once(struct chat *self, dialog_load_fn *load, struct failure *why)
{
	struct history talk = HISTORY_INIT;
	struct answer answer;
	answer_init(&answer, &self->options, &self->engine, self->console);
	enum exit_code code = read_question(self, &talk, why);
	if (code == EXIT_DONE)
		code = begin(self, load, why);
	for (size_t i = 0; code == EXIT_DONE && i < talk.count; i++)
		if (!history_copy(&self->history, talk.messages[i]))
			code = failure_memory(why, "the messages");
	if (code == EXIT_DONE)
		code = chat_ask(self, &answer, why);
	else
		code = answer_cut_short(&self->options, &self->engine, self->console, code);
	answer_release(&answer);
	history_release(&talk);
	return code;
}

/* ---- a conversation ---- */

/* Where the lines come from: an editor where there can be one, else the terminal as it is. */
struct source {
	struct editor *editor;		/* NULL = plain */
	struct input input;
	struct recall recall;
	struct compose compose;
	struct text line;
};

static void remember_line(void *editor, const char *line)
{
	editor_remember(editor, line);
}

/* With --json, standard output has nothing but JSON. */
static const struct terminal *drawn_on(const struct chat *self)
{
	const struct console *console = self->console;
	return console->out.is_tty && !(self->options.flags & OPTION_JSON) ? &console->out : &console->err;
}

static void open_source(struct source *self, struct chat *chat)
{
	*self = (struct source){ .input = INPUT_INIT, .recall = RECALL_INIT, .compose = COMPOSE_INIT(INPUT_LINE_MAX),
				 .line = TEXT_INIT(INPUT_LINE_MAX) };
	self->editor = editor_open(drawn_on(chat), chatcommand_complete, chat);
	if (self->editor && !(chat->options.flags & OPTION_FORGETS))
		recall_open(&self->recall, remember_line, self->editor);
}

static void close_source(struct source *self)
{
	editor_close(self->editor);
	input_release(&self->input);
	recall_release(&self->recall);
	compose_release(&self->compose);
	text_release(&self->line);
}

static void draw(struct chat *self, const char *text, enum style style)
{
	const struct terminal *terminal = drawn_on(self);
	if (terminal == &self->console->out)
		console_text(self->console, text, strlen(text), style);
	else if (terminal->is_tty)
		console_draw(self->console, text, strlen(text));
}

static enum input_event read_plain(struct source *self, struct chat *chat, const char *prompt, struct failure *why)
{
	draw(chat, prompt, STYLE_BOLD);
	return input_line(&self->input, &self->line, why);
}

static enum input_event read_line(struct source *self, struct chat *chat, struct failure *why)
{
	const char *prompt = self->compose.is_open ? ". " : "> ";
	enum input_event event = self->editor ? editor_line(self->editor, prompt, &self->line, why) :
						read_plain(self, chat, prompt, why);
	if (event == INPUT_END || event == INPUT_INTERRUPTED)
		draw(chat, event == INPUT_INTERRUPTED && self->editor ? "^C\n" : "\n", STYLE_PLAIN);
	atomic_store(&chat->console->mid_line, false);
	return event;
}

static void remember(struct source *self, const struct text *message)
{
	if (!self->editor || !message->len || message->failed)
		return;
	editor_remember(self->editor, text_string(message));
	recall_add(&self->recall, text_string(message));
}

static enum exit_code take(struct chat *self, struct source *source, bool *leave, struct failure *why)
{
	struct compose *compose = &source->compose;
	const struct text *message = &compose->message;
	if (!compose_line(compose, text_string(&source->line), source->line.len))
		return EXIT_DONE;
	if (message->failed) {
		failure_set(why, INF_E_INVALID, "line_long", "the message is longer than %d bytes: put it into a file and use -f",
			    INPUT_LINE_MAX);
		report_failure(self->console, self->options.flags, why);
		return EXIT_DONE;
	}
	remember(source, message);
	if (!message->len && !(self->continues && self->history.count))
		return EXIT_DONE;
	if (!compose->is_verbatim && chatcommand_is(text_string(message)))
		return chatcommand_run(self, text_string(message), leave, why);
	return chat_say(self, message, why);
}

/* Ctrl-C: what was typed is gone, the conversation is not. */
static void clear(struct chat *self, struct source *source)
{
	bool was_empty = !source->compose.is_open;
	interrupt_forget();
	compose_reset(&source->compose);
	if (was_empty)
		console_notice(self->console, STYLE_DIM, "/quit or Ctrl-D leaves");
}

static enum exit_code converse(struct chat *self, struct source *source, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	bool leave = false;
	while (!leave && code == EXIT_DONE) {
		*why = (struct failure)FAILURE_INIT;
		enum input_event event = read_line(source, self, why);
		if (event == INPUT_LINE)
			code = take(self, source, &leave, why);
		else if (event == INPUT_FAILED)
			report_failure(self->console, self->options.flags, why);
		else if (event == INPUT_INTERRUPTED && interrupt_code() == EXIT_INTERRUPTED)
			clear(self, source);
		else
			return interrupt_code();
	}
	return code;
}

static void greet(const struct chat *self)
{
	if (self->console->err.is_tty && self->continues)
		console_notice(self->console, STYLE_DIM, "What you type is continued, and an empty line goes on; /reset begins a new text, "
			       "/help lists commands, /quit leaves");
	else if (self->console->err.is_tty)
		console_notice(self->console, STYLE_DIM, "/help lists commands, /quit leaves, Ctrl-C stops an answer");
}

static enum exit_code talk(struct chat *self, dialog_load_fn *load, struct failure *why)
{
	struct source source;
	enum exit_code code = begin(self, load, why);
	if (code != EXIT_DONE)
		return answer_cut_short(&self->options, &self->engine, self->console, code);
	greet(self);
	open_source(&source, self);
	code = converse(self, &source, why);
	close_source(&source);
	return code;
}

enum exit_code dialog_run(struct chat *chat, dialog_load_fn *load, struct failure *why)
{
	enum exit_code code = attachments_read(&chat->attachments, &chat->options, why);
	if (code == EXIT_DONE)
		code = chat->is_once ? answer_once(chat, load, why) : talk(chat, load, why);
	if (code == EXIT_DONE)
		code = state_save(&chat->options, &chat->engine, why);
	if (!console_end_line(chat->console) && code == EXIT_DONE)
		code = console_check(chat->console, why);
	return code;
}
