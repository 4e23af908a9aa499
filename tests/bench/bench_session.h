/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "inference/host.h"

/* bench_session: a model in a session of libinference, through the llama_cpp plugin. What fails ends the program. */
struct bench_session {
	inf_registry *registry;
	inf_session *session;
};

/* Tokens of a slot: of one alone, and of each of many. */
enum { BENCH_CONTEXT = 2048, BENCH_CONTEXT_OF_MANY = 256 };

void bench_open(struct bench_session *self, const char *plugin_dir, const char *server);
void bench_load(struct bench_session *self, const char *model, int32_t slots);
/* context: tokens of a slot; 0 = as above. */
void bench_load_context(struct bench_session *self, const char *model, int32_t slots, int32_t context);
void bench_close(struct bench_session *self);
void bench_check(inf_status st, const inf_error *err, const char *what);

#endif
