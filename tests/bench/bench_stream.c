/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_session.h"
#include "streams.h"

/*
 * bench_stream PLUGIN-DIR LLAMA-SERVER MODEL SLOTS [KIND [CONTEXT]]: streams of a session, as streams.h has them; "ready" when it
 * is loaded.
 *
 * KIND: "plain"; "logprobs", with the probability of each token; "thinking", a chat that says something about thinking,
 * whose chunks are of another form and have no ids.
 */
enum kind { PLAIN, LOGPROBS, THINKING };

static const char *const kinds[] = { "plain", "logprobs", "thinking", NULL };

struct bench {
	struct bench_session session;
	enum kind kind;
};

/* What any host does: it takes the text, and looks at the rest. */
static int32_t on_token(void *user, const inf_token *token)
{
	struct stream *stream = user;
	const struct bench *self = stream->user;
	bool has_id = token->id >= 0, has_logprob = token->flags & INF_TOKEN_FLAG_LOGPROB;
	if (token->text[token->text_len] != '\0' ||
	    (token->count && (has_id != (self->kind != THINKING) || has_logprob != (self->kind == LOGPROBS))))
		stream_die("on_token", "not what a token is");
	stream_event(stream);
	return INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	(void)user;
	return INF_CONTINUE;
}

static inf_status chat(const struct stream *stream, inf_gen_params params, inf_gen_result *result, inf_error *err)
{
	const struct bench *self = stream->user;
	const inf_message message = {
		.struct_size = sizeof message, .role = "user", .content = stream->prompt, .content_len = stream->prompt_len,
	}, *messages[] = { &message };
	params.set |= INF_GEN_SET_THINKING;
	return inf_session_chat(self->session.session, messages, 1, &params, result, err);
}

static void run(struct stream *stream)
{
	struct bench *self = stream->user;
	const inf_gen_params params = {
		.struct_size = sizeof params, .set = INF_GEN_SET_TEMPERATURE,
		.flags = INF_GEN_FLAG_IGNORE_EOS | (self->kind == LOGPROBS ? INF_GEN_FLAG_LOGPROBS : 0),
		.max_tokens = stream->tokens, .temperature = 0, .user = stream, .on_token = on_token, .on_poll = on_poll,
	};
	inf_gen_result result = { .struct_size = sizeof result };
	inf_error err = { .struct_size = sizeof err };
	inf_status st = self->kind == THINKING ? chat(stream, params, &result, &err) :
		inf_session_generate(self->session.session, stream->prompt, stream->prompt_len, &params, &result, &err);
	bench_check(st, &err, "generate");
	if (result.generated_tokens != stream->tokens)
		stream_die("generate", "ended early");
}

static enum kind read_kind(const char *name)
{
	for (int i = 0; kinds[i]; i++)
		if (strcmp(name, kinds[i]) == 0)
			return (enum kind)i;
	stream_die("not a kind of stream", name);
}

int main(int argc, char **argv)
{
	struct bench self;
	if (argc < 5 || argc > 7)
		stream_die("usage", "bench_stream PLUGIN-DIR LLAMA-SERVER MODEL SLOTS [plain|logprobs|thinking [CONTEXT]]");
	self.kind = argc > 5 ? read_kind(argv[5]) : PLAIN;
	bench_open(&self.session, argv[1], argv[2]);
	bench_load_context(&self.session, argv[3], atoi(argv[4]), argc > 6 ? atoi(argv[6]) : 0);
	puts("ready");
	fflush(stdout);
	int status = streams_serve(run, &self);
	bench_close(&self.session);
	return status;
}
