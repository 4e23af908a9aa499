/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amdgpu_part.h"

#define DEVICES "sys/bus/pci/devices"

struct listing {
	struct gr_amdgpu_scan *scan;
	struct gr_amdgpu_pci *out;
	const struct gr_sysroot_ops *ops;
	size_t seen;
};

static bool is_hex(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strchr("0123456789abcdef", text[i]) || !text[i])
			return false;
	return true;
}

bool gr_amdgpu_pci_is_address(const char *text)
{
	size_t domain = strcspn(text, ":");	/* more than four digits behind some bridges */
	const char *rest = text + domain;
	return domain >= 4 && domain <= 8 && is_hex(text, domain) && rest[0] == ':' && is_hex(rest + 1, 2) &&
	       rest[3] == ':' && is_hex(rest + 4, 2) && rest[6] == '.' && rest[7] >= '0' && rest[7] <= '7' && !rest[8];
}

static unsigned long read_hex(const struct gr_sysroot_ops *ops, const char *device, const char *file)
{
	char path[GR_SYSROOT_PATH_MAX], text[32];
	snprintf(path, sizeof path, DEVICES "/%s/%s", device, file);
	return gr_sysroot_text(ops, path, text, sizeof text) > 0 ? strtoul(text, NULL, 16) : 0;
}

/* An MI300 calls itself a processing accelerator. */
static bool is_gpu_class(unsigned long class)
{
	return class >> 16 == 0x03 || class >> 8 == 0x1200;
}

static void driver_of(const struct gr_sysroot_ops *ops, const char *device, char out[24])
{
	char path[GR_SYSROOT_PATH_MAX], target[GR_SYSROOT_PATH_MAX];
	snprintf(path, sizeof path, DEVICES "/%s/driver", device);
	*out = '\0';
	if (ops->read_link(ops->ctx, path, target, sizeof target) < 0)
		return;
	const char *slash = strrchr(target, '/');
	snprintf(out, 24, "%.23s", slash ? slash + 1 : target);
}

static int look(const char *device, void *user)
{
	struct listing *self = user;
	struct gr_amdgpu_scan *scan = self->scan;
	struct gr_amdgpu_unbound unbound;
	if (++self->seen > GR_AMDGPU_PCI_MAX)
		return 1;
	if (!gr_amdgpu_pci_is_address(device) || read_hex(self->ops, device, "vendor") != GR_AMDGPU_VENDOR ||
	    !is_gpu_class(read_hex(self->ops, device, "class")))
		return 0;
	self->out->device_count++;
	driver_of(self->ops, device, unbound.driver);
	if (strcmp(unbound.driver, "amdgpu") == 0) {
		self->out->bound_count++;
	} else if (scan->unbound_count < GR_AMDGPU_UNBOUND_MAX) {
		snprintf(unbound.pci, sizeof unbound.pci, "%s", device);
		scan->unbound[scan->unbound_count++] = unbound;
	}
	return 0;
}

void gr_amdgpu_pci_list(struct gr_amdgpu_scan *scan, struct gr_amdgpu_pci *out, const struct gr_sysroot_ops *ops)
{
	struct listing listing = { .scan = scan, .out = out, .ops = ops };
	*out = (struct gr_amdgpu_pci){ 0 };
	ops->list_dir(ops->ctx, DEVICES, look, &listing);
}
