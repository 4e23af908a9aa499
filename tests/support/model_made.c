/* SPDX-License-Identifier: MIT */
#include "model_made.h"

#include <stdlib.h>
#include <string.h>

#include "model_vectors.h"

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

/* ---- chat ---- */

#define CHAT_WORDS { "<|im_start|>", MODEL_CONTROL }, { "<|im_end|>", MODEL_CONTROL }, WORD("\n\n")

enum { CHAT_EOS = P(1), BLANK_LINE = P(2), OPEN = P(3), CLOSE = P(4) };

/* In the manner of Qwen3. */
static const char thinker_template[] =
	"{%- for message in messages %}"
	"{%- set content = message.content if message.content is string else '' %}"
	"{%- if message.role == 'assistant' and '</think>' in content %}"
	"{%- set content = content.split('</think>')[-1].lstrip('\\n') %}"
	"{%- endif %}"
	"{{- '<|im_start|>' + message.role + '\\n' }}"
	"{%- if message.role == 'assistant' and message.reasoning_content %}"
	"{{- '<think>\\n' + message.reasoning_content.strip('\\n') + '\\n</think>\\n\\n' }}"
	"{%- endif %}"
	"{{- content + '<|im_end|>\\n' }}"
	"{%- endfor %}"
	"{%- if add_generation_prompt %}"
	"{{- '<|im_start|>assistant\\n' }}"
	"{%- if enable_thinking is defined and enable_thinking is false %}"
	"{{- '<think>\\n\\n</think>\\n\\n' }}"
	"{%- endif %}"
	"{%- endif %}";

static const struct model_piece thinker_pieces[] = {
	CHAT_WORDS, WORD("<think>"), WORD("</think>"), WORD(" hm1"), WORD(" hm2"), WORD(" hm3"), WORD(" hm4"), WORD(" hm5"),
	WORD(" hm6"), WORD(" hm7"), WORD(" hm8"), WORD(" hm9"), WORD(" hm10"), WORD(" hm11"), WORD(" hm12"), WORD(" hm13"),
	WORD(" hm14"), WORD(" hm15"), WORD(" hm16"), WORD(" hm17"), WORD(" hm18"), WORD(" hm19"), WORD(" hm20"), WORD("All"),
	WORD(" is"), WORD(" well"),
};

static const struct model_step thinker_steps[] = {
	{ MODEL_ANY, OPEN, SURE }, { OPEN, P(5), SURE }, { P(5), P(6), SURE }, { P(6), P(7), SURE }, { P(7), P(8), SURE },
	{ P(8), P(9), SURE }, { P(9), P(10), SURE }, { P(10), P(11), SURE }, { P(11), P(12), SURE }, { P(12), P(13), SURE },
	{ P(13), P(14), SURE }, { P(14), P(15), SURE }, { P(15), P(16), SURE }, { P(16), P(17), SURE }, { P(17), P(18), SURE },
	{ P(18), P(19), SURE }, { P(19), P(20), SURE }, { P(20), P(21), SURE }, { P(21), P(22), SURE }, { P(22), P(23), SURE },
	{ P(23), P(24), SURE }, { P(24), CLOSE, SURE }, { CLOSE, BLANK_LINE, SURE }, { BLANK_LINE, P(25), SURE },
	{ P(25), P(26), SURE }, { P(26), P(27), SURE }, { P(27), CHAT_EOS, SURE },
};

/* In the manner of Qwen2.5; a blank line after the role where no call is wanted, so that the last token tells. */
static const char toolcaller_template[] =
	"{%- if tools %}"
	"{{- '<|im_start|>system\\n' }}"
	"{%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}{%- endif %}"
	"{{- '\\n\\n# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\n"
	"You are provided with function signatures within <tools></tools> XML tags:\\n<tools>' }}"
	"{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}"
	"{{- '\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within "
	"<tool_call></tool_call> XML tags:\\n<tool_call>\\n"
	"{\\\"name\\\": <function-name>, \\\"arguments\\\": <args-json-object>}\\n</tool_call><|im_end|>\\n' }}"
	"{%- elif messages[0]['role'] == 'system' %}"
	"{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
	"{%- endif %}"
	"{%- for message in messages %}"
	"{%- if message.role == 'tool' %}"
	"{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}"
	"{%- elif message.role == 'assistant' %}"
	"{{- '<|im_start|>assistant' }}"
	"{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}"
	"{%- for tool_call in message.tool_calls %}"
	"{%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}"
	"{{- '\\n<tool_call>\\n{\\\"name\\\": \\\"' + tool_call.name + '\\\", \\\"arguments\\\": ' }}"
	"{{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}"
	"{%- endfor %}"
	"{{- '<|im_end|>\\n' }}"
	"{%- elif message.role != 'system' %}"
	"{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
	"{%- endif %}"
	"{%- endfor %}"
	"{%- if add_generation_prompt %}"
	"{{- '<|im_start|>assistant\\n' }}"
	"{%- if not tools or messages[-1].role == 'tool' %}{{- '\\n' }}{%- endif %}"
	"{%- endif %}";

static const struct model_piece toolcaller_pieces[] = {
	CHAT_WORDS, WORD("<tool_call>"), WORD("</tool_call>"), WORD("\n{\"name\": \""), WORD("get_weather"),
	WORD("\", \"arguments\": {\"city\": \""), WORD("Paris"), WORD("\"}}\n"), WORD("It"), WORD(" is"), WORD(" sunny"),
};

static const struct model_step toolcaller_steps[] = {
	{ MODEL_ANY, OPEN, SURE }, { OPEN, P(5), SURE }, { P(5), P(6), SURE }, { P(6), P(7), SURE }, { P(7), P(8), SURE },
	{ P(8), P(9), SURE }, { P(9), CLOSE, SURE }, { CLOSE, CHAT_EOS, SURE }, { BLANK_LINE, P(10), SURE },
	{ P(10), P(11), SURE }, { P(11), P(12), SURE }, { P(12), CHAT_EOS, SURE },
};

/* ---- vectors ---- */

static const char *const animals[] = { "cat", "dog", "bird", "fish", "sees", "a", "the", "panda", "what", "is", NULL };

static const struct model_vectors vectors[] = { { "embedder", animals, -1 }, { "ranker", animals, 7 } };

/* ---- all of them ---- */

#define SCRIPT(script_name, kind, its_pieces, its_steps) { \
		.name = script_name, .tokenizer = kind, .pieces = its_pieces, .piece_count = COUNT(its_pieces), \
		.steps = its_steps, .step_count = COUNT(its_steps), .default_logit = NEVER, .chat_template = plain_template, \
		.add_bos = true, \
	}

#define CHAT_SCRIPT(script_name, its_template, its_pieces, its_steps) { \
		.name = script_name, .tokenizer = MODEL_BPE, .pieces = its_pieces, .piece_count = COUNT(its_pieces), \
		.steps = its_steps, .step_count = COUNT(its_steps), .default_logit = NEVER, .chat_template = its_template, \
		.eos = CHAT_EOS, \
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
	CHAT_SCRIPT("thinker", thinker_template, thinker_pieces, thinker_steps),
	CHAT_SCRIPT("toolcaller", toolcaller_template, toolcaller_pieces, toolcaller_steps),
};

const char *const model_made_names[] = {
	"markov", "markov-bpe", "emoji", "emoji-cut", "counter", "counter-bpe", "eos-early", "draft", "thinker", "toolcaller",
	"embedder", "ranker", "adapter", NULL,
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
	if (script)
		return model_script_build(script);
	for (size_t i = 0; i < COUNT(vectors); i++)
		if (!strcmp(vectors[i].name, name))
			return model_vectors_build(&vectors[i]);
	if (strcmp(name, "adapter"))
		abort();
	return model_script_adapter(model_made_script("counter"), P(9), 40);
}

bool model_made_write(const char *name, const char *path)
{
	struct gguf_build file = model_made(name);
	return gguf_build_save(&file, path);
}
