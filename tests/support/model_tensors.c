/* SPDX-License-Identifier: MIT */
#include "model_tensors.h"

#include <stdlib.h>

enum { TYPE_F32 = 0, ALIGNMENT = 32 };

float *model_tensors_zeros(struct model_tensors *self, const char *name, uint64_t row, uint64_t rows)
{
	if (self->count == MODEL_TENSORS_MAX)
		abort();
	float *data = calloc(row * rows, sizeof *data);
	if (!data)
		abort();
	self->at[self->count++] = (struct model_tensor){ name, row, rows, data };
	return data;
}

float *model_tensors_vector(struct model_tensors *self, const char *name, uint64_t length, float number)
{
	float *data = model_tensors_zeros(self, name, length, 1);
	for (uint64_t i = 0; i < length; i++)
		data[i] = number;
	return data;
}

float *model_tensors_diagonal(struct model_tensors *self, const char *name, uint64_t length, float number)
{
	float *data = model_tensors_zeros(self, name, length, length);
	for (uint64_t i = 0; i < length; i++)
		data[i * length + i] = number;
	return data;
}

void model_tensors_write(struct model_tensors *self, struct gguf_build *file)
{
	uint64_t offset = 0;
	for (size_t i = 0; i < self->count; i++) {
		const struct model_tensor *t = &self->at[i];
		gguf_build_tensor(file, t->name, t->row, t->rows, TYPE_F32, offset);
		offset += (t->row * t->rows * sizeof *t->data + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	}
	for (size_t i = 0; i < self->count; i++) {
		struct model_tensor *t = &self->at[i];
		gguf_build_data(file, 0);
		gguf_build_bytes(file, t->data, t->row * t->rows * sizeof *t->data);
		free(t->data);
	}
	gguf_build_data(file, 0);
	self->count = 0;
}
