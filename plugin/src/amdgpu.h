/* SPDX-License-Identifier: MIT */
#ifndef GR_AMDGPU_H
#define GR_AMDGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "refusal.h"
#include "sysroot.h"

/*
 * amdgpu: which AMD GPUs the ROCm runtime of a child process would find here, and what each of them is.
 *
 * The source is the KFD topology below /sys/class/kfd, because that is what ROCm itself walks: a container sees the DRM
 * cards of the whole host, but only the KFD nodes it may use count. The walk is that of libhsakmt, step by step, so that
 * our ordinals are those of ROCR_VISIBLE_DEVICES. DRM and PCI add what KFD does not know: address, memory in use,
 * whether it is a card of its own.
 *
 * Nothing is opened but small text files that the kernel prints from memory. No device node is opened and no sensor is
 * read, so a sleeping card stays asleep. Everything has a cap, so a scan ends whatever the tree holds; on a large
 * machine it takes a few milliseconds. It depends on the moment: take it anew for each start of a child, in the same
 * container and control group.
 */
enum {
	GR_AMDGPU_NODES_MAX = 256,	/* KFD nodes, CPUs included */
	GR_AMDGPU_GPUS_MAX = 64,	/* eight cards in eight partitions */
	GR_AMDGPU_UNBOUND_MAX = 8,
	GR_AMDGPU_PCI_MAX = 4096,	/* PCI functions looked at */
	GR_AMDGPU_WALKS_MAX = 4,	/* walks until the topology holds still */
	GR_AMDGPU_READS_MAX = 4,	/* readings until the memory in use holds still */
};

enum gr_amdgpu_kind {
	GR_AMDGPU_DISCRETE,
	GR_AMDGPU_INTEGRATED,
	GR_AMDGPU_APU_DATACENTER,	/* MI300A: no card of its own, but made for this */
};

/* Which test decided the kind; the first that says something wins. */
enum gr_amdgpu_rule {
	GR_AMDGPU_RULE_DATACENTER = 1,	/* gfx942, gfx950 */
	GR_AMDGPU_RULE_BOARD_INFO,	/* the kernel says it is on a board of its own */
	GR_AMDGPU_RULE_GFX_TABLE,
	GR_AMDGPU_RULE_NORTHBRIDGE,	/* a sensor of the northbridge's rail, or a uma directory */
	GR_AMDGPU_RULE_VRAM_VENDOR,
	GR_AMDGPU_RULE_BANK_IS_GTT,	/* ROCm would use system memory */
	GR_AMDGPU_RULE_SMALL_VRAM,
	GR_AMDGPU_RULE_NONE,		/* an unknown card is not hidden: discrete */
};

/* Where a number comes from. */
enum gr_amdgpu_source {
	GR_AMDGPU_FROM_NOTHING,		/* not known */
	GR_AMDGPU_FROM_VRAM,		/* mem_info_vram_* */
	GR_AMDGPU_FROM_GTT,		/* mem_info_gtt_*: system memory the GPU may map */
	GR_AMDGPU_FROM_BANK,		/* the memory banks of the KFD node: what ROCm will use */
};

struct gr_amdgpu_memory {
	uint64_t total_bytes;
	uint64_t used_bytes;		/* 0 when not known */
	uint64_t free_bytes;		/* never more than total; all of it when used is not known */
	enum gr_amdgpu_source total_from;
	enum gr_amdgpu_source used_from;
	bool host_limited;		/* free is bounded by MemAvailable */
	bool moving;			/* used did not hold still between two readings; the larger one is taken */
	bool stale;			/* the device went away while it was read */
};

struct gr_amdgpu_gpu {
	char pci[20];			/* "0000:03:00.0" */
	char gfx[12];			/* what the silicon is, "gfx1101"; "" if KFD does not say */
	char product[48];		/* "" if not known */
	char directory[48];		/* of its files in sysfs; "" if there is none */
	uint64_t unique_id;		/* 0 = has none */
	uint64_t bank_bytes;
	struct gr_amdgpu_memory memory;
	uint32_t node;			/* in the KFD topology */
	uint32_t runtime_node;		/* n of HSA_OVERRIDE_GFX_VERSION_<n> */
	uint32_t ordinal;		/* what ROCR_VISIBLE_DEVICES counts */
	uint32_t render_minor;
	uint16_t device_id;
	uint8_t revision;		/* 0 where sysfs does not say */
	enum gr_amdgpu_kind kind;
	enum gr_amdgpu_rule rule;
	bool id_shared;			/* another node has the same unique_id */
	bool partition;			/* a part of a die: the files in sysfs are about the whole */
	bool headless;			/* no display is connected to it, as far as is known */
};

/* An AMD device that the amdgpu driver does not have. */
struct gr_amdgpu_unbound {
	char pci[20];
	char driver[24];		/* "" = none */
};

struct gr_amdgpu_scan {
	struct gr_refusal refusal;	/* code NULL = there are GPUs that can be used */
	struct gr_amdgpu_gpu gpus[GR_AMDGPU_GPUS_MAX];	/* in order of their ordinals */
	size_t gpu_count;
	struct gr_amdgpu_unbound unbound[GR_AMDGPU_UNBOUND_MAX];
	size_t unbound_count;		/* of those listed */
	uint32_t ordinal_count;		/* GPUs the runtime will see, those of other makers included */
	uint32_t hidden_count;		/* GPUs that a control group or a missing render node keeps from us */
	bool nvidia;			/* its driver is here: CUDA_VISIBLE_DEVICES is meant for it */
	bool container;
	bool unsettled;			/* the topology changed under each walk */
};

/*
 * Look at the machine. env: "NAME=value" of the process, for hints only; may be NULL. Always fills *out; the refusal is
 * the first of: wsl_dxg, no_amd_gpu, driver_not_loaded, driver_not_bound, kfd_dev_missing, kfd_perm, kfd_cgroup,
 * kfd_open_error, kfd_topology_missing, kfd_no_gpu_node, render_perm, render_open_error, render_missing.
 */
void gr_amdgpu_scan(struct gr_amdgpu_scan *out, const struct gr_sysroot_ops *ops, char *const *env);

/* Read a GPU's memory again. On a device that went away the last values stay, marked stale. */
void gr_amdgpu_refresh(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops);

const char *gr_amdgpu_kind_name(enum gr_amdgpu_kind kind);
const char *gr_amdgpu_rule_name(enum gr_amdgpu_rule rule);
const char *gr_amdgpu_source_name(enum gr_amdgpu_source source);

#endif
