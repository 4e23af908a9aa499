/* SPDX-License-Identifier: MIT */
/* Fault: its note makes no sense; that alone is no reason to refuse it. */
#include "stub.h"

INF_PLUGIN_NOTE("abi=one;backends");

static const inf_backend note_nonsense = {
	STUB_BACKEND("note_nonsense"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &note_nonsense };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
