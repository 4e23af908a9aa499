/* SPDX-License-Identifier: MIT */
#ifndef INFER_CONFIGVIEW_H
#define INFER_CONFIGVIEW_H

#include "options.h"
#include "terminal.h"

/* configview: what each option is worth and where that was said, in aligned columns. */
enum config_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_LINE };

/* Strings are borrowed. */
struct config_row {
	const char *prefix, *key;	/* together: an option's long name, set.KEY, or $VARIABLE, which no option stands for */
	size_t key_len;
	const char *value;		/* NULL = the backend or the model decides */
	enum config_origin origin;
	const char *variable;		/* with ORIGIN_ENVIRONMENT */
	const char *section;		/* with ORIGIN_FILE */
	uint32_t line;
};

struct config_rows {
	struct config_row *items;	/* owned */
	size_t count;
};

void configview_add(struct text *out, const struct config_rows *rows, const struct terminal *terminal);

#endif
