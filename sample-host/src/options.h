/* SPDX-License-Identifier: MIT */
#ifndef INFER_OPTIONS_H
#define INFER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/*
 * options: the command line.
 *
 * One const table says which options there are, what they take, which commands know them and what they do; parsing, help
 * and the configuration file (config.h) come from it. Options that belong to a request of the library are parsed right into
 * that request.
 */
enum command {
	COMMAND_NONE,		/* only with OPTION_HELP or OPTION_VERSION */
	COMMAND_RUN,
	COMMAND_BACKENDS,
	COMMAND_DEVICES,
	COMMAND_DOCTOR,
	COMMAND_MODELS,
	COMMAND_INSPECT,
	COMMAND_GENERATE,
	COMMAND_CHAT,
	COMMAND_BATCH,
	COMMAND_TOKENIZE,
	COMMAND_EMBED,
	COMMAND_RERANK,
	COMMAND_CLASSIFY,
	COMMAND_BENCH,
	COMMAND_CONFIG,
	COMMAND_HELP,
	COMMAND_COUNT
};

/* struct options.flags */
#define OPTION_HELP    0x1u
#define OPTION_VERSION 0x2u
#define OPTION_JSON    0x4u
#define OPTION_STATS   0x8u
#define OPTION_ALL     0x10u
#define OPTION_FIT     0x20u
#define OPTION_DECODE  0x40u
#define OPTION_SPECIAL 0x80u
#define OPTION_BOS     0x100u
#define OPTION_TRUNCATE 0x200u
#define OPTION_RESUME  0x400u
#define OPTION_RESCAN  0x800u
#define OPTION_MAN     0x1000u
#define OPTION_CSV     0x2000u
#define OPTION_COMPARE 0x4000u
#define OPTION_FAIL_SLOWER 0x8000u
#define OPTION_FORGETS 0x10000u
#define OPTION_NO_CONFIG 0x20000u
#define OPTION_PATH_ONLY 0x40000u

enum { OPTIONS_ARGUMENTS_MAX = 100000 };

struct command_spec {
	const char *name;
	const char *arguments;		/* for the usage line */
	const char *summary;		/* one line */
	const char *details;		/* lines, each with its newline */
};

/* What was given for an option, and where. */
struct given {
	const struct option_spec *spec;
	const char *value;		/* borrowed; NULL = none */
	const char *section;		/* of the configuration file, borrowed; NULL = the command line */
	uint32_t line;			/* of that file */
};

/* Borrowed from argv and the configuration file, in their order. */
struct words {
	const char **items;		/* owned */
	size_t count;
};

struct ids {
	int32_t *items;			/* owned */
	size_t count;
};

struct options {
	enum command command;
	enum command topic;		/* of help and config; COMMAND_NONE = all */
	uint32_t flags;
	uint32_t verbosity;		/* how many -v */
	const char *backend;		/* NULL = the library's choice */
	const char *model;		/* as it was written: a file, a directory, or a name; NULL = none */
	const char *prompt_file;	/* NULL = none, "-" = standard input */
	const char *system;		/* NULL = none */
	const char *messages_file, *tools_file;	/* NULL = none */
	const char *query;		/* NULL = none */
	const char *output;		/* file; NULL = standard output */
	struct words arguments;		/* what is neither command nor option */
	struct words plugin_dirs;
	struct words settings;		/* of --set */
	struct words stop_strings;
	struct words images, sounds;	/* files */
	struct ids stop_tokens, suppress_tokens;
	int32_t *candidates;		/* owned */
	size_t candidate_count;
	int32_t top;			/* likeliest tokens to show */
	const char *schema_file, *grammar_file;	/* NULL = none, "-" = standard input */
	char *constraint;		/* owned; what is in one of them, for gen: input_constraint() */
	uint64_t *memories;		/* owned; bytes, of --vram */
	size_t memory_count;
	struct words adapters;		/* of --adapter */
	char *adapter_path;		/* owned, absolute; the only adapter, as trained */
	char *adapters_setting;		/* owned; else all of them, as for --set */
	char *state_dir;		/* owned, absolute; NULL = none */
	char *state_setting;		/* owned; the same, as for --set */
	const char *save_state, *load_state;	/* names; NULL = none */
	int32_t prompt_tokens, gen_tokens, repetitions;	/* of a benchmark; 0 = the default */
	const char *streams, *sweep;	/* NULL = none */
	const char *html;		/* file; NULL = none */
	const char *config;		/* file; NULL = the usual one */
	const char *config_path;	/* borrowed; of the file that was read; NULL = none */
	struct given *given;		/* owned; what all of this comes from */
	size_t given_count;
	inf_load_params load;
	inf_gen_params gen;
};

enum option_kind {
	OPTION_SETS,		/* a bit of a uint32_t; a value may be "true" or "false" */
	OPTION_COUNTS,		/* a uint32_t up */
	OPTION_TEXT,		/* const char * */
	OPTION_LIST,		/* struct words */
	OPTION_PATH,		/* char *, absolute */
	OPTION_INTEGER,		/* int32_t in min..max */
	OPTION_REAL,		/* float in min..max */
	OPTION_SEED,		/* gen.seed */
	OPTION_LAYERS,		/* load.gpu_layers */
	OPTION_TOKEN,		/* struct ids */
	OPTION_MEMORY,		/* memories */
	OPTION_THINK,		/* gen.thinking, gen.thinking_budget */
	OPTION_IDS,		/* candidates */
};

struct option_spec {
	const char *name;
	char letter;			/* 0 = none */
	const char *argument;		/* NULL = takes none */
	const char *help;
	enum option_kind kind;
	uint32_t commands;		/* bits 1 << COMMAND_* */
	size_t offset;			/* of its place in struct options */
	uint64_t bit;			/* OPTION_SETS: the bit; else what is set in gen.set */
	double min, max;
};

/* Also after options_parse() has failed. Accepts NULL and a zeroed struct. */
void options_release(struct options *self);

/* The command line. EXIT_DONE; EXIT_USAGE; EXIT_FAILED without memory. With --help or --version anywhere nothing else is
 * required. */
enum exit_code options_parse(struct options *self, int argc, char **argv, struct failure *why);

/* Make room for `more` values, then give them from elsewhere. EXIT_DONE; EXIT_USAGE; EXIT_FAILED without memory. */
enum exit_code options_reserve(struct options *self, size_t more, struct failure *why);
enum exit_code options_give(struct options *self, const struct given *what, struct failure *why);

/* Once all is given: what options say together. As options_parse(). */
enum exit_code options_finish(struct options *self, struct failure *why);

/* Give an option of a number, or --think, a value. EXIT_DONE or EXIT_USAGE. */
enum exit_code options_assign(struct options *self, const struct option_spec *spec, const char *value, struct failure *why);
/* Would that work? EXIT_DONE; EXIT_USAGE; EXIT_FAILED without memory. */
enum exit_code options_try(const struct option_spec *spec, const char *value, struct failure *why);

/* The last that was given for the option of that name; NULL = nothing. */
const struct given *options_given(const struct options *self, const char *name);
/* Where that value was given, by its address; NULL = nowhere. */
const struct given *options_origin(const struct options *self, const char *value);
/* A failure that is about a line of a file: "FILE:LINE: KEY ..." instead of "--KEY ...". Returns why->code. */
enum exit_code options_place(const struct option_spec *spec, const char *path, uint32_t line, struct failure *why);
/* The same for a value, if the configuration file gave it. */
enum exit_code options_blame(const struct options *self, const char *value, struct failure *why);

/* Is --json among the arguments? Known before, and also when, they make no sense. */
bool options_want_json(int argc, char **argv);

const struct option_spec *options_find(const char *name, size_t len);	/* NULL = none */
bool options_is_list(const struct option_spec *spec);			/* may it be given several times? */
/* Are both for the same option, and of --set for the same key? */
bool options_same(const struct option_spec *spec, const char *value, const struct option_spec *other, const char *other_value);

/* The tables, optiontable.c. */
const struct command_spec *options_command(enum command command);
size_t options_count(void);
const struct option_spec *options_spec(size_t index);
/* May it stand in a configuration file? That says how things are done, not what is read, written or printed. */
bool options_in_file(const struct option_spec *spec);

#endif
