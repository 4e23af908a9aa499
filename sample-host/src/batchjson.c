/* SPDX-License-Identifier: MIT */
#include "batchjson.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

static inf_status fail_at(json_tokener *tokener, inf_error *err)
{
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t at = json_tokener_get_parse_end(tokener);
	if (error == json_tokener_continue)
		return inf_fail(err, INF_E_INVALID, "json", "not JSON: the line ends before its object does");
	if (error == json_tokener_error_depth)
		return inf_fail(err, INF_E_INVALID, "json", "more than %d lists and objects inside each other",
				BATCHJSON_DEPTH);
	return inf_fail(err, INF_E_INVALID, "json", "not JSON: byte %zu: %s", at, json_tokener_error_desc(error));
}

static inf_status parse(json_tokener *tokener, const char *bytes, size_t len, json_object **out, inf_error *err)
{
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json_object *root = json_tokener_parse_ex(tokener, bytes, (int)len);
	inf_status st = INF_OK;
	if (json_tokener_get_error(tokener) != json_tokener_success)
		st = fail_at(tokener, err);
	else if (!json_object_is_type(root, json_type_object))
		st = inf_fail(err, INF_E_INVALID, "json", "the line is JSON, but no object: write {\"prompt\": ...}");
	else if (json_tokener_get_parse_end(tokener) != len)
		st = inf_fail(err, INF_E_INVALID, "json", "not JSON: byte %zu: something follows the object",
			      json_tokener_get_parse_end(tokener));
	if (st == INF_OK)
		*out = root;
	else
		json_object_put(root);
	return st;
}

static size_t skip_digits(const char *bytes, size_t len, size_t at)
{
	while (at < len && bytes[at] >= '0' && bytes[at] <= '9')
		at++;
	return at;
}

/* As RFC 8259 has it; *is_integer is without fraction and exponent. */
static bool is_number(const char *bytes, size_t len, bool *is_integer)
{
	size_t begin = bytes[0] == '-', end = skip_digits(bytes, len, begin);
	if (end == begin || (bytes[begin] == '0' && end > begin + 1))
		return false;
	*is_integer = end == len;
	if (end < len && bytes[end] == '.') {
		begin = end + 1;
		end = skip_digits(bytes, len, begin);
		if (end == begin)
			return false;
	}
	if (end < len && (bytes[end] == 'e' || bytes[end] == 'E')) {
		begin = end + 1;
		begin += begin < len && (bytes[begin] == '+' || bytes[begin] == '-');
		end = skip_digits(bytes, len, begin);
		if (end == begin)
			return false;
	}
	return end == len;
}

/* An integer; no leading zeros. */
static bool fits(const char *bytes, size_t len)
{
	const char *most = bytes[0] == '-' ? "-9223372036854775808" : "18446744073709551615";
	size_t most_len = strlen(most);
	return len < most_len || (len == most_len && memcmp(bytes, most, len) <= 0);
}

static size_t number_length(const char *bytes, size_t len)
{
	size_t n = 0;
	while (n < len && bytes[n] && strchr("+-.0123456789eE", bytes[n]))
		n++;
	return n;
}

static size_t string_length(const char *bytes, size_t len)
{
	size_t n = 1;
	while (n < len && bytes[n] != '"')
		n += 1 + (bytes[n] == '\\');
	return n + 1;
}

static inf_status check_number(const char *bytes, size_t len, size_t at, inf_error *err)
{
	bool is_integer = false;
	if (!is_number(bytes, len, &is_integer))
		return inf_fail(err, INF_E_INVALID, "number", "not JSON: byte %zu: such a number is not known to JSON",
				at);
	if (is_integer && !fits(bytes, len))
		return inf_fail(err, INF_E_INVALID, "number", "byte %zu: the integer does not fit into 64 bits: write "
				"it as a text", at);
	return INF_OK;
}

/* json-c takes NaN and "1." for numbers, and of an integer that is too large it makes the largest there is. So look at
 * the numbers of what it read; out of strings, an N or I can only begin NaN and Infinity. */
static inf_status check_numbers(const char *bytes, size_t len, inf_error *err)
{
	for (size_t at = 0, n; at < len; at += n) {
		char first = bytes[at];
		inf_status st = INF_OK;
		n = 1;
		if (first == '"') {
			n = string_length(bytes + at, len - at);
		} else if (first == 'N' || first == 'I' || first == '-' || (first >= '0' && first <= '9')) {
			n = number_length(bytes + at, len - at);
			st = check_number(bytes + at, n, at, err);
		}
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

inf_status batchjson_parse(const char *bytes, size_t len, json_object **out, inf_error *err)
{
	size_t good = utf8_check(bytes, len);
	if (good < len)
		return inf_fail(err, INF_E_INVALID, "utf8", "byte %zu is 0x%02x, which is not UTF-8 there: convert the "
				"file with iconv", good, (unsigned char)bytes[good]);
	if (len > INT_MAX)
		return inf_fail(err, INF_E_INVALID, "json", "more than %d bytes", INT_MAX);
	json_tokener *tokener = json_tokener_new_ex(BATCHJSON_DEPTH);
	if (!tokener)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory to read the line");
	json_object *root = NULL;
	inf_status st = parse(tokener, bytes, len, &root, err);
	json_tokener_free(tokener);
	if (st == INF_OK)
		st = check_numbers(bytes, len, err);
	if (st != INF_OK)
		json_object_put(root);
	else
		*out = root;
	return st;
}

const char *batchjson_print(json_object *value, size_t *len)
{
	*len = 4;
	if (!value)
		return "null";
	return json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, len);
}
