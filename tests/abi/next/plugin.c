/* SPDX-License-Identifier: MIT */
/*
 * A backend that is built with the headers of minor 0, and with those of a made-up minor 1 (tests/abi/grow.py).
 * generate() says one token; of minor 1 it reports what came in `extra`.
 */
#include <stdlib.h>

#include "inference/extensions.h"

#if INF_ABI_MINOR >= 1
# define EXTRA INF_GEN_SET_EXTRA
#else
# define EXTRA 0
#endif

struct inf_instance {
	const inf_host *host;
};

struct inf_model {
	const inf_host *host;
};

static inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	*out = malloc(sizeof **out);
	if (!*out)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory");
	(*out)->host = host;
	return INF_OK;
}

static void INF_CALL destroy(inf_instance *self)
{
	free(self);
}

static inf_status INF_CALL available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability here = { .struct_size = sizeof here, .score = 1, .message = "always here" };
	(void)self;
	(void)backend;
	(void)err;
	inf_write_struct(out, &here, sizeof here);
	return INF_OK;
}

static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *params,
				inf_model **out, inf_error *err)
{
	inf_load_params p;
	(void)backend;
	*out = NULL;
	inf_status st = inf_read_request(&p, sizeof p, params, inf_load_params_V1_0, 0, 0);
	if (st != INF_OK)
		return inf_fail(err, st, "load_params", "load: an unknown flag, bit or field");
	*out = malloc(sizeof **out);
	if (!*out)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory");
	(*out)->host = self->host;
	return INF_OK;
}

/* vocab_size: what the host's service of minor 1 makes of 41, if both know it. */
static inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	inf_model_info facts = { .struct_size = sizeof facts, .gen_fields = INF_GEN_SET_MAX_TOKENS | EXTRA };
	(void)err;
#if INF_ABI_MINOR >= 1
	if (INF_HAS(inf_host, self->host, extra) && self->host->extra)
		facts.vocab_size = self->host->extra(self->host->ctx, 41);
#else
	(void)self;
#endif
	inf_write_struct(out, &facts, sizeof facts);
	return INF_OK;
}

static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *out, inf_error *err)
{
	const inf_token token = { .struct_size = sizeof token, .count = 1, .text = "word", .text_len = 4 };
	inf_gen_result result = { .struct_size = sizeof result, .finish = INF_FINISH_LENGTH, .generated_tokens = 1,
				  .accepted_tokens = 11 };
	inf_gen_params p;
	uint64_t bad;
	(void)self;
	(void)prompt;
	(void)prompt_len;
	inf_status st = inf_read_request(&p, sizeof p, params, inf_gen_params_V1_0, INF_GEN_FLAG_KNOWN, INF_GEN_SET_KNOWN);
	if (st != INF_OK)
		return inf_fail(err, st, "gen_params", "flags 0x%x, bits 0x%llx of set, or a field behind them", params->flags,
				(unsigned long long)(params->set & ~INF_GEN_SET_KNOWN));
	st = inf_gen_check(&p, INF_GEN_SET_MAX_TOKENS | EXTRA, &bad);
	if (st != INF_OK)
		return inf_fail(err, st, "gen_params", "bits 0x%llx of set", (unsigned long long)bad);
#if INF_ABI_MINOR >= 1
	result.extra_tokens = p.set & INF_GEN_SET_EXTRA ? p.extra : -1;
#endif
	if (p.on_token && p.on_token(p.user, &token) != INF_CONTINUE)
		result.finish = INF_FINISH_CALLER;
	inf_write_struct(out, &result, sizeof result);
	return INF_OK;
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	(void)msgs;
	(void)msg_count;
	return generate(self, NULL, 0, params, result, err);
}

static inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	(void)self;
	inf_fail(out, INF_OK, "", "%s", "");
	return INF_OK;
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	(void)err;
	free(self);
	return INF_OK;
}

static inf_status INF_CALL read_metrics(inf_model *self, inf_metrics_report *out, inf_error *err)
{
	inf_metrics_report report = { .struct_size = sizeof report, .requests = 3 };
	(void)self;
	(void)err;
#if INF_ABI_MINOR >= 1
	report.extra = 33;
#endif
	inf_write_struct(out, &report, sizeof report);
	return INF_OK;
}

static const inf_metrics metrics = { sizeof metrics, 0, read_metrics };

#if INF_ABI_MINOR >= 1
static inf_status INF_CALL slot_extra(inf_model *self, int32_t *out, inf_error *err)
{
	(void)self;
	(void)err;
	*out = 5;
	return INF_OK;
}

static inf_status INF_CALL extension_extra(inf_model *self, int32_t value, int32_t *out, inf_error *err)
{
	(void)self;
	(void)err;
	*out = value + 1;
	return INF_OK;
}

static const inf_extra extra = { sizeof extra, 0, extension_extra };
#endif

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
#if INF_ABI_MINOR >= 1
	if (model && !strcmp(id, INF_EXT_EXTRA))
		return &extra;
#endif
	return model && !strcmp(id, INF_EXT_METRICS) ? &metrics : NULL;
}

static const inf_backend backend = {
	.struct_size = sizeof backend,
	.name = "next",
	.description = "of minor 0 or 1",
	.available = available,
	.load = load,
	.info = info,
	.generate = generate,
	.chat = chat,
	.err = last_error,
	.close = close_model,
	.get_extension = get_extension,
#if INF_ABI_MINOR >= 1
	.extra = slot_extra,
#endif
};

static const inf_backend *const backends[] = { &backend };

static const inf_plugin plugin = {
	.struct_size = sizeof plugin,
	.abi_minor = INF_ABI_MINOR,
	.id = "org.example.next",
	.version = "1.0.0",
	.vendor = "example",
	.license = "MIT",
	.backends = backends,
	.backend_count = 1,
	.create = create,
	.destroy = destroy,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
