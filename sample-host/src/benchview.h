/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHVIEW_H
#define INFER_BENCHVIEW_H

#include "benchcompare.h"
#include "terminal.h"
#include "text.h"

/* benchview: a report or a comparison as lines for people, and a report as CSV. Pure. */
void benchview_add_report(struct text *out, const struct bench_report *report, const struct terminal *terminal);
void benchview_add_csv(struct text *out, const struct bench_report *report);
void benchview_add_comparison(struct text *out, const struct bench_comparison *comparison, const struct terminal *terminal);

/* A number in about four digits. */
void benchview_add_number(struct text *out, double value);

#endif
