/* SPDX-License-Identifier: MIT */
#include "fanout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "thread.h"

enum { HASTE_NS = 1000000 };		/* a host is asked at most a thousand times a second */

/* What a job tells; lives on the stack of its thread. */
struct message {
	struct message *next;
	void (*fn)(void *arg);
	void *arg;
	pthread_cond_t over;
	bool done, refused;
};

struct ic_fanout {
	const struct ic_fanout_work *work;
	pthread_t caller;
	bool alone;			/* the jobs run on the calling thread */
	int64_t polled_ns;		/* the calling thread's; 0 = not yet */
	atomic_bool stopped;		/* written under the lock */
	pthread_mutex_t lock;		/* what follows */
	inf_error why;			/* it was stopped */
	pthread_cond_t news;		/* a message came, a thread ended, or all shall stop */
	struct message *first, **last;	/* oldest first */
	size_t next;			/* the job to begin */
	int threads;			/* that have not ended */
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* On the calling thread, without the lock. */
static void poll_host(struct ic_fanout *self, int64_t apart_ns)
{
	const struct ic_fanout_work *work = self->work;
	int64_t now = now_ns();
	if (atomic_load(&self->stopped) || now - self->polled_ns < apart_ns)
		return;
	if (work->on_poll && work->on_poll(work->host) != INF_CONTINUE)
		ic_fanout_stop(self);
	self->polled_ns = now_ns();	/* a host that takes its time is not asked all the time */
}

/* ---- for jobs -------------------------------------------------------------------------------------------------- */
bool ic_fanout_goes_on(struct ic_fanout *self)
{
	if (self->alone)
		poll_host(self, HASTE_NS);
	return !atomic_load(&self->stopped);
}

/* With the lock held. */
static void wake_caller(struct ic_fanout *self)
{
	const struct ic_fanout_waiter *waiter = self->work->waiter;
	if (waiter)
		waiter->wake(waiter->user);
	else
		pthread_cond_signal(&self->news);
}

void ic_fanout_fail(struct ic_fanout *self, const inf_error *why)
{
	pthread_mutex_lock(&self->lock);
	if (!atomic_load(&self->stopped))
		self->why = *why;
	atomic_store(&self->stopped, true);
	wake_caller(self);
	pthread_mutex_unlock(&self->lock);
}

void ic_fanout_stop(struct ic_fanout *self)
{
	inf_error why = { .struct_size = sizeof why };
	inf_fail(&why, INF_E_CANCELLED, "cancelled", "the call was cancelled");
	ic_fanout_fail(self, &why);
}

static bool tell_from_thread(struct ic_fanout *self, struct message *message)
{
	pthread_cond_init(&message->over, NULL);
	pthread_mutex_lock(&self->lock);
	message->refused = atomic_load(&self->stopped);
	if (!message->refused) {
		*self->last = message;
		self->last = &message->next;
		wake_caller(self);
	}
	while (!message->done && !message->refused)
		pthread_cond_wait(&message->over, &self->lock);
	pthread_mutex_unlock(&self->lock);
	pthread_cond_destroy(&message->over);
	return message->done;
}

bool ic_fanout_tell(struct ic_fanout *self, void (*fn)(void *arg), void *arg)
{
	struct message message = { .fn = fn, .arg = arg };
	if (!pthread_equal(self->caller, pthread_self()))
		return tell_from_thread(self, &message);
	if (atomic_load(&self->stopped))
		return false;
	fn(arg);
	poll_host(self, IC_FANOUT_POLL_MS * 1000000LL);		/* there may be many things to tell before it waits again */
	return true;
}

/* ---- the threads ----------------------------------------------------------------------------------------------- */
static bool take_job(struct ic_fanout *self, size_t *out)
{
	pthread_mutex_lock(&self->lock);
	bool taken = !atomic_load(&self->stopped) && self->next < self->work->count;
	if (taken)
		*out = self->next++;
	pthread_mutex_unlock(&self->lock);
	return taken;
}

static void *thread_main(void *arg)
{
	struct ic_fanout *self = arg;
	size_t index;
	while (take_job(self, &index))
		self->work->run(self, index, self->work->user);
	pthread_mutex_lock(&self->lock);
	self->threads--;
	wake_caller(self);
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* How many could be made. */
static int start_threads(struct ic_fanout *self, pthread_t *threads, int wanted)
{
	int made = 0;
	pthread_mutex_lock(&self->lock);
	while (made < wanted && ic_thread_start(&threads[made], IC_FANOUT_STACK, thread_main, self) == 0)
		made++;
	self->threads = made;
	pthread_mutex_unlock(&self->lock);
	return made;
}

/* ---- the calling thread ---------------------------------------------------------------------------------------- */
static struct message *take_message(struct ic_fanout *self)
{
	struct message *message = self->first;
	if (!message)
		return NULL;
	self->first = message->next;
	if (!self->first)
		self->last = &self->first;
	return message;
}

/* With the lock held; it is given up meanwhile. */
static void wait_for_news(struct ic_fanout *self)
{
	const struct ic_fanout_waiter *waiter = self->work->waiter;
	int64_t until = self->polled_ns + IC_FANOUT_POLL_MS * 1000000LL;
	const struct timespec t = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };
	if (!waiter) {
		pthread_cond_timedwait(&self->news, &self->lock, &t);
		return;
	}
	bool ends = atomic_load(&self->stopped);
	pthread_mutex_unlock(&self->lock);
	int64_t left = ends ? IC_FANOUT_POLL_MS : (until - now_ns() + 999999) / 1000000;	/* or it would spin at the end */
	waiter->wait(waiter->user, left > 0 ? (int)left : 0, ends);
	pthread_mutex_lock(&self->lock);
}

static void refuse_messages(struct ic_fanout *self)
{
	for (struct message *message; (message = take_message(self));) {
		message->refused = true;
		pthread_cond_signal(&message->over);
	}
}

/* However many messages there are, who waits has its turn too. */
static void hear(struct ic_fanout *self, struct message *message)
{
	const struct ic_fanout_waiter *waiter = self->work->waiter;
	message->fn(message->arg);
	pthread_mutex_lock(&self->lock);
	message->done = true;
	pthread_cond_signal(&message->over);
	pthread_mutex_unlock(&self->lock);
	if (waiter)
		waiter->wait(waiter->user, 0, atomic_load(&self->stopped));
}

/* Until all threads have ended, or, where they need nothing of this one, shall. */
static void serve(struct ic_fanout *self)
{
	pthread_mutex_lock(&self->lock);
	while (self->threads && (self->work->waiter || !atomic_load(&self->stopped))) {
		if (atomic_load(&self->stopped))
			refuse_messages(self);
		struct message *message = take_message(self);
		if (!message)
			wait_for_news(self);
		pthread_mutex_unlock(&self->lock);
		if (message)
			hear(self, message);
		poll_host(self, IC_FANOUT_POLL_MS * 1000000LL);
		pthread_mutex_lock(&self->lock);
	}
	refuse_messages(self);
	pthread_mutex_unlock(&self->lock);
}

static void run_alone(struct ic_fanout *self)
{
	size_t index;
	self->alone = true;
	while (ic_fanout_goes_on(self) && take_job(self, &index))
		self->work->run(self, index, self->work->user);
}

static void init(struct ic_fanout *self, const struct ic_fanout_work *work)
{
	pthread_condattr_t attr;
	*self = (struct ic_fanout){ .work = work, .caller = pthread_self(), .last = &self->first };
	pthread_mutex_init(&self->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&self->news, &attr);
	pthread_condattr_destroy(&attr);
}

inf_status ic_fanout_run(const struct ic_fanout_work *work, inf_error *err)
{
	struct ic_fanout self;
	pthread_t threads[IC_FANOUT_WIDTH_MAX];
	int width = work->width < IC_FANOUT_WIDTH_MAX ? work->width : IC_FANOUT_WIDTH_MAX;
	init(&self, work);
	if (work->count < (size_t)width)
		width = (int)work->count;
	int made = width > 1 ? start_threads(&self, threads, width) : 0;
	if (made)
		serve(&self);
	else
		run_alone(&self);
	for (int i = 0; i < made; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&self.news);
	pthread_mutex_destroy(&self.lock);
	if (!atomic_load(&self.stopped))
		return INF_OK;
	inf_write_struct(err, &self.why, sizeof self.why);
	return self.why.code;
}
