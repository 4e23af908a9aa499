/* SPDX-License-Identifier: MIT */
#ifndef INFER_CONFIG_H
#define INFER_CONFIG_H

#include "configfile.h"
#include "console.h"

/*
 * config: what the configuration file says, given to the options as if it were on the command line.
 *
 * The command line wins over [model PATTERN], that over [COMMAND], that over [defaults]; of two [model] sections that match
 * the later one wins. What may be given several times comes from one place as a whole, but an option of a backend is one
 * for each key. PATTERN is a glob, in any case, for what -m says and for the name of the model's file, with and without
 * ".gguf".
 *
 * The options borrow from the file: release it after them.
 */

/* Find and read the file that the command line wants. A process with more rights than its user reads none. As
 * configfile_read(), and EXIT_USAGE for a --config that is not there. */
enum exit_code config_read(struct configfile *self, const struct options *options, struct failure *why);

/* Give what holds for the command, without the sections of models. EXIT_DONE; EXIT_FAILED without memory. */
enum exit_code config_apply(const struct configfile *self, struct options *options, struct failure *why);

/*
 * Give all that holds, then finish the options. argv: what they were parsed from, for where there are sections of models the
 * rest is applied once more to find out which file is meant; `infer config` goes on without those sections, and says so, where
 * that is not found. EXIT_DONE; what engine_find() and engine_resolve() return;
 * EXIT_USAGE; EXIT_FAILED without memory.
 */
enum exit_code config_take(const struct configfile *self, struct options *options, int argc, char **argv,
			   struct console *console, struct failure *why);

#endif
