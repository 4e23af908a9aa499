/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amdgpu_part.h"

#define TOPOLOGY "sys/class/kfd/kfd/topology"

enum {
	PROPERTIES_MAX = 4097,		/* the kernel prints into one page, libhsakmt reads one */
	BANKS_MAX = 16,
};

/* The keys of a node that matter. What is not there is 0, as in the runtime. */
struct properties {
	uint64_t simd_count, gfx_target_version, vendor_id, device_id, location_id, domain, drm_render_minor, unique_id;
};

struct numbers {
	uint32_t items[GR_AMDGPU_NODES_MAX];
	size_t count;
};

/* What a walk counts. */
struct counters {
	struct gr_amdgpu_scan *scan;
	struct gr_amdgpu_walk *walk;
	const struct gr_sysroot_ops *ops;
	uint32_t runtime_nodes;		/* nodes the runtime keeps, CPUs included */
	uint64_t ids[GR_AMDGPU_NODES_MAX];
	size_t id_count;
};

/* ---- properties ------------------------------------------------------------------------------------------------ */
static uint64_t *field_of(struct properties *out, const char *key)
{
	const struct {
		const char *key;
		uint64_t *field;
	} fields[] = {
		{ "simd_count", &out->simd_count },
		{ "gfx_target_version", &out->gfx_target_version },
		{ "vendor_id", &out->vendor_id },
		{ "device_id", &out->device_id },
		{ "location_id", &out->location_id },
		{ "domain", &out->domain },
		{ "drm_render_minor", &out->drm_render_minor },
		{ "unique_id", &out->unique_id },
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].field;
	return NULL;
}

/* "key value" of each line, to take(). Lines of any other form are skipped. Changes text. */
static void each_property(char *text, void (*take)(const char *key, uint64_t value, void *user), void *user)
{
	char *rest = text, *line;
	uint64_t value;
	while ((line = strsep(&rest, "\n"))) {
		char *space = strchr(line, ' ');
		if (!space)
			continue;
		*space++ = '\0';
		space += strspn(space, " \t");
		space[strcspn(space, " \t\r")] = '\0';
		if (gr_parse_u64(space, &value))
			take(line, value, user);
	}
}

static void take_property(const char *key, uint64_t value, void *user)
{
	uint64_t *field = field_of(user, key);
	if (field)
		*field = value;
}

static int read_properties(const struct gr_sysroot_ops *ops, uint32_t node, struct properties *out)
{
	char path[GR_SYSROOT_PATH_MAX], text[PROPERTIES_MAX];
	*out = (struct properties){ 0 };
	snprintf(path, sizeof path, TOPOLOGY "/nodes/%u/properties", node);
	ssize_t n = gr_sysroot_text(ops, path, text, sizeof text);
	if (n < 0)
		return (int)n;
	each_property(text, take_property, out);
	return 0;
}

/* ---- memory banks ---------------------------------------------------------------------------------------------- */
struct bank {
	uint64_t heap_type, size;
};

static void take_bank(const char *key, uint64_t value, void *user)
{
	struct bank *bank = user;
	if (strcmp(key, "heap_type") == 0)
		bank->heap_type = value;
	else if (strcmp(key, "size_in_bytes") == 0)
		bank->size = value;
}

/* Heaps 1 and 2 are the frame buffer, the part the CPU sees and the part it does not. */
static uint64_t bank_bytes(const struct gr_sysroot_ops *ops, uint32_t node)
{
	char path[GR_SYSROOT_PATH_MAX], text[PROPERTIES_MAX];
	uint64_t sum = 0;
	for (unsigned i = 0; i < BANKS_MAX; i++) {
		struct bank bank = { 0 };
		snprintf(path, sizeof path, TOPOLOGY "/nodes/%u/mem_banks/%u/properties", node, i);
		if (gr_sysroot_text(ops, path, text, sizeof text) < 0)
			break;
		each_property(text, take_bank, &bank);
		if ((bank.heap_type == 1 || bank.heap_type == 2) && __builtin_add_overflow(sum, bank.size, &sum))
			return 0;
	}
	return sum;
}

/* ---- one node -------------------------------------------------------------------------------------------------- */
static void name_gfx(char out[12], uint64_t version)
{
	unsigned major = version < 1000000 ? (unsigned)version / 10000 : 0, minor = version / 100 % 100, step = version % 100;
	*out = '\0';
	if (major >= 7 && major <= 63 && minor <= 15 && step <= 15)
		snprintf(out, 12, "gfx%u%x%x", major & 63, minor & 15, step & 15);
}

static void add_gpu(struct counters *self, uint32_t node, const struct properties *p)
{
	struct gr_amdgpu_scan *scan = self->scan;
	if (scan->gpu_count == GR_AMDGPU_GPUS_MAX)
		return;
	struct gr_amdgpu_gpu *gpu = &scan->gpus[scan->gpu_count++];
	*gpu = (struct gr_amdgpu_gpu){
		.unique_id = p->unique_id,
		.bank_bytes = bank_bytes(self->ops, node),
		.node = node,
		.runtime_node = self->runtime_nodes,
		.ordinal = scan->ordinal_count,
		.render_minor = (uint32_t)p->drm_render_minor,
		.device_id = (uint16_t)p->device_id,
	};
	name_gfx(gpu->gfx, p->gfx_target_version);
	gr_amdgpu_join(gpu, self->ops, (p->domain << 32) | (p->location_id & UINT32_MAX));
}

/* libhsakmt opens the render node of every GPU before any mask applies: one that is not there or that a control group
 * denies is passed over, every other error ends the whole runtime. */
static bool render_node_opens(struct counters *self, uint64_t minor)
{
	struct gr_amdgpu_walk *walk = self->walk;
	char path[64];
	snprintf(path, sizeof path, "dev/dri/renderD%u", (uint32_t)minor);
	int error = self->ops->access_rw(self->ops->ctx, path);
	if (error == 0)
		return true;
	if (error == -ENOENT || error == -EPERM) {
		walk->absent_count++;
		self->scan->hidden_count++;
	} else if (!walk->render_errno) {
		walk->render_errno = -error;
		walk->render_minor = (uint32_t)minor;
	}
	return false;
}

static void note_unreadable(struct counters *self, int error)
{
	if (error != -EPERM)
		return;
	self->walk->denied_count++;
	self->scan->hidden_count++;
}

static void visit(struct counters *self, uint32_t node)
{
	char path[GR_SYSROOT_PATH_MAX];
	struct properties p;
	uint64_t gpu_id;
	snprintf(path, sizeof path, TOPOLOGY "/nodes/%u/gpu_id", node);
	int error = gr_sysroot_u64(self->ops, path, &gpu_id);
	if (error == 0 && gpu_id == 0) {
		self->runtime_nodes++;
		return;
	}
	if (error == 0)
		error = read_properties(self->ops, node, &p);
	if (error) {
		note_unreadable(self, error);
		return;
	}
	if (self->id_count < GR_AMDGPU_NODES_MAX)
		self->ids[self->id_count++] = p.unique_id;
	if (p.vendor_id == GR_AMDGPU_VENDOR && p.simd_count)
		self->walk->amd_count++;
	if (!render_node_opens(self, p.drm_render_minor))
		return;
	if (p.simd_count) {
		if (p.vendor_id == GR_AMDGPU_VENDOR)
			add_gpu(self, node, &p);
		self->scan->ordinal_count++;
	}
	self->runtime_nodes++;
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */
static int take_number(const char *name, void *user)
{
	struct numbers *numbers = user;
	uint64_t value;
	if (gr_parse_u64(name, &value) && value <= UINT32_MAX)
		numbers->items[numbers->count++] = (uint32_t)value;
	return numbers->count == GR_AMDGPU_NODES_MAX;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void mark_shared_ids(struct counters *self)
{
	for (size_t i = 0; i < self->scan->gpu_count; i++) {
		struct gr_amdgpu_gpu *gpu = &self->scan->gpus[i];
		size_t same = 0;
		for (size_t j = 0; j < self->id_count; j++)
			same += self->ids[j] == gpu->unique_id;
		gpu->id_shared = gpu->unique_id && same > 1;
		gpu->partition = gpu->partition || gpu->id_shared;
	}
}

static void walk_once(struct gr_amdgpu_scan *scan, struct gr_amdgpu_walk *walk, const struct gr_sysroot_ops *ops)
{
	struct numbers nodes = { .count = 0 };
	struct counters self = { .scan = scan, .walk = walk, .ops = ops };
	*walk = (struct gr_amdgpu_walk){ 0 };
	scan->gpu_count = 0;
	scan->ordinal_count = scan->hidden_count = 0;
	if (ops->list_dir(ops->ctx, TOPOLOGY "/nodes", take_number, &nodes) < 0) {
		walk->topology_missing = true;
		return;
	}
	qsort(nodes.items, nodes.count, sizeof nodes.items[0], compare_numbers);
	for (size_t i = 0; i < nodes.count; i++)
		visit(&self, nodes.items[i]);
	mark_shared_ids(&self);
}

void gr_amdgpu_kfd_walk(struct gr_amdgpu_scan *scan, struct gr_amdgpu_walk *out, const struct gr_sysroot_ops *ops)
{
	uint64_t before = 0, after = 0;
	for (int i = 0; i < GR_AMDGPU_WALKS_MAX; i++) {
		int error = gr_sysroot_u64(ops, TOPOLOGY "/generation_id", &before);
		walk_once(scan, out, ops);
		if (error || (gr_sysroot_u64(ops, TOPOLOGY "/generation_id", &after) == 0 && before == after))
			return;
	}
	scan->unsettled = true;
}
