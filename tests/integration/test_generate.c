/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "suite.h"

enum { EOS = 1 };	/* <|end|> of the bundled model */

static const char PROMPT[] = "It is a truth universally acknowledged";

/* A session for one test. */
struct world {
	inf_registry *registry;
	inf_session *session;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
};

static struct world *open_world(int32_t context_len, int32_t slots)
{
	struct world *w = calloc(1, sizeof *w);
	w->registry = harness_registry();
	w->session = harness_load(w->registry, context_len, slots);
	w->result.struct_size = sizeof w->result;
	w->err.struct_size = sizeof w->err;
	return w;
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
	free(w);
}

static inf_status generate(struct world *w, const char *prompt, inf_gen_params *params)
{
	memset(&w->sink, 0, sizeof w->sink);
	w->sink.thread = pthread_self();
	return harness_generate(w->session, prompt, params, &w->result, &w->err);
}

/* The server's own word for what ids mean. */
static char *detokenize(const struct sink *sink)
{
	char *body = malloc(sink->calls * 12 + 32), *at = body + sprintf(body, "{\"tokens\":[");
	for (size_t i = 0; i < sink->calls; i++)
		at += sprintf(at, i ? ",%d" : "%d", sink->ids[i]);
	strcpy(at, "]}");
	char *answer = harness_ask_server(harness_server_pid(), "/detokenize", body);
	free(body);
	return answer;
}

START_TEST(generate_greedy_gives_the_same_text_twice)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 24);
	char first[SINK_TEXT];
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	strcpy(first, w->sink.text);
	ck_assert_int_eq(w->result.finish, INF_FINISH_LENGTH);
	ck_assert_int_eq(w->result.generated_tokens, 24);
	ck_assert_uint_eq(w->sink.tokens, 24);
	ck_assert_uint_gt(strlen(first), 24);
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_str_eq(w->sink.text, first);
	ck_assert_int_gt(w->result.cached_tokens, 0);
	close_world(w);
}
END_TEST

START_TEST(generate_ids_detokenize_to_the_text)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 64);
	params.set = INF_GEN_SET_TEMPERATURE | INF_GEN_SET_SEED;
	params.temperature = 0.9f;
	params.seed = 7;
	/* Plain letters only, so that no character is split over tokens and every chunk is one token. */
	params.grammar = "root ::= [a-zA-Z ,.;]*";
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	for (size_t i = 0; i < w->sink.calls; i++)
		ck_assert_uint_eq(w->sink.counts[i], 1);
	char *answer = detokenize(&w->sink), expected[SINK_TEXT + 32];
	snprintf(expected, sizeof expected, "{\"content\":\"%s\"}", w->sink.text);
	ck_assert_str_eq(answer, expected);
	free(answer);
	close_world(w);
}
END_TEST

START_TEST(generate_split_characters_arrive_whole_with_their_count)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 64);
	params.grammar = "root ::= \"\xf0\x9f\x98\x80\" \"\xf0\x9f\x90\xa7\" \"\xc3\xa9\"";
	ck_assert_int_eq(generate(w, "\xf0\x9f\x98\x80 and ", &params), INF_OK);
	ck_assert_str_eq(w->sink.text, "\xf0\x9f\x98\x80\xf0\x9f\x90\xa7\xc3\xa9");
	ck_assert_int_eq(w->result.finish, INF_FINISH_EOS);
	/* Every byte is a token of its own in this vocabulary: 4 + 4 + 2 of them, and the end. */
	ck_assert_uint_eq(w->sink.calls, 3);
	ck_assert_uint_eq(w->sink.counts[0], 4);
	ck_assert_uint_eq(w->sink.counts[1], 4);
	ck_assert_uint_eq(w->sink.counts[2], 2);
	ck_assert_int_eq(w->result.generated_tokens, 11);
	close_world(w);
}
END_TEST

START_TEST(generate_limit_inside_a_character_reports_the_hidden_tokens)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 6);
	params.grammar = "root ::= \"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"";
	ck_assert_int_eq(generate(w, "x", &params), INF_OK);
	ck_assert_str_eq(w->sink.text, "\xf0\x9f\x98\x80");
	ck_assert_int_eq(w->result.finish, INF_FINISH_LENGTH);
	ck_assert_int_eq(w->result.generated_tokens, 6);
	ck_assert_uint_eq(w->sink.tokens, 6);
	ck_assert_int_eq(w->sink.ids[w->sink.calls - 1], -1);
	close_world(w);
}
END_TEST

START_TEST(generate_special_text_in_the_prompt_is_text_unless_asked)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 1);
	ck_assert_int_eq(generate(w, "<|user|>", &params), INF_OK);
	int64_t as_text = w->result.prompt_tokens;
	ck_assert_int_gt(as_text, 2);
	params.flags = INF_GEN_FLAG_PARSE_SPECIAL;
	ck_assert_int_eq(generate(w, "<|user|>", &params), INF_OK);
	ck_assert_int_eq(w->result.prompt_tokens, 2);	/* and the beginning of the sequence */
	params.flags |= INF_GEN_FLAG_NO_BOS;
	ck_assert_int_eq(generate(w, "<|user|>", &params), INF_OK);
	ck_assert_int_eq(w->result.prompt_tokens, 1);
	close_world(w);
}
END_TEST

START_TEST(generate_stop_string_ends_before_the_match)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 60);
	char plain[SINK_TEXT];
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	strcpy(plain, w->sink.text);
	char stop[8] = "";
	strncpy(stop, plain + 30, 6);
	const char *stops[] = { "zzzzzz", stop };
	params.stop_strings = stops;
	params.stop_string_count = 2;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.finish, INF_FINISH_STOP_STRING);
	ck_assert_int_eq(w->result.stop_index, 1);
	ck_assert_uint_eq(w->sink.len, (size_t)(strstr(plain, stop) - plain));
	ck_assert_int_eq(strncmp(plain, w->sink.text, w->sink.len), 0);
	close_world(w);
}
END_TEST

START_TEST(generate_text_held_back_at_the_limit_is_delivered)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 12);
	char plain[SINK_TEXT], stop[SINK_TEXT + 8];
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	strcpy(plain, w->sink.text);
	snprintf(stop, sizeof stop, "%sNEVER", plain + strlen(plain) - 5);
	const char *stops[] = { stop };
	params.stop_strings = stops;
	params.stop_string_count = 1;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.finish, INF_FINISH_LENGTH);
	ck_assert_str_eq(w->sink.text, plain);
	close_world(w);
}
END_TEST

START_TEST(generate_stop_token_ends_before_it)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 20);
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	const int32_t ids[] = { 2, w->sink.ids[7] };
	size_t first = 0;
	while (w->sink.ids[first] != ids[1])
		first++;
	params.stop_tokens = ids;
	params.stop_token_count = 2;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.finish, INF_FINISH_STOP_TOKEN);
	ck_assert_int_eq(w->result.stop_index, 1);
	ck_assert_uint_eq(w->sink.calls, first);
	close_world(w);
}
END_TEST

START_TEST(generate_stop_token_that_is_never_shown_is_refused)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 4);
	char *answer = harness_ask_server(harness_server_pid(), "/tokenize",
					  "{\"content\":\"\xf0\x9f\x98\x80\",\"parse_special\":false}");
	int32_t id = atoi(strchr(answer, '[') + 1);
	free(answer);
	params.stop_tokens = &id;
	params.stop_token_count = 1;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w->err.reason, "stop_token_hidden");
	close_world(w);
}
END_TEST

START_TEST(generate_suppressed_tokens_never_appear)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 12);
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	const int32_t banned[] = { w->sink.ids[0], w->sink.ids[3] };
	params.suppress_tokens = banned;
	params.suppress_token_count = 2;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	for (size_t i = 0; i < w->sink.calls; i++)
		ck_assert(w->sink.ids[i] != banned[0] && w->sink.ids[i] != banned[1]);
	close_world(w);
}
END_TEST

START_TEST(generate_seed_is_reported_and_repeats_the_text)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 24);
	char first[SINK_TEXT];
	params.set = INF_GEN_SET_TEMPERATURE;
	params.temperature = 1;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	strcpy(first, w->sink.text);
	ck_assert(w->result.flags & INF_RESULT_FLAG_SEED);
	params.set |= INF_GEN_SET_SEED;
	params.seed = w->result.seed;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_str_eq(w->sink.text, first);
	close_world(w);
}
END_TEST

START_TEST(generate_logprobs_come_with_their_flag_only)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 4);
	params.flags = INF_GEN_FLAG_LOGPROBS;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.generated_tokens, 4);
	close_world(w);
}
END_TEST

START_TEST(generate_json_schema_shapes_the_output)
{
	struct world *w = open_world(0, 1);
	inf_gen_params params = sink_params(&w->sink, 200);
	params.json_schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"x\",\"y\"]}},\"required\":[\"a\"],"
			     "\"additionalProperties\":false}";
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.finish, INF_FINISH_EOS);
	ck_assert_ptr_nonnull(strstr(w->sink.text, "\"a\""));
	params.json_schema = "[1]";
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_E_INVALID);
	ck_assert_str_eq(w->err.reason, "json_schema");
	params.json_schema = NULL;
	params.grammar = "root ::= (";
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_E_INVALID);
	ck_assert_str_eq(w->err.reason, "grammar");
	close_world(w);
}
END_TEST

START_TEST(generate_until_the_context_is_full_says_so)
{
	struct world *w = open_world(256, 1);
	inf_gen_params params = sink_params(&w->sink, 0);
	params.flags = INF_GEN_FLAG_IGNORE_EOS;
	ck_assert_int_eq(generate(w, PROMPT, &params), INF_OK);
	ck_assert_int_eq(w->result.finish, INF_FINISH_CONTEXT);
	ck_assert_int_eq(w->result.prompt_tokens + w->result.generated_tokens, 256);
	close_world(w);
}
END_TEST

START_TEST(generate_prompt_longer_than_the_context_is_refused_with_its_length)
{
	struct world *w = open_world(256, 2);
	inf_gen_params params = sink_params(&w->sink, 4);
	char *prompt = malloc(4001);
	memset(prompt, 'x', 4000);
	for (int i = 0; i < 4000; i += 2)
		prompt[i] = ' ';
	prompt[4000] = '\0';
	ck_assert_int_eq(generate(w, prompt, &params), INF_E_CONTEXT_FULL);
	ck_assert_str_eq(w->err.reason, "context_full");
	ck_assert_int_gt(w->result.prompt_tokens, 1000);
	ck_assert_uint_eq(w->sink.calls, 0);
	free(prompt);
	close_world(w);
}
END_TEST

START_TEST(generate_bad_requests_name_the_field)
{
	static const char *const words[] = { "thinking", "min_tokens", "temperature", "top_p", "max_tokens", "token" };
	struct world *w = open_world(0, 1);
	const int32_t outside = 1 << 20;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		inf_gen_params params = sink_params(&w->sink, 4);
		inf_status expected = i < 2 ? INF_E_UNSUPPORTED : INF_E_INVALID;
		if (i == 0)
			params.set = INF_GEN_SET_THINKING;
		if (i == 1)
			params.min_tokens = 3, params.json_schema = "{}";
		if (i == 2)
			params.temperature = 1;		/* without its bit */
		if (i == 3) {
			params.set = INF_GEN_SET_TOP_P;
			params.top_p = 2;
		}
		if (i == 4)
			params.max_tokens = -1;
		if (i == 5) {
			params.stop_tokens = &outside;
			params.stop_token_count = 1;
		}
		ck_assert_int_eq(generate(w, PROMPT, &params), expected);
		ck_assert_msg(strstr(w->err.message, words[i]) != NULL, "%s: %s", words[i], w->err.message);
	}
	inf_gen_params params = sink_params(&w->sink, 4);
	ck_assert_int_eq(generate(w, "\xff\xfe", &params), INF_E_INVALID);
	ck_assert_str_eq(w->err.reason, "utf8");
	close_world(w);
}
END_TEST

START_TEST(generate_without_callbacks_and_reports_is_fine)
{
	struct world *w = open_world(0, 1);
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 3 };
	ck_assert_int_eq(inf_session_generate(w->session, "a", 1, &params, NULL, NULL), INF_OK);
	ck_assert_int_eq(inf_session_generate(w->session, "a\0b", 3, &params, &w->result, NULL), INF_OK);
	ck_assert_int_ge(w->result.prompt_tokens, 4);
	close_world(w);
}
END_TEST

START_TEST(info_tells_what_was_loaded)
{
	struct world *w = open_world(512, 3);
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(w->session, &info, &w->err), INF_OK);
	ck_assert_str_eq(info.model_type, "llama");
	ck_assert_int_eq(info.context_len, 512);
	ck_assert_int_eq(info.context_train, 2048);
	ck_assert_int_eq(info.parallel_slots, 3);
	ck_assert_int_eq(info.vocab_size, 2048);
	ck_assert_int_eq(info.num_layers, 4);
	ck_assert_int_eq(info.hidden_size, 192);
	ck_assert_int_eq(info.quant_bits, 8);
	ck_assert_str_eq(info.devices, "cpu");
	ck_assert(info.flags & INF_INFO_FLAG_CHAT);
	ck_assert(!(info.flags & INF_INFO_FLAG_SERIAL));
	ck_assert(info.gen_fields & INF_GEN_SET_MIN_TOKENS);
	close_world(w);
}
END_TEST

RUN_SUITE("generate", 60, generate_greedy_gives_the_same_text_twice, generate_ids_detokenize_to_the_text,
	  generate_split_characters_arrive_whole_with_their_count,
	  generate_limit_inside_a_character_reports_the_hidden_tokens,
	  generate_special_text_in_the_prompt_is_text_unless_asked, generate_stop_string_ends_before_the_match,
	  generate_text_held_back_at_the_limit_is_delivered, generate_stop_token_ends_before_it,
	  generate_stop_token_that_is_never_shown_is_refused, generate_suppressed_tokens_never_appear,
	  generate_seed_is_reported_and_repeats_the_text, generate_logprobs_come_with_their_flag_only,
	  generate_json_schema_shapes_the_output, generate_until_the_context_is_full_says_so,
	  generate_prompt_longer_than_the_context_is_refused_with_its_length, generate_bad_requests_name_the_field,
	  generate_without_callbacks_and_reports_is_fine, info_tells_what_was_loaded)
