/* SPDX-License-Identifier: MIT */
/* Fault: create() fails, for two backends at once. */
#include "stub.h"

static inf_status INF_CALL create_refuses(const inf_host *host, inf_instance **out, inf_error *err)
{
	(void)host;
	*out = NULL;
	return inf_fail(err, INF_E_UNAVAILABLE, "no_server", "no server binary; set still.path");
}

static const inf_backend still = {
	STUB_BACKEND("still"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend born = {
	STUB_BACKEND("born"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &still, &born };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = create_refuses,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
