/* SPDX-License-Identifier: MIT */
/* Fault: it needs a library that is not there. */
#include "stub.h"

/* Of the library "absent", which is linked and then taken away. */
extern int absent_function(void);

static const inf_backend library_missing = {
	STUB_BACKEND("library_missing"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *const backends[] = { &library_missing };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	if (absent_function())
		return NULL;
	return &plugin;
}
