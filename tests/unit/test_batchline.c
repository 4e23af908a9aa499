/* SPDX-License-Identifier: MIT */
#include "batchline.h"

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batchjson.h"
#include "batchrecord.h"
#include "failmalloc.h"
#include "text.h"

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { PAGE_MAX = 1 << 20 };

/* ---- json-c out of memory -------------------------------------------------------------------------------------- */
static long json_countdown = -1;
static bool json_fired;

static bool json_fails(void)
{
	if (json_countdown < 0 || json_countdown-- != 0)
		return false;
	json_fired = true;
	return true;
}

#define WRAP(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params { return json_fails() ? NULL : __real_##name args; }

WRAP(const char *, json_object_to_json_string_length, (struct json_object *o, int flags, size_t *len), (o, flags, len))
WRAP(const char *, json_object_to_json_string_ext, (struct json_object *o, int flags), (o, flags))
WRAP(struct json_tokener *, json_tokener_new_ex, (int depth), (depth))

/* ---- what a line says, in words ---------------------------------------------------------------------------------- */
static const inf_kv default_options[] = { { "a", "1" }, { "b", "2" } };
static const char *const default_stops[] = { "END" };
static const inf_gen_params no_defaults = { .struct_size = sizeof no_defaults };
static const inf_gen_params some_defaults = {
	.struct_size = sizeof some_defaults, .set = INF_GEN_SET_TOP_K, .top_k = 7, .max_tokens = 9,
	.flags = INF_GEN_FLAG_PARSE_SPECIAL | INF_GEN_FLAG_IGNORE_EOS, .options = default_options, .option_count = 2,
	.stop_strings = default_stops, .stop_string_count = 1,
};

static void add_ids(struct text *out, const char *name, const int32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_printf(out, " %s=%d", name, ids[i]);
}

static void add_messages(struct text *out, const inf_input *input)
{
	for (size_t i = 0; i < input->msg_count; i++) {
		const inf_message *m = input->msgs[i];
		ck_assert_uint_eq(m->struct_size, sizeof *m);
		text_printf(out, " %s:%.*s", m->role, (int)m->content_len, m->content ? m->content : "");
		if (m->tool_calls)
			text_printf(out, " calls=%s", m->tool_calls);
		if (m->tool_call_id)
			text_printf(out, " answers=%s", m->tool_call_id);
	}
}

static void add_params(struct text *out, const inf_gen_params *p)
{
	const struct { const char *name; double value; } numbers[] = {
		{ "max_tokens", p->max_tokens }, { "min_tokens", p->min_tokens }, { "temperature", p->temperature },
		{ "top_k", p->top_k }, { "top_p", p->top_p }, { "min_p", p->min_p }, { "seed", (double)p->seed },
		{ "repeat", p->repeat_penalty }, { "frequency", p->frequency_penalty }, { "presence", p->presence_penalty },
		{ "thinking", p->thinking }, { "budget", p->thinking_budget }, { "flags", p->flags }, { "set", (double)p->set },
	};
	const struct { const char *name, *value; } texts[] = {
		{ "schema", p->json_schema }, { "grammar", p->grammar }, { "tools", p->tools }, { "choice", p->tool_choice },
	};
	ck_assert_uint_eq(p->struct_size, sizeof *p);
	for (int i = 0; i < ROWS(numbers); i++)
		if (numbers[i].value < 0 || numbers[i].value > 0)
			text_printf(out, " %s=%.7g", numbers[i].name, numbers[i].value);
	for (int i = 0; i < ROWS(texts); i++)
		if (texts[i].value)
			text_printf(out, " %s=%s", texts[i].name, texts[i].value);
	add_ids(out, "stop_token", p->stop_tokens, p->stop_token_count);
	add_ids(out, "suppress", p->suppress_tokens, p->suppress_token_count);
	for (size_t i = 0; i < p->stop_string_count; i++)
		text_printf(out, " stop=%s", p->stop_strings[i]);
	for (size_t i = 0; i < p->option_count; i++)
		text_printf(out, " %s:=%s", p->options[i].key, p->options[i].value);
}

static void describe(const struct batch_line *line, struct text *out)
{
	text_printf(out, "%s", line->id);
	if (line->input.prompt)
		text_printf(out, " '%.*s'", (int)line->input.prompt_len, line->input.prompt);
	add_messages(out, &line->input);
	add_params(out, line->input.params);
	ck_assert(!out->failed);
}

static const struct { const char *line, *says; } good[] = {
	{ "{\"prompt\":\"hi\"}", "null 'hi'" },
	{ "  {\"prompt\":\"\"} \t\r", "null ''" },
	{ "{\"prompt\":\"a\\u0041\\n\",\"id\":null}", "null 'aA\n'" },
	{ "{\"id\":\"x\\\"y\",\"prompt\":\"a\"}", "\"x\\\"y\" 'a'" },
	{ "{\"id\":[1,-2,2.50,1e400,{\"b\": true}],\"prompt\":\"a\"}", "[1,-2,2.50,1e400,{\"b\":true}] 'a'" },
	{ "{\"id\":18446744073709551615,\"prompt\":\"a\"}", "18446744073709551615 'a'" },
	{ "{\"id\":-9223372036854775808,\"prompt\":\"a\"}", "-9223372036854775808 'a'" },
	{ "{\"id\":1e-99999999999999999999,\"prompt\":\"99999999999999999999999\"}",
	  "1e-99999999999999999999 '99999999999999999999999'" },
	{ "{\"id\":\"\\\\\\\"99999999999999999999\",\"prompt\":\"a\"}", "\"\\\\\\\"99999999999999999999\" 'a'" },
	{ "{\"prompt\":\"a\",\"max_tokens\":3,\"min_tokens\":2,\"thinking_budget\":5,\"top_k\":0}",
	  "null 'a' max_tokens=3 min_tokens=2 budget=5 set=2" },
	{ "{\"prompt\":\"a\",\"temperature\":0,\"top_p\":1,\"min_p\":0.5,\"repeat_penalty\":1.5}",
	  "null 'a' top_p=1 min_p=0.5 repeat=1.5 set=45" },
	{ "{\"prompt\":\"a\",\"frequency_penalty\":-2,\"presence_penalty\":2.0,\"seed\":18446744073709551615}",
	  "null 'a' seed=1.844674e+19 frequency=-2 presence=2 set=208" },
	{ "{\"prompt\":\"a\",\"seed\":0,\"thinking\":false,\"ignore_eos\":true}", "null 'a' flags=4 set=272" },
	{ "{\"prompt\":\"a\",\"thinking\":true,\"ignore_eos\":false}", "null 'a' thinking=1 set=256" },
	{ "{\"prompt\":\"a\",\"stop\":\"x\",\"stop_tokens\":[1,2147483647],\"suppress_tokens\":[0]}",
	  "null 'a' stop_token=1 stop_token=2147483647 suppress=0 stop=x" },
	{ "{\"prompt\":\"a\",\"stop\":[\"x\",\"yz\"],\"stop_tokens\":[]}", "null 'a' stop=x stop=yz" },
	{ "{\"prompt\":\"a\",\"json_schema\":{\"type\": \"object\"}}", "null 'a' schema={\"type\":\"object\"}" },
	{ "{\"prompt\":\"a\",\"json_schema\":\"{}\"}", "null 'a' schema={}" },
	{ "{\"prompt\":\"a\",\"grammar\":\"root ::= x\"}", "null 'a' grammar=root ::= x" },
	{ "{\"prompt\":\"a\",\"options\":{\"k\":\"v\",\"n\":1.50,\"i\":-3,\"t\":true}}", "null 'a' k:=v n:=1.50 i:=-3 t:=true" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "null user:hi" },
	{ "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\": \"7\"}]},"
	  "{\"role\":\"tool\",\"content\":\"r\",\"tool_call_id\":\"7\"}],\"tools\":[{\"x\":1}],\"tool_choice\":\"none\"}",
	  "null assistant: calls=[{\"id\":\"7\"}] tool:r answers=7 tools=[{\"x\":1}] choice=none" },
	{ "{\"prompt\":\"a\",\"messages\":null,\"temperature\":null,\"stop\":null,\"options\":null}", "null 'a'" },
};

START_TEST(line_says_what_it_says)
{
	struct batch_line line;
	struct text said = TEXT_INIT(PAGE_MAX);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(batch_line_parse(&line, good[_i].line, strlen(good[_i].line), &no_defaults, &err) == INF_OK, "%s: %s",
		      good[_i].line, err.message);
	describe(&line, &said);
	ck_assert_str_eq(text_string(&said), good[_i].says);
	text_release(&said);
	batch_line_release(&line);
}
END_TEST

static const struct { const char *line, *says; } with_defaults[] = {
	{ "{\"prompt\":\"p\"}", "null 'p' max_tokens=9 top_k=7 flags=20 set=2 stop=END a:=1 b:=2" },
	{ "{\"prompt\":\"p\",\"top_k\":0,\"max_tokens\":0}", "null 'p' flags=20 set=2 stop=END a:=1 b:=2" },
	{ "{\"prompt\":\"p\",\"ignore_eos\":false,\"stop\":[]}", "null 'p' max_tokens=9 top_k=7 flags=16 set=2 a:=1 b:=2" },
	{ "{\"prompt\":\"p\",\"options\":{\"b\":3,\"c\":4}}",
	  "null 'p' max_tokens=9 top_k=7 flags=20 set=2 stop=END a:=1 b:=3 c:=4" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":\"p\"}]}",
	  "null user:p max_tokens=9 top_k=7 flags=4 set=2 stop=END a:=1 b:=2" },
};

START_TEST(schema_of_a_line_takes_the_place_of_a_grammar)
{
	static const char schema_line[] = "{\"prompt\":\"a\",\"json_schema\":\"{}\"}", grammar_line[] = "{\"prompt\":\"a\",\"grammar\":\"g\"}";
	const inf_gen_params grammar = { .struct_size = sizeof grammar, .grammar = "root ::= x" };
	const inf_gen_params schema = { .struct_size = sizeof schema, .json_schema = "{\"type\":\"object\"}" };
	struct batch_line line;
	ck_assert_int_eq(batch_line_parse(&line, schema_line, sizeof schema_line - 1, &grammar, NULL), INF_OK);
	ck_assert(!line.params.grammar && !strcmp(line.params.json_schema, "{}"));
	batch_line_release(&line);
	ck_assert_int_eq(batch_line_parse(&line, grammar_line, sizeof grammar_line - 1, &schema, NULL), INF_OK);
	ck_assert(!line.params.json_schema && !strcmp(line.params.grammar, "g"));
	batch_line_release(&line);
	ck_assert_int_eq(batch_line_parse(&line, "{\"prompt\":\"a\"}", 14, &schema, NULL), INF_OK);
	ck_assert_str_eq(line.params.json_schema, schema.json_schema);
	batch_line_release(&line);
}
END_TEST

START_TEST(line_goes_before_the_defaults)
{
	struct batch_line line;
	struct text said = TEXT_INIT(PAGE_MAX);
	const char *bytes = with_defaults[_i].line;
	ck_assert_int_eq(batch_line_parse(&line, bytes, strlen(bytes), &some_defaults, NULL), INF_OK);
	describe(&line, &said);
	ck_assert_str_eq(text_string(&said), with_defaults[_i].says);
	text_release(&said);
	batch_line_release(&line);
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------------------------------- */
static const struct { const char *line, *id, *reason, *says; } bad[] = {
	{ "", "null", "json", "the line ends before its object does" },
	{ "{", "null", "json", "the line ends before its object does" },
	{ "{\"prompt\":\"a\"", "null", "json", "the line ends before its object does" },
	{ "x", "null", "json", "byte 0" },
	{ "{\"prompt\":\"a\"} x", "null", "json", "byte 15" },
	{ "{\"prompt\":\"a\"}{}", "null", "json", "byte 14" },
	{ "{\"prompt\":\"a\",}", "null", "json", "byte 14" },
	{ "{'prompt':'a'}", "null", "json", "byte 1" },
	{ "{\"prompt\":nan}", "null", "json", "byte 1" },
	{ "{\"prompt\":\"a\",\"top_p\":NaN}", "null", "number", "byte 22" },
	{ "{\"prompt\":\"a\",\"top_p\":Infinity}", "null", "number", "byte 22" },
	{ "{\"id\":[-Infinity],\"prompt\":\"a\"}", "null", "number", "byte 7" },
	{ "{\"id\":1.,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":.5,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":-,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":1e,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":1.e5,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":01,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":--1,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":1e5e5,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":TRUE,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "{\"id\":/* */1,\"prompt\":\"a\"}", "null", "", "byte" },
	{ "[]", "null", "json", "no object" },
	{ "\"prompt\"", "null", "json", "no object" },
	{ "null", "null", "json", "" },
	{ "{\"prompt\":\"caf\xe9\"}", "null", "utf8", "byte 14 is 0xe9" },
	{ "{\"prompt\":\"\xc0\x80\"}", "null", "utf8", "byte 11" },
	{ "{\"prompt\":\"\xed\xa0\x80\"}", "null", "utf8", "byte 11" },
	{ "{\"id\":99999999999999999999,\"prompt\":\"a\"}", "null", "number", "byte 6" },
	{ "{\"id\":-9223372036854775809,\"prompt\":\"a\"}", "null", "number", "byte 6" },
	{ "{\"id\":3}", "3", "no_prompt", "neither" },
	{ "{\"id\":3,\"prompt\":\"a\",\"messages\":[{\"role\":\"user\"}]}", "3", "two_prompts", "give one" },
	{ "{\"id\":3,\"prompt\":7}", "3", "field", "\"prompt\" must be a text" },
	{ "{\"prompt\":[\"a\"],\"id\":3}", "3", "field", "\"prompt\" must be a text" },
	{ "{\"id\":3,\"prompt\":\"a\",\"temprature\":1}", "3", "unknown_field", "did you mean temperature?" },
	{ "{\"id\":3,\"prompt\":\"a\",\"max\":1}", "3", "unknown_field", "did you mean max_tokens?" },
	{ "{\"id\":3,\"prompt\":\"a\",\"quux\":1}", "3", "unknown_field", "there are id, prompt, messages, max_tokens" },
	{ "{\"id\":3,\"prompt\":\"a\",\"\":1}", "3", "unknown_field", "" },
	{ "{\"prompt\":\"a\",\"max_tokens\":-1}", "null", "field", "\"max_tokens\" must be an integer from 0 to 2147483647" },
	{ "{\"prompt\":\"a\",\"max_tokens\":2147483648}", "null", "field", "\"max_tokens\"" },
	{ "{\"prompt\":\"a\",\"max_tokens\":2.0}", "null", "field", "\"max_tokens\"" },
	{ "{\"prompt\":\"a\",\"max_tokens\":\"2\"}", "null", "field", "\"max_tokens\"" },
	{ "{\"prompt\":\"a\",\"max_tokens\":true}", "null", "field", "\"max_tokens\"" },
	{ "{\"prompt\":\"a\",\"top_p\":1.01}", "null", "field", "\"top_p\" must be a number from 0 to 1" },
	{ "{\"prompt\":\"a\",\"temperature\":1e999}", "null", "field", "\"temperature\"" },
	{ "{\"prompt\":\"a\",\"temperature\":\"hot\"}", "null", "field", "\"temperature\"" },
	{ "{\"prompt\":\"a\",\"seed\":-1}", "null", "field", "\"seed\"" },
	{ "{\"prompt\":\"a\",\"seed\":1.5}", "null", "field", "\"seed\"" },
	{ "{\"prompt\":\"a\",\"thinking\":1}", "null", "field", "\"thinking\" must be true or false" },
	{ "{\"prompt\":\"a\",\"ignore_eos\":\"yes\"}", "null", "field", "\"ignore_eos\"" },
	{ "{\"prompt\":\"a\",\"stop\":\"\"}", "null", "field", "none empty" },
	{ "{\"prompt\":\"a\",\"stop\":[\"x\",null]}", "null", "field", "\"stop\"" },
	{ "{\"prompt\":\"a\",\"stop\":\"a\\u0000b\"}", "null", "field", "without NULs" },
	{ "{\"prompt\":\"a\",\"stop\":{}}", "null", "field", "\"stop\"" },
	{ "{\"prompt\":\"a\",\"stop_tokens\":7}", "null", "field", "\"stop_tokens\"" },
	{ "{\"prompt\":\"a\",\"stop_tokens\":[-1]}", "null", "field", "\"stop_tokens\"" },
	{ "{\"prompt\":\"a\",\"suppress_tokens\":[2147483648]}", "null", "field", "\"suppress_tokens\"" },
	{ "{\"prompt\":\"a\",\"json_schema\":[]}", "null", "field", "\"json_schema\" must be an object" },
	{ "{\"prompt\":\"a\",\"json_schema\":{},\"grammar\":\"g\"}", "null", "two_grammars", "give one" },
	{ "{\"prompt\":\"a\",\"grammar\":{}}", "null", "field", "\"grammar\"" },
	{ "{\"prompt\":\"a\",\"tool_choice\":\"auto\"}", "null", "no_tools", "\"tools\"" },
	{ "{\"prompt\":\"a\",\"tools\":{}}", "null", "field", "\"tools\" must be a list" },
	{ "{\"prompt\":\"a\",\"options\":[]}", "null", "field", "\"options\"" },
	{ "{\"prompt\":\"a\",\"options\":{\"k\":[]}}", "null", "field", "\"options\": \"k\" must be" },
	{ "{\"prompt\":\"a\",\"options\":{\"k\":null}}", "null", "field", "\"options\": \"k\" must be" },
	{ "{\"messages\":[]}", "null", "field", "at least one" },
	{ "{\"messages\":{}}", "null", "field", "\"messages\"" },
	{ "{\"messages\":[null]}", "null", "field", "\"messages\"" },
	{ "{\"messages\":[{\"role\":\"user\"},7]}", "null", "field", "\"messages\"" },
	{ "{\"messages\":[{\"content\":\"x\"}]}", "null", "field", "no \"role\"" },
	{ "{\"messages\":[{\"role\":7}]}", "null", "field", "\"role\"" },
	{ "{\"messages\":[{\"role\":\"u\\u0000\"}]}", "null", "field", "\"role\"" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", "null", "field", "\"content\" must be a text" },
	{ "{\"messages\":[{\"role\":\"user\",\"contnt\":\"x\"}]}", "null", "unknown_field", "did you mean content?" },
	{ "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":7}]}", "null", "field", "\"tool_call_id\"" },
	{ "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}", "null", "field", "\"tool_calls\" must be a list" },
};

START_TEST(line_that_makes_no_sense_is_refused)
{
	struct batch_line line;
	inf_error err = { .struct_size = sizeof err };
	inf_status st = batch_line_parse(&line, bad[_i].line, strlen(bad[_i].line), &no_defaults, &err);
	ck_assert_msg(st == INF_E_INVALID && err.code == st, "%s: %d", bad[_i].line, st);
	ck_assert_msg(!bad[_i].reason[0] || !strcmp(err.reason, bad[_i].reason), "%s: %s", bad[_i].line, err.reason);
	ck_assert_msg(strstr(err.message, bad[_i].says) != NULL, "%s: %s", bad[_i].line, err.message);
	ck_assert_str_eq(line.id, bad[_i].id);
	batch_line_release(&line);
}
END_TEST

/* ---- caps ----------------------------------------------------------------------------------------------------------- */
static inf_status parse_text(const struct text *text, char *reason, size_t reason_size)
{
	struct batch_line line;
	inf_error err = { .struct_size = sizeof err };
	ck_assert(!text->failed);
	inf_status st = batch_line_parse(&line, text_string(text), text->len, &no_defaults, &err);
	snprintf(reason, reason_size, "%s", err.reason);
	batch_line_release(&line);
	return st;
}

static const struct { int more; inf_status status; const char *reason; } caps[] = {
	{ 0, INF_OK, "" }, { 1, INF_E_INVALID, NULL },
};

START_TEST(id_may_be_so_long_and_no_longer)
{
	struct text text = TEXT_INIT(PAGE_MAX);
	char reason[32];
	text_puts(&text, "{\"prompt\":\"a\",\"id\":\"");
	text_repeat(&text, 'x', (size_t)(BATCHRECORD_ID_MAX - 2 + caps[_i].more));
	text_puts(&text, "\"}");
	ck_assert_int_eq(parse_text(&text, reason, sizeof reason), caps[_i].status);
	ck_assert_str_eq(reason, caps[_i].more ? "id_long" : "");
	text_release(&text);
}
END_TEST

START_TEST(nesting_may_be_so_deep_and_no_deeper)
{
	struct text text = TEXT_INIT(PAGE_MAX);
	char reason[32];
	text_puts(&text, "{\"prompt\":\"a\",\"id\":");
	text_repeat(&text, '[', (size_t)(BATCHJSON_DEPTH - 1 + caps[_i].more));
	text_repeat(&text, ']', (size_t)(BATCHJSON_DEPTH - 1 + caps[_i].more));
	text_puts(&text, "}");
	ck_assert_int_eq(parse_text(&text, reason, sizeof reason), caps[_i].status);
	ck_assert_str_eq(reason, caps[_i].more ? "json" : "");
	text_release(&text);
}
END_TEST

START_TEST(options_may_be_so_many_and_no_more)
{
	struct text text = TEXT_INIT(PAGE_MAX);
	char reason[32];
	text_puts(&text, "{\"prompt\":\"a\",\"options\":{");
	for (int i = 0; i < BATCHLINE_OPTIONS_MAX + caps[_i].more; i++)
		text_printf(&text, "%s\"k%d\":1", i ? "," : "", i);
	text_puts(&text, "}}");
	ck_assert_int_eq(parse_text(&text, reason, sizeof reason), caps[_i].status);
	ck_assert_str_eq(reason, caps[_i].more ? "field" : "");
	text_release(&text);
}
END_TEST

/* ---- hostile input --------------------------------------------------------------------------------------------------- */
static const char whole[] = "{\"id\":[1,\"x\"],\"messages\":[{\"role\":\"assistant\",\"content\":\"\\ud83d\\ude00\",\"tool_calls\":[{\"a\":1}]},"
	"{\"role\":\"tool\",\"tool_call_id\":\"7\"}],\"stop\":[\"a\",\"b\"],\"stop_tokens\":[1,2],\"suppress_tokens\":[3],"
	"\"options\":{\"k\":1.5,\"l\":\"m\"},\"json_schema\":{\"type\":\"object\"},\"tools\":[{}],\"top_p\":0.5,\"seed\":12}";

START_TEST(cut_line_is_refused_at_every_byte)
{
	for (size_t len = 0; len < sizeof whole - 1; len++) {
		char *copy = malloc(len + 1);		/* so that ASan sees a look behind the end */
		struct batch_line line;
		memcpy(copy, whole, len);
		ck_assert_int_eq(batch_line_parse(&line, copy, len, &no_defaults, NULL), INF_E_INVALID);
		batch_line_release(&line);
		free(copy);
	}
}
END_TEST

START_TEST(changed_byte_does_no_harm)
{
	static const char others[] = { 0, '"', '\\', '{', '}', '[', ']', ',', ':', '9', '-', 'e', 'x', (char)0xff };
	char copy[sizeof whole];
	for (size_t at = 0; at < sizeof whole - 1; at++) {
		for (int i = 0; i < ROWS(others); i++) {
			struct batch_line line;
			memcpy(copy, whole, sizeof whole);
			copy[at] = others[i];
			inf_status st = batch_line_parse(&line, copy, sizeof whole - 1, &some_defaults, NULL);
			ck_assert(st == INF_OK || st == INF_E_INVALID);
			batch_line_release(&line);
		}
	}
}
END_TEST

START_TEST(line_survives_oom)
{
	for (long n = 0;; n++) {
		struct batch_line line;
		failmalloc_arm(n);
		inf_status st = batch_line_parse(&line, whole, sizeof whole - 1, &some_defaults, NULL);
		bool fired = failmalloc_disarm();
		batch_line_release(&line);
		if (!fired) {
			ck_assert_int_eq(st, INF_OK);
			ck_assert_int_ge(n, 6);
			break;
		}
		ck_assert_int_eq(st, INF_E_NO_MEMORY);
	}
}
END_TEST

START_TEST(line_survives_oom_of_json)
{
	for (long n = 0;; n++) {
		struct batch_line line;
		json_fired = false;
		json_countdown = n;
		inf_status st = batch_line_parse(&line, whole, sizeof whole - 1, &some_defaults, NULL);
		json_countdown = -1;
		batch_line_release(&line);
		if (!json_fired) {
			ck_assert_int_eq(st, INF_OK);
			ck_assert_int_ge(n, 5);
			break;
		}
		ck_assert_int_eq(st, INF_E_NO_MEMORY);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batchline");
	TCase *lines = tcase_create("lines");
	suite_add_tcase(suite, lines);
	tcase_add_loop_test(lines, line_says_what_it_says, 0, ROWS(good));
	tcase_add_loop_test(lines, line_goes_before_the_defaults, 0, ROWS(with_defaults));
	tcase_add_test(lines, schema_of_a_line_takes_the_place_of_a_grammar);
	tcase_add_loop_test(lines, line_that_makes_no_sense_is_refused, 0, ROWS(bad));
	tcase_add_loop_test(lines, id_may_be_so_long_and_no_longer, 0, ROWS(caps));
	tcase_add_loop_test(lines, nesting_may_be_so_deep_and_no_deeper, 0, ROWS(caps));
	tcase_add_loop_test(lines, options_may_be_so_many_and_no_more, 0, ROWS(caps));
	tcase_add_test(lines, cut_line_is_refused_at_every_byte);
	tcase_add_test(lines, changed_byte_does_no_harm);
	tcase_add_test(lines, line_survives_oom);
	tcase_add_test(lines, line_survives_oom_of_json);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
