/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "harness.h"
#include "suite.h"

struct world {
	inf_registry *registry;
	inf_session *session;
	struct sink sink;
	inf_gen_result result;
	inf_error err;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->registry = harness_registry();
	w->session = harness_load(w->registry, 0, 1);
	w->result.struct_size = sizeof w->result;
	w->err.struct_size = sizeof w->err;
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
}

static inf_status chat(struct world *w, const inf_message *messages, size_t count)
{
	const inf_message *list[8];
	memset(&w->sink, 0, sizeof w->sink);
	const inf_gen_params params = sink_params(&w->sink, 40);
	for (size_t i = 0; i < count; i++)
		list[i] = &messages[i];
	return inf_session_chat(w->session, list, count, &params, &w->result, &w->err);
}

START_TEST(chat_answers_with_ids)
{
	struct world w;
	open_world(&w);
	const inf_message messages[] = { harness_message("user", "How do you do?") };
	ck_assert_int_eq(chat(&w, messages, 1), INF_OK);
	ck_assert_uint_gt(w.sink.len, 0);
	for (size_t i = 0; i < w.sink.calls; i++)
		ck_assert_int_ge(w.sink.ids[i], 5);	/* 0..4 are special and never delivered */
	close_world(&w);
}
END_TEST

START_TEST(chat_roles_and_history_make_the_prompt_longer)
{
	struct world w;
	open_world(&w);
	const inf_message messages[] = {
		harness_message("user", "Good morning."), harness_message("assistant", "Good morning, sir."),
		harness_message("user", "And how is your sister?"), harness_message("system", "Be brief."),
	};
	ck_assert_int_eq(chat(&w, messages, 1), INF_OK);
	int64_t one = w.result.prompt_tokens;
	ck_assert_int_eq(chat(&w, messages, 3), INF_OK);
	int64_t three = w.result.prompt_tokens;
	ck_assert_int_gt(three, one);
	ck_assert_int_eq(chat(&w, (inf_message[]){ messages[3], messages[0] }, 2), INF_OK);
	ck_assert_int_gt(w.result.prompt_tokens, one);
	close_world(&w);
}
END_TEST

START_TEST(chat_assistant_message_in_last_place_is_continued)
{
	struct world w;
	open_world(&w);
	const inf_message messages[] = {
		harness_message("user", "How is your sister?"), harness_message("assistant", "She is very"),
	};
	ck_assert_int_eq(chat(&w, messages, 2), INF_OK);
	ck_assert_int_eq(w.sink.text[0], ' ');
	close_world(&w);
}
END_TEST

START_TEST(chat_bad_messages_are_refused_by_name)
{
	struct world w;
	open_world(&w);
	const inf_message unknown[] = { harness_message("oracle", "Speak.") };
	ck_assert_int_eq(chat(&w, unknown, 1), INF_E_INVALID);
	ck_assert_str_eq(w.err.reason, "chat_role");
	ck_assert_ptr_nonnull(strstr(w.err.message, "oracle"));
	const inf_message spaced[] = { harness_message("user\"", "Speak.") };
	ck_assert_int_eq(chat(&w, spaced, 1), INF_E_INVALID);
	const inf_message broken[] = { harness_message("user", "\xc3") };
	ck_assert_int_eq(chat(&w, broken, 1), INF_E_INVALID);
	ck_assert_str_eq(w.err.reason, "utf8");
	ck_assert_int_eq(chat(&w, NULL, 0), INF_E_INVALID);

	const inf_media picture = { .struct_size = sizeof picture, .kind = INF_MEDIA_IMAGE, .data = "x", .size = 1 };
	const inf_media *media[] = { &picture };
	inf_message seen = harness_message("user", "What is this?");
	seen.media = media;
	seen.media_count = 1;
	ck_assert_int_eq(chat(&w, &seen, 1), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w.err.reason, "media");
	close_world(&w);
}
END_TEST

RUN_SUITE("chat", 60, chat_answers_with_ids, chat_roles_and_history_make_the_prompt_longer,
	  chat_assistant_message_in_last_place_is_continued, chat_bad_messages_are_refused_by_name)
