/* SPDX-License-Identifier: MIT */
#ifndef GR_AMDGPU_PART_H
#define GR_AMDGPU_PART_H

#include "amdgpu.h"

/*
 * amdgpu_part: what the files of amdgpu share. For no one else.
 */
enum { GR_AMDGPU_VENDOR = 0x1002 };

/* ---- amdgpu_pci.c: AMD display and accelerator devices, whoever has them --------------------------------------- */
struct gr_amdgpu_pci {
	size_t device_count;
	size_t bound_count;		/* to amdgpu */
};

void gr_amdgpu_pci_list(struct gr_amdgpu_scan *scan, struct gr_amdgpu_pci *out, const struct gr_sysroot_ops *ops);
/* "0000:03:00.0" and nothing else. */
bool gr_amdgpu_pci_is_address(const char *text);

/* ---- amdgpu_kfd.c: the walk ------------------------------------------------------------------------------------ */
struct gr_amdgpu_walk {
	bool topology_missing;		/* no nodes directory */
	uint32_t amd_count;		/* AMD GPU nodes, whether or not they can be used */
	uint32_t denied_count;		/* nodes that a control group hides */
	uint32_t absent_count;		/* nodes without a render node */
	/* The first render node whose error fails the whole runtime: */
	int render_errno;		/* 0 = none */
	uint32_t render_minor;
};

void gr_amdgpu_kfd_walk(struct gr_amdgpu_scan *scan, struct gr_amdgpu_walk *out, const struct gr_sysroot_ops *ops);

/* ---- amdgpu_join.c, amdgpu_class.c, amdgpu_memory.c: one GPU --------------------------------------------------- */
/* location: domain << 32 | location_id */
void gr_amdgpu_join(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, uint64_t location);
/* others: those that were named before. */
void gr_amdgpu_name(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const struct gr_amdgpu_gpu *others,
		    size_t count);
void gr_amdgpu_look_for_display(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops);
void gr_amdgpu_classify(struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops);
/* A file in the GPU's directory: path of at most GR_SYSROOT_PATH_MAX bytes. False where it has no directory. */
bool gr_amdgpu_file(const struct gr_amdgpu_gpu *gpu, const char *name, char *path);
int gr_amdgpu_u64(const struct gr_amdgpu_gpu *gpu, const struct gr_sysroot_ops *ops, const char *name, uint64_t *out);

#endif
