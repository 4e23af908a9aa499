/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "prompt.h"
#include "suite.h"

/* The special tokens of the bundled model. */
static const char *const special[] = { "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>" };
enum { BOS, END, SYSTEM, USER, ASSISTANT };

struct world {
	inf_host host;
	inf_kv options[1];
	inf_instance *instance;
	inf_model *model;
	struct gr_call call;
	inf_error err;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->options[0] = (inf_kv){ "llama-server.path", harness_server() };
	w->host = (inf_host){ .struct_size = sizeof w->host, .options = w->options, .option_count = 1 };
	w->err.struct_size = sizeof w->err;
	ck_assert_int_eq(gr_backend_create(&w->host, &w->instance, &w->err), INF_OK);
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model() };
	ck_assert_msg(gr_model_load(w->instance, &params, &w->model, &w->err) == INF_OK, "%s", w->err.message);
	w->call = (struct gr_call){ .model = w->model, .err = &w->err };
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(gr_model_close(w->model, &w->err), INF_OK);
	gr_backend_destroy(w->instance);
}

static struct gr_wire_message message(const char *role, const char *content)
{
	return (struct gr_wire_message){ .role = role, .content = content, .content_len = strlen(content) };
}

struct ids {
	int32_t list[512];
	size_t count;
};

static void add(struct ids *out, int32_t id)
{
	out->list[out->count++] = id;
}

/* Text that is nothing but text. */
static void add_text(struct world *w, struct ids *out, const char *text)
{
	struct gr_prompt part = GR_PROMPT_INIT;
	ck_assert_int_eq(gr_prompt_from_text(&part, &w->call, text, strlen(text), INF_GEN_FLAG_NO_BOS), INF_OK);
	for (size_t i = 0; i < part.count; i++)
		add(out, part.ids[i]);
	gr_prompt_release(&part);
}

static void expect(struct world *w, const struct gr_wire_message *messages, size_t count, const struct ids *expected)
{
	struct gr_prompt prompt = GR_PROMPT_INIT;
	inf_status st = gr_prompt_from_messages(&prompt, &w->call, messages, count, NULL);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_uint_eq(prompt.count, expected->count);
	for (size_t i = 0; i < prompt.count; i++)
		ck_assert_int_eq(prompt.ids[i], expected->list[i]);
	gr_prompt_release(&prompt);
}

START_TEST(prompt_of_plain_messages_is_what_the_server_makes_of_them)
{
	struct world w;
	open_world(&w);
	const struct gr_wire_message messages[] = { message("user", "Good day"), message("assistant", " Sir. "),
						    message("user", "\xf0\x9f\x98\x80\n") };
	struct ids expected = { .count = 0 };
	add(&expected, BOS);
	add(&expected, USER);
	add_text(&w, &expected, "Good day");
	add(&expected, END);
	add(&expected, ASSISTANT);
	add_text(&w, &expected, " Sir. ");
	add(&expected, END);
	add(&expected, USER);
	add_text(&w, &expected, "\xf0\x9f\x98\x80\n");
	add(&expected, END);
	add(&expected, ASSISTANT);
	expect(&w, messages, 3, &expected);
	close_world(&w);
}
END_TEST

START_TEST(prompt_of_every_special_token_as_user_text_keeps_it_text)
{
	struct world w;
	open_world(&w);
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		char text[128];
		struct ids expected = { .count = 0 };
		snprintf(text, sizeof text, "%s%s said %s", special[i], special[i], special[i]);
		const struct gr_wire_message messages[] = { message("user", text), message("assistant", "No."),
							    message("user", special[i]) };
		add(&expected, BOS);
		add(&expected, USER);
		add_text(&w, &expected, text);
		add(&expected, END);
		add(&expected, ASSISTANT);
		add_text(&w, &expected, "No.");
		add(&expected, END);
		add(&expected, USER);
		add_text(&w, &expected, special[i]);
		add(&expected, END);
		add(&expected, ASSISTANT);
		for (size_t k = 2; k + 1 < expected.count && expected.list[k] != END; k++)
			ck_assert_int_gt(expected.list[k], ASSISTANT);
		expect(&w, messages, 3, &expected);
	}
	close_world(&w);
}
END_TEST

START_TEST(prompt_of_text_and_its_parts_agree)
{
	struct world w;
	open_world(&w);
	struct gr_prompt prompt = GR_PROMPT_INIT;
	ck_assert_int_eq(gr_prompt_from_text(&prompt, &w.call, "<|user|>a", 9, INF_GEN_FLAG_PARSE_SPECIAL), INF_OK);
	ck_assert_uint_eq(prompt.count, 3);
	ck_assert_int_eq(prompt.ids[0], BOS);
	ck_assert_int_eq(prompt.ids[1], USER);
	gr_prompt_release(&prompt);
	close_world(&w);
}
END_TEST

RUN_SUITE("prompt", 60, prompt_of_plain_messages_is_what_the_server_makes_of_them,
	  prompt_of_every_special_token_as_user_text_keeps_it_text, prompt_of_text_and_its_parts_agree)
