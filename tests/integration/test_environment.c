/* SPDX-License-Identifier: MIT */
/* What of the host's environment a server gets, on fake machines with a stand-in that writes down its own. */
#include <stdio.h>
#include <string.h>

#include "amd_world.h"
#include "suite.h"

static char said[1 << 16];

static void note(void *ctx, int32_t level, const char *msg, size_t len)
{
	size_t used = strlen(said);
	(void)ctx;
	snprintf(said + used, sizeof said - used, "%d %.*s\n", level, (int)len, msg);
}

static void open_logged(struct world *w)
{
	const char *dirs[] = { harness_plugins() };
	const inf_kv options[] = { { "rocm.sysroot", w->scratch.path }, { "llama-server.path", w->stand_in } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1, .options = options, .option_count = 2, .log = note, .log_level = INF_LOG_INFO,
	};
	w->registry = harness_open(&params);
}

/* The environment of the server of one load, whatever came of it; to be freed. */
static char *env_of_load(struct world *w, const char *backend)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .flags = INF_LOAD_FLAG_ALLOW_CPU, .context_len = 256,
	};
	inf_session *session = NULL;
	said[0] = '\0';
	inf_session_load(w->registry, harness_backend(w->registry, backend), &params, &session, &w->err);
	char *env = report(w, "env");
	inf_session_close(session, NULL);
	return env;
}

START_TEST(library_path_loses_foreign_builds_and_says_so)
{
	struct world w;
	char value[4096], expected[4096];
	open_world(&w);
	const char *rocm = scratch_dir(&w.scratch, "rocm-lib", 0700), *foreign = scratch_dir(&w.scratch, "foreign", 0700);
	scratch_write(&w.scratch, "rocm-lib/libamdhip64.so.6", "", 0);
	scratch_write(&w.scratch, "foreign/libggml-base.so", "", 0);
	snprintf(value, sizeof value, "%s:lib:%s:", foreign, rocm);
	setenv("LD_LIBRARY_PATH", value, 1);
	open_logged(&w);
	char *env = env_of_load(&w, "rocm");
	snprintf(expected, sizeof expected, "LD_LIBRARY_PATH=%s", rocm);
	ck_assert(has_line(env, expected));
	snprintf(expected, sizeof expected, "of LD_LIBRARY_PATH the server does not get %s:lib: ", foreign);
	ck_assert_msg(strstr(said, expected) != NULL, "%s", said);
	free(env);
	env = env_of_load(&w, "llama_cpp");	/* needs none */
	ck_assert_ptr_null(strstr(env, "LD_LIBRARY_PATH"));
	free(env);
	close_world(&w);
}
END_TEST

START_TEST(hsa_variables_that_go_through_are_logged)
{
	struct world w;
	open_world(&w);
	setenv("HSA_XNACK", "0", 1);
	open_logged(&w);
	char *env = env_of_load(&w, "rocm");
	ck_assert(has_line(env, "HSA_XNACK=0"));
	ck_assert_msg(strstr(said, "the server gets HSA_XNACK=0") != NULL, "%s", said);
	free(env);
	close_world(&w);
}
END_TEST

static const struct {
	const char *machine, *users, *line;	/* NULL = the variable is not there */
} queues[] = {
	{ "01-7800xt-9950x-dgpu-first", NULL, "GPU_MAX_HW_QUEUES=1" },
	{ "01-7800xt-9950x-dgpu-first", "4", "GPU_MAX_HW_QUEUES=4" },
	{ "01-7800xt-9950x-dgpu-first", "", "GPU_MAX_HW_QUEUES=" },
	{ "07-rx6600", NULL, "GPU_MAX_HW_QUEUES=1" },
	{ "03-mi300x-spx", NULL, NULL },
};

START_TEST(idle_power_variable_is_set_for_rdna_unless_the_user_did)
{
	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
		struct world w;
		unsetenv("GPU_MAX_HW_QUEUES");
		if (queues[i].users)
			setenv("GPU_MAX_HW_QUEUES", queues[i].users, 1);
		open_world_on(&w, queues[i].machine);
		open_logged(&w);
		char *env = env_of_load(&w, "rocm");
		ck_assert_msg(strstr(env, "ROCR_VISIBLE_DEVICES=") != NULL, "%s: %s", queues[i].machine, said);
		if (queues[i].line)
			ck_assert_msg(has_line(env, queues[i].line), "%s: %s", queues[i].machine, env);
		else
			ck_assert_ptr_null(strstr(env, "GPU_MAX_HW_QUEUES"));
		const char *first = strstr(env, "GPU_MAX_HW_QUEUES");
		ck_assert(!first || !strstr(first + 1, "GPU_MAX_HW_QUEUES"));
		free(env);
		close_world(&w);
	}
}
END_TEST

RUN_SUITE("environment", 120, library_path_loses_foreign_builds_and_says_so, hsa_variables_that_go_through_are_logged,
	  idle_power_variable_is_set_for_rdna_unless_the_user_did)
