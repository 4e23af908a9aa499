/* SPDX-License-Identifier: MIT */
#ifndef INFER_REPORT_H
#define INFER_REPORT_H

#include "console.h"

/* report: a failure as people or programs (OPTION_JSON in flags) read it. Nothing for an interrupt. */
void report_failure(struct console *console, uint32_t flags, const struct failure *failure);

#endif
