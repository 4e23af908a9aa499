/* SPDX-License-Identifier: MIT */
/* INF-146: text of control tokens. What a text became is seen by the number of its tokens. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { FOUND_MAX = 8, WORD_MAX = 64, PROMPT_MAX = WORD_MAX + 2, VOCABULARY_MAX = 1 << 24 };

struct special {
	struct kit_world *world;
	const inf_tokenize *table;
	int32_t *ids;			/* 0, 1, 2, ... */
	int found;
	/* "a", the text of the control token for which the two counts differ most, "b". */
	char prompt[PROMPT_MAX];
	size_t len, as_text, as_special;
};

static bool count_tokens(struct special *special, const char *text, size_t len, uint32_t flags, size_t *out)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = special->table->tokenize(special->world->model, text, len, flags, NULL, NULL, 0, out, &err);
	return kit_expect(special->world->kit, st == INF_OK, "tokenize(): %s: %s", kit_status(st), err.message);
}

static bool length_of(struct special *special, int32_t first, int32_t count, uint32_t flags, size_t *out)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = special->table->detokenize(special->world->model, special->ids + first, (size_t)count, flags, NULL, NULL, 0,
						   out, &err);
	return kit_expect(special->world->kit, st == INF_OK, "detokenize(): %s: %s", kit_status(st), err.message);
}

static void try_token(struct special *special, int32_t id)
{
	char prompt[PROMPT_MAX] = "a";
	size_t len = 0, as_text = 0, as_special = 0;
	inf_status st = special->table->detokenize(special->world->model, &id, 1, INF_TOKENIZE_FLAG_SPECIAL, NULL, prompt + 1,
						   WORD_MAX, &len, NULL);
	if (st != INF_OK || !len || len > WORD_MAX)
		return;
	prompt[1 + len] = 'b';
	len += 2;
	if (!count_tokens(special, prompt, len, 0, &as_text) ||
	    !count_tokens(special, prompt, len, INF_TOKENIZE_FLAG_SPECIAL, &as_special))
		return;
	special->found++;
	if (as_text > as_special && as_text - as_special > special->as_text - special->as_special) {
		memcpy(special->prompt, prompt, len);
		special->len = len;
		special->as_text = as_text;
		special->as_special = as_special;
	}
}

/* By halves: a vocabulary is long, each question is one to another process, and control tokens are few. */
static void find_tokens(struct special *special, int32_t first, int32_t count)
{
	size_t plain = 0, whole = 0;
	if (special->found >= FOUND_MAX || !length_of(special, first, count, 0, &plain) ||
	    !length_of(special, first, count, INF_TOKENIZE_FLAG_SPECIAL, &whole) || whole == plain)
		return;
	if (count > 1) {
		find_tokens(special, first, count / 2);
		find_tokens(special, first + count / 2, count - count / 2);
	} else if (!plain) {
		try_token(special, first);
	}
}

/* ---- generate() -------------------------------------------------------------------------------------------------- */
static void expect_tokens(struct special *special, const char *what, size_t got, size_t wanted)
{
	kit_expect(special->world->kit, got == wanted, "%s makes %zu tokens of a%.*sb, not %zu", what, got, (int)special->len - 2,
		   special->prompt + 1, wanted);
}

/* By count() and by generate(), which have to agree; flags are INF_GEN_FLAG_*. */
static void check_generate(struct special *special, uint32_t flags, size_t wanted)
{
	struct kit_world *world = special->world;
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = { .struct_size = sizeof result };
	inf_error err = { .struct_size = sizeof err };
	size_t count = 0;
	inf_gen_params params = kit_params(world, sink, 1);
	params.flags = flags;
	const inf_input input = { .struct_size = sizeof input, .prompt = special->prompt, .prompt_len = special->len,
				  .params = &params };
	inf_status st = special->table->count(world->model, &input, NULL, &count, &err);
	if (kit_expect(world->kit, st == INF_OK, "count(): %s: %s", kit_status(st), err.message))
		expect_tokens(special, flags ? "count() with PARSE_SPECIAL" : "count()", count, wanted);
	st = kit_generate(world, sink, special->prompt, special->len, &params, &result, &err);
	if (kit_expect(world->kit, st == INF_OK, "generate(): %s: %s", kit_status(st), err.message))
		expect_tokens(special, flags ? "generate() with PARSE_SPECIAL" : "generate()", (size_t)result.prompt_tokens, wanted);
	free(sink);
}

/* ---- chat() ------------------------------------------------------------------------------------------------------ */
static inf_status chat_tokens(struct special *special, const char *text, size_t len, int64_t *out)
{
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = { .struct_size = sizeof result };
	inf_error err = { .struct_size = sizeof err };
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = text, .content_len = len };
	const inf_gen_params params = kit_params(special->world, sink, 1);
	inf_status st = kit_chat(special->world, sink, &message, &params, &result, &err);
	kit_expect(special->world->kit, st == INF_OK || st == INF_E_UNSUPPORTED, "chat(): %s: %s", kit_status(st), err.message);
	*out = result.prompt_tokens;
	free(sink);
	return st;
}

/* Beside what a template puts around a message the number may be off by one or two: it has to be nearer to that of text. */
static void check_chat(struct special *special, size_t plain)
{
	int64_t without = 0, with = 0;
	if (chat_tokens(special, "ab", 2, &without) != INF_OK ||
	    chat_tokens(special, special->prompt, special->len, &with) != INF_OK)
		return;
	int64_t more = with - without, base = (int64_t)plain;
	int64_t text = (int64_t)special->as_text - base, tokens = (int64_t)special->as_special - base;
	if (!more)
		kit_note(special->world->kit, "the template leaves the message out");
	else
		kit_expect(special->world->kit, 2 * more > text + tokens, "chat() reads %.*s in a message as a control token: %lld tokens "
			   "more than ab, as text it would be %lld", (int)special->len - 2, special->prompt + 1, (long long)more,
			   (long long)text);
}

static void check_text(struct special *special)
{
	struct kit_world *world = special->world;
	const inf_input input = { .struct_size = sizeof input, .prompt = "ab", .prompt_len = 2 };
	size_t plain = 0, around = 0;
	inf_status st = special->table->count(world->model, &input, NULL, &around, NULL);
	if (!count_tokens(special, "ab", 2, 0, &plain) ||
	    !kit_expect(world->kit, st == INF_OK && around >= plain, "count() of ab: %s, %zu", kit_status(st), around))
		return;
	around -= plain;	/* what generate() puts in front of each prompt */
	check_generate(special, 0, special->as_text + around);
	if (world->info.gen_flags & INF_GEN_FLAG_PARSE_SPECIAL)
		check_generate(special, INF_GEN_FLAG_PARSE_SPECIAL, special->as_special + around);
	if (world->info.flags & INF_INFO_FLAG_CHAT)
		check_chat(special, plain);
}

static void look(struct special *special)
{
	struct kit *kit = special->world->kit;
	int32_t count = special->world->info.vocab_size;
	if (count <= 0 || count > VOCABULARY_MAX) {
		kit_skip(kit, "vocab_size is %d", count);
		return;
	}
	special->ids = malloc((size_t)count * sizeof *special->ids);
	if (!special->ids)
		abort();
	for (int32_t i = 0; i < count; i++)
		special->ids[i] = i;
	find_tokens(special, 0, count);
	free(special->ids);
	if (special->len)
		check_text(special);
	else
		kit_skip(kit, "none of %d control tokens that have a text makes another number of tokens than that text", special->found);
}

void kit_inf_146(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	struct special special = { .world = &world };
	special.table = kit->backend->get_extension(world.instance, kit->backend, world.model, INF_EXT_TOKENIZE);
	if (special.table)
		look(&special);
	else
		kit_skip(kit, "inf.tokenize/1 is not offered, so control tokens are not known");
	kit_world_close(&world);
}
