/* SPDX-License-Identifier: MIT */
#include "gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_cursor.h"
#include "gguf_tensor.h"
#include "gguf_type.h"
#include "utf8.h"

enum {
	NAMED_KEY_MAX = 127,	/* bytes of a key we may know; a longer one is none of ours */
	PENDING_MAX = 128,
	PENDING_LISTS_MAX = 4,
	TENSOR_TYPES_MAX = 64,	/* of which the bytes are added up */
	ALIGNMENT_DEFAULT = 32,
};

struct prefix {
	size_t len;
	char text[sizeof ((struct gr_gguf *)0)->architecture];
};

/* A key that ends like one of arch_facts, until the architecture says which prefix counts. */
struct pending {
	const struct fact *fact;
	struct prefix prefix;
	uint32_t value;
};

/* An array with a number for each layer. */
struct pending_list {
	enum { LIST_HEAD_COUNTS_KV, LIST_PATTERN } kind;
	struct prefix prefix;
	size_t count;
	uint32_t numbers[GR_GGUF_LAYERS_MAX];
};

struct tensor {
	struct gr_gguf_place place;
	uint64_t row;		/* elements of the first dimension */
	uint64_t rows;		/* of a matrix: how many there are */
	uint64_t elements;
	uint64_t type;
	uint64_t offset;	/* from the start of the data section */
};

struct reader {
	char key[NAMED_KEY_MAX + 1];	/* "" = none we know */
	struct gr_gguf_value value;
	uint64_t alignment;
	uint32_t token_count;
	struct pending pending[PENDING_MAX];
	struct pending_list lists[PENDING_LISTS_MAX];
	size_t pending_count, list_count;
	uint64_t type_bytes[TENSOR_TYPES_MAX], unknown_bytes;
	struct tensor unknown;		/* of a type that is not known: it ends where the next tensor begins */
	bool has_unknown;
	struct gr_gguf_layers *layers;	/* borrowed, may be NULL */
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

#define HEAD_COUNT_KV ".attention.head_count_kv"
#define SLIDING_PATTERN ".attention.sliding_window_pattern"
#define FIELD(f) .offset = offsetof(struct gr_gguf, f), .size = sizeof ((struct gr_gguf *)0)->f

static const struct fact facts[] = {
	{ "general.name", FACT_TEXT, FIELD(name) },
	{ "general.type", FACT_TEXT, FIELD(type) },
	{ "general.size_label", FACT_TEXT, FIELD(size_label) },
	{ "general.license", FACT_TEXT, FIELD(license) },
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
	{ ".embedding_length_out", FACT_COUNT, FIELD(embedding_length_out) },
	{ ".feed_forward_length", FACT_COUNT, FIELD(feed_forward_length) },
	{ ".attention.head_count", FACT_COUNT, FIELD(head_count) },
	{ HEAD_COUNT_KV, FACT_COUNT, FIELD(head_count_kv) },
	{ ".attention.key_length", FACT_COUNT, FIELD(key_length) },
	{ ".attention.value_length", FACT_COUNT, FIELD(value_length) },
	{ ".attention.key_length_swa", FACT_COUNT, FIELD(key_length_swa) },
	{ ".attention.value_length_swa", FACT_COUNT, FIELD(value_length_swa) },
	{ ".attention.key_length_mla", FACT_COUNT, FIELD(key_length_mla) },
	{ ".attention.sliding_window", FACT_COUNT, FIELD(sliding_window) },
	{ SLIDING_PATTERN, FACT_COUNT, FIELD(sliding_pattern) },
	{ ".attention.shared_kv_layers", FACT_COUNT, FIELD(shared_kv_layers) },
	{ ".nextn_predict_layers", FACT_COUNT, FIELD(predict_layers) },
	{ ".expert_count", FACT_COUNT, FIELD(expert_count) },
	{ ".expert_used_count", FACT_COUNT, FIELD(expert_used_count) },
	{ ".expert_feed_forward_length", FACT_COUNT, FIELD(expert_feed_forward_length) },
	{ ".ssm.conv_kernel", FACT_COUNT, FIELD(ssm_conv_kernel) },
	{ ".ssm.inner_size", FACT_COUNT, FIELD(ssm_inner_size) },
	{ ".ssm.state_size", FACT_COUNT, FIELD(ssm_state_size) },
	{ ".ssm.group_count", FACT_COUNT, FIELD(ssm_group_count) },
	{ ".wkv.head_size", FACT_COUNT, FIELD(wkv_head_size) },
	{ ".token_shift_count", FACT_COUNT, FIELD(token_shift_count) },
	{ ".shortconv.l_cache", FACT_COUNT, FIELD(shortconv_cache) },
	{ ".pooling_type", FACT_COUNT, FIELD(pooling_type) },
	{ ".vocab_size", FACT_COUNT, FIELD(vocab_size) },
};

enum { FACTS = sizeof facts / sizeof *facts, ARCH_FACTS = sizeof arch_facts / sizeof *arch_facts };

/* *found = the value is an integer at all; one that cannot be a count is refused. Of an array the largest counts. */
static inf_status read_count(struct reader *r, const struct fact *fact, bool *found, uint32_t *count)
{
	int64_t number = 0, largest = 0;
	size_t items = r->value.is_array ? r->value.kept : 1;
	*found = false;
	for (size_t i = 0; i < items; i++) {
		bool is = r->value.is_array ? gr_gguf_item_as_integer(&r->value, i, &number) :
					      gr_gguf_as_integer(&r->value, &number);
		if (!is)
			return INF_OK;
		if (number < 0 || number > INT32_MAX)
			return GR_GGUF_CORRUPT(&r->in, "%s is %" PRId64, fact->key, number);
		largest = number > largest ? number : largest;
		*found = true;
	}
	*count = (uint32_t)largest;
	return INF_OK;
}

static inf_status keep_count(struct reader *r, const struct fact *fact, void *field)
{
	bool found;
	uint32_t count = 0;
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

static bool is_architecture(const struct reader *r, const struct prefix *prefix)
{
	return prefix->len == strlen(r->out.architecture) &&
	       !memcmp(prefix->text, r->out.architecture, prefix->len);
}

/* A number for each layer, whatever is no number there being 0. */
static void keep_list(struct reader *r, const struct fact *fact, const struct prefix *prefix)
{
	bool pattern = !strcmp(fact->key, SLIDING_PATTERN);
	if (!r->layers || !r->value.is_array || r->list_count == PENDING_LISTS_MAX ||
	    (!pattern && strcmp(fact->key, HEAD_COUNT_KV) != 0))
		return;
	struct pending_list *list = &r->lists[r->list_count++];
	list->kind = pattern ? LIST_PATTERN : LIST_HEAD_COUNTS_KV;
	list->prefix = *prefix;
	list->count = r->value.kept;
	for (size_t i = 0; i < list->count; i++) {
		int64_t number = 0;
		if (r->value.type == GR_GGUF_BOOL)
			number = r->value.numbers[i] != 0;
		else
			gr_gguf_item_as_integer(&r->value, i, &number);
		list->numbers[i] = (uint32_t)number;
	}
}

/* The architecture may come after the keys that begin with it, so any prefix is kept for now. */
static inf_status keep_pending(struct reader *r, const struct fact *fact, size_t prefix_len)
{
	bool found;
	struct pending p = { .fact = fact, .prefix.len = prefix_len };
	if (prefix_len >= sizeof p.prefix.text)
		return INF_OK;
	memcpy(p.prefix.text, r->key, prefix_len);
	inf_status st = read_count(r, fact, &found, &p.value);
	if (st != INF_OK || (r->out.architecture[0] && !is_architecture(r, &p.prefix)))
		return st;
	keep_list(r, fact, &p.prefix);
	if (found && r->pending_count < PENDING_MAX)
		r->pending[r->pending_count++] = p;
	return INF_OK;
}

static void resolve_list(struct reader *r, const struct pending_list *list)
{
	struct gr_gguf_layers *layers = r->layers;
	if (list->kind == LIST_PATTERN)
		layers->has_pattern = true;
	else
		layers->has_head_counts = true;
	for (size_t i = 0; i < list->count; i++) {
		if (list->kind == LIST_HEAD_COUNTS_KV)
			layers->at[i].head_count_kv = list->numbers[i];
		else if (list->numbers[i])
			layers->at[i].flags |= GR_GGUF_LAYER_SLIDING;
	}
}

static void resolve_pending(struct reader *r)
{
	for (const struct pending *p = r->pending; p < r->pending + r->pending_count; p++)
		if (is_architecture(r, &p->prefix))
			memcpy((char *)&r->out + p->fact->offset, &p->value, sizeof p->value);
	for (const struct pending_list *list = r->lists; list < r->lists + r->list_count; list++)
		if (is_architecture(r, &list->prefix))
			resolve_list(r, list);
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

static inf_status read_shape(struct reader *r, struct tensor *t)
{
	uint64_t dims, n;
	inf_status st = gr_gguf_take_number(&r->in, 4, &dims);
	if (st != INF_OK)
		return st;
	if (dims > GR_GGUF_DIMS_MAX)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " dimensions, at most %d", dims, GR_GGUF_DIMS_MAX);
	t->row = 1;
	t->rows = 1;
	t->elements = 1;
	for (uint64_t i = 0; i < dims; i++) {
		st = gr_gguf_take_number(&r->in, 8, &n);
		if (st != INF_OK)
			return st;
		if (n > INT64_MAX || __builtin_mul_overflow(t->elements, n, &t->elements) || t->elements > INT64_MAX)
			return GR_GGUF_CORRUPT(&r->in, "more elements than can be counted");
		t->row = i ? t->row : n;
		t->rows = i == 1 ? n : t->rows;
	}
	return INF_OK;
}

static inf_status read_tensor(struct reader *r, struct tensor *t)
{
	uint64_t len;
	const unsigned char *name;
	inf_status st = gr_gguf_take_length(&r->in, GR_GGUF_TENSOR_NAME_MAX, &len);
	if (st == INF_OK)
		st = gr_gguf_take(&r->in, (size_t)len, &name);
	if (st != INF_OK)
		return st;
	t->place = gr_gguf_place((const char *)name, (size_t)len);
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

static uint32_t width_of(const struct tensor *t)
{
	return t->rows > UINT32_MAX ? UINT32_MAX : (uint32_t)t->rows;
}

/* Of all parts of a model together, which no check of one file bounds. */
static void add_bytes(uint64_t *sum, uint64_t size)
{
	if (__builtin_add_overflow(*sum, size, sum))
		*sum = UINT64_MAX;
}

static void add_to_layer(struct gr_gguf_layers *layers, const struct tensor *t, uint64_t size)
{
	static const uint32_t flags[] = {
		[GR_GGUF_ROLE_KEY] = GR_GGUF_LAYER_ATTENTION,
		[GR_GGUF_ROLE_FUSED] = GR_GGUF_LAYER_ATTENTION,
		[GR_GGUF_ROLE_LATENT] = GR_GGUF_LAYER_ATTENTION | GR_GGUF_LAYER_LATENT,
		[GR_GGUF_ROLE_RECURRENT] = GR_GGUF_LAYER_RECURRENT,
	};
	struct gr_gguf_layer *layer = &layers->at[t->place.layer];
	enum gr_gguf_role role = t->place.role;
	add_bytes(&layer->bytes, size);
	layer->flags |= flags[role];
	if (role == GR_GGUF_ROLE_EXPERTS)
		add_bytes(&layer->expert_bytes, size);
	if (role == GR_GGUF_ROLE_KEY)
		layer->key_width = width_of(t);
	if (role == GR_GGUF_ROLE_VALUE)
		layer->value_width = width_of(t);
	if (t->place.layer >= layers->count)
		layers->count = t->place.layer + 1;
}

/* None of the sums can overflow: they are parts of tensor_bytes. */
static void add_to_part(struct reader *r, const struct tensor *t, uint64_t size)
{
	struct gr_gguf_sizes *sizes = &r->out.sizes;
	enum gr_gguf_part part = t->place.part;
	if (part == GR_GGUF_PART_LAYER && t->place.layer >= GR_GGUF_LAYERS_MAX)
		part = GR_GGUF_PART_OUTPUT;
	if (part == GR_GGUF_PART_LAYER && t->place.role == GR_GGUF_ROLE_EXPERTS)
		sizes->experts += size;
	if (part == GR_GGUF_PART_LAYER && r->layers)
		add_to_layer(r->layers, t, size);
	if (part == GR_GGUF_PART_TOKEN_EMBEDDING)
		sizes->token_embedding += size;
	if (part == GR_GGUF_PART_INPUT)
		sizes->input += size;
	if (part == GR_GGUF_PART_OUTPUT || part == GR_GGUF_PART_OUTPUT_WEIGHT || part == GR_GGUF_PART_RANK_HEAD)
		sizes->output += size;
	if (part == GR_GGUF_PART_RANK_HEAD)
		r->out.has_rank_head = true;
	if (part == GR_GGUF_PART_OUTPUT_WEIGHT)
		r->out.has_output_weight = true;
	if (gr_gguf_block(t->type).bytes)
		r->type_bytes[t->type] += size;
	else
		r->unknown_bytes += size;
}

static inf_status too_many_elements(struct reader *r, const struct tensor *t)
{
	return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " elements at offset %" PRIu64 " are more than can be counted",
			       t->elements, t->offset);
}

/* The tensor before, if its type is not known, reaches up to this offset: its padding counts, and maybe a gap. */
static inf_status end_unknown(struct reader *r, uint64_t offset)
{
	uint64_t size = offset > r->unknown.offset ? offset - r->unknown.offset : 0;
	if (!r->has_unknown)
		return INF_OK;
	r->has_unknown = false;
	if (__builtin_add_overflow(r->out.tensor_bytes, size, &r->out.tensor_bytes))
		return too_many_elements(r, &r->unknown);
	add_to_part(r, &r->unknown, size);
	return INF_OK;
}

static inf_status add_tensor(struct reader *r, const struct tensor *t)
{
	struct gr_gguf_block block = gr_gguf_block(t->type);
	uint64_t size, end;
	inf_status st = end_unknown(r, t->offset);
	if (st != INF_OK)
		return st;
	if (t->row % block.elements)
		return GR_GGUF_CORRUPT(&r->in, "%" PRIu64 " elements in a row, not a multiple of %d", t->row,
				       block.elements);
	if (__builtin_mul_overflow(t->elements / block.elements, block.bytes, &size) ||
	    __builtin_add_overflow(t->offset, size, &end) ||
	    __builtin_add_overflow(r->out.tensor_bytes, size, &r->out.tensor_bytes) ||
	    __builtin_add_overflow(r->out.parameter_count, t->elements, &r->out.parameter_count))
		return too_many_elements(r, t);
	if (end > r->data_size)
		r->data_size = end;
	if (block.bytes) {
		add_to_part(r, t, size);
		return INF_OK;
	}
	r->size_unknown = true;
	r->has_unknown = true;
	r->unknown = *t;
	return INF_OK;
}

static void find_main_type(struct reader *r)
{
	uint64_t most = r->unknown_bytes;
	for (int i = 0; i < TENSOR_TYPES_MAX; i++)
		if (r->type_bytes[i] > most) {
			most = r->type_bytes[i];
			r->out.main_tensor_type = i;
		}
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
	uint64_t padding = (r->alignment - r->in.at % r->alignment) % r->alignment, data = r->in.at, end = r->in.at;
	if (r->out.tensor_count && (__builtin_add_overflow(data, padding, &data) ||
				    __builtin_add_overflow(data, r->data_size, &end)))
		return GR_GGUF_CORRUPT(&r->in, "the tensor data overflows");
	if (end > r->in.source->size)
		return gr_gguf_refuse(&r->in, INF_E_BAD_MODEL, "gguf_truncated",
				      "the file is cut off, %" PRIu64 " of %" PRIu64
				      " bytes are there: download it again", r->in.source->size, end);
	r->out.expected_file_size = r->size_unknown ? 0 : end;
	return end_unknown(r, r->in.source->size - data);
}

inf_status gr_gguf_read_layers(const struct gr_gguf_source *source, const char *name, struct gr_gguf *out,
			       struct gr_gguf_layers *layers, inf_error *err)
{
	struct reader *r = malloc(sizeof *r);
	if (!r)
		return inf_fail(err, INF_E_NO_MEMORY, "", "%s: out of memory", name);
	memset(r, 0, offsetof(struct reader, in));
	gr_gguf_cursor_init(&r->in, source, name, err);
	r->alignment = ALIGNMENT_DEFAULT;
	r->out.file_size = source->size;
	r->out.file_type = -1;
	r->out.main_tensor_type = -1;
	r->layers = layers;
	inf_status st = read_head(r);
	if (st == INF_OK)
		st = read_keys(r);
	if (st == INF_OK)
		st = read_tensors(r);
	if (st == INF_OK)
		st = check_size(r);
	if (st == INF_OK) {
		find_main_type(r);
		*out = r->out;
	}
	free(r);
	return st;
}

inf_status gr_gguf_read(const struct gr_gguf_source *source, const char *name, struct gr_gguf *out, inf_error *err)
{
	return gr_gguf_read_layers(source, name, out, NULL, err);
}
