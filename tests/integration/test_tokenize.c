/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

/* Of the bundled model. */
enum { BOS, END, SYSTEM, USER, ASSISTANT };
enum { LONG_TEXT = 260000, IDS_MAX = 4096, TEXT_MAX = 1 << 16 };

struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;
	inf_error err;
	int32_t ids[IDS_MAX];
	char text[TEXT_MAX];
};

static void open_world_with(struct world *w, const char *made, const inf_kv *option)
{
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .options = option,
				 .option_count = option != NULL };
	if (made) {
		load.path = scratch_at(&w->scratch, "model.gguf");
		ck_assert(model_made_write(made, load.path));
	}
	w->registry = harness_registry();
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &load, &w->session, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

static void open_world(struct world *w, const char *made)
{
	open_world_with(w, made, NULL);
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static size_t tokenize(struct world *w, const char *text, uint32_t flags)
{
	size_t count = 0;
	inf_status st = inf_session_tokenize(w->session, text, strlen(text), flags, NULL, w->ids, IDS_MAX, &count, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_uint_le(count, IDS_MAX);
	return count;
}

static void expect_text(struct world *w, const int32_t *ids, size_t count, uint32_t flags, const char *expected)
{
	size_t len = 0;
	inf_status st = inf_session_detokenize(w->session, ids, count, flags, NULL, w->text, TEXT_MAX, &len, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_msg(len == strlen(expected) && !memcmp(w->text, expected, len), "\"%.*s\" is not \"%s\"", (int)len, w->text,
		      expected);
}

static const char *const corpus[] = {
	"", " ", "Hello", " Hello  world \n\n", "It is a truth universally acknowledged, that a single man",
	"\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80""b \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 c", "na\xc3\xafve caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac",
	"\t\"quoted\\\" {json: [1,2]}\x01\x7f", "<|user|> is text here, and so is <|bos|>", "<|end|>", "x<|assistant|><|end|>y",
	"0123456789 ''' ``` ~~~",
};

START_TEST(tokens_of_a_text_give_it_back)
{
	struct world w;
	open_world(&w, NULL);
	for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
		size_t count = tokenize(&w, corpus[i], 0);
		for (size_t k = 0; k < count; k++)
			ck_assert_int_gt(w.ids[k], ASSISTANT);
		expect_text(&w, w.ids, count, 0, corpus[i]);
		expect_text(&w, w.ids, count, INF_TOKENIZE_FLAG_SPECIAL, corpus[i]);
	}
	close_world(&w);
}
END_TEST

START_TEST(beginning_of_sequence_comes_when_asked_for_and_has_no_text)
{
	struct world w;
	open_world(&w, NULL);
	size_t plain = tokenize(&w, "Good day", 0);
	ck_assert_uint_eq(tokenize(&w, "Good day", INF_TOKENIZE_FLAG_BOS), plain + 1);
	ck_assert_int_eq(w.ids[0], BOS);
	expect_text(&w, w.ids, plain + 1, 0, "Good day");
	expect_text(&w, w.ids, plain + 1, INF_TOKENIZE_FLAG_SPECIAL, "<|bos|>Good day");
	close_world(&w);
}
END_TEST

START_TEST(control_tokens_come_from_text_only_when_asked_for)
{
	struct world w;
	open_world(&w, NULL);
	ck_assert_uint_eq(tokenize(&w, "<|user|><|end|>", INF_TOKENIZE_FLAG_SPECIAL), 2);
	ck_assert_int_eq(w.ids[0], USER);
	ck_assert_int_eq(w.ids[1], END);
	expect_text(&w, w.ids, 2, INF_TOKENIZE_FLAG_SPECIAL, "<|user|><|end|>");
	expect_text(&w, w.ids, 2, 0, "");
	close_world(&w);
}
END_TEST

/* The one is left out and the other is not, although they look alike. */
START_TEST(control_tokens_beside_text_that_looks_like_them_leave_the_text)
{
	struct world w;
	open_world(&w, NULL);
	size_t count = tokenize(&w, "<|user|> said", 0);
	memmove(w.ids + 1, w.ids, count * sizeof *w.ids);
	w.ids[0] = USER;
	w.ids[count + 1] = END;
	for (int twice = 0; twice < 2; twice++)		/* what is known of a token by then changes nothing */
		expect_text(&w, w.ids, count + 2, 0, "<|user|> said");
	expect_text(&w, w.ids, count + 2, INF_TOKENIZE_FLAG_SPECIAL, "<|user|><|user|> said<|end|>");
	close_world(&w);
}
END_TEST

/* [1] is <s>, [2] </s>; the blank in front of a word is a part of it. */
START_TEST(tokens_of_words_are_text_one_after_another)
{
	static const int32_t ids[] = { 1, 259, 260, 2, 261 };
	struct world w;
	open_world(&w, "counter");
	expect_text(&w, ids, 5, 0, " one two three");
	expect_text(&w, ids, 5, INF_TOKENIZE_FLAG_SPECIAL, "<s> one two</s> three");
	expect_text(&w, ids + 2, 1, 0, " two");
	ck_assert_uint_eq(tokenize(&w, " one two", INF_TOKENIZE_FLAG_BOS), 3);
	ck_assert_mem_eq(w.ids, ids, 3 * sizeof *ids);
	ck_assert_uint_eq(tokenize(&w, " one</s>", INF_TOKENIZE_FLAG_SPECIAL), 2);
	ck_assert_int_eq(w.ids[1], 2);
	close_world(&w);
}
END_TEST

/* The bytes of U+1F600 are a token each. */
START_TEST(tokens_that_are_no_whole_character_become_a_replacement)
{
	static const int32_t ids[] = { 243, 162, 155, 131 };
	struct world w;
	open_world(&w, "emoji");
	expect_text(&w, ids, 4, 0, "\xf0\x9f\x98\x80");
	expect_text(&w, ids, 2, 0, "\xef\xbf\xbd");
	close_world(&w);
}
END_TEST

START_TEST(sizes_are_told_in_full_and_no_more_is_written_than_there_is_room_for)
{
	struct world w;
	size_t count = 0, len = 0;
	open_world(&w, NULL);
	size_t all = tokenize(&w, "Good day to you", 0);
	int32_t first = w.ids[0], second = w.ids[1];
	w.ids[1] = -7;
	ck_assert_int_eq(inf_session_tokenize(w.session, "Good day to you", 15, 0, NULL, w.ids, 1, &count, &w.err), INF_OK);
	ck_assert_uint_eq(count, all);
	ck_assert_int_eq(w.ids[0], first);
	ck_assert_int_eq(w.ids[1], -7);
	ck_assert_int_eq(inf_session_tokenize(w.session, "Good day to you", 15, 0, NULL, NULL, 0, &count, &w.err), INF_OK);
	ck_assert_uint_eq(count, all);
	w.ids[1] = second;
	w.text[3] = '#';
	ck_assert_int_eq(inf_session_detokenize(w.session, w.ids, all, 0, NULL, w.text, 3, &len, &w.err), INF_OK);
	ck_assert_uint_eq(len, 15);
	ck_assert_mem_eq(w.text, "Goo#", 4);
	ck_assert_int_eq(inf_session_detokenize(w.session, NULL, 0, 0, NULL, NULL, 0, &len, &w.err), INF_OK);
	ck_assert_uint_eq(len, 0);
	close_world(&w);
}
END_TEST

static void expect_refused(struct world *w, inf_status st, inf_status expected, const char *reason)
{
	ck_assert_int_eq(st, expected);
	ck_assert_int_eq(w->err.code, expected);
	ck_assert_str_eq(w->err.reason, reason);
}

START_TEST(nonsense_is_refused_by_name)
{
	struct world w;
	size_t n = 0;
	open_world(&w, NULL);
	inf_session *s = w.session;
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(s, &info, &w.err), INF_OK);
	const int32_t last = info.vocab_size - 1, past = info.vocab_size, negative = -1;
	const inf_call_params odd = { .struct_size = sizeof odd, .flags = 0x80 };
	expect_refused(&w, inf_session_tokenize(s, "\xff", 1, 0, NULL, NULL, 0, &n, &w.err), INF_E_INVALID, "utf8");
	expect_refused(&w, inf_session_tokenize(s, NULL, 1, 0, NULL, NULL, 0, &n, &w.err), INF_E_INVALID, "argument");
	expect_refused(&w, inf_session_tokenize(s, "a", 1, 4, NULL, NULL, 0, &n, &w.err), INF_E_UNSUPPORTED, "flags");
	expect_refused(&w, inf_session_tokenize(s, "a", 1, 0, NULL, NULL, 1, &n, &w.err), INF_E_INVALID, "argument");
	expect_refused(&w, inf_session_tokenize(s, "a", 1, 0, NULL, NULL, 0, NULL, &w.err), INF_E_INVALID, "argument");
	expect_refused(&w, inf_session_tokenize(s, "a", 1, 0, &odd, NULL, 0, &n, &w.err), INF_E_UNSUPPORTED, "call_params");
	expect_refused(&w, inf_session_detokenize(s, &past, 1, 0, NULL, NULL, 0, &n, &w.err), INF_E_INVALID, "token");
	expect_refused(&w, inf_session_detokenize(s, &negative, 1, 0, NULL, NULL, 0, &n, &w.err), INF_E_INVALID, "token");
	expect_refused(&w, inf_session_detokenize(s, NULL, 1, 0, NULL, NULL, 0, &n, &w.err), INF_E_INVALID, "argument");
	expect_refused(&w, inf_session_detokenize(s, &last, 1, 4, NULL, NULL, 0, &n, &w.err), INF_E_UNSUPPORTED, "flags");
	expect_refused(&w, inf_session_count(s, NULL, NULL, &n, &w.err), INF_E_INVALID, "input");
	ck_assert_int_eq(inf_session_detokenize(s, &last, 1, 0, NULL, NULL, 0, &n, &w.err), INF_OK);
	close_world(&w);
}
END_TEST

static size_t count(struct world *w, const inf_input *input)
{
	size_t n = 0;
	inf_status st = inf_session_count(w->session, input, NULL, &n, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return n;
}

START_TEST(count_is_what_a_generation_evaluates)
{
	static const char text[] = "<|user|>Good day";
	static const uint32_t flags[] = { 0, INF_GEN_FLAG_PARSE_SPECIAL, INF_GEN_FLAG_NO_BOS };
	struct world w;
	open_world(&w, NULL);
	for (size_t i = 0; i < 3; i++) {
		inf_gen_params params = { .struct_size = sizeof params, .flags = flags[i], .max_tokens = 1 };
		const inf_input input = { .struct_size = sizeof input, .prompt = text, .prompt_len = strlen(text), .params = &params };
		inf_gen_result result = { .struct_size = sizeof result };
		ck_assert_int_eq(harness_generate(w.session, text, &params, &result, &w.err), INF_OK);
		ck_assert_int_eq(result.prompt_tokens, (int64_t)count(&w, &input));
	}
	close_world(&w);
}
END_TEST

START_TEST(count_is_what_a_chat_evaluates)
{
	struct world w;
	open_world(&w, NULL);
	const inf_message question = harness_message("user", "Is <|end|> the end?"), answer = harness_message("assistant", "No");
	const inf_message *const msgs[] = { &question, &answer };
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	for (size_t n = 1; n <= 2; n++) {
		const inf_input input = { .struct_size = sizeof input, .msgs = msgs, .msg_count = n };
		inf_gen_result result = { .struct_size = sizeof result };
		ck_assert_int_eq(inf_session_chat(w.session, msgs, n, &params, &result, &w.err), INF_OK);
		ck_assert_int_eq(result.prompt_tokens, (int64_t)count(&w, &input));
	}
	close_world(&w);
}
END_TEST

struct watcher {
	struct world *world;
	size_t counted;
};

static int32_t tokenize_meanwhile(void *user, const inf_token *token)
{
	const inf_call_params call = { .struct_size = sizeof call, .flags = INF_GEN_FLAG_NO_WAIT };
	struct watcher *self = user;
	(void)token;
	inf_status st = inf_session_tokenize(self->world->session, "a b", 3, 0, &call, NULL, 0, &self->counted, NULL);
	return st == INF_OK ? INF_CONTINUE : 0;
}

START_TEST(tokens_are_told_while_the_only_slot_generates)
{
	struct world w;
	open_world(&w, NULL);
	struct watcher watcher = { &w, 0 };
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 5, .flags = INF_GEN_FLAG_IGNORE_EOS, .user = &watcher,
		.on_token = tokenize_meanwhile,
	};
	inf_gen_result result = { .struct_size = sizeof result };
	ck_assert_int_eq(harness_generate(w.session, "Once", &params, &result, &w.err), INF_OK);
	ck_assert_int_eq(result.finish, INF_FINISH_LENGTH);
	ck_assert_uint_gt(watcher.counted, 0);
	close_world(&w);
}
END_TEST

/* The tokenizer takes the square of the length where nothing can be merged: several times the limit, and at work. */
START_TEST(server_that_works_on_a_long_text_is_not_taken_for_a_dead_one)
{
	const inf_kv option = { "first-token-timeout-ms", "3000" };
	struct world w;
	size_t count = 0;
	open_world_with(&w, "counter", &option);
	char *text = malloc(LONG_TEXT);
	memset(text, 'a', LONG_TEXT);
	inf_status st = inf_session_tokenize(w.session, text, LONG_TEXT, 0, NULL, NULL, 0, &count, &w.err);
	ck_assert_msg(st == INF_OK, "%s: %s", w.err.reason, w.err.message);
	ck_assert_uint_ge(count, LONG_TEXT);
	free(text);
	close_world(&w);
}
END_TEST

RUN_SUITE("tokenize", 60, server_that_works_on_a_long_text_is_not_taken_for_a_dead_one, tokens_of_a_text_give_it_back, beginning_of_sequence_comes_when_asked_for_and_has_no_text,
	  control_tokens_come_from_text_only_when_asked_for, control_tokens_beside_text_that_looks_like_them_leave_the_text,
	  tokens_of_words_are_text_one_after_another, tokens_that_are_no_whole_character_become_a_replacement,
	  sizes_are_told_in_full_and_no_more_is_written_than_there_is_room_for, nonsense_is_refused_by_name,
	  count_is_what_a_generation_evaluates, count_is_what_a_chat_evaluates, tokens_are_told_while_the_only_slot_generates)
