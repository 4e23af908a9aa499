/* SPDX-License-Identifier: MIT */
/*
 * library FOLDER MINOR-OF-THE-PLUGIN: the same through libinference, which is of minor 0: requests and reports that are
 * newer than it reach the plugin and come back whole.
 */
#include <stdlib.h>

#include "inference/host.h"

#define CHECK(what) ((what) ? (void)0 : fail(#what, __LINE__))

static inf_error error = { .struct_size = sizeof error };

static void fail(const char *what, int line)
{
	fprintf(stderr, "library.c:%d: %s does not hold (last error: %s)\n", line, what, error.message);
	exit(1);
}

static void check_session(inf_session *session, int new_plugin)
{
	inf_gen_params p = { .struct_size = sizeof p, .max_tokens = 1 };
	inf_gen_result result = { .struct_size = sizeof result };
	CHECK(inf_session_generate(session, "x", 1, &p, &result, &error) == INF_OK && result.accepted_tokens == 11);
#if INF_ABI_MINOR >= 1
	p.set = INF_GEN_SET_EXTRA;
	p.extra = 7;
	result.extra_tokens = 99;
	inf_status st = inf_session_generate(session, "x", 1, &p, &result, &error);
	CHECK(st == (new_plugin ? INF_OK : INF_E_UNSUPPORTED) && result.extra_tokens == (new_plugin ? 7 : 0));
	CHECK(!inf_session_get_extension(session, INF_EXT_EXTRA) == !new_plugin);
#else
	(void)new_plugin;
#endif
}

int main(int argc, char **argv)
{
	const char *dirs[] = { argv[1] };
	inf_registry_params params = { .struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
				       .plugin_dirs = dirs, .plugin_dir_count = 1 };
	inf_load_params load = { .struct_size = sizeof load, .path = "/" };
	const inf_candidate *candidate = NULL;
	inf_registry *registry = NULL;
	inf_session *session = NULL;
	CHECK(argc == 3);
	CHECK(inf_registry_open(&params, &registry, &error) == INF_OK);
	CHECK(inf_registry_select(registry, "next", &candidate, &error) == INF_OK);
	CHECK(inf_session_load(registry, candidate, &load, &session, &error) == INF_OK);
	check_session(session, atoi(argv[2]) >= 1);
	CHECK(inf_session_close(session, &error) == INF_OK);
	inf_registry_close(registry);
	return 0;
}
