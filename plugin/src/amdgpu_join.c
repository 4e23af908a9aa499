/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amdgpu_part.h"

enum { CONNECTORS_MAX = 64 };

/* "device, revision, name" of libdrm, one line each. */
#define NAMES "usr/share/libdrm/amdgpu.ids"

/* ---- where its files are --------------------------------------------------------------------------------------- */
/* GC 9.4.3 puts the number of the partition into the low bits, so function 0 is the die. */
static void pci_of_location(uint64_t location, unsigned mask, char *out, size_t cap)
{
	unsigned id = (unsigned)(location & UINT32_MAX);
	snprintf(out, cap, "%04x:%02x:%02x.%x", (unsigned)(location >> 32), id >> 8 & 0xff, id >> 3 & 0x1f, id & mask);
}

static void join_die(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, uint64_t location)
{
	char die[20];
	pci_of_location(location, 7, gpu->pci, sizeof gpu->pci);
	pci_of_location(location, 0, die, sizeof die);
	snprintf(gpu->directory, sizeof gpu->directory, "sys/bus/pci/devices/%s", die);
	if (!gr_sysroot_exists(ops, gpu->directory))
		gpu->directory[0] = '\0';
}

void gr_amdgpu_join(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, uint64_t location)
{
	char device[GR_SYSROOT_PATH_MAX];
	snprintf(gpu->directory, sizeof gpu->directory, "sys/class/drm/renderD%u/device", gpu->render_minor);
	int error = gr_sysroot_real(ops, gpu->directory, device, sizeof device);
	const char *slash = strrchr(device, '/');
	const char *name = slash ? slash + 1 : device;
	if (error == 0 && gr_amdgpu_pci_is_address(name)) {
		snprintf(gpu->pci, sizeof gpu->pci, "%.19s", name);
		return;
	}
	gpu->partition = error == 0 && strncmp(name, "amdgpu_xcp", strlen("amdgpu_xcp")) == 0;
	join_die(gpu, ops, location);
}

bool gr_amdgpu_file(const struct gr_amdgpu_gpu *gpu, const char *name, char *path)
{
	snprintf(path, GR_SYSROOT_PATH_MAX, "%s/%s", gpu->directory, name);
	return gpu->directory[0];
}

int gr_amdgpu_u64(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const char *name, uint64_t *out)
{
	char path[GR_SYSROOT_PATH_MAX];
	return gr_amdgpu_file(gpu, name, path) ? gr_sysroot_u64(ops, path, out) : -ENOENT;
}

/* ---- does it drive a display ----------------------------------------------------------------------------------- */
struct connectors {
	const struct gr_amdgpu_gpu *gpu;
	const struct gr_sysroot_ops *ops;
	char card[24];			/* "card0" */
	bool connected;
	int seen;
};

/* The kernel prints what it knows: nothing is probed, nothing is woken. */
static int look_at_connector(const char *name, void *user)
{
	struct connectors *self = user;
	char file[GR_SYSROOT_PATH_MAX / 2], path[GR_SYSROOT_PATH_MAX], status[16];
	size_t len = strlen(self->card);
	if (strncmp(name, self->card, len) != 0 || name[len] != '-')
		return 0;
	snprintf(file, sizeof file, "drm/%s/%.64s/status", self->card, name);
	self->connected = gr_amdgpu_file(self->gpu, file, path) &&
			  gr_sysroot_text(self->ops, path, status, sizeof status) > 0 && strcmp(status, "connected") == 0;
	return self->connected || ++self->seen == CONNECTORS_MAX;
}

static int take_card(const char *name, void *user)
{
	char *card = user;
	if (strncmp(name, "card", 4) != 0)
		return 0;
	snprintf(card, sizeof ((struct connectors *)0)->card, "%s", name);
	return 1;
}

void gr_amdgpu_look_for_display(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops)
{
	struct connectors self = { .gpu = gpu, .ops = ops };
	char file[GR_SYSROOT_PATH_MAX / 2], path[GR_SYSROOT_PATH_MAX];
	gpu->headless = gpu->partition;
	if (gpu->partition || !gr_amdgpu_file(gpu, "drm", path) ||
	    ops->list_dir(ops->ctx, path, take_card, self.card) != 0 || !self.card[0])
		return;
	snprintf(file, sizeof file, "drm/%s", self.card);
	if (gr_amdgpu_file(gpu, file, path) && ops->list_dir(ops->ctx, path, look_at_connector, &self) == 0)
		gpu->headless = !self.connected;
}

/* ---- what it is called ----------------------------------------------------------------------------------------- */
struct wanted {
	unsigned long device, revision;
	char *out;
	size_t cap;
};

/* "747E,\tC8,\tAMD Radeon RX 7800 XT" */
static int take_name(char *line, void *user)
{
	const struct wanted *wanted = user;
	char *end;
	if (strtoul(line, &end, 16) != wanted->device || *end != ',')
		return 0;
	if (strtoul(end + 1, &end, 16) != wanted->revision || *end != ',')
		return 0;
	end += 1 + strspn(end + 1, " \t");
	end[strcspn(end, "\r")] = '\0';
	snprintf(wanted->out, wanted->cap, "%s", end);
	return 1;
}

static unsigned long read_hex(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const char *name)
{
	char path[GR_SYSROOT_PATH_MAX], text[32];
	if (!gr_amdgpu_file(gpu, name, path) || gr_sysroot_text(ops, path, text, sizeof text) <= 0)
		return 0;
	return strtoul(text, NULL, 16);
}

static bool take_from_others(struct gr_amdgpu_gpu *gpu, const struct gr_amdgpu_gpu *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (others[i].device_id != gpu->device_id || others[i].revision != gpu->revision)
			continue;
		memcpy(gpu->product, others[i].product, sizeof gpu->product);
		return true;
	}
	return false;
}

void gr_amdgpu_name(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const struct gr_amdgpu_gpu *others,
		    size_t count)
{
	char path[GR_SYSROOT_PATH_MAX];
	struct wanted wanted = { .device = gpu->device_id, .out = gpu->product, .cap = sizeof gpu->product };
	gpu->product[0] = '\0';
	gpu->revision = (uint8_t)read_hex(gpu, ops, "revision");
	wanted.revision = gpu->revision;
	if (take_from_others(gpu, others, count))
		return;
	if (gr_amdgpu_file(gpu, "product_name", path))	/* of cards that carry it in a chip: server parts */
		gr_sysroot_text(ops, path, gpu->product, sizeof gpu->product);
	if (!gpu->product[0])
		gr_sysroot_each_line(ops, NAMES, take_name, &wanted);
	for (char *c = gpu->product; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}
