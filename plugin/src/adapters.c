/* SPDX-License-Identifier: MIT */
#include "adapters.h"

#include <float.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "pathtext.h"

void gr_adapters_release(struct gr_adapters *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < self->count; i++)
		free(self->items[i].path);
	self->count = 0;
}

static inf_status append(struct gr_adapters *self, const char *path, size_t len, float scale, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	if (self->count == GR_ADAPTERS_MAX)
		return inf_fail(err, INF_E_INVALID, "adapter_count", "more than %d adapters for one model", GR_ADAPTERS_MAX);
	char *copy = malloc(len + 1);
	if (!copy)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for an adapter's path");
	memcpy(copy, path, len);
	copy[len] = '\0';
	gr_pathtext(copy, shown);
	if (copy[0] != '/' || len >= PATH_MAX) {
		free(copy);
		return inf_fail(err, INF_E_INVALID, "adapter_path", "an adapter's path is not absolute, or too long: \"%s\"", shown);
	}
	self->items[self->count++] = (struct gr_adapter){ copy, scale, 0 };
	return INF_OK;
}

inf_status gr_adapters_add(struct gr_adapters *self, const char *path, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	gr_pathtext(path, shown);
	if (strchr(path, ','))
		return inf_fail(err, INF_E_UNSUPPORTED, "adapter_path",
				"llama-server takes a comma for the end of an adapter's path: rename %s", shown);
	return append(self, path, strlen(path), 1, err);
}

static bool parse_scale(const char *text, size_t len, float *out)
{
	double scale;
	if (!gr_number_real(text, len, &scale) || scale < -(double)FLT_MAX || scale > (double)FLT_MAX)
		return false;
	*out = (float)scale;
	return true;
}

static inf_status append_scaled(struct gr_adapters *self, const char *item, size_t len, inf_error *err)
{
	float scale = 1;
	size_t path_len = len;
	for (size_t i = 0; i < len; i++)
		if (item[i] == ':')
			path_len = i;
	if (path_len < len && !parse_scale(item + path_len + 1, len - path_len - 1, &scale))
		return inf_fail(err, INF_E_INVALID, "adapter_scale",
				"option adapters: \"%.*s\" is not a scale like 0.5 (a path with a colon in it needs a scale behind it, "
				"as in a:b.gguf:1)", (int)(len - path_len - 1 < 64 ? len - path_len - 1 : 64), item + path_len + 1);
	return append(self, item, path_len, scale, err);
}

inf_status gr_adapters_parse(struct gr_adapters *self, const char *text, inf_error *err)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		if (!len)
			return inf_fail(err, INF_E_INVALID, "adapter_path",
					"option adapters: a path is empty (a comma stands between two paths)");
		inf_status st = append_scaled(self, text, len, err);
		if (st != INF_OK || !text[len])
			return st;
		text += len + 1;
	}
}
