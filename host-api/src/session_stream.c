/* SPDX-License-Identifier: MIT */
/* session_stream: inf.stream/1 of a session, by the backend or, where it has none, by a generation on a thread of ours. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "pull.h"
#include "session.h"

struct inf_session_stream {
	pid_t owner;			/* in a forked child the stream is dead */
	const inf_streams *table;
	inf_stream *theirs;
	struct ih_call call;
	bool detached;			/* it is the backend's: listed until the host has seen the end */
	char *request_id;
};

/* ---- without the backend --------------------------------------------------------------------------------------- */
static inf_status begin(void *user, void *stream, const char *request_id, inf_error *err)
{
	struct ih_call *call = user;
	(void)err;
	call->stream = true;
	ih_call_list(call, request_id, stream);
	return INF_OK;
}

/* The stream is in flight since it was opened; what it calls here is told what it has been told. */
static inf_status run(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
		      inf_error *err)
{
	struct ih_call *call = user;
	inf_session *session = call->session;
	inf_status st;
	if (input->msgs || input->msg_count)
		st = inf_session_chat(session, input->msgs, input->msg_count, params, result, &call->error);
	else
		st = inf_session_generate(session, input->prompt, input->prompt_len, params, result, &call->error);
	return ih_call_leave(call, st, err);
}

static inf_status stopped(void *user, const void *stream)
{
	const struct ih_call *call = user;
	return ih_call_told(call->session, stream);
}

static const inf_streams ours = {
	.struct_size = sizeof ours, .next = ic_pull_next, .descriptor = ic_pull_descriptor, .result = ic_pull_result,
	.cancel = ic_pull_cancel, .close = ic_pull_close,
};

static inf_status emulate(struct inf_session_stream *self, const inf_input *input, const inf_gen_params *params, inf_error *err)
{
	inf_error error = { .struct_size = sizeof error };
	const struct ic_pull_job job = { .begin = begin, .run = run, .stopped = stopped, .user = &self->call };
	inf_status st = ic_pull_open(&self->theirs, input, params, &job, &error);
	self->table = &ours;
	if (st == INF_OK)
		return INF_OK;
	self->call.error = error;
	return ih_call_leave(&self->call, st, err);
}

/* ---- by the backend -------------------------------------------------------------------------------------------- */
static const inf_streams *find_table(const struct ih_call *call)
{
	const inf_streams *table = ih_call_extension(call, INF_EXT_STREAM);
	bool whole = table && INF_HAS(inf_streams, table, close) && table->open && table->next && table->descriptor &&
		     table->result && table->cancel && table->close;
	return whole ? table : NULL;
}

/* The host's, with our own on_poll in front of its own. What is wrong with the input the backend says. */
static inf_status take_params(struct inf_session_stream *self, const inf_input *input, const inf_gen_params *params,
			      union ic_gen_params *out, inf_error *err)
{
	const inf_gen_params *from = params || !input || input->struct_size < inf_input_V1_0 ? params : input->params;
	inf_status st = ic_gen_params_read(out, from, NULL, err);
	if (st != INF_OK)
		return st;
	if (from) {
		out->known.flags = from->flags;
		self->call.on_poll = from->on_poll;
		self->call.user = from->user;
		self->request_id = from->request_id ? strdup(from->request_id) : NULL;
		if (from->request_id && !self->request_id)
			return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	}
	out->known.request_id = self->request_id;
	out->known.on_poll = ih_call_poll;
	out->known.user = &self->call;
	ih_call_list(&self->call, self->request_id, self->call.user);
	return INF_OK;
}

static inf_status forward(struct inf_session_stream *self, const inf_input *input, const inf_gen_params *params, inf_error *err)
{
	union ic_gen_params request;
	inf_error *error = &self->call.error;
	inf_status st = take_params(self, input, params, &request, error);
	if (st == INF_OK)
		st = self->table->open(self->call.model, input, &request.known, &self->theirs, error);
	if (st >= 0 && (st != INF_OK || !self->theirs))
		st = inf_fail(error, INF_E_INTERNAL, "bad_status", "open() returned %d and %s stream", st, self->theirs ? "a" : "no");
	if (st != INF_OK)
		return ih_call_leave(&self->call, st, err);
	self->detached = true;
	ih_call_detach(&self->call);
	return INF_OK;
}

static inf_status land(struct inf_session_stream *self, inf_status st, inf_error *error)
{
	inf_gen_result report = { .struct_size = sizeof report };
	self->table->result(self->theirs, &report, NULL);
	return ih_call_land(&self->call, st, &report, error);
}

/* The session remembers how it ended, also where the host does not wait for that. */
static void run_out(struct inf_session_stream *self)
{
	inf_error error = { .struct_size = sizeof error };
	const inf_token *token;
	int32_t event;
	inf_status st;
	self->table->cancel(self->theirs);
	do {
		event = INF_STREAM_END;
		st = self->table->next(self->theirs, -1, &event, &token, &error);
	} while (st == INF_OK && event == INF_STREAM_TOKEN);
	if (event != INF_STREAM_END)
		st = inf_fail(&error, INF_E_CANCELLED, "cancelled", "the stream was closed before its end");
	land(self, st, &error);
}

/* ---- for hosts ------------------------------------------------------------------------------------------------- */
static void release(struct inf_session_stream *self)
{
	free(self->request_id);
	free(self);
}

inf_status inf_session_stream_open(inf_session *session, const inf_input *input, const inf_gen_params *params,
				   inf_session_stream **out, inf_error *err)
{
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "stream_open: out is NULL");
	*out = NULL;
	struct inf_session_stream *self = calloc(1, sizeof *self);
	inf_status st = self ? ih_call_enter(&self->call, session, err) :
			inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	if (st == INF_OK) {
		self->owner = getpid();
		self->table = find_table(&self->call);
		st = self->table ? forward(self, input, params, err) : emulate(self, input, params, err);
	}
	if (st == INF_OK)
		*out = self;
	else if (self)
		release(self);
	return st;
}

static bool is_dead(const struct inf_session_stream *self)
{
	return !self || self->owner != getpid();
}

static inf_status dead(const struct inf_session_stream *self, inf_error *err)
{
	return inf_fail(err, INF_E_INVALID, self ? "forked" : "argument", self ? "the stream belongs to the process that was forked" :
			"the stream is NULL");
}

inf_status inf_session_stream_next(inf_session_stream *self, int32_t timeout_ms, int32_t *event, const inf_token **token,
				   inf_error *err)
{
	if (is_dead(self))
		return dead(self, err);
	inf_error *error = ih_call_error(&self->call, err);
	if (event)
		*event = INF_STREAM_WAITING;	/* unless the backend says more */
	inf_status st = self->table->next(self->theirs, timeout_ms, event, token, error);
	if (self->detached && event && *event == INF_STREAM_END)
		st = land(self, st, error);
	if (st != INF_OK && error != err)
		inf_write_struct(err, error, sizeof *error);
	return st;
}

int32_t inf_session_stream_descriptor(inf_session_stream *self)
{
	return is_dead(self) ? -1 : self->table->descriptor(self->theirs);
}

inf_status inf_session_stream_result(inf_session_stream *self, inf_gen_result *out, inf_error *err)
{
	return is_dead(self) ? dead(self, err) : self->table->result(self->theirs, out, err);
}

void inf_session_stream_cancel(inf_session_stream *self)
{
	if (!is_dead(self))
		self->table->cancel(self->theirs);
}

void inf_session_stream_close(inf_session_stream *self)
{
	if (is_dead(self))
		return;
	if (self->detached && self->call.session)
		run_out(self);
	self->table->close(self->theirs);
	release(self);
}
