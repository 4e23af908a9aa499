/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media.h"

/*
 * The first byte says the kind, the rest is the file. A check reads nothing outside of it, says why it fails, takes an image
 * for a frame of a video too, and does not care for what comes after the end.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inf_status check(int32_t kind, const uint8_t *data, size_t size, size_t more)
{
	inf_error err = { .struct_size = sizeof err };
	/* Of exactly that size, so that a read beyond it is seen. */
	uint8_t *copy = malloc(size + more ? size + more : 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	memset(copy + size, 0xff, more);
	inf_status st = gr_media_check(kind, copy, size + more, "it", &err);
	free(copy);
	if (st != INF_OK && st != INF_E_INVALID && st != INF_E_UNSUPPORTED)
		abort();
	if (st != INF_OK && (err.code != st || !err.reason[0] || strncmp(err.message, "it: ", 4) != 0))
		abort();
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MORE = 64 };
	if (!size)
		return 0;
	int32_t kind = data[0] % 5;
	inf_status st = check(kind, data + 1, size - 1, 0);
	if (kind == INF_MEDIA_IMAGE && check(INF_MEDIA_VIDEO_FRAME, data + 1, size - 1, 0) != st)
		abort();
	if (st == INF_OK && check(kind, data + 1, size - 1, MORE) != INF_OK)
		abort();
	return 0;
}
