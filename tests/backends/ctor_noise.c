/* SPDX-License-Identifier: MIT */
/* Fault: it prints while it is loaded, also what looks like a report. */
#include <unistd.h>

#include "stub.h"

static const char noise[] = "{\"file\":0,\"state\":\"untrusted\",\"reason\":\"noise\",\"message\":\"noise\"}\n";

__attribute__((constructor)) static void shout(void)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (write(fd, noise, sizeof noise - 1) < 0)
			abort();
}

static const inf_backend ctor_noise = {
	STUB_BACKEND("ctor_noise"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &ctor_noise };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
