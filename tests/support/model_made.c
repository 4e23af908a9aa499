/* SPDX-License-Identifier: MIT */
#include "model_made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define WORD(text) { text, MODEL_WORD }
#define P(index) MODEL_PIECE(index)
#define B(byte) MODEL_BYTE(byte)

/* Logits. */
enum { NEVER = -25, LIKELY = 5, SURE = 10 };

static const char plain_template[] =
	"{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
	"{% if add_generation_prompt %}assistant:{% endif %}";

/* ---- classification ---- */

static const struct model_piece markov_words[] = {
	WORD(" yes"), WORD(" no"), WORD(" maybe"), WORD(" not"), WORD(" sure"), WORD(" so"),
};

static const struct model_piece markov_pieces[] = {
	{ " yes", MODEL_NORMAL }, { " no", MODEL_NORMAL }, { " maybe", MODEL_NORMAL }, { " not", MODEL_NORMAL },
	{ " sure", MODEL_NORMAL }, { " so", MODEL_NORMAL },
};

static const struct model_step markov_steps[] = {
	{ MODEL_ANY, P(0), 2 }, { MODEL_ANY, P(1), 1 }, { MODEL_ANY, P(2), 0 }, { MODEL_ANY, P(3), 0.75f },
	{ MODEL_ANY, MODEL_EOS, -3 },
	{ P(0), P(0), 0.5f }, { P(0), P(1), 3 }, { P(0), P(2), -1 }, { P(0), P(3), -2 }, { P(0), MODEL_EOS, 1 },
	{ P(1), P(0), 2 }, { P(1), P(1), 0.25f }, { P(1), P(2), -0.5f }, { P(1), P(3), 1.5f }, { P(1), MODEL_EOS, 1 },
	{ P(2), P(0), 1.25f }, { P(2), P(1), 1 }, { P(2), P(2), -3 }, { P(2), P(3), 0 }, { P(2), MODEL_EOS, 2 },
	{ P(3), P(0), -4 }, { P(3), P(1), -5 }, { P(3), P(2), -6 }, { P(3), P(3), -7 }, { P(3), P(4), 2 }, { P(3), P(5), 1 },
	{ P(3), MODEL_EOS, -8 },
};

/* ---- characters of several tokens ---- */

static const struct model_piece emoji_pieces[] = { WORD(" smile"), WORD(" again") };

static const struct model_step emoji_steps[] = {
	{ MODEL_ANY, P(0), SURE }, { P(0), B(0xf0), SURE }, { B(0xf0), B(0x9f), SURE }, { B(0x9f), B(0x98), SURE },
	{ B(0x98), B(0x80), SURE }, { B(0x80), P(1), SURE }, { P(1), MODEL_EOS, SURE },
};

static const struct model_step emoji_cut_steps[] = {
	{ MODEL_ANY, P(0), SURE }, { P(0), B(0xf0), SURE }, { B(0xf0), B(0x9f), SURE }, { B(0x9f), MODEL_EOS, SURE },
};

/* ---- counting ---- */

static const struct model_piece numbers[] = {
	WORD(" one"), WORD(" two"), WORD(" three"), WORD(" four"), WORD(" five"), WORD(" six"), WORD(" seven"), WORD(" eight"),
	WORD(" nine"), WORD(" ten"),
};

#define GO_ON(last, first, second) { last, first, SURE }, { last, second, LIKELY }
#define GO_ON_FROM_SIX \
	GO_ON(P(5), P(6), P(7)), GO_ON(P(6), P(7), P(8)), GO_ON(P(7), P(8), P(9)), GO_ON(P(8), P(9), P(0)), \
		GO_ON(P(9), P(0), P(1))
#define GO_ON_TO_FIVE \
	GO_ON(MODEL_ANY, P(0), P(1)), GO_ON(P(0), P(1), P(2)), GO_ON(P(1), P(2), P(3)), GO_ON(P(2), P(3), P(4)), \
		GO_ON(P(3), P(4), P(5))

static const struct model_step counter_steps[] = { GO_ON_TO_FIVE, GO_ON(P(4), P(5), P(6)), GO_ON_FROM_SIX };
static const struct model_step draft_steps[] = { GO_ON_TO_FIVE, GO_ON(P(4), P(6), P(5)), GO_ON_FROM_SIX };

static const struct model_step eos_early_steps[] = {
	GO_ON(MODEL_ANY, MODEL_EOS, P(0)), GO_ON(P(0), MODEL_EOS, P(1)), GO_ON(P(1), MODEL_EOS, P(2)),
	GO_ON(P(2), MODEL_EOS, P(3)), GO_ON(P(3), MODEL_EOS, P(4)), GO_ON(P(4), MODEL_EOS, P(5)), GO_ON(P(5), MODEL_EOS, P(6)),
	GO_ON(P(6), MODEL_EOS, P(7)), GO_ON(P(7), MODEL_EOS, P(8)), GO_ON(P(8), MODEL_EOS, P(9)), GO_ON(P(9), MODEL_EOS, P(0)),
};

/* ---- all of them ---- */

#define SCRIPT(script_name, kind, its_pieces, its_steps) { \
		.name = script_name, .tokenizer = kind, .pieces = its_pieces, .piece_count = COUNT(its_pieces), \
		.steps = its_steps, .step_count = COUNT(its_steps), .default_logit = NEVER, .chat_template = plain_template, \
		.add_bos = true, \
	}

static const struct model_script scripts[] = {
	SCRIPT("markov", MODEL_SPM, markov_words, markov_steps),
	SCRIPT("markov-bpe", MODEL_BPE, markov_pieces, markov_steps),
	SCRIPT("emoji", MODEL_SPM, emoji_pieces, emoji_steps),
	SCRIPT("emoji-cut", MODEL_SPM, emoji_pieces, emoji_cut_steps),
	SCRIPT("counter", MODEL_SPM, numbers, counter_steps),
	SCRIPT("counter-bpe", MODEL_BPE, numbers, counter_steps),
	SCRIPT("eos-early", MODEL_SPM, numbers, eos_early_steps),
	SCRIPT("draft", MODEL_SPM, numbers, draft_steps),
};

const char *const model_made_names[] = {
	"markov", "markov-bpe", "emoji", "emoji-cut", "counter", "counter-bpe", "eos-early", "draft", NULL,
};

const struct model_script *model_made_script(const char *name)
{
	for (size_t i = 0; i < COUNT(scripts); i++)
		if (!strcmp(scripts[i].name, name))
			return &scripts[i];
	return NULL;
}

struct gguf_build model_made(const char *name)
{
	const struct model_script *script = model_made_script(name);
	if (!script)
		abort();
	return model_script_build(script);
}

bool model_made_write(const char *name, const char *path)
{
	struct gguf_build file = model_made(name);
	FILE *out = fopen(path, "wbe");
	bool ok = out && fwrite(file.data, 1, file.len, out) == file.len;
	ok = out && !fclose(out) && ok;
	if (!ok)
		perror(path);
	gguf_build_release(&file);
	return ok;
}
