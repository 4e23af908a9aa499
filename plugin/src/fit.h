/* SPDX-License-Identifier: MIT */
#ifndef GR_FIT_H
#define GR_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/plugin.h"

#include "gguf.h"

/*
 * fit: the memory that a load takes, and what of it a device can hold.
 *
 * Pure: facts of a model and the numbers of a load in, bytes out. The rules are llama.cpp's, from its source and from
 * measurements with llama-fit-params: weights and KV cache are exact to a MiB, the compute buffer too with flash attention,
 * else to 3 per cent. What a GPU copies of the layers that it computes for the host was measured with Vulkan on a CPU; it is
 * in the plan, not in the need. With a whole batch the compute buffer was measured to be up to 1.42 times what the rules of
 * smaller ones give: it is counted 1.5 times. Where a rule is not known (an architecture with windows of its own) the answer
 * is an upper bound. Whatever the file says, no sum wraps: it stays at UINT64_MAX.
 */
enum {
	GR_FIT_BATCH_MAX = 512,		/* tokens of a physical batch; the server's default, that nobody raises */
	GR_FIT_CONTEXT_STEP = 256,	/* the cache is allocated in steps of so many tokens */
	GR_FIT_CONTEXT_MIN = 512,	/* tokens per slot, below which a load is of no use */
	GR_FIT_CONTEXT_KEPT = 4096,	/* tokens per slot: layers go to the CPU before the context gets shorter than this */

	/* Of gr_fit_reserve(). What the HIP runtime takes was not measured: it is what Ollama sets aside. */
	GR_FIT_RUNTIME_ROCM_MIB = 460,
	GR_FIT_MARGIN_DISPLAY_MIB = 1024,	/* a discrete card that drives a display */
	GR_FIT_MARGIN_HEADLESS_MIB = 512,
	GR_FIT_MARGIN_SHARED_MIB = 2048,	/* memory that the rest of the machine needs as well */
};

struct gr_fit_model {
	const struct gr_gguf *facts;		/* sizes are those of all parts of a split model */
	const struct gr_gguf_layers *layers;
};

enum {
	GR_FIT_UNIFIED_CACHE = 1u << 0,		/* one KV cache for all slots: --kv-unified */
	GR_FIT_FULL_WINDOW = 1u << 1,		/* --swa-full */
	GR_FIT_NO_FLASH_ATTENTION = 1u << 2,
	GR_FIT_WHOLE_BATCH = 1u << 3,		/* a physical batch holds a slot's whole context: -ub */
};

/* Fill in everything but what has a default. */
struct gr_fit_load {
	uint32_t context_len;		/* tokens per slot */
	uint32_t slots;			/* 1 or more */
	uint32_t batch_size;		/* -b; 0 = GR_FIT_BATCH_MAX, as more is */
	int32_t gpu_layers;		/* -ngl: 1 is the output alone; -1 or more than there are: all */
	uint32_t flags;			/* GR_FIT_* */
	const char *cache_type_k, *cache_type_v;	/* "q8_0"; NULL = "f16", as one that is not known */
	const struct gr_fit_model *draft;	/* a second model, all of it on the devices; NULL = none. Not in the need */
};

/* Bytes. */
struct gr_fit_need {
	uint64_t weights, kv, compute;		/* on the device */
	uint64_t host_weights, host_kv, host_compute;
};

void gr_fit_need(const struct gr_fit_model *model, const struct gr_fit_load *load, struct gr_fit_need *out);

struct gr_fit_device {
	uint64_t free_bytes;
	uint64_t reserve_bytes;		/* what the runtime takes besides, and the margin that shall stay free */
};

/* For gr_fit_device.reserve_bytes. kind: INF_DEVICE_*, one that is not known as a discrete card; headless: it drives no
 * display. */
uint64_t gr_fit_reserve(int32_t kind, bool headless);

enum {
	GR_FIT_CONTEXT_FIXED = 1u << 0,		/* refuse rather than make the context shorter */
	GR_FIT_LAYERS_FIXED = 1u << 1,		/* refuse rather than put fewer layers on the devices */
};

enum gr_fit_limit {
	GR_FIT_LIMIT_NONE,		/* all that was wanted fits */
	GR_FIT_LIMIT_CONTEXT,		/* the context is shorter */
	GR_FIT_LIMIT_LAYERS,		/* fewer layers are on the devices, maybe none, and the context may be shorter */
};

struct gr_fit_plan {
	uint32_t context_len;		/* per slot */
	int32_t gpu_layers;		/* -1 = all */
	enum gr_fit_limit limit;
	struct gr_fit_need need;
	uint64_t total_bytes;		/* of all devices, reserves included; 0 if nothing is put on them */
	uint64_t free_bytes;		/* of all devices */
};

/*
 * What of a wanted load fits the devices together. The load holds the most that is wanted; what is not fixed becomes
 * less: first the context down to GR_FIT_CONTEXT_KEPT, then the layers, or, with fixed layers, the context down to
 * GR_FIT_CONTEXT_MIN. Layers are split over several devices by whole ones. name stands for the model in messages.
 * *out is written only on INF_OK. Returns INF_E_NO_VRAM ("vram_too_small") with what it needs, what is free and what would
 * fit.
 */
inf_status gr_fit_choose(const struct gr_fit_model *model, const struct gr_fit_load *wanted, uint32_t fixed,
			 const struct gr_fit_device *devices, uint32_t device_count, const char *name,
			 struct gr_fit_plan *out, inf_error *err);

/* What a load takes of such devices together, reserves included. */
uint64_t gr_fit_total(const struct gr_fit_model *model, const struct gr_fit_load *load,
		      const struct gr_fit_device *devices, uint32_t device_count);

/* Layers of the model as -ngl counts them: the repeating ones and the output. */
uint32_t gr_fit_layer_count(const struct gr_fit_model *model);

#endif
