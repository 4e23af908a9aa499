/* SPDX-License-Identifier: MIT */
#ifndef TEST_AMD_WORLD_H
#define TEST_AMD_WORLD_H

#include <stdbool.h>

#include "harness.h"
#include "scratch.h"

/*
 * amd_world: the rocm plugin without an AMD GPU.
 *
 * A fake machine from a text file, and a stand-in for a llama-server with ROCm, support/rocm-server, which says about its
 * devices what the test wants.
 * TEST_FIXTURES is the folder of the machines.
 */
#define WORLD_UUID "GPU-880ed6479d653a85"	/* the card of the usual machine */

struct world {
	struct scratch scratch;		/* also the machine's root */
	const char *stand_in;
	inf_registry *registry;
	inf_error err;
};

/* A Radeon RX 7800 XT beside the processor's GPU. */
void open_world(struct world *w);
void open_world_on(struct world *w, const char *machine);
void close_world(struct world *w);
/* server_option NULL: the server is searched for. */
void open_registry(struct world *w, const char *server_option);
/* What the stand-in says of its devices. */
void world_says(struct world *w, const char *log);

inf_session *load_rocm(struct world *w, inf_load_params *params);
/* Must fail with this status and reason; the message is in w->err. */
void refuse_rocm(struct world *w, inf_load_params *params, inf_status status, const char *reason);

/* "argv", "env", "cwd" or "fds" of the stand-in; to be freed. */
char *report(struct world *w, const char *name);
bool has_line(const char *text, const char *line);

#endif
