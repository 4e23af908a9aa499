/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <stdarg.h>
#include <string.h>

int32_t ih_refuse(inf_error *why, int32_t state, const char *reason, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	inf_vfail(why, INF_E_UNAVAILABLE, reason, format, ap);
	va_end(ap);
	return state;
}

const char *ih_errno_text(int error)
{
	const char *text = strerrordesc_np(error);
	return text ? text : "unknown error";
}
