/* SPDX-License-Identifier: MIT */
/* Fault: it leaves a process behind that left its group and holds every descriptor that it got. */
#include <unistd.h>

#include "stub.h"

__attribute__((constructor)) static void leave_one(void)
{
	if (fork())
		return;
	setsid();
	for (;;)
		pause();
}

static const inf_backend ctor_fork = {
	STUB_BACKEND("ctor_fork"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &ctor_fork };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
