/* SPDX-License-Identifier: MIT */
#ifndef GGUF_BUILD_H
#define GGUF_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gguf.h"

/*
 * gguf_build: writes small GGUF files into memory, correct ones and broken ones.
 *
 * Every function appends; gguf_build_key() and gguf_build_tensor() also count up in the file's head. Running out of
 * memory aborts.
 */
enum gguf_build_type {
	GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
	GGUF_U64, GGUF_I64, GGUF_F64,
};

struct gguf_build {
	unsigned char *data;	/* owned */
	size_t len, cap;
};

#define GGUF_BUILD_INIT { 0 }

void gguf_build_head(struct gguf_build *self, uint32_t version);	/* magic, version, no keys, no tensors */
void gguf_build_release(struct gguf_build *self);

/* Raw parts. */
void gguf_build_bytes(struct gguf_build *self, const void *bytes, size_t len);
void gguf_build_number(struct gguf_build *self, size_t size, uint64_t number);
void gguf_build_string(struct gguf_build *self, const char *text);
void gguf_build_key(struct gguf_build *self, const char *key, uint32_t type);	/* without the value */
void gguf_build_array(struct gguf_build *self, uint32_t type, uint64_t count);	/* without the elements */
void gguf_build_put(struct gguf_build *self, size_t at, size_t size, uint64_t number);	/* overwrites */

/* Keys with their values. */
void gguf_build_u32(struct gguf_build *self, const char *key, uint32_t value);
void gguf_build_f32(struct gguf_build *self, const char *key, float value);
void gguf_build_bool(struct gguf_build *self, const char *key, unsigned value);
void gguf_build_text(struct gguf_build *self, const char *key, const char *value);

void gguf_build_tensor(struct gguf_build *self, const char *name, uint64_t row, uint64_t rows, uint32_t type,
		       uint64_t offset);
/* The tensor data: padding up to a multiple of 32, and len zero bytes. */
void gguf_build_data(struct gguf_build *self, size_t len);

/* Into a file, and released; says what fails on standard error. */
bool gguf_build_save(struct gguf_build *self, const char *path);

/* A file in memory as a source; give gguf_bytes_source() its address. */
struct gguf_bytes {
	const unsigned char *data;
	size_t size;
	size_t chunk;		/* most bytes one read gives, 0 = all */
	uint64_t fail_from;	/* reads that touch this byte fail, 0 = none does */
	uint64_t reads;
};

struct gr_gguf_source gguf_bytes_source(struct gguf_bytes *self);

#endif
