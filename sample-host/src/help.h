/* SPDX-License-Identifier: MIT */
#ifndef INFER_HELP_H
#define INFER_HELP_H

#include "options.h"
#include "text.h"

/* help: the pages that the tables of options.h make. COMMAND_NONE is the page about all commands. */
void help_add_page(struct text *out, enum command command);

#endif
