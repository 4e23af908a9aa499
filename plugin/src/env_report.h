/* SPDX-License-Identifier: MIT */
#ifndef GR_ENV_REPORT_H
#define GR_ENV_REPORT_H

#include <stddef.h>

#include "finding.h"

/*
 * env_report: the variables of the host that could matter to a GPU or to llama.cpp, and what becomes of each. Pure.
 *
 * A variable that the engine knows by name is shown as the engine has it. Others of the same families reach neither the
 * engine nor the server: they are shown so that nobody looks for their effect. A value that may be a secret never is.
 */
enum {
	GR_ENV_REPORT_STRANGERS_MAX = 64,	/* variables that the engine does not know */
	GR_ENV_REPORT_VALUE_MAX = 200,		/* bytes of a value that are shown */
};

/* Names, each list NULL-terminated, or NULL. */
struct gr_env_roles {
	const char *const *selectors;	/* decide which device is taken */
	const char *const *given;	/* go on to the server */
};

/* known: "NAME=value", all that the engine has; block: what the process inherited, each string with its NUL. */
void gr_env_report(struct gr_findings *out, const struct gr_env_roles *roles, char *const *known, const char *block,
		   size_t block_len);

#endif
