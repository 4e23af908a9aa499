/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_session.h"
#include "streams.h"

/* bench_stream PLUGIN-DIR LLAMA-SERVER MODEL SLOTS: streams of a session, as streams.h has them; "ready" when it is loaded. */

/* What any host does: it takes the text, and looks at the rest. */
static int32_t on_token(void *user, const inf_token *token)
{
	struct stream *stream = user;
	if (token->text[token->text_len] != '\0' || (token->count && token->id < 0))
		stream_die("on_token", "not what a token is");
	stream_event(stream);
	return INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	(void)user;
	return INF_CONTINUE;
}

static void run(struct stream *stream)
{
	struct bench_session *self = stream->user;
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .set = INF_GEN_SET_TEMPERATURE,
		.max_tokens = stream->tokens, .temperature = 0, .user = stream, .on_token = on_token, .on_poll = on_poll,
	};
	inf_gen_result result = { .struct_size = sizeof result };
	inf_error err = { .struct_size = sizeof err };
	bench_check(inf_session_generate(self->session, stream_prompt, strlen(stream_prompt), &params, &result, &err), &err,
		    "generate");
	if (result.generated_tokens != stream->tokens)
		stream_die("generate", "ended early");
}

int main(int argc, char **argv)
{
	struct bench_session self;
	if (argc != 5)
		stream_die("usage", "bench_stream PLUGIN-DIR LLAMA-SERVER MODEL SLOTS");
	bench_open(&self, argv[1], argv[2]);
	bench_load(&self, argv[3], atoi(argv[4]));
	puts("ready");
	fflush(stdout);
	int status = streams_serve(run, &self);
	bench_close(&self);
	return status;
}
