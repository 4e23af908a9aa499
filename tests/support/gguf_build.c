/* SPDX-License-Identifier: MIT */
#include "gguf_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSOR_COUNT_AT = 8, KEY_COUNT_AT = 16 };

void gguf_build_release(struct gguf_build *self)
{
	free(self->data);
	*self = (struct gguf_build)GGUF_BUILD_INIT;
}

void gguf_build_bytes(struct gguf_build *self, const void *bytes, size_t len)
{
	if (self->len + len > self->cap) {
		self->cap = 2 * (self->len + len) + 256;
		self->data = realloc(self->data, self->cap);
		if (!self->data)
			abort();
	}
	if (len)
		memcpy(self->data + self->len, bytes, len);
	self->len += len;
}

void gguf_build_put(struct gguf_build *self, size_t at, size_t size, uint64_t number)
{
	for (size_t i = 0; i < size; i++)
		self->data[at + i] = (unsigned char)(number >> 8 * i);
}

void gguf_build_number(struct gguf_build *self, size_t size, uint64_t number)
{
	static const unsigned char zero[8];
	gguf_build_bytes(self, zero, size);
	gguf_build_put(self, self->len - size, size, number);
}

void gguf_build_head(struct gguf_build *self, uint32_t version)
{
	gguf_build_bytes(self, "GGUF", 4);
	gguf_build_number(self, 4, version);
	gguf_build_number(self, 8, 0);
	gguf_build_number(self, 8, 0);
}

void gguf_build_string(struct gguf_build *self, const char *text)
{
	gguf_build_number(self, 8, strlen(text));
	gguf_build_bytes(self, text, strlen(text));
}

static void count_up(struct gguf_build *self, size_t at)
{
	uint32_t count;
	memcpy(&count, self->data + at, sizeof count);
	gguf_build_put(self, at, 8, count + 1);
}

void gguf_build_key(struct gguf_build *self, const char *key, uint32_t type)
{
	gguf_build_string(self, key);
	gguf_build_number(self, 4, type);
	count_up(self, KEY_COUNT_AT);
}

void gguf_build_array(struct gguf_build *self, uint32_t type, uint64_t count)
{
	gguf_build_number(self, 4, type);
	gguf_build_number(self, 8, count);
}

void gguf_build_u32(struct gguf_build *self, const char *key, uint32_t value)
{
	gguf_build_key(self, key, GGUF_U32);
	gguf_build_number(self, 4, value);
}

void gguf_build_f32(struct gguf_build *self, const char *key, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	gguf_build_key(self, key, GGUF_F32);
	gguf_build_number(self, 4, bits);
}

void gguf_build_bool(struct gguf_build *self, const char *key, unsigned value)
{
	gguf_build_key(self, key, GGUF_BOOL);
	gguf_build_number(self, 1, value);
}

void gguf_build_text(struct gguf_build *self, const char *key, const char *value)
{
	gguf_build_key(self, key, GGUF_STRING);
	gguf_build_string(self, value);
}

void gguf_build_tensor(struct gguf_build *self, const char *name, uint64_t row, uint64_t rows, uint32_t type,
		       uint64_t offset)
{
	gguf_build_string(self, name);
	gguf_build_number(self, 4, 2);
	gguf_build_number(self, 8, row);
	gguf_build_number(self, 8, rows);
	gguf_build_number(self, 4, type);
	gguf_build_number(self, 8, offset);
	count_up(self, TENSOR_COUNT_AT);
}

void gguf_build_data(struct gguf_build *self, size_t len)
{
	while (self->len % 32)
		gguf_build_number(self, 1, 0);
	while (len--)
		gguf_build_number(self, 1, 0);
}

bool gguf_build_save(struct gguf_build *self, const char *path)
{
	FILE *file = fopen(path, "wbe");
	bool ok = file && fwrite(self->data, 1, self->len, file) == self->len;
	ok = file && !fclose(file) && ok;
	if (!ok)
		perror(path);
	gguf_build_release(self);
	return ok;
}

static int64_t read_bytes(void *ctx, uint64_t offset, void *buf, size_t len)
{
	struct gguf_bytes *self = ctx;
	self->reads++;
	if (offset >= self->size)
		return 0;
	if (len > self->size - offset)
		len = (size_t)(self->size - offset);
	if (self->chunk && len > self->chunk)
		len = self->chunk;
	if (self->fail_from && offset + len > self->fail_from)
		return -1;
	memcpy(buf, self->data + offset, len);
	return (int64_t)len;
}

struct gr_gguf_source gguf_bytes_source(struct gguf_bytes *self)
{
	return (struct gr_gguf_source){ .ctx = self, .read_at = read_bytes, .size = self->size };
}
