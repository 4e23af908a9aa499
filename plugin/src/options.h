/* SPDX-License-Identifier: MIT */
#ifndef GR_OPTIONS_H
#define GR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/extensions.h"

/*
 * options: the key=value options of the plugins, in one typed table.
 *
 * A key is described once, parsed once into a field of a struct, and checked against its range there. A key that does
 * not exist, or does not belong to the place it was given at, fails with the near matches. Pure.
 */
enum {
	GR_OPTION_TEXT_MAX = 4096,	/* bytes of a value */
	GR_OPTION_COUNT_MAX = 256,	/* pairs in one call */
};

/* Text points into the caller's pairs. */
struct gr_instance_options {
	const char *server_path;	/* llama-server.path; NULL = search */
	const char *sysroot;		/* rocm.sysroot; "/" by default */
	const char *devices;		/* rocm.device, vulkan.device; "auto" by default */
	int32_t allow_integrated;	/* rocm.allow-integrated */
	const char *targets;		/* rocm.targets; NULL = found out */
	int32_t allow_cpu_device;	/* vulkan.allow-cpu-device */
};

/* Who sees to it that a load fits into the memory of its devices; in the order of the option's values. */
enum gr_fit_mode { GR_FIT_AUTO, GR_FIT_SERVER, GR_FIT_NONE };

/* What a model is loaded for, and what the vector of a text is made of; in the order of the options' values. */
enum gr_task { GR_TASK_GENERATE, GR_TASK_EMBED, GR_TASK_RERANK };
enum gr_pooling { GR_POOLING_AUTO, GR_POOLING_MEAN, GR_POOLING_CLS, GR_POOLING_LAST };
/* What guesses tokens ahead without a model, in the order of the option's values. */
enum gr_speculative { GR_SPECULATIVE_NONE, GR_SPECULATIVE_NGRAM_SIMPLE, GR_SPECULATIVE_NGRAM_MOD };

struct gr_load_options {
	int32_t task;			/* enum gr_task */
	int32_t pooling;		/* enum gr_pooling */
	int32_t fit;			/* enum gr_fit_mode */
	int32_t threads;		/* CPU threads of the server; 0 = chosen */
	int32_t batch_size;		/* prompt tokens in one step of prefill */
	int32_t stall_timeout_ms;	/* longest time without a sign of progress while loading */
	int32_t queue_depth;		/* calls that may wait for a slot */
	int32_t queue_timeout_ms;	/* how long they may */
	int32_t first_token_timeout_ms;	/* longest time without a sign of life in prefill */
	int32_t token_timeout_ms;	/* and between two tokens */
	int32_t sleep_idle_seconds;	/* after which the server gives memory back; 0 = never */
	int32_t restart;		/* 1 = a server that ended is started again when it is needed */
	const char *draft_model;	/* path of a model that guesses tokens ahead; NULL = none. Text as below */
	int32_t draft_max;		/* tokens it guesses at a time; 0 = the server's default */
	int32_t speculative;		/* enum gr_speculative */
	const char *rpc_servers;	/* "host:port,..." of RPC workers; NULL = none. Text of the caller's pairs */
	const char *adapters;		/* "PATH[:SCALE],..."; NULL = none. Text of the caller's pairs */
	const char *state_dir;		/* where states of slots are kept; NULL = nowhere. The same */
	const char *log_file;		/* where the server's lines go; NULL = nowhere. Text of the caller's pairs */
	const char *mmproj;		/* path of the projector; NULL = none. Text of the caller's pairs */
};

/* One of the server's own fields. */
struct gr_request_number {
	const inf_option *option;	/* static; its type says which of the two */
	union {
		int32_t integer;
		double real;
	} value;
};

enum { GR_REQUEST_NUMBERS_MAX = 24 };

struct gr_request_options {
	struct gr_request_number numbers[GR_REQUEST_NUMBERS_MAX];	/* those that were given */
	size_t number_count;
	/* NULL = not given. Text of the caller's pairs */
	const char *dry_sequence_breakers;	/* JSON; nobody has looked at it */
	const char *samplers;			/* names that there are, with ';' between them */
	const char *logit_bias;			/* for bias.h; nobody has looked at it */
	int32_t slot;				/* -1 = any */
};

/* The table of one backend: options with another backend's prefix are not in it. NULL for an unknown backend. */
const inf_options *gr_options_table(const char *backend);

/* Parse pairs for one place. The struct is filled with defaults first. INF_E_UNSUPPORTED for an unknown key (unless it
 * begins with '?'), INF_E_INVALID for a bad value or a key given twice. */
inf_status gr_options_parse_instance(struct gr_instance_options *out, const inf_options *table, const inf_kv *pairs,
				     size_t count, inf_error *err);
inf_status gr_options_parse_load(struct gr_load_options *out, const inf_options *table, const inf_kv *pairs,
				 size_t count, inf_error *err);
inf_status gr_options_parse_request(struct gr_request_options *out, const inf_options *table, const inf_kv *pairs,
				    size_t count, inf_error *err);
/* Was one given that may change which token is taken? NULL has none. */
bool gr_options_bend(const struct gr_request_options *self);

#endif
