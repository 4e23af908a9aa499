/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "interrupt.h"
#include "json.h"
#include "texts.h"

/* Each in the order of the documents. */
struct ranks {
	float *scores;			/* owned, as are: */
	int64_t *tokens;
	struct rank *sorted;
};

static int by_score(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->index > y->index ? 1 : -1;
}

static void sort(struct ranks *ranks, const struct texts *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		ranks->sorted[i] = (struct rank){ i, ranks->scores[i], ranks->tokens[i], documents->items[i] };
	qsort(ranks->sorted, documents->count, sizeof *ranks->sorted, by_score);
}

static void add_row(struct text *out, const struct rank *rank, const struct terminal *terminal)
{
	text_printf(out, "%9.4f  %6zu  ", (double)rank->score, rank->index);
	if (terminal->is_tty)
		terminal_add_visible(out, rank->document.data, rank->document.len, "");
	else
		text_add(out, rank->document.data, rank->document.len);
	text_puts(out, "\n");
}

static enum exit_code show(const struct ranks *ranks, size_t count, const struct options *options, struct console *console,
			   struct failure *why)
{
	struct text *line = &console->scratch;
	bool json = options->flags & OPTION_JSON;
	text_reset(line);
	if (!json)
		text_puts(line, "    SCORE  NUMBER  DOCUMENT\n");
	for (size_t i = 0; i < count; i++) {
		if (json)
			json_add_rank(line, &ranks->sorted[i]);
		else
			add_row(line, &ranks->sorted[i], &console->out);
		if (line->failed)
			return failure_memory(why, "a document");
		if (!console_write(console, text_string(line), line->len))
			break;
		text_reset(line);
	}
	return console_check(console, why);
}

static enum exit_code compute(struct ranks *ranks, const struct texts *documents, const struct options *options,
			      inf_session *session, struct failure *why)
{
	const inf_call_params call = { .struct_size = sizeof call, .on_poll = engine_on_poll };
	const inf_text query = { options->query, strlen(options->query) };
	ranks->scores = calloc(documents->count, sizeof *ranks->scores);
	ranks->tokens = calloc(documents->count, sizeof *ranks->tokens);
	ranks->sorted = calloc(documents->count, sizeof *ranks->sorted);
	if (!ranks->scores || !ranks->tokens || !ranks->sorted)
		return failure_memory(why, "the scores");
	interrupt_watch(session);
	inf_status st = inf_session_rerank(session, &query, documents->items, documents->count, &call, ranks->scores,
					   ranks->tokens, &why->error);
	interrupt_watch(NULL);
	if (st != INF_OK)
		return interrupt_code() != EXIT_DONE ? interrupt_code() : failure_as(why, EXIT_FAILED);
	sort(ranks, documents);
	return EXIT_DONE;
}

enum exit_code cmd_rerank(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct texts documents = { 0 };
	struct ranks ranks = { 0 };
	enum exit_code code = engine_require_model(options, why);
	if (code == EXIT_DONE && !options->query)
		code = failure_usage(why, "no_query", "no query given: say with --query what the documents are to answer");
	if (code == EXIT_DONE)
		code = texts_read(&documents, options, why);
	if (code == EXIT_DONE)
		code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = compute(&ranks, &documents, options, engine.session, why);
	if (code == EXIT_DONE)
		code = show(&ranks, documents.count, options, console, why);
	engine_close(&engine, console);
	texts_release(&documents);
	free(ranks.scores);
	free(ranks.tokens);
	free(ranks.sorted);
	return code;
}
