/* SPDX-License-Identifier: MIT */
#include "devices.h"

int32_t ih_devices_relay(void *user, const inf_device *device)
{
	const struct ih_devices *self = user;
	inf_device copy = { .struct_size = sizeof copy };
	if (!device || device->struct_size <= sizeof device->struct_size || device->struct_size > INF_STRUCT_MAX)
		return INF_CONTINUE;	/* no device, whatever it is */
	inf_write_struct(&copy, device, device->struct_size < sizeof copy ? device->struct_size : sizeof copy);
	copy.name[sizeof copy.name - 1] = copy.product[sizeof copy.product - 1] = copy.gfx[sizeof copy.gfx - 1] = '\0';
	copy.uuid[sizeof copy.uuid - 1] = copy.pci[sizeof copy.pci - 1] = copy.reason[sizeof copy.reason - 1] = '\0';
	copy.memory_source[sizeof copy.memory_source - 1] = copy.message[sizeof copy.message - 1] = '\0';
	return self->on_device(self->user, &copy);
}
