/* SPDX-License-Identifier: MIT */
#include "devices.h"

int32_t ih_devices_relay(void *user, const inf_device *device)
{
	const struct ih_devices *self = user;
	inf_device copy = { .struct_size = sizeof copy };
	inf_write_struct(&copy, device, device->struct_size < sizeof copy ? device->struct_size : sizeof copy);
	return self->on_device(self->user, &copy);
}
