/* SPDX-License-Identifier: MIT */
#ifndef GR_LAUNCH_H
#define GR_LAUNCH_H

#include "inference/plugin.h"

#include "adapters.h"
#include "fit.h"
#include "gguf.h"
#include "options.h"
#include "strv.h"

/*
 * launch: what the server is started with. Pure: facts in, argv and environment out.
 *
 * The environment is built from nothing: what is listed here, plus the variables a profile lets through. So neither
 * a LLAMA_ARG_* variable, nor a configuration file in the user's home, nor a library in the current directory can change
 * what the server does. Nothing secret is in argv.
 *
 * Options of the server that came or went with its versions are used only where its own help text names them.
 */
enum {
	GR_LAUNCH_CONTEXT_DEFAULT = 4096,	/* tokens per slot, where neither caller nor model says less */
	GR_LAUNCH_SLOTS_MAX = 256,		/* the server's own limit */
	GR_LAUNCH_CONTEXT_MAX = 1 << 24,	/* tokens of all slots together */
	GR_LAUNCH_SPARE_HTTP_THREADS = 8,
};

/* What a server binary can do, from its help text. */
enum {
	GR_FEATURE_UNIX_SOCKET = 1u << 0,
	GR_FEATURE_NO_WEBUI = 1u << 1,		/* --no-webui */
	GR_FEATURE_NO_UI = 1u << 2,		/* --no-ui, its later name */
	GR_FEATURE_OFFLINE = 1u << 3,
	GR_FEATURE_FIT = 1u << 4,
	GR_FEATURE_CORS_ORIGINS = 1u << 5,
	GR_FEATURE_THREADS_HTTP = 1u << 6,
	GR_FEATURE_LOG_COLORS = 1u << 7,
	GR_FEATURE_VERBOSITY = 1u << 8,
	GR_FEATURE_FIT_TARGET = 1u << 9,
	GR_FEATURE_SLEEP_IDLE = 1u << 10,
	GR_FEATURE_MMPROJ = 1u << 11,
	GR_FEATURE_MMPROJ_OFFLOAD = 1u << 12,	/* and --no-mmproj-offload */
	GR_FEATURE_RPC = 1u << 13,
	GR_FEATURE_DRAFT = 1u << 14,		/* --model-draft */
	GR_FEATURE_DRAFT_KIND = 1u << 15,	/* wants to be told the kind of the draft: "draft-simple" */
	GR_FEATURE_DRAFT_N_MAX = 1u << 16,	/* --spec-draft-n-max, the later name of --draft-max */
	GR_FEATURE_NGRAM_SIMPLE = 1u << 17,
	GR_FEATURE_NGRAM_MOD = 1u << 18,
	GR_FEATURE_CACHE_RAM = 1u << 19,
	GR_FEATURE_SLOT_SAVE = 1u << 20,
	GR_FEATURE_CACHE_IDLE_SLOTS = 1u << 21,
};

uint32_t gr_launch_features(const char *help_text);

/* A load request that was checked and completed. */
struct gr_launch_plan {
	const char *model_path;
	const struct gr_adapters *adapters;	/* NULL = none. All are loaded with scale 1 */
	const char *state_dir;		/* NULL = none */
	const char *projector_path;	/* NULL = none */
	const char *rpc;		/* value of --rpc; NULL = no workers */
	const char *cache_type_k, *cache_type_v;	/* NULL = the server's default */
	const char *draft_path;		/* NULL = none */
	const struct gr_fit_model *draft;	/* the same; NULL = not known */
	int32_t draft_max;		/* 0 = the server's default */
	enum gr_speculative speculative;
	int32_t context_len;		/* per slot; 0 = the server's choice */
	int32_t slots;
	int32_t gpu_layers;		/* -1 all */
	int32_t threads;		/* 0 = what suits the layers */
	int32_t batch_size;
	int cpu_count;
	int32_t sleep_idle_seconds;	/* 0 = never */
	enum gr_fit_mode fit;
	uint32_t fixed;			/* GR_FIT_*_FIXED: may not become less */
	bool layers_given;		/* by the request */
	enum gr_task task;
	const char *pooling;		/* value of --pooling; NULL = none */
	bool whole_batch;		/* a text is computed in one step, however long it is */
	uint64_t fit_target_bytes;	/* that the server's own fit leaves free; 0 = its default */
};

/*
 * Check a request against the model and fill in what it leaves open. cpu_count: CPUs this process may use. gpu: the
 * profile offloads. Pointers of the plan are those of the request. All layers have to be on the GPU, unless the request
 * names a number or allows the CPU. That the model is one for the task is not looked at.
 */
inf_status gr_launch_plan(struct gr_launch_plan *out, const inf_load_params *params, const struct gr_load_options *options,
			  const struct gr_gguf *model, int cpu_count, int gpu, inf_error *err);

/* Can a server with these features do what the plan asks of it? INF_E_UNSUPPORTED ("fit_unsupported", "sleep_unsupported",
 * "mmproj_unsupported", "rpc_unsupported", "draft_unsupported", "speculative_unsupported", "state_unsupported"); server: what it
 * is called in the message. */
inf_status gr_launch_check(const struct gr_launch_plan *plan, uint32_t features, const char *server, inf_error *err);

/* What of the plan takes memory. */
struct gr_fit_load gr_launch_memory(const struct gr_launch_plan *plan);
/* Make of the plan what was found to fit. */
void gr_launch_shrink(struct gr_launch_plan *plan, const struct gr_fit_plan *fits);
/* CPU threads of the server. */
int32_t gr_launch_threads(const struct gr_launch_plan *plan);

/* Where the server runs. */
struct gr_launch_place {
	const char *server_path;
	const char *directory;		/* private, also its cwd */
	const char *socket_path;
	const char *home;		/* private and empty */
	const char *cache_home;		/* lasting, for compiled kernels; NULL = none */
	const char *api_key;
	const char *device;		/* value of --device; NULL = the server's choice */
	char *const *extra_env;		/* "NAME=value" for the devices; NULL = none */
	const char *library_path;	/* value of LD_LIBRARY_PATH, looked through by libpath.h; NULL or "" = none */
	uint32_t features;
};

void gr_launch_argv(struct gr_strv *out, const struct gr_launch_plan *plan, const struct gr_launch_place *place);
/* host_env: "NAME=value" of the host; pass: names that go through, NULL-terminated. */
void gr_launch_env(struct gr_strv *out, const struct gr_launch_place *place, char *const *host_env,
		   const char *const *pass);

#endif
