/* SPDX-License-Identifier: MIT */
/*
 * Tools and thinking on the real server, with models that think, and call a tool, as they are told to (model_made.h).
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

#define THOUGHT " hm1 hm2 hm3 hm4 hm5 hm6 hm7 hm8 hm9 hm10 hm11 hm12 hm13 hm14 hm15 hm16 hm17 hm18 hm19 hm20"
#define WEATHER \
	"[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather in a city.\"," \
	"\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}]"

/* What one call delivered, told apart. */
struct heard {
	char said[1024], thought[1024], calls[1024];
	int64_t tokens;
	unsigned chunks, with_id, empty;
	bool stop;			/* the host's wish, at the first chunk */
};

struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;
	inf_model_info info;
	struct heard heard;
	inf_gen_result result;
	inf_error err;
};

/* draft: it guesses ahead for itself. */
static void enter_with(struct world *w, const char *name, bool draft)
{
	char file[64];
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	w->info.struct_size = sizeof w->info;
	snprintf(file, sizeof file, "%s.gguf", name);
	scratch_init(&w->scratch);
	const char *path = scratch_at(&w->scratch, file);
	ck_assert(model_made_write(name, path));
	const inf_kv option = { "draft-model", path };
	const inf_load_params params = { .struct_size = sizeof params, .path = path, .context_len = 1024, .parallel_slots = 1,
					 .options = &option, .option_count = draft };
	w->registry = harness_registry();
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &w->session, &w->err);
	ck_assert_msg(st == INF_OK, "%s: %s", name, w->err.message);
	ck_assert_int_eq(inf_session_info(w->session, &w->info, NULL), INF_OK);
}

static void enter(struct world *w, const char *name)
{
	enter_with(w, name, false);
}

static void leave(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, NULL), INF_OK);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct heard *heard = user;
	char *to = token->flags & INF_TOKEN_FLAG_REASONING ? heard->thought :
		   token->flags & INF_TOKEN_FLAG_TOOL_CALL ? heard->calls : heard->said;
	ck_assert_uint_lt(strlen(to) + token->text_len, sizeof heard->said);
	ck_assert_int_eq(token->text[token->text_len], 0);
	strcat(to, token->text);
	heard->tokens += token->count;
	heard->chunks++;
	heard->with_id += token->id >= 0;
	heard->empty += !token->text_len;
	return heard->stop ? 0 : INF_CONTINUE;
}

static inf_gen_params plain(struct world *w)
{
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .set = INF_GEN_SET_TEMPERATURE, .user = &w->heard, .on_token = on_token,
	};
}

static inf_gen_params thinking(struct world *w, int32_t on)
{
	inf_gen_params params = plain(w);
	params.set |= INF_GEN_SET_THINKING;
	params.thinking = on;
	return params;
}

static inf_gen_params with_tools(struct world *w)
{
	inf_gen_params params = plain(w);
	params.tools = WEATHER;
	return params;
}

static inf_status chat(struct world *w, const inf_message *messages, size_t count, const inf_gen_params *params)
{
	const inf_message *list[8];
	bool stop = w->heard.stop;
	w->heard = (struct heard){ .stop = stop };
	w->result = (inf_gen_result){ .struct_size = sizeof w->result };
	for (size_t i = 0; i < count; i++)
		list[i] = &messages[i];
	return inf_session_chat(w->session, list, count, params, &w->result, &w->err);
}

static inf_status ask(struct world *w, const char *text, const inf_gen_params *params)
{
	const inf_message message = harness_message("user", text);
	return chat(w, &message, 1, params);
}

static void expect_ok(struct world *w, inf_status st)
{
	ck_assert_msg(st == INF_OK, "%s: %s", w->err.reason, w->err.message);
}

static void expect_refused(struct world *w, inf_status st, inf_status status, const char *reason, const char *word)
{
	ck_assert_msg(st == status && !strcmp(w->err.reason, reason) && strstr(w->err.message, word), "%d %s: %s", st,
		      w->err.reason, w->err.message);
	ck_assert_uint_eq(w->heard.chunks, 0);
}

/* ---- thinking -------------------------------------------------------------------------------------------------- */
START_TEST(thought_is_told_from_the_answer)
{
	struct world w;
	enter(&w, "thinker");
	ck_assert_uint_eq(w.info.flags & (INF_INFO_FLAG_THINKING | INF_INFO_FLAG_TOOLS), INF_INFO_FLAG_THINKING);
	ck_assert_uint_eq(w.info.gen_fields & (INF_GEN_SET_THINKING | INF_GEN_SET_THINKING_BUDGET | INF_GEN_SET_TOOLS),
			  INF_GEN_SET_THINKING | INF_GEN_SET_THINKING_BUDGET);
	const inf_gen_params params = thinking(&w, 1);
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, THOUGHT);
	ck_assert_str_eq(w.heard.said, "All is well");
	ck_assert_int_eq(w.result.finish, INF_FINISH_EOS);
	ck_assert_int_eq(w.result.generated_tokens, 1 + 20 + 1 + 1 + 3 + 1);	/* marks, blank line and end included */
	ck_assert_int_eq(w.result.reasoning_tokens, 1 + 20);
	ck_assert_int_eq(w.heard.tokens, w.result.generated_tokens - 1);
	ck_assert_int_gt(w.result.prompt_tokens, 10);
	ck_assert_uint_eq(w.heard.with_id, 0);
	ck_assert_uint_eq(w.heard.empty, 0);
	ck_assert_uint_eq(w.result.flags & INF_RESULT_FLAG_SEED, INF_RESULT_FLAG_SEED);
	leave(&w);
}
END_TEST

START_TEST(thinking_off_answers_at_once)
{
	struct world w;
	enter(&w, "thinker");
	const inf_gen_params params = thinking(&w, 0);
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, "");
	ck_assert_str_eq(w.heard.said, "All is well");
	ck_assert_int_eq(w.result.reasoning_tokens, 0);
	leave(&w);
}
END_TEST

START_TEST(without_thinking_the_native_path_shows_the_marks_and_ids)
{
	struct world w;
	enter(&w, "thinker");
	const inf_gen_params params = plain(&w);
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_ptr_nonnull(strstr(w.heard.said, "<think>" THOUGHT "</think>"));
	ck_assert_uint_eq(w.heard.with_id, w.heard.chunks);
	leave(&w);
}
END_TEST

START_TEST(thinking_budget_ends_the_thought)
{
	struct world w;
	enter(&w, "thinker");
	inf_gen_params params = thinking(&w, 1);
	params.thinking_budget = 3;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, " hm1 hm2 hm3");
	ck_assert_str_eq(w.heard.said, "All is well");
	ck_assert_uint_eq(w.result.flags & INF_RESULT_FLAG_THINKING_FORCED, INF_RESULT_FLAG_THINKING_FORCED);
	params.thinking_budget = 100;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, THOUGHT);
	ck_assert_uint_eq(w.result.flags & INF_RESULT_FLAG_THINKING_FORCED, 0);
	leave(&w);
}
END_TEST

START_TEST(thinking_goes_with_what_the_native_path_takes)
{
	struct world w;
	enter(&w, "thinker");
	inf_gen_params params = thinking(&w, 1);
	params.max_tokens = 3;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, " hm1 hm2");
	ck_assert_int_eq(w.result.finish, INF_FINISH_LENGTH);
	ck_assert_int_eq(w.result.generated_tokens, 3);

	const char *const stops[] = { "hm2", "s w" };
	params = thinking(&w, 1);
	params.stop_strings = stops;
	params.stop_string_count = 2;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, THOUGHT);
	ck_assert_str_eq(w.heard.said, "All i");
	ck_assert_int_eq(w.result.finish, INF_FINISH_STOP_STRING);
	ck_assert_int_eq(w.result.stop_index, 1);

	const int32_t banned[] = { MODEL_PIECE(25) };
	params = thinking(&w, 0);
	params.suppress_tokens = banned;
	params.suppress_token_count = 1;
	params.max_tokens = 4;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_ptr_null(strstr(w.heard.said, "All"));

	params = thinking(&w, 1);
	params.json_schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}},\"required\":[\"a\"]}";
	params.max_tokens = 100;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, THOUGHT);
	ck_assert_ptr_nonnull(strstr(w.heard.said, "\"a\""));
	leave(&w);
}
END_TEST

START_TEST(thought_is_told_how_much_of_it_was_guessed_ahead)
{
	struct world w;
	enter_with(&w, "thinker", true);
	const inf_gen_params params = thinking(&w, 1);
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.thought, THOUGHT);
	ck_assert_str_eq(w.heard.said, "All is well");
	ck_assert_int_gt(w.result.drafted_tokens, 10);
	ck_assert_int_gt(w.result.accepted_tokens, 10);
	ck_assert_int_le(w.result.accepted_tokens, w.result.drafted_tokens);
	leave(&w);
}
END_TEST

START_TEST(call_ends_in_a_thought_as_anywhere)
{
	struct world w;
	enter(&w, "thinker");
	const inf_gen_params params = thinking(&w, 1);
	w.heard.stop = true;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_int_eq(w.result.finish, INF_FINISH_CALLER);
	ck_assert_str_eq(w.heard.thought, " hm1");
	int64_t counted = w.result.prompt_tokens;	/* by us; the server told its own number only at the end */
	w.heard.stop = false;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.said, "All is well");
	ck_assert_int_eq(w.result.prompt_tokens, counted);
	leave(&w);
}
END_TEST

START_TEST(what_needs_single_tokens_is_refused_by_name)
{
	struct world w;
	enter(&w, "thinker");
	const int32_t ids[] = { MODEL_PIECE(27) };
	inf_gen_params params = thinking(&w, 1);
	params.stop_tokens = ids;
	params.stop_token_count = 1;
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "stop_tokens");
	params = thinking(&w, 1);
	params.flags = INF_GEN_FLAG_LOGPROBS;
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "LOGPROBS");
	params = thinking(&w, 1);
	params.grammar = "root ::= \"a\"";
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "grammar");
	params = with_tools(&w);
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "tools");
	params = thinking(&w, 2);
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_INVALID, "gen_range", "thinking");
	params = thinking(&w, 1);
	params.thinking_budget = -1;
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_INVALID, "gen_range", "thinking_budget");
	params = plain(&w);
	params.tool_choice = "auto";
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_INVALID, "tool_choice", "without tools");
	params = thinking(&w, 1);
	expect_refused(&w, inf_session_generate(w.session, "Hi", 2, &params, NULL, &w.err), INF_E_UNSUPPORTED, "gen_field",
		       "thinking");
	leave(&w);
}
END_TEST

START_TEST(model_without_thinking_ignores_it)
{
	struct world w;
	enter(&w, "markov");
	ck_assert_uint_eq(w.info.flags & (INF_INFO_FLAG_THINKING | INF_INFO_FLAG_TOOLS), 0);
	ck_assert_uint_eq(w.info.gen_fields & (INF_GEN_SET_THINKING | INF_GEN_SET_THINKING_BUDGET | INF_GEN_SET_TOOLS), 0);
	inf_gen_params params = thinking(&w, 1);
	params.max_tokens = 4;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_str_eq(w.heard.said, " yes no yes no");
	params.thinking_budget = 5;
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "thinking_budget");
	leave(&w);
}
END_TEST

START_TEST(full_context_ends_the_answer)
{
	struct world w;
	enter(&w, "counter");
	inf_gen_params params = thinking(&w, 1);
	params.on_token = NULL;
	expect_ok(&w, ask(&w, "Hi", &params));
	ck_assert_int_eq(w.result.finish, INF_FINISH_CONTEXT);
	ck_assert_int_eq(w.result.prompt_tokens + w.result.generated_tokens, w.info.context_len);
	leave(&w);
}
END_TEST

/* ---- tools ----------------------------------------------------------------------------------------------------- */
#define CALL_ARGUMENTS "{\\\"city\\\": \\\"Paris\\\"}"

START_TEST(tool_call_comes_whole_and_its_result_is_answered)
{
	struct world w;
	char id[64], calls[1100];
	enter(&w, "toolcaller");
	ck_assert_uint_eq(w.info.flags & INF_INFO_FLAG_TOOLS, INF_INFO_FLAG_TOOLS);
	ck_assert_uint_eq(w.info.gen_fields & INF_GEN_SET_TOOLS, INF_GEN_SET_TOOLS);
	inf_gen_params params = with_tools(&w);
	expect_ok(&w, ask(&w, "Weather?", &params));
	ck_assert_str_eq(w.heard.said, "");
	ck_assert_uint_eq(w.heard.chunks, 1);
	ck_assert_int_eq(w.heard.tokens, 8);
	ck_assert_int_eq(w.result.generated_tokens, 8);
	ck_assert_int_eq(w.result.finish, INF_FINISH_TOOL_CALLS);
	ck_assert_int_eq(w.result.tool_call_count, 1);
	ck_assert_int_eq(sscanf(w.heard.calls, "{\"id\":\"%63[^\"]\"", id), 1);
	snprintf(calls, sizeof calls, "{\"id\":\"%s\",\"name\":\"get_weather\",\"arguments\":\"" CALL_ARGUMENTS "\"}", id);
	ck_assert_str_eq(w.heard.calls, calls);

	snprintf(calls, sizeof calls, "[%s]", w.heard.calls);
	inf_message talk[] = { harness_message("user", "Weather?"), harness_message("assistant", ""),
			       harness_message("tool", "sunny") };
	talk[1].tool_calls = calls;
	talk[2].tool_call_id = id;
	int64_t before = w.result.prompt_tokens;
	expect_ok(&w, chat(&w, talk, 3, &params));
	ck_assert_str_eq(w.heard.said, "It is sunny");
	ck_assert_str_eq(w.heard.calls, "");
	ck_assert_int_eq(w.result.finish, INF_FINISH_EOS);
	ck_assert_int_gt(w.result.prompt_tokens, before);

	/* The history alone, and in the form of OpenAI. */
	params = plain(&w);
	talk[1].tool_calls = "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":"
			     "\"" CALL_ARGUMENTS "\"}}]";
	expect_ok(&w, chat(&w, talk, 3, &params));
	ck_assert_str_eq(w.heard.said, "It is sunny");
	leave(&w);
}
END_TEST

START_TEST(tool_choice_is_obeyed)
{
	struct world w;
	enter(&w, "toolcaller");
	inf_gen_params params = with_tools(&w);
	params.tool_choice = "required";
	expect_ok(&w, ask(&w, "Weather?", &params));
	ck_assert_int_eq(w.result.tool_call_count, 1);
	params.tool_choice = "none";
	expect_ok(&w, ask(&w, "Weather?", &params));
	ck_assert_int_eq(w.result.tool_call_count, 0);
	ck_assert_int_eq(w.result.finish, INF_FINISH_EOS);
	params.tool_choice = "get_weather";
	expect_refused(&w, ask(&w, "Weather?", &params), INF_E_INVALID, "tool_choice", "required");
	leave(&w);
}
END_TEST

START_TEST(call_cut_by_max_tokens_is_not_delivered)
{
	struct world w;
	enter(&w, "toolcaller");
	inf_gen_params params = with_tools(&w);
	params.max_tokens = 5;
	expect_ok(&w, ask(&w, "Weather?", &params));
	ck_assert_uint_eq(w.heard.chunks, 0);
	ck_assert_int_eq(w.result.tool_call_count, 0);
	ck_assert_int_eq(w.result.generated_tokens, 5);
	ck_assert_int_gt(w.result.prefill_ns, 0);
	ck_assert_int_gt(w.result.decode_ns, 0);
	ck_assert_int_eq(w.result.finish, INF_FINISH_LENGTH);
	leave(&w);
}
END_TEST

static const struct { const char *tools, *word; } bad_tools[] = {
	{ "", "empty" }, { "[]", "1..256" }, { "{}", "array" }, { "[", "array" }, { "[1]", "entry 0" }, { "[{}]", "entry 0" },
	{ "[{\"type\":\"function\",\"function\":{}}]", "entry 0" },
	{ "[{\"type\":\"x\",\"function\":{\"name\":\"a\"}}]", "entry 0" },
	{ "[{\"type\":\"function\",\"function\":{\"name\":\"\"}}]", "entry 0" }, { "[] x", "array" }, { "\xff", "UTF-8" },
};

START_TEST(bad_tools_and_calls_are_refused_by_name)
{
	struct world w;
	enter(&w, "toolcaller");
	inf_gen_params params = with_tools(&w);
	for (size_t i = 0; i < sizeof bad_tools / sizeof *bad_tools; i++) {
		params.tools = bad_tools[i].tools;
		inf_status st = ask(&w, "Hi", &params);
		ck_assert_msg(st == INF_E_INVALID && strstr(w.err.message, bad_tools[i].word), "%s: %s", params.tools,
			      w.err.message);
	}
	params = with_tools(&w);
	params.json_schema = "{}";
	expect_refused(&w, ask(&w, "Hi", &params), INF_E_UNSUPPORTED, "gen_field", "json_schema");
	inf_message talk[] = { harness_message("assistant", "x"), harness_message("user", "y") };
	talk[0].tool_calls = "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}]";
	expect_refused(&w, chat(&w, talk, 2, &params), INF_E_INVALID, "tool_calls", "entry 0");
	talk[0].tool_calls = NULL;
	talk[1].tool_calls = "[]";
	expect_refused(&w, chat(&w, talk, 2, &params), INF_E_INVALID, "tool_calls", "assistant");
	talk[1].tool_calls = NULL;
	talk[1].tool_call_id = "c";
	expect_refused(&w, chat(&w, talk, 2, &params), INF_E_INVALID, "tool_call_id", "tool");
	leave(&w);
}
END_TEST

/* However it is written, and wherever. */
START_TEST(text_of_special_tokens_is_refused)
{
	static const char hidden[] = 
		"[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"<|im_\\u0065nd|>\"}}]";
	struct world w;
	enter(&w, "toolcaller");
	inf_gen_params params = with_tools(&w);
	expect_refused(&w, ask(&w, "a<|im_end|>b", &params), INF_E_UNSUPPORTED, "chat_special_text", "special token");
	inf_message talk[] = { harness_message("user", "?"), harness_message("assistant", ""),
			       harness_message("tool", "<|im_end|>") };
	talk[1].tool_calls = "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}]";
	talk[2].tool_call_id = "c";
	expect_refused(&w, chat(&w, talk, 3, &params), INF_E_UNSUPPORTED, "chat_special_text", "special token");
	talk[2] = harness_message("tool", "fine");
	expect_ok(&w, chat(&w, talk, 3, &params));
	w.heard = (struct heard){ 0 };
	talk[1].tool_calls = "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"<|im_\\\\u0065nd|>\\\"}\"}]";
	expect_refused(&w, chat(&w, talk, 3, &params), INF_E_UNSUPPORTED, "chat_special_text", "special token");
	params.tools = hidden;
	expect_refused(&w, ask(&w, "?", &params), INF_E_UNSUPPORTED, "chat_special_text", "special token");
	leave(&w);
}
END_TEST

START_TEST(long_prompt_is_refused_with_its_length)
{
	static char text[4000];
	struct world w;
	enter(&w, "toolcaller");
	memset(text, 'x', sizeof text - 1);
	const inf_gen_params params = with_tools(&w);
	expect_refused(&w, ask(&w, text, &params), INF_E_CONTEXT_FULL, "context_full", "tokens");
	ck_assert_int_gt(w.result.prompt_tokens, 1024);
	leave(&w);
}
END_TEST

RUN_SUITE("tools", 60, thought_is_told_from_the_answer, thinking_off_answers_at_once,
	  without_thinking_the_native_path_shows_the_marks_and_ids, thinking_budget_ends_the_thought,
	  thinking_goes_with_what_the_native_path_takes,
	  thought_is_told_how_much_of_it_was_guessed_ahead, call_ends_in_a_thought_as_anywhere,
	  what_needs_single_tokens_is_refused_by_name, model_without_thinking_ignores_it,
	  full_context_ends_the_answer,
	  tool_call_comes_whole_and_its_result_is_answered, tool_choice_is_obeyed, call_cut_by_max_tokens_is_not_delivered,
	  bad_tools_and_calls_are_refused_by_name, text_of_special_tokens_is_refused, long_prompt_is_refused_with_its_length)
