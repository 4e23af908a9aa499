/* SPDX-License-Identifier: MIT */
#ifndef TEST_GPU_MACHINE_H
#define TEST_GPU_MACHINE_H

#include "amdgpu.h"
#include "fixture_tree.h"

/*
 * gpu_machine: a machine with one card, a 7800 XT at 0000:03:00.0, node 1, renderD128; and parts for others.
 *
 * A test takes away and adds. The tree and the scan are those of the running test.
 */
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

#define NODES "sys/class/kfd/kfd/topology/nodes"
#define GENERATION "sys/class/kfd/kfd/topology/generation_id"
#define CARD "sys/devices/pci0000:00/0000:03:00.0"

struct card {
	unsigned node, minor;
	const char *pci;
	unsigned gfx_version, device_id, location_id;	/* gfx_version 0: a CPU */
	const char *unique_id;				/* NULL = 0 */
	uint64_t bank;
};

extern const struct card card_7800;
extern struct fixture_tree *tree;
extern struct gr_amdgpu_scan scan;

void machine_setup(void);
void machine_teardown(void);

/* A file in a folder of the tree. */
void put(const char *folder, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A node of the topology only. */
void add_node(const struct card *card);
/* The node, its PCI device, its render node. Returns the folder of the device. */
const char *add_card(const struct card *card);
/* mem_info_KIND_total and _used */
void add_memory(const char *folder, const char *kind, uint64_t total, uint64_t used);
/* gfx_target_version and device_id of the card */
void make_chip(unsigned version, unsigned device_id);
void remove_vram_files(void);

/* Scan; the first GPU. */
const struct gr_amdgpu_gpu *look(void);
/* The reason, or "ok". */
const char *code(void);
void assert_says(const char *words);

#endif
