/* SPDX-License-Identifier: MIT */
#ifndef INFER_COMPLETE_H
#define INFER_COMPLETE_H

#include "console.h"

/*
 * complete: what could stand in a command line next, for shells.
 *
 * Printed are the words that the last one could become, one a line, from the tables of options.h and from what the library
 * finds. A line ":files" or ":directories" says that names of files would do as well. Not for people, so not in the help.
 */
#define COMPLETE_COMMAND "__complete"

/* argv: COMPLETE_COMMAND, the words before, and the word to complete, which may be "". */
void complete_print(int argc, char **argv, struct console *console);

#endif
