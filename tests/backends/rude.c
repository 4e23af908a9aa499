/* SPDX-License-Identifier: MIT */
/* Loads, and then breaks every promise about reports: arrays without an end, failures without a word, unknown statuses. */
#include "stub.h"

struct inf_model {
	int unused;
};

static inf_status INF_CALL shout(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	(void)self;
	(void)backend;
	(void)err;
	out->score = 1;
	memset(out->reason, '!', sizeof out->reason);
	memset(out->message, '!', sizeof out->message);
	return INF_OK;
}

static inf_status INF_CALL refuse_silently(inf_instance *self, const inf_backend *backend, inf_availability *out,
					   inf_error *err)
{
	(void)self;
	(void)backend;
	(void)out;
	(void)err;
	return INF_E_INTERNAL;
}

static inf_status INF_CALL growl(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	inf_status st = shout(self, backend, out, err);
	out->score = 0;
	return st;
}

/* "/dev/zero" succeeds without a model. */
static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *params,
				inf_model **out, inf_error *err)
{
	(void)self;
	(void)backend;
	*out = NULL;
	if (!strcmp(params->path, "/dev/zero"))
		return INF_OK;
	*out = malloc(sizeof **out);
	return *out ? INF_OK : inf_fail(err, INF_E_NO_MEMORY, "no_memory", "rude: no memory");
}

/* Asks its callbacks once and does not listen; without callbacks returns a status that nobody knows. */
static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	(void)self;
	(void)prompt;
	(void)prompt_len;
	(void)result;
	(void)err;
	const inf_token token = { .struct_size = sizeof token, .id = -1, .count = 1, .text = "x", .text_len = 1 };
	if (!params->on_token)
		return 7;
	params->on_poll(params->user);
	params->on_token(params->user, &token);
	return INF_OK;
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	(void)self;
	(void)msgs;
	(void)msg_count;
	(void)params;
	(void)result;
	(void)err;
	return INF_E_BUSY;
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	free(self);
	return inf_fail(err, INF_E_IO, "rude", "closed all the same");
}

static const inf_backend rude = {
	.struct_size = sizeof rude,
	.name = "rude",
	.available = shout,
	.load = load,
	.info = stub_info,
	.generate = generate,
	.chat = chat,
	.err = stub_err,
	.close = close_model,
	.get_extension = stub_get_extension,
};

static const inf_backend mute = {
	STUB_BACKEND("mute"),
	.available = refuse_silently,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend grumpy = {
	STUB_BACKEND("grumpy"),
	.available = growl,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &rude, &mute, &grumpy };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
