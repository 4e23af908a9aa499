/* SPDX-License-Identifier: MIT */
/* Fault: its note names other backends than it has. */
#include "stub.h"

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.stub;backends=rocm");

static const inf_backend note_lies = {
	STUB_BACKEND("note_lies"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &note_lies };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
