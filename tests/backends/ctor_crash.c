/* SPDX-License-Identifier: MIT */
/* Fault: it crashes while it is loaded. */
#include <signal.h>

#include "stub.h"

__attribute__((constructor)) static void crash(void)
{
	raise(SIGSEGV);
}

static const inf_backend ctor_crash = {
	STUB_BACKEND("ctor_crash"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &ctor_crash };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
