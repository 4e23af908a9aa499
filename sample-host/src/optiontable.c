/* SPDX-License-Identifier: MIT */
/* The tables of options.h: what there is to give, to whom, and what is said about it. */
#include "options.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CONFIGS (1u << COMMAND_CONFIG)
#define FINDS ((1u << COMMAND_BACKENDS) | (1u << COMMAND_DEVICES) | (1u << COMMAND_DOCTOR) | CONFIGS | LOOKS | LOADS)
#define LOOKS ((1u << COMMAND_MODELS) | (1u << COMMAND_INSPECT))
#define CHATS ((1u << COMMAND_RUN) | (1u << COMMAND_CHAT))
#define GENERATES ((1u << COMMAND_GENERATE) | CHATS)
#define CLASSIFIES (1u << COMMAND_CLASSIFY)
#define BATCHES (1u << COMMAND_BATCH)
#define BENCHES (1u << COMMAND_BENCH)
#define RUNS (GENERATES | CLASSIFIES | BATCHES)
#define TEXTS ((1u << COMMAND_TOKENIZE) | (1u << COMMAND_EMBED) | (1u << COMMAND_RERANK))
#define READS (RUNS | TEXTS)
#define LOADS (READS | BENCHES)
#define ALL (FINDS | (1u << COMMAND_HELP) | (1u << COMMAND_NONE))
#define AT(field) .offset = offsetof(struct options, field)

static const struct command_spec commands[COMMAND_COUNT] = {
	[COMMAND_NONE] = { "", "", "", "" },
	[COMMAND_RUN] = { "run", " [FILE|NAME [MESSAGE...]]", "find a model, choose a backend, and talk",
		"NAME is what infer models shows, or a part of it, or OWNER/NAME; :QUANT behind\n"
		"it tells several apart. Without one the only model that is there is taken. What\n"
		"was chosen, and why, is said on standard error. Then it is as infer chat.\n"
		"The context is what the model was trained for, 8192 tokens at most, and less\n"
		"where the memory does not hold it; -c N says otherwise. Of a model that no GPU\n"
		"holds as a whole the CPU takes layers. One without a chat template continues\n"
		"what you type, 256 tokens at a time if -n does not say otherwise.\n" },
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
		"that is no terminal. Else a conversation: /help lists its commands, Ctrl-C\n"
		"stops an answer or clears the line, Ctrl-D leaves. A line that ends with \\ goes\n"
		"on, and \"\"\" begins and ends a message of several lines. What was said of a\n"
		"stopped answer stays part of the conversation; a message whose answer failed\n"
		"does not. When the context is full the oldest turns are dropped, which is said.\n"
		"What was typed is kept in $XDG_STATE_HOME/inference/chat_history. Images and\n"
		"sounds need a model that takes them, and its projector:\n"
		"--set mmproj=/path/of/mmproj.gguf\n"
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
	[COMMAND_CONFIG] = { "config", " [COMMAND]", "show what the configuration file sets, and what else does",
		"Each option that the file may set, its value, and where that comes from: the\n"
		"command line, a line of the file, a variable of the environment, or nowhere:\n"
		"then the backend, the model or infer itself decides. With COMMAND what holds for\n"
		"it, and it may have options as there; with -m what holds for that model.\n"
		"The file is $XDG_CONFIG_HOME/inference/infer.conf, else ~/.config in the place\n"
		"of $XDG_CONFIG_HOME:\n"
		"  [defaults]          for all commands\n"
		"  temperature = 0.7   an option by its long name\n"
		"  set.threads = 8     an option of a backend, as with --set\n"
		"  [chat]              for one command, and rather than [defaults]\n"
		"  [model qwen*]       for models with such a name, and rather than both\n"
		"The command line comes before all of them. ignore-eos = true in the file is\n"
		"undone with --ignore-eos=false.\n" },
	[COMMAND_HELP] = { "help", " [COMMAND]", "explain a command", "" },
};

static const struct option_spec specs[] = {
	{ "model", 'm', "FILE|NAME", "the model to load, see infer models", OPTION_TEXT, LOADS | CONFIGS, AT(model) },
	{ "backend", 0, "NAME", "use this backend and no other", OPTION_TEXT, FINDS & ~(1u << COMMAND_MODELS),
	  AT(backend) },
	{ "plugin-dir", 0, "DIR", "look for backends here first (repeatable)", OPTION_LIST, FINDS, AT(plugin_dirs) },
	{ "rescan", 0, NULL, "look at every plugin again, at failed ones too", OPTION_SETS, 1u << COMMAND_BACKENDS,
	  AT(flags), OPTION_RESCAN },
	{ "set", 0, "KEY=VALUE", "an option of a backend (repeatable)", OPTION_LIST, FINDS, AT(settings) },
	{ "file", 'f', "FILE", "read the text from FILE, - is standard input", OPTION_TEXT, READS,
	  AT(prompt_file) },
	{ "output", 'o', "FILE", "write to FILE, which must not exist yet", OPTION_TEXT, BATCHES, AT(output) },
	{ "resume", 0, NULL, "go on with what is in FILE already, if anything is", OPTION_SETS, BATCHES, AT(flags),
	  OPTION_RESUME },
	{ "system", 0, "TEXT", "system message of the conversation", OPTION_TEXT, CHATS, AT(system) },
	{ "messages", 0, "FILE", "begin with the messages in FILE, a JSON array", OPTION_TEXT, CHATS,
	  AT(messages_file) },
	{ "tools", 0, "FILE", "tools that the model may call, a JSON array", OPTION_TEXT, CHATS, AT(tools_file) },
	{ "tool-choice", 0, "WHEN", "call tools: auto, none, required", OPTION_TEXT, CHATS, AT(gen.tool_choice) },
	{ "think", 0, "on|off|N", "think before the answer; N = at most N tokens", OPTION_THINK, CHATS, AT(gen),
	  INF_GEN_SET_THINKING, .min = 1, .max = INT32_MAX },
	{ "image", 0, "FILE", "PNG or JPEG for the first message (repeatable)", OPTION_LIST, CHATS, AT(images) },
	{ "audio", 0, "FILE", "WAV, 16 bit mono 16 kHz, for it (repeatable)", OPTION_LIST, CHATS, AT(sounds) },
	{ "no-history", 0, NULL, "neither read nor write the file of what was typed", OPTION_SETS, CHATS, AT(flags),
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
	{ "top-p", 0, "F", "choose among the likeliest up to F in all, 0 = off", OPTION_REAL, RUNS, AT(gen.top_p),
	  INF_GEN_SET_TOP_P, 0, 1 },
	{ "min-p", 0, "F", "drop tokens below F times the likeliest one", OPTION_REAL, RUNS, AT(gen.min_p),
	  INF_GEN_SET_MIN_P, 0, 1 },
	{ "repeat-penalty", 0, "F", "above 1: repeat less; 1 = off", OPTION_REAL, RUNS, AT(gen.repeat_penalty),
	  INF_GEN_SET_REPEAT_PENALTY, 0.01, 100 },
	{ "frequency-penalty", 0, "F", "above 0: repeat less what was frequent; 0 = off", OPTION_REAL, RUNS,
	  AT(gen.frequency_penalty), INF_GEN_SET_FREQUENCY_PENALTY, -2, 2 },
	{ "presence-penalty", 0, "F", "above 0: repeat less what was there; 0 = off", OPTION_REAL, RUNS,
	  AT(gen.presence_penalty), INF_GEN_SET_PRESENCE_PENALTY, -2, 2 },
	{ "seed", 0, "N", "the same seed gives the same text", OPTION_SEED, RUNS, AT(gen.seed), INF_GEN_SET_SEED },
	{ "stop", 0, "TEXT", "stop before TEXT (repeatable)", OPTION_LIST, GENERATES | BATCHES, AT(stop_strings) },
	{ "stop-token", 0, "ID", "stop at the token ID (repeatable)", OPTION_TOKEN, GENERATES | BATCHES,
	  AT(stop_tokens), .min = 0, .max = INT32_MAX },
	{ "suppress-token", 0, "ID", "never choose the token ID (repeatable)", OPTION_TOKEN, RUNS, AT(suppress_tokens), .min = 0,
	  .max = INT32_MAX },
	{ "ignore-eos", 0, NULL, "go on when the model ends", OPTION_SETS, RUNS, AT(gen.flags), INF_GEN_FLAG_IGNORE_EOS },
	{ "json-schema", 0, "FILE", "JSON for the schema in FILE, - is standard input", OPTION_TEXT,
	  GENERATES | BATCHES, AT(schema_file) },
	{ "grammar", 0, "FILE", "text for the GBNF grammar in FILE, - as above", OPTION_TEXT, GENERATES | BATCHES,
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
	{ "verbose", 'v', NULL, "show the log of library and backend; -vv: more", OPTION_COUNTS, FINDS,
	  AT(verbosity) },
	{ "config", 0, "FILE", "read this configuration file, not the usual one", OPTION_TEXT, FINDS, AT(config) },
	{ "no-config", 0, NULL, "read no configuration file", OPTION_SETS, FINDS, AT(flags), OPTION_NO_CONFIG },
	{ "path", 0, NULL, "print the name of the file, also of one not there", OPTION_SETS, CONFIGS, AT(flags),
	  OPTION_PATH_ONLY },
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

bool options_in_file(const struct option_spec *spec)
{
	static const char *const names[] = {
		"model", "backend", "plugin-dir", "set", "system", "think", "no-history", "truncate", "context", "gpu-layers",
		"slots", "adapter", "state-dir", "allow-cpu", "max-tokens", "min-tokens", "temperature", "top-k", "top-p", "min-p",
		"repeat-penalty", "frequency-penalty", "presence-penalty", "seed", "stop", "stop-token", "suppress-token",
		"ignore-eos", "parse-special", "prompt-tokens", "gen-tokens", "repetitions", "streams", "stats",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(spec->name, names[i]))
			return true;
	return false;
}
