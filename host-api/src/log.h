/* SPDX-License-Identifier: MIT */
#ifndef IH_LOG_H
#define IH_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

/*
 * log: the host's sink and the level it wants.
 *
 * Written once when a registry opens and only read afterwards, so it needs no lock; the sink itself takes calls from
 * any thread, as host.h asks of it.
 */
enum { IH_LOG_LINE_MAX = 2048 };	/* bytes of one of our own lines, the rest is cut */

struct ih_log {
	void (*write)(void *ctx, int32_t level, const char *msg, size_t len);	/* NULL: nobody listens */
	void *ctx;
	int32_t level;		/* lowest INF_LOG_* that is passed on */
};

void ih_log(const struct ih_log *self, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A plugin's line, as inf_host.log delivers it: ctx is the struct ih_log. */
void INF_CALL ih_log_forward(void *ctx, int32_t level, const char *msg, size_t len);

#endif
