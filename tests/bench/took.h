/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TOOK_H
#define BENCH_TOOK_H

/* took: what a load and the end of it take, of time and of this process. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TOOK_IDLE_MS = 20 };	/* between ready and the wish to end */

struct took {
	double start, ready, wish;
	struct rusage before, after;
};

static inline double took_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline void took_pause_ms(int ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000L };
	nanosleep(&t, NULL);
}

/* A system call that does nothing, for whoever traces this program. */
static inline void took_mark(const char *moment)
{
	if (access(moment, F_OK) == 0)
		fprintf(stderr, "there is a file %s\n", moment);
}

static inline void took_begin(struct took *self)
{
	getrusage(RUSAGE_SELF, &self->before);
	took_mark("moment:call");
	self->start = took_now_ms();
}

static inline void took_ready(struct took *self)
{
	self->ready = took_now_ms();
	took_mark("moment:ready");
	getrusage(RUSAGE_SELF, &self->after);
	took_pause_ms(TOOK_IDLE_MS);
	self->wish = took_now_ms();
}

static inline double took_cpu_ms(const struct rusage *used)
{
	return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1e3 +
	       (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e3;
}

static inline void took_gone(const struct took *self)
{
	double gone = took_now_ms();
	took_mark("moment:gone");
	printf("ready=%.3f gone=%.3f cpu=%.3f switches=%ld\n", self->ready - self->start, gone - self->wish,
	       took_cpu_ms(&self->after) - took_cpu_ms(&self->before), self->after.ru_nvcsw - self->before.ru_nvcsw);
	fflush(stdout);
}

#endif
