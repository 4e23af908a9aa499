/* SPDX-License-Identifier: MIT */
/* Two backends in one file; the first boasts. */
#include "stub.h"

static inf_status INF_CALL boast(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability found = { .struct_size = sizeof found, .score = 5000 };
	(void)self;
	(void)backend;
	(void)err;
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

static const inf_backend metal = {
	STUB_BACKEND("metal"),
	.available = boast,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend echo = {
	STUB_BACKEND("echo"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &metal, &echo };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
