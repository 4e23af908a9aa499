/* SPDX-License-Identifier: MIT */
#ifndef GR_BUF_H
#define GR_BUF_H

#include <stddef.h>

#include "inference/plugin.h"

/*
 * buf: growable bytes with a cap.
 *
 * The bytes are always followed by a NUL that is not counted, so text in a buffer can be read as a string.
 * A buffer that would grow past its cap fails and keeps what it had. Not thread-safe.
 */
struct gr_buf {
	char *data;		/* owned; NULL until the first append */
	size_t len;
	size_t cap;		/* bytes allocated */
	size_t max;		/* len never exceeds this */
};

#define GR_BUF_INIT(max_bytes) { .max = (max_bytes) }

void gr_buf_init(struct gr_buf *self, size_t max);
void gr_buf_release(struct gr_buf *self);	/* accepts NULL and a released buffer; usable again afterwards */
void gr_buf_reset(struct gr_buf *self);		/* empties it, keeps the memory */

/* INF_OK, INF_E_NO_MEMORY, or INF_E_INTERNAL when the cap would be exceeded. */
inf_status gr_buf_append(struct gr_buf *self, const void *bytes, size_t len);
inf_status gr_buf_puts(struct gr_buf *self, const char *text);
inf_status gr_buf_printf(struct gr_buf *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first n bytes (n <= len). */
void gr_buf_consume(struct gr_buf *self, size_t n);

/* The text, "" when nothing was ever appended. */
const char *gr_buf_text(const struct gr_buf *self);

#endif
