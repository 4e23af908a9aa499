/* SPDX-License-Identifier: MIT */
#ifndef INFER_ANSWER_H
#define INFER_ANSWER_H

#include "console.h"
#include "engine.h"
#include "options.h"
#include "outcome.h"
#include "text.h"

/*
 * answer: one generation, shown while it comes.
 *
 * As text: the answer alone goes to standard output, a tool call as a line of JSON. What a model thinks
 * (INF_TOKEN_FLAG_REASONING) is shown dim on a terminal and left out elsewhere. With --json: a line for each token, then one that sums up.
 */
enum { ANSWER_MAX = 64 << 20 };		/* bytes kept of an answer */

struct answer {
	const struct options *options;	/* borrowed, as is all but the text */
	const struct engine *engine;
	struct console *console;
	struct text reply;		/* what was said, without reasoning */
	int64_t begun_ns, first_ns;
	bool is_reasoning;		/* the last token was */
	struct outcome outcome;		/* once it has run; model and backend are the engine's */
	bool mid_line;			/* what was shown last does not end with a newline */
};

/* What to answer: a prompt when messages is NULL. */
struct question {
	const char *prompt;
	size_t prompt_len;
	const inf_message *const *messages;
	size_t message_count;
	const char *tools;		/* NULL = none */
	int32_t max_tokens;		/* where the options say nothing; 0 = as many as there is room for */
};

/* For messages: a model that can think does, and its thoughts are told from its answer; not where that takes something else
 * away. */
void answer_choose_thinking(inf_gen_params *params, const inf_model_info *model);

/* What is asked for with the question, without callbacks. */
inf_gen_params answer_params(const struct options *options, const struct engine *engine, const struct question *question);

void answer_init(struct answer *self, const struct options *options, const struct engine *engine,
		 struct console *console);
void answer_release(struct answer *self);

/*
 * EXIT_DONE; EXIT_FAILED, also when standard output cannot be written; interrupted. Except for EXIT_FAILED, the text is
 * ended and the statistics or the last JSON line are out.
 */
enum exit_code answer_run(struct answer *self, const struct question *question, struct failure *why);

/* What stopped before there was anything to answer: an interrupt has its last JSON line all the same. Returns code. */
enum exit_code answer_cut_short(const struct options *options, const struct engine *engine, struct console *console,
				enum exit_code code);

#endif
