/* SPDX-License-Identifier: MIT */
#include "inference/frame.h"

#include <check.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "failmalloc.h"
#include "process.h"

enum { THREADS = 8, FORK_S = 10, LATER = 8 };
#define COUNT(a) (sizeof(a) / sizeof *(a))

static inf_error err;
static inf_gate gate;
static inf_gen gen;
static inf_gen_params params;
static inf_gen_result result;
static atomic_int inside, ended;	/* threads */

static void setup(void)
{
	err = (inf_error){ .struct_size = sizeof err };
	params = (inf_gen_params){ .struct_size = sizeof params };
	result = (inf_gen_result){ .struct_size = sizeof result };
	inside = ended = 0;
}

/* Refused with that status, as a sentence in which `names` is. */
static void assert_refused(inf_status st, inf_status expected, const char *names)
{
	ck_assert_int_eq(st, expected);
	ck_assert_int_eq(err.code, expected);
	ck_assert_msg(strstr(err.message, names) != NULL, "\"%s\" is not in \"%s\"", names, err.message);
	ck_assert_str_ne(err.reason, "");
}

/* ---- text ------------------------------------------------------------------------------------------------------ */
static const struct { const char *text; size_t len, sound; } texts[] = {
	{ NULL, 0, 0 }, { "", 0, 0 }, { "plain", 5, 5 }, { "a\0b", 3, 3 }, { "\xc3\xa9", 2, 2 }, { "\xe6\xbc\xa2", 3, 3 },
	{ "\xf0\x9f\x98\x80", 4, 4 }, { "\xf4\x8f\xbf\xbf", 4, 4 }, { "\xed\x9f\xbf", 3, 3 },
	{ "\x80", 1, 0 }, { "a\xc3", 2, 1 }, { "\xc0\x80", 2, 0 }, { "\xe0\x9f\xbf", 3, 0 }, { "\xed\xa0\x80", 3, 0 },
	{ "\xf0\x8f\xbf\xbf", 4, 0 }, { "\xf4\x90\x80\x80", 4, 0 }, { "\xf5\x80\x80\x80", 4, 0 }, { "ab\xff", 3, 2 },
	{ "\xe6\xbc", 2, 0 }, { "\xf0\x9f\x98", 3, 0 }, { "\xc3(", 2, 0 }, { "\xf0\x9f(\x80", 4, 0 }, { "\xc3\xa9\x80", 3, 2 },
};

START_TEST(text_is_sound_up_to_its_first_bad_byte)
{
	size_t len = texts[_i].len, sound = texts[_i].sound;
	char *copy = texts[_i].text ? memcpy(malloc(len + 1), texts[_i].text, len) : NULL, *taken;	/* ends where it ends */
	ck_assert_uint_eq(inf_utf8_length(copy, len), sound);
	inf_status st = inf_text_take(&taken, "prompt", copy, len, &err);
	if (sound == len) {
		ck_assert_int_eq(st, INF_OK);
		ck_assert_mem_eq(taken, copy ? copy : "", len);
		ck_assert_int_eq(taken[len], 0);
	} else {
		assert_refused(st, INF_E_INVALID, "prompt");
		ck_assert_str_eq(err.reason, "utf8");
		ck_assert_ptr_null(taken);
	}
	free(taken);
	free(copy);
}
END_TEST

START_TEST(text_of_border_bytes_is_sound_where_nothing_is_to_be_fixed)
{
	static const unsigned char borders[] = { 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
						 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
	size_t wrong = 0;
	for (size_t n = 0; n < COUNT(borders) * COUNT(borders) * COUNT(borders) * COUNT(borders); n++) {
		char text[5] = "", fixed[5];
		for (size_t i = 0, rest = n; i < 4; i++, rest /= COUNT(borders))
			text[i] = (char)borders[rest % COUNT(borders)];
		inf_utf8_fix(memcpy(fixed, text, sizeof text));
		size_t sound = inf_utf8_length(text, 4), same = 0;
		while (same < 4 && text[same] == fixed[same])
			same++;
		wrong += sound != same;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(text_null_with_a_length_is_refused)
{
	char *taken;
	assert_refused(inf_text_take(&taken, "content", NULL, 3, &err), INF_E_INVALID, "content");
	ck_assert_ptr_null(taken);
	ck_assert_int_eq(inf_text_check("content", NULL, 3, NULL), INF_E_INVALID);
}
END_TEST

START_TEST(text_take_survives_oom)
{
	char *taken;
	failmalloc_arm(0);
	inf_status st = inf_text_take(&taken, "prompt", "abc", 3, &err);
	ck_assert(failmalloc_disarm());
	assert_refused(st, INF_E_NO_MEMORY, "prompt");
	ck_assert_ptr_null(taken);
}
END_TEST

/* ---- options --------------------------------------------------------------------------------------------------- */
static const char *const keys[] = { "depth", "loud", NULL };
static const struct { inf_kv options[3]; size_t count; inf_status status; const char *names; } option_cases[] = {
	{ { { "depth", "1" }, { "loud", "" } }, 2, INF_OK, "" },
	{ { { "?depth", "1" }, { "?other", "" } }, 2, INF_OK, "" },
	{ { { "dept", "1" } }, 1, INF_E_UNSUPPORTED, "dept" },
	{ { { "depthh", "1" } }, 1, INF_E_UNSUPPORTED, "depthh" },
	{ { { "", "1" } }, 1, INF_E_UNSUPPORTED, "option" },
	{ { { "loud", "1" }, { "depth", "" }, { "loud", "1" } }, 3, INF_E_INVALID, "loud" },
	{ { { "loud", "1" }, { "?loud", "1" } }, 2, INF_E_INVALID, "loud" },
	{ { { "?new", "1" }, { "?new", "1" } }, 2, INF_E_INVALID, "new" },
	{ { { NULL, "1" } }, 1, INF_E_INVALID, "number 0" },
	{ { { "loud", "1" }, { "depth", NULL } }, 2, INF_E_INVALID, "number 1" },
};

START_TEST(options_are_known_optional_or_refused)
{
	inf_status expected = option_cases[_i].status;
	inf_status st = inf_options_check(option_cases[_i].options, option_cases[_i].count, keys, &err);
	if (expected == INF_OK)
		ck_assert_int_eq(st, INF_OK);
	else
		assert_refused(st, expected, option_cases[_i].names);
}
END_TEST

START_TEST(options_of_a_backend_without_any)
{
	const inf_kv optional = { "?depth", "7" }, given = { "depth", "7" };
	ck_assert_int_eq(inf_options_check(NULL, 0, NULL, &err), INF_OK);
	ck_assert_int_eq(inf_options_check(&optional, 1, NULL, &err), INF_OK);
	assert_refused(inf_options_check(&given, 1, NULL, &err), INF_E_UNSUPPORTED, "depth");
	assert_refused(inf_options_check(NULL, 1, NULL, &err), INF_E_INVALID, "options");
	ck_assert_str_eq(inf_option_value(&optional, 1, "depth"), "7");
	ck_assert_ptr_null(inf_option_value(&optional, 1, "?depth"));
	ck_assert_ptr_null(inf_option_value(NULL, 0, "depth"));
}
END_TEST

/* ---- requests -------------------------------------------------------------------------------------------------- */
static const inf_takes nothing;

/* A struct that knows a later field: of zeroes it is fine. size is that of ours, and what the outcome is told by. */
static void assert_ages(inf_status (*read)(const void *given), const void *sound, size_t size, const char *name)
{
	static const uint32_t wrong[] = { 0, 4, 15, INF_STRUCT_MAX + 1, UINT32_MAX };
	unsigned char *given = calloc(1, size + LATER);
	memcpy(given, sound, size);
	memcpy(given, &(uint32_t){ (uint32_t)size + LATER }, 4);
	ck_assert_int_eq(read(given), INF_OK);
	given[size + LATER - 1] = 1;
	assert_refused(read(given), INF_E_UNSUPPORTED, name);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		memcpy(given, &wrong[i], 4);
		assert_refused(read(given), INF_E_INVALID, name);
	}
	assert_refused(read(NULL), INF_E_INVALID, name);
	free(given);
}

static inf_status read_load(const void *given)
{
	inf_load_params out;
	return inf_load_read(&out, given, &nothing, &err);
}

static inf_status read_gen(const void *given)
{
	inf_gen_params out;
	return inf_gen_read(&out, given, &nothing, &err);
}

static inf_status read_message(const void *given)
{
	inf_message out;
	return inf_message_read(&out, given, &nothing, &err);
}

START_TEST(requests_of_every_age_are_read)
{
	const inf_load_params load = { .struct_size = sizeof load, .path = "/m" };
	const inf_message message = { .struct_size = sizeof message, .role = "user" };
	assert_ages(read_load, &load, sizeof load, "load_params");
	assert_ages(read_gen, &params, sizeof params, "gen_params");
	assert_ages(read_message, &message, sizeof message, "message");
}
END_TEST

static const inf_kv loud = { "loud", "true" };
#define LOAD(...) { .path = "/m", __VA_ARGS__ }
static const struct { inf_load_params p; inf_status taken; inf_status without; const char *names; } loads[] = {
	/* with everything taken, with nothing */
	{ LOAD(.flags = INF_LOAD_FLAG_ALLOW_CPU), INF_OK, INF_E_UNSUPPORTED, "flags 0x1" },
	{ LOAD(.set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = -1), INF_OK, INF_E_UNSUPPORTED, "gpu_layers" },
	{ LOAD(.adapter_path = "/a"), INF_OK, INF_E_UNSUPPORTED, "adapter_path" },
	{ LOAD(.cache_mode = "native"), INF_OK, INF_E_UNSUPPORTED, "cache_mode" },
	{ LOAD(.devices = "0"), INF_OK, INF_E_UNSUPPORTED, "devices" },
	{ LOAD(.context_len = 1), INF_OK, INF_E_UNSUPPORTED, "context_len" },
	{ LOAD(.parallel_slots = 1), INF_OK, INF_E_UNSUPPORTED, "parallel_slots" },
	{ LOAD(.options = &loud, .option_count = 1), INF_OK, INF_E_UNSUPPORTED, "loud" },
	{ LOAD(.flags = 2), INF_E_UNSUPPORTED, INF_E_UNSUPPORTED, "flags 0x2" },
	{ LOAD(.set = 2), INF_E_UNSUPPORTED, INF_E_UNSUPPORTED, "later minor" },
	{ { .path = NULL }, INF_E_INVALID, INF_E_INVALID, "path" },
	{ { .path = "" }, INF_E_INVALID, INF_E_INVALID, "path" },
	{ { .path = "m" }, INF_E_INVALID, INF_E_INVALID, "path" },
	{ LOAD(.context_len = -1), INF_E_INVALID, INF_E_INVALID, "context_len" },
	{ LOAD(.parallel_slots = INT32_MIN), INF_E_INVALID, INF_E_INVALID, "parallel_slots" },
	{ LOAD(.gpu_layers = 3), INF_E_INVALID, INF_E_INVALID, "gpu_layers" },
	{ LOAD(.reserved0 = 1), INF_E_INVALID, INF_E_INVALID, "reserved0" },
	{ LOAD(.option_count = 1), INF_E_INVALID, INF_E_INVALID, "options" },
};

START_TEST(load_takes_what_is_implemented_and_names_the_rest)
{
	const inf_takes all = { .fields = INF_LOAD_SET_GPU_LAYERS, .flags = INF_LOAD_FLAG_ALLOW_CPU, .plain = ~0u, .options = keys };
	inf_load_params given = loads[_i].p, out;
	given.struct_size = sizeof given;
	inf_status st = inf_load_read(&out, &given, &all, &err);
	if (loads[_i].taken == INF_OK) {
		ck_assert_int_eq(st, INF_OK);
		ck_assert_mem_eq(&out, &given, sizeof out);
	} else {
		assert_refused(st, loads[_i].taken, loads[_i].names);
	}
	assert_refused(inf_load_read(&out, &given, &nothing, &err), loads[_i].without, loads[_i].names);
	ck_assert_int_eq(inf_load_read(&out, &given, &nothing, NULL), loads[_i].without);
}
END_TEST

static const int32_t ids[] = { 1 };
static const char *const stops[] = { "end" }, *const no_stop[] = { "end", NULL }, *const empty_stop[] = { "" },
	*const bad_stop[] = { "\xff" };
/* Sound, and each alone; the field's name is what a backend that has none of it says. */
static const struct { inf_gen_params p; const char *names; } gens[] = {
	{ { .set = INF_GEN_SET_TEMPERATURE, .temperature = 1 }, "temperature" }, { { .set = INF_GEN_SET_TOP_K }, "top_k" },
	{ { .set = INF_GEN_SET_TOP_P, .top_p = 1 }, "top_p" }, { { .set = INF_GEN_SET_MIN_P }, "min_p" },
	{ { .set = INF_GEN_SET_SEED, .seed = UINT64_MAX }, "seed" },
	{ { .set = INF_GEN_SET_REPEAT_PENALTY, .repeat_penalty = 1 }, "repeat_penalty" },
	{ { .set = INF_GEN_SET_FREQUENCY_PENALTY, .frequency_penalty = -2 }, "frequency_penalty" },
	{ { .set = INF_GEN_SET_PRESENCE_PENALTY, .presence_penalty = 2 }, "presence_penalty" },
	{ { .set = INF_GEN_SET_THINKING }, "thinking" }, { { .max_tokens = 1 }, "max_tokens" },
	{ { .min_tokens = INT32_MAX }, "min_tokens" }, { { .thinking_budget = 1 }, "thinking_budget" },
	{ { .stop_tokens = ids, .stop_token_count = 1 }, "stop_tokens" },
	{ { .suppress_tokens = ids, .suppress_token_count = 1 }, "suppress_tokens" },
	{ { .stop_strings = stops, .stop_string_count = 1 }, "stop_strings" }, { { .json_schema = "{}" }, "json_schema" },
	{ { .grammar = "root ::= x" }, "grammar" }, { { .tools = "[]", .tool_choice = "required" }, "tools" },
	{ { .flags = INF_GEN_FLAG_LOGPROBS }, "flags 0x8" }, { { .options = &loud, .option_count = 1 }, "loud" },
};
static const inf_takes all_of_gen = { .fields = INF_GEN_SET_KNOWN, .flags = INF_GEN_FLAG_KNOWN, .options = keys };

START_TEST(gen_takes_what_is_implemented_and_names_the_rest)
{
	inf_gen_params given = gens[_i].p, out;
	given.struct_size = sizeof given;
	ck_assert_int_eq(inf_gen_read(&out, &given, &all_of_gen, &err), INF_OK);
	ck_assert_mem_eq(&out, &given, sizeof out);
	assert_refused(inf_gen_read(&out, &given, &nothing, &err), INF_E_UNSUPPORTED, gens[_i].names);
	ck_assert_int_eq(inf_gen_read(&out, &given, &nothing, NULL), INF_E_UNSUPPORTED);
}
END_TEST

#define NAN_ __builtin_nanf("")
static const struct { inf_gen_params p; const char *names; } bad_gens[] = {
	{ { .temperature = 0.5f }, "temperature" }, { { .set = INF_GEN_SET_TEMPERATURE, .temperature = NAN_ }, "temperature" },
	{ { .set = INF_GEN_SET_TEMPERATURE, .temperature = -1 }, "temperature" }, { { .temperature = NAN_ }, "temperature" },
	{ { .top_k = 1 }, "top_k" }, { { .set = INF_GEN_SET_TOP_K, .top_k = -1 }, "top_k" },
	{ { .set = INF_GEN_SET_TOP_P, .top_p = 1.5f }, "top_p" }, { { .set = INF_GEN_SET_MIN_P, .min_p = NAN_ }, "min_p" },
	{ { .seed = 1 }, "seed" }, { { .set = INF_GEN_SET_REPEAT_PENALTY }, "repeat_penalty" },
	{ { .set = INF_GEN_SET_FREQUENCY_PENALTY, .frequency_penalty = 2.5f }, "frequency_penalty" },
	{ { .set = INF_GEN_SET_PRESENCE_PENALTY, .presence_penalty = NAN_ }, "presence_penalty" },
	{ { .thinking = 1 }, "thinking" }, { { .set = INF_GEN_SET_THINKING, .thinking = 2 }, "thinking" },
	{ { .max_tokens = -1 }, "max_tokens" }, { { .min_tokens = -1 }, "min_tokens" },
	{ { .min_tokens = 3, .max_tokens = 2 }, "min_tokens" }, { { .thinking_budget = INT32_MIN }, "thinking_budget" },
	{ { .stop_token_count = 1 }, "stop_tokens" }, { { .suppress_token_count = SIZE_MAX }, "suppress_tokens" },
	{ { .stop_string_count = 1 }, "stop_strings" }, { { .stop_strings = no_stop, .stop_string_count = 2 }, "stop_strings" },
	{ { .stop_strings = empty_stop, .stop_string_count = 1 }, "stop_strings" },
	{ { .stop_strings = bad_stop, .stop_string_count = 1 }, "stop_strings" },
	{ { .json_schema = "{\"\xc3\"}" }, "json_schema" }, { { .grammar = "\xff" }, "grammar" }, { { .tools = "\x80" }, "tools" },
	{ { .request_id = "\xff" }, "request_id" }, { { .json_schema = "{}", .grammar = "x" }, "grammar" },
	{ { .tool_choice = "auto" }, "tool_choice" }, { { .tools = "[]", .tool_choice = "maybe" }, "tool_choice" },
	{ { .reserved0 = 1 }, "reserved0" }, { { .option_count = 1 }, "options" },
};

START_TEST(gen_out_of_range_is_refused_by_name)
{
	inf_gen_params given = bad_gens[_i].p, out;
	given.struct_size = sizeof given;
	assert_refused(inf_gen_read(&out, &given, &all_of_gen, &err), INF_E_INVALID, bad_gens[_i].names);
}
END_TEST

static const struct { inf_message m; uint32_t plain; inf_status status; const char *names; } messages[] = {
	{ { .role = "user", .content = "hello", .content_len = 5 }, 0, INF_OK, "" },
	{ { .role = "system" }, 0, INF_OK, "" }, { { .role = "assistant" }, 0, INF_OK, "" },
	{ { .role = "tool", .tool_call_id = "1" }, INF_TAKES_TOOL_CALLS, INF_OK, "" },
	{ { .role = "assistant", .tool_calls = "[]" }, INF_TAKES_TOOL_CALLS, INF_OK, "" },
	{ { .role = "user", .media_count = 1 }, INF_TAKES_MEDIA, INF_OK, "" },
	{ { .role = "user", .media_count = 1 }, ~INF_TAKES_MEDIA, INF_E_UNSUPPORTED, "media" },
	{ { .role = "assistant", .tool_calls = "[]" }, 0, INF_E_UNSUPPORTED, "tool_calls" },
	{ { .role = "user", .tool_call_id = "1" }, 0, INF_E_UNSUPPORTED, "tool_call_id" },
	{ { .role = "tool" }, 0, INF_E_INVALID, "role" }, { { .role = NULL }, 0, INF_E_INVALID, "role" },
	{ { .role = "use" }, 0, INF_E_INVALID, "role" }, { { .role = "user", .flags = 1 }, 0, INF_E_UNSUPPORTED, "flags 0x1" },
	{ { .role = "user", .content_len = 1 }, 0, INF_E_INVALID, "content" },
	{ { .role = "user", .content = "a\xff", .content_len = 2 }, 0, INF_E_INVALID, "content" },
};

START_TEST(message_is_read_or_refused_by_name)
{
	inf_message given = messages[_i].m, out;
	const inf_takes takes = { .plain = messages[_i].plain };
	given.struct_size = sizeof given;
	inf_status st = inf_message_read(&out, &given, &takes, &err);
	if (messages[_i].status != INF_OK) {
		assert_refused(st, messages[_i].status, messages[_i].names);
		return;
	}
	ck_assert_int_eq(st, INF_OK);
	ck_assert_mem_eq(&out, &given, sizeof out);
}
END_TEST

/* ---- a generation ---------------------------------------------------------------------------------------------- */
static int32_t stop_at_second(void *user, const inf_token *token)
{
	(void)token;
	return ++*(int *)user == 2 ? 0 : INF_CONTINUE;
}

static const inf_token piece = { .struct_size = sizeof piece, .id = -1, .count = 1, .text = "" };
static const struct { int32_t max_tokens, finish, tokens; bool stops; } ends[] = {
	{ 0, INF_FINISH_EOS, 3, false }, { 4, INF_FINISH_EOS, 3, false }, { 3, INF_FINISH_LENGTH, 3, false },
	{ 1, INF_FINISH_LENGTH, 1, false }, { 0, INF_FINISH_CALLER, 2, true }, { 2, INF_FINISH_CALLER, 2, true },
	{ 1, INF_FINISH_LENGTH, 1, true },
};

START_TEST(gen_ends_at_max_tokens_the_caller_or_the_end)
{
	int calls = 0;
	params.max_tokens = ends[_i].max_tokens;
	params.on_token = ends[_i].stops ? stop_at_second : NULL;
	params.user = &calls;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &all_of_gen), INF_OK);
	for (int i = 0; i < 3 && inf_gen_token(&gen, &piece); i++)
		;
	ck_assert_int_eq(inf_gen_end(&gen, INF_OK, &result, &err), INF_OK);
	ck_assert_int_eq(result.finish, ends[_i].finish);
	ck_assert_int_eq(result.generated_tokens, ends[_i].tokens);
	ck_assert_int_ge(result.total_ns, result.prefill_ns + result.decode_ns);
	ck_assert_int_gt(result.prefill_ns, 0);
	ck_assert_int_eq(inf_gate_last(&gate, &err), INF_OK);
	ck_assert_int_eq(inf_gate_close(&gate, &err), INF_OK);
}
END_TEST

START_TEST(gen_counts_thoughts_and_tool_calls)
{
	const inf_token thought = { .struct_size = sizeof thought, .flags = INF_TOKEN_FLAG_REASONING, .count = 3, .text = "" };
	const inf_token call = { .struct_size = sizeof call, .flags = INF_TOKEN_FLAG_TOOL_CALL, .count = 5, .text = "{}" };
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	ck_assert(inf_gen_token(&gen, &thought) && inf_gen_token(&gen, &call));
	gen.result.finish = INF_FINISH_TOOL_CALLS;
	inf_gen_end(&gen, INF_OK, &result, NULL);
	ck_assert_int_eq(result.generated_tokens, 8);
	ck_assert_int_eq(result.reasoning_tokens, 3);
	ck_assert_int_eq(result.tool_call_count, 1);
	ck_assert_int_eq(result.finish, INF_FINISH_TOOL_CALLS);
	inf_gate_close(&gate, NULL);
}
END_TEST

START_TEST(gen_above_the_slots_is_busy)
{
	inf_gen other;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	inf_status st = inf_gen_begin(&other, &gate, &params, &nothing);
	ck_assert_int_eq(inf_gen_end(&other, st, &result, &err), INF_E_BUSY);
	assert_refused(err.code, INF_E_BUSY, "slots");
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE);
	ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
	ck_assert_int_eq(inf_gate_last(&gate, NULL), INF_E_BUSY);
	inf_gen_end(&gen, INF_OK, NULL, NULL);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	inf_gen_end(&gen, INF_OK, NULL, NULL);
	inf_gate_close(&gate, NULL);
}
END_TEST

START_TEST(gen_of_any_number_where_slots_are_0)
{
	inf_gen many[THREADS];
	ck_assert_int_eq(inf_gate_init(&gate, 0, &err), INF_OK);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(inf_gen_begin(&many[i], &gate, &params, &nothing), INF_OK);
	for (int i = 0; i < THREADS; i++)
		inf_gen_end(&many[i], INF_OK, NULL, NULL);
	inf_gate_close(&gate, NULL);
}
END_TEST

START_TEST(gen_failure_is_told_by_result_err_and_last)
{
	inf_error last = { .struct_size = sizeof last };
	params.max_tokens = -1;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	inf_status st = inf_gen_begin(&gen, &gate, &params, &all_of_gen);
	ck_assert_int_eq(inf_gen_end(&gen, st, &result, &err), INF_E_INVALID);
	assert_refused(st, INF_E_INVALID, "max_tokens");
	ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
	ck_assert_int_eq(inf_gate_last(&gate, &last), INF_E_INVALID);
	ck_assert_str_eq(last.message, err.message);

	/* A backend that says nothing, and then one that got over what it had said. */
	params.max_tokens = 0;
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	ck_assert_int_eq(inf_gen_end(&gen, INF_E_IO, &result, &err), INF_E_IO);
	assert_refused(err.code, INF_E_IO, "failed");
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	inf_fail(&gen.why, INF_E_IO, "io", "but it went well");
	ck_assert_int_eq(inf_gen_end(&gen, INF_OK, &result, &err), INF_OK);
	ck_assert_int_eq(inf_gate_last(&gate, &last), INF_OK);
	ck_assert_str_eq(last.message, "");
	inf_gate_close(&gate, NULL);
}
END_TEST

/* ---- asking ---------------------------------------------------------------------------------------------------- */
static int32_t count_polls(void *user)
{
	++*(int *)user;
	return INF_CONTINUE;
}

static int32_t stop_now(void *user)
{
	(void)user;
	return 0;
}

START_TEST(poll_asks_at_once_and_then_no_more_often_than_it_may)
{
	int polls = 0;
	params.on_poll = count_polls;
	params.user = &polls;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	int64_t begun = inf_clock_ns();
	ck_assert_int_eq(inf_gen_poll(&gen), INF_OK);
	ck_assert_int_eq(polls, 1);
	while (polls < 10)
		ck_assert_int_eq(inf_gen_poll(&gen), INF_OK);
	ck_assert_int_ge(inf_clock_ns() - begun, 9 * 1000000);	/* 1000 times a second at most */
	inf_gen_end(&gen, INF_OK, NULL, NULL);
	inf_gate_close(&gate, NULL);
}
END_TEST

START_TEST(poll_that_says_stop_cancels)
{
	params.on_poll = stop_now;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	ck_assert_int_eq(inf_gen_begin(&gen, &gate, &params, &nothing), INF_OK);
	inf_status st = inf_gen_poll(&gen);
	ck_assert_int_eq(inf_gen_end(&gen, st, &result, &err), INF_E_CANCELLED);
	assert_refused(st, INF_E_CANCELLED, "caller");
	ck_assert_int_eq(result.finish, INF_FINISH_CANCELLED);
	inf_gate_close(&gate, NULL);
}
END_TEST

/* ---- close ----------------------------------------------------------------------------------------------------- */
static void *generate_until_closed(void *out)
{
	inf_gen mine;
	inf_status st = inf_gen_begin(&mine, &gate, &params, &nothing);
	for (inside++; st == INF_OK; st = inf_gen_poll(&mine))
		inf_gen_token(&mine, &piece);
	ended++;
	*(inf_status *)out = inf_gen_end(&mine, st, NULL, NULL);
	return NULL;
}

START_TEST(close_ends_all_that_are_inside_and_waits_for_them)
{
	struct process_census before = census_take();
	pthread_t threads[THREADS];
	inf_status st[THREADS];
	ck_assert_int_eq(inf_gate_init(&gate, THREADS, &err), INF_OK);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, generate_until_closed, &st[i]), 0);
	while (inside < THREADS)
		sched_yield();
	ck_assert_int_eq(inf_gate_close(&gate, &err), INF_OK);
	ck_assert_int_eq(ended, THREADS);
	memset(&gate, 0xa5, sizeof gate);	/* nobody may touch it any more */
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(st[i], INF_E_CLOSED);
	}
	census_assert_restored(&before);
}
END_TEST

static void *close_gate(void *out)
{
	*(inf_status *)out = inf_gate_close(&gate, NULL);
	ended++;
	return NULL;
}

START_TEST(close_refuses_who_comes_while_it_waits)
{
	pthread_t thread;
	inf_gen late;
	inf_status closed = INF_E_INTERNAL;
	int64_t asked = 0;
	ck_assert_int_eq(inf_gate_init(&gate, 2, &err), INF_OK);
	ck_assert_int_eq(inf_gate_enter(&gate, &err), INF_OK);
	ck_assert_int_eq(pthread_create(&thread, NULL, close_gate, &closed), 0);
	while (inf_gate_ask(&gate, NULL, NULL, &asked, &err) == INF_OK)
		sched_yield();
	assert_refused(err.code, INF_E_CLOSED, "closed");
	ck_assert_int_eq(inf_gate_enter(&gate, &err), INF_E_CLOSED);
	inf_status st = inf_gen_begin(&late, &gate, &params, &nothing);
	ck_assert_int_eq(inf_gen_end(&late, st, &result, &err), INF_E_CLOSED);
	ck_assert_int_eq(ended, 0);
	inf_gate_leave(&gate);
	pthread_join(thread, NULL);
	ck_assert_int_eq(closed, INF_OK);
}
END_TEST

/* ---- fork ------------------------------------------------------------------------------------------------------ */
static bool all_refused(void)
{
	inf_gen mine;
	inf_status begun = inf_gen_begin(&mine, &gate, &params, &nothing);
	return begun == INF_E_INVALID && inf_gen_end(&mine, begun, &result, &err) == INF_E_INVALID &&
	       !strcmp(err.reason, "forked") && inf_gate_enter(&gate, NULL) == INF_E_INVALID &&
	       inf_gate_last(&gate, &err) == INF_E_INVALID && inf_gate_close(&gate, &err) == INF_E_INVALID &&
	       inf_owned(gate.owner, NULL) == INF_E_INVALID;
}

/* The parent's lock is held by somebody, who is not there in the child. */
START_TEST(forked_child_is_refused_everything_and_waits_for_nothing)
{
	int status;
	ck_assert_int_eq(inf_gate_init(&gate, 1, &err), INF_OK);
	pthread_mutex_lock(&gate.lock);
	pid_t pid = fork();
	if (!pid) {
		alarm(FORK_S);
		_exit(all_refused() ? 0 : 1);
	}
	pthread_mutex_unlock(&gate.lock);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "the child ended with 0x%x", status);
	ck_assert_int_eq(inf_owned(gate.owner, &err), INF_OK);
	ck_assert_int_eq(inf_gate_close(&gate, &err), INF_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("frame");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, text_is_sound_up_to_its_first_bad_byte, 0, COUNT(texts));
	tcase_add_test(tc, text_of_border_bytes_is_sound_where_nothing_is_to_be_fixed);
	tcase_add_test(tc, text_null_with_a_length_is_refused);
	tcase_add_test(tc, text_take_survives_oom);
	tcase_add_loop_test(tc, options_are_known_optional_or_refused, 0, COUNT(option_cases));
	tcase_add_test(tc, options_of_a_backend_without_any);
	tcase_add_test(tc, requests_of_every_age_are_read);
	tcase_add_loop_test(tc, load_takes_what_is_implemented_and_names_the_rest, 0, COUNT(loads));
	tcase_add_loop_test(tc, gen_takes_what_is_implemented_and_names_the_rest, 0, COUNT(gens));
	tcase_add_loop_test(tc, gen_out_of_range_is_refused_by_name, 0, COUNT(bad_gens));
	tcase_add_loop_test(tc, message_is_read_or_refused_by_name, 0, COUNT(messages));
	tcase_add_loop_test(tc, gen_ends_at_max_tokens_the_caller_or_the_end, 0, COUNT(ends));
	tcase_add_test(tc, gen_counts_thoughts_and_tool_calls);
	tcase_add_test(tc, gen_above_the_slots_is_busy);
	tcase_add_test(tc, gen_of_any_number_where_slots_are_0);
	tcase_add_test(tc, gen_failure_is_told_by_result_err_and_last);
	tcase_add_test(tc, poll_asks_at_once_and_then_no_more_often_than_it_may);
	tcase_add_test(tc, poll_that_says_stop_cancels);
	tcase_add_test(tc, close_ends_all_that_are_inside_and_waits_for_them);
	tcase_add_test(tc, close_refuses_who_comes_while_it_waits);
	tcase_add_test(tc, forked_child_is_refused_everything_and_waits_for_nothing);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
