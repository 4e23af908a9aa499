/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/* A semaphore knows only the clock of the day. Set meanwhile, it shows the line sooner or later. */
static struct timespec shown_at(void)
{
	struct timespec at;
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += WAITING_SHOWN_AFTER_MS * 1000000L;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

static void *watch(void *user)
{
	struct waiting *self = user;
	const struct timespec at = shown_at();
	if (sem_timedwait(&self->is_over, &at) && errno == ETIMEDOUT)
		progress_note(&self->progress, self->note);
	return NULL;
}

/* Signals are for the thread that started the program. */
void waiting_begin(struct waiting *self, struct console *console, const char *note)
{
	sigset_t all, before;
	*self = (struct waiting){ .progress.console = console, .note = note };
	if (!console || !console->err.is_tty || sem_init(&self->is_over, 0, 0))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	self->is_watched = !pthread_create(&self->thread, NULL, watch, self);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!self->is_watched)
		sem_destroy(&self->is_over);
}

void waiting_end(struct waiting *self)
{
	if (!self->is_watched)
		return;
	sem_post(&self->is_over);
	pthread_join(self->thread, NULL);
	sem_destroy(&self->is_over);
	progress_erase(&self->progress);
}
