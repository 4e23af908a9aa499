/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "thread.h"

enum {
	DRAIN_PER_WAKE = 16, DRAIN_AT_END_MS = 200,
	GATHER_MS = 1,			/* after output, before more is read: the server writes each line in pieces */
};

struct gr_supervisor {
	struct gr_supervisor_spec spec;
	pthread_t thread;
	int wake_fd;			/* eventfd: a wish changed */

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t changed;
	bool started;			/* the attempt to start is over, start_status says how it went */
	inf_status start_status;
	inf_error start_error;
	bool want_ready, want_stop, lost;
	enum gr_state state;
	struct gr_exit exit;
	struct gr_child child;		/* written by the thread only */
	uint64_t output_total;
	char ring[GR_SUPERVISOR_RING];

	/* The thread's own. */
	int64_t state_deadline_ms;	/* 0 = none */
	bool stopped;			/* GR_EVENT_STOP was handled */
	char line[GR_SUPERVISOR_LINE];
	size_t line_len;
};

/* ---- output ---------------------------------------------------------------------------------------------------- */
static void deliver_lines(struct gr_supervisor *self, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool end = bytes[i] == '\n';
		if (!end)
			self->line[self->line_len++] = bytes[i];
		if (self->line_len && (end || self->line_len == sizeof self->line - 1)) {
			self->line[self->line_len] = '\0';
			self->spec.on_line(self->spec.user, self->line, self->line_len);
			self->line_len = 0;
		}
	}
}

static void keep_output(struct gr_supervisor *self, const char *bytes, size_t len)
{
	pthread_mutex_lock(&self->lock);
	for (size_t done = 0; done < len;) {
		size_t at = (size_t)((self->output_total + done) % GR_SUPERVISOR_RING);
		size_t part = GR_SUPERVISOR_RING - at < len - done ? GR_SUPERVISOR_RING - at : len - done;
		memcpy(self->ring + at, bytes + done, part);
		done += part;
	}
	self->output_total += len;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	if (self->spec.on_line)
		deliver_lines(self, bytes, len);
}

/* Read what is there now. False at the end of the stream. */
static bool drain(struct gr_supervisor *self)
{
	char chunk[4096];
	for (int i = 0; i < DRAIN_PER_WAKE; i++) {
		ssize_t n = read(self->child.out_fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		keep_output(self, chunk, (size_t)n);
	}
	return true;
}

/* A grandchild may hold the pipe open after the child's end, so this has a deadline. */
static void drain_rest(struct gr_supervisor *self)
{
	int64_t deadline = gr_now_ms() + DRAIN_AT_END_MS, left;
	while (drain(self) && (left = deadline - gr_now_ms()) > 0) {
		struct pollfd p = { .fd = self->child.out_fd, .events = POLLIN };
		if (poll(&p, 1, (int)left) == 0)
			break;
	}
	if (self->line_len) {
		self->line[self->line_len] = '\0';
		self->spec.on_line(self->spec.user, self->line, self->line_len);
		self->line_len = 0;
	}
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */
static void enter_state(struct gr_supervisor *self, enum gr_state state)
{
	pthread_mutex_lock(&self->lock);
	self->state = state;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	int limit_ms = gr_supervisor_limit_ms(state);
	self->state_deadline_ms = limit_ms ? gr_now_ms() + limit_ms : 0;
}

static void reap(struct gr_supervisor *self)
{
	gr_child_signal(&self->child, SIGKILL);	/* the rest of its group: they may hold the pipe, or the GPU */
	drain_rest(self);
	pthread_mutex_lock(&self->lock);
	self->exit = gr_child_reap(&self->child);
	pthread_mutex_unlock(&self->lock);
}

static void handle(struct gr_supervisor *self, enum gr_event event)
{
	struct gr_transition t = gr_supervisor_transition(self->state, event);
	if (t.action == GR_ACTION_TERMINATE)
		gr_child_signal(&self->child, SIGTERM);
	else if (t.action == GR_ACTION_KILL)
		gr_child_signal(&self->child, SIGKILL);
	else if (t.action == GR_ACTION_REAP)
		reap(self);
	if (t.next != self->state)
		enter_state(self, t.next);
}

static void handle_wishes(struct gr_supervisor *self)
{
	uint64_t count;
	if (read(self->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		return;
	pthread_mutex_lock(&self->lock);
	bool ready = self->want_ready, stop = self->want_stop, lost = self->lost;
	self->want_ready = self->lost = false;
	pthread_mutex_unlock(&self->lock);
	if (ready)
		handle(self, GR_EVENT_READY);
	if (lost)
		handle(self, GR_EVENT_LOST);
	if (stop) {
		handle(self, GR_EVENT_STOP);
		self->stopped = true;
	}
}

static int poll_timeout(const struct gr_supervisor *self)
{
	if (!self->state_deadline_ms)
		return -1;
	int64_t left = self->state_deadline_ms - gr_now_ms();
	return left > 0 ? (int)left : 0;
}

/* A process that was given up may still end: it is reaped then, until somebody stops the supervisor. */
static bool is_over(const struct gr_supervisor *self)
{
	return self->stopped && (self->state == GR_STATE_DEAD || self->state == GR_STATE_WEDGED);
}

static void watch(struct gr_supervisor *self)
{
	bool output_open = true, gathers = false;
	while (!is_over(self)) {
		bool reaped = self->state == GR_STATE_DEAD;
		struct pollfd p[3] = {
			{ self->wake_fd, POLLIN, 0 },
			{ reaped ? -1 : self->child.pidfd, POLLIN, 0 },
			{ output_open && !reaped && !gathers ? self->child.out_fd : -1, POLLIN, 0 },
		};
		int n = poll(p, 3, gathers ? GATHER_MS : poll_timeout(self));
		gathers = n > 0 && p[2].revents;
		if (gathers)
			output_open = drain(self);
		if (n > 0 && p[0].revents)
			handle_wishes(self);
		if (n > 0 && p[1].revents)
			handle(self, GR_EVENT_ENDED);
		else if (self->state_deadline_ms && gr_now_ms() >= self->state_deadline_ms)
			handle(self, GR_EVENT_DEADLINE);
	}
}

static void *thread_main(void *arg)
{
	struct gr_supervisor *self = arg;
	struct gr_child child = GR_CHILD_INIT;
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_child_start_kept(&child, &self->spec.spawn, &err);

	pthread_mutex_lock(&self->lock);
	self->child = child;
	self->start_status = st;
	self->start_error = err;
	self->started = true;
	self->spec.spawn = (struct gr_spawn){ 0 };
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	if (st == INF_OK)
		watch(self);
	return NULL;
}

/* ---- callers ------------------------------------------------------------------------------------------------- */
static inf_status start_thread(struct gr_supervisor *self, inf_error *err)
{
	int error = ic_thread_start(&self->thread, GR_SUPERVISOR_STACK, thread_main, self);
	if (error)
		return gr_fail_errno(err, INF_E_NO_MEMORY, error, "thread", "cannot start a thread to watch the server");
	return INF_OK;
}

static void release(struct gr_supervisor *self)
{
	gr_child_release(&self->child);
	if (self->wake_fd >= 0)
		close(self->wake_fd);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static void init_condition(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

inf_status gr_supervisor_start(struct gr_supervisor **out, const struct gr_supervisor_spec *spec, inf_error *err)
{
	struct gr_supervisor *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's supervisor");
	self->spec = *spec;
	self->child = (struct gr_child)GR_CHILD_INIT;
	pthread_mutex_init(&self->lock, NULL);
	init_condition(&self->changed);
	self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	inf_status st;
	if (self->wake_fd < 0)
		st = gr_fail_errno(err, INF_E_IO, errno, "spawn_descriptors", "cannot open an eventfd");
	else
		st = start_thread(self, err);
	if (st != INF_OK) {
		release(self);
		return st;
	}
	pthread_mutex_lock(&self->lock);
	while (!self->started)
		pthread_cond_wait(&self->changed, &self->lock);
	pthread_mutex_unlock(&self->lock);
	if (self->start_status == INF_OK) {
		*out = self;
		return INF_OK;
	}
	st = self->start_status;
	inf_write_struct(err, &self->start_error, sizeof self->start_error);
	pthread_join(self->thread, NULL);
	release(self);
	return st;
}

static void wish(struct gr_supervisor *self, bool *flag)
{
	pthread_mutex_lock(&self->lock);
	*flag = true;
	pthread_mutex_unlock(&self->lock);
	uint64_t one = 1;
	while (write(self->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

inf_status gr_supervisor_stop(struct gr_supervisor *self, inf_error *err)
{
	inf_status st = INF_OK;
	if (!self)
		return INF_OK;
	wish(self, &self->want_stop);
	pthread_join(self->thread, NULL);
	if (self->state == GR_STATE_WEDGED)
		st = inf_fail(err, INF_E_INTERNAL, "server_wedged",
			      "llama-server (pid %d) does not end even on SIGKILL; it is probably stuck in the GPU "
			      "driver: reset the GPU or reboot", (int)self->child.pid);
	release(self);
	return st;
}

void gr_supervisor_set_ready(struct gr_supervisor *self)
{
	wish(self, &self->want_ready);
}

void gr_supervisor_set_lost(struct gr_supervisor *self)
{
	wish(self, &self->lost);
}

enum gr_state gr_supervisor_state(struct gr_supervisor *self)
{
	pthread_mutex_lock(&self->lock);
	enum gr_state state = self->state;
	pthread_mutex_unlock(&self->lock);
	return state;
}

static struct timespec in_ms(int timeout_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

enum gr_state gr_supervisor_wait_end(struct gr_supervisor *self, int timeout_ms)
{
	struct timespec until = in_ms(timeout_ms);
	pthread_mutex_lock(&self->lock);
	while (self->state <= GR_STATE_UP)
		if (pthread_cond_timedwait(&self->changed, &self->lock, &until) == ETIMEDOUT)
			break;
	enum gr_state state = self->state;
	pthread_mutex_unlock(&self->lock);
	return state;
}

uint64_t gr_supervisor_wait_output(struct gr_supervisor *self, uint64_t known, int timeout_ms)
{
	struct timespec until = in_ms(timeout_ms);
	pthread_mutex_lock(&self->lock);
	while (self->state <= GR_STATE_UP && self->output_total == known)
		if (pthread_cond_timedwait(&self->changed, &self->lock, &until) == ETIMEDOUT)
			break;
	uint64_t total = self->output_total;
	pthread_mutex_unlock(&self->lock);
	return total;
}

struct gr_exit gr_supervisor_exit(struct gr_supervisor *self)
{
	pthread_mutex_lock(&self->lock);
	struct gr_exit exit = self->exit;
	pthread_mutex_unlock(&self->lock);
	return exit;
}

size_t gr_supervisor_output(struct gr_supervisor *self, char *buf, size_t cap)
{
	pthread_mutex_lock(&self->lock);
	uint64_t have = self->output_total < GR_SUPERVISOR_RING ? self->output_total : GR_SUPERVISOR_RING;
	size_t len = have < cap - 1 ? (size_t)have : cap - 1;
	for (size_t i = 0; i < len; i++)
		buf[i] = self->ring[(self->output_total - len + i) % GR_SUPERVISOR_RING];
	pthread_mutex_unlock(&self->lock);
	buf[len] = '\0';
	return len;
}

uint64_t gr_supervisor_output_total(struct gr_supervisor *self)
{
	pthread_mutex_lock(&self->lock);
	uint64_t total = self->output_total;
	pthread_mutex_unlock(&self->lock);
	return total;
}

bool gr_supervisor_activity(struct gr_supervisor *self, struct gr_activity *out)
{
	pthread_mutex_lock(&self->lock);
	bool known = gr_child_activity(&self->child, out);
	pthread_mutex_unlock(&self->lock);
	return known;
}

pid_t gr_supervisor_pid(struct gr_supervisor *self)
{
	pthread_mutex_lock(&self->lock);
	pid_t pid = self->child.pid;
	pthread_mutex_unlock(&self->lock);
	return pid;
}
