/* SPDX-License-Identifier: MIT */
#ifndef PROJECTOR_SHAPE_H
#define PROJECTOR_SHAPE_H

#include <stdint.h>

#include "gguf_build.h"

/*
 * projector_shape: the smallest projectors that llama-server loads, whole files with their weights.
 *
 * Images go through llava's graph without a layer, sound through ultravox's with one. The weights are random but the same
 * each time, so that other media give other embeddings. An image is PROJECTOR_IMAGE_TOKENS tokens, each half minute of
 * sound that was begun PROJECTOR_AUDIO_TOKENS.
 */
enum { PROJECTOR_IMAGES = 1 << 0, PROJECTOR_AUDIO = 1 << 1 };
enum { PROJECTOR_IMAGE_TOKENS = 4, PROJECTOR_AUDIO_TOKENS = 10 };

/* what: PROJECTOR_IMAGES, PROJECTOR_AUDIO or both. embd: embedding length of the text model. */
struct gguf_build projector_file(unsigned what, uint32_t embd);
void projector_write(const char *path, unsigned what, uint32_t embd);	/* fails the process */

#endif
