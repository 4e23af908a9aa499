/* SPDX-License-Identifier: MIT */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

inf_status gr_fail_errno(inf_error *err, inf_status code, int os_errno, const char *reason, const char *format, ...)
{
	char text[sizeof ((inf_error *)0)->message];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	const char *cause = strerrordesc_np(os_errno);
	inf_error error = { .struct_size = sizeof error };
	inf_fail(&error, code, reason, "%s: %s", text, cause ? cause : "unknown error");
	error.os_errno = os_errno;
	inf_write_struct(err, &error, sizeof error);
	return code;
}

void gr_fail_flags(inf_error *err, uint32_t flags)
{
	if (err && INF_HAS(inf_error, err, flags) && err->struct_size <= INF_STRUCT_MAX)
		err->flags |= flags;
}
