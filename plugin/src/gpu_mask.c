/* SPDX-License-Identifier: MIT */
#include "gpu_mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strv.h"

enum { TOKEN_MAX = 64, UUID_SHORTEST = 5, UUID_LONGEST = 20 };

/* A list of ROCr ordinals. Those of other makers' GPUs are in it too: they count. */
struct ordinals {
	uint32_t items[GR_AMDGPU_NODES_MAX];
	size_t count;
};

static const struct gr_amdgpu_gpu *gpu_at(const struct gr_amdgpu_scan *scan, uint32_t ordinal)
{
	for (size_t i = 0; i < scan->gpu_count; i++)
		if (scan->gpus[i].ordinal == ordinal)
			return &scan->gpus[i];
	return NULL;
}

void gr_gpu_uuid(const struct gr_amdgpu_gpu *gpu, char out[GR_GPU_UUID_MAX])
{
	snprintf(out, GR_GPU_UUID_MAX, "GPU-%016llx", (unsigned long long)gpu->unique_id);
}

static bool contains(const struct ordinals *list, uint32_t ordinal)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == ordinal)
			return true;
	return false;
}

/* The next token up to a comma, without it. False at the end of the list. A longer token than any valid one is kept as
 * its beginning, which is no valid one either. */
static bool next_token(const char **rest, char out[TOKEN_MAX])
{
	if (!**rest)
		return false;
	size_t len = strcspn(*rest, ",");
	snprintf(out, TOKEN_MAX, "%.*s", (int)(len < TOKEN_MAX ? len : TOKEN_MAX - 1), *rest);
	*rest += len + ((*rest)[len] == ',');
	return true;
}

/* ---- ROCr ------------------------------------------------------------------------------------------------------ */
static void trim(char *text)
{
	static const char blanks[] = " \t\n\r\v\f";
	size_t lead = strspn(text, blanks), len = strlen(text);
	memmove(text, text + lead, len - lead + 1);
	for (len -= lead; len && strchr(blanks, text[len - 1]); len--)
		text[len - 1] = '\0';
}

/* The one GPU whose UUID begins with the token, whatever its case; -1 for none or several. */
static long find_uuid(const struct gr_amdgpu_scan *scan, const char *token)
{
	char uuid[GR_GPU_UUID_MAX];
	size_t len = strlen(token);
	long found = -1;
	if (len < UUID_SHORTEST || len > UUID_LONGEST)
		return -1;
	for (size_t i = 0; i < scan->gpu_count; i++) {
		gr_gpu_uuid(&scan->gpus[i], uuid);
		if (!scan->gpus[i].unique_id || strncasecmp(uuid, token, len) != 0)
			continue;
		if (found >= 0)
			return -1;
		found = (long)scan->gpus[i].ordinal;
	}
	return found;
}

static long rocr_token(const struct gr_amdgpu_scan *scan, char *token)
{
	char *end;
	trim(token);
	if (*token == 'G' || *token == 'g')
		return find_uuid(scan, token);
	long index = strtol(token, &end, 0);
	return end == token || *end || index >= (long)scan->ordinal_count ? -1 : index;
}

static void rocr_mask(struct ordinals *out, const struct gr_amdgpu_scan *scan, const char *list)
{
	char token[TOKEN_MAX];
	out->count = 0;
	for (uint32_t i = 0; i < scan->ordinal_count && next_token(&list, token); i++) {
		long ordinal = rocr_token(scan, token);
		if (ordinal < 0 || contains(out, (uint32_t)ordinal))
			return;
		out->items[out->count++] = (uint32_t)ordinal;
	}
}

/* ---- HIP ------------------------------------------------------------------------------------------------------- */
/* HIP counts only GPUs whose instruction set it knows. */
static void hip_devices(struct ordinals *out, const struct gr_amdgpu_scan *scan, const struct ordinals *visible)
{
	out->count = 0;
	for (size_t i = 0; i < visible->count; i++) {
		const struct gr_amdgpu_gpu *gpu = gpu_at(scan, visible->items[i]);
		if (gpu && gpu->gfx[0])
			out->items[out->count++] = visible->items[i];
	}
}

/* Position in the list of devices, -1 for a bad token. HIP takes the first match of a UUID, and tells its case apart. */
static long hip_token(const struct gr_amdgpu_scan *scan, const struct ordinals *devices, const char *token)
{
	char uuid[GR_GPU_UUID_MAX];
	uint64_t index;
	if (strncmp(token, "GPU-", 4) == 0) {
		for (size_t i = 0; i < devices->count; i++) {
			const struct gr_amdgpu_gpu *gpu = gpu_at(scan, devices->items[i]);
			gr_gpu_uuid(gpu, uuid);
			if (gpu->unique_id && strncmp(uuid, token, strlen(token)) == 0)
				return (long)i;
		}
		return -1;
	}
	if (!gr_parse_u64(token, &index) || index >= devices->count || (token[0] == '0' && token[1]))
		return -1;
	return (long)index;
}

static void hip_mask(struct ordinals *visible, const struct gr_amdgpu_scan *scan, const char *list)
{
	struct ordinals devices, kept = { .count = 0 };
	char token[TOKEN_MAX];
	hip_devices(&devices, scan, visible);
	while (next_token(&list, token)) {
		long index = hip_token(scan, &devices, token);
		if (index < 0)
			break;
		if (!contains(&kept, devices.items[index]))
			kept.items[kept.count++] = devices.items[index];
	}
	*visible = kept;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */
static const char *hip_variable(const struct gr_amdgpu_scan *scan, char *const *env)
{
	static const char *const names[] = { "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES" };
	for (size_t i = 0; i < 2; i++) {
		const char *value = gr_env_get(env, names[i]);
		if (value && *value && !(i == 1 && scan->nvidia))
			return names[i];
	}
	return NULL;
}

static void note(struct gr_gpu_mask *out, const char *variable, char *const *env, bool took_away)
{
	if (!took_away)
		return;
	out->variable = variable;
	out->value = gr_env_get(env, variable);
}

static void resolve(struct gr_gpu_mask *out, const struct gr_amdgpu_scan *scan, const struct ordinals *visible)
{
	for (size_t i = 0; i < visible->count && out->count < GR_GPU_VISIBLE_MAX; i++) {
		const struct gr_amdgpu_gpu *gpu = gpu_at(scan, visible->items[i]);
		if (gpu)
			out->gpus[out->count++] = (size_t)(gpu - scan->gpus);
	}
}

void gr_gpu_mask(struct gr_gpu_mask *out, const struct gr_amdgpu_scan *scan, char *const *env)
{
	static const char rocr[] = "ROCR_VISIBLE_DEVICES";
	struct ordinals visible = { .count = 0 };
	const char *value = gr_env_get(env, rocr), *hip = hip_variable(scan, env);
	*out = (struct gr_gpu_mask){ .count = 0 };
	while (visible.count < scan->ordinal_count) {
		visible.items[visible.count] = (uint32_t)visible.count;
		visible.count++;
	}
	if (value) {
		rocr_mask(&visible, scan, value);
		note(out, rocr, env, visible.count < scan->ordinal_count);
	}
	if (hip && visible.count) {
		size_t before = visible.count;
		hip_mask(&visible, scan, gr_env_get(env, hip));
		note(out, hip, env, visible.count < before);
	}
	resolve(out, scan, &visible);
}
