/* SPDX-License-Identifier: MIT */
#ifndef GR_MEDIA_H
#define GR_MEDIA_H

#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * media: what may be sent to the server as an image or as sound. Pure.
 *
 * The server decodes what it is given by what it finds in it: GIF, BMP, TIFF, MP3, and anything else as video, for which
 * it runs a program. Only what the contract names gets there: PNG, JPEG and one kind of WAV, by their first bytes, whole
 * by their own structure, and of a size that can be decoded. What is inside, the compressed pixels, is not looked at: that
 * is the child's work, and its end if they are hostile.
 */
enum {
	GR_MEDIA_BYTES_MAX = 64 << 20,		/* of one */
	GR_MEDIA_TOTAL_MAX = 128 << 20,		/* of one call; base64 makes 171 MiB of it */
	GR_MEDIA_COUNT_MAX = 1024,		/* of one call */
	GR_MEDIA_SIDE_MAX = 16384,		/* pixels */
	GR_MEDIA_PIXELS_MAX = 1 << 26,		/* decoded 192 MiB */
	GR_MEDIA_AUDIO_RATE = 16000,
	GR_MEDIA_AUDIO_MIN_SAMPLES = GR_MEDIA_AUDIO_RATE / 10,	/* llama-server 0.7.0 aborts on one sample */
};

/*
 * what: "message 0, media 1", for the text of a failure. INF_E_INVALID with the reason "media_format", "media_truncated"
 * or "media_size"; INF_E_UNSUPPORTED, "media_kind" or "media_format", for a kind that is not known, and for a JPEG that is
 * coded as the server does not know it.
 */
inf_status gr_media_check(int32_t kind, const void *data, size_t size, const char *what, inf_error *err);

#endif
