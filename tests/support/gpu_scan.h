/* SPDX-License-Identifier: MIT */
#ifndef TEST_GPU_SCAN_H
#define TEST_GPU_SCAN_H

#include "gpu_select.h"

/*
 * gpu_scan: a scan that is written down, and the choice from it. They are those of the running test.
 */
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

extern struct gr_amdgpu_scan scan;
extern struct gr_gpu_choice choice;
extern struct gr_gpu_support support;

/* Two cards of a kind, one of another, and the processor's: ordinals 0 1 2 3. Nothing is known of the build. */
void four_gpus(void);
void only_integrated(const char *gfx);
void no_gpus(void);
void add_gpu(const char *pci, const char *gfx, uint64_t id, uint64_t free_bytes, enum gr_amdgpu_kind kind);

/* variables: "NAME=value" separated by '|', or NULL */
void split_variables(const char *variables, struct gr_strv *out);
void choose(const struct gr_gpu_wish *wish, const char *variables);
void choose_text(const char *wish, const char *variables);
/* The reason, or "ok". */
const char *code(void);
void assert_says(const char *words);
/* Of indices into the scan: "1,0" */
const char *ordinals(const size_t *gpus, size_t count);

#endif
