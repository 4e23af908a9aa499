/* SPDX-License-Identifier: MIT */
#include "wire_embed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wire_json.h"

/* ---- requests -------------------------------------------------------------------------------------------------- */
static inf_status append_list(struct gr_buf *out, const struct gr_wire_ids *text)
{
	inf_status st = gr_buf_puts(out, "[");
	for (size_t i = 0; i < text->count && st == INF_OK; i++)
		st = gr_buf_printf(out, i ? ",%d" : "%d", (int)text->ids[i]);
	return st == INF_OK ? gr_buf_puts(out, "]") : st;
}

inf_status gr_wire_encode_embeddings(struct gr_buf *out, const struct gr_wire_ids *texts, size_t count)
{
	inf_status st = gr_buf_puts(out, "{\"encoding_format\":\"base64\",\"embd_normalize\":-1,\"input\":[");
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		st = i ? gr_buf_puts(out, ",") : INF_OK;
		if (st == INF_OK)
			st = append_list(out, &texts[i]);
	}
	return st == INF_OK ? gr_buf_puts(out, "]}") : st;
}

inf_status gr_wire_encode_rank(struct gr_buf *out, const inf_text *query, const inf_text *document)
{
	bool ok = true;
	struct json_object *root = json_object_new_object(), *list = json_object_new_array();
	if (!root || !list) {
		json_object_put(root);
		json_object_put(list);
		return INF_E_NO_MEMORY;
	}
	ok = gr_json_add(list, gr_json_text(document->data, document->len));
	gr_json_put(root, "query", gr_json_text(query->data, query->len), &ok);
	gr_json_put(root, "documents", list, &ok);
	return gr_json_append(out, root, ok);
}

/* ---- vectors --------------------------------------------------------------------------------------------------- */
static int sextet(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Bytes that so much base64 stands for, SIZE_MAX = none can be. */
static size_t decoded_size(const char *text, size_t len)
{
	if (len % 4)
		return SIZE_MAX;
	size_t padding = len && text[len - 1] == '=' ? 1 + (text[len - 2] == '=') : 0;
	return len / 4 * 3 - padding;
}

static bool decode_base64(const char *text, size_t size, unsigned char *out)
{
	size_t done = 0;
	for (size_t at = 0; done < size; at += 4) {
		uint32_t bits = 0;
		size_t n = size - done < 3 ? size - done : 3;
		for (size_t i = 0; i < 4; i++) {
			int value = i <= n ? sextet(text[at + i]) : 0;
			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t)value;
		}
		for (size_t i = 0; i < n; i++)
			out[done + i] = (unsigned char)(bits >> (16 - 8 * i));
		done += n;
	}
	return true;
}

static float read_float(const unsigned char bytes[4])
{
	uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
	float number;
	memcpy(&number, &bits, sizeof number);
	return number;
}

static inf_status fail_dimension(size_t got, size_t dimension, inf_error *err)
{
	return inf_fail(err, INF_E_INTERNAL, "embedding_dimension",
			"llama-server gives a vector of %zu numbers, but by its file the model has %zu", got, dimension);
}

static inf_status take_base64(struct json_object *value, size_t dimension, float *vector, inf_error *err)
{
	const char *text = json_object_get_string(value);
	size_t size = decoded_size(text, (size_t)json_object_get_string_len(value));
	if (size == SIZE_MAX || size % sizeof(float))
		return gr_json_bad_answer(err, "", 0, "holds a vector that is no base64 of floats");
	if (size / sizeof(float) != dimension)
		return fail_dimension(size / sizeof(float), dimension, err);
	if (!decode_base64(text, size, (unsigned char *)vector))
		return gr_json_bad_answer(err, "", 0, "holds a vector that is no base64 of floats");
	for (size_t i = 0; i < dimension; i++)
		vector[i] = read_float((const unsigned char *)&vector[i]);
	return INF_OK;
}

static inf_status take_numbers(struct json_object *list, size_t dimension, float *vector, inf_error *err)
{
	if (json_object_array_length(list) != dimension)
		return fail_dimension(json_object_array_length(list), dimension, err);
	for (size_t i = 0; i < dimension; i++) {
		struct json_object *number = json_object_array_get_idx(list, i);
		bool is = json_object_is_type(number, json_type_double) || json_object_is_type(number, json_type_int);
		vector[i] = is ? (float)json_object_get_double(number) : NAN;
	}
	return INF_OK;
}

static inf_status take_vector(struct json_object *item, size_t dimension, float *vector, inf_error *err)
{
	struct json_object *text = gr_json_member(item, "embedding", json_type_string);
	struct json_object *list = gr_json_member(item, "embedding", json_type_array);
	inf_status st = text ? take_base64(text, dimension, vector, err) :
			list ? take_numbers(list, dimension, vector, err) :
			       gr_json_bad_answer(err, "", 0, "lacks a vector");
	for (size_t i = 0; st == INF_OK && i < dimension; i++)
		if (!isfinite(vector[i]))
			st = inf_fail(err, INF_E_INTERNAL, "not_finite", "the model gives a vector that holds what is no number: "
				      "its file may be damaged, or its weights too large for what it is computed in");
	return st;
}

/* The server puts a number on each, and no order is promised. */
static inf_status take_vectors(struct json_object *list, size_t count, size_t dimension, float *vectors, inf_error *err)
{
	inf_status st = INF_OK;
	for (size_t wanted = 0; wanted < count && st == INF_OK; wanted++) {
		size_t found = count;
		for (size_t i = 0; i < count && found == count; i++) {
			size_t at = (wanted + i) % count;	/* mostly they are in order */
			if (gr_json_int(json_object_array_get_idx(list, at), "index", -1) == (int64_t)wanted)
				found = at;
		}
		st = found == count ? gr_json_bad_answer(err, "", 0, "lacks a vector") :
		     take_vector(json_object_array_get_idx(list, found), dimension, vectors + wanted * dimension, err);
	}
	return st;
}

inf_status gr_wire_decode_embeddings(const char *body, size_t len, size_t count, size_t dimension, float *vectors,
				     inf_error *err)
{
	struct json_object *root = gr_json_parse_body(body, len);
	struct json_object *list = root ? gr_json_member(root, "data", json_type_array) : NULL;
	inf_status st;
	if (!list || json_object_array_length(list) != count)
		st = gr_json_bad_answer(err, body, len, "does not hold the vectors that were asked for");
	else
		st = take_vectors(list, count, dimension, vectors, err);
	json_object_put(root);
	return st;
}

/* ---- ranks ----------------------------------------------------------------------------------------------------- */
inf_status gr_wire_decode_rank(const char *body, size_t len, float *score, int64_t *tokens, inf_error *err)
{
	struct json_object *root = gr_json_parse_body(body, len);
	struct json_object *list = root ? gr_json_member(root, "results", json_type_array) : NULL;
	struct json_object *usage = root ? gr_json_member(root, "usage", json_type_object) : NULL;
	inf_status st = INF_OK;
	if (!list || json_object_array_length(list) != 1) {
		st = gr_json_bad_answer(err, body, len, "does not hold the score that was asked for");
	} else {
		*score = (float)gr_json_number(json_object_array_get_idx(list, 0), "relevance_score", NAN);
		*tokens = usage ? gr_json_count(usage, "prompt_tokens") : -1;
		if (!isfinite(*score))
			st = inf_fail(err, INF_E_INTERNAL, "not_finite", "the model gives a score that is no number: its file may "
				      "be damaged, or its weights too large for what it is computed in");
	}
	json_object_put(root);
	return st;
}

bool gr_wire_is_too_long(const struct gr_wire_error *error, int64_t *tokens)
{
	unsigned long said;
	int whole = 0;
	*tokens = error->prompt_tokens;
	if (strcmp(error->type, "exceed_context_size_error") == 0)
		return true;
	if (!strstr(error->message, "too large to process"))
		return false;
	if (sscanf(error->message, "input (%9lu tokens)%n", &said, &whole) == 1 && whole)
		*tokens = (int64_t)said;
	return true;
}
