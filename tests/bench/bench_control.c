/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_session.h"

/*
 * bench_control PLUGIN-DIR LLAMA-SERVER MODEL: orders on standard input, each answered by a line of NAME=NUMBER; the times of
 * day are of CLOCK_MONOTONIC, in ms.
 *
 *   load          took_ms
 *   close         took_ms
 *   decode        a generation that would fill the context begins on another thread
 *   prefill WORDS the same of a prompt so long, that is not taken from the server's cache
 *   tokens N      until so many tokens have come
 *   cancel        inf_session_cancel()
 *   poll          on_poll says stop from now on
 *   wait          until the generation has ended: status, tokens, end_ms
 */
enum { TOKENS_MS = 20000, WORDS_MAX = 4096, STEP_US = 200 };

struct generation {
	struct bench_session session;
	pthread_t thread;
	char *prompt;
	uint32_t flags;
	atomic_int tokens;
	atomic_bool stop;
	inf_status status;
	double end_ms;
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int32_t on_token(void *user, const inf_token *token)
{
	struct generation *self = user;
	atomic_fetch_add(&self->tokens, (int)token->count);
	return INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	struct generation *self = user;
	return atomic_load(&self->stop) ? 0 : INF_CONTINUE;
}

static void *generate(void *arg)
{
	struct generation *self = arg;
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS | self->flags, .user = self,
		.on_token = on_token, .on_poll = on_poll,
	};
	inf_gen_result result = { .struct_size = sizeof result };
	self->status = inf_session_generate(self->session.session, self->prompt, strlen(self->prompt), &params, &result, NULL);
	self->end_ms = now_ms();
	return NULL;
}

static void begin(struct generation *self, int words, uint32_t flags)
{
	free(self->prompt);
	self->prompt = calloc((size_t)words + 1, 4);
	for (int i = 0; self->prompt && i < words; i++)
		strcat(self->prompt, " of");
	self->flags = flags;
	atomic_store(&self->tokens, 0);
	atomic_store(&self->stop, false);
	if (!self->prompt || pthread_create(&self->thread, NULL, generate, self) != 0)
		exit(EXIT_FAILURE);
}

static void await_tokens(struct generation *self, int count)
{
	const struct timespec step = { .tv_nsec = STEP_US * 1000 };
	for (double start = now_ms(); atomic_load(&self->tokens) < count && now_ms() - start < TOKENS_MS;)
		nanosleep(&step, NULL);
}

static void obey(struct generation *self, char **argv, const char *verb, int number)
{
	double start = now_ms();
	if (strcmp(verb, "load") == 0) {
		bench_load(&self->session, argv[3], 1);
	} else if (strcmp(verb, "close") == 0) {
		inf_session_close(self->session.session, NULL);
	} else if (strcmp(verb, "decode") == 0) {
		begin(self, 1, 0);
	} else if (strcmp(verb, "tokens") == 0) {
		await_tokens(self, number);
	} else if (strcmp(verb, "prefill") == 0) {
		begin(self, number < WORDS_MAX ? number : WORDS_MAX, INF_GEN_FLAG_NO_PROMPT_CACHE);
	} else if (strcmp(verb, "cancel") == 0) {
		inf_session_cancel(self->session.session);
	} else if (strcmp(verb, "poll") == 0) {
		atomic_store(&self->stop, true);
	} else if (strcmp(verb, "wait") == 0) {
		pthread_join(self->thread, NULL);
	} else {
		exit(EXIT_FAILURE);
	}
	printf("took_ms=%.4f status=%d tokens=%d end_ms=%.4f\n", now_ms() - start, (int)self->status, atomic_load(&self->tokens),
	       self->end_ms);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct generation self;
	char line[64], verb[16];
	if (argc != 4)
		return 2;
	bench_open(&self.session, argv[1], argv[2]);
	while (fgets(line, sizeof line, stdin)) {
		int number = 0;
		if (sscanf(line, "%15s %d", verb, &number) < 1)
			return 2;
		obey(&self, argv, verb, number);
	}
	return EXIT_SUCCESS;	/* with what is loaded: the server ends with its host */
}
