/* SPDX-License-Identifier: MIT */
/* Fault: its entry ends the process. */
#include "stub.h"

static const inf_backend entry_exit = {
	STUB_BACKEND("entry_exit"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &entry_exit };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	exit(3);
	return &plugin;
}
