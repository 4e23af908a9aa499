/* SPDX-License-Identifier: MIT */
/* Fault: loading it never ends. */
#include <unistd.h>

#include "stub.h"

__attribute__((constructor)) static void hang(void)
{
	for (;;)
		pause();
}

static const inf_backend ctor_hang = {
	STUB_BACKEND("ctor_hang"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &ctor_hang };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
