/* SPDX-License-Identifier: MIT */
#include "gpu_machine.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture_tree *tree;
struct gr_amdgpu_scan scan;

const struct card card_7800 = {
	1, 128, "0000:03:00.0", 110001, 0x747e, 0x300, "9804009041903827589", 17163091968,
};

static void at(char out[512], const char *folder, const char *name)
{
	snprintf(out, 512, "%s/%s", folder, name);
}

void put(const char *folder, const char *name, const char *format, ...)
{
	char path[512], text[4096];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	at(path, folder, name);
	fixture_tree_file(tree, path, text);
}

void add_node(const struct card *card)
{
	char folder[512];
	snprintf(folder, sizeof folder, NODES "/%u", card->node);
	put(folder, "gpu_id", "%u\n", card->gfx_version ? 1000 + card->node : 0);
	put(folder, "properties",
	    "cpu_cores_count 0\nsimd_count %d\nvendor_id %d\ndevice_id %u\nlocation_id %u\ndomain 0\ndrm_render_minor %u\n"
	    "gfx_target_version %u\nunique_id %s\nnum_xcc 1\n",
	    card->gfx_version ? 64 : 0, card->gfx_version ? 4098 : 0, card->device_id, card->location_id, card->minor,
	    card->gfx_version, card->unique_id ? card->unique_id : "0");
	put(folder, "mem_banks/0/properties", "heap_type %d\nsize_in_bytes %llu\nflags 0\n", card->gfx_version ? 1 : 0,
	    (unsigned long long)card->bank);
}

const char *add_card(const struct card *card)
{
	static char folder[128];
	char path[512], target[512];
	snprintf(folder, sizeof folder, "sys/devices/pci0000:00/%s", card->pci);
	add_node(card);
	put(folder, "vendor", "0x1002\n");
	put(folder, "class", "0x030000\n");
	put(folder, "device", "0x%04x\n", card->device_id);
	put(folder, "revision", "0xc8\n");
	at(path, folder, "driver");
	fixture_tree_link(tree, path, "../../../bus/pci/drivers/amdgpu");
	snprintf(path, sizeof path, "%s/drm/renderD%u/device", folder, card->minor);
	fixture_tree_link(tree, path, "../..");
	snprintf(path, sizeof path, "sys/class/drm/renderD%u", card->minor);
	snprintf(target, sizeof target, "../../devices/pci0000:00/%s/drm/renderD%u", card->pci, card->minor);
	fixture_tree_link(tree, path, target);
	snprintf(path, sizeof path, "sys/bus/pci/devices/%s", card->pci);
	snprintf(target, sizeof target, "../../../devices/pci0000:00/%s", card->pci);
	fixture_tree_link(tree, path, target);
	snprintf(path, sizeof path, "dev/dri/renderD%u", card->minor);
	fixture_tree_file(tree, path, "");
	return folder;
}

void add_memory(const char *folder, const char *kind, uint64_t total, uint64_t used)
{
	char name[64];
	snprintf(name, sizeof name, "mem_info_%s_total", kind);
	put(folder, name, "%llu\n", (unsigned long long)total);
	snprintf(name, sizeof name, "mem_info_%s_used", kind);
	put(folder, name, "%llu\n", (unsigned long long)used);
}

void machine_setup(void)
{
	static const struct card cpu = { .node = 0 };
	tree = fixture_tree_new();
	fixture_tree_file(tree, "dev/kfd", "");
	fixture_tree_dir(tree, "sys/module/amdgpu");
	fixture_tree_file(tree, GENERATION, "3\n");
	add_node(&cpu);
	const char *folder = add_card(&card_7800);
	put(folder, "board_info", "type : cem\n");
	add_memory(folder, "vram", card_7800.bank, 1491832832);
	add_memory(folder, "gtt", 64933629952, 20971520);
}

void machine_teardown(void)
{
	fixture_tree_free(tree);
}

const struct gr_amdgpu_gpu *look(void)
{
	gr_amdgpu_scan(&scan, &tree->ops, NULL);
	return &scan.gpus[0];
}

const char *code(void)
{
	return scan.refusal.code ? scan.refusal.code : "ok";
}

void assert_says(const char *words)
{
	char text[GR_REFUSAL_TEXT_MAX];
	gr_refusal_text(&scan.refusal, text);
	ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in \"%s\"", words, text);
}

void make_chip(unsigned version, unsigned device_id)
{
	char value[16];
	snprintf(value, sizeof value, "%u", version);
	fixture_tree_property(tree, NODES "/1/properties", "gfx_target_version", value);
	snprintf(value, sizeof value, "%u", device_id);
	fixture_tree_property(tree, NODES "/1/properties", "device_id", value);
}

void remove_vram_files(void)
{
	fixture_tree_remove(tree, CARD "/mem_info_vram_total");
	fixture_tree_remove(tree, CARD "/mem_info_vram_used");
}
