/* SPDX-License-Identifier: MIT */
#ifndef GR_DIGEST_H
#define GR_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/*
 * digest: 64 bits that tell whether bytes are the same. Pure.
 *
 * Finds accidents, not forgeries: whoever may write what it was made of could make another one.
 */
#define GR_DIGEST_INIT UINT64_C(0x9e3779b97f4a7c15)

/* Of what came before, and these bytes. Where the pieces end counts as well. */
uint64_t gr_digest(uint64_t before, const void *bytes, size_t len);
uint64_t gr_digest_text(const char *text);

#endif
