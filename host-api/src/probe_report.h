/* SPDX-License-Identifier: MIT */
#ifndef IH_PROBE_REPORT_H
#define IH_PROBE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

/*
 * probe_report: what a look at one plugin file found, as a line of JSON: what inf-probe prints and what the cache keeps.
 *
 *   {"file":0,"state":"available","reason":"","message":"","abi":"1.0","id":"org.example.x","version":"1.0",
 *    "backends":"x,y"}
 *
 * One flat object of strings and one number; the last four only where there is a plugin. Pure.
 */
enum { IH_REPORT_LINE_MAX = 8192 };	/* bytes of a line with its newline */

struct ih_report {
	uint32_t file;		/* which of those that were asked about */
	int32_t state;		/* INF_STATE_* */
	inf_error why;		/* reason and message; "" when available */
};

/* Returns the bytes of the line with its newline; 0 where it does not fit. plugin may be NULL. */
size_t ih_report_write(char *out, size_t cap, const struct ih_report *report, const inf_plugin *plugin);
/* Any bytes. False, and *out untouched, for what is no such line; keys that are not known are passed over. */
bool ih_report_read(struct ih_report *out, const char *line, size_t len);

#endif
