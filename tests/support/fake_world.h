/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAKE_WORLD_H
#define TEST_FAKE_WORLD_H

#include "harness.h"
#include "scratch.h"

/*
 * fake_world: the llama_cpp plugin with the fake server (tests/fake-server) where llama-server should be.
 *
 * The runtime directory of the world must be empty when it is closed: no server leaves anything there.
 * GR_TEST_FAKE_SERVER names the program.
 */
struct fake_world {
	struct scratch scratch;
	const char *server, *script, *runtime_dir;	/* paths */
	inf_registry *registry;
	inf_session *session;				/* NULL = none */
	inf_error err;					/* of the last call below */
	int64_t took_ms;				/* the same */
	const inf_kv *options;				/* of the load */
	size_t option_count;
};

/* With this script, and a registry over it. */
void fake_open(struct fake_world *w, const char *script);
void fake_write(struct fake_world *w, const char *script);	/* from the next start on */
void fake_touch(struct fake_world *w);				/* the program looks as if it were replaced */
void fake_close(struct fake_world *w);

/* A load that leaves the session in w; params may be NULL. */
inf_status fake_load(struct fake_world *w, inf_load_params *params);
/* fake_open() and a load that must succeed. */
void fake_open_loaded(struct fake_world *w, const char *script);
inf_status fake_close_session(struct fake_world *w);
/* One generation of "x". sink may be NULL; its fields say what to do. */
inf_status fake_generate(struct fake_world *w, struct sink *sink, inf_gen_result *result);
/* How often the program was started as a server. */
size_t fake_starts(struct fake_world *w);

#endif
