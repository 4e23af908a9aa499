/* SPDX-License-Identifier: MIT */
#ifndef SOAK_MEMORY_H
#define SOAK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * memory: does it grow? Samples are taken when everything is closed and free memory was given back.
 *
 * What the allocator has handed out is exact, so its bound is tight; resident memory also moves with fragmentation and
 * with pages that were touched once. Both are compared with the first sample after the warm-up.
 */
enum {
	SOAK_WARM_UP = 3,			/* samples */
	SOAK_HEAP_GROWTH_MAX = 16 * 1024,	/* bytes handed out */
	SOAK_RSS_GROWTH_MAX = 4 << 20,		/* bytes resident */
};

struct soak_memory {
	int samples;
	long heap, rss;			/* newest, bytes */
	long first_heap, first_rss;	/* at the end of the warm-up */
	bool exact;			/* the allocator tells; a sanitizer's does not, and its memory is not judged */
};

void soak_memory_sample(struct soak_memory *self);
/* False with a line in why when it grew by more than the bounds. */
bool soak_memory_steady(const struct soak_memory *self, char *why, size_t cap);

#endif
