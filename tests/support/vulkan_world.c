/* SPDX-License-Identifier: MIT */
#include "vulkan_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char script[] =
	"#!/bin/sh\n"
	"export here='%s'; real='%s'\n"
	"case \" $* \" in\n"
	"*' --version '*|*' --help '*) exec \"$real\" \"$@\";;\n"
	"*' --list-devices '*)\n"
	"  echo asked >> \"$here/asked\"\n"
	"  [ -f \"$here/list\" ] && exec /bin/sh \"$here/list\"\n"
	"  exec \"$real\" \"$@\";;\n"
	"esac\n"
	"printf '%%s\\n' \"$@\" > \"$here/argv\"\n"
	"env > \"$here/env\"\n"
	"n=$#; i=0; before=\n"
	"while [ $i -lt $n ]; do\n"
	"  arg=$1; shift; i=$((i+1))\n"
	"  [ \"$before\" = --device ] && [ -f \"$here/device\" ] && arg=$(cat \"$here/device\")\n"
	"  before=$arg; set -- \"$@\" \"$arg\"\n"
	"done\n"
	"exec \"$real\" \"$@\"\n";

static const char *server(void)
{
	static char path[1024];
	const char *tools = getenv("GR_TEST_LLAMA_TOOLS");
	ck_assert_msg(tools && *tools, "GR_TEST_LLAMA_TOOLS is not set: run the tests through ctest");
	snprintf(path, sizeof path, "%s/llama-server", tools);
	return path;
}

void add_option(struct world *w, const char *key, const char *value)
{
	ck_assert_uint_lt(w->option_count, WORLD_OPTIONS_MAX);
	w->options[w->option_count++] = (inf_kv){ key, value };
}

void write_stand_in(struct world *w)
{
	char text[4096];
	int len = snprintf(text, sizeof text, script, w->scratch.path, server());
	w->stand_in = scratch_write(&w->scratch, "llama-server", text, (size_t)len);
	ck_assert_int_eq(chmod(w->stand_in, 0755), 0);
}

void open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	write_stand_in(w);
	add_option(w, "llama-server.path", w->stand_in);
}

void open_registry(struct world *w)
{
	const char *dirs[] = { harness_plugins() };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1, .options = w->options, .option_count = w->option_count,
	};
	inf_registry_close(w->registry);
	w->registry = harness_open(&params);
}

/* A registry that takes llvmpipe. */
void open_simulated(struct world *w)
{
	open_world(w);
	add_option(w, "vulkan.allow-cpu-device", "true");
	open_registry(w);
}

void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

void answer(struct world *w, const char *name, const char *text)
{
	scratch_write(&w->scratch, name, text, strlen(text));
}

bool was_written(struct world *w, const char *name)
{
	return access(scratch_at(&w->scratch, name), F_OK) == 0;
}

int times_asked(struct world *w)
{
	size_t len = 0;
	if (!was_written(w, "asked"))
		return 0;
	free(scratch_read(scratch_at(&w->scratch, "asked"), &len));
	return (int)(len / strlen("asked\n"));
}

/* What the server was started with has this in it. */
bool was_given(struct world *w, const char *name, const char *words)
{
	size_t len;
	char *text = scratch_read(scratch_at(&w->scratch, name), &len);
	bool found = strstr(text, words);
	free(text);
	return found;
}

inf_status try_load(struct world *w, inf_load_params *params, inf_session **out)
{
	params->struct_size = sizeof *params;
	if (!params->path)
		params->path = harness_model();
	*out = NULL;
	return inf_session_load(w->registry, harness_backend(w->registry, "vulkan"), params, out, &w->err);
}

inf_session *load(struct world *w, inf_load_params *params)
{
	inf_session *session;
	inf_status st = try_load(w, params, &session);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return session;
}

void expect_refusal(struct world *w, inf_load_params params, inf_status status, const char *reason)
{
	inf_session *session;
	ck_assert_int_eq(try_load(w, &params, &session), status);
	ck_assert_str_eq(w->err.reason, reason);
}

void expect_unavailable(struct world *w, const char *reason, const char *words)
{
	open_registry(w);
	const inf_candidate *vulkan = harness_backend(w->registry, "vulkan");
	ck_assert_int_eq(vulkan->state, INF_STATE_UNAVAILABLE);
	ck_assert_str_eq(vulkan->reason, reason);
	ck_assert_msg(strstr(vulkan->message, words), "%s", vulkan->message);
}

int32_t note_device(void *user, const inf_device *device)
{
	struct listing *listing = user;
	listing->devices[listing->count++] = *device;
	return INF_CONTINUE;
}
