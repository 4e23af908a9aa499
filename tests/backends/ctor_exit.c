/* SPDX-License-Identifier: MIT */
/* Fault: loading it ends the process, and claims success. */
#include "stub.h"

__attribute__((constructor)) static void leave(void)
{
	exit(0);
}

static const inf_backend ctor_exit = {
	STUB_BACKEND("ctor_exit"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &ctor_exit };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
