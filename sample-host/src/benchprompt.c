/* SPDX-License-Identifier: MIT */
#include "benchprompt.h"

#include "interrupt.h"

enum { ATTEMPTS = 24 };

static const char *const numbers[] = { "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten" };
static const char *const fillers[] = { " a", ".", "\n", ",", " I" };

enum { NUMBER_COUNT = sizeof numbers / sizeof numbers[0], FILLER_COUNT = sizeof fillers / sizeof fillers[0] };

static void write_words(struct text *out, size_t count)
{
	text_reset(out);
	for (size_t i = 0; i < count; i++)
		text_printf(out, "%s%s", i ? " " : "", numbers[i % NUMBER_COUNT]);
}

static enum exit_code count_tokens(struct engine *engine, const struct text *text, size_t *count, struct failure *why)
{
	const inf_input input = { .struct_size = sizeof input, .prompt = text_string(text), .prompt_len = text->len };
	const inf_call_params call = { .struct_size = sizeof call, .on_poll = engine_on_poll };
	if (text->failed)
		return failure_memory(why, "the prompt");
	inf_status st = inf_session_count(engine->session, &input, &call, count, &why->error);
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	return st == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}

/* The number of words whose tokens come closest to what is wanted from below, found by halving what is in question. */
static enum exit_code find_words(struct engine *engine, size_t wanted, struct text *out, size_t *count,
				 struct failure *why)
{
	size_t fits = 0, least_too_many = wanted + 1, words = wanted;
	for (int i = 0; i < ATTEMPTS && fits + 1 < least_too_many; i++) {
		write_words(out, words);
		enum exit_code code = count_tokens(engine, out, count, why);
		if (code != EXIT_DONE)
			return code;
		if (*count == wanted)
			return EXIT_DONE;
		if (*count < wanted)
			fits = words;
		else
			least_too_many = words;
		/* A word is mostly a token, and what is around the text some more: then this is right at once. */
		size_t guess = *count > wanted && words > *count - wanted ? words - (*count - wanted) : 0;
		words = guess > fits && i == 0 ? guess : fits + (least_too_many - fits) / 2;
	}
	write_words(out, fits);
	return count_tokens(engine, out, count, why);
}

static enum exit_code fill(struct engine *engine, size_t wanted, struct text *out, size_t count, struct failure *why)
{
	for (size_t i = 0; i < FILLER_COUNT && count < wanted; i++) {
		size_t len = out->len, more;
		text_puts(out, fillers[i]);
		enum exit_code code = count_tokens(engine, out, &more, why);
		if (code != EXIT_DONE)
			return code;
		if (more > wanted || more <= count) {
			out->len = len;
			out->data[len] = '\0';
			continue;
		}
		count = more;
		i = (size_t)-1;			/* that one was of use: once more from the first */
	}
	return EXIT_DONE;
}

enum exit_code benchprompt_make(struct engine *engine, int32_t tokens, struct text *out, struct failure *why)
{
	size_t count = 0;
	enum exit_code code = find_words(engine, (size_t)tokens, out, &count, why);
	if (code == EXIT_FAILED && why->error.code == INF_E_UNSUPPORTED) {
		*why = (struct failure)FAILURE_INIT;
		write_words(out, (size_t)tokens);
		return out->failed ? failure_memory(why, "the prompt") : EXIT_DONE;
	}
	return code == EXIT_DONE ? fill(engine, (size_t)tokens, out, count, why) : code;
}
