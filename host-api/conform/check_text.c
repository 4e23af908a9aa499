/* SPDX-License-Identifier: MIT */
/* INF-145, 149, 150: the text, and what the result says of it. */
#include <stdlib.h>
#include <string.h>

#include "failures.h"

enum { CLOCK_NS = 5000000, SEEDED_TOKENS = 16, RESULT_NUMBER_MAX = 1000000 };

/* ---- INF-145 ---- */
static void refuse_bytes(struct kit_world *world, const char *bytes, size_t len)
{
	struct kit_sink *sink = kit_sink_new();
	const inf_gen_params params = kit_params(world, sink, 2);
	inf_status st = kit_generate(world, sink, bytes, len, &params, NULL, NULL);
	kit_expect(world->kit, st == INF_E_INVALID, "generate() with the bytes %02x %02x returned %s", (unsigned char)bytes[0],
		   (unsigned char)bytes[1], kit_status(st));
	if (world->info.flags & INF_INFO_FLAG_CHAT) {
		const inf_message message = { .struct_size = sizeof message, .role = "user", .content = bytes, .content_len = len };
		st = kit_chat(world, sink, &message, &params, NULL, NULL);
		kit_expect(world->kit, st == INF_E_INVALID, "chat() with the bytes %02x %02x returned %s", (unsigned char)bytes[0],
			   (unsigned char)bytes[1], kit_status(st));
	}
	free(sink);
}

static void check_chunks(struct kit_world *world, const char *prompt, size_t len)
{
	struct kit_sink *sink = kit_sink_new();
	const inf_gen_params params = kit_params(world, sink, 32);
	inf_status st = kit_generate(world, sink, prompt, len, &params, NULL, NULL);
	kit_expect(world->kit, st == INF_OK, "a prompt of %zu bytes of UTF-8: %s", len, kit_status(st));
	kit_expect(world->kit, !sink->broken_text, "a chunk is not whole UTF-8");
	kit_expect(world->kit, !sink->unterminated, "a chunk does not end with a NUL");
	free(sink);
}

void kit_inf_145(struct kit *kit)
{
	static const char mixed[] = "Na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x98\x80\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd "
		"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x8f\xb4 e\xcc\x81 end";
	static const char with_nul[] = "one\0two";
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	check_chunks(&world, mixed, sizeof mixed - 1);
	check_chunks(&world, kit_prompt, sizeof kit_prompt - 1);
	check_chunks(&world, with_nul, sizeof with_nul - 1);
	refuse_bytes(&world, "\xff\xff", 2);
	refuse_bytes(&world, "\xe2\x82", 2);
	refuse_bytes(&world, "\xc0\xaf", 2);
	refuse_bytes(&world, "\xed\xa0\x80", 3);
	kit_world_close(&world);
}

/* ---- INF-149 ---- */
static uint32_t no_cache(const struct kit_world *world)
{
	return world->info.gen_flags & INF_GEN_FLAG_NO_PROMPT_CACHE;
}

static bool say_seeded(struct kit_world *world, struct kit_sink *sink, const uint64_t *seed, inf_gen_result *result)
{
	inf_gen_params params = kit_params(world, sink, SEEDED_TOKENS);
	params.flags = no_cache(world);
	params.set = seed ? INF_GEN_SET_TEMPERATURE | INF_GEN_SET_SEED : INF_GEN_SET_TEMPERATURE;
	params.temperature = 1;
	params.seed = seed ? *seed : 0;
	*result = (inf_gen_result){ .struct_size = sizeof *result };
	return kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, result, NULL) == INF_OK;
}

static bool is_same_text(const struct kit_sink *a, const struct kit_sink *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

static void check_seed(struct kit_world *world)
{
	struct kit_sink *first = kit_sink_new(), *again = kit_sink_new();
	inf_gen_result result, result_again;
	if (say_seeded(world, first, NULL, &result) &&
	    kit_expect(world->kit, result.flags & INF_RESULT_FLAG_SEED, "the seed of a random text is not reported") &&
	    say_seeded(world, again, &result.seed, &result_again)) {
		kit_expect(world->kit, result_again.seed == result.seed, "the seed that was given is not the one reported");
		kit_expect(world->kit, is_same_text(first, again), "the seed that was reported gives another text");
	}
	free(first);
	free(again);
}

void kit_inf_149(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *first = kit_sink_new(), *again = kit_sink_new();
	if (!kit_world_load(&world, kit))
		return;
	inf_gen_params params = kit_params(&world, first, SEEDED_TOKENS);
	params.flags = no_cache(&world);
	kit_generate(&world, first, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
	params = kit_params(&world, again, SEEDED_TOKENS);
	params.flags = no_cache(&world);
	kit_generate(&world, again, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
	kit_expect(kit, is_same_text(first, again), "greedy text differs the second time");
	if ((world.info.gen_fields & INF_GEN_SET_SEED) && (world.info.gen_fields & INF_GEN_SET_TEMPERATURE))
		check_seed(&world);
	kit_world_close(&world);
	free(first);
	free(again);
}

/* ---- INF-150 ---- */
static bool is_number(int64_t number)
{
	return number >= 0 && number <= RESULT_NUMBER_MAX;
}

static void check_numbers(struct kit *kit, const char *what, const inf_gen_result *result)
{
	kit_expect(kit, result->struct_size == sizeof *result, "after %s the result has another struct_size", what);
	kit_expect(kit, result->finish >= INF_FINISH_UNKNOWN && result->finish <= INF_FINISH_TOOL_CALLS, "after %s finish is %d", what,
		   result->finish);
	if (!kit_expect(kit, is_number(result->prompt_tokens) && is_number(result->cached_tokens) &&
			is_number(result->generated_tokens) && is_number(result->reasoning_tokens) && result->queue_ns >= 0 &&
			result->prefill_ns >= 0 && result->decode_ns >= 0 && result->total_ns >= 0,
			"after %s numbers of the result were not filled in", what))
		return;
	kit_expect(kit, result->cached_tokens <= result->prompt_tokens, "after %s more tokens are cached than the prompt has", what);
	kit_expect(kit, result->reasoning_tokens <= result->generated_tokens, "after %s more tokens are thought than generated", what);
	kit_expect(kit, result->queue_ns + result->prefill_ns + result->decode_ns <= result->total_ns + CLOCK_NS,
		   "after %s the parts take longer than the whole", what);
}

static void check_failure(struct kit_world *world, const struct kit_failure *failure, const inf_gen_result *result)
{
	if (failure->status == INF_OK)
		return;
	check_numbers(world->kit, failure->what, result);
	kit_expect(world->kit, result->finish == INF_FINISH_ERROR, "after %s finish is %d", failure->what, result->finish);
}

static inf_gen_result stale_result(void)
{
	inf_gen_result result;
	memset(&result, 0x5a, sizeof result);
	result.struct_size = sizeof result;
	return result;
}

static void check_agrees(struct kit_world *world, const char *what, int32_t max_tokens, int stop_at_call)
{
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = stale_result();
	sink->stop_at_call = stop_at_call;
	inf_status st = kit_say(world, sink, max_tokens, &result);
	if (st == INF_OK) {
		check_numbers(world->kit, what, &result);
		kit_expect(world->kit, result.generated_tokens >= sink->token_count || result.finish == INF_FINISH_CALLER,
			   "after %s generated_tokens is %lld, %lld were delivered", what, (long long)result.generated_tokens,
			   (long long)sink->token_count);
		kit_expect(world->kit, result.finish != INF_FINISH_LENGTH || result.generated_tokens == sink->token_count,
			   "after %s generated_tokens is %lld, %lld were delivered", what, (long long)result.generated_tokens,
			   (long long)sink->token_count);
		kit_expect(world->kit, result.prompt_tokens > 0, "after %s prompt_tokens is 0", what);
		kit_expect(world->kit, result.total_ns > 0 && result.total_ns <= sink->ended_ns - sink->begun_ns + CLOCK_NS,
			   "after %s total_ns is %lld, the call took %lld", what, (long long)result.total_ns,
			   (long long)(sink->ended_ns - sink->begun_ns));
	}
	free(sink);
}

void kit_inf_150(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = stale_result();
	if (!kit_world_load(&world, kit))
		return;
	check_agrees(&world, "a generation", 8, 0);
	check_agrees(&world, "a generation that the caller stopped", 0, 2);
	sink->cancel_at_poll = 1;
	if (kit_say(&world, sink, 8, &result) != INF_OK)
		check_numbers(kit, "a generation that was cancelled", &result);
	kit_bad_calls(&world, check_failure);
	kit_world_close(&world);
	free(sink);
}
