/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"
#include "number.h"

static const inf_call_params call = { .struct_size = sizeof call, .on_poll = engine_on_poll };

static enum exit_code fail(struct failure *why)
{
	return interrupt_code() != EXIT_DONE ? interrupt_code() : failure_as(why, EXIT_FAILED);
}

/* ---- text to ids ---- */

static enum exit_code tokenize(struct ids *out, const struct text *text, uint32_t flags, inf_session *session,
			       struct failure *why)
{
	size_t cap = text->len + 8;	/* a token of text has a byte or more, and the model's own are few */
	out->items = malloc(cap * sizeof *out->items);
	if (!out->items)
		return failure_memory(why, "the tokens");
	inf_status st = inf_session_tokenize(session, text_string(text), text->len, flags, &call, out->items, cap, &out->count,
					     &why->error);
	if (st == INF_OK && out->count > cap)
		return failure_set(why, INF_E_INTERNAL, "token_count", "the backend makes %zu tokens of %zu bytes", out->count,
				   text->len);
	return st == INF_OK ? EXIT_DONE : fail(why);
}

/* Into text, which is emptied first. */
static enum exit_code detokenize(const struct ids *ids, uint32_t flags, inf_session *session, struct text *text,
				 struct failure *why)
{
	size_t len = 0, cap = 256;
	for (;;) {
		char *room = malloc(cap);
		inf_status st = room ? inf_session_detokenize(session, ids->items, ids->count, flags, &call, room, cap, &len,
							      &why->error) : INF_E_NO_MEMORY;
		text_reset(text);
		if (st == INF_OK && len <= cap)
			text_add(text, room, len);
		free(room);
		if (!room || text->failed)
			return failure_memory(why, "the text");
		if (st != INF_OK)
			return fail(why);
		if (len <= cap)
			return EXIT_DONE;
		cap = len;
	}
}

static enum exit_code show_pieces(const struct ids *ids, inf_session *session, struct console *console, struct failure *why)
{
	struct text piece = TEXT_INIT(TEXT_LINE_MAX);
	struct text *line = &console->scratch;
	enum exit_code code = EXIT_DONE;
	for (size_t i = 0; i < ids->count && code == EXIT_DONE; i++) {
		const struct ids one = { ids->items + i, 1 };
		code = detokenize(&one, INF_TOKENIZE_FLAG_SPECIAL, session, &piece, why);
		text_reset(line);
		if (code == EXIT_DONE)
			json_add_piece(line, ids->items[i], &piece);
		if (line->failed)
			code = failure_memory(why, "a token");
		if (code == EXIT_DONE && !console_write(console, text_string(line), line->len))
			break;
	}
	text_release(&piece);
	return code == EXIT_DONE ? console_check(console, why) : code;
}

static enum exit_code show_ids(const struct ids *ids, struct console *console, struct failure *why)
{
	struct text out = TEXT_INIT(INPUT_MAX);
	for (size_t i = 0; i < ids->count; i++)
		text_printf(&out, i ? " %d" : "%d", (int)ids->items[i]);
	text_puts(&out, "\n");
	bool ok = !out.failed;
	if (ok)
		console_write(console, text_string(&out), out.len);
	text_release(&out);
	return ok ? console_check(console, why) : failure_memory(why, "the tokens");
}

/* ---- ids to text ---- */

/* Numbers with blanks or line ends between them. */
static enum exit_code parse_ids(struct ids *out, const struct text *text, struct failure *why)
{
	const char *at = text_string(text), *const blanks = " \t\r\n";
	out->items = malloc((text->len / 2 + 1) * sizeof *out->items);
	if (!out->items)
		return failure_memory(why, "the tokens");
	for (at += strspn(at, blanks); *at; at += strspn(at, blanks)) {
		char word[16] = "";
		int64_t id;
		size_t len = strcspn(at, blanks);
		if (len < sizeof word)
			memcpy(word, at, len);
		if (!number_integer(word, 0, INT32_MAX, &id))
			return failure_usage(why, "bad_number", "--decode %.*s: must be token ids, integers from 0 to %d",
					     len < 100 ? (int)len : 100, at, INT32_MAX);
		out->items[out->count++] = (int32_t)id;
		at += len;
	}
	return EXIT_DONE;
}

static enum exit_code decode(const struct ids *ids, const struct options *options, inf_session *session,
			     struct console *console, struct failure *why)
{
	struct text text = TEXT_INIT(INPUT_MAX);
	uint32_t flags = options->flags & OPTION_SPECIAL ? INF_TOKENIZE_FLAG_SPECIAL : 0;
	enum exit_code code = detokenize(ids, flags, session, &text, why);
	if (code == EXIT_DONE && options->flags & OPTION_JSON) {
		text_reset(&console->scratch);
		json_add_text(&console->scratch, &text);
		console_write(console, text_string(&console->scratch), console->scratch.len);
	} else if (code == EXIT_DONE) {
		console_text(console, text_string(&text), text.len, STYLE_PLAIN);
		console_end_line(console);
	}
	text_release(&text);
	return code == EXIT_DONE ? console_check(console, why) : code;
}

/* ---- the command ---- */

static enum exit_code run(struct ids *ids, const struct text *input, const struct options *options, inf_session *session,
			  struct console *console, struct failure *why)
{
	uint32_t flags = (options->flags & OPTION_SPECIAL ? INF_TOKENIZE_FLAG_SPECIAL : 0) |
			 (options->flags & OPTION_BOS ? INF_TOKENIZE_FLAG_BOS : 0);
	if (options->flags & OPTION_DECODE)
		return decode(ids, options, session, console, why);
	enum exit_code code = tokenize(ids, input, flags, session, why);
	if (code != EXIT_DONE)
		return code;
	return options->flags & OPTION_JSON ? show_pieces(ids, session, console, why) : show_ids(ids, console, why);
}

enum exit_code cmd_tokenize(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct text input = TEXT_INIT(INPUT_MAX);
	struct ids ids = { 0 };
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE)
		code = input_prompt(options, &input, why);
	if (code == EXIT_DONE && options->flags & OPTION_DECODE)
		code = parse_ids(&ids, &input, why);
	if (code == EXIT_DONE)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = run(&ids, &input, options, engine.session, console, why);
	engine_close(&engine, console);
	text_release(&input);
	free(ids.items);
	return code;
}
