/* SPDX-License-Identifier: MIT */
#ifndef TEST_STUB_H
#define TEST_STUB_H

#include <stdio.h>
#include <stdlib.h>

#include "inference/extensions.h"

/*
 * stub: a backend that is sound and available, and loads nothing.
 *
 * A fixture includes this, replaces one slot or one field, and exports the result; so each has exactly one fault. What
 * available() finds is the instance options that arrived, as "key=value" separated by spaces.
 */
struct inf_instance {
	const inf_host *host;
};

static inline inf_status INF_CALL stub_available(inf_instance *self, const inf_backend *backend, inf_availability *out,
						 inf_error *err)
{
	inf_availability found = { .struct_size = sizeof found, .score = 400 };
	size_t len = 0;
	(void)backend;
	(void)err;
	for (size_t i = 0; i < self->host->option_count && len < sizeof found.message; i++)
		len += (size_t)snprintf(found.message + len, sizeof found.message - len, "%s%s=%s", i ? " " : "",
					self->host->options[i].key, self->host->options[i].value);
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

static inline inf_status INF_CALL stub_load(inf_instance *self, const inf_backend *backend,
					    const inf_load_params *params, inf_model **out, inf_error *err)
{
	(void)self;
	(void)params;
	*out = NULL;
	return inf_fail(err, INF_E_BAD_MODEL, "stub", "%s loads nothing", backend->name);
}

static inline inf_status INF_CALL stub_info(inf_model *self, inf_model_info *out, inf_error *err)
{
	(void)self;
	(void)out;
	return inf_fail(err, INF_E_INVALID, "stub", "no model");
}

static inline inf_status INF_CALL stub_generate(inf_model *self, const char *prompt, size_t prompt_len,
						const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	(void)self;
	(void)prompt;
	(void)prompt_len;
	(void)params;
	(void)result;
	return inf_fail(err, INF_E_INVALID, "stub", "no model");
}

static inline inf_status INF_CALL stub_chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
					    const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	(void)self;
	(void)msgs;
	(void)msg_count;
	(void)params;
	(void)result;
	return inf_fail(err, INF_E_INVALID, "stub", "no model");
}

static inline inf_status INF_CALL stub_err(inf_model *self, inf_error *out)
{
	(void)self;
	(void)out;
	return INF_OK;
}

static inline inf_status INF_CALL stub_close(inf_model *self, inf_error *err)
{
	(void)self;
	(void)err;
	return INF_OK;
}

static inline const void *INF_CALL stub_get_extension(inf_instance *self, const inf_backend *backend, inf_model *model,
						      const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	(void)id;
	return NULL;
}

static inline inf_status INF_CALL stub_create(const inf_host *host, inf_instance **out, inf_error *err)
{
	*out = NULL;
	inf_instance *self = malloc(sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the instance");
	self->host = host;
	*out = self;
	return INF_OK;
}

static inline void INF_CALL stub_destroy(inf_instance *self)
{
	free(self);
}

/* The slots that fixtures replace are left to them. */
#define STUB_BACKEND(backend_name)			\
	.struct_size = sizeof(inf_backend),		\
	.name = backend_name,				\
	.description = "a stub for tests",		\
	.info = stub_info,				\
	.chat = stub_chat,				\
	.err = stub_err,				\
	.close = stub_close

#define STUB_PLUGIN(list)				\
	.struct_size = sizeof(inf_plugin),		\
	.abi_minor = INF_ABI_MINOR,			\
	.id = "org.example.stub",			\
	.version = "1.2.3",				\
	.vendor = "tests",				\
	.license = "MIT",				\
	.backends = list,				\
	.backend_count = sizeof list / sizeof *list,	\
	.destroy = stub_destroy

#endif
