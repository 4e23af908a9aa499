/* SPDX-License-Identifier: MIT */
#ifndef INFER_ADAPTERS_H
#define INFER_ADAPTERS_H

#include "failure.h"
#include "options.h"

/*
 * adapters: the FILE[:SCALE] of --adapter -> what the load is given. Pure but for the current directory.
 *
 * One without a scale goes where every backend takes it, adapter_path; else they are a pair for the option "adapters". What
 * follows the last colon is the scale if it is made of digits, '.' and '-'; a file named so needs a scale behind it.
 */

/* Fill adapter_path or adapters_setting ("adapters=..."), both owned by the options. EXIT_DONE, EXIT_USAGE, EXIT_FAILED
 * without memory. */
enum exit_code adapters_take(struct options *options, struct failure *why);

#endif
