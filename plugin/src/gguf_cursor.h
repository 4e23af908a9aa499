/* SPDX-License-Identifier: MIT */
#ifndef GR_GGUF_CURSOR_H
#define GR_GGUF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

#include "gguf.h"

/*
 * gguf_cursor: the primitives of a GGUF file, taken front to back through one window.
 *
 * Private to the gguf reader. It knows numbers, lengths and typed values, and steps over what nobody wants; what the
 * keys mean is not its business. Every function returns INF_OK, or the status of the error it has filled in; nothing
 * may be taken afterwards. The position never passes the end of the source.
 */
enum gr_gguf_type {
	GR_GGUF_U8, GR_GGUF_I8, GR_GGUF_U16, GR_GGUF_I16, GR_GGUF_U32, GR_GGUF_I32, GR_GGUF_F32, GR_GGUF_BOOL,
	GR_GGUF_STRING, GR_GGUF_ARRAY, GR_GGUF_U64, GR_GGUF_I64, GR_GGUF_F64,
	GR_GGUF_TYPES
};

enum {
	GR_GGUF_TEXT_KEPT = 255,		/* bytes of a string value that are kept */
	GR_GGUF_NUMBERS_KEPT = GR_GGUF_LAYERS_MAX,	/* numbers of an array that are kept */
};

/* A value as far as it is kept: a scalar, or the shape and the first numbers of an array. */
struct gr_gguf_value {
	enum gr_gguf_type type;		/* of the elements, if it is an array */
	bool is_array;
	uint64_t count;			/* elements of the array */
	uint64_t bits;			/* the number, of a scalar */
	size_t kept;			/* numbers of the array */
	uint64_t numbers[GR_GGUF_NUMBERS_KEPT];	/* as bits is */
	uint64_t text_len;		/* of the whole string, which text may hold only the beginning of */
	char text[GR_GGUF_TEXT_KEPT];
};

struct gr_gguf_cursor {
	const struct gr_gguf_source *source;
	const char *name;
	inf_error *err;
	const char *part;		/* "key", "tensor" or NULL: what is being read, for messages */
	uint64_t part_no;
	uint64_t at;			/* the next byte to take */
	uint64_t items;			/* against GR_GGUF_ITEMS_MAX */
	uint64_t window_at;
	size_t window_len;
	unsigned char window[GR_GGUF_WINDOW];
};

void gr_gguf_cursor_init(struct gr_gguf_cursor *self, const struct gr_gguf_source *source, const char *name,
			 inf_error *err);

/* The next n bytes, borrowed until the next call; n <= GR_GGUF_WINDOW. */
inf_status gr_gguf_take(struct gr_gguf_cursor *self, size_t n, const unsigned char **bytes);
/* An unsigned little-endian number of size <= 8 bytes. */
inf_status gr_gguf_take_number(struct gr_gguf_cursor *self, size_t size, uint64_t *number);
/* A 64-bit length that is neither more than `most` nor than the bytes left. */
inf_status gr_gguf_take_length(struct gr_gguf_cursor *self, uint64_t most, uint64_t *len);
/* A type and the value after it. */
inf_status gr_gguf_take_value(struct gr_gguf_cursor *self, struct gr_gguf_value *value);
/* Step over n bytes; the caller knows that so many are left. */
void gr_gguf_skip(struct gr_gguf_cursor *self, uint64_t n);

/* Fill in the error: "name: key 3: <text>". Returns code. */
inf_status gr_gguf_refuse(const struct gr_gguf_cursor *self, inf_status code, const char *reason, const char *format,
			  ...) __attribute__((format(printf, 4, 5)));
#define GR_GGUF_CORRUPT(self, ...) gr_gguf_refuse(self, INF_E_BAD_MODEL, "gguf_corrupt", __VA_ARGS__)
/* Refuse a file that ends before its header does. */
inf_status gr_gguf_cut_off(const struct gr_gguf_cursor *self);

/* What a value says, if it is of that kind. */
bool gr_gguf_is_text(const struct gr_gguf_value *value);
bool gr_gguf_as_integer(const struct gr_gguf_value *value, int64_t *number);	/* not of an array */
/* Number i < kept of an array. */
bool gr_gguf_item_as_integer(const struct gr_gguf_value *value, size_t i, int64_t *number);
bool gr_gguf_as_float(const struct gr_gguf_value *value, float *number);	/* finite ones only */

#endif
