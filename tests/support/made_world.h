/* SPDX-License-Identifier: MIT */
#ifndef MADE_WORLD_H
#define MADE_WORLD_H

#include "harness.h"
#include "scratch.h"

/*
 * made_world: a model of model_made.h in llama_cpp, for what is asked of a loaded model by its extensions.
 *
 * Everything fails the running test instead of returning an error, unless it says so.
 */
struct made_world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;		/* NULL = none */
	inf_error err;			/* of what failed last */
};

void made_world_init(struct made_world *self);
void made_world_release(struct made_world *self);

/* The path of a made file in the scratch; written when it is asked for first. */
const char *made_world_file(struct made_world *self, const char *name);

/* Returns the load's status. path: of a model; 512 tokens for each slot if the parameters do not say. */
inf_status made_world_try(struct made_world *self, inf_load_params params);
void made_world_load(struct made_world *self, inf_load_params params);
void made_world_close(struct made_world *self);

/* What one greedy generation gave. */
struct made_answer {
	char text[512];
	inf_gen_result result;
};

struct made_answer made_world_ask(struct made_world *self, const char *prompt, int32_t max_tokens);
/* slot: -1 = any */
struct made_answer made_world_ask_slot(struct made_world *self, const char *prompt, int32_t max_tokens, int32_t slot);

pid_t made_world_kill_server(void);	/* and waits for its end */

#endif
