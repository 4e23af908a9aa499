/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_SCAN_H
#define GR_WIRE_SCAN_H

#include <string.h>

#include "wire.h"

/*
 * wire_scan: JSON in the one form that the server writes, taken piece by piece without json-c.
 *
 * A reader moves behind what it takes and returns true; at anything else it returns false, and the scan is of no more
 * use: what it was to read is left to json-c. No blanks are taken between the pieces, and of numbers and texts less than
 * JSON allows. Left are surrogates too: the server escapes nothing but control characters, and json-c 0.16 takes every
 * 32nd pair for a mistake.
 */
struct gr_scan {
	const char *at, *end;
	bool no_memory;		/* why it returned false */
};

#define GR_SCAN_LITERAL(self, literal) gr_scan_literal(self, literal, sizeof literal - 1)

/* Inline, so that its length is known where it is compared: a chunk of a chat has thirty of them. */
static inline bool gr_scan_literal(struct gr_scan *self, const char *literal, size_t len)
{
	if ((size_t)(self->end - self->at) < len || memcmp(self->at, literal, len) != 0)
		return false;
	self->at += len;
	return true;
}

bool gr_scan_end(const struct gr_scan *self);

/* An integer of at most 9 digits, without a sign. */
bool gr_scan_count(struct gr_scan *self, int32_t *out);
/* What is a double to json-c, with a point or an exponent, and finite: the very same double. */
bool gr_scan_real(struct gr_scan *self, double *out);
bool gr_scan_skip_number(struct gr_scan *self);

/* Up to the quote that ends it; the one before it has been taken. What goes into `text`, whose memory is used again, must
 * be UTF-8. */
bool gr_scan_text(struct gr_scan *self, struct gr_buf *text);
bool gr_scan_skip_text(struct gr_scan *self);

#endif
