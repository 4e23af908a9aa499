/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHPLAN_H
#define INFER_BENCHPLAN_H

#include "benchrun.h"
#include "options.h"

/*
 * benchplan: what --streams, --sweep and their companions ask for. Pure.
 *
 * Without -c a slot gets the context that the tokens need, without --slots there is one for each of the most streams.
 */
struct bench_sweep {
	char *text;			/* owned; the values are in it */
	char *key;
	char *values[BENCH_ROWS_MAX];
	size_t count;			/* 0 = no sweep */
};

enum exit_code benchplan_take(struct bench_plan *self, const struct options *options, struct failure *why);
enum exit_code benchplan_take_sweep(struct bench_sweep *self, const struct options *options, struct failure *why);
void benchplan_release_sweep(struct bench_sweep *self);

/*
 * The options of one row: a copy, but for the settings what the given ones own. settings has room for those and one more.
 * setting: "KEY=VALUE", kept by the copy; "" without a sweep. Keys: slots, context, gpu-layers, cache_mode, and what --set
 * takes.
 */
enum exit_code benchplan_apply(const struct bench_plan *plan, const struct bench_sweep *sweep, size_t index,
			       const struct options *given, const char *setting, const char **settings,
			       struct options *out, struct failure *why);

/* The command line that measures the same. */
void benchplan_add_command(struct text *out, const struct bench_plan *plan, const struct options *options);

#endif
