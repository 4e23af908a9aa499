/* SPDX-License-Identifier: MIT */
#ifndef GR_VULKAN_PICK_H
#define GR_VULKAN_PICK_H

#include <stdbool.h>

#include "devlog.h"
#include "refusal.h"

/*
 * vulkan_pick: which of the Vulkan devices that a server lists a load uses, and whether it then did. Pure.
 *
 * Left to itself the choice is a card with the most free memory, else a GPU that is a part of the processor. A device that
 * is simulated on the CPU (llvmpipe, SwiftShader) is taken last, and only where that is allowed, whoever names it.
 * The kind of a device is what the server says of it at -lv 5; from a server that does not, simulated ones are known by
 * their names, and every other is taken for a card.
 *
 * Which devices the server lists at all is decided by the drivers, and by GGML_VK_VISIBLE_DEVICES: numbers of physical
 * devices as the Vulkan loader counts them. "Vulkan0" is the first of those that are left. Without the variable the server
 * leaves out simulated devices, and one of two drivers of the same GPU.
 */
#define GR_VULKAN_MASK "GGML_VK_VISIBLE_DEVICES"
#define GR_VULKAN_DEVICE_OPTION "vulkan.device"
#define GR_VULKAN_CPU_OPTION "vulkan.allow-cpu-device"

struct gr_vulkan_wish {
	const char *devices;		/* "auto", "all", or a list of numbers and names: "0,Vulkan1"; NULL = auto */
	const char *mask;		/* the user's GGML_VK_VISIBLE_DEVICES; NULL = not set */
	uint64_t need_bytes;		/* auto: as many of a kind as have so much free memory; 0 = one */
	bool allow_cpu;
};

/* Why a device is in the choice, or is not. */
enum gr_vulkan_fate {
	GR_VULKAN_OTHER,		/* not a Vulkan device */
	GR_VULKAN_SELECTED,
	GR_VULKAN_CPU,			/* simulated, and that is not allowed */
	GR_VULKAN_OUTRANKED,		/* others are better or enough */
	GR_VULKAN_NOT_LISTED,		/* the wish names others */
};

struct gr_vulkan_pick {
	struct gr_refusal refusal;	/* code NULL = the choice is good */
	size_t devices[GR_DEVLOG_DEVICES_MAX];	/* positions in listed->devices, in order of use */
	size_t count;
	enum gr_vulkan_fate fates[GR_DEVLOG_DEVICES_MAX];	/* of each of listed->devices */
};

/* Always fills *out. The refusal is vulkan_backend_missing, vulkan_no_device, masked_by_env, only_cpu_device or
 * device_unknown. */
void gr_vulkan_pick(struct gr_vulkan_pick *out, const struct gr_devlog *listed, const struct gr_vulkan_wish *wish);

enum gr_devlog_kind gr_vulkan_kind(const struct gr_devlog_device *device);
/* Of "Vulkan3"; -1 = it is no Vulkan device. */
int32_t gr_vulkan_number(const struct gr_devlog_device *device);
const char *gr_vulkan_fate_text(enum gr_vulkan_fate fate);

/* Does the log of a load agree? out->code is NULL or "pin_mismatch"; what the log does not say is no objection. */
void gr_vulkan_verify(struct gr_refusal *out, const struct gr_devlog *log, const struct gr_devlog *listed,
		      const struct gr_vulkan_pick *pick);

#endif
