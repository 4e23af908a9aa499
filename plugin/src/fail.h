/* SPDX-License-Identifier: MIT */
#ifndef GR_FAIL_H
#define GR_FAIL_H

#include "inference/plugin.h"

/*
 * fail: inf_fail() of the contract, with what needs more than a line of text.
 */

/* As inf_fail(), and appends ": <text of os_errno>" and records os_errno. */
inf_status gr_fail_errno(inf_error *err, inf_status code, int os_errno, const char *reason, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Add INF_ERR_FLAG_* to an error that was just filled; err may be NULL. */
void gr_fail_flags(inf_error *err, uint32_t flags);

#endif
