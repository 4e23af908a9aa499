/* SPDX-License-Identifier: MIT */
/*
 * inference/host.h - libinference: find, check, rank and use inference backends.
 *
 * A host opens a registry, looks at its candidates, selects a backend, loads a model into a session, and generates:
 *
 *   inf_registry_open -> inf_registry_select -> inf_session_load -> inf_session_generate* -> inf_session_close
 *                                                                                         -> inf_registry_close
 *
 * The requests, results and callbacks are those of plugin.h, which this header includes; read its essay on text,
 * ownership, errors and struct_size once, it holds here too.
 *
 * SEARCH     Plugins are files *.so, in this order: the directories the host gives; those of $INF_PLUGIN_PATH (a list
 *            with ':'); $XDG_DATA_HOME/inference/backends (~/.local/share/inference/backends when the variable is
 *            unset); then lib/inference/backends of the prefix libinference was installed to. Within a directory the
 *            order is that of the bytes of the names; a name that begins with '.' is no candidate. Directories are
 *            absolute and not searched recursively; the current directory is never searched. A component of
 *            $INF_PLUGIN_PATH that is empty or relative, and a directory that was asked for and cannot be read, is logged
 *            and skipped. The first file that offers a backend name wins, later ones are shadowed. $INF_BACKEND_DISABLE
 *            (a ':' list of globs of backend names) disables backends. A process that runs with elevated rights
 *            (set-user-ID) ignores the variables, also those named below.
 * STATES     Every candidate ends in exactly one INF_STATE_* with a reason (a short machine code, stable) and a
 *            sentence for people. One bad plugin never disturbs the others, nor the host. Nothing of a file runs before it
 *            is a regular file that is trusted (below), a whole shared object of this machine, and not by its own note
 *            (INF_PLUGIN_NOTE) one for another ABI. Then another process loads it (PROBE), and only what passed there is
 *            loaded into this one.
 * TRUST      The file, every directory of its path, every link on the way and the directories those lead through belong
 *            to root or to the effective user (to the user who called sudo, too, where that is root), and nobody else may
 *            write to them. A sticky directory of root's, as /tmp, is accepted above, never as the one that holds the file
 *            or a link to it.
 * PROBE      The program inf-probe loads each file in a child of its own, calls its entry and checks its tables: 5 s for a
 *            file, several side by side. What crashes, exits, does not come back, writes to standard output or leaves a
 *            process behind is refused. It is the first of: $INF_PROBE; libexec/inference/inf-probe of the prefix that
 *            this library lies in; that of the prefix it was configured for. $INF_PROBE is taken or refused, never
 *            passed over; inf-probe itself has to be trusted as above. Without one, plugins are loaded without that look,
 *            and the log says so once (INF_LOG_INFO; INF_LOG_WARN where $INF_PROBE cannot be used). It gets the
 *            environment of this process as it is, LD_PRELOAD and LD_LIBRARY_PATH included, because a plugin will find
 *            the same here; a process with elevated rights hands on no more than the loader left it, and inf-probe runs
 *            with the same ids. Hosts in other languages may run it themselves: `inf-probe FILE...` prints a line of JSON
 *            for each absolute FILE, {"file":0,"state":"available","reason":"","message":"","abi":"1.0","id":"org.example.x",
 *            "version":"1.0","backends":"x,y"}, in the order in which they become known: "file" counts from 0, "state" is
 *            as of inf_state_name(), what is refused has a reason and a message and not the last four. Exit status 0: a
 *            line for each; 1: this system has no means for it; 2: usage.
 * CACHE      What inf-probe found is kept in $XDG_CACHE_HOME/inference/probe (~/.cache/inference/probe), a small file for
 *            each plugin, and holds until the plugin's device, inode, size or time of change, or the version of this
 *            library is another; a library that was missing and a look that took too long for an hour at most. So what
 *            crashed is not run again: INF_REGISTRY_FLAG_RESCAN looks at all of them afresh. Only a directory that belongs
 *            to the effective user, and that nobody else can write to, is used; without one nothing is kept, nor in a
 *            process with elevated rights, nor with INF_REGISTRY_FLAG_NO_CACHE.
 * SELECTION  An explicit name is taken exactly and without fallback. Otherwise metal, then rocm, then every other backend
 *            with a GPU's score (100 and more) by descending score, then llama_cpp, then the rest by descending score;
 *            equal scores by search order. A plugin's own score is cut to 0..799. A load that fails does not fall through
 *            to another backend.
 * THREADS    Tags as in plugin.h: [ts] any thread at any time, [excl] nothing else in flight on that object. Sessions of
 *            one registry are independent of each other. Callbacks run on the thread that is inside the call; on_poll
 *            of a stream on one of the backend's or of this library's, until its end.
 * OWNERSHIP  inf_registry, inf_session and inf_session_stream are the only things to close, each before what it came from.
 *            Strings and structs that are returned belong to the object they came from and live as long as it does. A
 *            function of a NULL object does nothing: INF_E_INVALID, NULL, 0, a descriptor of -1. One that was closed is
 *            gone: set your variable to NULL.
 * PROCESS    inf_registry_open() starts inf-probe, once for up to 64 files whose verdict is not kept, in a process group of
 *            its own, waits for that pid and no other, and has killed it if it is late; so a SIGCHLD may come. It is gone
 *            when open returns, and so is what a plugin started in it, unless it was killed before it could see to that.
 *            The library starts no other process, and no threads but for streams and batches that the backend leaves
 *            to it; they block all signals. It changes no process-wide state, and prints nothing. Plugins are never
 *            unloaded from the process (dlclose is never called).
 */
#ifndef INF_HOST_H
#define INF_HOST_H
#include "inference/extensions.h"
#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
# define INF_API __attribute__((visibility("default")))
#else
# define INF_API
#endif

typedef struct inf_registry inf_registry;   /* plugins found, one instance of each that could be created              */
typedef struct inf_session  inf_session;    /* one loaded model                                                       */

/* ---- registry ----------------------------------------------------------------------------------------------- */
#define INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS 1u  /* search plugin_dirs and nothing else                                  */
#define INF_REGISTRY_FLAG_NO_CACHE        2u  /* neither read nor write what earlier looks at the plugins found       */
#define INF_REGISTRY_FLAG_RESCAN          4u  /* look at every plugin again, also at those that crashed               */

typedef struct inf_registry_params {  /* request; all-zero but struct_size = defaults                               */
  uint32_t           struct_size;
  uint32_t           flags;           /* INF_REGISTRY_FLAG_*                                                        */
  const char *const *plugin_dirs;     /* absolute; searched first, in this order                                    */
  size_t             plugin_dir_count;
  const inf_kv      *options;         /* instance options; each plugin gets those it knows                          */
  size_t             option_count;
  const char        *host_name;       /* of the program, for plugins' logs; NULL = "libinference"                   */
  const char        *host_version;    /* NULL = ""                                                                  */
  void              *log_ctx;
  /* [ts] one line, no newline, NUL-terminated, len without it; dies with the call. Runs on any thread until
   * inf_registry_close() returns; must not call this library. NULL = no logs. */
  void             (*log)(void *log_ctx, int32_t level, const char *msg, size_t len);
  int32_t            log_level;       /* lowest INF_LOG_* wanted                                                    */
  uint32_t           reserved0;
} inf_registry_params;

#define INF_STATE_AVAILABLE     0     /* can be selected                                                            */
#define INF_STATE_UNAVAILABLE   1     /* works, but not here: no device, no driver, no server binary               */
#define INF_STATE_SHADOWED      2     /* an earlier candidate has the same backend name, or is the same file       */
#define INF_STATE_DISABLED      3     /* by $INF_BACKEND_DISABLE                                                    */
#define INF_STATE_UNTRUSTED     4     /* owner or mode of the file, or of what leads to it                          */
#define INF_STATE_INCOMPATIBLE  5     /* another ABI, or against its rules: both sides are named                    */
#define INF_STATE_CRASHED       6     /* crashed or ended the process while it was looked at                        */
#define INF_STATE_TIMED_OUT     7     /* did not answer while it was looked at                                      */
#define INF_STATE_NOT_A_PLUGIN  8     /* not a loadable ELF file, or without the entry symbol                       */

typedef struct inf_candidate {        /* report: one backend of one file, or one file that gave none                */
  uint32_t    struct_size;
  int32_t     state;                  /* INF_STATE_*                                                                */
  const char *path;                   /* of the file                                                                */
  const char *backend;                /* "" where the file was not opened                                           */
  const char *description;            /* one line, "" if not known                                                  */
  const char *version;                /* of the plugin, "" if not known                                             */
  const char *reason;                 /* machine code, "" when available                                            */
  const char *message;                /* what was found, or why not and what to do                                  */
  int32_t     score;                  /* as in inf_availability; 0 unless available                                 */
  uint32_t    reserved0;
} inf_candidate;

/* Search, check, create, ask each backend whether it can work here. [ts] Finding no usable plugin is INF_OK with what
 * was found in the list. INF_E_INVALID for a directory that is not absolute and an option given twice, INF_E_UNSUPPORTED
 * for an option that no plugin knows (the message names near matches), INF_E_NO_MEMORY. *out is NULL on failure. */
INF_API inf_status inf_registry_open(const inf_registry_params *params, inf_registry **out, inf_error *err);
/* [excl] All sessions closed. Destroys the plugins' instances. NULL is allowed. */
INF_API void inf_registry_close(inf_registry *self);

/* [ts] In search order. index < count; else NULL. */
INF_API size_t inf_registry_count(const inf_registry *self);
INF_API const inf_candidate *inf_registry_candidate(const inf_registry *self, size_t index);
/* [ts] name NULL or "": $INF_BACKEND as it was at open, else the ranking above. INF_E_NOT_FOUND: no candidate of that name;
 * INF_E_UNAVAILABLE: it cannot be used, or nothing can (the message says why). */
INF_API inf_status inf_registry_select(const inf_registry *self, const char *name, const inf_candidate **out,
                                       inf_error *err);
/* [ts] The options that the plugins found know, without duplicates: index < count, else NULL. */
INF_API size_t inf_registry_option_count(const inf_registry *self);
INF_API const inf_option *inf_registry_option(const inf_registry *self, size_t index);
/* [ts] A static extension table of a candidate's backend, without a model, or NULL. */
INF_API const void *inf_registry_get_extension(const inf_registry *self, const inf_candidate *candidate,
                                               const char *id);

/* [ts] The devices that a candidate's backend could use (inf.devices/1), through the callback, on this thread.
 * INF_E_UNSUPPORTED where the backend does not tell; else as inf_devices.list. The struct is of this header's size,
 * whatever the age of the plugin. */
INF_API inf_status inf_registry_list_devices(const inf_registry *self, const inf_candidate *candidate, void *user,
                                             int32_t (*on_device)(void *user, const inf_device *device),
                                             inf_error *err);

/* [ts] What a candidate's backend finds on this machine (inf.diagnose/1), through the callback, on this thread.
 * INF_E_UNSUPPORTED where the backend does not tell, or has no instance; else as inf_diagnose.run. */
INF_API inf_status inf_registry_diagnose(const inf_registry *self, const inf_candidate *candidate, void *user,
                                         int32_t (*on_finding)(void *user, const inf_finding *finding),
                                         inf_error *err);

/* The version of this library, "0.1.0"; [pure] */
INF_API const char *inf_library_version(void);
/* [ts] Models on disk (inf.models/1), whether or not the candidate's backend is available: nothing is started, and no
 * device is touched. candidate NULL: the first one that can. INF_E_UNSUPPORTED where there is none or it cannot; else as
 * the function of inf_models of the same name, which also says what the arguments mean. */
INF_API inf_status inf_registry_list_models(const inf_registry *self, const inf_candidate *candidate,
                                            const char *const *dirs, size_t dir_count, uint32_t flags, void *user,
                                            int32_t (*on_file)(void *user, const inf_model_file *file),
                                            inf_error *err);
INF_API inf_status inf_registry_inspect_model(const inf_registry *self, const inf_candidate *candidate,
                                              const char *path, inf_model_file *out, inf_error *err);
INF_API inf_status inf_registry_resolve_model(const inf_registry *self, const inf_candidate *candidate,
                                              const char *wish, const char *const *dirs, size_t dir_count, char *path,
                                              size_t path_size, inf_error *err);
INF_API inf_status inf_registry_fit_model(const inf_registry *self, const inf_candidate *candidate, const char *path,
                                          const inf_fit_request *request, inf_fit_report *out, inf_error *err);

/* "available", "unavailable", "shadowed", "disabled", "untrusted", "incompatible", "crashed", "timed-out",
 * "not-a-plugin"; [pure] */
INF_API const char *inf_state_name(int32_t state);
/* INF_E_NO_VRAM -> "no_vram"; INF_OK -> "ok"; unknown -> "internal". [pure] */
INF_API const char *inf_status_name(inf_status status);
/* INF_FINISH_STOP_TOKEN -> "stop_token"; unknown -> "unknown". [pure] */
INF_API const char *inf_finish_name(int32_t finish);

/* ---- session ------------------------------------------------------------------------------------------------ */
/* Load a model into a candidate of state available. Blocks; params as in plugin.h, on_progress runs on this thread. [ts]
 * The statuses of the backend's load(), and INF_E_UNAVAILABLE for a candidate that is not available. */
INF_API inf_status inf_session_load(inf_registry *registry, const inf_candidate *backend, const inf_load_params *params,
                                    inf_session **out, inf_error *err);
/* Once, and nothing begins afterwards; not from a callback of its own. Calls in flight are stopped at their next callback
 * and return INF_E_CLOSED, close() waits for them. The session is gone whatever it returns. NULL is allowed. */
INF_API inf_status inf_session_close(inf_session *self, inf_error *err);

/* [ts] as in plugin.h. */
INF_API inf_status inf_session_info(inf_session *self, inf_model_info *out, inf_error *err);
INF_API inf_status inf_session_generate(inf_session *self, const char *prompt, size_t prompt_len,
                                        const inf_gen_params *params, inf_gen_result *result, inf_error *err);
INF_API inf_status inf_session_chat(inf_session *self, const inf_message *const *msgs, size_t msg_count,
                                    const inf_gen_params *params, inf_gen_result *result, inf_error *err);
/* [ts] What the generate or chat that finished last returned to the host, as err() in plugin.h. */
INF_API inf_status inf_session_err(inf_session *self, inf_error *out);
/* [ts] The backend's static extension table for this model, or NULL: whether it can do a thing at all. */
INF_API const void *inf_session_get_extension(inf_session *self, const char *id);

/* [ts] The devices that the model uses (inf.devices/1 of_model), with their memory as it is now and as it was just before
 * the load, through the callback, on this thread. INF_E_UNSUPPORTED where the backend does not tell, INF_E_UNAVAILABLE
 * where the model runs on the CPU. */
INF_API inf_status inf_session_list_devices(inf_session *self, void *user,
                                            int32_t (*on_device)(void *user, const inf_device *device), inf_error *err);

/* ---- session: the extensions --------------------------------------------------------------------------------
 * [ts] Each is the function of the extension table of the same name, which also says what the arguments mean; where the
 * backend has no such table it is INF_E_UNSUPPORTED ("no_extension"), unless it says here what happens instead.
 * inf_session_cancel() and inf_session_close() end them as they end a generate. */
INF_API inf_status inf_session_tokenize(inf_session *self, const char *text, size_t text_len, uint32_t flags,
                                        const inf_call_params *call, int32_t *ids, size_t cap, size_t *count,
                                        inf_error *err);
INF_API inf_status inf_session_detokenize(inf_session *self, const int32_t *ids, size_t id_count, uint32_t flags,
                                          const inf_call_params *call, char *text, size_t cap, size_t *len,
                                          inf_error *err);
INF_API inf_status inf_session_count(inf_session *self, const inf_input *input, const inf_call_params *call,
                                     size_t *count, inf_error *err);
/* Without inf.classify/1: generations of one token with INF_GEN_FLAG_LOGPROBS if the backend has that; top, candidates and
 * INF_CLASSIFY_FLAG_VOCABULARY are then INF_E_UNSUPPORTED, a logprob that is not known is NaN, and id is -1 where the model
 * ends at once. */
INF_API inf_status inf_session_classify(inf_session *self, const inf_input *const *inputs, size_t count,
                                        const inf_classify_params *params, inf_error *err);
/* Without inf.batch/1: generations on threads of this library, that live as long as the call and block all signals; so
 * without inf.classify/1 too. Where there are none to be had, on this one. */
INF_API inf_status inf_session_batch(inf_session *self, const inf_input *const *inputs, size_t count,
                                     const inf_batch_params *params, inf_error *err);
INF_API inf_status inf_session_embed_dimension(inf_session *self, int32_t *out, inf_error *err);
INF_API inf_status inf_session_embed(inf_session *self, const inf_text *texts, size_t count, uint32_t flags,
                                     const inf_call_params *call, float *vectors, int64_t *token_counts,
                                     inf_error *err);
INF_API inf_status inf_session_rerank(inf_session *self, const inf_text *query, const inf_text *documents, size_t count,
                                      const inf_call_params *call, float *scores, int64_t *token_counts,
                                      inf_error *err);
INF_API inf_status inf_session_list_adapters(inf_session *self, void *user,
                                             int32_t (*on_adapter)(void *user, const inf_adapter *adapter),
                                             inf_error *err);
INF_API inf_status inf_session_set_adapter_scale(inf_session *self, int32_t index, float scale,
                                                 const inf_call_params *call, inf_error *err);
INF_API inf_status inf_session_save_state(inf_session *self, int32_t slot, const char *name,
                                          const inf_call_params *call, inf_state_info *out, inf_error *err);
INF_API inf_status inf_session_restore_state(inf_session *self, int32_t slot, const char *name,
                                             const inf_call_params *call, inf_state_info *out, inf_error *err);
INF_API inf_status inf_session_fork_state(inf_session *self, int32_t from, int32_t to, const inf_call_params *call,
                                          inf_state_info *out, inf_error *err);
INF_API inf_status inf_session_metrics(inf_session *self, inf_metrics_report *out, inf_error *err);
/* inf.cancel/1, with every backend: where it has no such table, the call finds out at its next callback. */
INF_API inf_status inf_session_cancel_request(inf_session *self, const char *request_id, inf_error *err);

/* inf.stream/1: that of the backend or, where it has none, a generate or chat on a thread of this library. All streams are
 * closed before the session is; one that is not ends as closed. */
typedef struct inf_session_stream inf_session_stream;
INF_API inf_status inf_session_stream_open(inf_session *self, const inf_input *input, const inf_gen_params *params,
                                           inf_session_stream **out, inf_error *err);
INF_API inf_status inf_session_stream_next(inf_session_stream *self, int32_t timeout_ms, int32_t *event,
                                           const inf_token **token, inf_error *err);
INF_API int32_t inf_session_stream_descriptor(inf_session_stream *self);
INF_API inf_status inf_session_stream_result(inf_session_stream *self, inf_gen_result *out, inf_error *err);
INF_API void inf_session_stream_cancel(inf_session_stream *self);
INF_API void inf_session_stream_close(inf_session_stream *self);

/* [ts] Also from a signal handler: cancel every generate and chat that is in flight on this session now. They return
 * INF_E_CANCELLED; calls that begin later are not touched. A call that has not yet entered the library is not in
 * flight. */
INF_API void inf_session_cancel(inf_session *self);
/* [ts] The result of the generate or chat that finished last (all zero if none), for hosts that show metrics after the
 * fact. Under concurrency that is anybody's: prefer what the call returned. */
INF_API void inf_session_last_result(inf_session *self, inf_gen_result *out);

/* ---- layout lock, as in plugin.h ----------------------------------------------------------------------------- */
INF_V1_0(inf_registry_params, 80);  INF_END(inf_registry_params, reserved0);
INF_AT(inf_registry_params, flags, 4); INF_AT(inf_registry_params, plugin_dirs, 8);
INF_AT(inf_registry_params, plugin_dir_count, 16); INF_AT(inf_registry_params, options, 24);
INF_AT(inf_registry_params, option_count, 32); INF_AT(inf_registry_params, host_name, 40);
INF_AT(inf_registry_params, host_version, 48); INF_AT(inf_registry_params, log_ctx, 56);
INF_AT(inf_registry_params, log, 64); INF_AT(inf_registry_params, log_level, 72);
INF_AT(inf_registry_params, reserved0, 76);
INF_V1_0(inf_candidate, 64);        INF_END(inf_candidate, reserved0);
INF_AT(inf_candidate, state, 4); INF_AT(inf_candidate, path, 8); INF_AT(inf_candidate, backend, 16);
INF_AT(inf_candidate, description, 24); INF_AT(inf_candidate, version, 32); INF_AT(inf_candidate, reason, 40);
INF_AT(inf_candidate, message, 48); INF_AT(inf_candidate, score, 56); INF_AT(inf_candidate, reserved0, 60);

#ifdef __cplusplus
}
#endif
#endif
