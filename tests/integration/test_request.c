/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

/* The fields and options of a request, with models that say what is written down. */
#define P(index) MODEL_PIECE(index)
#define EMOJI "\xf0\x9f\x98\x80"

struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
};

static struct world *open_file(struct world *w, int32_t slots)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = scratch_at(&w->scratch, "m.gguf"), .context_len = 512,
		.parallel_slots = slots,
	};
	w->registry = harness_registry();
	w->result.struct_size = sizeof w->result;
	w->err.struct_size = sizeof w->err;
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &w->session, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return w;
}

/* A made model, or NULL for the bundled one. */
static struct world *open_world(const char *name, int32_t slots)
{
	struct world *w = calloc(1, sizeof *w);
	scratch_init(&w->scratch);
	if (name) {
		ck_assert(model_made_write(name, scratch_at(&w->scratch, "m.gguf")));
		return open_file(w, slots);
	}
	w->registry = harness_registry();
	w->session = harness_load(w->registry, 512, slots);
	w->result.struct_size = sizeof w->result;
	w->err.struct_size = sizeof w->err;
	return w;
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
	free(w);
}

static inf_status generate(struct world *w, const inf_gen_params *params)
{
	memset(&w->sink, 0, sizeof w->sink);
	w->sink.thread = pthread_self();
	return harness_generate(w->session, "hello", params, &w->result, &w->err);
}

static void succeed(struct world *w, const inf_gen_params *params)
{
	inf_status st = generate(w, params);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	/* What was delivered and what was sampled are the same, but for the end. */
	ck_assert_int_eq(w->result.generated_tokens, (int64_t)w->sink.tokens + (w->result.finish == INF_FINISH_EOS ||
									      w->result.finish == INF_FINISH_STOP_TOKEN));
}

static void expect(struct world *w, const inf_gen_params *params, const char *text, int32_t finish)
{
	succeed(w, params);
	ck_assert_str_eq(w->sink.text, text);
	ck_assert_int_eq(w->result.finish, finish);
}

/* ---- the minimum ----------------------------------------------------------------------------------------------- */
/* The model of model_made that says " smile", U+1F600, " again" and the end, with a tokenizer of choice. */
static void write_emoji(struct world *w, enum model_tokenizer tokenizer)
{
	struct model_script script = *model_made_script("emoji");
	static const struct model_piece pieces[] = { { " smile", MODEL_NORMAL }, { " again", MODEL_NORMAL } };
	script.tokenizer = tokenizer;
	script.pieces = tokenizer == MODEL_BPE ? pieces : script.pieces;
	struct gguf_build build = model_script_build(&script);
	ck_assert(gguf_build_save(&build, scratch_at(&w->scratch, "m.gguf")));
}

static void assert_minimum_in_emoji(enum model_tokenizer tokenizer)
{
	static const char once[] = " smile" EMOJI " again";
	struct world *w = calloc(1, sizeof *w);
	scratch_init(&w->scratch);
	write_emoji(w, tokenizer);
	open_file(w, 1);
	for (int32_t least = 0; least <= 9; least++) {
		inf_gen_params params = sink_params(&w->sink, 60);
		params.min_tokens = least;
		succeed(w, &params);
		ck_assert_msg(strncmp(w->sink.text, once, sizeof once - 1) == 0, "%s", w->sink.text);
		if (least <= 6) {
			ck_assert_str_eq(w->sink.text, once);
			ck_assert_int_eq(w->result.finish, INF_FINISH_EOS);
			ck_assert_int_eq(w->result.generated_tokens, 7);
		} else {
			ck_assert_int_gt(w->result.generated_tokens, least);
		}
	}
	close_world(w);
}

START_TEST(min_tokens_counts_the_tokens_of_a_split_character)
{
	assert_minimum_in_emoji(MODEL_SPM);
	assert_minimum_in_emoji(MODEL_BPE);
}
END_TEST

/* The end would come inside a character, after 3 tokens. */
START_TEST(min_tokens_inside_a_character_is_exact)
{
	struct world *w = open_world("emoji-cut", 1);
	for (int32_t least = 0; least <= 3; least++) {
		inf_gen_params params = sink_params(&w->sink, 60);
		params.min_tokens = least;
		succeed(w, &params);
		ck_assert_int_eq(w->result.finish, INF_FINISH_EOS);
		ck_assert_int_eq(w->result.generated_tokens, 4);
		ck_assert_str_eq(w->sink.text, " smile");
		ck_assert_int_gt(w->result.decode_ns, 0);	/* there are tokens after the one that is seen */
	}
	inf_gen_params params = sink_params(&w->sink, 4);
	params.min_tokens = 4;
	succeed(w, &params);
	ck_assert_int_eq(w->result.finish, INF_FINISH_LENGTH);
	ck_assert_int_eq(w->result.generated_tokens, 4);
	close_world(w);
}
END_TEST

START_TEST(min_tokens_holds_off_an_end_that_would_come_first)
{
	static const char *const words[] = { " one", " two", " three", " four", " five", " six" };
	struct world *w = open_world("eos-early", 1);
	char text[64] = "";
	for (int32_t least = 0; least <= 6; least++) {
		inf_gen_params params = sink_params(&w->sink, 0);
		params.min_tokens = least;
		expect(w, &params, text, INF_FINISH_EOS);
		ck_assert_int_eq(w->result.generated_tokens, least + 1);
		if (least < 6)
			strcat(text, words[least]);
	}
	inf_gen_params params = sink_params(&w->sink, 6);
	params.min_tokens = 6;
	expect(w, &params, text, INF_FINISH_LENGTH);
	params = sink_params(&w->sink, 0);
	params.min_tokens = INT32_MAX;		/* the context ends it */
	succeed(w, &params);
	ck_assert_int_eq(w->result.finish, INF_FINISH_CONTEXT);
	ck_assert_int_gt(w->result.generated_tokens, 400);
	params = sink_params(&w->sink, 4);
	params.min_tokens = 2;
	params.flags = INF_GEN_FLAG_IGNORE_EOS;
	expect(w, &params, " one two three four", INF_FINISH_LENGTH);
	close_world(w);
}
END_TEST

static const struct {
	const char *stop;
	int32_t token, least;
	const char *text;
	int32_t finish;
} early_stops[] = {
	{ " three", 0, 2, " one two", INF_FINISH_STOP_STRING },
	{ " three", 0, 3, " one two three four five six seven eight nine ten one two", INF_FINISH_STOP_STRING },
	/* begins before, ends after */
	{ "wo three f", 0, 3, " one t", INF_FINISH_STOP_STRING },
	{ "wo three f", 0, 4, " one two three four five six seven eight nine ten one t", INF_FINISH_STOP_STRING },
	{ " none", 0, 3, " one two three four five six seven eight nine ten one two three four", INF_FINISH_LENGTH },
	{ NULL, P(2), 2, " one two", INF_FINISH_STOP_TOKEN },
	{ NULL, P(2), 3, " one two three four five six seven eight nine ten one two", INF_FINISH_STOP_TOKEN },
};

START_TEST(min_tokens_lets_stops_before_it_pass)
{
	struct world *w = open_world("counter", 1);
	for (size_t i = 0; i < sizeof early_stops / sizeof early_stops[0]; i++) {
		inf_gen_params params = sink_params(&w->sink, 14);
		params.min_tokens = early_stops[i].least;
		params.stop_strings = &early_stops[i].stop;
		params.stop_string_count = early_stops[i].stop != NULL;
		params.stop_tokens = &early_stops[i].token;
		params.stop_token_count = early_stops[i].token != 0;
		inf_status st = generate(w, &params);
		ck_assert_msg(st == INF_OK, "%s", w->err.message);
		ck_assert_str_eq(w->sink.text, early_stops[i].text);
		ck_assert_int_eq(w->result.finish, early_stops[i].finish);
	}
	close_world(w);
}
END_TEST

/* Where the end is not near, the minimum changes nothing: not the random numbers, not what the penalties see. */
START_TEST(min_tokens_leaves_the_sampling_alone)
{
	struct world *w = open_world(NULL, 1);
	char text[SINK_TEXT];
	for (int i = 0; i < 4; i++) {
		inf_gen_params params = sink_params(&w->sink, 40);
		params.set = INF_GEN_SET_SEED | INF_GEN_SET_TEMPERATURE | INF_GEN_SET_REPEAT_PENALTY;
		params.seed = 7;
		params.temperature = 1;
		params.repeat_penalty = 1.3f;
		params.min_tokens = 13 * i;
		succeed(w, &params);
		ck_assert_int_eq(w->result.generated_tokens, 40);
		if (i)
			ck_assert_str_eq(w->sink.text, text);
		strcpy(text, w->sink.text);
	}
	close_world(w);
}
END_TEST

/* ---- what else ends it ------------------------------------------------------------------------------------------- */
START_TEST(max_tokens_is_exact)
{
	struct world *w = open_world("emoji", 1);
	static const char *const texts[] = { "", " smile", " smile", " smile", " smile", " smile" EMOJI, " smile" EMOJI " again" };
	for (int32_t most = 1; most <= 6; most++) {
		const inf_gen_params params = sink_params(&w->sink, most);
		expect(w, &params, texts[most], INF_FINISH_LENGTH);
		ck_assert_int_eq(w->result.generated_tokens, most);
	}
	close_world(w);
}
END_TEST

START_TEST(seeds_decide_the_text)
{
	struct world *w = open_world(NULL, 1);
	char texts[3][SINK_TEXT];
	for (int i = 0; i < 3; i++) {
		inf_gen_params params = sink_params(&w->sink, 40);
		params.set = INF_GEN_SET_SEED | INF_GEN_SET_TEMPERATURE;
		params.seed = i < 2 ? 5 : 6;
		params.temperature = 1;
		succeed(w, &params);
		strcpy(texts[i], w->sink.text);
	}
	ck_assert_str_eq(texts[0], texts[1]);
	ck_assert_str_ne(texts[0], texts[2]);
	close_world(w);
}
END_TEST

static struct json_object *constrained(struct world *w, const char *schema, const char *grammar)
{
	inf_gen_params params = sink_params(&w->sink, 300);
	params.set = INF_GEN_SET_SEED | INF_GEN_SET_TEMPERATURE;
	params.seed = 11;
	params.temperature = 0.8f;
	params.json_schema = schema;
	params.grammar = grammar;
	succeed(w, &params);
	ck_assert_int_eq(w->result.finish, INF_FINISH_EOS);
	struct json_object *root = json_tokener_parse(w->sink.text);
	ck_assert_msg(root != NULL, "%s", w->sink.text);
	return root;
}

START_TEST(constrained_output_is_what_was_asked_for)
{
	struct world *w = open_world(NULL, 1);
	struct json_object *name, *age, *root = constrained(w,
		"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":12},"
		"\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":120}},\"required\":[\"name\",\"age\"]}", NULL);
	ck_assert(json_object_object_get_ex(root, "name", &name) && json_object_is_type(name, json_type_string));
	ck_assert(json_object_object_get_ex(root, "age", &age) && json_object_is_type(age, json_type_int));
	ck_assert_int_le(json_object_get_int(age), 120);
	json_object_put(root);
	root = constrained(w, NULL, "root ::= \"[\" n (\",\" n){2,4} \"]\"\nn ::= [0-9]{1,3}");
	ck_assert(json_object_is_type(root, json_type_array));
	ck_assert_uint_ge(json_object_array_length(root), 3);
	ck_assert_uint_le(json_object_array_length(root), 5);
	json_object_put(root);
	close_world(w);
}
END_TEST

/* ---- options ------------------------------------------------------------------------------------------------------ */
static const struct {
	const char *key, *value;
} numbers[] = {
	{ "typical_p", "0.5" }, { "top_n_sigma", "1.5" }, { "xtc_probability", "0.25" }, { "xtc_threshold", "0.05" },
	{ "dynatemp_range", "0.5" }, { "dynatemp_exponent", "2" }, { "repeat_last_n", "33" }, { "dry_multiplier", "0.75" },
	{ "dry_base", "2" }, { "dry_allowed_length", "5" }, { "dry_penalty_last_n", "44" }, { "mirostat", "2" },
	{ "mirostat_tau", "3" }, { "mirostat_eta", "0.25" }, { "min_keep", "3" }, { "adaptive_target", "0.5" },
	{ "adaptive_decay", "0.75" },
};

/* What the server says that it sampled the last request by. */
static struct json_object *ask_settings(struct json_object **slots)
{
	char *answer = harness_ask_server(harness_server_pid(), "/slots", NULL);
	struct json_object *params;
	*slots = json_tokener_parse(answer);
	free(answer);
	ck_assert(json_object_object_get_ex(json_object_array_get_idx(*slots, 0), "params", &params));
	return params;
}

START_TEST(options_reach_the_server)
{
	struct world *w = open_world(NULL, 1);
	inf_kv pairs[sizeof numbers / sizeof numbers[0] + 2];
	size_t count = 0;
	for (; count < sizeof numbers / sizeof numbers[0]; count++)
		pairs[count] = (inf_kv){ numbers[count].key, numbers[count].value };
	pairs[count++] = (inf_kv){ "samplers", "top_k;temperature;adaptive_p" };
	pairs[count++] = (inf_kv){ "dry_sequence_breakers", "[\"\\n\"]" };
	inf_gen_params params = sink_params(&w->sink, 2);
	params.options = pairs;
	params.option_count = count;
	succeed(w, &params);
	struct json_object *slots, *said = ask_settings(&slots), *value;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		ck_assert_msg(json_object_object_get_ex(said, numbers[i].key, &value), "%s", numbers[i].key);
		ck_assert_msg(fabs(json_object_get_double(value) - atof(numbers[i].value)) < 1e-6, "%s: %s", numbers[i].key,
			      json_object_to_json_string(value));
	}
	ck_assert(json_object_object_get_ex(said, "samplers", &value));
	ck_assert_str_eq(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), "[\"top_k\",\"temperature\",\"adaptive_p\"]");
	json_object_put(slots);
	close_world(w);
}
END_TEST

/* What the server is told to leave of the vocabulary. */
static const struct {
	float temperature;
	inf_kv option;
	int32_t given, expected;	/* top_k */
} greedy[] = {
	{ 0, { 0 }, 0, 1 }, { 0, { 0 }, 40, 1 }, { 0, { "repeat_last_n", "0" }, 40, 40 }, { 0, { "xtc_probability", "0.5" }, 0, 0 },
	{ 0.5f, { 0 }, 0, 0 }, { 0.5f, { 0 }, 40, 40 },
};

START_TEST(greedy_request_leaves_one_token)
{
	struct world *w = open_world(NULL, 1);
	for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++) {
		inf_gen_params params = sink_params(&w->sink, 2);
		struct json_object *slots, *value;
		params.set |= INF_GEN_SET_TEMPERATURE | INF_GEN_SET_TOP_K;
		params.temperature = greedy[i].temperature;
		params.top_k = greedy[i].given;
		params.options = &greedy[i].option;
		params.option_count = greedy[i].option.key != NULL;
		succeed(w, &params);
		ck_assert(json_object_object_get_ex(ask_settings(&slots), "top_k", &value));
		ck_assert_int_eq(json_object_get_int(value), greedy[i].expected);
		json_object_put(slots);
	}
	close_world(w);
}
END_TEST

/* A table of the model's logits: " one" 10, " two" 5, and so on in a circle. */
static const struct {
	const char *key, *value;
	int32_t suppressed;
	const char *text;
} effects[] = {
	{ "logit_bias", "268:100", 0, " ten ten ten" },
	{ "logit_bias", "259:false", 0, " two three four" },
	{ "logit_bias", "259:-inf", 0, " two three four" },
	{ "logit_bias", "260:6,261:-6", 0, " two four five" },
	{ "logit_bias", "259:100", 259, " two three four" },	/* what is suppressed stays so */
	{ "logit_bias", "261:-6", 259, " two four five" },
	{ "samplers", "top_k", 0, " one two three" },
	{ "repeat_last_n", "0", 0, " one two three" },
};

START_TEST(options_have_their_effect)
{
	struct world *w = open_world("counter", 1);
	for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++) {
		const inf_kv pair = { effects[i].key, effects[i].value };
		inf_gen_params params = sink_params(&w->sink, 3);
		params.set = INF_GEN_SET_TOP_K;
		params.top_k = 1;
		params.options = &pair;
		params.option_count = 1;
		params.suppress_tokens = &effects[i].suppressed;
		params.suppress_token_count = effects[i].suppressed != 0;
		expect(w, &params, effects[i].text, INF_FINISH_LENGTH);
	}
	close_world(w);
}
END_TEST

static const struct {
	const char *key, *value;
	inf_status status;
	const char *says;
} refused[] = {
	{ "typical_p", "1.5", INF_E_INVALID, "typical_p" }, { "mirostat", "3", INF_E_INVALID, "mirostat" },
	{ "samplers", "top_k;bogus", INF_E_INVALID, "\"bogus\"" }, { "dry_sequence_breakers", "[]", INF_E_INVALID, "JSON" },
	{ "logit_bias", "99999:1", INF_E_INVALID, "99999" }, { "logit_bias", "1", INF_E_INVALID, "logit_bias" },
	{ "slot", "1", INF_E_INVALID, "0..0" }, { "slot", "-2", INF_E_INVALID, "slot" },
	{ "tpyical_p", "1", INF_E_UNSUPPORTED, "typical_p" }, { "threads", "1", INF_E_UNSUPPORTED, "a load option" },
};

START_TEST(options_that_make_no_sense_are_refused_by_name)
{
	struct world *w = open_world("counter", 1);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const inf_kv pair = { refused[i].key, refused[i].value };
		inf_gen_params params = sink_params(&w->sink, 3);
		params.options = &pair;
		params.option_count = 1;
		ck_assert_int_eq(generate(w, &params), refused[i].status);
		ck_assert_msg(strstr(w->err.message, refused[i].says) != NULL, "%s", w->err.message);
		ck_assert_uint_eq(w->sink.calls, 0);
	}
	close_world(w);
}
END_TEST

START_TEST(slot_is_the_one_that_was_asked_for)
{
	static const char *const names[] = { "2", "0", "1", "2" };
	struct world *w = open_world("counter", 3);
	for (int i = 0; i < 4; i++) {
		const inf_kv pair = { "slot", names[i] };
		inf_gen_params params = sink_params(&w->sink, 3);
		params.options = &pair;
		params.option_count = 1;
		succeed(w, &params);
		ck_assert(w->result.flags & INF_RESULT_FLAG_SLOT);
		ck_assert_int_eq(w->result.slot, atoi(names[i]));
		/* Left at the first token: the server never gets to say it. */
		params = sink_params(&w->sink, 30);
		params.options = &pair;
		params.option_count = 1;
		params.stop_tokens = (const int32_t[]){ P(1) };
		params.stop_token_count = 1;
		expect(w, &params, " one", INF_FINISH_STOP_TOKEN);
		ck_assert(w->result.flags & INF_RESULT_FLAG_SLOT);
		ck_assert_int_eq(w->result.slot, atoi(names[i]));
	}
	inf_gen_params params = sink_params(&w->sink, 30);
	params.stop_tokens = (const int32_t[]){ P(1) };
	params.stop_token_count = 1;
	expect(w, &params, " one", INF_FINISH_STOP_TOKEN);
	ck_assert(!(w->result.flags & INF_RESULT_FLAG_SLOT));
	close_world(w);
}
END_TEST

/* Of two slots, both calls want the first: the inner one, begun from a callback of the outer one, waits for its end. */
static int32_t INF_CALL ask_again(void *user, const inf_token *token)
{
	struct world *w = user;
	const inf_kv pair = { "slot", "0" };
	inf_gen_params params = sink_params(&w->sink, 3);
	if (w->sink.calls)
		return INF_CONTINUE;
	ck_assert_uint_eq(token->count, 1);
	params.flags = INF_GEN_FLAG_NO_WAIT;
	params.options = &pair;
	params.option_count = 1;
	w->sink.thread = pthread_self();
	inf_status st = harness_generate(w->session, "hello", &params, &w->result, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return INF_CONTINUE;
}

START_TEST(slot_that_is_busy_is_waited_for)
{
	struct world *w = open_world("counter", 2);
	const inf_kv pair = { "slot", "0" };
	inf_gen_result result = { .struct_size = sizeof result };
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 300, .options = &pair, .option_count = 1,
		.on_token = ask_again, .user = w,
	};
	ck_assert_int_eq(harness_generate(w->session, "hello", &params, &result, &w->err), INF_OK);
	ck_assert_int_eq(result.generated_tokens, 300);
	ck_assert_int_eq(result.slot, 0);
	ck_assert_str_eq(w->sink.text, " one two three");
	ck_assert_int_eq(w->result.slot, 0);
	close_world(w);
}
END_TEST

START_TEST(cached_tokens_are_known_when_the_stream_is_left_early)
{
	struct world *w = open_world("counter", 1);
	const int32_t stop = P(1);
	for (int i = 0; i < 3; i++) {
		inf_gen_params params = sink_params(&w->sink, 30);
		params.stop_tokens = &stop;
		params.stop_token_count = i > 0;
		succeed(w, &params);
		ck_assert_int_eq(w->result.finish, i ? INF_FINISH_STOP_TOKEN : INF_FINISH_LENGTH);
		/* "hello" is bytes, and a beginning; the last token is always evaluated. */
		ck_assert_int_ge(w->result.prompt_tokens, 5);
		ck_assert_int_eq(w->result.cached_tokens, i ? w->result.prompt_tokens - 1 : 0);
	}
	close_world(w);
}
END_TEST

RUN_SUITE("request", 120, min_tokens_counts_the_tokens_of_a_split_character, min_tokens_inside_a_character_is_exact,
	  min_tokens_holds_off_an_end_that_would_come_first, min_tokens_lets_stops_before_it_pass,
	  min_tokens_leaves_the_sampling_alone, max_tokens_is_exact, seeds_decide_the_text,
	  constrained_output_is_what_was_asked_for, options_reach_the_server, greedy_request_leaves_one_token,
	  options_have_their_effect,
	  options_that_make_no_sense_are_refused_by_name, slot_is_the_one_that_was_asked_for, slot_that_is_busy_is_waited_for,
	  cached_tokens_are_known_when_the_stream_is_left_early)
