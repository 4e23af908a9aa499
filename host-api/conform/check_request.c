/* SPDX-License-Identifier: MIT */
/* INF-141 to 144, 147, 148: what a request asks for is done, or refused. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "failures.h"

/* ---- INF-141 ---- */
static const int32_t one_token[] = { 5 };
static const char *const one_string[] = { "stop" };

static const struct field {
	const char *name;
	uint64_t bit;
	bool zero_is_value;
} fields[] = {
	{ "temperature", INF_GEN_SET_TEMPERATURE, true },	{ "top_k", INF_GEN_SET_TOP_K, true },
	{ "top_p", INF_GEN_SET_TOP_P, true },			{ "min_p", INF_GEN_SET_MIN_P, true },
	{ "seed", INF_GEN_SET_SEED, true },			{ "repeat_penalty", INF_GEN_SET_REPEAT_PENALTY, true },
	{ "frequency_penalty", INF_GEN_SET_FREQUENCY_PENALTY, true },
	{ "presence_penalty", INF_GEN_SET_PRESENCE_PENALTY, true },
	{ "thinking", INF_GEN_SET_THINKING, true },		{ "max_tokens", INF_GEN_SET_MAX_TOKENS, false },
	{ "min_tokens", INF_GEN_SET_MIN_TOKENS, false },	{ "thinking_budget", INF_GEN_SET_THINKING_BUDGET, false },
	{ "stop_tokens", INF_GEN_SET_STOP_TOKENS, false },	{ "suppress_tokens", INF_GEN_SET_SUPPRESS_TOKENS, false },
	{ "stop_strings", INF_GEN_SET_STOP_STRINGS, false },	{ "json_schema", INF_GEN_SET_JSON_SCHEMA, false },
	{ "grammar", INF_GEN_SET_GRAMMAR, false },
};

static void give(inf_gen_params *params, uint64_t bit)
{
	switch (bit) {
	case INF_GEN_SET_TEMPERATURE: params->temperature = 0.5f; break;
	case INF_GEN_SET_TOP_K: params->top_k = 4; break;
	case INF_GEN_SET_TOP_P: params->top_p = 0.5f; break;
	case INF_GEN_SET_MIN_P: params->min_p = 0.5f; break;
	case INF_GEN_SET_SEED: params->seed = 4; break;
	case INF_GEN_SET_REPEAT_PENALTY: params->repeat_penalty = 1.5f; break;
	case INF_GEN_SET_FREQUENCY_PENALTY: params->frequency_penalty = 0.5f; break;
	case INF_GEN_SET_PRESENCE_PENALTY: params->presence_penalty = 0.5f; break;
	case INF_GEN_SET_THINKING: params->thinking = 1; break;
	case INF_GEN_SET_MAX_TOKENS: params->max_tokens = 2; break;
	case INF_GEN_SET_MIN_TOKENS: params->min_tokens = 1; break;
	case INF_GEN_SET_THINKING_BUDGET: params->thinking_budget = 4; break;
	case INF_GEN_SET_STOP_TOKENS: params->stop_tokens = one_token; params->stop_token_count = 1; break;
	case INF_GEN_SET_SUPPRESS_TOKENS: params->suppress_tokens = one_token; params->suppress_token_count = 1; break;
	case INF_GEN_SET_STOP_STRINGS: params->stop_strings = one_string; params->stop_string_count = 1; break;
	case INF_GEN_SET_JSON_SCHEMA: params->json_schema = "{}"; break;
	case INF_GEN_SET_GRAMMAR: params->grammar = "root ::= \"a\""; break;
	}
}

static inf_gen_params short_params(void)
{
	return (inf_gen_params){ .struct_size = sizeof(inf_gen_params) };
}

/* What is refused is refused before the model is asked, so nobody has to stop it; what is not is stopped by the sink. */
static void refuse(struct kit_world *world, inf_gen_params given, inf_status wanted, const char *what, const char *name)
{
	struct kit_sink *sink = kit_sink_new();
	sink->stop_at_call = 1;
	const inf_gen_params callbacks = kit_params(world, sink, 0);
	inf_error err = { .struct_size = sizeof err };
	given.user = callbacks.user;
	given.on_token = callbacks.on_token;
	given.on_poll = callbacks.on_poll;
	inf_status st = kit_generate(world, sink, "a b", 3, &given, NULL, &err);
	if (kit_expect(world->kit, st == wanted, "generate() with %s returned %s, not %s%s%s", what, kit_status(st),
		       kit_status(wanted), st == INF_OK ? "" : ": ", st == INF_OK ? "" : err.message) && name)
		kit_expect(world->kit, kit_names(err.message, name), "generate() with %s is refused without naming it: %s", what,
			   err.message);
	free(sink);
}

static void refuse_fields(struct kit_world *world)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		char what[128];
		inf_gen_params params = short_params();
		give(&params, fields[i].bit);
		snprintf(what, sizeof what, "%s without its bit", fields[i].name);
		if (fields[i].zero_is_value)
			refuse(world, params, INF_E_INVALID, what, NULL);
		params.set = fields[i].zero_is_value ? fields[i].bit : 0;
		snprintf(what, sizeof what, "%s, which gen_fields lacks,", fields[i].name);
		if (!(world->info.gen_fields & fields[i].bit))
			refuse(world, params, INF_E_UNSUPPORTED, what, fields[i].name);
	}
}

static void refuse_flags(struct kit_world *world)
{
	for (uint32_t flag = 1; flag <= INF_GEN_FLAG_KNOWN; flag <<= 1) {
		char what[128];
		inf_gen_params params = short_params();
		params.flags = flag;
		snprintf(what, sizeof what, "the flag 0x%x, which gen_flags lacks,", flag);
		if (!(world->info.gen_flags & flag))
			refuse(world, params, INF_E_UNSUPPORTED, what, NULL);
	}
}

static void refuse_values(struct kit_world *world)
{
	inf_gen_params params = short_params();
	params.reserved0 = 1;
	refuse(world, params, INF_E_INVALID, "reserved0", NULL);
	params = short_params();
	params.tool_choice = "auto";
	refuse(world, params, INF_E_INVALID, "tool_choice without tools", NULL);
	params = short_params();
	params.json_schema = "{}";
	params.grammar = "root ::= \"a\"";
	refuse(world, params, INF_E_INVALID, "json_schema and grammar", NULL);
	params = short_params();
	params.max_tokens = -1;
	if (world->info.gen_fields & INF_GEN_SET_MAX_TOKENS)
		refuse(world, params, INF_E_INVALID, "max_tokens -1", NULL);
	if (!(world->info.gen_fields & INF_GEN_SET_TEMPERATURE))
		return;
	params = short_params();
	params.set = INF_GEN_SET_TEMPERATURE;
	params.temperature = -1;
	refuse(world, params, INF_E_INVALID, "temperature -1", NULL);
	params.temperature = nanf("");
	refuse(world, params, INF_E_INVALID, "temperature NaN", NULL);
}

static void refuse_options(struct kit_world *world)
{
	static const inf_kv unknown = { "inf-conform-unknown", "1" }, optional = { "?inf-conform-unknown", "1" };
	inf_gen_params params = short_params();
	params.options = &unknown;
	params.option_count = 1;
	refuse(world, params, INF_E_UNSUPPORTED, "an unknown option", "inf-conform-unknown");
	params.options = &optional;
	refuse(world, params, INF_OK, "an unknown option that begins with '?'", NULL);
}

void kit_inf_141(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	inf_gen_params params = short_params();
	params.flags = 1u << 31;
	refuse(&world, params, INF_E_UNSUPPORTED, "an unknown flag", NULL);
	params = short_params();
	params.set = 1ull << 62;
	refuse(&world, params, INF_E_UNSUPPORTED, "an unknown bit in set", NULL);
	refuse_fields(&world);
	refuse_flags(&world);
	refuse_values(&world);
	refuse_options(&world);
	kit_world_close(&world);
}

/* ---- INF-142 ---- */
void kit_inf_142(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *zeroed = kit_sink_new(), *given = kit_sink_new();
	if (!kit_world_load(&world, kit))
		return;
	inf_gen_params params = kit_params(&world, zeroed, 16);
	inf_status st = kit_generate(&world, zeroed, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
	kit_expect(kit, st == INF_OK, "generate() with all defaults returned %s", kit_status(st));
	if (world.info.gen_fields & INF_GEN_SET_TEMPERATURE) {
		params = kit_params(&world, given, 16);
		params.set = INF_GEN_SET_TEMPERATURE;
		kit_generate(&world, given, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
		kit_expect(kit, given->len == zeroed->len && !memcmp(given->text, zeroed->text, given->len),
			   "the text with all defaults is not that of temperature 0");
	} else {
		kit_note(kit, "temperature is not among gen_fields, so nothing is compared");
	}
	kit_world_close(&world);
	free(zeroed);
	free(given);
}

/* ---- INF-143 ---- */
void kit_inf_143(struct kit *kit)
{
	enum { MOST = 8 };
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	if (!(world.info.gen_fields & INF_GEN_SET_MAX_TOKENS))
		kit_skip(kit, "max_tokens is not among gen_fields");
	else
		for (int32_t n = 1; n <= MOST; n++) {
			struct kit_sink *sink = kit_sink_new();
			inf_gen_result result = { .struct_size = sizeof result };
			inf_status st = kit_say(&world, sink, n, &result);
			if (kit_expect(kit, st == INF_OK, "max_tokens %d: %s", n, kit_status(st))) {
				bool ended = result.finish == INF_FINISH_EOS || result.finish == INF_FINISH_CONTEXT;
				kit_expect(kit, ended || result.finish == INF_FINISH_LENGTH, "max_tokens %d: finish is %d", n, result.finish);
				kit_expect(kit, ended ? sink->token_count <= n : sink->token_count == n, "max_tokens %d: %lld tokens came", n,
					   (long long)sink->token_count);
			}
			free(sink);
		}
	kit_world_close(&world);
}

/* ---- INF-144 ---- */
/* A word from the middle of the text, as a stop string: begins and ends with letters, so a tokenizer has no say. */
static bool find_word(const char *text, size_t len, char *word, size_t size)
{
	size_t from = len / 2, n;
	while (from < len && text[from] != ' ')
		from++;
	from++;
	for (n = 0; from + n < len && n < size - 1 && text[from + n] != ' '; n++)
		word[n] = text[from + n];
	word[n] = '\0';
	return n > 0 && from < len && kit_is_utf8(word, n);
}

static void stop_at_string(struct kit_world *world, const struct kit_sink *whole)
{
	char word[32];
	const char *const strings[] = { "\x01never\x01", word };
	struct kit_sink *sink = kit_sink_new();
	inf_gen_params params = kit_params(world, sink, 24);
	inf_gen_result result = { .struct_size = sizeof result };
	if (find_word(whole->text, whole->len, word, sizeof word)) {
		size_t wanted = (size_t)(strstr(whole->text, word) - whole->text);
		params.stop_strings = strings;
		params.stop_string_count = 2;
		inf_status st = kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, &result, NULL);
		kit_expect(world->kit, st == INF_OK && result.finish == INF_FINISH_STOP_STRING && result.stop_index == 1,
			   "with the stop string \"%s\" the end is %s, finish %d, stop_index %d", word, kit_status(st), result.finish,
			   result.stop_index);
		kit_expect(world->kit, sink->len == wanted && !memcmp(sink->text, whole->text, wanted),
			   "with the stop string \"%s\" %zu bytes came, there are %zu before it", word, sink->len, wanted);
	} else {
		kit_note(world->kit, "the model's text has no word to stop at");
	}
	free(sink);
}

static void stop_at_token(struct kit_world *world, const struct kit_sink *whole)
{
	int at = whole->calls / 2;
	if (whole->calls < 2 || at >= KIT_IDS_MAX || whole->ids[at] < 0)
		return;
	for (int i = 0; i < at; i++)
		if (whole->ids[i] == whole->ids[at])
			at = i;
	struct kit_sink *sink = kit_sink_new();
	inf_gen_params params = kit_params(world, sink, 24);
	inf_gen_result result = { .struct_size = sizeof result };
	params.stop_tokens = &whole->ids[at];
	params.stop_token_count = 1;
	inf_status st = kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, &result, NULL);
	kit_expect(world->kit, st == INF_OK && result.finish == INF_FINISH_STOP_TOKEN && result.stop_index == 0,
		   "with a stop token the end is %s, finish %d, stop_index %d", kit_status(st), result.finish, result.stop_index);
	kit_expect(world->kit, sink->len <= whole->len && !memcmp(sink->text, whole->text, sink->len) && sink->calls <= at + 1,
		   "with a stop token other text comes");
	free(sink);
}

void kit_inf_144(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *whole = kit_sink_new();
	if (!kit_world_load(&world, kit))
		return;
	uint64_t given = world.info.gen_fields & (INF_GEN_SET_STOP_STRINGS | INF_GEN_SET_STOP_TOKENS);
	kit_say(&world, whole, 24, NULL);
	if (!given)
		kit_skip(kit, "neither stop_strings nor stop_tokens is among gen_fields");
	if (given & INF_GEN_SET_STOP_STRINGS)
		stop_at_string(&world, whole);
	if (given & INF_GEN_SET_STOP_TOKENS)
		stop_at_token(&world, whole);
	kit_world_close(&world);
	free(whole);
}

/* ---- INF-147 ---- */
void kit_inf_147(struct kit *kit)
{
	enum { WORDS_MAX = 4 << 20, EACH = 4 };
	struct kit_world world;
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = { .struct_size = sizeof result };
	if (!kit_world_load(&world, kit))
		return;
	size_t words = (size_t)world.info.context_len + 64;
	if (!world.info.context_len || words > WORDS_MAX) {
		kit_skip(kit, "context_len is %d", world.info.context_len);
	} else {
		char *prompt = malloc(words * EACH);
		for (size_t i = 0; prompt && i < words; i++)	/* a token each, at least */
			for (size_t j = 0; j < EACH; j++)
				prompt[i * EACH + j] = j ? (char)('0' + random() % 10) : ' ';
		inf_gen_params params = kit_params(&world, sink, 2);
		inf_status st = kit_generate(&world, sink, prompt, words * EACH, &params, &result, NULL);
		kit_expect(kit, st == INF_E_CONTEXT_FULL, "%zu words in a context of %d tokens: %s", words, world.info.context_len,
			   kit_status(st));
		if (st == INF_E_CONTEXT_FULL)
			kit_expect(kit, result.prompt_tokens > world.info.context_len - 2, "%zu words in a context of %d tokens: "
				   "prompt_tokens is %lld", words, world.info.context_len, (long long)result.prompt_tokens);
		kit_expect(kit, !sink->calls, "a prompt that does not fit was answered");
		free(prompt);
	}
	kit_world_close(&world);
	free(sink);
}

/* ---- INF-148 ---- */
static void refuse_media(struct kit_world *world, int32_t kind)
{
	static const unsigned char bytes[64] = "no picture, and no sound";
	struct kit_sink *sink = kit_sink_new();
	const inf_media media = { .struct_size = sizeof media, .kind = kind, .data = bytes, .size = sizeof bytes };
	const inf_media *const list[] = { &media };
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "a", .content_len = 1,
				      .media = list, .media_count = 1 };
	const inf_gen_params params = kit_params(world, sink, 2);
	inf_status st = kit_chat(world, sink, &message, &params, NULL, NULL);
	kit_expect(world->kit, st == INF_E_UNSUPPORTED, "chat() with a medium of kind %d, which this model does not take, returned %s",
		   kind, kit_status(st));
	free(sink);
}

void kit_inf_148(struct kit *kit)
{
	static const uint32_t flags[] = { INF_INFO_FLAG_IMAGES, INF_INFO_FLAG_AUDIO, INF_INFO_FLAG_VIDEO };
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	if (world.info.flags & INF_INFO_FLAG_CHAT) {
		for (int32_t kind = INF_MEDIA_IMAGE; kind <= INF_MEDIA_VIDEO_FRAME; kind++)
			if (!(world.info.flags & flags[kind - 1]))
				refuse_media(&world, kind);
		refuse_media(&world, 99);
	} else {
		kit_skip(kit, "the model has no chat template");
	}
	kit_world_close(&world);
}
