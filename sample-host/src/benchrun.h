/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHRUN_H
#define INFER_BENCHRUN_H

#include "benchreport.h"
#include "console.h"
#include "engine.h"

/*
 * benchrun: measures one row.
 *
 * The model is loaded once without a clock, then `repetitions` times with it. Then each number of streams runs once without
 * being counted, and `repetitions` rounds begin; in each round every number of streams has its turn, so that what slows the
 * machine down for a while slows all of them. A stream is a thread in inf_session_generate(), greedy, with IGNORE_EOS and
 * without the prompt cache; the streams of a repetition begin together.
 */
struct bench_plan {
	int32_t prompt_tokens, gen_tokens, repetitions;
	int32_t streams[BENCH_POINTS_MAX];
	size_t stream_count;
};

/*
 * The first row that loads a model also fills in what the report says of backend, model and devices. EXIT_DONE;
 * EXIT_FAILED, EXIT_USAGE, EXIT_NO_BACKEND; interrupted: in each case what was measured stands in the row.
 */
enum exit_code benchrun_row(const struct bench_plan *plan, const struct options *options, struct console *console,
			    struct bench_report *report, struct bench_row *row, struct failure *why);

#endif
