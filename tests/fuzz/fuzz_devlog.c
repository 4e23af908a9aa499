/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "devlog.h"

/*
 * What a log says must not depend on how it is cut: fed whole, byte by byte, and in pieces whose lengths come from the
 * input itself. What is kept is bounded, ends, and is fit to print.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct gr_devlog *log, const uint8_t *data, size_t size, size_t first_piece)
{
	gr_devlog_init(log);
	for (size_t at = 0, piece = first_piece; at < size; at += piece) {
		if (!first_piece)
			piece = 1 + data[at] % 64;
		if (piece > size - at)
			piece = size - at;
		gr_devlog_feed(log, (const char *)data + at, piece);
	}
}

static void check_text(const char *text, size_t cap)
{
	size_t len = strnlen(text, cap);
	if (len == cap)
		abort();
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			abort();
}

static void check_device(const struct gr_devlog *log, const struct gr_devlog_device *device)
{
	check_text(device->id, sizeof device->id);
	check_text(device->description, sizeof device->description);
	check_text(device->gfx, sizeof device->gfx);
	check_text(device->pci, sizeof device->pci);
	if (!device->id[0] || gr_devlog_find(log, device->id) != device)
		abort();
}

static int same_device(const struct gr_devlog_device *a, const struct gr_devlog_device *b)
{
	return !strcmp(a->id, b->id) && !strcmp(a->description, b->description) && !strcmp(a->gfx, b->gfx) &&
	       !strcmp(a->pci, b->pci) && a->total_bytes == b->total_bytes && a->free_bytes == b->free_bytes &&
	       a->model_bytes == b->model_bytes && a->kv_bytes == b->kv_bytes && a->compute_bytes == b->compute_bytes &&
	       a->output_bytes == b->output_bytes && a->in_use == b->in_use;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gr_devlog whole, pieces;
	feed(&whole, data, size, SIZE_MAX);
	if (whole.count > GR_DEVLOG_DEVICES_MAX || whole.found < -1 || whole.offloaded < -1 || whole.layers < -1)
		abort();
	for (size_t i = 0; i < whole.count; i++)
		check_device(&whole, &whole.devices[i]);
	uint64_t bytes = gr_devlog_device_bytes(&whole);
	for (size_t piece = 0; piece < 2; piece++) {
		feed(&pieces, data, size, piece);
		if (pieces.count != whole.count || pieces.found != whole.found || pieces.offloaded != whole.offloaded ||
		    pieces.layers != whole.layers || pieces.listed != whole.listed ||
		    gr_devlog_device_bytes(&pieces) != bytes)
			abort();
		for (size_t i = 0; i < whole.count; i++)
			if (!same_device(&whole.devices[i], &pieces.devices[i]))
				abort();
	}
	return 0;
}
