/* SPDX-License-Identifier: MIT */
/*
 * wire_classify: one token and the probabilities that it was chosen by.
 *
 * The list of these can hold the whole vocabulary, a hundred bytes of JSON for each token. As objects of json-c that would be
 * twenty times as much memory, so its elements are parsed one at a time, and the rest of the answer without them.
 */
#include "wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire_json.h"

enum { REST_MAX = 4 << 20, DEPTH = 8 };

#define NO_NUMBER (-1e30)	/* what the server says for the logarithm of 0 is below */

/* ---- the question ---------------------------------------------------------------------------------------------- */
static struct json_object *words(const char *const *list, size_t count, bool *ok)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; array && i < count; i++)
		*ok = gr_json_add(array, json_object_new_string(list[i])) && *ok;
	return array;
}

void gr_json_put_probe(struct json_object *root, const struct gr_wire_probe *probe, bool *ok)
{
	static const char *const fields[] = {
		"tokens", "content", "stop_type", "completion_probabilities", "tokens_evaluated", "timings/cache_n", "id_slot",
	};
	static const char *const samplers[] = { "temperature" };
	gr_json_put(root, "response_fields", words(fields, sizeof fields / sizeof fields[0], ok), ok);
	gr_json_put(root, "return_tokens", json_object_new_boolean(true), ok);
	gr_json_put(root, "n_probs", json_object_new_int64((int64_t)probe->wanted), ok);
	if (!probe->among_favoured)
		return;
	gr_json_put(root, "post_sampling_probs", json_object_new_boolean(true), ok);
	gr_json_put(root, "samplers", words(samplers, 1, ok), ok);
}

/* ---- the answer ------------------------------------------------------------------------------------------------ */
struct span {
	const char *begin, *end;
};

/* The inside of the list of scores; empty at the end of the body if there is none. Inside a string its name would have
 * backslashes before the quotes. */
static struct span find_scores(const char *body, size_t len, bool *are_probabilities)
{
	static const char *const names[] = { "\"top_logprobs\":[", "\"top_probs\":[" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *found = memmem(body, len, names[i], strlen(names[i]));
		*are_probabilities = i == 1;
		if (found)
			return (struct span){ found + strlen(names[i]), body + len };
	}
	return (struct span){ body + len, body + len };
}

/* From its first character: one past the string's last quote, or end. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at < end ? at + 1 : end;
}

/* The next object of the list, which begins at in->begin; begin == end at the end of the list. */
static struct span next_object(struct span *in)
{
	const char *at = in->begin;
	int depth = 0;
	while (at < in->end && (*at == ',' || *at == ' ' || *at == '\n'))
		at++;
	struct span out = { at, at };
	while (at < in->end && (depth || *at == '{')) {
		if (*at == '"') {
			at = skip_string(at, in->end);
			continue;
		}
		depth += *at == '{';
		depth -= *at == '}';
		at++;
		if (!depth)
			break;
	}
	if (!depth)
		out.end = at;
	in->begin = at;
	return out;
}

static float logarithm(double number, bool is_probability)
{
	if (is_probability)
		number = number > 0 ? log(number) : -INFINITY;
	return number > NO_NUMBER ? (float)number : -INFINITY;	/* also what is no number */
}

static bool read_score(struct json_object *object, bool is_probability, inf_token_score *out)
{
	double number = gr_json_number(object, is_probability ? "prob" : "logprob", NAN);
	int64_t id = gr_json_int(object, "id", -1);
	*out = (inf_token_score){ (int32_t)id, logarithm(number, is_probability) };
	return id >= 0 && id <= INT32_MAX && !isnan(number);
}

static inf_status read_text(struct json_object *object, const char *name, struct gr_buf *out)
{
	struct json_object *text = gr_json_member(object, name, json_type_string);
	if (!text || !gr_json_is_utf8(text))
		return INF_E_INTERNAL;
	return gr_buf_append(out, json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

/* *list becomes what is behind the scores. */
static inf_status read_scores(struct span *list, bool are_probabilities, size_t wanted, struct gr_wire_choice *out)
{
	struct json_tokener *tokener = gr_json_tokener(DEPTH);
	inf_status st = tokener ? INF_OK : INF_E_NO_MEMORY;
	out->scores = calloc(wanted ? wanted : 1, sizeof *out->scores);
	if (!out->scores)
		st = INF_E_NO_MEMORY;
	while (st == INF_OK) {
		struct span at = next_object(list);
		if (at.begin == at.end)
			break;
		struct json_object *object = out->score_count < wanted ?
					     gr_json_parse_object(tokener, at.begin, (size_t)(at.end - at.begin)) : NULL;
		if (!object || !read_score(object, are_probabilities, &out->scores[out->score_count]))
			st = INF_E_INTERNAL;
		else if (!out->score_count++)
			st = read_text(object, "token", &out->likeliest_text);
		json_object_put(object);
	}
	if (tokener)
		json_tokener_free(tokener);
	return st;
}

static bool read_token(struct json_object *root, struct gr_wire_choice *out)
{
	struct json_object *tokens = gr_json_member(root, "tokens", json_type_array);
	struct json_object *id = tokens ? json_object_array_get_idx(tokens, 0) : NULL;
	int64_t value = id && json_object_is_type(id, json_type_int) ? json_object_get_int64(id) : -1;
	out->id = (int32_t)value;
	return value >= 0 && value <= INT32_MAX;
}

/* All but the list. */
static inf_status read_rest(struct json_object *root, bool are_probabilities, struct gr_wire_choice *out)
{
	struct json_object *list = gr_json_member(root, "completion_probabilities", json_type_array);
	struct json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
	struct json_object *stop = gr_json_member(root, "stop_type", json_type_string);
	inf_token_score own;
	if (!read_token(root, out))
		return INF_E_INTERNAL;
	if (first && json_object_is_type(first, json_type_object) && read_score(first, are_probabilities, &own))
		out->logprob = own.logprob;
	else
		out->score_count = 0;
	out->eos = stop && strcmp(json_object_get_string(stop), "eos") == 0;
	out->evaluated = gr_json_count(root, "tokens_evaluated");
	out->cached = gr_json_count(root, "timings/cache_n");
	out->slot = gr_json_clamp32(gr_json_int(root, "id_slot", -1));
	return read_text(root, "content", &out->text);
}

static inf_status decode(const char *body, size_t len, size_t wanted, struct gr_wire_choice *out)
{
	struct gr_buf rest = GR_BUF_INIT(REST_MAX);
	struct json_object *root = NULL;
	bool are_probabilities;
	struct span list = find_scores(body, len, &are_probabilities);
	inf_status st = gr_buf_append(&rest, body, (size_t)(list.begin - body));
	if (st == INF_OK && list.begin < list.end)
		st = read_scores(&list, are_probabilities, wanted, out);
	if (st == INF_OK)
		st = gr_buf_append(&rest, list.begin, (size_t)(list.end - list.begin));
	if (st == INF_OK) {
		root = gr_json_parse_body(gr_buf_text(&rest), rest.len);
		st = root ? read_rest(root, are_probabilities, out) : INF_E_INTERNAL;
	}
	json_object_put(root);
	gr_buf_release(&rest);
	return st;
}

inf_status gr_wire_decode_choice(const char *body, size_t len, size_t wanted, struct gr_wire_choice *out, inf_error *err)
{
	inf_status st = decode(body, len, wanted, out);
	if (st == INF_E_NO_MEMORY)
		inf_fail(err, st, "no_memory", "out of memory for the probabilities of a token");
	else if (st != INF_OK)
		st = gr_json_bad_answer(err, body, len, "holds no token that could be read");
	return st;
}

void gr_wire_choice_release(struct gr_wire_choice *self)
{
	free(self->scores);
	gr_buf_release(&self->text);
	gr_buf_release(&self->likeliest_text);
	*self = (struct gr_wire_choice)GR_WIRE_CHOICE_INIT;
}
