/* SPDX-License-Identifier: MIT */
#include "pull.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "keep.h"
#include "thread.h"

enum {
	TEXT_ROOM = 64,			/* in every chunk, so that one serves for the next token */
	SPARES_MAX = 2,			/* what a reader that keeps up needs: the token it has, and the one that comes meanwhile */
};

/* A token with its text. */
struct chunk {
	struct chunk *next;
	inf_token token;
	size_t room;			/* for the text, with its NUL */
	char text[];
};

struct inf_stream {
	pid_t owner;			/* in a forked child the lock may be held for ever */
	struct ic_pull_job job;
	struct ic_keep kept;
	pthread_t thread;
	inf_status stop;		/* the thread's: why on_token said stop */
	int fd;				/* once somebody asked for it: readable while next() would not wait */
	struct chunk *current;		/* the caller's of next(), until the next one */

	pthread_mutex_t lock;		/* what follows */
	pthread_cond_t arrived, taken;
	struct chunk *first, **last;	/* in the order they came */
	struct chunk *spares;		/* that the caller has done with */
	size_t spare_count;
	size_t waiting;			/* bytes */
	bool readable, cancelled, over;
	bool full;			/* and room() has to be called */
	bool watched;			/* somebody has the descriptor */
	inf_status status;		/* how it ended, as the next two */
	inf_error error;
	inf_gen_result result;
};

/* ---- time -------------------------------------------------------------------------------------------------------- */
static struct timespec in_ms(int32_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static void init_condition(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- the queue, with the lock held -------------------------------------------------------------------------------- */
static size_t cost(const struct chunk *chunk)
{
	return sizeof *chunk + chunk->room;
}

/* The counter of an eventfd goes between 0 and 1: neither call can block or fail. */
static void show_to_watcher(const inf_stream *self, bool readable)
{
	uint64_t one = 1;
	while ((readable ? write(self->fd, &one, sizeof one) : read(self->fd, &one, sizeof one)) < 0 && errno == EINTR)
		;
}

static void show(inf_stream *self)
{
	bool readable = self->first || self->over;
	if (readable == self->readable)
		return;
	self->readable = readable;
	if (self->watched)
		show_to_watcher(self, readable);
}

static void append(inf_stream *self, struct chunk *chunk)
{
	*self->last = chunk;
	self->last = &chunk->next;
	self->waiting += cost(chunk);
	if (!self->job.room)
		show(self);
}

static struct chunk *take(inf_stream *self)
{
	struct chunk *chunk = self->first;
	self->first = chunk->next;
	if (!self->first)
		self->last = &self->first;
	self->waiting -= cost(chunk);
	pthread_cond_signal(&self->taken);
	if (self->full && self->waiting <= IC_PULL_FULL / 2) {
		self->full = false;
		self->job.room(self->job.user);
	}
	show(self);
	return chunk;
}

static void give_back(inf_stream *self, struct chunk *chunk)
{
	if (!chunk || chunk->room != TEXT_ROOM || self->spare_count == SPARES_MAX) {
		free(chunk);
		return;
	}
	chunk->next = self->spares;
	self->spares = chunk;
	self->spare_count++;
}

static struct chunk *new_chunk(inf_stream *self, size_t room)
{
	struct chunk *chunk = room <= TEXT_ROOM ? self->spares : NULL;
	if (chunk) {
		self->spares = chunk->next;
		self->spare_count--;
		return chunk;
	}
	room = room > TEXT_ROOM ? room : TEXT_ROOM;
	chunk = malloc(sizeof *chunk + room);
	if (chunk)
		chunk->room = room;
	return chunk;
}

/* Without the lock. */
static bool host_goes_on(const inf_stream *self)
{
	const inf_gen_params *host = &self->kept.params;
	return !host->on_poll || host->on_poll(host->user) == INF_CONTINUE;
}

static inf_status still_wanted(const inf_stream *self)
{
	inf_status st = self->job.stopped(self->job.user, self);
	return st == INF_OK && !host_goes_on(self) ? INF_E_CANCELLED : st;
}

/* The lock is given up meanwhile. */
static inf_status wait_for_room(inf_stream *self, size_t bytes)
{
	while (!self->cancelled && !self->job.room && self->first && self->waiting + bytes > IC_PULL_WAITING_MAX) {
		const struct timespec until = in_ms(IC_PULL_POLL_MS);
		pthread_cond_timedwait(&self->taken, &self->lock, &until);
		pthread_mutex_unlock(&self->lock);
		inf_status st = still_wanted(self);
		pthread_mutex_lock(&self->lock);
		if (st != INF_OK)
			return st;
	}
	return self->cancelled ? INF_E_CANCELLED : INF_OK;
}

/* ---- the thread --------------------------------------------------------------------------------------------------- */
static void copy(struct chunk *chunk, const inf_token *token)
{
	chunk->next = NULL;
	chunk->token = (inf_token){ 0 };
	memcpy(&chunk->token, token, token->struct_size < sizeof *token ? inf_token_V1_0 : sizeof *token);
	chunk->token.struct_size = sizeof chunk->token;
	chunk->token.text = memcpy(chunk->text, token->text, token->text_len);
	chunk->text[token->text_len] = '\0';
}

/* With the lock held. */
static inf_status enqueue(inf_stream *self, const inf_token *token)
{
	struct chunk *chunk = new_chunk(self, token->text_len + 1);
	if (!chunk)
		return INF_E_NO_MEMORY;
	inf_status st = wait_for_room(self, cost(chunk));
	if (st != INF_OK) {
		free(chunk);
		return st;
	}
	copy(chunk, token);
	append(self, chunk);
	return INF_OK;
}

bool ic_pull_taken(void *stream)
{
	inf_stream *self = stream;
	pthread_mutex_lock(&self->lock);
	show(self);
	self->full |= self->waiting > IC_PULL_FULL;
	bool full = self->full;
	pthread_mutex_unlock(&self->lock);
	pthread_cond_signal(&self->arrived);
	return full;
}

void ic_pull_last(void *stream)
{
	inf_stream *self = stream;
	pthread_mutex_lock(&self->lock);
	self->full = false;
	pthread_mutex_unlock(&self->lock);
}

/* Whoever waits is woken when the lock can be had. */
static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	inf_stream *self = user;
	pthread_mutex_lock(&self->lock);
	self->stop = enqueue(self, token);
	pthread_mutex_unlock(&self->lock);
	if (!self->job.room)
		pthread_cond_signal(&self->arrived);
	return self->stop == INF_OK ? INF_CONTINUE : 0;
}

static int32_t INF_CALL on_poll(void *user)
{
	inf_stream *self = user;
	pthread_mutex_lock(&self->lock);
	bool cancelled = self->cancelled;
	pthread_mutex_unlock(&self->lock);
	return !cancelled && host_goes_on(self) ? INF_CONTINUE : 0;
}

/* To who generates, an on_token that says stop is a success. */
static inf_status settle(const inf_stream *self, inf_status st, inf_gen_result *result, inf_error *error)
{
	if (self->stop == INF_OK || (st != INF_OK && st != INF_E_CANCELLED))
		return st;
	result->finish = self->stop == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
	if (self->stop == INF_E_NO_MEMORY)
		return inf_fail(error, self->stop, "no_memory", "out of memory for a token of the stream");
	if (self->stop == INF_E_CLOSED)
		return inf_fail(error, self->stop, "closed", "the model was closed");
	return inf_fail(error, self->stop, "cancelled", "the stream was cancelled");
}

static void *thread_main(void *arg)
{
	inf_stream *self = arg;
	inf_gen_params params = self->kept.params;
	inf_gen_result result = { .struct_size = sizeof result };
	inf_error error = { .struct_size = sizeof error };
	pthread_setname_np(pthread_self(), "inf-stream");
	params.user = self;
	params.on_token = on_token;
	params.on_poll = on_poll;
	inf_status st = self->job.run(self->job.user, &self->kept.input, &params, &result, &error);
	st = settle(self, st, &result, &error);
	pthread_mutex_lock(&self->lock);
	self->status = st;
	self->error = error;
	self->result = result;
	self->over = true;
	show(self);
	pthread_mutex_unlock(&self->lock);
	pthread_cond_signal(&self->arrived);
	return NULL;
}

static inf_status start_thread(inf_stream *self, inf_error *err)
{
	int error = ic_thread_start(&self->thread, IC_PULL_STACK, thread_main, self);
	if (error)
		return inf_fail(err, INF_E_NO_MEMORY, "thread", "cannot start a thread for a stream (errno %d): too many threads, or "
				"too little memory", error);
	return INF_OK;
}

/* ---- callers ------------------------------------------------------------------------------------------------------ */
static bool is_dead(const inf_stream *self)
{
	return !self || self->owner != getpid();
}

static inf_status dead(const inf_stream *self, inf_error *err)
{
	return inf_fail(err, INF_E_INVALID, self ? "forked" : "argument", self ? "the stream belongs to the process that was forked" :
			"the stream is NULL");
}

static void free_chunks(struct chunk *list)
{
	while (list) {
		struct chunk *next = list->next;
		free(list);
		list = next;
	}
}

static void release(inf_stream *self)
{
	free_chunks(self->first);
	free_chunks(self->spares);
	free(self->current);
	ic_keep_release(&self->kept);
	if (self->fd >= 0)
		close(self->fd);
	pthread_cond_destroy(&self->arrived);
	pthread_cond_destroy(&self->taken);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

inf_status ic_pull_open(inf_stream **out, const inf_input *input, const inf_gen_params *params,
			const struct ic_pull_job *job, inf_error *err)
{
	inf_stream *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	self->owner = getpid();
	self->job = *job;
	self->last = &self->first;
	self->result.struct_size = sizeof self->result;
	pthread_mutex_init(&self->lock, NULL);
	init_condition(&self->arrived);
	init_condition(&self->taken);
	self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	inf_status st = self->fd >= 0 ? ic_keep_input(&self->kept, input, params, err) :
			inf_fail(err, INF_E_IO, "descriptors", "cannot open an eventfd for a stream (errno %d): too many open "
				 "files", errno);
	if (st == INF_OK)
		st = job->begin(job->user, self, self->kept.params.request_id, err);
	if (st == INF_OK)
		st = start_thread(self, err);
	if (st == INF_OK)
		*out = self;
	else
		release(self);
	return st;
}

static void wait_for_arrival(inf_stream *self, int32_t timeout_ms)
{
	const struct timespec until = in_ms(timeout_ms > 0 ? timeout_ms : 0);
	int error = timeout_ms ? 0 : ETIMEDOUT;
	while (!self->readable && error != ETIMEDOUT)
		error = timeout_ms < 0 ? pthread_cond_wait(&self->arrived, &self->lock) :
					 pthread_cond_timedwait(&self->arrived, &self->lock, &until);
}

inf_status INF_CALL ic_pull_next(inf_stream *self, int32_t timeout_ms, int32_t *event, const inf_token **token, inf_error *err)
{
	inf_status st = INF_OK;
	if (is_dead(self))
		return dead(self, err);
	if (!event || !token || timeout_ms < -1)
		return inf_fail(err, INF_E_INVALID, "argument", "next: event or token is NULL, or timeout_ms below -1");
	*token = NULL;
	*event = INF_STREAM_WAITING;
	pthread_mutex_lock(&self->lock);
	give_back(self, self->current);
	self->current = NULL;
	wait_for_arrival(self, timeout_ms);
	if (self->first) {
		self->current = take(self);
		*token = &self->current->token;
		*event = INF_STREAM_TOKEN;
	} else if (self->over) {
		*event = INF_STREAM_END;
		st = self->status;
		if (st != INF_OK)
			inf_write_struct(err, &self->error, sizeof self->error);
	}
	pthread_mutex_unlock(&self->lock);
	return st;
}

int32_t INF_CALL ic_pull_descriptor(inf_stream *self)
{
	if (is_dead(self))
		return -1;
	pthread_mutex_lock(&self->lock);
	if (!self->watched && self->readable)
		show_to_watcher(self, true);
	self->watched = true;
	pthread_mutex_unlock(&self->lock);
	return self->fd;
}

inf_status INF_CALL ic_pull_result(inf_stream *self, inf_gen_result *out, inf_error *err)
{
	if (is_dead(self))
		return dead(self, err);
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "result: out is NULL");
	pthread_mutex_lock(&self->lock);
	inf_write_struct(out, &self->result, sizeof self->result);
	pthread_mutex_unlock(&self->lock);
	return INF_OK;
}

void INF_CALL ic_pull_cancel(inf_stream *self)
{
	if (is_dead(self))
		return;
	pthread_mutex_lock(&self->lock);
	self->cancelled = true;
	pthread_cond_signal(&self->taken);
	pthread_mutex_unlock(&self->lock);
}

void INF_CALL ic_pull_close(inf_stream *self)
{
	if (is_dead(self))
		return;
	ic_pull_cancel(self);
	pthread_join(self->thread, NULL);
	release(self);
}
