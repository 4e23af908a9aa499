/* SPDX-License-Identifier: MIT */
/* Fault: wants a host of the future. */
#include "stub.h"

static const inf_backend backend = {
	STUB_BACKEND("future"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &backend };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
	.min_host_minor = 99,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
