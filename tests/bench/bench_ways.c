/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench_session.h"
#include "streams.h"

/*
 * bench_ways WAY PLUGIN-DIR LLAMA-SERVER MODEL SLOTS: bench_stream for hosts that have no thread for each stream. WAY is "pull", an
 * iterator for each, all of them read by one thread that sleeps in epoll_wait(); or "batch", one inf_session_batch().
 */
enum { EVENTS = 64, WAIT_MS = 60000 };

static inf_session *session_of(const struct stream *streams)
{
	return ((const struct bench_session *)streams->user)->session;
}

static inf_gen_params params_of(const struct stream *stream)
{
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .flags = INF_GEN_FLAG_IGNORE_EOS, .set = INF_GEN_SET_TEMPERATURE,
		.max_tokens = stream->tokens,
	};
}

static inf_input input_of(const struct stream *stream)
{
	return (inf_input){ .struct_size = sizeof(inf_input), .prompt = stream->prompt, .prompt_len = stream->prompt_len };
}

/* ---- pull -------------------------------------------------------------------------------------------------------- */
static inf_session_stream *open_stream(int poll_fd, const struct stream *stream)
{
	const inf_gen_params params = params_of(stream);
	const inf_input input = input_of(stream);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = stream->index };
	inf_error err = { .struct_size = sizeof err };
	inf_session_stream *pull = NULL;
	bench_check(inf_session_stream_open(session_of(stream), &input, &params, &pull, &err), &err, "open");
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, inf_session_stream_descriptor(pull), &event) != 0)
		stream_die("epoll_ctl", "fails");
	return pull;
}

/* What is there now. Is it the end? */
static int drain(struct stream *stream, inf_session_stream *pull)
{
	inf_error err = { .struct_size = sizeof err };
	const inf_token *token;
	int32_t event = INF_STREAM_TOKEN;
	while (event == INF_STREAM_TOKEN) {
		bench_check(inf_session_stream_next(pull, 0, &event, &token, &err), &err, "next");
		if (event == INF_STREAM_TOKEN)
			stream_event(stream);
	}
	return event == INF_STREAM_END;
}

static void run_pull(struct stream *streams, size_t count)
{
	static inf_session_stream *pulls[STREAMS_MAX];
	struct epoll_event events[EVENTS];
	int poll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < count; i++)
		pulls[i] = open_stream(poll_fd, &streams[i]);
	for (size_t left = count; left;) {
		int n = epoll_wait(poll_fd, events, EVENTS, WAIT_MS);
		if (n <= 0)
			stream_die("epoll_wait", "nothing comes");
		for (int i = 0; i < n; i++) {
			size_t at = events[i].data.u64;
			if (!drain(&streams[at], pulls[at]))
				continue;
			epoll_ctl(poll_fd, EPOLL_CTL_DEL, inf_session_stream_descriptor(pulls[at]), NULL);
			inf_session_stream_close(pulls[at]);
			left--;
		}
	}
	close(poll_fd);
}

/* ---- batch ------------------------------------------------------------------------------------------------------- */
static int32_t INF_CALL on_token(void *user, size_t index, const inf_token *token)
{
	(void)token;
	stream_event((struct stream *)user + index);
	return INF_CONTINUE;
}

static int32_t INF_CALL on_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	(void)user;
	(void)index;
	(void)result;
	if (error)
		stream_die("an input of the batch", error->message);
	return INF_CONTINUE;
}

static void run_batch(struct stream *streams, size_t count)
{
	static inf_input inputs[STREAMS_MAX];
	static const inf_input *list[STREAMS_MAX];
	const inf_gen_params params = params_of(streams);
	const inf_batch_params batch = {
		.struct_size = sizeof batch, .gen = &params, .user = streams, .on_token = on_token, .on_result = on_result,
	};
	inf_error err = { .struct_size = sizeof err };
	for (size_t i = 0; i < count; i++) {
		inputs[i] = input_of(&streams[i]);
		list[i] = &inputs[i];
	}
	bench_check(inf_session_batch(session_of(streams), list, count, &batch, &err), &err, "batch");
}

int main(int argc, char **argv)
{
	struct bench_session self;
	if (argc != 6 || (strcmp(argv[1], "pull") != 0 && strcmp(argv[1], "batch") != 0))
		stream_die("usage", "bench_ways pull|batch PLUGIN-DIR LLAMA-SERVER MODEL SLOTS");
	bench_open(&self, argv[2], argv[3]);
	bench_load(&self, argv[4], atoi(argv[5]));
	puts("ready");
	fflush(stdout);
	int status = streams_serve_all(argv[1][0] == 'p' ? run_pull : run_batch, &self);
	bench_close(&self);
	return status;
}
