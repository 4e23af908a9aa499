/* SPDX-License-Identifier: MIT */
/* A model's server while it is used: is it alive, why did it end, and may it be started again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "fail.h"

enum {
	HEALTH_TIMEOUT_MS = 2000,
	DYING_MS = 2000,		/* from a process that takes no connections any more to its end */
	POLL_MS = 40,			/* between two questions to a caller that waits */
	ALONE_MS = 30000,		/* for the other calls on a dead server to end */
	HOLDS_MAX = 3,			/* servers that may end between a start and its use */
};

/* ---- alive or not ---------------------------------------------------------------------------------------------- */
static bool is_alive(inf_model *self)
{
	return self->server && gr_supervisor_state(self->server) <= GR_STATE_UP;
}

static inf_error read_death(inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	inf_error death = self->death;
	pthread_mutex_unlock(&self->lock);
	return death;
}

static void write_death(inf_model *self, const inf_error *death)
{
	pthread_mutex_lock(&self->lock);
	self->death = *death;
	pthread_mutex_unlock(&self->lock);
}

inf_status gr_server_check_alive(inf_model *self, inf_error *err)
{
	if (is_alive(self))
		return INF_OK;
	inf_error death = read_death(self);
	if (death.code == INF_OK) {
		gr_server_explain_death(self, false, &death);
		if (strcmp(death.reason, "rpc_worker_lost") == 0)	/* which one, is seen only now */
			write_death(self, &death);
	}
	inf_write_struct(err, &death, sizeof death);
	return death.code;
}

static bool takes_connections(inf_model *self)
{
	int code = 0;
	const struct gr_http_request request = { .path = "/health", .timeout_ms = HEALTH_TIMEOUT_MS };
	inf_status st = gr_http_perform(self->http, &request, &code, NULL);
	return st != INF_E_IO;
}

inf_status gr_server_give_up(inf_model *self, inf_status status, const char *reason, const char *what, inf_error *err)
{
	inf_error death = { .struct_size = sizeof death };
	atomic_store(&self->killed, true);
	gr_supervisor_set_lost(self->server);
	gr_supervisor_wait_end(self->server, GR_SERVER_NOTICE_MS);
	inf_fail(&death, status, reason, "llama-server %s; it was killed%s", what,
		 self->start->options.restart ? "" : ": close the model and load it again");
	gr_server_flag_death(self, &death);
	inf_write_struct(err, &death, sizeof death);
	death.code = INF_E_BACKEND_DIED;	/* to whoever comes later */
	write_death(self, &death);
	return status;
}

inf_status gr_server_check_lost(inf_model *self, bool unreachable, inf_error *err)
{
	if (gr_supervisor_wait_end(self->server, GR_SERVER_NOTICE_MS) > GR_STATE_UP)
		return gr_server_check_alive(self, err);
	if (!unreachable || takes_connections(self))
		return INF_OK;
	/* The sockets of a process are closed before its end can be seen, on a busy machine long before. */
	if (gr_supervisor_wait_end(self->server, DYING_MS) > GR_STATE_UP)
		return gr_server_check_alive(self, err);
	return gr_server_give_up(self, INF_E_BACKEND_DIED, "server_deaf", "runs on but takes no connections any more", err);
}

/* The caller of a request, who waits for a start. */
struct waiting {
	int (*on_poll)(void *user);
	void *user;
	bool no_wait;			/* rather be told that it is busy */
};

static bool is_stopped(const struct waiting *w)
{
	return w->on_poll && w->on_poll(w->user) != 0;
}

/* ---- after a sleep --------------------------------------------------------------------------------------------- */
static int64_t clock_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool machine_slept(inf_model *self)
{
	return gr_wake_slept(&self->wake, clock_ms(CLOCK_BOOTTIME), clock_ms(CLOCK_MONOTONIC));
}

void gr_server_remember_clocks(inf_model *self)
{
	machine_slept(self);
}

/* A GPU can be gone although /health is fine, so the server has to compute something. What it answers does not matter. */
static inf_status ask_for_a_token(inf_model *self, const struct waiting *w)
{
	bool generates = self->start->options.task == GR_TASK_GENERATE;
	const char *body = generates ? "{\"prompt\":[0],\"n_predict\":1,\"stream\":true,\"return_progress\":true}" :
				       "{\"input\":[[0]]}";
	int code = 0;
	const struct gr_http_request request = {
		.path = generates ? "/completion" : "/v1/embeddings", .body = body, .body_len = strlen(body),
		.timeout_ms = self->start->options.first_token_timeout_ms, .stream = generates, .on_poll = w->on_poll,
		.user = w->user,
	};
	return gr_http_perform(self->http, &request, &code, NULL);
}

/* The server is alive; afterwards maybe no more. */
static void probe(inf_model *self, const struct waiting *w)
{
	gr_log(self->instance, INF_LOG_INFO, "the machine slept: llama-server is asked for a token");
	inf_status st = ask_for_a_token(self, w);
	if ((st == INF_E_TIMEOUT || st == INF_E_IO) && is_alive(self))
		gr_server_give_up(self, INF_E_BACKEND_DIED, "server_lost_in_sleep",
				  "computes no more since the machine slept", NULL);
}

/* ---- start again ----------------------------------------------------------------------------------------------- */
static int32_t go_on(void *user, const inf_progress *progress)
{
	(void)progress;
	return is_stopped(user) ? 0 : INF_CONTINUE;
}

static inf_status stopped(inf_error *err)
{
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "the generation was cancelled");
}

static inf_status pause_before(const struct waiting *w, int64_t ms, inf_error *err)
{
	const struct timespec a_little = { .tv_nsec = POLL_MS * 1000000L };
	for (int64_t until = gr_now_ms() + ms; gr_now_ms() < until;) {
		if (is_stopped(w))
			return stopped(err);
		nanosleep(&a_little, NULL);
	}
	return INF_OK;
}

/* An end without a completed request in between counts, and is what the next caller hears of. */
static void note_end(inf_model *self, const inf_error *why)
{
	pthread_mutex_lock(&self->lock);
	self->death = *why;
	gr_restart_ended(&self->restart, gr_now_ms(), why->reason);
	pthread_mutex_unlock(&self->lock);
}

static inf_status refuse_again(inf_model *self, inf_error *err)
{
	inf_fail(err, INF_E_BACKEND_DIED, "restart_given_up",
		 "llama-server is not started again, after %u failures without a completed request: close the model and load it "
		 "again; the last one: %.300s", self->restart.row, self->death.message);
	gr_fail_flags(err, INF_ERR_FLAG_MODEL_DEAD);
	return INF_E_BACKEND_DIED;
}

static void bury(inf_model *self)
{
	inf_error death = { .struct_size = sizeof death };
	if (!self->server)
		return;
	gr_server_check_alive(self, &death);
	note_end(self, &death);
	if (gr_server_drop(self, &death) == INF_OK)
		return;
	/* It does not end even when it is killed: another beside it would not fare better. */
	write_death(self, &death);
	gr_restart_give_up(&self->restart);
}

static inf_status busy(inf_error *err)
{
	inf_fail(err, INF_E_BUSY, "restart_busy", "llama-server ended and is not started again yet, because that is under way, or too soon, or "
		 "other calls on it have not returned: call again");
	gr_fail_flags(err, INF_ERR_FLAG_RETRYABLE);
	return INF_E_BUSY;
}

/* The only caller that is with the server. */
static inf_status restart(inf_model *self, struct waiting *w, inf_error *err)
{
	const struct gr_progress progress = { go_on, w };
	struct gr_wire_props props;
	bury(self);
	int64_t wait = gr_restart_wait_ms(&self->restart, gr_now_ms());
	if (wait < 0)
		return refuse_again(self, err);
	if (wait > 0 && w->no_wait)
		return busy(err);
	inf_status st = pause_before(w, wait, err);
	if (st != INF_OK)
		return st;
	gr_log(self->instance, INF_LOG_WARN, "llama-server is started again: %s", self->death.message);
	st = gr_server_start(self, &progress, &props, err);
	if (st == INF_OK)
		st = gr_devices_prove(self, err);
	if (st == INF_OK)
		st = gr_speculation_prove(self, err);
	if (st == INF_OK) {
		write_death(self, &(inf_error){ .struct_size = sizeof(inf_error) });
		gr_metrics_restart(self);
		return INF_OK;
	}
	gr_server_drop(self, NULL);
	if (st == INF_E_CANCELLED)
		return stopped(err);
	gr_server_flag_death(self, err);
	if (gr_rpc_is_away(err->reason))	/* nothing was started, so it is no failure of a server */
		write_death(self, err);
	else
		note_end(self, err);
	return st;
}

/* With the lock held, which is given up meanwhile: a moment, or until somebody lets the server go. */
static void wait_a_moment(inf_model *self)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&self->server_free, &self->lock, &until);
}

static bool is_restarting(const inf_model *self)
{
	return self->restarting;
}

static bool is_used(const inf_model *self)
{
	return self->server_users > 0;
}

/* Wait while it is so, with the lock held. Callbacks run without the lock. */
static inf_status wait_while(inf_model *self, bool (*is_so)(const inf_model *self), const struct waiting *w, int limit_ms,
			     inf_error *err)
{
	int64_t deadline = gr_now_ms() + limit_ms;
	while (is_so(self)) {
		if (w->no_wait || gr_now_ms() >= deadline)
			return busy(err);
		wait_a_moment(self);
		pthread_mutex_unlock(&self->lock);
		bool stop = is_stopped(w);
		pthread_mutex_lock(&self->lock);
		if (stop)
			return stopped(err);
	}
	return INF_OK;
}

static inf_status take(inf_model *self, const struct waiting *w, inf_error *err)
{
	pthread_mutex_lock(&self->lock);
	inf_status st = wait_while(self, is_restarting, w, self->start->options.queue_timeout_ms, err);
	if (st == INF_OK)
		self->server_users++;
	pthread_mutex_unlock(&self->lock);
	return st;
}

void gr_server_let_go(inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	self->server_users--;
	pthread_cond_broadcast(&self->server_free);
	pthread_mutex_unlock(&self->lock);
}

bool gr_server_try_hold(inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	bool held = !self->restarting;
	self->server_users += held;
	pthread_mutex_unlock(&self->lock);
	return held;
}

static inf_status restart_alone(inf_model *self, struct waiting *w, inf_error *err)
{
	inf_error own = { .struct_size = sizeof own };
	pthread_mutex_lock(&self->lock);
	if (self->restarting) {		/* another caller was faster */
		pthread_mutex_unlock(&self->lock);
		return INF_OK;
	}
	self->restarting = true;	/* nobody takes the server any more */
	inf_status st = wait_while(self, is_used, w, ALONE_MS, &own);
	pthread_mutex_unlock(&self->lock);
	if (st == INF_OK && !is_alive(self))
		st = restart(self, w, &own);
	pthread_mutex_lock(&self->lock);
	self->restarting = false;
	pthread_cond_broadcast(&self->server_free);
	pthread_mutex_unlock(&self->lock);
	if (st != INF_OK)
		inf_write_struct(err, &own, sizeof own);
	return st;
}

inf_status gr_server_hold(inf_model *self, int (*on_poll)(void *user), void *user, bool no_wait, inf_error *err)
{
	struct waiting w = { on_poll, user, no_wait };
	inf_status st = INF_OK;
	for (int i = 0; i < HOLDS_MAX && st == INF_OK; i++) {
		st = take(self, &w, err);
		if (st != INF_OK)
			return st;
		if (is_alive(self) && machine_slept(self))
			probe(self, &w);
		st = gr_server_check_alive(self, err);
		if (st == INF_OK)
			return INF_OK;
		gr_server_let_go(self);
		if (!self->start->options.restart)
			return st;
		st = restart_alone(self, &w, err);
	}
	return st != INF_OK ? st : inf_fail(err, INF_E_BACKEND_DIED, "server_died", "llama-server ends as soon as it is started");
}

void gr_server_worked(inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	gr_restart_worked(&self->restart);
	pthread_mutex_unlock(&self->lock);
}
