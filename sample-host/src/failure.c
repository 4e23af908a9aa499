/* SPDX-License-Identifier: MIT */
#include "failure.h"

enum exit_code failure_as(struct failure *self, enum exit_code code)
{
	self->code = code;
	return code;
}

enum exit_code failure_usage(struct failure *self, const char *reason, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	inf_vfail(&self->error, INF_E_INVALID, reason, format, ap);
	va_end(ap);
	return failure_as(self, EXIT_USAGE);
}

enum exit_code failure_set(struct failure *self, inf_status status, const char *reason, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	inf_vfail(&self->error, status, reason, format, ap);
	va_end(ap);
	return failure_as(self, EXIT_FAILED);
}

enum exit_code failure_memory(struct failure *self, const char *what)
{
	return failure_set(self, INF_E_NO_MEMORY, "no_memory", "no memory for %s", what);
}

const char *failure_status(const struct failure *self)
{
	return self->code == EXIT_USAGE ? "usage" : inf_status_name(self->error.code);
}
