/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TENSORS_H
#define MODEL_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "gguf_build.h"

/*
 * model_tensors: the F32 tensors of a small model, filled in any order and written behind the keys. Running out of memory
 * or of room aborts.
 */
enum { MODEL_TENSORS_MAX = 32 };

struct model_tensors {
	struct model_tensor {
		const char *name;	/* borrowed */
		uint64_t row, rows;
		float *data;		/* owned: rows times row numbers */
	} at[MODEL_TENSORS_MAX];
	size_t count;
};

/* A tensor of zeros; the numbers are the caller's to fill until model_tensors_write(). */
float *model_tensors_zeros(struct model_tensors *self, const char *name, uint64_t row, uint64_t rows);
/* A vector of one number, such as the weights of a norm. */
float *model_tensors_vector(struct model_tensors *self, const char *name, uint64_t length, float number);
/* A square matrix with a number on its diagonal. */
float *model_tensors_diagonal(struct model_tensors *self, const char *name, uint64_t length, float number);

/* Their heads and their data, after all keys; releases them. */
void model_tensors_write(struct model_tensors *self, struct gguf_build *file);

#endif
