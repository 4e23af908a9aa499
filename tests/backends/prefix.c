/* SPDX-License-Identifier: MIT */
/* Without inf.options/1: gets what begins with "remote.". */
#include "stub.h"

static const inf_backend remote = {
	STUB_BACKEND("remote"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &remote };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
