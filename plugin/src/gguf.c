/* SPDX-License-Identifier: MIT */
#include "gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_cursor.h"
#include "utf8.h"

enum {
	NAMED_KEY_MAX = 127,	/* bytes of a key we may know; a longer one is none of ours */
	PENDING_MAX = 64,
	ALIGNMENT_DEFAULT = 32,
};

/* A key that ends like one of arch_facts, until the architecture says which prefix counts. */
struct pending {
	const struct fact *fact;
	size_t prefix_len;
	char prefix[sizeof ((struct gr_gguf *)0)->architecture];
	uint32_t value;
};

struct reader {
	char key[NAMED_KEY_MAX + 1];	/* "" = none we know */
	struct gr_gguf_value value;
	uint64_t alignment;
	uint32_t token_count;
	struct pending pending[PENDING_MAX];
	size_t pending_count;
	uint64_t data_size;		/* from the start of the data section to the end of its last tensor */
	bool size_unknown;
	struct gr_gguf out;
	struct gr_gguf_cursor in;
};

/* ---- facts ---- */

/* Bytes of a control character at c, which is followed by a NUL; 0 = it is none. */
static size_t control_len(const char *c)
{
	unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];
	if (first < 0x20 || first == 0x7f)
		return 1;
	return first == 0xc2 && second <= 0x9f ? 2 : 0;		/* U+0080 to U+009F */
}

static void keep_text(char *field, size_t size, const struct gr_gguf_value *v)
{
	size_t len = v->text_len < size ? (size_t)v->text_len : gr_utf8_complete(v->text, size - 1);
	if (!gr_utf8_valid(v->text, len))
		len = 0;
	memcpy(field, v->text, len);
	field[len] = '\0';
	for (size_t i = 0; i < len; i++)
		memset(field + i, ' ', control_len(field + i));
}

enum fact_kind { FACT_TEXT, FACT_COUNT, FACT_INTEGER, FACT_FLOAT, FACT_ANSWER };

struct fact {
	const char *key;
	enum fact_kind kind;
	uint16_t offset, size;		/* of the field in struct gr_gguf */
	uint32_t flag;			/* in sampling.set */
};

#define FIELD(f) .offset = offsetof(struct gr_gguf, f), .size = sizeof ((struct gr_gguf *)0)->f

static const struct fact facts[] = {
	{ "general.name", FACT_TEXT, FIELD(name) },
	{ "general.type", FACT_TEXT, FIELD(type) },
	{ "general.file_type", FACT_INTEGER, FIELD(file_type) },
	{ "split.no", FACT_COUNT, FIELD(split_no) },
	{ "split.count", FACT_COUNT, FIELD(split_count) },
	{ "tokenizer.ggml.model", FACT_TEXT, FIELD(tokenizer_model) },
	{ "tokenizer.ggml.add_bos_token", FACT_ANSWER, FIELD(add_bos) },
	{ "general.sampling.temp", FACT_FLOAT, FIELD(sampling.temperature), GR_GGUF_SET_TEMPERATURE },
	{ "general.sampling.top_k", FACT_INTEGER, FIELD(sampling.top_k), GR_GGUF_SET_TOP_K },
	{ "general.sampling.top_p", FACT_FLOAT, FIELD(sampling.top_p), GR_GGUF_SET_TOP_P },
	{ "general.sampling.min_p", FACT_FLOAT, FIELD(sampling.min_p), GR_GGUF_SET_MIN_P },
	{ "general.sampling.penalty_repeat", FACT_FLOAT, FIELD(sampling.repeat_penalty), GR_GGUF_SET_REPEAT_PENALTY },
};

/* What follows the architecture in a key; all are FACT_COUNT. */
static const struct fact arch_facts[] = {
	{ ".context_length", FACT_COUNT, FIELD(context_length) },
	{ ".block_count", FACT_COUNT, FIELD(block_count) },
	{ ".embedding_length", FACT_COUNT, FIELD(embedding_length) },
	{ ".feed_forward_length", FACT_COUNT, FIELD(feed_forward_length) },
	{ ".attention.head_count", FACT_COUNT, FIELD(head_count) },
	{ ".attention.head_count_kv", FACT_COUNT, FIELD(head_count_kv) },
	{ ".vocab_size", FACT_COUNT, FIELD(vocab_size) },
};

enum { FACTS = sizeof facts / sizeof *facts, ARCH_FACTS = sizeof arch_facts / sizeof *arch_facts };

/* *found = the value is an integer at all; one that cannot be a count is refused. */
static inf_status read_count(struct reader *r, const struct fact *fact, bool *found, uint32_t *count)
{
	int64_t number = 0;
	*found = gr_gguf_as_integer(&r->value, &number);
	*count = (uint32_t)number;
	if (number < 0 || number > INT32_MAX)
		return GR_GGUF_CORRUPT(&r->in, "%s is %" PRId64, fact->key, number);
	return INF_OK;
}

static inf_status keep_count(struct reader *r, const struct fact *fact, void *field)
{
	bool found;
	uint32_t count;
	inf_status st = read_count(r, fact, &found, &count);
	if (st == INF_OK && found)
		memcpy(field, &count, sizeof count);
	return st;
}

static bool keep_integer(void *field, const struct gr_gguf_value *v)
{
	int64_t number;
	if (v->is_array || !gr_gguf_as_integer(v, &number) || number < INT32_MIN || number > INT32_MAX)
		return false;
	int32_t small = (int32_t)number;
	memcpy(field, &small, sizeof small);
	return true;
}

static void keep_answer(void *field, const struct gr_gguf_value *v)
{
	enum gr_gguf_answer answer = v->bits ? GR_GGUF_YES : GR_GGUF_NO;
	if (v->type == GR_GGUF_BOOL && !v->is_array)
		memcpy(field, &answer, sizeof answer);
}

static inf_status keep_fact(struct reader *r, const struct fact *fact)
{
	const struct gr_gguf_value *v = &r->value;
	char *field = (char *)&r->out + fact->offset;
	float number;
	switch (fact->kind) {
	case FACT_TEXT:
		if (gr_gguf_is_text(v))
			keep_text(field, fact->size, v);
		break;
	case FACT_COUNT:
		return keep_count(r, fact, field);
	case FACT_INTEGER:
		if (keep_integer(field, v))
			r->out.sampling.set |= fact->flag;
		break;
	case FACT_FLOAT:
		if (gr_gguf_as_float(v, &number)) {
			memcpy(field, &number, sizeof number);
			r->out.sampling.set |= fact->flag;
		}
		break;
	case FACT_ANSWER:
		keep_answer(field, v);
		break;
	}
	return INF_OK;
}

static inf_status keep_architecture(struct reader *r)
{
	if (!gr_gguf_is_text(&r->value))
		return INF_OK;
	if (r->value.text_len >= sizeof r->out.architecture)
		return GR_GGUF_CORRUPT(&r->in, "general.architecture has %" PRIu64 " bytes, at most %zu",
				       r->value.text_len, sizeof r->out.architecture - 1);
	keep_text(r->out.architecture, sizeof r->out.architecture, &r->value);
	return INF_OK;
}

static inf_status keep_alignment(struct reader *r)
{
	int64_t alignment;
	if (r->value.is_array || !gr_gguf_as_integer(&r->value, &alignment))
		return GR_GGUF_CORRUPT(&r->in, "general.alignment is not an integer");
	if (alignment <= 0 || alignment > UINT32_MAX || (alignment & (alignment - 1)))
		return GR_GGUF_CORRUPT(&r->in, "general.alignment is %" PRId64 ", not a power of 2", alignment);
	r->alignment = (uint64_t)alignment;
	return INF_OK;
}

/* The length of what stands before the suffix, 0 = the key does not end in it. */
static size_t prefix_of(const char *key, const char *suffix)
{
	size_t key_len = strlen(key), suffix_len = strlen(suffix);
	if (key_len <= suffix_len || strcmp(key + key_len - suffix_len, suffix) != 0)
		return 0;
	return key_len - suffix_len;
}

/* The architecture may come after the keys that begin with it, so any prefix is kept for now. */
static inf_status keep_pending(struct reader *r, const struct fact *fact, size_t prefix_len)
{
	bool found;
	if (prefix_len >= sizeof r->pending->prefix || r->pending_count == PENDING_MAX)
		return INF_OK;
	struct pending *p = &r->pending[r->pending_count];
	inf_status st = read_count(r, fact, &found, &p->value);
	if (st != INF_OK || !found)
		return st;
	p->fact = fact;
	p->prefix_len = prefix_len;
	memcpy(p->prefix, r->key, prefix_len);
	r->pending_count++;
	return INF_OK;
}

static void resolve_pending(struct reader *r)
{
	size_t len = strlen(r->out.architecture);
	for (const struct pending *p = r->pending; p < r->pending + r->pending_count; p++)
		if (p->prefix_len == len && !memcmp(p->prefix, r->out.architecture, len))
			memcpy((char *)&r->out + p->fact->offset, &p->value, sizeof p->value);
	if (r->token_count)
		r->out.vocab_size = r->token_count;
}

static inf_status keep_value(struct reader *r)
{
	const struct gr_gguf_value *v = &r->value;
	for (const struct fact *fact = facts; fact < facts + FACTS; fact++)
		if (!strcmp(r->key, fact->key))
			return keep_fact(r, fact);
	for (const struct fact *fact = arch_facts; fact < arch_facts + ARCH_FACTS; fact++) {
		size_t prefix_len = prefix_of(r->key, fact->key);
		if (prefix_len)
			return keep_pending(r, fact, prefix_len);
	}
	if (!strcmp(r->key, "general.architecture"))
		return keep_architecture(r);
	if (!strcmp(r->key, "general.alignment"))
		return keep_alignment(r);
	if (!strcmp(r->key, "tokenizer.ggml.tokens") && v->is_array && v->type == GR_GGUF_STRING)
		r->token_count = (uint32_t)v->count;
	if (!strcmp(r->key, "tokenizer.chat_template"))
		r->out.has_chat_template = gr_gguf_is_text(v) && v->text_len;
	return INF_OK;
}

/* ---- the parts of the file ---- */

/* What people have instead of a GGUF file. */
static const struct {
	size_t at;
	const char *bytes, *hint;
} look_alikes[] = {
	{ 0, "version https://git-lfs", "it is a Git LFS pointer, the model itself was not fetched: git lfs pull" },
	{ 0, "<", "it looks like a web page, the download failed" },
	{ 0, "PK\x03\x04", "it is a zip archive or a PyTorch checkpoint, convert it to GGUF" },
	{ 8, "{\"", "it looks like a safetensors file, convert it to GGUF" },
	{ 0, "tjgg", "it is in the GGML format that came before GGUF, convert it" },
	{ 0, "lmgg", "it is in the GGML format that came before GGUF, convert it" },
	{ 0, "", "it does not begin with \"GGUF\"" },
};

enum { LOOK_MAX = 32 };		/* bytes that all of them are found in */

static const char *what_it_is(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0;; i++) {
		size_t at = look_alikes[i].at, n = strlen(look_alikes[i].bytes);
		if (at + n <= len && !memcmp(bytes + at, look_alikes[i].bytes, n))
			return look_alikes[i].hint;
	}
}

static inf_status read_magic(struct reader *r)
{
	const unsigned char *bytes;
	size_t len = r->in.source->size < LOOK_MAX ? (size_t)r->in.source->size : LOOK_MAX;
	if (!len)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_empty", "the file is empty: download it again");
	inf_status st = gr_gguf_take(&r->in, len, &bytes);
	if (st != INF_OK)
		return st;
	if (memcmp(bytes, "GGUF", len < 4 ? len : 4) != 0)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_not_gguf", "not a GGUF file: %s",
				      what_it_is(bytes, len));
	if (len < 4)
		return gr_gguf_cut_off(&r->in);
	r->in.at = 4;
	return INF_OK;
}

static inf_status read_version(struct reader *r)
{
	uint64_t version;
	inf_status st = gr_gguf_take_number(&r->in, 4, &version);
	if (st != INF_OK)
		return st;
	if (version && !(version & 0xffff))
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_big_endian",
				      "a GGUF file for big-endian machines: get the little-endian one");
	if (version < 2)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_version",
				      "GGUF version %" PRIu64 " is too old, 2 and 3 are read: convert the model again",
				      version);
	if (version > 3)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_version",
				      "GGUF version %" PRIu64 " is not known here, 2 and 3 are", version);
	r->out.version = (uint32_t)version;
	return INF_OK;
}

static inf_status read_head(struct reader *r)
{
	inf_status st = read_magic(r);
	if (st == INF_OK)
		st = read_version(r);
	if (st == INF_OK)
		st = gr_gguf_take_number(&r->in, 8, &r->out.tensor_count);
	if (st == INF_OK)
		st = gr_gguf_take_number(&r->in, 8, &r->out.kv_count);
	if (st != INF_OK)
		return st;
	if (r->out.tensor_count > GR_GGUF_TENSORS_MAX)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " tensors, at most %d", r->out.tensor_count,
				       GR_GGUF_TENSORS_MAX);
	if (r->out.kv_count > GR_GGUF_KEYS_MAX)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " keys, at most %d", r->out.kv_count, GR_GGUF_KEYS_MAX);
	return INF_OK;
}

static inf_status read_key(struct reader *r)
{
	uint64_t len;
	const unsigned char *bytes;
	inf_status st = gr_gguf_take_length(&r->in, GR_GGUF_KEY_LENGTH_MAX, &len);
	if (st == INF_OK)
		st = gr_gguf_take(&r->in, (size_t)len, &bytes);
	if (st != INF_OK)
		return st;
	if (!len)
		return GR_GGUF_CORRUPT(&r->in, "the key is empty");
	if (len > NAMED_KEY_MAX)
		len = 0;
	memcpy(r->key, bytes, (size_t)len);
	r->key[len] = '\0';
	return INF_OK;
}

static inf_status read_keys(struct reader *r)
{
	r->in.part = "key";
	for (r->in.part_no = 0; r->in.part_no < r->out.kv_count; r->in.part_no++) {
		inf_status st = read_key(r);
		if (st == INF_OK)
			st = gr_gguf_take_value(&r->in, &r->value);
		if (st == INF_OK)
			st = keep_value(r);
		if (st != INF_OK)
			return st;
	}
	r->in.part = NULL;
	resolve_pending(r);
	return INF_OK;
}

/*
 * Elements and bytes of a block of each tensor type, from ggml-common.h; bytes 0 = not known here. Left out: types that
 * were removed, and those from 41 on, whose numbers stand for different layouts in different forks. A size that is too
 * large would refuse a good file, one that is missing only gives up the check.
 */
static const struct block {
	uint16_t elements, bytes;
} blocks[] = {
	[0] = { 1, 4 },		/* F32 */
	[1] = { 1, 2 },		/* F16 */
	[2] = { 32, 18 },	/* Q4_0 */
	[3] = { 32, 20 },	/* Q4_1 */
	[6] = { 32, 22 },	/* Q5_0 */
	[7] = { 32, 24 },	/* Q5_1 */
	[8] = { 32, 34 },	/* Q8_0 */
	[9] = { 32, 36 },	/* Q8_1 */
	[10] = { 256, 84 },	/* Q2_K */
	[11] = { 256, 110 },	/* Q3_K */
	[12] = { 256, 144 },	/* Q4_K */
	[13] = { 256, 176 },	/* Q5_K */
	[14] = { 256, 210 },	/* Q6_K */
	[15] = { 256, 292 },	/* Q8_K */
	[16] = { 256, 66 },	/* IQ2_XXS */
	[17] = { 256, 74 },	/* IQ2_XS */
	[18] = { 256, 98 },	/* IQ3_XXS */
	[19] = { 256, 50 },	/* IQ1_S */
	[20] = { 32, 18 },	/* IQ4_NL */
	[21] = { 256, 110 },	/* IQ3_S */
	[22] = { 256, 82 },	/* IQ2_S */
	[23] = { 256, 136 },	/* IQ4_XS */
	[24] = { 1, 1 },	/* I8 */
	[25] = { 1, 2 },	/* I16 */
	[26] = { 1, 4 },	/* I32 */
	[27] = { 1, 8 },	/* I64 */
	[28] = { 1, 8 },	/* F64 */
	[29] = { 256, 56 },	/* IQ1_M */
	[30] = { 1, 2 },	/* BF16 */
	[34] = { 256, 54 },	/* TQ1_0 */
	[35] = { 256, 66 },	/* TQ2_0 */
	[39] = { 32, 17 },	/* MXFP4 */
	[40] = { 64, 36 },	/* NVFP4 */
};

enum { BLOCKS = sizeof blocks / sizeof *blocks };

struct tensor {
	uint64_t row;		/* elements of the first dimension */
	uint64_t elements;
	uint64_t type;
	uint64_t offset;	/* from the start of the data section */
};

static inf_status read_shape(struct reader *r, struct tensor *t)
{
	uint64_t dims, n;
	inf_status st = gr_gguf_take_number(&r->in, 4, &dims);
	if (st != INF_OK)
		return st;
	if (dims > GR_GGUF_DIMS_MAX)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " dimensions, at most %d", dims, GR_GGUF_DIMS_MAX);
	t->row = 1;
	t->elements = 1;
	for (uint64_t i = 0; i < dims; i++) {
		st = gr_gguf_take_number(&r->in, 8, &n);
		if (st != INF_OK)
			return st;
		if (n > INT64_MAX || __builtin_mul_overflow(t->elements, n, &t->elements) || t->elements > INT64_MAX)
			return GR_GGUF_CORRUPT(&r->in, "more elements than can be counted");
		t->row = i ? t->row : n;
	}
	return INF_OK;
}

static inf_status read_tensor(struct reader *r, struct tensor *t)
{
	uint64_t len;
	inf_status st = gr_gguf_take_length(&r->in, GR_GGUF_TENSOR_NAME_MAX, &len);
	if (st != INF_OK)
		return st;
	gr_gguf_skip(&r->in, len);
	st = read_shape(r, t);
	if (st == INF_OK)
		st = gr_gguf_take_number(&r->in, 4, &t->type);
	if (st == INF_OK)
		st = gr_gguf_take_number(&r->in, 8, &t->offset);
	if (st == INF_OK && t->offset % r->alignment)
		return GR_GGUF_CORRUPT(&r->in, "offset %" PRIu64 " is not a multiple of %" PRIu64, t->offset,
				       r->alignment);
	return st;
}

static inf_status add_tensor(struct reader *r, const struct tensor *t)
{
	static const struct block unknown = { 1, 0 };
	const struct block *block = t->type < BLOCKS && blocks[t->type].bytes ? &blocks[t->type] : &unknown;
	uint64_t size, end;
	if (block == &unknown)
		r->size_unknown = true;
	if (t->row % block->elements)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " elements in a row, not a multiple of %d", t->row,
				       block->elements);
	if (__builtin_mul_overflow(t->elements / block->elements, block->bytes, &size) ||
	    __builtin_add_overflow(t->offset, size, &end) ||
	    __builtin_add_overflow(r->out.tensor_bytes, size, &r->out.tensor_bytes) ||
	    __builtin_add_overflow(r->out.parameter_count, t->elements, &r->out.parameter_count))
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " elements at offset %" PRIu64
				       " are more than can be counted", t->elements, t->offset);
	if (end > r->data_size)
		r->data_size = end;
	return INF_OK;
}

static inf_status read_tensors(struct reader *r)
{
	struct tensor t;
	r->in.part = "tensor";
	for (r->in.part_no = 0; r->in.part_no < r->out.tensor_count; r->in.part_no++) {
		inf_status st = read_tensor(r, &t);
		if (st == INF_OK)
			st = add_tensor(r, &t);
		if (st != INF_OK)
			return st;
	}
	r->in.part = NULL;
	return INF_OK;
}

static inf_status check_size(struct reader *r)
{
	uint64_t end = r->in.at, padding = (r->alignment - r->in.at % r->alignment) % r->alignment;
	if (r->out.tensor_count && (__builtin_add_overflow(end, padding, &end) ||
				    __builtin_add_overflow(end, r->data_size, &end)))
		return GR_GGUF_CORRUPT(&r->in, "the tensor data overflows");
	if (end > r->in.source->size)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_truncated",
				      "the file is cut off, %" PRIu64 " of %" PRIu64
				      " bytes are there: download it again", r->in.source->size, end);
	r->out.expected_file_size = r->size_unknown ? 0 : end;
	return INF_OK;
}

inf_status gr_gguf_read(const struct gr_gguf_source *source, const char *name, struct gr_gguf *out, inf_error *err)
{
	struct reader *r = malloc(sizeof *r);
	if (!r)
		return inf_fail(err, INF_E_NO_MEMORY, "", "%s: out of memory", name);
	memset(r, 0, offsetof(struct reader, in));
	gr_gguf_cursor_init(&r->in, source, name, err);
	r->alignment = ALIGNMENT_DEFAULT;
	r->out.file_size = source->size;
	r->out.file_type = -1;
	inf_status st = read_head(r);
	if (st == INF_OK)
		st = read_keys(r);
	if (st == INF_OK)
		st = read_tensors(r);
	if (st == INF_OK)
		st = check_size(r);
	if (st == INF_OK)
		*out = r->out;
	free(r);
	return st;
}
