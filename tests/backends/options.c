/* SPDX-License-Identifier: MIT */
/* With inf.options/1: gets the keys of its table. */
#include "stub.h"

static const inf_option device = {
	.struct_size = sizeof device,
	.where = INF_OPTION_AT_INSTANCE,
	.key = "vulkan.device",
	.values = "",
	.default_value = "",
	.help = "device to use",
	.type = INF_OPTION_TEXT,
};

static const inf_option threads = {
	.struct_size = sizeof threads,
	.where = INF_OPTION_AT_LOAD,
	.key = "threads",
	.values = "1..1024",
	.default_value = "4",
	.help = "threads of the CPU",
	.type = INF_OPTION_INT,
};

static const inf_option depth = {
	.struct_size = sizeof depth,
	.where = INF_OPTION_AT_LOAD | INF_OPTION_AT_REQUEST,
	.key = "vulkan.depth",
	.values = "shallow|deep",
	.default_value = "shallow",
	.help = "how deep",
	.type = INF_OPTION_ENUM,
};

static const inf_option *const list[] = { &device, &threads, &depth };
static const inf_options table = { sizeof table, sizeof list / sizeof *list, list };

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	return strcmp(id, INF_EXT_OPTIONS) ? NULL : &table;
}

static const inf_backend vulkan = {
	STUB_BACKEND("vulkan"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = get_extension,
};

static const inf_backend *const backends[] = { &vulkan };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
