/* SPDX-License-Identifier: MIT */
#ifndef FAILMALLOC_H
#define FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * failmalloc: makes one allocation of the code under test fail, and counts them.
 *
 * Works through -Wl,--wrap of malloc, calloc and realloc, so it sees what is linked into the test itself and not what
 * libc or another shared library allocates. libcheck may be linked statically: assert nothing while armed.
 * The counters are atomic, but arm and disarm belong to one thread.
 */
enum { FAILMALLOC_NEVER = -1 };

void failmalloc_arm(long n);		/* allocation n from now on returns NULL, 0 = the next; NEVER = only count */
bool failmalloc_disarm(void);		/* did it come to that? */
size_t failmalloc_count(void);		/* allocations since arm */
size_t failmalloc_bytes(void);		/* bytes they asked for */

#endif
