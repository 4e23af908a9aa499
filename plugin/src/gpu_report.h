/* SPDX-License-Identifier: MIT */
#ifndef GR_GPU_REPORT_H
#define GR_GPU_REPORT_H

#include "finding.h"
#include "gpu_select.h"

/*
 * gpu_report: what lies under the choice of an AMD GPU, as lines of a diagnosis: the driver, the device nodes and who may
 * open them, the KFD topology, each GPU with its fate. Nothing is opened but small text files, through the sysroot.
 *
 * Why there is no choice is the caller's to say: it is the verdict.
 */
enum {
	GR_GPU_REPORT_PCI_MAX = 16,	/* AMD devices that are listed */
	GR_GPU_REPORT_NODES_MAX = 72,	/* KFD nodes, and render nodes: eight cards in eight partitions and their CPUs */
};

/* Sections "driver" and "gpu". env: as for gr_gpu_select(). */
void gr_gpu_report(struct gr_findings *out, const struct gr_sysroot_ops *ops, const struct gr_amdgpu_scan *scan,
		   const struct gr_gpu_support *support, const struct gr_gpu_choice *choice, char *const *env);

#endif
