/* SPDX-License-Identifier: MIT */
#ifndef GR_BACKEND_H
#define GR_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "inference/extensions.h"

#include "adapters.h"
#include "childlog.h"
#include "clock.h"
#include "gguf.h"
#include "http.h"
#include "launch.h"
#include "modelset.h"
#include "logfile.h"
#include "oom.h"
#include "options.h"
#include "profile.h"
#include "restart.h"
#include "rpc_list.h"
#include "rpc_probe.h"
#include "rundir.h"
#include "server.h"
#include "slots.h"
#include "strv.h"
#include "supervisor.h"
#include "wake.h"
#include "wire.h"

/*
 * backend: the vtable over the modules.
 *
 * A few files join what knows nothing of each other, and they alone log: backend.c an instance and the vtable,
 * backend_model.c a model from load to close, backend_devices.c what it runs on, backend_start.c one start of its server,
 * backend_environment.c what it finds in its environment, backend_log.c what it says, backend_server.c the server while it
 * is used, backend_death.c why it ended, backend_call.c what all calls have in common, backend_request.c one generate or chat,
 * backend_input.c and backend_tools.c what it was given, backend_media.c the images and sounds of it, backend_delivery.c what
 * it delivers, backend_files.c the models on disk, backend_rpc.c devices of other machines, backend_diagnose.c what people ask
 * when it does not work, and prompt.c the way of a prompt to token ids. The rest, from backend_batch.c to backend_tokenize.c,
 * are the extensions of the same names.
 */

/* What running the binary told. */
struct gr_server_facts {
	struct gr_server_file file;	/* path "" = never looked at */
	inf_status status;
	inf_error error;		/* when status is not INF_OK */
	uint32_t features;		/* GR_FEATURE_* */
	char version[96];
};

/* What it said to --list-devices, and which file that was. */
struct gr_server_list {
	struct gr_server_file file;	/* path "" = never asked */
	inf_status status;
	inf_error error;		/* when status is not INF_OK */
	struct gr_devlog log;
};

struct inf_instance {
	const inf_host *host;		/* the host's, until destroy() */
	pid_t owner;			/* in a forked child every handle is dead */
	struct gr_strv env;		/* of the host, at create(): the names we may use */
	struct gr_instance_options options;
	pthread_mutex_t lock;		/* facts, list */
	struct gr_server_facts facts;
	struct gr_server_list list;
};

/* RPC workers that take layers. */
struct gr_workers {
	struct gr_rpc_list list;	/* as the load names them; empty = none */
	struct gr_rpc_target used[GR_RPC_WORKERS_MAX];	/* the address at which each of them answered */
	char argument[GR_RPC_WORKERS_MAX * 22];		/* these, as value of --rpc */
};

/* What a start of the server needs; kept for the next one. All owned. */
struct gr_start {
	struct gr_modelset set;
	struct gr_server_facts facts;
	struct gr_load_options options;
	struct gr_launch_plan plan;	/* its pointers lead into this struct */
	struct gr_workers workers;
	struct gr_modelset *draft;	/* NULL = none */
	struct gr_fit_model draft_model;
	uint32_t flags;			/* INF_LOAD_FLAG_* */
	char *devices, *state_dir, *projector_path;	/* NULL = none */
	struct gr_adapters adapters;	/* their scales are the model's: written under its lock while the server is held */
	uint64_t adapter_bytes, projector_bytes;
	uint64_t model_digest;		/* where there is a state_dir */
};

/* What the server says, on its way to the host's log and to a file. */
struct gr_model_log {
	struct gr_logfile file;		/* the supervisor's thread writes it */
	pthread_mutex_t lock;		/* below */
	struct gr_childlog lines;
	uint64_t file_lost;
	int file_error;
	bool telling;			/* a thread is in the host's callback */
	bool loss_told;
};

/* Since the load, as in inf_metrics_report. */
struct gr_counters {
	uint64_t requests, failed, cancelled, refused;
	uint64_t prompt_tokens, cached_tokens, generated_tokens, prefill_ns, decode_ns;
	int32_t restarts;
};

/* What reads the streams of a model that are fetched. */
struct gr_stream_reader {
	struct gr_http_reader *reader;	/* NULL = there was no stream yet; under the model's lock */
	pthread_t thread;
	atomic_bool ends;
};

struct inf_model {
	struct inf_instance *instance;
	struct gr_gguf file;
	struct gr_start *start;
	struct gr_slots *slots;
	atomic_uchar *token_kinds;	/* enum gr_token_kind by id, vocab_size of them */
	atomic_uchar *token_roles;	/* enum gr_token_role, the same */
	struct gr_wake wake;
	struct gr_model_log log;
	struct gr_stream_reader streams;

	/* Written while nobody holds the server (gr_server_hold), or, of info, under the lock. */
	struct gr_rundir rundir;
	struct gr_supervisor *server;	/* NULL = the last start failed */
	struct gr_oom before;		/* when it was started */
	int64_t started_ms;		/* then, too */
	atomic_bool killed;		/* we did it */
	struct gr_http *http;
	char media_marker[64];		/* of this start of the server; "" = it takes no media */
	inf_model_info info;
	struct gr_device_choice devices;	/* empty where no device was chosen */
	const char *device;		/* value of --device, "none" for the CPU; NULL = whatever the server finds */

	pthread_mutex_t lock;		/* what follows */
	pthread_cond_t server_free;	/* a caller let the server go, or it was started again */
	int server_users;
	bool restarting;		/* nobody takes it */
	struct gr_restart restart;
	inf_error death;		/* why there is no server, where that is known; code INF_OK = not so */
	inf_error last_error;		/* of the call that finished last; code INF_OK = none */
	struct gr_counters counters;
	struct gr_call *calls;		/* in flight; each on the stack of its caller */
};

/* What the server's stream tells about a token. */
enum gr_token_kind { GR_TOKEN_UNKNOWN, GR_TOKEN_SHOWN, GR_TOKEN_HIDDEN };

/* What it is to the tokeniser. */
enum gr_token_role { GR_TOKEN_ROLE_UNKNOWN, GR_TOKEN_TEXT, GR_TOKEN_CONTROL };

/* INF_GEN_SET_* and INF_GEN_FLAG_* that are implemented. */
#define GR_GEN_FIELDS \
	(INF_GEN_SET_TEMPERATURE | INF_GEN_SET_TOP_K | INF_GEN_SET_TOP_P | INF_GEN_SET_MIN_P | INF_GEN_SET_SEED | \
	 INF_GEN_SET_REPEAT_PENALTY | INF_GEN_SET_FREQUENCY_PENALTY | INF_GEN_SET_PRESENCE_PENALTY | \
	 INF_GEN_SET_MAX_TOKENS | INF_GEN_SET_MIN_TOKENS | INF_GEN_SET_STOP_TOKENS | INF_GEN_SET_SUPPRESS_TOKENS | INF_GEN_SET_STOP_STRINGS | \
	 INF_GEN_SET_JSON_SCHEMA | INF_GEN_SET_GRAMMAR)
/* And by a chat alone; not by every model. */
#define GR_CHAT_FIELDS (INF_GEN_SET_THINKING | INF_GEN_SET_THINKING_BUDGET | INF_GEN_SET_TOOLS)
#define GR_GEN_FLAGS INF_GEN_FLAG_KNOWN

/* ---- backend_lora.c ---- */
extern const inf_lora gr_lora_table;
/* The adapters that the load names, by their files. */
inf_status gr_lora_read(struct gr_start *start, inf_error *err);
/* Give a server that was just started, with all of scale 1, the scales of the model. */
inf_status gr_lora_begin(inf_model *self, inf_error *err);

/* ---- backend_state.c ---- */
extern const inf_state gr_state_table;
/* The directory that the load names, and what its states are for. */
inf_status gr_state_open(struct gr_start *start, inf_error *err);

extern const inf_cancel gr_cancel_table;	/* backend_cancel.c */
extern const inf_metrics gr_metrics_table;	/* backend_metrics.c */
extern const inf_batch gr_batch_table;		/* backend_batch.c */
extern const inf_classify gr_classify_table;	/* backend_classify.c */
extern const inf_models gr_models_table;	/* backend_files.c */
extern const inf_tokenize gr_tokenize_table;	/* backend_tokenize.c */
extern const inf_embed gr_embed_table;		/* backend_embed.c */
extern const inf_rerank gr_rerank_table;	/* backend_rerank.c */
extern const inf_streams gr_streams_table;	/* backend_stream.c */
void gr_streams_end(inf_model *self);		/* their generations are over */
extern const inf_diagnose gr_diagnose_table;	/* backend_diagnose.c */

/* One short run of the server's binary, in the environment of a load. */
enum { GR_SERVER_ARGUMENTS_MAX = 6 };

struct gr_server_run {
	const char *path;
	const char *const *arguments;	/* NULL-terminated, at most GR_SERVER_ARGUMENTS_MAX */
	char *const *device_env;	/* "NAME=value" for the devices; NULL = none */
	int timeout_ms;
	char *output;
	size_t output_cap;
	int (*on_wait)(void *user);	/* as in gr_child_run(); may be NULL */
	void *user;
};

/* INF_E_INVALID in a forked child. */
inf_status gr_instance_check(const inf_instance *self, inf_error *err);
/* Find the server and learn what it can do; the answer is kept while the file stays the same. on_wait (may be NULL) is asked
 * at least every GR_CHILD_WAIT_MS while that takes; anything but 0 ends it with INF_E_CANCELLED. */
inf_status gr_instance_server(inf_instance *self, int (*on_wait)(void *user), void *user, struct gr_server_facts *out,
			      inf_error *err);
/* What the server says about its devices now, asked as the profile wants it; *out is empty for a profile that does not.
 * on_wait as above, and with it the server has more time. */
inf_status gr_instance_devices(inf_instance *self, const struct gr_server_file *file, int (*on_wait)(void *user),
			       void *user, struct gr_devlog *out, inf_error *err);
/* What gr_child_run() returns. */
inf_status gr_instance_run(const inf_instance *self, const struct gr_server_run *run, struct gr_exit *exit,
			   inf_error *err);
void gr_log(const inf_instance *self, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

inf_status gr_model_load(inf_instance *instance, const inf_load_params *params, inf_model **out, inf_error *err);
inf_status gr_model_close(inf_model *self, inf_error *err);
/* What a file of this kind is loaded for. */
enum gr_task gr_model_task(const struct gr_gguf *facts);
/* INF_E_BAD_MODEL for a file that is not of the kind that the task takes. */
inf_status gr_model_check_kind(const struct gr_gguf *facts, const char *path, const struct gr_load_options *options,
			       inf_error *err);
/* INF_E_UNSUPPORTED for a model that was loaded for something else. what: the call, for the message. */
inf_status gr_model_check_task(const inf_model *model, enum gr_task task, const char *what, inf_error *err);
/* After it the model stays until gr_slots_leave(), whatever close() does meanwhile. */
inf_status gr_model_enter(inf_model *model, inf_error *err);
/* The same for one that will generate: keeps its error for err(), and leaves. Returns st; *err gets the error. */
inf_status gr_model_finish(inf_model *model, inf_status st, const inf_error *error, inf_error *err);
/* Who waits for a start, as in inf_load_params. */
struct gr_progress {
	int32_t (*on_progress)(void *user, const inf_progress *progress);	/* may be NULL */
	void *user;
};

/* For on_wait of what is asked before there is a server: reports it now and then. */
struct gr_early {
	const struct gr_progress *progress;
	int64_t reported_ms;		/* begins at 0 */
};

int gr_report_early(void *early);

/* ---- backend_start.c ---- */
/* Choose devices, start the server by self->start and wait until it answers. After a failure: gr_server_drop(). */
inf_status gr_server_start(inf_model *self, const struct gr_progress *progress, struct gr_wire_props *props,
			   inf_error *err);
/* Stop the server if it runs, and take away what belongs to it. */
inf_status gr_server_drop(inf_model *self, inf_error *err);

/* ---- backend_server.c ---- */
enum { GR_SERVER_NOTICE_MS = 500 };	/* after a connection broke: how long the server's end may take to be seen */

/*
 * Until gr_server_let_go() the server stays the one it is. A server that ended is started again if the load allows it
 * (restart=on-demand); on_poll is asked meanwhile, without a lock, anything but 0 ends the wait with INF_E_CANCELLED.
 * INF_E_BACKEND_DIED and why it ended, or what the start failed with; INF_E_BUSY: another caller starts it, it is too
 * soon, or others use it still, and no_wait is set or the queue's deadline is over. Who comes first starts it, no_wait or not.
 */
inf_status gr_server_hold(inf_model *self, int (*on_poll)(void *user), void *user, bool no_wait, inf_error *err);
/* The same without waiting and dead or alive; false while it is started again. */
bool gr_server_try_hold(inf_model *self);
void gr_server_let_go(inf_model *self);
/* It completed a request. */
void gr_server_worked(inf_model *self);
/* For those who hold it. INF_E_BACKEND_DIED and why, INF_OK while the server runs. */
inf_status gr_server_check_alive(inf_model *self, inf_error *err);
/* After a connection broke: the same, with a moment for its end to be seen. A server that runs on but does not even
 * take connections (unreachable) is killed: nothing else will end it. */
inf_status gr_server_check_lost(inf_model *self, bool unreachable, inf_error *err);
/* Kill a server that is of no use any more. what: "llama-server WHAT; it was killed". Returns status. */
inf_status gr_server_give_up(inf_model *self, inf_status status, const char *reason, const char *what, inf_error *err);
/* Sleep of the machine before this is of no concern. */
void gr_server_remember_clocks(inf_model *self);

/* ---- backend_metrics.c ---- */
/* A request waited for a slot, and got it or not. */
void gr_metrics_begin(inf_model *self, inf_status st);
/* One that had a slot is over. */
void gr_metrics_end(inf_model *self, inf_status st);
/* What it took. */
void gr_metrics_add(inf_model *self, const inf_gen_result *result);
/* The server was started again. */
void gr_metrics_restart(inf_model *self);

/* ---- backend_environment.c ---- */
/* The environment of a server that is started at a place; place->library_path is filled in from the host's. */
void gr_instance_child_env(const inf_instance *self, const struct gr_launch_place *place, struct gr_strv *out);
/* Log what of the host's environment a server gets that can change what it does, and what is kept from it. */
void gr_instance_tell_env(const inf_instance *self, const struct gr_launch_place *place);

/* ---- backend_rpc.c ---- */
/* Find the workers of self->start, and that each of them is free. */
inf_status gr_rpc_find(inf_model *self, const struct gr_progress *progress, inf_error *err);
/* Add their devices to the choice. */
inf_status gr_rpc_take(inf_model *self, const struct gr_progress *progress, inf_error *err);
/* Is it a reason of these two that a worker is not there now, so that nothing was started? */
bool gr_rpc_is_away(const char *reason);
/* Which of them is to blame for the end of the server: ": NAME (WHY), ...", all where none can be told. */
void gr_rpc_blame(const inf_model *self, char *out, size_t cap);

/* ---- backend_death.c ---- */
/* Before a server starts. */
void gr_server_watch_memory(inf_model *self);
/* Why the server ended. loading: the status is that of a load that ended so. */
inf_status gr_server_explain_death(inf_model *self, bool loading, inf_error *err);
/* What a caller can do about a death: come again, or give the model up. */
void gr_server_flag_death(const inf_model *self, inf_error *err);
/* The last line that the server said. */
void gr_server_last_words(inf_model *self, char *out, size_t cap);

/* ---- backend_log.c ---- */
void gr_model_log_init(inf_model *self);
void gr_model_log_release(inf_model *self);
/* A line of the server; for the supervisor. Never waits for the host. */
void gr_model_on_line(void *model, const char *line, size_t len);
/* Give the host what the server said since. On the threads of the host's own calls, so that a log callback that blocks
 * holds up the call that it belongs to and nothing else. */
void gr_model_tell_log(inf_model *self);

/* ---- backend_devices.c ---- */
extern const inf_devices gr_devices_table;
/* Choose the devices for self->start, and make its plan fit into their memory. */
inf_status gr_devices_plan(inf_model *self, const struct gr_progress *progress, inf_error *err);
/* From the log of a server that is ready: is the model where it should be? Fills in what info() says about it. */
inf_status gr_devices_prove(inf_model *self, inf_error *err);
void gr_devices_release(inf_model *self);
/* What the load has besides the model goes to its first device. */
void gr_devices_reserve(const struct gr_start *start, struct gr_fit_device *first);
/* The same for what guesses tokens ahead: a server that cannot use it goes on without. */
inf_status gr_speculation_prove(inf_model *self, inf_error *err);

/* Where the answer of a call is read, unless on its own thread. */
struct gr_reading {
	struct gr_http_reader *reader;	/* the callbacks run on the thread that turns it */
	bool (*on_taken)(void *user);	/* of its host's callbacks: as in http.h; may be NULL */
};

/* reading: NULL = on the thread of the call. */
inf_status gr_model_generate(inf_model *self, const struct gr_reading *reading, const char *prompt, size_t prompt_len,
			     const inf_gen_params *params, inf_gen_result *result, inf_error *err);
inf_status gr_model_chat(inf_model *self, const struct gr_reading *reading, const inf_message *const *msgs, size_t msg_count,
			 const inf_gen_params *params, inf_gen_result *result, inf_error *err);
/* One of the two. */
inf_status gr_model_answer(inf_model *self, const struct gr_reading *reading, const inf_input *input,
			   const inf_gen_params *params, inf_gen_result *result, inf_error *err);

#endif
