/* SPDX-License-Identifier: MIT */
#ifndef IH_DEVICES_H
#define IH_DEVICES_H

#include "inference/host.h"

/*
 * devices: reports of a plugin of any age on their way to the host.
 */
struct ih_devices {
	void *user;
	int32_t (*on_device)(void *user, const inf_device *device);
};

/* The callback for the plugin, with a struct ih_devices as its user: the host gets a struct of its own size. */
int32_t ih_devices_relay(void *user, const inf_device *device);

#endif
