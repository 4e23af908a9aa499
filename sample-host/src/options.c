/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters.h"
#include "near.h"
#include "number.h"
#include "path.h"
#include "state.h"

enum { NEAR_TEXT_MAX = 512 };

#define FINDS ((1u << COMMAND_BACKENDS) | (1u << COMMAND_DEVICES) | (1u << COMMAND_DOCTOR) | LOOKS | LOADS)
#define LOOKS ((1u << COMMAND_MODELS) | (1u << COMMAND_INSPECT))
#define GENERATES ((1u << COMMAND_GENERATE) | (1u << COMMAND_CHAT))
#define CLASSIFIES (1u << COMMAND_CLASSIFY)
#define BATCHES (1u << COMMAND_BATCH)
#define BENCHES (1u << COMMAND_BENCH)
#define RUNS (GENERATES | CLASSIFIES | BATCHES)
#define TEXTS ((1u << COMMAND_TOKENIZE) | (1u << COMMAND_EMBED) | (1u << COMMAND_RERANK))
#define READS (RUNS | TEXTS)
#define LOADS (READS | BENCHES)
#define ALL (FINDS | (1u << COMMAND_HELP) | (1u << COMMAND_NONE))
#define AT(field) .offset = offsetof(struct options, field)

/* ---- the tables ---- */

static const struct command_spec commands[COMMAND_COUNT] = {
	[COMMAND_NONE] = { "", "", "", "" },
	[COMMAND_BACKENDS] = { "backends", "", "show the backends that were found and which one would be used",
		"Exit status 0 when one can be used, 3 when none can.\n" },
	[COMMAND_DEVICES] = { "devices", "", "show the GPUs that the backends see, and which one would be used",
		"A number or UUID shown here is what --set rocm.device= takes, a number or name\n"
		"what --set vulkan.device= takes.\n" },
	[COMMAND_DOCTOR] = { "doctor", "", "find out what keeps a backend from working, for a bug report",
		"Verdict and remedy first, then what they rest on. Neither names of users nor\n"
		"secrets are shown. Exit status 0 when a backend can be used, 3 when none can.\n" },
	[COMMAND_MODELS] = { "models", " [DIR...]", "show the models on disk, and what each one needs",
		"Looks below each DIR; without one in the directories of $INF_MODELS (a list with\n"
		"':'), in Hugging Face's cache and in llama.cpp's. A NAME shown here is what -m\n"
		"takes, also in part as long as it means one model: \"qwen2.5-0.5b:q4_k_m\".\n" },
	[COMMAND_INSPECT] = { "inspect", " FILE|NAME", "show what is known about a model, and what would fit",
		"With --fit: for each device that the backends see, what a load takes there with\n"
		"4096 tokens of context, 8192, ... up to what the model was trained for. With\n"
		"--vram: the same for cards with so much free memory. Computed, not tried.\n" },
	[COMMAND_GENERATE] = { "generate", " [PROMPT...]", "continue a text",
		"The text is PROMPT, or the file given with -f, or standard input when that is\n"
		"no terminal; one newline at the end of a file or of standard input does not\n"
		"count. The continuation goes to standard output.\n" },
	[COMMAND_CHAT] = { "chat", " [MESSAGE...]", "answer a message, or talk in a terminal",
		"One answer to MESSAGE, to the file given with -f, or to standard input when\n"
		"that is no terminal. Else a conversation: /help lists its commands, Ctrl-C stops\n"
		"an answer or clears the line, Ctrl-D leaves. A line that ends with \\ goes on, and\n"
		"\"\"\" begins and ends a message of several lines. What was said of a stopped answer\n"
		"stays part of the conversation; a message whose answer failed does not. When the\n"
		"context is full the oldest turns are dropped, which is said. What was typed is\n"
		"kept in $XDG_STATE_HOME/inference/chat_history. Images and sounds need\n"
		"a model that takes them, and its projector: --set mmproj=/path/of/mmproj.gguf\n"
		"With --tools or --messages there is one answer. A tool call is a line of JSON,\n"
		"{\"id\",\"name\",\"arguments\"}; the messages are objects with role and content,\n"
		"tool_calls (a list of such calls), or role \"tool\" and tool_call_id.\n" },
	[COMMAND_BATCH] = { "batch", "", "answer many prompts, one a line",
		"Reads an object a line from the file given with -f, or from standard input, and\n"
		"writes one for each, in their order, to standard output or the file given with\n"
		"-o. A line has \"prompt\": TEXT or \"messages\": [{\"role\", \"content\"}, ...], any\n"
		"\"id\", and what else is to hold for it, else the options below do:\n"
		"  max_tokens min_tokens temperature top_k top_p min_p seed repeat_penalty\n"
		"  frequency_penalty presence_penalty stop stop_tokens suppress_tokens\n"
		"  json_schema grammar ignore_eos thinking thinking_budget tools tool_choice\n"
		"  options\n"
		"A line that fails has its \"error\", and the exit status is 1 at the end. Whatever\n"
		"ends it early, the same command with --resume goes on.\n" },
	[COMMAND_TOKENIZE] = { "tokenize", " [TEXT...]", "show the tokens of a text",
		"The ids of TEXT, of the file given with -f, or of standard input; with --json\n"
		"each with its text, one a line. With --decode it is the other way round: ids\n"
		"come in, and their text goes out.\n" },
	[COMMAND_EMBED] = { "embed", " [TEXT...]", "turn texts into vectors",
		"One vector for each TEXT, or for each line of the file given with -f or of\n"
		"standard input: its numbers in a line, or with --json an object a line. Of\n"
		"length 1, so that the product of two says how alike the texts are. The model\n"
		"says what a vector is made of; --set pooling=mean|cls|last says otherwise.\n" },
	[COMMAND_RERANK] = { "rerank", " [DOCUMENT...]", "sort documents by how well they answer a query",
		"Each DOCUMENT, or each line of the file given with -f or of standard input, the\n"
		"best first, with its score and its number in the input, which begins with 0.\n"
		"The model must be one that ranks.\n" },
	[COMMAND_CLASSIFY] = { "classify", " [PROMPT...]", "tell the next token of texts, and how likely it is",
		"Each PROMPT, or each line with text of the file given with -f, or of standard\n"
		"input when that is no terminal, is one input. For each: the token that comes\n"
		"next, its id and probability, and below it those of the candidates, or of the\n"
		"likeliest. Fails at the end if an input failed.\n" },
	[COMMAND_BENCH] = { "bench", " [--compare BEFORE.json AFTER.json]", "measure how fast a model loads and runs",
		"Loads, prompt and decode, the first token, several streams at once, and what is\n"
		"lost on the way, each with median and range. With --compare: what changed from\n"
		"one output of --json to another; \"better\" and \"worse\" where their ranges do not\n"
		"overlap. --sweep takes what --set takes, slots, context, gpu-layers, cache_mode.\n" },
	[COMMAND_HELP] = { "help", " [COMMAND]", "explain a command", "" },
};

static const struct option_spec specs[] = {
	{ "model", 'm', "FILE|NAME", "the model to load, see infer models", OPTION_TEXT, LOADS, AT(model) },
	{ "backend", 0, "NAME", "use this backend and no other", OPTION_TEXT, FINDS & ~(1u << COMMAND_MODELS),
	  AT(backend) },
	{ "plugin-dir", 0, "DIR", "look for backends here first (repeatable)", OPTION_LIST, FINDS, AT(plugin_dirs) },
	{ "rescan", 0, NULL, "look at every plugin again, also at those that failed", OPTION_SETS, 1u << COMMAND_BACKENDS,
	  AT(flags), OPTION_RESCAN },
	{ "set", 0, "KEY=VALUE", "an option of a backend (repeatable)", OPTION_LIST, FINDS, AT(settings) },
	{ "file", 'f', "FILE", "read the text from FILE, - is standard input", OPTION_TEXT, READS,
	  AT(prompt_file) },
	{ "output", 'o', "FILE", "write to FILE, which must not exist yet", OPTION_TEXT, BATCHES, AT(output) },
	{ "resume", 0, NULL, "go on with what is in FILE already, if there is any", OPTION_SETS, BATCHES, AT(flags),
	  OPTION_RESUME },
	{ "system", 0, "TEXT", "system message of the conversation", OPTION_TEXT, 1u << COMMAND_CHAT, AT(system) },
	{ "messages", 0, "FILE", "begin with the messages in FILE, a JSON array", OPTION_TEXT, 1u << COMMAND_CHAT,
	  AT(messages_file) },
	{ "tools", 0, "FILE", "tools that the model may call, a JSON array", OPTION_TEXT, 1u << COMMAND_CHAT, AT(tools_file) },
	{ "tool-choice", 0, "WHEN", "call tools: auto, none, required", OPTION_TEXT, 1u << COMMAND_CHAT, AT(gen.tool_choice) },
	{ "think", 0, "on|off|N", "think before the answer; N = at most N tokens", OPTION_THINK, 1u << COMMAND_CHAT, AT(gen),
	  INF_GEN_SET_THINKING, .min = 1, .max = INT32_MAX },
	{ "image", 0, "FILE", "PNG or JPEG for the first message (repeatable)", OPTION_LIST, 1u << COMMAND_CHAT, AT(images) },
	{ "audio", 0, "FILE", "WAV, 16 bit mono 16 kHz, for it (repeatable)", OPTION_LIST, 1u << COMMAND_CHAT, AT(sounds) },
	{ "no-history", 0, NULL, "neither read nor write the file of what was typed", OPTION_SETS, 1u << COMMAND_CHAT, AT(flags),
	  OPTION_FORGETS },
	{ "query", 0, "TEXT", "what the documents are to answer", OPTION_TEXT, 1u << COMMAND_RERANK, AT(query) },
	{ "decode", 0, NULL, "take ids and print their text", OPTION_SETS, 1u << COMMAND_TOKENIZE, AT(flags), OPTION_DECODE },
	{ "special", 0, NULL, "read, or print, control tokens as their text", OPTION_SETS, 1u << COMMAND_TOKENIZE, AT(flags),
	  OPTION_SPECIAL },
	{ "bos", 0, NULL, "add what the model wants before and after a text", OPTION_SETS, 1u << COMMAND_TOKENIZE, AT(flags),
	  OPTION_BOS },
	{ "truncate", 0, NULL, "cut a text that is longer than the context", OPTION_SETS, 1u << COMMAND_EMBED, AT(flags),
	  OPTION_TRUNCATE },
	{ "context", 'c', "N", "tokens of context; default: the model's own", OPTION_INTEGER, LOADS, AT(load.context_len),
	  .min = 1, .max = INT32_MAX },
	{ "gpu-layers", 0, "N", "layers on the GPU, or \"all\" (the default)", OPTION_LAYERS, LOADS, AT(load.gpu_layers),
	  .min = 0, .max = INT32_MAX },
	{ "slots", 0, "N", "generations at the same time", OPTION_INTEGER, LOADS,
	  AT(load.parallel_slots), .min = 1, .max = INT32_MAX },
	{ "adapter", 0, "FILE[:SCALE]", "LoRA adapter to apply (repeatable)", OPTION_LIST, LOADS, AT(adapters) },
	{ "state-dir", 0, "DIR", "where --save-state and --load-state keep files", OPTION_PATH, GENERATES, AT(state_dir) },
	{ "save-state", 0, "NAME", "afterwards keep what was evaluated", OPTION_TEXT, GENERATES, AT(save_state) },
	{ "load-state", 0, "NAME", "do not evaluate again what was kept", OPTION_TEXT, GENERATES, AT(load_state) },
	{ "allow-cpu", 0, NULL, "let a GPU backend fall back to the CPU", OPTION_SETS, LOADS, AT(load.flags),
	  INF_LOAD_FLAG_ALLOW_CPU },
	{ "max-tokens", 'n', "N", "stop after N tokens; default: when the model ends", OPTION_INTEGER,
	  GENERATES | BATCHES, AT(gen.max_tokens), .min = 1, .max = INT32_MAX },
	{ "min-tokens", 0, "N", "do not end before N tokens", OPTION_INTEGER, GENERATES | BATCHES, AT(gen.min_tokens), .min = 0,
	  .max = INT32_MAX },
	{ "temperature", 0, "F", "randomness, 0 = always the likeliest token", OPTION_REAL, RUNS, AT(gen.temperature),
	  INF_GEN_SET_TEMPERATURE, 0, 100 },
	{ "top-k", 0, "N", "choose among the N likeliest tokens, 0 = off", OPTION_INTEGER, RUNS, AT(gen.top_k),
	  INF_GEN_SET_TOP_K, 0, INT32_MAX },
	{ "top-p", 0, "F", "choose among the likeliest that add up to F, 0 = off", OPTION_REAL, RUNS, AT(gen.top_p),
	  INF_GEN_SET_TOP_P, 0, 1 },
	{ "min-p", 0, "F", "drop tokens below F times the likeliest one", OPTION_REAL, RUNS, AT(gen.min_p),
	  INF_GEN_SET_MIN_P, 0, 1 },
	{ "repeat-penalty", 0, "F", "above 1: repeat less; 1 = off", OPTION_REAL, RUNS, AT(gen.repeat_penalty),
	  INF_GEN_SET_REPEAT_PENALTY, 0.01, 100 },
	{ "frequency-penalty", 0, "F", "above 0: the rarer a token was the likelier; 0 = off", OPTION_REAL, RUNS,
	  AT(gen.frequency_penalty), INF_GEN_SET_FREQUENCY_PENALTY, -2, 2 },
	{ "presence-penalty", 0, "F", "above 0: rather tokens that were not yet there; 0 = off", OPTION_REAL, RUNS,
	  AT(gen.presence_penalty), INF_GEN_SET_PRESENCE_PENALTY, -2, 2 },
	{ "seed", 0, "N", "the same seed gives the same text", OPTION_SEED, RUNS, AT(gen.seed), INF_GEN_SET_SEED },
	{ "stop", 0, "TEXT", "stop before TEXT (repeatable)", OPTION_LIST, GENERATES | BATCHES, AT(stop_strings) },
	{ "stop-token", 0, "ID", "stop at the token ID (repeatable)", OPTION_TOKEN, GENERATES | BATCHES,
	  AT(stop_tokens), .min = 0, .max = INT32_MAX },
	{ "suppress-token", 0, "ID", "never choose the token ID (repeatable)", OPTION_TOKEN, RUNS, AT(suppress_tokens), .min = 0,
	  .max = INT32_MAX },
	{ "ignore-eos", 0, NULL, "go on when the model ends", OPTION_SETS, RUNS, AT(gen.flags), INF_GEN_FLAG_IGNORE_EOS },
	{ "json-schema", 0, "FILE", "JSON that fits the schema in FILE, - is standard input", OPTION_TEXT,
	  GENERATES | BATCHES, AT(schema_file) },
	{ "grammar", 0, "FILE", "text that fits the GBNF grammar in FILE, - as above", OPTION_TEXT, GENERATES | BATCHES,
	  AT(grammar_file) },
	{ "parse-special", 0, NULL, "read control tokens written in the prompt as such", OPTION_SETS,
	  (1u << COMMAND_GENERATE) | BATCHES | CLASSIFIES, AT(gen.flags), INF_GEN_FLAG_PARSE_SPECIAL },
	{ "top", 0, "N", "also show the N likeliest tokens", OPTION_INTEGER, CLASSIFIES, AT(top), .min = 0, .max = 1000 },
	{ "candidates", 0, "ID,ID", "choose among these tokens alone", OPTION_IDS, CLASSIFIES, AT(candidates), .min = 0,
	  .max = INT32_MAX },
	{ "prompt-tokens", 0, "N", "tokens of the prompt, default 512", OPTION_INTEGER, BENCHES, AT(prompt_tokens), .min = 2,
	  .max = 1 << 20 },
	{ "gen-tokens", 0, "N", "tokens to generate, default 128", OPTION_INTEGER, BENCHES, AT(gen_tokens), .min = 2,
	  .max = 1 << 20 },
	{ "repetitions", 0, "N", "times that all is measured, default 5", OPTION_INTEGER, BENCHES, AT(repetitions), .min = 1,
	  .max = 100 },
	{ "streams", 0, "N,N", "generations at once, one number after the other; 1", OPTION_TEXT, BENCHES, AT(streams) },
	{ "sweep", 0, "KEY=A,B", "do all for each of these values of an option", OPTION_TEXT, BENCHES, AT(sweep) },
	{ "csv", 0, NULL, "print CSV", OPTION_SETS, BENCHES, AT(flags), OPTION_CSV },
	{ "html", 0, "FILE", "also write a page with plots", OPTION_TEXT, BENCHES, AT(html) },
	{ "compare", 0, NULL, "say what changed between two outputs of --json", OPTION_SETS, BENCHES, AT(flags), OPTION_COMPARE },
	{ "fail-slower", 0, NULL, "exit with 1 if something got slower", OPTION_SETS, BENCHES, AT(flags), OPTION_FAIL_SLOWER },
	{ "all", 'a', NULL, "also list files that cannot be used, and why", OPTION_SETS, 1u << COMMAND_MODELS, AT(flags),
	  OPTION_ALL },
	{ "fit", 0, NULL, "say what of it the devices can hold", OPTION_SETS, 1u << COMMAND_INSPECT, AT(flags), OPTION_FIT },
	{ "vram", 0, "SIZE", "free memory of a card: 16G, 12288M (repeatable)", OPTION_MEMORY, 1u << COMMAND_INSPECT,
	  AT(memories) },
	{ "stats", 0, NULL, "say on standard error what it took", OPTION_SETS, GENERATES, AT(flags), OPTION_STATS },
	{ "json", 0, NULL, "print JSON, one object a line", OPTION_SETS, ALL, AT(flags), OPTION_JSON },
	{ "verbose", 'v', NULL, "show the log of library and backend; -vv shows more", OPTION_COUNTS, FINDS,
	  AT(verbosity) },
	{ "man", 0, NULL, "print the manual page, for man -l -", OPTION_SETS, 1u << COMMAND_HELP, AT(flags), OPTION_MAN },
	{ "help", 'h', NULL, "show this", OPTION_SETS, ALL, AT(flags), OPTION_HELP },
	{ "version", 0, NULL, "show the version", OPTION_SETS, ALL, AT(flags), OPTION_VERSION },
};

enum { SPEC_COUNT = sizeof specs / sizeof specs[0] };

const struct command_spec *options_command(enum command command)
{
	return &commands[command];
}

size_t options_count(void)
{
	return SPEC_COUNT;
}

const struct option_spec *options_spec(size_t index)
{
	return &specs[index];
}

/* ---- values ---- */

static enum exit_code set_integer(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	int64_t number;
	if (!number_integer(value, (int64_t)spec->min, (int64_t)spec->max, &number))
		return failure_usage(why, "bad_number", "--%s %.100s: must be %san integer from %" PRId64 " to %"
				     PRId64, spec->name, value, spec->kind == OPTION_LAYERS ? "\"all\" or " : "",
				     (int64_t)spec->min, (int64_t)spec->max);
	*(int32_t *)place = (int32_t)number;
	return EXIT_DONE;
}

static enum exit_code set_real(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	double number;
	if (!number_real(value, spec->min, spec->max, &number))
		return failure_usage(why, "bad_number", "--%s %.100s: must be a number from %g to %g", spec->name,
				     value, spec->min, spec->max);
	*(float *)place = (float)number;
	return EXIT_DONE;
}

static enum exit_code set_seed(void *place, const struct option_spec *spec, const char *value, struct failure *why)
{
	if (number_unsigned(value, place))
		return EXIT_DONE;
	return failure_usage(why, "bad_number", "--%s %.100s: must be an integer from 0 to %" PRIu64, spec->name,
			     value, UINT64_MAX);
}

static enum exit_code set_layers(struct options *self, const struct option_spec *spec, const char *value,
				 struct failure *why)
{
	self->load.set |= INF_LOAD_SET_GPU_LAYERS;
	if (strcmp(value, "all"))
		return set_integer(&self->load.gpu_layers, spec, value, why);
	self->load.gpu_layers = -1;
	return EXIT_DONE;
}

static enum exit_code set_path(char **place, const struct option_spec *spec, const char *value, struct failure *why)
{
	if (!value[0])
		return failure_usage(why, "empty_value", "--%s: the file name is empty", spec->name);
	free(*place);
	*place = path_absolute(value);
	return *place ? EXIT_DONE : failure_memory(why, "a path");
}

static enum exit_code add_word(struct words *words, const struct option_spec *spec, const char *value,
			       struct failure *why)
{
	if (!value[0])
		return failure_usage(why, "empty_value", "--%s: the value is empty", spec->name);
	words->items[words->count++] = value;
	return EXIT_DONE;
}

static enum exit_code add_token(struct ids *ids, const struct option_spec *spec, const char *value, struct failure *why)
{
	enum exit_code code = set_integer(&ids->items[ids->count], spec, value, why);
	ids->count += code == EXIT_DONE;
	return code;
}

static enum exit_code add_memory(struct options *self, const struct option_spec *spec, const char *value,
				 struct failure *why)
{
	self->flags |= OPTION_FIT;
	if (number_bytes(value, &self->memories[self->memory_count])) {
		self->memory_count++;
		return EXIT_DONE;
	}
	return failure_usage(why, "bad_number", "--%s %.100s: must be a size such as 16G, 7.5G or 12288M", spec->name, value);
}

static enum exit_code set_thinking(inf_gen_params *gen, const struct option_spec *spec, const char *value,
				   struct failure *why)
{
	int64_t budget = 0;
	gen->thinking = strcmp(value, "off") != 0;
	if (strcmp(value, "on") && gen->thinking && !number_integer(value, (int64_t)spec->min, (int64_t)spec->max, &budget))
		return failure_usage(why, "bad_number", "--%s %.100s: must be \"on\", \"off\" or an integer from 1 to %" PRId64,
				     spec->name, value, (int64_t)spec->max);
	gen->thinking_budget = (int32_t)budget;
	return EXIT_DONE;
}

/* "3,14,15"; several options add up. */
static enum exit_code add_ids(struct options *self, const struct option_spec *spec, const char *value, struct failure *why)
{
	size_t most = self->candidate_count + strlen(value) / 2 + 1;
	int32_t *ids = realloc(self->candidates, most * sizeof *ids);
	if (!ids)
		return failure_memory(why, "the candidates");
	self->candidates = ids;
	for (const char *at = value;; at += strcspn(at, ",") + 1) {
		char word[16];
		size_t len = strcspn(at, ",");
		snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : (int)sizeof word - 1, at);
		enum exit_code code = set_integer(&ids[self->candidate_count], spec, word, why);
		if (code != EXIT_DONE)
			return code;
		self->candidate_count++;
		if (!at[len])
			return EXIT_DONE;
	}
}

static enum exit_code assign(struct options *self, const struct option_spec *spec, const char *value,
			     struct failure *why)
{
	void *place = (char *)self + spec->offset;
	if (spec->kind != OPTION_SETS)
		self->gen.set |= spec->bit;
	switch (spec->kind) {
	case OPTION_SETS:
		*(uint32_t *)place |= (uint32_t)spec->bit;
		return EXIT_DONE;
	case OPTION_COUNTS:
		++*(uint32_t *)place;
		return EXIT_DONE;
	case OPTION_TEXT:
		*(const char **)place = value;
		return EXIT_DONE;
	case OPTION_LIST:
		return add_word(place, spec, value, why);
	case OPTION_PATH:
		return set_path(place, spec, value, why);
	case OPTION_INTEGER:
		return set_integer(place, spec, value, why);
	case OPTION_REAL:
		return set_real(place, spec, value, why);
	case OPTION_SEED:
		return set_seed(place, spec, value, why);
	case OPTION_LAYERS:
		return set_layers(self, spec, value, why);
	case OPTION_TOKEN:
		return add_token(place, spec, value, why);
	case OPTION_MEMORY:
		return add_memory(self, spec, value, why);
	case OPTION_THINK:
		return set_thinking(&self->gen, spec, value, why);
	case OPTION_IDS:
		return add_ids(self, spec, value, why);
	}
	return EXIT_DONE;
}

enum exit_code options_assign(struct options *self, const struct option_spec *spec, const char *value, struct failure *why)
{
	return assign(self, spec, value, why);
}

/* ---- arguments ---- */

struct parser {
	struct options *options;
	char **next, **end;		/* of argv */
	bool given[SPEC_COUNT];
	struct failure *why;
};

static const struct option_spec *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < SPEC_COUNT; i++)
		if (!strncmp(specs[i].name, name, len) && !specs[i].name[len])
			return &specs[i];
	return NULL;
}

static const struct option_spec *find_letter(char letter)
{
	for (size_t i = 0; i < SPEC_COUNT; i++)
		if (specs[i].letter == letter)
			return &specs[i];
	return NULL;
}

static enum exit_code fail_unknown_long(const char *name, size_t len, struct failure *why)
{
	char wanted[NEAR_WORD_MAX + 1] = "";
	struct near near = NEAR_INIT(wanted);
	struct text text = TEXT_INIT(NEAR_TEXT_MAX);
	if (len < sizeof wanted)
		memcpy(wanted, name, len);
	for (size_t i = 0; wanted[0] && i < SPEC_COUNT; i++)
		near_offer(&near, specs[i].name);
	near_explain(&near, "--", "\"infer help COMMAND\" lists what a command knows", &text);
	failure_usage(why, "unknown_option", "unknown option --%.*s: %s", (int)len, name, text_string(&text));
	text_release(&text);
	return why->code;
}

/* value NULL: none was attached to the option. */
static enum exit_code take_option(struct parser *self, const struct option_spec *spec, const char *value)
{
	self->given[spec - specs] = true;
	if (!spec->argument && value)
		return failure_usage(self->why, "value_unwanted", "--%s takes no value: leave out \"=%s\"", spec->name,
				     value);
	if (spec->argument && !value && self->next == self->end)
		return failure_usage(self->why, "value_missing", "--%s needs a value: --%s %s", spec->name, spec->name,
				     spec->argument);
	if (spec->argument && !value)
		value = *self->next++;
	return assign(self->options, spec, value, self->why);
}

static enum exit_code take_long(struct parser *self, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_spec *spec = find_long(name, len);
	if (!spec)
		return fail_unknown_long(name, len, self->why);
	return take_option(self, spec, equals ? equals + 1 : NULL);
}

static enum exit_code take_letters(struct parser *self, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct option_spec *spec = find_letter(*at);
		if (!spec)
			return failure_usage(self->why, "unknown_option", "unknown option -%c in \"-%s\": a text that begins "
					     "with - goes behind --", *at, letters);
		bool takes_rest = spec->argument && at[1];
		enum exit_code code = take_option(self, spec, takes_rest ? at + 1 : NULL);
		if (code != EXIT_DONE || takes_rest)
			return code;
	}
	return EXIT_DONE;
}

static enum exit_code take_arguments(struct parser *self)
{
	struct words *words = &self->options->arguments;
	while (self->next < self->end) {
		const char *word = *self->next++;
		enum exit_code code = EXIT_DONE;
		if (!strcmp(word, "--"))
			break;
		if (word[0] != '-' || !word[1])
			words->items[words->count++] = word;
		else
			code = word[1] == '-' ? take_long(self, word + 2) : take_letters(self, word + 1);
		if (code != EXIT_DONE)
			return code;
	}
	while (self->next < self->end)
		words->items[words->count++] = *self->next++;
	return EXIT_DONE;
}

/* ---- the command ---- */

static enum exit_code find_command(const char *word, enum command *out, struct failure *why)
{
	struct near near = NEAR_INIT(word);
	struct text text = TEXT_INIT(NEAR_TEXT_MAX);
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
		if (!strcmp(word, commands[c].name)) {
			*out = c;
			return EXIT_DONE;
		}
		near_offer(&near, commands[c].name);
	}
	near_explain(&near, "", "there are backends, devices, doctor, models, inspect, generate, chat, batch, classify, tokenize, "
		     "embed, rerank, bench and help", &text);
	failure_usage(why, "unknown_command", "unknown command %.100s: %s", word, text_string(&text));
	text_release(&text);
	return why->code;
}

static const char *shift(struct words *words)
{
	const char *first = words->items[0];
	words->count--;
	memmove(words->items, words->items + 1, words->count * sizeof *words->items);
	return first;
}

static enum exit_code take_command(struct options *self, struct failure *why)
{
	struct words *words = &self->arguments;
	enum exit_code code = EXIT_DONE;
	if (words->count)
		code = find_command(shift(words), &self->command, why);
	else if (!(self->flags & (OPTION_HELP | OPTION_VERSION)))
		return failure_usage(why, "no_command", "no command given: \"infer help\" lists them");
	if (code == EXIT_DONE && self->command == COMMAND_HELP && words->count)
		code = find_command(shift(words), &self->topic, why);
	if (code == EXIT_DONE && words->count && !((LOOKS | LOADS) & (1u << self->command)))
		return failure_usage(why, "extra_argument", "%s takes no argument \"%.100s\": leave it out",
				     commands[self->command].name, words->items[0]);
	return code;
}

static enum exit_code check_given(const struct parser *self)
{
	enum command command = self->options->command;
	for (size_t i = 0; i < SPEC_COUNT; i++)
		if (self->given[i] && !(specs[i].commands & (1u << command)))
			return failure_usage(self->why, "option_place", "%s does not know --%s: \"infer help %s\" lists what "
					     "it knows", commands[command].name, specs[i].name, commands[command].name);
	return EXIT_DONE;
}

/* ---- lifecycle ---- */

static bool allocate(struct options *self, size_t argument_count)
{
	struct words *const all[] = { &self->arguments, &self->plugin_dirs, &self->settings, &self->stop_strings,
				      &self->adapters, &self->images, &self->sounds };
	self->stop_tokens.items = calloc(argument_count + 1, sizeof *self->stop_tokens.items);
	self->suppress_tokens.items = calloc(argument_count + 1, sizeof *self->suppress_tokens.items);
	self->memories = calloc(argument_count + 1, sizeof *self->memories);
	bool ok = self->stop_tokens.items && self->suppress_tokens.items && self->memories;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		all[i]->items = calloc(argument_count + 1, sizeof *all[i]->items);
		ok = ok && all[i]->items;
	}
	return ok;
}

void options_release(struct options *self)
{
	if (!self)
		return;
	free(self->arguments.items);
	free(self->plugin_dirs.items);
	free(self->settings.items);
	free(self->stop_strings.items);
	free(self->images.items);
	free(self->sounds.items);
	free(self->stop_tokens.items);
	free(self->suppress_tokens.items);
	free(self->constraint);
	free(self->candidates);
	free(self->memories);
	free(self->adapters.items);
	free(self->adapter_path);
	free(self->adapters_setting);
	free(self->state_dir);
	free(self->state_setting);
	*self = (struct options){ 0 };
}

/* What the model has to be loaded for; a backend without that option knows no other task, or has its own way. */
static void choose_task(struct options *self)
{
	struct words *settings = &self->settings;	/* with room for one more: the command's word is none of them */
	bool said = false;
	for (size_t i = 0; i < settings->count; i++)
		said = said || !strncmp(settings->items[i] + (settings->items[i][0] == '?'), "task=", 5);
	if (!said && self->command == COMMAND_EMBED)
		settings->items[settings->count++] = "?task=embed";
	if (!said && self->command == COMMAND_RERANK)
		settings->items[settings->count++] = "?task=rerank";
}

/* Options of the load that infer has names of its own for; each took the place of an argument, so there is room. */
static enum exit_code add_settings(struct options *self, struct failure *why)
{
	struct words *settings = &self->settings;
	enum exit_code code = state_check(self, why);
	if (code != EXIT_DONE)
		return code;
	if (self->state_dir && asprintf(&self->state_setting, "state-dir=%s", self->state_dir) < 0) {
		self->state_setting = NULL;
		return failure_memory(why, "a path");
	}
	if (self->state_setting)
		settings->items[settings->count++] = self->state_setting;
	code = adapters_take(self, why);
	if (code == EXIT_DONE && self->adapters_setting)
		settings->items[settings->count++] = self->adapters_setting;
	return code;
}

static void finish(struct options *self)
{
	choose_task(self);
	self->load.adapter_path = self->adapter_path;
	self->gen.stop_tokens = self->stop_tokens.items;
	self->gen.stop_token_count = self->stop_tokens.count;
	self->gen.suppress_tokens = self->suppress_tokens.items;
	self->gen.suppress_token_count = self->suppress_tokens.count;
	self->gen.stop_strings = self->stop_strings.items;
	self->gen.stop_string_count = self->stop_strings.count;
}

enum exit_code options_parse(struct options *self, int argc, char **argv, struct failure *why)
{
	size_t count = argc > 0 ? (size_t)argc - 1 : 0;
	struct parser parser = { .options = self, .next = argv + (argc > 0), .end = argv + argc, .why = why };
	*self = (struct options){
		.load.struct_size = sizeof self->load,
		.gen.struct_size = sizeof self->gen,
	};
	if (count > OPTIONS_ARGUMENTS_MAX)
		return failure_usage(why, "too_many", "more than %d arguments: put the text into a file and use -f",
				     OPTIONS_ARGUMENTS_MAX);
	if (!allocate(self, count))
		return failure_memory(why, "the command line");
	enum exit_code code = take_arguments(&parser);
	if (code == EXIT_DONE)
		code = take_command(self, why);
	if (code == EXIT_DONE)
		code = check_given(&parser);
	if (code == EXIT_DONE && self->gen.tool_choice && !self->tools_file)
		code = failure_usage(why, "no_tools", "--tool-choice without --tools FILE: give both or none");
	if (code == EXIT_DONE)
		code = add_settings(self, why);
	if (code == EXIT_DONE)
		finish(self);
	return code;
}

bool options_want_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}
