/* SPDX-License-Identifier: MIT */
#ifndef GR_CHILDLOG_H
#define GR_CHILDLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * childlog: the server's lines on their way to the host's log. Pure: the clock is passed in.
 *
 * One side pushes lines as they come, the other takes them when it has time. Between them is a ring of fixed size, so
 * that a host that is slow to log, or that is not there, never holds up the server: what does not fit is left out and
 * counted. A line "0.01.229.022 E text" of the server has the level it says; lines without that are for debugging. Known
 * noise is dropped. Two token buckets limit the rate, one for warnings and errors and one for the rest, so that chatter
 * cannot drown a failure; a line tells how many were left out.
 *
 * Not thread-safe.
 */
enum {
	GR_CHILDLOG_RING = 64 * 1024,	/* bytes of lines that wait */
	GR_CHILDLOG_LINE = 512,		/* bytes of a line that reach the host, NUL included; the rest is cut */
	GR_CHILDLOG_BURST = 256,	/* lines at once: a load prints about 160 */
	GR_CHILDLOG_PER_SECOND = 32,	/* after that */
};

enum gr_childlog_kind { GR_CHILDLOG_LOUD, GR_CHILDLOG_QUIET, GR_CHILDLOG_KINDS };

/* Fields are private to childlog.c. Begins with gr_childlog_init(). */
struct gr_childlog {
	int32_t lowest;			/* level that anyone wants */
	struct {
		int64_t credit;		/* thousandths of a line */
		int64_t filled_ms;
		uint64_t left_out;	/* since the last line about it */
	} buckets[GR_CHILDLOG_KINDS];
	size_t head, used;
	unsigned char ring[GR_CHILDLOG_RING];	/* level, two bytes of length, text */
};

/* lowest: INF_LOG_*; lines below it are not kept. */
void gr_childlog_init(struct gr_childlog *self, int32_t lowest, int64_t now_ms);
/* A line without its newline. */
void gr_childlog_push(struct gr_childlog *self, const char *line, size_t len, int64_t now_ms);
/* The next line for the host: printable, NUL-terminated. False when there is none. */
bool gr_childlog_pop(struct gr_childlog *self, int32_t *out_level, char out[GR_CHILDLOG_LINE]);

#endif
