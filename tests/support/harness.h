/* SPDX-License-Identifier: MIT */
#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inference/host.h"

/*
 * harness: what integration tests need around libinference: a registry over the built plugins with the llama-server
 * under test, sessions, a sink that collects what a call delivers, and a look at the server behind a session as nobody but
 * a test would take it.
 *
 * The environment says where things are: GR_TEST_PLUGINS, GR_TEST_LLAMA_SERVER, GR_TEST_MODEL. Everything fails the
 * running test instead of returning an error.
 */
const char *harness_model(void);
const char *harness_server(void);
const char *harness_plugins(void);

inf_registry *harness_open(const inf_registry_params *params);
inf_registry *harness_registry(void);
/* As above with another server binary. */
inf_registry *harness_registry_with(const char *server_path);
const inf_candidate *harness_backend(inf_registry *registry, const char *name);
/* llama_cpp with the bundled model. */
inf_session *harness_load(inf_registry *registry, int32_t context_len, int32_t slots);

enum { SINK_TEXT = 1 << 16, SINK_TOKENS = 8192 };

/* What one call delivered. Zeroed, then passed as params.user with sink_on_token. */
struct sink {
	char text[SINK_TEXT];
	size_t len;
	int32_t ids[SINK_TOKENS];
	uint32_t counts[SINK_TOKENS];
	size_t calls;
	uint64_t tokens;		/* sum of counts */
	size_t stop_after_calls;	/* on_token says stop at this call; 0 = never */
	size_t cancel_after_calls;	/* on_poll says stop from this call on; 0 = never */
	bool cancel_at_poll;		/* on_poll says stop */
	unsigned polls;
	pthread_t thread;		/* the callbacks must run on it */
};

/* Parameters that collect into sink. */
inf_gen_params sink_params(struct sink *sink, int32_t max_tokens);

inf_status harness_generate(inf_session *session, const char *prompt, const inf_gen_params *params,
			    inf_gen_result *result, inf_error *err);
inf_message harness_message(const char *role, const char *content);

/* The only child of this process that runs llama-server; waits for it to appear. */
pid_t harness_server_pid(void);
/* That of another process. */
pid_t harness_server_of(pid_t host);
/* Ask the server of a process directly: GET when body is NULL. The answer is malloc'd. */
char *harness_ask_server(pid_t pid, const char *path, const char *body);
/* Slots of the server that work now. */
int harness_busy_slots(pid_t pid);
/* A value of the process's environment or argv: malloc'd, NULL if it is not there. */
char *harness_process_env(pid_t pid, const char *name);
char *harness_process_argument(pid_t pid, const char *name);

#endif
