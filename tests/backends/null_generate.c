/* SPDX-License-Identifier: MIT */
/* Fault: no generate(). */
#include "stub.h"

static const inf_backend backend = {
	STUB_BACKEND("holey"),
	.available = stub_available,
	.load = stub_load,
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
