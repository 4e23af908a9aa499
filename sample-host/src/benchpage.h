/* SPDX-License-Identifier: MIT */
#ifndef INFER_BENCHPAGE_H
#define INFER_BENCHPAGE_H

#include "benchreport.h"
#include "text.h"

/* benchpage: a report as one HTML page with its plots, that needs nothing from elsewhere and runs nothing. Pure. */
enum { BENCHPAGE_MAX = 16 << 20 };	/* bytes */

void benchpage_add(struct text *out, const struct bench_report *report);

#endif
