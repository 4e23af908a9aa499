/* SPDX-License-Identifier: MIT */
/* session_stream: inf.stream/1 of a session, over its generate and chat, so that it is the same with every backend. */
#include <stdlib.h>

#include "pull.h"
#include "session.h"

static struct ic_pull *pull_of(inf_session_stream *stream)
{
	return (struct ic_pull *)stream;
}

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
	st = ih_call_leave(call, st, err);
	free(call);
	return st;
}

static inf_status stopped(void *user, const void *stream)
{
	const struct ih_call *call = user;
	return ih_call_told(call->session, stream);
}

inf_status inf_session_stream_open(inf_session *self, const inf_input *input, const inf_gen_params *params,
				   inf_session_stream **out, inf_error *err)
{
	struct ic_pull *pull = NULL;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "stream_open: out is NULL");
	*out = NULL;
	struct ih_call *call = malloc(sizeof *call);
	const struct ic_pull_job job = { .begin = begin, .run = run, .stopped = stopped, .user = call };
	inf_status st = call ? ih_call_enter(call, self, err) :
			inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream");
	if (st == INF_OK) {
		inf_error error = { .struct_size = sizeof error };
		st = ic_pull_open(&pull, input, params, &job, &error);
		if (st == INF_OK) {
			*out = (inf_session_stream *)pull;
			return INF_OK;
		}
		call->error = error;
		st = ih_call_leave(call, st, err);
	}
	free(call);
	return st;
}

inf_status inf_session_stream_next(inf_session_stream *self, int32_t timeout_ms, int32_t *event, const inf_token **token,
				   inf_error *err)
{
	return ic_pull_next(pull_of(self), timeout_ms, event, token, err);
}

int32_t inf_session_stream_descriptor(inf_session_stream *self)
{
	return ic_pull_descriptor(pull_of(self));
}

inf_status inf_session_stream_result(inf_session_stream *self, inf_gen_result *out, inf_error *err)
{
	return ic_pull_result(pull_of(self), out, err);
}

void inf_session_stream_cancel(inf_session_stream *self)
{
	ic_pull_cancel(pull_of(self));
}

void inf_session_stream_close(inf_session_stream *self)
{
	ic_pull_close(pull_of(self));
}
