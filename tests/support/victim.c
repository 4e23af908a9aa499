/* SPDX-License-Identifier: MIT */
/*
 * victim: a host that is there to be killed.
 *
 * victim PLUGINS SERVER MODEL loading|ready|thread|forked|left|exit
 *
 * Prints "here\n" when the state is reached and waits for ever: while the model is loading (inside the progress callback,
 * with the server running), when it is ready, or when it is ready and
 *
 * thread	the thread that loaded it has ended
 * forked	a child that was forked, without exec, holds what was open, until standard input ends
 * left		such a child has left by exit()
 * exit		standard input has ended: then this process too leaves by exit(), without a close
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inference/host.h"

enum { TRIES = 10 };

struct wish {
	char **argv;
	inf_registry *registry;
	const inf_candidate *candidate;
	inf_session *session;
};

static void say_here(void)
{
	if (write(STDOUT_FILENO, "here\n", 5) != 5)
		_exit(3);
}

static void wait_for_ever(void)
{
	say_here();
	for (;;)
		pause();
}

static void wait_for_the_end_of_input(void)
{
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void fork_as(const char *state)
{
	pid_t pid = fork();
	if (pid == 0 && strcmp(state, "forked") == 0)
		wait_for_the_end_of_input();
	if (pid == 0)
		exit(0);
	if (strcmp(state, "left") == 0)
		waitpid(pid, NULL, 0);
}

static int32_t on_progress(void *user, const inf_progress *progress)
{
	const struct wish *wish = user;
	(void)progress;
	if (strcmp(wish->argv[4], "loading") == 0)
		wait_for_ever();
	return INF_CONTINUE;
}

static void *load(void *arg)
{
	struct wish *wish = arg;
	const inf_load_params params = {
		.struct_size = sizeof params, .path = wish->argv[3], .user = wish, .on_progress = on_progress,
	};
	inf_error err = { .struct_size = sizeof err };
	if (inf_session_load(wish->registry, wish->candidate, &params, &wish->session, &err) != INF_OK)
		fprintf(stderr, "victim: %s\n", err.message);
	return NULL;
}

/* A backend has little time to find out whether it is available, and the machine may be very busy: ask again. */
static bool find_backend(struct wish *wish, const inf_registry_params *params)
{
	inf_error err = { .struct_size = sizeof err };
	for (int i = 0; i < TRIES; i++) {
		if (inf_registry_open(params, &wish->registry, NULL) != INF_OK)
			return false;
		if (inf_registry_select(wish->registry, "llama_cpp", &wish->candidate, &err) == INF_OK)
			return true;
		inf_registry_close(wish->registry);
	}
	fprintf(stderr, "victim: %s\n", err.message);
	return false;
}

int main(int argc, char **argv)
{
	struct wish wish = { .argv = argv };
	pthread_t thread;
	if (argc != 5)
		return 2;
	const char *dirs[] = { argv[1] };
	const inf_kv options[] = { { "llama-server.path", argv[2] } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = 1,
	};
	if (!find_backend(&wish, &params))
		return 1;
	if (strcmp(argv[4], "thread") != 0) {
		load(&wish);
	} else if (pthread_create(&thread, NULL, load, &wish) == 0) {
		pthread_join(thread, NULL);
	}
	if (!wish.session)
		return 1;
	if (strcmp(argv[4], "exit") == 0) {
		say_here();
		wait_for_the_end_of_input();
		exit(0);
	}
	if (strcmp(argv[4], "forked") == 0 || strcmp(argv[4], "left") == 0)
		fork_as(argv[4]);
	wait_for_ever();
}
