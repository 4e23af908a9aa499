/* SPDX-License-Identifier: MIT */
#ifndef INFER_MANPAGE_H
#define INFER_MANPAGE_H

#include "options.h"
#include "text.h"

/* manpage: infer(1), from the tables of options.h. */
void manpage_add(struct text *out);

#endif
