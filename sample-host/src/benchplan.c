/* SPDX-License-Identifier: MIT */
#include "benchplan.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "scrub.h"

enum { PROMPT_DEFAULT = 512, GEN_DEFAULT = 128, REPETITIONS_DEFAULT = 5, SPARE = 16 };

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:,@%+~?-";

/* ---- streams ---- */

static enum exit_code take_streams(struct bench_plan *self, const char *list, struct failure *why)
{
	for (const char *at = list; self->stream_count < BENCH_POINTS_MAX; at++) {
		char word[8];
		int64_t number;
		size_t len = strcspn(at, ",");
		if (len >= sizeof word)
			break;
		memcpy(word, at, len);
		word[len] = '\0';
		if (!number_integer(word, 1, BENCH_STREAMS_MAX, &number) ||
		    (self->stream_count && number <= self->streams[self->stream_count - 1]))
			break;
		self->streams[self->stream_count++] = (int32_t)number;
		at += len;
		if (!*at)
			return EXIT_DONE;
	}
	return failure_usage(why, "bad_number", "--streams %.100s: must be up to %d integers from 1 to %d, each larger than the "
			     "one before: 1,2,4", list, BENCH_POINTS_MAX, BENCH_STREAMS_MAX);
}

enum exit_code benchplan_take(struct bench_plan *self, const struct options *options, struct failure *why)
{
	*self = (struct bench_plan){
		.prompt_tokens = options->prompt_tokens ? options->prompt_tokens : PROMPT_DEFAULT,
		.gen_tokens = options->gen_tokens ? options->gen_tokens : GEN_DEFAULT,
		.repetitions = options->repetitions ? options->repetitions : REPETITIONS_DEFAULT,
	};
	enum exit_code code = take_streams(self, options->streams ? options->streams : "1", why);
	int32_t slots = options->load.parallel_slots;
	if (code == EXIT_DONE && slots && self->streams[self->stream_count - 1] > slots)
		return failure_usage(why, "slots", "--streams %d with --slots %d: the streams would wait for each other, give as "
				     "many slots", (int)self->streams[self->stream_count - 1], (int)slots);
	return code;
}

/* ---- the sweep ---- */

static enum exit_code fail_sweep(const char *given, struct failure *why)
{
	return failure_usage(why, "bad_sweep", "--sweep %.100s: must be a key and up to %d values: threads=1,2", given,
			     BENCH_ROWS_MAX);
}

enum exit_code benchplan_take_sweep(struct bench_sweep *self, const struct options *options, struct failure *why)
{
	*self = (struct bench_sweep){ 0 };
	if (!options->sweep)
		return EXIT_DONE;
	self->text = strdup(options->sweep);
	if (!self->text)
		return failure_memory(why, "the sweep");
	char *at = strchr(self->text, '=');
	if (!at || at == self->text)
		return fail_sweep(options->sweep, why);
	*at++ = '\0';
	self->key = self->text;
	for (;; at++) {
		size_t len = strcspn(at, ",");
		if (!len || self->count == BENCH_ROWS_MAX || at - self->text + len >= BENCH_FACT_MAX)
			return fail_sweep(options->sweep, why);
		self->values[self->count++] = at;
		at += len;
		if (!*at)
			return EXIT_DONE;
		*at = '\0';
	}
}

void benchplan_release_sweep(struct bench_sweep *self)
{
	free(self->text);
	*self = (struct bench_sweep){ 0 };
}

/* ---- a row ---- */

static enum exit_code set_number(int32_t *place, const char *setting, const char *value, int64_t min, struct failure *why)
{
	int64_t number;
	if (!number_integer(value, min, INT32_MAX, &number))
		return failure_usage(why, "bad_number", "--sweep %.100s: must be an integer from %d to %d", setting, (int)min,
				     INT32_MAX);
	*place = (int32_t)number;
	return EXIT_DONE;
}

static enum exit_code set_layers(inf_load_params *load, const char *setting, const char *value, struct failure *why)
{
	load->set |= INF_LOAD_SET_GPU_LAYERS;
	load->gpu_layers = -1;
	return strcmp(value, "all") ? set_number(&load->gpu_layers, setting, value, 0, why) : EXIT_DONE;
}

enum exit_code benchplan_apply(const struct bench_plan *plan, const struct bench_sweep *sweep, size_t index,
			       const struct options *given, const char *setting, const char **settings,
			       struct options *out, struct failure *why)
{
	*out = *given;
	out->settings.items = settings;
	for (size_t i = 0; i < given->settings.count; i++)
		settings[i] = given->settings.items[i];
	if (!out->load.context_len)
		out->load.context_len = plan->prompt_tokens + plan->gen_tokens + SPARE;
	if (!out->load.parallel_slots)
		out->load.parallel_slots = plan->streams[plan->stream_count - 1];
	if (!sweep->count)
		return EXIT_DONE;
	const char *value = sweep->values[index];
	if (!strcmp(sweep->key, "slots"))
		return set_number(&out->load.parallel_slots, setting, value, 1, why);
	if (!strcmp(sweep->key, "context"))
		return set_number(&out->load.context_len, setting, value, 1, why);
	if (!strcmp(sweep->key, "gpu-layers"))
		return set_layers(&out->load, setting, value, why);
	if (!strcmp(sweep->key, "cache_mode"))
		out->load.cache_mode = value;
	else
		settings[out->settings.count++] = setting;
	return EXIT_DONE;
}

/* ---- the command line ---- */

static void add_word(struct text *out, const char *option, const char *value)
{
	text_printf(out, " %s%s", option, option[0] ? " " : "");
	if (value[0] && !value[strspn(value, plain)]) {
		text_puts(out, value);
		return;
	}
	text_puts(out, "'");
	for (; *value; value++)
		text_puts(out, *value == '\'' ? "'\\''" : (char[]){ *value, '\0' });
	text_puts(out, "'");
}

/* A path names no user. */
static void add_scrubbed(struct text *out, const char *option, const char *value)
{
	const struct scrub scrub = scrub_of_environment();
	char *copy = scrub_copy(&scrub, value);
	if (copy)
		add_word(out, option, copy);
	out->failed |= !copy;
	free(copy);
}

static void add_number(struct text *out, const char *option, int32_t value)
{
	if (value)
		text_printf(out, " %s %d", option, (int)value);
}

static void add_load(struct text *out, const struct options *options)
{
	const inf_load_params *load = &options->load;
	add_number(out, "-c", load->context_len);
	add_number(out, "--slots", load->parallel_slots);
	if (load->set & INF_LOAD_SET_GPU_LAYERS && load->gpu_layers >= 0)
		text_printf(out, " --gpu-layers %d", (int)load->gpu_layers);
	if (load->flags & INF_LOAD_FLAG_ALLOW_CPU)
		text_puts(out, " --allow-cpu");
	for (size_t i = 0; i < options->adapters.count; i++)
		add_scrubbed(out, "--adapter", options->adapters.items[i]);
	for (size_t i = 0; i < options->settings.count; i++)
		if (options->settings.items[i] != options->adapters_setting)
			add_scrubbed(out, "--set", options->settings.items[i]);
}

void benchplan_add_command(struct text *out, const struct bench_plan *plan, const struct options *options)
{
	text_puts(out, "infer bench");
	add_scrubbed(out, "-m", options->model);
	if (options->backend)
		add_word(out, "--backend", options->backend);
	add_number(out, "--prompt-tokens", plan->prompt_tokens);
	add_number(out, "--gen-tokens", plan->gen_tokens);
	add_number(out, "--repetitions", plan->repetitions);
	text_puts(out, " --streams ");
	for (size_t i = 0; i < plan->stream_count; i++)
		text_printf(out, "%s%d", i ? "," : "", (int)plan->streams[i]);
	if (options->sweep)
		add_scrubbed(out, "--sweep", options->sweep);
	add_load(out, options);
}
