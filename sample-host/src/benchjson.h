/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHJSON_H
#define INFER_BENCHJSON_H

#include "benchcompare.h"
#include "benchreport.h"
#include "text.h"

/* benchjson: what infer bench --json prints, a report or a comparison, an object and a newline; and a report read again. */
enum { BENCHJSON_MAX = 16 << 20 };	/* bytes of a report */

void benchjson_add_report(struct text *out, const struct bench_report *report);
void benchjson_add_comparison(struct text *out, const struct bench_comparison *comparison);

/* name: of the file, for the failure. *out is zeroed. What only people look at, and a comparison does not need, may be
 * left out of it: the histogram and the spans are not read. EXIT_DONE, EXIT_FAILED. */
enum exit_code benchjson_read(const char *bytes, size_t len, const char *name, struct bench_report *out,
			      struct failure *why);

#endif
