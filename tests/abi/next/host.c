/* SPDX-License-Identifier: MIT */
/*
 * host PLUGIN.SO MINOR-OF-THE-PLUGIN: a host that is built with the headers of minor 0, and with those of a made-up minor 1
 * (tests/abi/grow.py). Exits with 0 if everything of minor 0 works, what both know of minor 1 too, and the rest is refused or absent.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "inference/extensions.h"

#define CHECK(what) ((what) ? (void)0 : fail(#what, __LINE__))
#define NEW_HOST (INF_ABI_MINOR >= 1)

static inf_error error = { .struct_size = sizeof error };
static int tokens;

static void fail(const char *what, int line)
{
	fprintf(stderr, "host.c:%d: %s does not hold (last error: %s)\n", line, what, error.message);
	exit(1);
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	(void)user;
	tokens += strcmp(token->text, "word") == 0;
	return INF_CONTINUE;
}

/* A report with a guard behind it. Filled with junk, so that what nobody writes shows. */
struct guarded {
	inf_gen_result result;
	uint64_t guard;
};

static struct guarded guarded(void)
{
	struct guarded g;
	memset(&g, 0xaa, sizeof g);
	g.result.struct_size = sizeof g.result;
	return g;
}

static void check_minor_0(const inf_backend *backend, inf_model *model)
{
	inf_gen_params p = { .struct_size = sizeof p, .max_tokens = 1, .on_token = on_token };
	struct guarded got = guarded();
	inf_model_info info = { .struct_size = sizeof info };
	inf_metrics_report counters = { .struct_size = sizeof counters };
	CHECK(backend->generate(model, "x", 1, &p, &got.result, &error) == INF_OK);
	CHECK(tokens == 1 && got.result.finish == INF_FINISH_LENGTH && got.result.accepted_tokens == 11);
	CHECK(got.guard == 0xaaaaaaaaaaaaaaaau);
	p.temperature = 1;
	p.set = INF_GEN_SET_TEMPERATURE;
	CHECK(backend->generate(model, "x", 1, &p, NULL, &error) == INF_E_UNSUPPORTED);
	CHECK(backend->info(model, &info, &error) == INF_OK && info.gen_fields & INF_GEN_SET_MAX_TOKENS);
	const inf_metrics *metrics = backend->get_extension(NULL, backend, model, INF_EXT_METRICS);
	CHECK(metrics && INF_HAS(inf_metrics, metrics, read) && metrics->read(model, &counters, &error) == INF_OK);
	CHECK(counters.requests == 3 && counters.reserved0 == 0);
	CHECK(!backend->get_extension(NULL, backend, model, "inf.metrics/10"));
}

#if NEW_HOST
static int32_t INF_CALL service(void *ctx, int32_t value)
{
	(void)ctx;
	return value + 1;
}

static void check_request(const inf_backend *backend, inf_model *model, int new_plugin)
{
	inf_gen_params p = { .struct_size = sizeof p, .set = INF_GEN_SET_EXTRA, .extra = 7 };
	struct guarded got = guarded();
	char bit[32];
	snprintf(bit, sizeof bit, "0x%llx", (unsigned long long)INF_GEN_SET_EXTRA);
	inf_status st = backend->generate(model, "x", 1, &p, &got.result, &error);
	CHECK(new_plugin ? st == INF_OK && got.result.extra_tokens == 7 : st == INF_E_UNSUPPORTED && strstr(error.message, bit));
	p.extra = 0;
	st = backend->generate(model, "x", 1, &p, &got.result, &error);
	CHECK(new_plugin ? st == INF_OK && got.result.extra_tokens == 0 : st == INF_E_UNSUPPORTED && strstr(error.message, bit));
	p.set = 0;
	got = guarded();
	CHECK(backend->generate(model, "x", 1, &p, &got.result, &error) == INF_OK);
	CHECK(got.result.extra_tokens == (new_plugin ? -1 : 0) && got.guard == 0xaaaaaaaaaaaaaaaau);
	p.extra = 7;
	CHECK(new_plugin || backend->generate(model, "x", 1, &p, NULL, &error) == INF_E_UNSUPPORTED);
}

static void check_minor_1(const inf_backend *backend, inf_model *model, int new_plugin)
{
	inf_model_info info = { .struct_size = sizeof info };
	inf_metrics_report counters = { .struct_size = sizeof counters, .extra = 99 };
	int32_t got = 0;
	check_request(backend, model, new_plugin);
	const inf_metrics *metrics = backend->get_extension(NULL, backend, model, INF_EXT_METRICS);
	CHECK(metrics->read(model, &counters, &error) == INF_OK && counters.extra == (new_plugin ? 33 : 0));
	CHECK(backend->info(model, &info, &error) == INF_OK && info.vocab_size == (new_plugin ? 42 : 0));
	CHECK(!(info.gen_fields & INF_GEN_SET_EXTRA) == !new_plugin);
	CHECK(INF_HAS(inf_backend, backend, extra) == new_plugin);
	CHECK(!new_plugin || (backend->extra(model, &got, &error) == INF_OK && got == 5));
	const inf_extra *extra = backend->get_extension(NULL, backend, model, INF_EXT_EXTRA);
	CHECK(!extra == !new_plugin);
	CHECK(!extra || (extra->run(model, 6, &got, &error) == INF_OK && got == 7));
}
#else
/* An old host sees nothing of a new plugin, whatever there is. */
static void check_minor_1(const inf_backend *backend, inf_model *model, int new_plugin)
{
	inf_model_info info = { .struct_size = sizeof info };
	CHECK(backend->struct_size == sizeof *backend + (new_plugin ? sizeof(void *) : 0));
	CHECK(backend->info(model, &info, &error) == INF_OK && info.vocab_size == 0);
}
#endif

int main(int argc, char **argv)
{
	const inf_host host = {
		.struct_size = sizeof host,
		.abi_minor = INF_ABI_MINOR,
		.name = "next",
		.version = "1",
#if NEW_HOST
		.extra = service,
#endif
	};
	inf_load_params params = { .struct_size = sizeof params, .path = "/" };
	inf_availability here = { .struct_size = sizeof here };
	inf_instance *instance = NULL;
	inf_model *model = NULL;
	CHECK(argc == 3);
	void *file = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	CHECK(file);
	inf_plugin_entry_fn entry;
	*(void **)&entry = dlsym(file, INF_ENTRY_SYMBOL);
	const inf_plugin *plugin = entry();
	const inf_backend *backend = plugin->backends[0];
	CHECK(plugin->abi_minor == (uint32_t)atoi(argv[2]) && plugin->min_host_minor <= INF_ABI_MINOR);
	CHECK(plugin->create(&host, &instance, &error) == INF_OK);
	CHECK(backend->available(instance, backend, &here, &error) == INF_OK && here.score == 1);
	CHECK(backend->load(instance, backend, &params, &model, &error) == INF_OK);
	check_minor_0(backend, model);
	check_minor_1(backend, model, plugin->abi_minor >= 1);
	CHECK(backend->close(model, &error) == INF_OK);
	plugin->destroy(instance);
	return 0;
}
