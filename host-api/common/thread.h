/* SPDX-License-Identifier: MIT */
#ifndef IC_THREAD_H
#define IC_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* thread: one of ours in the host's process: it blocks all signals, which are the host's. Returns an errno, or 0. */
int ic_thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *arg), void *arg);

#endif
