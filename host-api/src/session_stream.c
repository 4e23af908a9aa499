/* SPDX-License-Identifier: MIT */
/* session_stream: inf.stream/1 of a session, over its generate and chat, so that it is the same with every backend. */
#include "pull.h"
#include "session.h"

static struct ic_pull *pull_of(inf_session_stream *stream)
{
	return (struct ic_pull *)stream;
}

static inf_status run(void *user, const inf_input *input, const inf_gen_params *params, inf_gen_result *result,
		      inf_error *err)
{
	inf_session *session = user;
	if (input->msgs || input->msg_count)
		return inf_session_chat(session, input->msgs, input->msg_count, params, result, err);
	return inf_session_generate(session, input->prompt, input->prompt_len, params, result, err);
}

static inf_status stopped(void *user, const void *stream)
{
	return ih_call_told(user, stream);
}

inf_status inf_session_stream_open(inf_session *self, const inf_input *input, const inf_gen_params *params,
				   inf_session_stream **out, inf_error *err)
{
	const struct ic_pull_job job = { .run = run, .stopped = stopped, .user = self };
	struct ic_pull *pull = NULL;
	struct ih_call call;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "argument", "stream_open: out is NULL");
	*out = NULL;
	inf_status st = ih_call_enter(&call, self, err);
	if (st != INF_OK)
		return st;
	st = ic_pull_open(&pull, input, params, &job, &call.error);
	*out = (inf_session_stream *)pull;
	return ih_call_leave(&call, st, err);
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
