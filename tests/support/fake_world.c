/* SPDX-License-Identifier: MIT */
#include "fake_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

void fake_write(struct fake_world *w, const char *script)
{
	w->script = scratch_write(&w->scratch, "llama-server.script", script, strlen(script));
}

void fake_open(struct fake_world *w, const char *script)
{
	const char *program = getenv("GR_TEST_FAKE_SERVER");
	ck_assert_msg(program && *program, "GR_TEST_FAKE_SERVER is not set: run the tests through ctest");
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	w->server = scratch_copy(&w->scratch, "llama-server", program);
	ck_assert_int_eq(chmod(w->server, 0755), 0);
	fake_write(w, script);
	w->runtime_dir = scratch_dir(&w->scratch, "run", 0700);
	setenv("XDG_RUNTIME_DIR", w->runtime_dir, 1);
	w->registry = harness_registry_with(w->server);
}

void fake_touch(struct fake_world *w)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	ck_assert_int_eq(utimensat(AT_FDCWD, w->server, times, 0), 0);
}

void fake_close(struct fake_world *w)
{
	if (w->session)
		ck_assert_int_eq(fake_close_session(w), INF_OK);
	inf_registry_close(w->registry);
	ck_assert_msg(rmdir(w->runtime_dir) == 0, "something is left in %s", w->runtime_dir);
	scratch_release(&w->scratch);
}

inf_status fake_load(struct fake_world *w, inf_load_params *params)
{
	inf_load_params plain = { 0 };
	int64_t start = monotonic_ms();
	params = params ? params : &plain;
	params->struct_size = sizeof *params;
	params->path = harness_model();
	params->options = w->options;
	params->option_count = w->option_count;
	w->session = NULL;
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), params, &w->session,
					 &w->err);
	w->took_ms = monotonic_ms() - start;
	return st;
}

void fake_open_loaded(struct fake_world *w, const char *script)
{
	fake_open(w, script);
	inf_status st = fake_load(w, NULL);
	ck_assert_msg(st == INF_OK, "load: %s", w->err.message);
}

inf_status fake_close_session(struct fake_world *w)
{
	int64_t start = monotonic_ms();
	inf_status st = inf_session_close(w->session, &w->err);
	w->took_ms = monotonic_ms() - start;
	w->session = NULL;
	return st;
}

inf_status fake_generate(struct fake_world *w, struct sink *sink, inf_gen_result *result)
{
	inf_gen_params params = { .struct_size = sizeof params };
	int64_t start = monotonic_ms();
	if (sink)
		params = sink_params(sink, 0);
	inf_status st = harness_generate(w->session, "x", &params, result, &w->err);
	w->took_ms = monotonic_ms() - start;
	return st;
}

size_t fake_starts(struct fake_world *w)
{
	struct stat st = { 0 };
	return stat(scratch_at(&w->scratch, "llama-server.starts"), &st) == 0 ? (size_t)st.st_size : 0;
}
