/* SPDX-License-Identifier: MIT */
#include "amd_world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "fixture_tree.h"

/* What a server with ROCm says about that card. */
static const char says_gpu[] =
	"0.00.010.000 I ggml_cuda_init: found 1 ROCm devices (Total VRAM: 16368 MiB):\n"
	"0.00.010.100 I   Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no, Wave Size: 32, VRAM: 16368 MiB\n"
	"0.00.020.000 I load_tensors:        ROCm0 model buffer size =     2.00 MiB\n";

void world_says(struct world *w, const char *log)
{
	scratch_write(&w->scratch, "says", log, strlen(log));
}

void open_world_on(struct world *w, const char *machine)
{
	char text[1024];
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	snprintf(text, sizeof text, "%s/%s.tree", TEST_FIXTURES, machine);
	struct fixture_tree *tree = fixture_tree_load(text);
	fixture_tree_write(tree, w->scratch.path);
	fixture_tree_free(tree);
	world_says(w, says_gpu);
	scratch_write(&w->scratch, "real", harness_server(), strlen(harness_server()));
	w->stand_in = scratch_link(&w->scratch, "llama-server", TEST_STAND_IN);
}

void open_world(struct world *w)
{
	open_world_on(w, "01-7800xt-9950x-dgpu-first");
}

void open_registry(struct world *w, const char *server_option)
{
	const char *dirs[] = { harness_plugins() };
	const inf_kv options[] = { { "rocm.sysroot", w->scratch.path }, { "llama-server.path", server_option } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = server_option ? 2 : 1,
	};
	w->registry = harness_open(&params);
}

void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

inf_session *load_rocm(struct world *w, inf_load_params *params)
{
	inf_session *session = NULL;
	params->struct_size = sizeof *params;
	params->path = harness_model();
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "rocm"), params, &session, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return session;
}

void refuse_rocm(struct world *w, inf_load_params *params, inf_status status, const char *reason)
{
	inf_session *session = NULL;
	params->struct_size = sizeof *params;
	params->path = harness_model();
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "rocm"), params, &session, &w->err);
	ck_assert_msg(st == status && !strcmp(w->err.reason, reason), "%d %s: %s", st, w->err.reason, w->err.message);
}

char *report(struct world *w, const char *name)
{
	size_t len;
	return scratch_read(scratch_at(&w->scratch, name), &len);
}

bool has_line(const char *text, const char *line)
{
	char with_newlines[512];
	snprintf(with_newlines, sizeof with_newlines, "\n%s\n", line);
	return strncmp(text, line, strlen(line)) == 0 || strstr(text, with_newlines);
}
