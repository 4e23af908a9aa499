/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "batchline.h"
#include "batchout.h"
#include "batchview.h"
#include "engine.h"
#include "input.h"
#include "interrupt.h"

/*
 * The lines go to the library in windows, so that one slow line does not have all that come behind it wait in memory.
 * At the end of a window slots stand still until the last generation of it is done; with thousands of lines in one that
 * is little.
 * What comes through a pipe is not waited for long once there is something to do.
 */
enum {
	WINDOW_LINES = BATCHOUT_WAITING_MAX,
	WINDOW_BYTES = 16 << 20,	/* no further line is added to that many */
	WINDOW_WAIT_MS = 250,		/* for lines behind the first */
	LINE_MAX_BYTES = 16 << 20,
	SUMMARY_MAX = 256,
};

struct entry {
	struct batch_line line;
	struct batch_answer answer;
};

struct batch {
	const struct options *options;
	struct console *console;
	inf_gen_params defaults;
	const inf_model_info *model;
	int fd;				/* of the input */
	struct lines in;
	size_t read;			/* lines of it, blank ones not counted */
	bool has_peeked;		/* the next line is read */
	enum lines_event peeked;
	struct batchout out;
	struct batchview view;
	struct entry *entries;		/* owned, of a window */
	const inf_input **inputs;	/* owned; of the entries that are to be generated */
	size_t *indexes;		/* owned; of the same, in the input */
	size_t count, input_count;
	bool is_ended;			/* there are no further lines */
	bool has_failed;		/* a line, here */
	size_t first_failed;		/* its index */
	inf_error first_error;
};

/* ---- results ---- */

static bool put_error(struct batch *self, size_t index, const char *id, const inf_error *error)
{
	struct text record = TEXT_INIT(BATCHRECORD_MAX);
	if (!self->has_failed || index < self->first_failed) {
		self->has_failed = true;
		self->first_failed = index;
		self->first_error = *error;
	}
	self->view.failed++;
	self->view.done++;
	batchrecord_add_error(&record, id, index, error);
	if (!record.failed)
		return batchout_put(&self->out, index, &record);
	self->out.write_errno = ENOMEM;
	text_release(&record);
	return false;
}

static bool put_answer(struct batch *self, size_t index, const struct entry *entry, const inf_gen_result *result)
{
	const struct batch_answer *answer = &entry->answer;
	struct text record = TEXT_INIT(BATCHRECORD_MAX);
	inf_error error = { .struct_size = sizeof error };
	if (answer->calls.failed || answer->text.failed || answer->reasoning.failed) {
		inf_fail(&error, INF_E_NO_MEMORY, "answer_long", "the answer is longer than memory or %d MiB, or has a "
			 "tool call that is no JSON: give max_tokens", BATCHRECORD_TEXT_MAX >> 20);
		return put_error(self, index, entry->line.id, &error);
	}
	batchrecord_add_answer(&record, entry->line.id, index, answer, result);
	self->view.done++;
	if (!record.failed)
		return batchout_put(&self->out, index, &record);
	self->out.write_errno = ENOMEM;
	text_release(&record);
	return false;
}

static struct entry *entry_of(struct batch *self, size_t input)
{
	return &self->entries[self->indexes[input] - (self->read - self->count)];
}

static int32_t INF_CALL on_token(void *user, size_t input, const inf_token *token)
{
	struct batch *self = user;
	struct batch_answer *answer = &entry_of(self, input)->answer;
	self->view.tokens += token->count;
	if (token->flags & INF_TOKEN_FLAG_TOOL_CALL)
		return batch_answer_add_call(answer, token->text, token->text_len) ? INF_CONTINUE : 0;
	struct text *text = token->flags & INF_TOKEN_FLAG_REASONING ? &answer->reasoning : &answer->text;
	text_add(text, token->text, token->text_len);
	return text->failed ? 0 : INF_CONTINUE;
}

static int32_t INF_CALL on_result(void *user, size_t input, const inf_gen_result *result, const inf_error *error)
{
	struct batch *self = user;
	struct entry *entry = entry_of(self, input);
	size_t index = self->indexes[input];
	bool ok = error ? put_error(self, index, entry->line.id, error) : put_answer(self, index, entry, result);
	batch_answer_release(&entry->answer);
	batchview_show(&self->view);
	return ok ? INF_CONTINUE : 0;
}

static int32_t INF_CALL on_poll(void *user)
{
	struct batch *self = user;
	batchview_show(&self->view);
	return engine_on_poll(NULL);
}

/* ---- a window ---- */

static void empty_window(struct batch *self)
{
	for (size_t i = 0; i < self->count; i++) {
		batch_line_release(&self->entries[i].line);
		batch_answer_release(&self->entries[i].answer);
	}
	self->count = self->input_count = 0;
}

/* Lines that are not blank, and those that are too long. */
static enum lines_event next_line(struct batch *self, int wait_ms, struct failure *why)
{
	enum lines_event event = self->peeked;
	if (self->has_peeked) {
		self->has_peeked = false;
		return event;
	}
	do
		event = lines_next(&self->in, wait_ms, why);
	while (event == LINES_LINE && lines_is_blank(&self->in));
	self->read += event == LINES_LINE || event == LINES_LONG;
	return event;
}

static inf_status parse(struct batch *self, struct batch_line *line, enum lines_event event, inf_error *error)
{
	static const inf_gen_params none;
	if (event == LINES_LINE)
		return batch_line_parse(line, self->in.line, self->in.len, &self->defaults, error);
	batch_line_parse(line, "", 0, &none, NULL);
	return inf_fail(error, INF_E_INVALID, "line_long", "the line is longer than %d MiB", LINE_MAX_BYTES >> 20);
}

static bool add_entry(struct batch *self, enum lines_event event)
{
	inf_error error = { .struct_size = sizeof error };
	size_t index = self->read - 1;
	struct entry *entry = &self->entries[self->count++];
	entry->answer = (struct batch_answer)BATCH_ANSWER_INIT;
	if (parse(self, &entry->line, event, &error) != INF_OK)
		return put_error(self, index, entry->line.id, &error);
	if (entry->line.input.msgs)
		answer_choose_thinking(&entry->line.params, self->model);
	self->inputs[self->input_count] = &entry->line.input;
	self->indexes[self->input_count++] = index;
	return true;
}

static int wait_left_ms(const struct batch *self, int64_t since_ns)
{
	int64_t waited_ms = (batchview_now_ns() - since_ns) / 1000000;
	if (!self->count)
		return LINES_FOREVER;
	return waited_ms < WINDOW_WAIT_MS ? (int)(WINDOW_WAIT_MS - waited_ms) : 0;
}

static enum exit_code fill_window(struct batch *self, struct failure *why)
{
	int64_t since_ns = 0;
	for (size_t bytes = 0; self->count < WINDOW_LINES && bytes < WINDOW_BYTES; bytes += self->in.len) {
		enum lines_event event = next_line(self, wait_left_ms(self, since_ns), why);
		self->is_ended = event == LINES_END;
		if (event == LINES_INTERRUPTED)
			return interrupt_code();
		if (event == LINES_FAILED)
			return why->code;
		if (event == LINES_END || event == LINES_LATE)
			return EXIT_DONE;
		if (!self->count)
			since_ns = batchview_now_ns();
		if (!add_entry(self, event))
			return EXIT_FAILED;	/* batchout_check() tells why */
	}
	return EXIT_DONE;
}

static enum exit_code generate(struct batch *self, inf_session *session, struct failure *why)
{
	const struct inf_batch_params params = {
		.struct_size = sizeof params, .gen = &self->defaults, .user = self,
		.on_token = on_token, .on_result = on_result, .on_poll = on_poll,
	};
	if (!self->input_count)
		return interrupt_code();
	interrupt_watch(session);
	inf_status st = inf_session_batch(session, self->inputs, self->input_count, &params, &why->error);
	interrupt_watch(NULL);
	if (st == INF_E_CANCELLED && interrupt_code() != EXIT_DONE)
		return interrupt_code();
	return st == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}

/* ---- going on ---- */

/* The beginning of the input must be what the records are of. */
static enum exit_code match(struct batch *self, const struct batch_record *record, struct failure *why)
{
	static const inf_gen_params none;
	struct batch_line line;
	enum lines_event event = next_line(self, LINES_FOREVER, why);
	if (event == LINES_INTERRUPTED)
		return interrupt_code();
	if (event == LINES_FAILED)
		return why->code;
	if (event == LINES_END)
		return failure_set(why, INF_E_INVALID, "resume_foreign", "%.100s has more lines than %.100s: it does "
				   "not belong to it", self->out.path, self->in.name);
	batch_line_parse(&line, event == LINES_LINE ? self->in.line : "", self->in.len, &none, NULL);
	bool same = !strcmp(line.id, text_string(&record->id));
	if (!same)
		failure_set(why, INF_E_INVALID, "resume_foreign", "%.100s does not belong to %.100s: at index %zu the "
			    "id is %.40s in "
			    "the one and %.40s in the other", self->out.path, self->in.name, record->index,
			    text_string(&record->id), line.id);
	batch_line_release(&line);
	return same ? EXIT_DONE : why->code;
}

static enum exit_code resume(struct batch *self, struct failure *why)
{
	struct batch_record record = BATCH_RECORD_INIT;
	enum exit_code code = EXIT_DONE;
	enum lines_event event;
	while (code == EXIT_DONE && (event = batchout_held(&self->out, &record, why)) != LINES_END) {
		if (event == LINES_INTERRUPTED)
			code = interrupt_code();
		else if (event == LINES_FAILED)
			code = why->code;
		else
			code = match(self, &record, why);
		self->view.failed += record.is_error;
	}
	self->view.held = self->view.done = self->out.written;
	text_release(&record.id);
	return code;
}

/* Is there a line left? A model is not loaded for none. */
static enum exit_code peek(struct batch *self, struct failure *why)
{
	self->peeked = next_line(self, LINES_FOREVER, why);
	self->has_peeked = true;
	self->is_ended = self->peeked == LINES_END;
	if (self->peeked == LINES_INTERRUPTED)
		return interrupt_code();
	return self->peeked == LINES_FAILED ? why->code : EXIT_DONE;
}

/* ---- the command ---- */

static enum exit_code open_input(struct batch *self, struct failure *why)
{
	const char *path = self->options->prompt_file;
	bool is_stdin = !path || !strcmp(path, "-");
	if (input_is_person(self->options))
		return failure_usage(why, "no_prompt", "no lines to work on: give them with -f FILE, or on standard "
				     "input");
	self->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (self->fd < 0)
		return failure_set(why, errno == ENOENT ? INF_E_NOT_FOUND : INF_E_IO, "open",
				   "%.200s: cannot be opened: %s", path, strerror(errno));
	self->in = lines_of(self->fd, is_stdin ? "standard input" : path, LINE_MAX_BYTES);
	return EXIT_DONE;
}

static enum exit_code allocate(struct batch *self, struct failure *why)
{
	self->entries = calloc(WINDOW_LINES, sizeof *self->entries);
	self->inputs = calloc(WINDOW_LINES, sizeof *self->inputs);
	self->indexes = calloc(WINDOW_LINES, sizeof *self->indexes);
	return self->entries && self->inputs && self->indexes ? EXIT_DONE : failure_memory(why, "the lines");
}

static enum exit_code prepare(struct batch *self, struct failure *why)
{
	enum exit_code code = open_input(self, why);
	if (code == EXIT_DONE)
		code = allocate(self, why);
	if (code == EXIT_DONE)
		code = batchout_open(&self->out, self->options->output, self->options->flags & OPTION_RESUME, why);
	bool is_shown = self->console->err.is_tty && !self->options->verbosity &&
			(self->out.path || !self->console->out.is_tty);
	self->view.progress.console = is_shown ? self->console : NULL;
	if (code == EXIT_DONE && is_shown)
		lines_count(self->fd, &self->view.total);
	if (code == EXIT_DONE && self->options->flags & OPTION_RESUME)
		code = resume(self, why);
	if (code == EXIT_DONE)
		code = peek(self, why);
	return code == EXIT_DONE ? interrupt_code() : code;
}

static enum exit_code run(struct batch *self, const struct engine *engine, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	self->model = &engine->model;
	self->defaults = self->options->gen;
	self->defaults.options = engine->settings.request;
	self->defaults.option_count = engine->settings.request_count;
	self->view.begun_ns = batchview_now_ns();
	while (code == EXIT_DONE && !self->is_ended) {
		code = fill_window(self, why);
		if (code == EXIT_DONE)
			code = generate(self, engine->session, why);
		empty_window(self);
	}
	batchview_erase(&self->view);
	return batchout_check(&self->out, why) == EXIT_DONE ? code : why->code;
}

static enum exit_code fail_lines(const struct batch *self, struct failure *why)
{
	const inf_error *first = &self->first_error;
	if (!self->has_failed)
		return failure_set(why, INF_E_INVALID, "lines_failed", "%zu lines, %zu failed, all of them in an "
				   "earlier run", self->view.done, self->view.failed);
	return failure_set(why, first->code, first->reason, "%zu lines, %zu failed; the first %s, index %zu: %s",
			   self->view.done,
			   self->view.failed, self->view.held ? "of this run" : "of them", self->first_failed,
			   first->message);
}

static void say_how_far(const struct batch *self)
{
	struct text text = TEXT_INIT(SUMMARY_MAX);
	batchview_add_lines(&text, self->out.written);
	console_notice(self->console, STYLE_PLAIN, "infer: interrupted, %s written%s", text_string(&text),
		       self->out.path ? ": the same command with --resume goes on" : "");
	text_release(&text);
}

static enum exit_code sum_up(struct batch *self, enum exit_code code, struct failure *why)
{
	struct text text = TEXT_INIT(SUMMARY_MAX);
	if (code == EXIT_INTERRUPTED || code == EXIT_TERMINATED)
		say_how_far(self);
	if (code != EXIT_DONE)
		return code;
	batchout_keep(&self->out);
	batchview_describe(&self->view, &text);
	if (self->view.progress.console && self->view.done > self->view.held)
		console_notice(self->console, STYLE_DIM, "%s", text_string(&text));
	text_release(&text);
	return self->view.failed ? fail_lines(self, why) : EXIT_DONE;
}

static void release(struct batch *self)
{
	batchout_close(&self->out);
	lines_release(&self->in);
	if (self->fd > STDIN_FILENO)
		close(self->fd);
	free(self->entries);
	free(self->inputs);
	free(self->indexes);
}

enum exit_code cmd_batch(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct batch self = { .options = options, .console = console, .fd = -1, .out = BATCHOUT_INIT };
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE)
		code = prepare(&self, why);
	if (code == EXIT_DONE && !self.is_ended)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE && !self.is_ended)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = run(&self, &engine, why);
	code = sum_up(&self, code, why);
	engine_close(&engine, console);
	release(&self);
	return code;
}
