/* SPDX-License-Identifier: MIT */
/* Fault: a backend name with capitals. */
#include "stub.h"

static const inf_backend backend = {
	STUB_BACKEND("Echo-1"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &backend };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
