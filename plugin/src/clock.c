/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

int64_t gr_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t gr_now_ms(void)
{
	return gr_now_ns() / 1000000;
}
