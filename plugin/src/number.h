/* SPDX-License-Identifier: MIT */
#ifndef GR_NUMBER_H
#define GR_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * number: numbers in text, the whole of it or not at all, whatever the locale. Pure.
 */
enum { GR_NUMBER_TEXT_MAX = 63 };	/* bytes of one */

/* "7", "-7" */
bool gr_number_integer(const char *text, size_t len, int32_t *out);
/* "1", "-1.5", "2e-3"; finite */
bool gr_number_real(const char *text, size_t len, double *out);

#endif
