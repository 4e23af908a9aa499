/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "fail.h"

/* Lives on the waiting caller's stack. */
struct waiter {
	struct waiter *next;
	int want;			/* slots */
	pthread_cond_t wake;
};

struct gr_slots {
	pthread_mutex_t lock;
	pthread_cond_t left;		/* a caller went out */
	int depth, timeout_ms;		/* of the queue; never change */
	int count, free;
	int inside;			/* callers between enter and leave */
	int waiting;
	struct waiter *first, **last;
	atomic_bool closed;
};

inf_status gr_slots_new(struct gr_slots **out, int count, int depth, int timeout_ms, inf_error *err)
{
	struct gr_slots *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the slots");
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->left, NULL);
	self->count = self->free = count;
	self->depth = depth;
	self->timeout_ms = timeout_ms;
	self->last = &self->first;
	*out = self;
	return INF_OK;
}

void gr_slots_free(struct gr_slots *self)
{
	if (!self)
		return;
	pthread_cond_destroy(&self->left);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static void wake_first(struct gr_slots *self)
{
	if (self->first)
		pthread_cond_signal(&self->first->wake);
}

static void enqueue(struct gr_slots *self, struct waiter *w)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	w->next = NULL;
	*self->last = w;
	self->last = &w->next;
	self->waiting++;
}

static void dequeue(struct gr_slots *self, struct waiter *w)
{
	struct waiter **at = &self->first;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!w->next)
		self->last = at;
	self->waiting--;
	pthread_cond_destroy(&w->wake);
}

static void wait_a_little(struct gr_slots *self, struct waiter *w)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GR_SLOTS_POLL_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&w->wake, &self->lock, &until);
}

static bool is_turn(const struct gr_slots *self, const struct waiter *w)
{
	return self->free >= w->want && self->first == w;
}

/* With the lock held; it is given up while on_poll runs. */
static inf_status wait_turn(struct gr_slots *self, int want, int (*on_poll)(void *user), void *user, inf_error *err)
{
	struct waiter w = { .want = want };
	inf_status st = INF_OK;
	int64_t deadline = gr_now_ms() + self->timeout_ms;
	enqueue(self, &w);
	while (!atomic_load(&self->closed) && !is_turn(self, &w)) {
		wait_a_little(self, &w);
		pthread_mutex_unlock(&self->lock);
		bool stop = on_poll && on_poll(user) != 0;
		pthread_mutex_lock(&self->lock);
		if (stop) {
			st = INF_E_CANCELLED;
			break;
		}
		if (gr_now_ms() >= deadline && !is_turn(self, &w)) {
			st = inf_fail(err, INF_E_BUSY, "queue_timeout", "no slot became free in %d ms (option queue-timeout-ms): all "
				      "slots of the model are in use", self->timeout_ms);
			break;
		}
	}
	dequeue(self, &w);
	return st;
}

static inf_status take(struct gr_slots *self, int want, bool no_wait, int (*on_poll)(void *user), void *user,
		       inf_error *err)
{
	inf_status st = INF_OK;
	if (!atomic_load(&self->closed) && (self->free < want || self->first)) {
		if (no_wait)
			return inf_fail(err, INF_E_BUSY, "no_free_slot", want == 1 ? "all slots of the model are in use" :
					"all slots of the model are needed at once, and some are in use");
		if (self->waiting >= self->depth)
			return inf_fail(err, INF_E_BUSY, "queue_full", "%d requests wait for a slot already (option queue-depth)",
					self->waiting);
		st = wait_turn(self, want, on_poll, user, err);
	}
	if (atomic_load(&self->closed))
		st = inf_fail(err, INF_E_CLOSED, "closed", "the model was closed");
	if (st == INF_OK)
		self->free -= want;
	if (self->free > 0)
		wake_first(self);
	return st;
}

static inf_status acquire(struct gr_slots *self, int want, bool no_wait, int (*on_poll)(void *user), void *user,
			  inf_error *err)
{
	pthread_mutex_lock(&self->lock);
	inf_status st = take(self, want, no_wait, on_poll, user, err);
	pthread_mutex_unlock(&self->lock);
	if (st == INF_E_BUSY)
		gr_fail_flags(err, INF_ERR_FLAG_RETRYABLE);
	return st;
}

static void release(struct gr_slots *self, int count)
{
	pthread_mutex_lock(&self->lock);
	self->free += count;
	wake_first(self);
	pthread_mutex_unlock(&self->lock);
}

inf_status gr_slots_acquire(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user,
			    inf_error *err)
{
	return acquire(self, 1, no_wait, on_poll, user, err);
}

void gr_slots_release(struct gr_slots *self)
{
	release(self, 1);
}

inf_status gr_slots_acquire_all(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user,
				inf_error *err)
{
	return acquire(self, self->count, no_wait, on_poll, user, err);
}

void gr_slots_release_all(struct gr_slots *self)
{
	release(self, self->count);
}

inf_status gr_slots_enter(struct gr_slots *self, inf_error *err)
{
	pthread_mutex_lock(&self->lock);
	bool closed = atomic_load(&self->closed);
	if (!closed)
		self->inside++;
	pthread_mutex_unlock(&self->lock);
	return closed ? inf_fail(err, INF_E_CLOSED, "closed", "the model was closed") : INF_OK;
}

void gr_slots_leave(struct gr_slots *self)
{
	pthread_mutex_lock(&self->lock);
	if (--self->inside == 0)
		pthread_cond_broadcast(&self->left);
	pthread_mutex_unlock(&self->lock);
}

bool gr_slots_closed(struct gr_slots *self)
{
	return atomic_load(&self->closed);
}

void gr_slots_count(struct gr_slots *self, int *busy, int *waiting)
{
	pthread_mutex_lock(&self->lock);
	*busy = self->count - self->free;
	*waiting = self->waiting;
	pthread_mutex_unlock(&self->lock);
}

void gr_slots_close(struct gr_slots *self)
{
	pthread_mutex_lock(&self->lock);
	atomic_store(&self->closed, true);
	for (struct waiter *w = self->first; w; w = w->next)
		pthread_cond_signal(&w->wake);
	while (self->inside)
		pthread_cond_wait(&self->left, &self->lock);
	pthread_mutex_unlock(&self->lock);
}
