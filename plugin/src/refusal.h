/* SPDX-License-Identifier: MIT */
#ifndef GR_REFUSAL_H
#define GR_REFUSAL_H

#include <stdbool.h>

#include "inference/plugin.h"

/*
 * refusal: why no GPU can be used, as a code, one sentence of cause and one of remedy.
 *
 * It is filled where the cause is found. The two sentences are bounded so that "cause; remedy" always fits into
 * inf_availability.message. Text that comes from outside (variables, names of drivers) is made printable here.
 */
enum {
	GR_REFUSAL_CAUSE_MAX = 116,	/* bytes, NUL included */
	GR_REFUSAL_REMEDY_MAX = 91,
	GR_REFUSAL_TEXT_MAX = 208,	/* sizeof inf_availability.message */
};

struct gr_refusal {
	const char *code;		/* static; NULL = nothing is refused */
	int os_errno;			/* 0 = none */
	char cause[GR_REFUSAL_CAUSE_MAX];
	char remedy[GR_REFUSAL_REMEDY_MAX];
};

/* Begin a refusal with its code and cause, then say what to do. */
void gr_refuse(struct gr_refusal *self, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void gr_refusal_remedy(struct gr_refusal *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "cause; remedy" */
void gr_refusal_text(const struct gr_refusal *self, char out[GR_REFUSAL_TEXT_MAX]);
/* Does nothing that the user could do make this backend work on this machine? */
bool gr_refusal_is_final(const struct gr_refusal *self);
/* INF_OK for none, INF_E_PERMISSION, INF_E_NO_VRAM, INF_E_INVALID or INF_E_UNAVAILABLE. */
inf_status gr_refusal_status(const struct gr_refusal *self);

#endif
