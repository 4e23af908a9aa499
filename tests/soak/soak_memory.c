/* SPDX-License-Identifier: MIT */
#include "soak_memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#ifndef __has_feature
# define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer)
enum { OWN_ALLOCATOR = 1 };
#else
enum { OWN_ALLOCATOR = 0 };
#endif

static long resident_bytes(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file && fscanf(file, "%*s %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

void soak_memory_sample(struct soak_memory *self)
{
	malloc_trim(0);
	struct mallinfo2 info = mallinfo2();
	self->heap = (long)(info.uordblks + info.hblkhd);
	self->rss = resident_bytes();
	self->exact = !OWN_ALLOCATOR;
	if (++self->samples <= SOAK_WARM_UP) {
		self->first_heap = self->heap;
		self->first_rss = self->rss;
	}
}

bool soak_memory_steady(const struct soak_memory *self, char *why, size_t cap)
{
	long heap = self->heap - self->first_heap, rss = self->rss - self->first_rss;
	if (!self->exact || (heap <= SOAK_HEAP_GROWTH_MAX && rss <= SOAK_RSS_GROWTH_MAX))
		return true;
	snprintf(why, cap, "memory grew: %ld bytes handed out (at most %d), %ld resident (at most %d)", heap,
		 (int)SOAK_HEAP_GROWTH_MAX, rss, (int)SOAK_RSS_GROWTH_MAX);
	return false;
}
