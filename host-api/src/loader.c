/* SPDX-License-Identifier: MIT */
#include "loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routing.h"
#include "verdict.h"

/* Entry points of other majors; there is none yet, but a plugin may come from a later world. */
enum { MAJOR_FIRST = 2, MAJOR_LAST = 9 };

enum { NAME_MAX_LEN = 31 };

struct slot {
	size_t offset;
	const char *name;
};

static const struct slot backend_slots[] = {
	{ offsetof(inf_backend, available), "available" },
	{ offsetof(inf_backend, load), "load" },
	{ offsetof(inf_backend, info), "info" },
	{ offsetof(inf_backend, generate), "generate" },
	{ offsetof(inf_backend, chat), "chat" },
	{ offsetof(inf_backend, err), "err" },
	{ offsetof(inf_backend, close), "close" },
	{ offsetof(inf_backend, get_extension), "get_extension" },
};

static bool slot_is_empty(const void *table, size_t offset)
{
	void (*slot)(void);
	memcpy(&slot, (const char *)table + offset, sizeof slot);
	return !slot;
}

static bool name_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return len >= 1 && len <= NAME_MAX_LEN && !name[len];
}

static bool size_is_valid(uint32_t size, uint32_t least)
{
	return size >= least && size <= INF_STRUCT_MAX;
}

static int32_t check_backend(const inf_backend *backend, size_t index, inf_error *why)
{
	if (!backend || !size_is_valid(backend->struct_size, inf_backend_V1_0))
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "backend_size", "backend %zu: its table is %u bytes, "
				 "not %d to %u", index, backend ? backend->struct_size : 0, inf_backend_V1_0, INF_STRUCT_MAX);
	if (!backend->name || !name_is_valid(backend->name))
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "backend_name", "backend %zu: its name \"%.64s\" is not "
				 "1 to %d of a-z, 0-9 and _", index, backend->name ? backend->name : "", NAME_MAX_LEN);
	for (size_t i = 0; i < sizeof backend_slots / sizeof backend_slots[0]; i++)
		if (slot_is_empty(backend, backend_slots[i].offset))
			return ih_refuse(why, INF_STATE_INCOMPATIBLE, "slot_missing", "backend %s: its function %s() "
					 "is missing", backend->name, backend_slots[i].name);
	return INF_STATE_AVAILABLE;
}

static int32_t check_backends(const inf_plugin *plugin, inf_error *why)
{
	if (!plugin->backends || !plugin->backend_count || plugin->backend_count > IH_LOADER_BACKENDS_MAX)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "backend_count", "it offers %zu backends, not 1 to %d",
				 plugin->backends ? plugin->backend_count : 0, IH_LOADER_BACKENDS_MAX);
	for (size_t i = 0; i < plugin->backend_count; i++) {
		int32_t state = check_backend(plugin->backends[i], i, why);
		if (state != INF_STATE_AVAILABLE)
			return state;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(plugin->backends[i]->name, plugin->backends[j]->name))
				return ih_refuse(why, INF_STATE_INCOMPATIBLE, "backend_twice",
						 "it offers the backend %s twice", plugin->backends[i]->name);
	}
	return INF_STATE_AVAILABLE;
}

int32_t ih_loader_check(const inf_plugin *plugin, inf_error *why)
{
	if (!plugin || !size_is_valid(plugin->struct_size, inf_plugin_V1_0))
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "plugin_size", "its table is %u bytes, not %d to %u",
				 plugin ? plugin->struct_size : 0, inf_plugin_V1_0, INF_STRUCT_MAX);
	if (plugin->min_host_minor > INF_ABI_MINOR)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "host_too_old", "it needs a host of plugin ABI %u.%u or "
				 "later, this one has %u.%u: update the host", INF_ABI_MAJOR, plugin->min_host_minor,
				 INF_ABI_MAJOR, INF_ABI_MINOR);
	if (!plugin->id || !plugin->id[0] || !plugin->version)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "plugin_id", "it does not say its id or its version");
	if (slot_is_empty(plugin, offsetof(inf_plugin, create)) || slot_is_empty(plugin, offsetof(inf_plugin, destroy)))
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "slot_missing",
				 "its function create() or destroy() is missing");
	return check_backends(plugin, why);
}

static int32_t refuse_without_entry(void *handle, inf_error *why)
{
	for (int major = MAJOR_FIRST; major <= MAJOR_LAST; major++) {
		char symbol[32];
		snprintf(symbol, sizeof symbol, "inf_plugin_entry_v%d", major);
		if (dlsym(handle, symbol))
			return ih_refuse(why, INF_STATE_INCOMPATIBLE, "abi_major", "it speaks major %d of the plugin "
					 "ABI, this host speaks %u: update the host, or take a plugin for major %u",
					 major, INF_ABI_MAJOR, INF_ABI_MAJOR);
	}
	return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "no_entry", "a shared object without the function %s()",
			 INF_ENTRY_SYMBOL);
}

int32_t ih_loader_open(const char *path, inf_plugin_entry_fn *out, inf_error *why)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		const char *text = dlerror();
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "dlopen", "%s",
				 text ? text : "the loader gave no reason");
	}
	void *symbol = dlsym(handle, INF_ENTRY_SYMBOL);
	if (!symbol)
		return refuse_without_entry(handle, why);
	memcpy(out, &symbol, sizeof *out);
	return INF_STATE_AVAILABLE;
}

int32_t ih_loader_enter(inf_plugin_entry_fn entry, const struct ih_note *note, const inf_plugin **out, inf_error *why)
{
	const inf_plugin *plugin = entry();
	int32_t state = ih_loader_check(plugin, why);
	if (state == INF_STATE_AVAILABLE)
		state = ih_note_compare(note, plugin, why);
	if (state == INF_STATE_AVAILABLE)
		state = ih_options_check(plugin, why);
	if (state == INF_STATE_AVAILABLE)
		*out = plugin;
	return state;
}

bool ih_loader_own_directory(char *out, size_t cap)
{
	Dl_info info;
	char *path = dladdr(&backend_slots, &info) && info.dli_fname ? realpath(info.dli_fname, NULL) : NULL;
	char *slash = path ? strrchr(path, '/') : NULL;
	bool fits = slash && (size_t)(slash - path) < cap;
	if (fits) {
		memcpy(out, path, (size_t)(slash - path));
		out[slash - path] = '\0';
	}
	free(path);
	return fits;
}
