/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "utf8.h"
#include "wire_chat.h"

enum { BODY_MAX = 64 << 20 };

/* ---- json-c out of memory -------------------------------------------------------------------------------------- */
/* It allocates inside a shared library, out of failmalloc's reach, so the calls themselves are made to fail. */
static long json_countdown = -1;
static bool json_fired;

static void failjson_arm(long n)
{
	json_countdown = n;
	json_fired = false;
}

static bool failjson_disarm(void)
{
	json_countdown = -1;
	return json_fired;
}

static bool json_fails(void)
{
	if (json_countdown < 0 || json_countdown-- != 0)
		return false;
	json_fired = true;
	return true;
}

#define WRAP(type, name, on_failure, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params { return json_fails() ? (on_failure) : __real_##name args; }

WRAP(struct json_object *, json_object_new_object, NULL, (void), ())
WRAP(struct json_object *, json_object_new_array, NULL, (void), ())
WRAP(struct json_object *, json_object_new_string, NULL, (const char *s), (s))
WRAP(struct json_object *, json_object_new_string_len, NULL, (const char *s, int len), (s, len))
WRAP(struct json_object *, json_object_new_int, NULL, (int32_t i), (i))
WRAP(struct json_object *, json_object_new_int64, NULL, (int64_t i), (i))
WRAP(struct json_object *, json_object_new_double, NULL, (double d), (d))
WRAP(struct json_object *, json_object_new_boolean, NULL, (json_bool b), (b))
WRAP(int, json_object_object_add, -1, (struct json_object *o, const char *key, struct json_object *v), (o, key, v))
WRAP(int, json_object_array_add, -1, (struct json_object *o, struct json_object *v), (o, v))
WRAP(const char *, json_object_to_json_string_length, NULL, (struct json_object *o, int flags, size_t *len),
     (o, flags, len))
WRAP(struct json_tokener *, json_tokener_new_ex, NULL, (int depth), (depth))

/* ---- reading back ---------------------------------------------------------------------------------------------- */
static struct json_object *parse(const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(200);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	struct json_object *root = json_tokener_parse_ex(tokener, text, (int)len);
	ck_assert_msg(json_tokener_get_error(tokener) == json_tokener_success, "%.200s", text);
	ck_assert_uint_eq(json_tokener_get_parse_end(tokener), len);
	json_tokener_free(tokener);
	ck_assert(json_object_is_type(root, json_type_object));
	return root;
}

static struct json_object *parse_buf(const struct gr_buf *buf)
{
	return parse(gr_buf_text(buf), buf->len);
}

static struct json_object *get(struct json_object *root, const char *key)
{
	struct json_object *value = NULL;
	ck_assert_msg(json_object_object_get_ex(root, key, &value), "%s is missing", key);
	return value;
}

static bool has(struct json_object *root, const char *key)
{
	return json_object_object_get_ex(root, key, NULL);
}

static void check_text(struct json_object *value, const char *text, size_t len)
{
	ck_assert(json_object_is_type(value, json_type_string));
	ck_assert_int_eq(json_object_get_string_len(value), (int)len);
	ck_assert_mem_eq(json_object_get_string(value), text, len);
}

static void check_ids(struct json_object *list, const int32_t *ids, size_t count)
{
	ck_assert_uint_eq(json_object_array_length(list), count);
	for (size_t i = 0; i < count; i++)
		if (json_object_get_int64(json_object_array_get_idx(list, i)) != ids[i])
			ck_abort_msg("id %zu differs", i);
}

static int32_t *many_ids(size_t count)
{
	int32_t *ids = malloc(count * sizeof *ids);
	for (size_t i = 0; i < count; i++)
		ids[i] = (int32_t)((i * 2654435761u) % 262144u);
	return ids;
}

/* ---- encoders -------------------------------------------------------------------------------------------------- */
#define TEXT(literal) { literal, sizeof (literal) - 1 }

static const struct {
	const char *text;
	size_t len;
} texts[] = {
	TEXT(""), TEXT("hello"), TEXT("a\0b"), TEXT("\0"), TEXT("\0\0\0"), TEXT("quote \" backslash \\ slash /"),
	TEXT("line\nreturn\rtab\tbell\a\x01\x1f\x7f"), TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
	TEXT("\xef\xbf\xbf\xf4\x8f\xbf\xbf"), TEXT("</script>\xe2\x80\xa8\xe2\x80\xa9"), TEXT("\\u0041 %s %n {\"a\":1}"),
};

START_TEST(encode_tokenize_keeps_the_text)
{
	for (int flags = 0; flags < 4; flags++) {
		struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
		bool special = flags & 1, control = flags & 2;
		ck_assert_int_eq(gr_wire_encode_tokenize(&buf, texts[_i].text, texts[_i].len, special, control), INF_OK);
		struct json_object *root = parse_buf(&buf);
		check_text(get(root, "content"), texts[_i].text, texts[_i].len);
		ck_assert_int_eq(json_object_get_boolean(get(root, "add_special")), special);
		ck_assert_int_eq(json_object_get_boolean(get(root, "parse_special")), control);
		json_object_put(root);
		gr_buf_release(&buf);
	}
}
END_TEST

START_TEST(encode_tokenize_of_null_and_nothing_is_empty)
{
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_tokenize(&buf, NULL, 0, false, false), INF_OK);
	struct json_object *root = parse_buf(&buf);
	check_text(get(root, "content"), "", 0);
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_template_keeps_every_message)
{
	struct gr_wire_message messages[sizeof texts / sizeof texts[0]];
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	const size_t count = sizeof texts / sizeof texts[0];
	for (size_t i = 0; i < count; i++)
		messages[i] = (struct gr_wire_message){ .role = i % 2 ? "assistant" : "us\"er", .content = texts[i].text, .content_len = texts[i].len };
	ck_assert_int_eq(gr_wire_encode_template(&buf, messages, count), INF_OK);
	struct json_object *root = parse_buf(&buf), *list = get(root, "messages");
	ck_assert_uint_eq(json_object_array_length(list), count);
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		check_text(get(one, "role"), messages[i].role, strlen(messages[i].role));
		check_text(get(one, "content"), texts[i].text, texts[i].len);
	}
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_template_of_no_message_is_an_empty_list)
{
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_template(&buf, NULL, 0), INF_OK);
	ck_assert_str_eq(gr_buf_text(&buf), "{\"messages\":[]}");
	gr_buf_release(&buf);
}
END_TEST

static const size_t id_counts[] = { 0, 1, 2, 300000 };

START_TEST(encode_ids_keeps_order_and_number)
{
	size_t count = id_counts[_i];
	int32_t *ids = many_ids(count ? count : 1);
	struct gr_wire_completion request = { .prompt = ids, .prompt_count = count };
	struct gr_buf a = GR_BUF_INIT(BODY_MAX), b = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_detokenize(&a, ids, count), INF_OK);
	ck_assert_int_eq(gr_wire_encode_completion(&b, &request, NULL), INF_OK);
	struct json_object *tokens = parse_buf(&a), *completion = parse_buf(&b);
	check_ids(get(tokens, "tokens"), ids, count);
	check_ids(get(completion, "prompt"), ids, count);
	json_object_put(tokens);
	json_object_put(completion);
	gr_buf_release(&a);
	gr_buf_release(&b);
	free(ids);
}
END_TEST

static const int32_t suppressed[] = { 0, 7, INT32_MAX };

static struct gr_wire_completion full_completion(void)
{
	static const int32_t prompt[] = { 1, 2, 3 };
	return (struct gr_wire_completion){
		.prompt = prompt, .prompt_count = 3, .max_tokens = 17, .seed = UINT32_MAX - 1,
		.temperature = 0.7f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f,
		.repeat_penalty = 1.1f, .frequency_penalty = -0.5f, .presence_penalty = 0.25f,
		.suppress_tokens = suppressed, .suppress_token_count = 3, .grammar = "root ::= \"a\\n\"",
		.ignore_eos = true, .cache_prompt = true, .logprobs = true,
	};
}

static void check_number(struct json_object *root, const char *key, float value)
{
	ck_assert_msg((float)json_object_get_double(get(root, key)) == value, "%s", key);
}

START_TEST(encode_completion_says_everything_it_is_given)
{
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf);
	check_ids(get(root, "prompt"), request.prompt, 3);
	ck_assert_int_eq(json_object_get_int(get(root, "n_predict")), 17);
	ck_assert_int_eq(json_object_get_int64(get(root, "seed")), 4294967294);
	ck_assert_int_eq(json_object_get_int(get(root, "top_k")), 40);
	check_number(root, "temperature", 0.7f);
	check_number(root, "top_p", 0.95f);
	check_number(root, "min_p", 0.05f);
	check_number(root, "repeat_penalty", 1.1f);
	check_number(root, "frequency_penalty", -0.5f);
	check_number(root, "presence_penalty", 0.25f);
	ck_assert(json_object_get_boolean(get(root, "ignore_eos")));
	ck_assert(json_object_get_boolean(get(root, "cache_prompt")));
	ck_assert_int_eq(json_object_get_int(get(root, "n_probs")), 1);
	check_text(get(root, "grammar"), request.grammar, strlen(request.grammar));
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_completion_always_asks_for_a_watched_stream)
{
	static const char *const fields[] = {
		"stop_type", "truncated", "tokens_predicted", "tokens_evaluated", "timings/cache_n", "timings/prompt_ms",
		"timings/predicted_ms", "timings/draft_n", "timings/draft_n_accepted", "id_slot",
	};
	struct gr_wire_completion request = { 0 };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf), *list = get(root, "response_fields");
	ck_assert(json_object_get_boolean(get(root, "stream")));
	ck_assert(json_object_get_boolean(get(root, "return_progress")));
	ck_assert_int_eq(json_object_get_int(get(root, "sse_ping_interval")), 1);
	ck_assert_uint_eq(json_object_array_length(list), sizeof fields / sizeof fields[0]);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(list, i)), fields[i]);
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_completion_leaves_out_what_is_not_given)
{
	struct gr_wire_completion request = { 0 };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf);
	ck_assert(!has(root, "n_probs") && !has(root, "grammar") && !has(root, "json_schema") && !has(root, "logit_bias"));
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_completion_counts_min_tokens_by_a_grammar)
{
	static const struct { int32_t n; const char *root; } min[] = {
		{ 1, "root ::= m{0} k{0} t{1} t*" }, { 1499, "root ::= m{0} k{0} t{1499} t*" },
		{ 1500, "root ::= m{0} k{1} t{0} t*" }, { 2250000, "root ::= m{1} k{0} t{0} t*" },
		{ INT32_MAX, "root ::= m{954} k{655} t{1147} t*" },
	};
	for (size_t i = 0; i < sizeof min / sizeof min[0]; i++) {
		struct gr_wire_completion request = { .min_tokens = min[i].n };
		struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
		ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
		struct json_object *root = parse_buf(&buf);
		const char *grammar = json_object_get_string(get(root, "grammar"));
		ck_assert_msg(strncmp(grammar, min[i].root, strlen(min[i].root)) == 0, "%s", grammar);
		ck_assert_ptr_nonnull(strstr(grammar, "\nt ::= !<[2147483647]> | [^\\x00-\\x7F] <[2147483647]>\n"));
		json_object_put(root);
		gr_buf_release(&buf);
	}
}
END_TEST

/* Options as options.c makes them. */
static const struct gr_request_options *full_options(void)
{
	static const inf_option real = { .key = "typical_p", .type = INF_OPTION_REAL };
	static const inf_option integer = { .key = "mirostat", .type = INF_OPTION_INT };
	static const struct gr_request_options options = {
		.numbers = { { .option = &real, .value.real = 0.1 }, { .option = &integer, .value.integer = 2 } },
		.number_count = 2,
		.dry_sequence_breakers = " [\"\\n\", \"\\\"\"] ", .samplers = "top_k;temperature",
		.logit_bias = "15:2.5,16:false", .slot = 1,
	};
	return &options;
}

static void check_words(struct json_object *list, const char *first, const char *second)
{
	ck_assert_uint_eq(json_object_array_length(list), 2);
	ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(list, 0)), first);
	ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(list, 1)), second);
}

START_TEST(encode_completion_gives_options_by_their_names)
{
	struct gr_wire_completion request = { .options = full_options() };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf);
	ck_assert_double_eq(json_object_get_double(get(root, "typical_p")), 0.1);
	ck_assert_int_eq(json_object_get_int(get(root, "mirostat")), 2);
	ck_assert_int_eq(json_object_get_int(get(root, "id_slot")), 1);
	check_words(get(root, "samplers"), "top_k", "temperature");
	check_words(get(root, "dry_sequence_breakers"), "\n", "\"");
	ck_assert_str_eq(json_object_to_json_string_ext(get(root, "logit_bias"), JSON_C_TO_STRING_PLAIN), "[[15,2.5],[16,false]]");
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_completion_joins_suppressed_tokens_and_biases)
{
	struct gr_wire_completion request = { .options = full_options(), .suppress_tokens = suppressed, .suppress_token_count = 2 };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf);
	ck_assert_str_eq(json_object_to_json_string_ext(get(root, "logit_bias"), JSON_C_TO_STRING_PLAIN),
			 "[[0,false],[7,false],[15,2.5],[16,false]]");
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

static const char *const bad_breakers[] = { "[]", "{}", "\"x\"", "[1]", "[\"\"]", "[\"a\",null]", "[\"a\"", "[\"a\"]]", "a",
					    "[\"\xff\"]" };

START_TEST(encode_completion_refuses_breakers_that_are_no_texts)
{
	struct gr_request_options options = { .dry_sequence_breakers = bad_breakers[_i], .slot = -1 };
	struct gr_wire_completion request = { .options = &options };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_value");
	ck_assert_ptr_nonnull(strstr(err.message, "dry_sequence_breakers"));
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_completion_bans_suppressed_tokens)
{
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf), *list = get(root, "logit_bias");
	ck_assert_uint_eq(json_object_array_length(list), 3);
	for (size_t i = 0; i < 3; i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		ck_assert_uint_eq(json_object_array_length(pair), 2);
		ck_assert_int_eq(json_object_get_int(json_object_array_get_idx(pair, 0)), suppressed[i]);
		ck_assert(json_object_is_type(json_object_array_get_idx(pair, 1), json_type_boolean));
		ck_assert(!json_object_get_boolean(json_object_array_get_idx(pair, 1)));
	}
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

static const char *const good_schemas[] = {
	"{}", " \n{ } \n", "{\"type\":\"object\",\"properties\":{\"caf\xc3\xa9\":{\"type\":\"string\",\"maxLength\":5}}}",
	"{\"enum\":[\"/\",\"\\u0000\",\"\\ud83d\\ude00\",9007199254740993,-1,0.25,true,null]}",
};

START_TEST(encode_completion_embeds_a_schema_as_it_is)
{
	struct gr_wire_completion request = { .json_schema = good_schemas[_i] };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	struct json_object *root = parse_buf(&buf), *expected = json_tokener_parse(good_schemas[_i]);
	ck_assert(json_object_equal(get(root, "json_schema"), expected));
	json_object_put(expected);
	json_object_put(root);
	gr_buf_release(&buf);
}
END_TEST

/* Objects in objects need two levels each. */
static const int schema_depths[] = { 8, 20, 40 };

START_TEST(encode_completion_takes_a_deep_schema)
{
	char schema[4096] = "";
	for (int i = 0; i < schema_depths[_i]; i++)
		strcat(schema, "{\"type\":\"object\",\"properties\":{\"p\":");
	strcat(schema, "{}");
	for (int i = 0; i < schema_depths[_i]; i++)
		strcat(schema, "}}");
	struct gr_wire_completion request = { .json_schema = schema };
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_wire_encode_completion(&buf, &request, &err) == INF_OK, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(gr_buf_text(&buf), schema));
	gr_buf_release(&buf);
}
END_TEST

/* ---- media ----------------------------------------------------------------------------------------------------- */
static void add_media(struct gr_wire_completion *request)
{
	static const struct gr_wire_media media[] = { { "", 0 }, { "\0\xff\x10", 3 }, { "hello", 5 } };
	request->prompt_text = "see {}\" {}{}\0.";
	request->prompt_text_len = 13;
	request->media = media;
	request->media_count = 3;
}

START_TEST(encode_completion_with_media_sends_text_and_files)
{
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	static const char begin[] = "{\"prompt\":{\"prompt_string\":\"see {}\\\" {}{}\\u0000\",\"multimodal_data\":[\"\","
				    "\"AP8Q\",\"aGVsbG8=\"]},\"n_predict\":";
	add_media(&request);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	ck_assert_msg(strncmp(gr_buf_text(&buf), begin, strlen(begin)) == 0, "%s", gr_buf_text(&buf));
	json_object_put(parse_buf(&buf));
	gr_buf_release(&buf);
}
END_TEST

static const struct { const char *bytes; size_t len; const char *text; } base64_cases[] = {
	{ "f", 1, "Zg==" }, { "fo", 2, "Zm8=" }, { "foo", 3, "Zm9v" }, { "foob", 4, "Zm9vYg==" }, { "fooba", 5, "Zm9vYmE=" },
	{ "foobar", 6, "Zm9vYmFy" }, { "\xfb\xff\xbf", 3, "+/+/" }, { "\0\0\0", 3, "AAAA" },
};

START_TEST(media_are_base64)
{
	const struct gr_wire_media medium = { base64_cases[_i].bytes, base64_cases[_i].len };
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	char expected[64];
	request.prompt_text = "";
	request.media = &medium;
	request.media_count = 1;
	snprintf(expected, sizeof expected, "\"multimodal_data\":[\"%s\"]}", base64_cases[_i].text);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
	ck_assert_ptr_nonnull(strstr(gr_buf_text(&buf), expected));
	gr_buf_release(&buf);
}
END_TEST

/* Longer than the piece that is encoded at once, by each of the ways to end. */
START_TEST(long_media_are_base64)
{
	enum { LONG = 5000 };
	static unsigned char bytes[LONG];
	static const char pattern[] = "IiIi";	/* of 0x22, three at a time */
	memset(bytes, 0x22, sizeof bytes);
	for (size_t len = LONG - 3; len <= LONG; len++) {
		const struct gr_wire_media medium = { bytes, len };
		struct gr_wire_completion request = full_completion();
		struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
		request.prompt_text = "";
		request.media = &medium;
		request.media_count = 1;
		ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_OK);
		const char *text = strstr(gr_buf_text(&buf), "[\"") + 2;
		for (size_t i = 0; i < len / 3 * 4; i++)
			ck_assert_int_eq(text[i], pattern[i % 4]);
		ck_assert_int_eq(text[(len + 2) / 3 * 4], '"');
		gr_buf_release(&buf);
	}
}
END_TEST

static const char *const bad_schemas[] = {
	"", " ", "{", "}", "[]", "[{}]", "\"text\"", "1", "true", "null", "nonsense", "{\"a\"}", "{\"a\":}", "{\"a\":1",
	"{} trailing", "{}}", "{}{}", "{\"a\":1,}", "{\"a\":[1,]}",
};

START_TEST(encode_completion_refuses_a_schema_that_is_no_json_object)
{
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	inf_error err = { .struct_size = sizeof err };
	request.grammar = NULL;
	request.json_schema = bad_schemas[_i];
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, &err), INF_E_INVALID);
	ck_assert_int_eq(err.code, INF_E_INVALID);
	ck_assert_str_eq(err.reason, "json_schema");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_past_the_cap_of_the_buffer_fails)
{
	struct gr_wire_completion request = full_completion();
	struct gr_buf buf = GR_BUF_INIT(20);
	ck_assert_int_eq(gr_wire_encode_tokenize(&buf, "a long enough text", 18, true, true), INF_E_INTERNAL);
	ck_assert_int_eq(gr_wire_encode_completion(&buf, &request, NULL), INF_E_INTERNAL);
	gr_buf_release(&buf);
}
END_TEST

static const float scales[] = { 0, -0.5f, 1.25f };

START_TEST(encode_adapters_lists_every_scale)
{
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_adapters(&buf, scales, 3), INF_OK);
	ck_assert_str_eq(buf.data, "[{\"id\":0,\"scale\":0.0},{\"id\":1,\"scale\":-0.5},{\"id\":2,\"scale\":1.25}]");
	gr_buf_release(&buf);
}
END_TEST

START_TEST(encode_slot_file_names_the_file)
{
	struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_slot_file(&buf, "a.state"), INF_OK);
	ck_assert_str_eq(buf.data, "{\"filename\":\"a.state\"}");
	gr_buf_release(&buf);
}
END_TEST

static inf_status encode_everything(struct gr_buf *out)
{
	static char calls[] = "[{\"id\":\"x\"}]";
	static const struct gr_wire_message messages[] = {
		{ .role = "user", .content = "hello", .content_len = 5 },
		{ .role = "assistant", .content = "a\0b", .content_len = 3, .tool_calls = calls, .tool_call_id = "x" },
	};
	static const struct gr_wire_chat chat = {
		.tools = "[]", .tool_choice = "auto", .thinking = GR_WIRE_THINKING_ON, .thinking_budget = 1,
	};
	struct gr_wire_completion request = full_completion(), least = { .min_tokens = 1 };
	request.options = full_options();
	inf_status st = gr_wire_encode_tokenize(out, "text", 4, true, false);
	if (st == INF_OK)
		st = gr_wire_encode_detokenize(out, suppressed, 3);
	if (st == INF_OK)
		st = gr_wire_encode_template(out, messages, 2);
	if (st == INF_OK)
		st = gr_wire_encode_completion(out, &request, NULL);
	if (st == INF_OK)
		st = gr_wire_encode_chat_template(out, messages, 2, &chat);
	if (st == INF_OK)
		st = gr_wire_encode_chat(out, &request, messages, 2, &chat, NULL);
	add_media(&request);
	request.probe = &(struct gr_wire_probe){ .wanted = 3, .favoured = suppressed, .favoured_count = 2, .among_favoured = true };
	if (st == INF_OK)
		st = gr_wire_encode_completion(out, &request, NULL);
	if (st == INF_OK)
		st = gr_wire_encode_completion(out, &least, NULL);
	if (st == INF_OK)
		st = gr_wire_encode_adapters(out, scales, 3);
	if (st == INF_OK)
		st = gr_wire_encode_slot_file(out, "a.state");
	return st;
}

START_TEST(encoders_survive_oom)
{
	for (long n = 0;; n++) {
		struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
		failmalloc_arm(n);
		inf_status st = encode_everything(&buf);
		bool fired = failmalloc_disarm();
		gr_buf_release(&buf);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(encoders_survive_json_c_oom)
{
	for (long n = 0;; n++) {
		struct gr_buf buf = GR_BUF_INIT(BODY_MAX);
		failjson_arm(n);
		inf_status st = encode_everything(&buf);
		bool fired = failjson_disarm();
		ck_assert_msg(st == (fired ? INF_E_NO_MEMORY : INF_OK), "call %ld: %d %s", n, st, gr_buf_text(&buf));
		gr_buf_release(&buf);
		if (!fired)
			break;
	}
}
END_TEST

/* ---- decoders: what nobody should send ------------------------------------------------------------------------- */
static const struct {
	const char *body;
	size_t len;
} no_objects[] = {
	TEXT(""), TEXT(" "), TEXT("\n\n"), TEXT("true"), TEXT("123"), TEXT("-1e999"), TEXT("\"tokens\""), TEXT("[]"),
	TEXT("[{\"tokens\":[1]}]"), TEXT("{"), TEXT("}"), TEXT("{]"), TEXT("{\"a\"}"), TEXT("{\"a\":}"), TEXT("{\"a\":1"),
	TEXT("{\"a\":\"unfinished"), TEXT("{\"a\":\"\\"), TEXT("{\"a\":\"\\u12"), TEXT("{\"a\":\"\\x\"}"),
	TEXT("{\"a\":tru}"),
	TEXT("{\"a\":1}garbage"), TEXT("{}{}"), TEXT("{\"a\":1}]"), TEXT("nul"), TEXT("nulll"), TEXT("NULL"), TEXT("\0"),
	TEXT("\0{}"), TEXT("\xff\xfe{\0}\0"), TEXT("\xef\xbb\xbf{"), TEXT("<html><body>502 Bad Gateway</body></html>"),
	TEXT("data: {}"),
};

enum { NO_OBJECTS = sizeof no_objects / sizeof no_objects[0] };

static void check_refused(inf_status st, const inf_error *err)
{
	ck_assert_int_eq(st, INF_E_INTERNAL);
	ck_assert_int_eq(err->code, INF_E_INTERNAL);
	ck_assert_str_eq(err->reason, "server_answer");
	ck_assert_ptr_eq(strstr(err->message, "llama-server's answer"), err->message);
}

/* Give the same bytes to every decoder; an allocation of the exact size lets a sanitizer see a read past the end. */
static void check_all_refuse(const char *bytes, size_t len)
{
	char *body = malloc(len ? len : 1);
	int32_t *tokens = NULL;
	size_t count = 4711;
	struct gr_wire_props props = { .slots = 4711 };
	struct gr_wire_error error = { .code = 4711 };
	struct gr_wire_event event;
	struct gr_wire_stream *stream = gr_wire_stream_new();
	struct gr_buf text = GR_BUF_INIT(BODY_MAX);
	inf_error err = { .struct_size = sizeof err };
	memcpy(body, bytes, len);

	check_refused(gr_wire_decode_tokens(body, len, &tokens, &count, &err), &err);
	ck_assert(!tokens && count == 4711);
	check_refused(gr_wire_decode_text(body, len, "content", &text, &err), &err);
	ck_assert_uint_eq(text.len, 0);
	check_refused(gr_wire_decode_props(body, len, &props, &err), &err);
	ck_assert_int_eq(props.slots, 4711);
	ck_assert(!gr_wire_decode_error(body, len, &error));
	ck_assert_int_eq(error.code, 4711);
	check_refused(gr_wire_stream_decode(stream, body, len, &event, &err), &err);
	ck_assert_int_eq(event.kind, GR_WIRE_NOTHING);

	gr_wire_stream_free(stream);
	gr_buf_release(&text);
	free(body);
}

START_TEST(decode_of_no_object_is_refused_by_all)
{
	check_all_refuse(no_objects[_i].body, no_objects[_i].len);
}
END_TEST

static const struct {
	const char *open;
	size_t count;
} deep_cases[] = { { "[", 100000 }, { "{\"a\":", 100000 }, { "{\"a\":[", 50000 }, { "{\"tokens\":[", 33 } };

START_TEST(decode_of_deep_nesting_is_refused_by_all)
{
	size_t width = strlen(deep_cases[_i].open), len = width * deep_cases[_i].count;
	char *body = malloc(len);
	for (size_t i = 0; i < len; i++)
		body[i] = deep_cases[_i].open[i % width];
	check_all_refuse(body, len);
	free(body);
}
END_TEST

/* The message quotes the answer: it stays one line of UTF-8 whatever was quoted. */
START_TEST(decode_refusal_quotes_whole_code_points)
{
	static const char *const points[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
	size_t width = strlen(points[_i]);
	inf_error err = { .struct_size = sizeof err };
	for (size_t before = 0; before < 4; before++) {
		char body[600];
		size_t len = 0, count;
		int32_t *tokens;
		while (len < before)
			body[len++] = '\n';
		while (len + width < sizeof body) {
			memcpy(body + len, points[_i], width);
			len += width;
		}
		check_refused(gr_wire_decode_tokens(body, len, &tokens, &count, &err), &err);
		ck_assert_ptr_null(strchr(err.message, '\n'));
		ck_assert(gr_utf8_valid(err.message, strlen(err.message)));
	}
}
END_TEST

/* ---- decoders: answers ----------------------------------------------------------------------------------------- */
static const struct {
	const char *body;
	inf_status status;
	size_t count;
	int32_t ids[4];
} token_cases[] = {
	{ "{\"tokens\":[]}", INF_OK, 0, { 0 } },
	{ "{\"tokens\":[15043]}", INF_OK, 1, { 15043 } },
	{ " { \"other\" : {} , \"tokens\" : [ 1 , 2 , 3 ] } ", INF_OK, 3, { 1, 2, 3 } },
	{ "{\"tokens\":[2147483647,2147483648,-2147483649]}", INF_OK, 3, { INT32_MAX, INT32_MAX, INT32_MIN } },
	{ "{\"tokens\":[9223372036854775807,99999999999999999999999999]}", INF_OK, 2, { INT32_MAX, INT32_MAX } },
	{ "{}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"Tokens\":[1]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":null}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":5}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":\"[1]\"}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":{\"0\":1}}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[1,null]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[1,\"2\"]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[1,2.5]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[1,[2]]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[true]}", INF_E_INTERNAL, 0, { 0 } },
	{ "{\"tokens\":[{\"id\":319,\"piece\":\" A\"}]}", INF_E_INTERNAL, 0, { 0 } },
};

START_TEST(decode_tokens_wants_a_list_of_integers)
{
	int32_t *tokens = NULL;
	size_t count = 0;
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_wire_decode_tokens(token_cases[_i].body, strlen(token_cases[_i].body), &tokens, &count, &err);
	if (token_cases[_i].status != INF_OK) {
		check_refused(st, &err);
		ck_assert_ptr_null(tokens);
		return;
	}
	ck_assert_int_eq(st, INF_OK);
	ck_assert_uint_eq(count, token_cases[_i].count);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(tokens[i], token_cases[_i].ids[i]);
	free(tokens);
}
END_TEST

START_TEST(encode_detokenize_writes_ids_of_any_length)
{
	static const int32_t ids[] = { INT32_MIN, -1, 0, 9, 10, 32000, INT32_MAX };
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_detokenize(&body, ids, sizeof ids / sizeof ids[0]), INF_OK);
	ck_assert_str_eq(gr_buf_text(&body), "{\"tokens\":[-2147483648,-1,0,9,10,32000,2147483647]}");
	gr_buf_release(&body);
}
END_TEST

START_TEST(decode_tokens_of_a_long_list_keeps_all)
{
	const size_t count = 300000;
	int32_t *ids = many_ids(count), *tokens = NULL;
	size_t found = 0;
	struct gr_buf body = GR_BUF_INIT(BODY_MAX);
	ck_assert_int_eq(gr_wire_encode_detokenize(&body, ids, count), INF_OK);
	ck_assert_int_eq(gr_wire_decode_tokens(body.data, body.len, &tokens, &found, NULL), INF_OK);
	ck_assert_uint_eq(found, count);
	ck_assert_mem_eq(tokens, ids, count * sizeof *ids);
	gr_buf_release(&body);
	free(tokens);
	free(ids);
}
END_TEST

static const struct {
	const char *body, *text;
	size_t len;
} text_cases[] = {
	{ "{\"content\":\"\"}", "", 0 },
	{ "{\"content\":\"<s> Hello\"}", "<s> Hello", 9 },
	{ "{\"content\":\"a\\u0000b\"}", "a\0b", 3 },
	{ "{\"content\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9 },
	{ "{\"content\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t", 8 },
	{ "{\"content\":\"\\ud800\"}", "\xef\xbf\xbd", 3 },
	{ "{\"content\":null}", NULL, 0 },
	{ "{\"content\":5}", NULL, 0 },
	{ "{\"content\":[\"a\"]}", NULL, 0 },
	{ "{\"content\":{\"a\":\"b\"}}", NULL, 0 },
	{ "{\"prompt\":\"a\"}", NULL, 0 },
};

START_TEST(decode_text_appends_the_string)
{
	struct gr_buf out = GR_BUF_INIT(BODY_MAX);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_buf_puts(&out, "before"), INF_OK);
	inf_status st = gr_wire_decode_text(text_cases[_i].body, strlen(text_cases[_i].body), "content", &out, &err);
	if (text_cases[_i].text) {
		ck_assert_int_eq(st, INF_OK);
		ck_assert_uint_eq(out.len, 6 + text_cases[_i].len);
		ck_assert_mem_eq(out.data + 6, text_cases[_i].text, text_cases[_i].len);
	} else {
		check_refused(st, &err);
		ck_assert_str_eq(gr_buf_text(&out), "before");
	}
	gr_buf_release(&out);
}
END_TEST

START_TEST(decode_text_past_the_cap_is_an_error_with_a_text)
{
	static const char body[] = "{\"content\":\"twelve bytes\"}";
	struct gr_buf fits = GR_BUF_INIT(12), small = GR_BUF_INIT(11);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_wire_decode_text(body, sizeof body - 1, "content", &fits, &err), INF_OK);
	ck_assert_int_eq(gr_wire_decode_text(body, sizeof body - 1, "content", &small, &err), INF_E_INTERNAL);
	ck_assert_int_eq(err.code, INF_E_INTERNAL);
	ck_assert_str_ne(err.message, "");
	gr_buf_release(&fits);
	gr_buf_release(&small);
}
END_TEST

static const struct {
	const char *body;
	int64_t tokens, bytes;		/* -1 = refused */
} slot_cases[] = {
	{ "{\"id_slot\":0,\"filename\":\"a\",\"n_saved\":205,\"n_written\":108344}", 205, 108344 },
	{ "{\"n_restored\":205,\"n_read\":5000000000}", 205, 5000000000 },
	{ "{\"n_saved\":0,\"n_written\":36}", 0, 36 },
	{ "{\"n_saved\":205,\"n_read\":7}", -1, -1 },
	{ "{\"n_saved\":\"205\",\"n_written\":7}", -1, -1 },
	{ "{\"n_saved\":-1,\"n_written\":7}", -1, -1 },
	{ "{\"n_saved\":5,\"n_written\":-7}", -1, -1 },
	{ "{\"n_saved\":99999999999,\"n_written\":7}", -1, -1 },
	{ "{}", -1, -1 },
};

START_TEST(decode_slot_wants_both_numbers)
{
	struct gr_wire_slot slot = { -7, -7 };
	inf_error err = { .struct_size = sizeof err };
	const char *body = slot_cases[_i].body;
	inf_status st = gr_wire_decode_slot(body, strlen(body), &slot, &err);
	if (slot_cases[_i].tokens < 0) {
		check_refused(st, &err);
		ck_assert_int_eq(slot.tokens, -7);
		return;
	}
	ck_assert_int_eq(st, INF_OK);
	ck_assert_int_eq(slot.tokens, slot_cases[_i].tokens);
	ck_assert_int_eq(slot.bytes, slot_cases[_i].bytes);
}
END_TEST

static const struct {
	const char *body;
	struct gr_wire_props props;
} props_cases[] = {
	{ "{}", { 0 } },
	{ "{\"total_slots\":4,\"default_generation_settings\":{\"n_ctx\":1024},\"build_info\":\"b11669-Debian\"}",
	  { .slots = 4, .context_len = 1024, .build = "b11669-Debian" } },
	{ "{\"role\":\"router\"}", { .router = true } },
	{ "{\"role\":\"router and more than that\"}", { 0 } },
	{ "{\"role\":\"model\"}", { 0 } },
	{ "{\"total_slots\":\"4\",\"default_generation_settings\":[1],\"build_info\":7,\"role\":true}", { 0 } },
	{ "{\"total_slots\":null,\"default_generation_settings\":null,\"build_info\":null,\"role\":null}", { 0 } },
	{ "{\"total_slots\":99999999999999999999,\"default_generation_settings\":{\"n_ctx\":-99999999999}}",
	  { .slots = INT32_MAX, .context_len = INT32_MIN } },
	{ "{\"modalities\":{\"vision\":true,\"audio\":false,\"video\":true},\"media_marker\":\"<__media_x__>\"}",
	  { .vision = true, .video = true, .media_marker = "<__media_x__>" } },
	{ "{\"modalities\":{\"audio\":true}}", { .audio = true, .media_marker = "<__media__>" } },
	{ "{\"modalities\":{\"vision\":false}}", { 0 } },
	{ "{\"modalities\":{\"vision\":1,\"audio\":\"true\",\"video\":null},\"media_marker\":5}", { 0 } },
	{ "{\"modalities\":[true],\"media_marker\":null}", { 0 } },
	{ "{\"total_slots\":4.5,\"default_generation_settings\":{\"n_ctx\":1e9}}", { 0 } },
};

START_TEST(decode_props_takes_what_has_the_right_type)
{
	struct gr_wire_props props;
	const char *body = props_cases[_i].body;
	ck_assert_int_eq(gr_wire_decode_props(body, strlen(body), &props, NULL), INF_OK);
	ck_assert_int_eq(props.slots, props_cases[_i].props.slots);
	ck_assert_int_eq(props.context_len, props_cases[_i].props.context_len);
	ck_assert(props.router == props_cases[_i].props.router);
	ck_assert_str_eq(props.build, props_cases[_i].props.build);
	ck_assert(props.vision == props_cases[_i].props.vision);
	ck_assert(props.audio == props_cases[_i].props.audio);
	ck_assert(props.video == props_cases[_i].props.video);
	ck_assert_str_eq(props.media_marker, props_cases[_i].props.media_marker);
}
END_TEST

static const struct {
	const char *body;
	bool thinks;
} thinking_cases[] = {
	{ "{\"chat_template\":\"{% if enable_thinking %}\"}", true },
	{ "{\"chat_template\":\"[THINK]\"}", true },
	{ "{\"chat_template\":\"{{ reasoning_effort }}\"}", true },
	{ "{\"chat_template\":\"{% for m in messages %}{{ m.content }}{% endfor %}\"}", false },
	{ "{\"chat_template\":\"\",\"build_info\":\"think\"}", false },
	{ "{\"chat_template\":null}", true },
	{ "{}", true },
};

START_TEST(decode_props_hears_a_word_of_thinking)
{
	struct gr_wire_props props;
	const char *body = thinking_cases[_i].body;
	ck_assert_int_eq(gr_wire_decode_props(body, strlen(body), &props, NULL), INF_OK);
	ck_assert(props.thinks == thinking_cases[_i].thinks);
}
END_TEST

START_TEST(decode_props_cuts_a_long_build_at_a_code_point)
{
	struct gr_wire_props props;
	for (size_t before = 0; before < 4; before++) {
		char body[512];
		size_t len = (size_t)snprintf(body, sizeof body, "{\"build_info\":\"%.*s", (int)before, "...");
		for (int i = 0; i < 50; i++)
			len += (size_t)snprintf(body + len, sizeof body - len, "\xe2\x82\xac");
		len += (size_t)snprintf(body + len, sizeof body - len, "\"}");
		ck_assert_int_eq(gr_wire_decode_props(body, len, &props, NULL), INF_OK);
		ck_assert(gr_utf8_valid(props.build, strlen(props.build)));
		ck_assert_uint_ge(strlen(props.build), sizeof props.build - 3);
	}
}
END_TEST

static const struct {
	const char *body;
	bool found;
	struct gr_wire_error error;
} error_cases[] = {
	{ "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}", true,
	  { 503, -1, -1, "unavailable_error", "Loading model" } },
	{ "{\"error\":{\"code\":400,\"message\":\"too long\",\"type\":\"exceed_context_size_error\","
	  "\"n_prompt_tokens\":2000,\"n_ctx\":1024}}", true, { 400, 2000, 1024, "exceed_context_size_error", "too long" } },
	{ "{\"error\":{}}", true, { 0, -1, -1, "", "" } },
	{ "{\"error\":{\"code\":\"400\",\"message\":{},\"type\":[],\"n_ctx\":null}}", true, { 0, -1, -1, "", "" } },
	{ "{\"error\":{\"code\":1e300,\"n_prompt_tokens\":9223372036854775807}}", true, { 0, INT64_MAX, -1, "", "" } },
	{ "{}", false, { 0 } },
	{ "{\"error\":null}", false, { 0 } },
	{ "{\"error\":\"text\"}", false, { 0 } },
	{ "{\"error\":[{\"code\":1}]}", false, { 0 } },
};

static void check_error(const struct gr_wire_error *found, const struct gr_wire_error *expected)
{
	ck_assert_int_eq(found->code, expected->code);
	ck_assert_int_eq(found->prompt_tokens, expected->prompt_tokens);
	ck_assert_int_eq(found->context_len, expected->context_len);
	ck_assert_str_eq(found->type, expected->type);
	ck_assert_str_eq(found->message, expected->message);
}

START_TEST(decode_error_takes_what_has_the_right_type)
{
	struct gr_wire_error error;
	const char *body = error_cases[_i].body;
	ck_assert(gr_wire_decode_error(body, strlen(body), &error) == error_cases[_i].found);
	if (error_cases[_i].found)
		check_error(&error, &error_cases[_i].error);
}
END_TEST

START_TEST(decode_error_cuts_long_texts)
{
	char body[8192], text[4000];
	struct gr_wire_error error;
	memset(text, 'm', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	int len = snprintf(body, sizeof body, "{\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}", text, text);
	ck_assert(gr_wire_decode_error(body, (size_t)len, &error));
	ck_assert_uint_eq(strlen(error.type), sizeof error.type - 1);
	ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
}
END_TEST

/* ---- the stream ------------------------------------------------------------------------------------------------ */
#define TOKEN_EVENT "{\"index\":0,\"content\":\" multimedia\",\"tokens\":[19004],\"stop\":false,\"id_slot\":-1," \
	"\"tokens_predicted\":2,\"tokens_evaluated\":2}"
#define LOGPROB_EVENT "{\"index\":0,\"content\":\"x\",\"tokens\":[5],\"tokens_predicted\":3," \
	"\"completion_probabilities\":[{\"id\":5,\"token\":\"x\",\"bytes\":[120],\"logprob\":-0.25,\"top_logprobs\":[]}]}"
#define PROGRESS_EVENT "{\"index\":0,\"content\":\"\",\"tokens\":[0],\"stop\":false,\"id_slot\":-1," \
	"\"tokens_predicted\":0,\"tokens_evaluated\":1900,\"prompt_progress\":{\"total\":1900,\"cache\":256," \
	"\"processed\":512,\"time_ms\":77}}"
#define FINAL_EVENT "{\"stop_type\":\"limit\",\"truncated\":true,\"tokens_predicted\":17,\"tokens_evaluated\":1900," \
	"\"timings/cache_n\":1024,\"timings/prompt_ms\":12.5,\"timings/predicted_ms\":7," \
	"\"timings/draft_n\":12,\"timings/draft_n_accepted\":9}"
#define ERROR_EVENT "{\"error\":{\"code\":500,\"message\":\"Context size has been exceeded.\"," \
	"\"type\":\"server_error\"}}"

static const char *const real_events[] = { TOKEN_EVENT, LOGPROB_EVENT, PROGRESS_EVENT, FINAL_EVENT, ERROR_EVENT };

static struct gr_wire_stream *stream;

static void setup_stream(void)
{
	stream = gr_wire_stream_new();
	ck_assert_ptr_nonnull(stream);
}

static void teardown_stream(void)
{
	gr_wire_stream_free(stream);
}

static struct gr_wire_event decode(const char *data)
{
	struct gr_wire_event event;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_wire_stream_decode(stream, data, strlen(data), &event, &err) == INF_OK, "%s", err.message);
	return event;
}

START_TEST(event_token_gives_text_and_id)
{
	struct gr_wire_event event = decode(TOKEN_EVENT);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert_str_eq(event.text, " multimedia");
	ck_assert_uint_eq(event.text_len, 11);
	ck_assert_int_eq(event.id, 19004);
	ck_assert_int_eq(event.predicted, 2);
	ck_assert_int_eq(event.evaluated, 2);
	ck_assert(!event.has_logprob);
	ck_assert_int_eq(event.cached, -1);
}
END_TEST

START_TEST(event_token_with_probabilities_gives_the_logprob)
{
	struct gr_wire_event event = decode(LOGPROB_EVENT);
	ck_assert_int_eq(event.kind, GR_WIRE_TOKEN);
	ck_assert(event.has_logprob);
	ck_assert_float_eq(event.logprob, -0.25f);
}
END_TEST

START_TEST(event_progress_is_no_token)
{
	struct gr_wire_event event = decode(PROGRESS_EVENT);
	ck_assert_int_eq(event.kind, GR_WIRE_NOTHING);
	ck_assert_int_eq(event.cached, 256);
	ck_assert_int_eq(event.id, -1);
	ck_assert_uint_eq(event.text_len, 0);
}
END_TEST

START_TEST(event_final_gives_the_numbers)
{
	struct gr_wire_event event = decode(FINAL_EVENT);
	ck_assert_int_eq(event.kind, GR_WIRE_FINAL);
	ck_assert_int_eq(event.stop, GR_WIRE_STOP_LIMIT);
	ck_assert(event.truncated);
	ck_assert_int_eq(event.predicted, 17);
	ck_assert_int_eq(event.evaluated, 1900);
	ck_assert_int_eq(event.cached, 1024);
	ck_assert_int_eq(event.drafted, 12);
	ck_assert_int_eq(event.accepted, 9);
	ck_assert_double_eq(event.prefill_ms, 12.5);
	ck_assert_double_eq(event.decode_ms, 7);
}
END_TEST

START_TEST(event_final_without_numbers_says_unknown)
{
	struct gr_wire_event event = decode("{\"stop_type\":\"eos\"}");
	ck_assert_int_eq(event.kind, GR_WIRE_FINAL);
	ck_assert(!event.truncated);
	ck_assert_int_eq(event.predicted, -1);
	ck_assert_int_eq(event.evaluated, -1);
	ck_assert_int_eq(event.cached, -1);
	ck_assert_int_eq(event.drafted, -1);
	ck_assert_int_eq(event.accepted, -1);
	ck_assert_double_lt(event.prefill_ms, 0);
	ck_assert_double_lt(event.decode_ms, 0);
}
END_TEST

static const struct {
	const char *type;
	enum gr_wire_stop stop;
} stop_cases[] = {
	{ "eos", GR_WIRE_STOP_EOS }, { "word", GR_WIRE_STOP_WORD }, { "limit", GR_WIRE_STOP_LIMIT },
	{ "none", GR_WIRE_STOP_NONE }, { "", GR_WIRE_STOP_NONE }, { "EOS", GR_WIRE_STOP_NONE },
};

START_TEST(event_final_names_its_reason)
{
	char data[64];
	snprintf(data, sizeof data, "{\"stop_type\":\"%s\"}", stop_cases[_i].type);
	struct gr_wire_event event = decode(data);
	ck_assert_int_eq(event.kind, GR_WIRE_FINAL);
	ck_assert_int_eq(event.stop, stop_cases[_i].stop);
}
END_TEST

START_TEST(event_error_beats_everything_else)
{
	struct gr_wire_event event = decode("{\"content\":\"x\",\"tokens\":[1],\"stop_type\":\"eos\","
					    "\"error\":{\"code\":500,\"message\":\"m\",\"type\":\"t\"}}");
	ck_assert_int_eq(event.kind, GR_WIRE_ERROR);
	check_error(&event.error, &(struct gr_wire_error){ 500, -1, -1, "t", "m" });
}
END_TEST

START_TEST(event_null_is_nothing)
{
	ck_assert_int_eq(decode("null").kind, GR_WIRE_NOTHING);
}
END_TEST

static const struct {
	const char *data;
	enum gr_wire_kind kind;
	int32_t id;
	bool has_logprob;
} odd_cases[] = {
	{ "{}", GR_WIRE_NOTHING, -1, false },
	{ "{\"content\":null,\"tokens\":[1]}", GR_WIRE_NOTHING, -1, false },
	{ "{\"content\":7,\"tokens\":[1]}", GR_WIRE_NOTHING, -1, false },
	{ "{\"content\":[\"x\"]}", GR_WIRE_NOTHING, -1, false },
	{ "{\"content\":\"x\"}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":[]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":null}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":7}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":[null]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":[\"7\"]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":[[7]]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"tokens\":[1,2,3]}", GR_WIRE_TOKEN, 3, false },
	{ "{\"content\":\"x\",\"tokens\":[99999999999999999999]}", GR_WIRE_TOKEN, INT32_MAX, false },
	{ "{\"content\":\"x\",\"tokens\":[1],\"error\":null,\"stop_type\":null}", GR_WIRE_TOKEN, 1, false },
	{ "{\"content\":\"x\",\"tokens\":[1],\"error\":\"no\",\"stop_type\":5}", GR_WIRE_TOKEN, 1, false },
	{ "{\"content\":\"x\",\"tokens\":[0],\"prompt_progress\":null}", GR_WIRE_TOKEN, 0, false },
	{ "{\"content\":\"x\",\"tokens\":[0],\"prompt_progress\":{}}", GR_WIRE_NOTHING, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":{}}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[null]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[[-1.5]]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[{}]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[{\"logprob\":null}]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[{\"logprob\":\"-1.5\"}]}", GR_WIRE_TOKEN, -1, false },
	{ "{\"content\":\"x\",\"completion_probabilities\":[{\"logprob\":0.0}]}", GR_WIRE_TOKEN, -1, true },
	{ "{\"content\":\"x\",\"content\":7}", GR_WIRE_NOTHING, -1, false },
};

START_TEST(event_with_wrong_types_counts_them_as_missing)
{
	struct gr_wire_event event = decode(odd_cases[_i].data);
	ck_assert_int_eq(event.kind, odd_cases[_i].kind);
	ck_assert_int_eq(event.id, odd_cases[_i].id);
	ck_assert(event.has_logprob == odd_cases[_i].has_logprob);
	ck_assert_ptr_nonnull(event.text);
	ck_assert_int_eq(event.text[event.text_len], '\0');
}
END_TEST

static const struct { const char *number; int64_t predicted; } token_counts[] = {
	{ "0", 0 }, { "16777216", GR_WIRE_TOKENS_MAX }, { "16777217", -1 }, { "-1", -1 }, { "-9223372036854775808", -1 },
	{ "9223372036854775807", -1 }, { "99999999999999999999", -1 }, { "1e9", -1 },
};

START_TEST(event_with_a_count_that_no_stream_has_says_unknown)
{
	char text[128];
	snprintf(text, sizeof text, "{\"content\":\"x\",\"tokens\":[5],\"tokens_predicted\":%s}", token_counts[_i].number);
	ck_assert_int_eq(decode(text).predicted, token_counts[_i].predicted);
}
END_TEST

START_TEST(event_final_with_wrong_types_says_unknown)
{
	struct gr_wire_event event = decode("{\"stop_type\":\"eos\",\"truncated\":\"true\",\"tokens_predicted\":\"1\","
					    "\"tokens_evaluated\":null,\"timings/cache_n\":1.5,\"timings/prompt_ms\":\"5\","
					    "\"timings/predicted_ms\":[1],\"timings\":{\"cache_n\":3}}");
	ck_assert(!event.truncated);
	ck_assert_int_eq(event.predicted, -1);
	ck_assert_int_eq(event.evaluated, -1);
	ck_assert_int_eq(event.cached, -1);
	ck_assert_int_eq(event.drafted, -1);
	ck_assert_int_eq(event.accepted, -1);
	ck_assert_double_lt(event.prefill_ms, 0);
	ck_assert_double_lt(event.decode_ms, 0);
}
END_TEST

START_TEST(event_text_may_hold_nul)
{
	struct gr_wire_event event = decode("{\"content\":\"a\\u0000b\",\"tokens\":[0]}");
	ck_assert_uint_eq(event.text_len, 3);
	ck_assert_mem_eq(event.text, "a\0b", 4);
}
END_TEST

/* An answer with such a text is refused, or its text is made good. */
static const char *const bad_utf8[] = {
	"\xff", "a\x80", "\xc3", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
};

START_TEST(texts_that_come_out_are_utf8)
{
	struct gr_wire_event event;
	struct gr_buf out = GR_BUF_INIT(BODY_MAX);
	char data[64];
	int len = snprintf(data, sizeof data, "{\"content\":\"%s\",\"tokens\":[1]}", bad_utf8[_i]);
	if (gr_wire_stream_decode(stream, data, (size_t)len, &event, NULL) == INF_OK)
		ck_assert(gr_utf8_valid(event.text, event.text_len));
	if (gr_wire_decode_text(data, (size_t)len, "content", &out, NULL) == INF_OK)
		ck_assert(gr_utf8_valid(gr_buf_text(&out), out.len));
	gr_buf_release(&out);
}
END_TEST

START_TEST(event_truncated_at_any_offset_is_refused)
{
	const char *whole = real_events[_i];
	for (size_t len = 0; len < strlen(whole); len++)
		check_all_refuse(whole, len);
}
END_TEST

START_TEST(event_after_a_bad_one_is_decoded)
{
	struct gr_wire_event event;
	for (size_t i = 0; i < NO_OBJECTS; i++) {
		ck_assert_int_ne(gr_wire_stream_decode(stream, no_objects[i].body, no_objects[i].len, &event, NULL),
				 INF_OK);
		ck_assert_int_eq(decode(TOKEN_EVENT).id, 19004);
	}
}
END_TEST

START_TEST(event_leaves_nothing_of_the_one_before)
{
	decode(FINAL_EVENT);
	struct gr_wire_event event = decode(TOKEN_EVENT);
	ck_assert_int_eq(event.evaluated, 2);
	ck_assert_int_eq(event.stop, GR_WIRE_STOP_NONE);
	event = decode("{}");
	ck_assert_int_eq(event.evaluated, -1);
	ck_assert_int_eq(event.id, -1);
	ck_assert_int_eq(event.predicted, -1);
	ck_assert_str_eq(event.text, "");
}
END_TEST

/* Bytes are changed at random, always the same way; nothing is expected but that it is survived. */
START_TEST(event_with_changed_bytes_is_survived)
{
	uint32_t x = 2463534242u + (uint32_t)_i;
	struct gr_wire_event event;
	inf_error err = { .struct_size = sizeof err };
	for (int round = 0; round < 4000; round++) {
		size_t len = strlen(real_events[_i]);
		char *data = strndup(real_events[_i], len);
		for (int change = 0; change < 3; change++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			data[x % len] = (char)(x >> 24);
		}
		inf_status st = gr_wire_stream_decode(stream, data, len, &event, &err);
		ck_assert(st == INF_OK || st == INF_E_INTERNAL);
		if (event.kind == GR_WIRE_TOKEN)
			ck_assert_int_eq(event.text[event.text_len], '\0');
		free(data);
	}
}
END_TEST

static inf_status decode_chat(void)
{
	static const char event[] = "{\"choices\":[{\"finish_reason\":\"tool_calls\",\"delta\":{\"content\":\"a\",\"tool_calls\":"
		"[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}";
	struct gr_wire_event said;
	struct gr_wire_stream *self = gr_wire_stream_new_chat();
	inf_status st = self ? gr_wire_stream_decode(self, event, sizeof event - 1, &said, NULL) : INF_E_NO_MEMORY;
	while (st == INF_OK && said.kind == GR_WIRE_TOKEN)
		st = gr_wire_stream_next(self, &said, NULL);
	if (st == INF_OK && said.kind != GR_WIRE_FINAL)
		st = INF_E_INTERNAL;
	gr_wire_stream_free(self);
	return st;
}

static inf_status decode_everything(void)
{
	static const char tokens_body[] = "{\"tokens\":[1,2]}", text_body[] = "{\"content\":\"text\"}";
	static const char choice_body[] = "{\"tokens\":[3],\"content\":\"c\",\"completion_probabilities\":[{\"id\":3,\"logprob\":-1,"
					  "\"top_logprobs\":[{\"id\":3,\"token\":\"c\",\"logprob\":-1.0}]}]}";
	int32_t *tokens = NULL;
	size_t count;
	struct gr_buf text = GR_BUF_INIT(BODY_MAX);
	struct gr_wire_props props;
	struct gr_wire_event event;
	struct gr_wire_choice choice = GR_WIRE_CHOICE_INIT;
	struct gr_wire_stream *self = gr_wire_stream_new();
	inf_status st = self ? gr_wire_decode_tokens(tokens_body, sizeof tokens_body - 1, &tokens, &count, NULL) :
			INF_E_NO_MEMORY;
	if (st == INF_OK)
		st = gr_wire_decode_text(text_body, sizeof text_body - 1, "content", &text, NULL);
	if (st == INF_OK)
		st = gr_wire_decode_props("{}", 2, &props, NULL);
	if (st == INF_OK)
		st = gr_wire_stream_decode(self, TOKEN_EVENT, sizeof TOKEN_EVENT - 1, &event, NULL);
	if (st == INF_OK)
		st = decode_chat();
	if (st == INF_OK)
		st = gr_wire_decode_choice(choice_body, sizeof choice_body - 1, 2, &choice, NULL);
	gr_wire_choice_release(&choice);
	free(tokens);
	gr_buf_release(&text);
	gr_wire_stream_free(self);
	return st;
}

START_TEST(decoders_survive_oom)
{
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = decode_everything();
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

/* A parser that cannot be made is told from an answer that cannot be parsed nowhere, but nothing is believed. */
START_TEST(decoders_survive_json_c_oom)
{
	for (long n = 0;; n++) {
		failjson_arm(n);
		inf_status st = decode_everything();
		bool fired = failjson_disarm();
		ck_assert(fired == (st != INF_OK));
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(stream_free_of_null_is_harmless)
{
	gr_wire_stream_free(NULL);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static TCase *encoder_case(void)
{
	TCase *tc = tcase_create("encoders");
	tcase_add_loop_test(tc, encode_tokenize_keeps_the_text, 0, ROWS(texts));
	tcase_add_test(tc, encode_tokenize_of_null_and_nothing_is_empty);
	tcase_add_test(tc, encode_template_keeps_every_message);
	tcase_add_test(tc, encode_template_of_no_message_is_an_empty_list);
	tcase_add_loop_test(tc, encode_ids_keeps_order_and_number, 0, ROWS(id_counts));
	tcase_add_test(tc, encode_completion_says_everything_it_is_given);
	tcase_add_test(tc, encode_completion_always_asks_for_a_watched_stream);
	tcase_add_test(tc, encode_completion_leaves_out_what_is_not_given);
	tcase_add_test(tc, encode_completion_bans_suppressed_tokens);
	tcase_add_test(tc, encode_completion_counts_min_tokens_by_a_grammar);
	tcase_add_test(tc, encode_completion_gives_options_by_their_names);
	tcase_add_test(tc, encode_completion_joins_suppressed_tokens_and_biases);
	tcase_add_loop_test(tc, encode_completion_refuses_breakers_that_are_no_texts, 0,
			    (int)(sizeof bad_breakers / sizeof bad_breakers[0]));
	tcase_add_loop_test(tc, encode_completion_embeds_a_schema_as_it_is, 0, ROWS(good_schemas));
	tcase_add_loop_test(tc, encode_completion_takes_a_deep_schema, 0, ROWS(schema_depths));
	tcase_add_loop_test(tc, encode_completion_refuses_a_schema_that_is_no_json_object, 0, ROWS(bad_schemas));
	tcase_add_test(tc, encode_past_the_cap_of_the_buffer_fails);
	tcase_add_test(tc, encode_completion_with_media_sends_text_and_files);
	tcase_add_loop_test(tc, media_are_base64, 0, sizeof base64_cases / sizeof base64_cases[0]);
	tcase_add_test(tc, long_media_are_base64);
	tcase_add_test(tc, encoders_survive_oom);
	tcase_add_test(tc, encoders_survive_json_c_oom);
	tcase_add_test(tc, encode_adapters_lists_every_scale);
	tcase_add_test(tc, encode_slot_file_names_the_file);
	return tc;
}

static TCase *decoder_case(void)
{
	TCase *tc = tcase_create("decoders");
	tcase_add_loop_test(tc, decode_of_no_object_is_refused_by_all, 0, NO_OBJECTS);
	tcase_add_loop_test(tc, decode_of_deep_nesting_is_refused_by_all, 0, ROWS(deep_cases));
	tcase_add_loop_test(tc, decode_refusal_quotes_whole_code_points, 0, 4);
	tcase_add_loop_test(tc, decode_tokens_wants_a_list_of_integers, 0, ROWS(token_cases));
	tcase_add_test(tc, encode_detokenize_writes_ids_of_any_length);
	tcase_add_test(tc, decode_tokens_of_a_long_list_keeps_all);
	tcase_add_loop_test(tc, decode_text_appends_the_string, 0, ROWS(text_cases));
	tcase_add_test(tc, decode_text_past_the_cap_is_an_error_with_a_text);
	tcase_add_loop_test(tc, decode_slot_wants_both_numbers, 0, ROWS(slot_cases));
	tcase_add_loop_test(tc, decode_props_takes_what_has_the_right_type, 0, ROWS(props_cases));
	tcase_add_loop_test(tc, decode_props_hears_a_word_of_thinking, 0, ROWS(thinking_cases));
	tcase_add_test(tc, decode_props_cuts_a_long_build_at_a_code_point);
	tcase_add_loop_test(tc, decode_error_takes_what_has_the_right_type, 0, ROWS(error_cases));
	tcase_add_test(tc, decode_error_cuts_long_texts);
	tcase_add_test(tc, decoders_survive_oom);
	tcase_add_test(tc, decoders_survive_json_c_oom);
	return tc;
}

static TCase *stream_case(void)
{
	TCase *tc = tcase_create("stream");
	tcase_add_checked_fixture(tc, setup_stream, teardown_stream);
	tcase_add_test(tc, event_token_gives_text_and_id);
	tcase_add_test(tc, event_token_with_probabilities_gives_the_logprob);
	tcase_add_test(tc, event_progress_is_no_token);
	tcase_add_test(tc, event_final_gives_the_numbers);
	tcase_add_test(tc, event_final_without_numbers_says_unknown);
	tcase_add_loop_test(tc, event_final_names_its_reason, 0, ROWS(stop_cases));
	tcase_add_test(tc, event_error_beats_everything_else);
	tcase_add_test(tc, event_null_is_nothing);
	tcase_add_loop_test(tc, event_with_wrong_types_counts_them_as_missing, 0, ROWS(odd_cases));
	tcase_add_loop_test(tc, event_with_a_count_that_no_stream_has_says_unknown, 0, ROWS(token_counts));
	tcase_add_test(tc, event_final_with_wrong_types_says_unknown);
	tcase_add_test(tc, event_text_may_hold_nul);
	tcase_add_loop_test(tc, texts_that_come_out_are_utf8, 0, ROWS(bad_utf8));
	tcase_add_loop_test(tc, event_truncated_at_any_offset_is_refused, 0, ROWS(real_events));
	tcase_add_test(tc, event_after_a_bad_one_is_decoded);
	tcase_add_test(tc, event_leaves_nothing_of_the_one_before);
	tcase_add_loop_test(tc, event_with_changed_bytes_is_survived, 0, ROWS(real_events));
	tcase_add_test(tc, stream_free_of_null_is_harmless);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("wire");
	suite_add_tcase(suite, encoder_case());
	suite_add_tcase(suite, decoder_case());
	suite_add_tcase(suite, stream_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
