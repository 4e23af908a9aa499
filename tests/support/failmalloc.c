/* SPDX-License-Identifier: MIT */
#include "failmalloc.h"

#include <stdatomic.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static atomic_bool armed, fired;
static atomic_long countdown;
static atomic_size_t allocations, bytes;

void failmalloc_arm(long n)
{
	countdown = n;
	allocations = 0;
	bytes = 0;
	fired = false;
	armed = true;
}

bool failmalloc_disarm(void)
{
	armed = false;
	return fired;
}

size_t failmalloc_count(void)
{
	return allocations;
}

size_t failmalloc_bytes(void)
{
	return bytes;
}

static bool fails(size_t size)
{
	if (!armed)
		return false;
	allocations++;
	bytes += size;
	if (countdown < 0 || countdown-- != 0)
		return false;
	fired = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails(size) ? NULL : __real_realloc(old, size);
}
