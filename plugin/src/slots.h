/* SPDX-License-Identifier: MIT */
#ifndef GR_SLOTS_H
#define GR_SLOTS_H

#include <stdbool.h>

#include "inference/plugin.h"

/*
 * slots: who may talk to the server now.
 *
 * The server has a fixed number of slots and queues what is surplus in silence, so surplus callers wait here, first come
 * first served. Every call on a model is inside from gr_slots_enter() to gr_slots_leave(), and one that generates holds
 * a slot from gr_slots_acquire() to gr_slots_release() in between; gr_slots_close() turns callers away and waits until
 * the last has left. Callbacks run without the lock. All functions may be called from any thread.
 */
enum {
	GR_SLOTS_POLL_MS = 40,		/* between two questions to on_poll while waiting */
};

struct gr_slots;

/* depth: callers that may wait at once; timeout_ms: how long each of them. */
inf_status gr_slots_new(struct gr_slots **out, int count, int depth, int timeout_ms, inf_error *err);
void gr_slots_free(struct gr_slots *self);	/* accepts NULL; nobody holds or waits */

/* INF_E_CLOSED when gr_slots_close() began. */
inf_status gr_slots_enter(struct gr_slots *self, inf_error *err);
/* The caller touches nothing of the model afterwards. */
void gr_slots_leave(struct gr_slots *self);

/*
 * Wait for a slot; the caller is inside. on_poll (may be NULL) is asked while waiting; anything but 0 ends it with INF_E_CANCELLED.
 * INF_E_BUSY: no slot is free and no_wait is set ("no_free_slot"), the queue is full ("queue_full"), or no slot became
 * free in time ("queue_timeout"). INF_E_CLOSED: gr_slots_close() began.
 */
inf_status gr_slots_acquire(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user,
			    inf_error *err);
void gr_slots_release(struct gr_slots *self);
/* The same with all slots: nobody else holds one until gr_slots_release_all(). Who comes later waits behind. */
inf_status gr_slots_acquire_all(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user,
				inf_error *err);
void gr_slots_release_all(struct gr_slots *self);
bool gr_slots_closed(struct gr_slots *self);
/* How many slots are held and how many callers wait for one, now. */
void gr_slots_count(struct gr_slots *self, int *busy, int *waiting);
/* Turn new and waiting callers away, and wait until nobody is inside. */
void gr_slots_close(struct gr_slots *self);

#endif
