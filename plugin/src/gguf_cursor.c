/* SPDX-License-Identifier: MIT */
#include "gguf_cursor.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The fewest bytes that a value of each type takes. */
static const uint8_t value_size[GR_GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8 };

void gr_gguf_cursor_init(struct gr_gguf_cursor *self, const struct gr_gguf_source *source, const char *name,
			 inf_error *err)
{
	memset(self, 0, offsetof(struct gr_gguf_cursor, window));
	self->source = source;
	self->name = name;
	self->err = err;
}

/* ---- refusals ---- */

inf_status gr_gguf_refuse(const struct gr_gguf_cursor *self, inf_status code, const char *reason, const char *format,
			  ...)
{
	char what[256];
	va_list ap;
	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	if (self->part)
		return inf_fail(self->err, code, reason, "%s: %s %" PRIu64 ": %s", self->name, self->part,
				self->part_no, what);
	return inf_fail(self->err, code, reason, "%s: %s", self->name, what);
}

static uint64_t bytes_left(const struct gr_gguf_cursor *self)
{
	return self->source->size - self->at;
}

inf_status gr_gguf_cut_off(const struct gr_gguf_cursor *self)
{
	return gr_gguf_refuse(self, INF_E_BAD_MODEL, "gguf_truncated",
			      "the file ends here, inside its header, after %" PRIu64 " bytes: download it again",
			      self->source->size);
}

/* A count or length that does not fit the file: of a cut-off file if a real one could have it. */
static inf_status too_long(const struct gr_gguf_cursor *self, const char *what, uint64_t n, uint64_t most)
{
	if (n > most)
		return GR_GGUF_CORRUPT(self, "%s %" PRIu64 " exceeds the %" PRIu64 " bytes left", what, n,
				       bytes_left(self));
	return gr_gguf_cut_off(self);
}

/* ---- bytes ---- */

static inf_status fill_window(struct gr_gguf_cursor *self, size_t need)
{
	self->window_at = self->at;
	self->window_len = 0;
	while (self->window_len < need) {
		uint64_t from = self->at + self->window_len;
		size_t want = sizeof self->window - self->window_len;
		int64_t got = self->source->read_at(self->source->ctx, from, self->window + self->window_len, want);
		if (got < 0)
			return gr_gguf_refuse(self, INF_E_IO, "gguf_read", "the read at byte %" PRIu64 " failed", from);
		if (!got)
			return gr_gguf_cut_off(self);
		assert((uint64_t)got <= want);
		self->window_len += (size_t)got;
	}
	return INF_OK;
}

inf_status gr_gguf_take(struct gr_gguf_cursor *self, size_t n, const unsigned char **bytes)
{
	if (n > bytes_left(self))
		return gr_gguf_cut_off(self);
	if (self->at < self->window_at || self->at - self->window_at + n > self->window_len) {
		inf_status st = fill_window(self, n);
		if (st != INF_OK)
			return st;
	}
	*bytes = self->window + (self->at - self->window_at);
	self->at += n;
	return INF_OK;
}

inf_status gr_gguf_take_number(struct gr_gguf_cursor *self, size_t size, uint64_t *number)
{
	const unsigned char *bytes;
	inf_status st = gr_gguf_take(self, size, &bytes);
	if (st != INF_OK)
		return st;
	*number = 0;
	for (size_t i = size; i-- > 0;)
		*number = *number << 8 | bytes[i];
	return INF_OK;
}

inf_status gr_gguf_take_length(struct gr_gguf_cursor *self, uint64_t most, uint64_t *len)
{
	inf_status st = gr_gguf_take_number(self, 8, len);
	if (st != INF_OK)
		return st;
	if (*len > bytes_left(self))
		return too_long(self, "length", *len, most);
	if (*len > most)
		return GR_GGUF_CORRUPT(self, "length %" PRIu64 ", at most %" PRIu64, *len, most);
	return INF_OK;
}

void gr_gguf_skip(struct gr_gguf_cursor *self, uint64_t n)
{
	assert(n <= bytes_left(self));
	self->at += n;
}

/* ---- values ---- */

static inf_status count_items(struct gr_gguf_cursor *self, uint64_t count)
{
	if (count > GR_GGUF_ITEMS_MAX - self->items)
		return GR_GGUF_CORRUPT(self, "more than %d strings or arrays in arrays", GR_GGUF_ITEMS_MAX);
	self->items += count;
	return INF_OK;
}

static inf_status skip_strings(struct gr_gguf_cursor *self, uint64_t count)
{
	inf_status st = count_items(self, count);
	for (uint64_t i = 0; st == INF_OK && i < count; i++) {
		uint64_t len;
		st = gr_gguf_take_length(self, GR_GGUF_STRING_MAX, &len);
		if (st == INF_OK)
			gr_gguf_skip(self, len);
	}
	return st;
}

static inf_status take_array_head(struct gr_gguf_cursor *self, uint64_t *type, uint64_t *count)
{
	inf_status st = gr_gguf_take_number(self, 4, type);
	if (st == INF_OK)
		st = gr_gguf_take_number(self, 8, count);
	if (st != INF_OK)
		return st;
	if (*type >= GR_GGUF_TYPES)
		return GR_GGUF_CORRUPT(self, "unknown type %" PRIu64 " of array elements", *type);
	if (*count > bytes_left(self) / value_size[*type])
		return too_long(self, "array length", *count, 1 << 30);
	return INF_OK;
}

static inf_status skip_array(struct gr_gguf_cursor *self, uint64_t type, uint64_t count, int depth)
{
	if (type == GR_GGUF_STRING)
		return skip_strings(self, count);
	if (type != GR_GGUF_ARRAY) {
		gr_gguf_skip(self, count * value_size[type]);
		return INF_OK;
	}
	if (depth == GR_GGUF_DEPTH_MAX)
		return GR_GGUF_CORRUPT(self, "arrays nested more than %d deep", GR_GGUF_DEPTH_MAX);
	inf_status st = count_items(self, count);
	for (uint64_t i = 0; st == INF_OK && i < count; i++) {
		uint64_t inner_type, inner_count;
		st = take_array_head(self, &inner_type, &inner_count);
		if (st == INF_OK)
			st = skip_array(self, inner_type, inner_count, depth + 1);
	}
	return st;
}

/* Takes the first numbers of an array off *count. */
static inf_status keep_numbers(struct gr_gguf_cursor *self, struct gr_gguf_value *value, uint64_t *count)
{
	inf_status st = INF_OK;
	size_t kept = *count < GR_GGUF_NUMBERS_KEPT ? (size_t)*count : GR_GGUF_NUMBERS_KEPT;
	for (value->kept = 0; st == INF_OK && value->kept < kept; value->kept++)
		st = gr_gguf_take_number(self, value_size[value->type], &value->numbers[value->kept]);
	*count -= kept;
	return st;
}

static inf_status read_array(struct gr_gguf_cursor *self, struct gr_gguf_value *value)
{
	uint64_t type, count;
	inf_status st = take_array_head(self, &type, &count);
	if (st != INF_OK)
		return st;
	value->type = (enum gr_gguf_type)type;
	value->count = count;
	if (type != GR_GGUF_STRING && type != GR_GGUF_ARRAY)
		st = keep_numbers(self, value, &count);
	return st == INF_OK ? skip_array(self, type, count, 1) : st;
}

static inf_status read_string(struct gr_gguf_cursor *self, struct gr_gguf_value *value)
{
	const unsigned char *bytes;
	inf_status st = gr_gguf_take_length(self, GR_GGUF_STRING_MAX, &value->text_len);
	if (st != INF_OK)
		return st;
	size_t kept = value->text_len < sizeof value->text ? (size_t)value->text_len : sizeof value->text;
	st = gr_gguf_take(self, kept, &bytes);
	if (st != INF_OK)
		return st;
	memcpy(value->text, bytes, kept);
	gr_gguf_skip(self, value->text_len - kept);
	return INF_OK;
}

inf_status gr_gguf_take_value(struct gr_gguf_cursor *self, struct gr_gguf_value *value)
{
	uint64_t type;
	inf_status st = gr_gguf_take_number(self, 4, &type);
	if (st != INF_OK)
		return st;
	if (type >= GR_GGUF_TYPES)
		return GR_GGUF_CORRUPT(self, "unknown value type %" PRIu64, type);
	value->type = (enum gr_gguf_type)type;
	value->is_array = type == GR_GGUF_ARRAY;
	value->count = 0;
	value->kept = 0;
	if (type == GR_GGUF_ARRAY)
		return read_array(self, value);
	if (type == GR_GGUF_STRING)
		return read_string(self, value);
	return gr_gguf_take_number(self, value_size[type], &value->bits);
}

bool gr_gguf_is_text(const struct gr_gguf_value *value)
{
	return value->type == GR_GGUF_STRING && !value->is_array;
}

static bool integer_of(enum gr_gguf_type type, uint64_t bits, int64_t *number)
{
	switch (type) {
	case GR_GGUF_U8: case GR_GGUF_U16: case GR_GGUF_U32:
		*number = (int64_t)bits;
		return true;
	case GR_GGUF_U64:
		*number = bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
		return true;
	case GR_GGUF_I8:
		*number = (int8_t)bits;
		return true;
	case GR_GGUF_I16:
		*number = (int16_t)bits;
		return true;
	case GR_GGUF_I32:
		*number = (int32_t)bits;
		return true;
	case GR_GGUF_I64:
		*number = (int64_t)bits;
		return true;
	default:
		return false;
	}
}

bool gr_gguf_as_integer(const struct gr_gguf_value *value, int64_t *number)
{
	return !value->is_array && integer_of(value->type, value->bits, number);
}

bool gr_gguf_item_as_integer(const struct gr_gguf_value *value, size_t i, int64_t *number)
{
	return integer_of(value->type, value->numbers[i], number);
}

bool gr_gguf_as_float(const struct gr_gguf_value *value, float *number)
{
	double d;
	float f;
	uint32_t low = (uint32_t)value->bits;
	if (value->is_array || (value->type != GR_GGUF_F32 && value->type != GR_GGUF_F64))
		return false;
	memcpy(&d, &value->bits, sizeof d);
	memcpy(&f, &low, sizeof f);
	if (value->type == GR_GGUF_F32)
		d = (double)f;
	if (!(fabs(d) <= (double)FLT_MAX))
		return false;
	*number = (float)d;
	return true;
}

