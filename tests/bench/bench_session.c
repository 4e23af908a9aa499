/* SPDX-License-Identifier: MIT */
#include "bench_session.h"

#include <stdio.h>
#include <stdlib.h>

void bench_check(inf_status st, const inf_error *err, const char *what)
{
	if (st == INF_OK)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, inf_status_name(st), err->message);
	exit(EXIT_FAILURE);
}

void bench_open(struct bench_session *self, const char *plugin_dir, const char *server)
{
	const inf_kv options[] = { { "llama-server.path", server } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = &plugin_dir, .plugin_dir_count = 1, .options = options, .option_count = 1,
	};
	inf_error err = { .struct_size = sizeof err };
	*self = (struct bench_session){ NULL, NULL };
	bench_check(inf_registry_open(&params, &self->registry, &err), &err, "registry");
}

void bench_load_context(struct bench_session *self, const char *model, int32_t slots, int32_t context)
{
	static const inf_kv options[] = { { "threads", "1" } };	/* else the server's own need of CPU is what is measured */
	const inf_load_params params = {
		.struct_size = sizeof params, .path = model, .parallel_slots = slots,
		.context_len = context ? context : slots > 1 ? BENCH_CONTEXT_OF_MANY : BENCH_CONTEXT,
		.options = options, .option_count = 1,
	};
	inf_error err = { .struct_size = sizeof err };
	const inf_candidate *backend = NULL;
	bench_check(inf_registry_select(self->registry, "llama_cpp", &backend, &err), &err, "backend");
	bench_check(inf_session_load(self->registry, backend, &params, &self->session, &err), &err, "load");
}

void bench_load(struct bench_session *self, const char *model, int32_t slots)
{
	bench_load_context(self, model, slots, 0);
}

void bench_close(struct bench_session *self)
{
	inf_error err = { .struct_size = sizeof err };
	bench_check(inf_session_close(self->session, &err), &err, "close");
	inf_registry_close(self->registry);
}
