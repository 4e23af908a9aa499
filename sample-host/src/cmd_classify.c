/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"

/* Results come in any order and are shown in that of the inputs. */
struct classification {
	const struct options *options;
	struct console *console;
	const inf_input **inputs;	/* owned, with what they point to */
	struct text *pages;		/* owned; what is said of each input, once it is known */
	size_t count, shown;
	size_t failed;
	struct failure *why;		/* the first that failed */
};

/* ---- inputs ---- */

static bool add_input(struct classification *self, const char *prompt, size_t len)
{
	inf_input *input = malloc(sizeof *input);
	if (!input)
		return false;
	*input = (inf_input){ .struct_size = sizeof *input, .prompt = prompt, .prompt_len = len };
	self->inputs[self->count++] = input;
	return true;
}

static bool add_lines(struct classification *self, const struct text *lines)
{
	const char *at = text_string(lines), *end = at + lines->len;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
		if (stop > at && !add_input(self, at, (size_t)(stop - at)))
			return false;
		at = newline ? newline + 1 : end;
	}
	return true;
}

static size_t count_lines(const struct text *text)
{
	size_t count = 1;
	for (size_t i = 0; i < text->len; i++)
		count += text->data[i] == '\n';
	return count;
}

static enum exit_code take_inputs(struct classification *self, const struct words *words, const struct text *lines,
				  struct failure *why)
{
	size_t most = words->count ? words->count : count_lines(lines);
	self->inputs = calloc(most, sizeof *self->inputs);
	self->pages = calloc(most, sizeof *self->pages);
	bool ok = self->inputs && self->pages;
	for (size_t i = 0; ok && i < words->count; i++)
		ok = add_input(self, words->items[i], strlen(words->items[i]));
	ok = ok && (words->count || add_lines(self, lines));
	for (size_t i = 0; ok && i < self->count; i++)
		self->pages[i] = (struct text)TEXT_INIT(TEXT_LINE_MAX);
	if (!ok)
		return failure_memory(why, "the prompts");
	return self->count ? EXIT_DONE : failure_usage(why, "no_prompt", "there is no line with a text in it");
}

static void release(struct classification *self)
{
	for (size_t i = 0; i < self->count; i++) {
		free((void *)self->inputs[i]);
		text_release(&self->pages[i]);
	}
	free(self->inputs);
	free(self->pages);
}

/* ---- results ---- */

static void add_quoted(struct text *out, const char *bytes, size_t len)
{
	text_puts(out, "\"");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			text_printf(out, "\\x%02x", (unsigned char)bytes[i]);
		else
			text_add(out, &bytes[i], 1);
	}
	text_puts(out, "\"");
}

static void add_row(struct text *page, int32_t id, float logprob)
{
	if (isnan(logprob))
		text_printf(page, "%8d        -", id);
	else
		text_printf(page, "%8d %8.5f", id, exp(logprob));
}

static void add_page(const struct classification *self, struct text *page, const inf_class *c)
{
	text_printf(page, "%6zu ", c->index + 1);
	add_row(page, c->id, c->logprob);
	text_puts(page, " ");
	add_quoted(page, c->text, c->text_len);
	text_puts(page, "\n");
	for (size_t i = 0; i < c->logprob_count; i++) {
		text_repeat(page, ' ', 7);
		add_row(page, self->options->candidates[i], c->logprobs[i]);
		text_puts(page, "\n");
	}
	for (size_t i = 0; i < c->top_count; i++) {
		text_repeat(page, ' ', 7);
		add_row(page, c->top[i].id, c->top[i].logprob);
		text_puts(page, "\n");
	}
}

static void note_failure(struct classification *self, const inf_class *c)
{
	if (!self->failed++)
		self->why->error = *c->error;
	if (!(self->options->flags & OPTION_JSON))
		console_notice(self->console, STYLE_PLAIN, "input %zu: %s", c->index + 1, c->error->message);
}

static int32_t INF_CALL on_class(void *user, const inf_class *c)
{
	struct classification *self = user;
	struct text *page = &self->pages[c->index];
	if (c->error)
		note_failure(self, c);
	if (self->options->flags & OPTION_JSON)
		json_add_class(page, c, self->options->candidates);
	else if (!c->error)
		add_page(self, page, c);
	else
		text_printf(page, "%6zu        -        - -\n", c->index + 1);
	for (; self->shown < self->count && self->pages[self->shown].len; self->shown++) {
		if (!console_write(self->console, self->pages[self->shown].data, self->pages[self->shown].len))
			return 0;
		text_release(&self->pages[self->shown]);
	}
	return page->failed ? 0 : INF_CONTINUE;
}

/* For a signal that came before the call was in flight. */
static int32_t INF_CALL on_poll(void *user)
{
	(void)user;
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

static enum exit_code classify(struct classification *self, const struct engine *engine, struct failure *why)
{
	inf_gen_params gen = self->options->gen;
	gen.options = engine->settings.request;
	gen.option_count = engine->settings.request_count;
	const inf_classify_params params = {
		.struct_size = sizeof params, .gen = &gen, .candidates = self->options->candidates,
		.candidate_count = self->options->candidate_count, .top = self->options->top, .user = self,
		.on_class = on_class, .on_poll = on_poll,
	};
	if (!(self->options->flags & OPTION_JSON))
		console_write(self->console, " INPUT       ID     PROB TOKEN\n", strlen(" INPUT       ID     PROB TOKEN\n"));
	interrupt_watch(engine->session);
	inf_status st = inf_session_classify(engine->session, self->inputs, self->count, &params, &why->error);
	interrupt_watch(NULL);
	if (st == INF_E_CANCELLED && interrupt_code() != EXIT_DONE)
		return interrupt_code();
	if (console_check(self->console, why) != EXIT_DONE)
		return why->code;
	if (st != INF_OK)
		return failure_as(why, EXIT_FAILED);
	if (self->failed)
		return failure_set(why, self->why->error.code, self->why->error.reason, "%zu of %zu inputs failed, the first of "
				   "them: %s", self->failed, self->count, self->why->error.message);
	return EXIT_DONE;
}

enum exit_code cmd_classify(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct failure first = FAILURE_INIT;
	struct classification self = { .options = options, .console = console, .why = &first };
	struct text lines = TEXT_INIT(INPUT_MAX);
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE && (!options->arguments.count || options->prompt_file))
		code = input_prompt(options, &lines, why);
	if (code == EXIT_DONE)
		code = take_inputs(&self, &options->arguments, &lines, why);
	if (code == EXIT_DONE)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = classify(&self, &engine, why);
	engine_close(&engine, console);
	release(&self);
	text_release(&lines);
	return code;
}
