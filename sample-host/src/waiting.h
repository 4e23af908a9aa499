/* SPDX-License-Identifier: MIT */
#ifndef INFER_WAITING_H
#define INFER_WAITING_H

#include <pthread.h>
#include <semaphore.h>

#include "progress.h"

/*
 * waiting: a line on a terminal while a call that tells nothing takes longer than one expects.
 *
 * A thread of its own draws it after WAITING_SHOWN_AFTER_MS. Between begin and end nobody else may use the console, whose log
 * excepted. Without a terminal, or without a thread, nothing is shown.
 */
enum { WAITING_SHOWN_AFTER_MS = 300 };

struct waiting {
	struct progress progress;
	const char *note;		/* borrowed */
	pthread_t thread;
	sem_t is_over;
	bool is_watched;		/* the thread runs */
};

void waiting_begin(struct waiting *self, struct console *console, const char *note);	/* console NULL shows nothing */
void waiting_end(struct waiting *self);							/* once; what was drawn is erased */

#endif
