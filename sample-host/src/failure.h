/* SPDX-License-Identifier: MIT */
#ifndef INFER_FAILURE_H
#define INFER_FAILURE_H

#include "inference/host.h"

/*
 * failure: how a step ended, and why.
 *
 * A step returns an exit_code; EXIT_DONE goes on. With EXIT_FAILED, EXIT_USAGE and EXIT_NO_BACKEND it has filled the
 * failure that it was given. What the user interrupted has nothing to explain. Only main() and the chat print failures.
 */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_BACKEND = 3,
	EXIT_INTERRUPTED = 130,		/* 128 + SIGINT, as a shell has it */
	EXIT_TERMINATED = 143,		/* 128 + SIGTERM */
};

struct failure {
	enum exit_code code;
	inf_error error;
};

#define FAILURE_INIT { .code = EXIT_DONE, .error = { .struct_size = sizeof(inf_error) } }

/* Each returns the code it records. */
enum exit_code failure_usage(struct failure *self, const char *reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum exit_code failure_set(struct failure *self, inf_status status, const char *reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
enum exit_code failure_memory(struct failure *self, const char *what);
/* After a call of the library that filled self->error. */
enum exit_code failure_as(struct failure *self, enum exit_code code);

const char *failure_status(const struct failure *self);	/* "usage", or the name of the inf_status */

#endif
