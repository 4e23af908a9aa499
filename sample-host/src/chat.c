/* SPDX-License-Identifier: MIT */
#include "chat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chatroom.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"
#include "path.h"
#include "report.h"
#include "state.h"
#include "table.h"

enum { CONTINUED_TOKENS = 256 };	/* of a model that may never end */

void chat_init(struct chat *self, const struct options *options, struct console *console)
{
	*self = (struct chat){
		.is_once = options->messages_file || options->tools_file || !input_is_person(options),
		.options = *options, .console = console, .engine = ENGINE_INIT, .history = HISTORY_INIT,
		.prompt = TEXT_INIT(INPUT_MAX),
		.tools = TEXT_INIT(INPUT_MAX), .attachments = ATTACHMENTS_INIT,
	};
}

void chat_release(struct chat *self)
{
	engine_close(&self->engine, self->console);
	history_release(&self->history);
	text_release(&self->prompt);
	text_release(&self->tools);
	attachments_release(&self->attachments);
}

static bool has_role(const struct chat *self, size_t index, const char *role)
{
	return index < self->history.count && !strcmp(self->history.messages[index]->role, role);
}

const inf_message *chat_system(const struct chat *self)
{
	return has_role(self, 0, "system") ? self->history.messages[0] : NULL;
}

/* How many messages stay when the rest is forgotten. */
static size_t kept(const struct chat *self)
{
	return chat_system(self) ? 1 : 0;
}

static enum exit_code add_message(struct chat *self, const char *role, const struct text *text, struct failure *why)
{
	if (!text->failed && history_add(&self->history, role, text_string(text), text->len))
		return EXIT_DONE;
	return failure_set(why, INF_E_NO_MEMORY, "history_full", "the conversation is longer than %d messages or than "
			   "memory: /reset begins a new one", HISTORY_MAX);
}

enum exit_code chat_begin(struct chat *self, struct failure *why)
{
	const char *system = self->options.system;
	if (system && system[0] && !history_add(&self->history, "system", system, strlen(system)))
		return failure_memory(why, "the system message");
	return state_load(&self->options, &self->engine, why);
}

/* ---- answers ---- */

/* What was typed last begins a line of its own. */
static void join(struct text *out, const struct history *history)
{
	text_reset(out);
	for (size_t i = 0; i < history->count; i++) {
		const inf_message *message = history->messages[i];
		bool is_new = !strcmp(message->role, "user") && message->content_len;
		text_puts(out, is_new && out->len && out->data[out->len - 1] != '\n' ? "\n" : "");
		text_add(out, message->content, message->content_len);
	}
}

int32_t chat_limit(const struct chat *self)
{
	int32_t given = self->options.gen.max_tokens;
	return given || !self->continues ? given : CONTINUED_TOKENS;
}

struct question chat_question(struct chat *self)
{
	if (self->continues) {
		join(&self->prompt, &self->history);
		return (struct question){
			.prompt = text_string(&self->prompt), .prompt_len = self->prompt.len, .max_tokens = chat_limit(self),
		};
	}
	return (struct question){
		.messages = (const inf_message *const *)self->history.messages,
		.message_count = self->history.count,
		.tools = self->tools.len ? self->tools.data : NULL,
	};
}

enum exit_code chat_ask(struct chat *self, struct answer *answer, struct failure *why)
{
	if (!self->shown && self->attachments.count)
		history_attach(&self->history, self->attachments.list, self->attachments.count);
	const struct question question = chat_question(self);
	if (self->prompt.failed)
		return failure_memory(why, "the text");
	return answer_run(answer, &question, why);
}

static bool is_interrupted(enum exit_code code)
{
	return code == EXIT_INTERRUPTED || code == EXIT_TERMINATED;
}

static bool has_answer(const struct answer *answer, enum exit_code code)
{
	return code == EXIT_DONE || (is_interrupted(code) && answer->reply.len);
}

/* Into a pipe or file, where nothing else keeps one answer from running into the next. */
static void separate(struct chat *self, const struct answer *answer)
{
	const struct text *reply = &answer->reply;
	if (!(self->options.flags & OPTION_JSON) && !self->console->out.is_tty && reply->len &&
	    reply->data[reply->len - 1] != '\n')
		console_write(self->console, "\n", 1);
}

/* EXIT_DONE when the conversation can go on. */
static enum exit_code settle(struct chat *self, enum exit_code code, const struct failure *why)
{
	if (code == EXIT_INTERRUPTED)
		interrupt_forget();
	if (code == EXIT_FAILED && !self->console->write_errno && !(why->error.flags & INF_ERR_FLAG_MODEL_DEAD)) {
		report_failure(self->console, self->options.flags, why);
		return EXIT_DONE;
	}
	return code == EXIT_INTERRUPTED ? EXIT_DONE : code;
}

/* True when an answer was added, which also the half of one is that was interrupted. */
static bool answer_last(struct chat *self, enum exit_code *code, struct failure *why)
{
	struct answer answer;
	chatroom_make(self);
	answer_init(&answer, &self->options, &self->engine, self->console);
	*code = chat_ask(self, &answer, why);
	separate(self, &answer);
	bool answered = has_answer(&answer, *code);
	if (answered) {
		self->shown = true;
		self->last = answer.outcome;
		chatroom_warn(self);
	}
	if (answered && add_message(self, "assistant", &answer.reply, why) != EXIT_DONE) {
		answered = false;
		*code = why->code;
	}
	answer_release(&answer);
	return answered;
}

enum exit_code chat_say(struct chat *self, const struct text *message, struct failure *why)
{
	enum exit_code code = add_message(self, "user", message, why);
	if (code == EXIT_DONE && !answer_last(self, &code, why))
		history_cut(&self->history, self->history.count - 1);
	return settle(self, code, why);
}

enum exit_code chat_again(struct chat *self, struct failure *why)
{
	struct history *history = &self->history, before = HISTORY_INIT;
	enum exit_code code = EXIT_DONE;
	size_t last = history->count - 1;
	if (!history->count || has_role(self, last, "system")) {
		console_notice(self->console, STYLE_PLAIN, "infer: there is no message yet that could be answered again");
		return EXIT_DONE;
	}
	if (has_role(self, last, "assistant")) {
		if (!history_copy(&before, history->messages[last]))
			return failure_memory(why, "the answer");
		history_cut(history, last);
	}
	if (!answer_last(self, &code, why) && before.count && !history_copy(history, before.messages[0]))
		code = failure_memory(why, "the answer");
	history_release(&before);
	return settle(self, code, why);
}

/* ---- messages ---- */

void chat_reset(struct chat *self)
{
	history_cut(&self->history, kept(self));
	self->warned = false;
	console_notice(self->console, STYLE_DIM, "forgotten%s", kept(self) ? ", but for the system message" : "");
}

void chat_undo(struct chat *self)
{
	size_t last = self->history.count;
	while (last > kept(self) && !has_role(self, last - 1, "user"))
		last--;
	if (last <= kept(self)) {
		console_notice(self->console, STYLE_PLAIN, "infer: there is no message that could be taken back");
		return;
	}
	history_cut(&self->history, last - 1);
	console_notice(self->console, STYLE_DIM, "taken back the last message and its answer, %zu messages are left", last - 1);
}

enum exit_code chat_instruct(struct chat *self, const char *system, struct failure *why)
{
	size_t old = kept(self);
	if (system[0]) {
		if (!history_add(&self->history, "system", system, strlen(system)))
			return failure_memory(why, "the system message");
		history_move_to_front(&self->history);
	}
	if (old)
		history_drop(&self->history, system[0] ? 1 : 0, 1);
	return EXIT_DONE;
}

/* ---- files ---- */

enum exit_code chat_load(struct chat *self, const char *path, struct failure *why)
{
	struct text text = TEXT_INIT(INPUT_MAX);
	struct history loaded = HISTORY_INIT;
	enum exit_code code = input_file(path, &text, why);
	if (code == EXIT_DONE)
		code = json_read_messages(text_string(&text), text.len, path, &loaded, why);
	if (code == EXIT_DONE) {
		const struct history before = self->history;
		self->history = loaded;
		loaded = before;
		self->warned = false;
		size_t count = self->history.count;
		bool waits = count && has_role(self, count - 1, "user");
		console_notice(self->console, STYLE_DIM, "%zu messages from %s%s", count, path,
			       waits ? "; the last has no answer, /regen asks for one" : "");
	}
	history_release(&loaded);
	text_release(&text);
	return code;
}

/* What is there may be replaced if it is a conversation as well; a slip of the pen must not cost another file. */
static enum exit_code check_target(const char *path, struct failure *why)
{
	struct text text = TEXT_INIT(INPUT_MAX);
	struct history old = HISTORY_INIT;
	struct failure other = FAILURE_INIT;
	struct stat status;
	enum exit_code code = EXIT_DONE;
	if (!stat(path, &status) &&
	    (!S_ISREG(status.st_mode) || input_file(path, &text, &other) != EXIT_DONE ||
	     json_read_messages(text_string(&text), text.len, path, &old, &other) != EXIT_DONE))
		code = failure_set(why, INF_E_INVALID, "file_exists", "%.200s: exists and is no conversation: give another name",
				   path);
	history_release(&old);
	text_release(&text);
	return code;
}

static int write_file(const char *path, const struct text *text)
{
	char *draft = NULL;
	size_t done = 0;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return ENOMEM;
	int fd = mkostemp(draft, O_CLOEXEC), error = fd < 0 ? errno : 0;
	while (!error && done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);
		if (n < 0 && errno != EINTR)
			error = errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0 && close(fd) && !error)
		error = errno;
	if (!error && rename(draft, path))
		error = errno;
	if (fd >= 0 && error)
		unlink(draft);
	free(draft);
	return error;
}

enum exit_code chat_save(const struct chat *self, const char *path, struct failure *why)
{
	struct text text = TEXT_INIT(INPUT_MAX);
	enum exit_code code = check_target(path, why);
	if (code == EXIT_DONE)
		json_add_messages(&text, &self->history);
	int error = code == EXIT_DONE && !text.failed ? write_file(path, &text) : 0;
	if (code == EXIT_DONE && text.failed)
		code = failure_set(why, INF_E_NO_MEMORY, "too_long", "%.200s: the conversation is longer than memory, or than the "
				   "%d MiB that it may have", path, INPUT_MAX >> 20);
	else if (error)
		code = failure_set(why, INF_E_IO, "write", "%.200s: cannot be written: %s", path, strerror(error));
	else if (code == EXIT_DONE)
		console_notice(self->console, STYLE_DIM, "%zu messages into %s%s", self->history.count, path,
			       self->shown && self->attachments.count ? ", without images and sounds" : "");
	text_release(&text);
	return code;
}

/* ---- what is shown ---- */

void chat_show_row(const struct chat *self, const char *left, const char *right)
{
	const struct terminal *terminal = &self->console->err;
	struct text row = TEXT_INIT(TEXT_LINE_MAX), page = TEXT_INIT(TEXT_LINE_MAX);
	text_printf(&row, "%-*s ", CHAT_LEFT_COLUMNS - 1, left);
	terminal_add_visible(&row, right, strlen(right), "");
	table_add_wrapped(&page, text_string(&row), CHAT_LEFT_COLUMNS,
			  terminal->is_tty ? terminal_columns(terminal) : SIZE_MAX);
	if (!row.failed && !page.failed)
		console_draw(self->console, text_string(&page), page.len);
	text_release(&page);
	text_release(&row);
}

/* ---- the model ---- */

enum exit_code chat_change_model(struct chat *self, const char *model, struct failure *why)
{
	enum exit_code code = engine_change(&self->engine, model, self->continues ? 0 : INF_INFO_FLAG_CHAT, &self->options,
					    self->console, why);
	self->warned = false;
	self->last.model = &self->engine.model;
	if (code != EXIT_DONE)
		return code;
	self->continues = !(self->engine.model.flags & INF_INFO_FLAG_CHAT);
	console_notice(self->console, STYLE_DIM, "%s, with the %s so far", path_name(self->engine.model_path),
		       self->continues ? "text" : "conversation");
	return code;
}

void chat_show_figures(struct chat *self)
{
	int64_t limit = self->engine.model.context_len, used = chatroom_used(self);
	if (self->last.backend)
		outcome_print(&self->last, self->engine.session, &self->engine.model, self->engine.model_path, self->console);
	console_notice(self->console, STYLE_DIM, "%-12s %" PRId64 " of %" PRId64 " tokens, %zu messages", "conversation", used, limit,
		       self->history.count);
}
