/* SPDX-License-Identifier: MIT */
#ifndef GR_GGUF_TYPE_H
#define GR_GGUF_TYPE_H

#include <stdint.h>

/*
 * gguf_type: the tensor types and file types of ggml by number. Pure tables.
 */
struct gr_gguf_block {
	uint16_t elements, bytes;	/* bytes 0 = a type that is not known here; elements is then 1 */
};

struct gr_gguf_block gr_gguf_block(uint64_t tensor_type);

/* "Q4_K"; NULL for a type without a name here. */
const char *gr_gguf_tensor_type_name(int64_t tensor_type);
/* Of general.file_type, as llama-quantize spells it: "Q4_K_M"; NULL for one without a name here. */
const char *gr_gguf_file_type_name(int64_t file_type);

#endif
