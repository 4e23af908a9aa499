/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdlib.h>

#include "engine.h"
#include "interrupt.h"
#include "json.h"
#include "texts.h"

/* What came of the texts. */
struct vectors {
	float *numbers;			/* owned */
	int64_t *tokens;		/* owned */
	int32_t dimension;
};

static void add_numbers(struct text *line, const float *vector, int32_t dimension)
{
	for (int32_t i = 0; i < dimension; i++)
		text_printf(line, i ? " %.9g" : "%.9g", (double)vector[i]);
	text_puts(line, "\n");
}

static enum exit_code show(const struct vectors *vectors, const struct texts *texts, const struct options *options,
			   struct console *console, struct failure *why)
{
	struct text *line = &console->scratch;
	for (size_t i = 0; i < texts->count; i++) {
		const float *vector = vectors->numbers + i * (size_t)vectors->dimension;
		text_reset(line);
		if (options->flags & OPTION_JSON)
			json_add_vector(line, i, vectors->tokens[i], vector, vectors->dimension);
		else
			add_numbers(line, vector, vectors->dimension);
		if (line->failed)
			return failure_memory(why, "a vector");
		if (!console_write(console, text_string(line), line->len))
			break;
	}
	return console_check(console, why);
}

static enum exit_code compute(struct vectors *vectors, const struct texts *texts, const struct options *options,
			      inf_session *session, struct failure *why)
{
	const inf_call_params call = { .struct_size = sizeof call, .on_poll = engine_on_poll };
	uint32_t flags = options->flags & OPTION_TRUNCATE ? INF_EMBED_FLAG_TRUNCATE : 0;
	inf_status st = inf_session_embed_dimension(session, &vectors->dimension, &why->error);
	if (st != INF_OK)
		return failure_as(why, EXIT_FAILED);
	vectors->numbers = calloc(texts->count, (size_t)vectors->dimension * sizeof *vectors->numbers);
	vectors->tokens = calloc(texts->count, sizeof *vectors->tokens);
	if (!vectors->numbers || !vectors->tokens)
		return failure_memory(why, "the vectors");
	interrupt_watch(session);
	st = inf_session_embed(session, texts->items, texts->count, flags, &call, vectors->numbers, vectors->tokens, &why->error);
	interrupt_watch(NULL);
	if (st != INF_OK)
		return interrupt_code() != EXIT_DONE ? interrupt_code() : failure_as(why, EXIT_FAILED);
	return EXIT_DONE;
}

enum exit_code cmd_embed(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct texts texts = { 0 };
	struct vectors vectors = { 0 };
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE)
		code = texts_read(&texts, options, why);
	if (code == EXIT_DONE)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = compute(&vectors, &texts, options, engine.session, why);
	if (code == EXIT_DONE)
		code = show(&vectors, &texts, options, console, why);
	engine_close(&engine, console);
	texts_release(&texts);
	free(vectors.numbers);
	free(vectors.tokens);
	return code;
}
