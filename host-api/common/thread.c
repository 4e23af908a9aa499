/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <signal.h>

int ic_thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_bytes);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int error = pthread_create(out, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error;
}
