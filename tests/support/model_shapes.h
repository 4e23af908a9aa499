/* SPDX-License-Identifier: MIT */
#ifndef MODEL_SHAPES_H
#define MODEL_SHAPES_H

#include <stdint.h>

#include "gguf_build.h"

/*
 * model_shapes: GGUF headers with the tensors of models that people run, without their weights.
 *
 * Shapes and types are those of the public files, so that what a load of them takes can be computed, and measured with
 * llama-fit-params on a file that is a header and a hole. Those called small are of no public file: no tensor of theirs is
 * larger than 128 MiB, the most that Vulkan without a GPU takes. The vocabulary has a size and no words, but for that of
 * qwen3-0.6b. Each name is a model and its quantisation; the whole list ends with NULL.
 */
extern const char *const model_shape_names[];

/* The header of a model; fails the process if there is none of that name. *file_size gets the bytes of the whole file. */
struct gguf_build model_shape_header(const char *name, uint64_t *file_size);

/* The header of a model as the source of a whole file; bytes and header must live as long. */
struct gr_gguf_source model_shape_source(const struct gguf_build *header, uint64_t file_size, struct gguf_bytes *bytes);

#endif
