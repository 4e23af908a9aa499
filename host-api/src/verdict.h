/* SPDX-License-Identifier: MIT */
#ifndef IH_VERDICT_H
#define IH_VERDICT_H

#include <stdint.h>

#include "inference/host.h"

/*
 * verdict: why a file or a backend cannot be used.
 *
 * A function that judges a candidate returns INF_STATE_AVAILABLE, or another INF_STATE_* after it has written the
 * reason and a sentence for people into `why`. The path is not repeated in the sentence: whoever shows it has the path.
 */

/* Fills *why (may be NULL) and returns state. */
int32_t ih_refuse(inf_error *why, int32_t state, const char *reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What the kernel said, in English whatever the locale; static. */
const char *ih_errno_text(int error);

#endif
