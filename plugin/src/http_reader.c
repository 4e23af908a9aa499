/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "http_part.h"

enum {
	EVENTS = 64,
	ROUNDS = 8,			/* of them in one turn: others want their say */
	BUSY_MS = 10,			/* less is the time that reading takes */
};

struct gr_http_reader {
	int epoll, wake;
	/* Of the thread that turns it. */
	struct gr_http_transfer *active;
	int64_t timer_ms;		/* no transfer has an earlier one */
	size_t held;			/* of the active ones */
	bool woken;
	int64_t asked_ms;
	int64_t looked_ms;		/* at the clock */
	atomic_llong busy_ms;		/* read by any */

	pthread_mutex_t lock;		/* what follows */
	struct gr_http_transfer *incoming, **last;	/* oldest first */
};

inf_status gr_http_reader_new(struct gr_http_reader **out, inf_error *err)
{
	struct gr_http_reader *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a reader of streams");
	pthread_mutex_init(&self->lock, NULL);
	self->last = &self->incoming;
	self->timer_ms = INT64_MAX;
	self->looked_ms = gr_now_ms();
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };
	if (self->epoll < 0 || self->wake < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->wake, &event) != 0) {
		inf_fail(err, INF_E_IO, "descriptors", "cannot open descriptors for a reader of streams (errno %d): too many open "
			 "files", errno);
		gr_http_reader_free(self);
		return INF_E_IO;
	}
	*out = self;
	return INF_OK;
}

void gr_http_reader_free(struct gr_http_reader *self)
{
	if (!self)
		return;
	if (self->epoll >= 0)
		close(self->epoll);
	if (self->wake >= 0)
		close(self->wake);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

/* The counter of an eventfd goes between 0 and what fits: neither call can block or fail. */
void gr_http_reader_wake(struct gr_http_reader *self)
{
	const uint64_t one = 1;
	while (write(self->wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void calm(struct gr_http_reader *self)
{
	uint64_t count;
	self->woken = true;
	while (read(self->wake, &count, sizeof count) < 0 && errno == EINTR)
		;
}

int64_t gr_http_reader_busy_ms(const struct gr_http_reader *self)
{
	return atomic_load_explicit(&self->busy_ms, memory_order_relaxed);
}

/* ---- for the callers of requests --------------------------------------------------------------------------------- */
void gr_http_read(struct gr_http_reader *self, struct gr_http_transfer *t)
{
	pthread_cond_init(&t->over, NULL);
	t->done = false;
	t->next = NULL;
	pthread_mutex_lock(&self->lock);
	*self->last = t;
	self->last = &t->next;
	pthread_mutex_unlock(&self->lock);
	gr_http_reader_wake(self);
	pthread_mutex_lock(&self->lock);
	while (!t->done)
		pthread_cond_wait(&t->over, &self->lock);
	pthread_mutex_unlock(&self->lock);
	pthread_cond_destroy(&t->over);
}

/* ---- the thread that turns it -------------------------------------------------------------------------------------- */
void gr_http_watch(struct gr_http_transfer *t, int old)
{
	int epoll = t->request->reader->epoll;
	if (t->held)
		return;
	const struct pollfd *socket = &t->handle->socket;
	struct epoll_event event = {
		.events = (socket->events & POLLIN ? EPOLLIN : 0u) | (socket->events & POLLOUT ? EPOLLOUT : 0u), .data.ptr = t,
	};
	if (old >= 0 && old != socket->fd)
		epoll_ctl(epoll, EPOLL_CTL_DEL, old, NULL);
	if (socket->fd >= 0 && epoll_ctl(epoll, old == socket->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket->fd, &event) != 0)
		t->status = inf_fail(t->err, INF_E_NO_MEMORY, "no_memory", "the connection to llama-server cannot be waited for "
				     "(errno %d): too little memory, or too many of them", errno);
}

void gr_http_watch_timer(struct gr_http_transfer *t)
{
	struct gr_http_reader *self = t->request->reader;
	if (t->handle->timer_ms < self->timer_ms)
		self->timer_ms = t->handle->timer_ms;
}

/* Since the last look it did not wait: what was said meanwhile has not been heard. */
static int64_t count_busy(struct gr_http_reader *self)
{
	int64_t now = gr_now_ms(), taken = now - self->looked_ms;
	self->looked_ms = now;
	if (taken >= BUSY_MS)
		atomic_fetch_add_explicit(&self->busy_ms, taken, memory_order_relaxed);
	return now;
}

static void unlink_active(struct gr_http_reader *self, struct gr_http_transfer *t)
{
	struct gr_http_transfer **at = &self->active;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

/* Afterwards it is its caller's. */
static void finish(struct gr_http_reader *self, struct gr_http_transfer *t)
{
	if (t->request->on_taken)	/* its last bytes are taken too */
		t->request->on_taken(t->request->user);
	unlink_active(self, t);
	self->held -= t->held;
	if (t->handle->socket.fd >= 0)
		epoll_ctl(self->epoll, EPOLL_CTL_DEL, t->handle->socket.fd, NULL);
	t->handle->read = NULL;
	pthread_mutex_lock(&self->lock);
	t->done = true;
	pthread_cond_signal(&t->over);
	pthread_mutex_unlock(&self->lock);
}

static void begin(struct gr_http_reader *self, struct gr_http_transfer *t, int64_t now)
{
	t->next = self->active;
	self->active = t;
	t->held = false;
	t->excused_ms = gr_http_reader_busy_ms(self);
	t->heard_ms = now;		/* what it waited for so far was the reader */
	t->handle->read = t;
	gr_http_watch_timer(t);
	gr_http_watch(t, -1);
	gr_http_ask(t, now, false);
	if (t->status == INF_OK)
		gr_http_begin(t);
	count_busy(self);
	if (gr_http_is_over(t))
		finish(self, t);
}

static void take_in(struct gr_http_reader *self)
{
	pthread_mutex_lock(&self->lock);
	struct gr_http_transfer *list = self->incoming;
	self->incoming = NULL;
	self->last = &self->incoming;
	pthread_mutex_unlock(&self->lock);
	while (list) {
		struct gr_http_transfer *next = list->next;
		begin(self, list, gr_now_ms());
		list = next;
	}
}

static int waiting_time(const struct gr_http_reader *self, int64_t now, int wait_ms)
{
	int64_t until = self->timer_ms;
	if (self->active && self->asked_ms + GR_HTTP_POLL_MS < until)
		until = self->asked_ms + GR_HTTP_POLL_MS;
	if (until <= now)
		return 0;
	return until - now < wait_ms ? (int)(until - now) : wait_ms;
}

static void hold(struct gr_http_reader *self, struct gr_http_transfer *t)
{
	if (t->handle->socket.fd >= 0)
		epoll_ctl(self->epoll, EPOLL_CTL_DEL, t->handle->socket.fd, NULL);
	t->held = true;
	self->held++;
}

static void look_at_held(struct gr_http_reader *self)
{
	for (struct gr_http_transfer *t = self->held ? self->active : NULL, *next; t; t = next) {
		next = t->next;
		if (!t->held || t->request->on_taken(t->request->user))
			continue;
		t->held = false;
		self->held--;
		gr_http_watch_timer(t);
		gr_http_watch(t, -1);
		if (gr_http_is_over(t))
			finish(self, t);
	}
}

/* What is over is no longer anybody's to look at. */
static struct gr_http_transfer *take_event(struct gr_http_reader *self, const struct epoll_event *event)
{
	struct gr_http_transfer *t = event->data.ptr;
	if (!t) {
		calm(self);
		return NULL;
	}
	gr_http_act(t, (short)event->events);	/* the bits of epoll are those of poll */
	if (!gr_http_is_over(t))
		return t->request->on_taken ? t : NULL;
	finish(self, t);
	return NULL;
}

static void take_all(struct gr_http_reader *self, const struct epoll_event *events, int count)
{
	struct gr_http_transfer *taken[EVENTS];
	int taken_count = 0;
	for (int i = 0; i < count; i++) {
		struct gr_http_transfer *t = take_event(self, &events[i]);
		if (t)
			taken[taken_count++] = t;
	}
	for (int i = 0; i < taken_count; i++)
		if (taken[i]->request->on_taken(taken[i]->request->user))
			hold(self, taken[i]);
}

/* Everything that is ready is taken before anybody is judged for his silence. */
static void take_events(struct gr_http_reader *self, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(self->epoll, events, EVENTS, wait_ms);
	self->looked_ms = gr_now_ms();
	for (int round = 1; count > 0; round++) {
		take_all(self, events, count);
		count = count == EVENTS && round < ROUNDS ? epoll_wait(self->epoll, events, EVENTS, 0) : 0;
	}
}

static void run_timers(struct gr_http_reader *self, int64_t now)
{
	if (self->timer_ms > now)
		return;
	self->timer_ms = INT64_MAX;
	for (struct gr_http_transfer *t = self->active, *next; t; t = next) {
		next = t->next;
		if (t->held)		/* libcurl would read */
			continue;
		if (t->handle->timer_ms > now) {
			gr_http_watch_timer(t);
			continue;
		}
		gr_http_act(t, 0);
		if (gr_http_is_over(t))
			finish(self, t);
		else if (t->request->on_taken && t->request->on_taken(t->request->user))
			hold(self, t);
	}
}

static void ask_all(struct gr_http_reader *self, int64_t now)
{
	for (struct gr_http_transfer *t = self->active, *next; t; t = next) {
		next = t->next;
		t->heard_ms += gr_http_reader_busy_ms(self) - t->excused_ms;
		t->excused_ms = gr_http_reader_busy_ms(self);
		if (t->held)
			t->heard_ms = now;
		gr_http_ask(t, now, true);
		if (gr_http_is_over(t))
			finish(self, t);
	}
	self->asked_ms = gr_now_ms();	/* where it takes long to ask, there is a time between to hear */
}

void gr_http_reader_turn(struct gr_http_reader *self, int wait_ms, bool ask)
{
	count_busy(self);
	take_in(self);
	if (ask)
		ask_all(self, gr_now_ms());
	take_events(self, waiting_time(self, gr_now_ms(), wait_ms));
	run_timers(self, count_busy(self));
	int64_t now = count_busy(self);
	bool due = now - self->asked_ms >= GR_HTTP_POLL_MS;
	if (due)
		ask_all(self, now);
	if (due || self->woken)
		look_at_held(self);
	self->woken = false;
}
