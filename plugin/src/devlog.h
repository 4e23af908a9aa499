/* SPDX-License-Identifier: MIT */
#ifndef GR_DEVLOG_H
#define GR_DEVLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * devlog: what llama-server says about devices, from its log (-lv 4) and from --list-devices. Pure.
 *
 * Bytes go in as they arrive, in pieces of any size; only whole lines count, so a line that is split over two reads is
 * not lost and the end of a log that was cut is not believed. It understands, with or without the time in front:
 *
 *	ggml_cuda_init: found 1 ROCm devices (Total VRAM: 16368 MiB):
 *	  Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no, Wave Size: 32, VRAM: 16368 MiB
 *	common_param:   - ROCm0   : AMD Radeon RX 7800 XT (16368 MiB, 16206 MiB free)
 *	llama_prepare_model_devices: using device ROCm0 (AMD Radeon RX 7800 XT) (0000:03:00.0) - 16206 MiB free
 *	load_tensors: offloaded 33/33 layers to GPU
 *	load_tensors:        ROCm0 model buffer size =  4403.49 MiB
 *	  ROCm0: AMD Radeon RX 7800 XT (16368 MiB, 16206 MiB free)		(after "Available devices:")
 *	ggml_vulkan: Found 1 Vulkan devices:
 *	ggml_vulkan: 0 = AMD Radeon RX 7800 XT (RADV NAVI32) (radv) | uma: 0 | fp16: 1 | ...
 *	ggml_vulkan: Warning: Device type is CPU. This is probably not the device you want.
 *	ggml_vulkan: No devices found.
 *	load_backend: loaded CPU backend from /usr/lib/.../libggml-cpu-zen4.so
 *	ggml_vulkan: Invalid device index 7 in GGML_VK_VISIBLE_DEVICES.
 *	[Vulkan Loader] ERROR | DRIVER: vkCreateInstance: Found no drivers!
 *
 * Older and newer servers leave some of them out: what was not said stays at its empty value. A line counts only where
 * the phrase begins its message, so that a model's own texts, which the log quotes, are not taken for the server's.
 * Not thread-safe.
 */
enum {
	GR_DEVLOG_LINE_MAX = 1024,	/* a longer line is passed over */
	GR_DEVLOG_DEVICES_MAX = 32,	/* buffers of the host have names too; more devices are not kept */
};

enum gr_devlog_kind {
	GR_DEVLOG_KIND_UNKNOWN,		/* not said */
	GR_DEVLOG_KIND_CARD,		/* memory of its own */
	GR_DEVLOG_KIND_SHARED,		/* the host's memory: a part of the processor */
	GR_DEVLOG_KIND_CPU,		/* simulated on the processor */
};

struct gr_devlog_device {
	char id[32];			/* "ROCm0", "CPU", "Vulkan_Host" */
	char description[96];		/* printable ASCII; "" = not said */
	char gfx[12];			/* "" = not said */
	char pci[20];			/* "" = not said */
	uint64_t total_bytes;		/* 0 = not said */
	uint64_t free_bytes;
	uint64_t model_bytes, kv_bytes, compute_bytes, output_bytes;	/* taken from this device so far */
	enum gr_devlog_kind kind;
	bool in_use;			/* the model was given to it */
	uint64_t other_compute, other_output;	/* private: of a model that was loaded before this one */
};

struct gr_devlog {
	struct gr_devlog_device devices[GR_DEVLOG_DEVICES_MAX];
	size_t count;
	int32_t found;			/* devices that the runtime of the GPU found; -1 = not said */
	int32_t offloaded, layers;	/* "offloaded N/M layers to GPU", of the first model; -1 = not said */
	bool listed;			/* a list of devices was begun, though it may be empty */
	bool mask_refused;		/* GGML_VK_VISIBLE_DEVICES names a device that does not exist */
	bool no_driver;			/* the Vulkan loader found no driver, or none with a device */
	bool cpu_loaded;		/* the backend that is loaded last, so that all others have said what they say */

	/* private */
	char family[16];		/* of the devices that were found: "ROCm" */
	char line[GR_DEVLOG_LINE_MAX];
	size_t len;
	bool skipping;			/* the rest of a line that is too long */
	bool mixed;			/* lines with and without the time */
	bool timed;			/* lines begin with the time, so one that does not is no line of the log */
	size_t described;		/* whose kind was told last, 1 = the first; 0 = none */
};

void gr_devlog_init(struct gr_devlog *self);
/* For --list-devices: no model speaks there, lines with the time and without stand side by side, and the list may begin in the
 * middle of a line of the log. */
void gr_devlog_init_list(struct gr_devlog *self);
void gr_devlog_feed(struct gr_devlog *self, const char *bytes, size_t len);

/* NULL if nothing was said about it. */
const struct gr_devlog_device *gr_devlog_find(const struct gr_devlog *self, const char *id);
/* Of a list: is it there, with the kind of each Vulkan device, and where there is none, why? llama-server ends without waiting
 * for its log, so that now and then the end of that is missing. */
bool gr_devlog_list_is_whole(const struct gr_devlog *self);
/* Memory taken from all devices that are not the host. */
uint64_t gr_devlog_device_bytes(const struct gr_devlog *self);

#endif
