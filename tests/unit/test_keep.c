/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include <check.h>
#include <stdlib.h>

#include "failmalloc.h"

static inf_error err;

static void setup(void)
{
	err = (inf_error){ .struct_size = sizeof err };
}

/* ---- what is refused ---------------------------------------------------------------------------------------------- */
static struct {
	inf_gen_params known;
	uint64_t newer;
} later = { { .struct_size = sizeof later }, 1 };

static const inf_message message_short = { .struct_size = 8, .role = "user" };
static const inf_media media_newer = { .struct_size = sizeof media_newer, .flags = 1 };
static const inf_media *const media_list[] = { &media_newer };
static const inf_message message_media = { .struct_size = sizeof message_media, .role = "user", .media = media_list, .media_count = 1 };
static const inf_message *const short_list[] = { &message_short }, *const newer_media[] = { &message_media }, *const null_list[] = { NULL };
static const inf_message *const good_list[] = { &(const inf_message){ .struct_size = sizeof(inf_message), .role = "user" } };

static const struct {
	const char *what;
	inf_input input;
	inf_gen_params params;
	inf_status status;
} refused[] = {
	{ "size of the input", { .struct_size = 8 }, { .struct_size = sizeof(inf_gen_params) }, INF_E_INVALID },
	{ "flags of the input", { .struct_size = sizeof(inf_input), .flags = 1 }, { .struct_size = sizeof(inf_gen_params) }, INF_E_UNSUPPORTED },
	{ "both", { .struct_size = sizeof(inf_input), .prompt = "x", .msgs = good_list, .msg_count = 1 },
	  { .struct_size = sizeof(inf_gen_params) }, INF_E_INVALID },
	{ "size of the params", { .struct_size = sizeof(inf_input) }, { .struct_size = 8 }, INF_E_INVALID },
	{ "flag of the params", { .struct_size = sizeof(inf_input) }, { .struct_size = sizeof(inf_gen_params), .flags = 1u << 31 }, INF_E_UNSUPPORTED },
	{ "bit of the params", { .struct_size = sizeof(inf_input) }, { .struct_size = sizeof(inf_gen_params), .set = 1ull << 63 }, INF_E_UNSUPPORTED },
	{ "size of a message", { .struct_size = sizeof(inf_input), .msgs = short_list, .msg_count = 1 },
	  { .struct_size = sizeof(inf_gen_params) }, INF_E_INVALID },
	{ "no message", { .struct_size = sizeof(inf_input), .msgs = null_list, .msg_count = 1 },
	  { .struct_size = sizeof(inf_gen_params) }, INF_E_INVALID },
	{ "newer media", { .struct_size = sizeof(inf_input), .msgs = newer_media, .msg_count = 1 },
	  { .struct_size = sizeof(inf_gen_params) }, INF_E_UNSUPPORTED },
	{ "too many", { .struct_size = sizeof(inf_input), .msgs = good_list, .msg_count = SIZE_MAX / 2 },
	  { .struct_size = sizeof(inf_gen_params) }, INF_E_NO_MEMORY },
};

START_TEST(input_that_cannot_be_copied_is_refused)
{
	struct ic_keep kept;
	inf_status st = ic_keep_input(&kept, &refused[_i].input, &refused[_i].params, &err);
	ck_assert_msg(st == refused[_i].status, "%s: %d", refused[_i].what, st);
	ck_assert_int_eq(err.code, st);
	ic_keep_release(&kept);
}
END_TEST

START_TEST(params_with_a_newer_field_are_refused)
{
	struct ic_keep kept;
	const inf_input input = { .struct_size = sizeof input };
	later.newer = 1;
	ck_assert_int_eq(ic_keep_input(&kept, &input, &later.known, &err), INF_E_UNSUPPORTED);
	ic_keep_release(&kept);
	later.newer = 0;
	ck_assert_int_eq(ic_keep_input(&kept, &input, &later.known, &err), INF_OK);
	ck_assert_uint_eq(kept.params.struct_size, sizeof kept.params);
	ic_keep_release(&kept);
}
END_TEST

/* ---- the copy ------------------------------------------------------------------------------------------------------ */
/* Every pointer of these leads to memory of its own, that is overwritten after the copy was made. */
struct original {
	char prompt[8], role[8], content[8], calls[8], id[8], media_bytes[4], stop[8], key[8], value[8];
	char schema[8], grammar[8], request_id[8], tools[8], choice[8];
	int32_t tokens[2];
	inf_media media;
	const inf_media *media_list[1];
	inf_message message;
	const inf_message *messages[1];
	const char *stops[1];
	inf_kv options[1];
	inf_input input;
	inf_gen_params params;
};

static struct original *new_original(void)
{
	struct original *o = calloc(1, sizeof *o);
	*o = (struct original){ "prompt", "role", "content", "calls", "id", "png", "stop", "key", "value", "schema", "grammar", "request",
				"tools", "choice", { 3, 4 }, .media = { .struct_size = sizeof o->media, .kind = INF_MEDIA_IMAGE } };
	o->media.data = o->media_bytes;
	o->media.size = 4;
	o->media_list[0] = &o->media;
	o->message = (inf_message){ sizeof o->message, 0, o->role, o->content, 7, o->media_list, 1, o->calls, o->id };
	o->messages[0] = &o->message;
	o->stops[0] = o->stop;
	o->options[0] = (inf_kv){ o->key, o->value };
	o->input = (inf_input){ .struct_size = sizeof o->input, .msgs = o->messages, .msg_count = 1, .params = &o->params };
	o->params = (inf_gen_params){
		.struct_size = sizeof o->params, .set = INF_GEN_SET_SEED, .seed = 7, .max_tokens = 5, .stop_tokens = o->tokens,
		.stop_token_count = 2, .suppress_tokens = o->tokens, .suppress_token_count = 1, .stop_strings = o->stops,
		.stop_string_count = 1, .json_schema = o->schema, .grammar = o->grammar, .request_id = o->request_id,
		.options = o->options, .option_count = 1, .tools = o->tools, .tool_choice = o->choice,
	};
	return o;
}

static void expect_params(const inf_gen_params *p)
{
	ck_assert_uint_eq(p->seed, 7);
	ck_assert_int_eq(p->max_tokens, 5);
	ck_assert_int_eq(p->stop_tokens[1], 4);
	ck_assert_int_eq(p->suppress_tokens[0], 3);
	ck_assert_str_eq(p->stop_strings[0], "stop");
	ck_assert_str_eq(p->options[0].key, "key");
	ck_assert_str_eq(p->options[0].value, "value");
	ck_assert_str_eq(p->json_schema, "schema");
	ck_assert_str_eq(p->grammar, "grammar");
	ck_assert_str_eq(p->request_id, "request");
	ck_assert_str_eq(p->tools, "tools");
	ck_assert_str_eq(p->tool_choice, "choice");
}

START_TEST(copy_holds_everything_in_memory_of_its_own)
{
	struct original *o = new_original();
	struct ic_keep kept = IC_KEEP_INIT;
	ck_assert_int_eq(ic_keep_input(&kept, &o->input, NULL, &err), INF_OK);
	memset(o, 0x55, sizeof *o);
	free(o);
	expect_params(&kept.params);
	ck_assert_ptr_null(kept.input.params);
	ck_assert_uint_eq(kept.input.msg_count, 1);
	const inf_message *m = kept.input.msgs[0];
	ck_assert_str_eq(m->role, "role");
	ck_assert_mem_eq(m->content, "content", 7);
	ck_assert_str_eq(m->tool_calls, "calls");
	ck_assert_str_eq(m->tool_call_id, "id");
	ck_assert_int_eq(m->media[0]->kind, INF_MEDIA_IMAGE);
	ck_assert_mem_eq(m->media[0]->data, "png", 4);
	ic_keep_release(&kept);
}
END_TEST

START_TEST(copy_of_a_prompt_is_as_long_as_it_says)
{
	struct ic_keep kept = IC_KEEP_INIT;
	char *prompt = memcpy(malloc(3), "pro", 3);
	const inf_input in = { .struct_size = sizeof in, .prompt = prompt, .prompt_len = 3 };
	ck_assert_int_eq(ic_keep_input(&kept, &in, NULL, &err), INF_OK);
	free(prompt);
	ck_assert_mem_eq(kept.input.prompt, "pro", 3);
	ck_assert_uint_eq(kept.params.struct_size, sizeof kept.params);
	ic_keep_release(&kept);
	const inf_input none = { .struct_size = sizeof none, .prompt_len = 3 };	/* who generates refuses it */
	ck_assert_int_eq(ic_keep_input(&kept, &none, NULL, &err), INF_OK);
	ck_assert_ptr_null(kept.input.prompt);
	ic_keep_release(&kept);
}
END_TEST

START_TEST(copy_of_the_params_of_the_call_goes_before_the_inputs)
{
	struct original *o = new_original();
	struct ic_keep kept = IC_KEEP_INIT;
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 99 };
	ck_assert_int_eq(ic_keep_input(&kept, &o->input, &params, &err), INF_OK);
	ck_assert_int_eq(kept.params.max_tokens, 99);
	ck_assert_ptr_null(kept.params.grammar);
	ic_keep_release(&kept);
	free(o);
}
END_TEST

START_TEST(copy_survives_oom)
{
	struct original *o = new_original();
	for (long n = 0;; n++) {
		struct ic_keep kept;
		failmalloc_arm(n);
		inf_status st = ic_keep_input(&kept, &o->input, NULL, &err);
		bool fired = failmalloc_disarm();
		ic_keep_release(&kept);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
		ck_assert_int_eq(err.code, st);
	}
	free(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep");
	TCase *tcase = tcase_create("keep");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, input_that_cannot_be_copied_is_refused, 0, sizeof refused / sizeof *refused);
	tcase_add_test(tcase, params_with_a_newer_field_are_refused);
	tcase_add_test(tcase, copy_holds_everything_in_memory_of_its_own);
	tcase_add_test(tcase, copy_of_a_prompt_is_as_long_as_it_says);
	tcase_add_test(tcase, copy_of_the_params_of_the_call_goes_before_the_inputs);
	tcase_add_test(tcase, copy_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
