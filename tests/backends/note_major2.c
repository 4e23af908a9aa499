/* SPDX-License-Identifier: MIT */
/* Fault: its note is of another major; its constructor would crash whoever does not believe it. */
#include <signal.h>

#include "stub.h"

INF_PLUGIN_NOTE("abi=2.3;min=0;id=org.example.stub;backends=note_major2");

__attribute__((constructor)) static void crash(void)
{
	raise(SIGSEGV);
}

static const inf_backend note_major2 = {
	STUB_BACKEND("note_major2"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &note_major2 };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
