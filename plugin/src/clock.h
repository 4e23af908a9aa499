/* SPDX-License-Identifier: MIT */
#ifndef GR_CLOCK_H
#define GR_CLOCK_H

#include <stdint.h>

/* clock: what all deadlines are measured by, CLOCK_MONOTONIC. */
int64_t gr_now_ms(void);
int64_t gr_now_ns(void);

#endif
