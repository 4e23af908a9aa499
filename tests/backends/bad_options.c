/* SPDX-License-Identifier: MIT */
/* Fault: an option without a key. */
#include "stub.h"

static const inf_option keyless = {
	.struct_size = sizeof keyless,
	.where = INF_OPTION_AT_INSTANCE,
	.values = "",
	.default_value = "",
	.help = "",
};

static const inf_option *const list[] = { &keyless };
static const inf_options table = { sizeof table, sizeof list / sizeof *list, list };

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	return strcmp(id, INF_EXT_OPTIONS) ? NULL : &table;
}

static const inf_backend backend = {
	STUB_BACKEND("keyless"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = get_extension,
};

static const inf_backend *const backends[] = { &backend };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
