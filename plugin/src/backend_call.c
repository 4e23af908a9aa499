/* SPDX-License-Identifier: MIT */
#include "backend_call.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "request.h"
#include "utf8.h"

/* ---- entering and leaving -------------------------------------------------------------------------------------- */
static inf_status read_params(struct gr_call *self, const inf_call_params *params, inf_error *err)
{
	inf_call_params p;
	if (!params)
		return INF_OK;
	inf_status st = inf_read_request(&p, sizeof p, params, inf_call_params_V1_0, INF_GEN_FLAG_NO_WAIT, 0);
	if (st != INF_OK)
		return ic_request_refused(err, st, "call_params", params, INF_GEN_FLAG_NO_WAIT, 0);
	self->on_poll = p.on_poll;
	self->user = p.user;
	self->no_wait = p.flags & INF_GEN_FLAG_NO_WAIT;
	self->request_id = p.request_id;
	return INF_OK;
}

inf_status gr_call_enter(struct gr_call *self, inf_model *model, const inf_call_params *params, inf_error *err)
{
	*self = (struct gr_call){ .model = model, .err = err, .entry_ns = gr_now_ns() };
	inf_status st = read_params(self, params, err);
	if (st == INF_OK)
		st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = gr_call_list(self, self->request_id, err);
	if (st != INF_OK)
		gr_slots_leave(model->slots);
	return st;
}

void gr_call_leave(struct gr_call *self)
{
	gr_call_unlist(self);
	gr_model_tell_log(self->model);
	gr_slots_leave(self->model->slots);
}

inf_status gr_call_check_texts(const inf_text *texts, size_t count, const char *what, inf_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (!texts[i].data && texts[i].len)
			return inf_fail(err, INF_E_INVALID, "argument", "%s %zu is NULL", what, i);
		if (texts[i].len > GR_CALL_TEXT_MAX)
			return inf_fail(err, INF_E_INVALID, "text_too_large", "%s %zu is larger than %d bytes", what, i,
					GR_CALL_TEXT_MAX);
		if (!gr_utf8_valid(texts[i].data, texts[i].len))
			return inf_fail(err, INF_E_INVALID, "utf8", "%s %zu is not valid UTF-8", what, i);
	}
	return INF_OK;
}

/* ---- the host's say, and the watchdog's ---------------------------------------------------------------------------- */
bool gr_call_ended_by_others(struct gr_call *self)
{
	if (gr_slots_closed(self->model->slots))
		self->stopped = INF_E_CLOSED;
	else if (atomic_load(&self->cancelled))
		self->stopped = INF_E_CANCELLED;
	return self->stopped != INF_OK;
}

int gr_call_poll(void *call)
{
	struct gr_call *self = call;
	if (!gr_call_ended_by_others(self) && self->on_poll && self->on_poll(self->user) != INF_CONTINUE)
		self->stopped = INF_E_CANCELLED;
	return self->stopped != INF_OK;
}

static void look_at_server(struct gr_call *self, int64_t now)
{
	struct gr_activity activity;
	if (gr_watchdog_wants_look(&self->watchdog, now) && gr_supervisor_activity(self->model->server, &activity))
		gr_watchdog_look(&self->watchdog, now, (int64_t)activity.cpu_ticks * 1000 / sysconf(_SC_CLK_TCK));
}

static int64_t reader_busy_ms(const struct gr_call *self)
{
	return self->reading ? gr_http_reader_busy_ms(self->reading->reader) : 0;
}

/* Neither what waits to be read is silence, nor a server that nobody listens to. */
static void excuse_reader(struct gr_call *self, int64_t now)
{
	const struct gr_reading *reading = self->reading;
	if (!reading)
		return;
	int64_t busy_ms = reader_busy_ms(self);
	gr_watchdog_excuse(&self->watchdog, busy_ms - self->excused_ms);
	self->excused_ms = busy_ms;
	if (reading->on_taken && reading->on_taken(self->user))
		gr_watchdog_event(&self->watchdog, now);
}

int gr_call_poll_working(void *call)
{
	struct gr_call *self = call;
	int64_t now = gr_now_ms();
	excuse_reader(self, now);
	look_at_server(self, now);
	if (gr_watchdog_expired(&self->watchdog, now)) {
		self->stuck = true;
		return 1;
	}
	int stop = gr_call_poll(self);
	if (!self->reading)
		gr_watchdog_excuse(&self->watchdog, gr_now_ms() - now);
	return stop;
}

void gr_call_watch(struct gr_call *self, int64_t limit_ms)
{
	gr_watchdog_begin(&self->watchdog, limit_ms, gr_now_ms());
	self->excused_ms = reader_busy_ms(self);	/* what was before excuses nothing */
}

inf_status gr_call_stopped(const struct gr_call *self)
{
	if (self->stopped == INF_E_CLOSED)
		return inf_fail(self->err, INF_E_CLOSED, "closed", "the model was closed");
	return inf_fail(self->err, INF_E_CANCELLED, "cancelled", "the call was cancelled");
}

inf_status gr_call_stuck(struct gr_call *self, const char *reason, const char *got, const char *option)
{
	char what[96];
	int64_t silent = gr_now_ms() - self->watchdog.event_ms;
	snprintf(what, sizeof what, "gave no %s for %lld ms (option %s)", got, (long long)silent, option);
	return gr_server_give_up(self->model, INF_E_TIMEOUT, reason, what, self->err);
}

/* ---- slot and server --------------------------------------------------------------------------------------------- */
static bool may_replay(struct gr_call *self, const struct gr_call_work *work, inf_status st)
{
	return st == INF_E_BACKEND_DIED && self->model->start->options.restart && !self->replayed &&
	       (!work->again || work->again(self, work->user));
}

static inf_status on_server(struct gr_call *self, const struct gr_call_work *work)
{
	for (;;) {
		inf_status st = gr_server_hold(self->model, gr_call_poll, self, self->no_wait, self->err);
		if (st != INF_OK)
			return st;
		self->slot_ns = gr_now_ns();
		self->polled_ms = self->slot_ns / 1000000;	/* asked just now, or entered just now */
		st = work->run(self, work->user);
		if (st == INF_OK)
			gr_server_worked(self->model);
		gr_server_let_go(self->model);
		if (!may_replay(self, work, st))
			return st;
		self->replayed = true;
		self->stopped = INF_OK;
		self->stuck = false;
	}
}

/* Whoever gave the call a name wants to find it in the log. */
static inf_status tell_failure(const struct gr_call *self, inf_status st)
{
	char id[GR_REQUEST_ID_MAX + 1];
	if (!self->request_id || st == INF_OK || st == INF_E_CANCELLED || st == INF_E_CLOSED)
		return st;
	snprintf(id, sizeof id, "%s", self->request_id);
	for (char *at = id; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	gr_log(self->model->instance, INF_LOG_INFO, "request \"%s\" failed with status %d: %s", id, st,
	       self->err->code == st ? self->err->message : "");
	return st;
}

static inf_status run(struct gr_call *self, const struct gr_call_work *work)
{
	inf_model *model = self->model;
	/* A host that has given up before it called finds out at once. */
	inf_status st = gr_call_poll(self) ? INF_E_CANCELLED : INF_OK;
	if (st == INF_OK && work->alone)
		st = gr_slots_acquire_all(model->slots, self->no_wait, gr_call_poll, self, self->err);
	else if (st == INF_OK && work->computes)
		st = gr_slots_acquire(model->slots, self->no_wait, gr_call_poll, self, self->err);
	bool begun = st == INF_OK;
	if (work->computes)
		gr_metrics_begin(model, st);
	if (begun)
		st = on_server(self, work);
	if (st == INF_E_CANCELLED && self->stopped != INF_OK)
		st = gr_call_stopped(self);
	if (begun && work->alone)
		gr_slots_release_all(model->slots);
	if (begun && work->computes) {
		gr_metrics_end(model, st);
		gr_slots_release(model->slots);
	}
	return tell_failure(self, st);
}

/* A call may fail and succeed when it is made again: the host's error is not touched then. */
inf_status gr_call_run(struct gr_call *self, const struct gr_call_work *work)
{
	inf_error error = { .struct_size = sizeof error }, *theirs = self->err;
	self->err = &error;
	inf_status st = run(self, work);
	self->err = theirs;
	if (st != INF_OK)
		inf_write_struct(theirs, &error, sizeof error);
	return st;
}

/* ---- one question ---------------------------------------------------------------------------------------------- */
/* http.h has one user pointer for both callbacks. */
struct exchange {
	struct gr_call *call;
	const struct gr_question *question;
	bool watched;			/* for signs of life; else the answer has its time */
	inf_status refused;		/* why the answer could not be kept */
};

static int on_body(void *user, const char *bytes, size_t len)
{
	struct exchange *x = user;
	x->refused = gr_buf_append(x->question->answer, bytes, len);
	return x->refused != INF_OK;
}

static int on_poll(void *user)
{
	struct exchange *x = user;
	return x->watched ? gr_call_poll_working(x->call) : gr_call_poll(x->call);
}

static inf_status refused(struct gr_call *self, const struct gr_question *question, int code, const struct gr_buf *body)
{
	struct gr_wire_error error;
	inf_status st = question->refused ? question->refused(self, code, body, question->user) : INF_OK;
	if (st != INF_OK)
		return st;
	if (!gr_wire_decode_error(gr_buf_text(body), body->len, &error))
		return inf_fail(self->err, INF_E_INTERNAL, "server_answer", "llama-server answers %s with HTTP status %d",
				question->path, code);
	return inf_fail(self->err, code == 400 ? INF_E_INVALID : INF_E_INTERNAL, "server_refused",
			"llama-server refuses %s: %s", question->path, error.message);
}

/* The tokeniser computes next to nothing, but a server that sleeps loads the whole model for its first question. */
static int quick_limit(const struct gr_load_options *options)
{
	int limit = options->first_token_timeout_ms;
	if (options->sleep_idle_seconds)
		return limit < INT_MAX / GR_WATCHDOG_PATIENCE ? limit * GR_WATCHDOG_PATIENCE : INT_MAX;
	return limit < GR_CALL_QUICK_MS ? limit : GR_CALL_QUICK_MS;
}

static inf_status unanswered(struct exchange *x, inf_status st)
{
	struct gr_call *self = x->call;
	if (self->stopped != INF_OK)
		return gr_call_stopped(self);
	if (self->stuck)
		return gr_call_stuck(self, "first_token_timeout", "answer", "first-token-timeout-ms");
	if (st == INF_E_CANCELLED)
		return inf_fail(self->err, x->refused, x->refused == INF_E_NO_MEMORY ? "no_memory" : "server_answer",
				x->refused == INF_E_NO_MEMORY ? "out of memory for the answer to %s" :
				"llama-server's answer to %s is too large", x->question->path);
	if (st == INF_E_TIMEOUT) {
		char what[96];
		snprintf(what, sizeof what, "did not answer %.32s in time", x->question->path);
		return gr_server_give_up(self->model, st, "server_deaf", what, self->err);
	}
	if (st == INF_E_IO) {
		inf_status died = gr_server_check_lost(self->model, true, self->err);
		return died != INF_OK ? died : st;
	}
	return st;
}

inf_status gr_call_ask(struct gr_call *self, const struct gr_question *question)
{
	const struct gr_load_options *options = &self->model->start->options;
	size_t body_len = question->body ? question->body->len : 0;
	bool watched = question->kind == GR_QUESTION_COMPUTES || body_len > GR_CALL_QUICK_BYTES;
	struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
	struct exchange x = { .call = self, .question = question, .watched = watched };
	int code = 0;
	const struct gr_http_request request = {
		.path = question->path,
		.body = question->body ? question->body->data : NULL, .body_len = body_len,
		.timeout_ms = watched ? 0 : quick_limit(options),
		.on_body = on_body, .on_poll = on_poll, .user = &x, .error_body = &refusal,
		.polled_ms = &self->polled_ms,
	};
	gr_buf_reset(question->answer);
	if (watched)
		gr_call_watch(self, options->first_token_timeout_ms);
	inf_status st = gr_http_perform(self->model->http, &request, &code, self->err);
	if (st != INF_OK)
		st = unanswered(&x, st);
	else if (code != 200)
		st = refused(self, question, code, &refusal);
	gr_buf_release(&refusal);
	return st;
}

inf_status gr_call_encode_failed(inf_status st, inf_error *err)
{
	return inf_fail(err, st, st == INF_E_NO_MEMORY ? "no_memory" : "request_too_large",
			st == INF_E_NO_MEMORY ? "out of memory for a request" : "the request is too large");
}
