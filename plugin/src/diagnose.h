/* SPDX-License-Identifier: MIT */
#ifndef GR_DIAGNOSE_H
#define GR_DIAGNOSE_H

#include <stddef.h>

#include "inference/plugin.h"

/*
 * diagnose: why the server died, from its last output. Pure.
 *
 * Known lines are looked for from the most to the least telling one; what was found decides status, reason and remedy.
 * Only whole lines count, and lines known to be harmless are passed over. Without a known line the last line of the
 * output is quoted.
 */
enum { GR_DIAGNOSE_QUOTE = 240 };	/* bytes of the server's own words that are kept */

struct gr_diagnosis {
	inf_status status;		/* what a load that ended so should return */
	const char *reason;		/* machine code, static */
	const char *hint;		/* what to do, static; "" = nothing known */
	char quote[GR_DIAGNOSE_QUOTE];	/* the server's own words, "" if it said nothing */
};

/* output: the newest bytes the server printed; its first line may be cut. */
struct gr_diagnosis gr_diagnose(const char *output, size_t len);

#endif
