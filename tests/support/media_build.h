/* SPDX-License-Identifier: MIT */
#ifndef MEDIA_BUILD_H
#define MEDIA_BUILD_H

#include <stddef.h>
#include <stdint.h>

/*
 * media_build: small whole files of images and sound, as llama-server decodes them. Running out of memory aborts.
 */
struct media_build {
	unsigned char *data;	/* owned */
	size_t len;
};

void media_build_release(struct media_build *self);

/* One colour, 0xrrggbb. Where its parts begin is the same whatever the size. */
enum { PNG_AT_WIDTH = 16, PNG_AT_HEIGHT = 20, PNG_AT_PIXELS = 33, PNG_END_BYTES = 12 };
struct media_build media_build_png(uint32_t width, uint32_t height, uint32_t colour);
/* 8 x 8 grey pixels, darker or brighter. */
enum { JPEG_AT_FRAME = 71, JPEG_AT_HEIGHT = 76, JPEG_AT_WIDTH = 78 };
struct media_build media_build_jpeg(int bright);
/* A square wave, 16-bit PCM mono 16 kHz. */
enum { WAV_AT_FORMAT = 20, WAV_AT_DATA = 36, WAV_HEAD = 44 };
struct media_build media_build_wav(uint32_t samples, uint32_t period);

#endif
