/* SPDX-License-Identifier: MIT */
#ifndef TEST_VULKAN_WORLD_H
#define TEST_VULKAN_WORLD_H

#include <stdbool.h>

#include "harness.h"
#include "scratch.h"

/*
 * vulkan_world: the vulkan plugin on a real, though simulated, device: Mesa's llvmpipe.
 *
 * A stand-in for llama-server counts how often it is asked for its devices, answers from a script where a test is about
 * other devices or drivers, replaces --device where one is about a server that does not do what it was told, writes down
 * what it was given, and then runs the real one. GR_TEST_LLAMA_TOOLS says where that is.
 */
enum { WORLD_OPTIONS_MAX = 8 };

struct world {
	struct scratch scratch;
	const char *stand_in;
	inf_kv options[WORLD_OPTIONS_MAX];
	size_t option_count;
	inf_registry *registry;
	inf_error err;
};

/* A list of one card, with so much of its 8000 MiB free. */
#define CARD_LIST(free) "cat <<'END'\nggml_vulkan: Found 1 Vulkan devices:\n" \
	"ggml_vulkan: 0 = AMD Radeon RX 7600 (RADV NAVI33) (radv) | uma: 0 | fp16: 1\n" \
	"Available devices:\n  Vulkan0: AMD Radeon RX 7600 (RADV NAVI33) (8000 MiB, " #free " MiB free)\nEND\n"

/* One device that is simulated on the CPU. */
#define SIMULATED_LIST(free) "cat <<'END'\nggml_vulkan: 0 = llvmpipe | uma: 0 |\n" \
	"ggml_vulkan: Warning: Device type is CPU.\nAvailable devices:\n" \
	"  Vulkan0: llvmpipe (LLVM 21.1.8, 256 bits) (8000 MiB, " #free " MiB free)\nEND\n"

void open_world(struct world *w);
/* With a registry that takes llvmpipe. */
void open_simulated(struct world *w);
void close_world(struct world *w);
void add_option(struct world *w, const char *key, const char *value);
/* Anew, where there is one. */
void open_registry(struct world *w);
void write_stand_in(struct world *w);

/* What steers the stand-in: "list" is a shell script that answers --list-devices, "device" the value of --device that it
 * puts in the place of the one it got. */
void answer(struct world *w, const char *name, const char *text);
/* "argv" and "env" of the last server, "asked". */
bool was_written(struct world *w, const char *name);
bool was_given(struct world *w, const char *name, const char *words);
int times_asked(struct world *w);

inf_status try_load(struct world *w, inf_load_params *params, inf_session **out);
inf_session *load(struct world *w, inf_load_params *params);
void expect_refusal(struct world *w, inf_load_params params, inf_status status, const char *reason);
/* A new registry must say so. */
void expect_unavailable(struct world *w, const char *reason, const char *words);

struct listing {
	inf_device devices[4];
	int count;
};

/* For lists of devices; user is a struct listing. */
int32_t note_device(void *user, const inf_device *device);

#endif
