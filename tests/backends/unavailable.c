/* SPDX-License-Identifier: MIT */
/* Nothing wrong, but not here: score 0 with a reason. */
#include "stub.h"

static inf_status INF_CALL no_device(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability found = {
		.struct_size = sizeof found,
		.reason = "no_device",
		.message = "no AMD GPU; /dev/kfd is missing",
	};
	(void)self;
	(void)backend;
	(void)err;
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

static const inf_backend rocm = {
	STUB_BACKEND("rocm"),
	.available = no_device,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &rocm };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
