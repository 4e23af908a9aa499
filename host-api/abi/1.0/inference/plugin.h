/* SPDX-License-Identifier: MIT */
/*
 * inference/plugin.h - ABI of local text-inference backends, major 1.
 *
 * A plugin is a shared object with one exported function, inf_plugin_entry_v1(). It offers one or more
 * backends; a backend says whether it can work here, loads a model, and the model generates, chats and closes.
 * The shape is that of the go-inference contract. This header is all a plugin author needs: C11 or C++17, no
 * dependency, no symbol of the host. 64-bit targets only. Key words MUST/SHOULD as in RFC 2119.
 *
 *   host: dlopen -> entry() -> create() -> available() -> load() -> info() -> generate()/chat()* -> close() -> destroy()
 *
 * TYPES      Fixed-width integers, size_t, float and pointers. No enum, bool, bitfield, long, varargs or struct by
 *            value. Booleans are 0 or 1. Durations are nanoseconds of a monotonic clock, sizes are bytes, counts of
 *            tokens are tokens, unless the field says otherwise.
 * TEXT       UTF-8. What the plugin hands out is NUL-terminated AND has a length where NUL may occur inside
 *            (t->text[t->text_len] == 0). What the host hands in as pointer + length (prompt, content) is NOT
 *            NUL-terminated; what it hands in as a bare pointer is. Invalid UTF-8 in => INF_E_INVALID. Paths are the
 *            file system's own bytes.
 *
 * OWNERSHIP  Only inf_instance (create..destroy) and inf_model (load..close) outlive a call. Every other pointer
 *            passed into a function or a callback dies when it returns: copy what you keep. Exceptions: tables and
 *            strings reachable from inf_plugin are static; inf_host and all it points to live until destroy()
 *            returns. Nobody frees the other's memory. `user` and `ctx` are values the plugin hands back
 *            and never dereferences: integers (a cgo.Handle, an index) are fine.
 * HANDLES    An out-pointer to a handle is set to NULL first and written only on INF_OK.
 *
 * THREADS    Tags on each function:
 *              [pure] no side effect    [ts] any thread, at the same time as anything else
 *              [excl] nothing else in flight on that object, and nothing begins afterwards
 *              [cb]   may also be called from inside a callback
 *            Functions may be called from any thread, a different one each time, with as little as 64 KiB of free
 *            stack, and with signals arriving: EINTR is retried (after asking on_poll).
 *            A plugin holds no lock while it is in a callback, a host holds none that its callbacks take.
 * CALLBACKS  on_token, on_poll, on_progress run only on the thread that is inside the call and only during it (but for
 *            on_poll of inf.stream/1, which returns before its generation is over).
 *            host->log runs on any thread until destroy() returns and must not call the plugin.
 *            Callbacks return normally: no longjmp, no exception, no Goexit, no panic crosses.
 *            They return INF_CONTINUE (exactly 1) to go on; ANY other value stops. A callback of another language
 *            catches what fails in it and then returns 0: else ctypes, say, returns whatever was on the stack.
 *            From a callback the host may call what is tagged [cb]; for generate()/chat() on the same model it MUST
 *            give INF_GEN_FLAG_NO_WAIT (else it may wait for itself). It MUST NOT close that model there.
 *
 * ERRORS     A function returns INF_OK or a negative inf_status; with an error it fills *err (if not NULL) and
 *            err->code equals the returned status; on INF_OK *err is untouched. A host that meets a status it does
 *            not know treats it as INF_E_INTERNAL and obeys err->flags. Text for INF_E_UNSUPPORTED and
 *            INF_E_INVALID names the field, option or bit. Nothing is silently dropped or clamped, unless said here.
 *
 * STRUCTS    struct_size first = sizeof the WRITER compiled; set it, zero the rest, fill in what you need. All-zero
 *            (but struct_size) means all defaults. No implicit padding, checked below. struct_size is never above
 *            INF_STRUCT_MAX. Three kinds:
 *              request (host -> plugin: load_params gen_params message media)   read with inf_read_request()
 *              report  (plugin -> host: error availability info result, by inf_write_struct(); token progress)
 *              table   (host, backend, plugin, extensions)                      read with INF_HAS()
 *            A growing struct is never embedded in, or arrayed by value inside, another. inf_kv never grows.
 *
 * EVOLUTION  Within major 1 (changelog: host-api/docs/ABI.md):
 *            - Fields are appended, never moved, retyped or reused; a reserved field MUST be 0 and may become one.
 *            - A NEW REQUEST FIELD ALWAYS GETS A BIT IN set, and counts only with that bit: so an older plugin sees a
 *              bit it does not know and answers INF_E_UNSUPPORTED, also for an explicit 0 (a test for non-zero tail
 *              bytes alone would miss that). A plugin MUST check flags and set against what it implements.
 *            - A host reads plugin->abi_minor and inf_model_info.gen_fields before it uses a newer or optional field;
 *              for one that is only advice it simply leaves out the bit.
 *            - New report fields: 0 = not known. New token flags that change the meaning of text are sent only to
 *              a host that asked for them in the request.
 *            - New table slots are optional for ever: INF_HAS() and then != NULL.
 *            - Unknown values: status -> INTERNAL; finish -> UNKNOWN; stage -> keep the last; log level -> nearest;
 *              token/result/info flags -> ignore; media kind, request flags, set bits -> UNSUPPORTED.
 *            - Vendors add extensions ("com.vendor.name/1") and options ("backend.key"), never fields, bits or codes.
 *            - Major 2 is another entry symbol; one file may export both.
 *
 * PROCESS    A plugin never: setenv, chdir, setlocale, umask, exit/abort, atexit, signal handlers or masks of threads
 *            it did not make, write to fd 0-2, waitpid(-1), touch SIGCHLD. Its threads block all signals; its fds are
 *            CLOEXEC; SIGPIPE cannot be raised. It reads and prints numbers independent of the locale. In a fork()ed
 *            child every handle is dead: all functions return INF_E_INVALID and close()/destroy() leave the
 *            parent's resources (child process, sockets, files) alone. The host never dlclose()s.
 */
#ifndef INF_PLUGIN_H
#define INF_PLUGIN_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#if UINTPTR_MAX < 0xffffffffffffffffu
# error "inference/plugin.h: major 1 is defined for 64-bit targets"
#endif
#ifdef __cplusplus
extern "C" {
# define INF_SA static_assert
#else
# define INF_SA _Static_assert
#endif

#define INF_ABI_MAJOR    1u
#define INF_ABI_MINOR    0u
#define INF_ENTRY_SYMBOL "inf_plugin_entry_v1"
#define INF_STRUCT_MAX   4096u
#if defined(_WIN32)
# define INF_CALL __cdecl
# define INF_EXPORT __declspec(dllexport)
#else
# define INF_CALL
# define INF_EXPORT __attribute__((visibility("default")))
#endif

/* Did the writer of *p know field f of T? For a slot also test that it is not NULL. */
#define INF_HAS(T, p, f) ((p)->struct_size >= offsetof(T, f) + sizeof((p)->f))

/* ---- status ------------------------------------------------------------------------------------------------- */
typedef int32_t inf_status;
#define INF_OK                 0
#define INF_E_INTERNAL       (-1)  /* bug in the plugin, or a status the host does not know                        */
#define INF_E_INVALID        (-2)  /* bug in the caller: bad argument, range, UTF-8, struct_size                    */
#define INF_E_UNSUPPORTED    (-3)  /* well-formed, but this field/bit/option/media is not implemented here         */
#define INF_E_UNAVAILABLE    (-4)  /* no device, driver or server binary                                            */
#define INF_E_NOT_FOUND      (-5)  /* model or adapter path does not exist                                         */
#define INF_E_BAD_MODEL      (-6)  /* exists, but corrupt or not of a kind this backend runs                       */
#define INF_E_NO_MEMORY      (-7)  /* host memory                                                                   */
#define INF_E_NO_VRAM        (-8)  /* device memory                                                                 */
#define INF_E_CANCELLED      (-9)  /* on_poll or on_progress said stop                                              */
#define INF_E_TIMEOUT       (-10)  /* the backend made no progress within its own limit (deadlines: use on_poll)   */
#define INF_E_BUSY          (-11)  /* no free slot, and NO_WAIT was given or the queue is full; retryable          */
#define INF_E_CLOSED        (-12)  /* close() began while this call was running                                    */
#define INF_E_CONTEXT_FULL  (-13)  /* the prompt does not fit; result.prompt_tokens says how long it is            */
#define INF_E_BACKEND_DIED  (-14)  /* process or device lost; model unusable: close it and load again              */
#define INF_E_ABI           (-15)  /* host lacks something the plugin needs (create())                             */
#define INF_E_PERMISSION    (-16)  /* the OS refused: /dev/kfd, model file                                         */
#define INF_E_IO            (-17)  /* read, write or disk-full error, see os_errno                                 */
#define INF_E_BAD_OUTPUT    (-18)  /* the model's output does not fit the schema or template that was asked for    */

#define INF_ERR_FLAG_RETRYABLE  1u    /* the same call may succeed later                                            */
#define INF_ERR_FLAG_MODEL_DEAD 2u    /* every further call on this model will fail                                 */
typedef struct inf_error {            /* report; caller-owned, nothing to free. struct_size 0 = receives nothing    */
  uint32_t struct_size;
  int32_t  code;                      /* == the returned status                                                     */
  int32_t  os_errno;                  /* 0 = none                                                                   */
  uint32_t flags;                     /* INF_ERR_FLAG_*                                                             */
  char     reason[32];                /* short machine code, stable: "kfd_perm", "gguf_truncated"; "" = none        */
  char     message[464];              /* one line, cause and hint; cut at a code point                              */
} inf_error;

/* ---- options ------------------------------------------------------------------------------------------------
 * Text pairs for what has no field. A key with a '.' ("rocm.sysroot", "llama-server.path") begins with the backend, or
 * the program behind it, that it is for; a plain key ("threads") is an option of the load or request it comes with.
 * inf.options/1 (extensions.h) lists the keys a backend knows and where each belongs. Unknown key => UNSUPPORTED, unless
 * it begins with '?' (then ignored); the same key twice => INVALID.
 * Values: "true"/"false", decimal integers, numbers with '.', or text. */
typedef struct inf_kv { const char *key, *value; } inf_kv;              /* frozen, never grows                      */

/* ---- host services ------------------------------------------------------------------------------------------ */
#define INF_LOG_DEBUG 0
#define INF_LOG_INFO  1
#define INF_LOG_WARN  2
#define INF_LOG_ERROR 3
typedef struct inf_host {             /* table; address and contents stay put until destroy() returns               */
  uint32_t      struct_size;
  uint32_t      flags;                /* 0                                                                          */
  uint32_t      abi_minor;            /* INF_ABI_MINOR of the host                                                  */
  int32_t       log_level;            /* lowest level wanted; 0 = all                                               */
  void         *ctx;
  const char   *name, *version;       /* of the host program, for logs                                              */
  const inf_kv *options;              /* for the instance: what available() needs too, e.g. the path of a server    */
  size_t        option_count;         /* NULL/0 = none. Keys this plugin does not know are not passed               */
  /* [ts] one line, no newline, NUL-terminated, len without it. Returns soon. May be NULL. */
  void        (INF_CALL *log)(void *ctx, int32_t level, const char *msg, size_t len);
  /* [ts] host-side extension table or NULL; static. May be NULL. */
  const void *(INF_CALL *get_extension)(void *ctx, const char *id);
} inf_host;

typedef struct inf_instance inf_instance;   /* one per create(); a plugin has no other state                         */
typedef struct inf_model    inf_model;      /* one per load()                                                        */
typedef struct inf_backend  inf_backend;    /* the vtable, below                                                     */

/* What every callback but log returns. */
#define INF_CONTINUE 1                /* any other value: stop                                                      */

/* ---- available ---------------------------------------------------------------------------------------------- */
typedef struct inf_availability {     /* report                                                                     */
  uint32_t struct_size;
  int32_t  score;                     /* 0 = cannot work here; 1-99 CPU or remote, 100-399 portable GPU,            */
                                      /* 400-799 native GPU; advice, the user's wish comes first                     */
  char     reason[32];                /* machine code as in inf_error; "" when available                            */
  char     message[208];              /* MUST say why not and what to do, or what was found                         */
} inf_availability;

/* ---- load --------------------------------------------------------------------------------------------------- */
#define INF_STAGE_START  0
#define INF_STAGE_READ   1
#define INF_STAGE_UPLOAD 2
#define INF_STAGE_WARMUP 3
#define INF_STAGE_READY  4
typedef struct inf_progress {         /* report                                                                     */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  int32_t     stage;                  /* INF_STAGE_*, never goes back                                               */
  float       fraction;               /* of the whole load, 0..1, never goes back; < 0 unknown                      */
  const char *note;                   /* may be NULL                                                                */
} inf_progress;

#define INF_LOAD_FLAG_ALLOW_CPU   0x1u     /* flags: a model that does not fit or finds no GPU may run (partly) on the
                                           CPU. Without it that is NO_VRAM or UNAVAILABLE, never silent.            */
#define INF_LOAD_SET_GPU_LAYERS   0x1ull   /* set */
typedef struct inf_load_params {      /* request                                                                    */
  uint32_t      struct_size;
  uint32_t      flags;                /* INF_LOAD_FLAG_*                                                            */
  uint64_t      set;                  /* INF_LOAD_SET_*                                                             */
  const char   *path;                 /* required, absolute; file or directory                                      */
  const char   *adapter_path;         /* LoRA; NULL = none                                                          */
  const char   *cache_mode;           /* KV cache mode; NULL = "native"; "A/B" = A for keys and B for values        */
  const char   *devices;              /* comma list of ids of inf.devices/1; NULL = backend's choice                */
  int32_t       context_len;          /* tokens per slot; 0 = model default                                         */
  int32_t       gpu_layers;           /* without its bit: all. -1 all, 0 none (CPU wanted), n                       */
  int32_t       parallel_slots;       /* generations at the same time; 0 = backend default                          */
  uint32_t      reserved0;
  const inf_kv *options;
  size_t        option_count;
  void         *user;
  /* May be NULL. At least 4 times a second until load() returns, also without news. Stop => CANCELLED. */
  int32_t     (INF_CALL *on_progress)(void *user, const inf_progress *p);
} inf_load_params;

/* ---- info --------------------------------------------------------------------------------------------------- */
#define INF_INFO_FLAG_CHAT     0x01u  /* has a chat template; without it chat() is UNSUPPORTED                      */
#define INF_INFO_FLAG_THINKING 0x02u  /* its template makes another prompt with thinking than without               */
#define INF_INFO_FLAG_IMAGES   0x04u  /* this checkpoint, as loaded, accepts the media                              */
#define INF_INFO_FLAG_AUDIO    0x08u
#define INF_INFO_FLAG_VIDEO    0x10u
#define INF_INFO_FLAG_SERIAL   0x20u  /* one generation at a time (Go SerialModel)                                  */
#define INF_INFO_FLAG_TOOLS    0x40u  /* its template knows tools                                                   */
typedef struct inf_model_info {       /* report; facts of the model as loaded; 0 or "" = not known                  */
  uint32_t struct_size;
  uint32_t flags;                     /* INF_INFO_FLAG_*                                                            */
  uint64_t gen_fields;                /* INF_GEN_SET_* this model honours, both groups                              */
  uint32_t gen_flags;                 /* INF_GEN_FLAG_* this model honours                                          */
  int32_t  context_len;               /* tokens one generation can use, prompt included                             */
  int32_t  context_train;             /* tokens the model was trained for                                           */
  int32_t  parallel_slots;
  int32_t  vocab_size, num_layers, hidden_size;
  int32_t  quant_bits, quant_group;
  int32_t  gpu_layers;                /* proven to be on the GPU, 0..num_layers+1; -1 = not known                   */
  uint64_t device_memory_bytes;       /* taken by this model on all devices                                         */
  char     model_type[64];            /* "llama", "qwen3" (Go ModelType, Architecture)                              */
  char     name[128];
  char     devices[128];              /* comma list of what is in use, "cpu" included                               */
} inf_model_info;

/* ---- generate, chat ----------------------------------------------------------------------------------------- */
#define INF_TOKEN_FLAG_REASONING 0x1u /* text of the thought channel, its tags removed                              */
#define INF_TOKEN_FLAG_LOGPROB   0x2u /* logprob is valid; only with count 1                                        */
#define INF_TOKEN_FLAG_TOOL_CALL 0x4u /* text is one whole tool call, a JSON object {"id","name","arguments"}, the
                                         last a string of JSON as the model wrote it; only if tools were given       */
typedef struct inf_token {            /* report: one step of the stream                                             */
  uint32_t    struct_size;
  uint32_t    flags;                  /* INF_TOKEN_FLAG_*                                                           */
  int32_t     id;                     /* of the last token in this chunk; -1 = the backend cannot tell              */
  uint32_t    count;                  /* tokens since the chunk before; > 1 if ids were merged, 0 for a last flush  */
  const char *text;                   /* whole code points only; may be "" (held back); NUL-terminated              */
  size_t      text_len;               /* bytes                                                                      */
  float       logprob;                /* natural log, model distribution before sampling                            */
  uint32_t    reserved0;
} inf_token;

/* A whole file each: what is cut off, of another format or too large to decode is INVALID ("media_truncated",
 * "media_format", "media_size"); what only the backend's decoder finds broken as well ("media_refused"). A kind that the
 * model as loaded does not take, see INF_INFO_FLAG_IMAGES and those below it, is UNSUPPORTED ("media"). */
#define INF_MEDIA_IMAGE       1       /* encoded PNG or JPEG                                                        */
#define INF_MEDIA_AUDIO       2       /* WAV, 16-bit PCM mono 16 kHz                                                */
#define INF_MEDIA_VIDEO_FRAME 3       /* PNG or JPEG; all frames of a message are one video, in time order. A backend
                                         may give them to the model as images one after the other, without times    */
typedef struct inf_media {            /* request                                                                    */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  int32_t     kind;                   /* INF_MEDIA_*                                                                */
  uint32_t    reserved0;
  const void *data;
  size_t      size;                   /* bytes                                                                      */
} inf_media;

typedef struct inf_message {          /* request. Arrays of messages and media are arrays of POINTERS               */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  const char *role;                   /* "system" "user" "assistant", or another the template knows, else INVALID   */
  const char *content;                /* not NUL-terminated; NULL if content_len is 0                               */
  size_t      content_len;
  const inf_media *const *media;      /* chat() only; placed where the model's convention wants them: by its template
                                         where that has a place for them, else in their order before the text of their
                                         message. Never dropped: what the template leaves out is UNSUPPORTED. Beside
                                         media a backend may refuse messages that hold the text of special tokens   */
  size_t      media_count;
  const char *tool_calls;             /* of role "assistant": JSON array of the objects that came as tool calls;    */
                                      /* NULL = none. In the order of the calls                                     */
  const char *tool_call_id;           /* of role "tool", whose content is the result: id of the call it answers     */
} inf_message;

/* flags of inf_gen_params */
#define INF_GEN_FLAG_NO_WAIT         0x01u  /* no free slot => BUSY at once, do not queue                           */
#define INF_GEN_FLAG_NO_PROMPT_CACHE 0x02u  /* Go DisablePromptReuse                                                */
#define INF_GEN_FLAG_IGNORE_EOS      0x04u  /* benchmarks: only max_tokens, stops and the context end it            */
#define INF_GEN_FLAG_LOGPROBS        0x08u  /* fill inf_token.logprob                                               */
#define INF_GEN_FLAG_PARSE_SPECIAL   0x10u  /* generate(): text of control tokens in the prompt is read as such.
                                               Off: it is plain text, so that user text cannot inject a turn        */
#define INF_GEN_FLAG_NO_BOS          0x20u  /* generate(): do not add the beginning-of-sequence token               */
#define INF_GEN_FLAG_KNOWN           0x3fu  /* all of minor 0                                                       */

/* set of inf_gen_params. Group 1: zero is a value, so the field counts only with its bit (Go *Set flags); value
 * non-zero and bit clear => INVALID, it is a forgotten bit. Without: what the model's file declares, else the default. */
#define INF_GEN_SET_TEMPERATURE       0x0001ull   /* default 0 = greedy                                             */
#define INF_GEN_SET_TOP_K             0x0002ull   /* default 0 = off                                                */
#define INF_GEN_SET_TOP_P             0x0004ull   /* default 0 = off                                                */
#define INF_GEN_SET_MIN_P             0x0008ull   /* default 0 = off                                                */
#define INF_GEN_SET_SEED              0x0010ull   /* default: backend's choice, reported                            */
#define INF_GEN_SET_REPEAT_PENALTY    0x0020ull   /* default 1 = off                                                */
#define INF_GEN_SET_FREQUENCY_PENALTY 0x0040ull   /* default 0 = off                                                */
#define INF_GEN_SET_PRESENCE_PENALTY  0x0080ull   /* default 0 = off                                                */
#define INF_GEN_SET_THINKING          0x0100ull   /* default: the model's                                           */
/* Group 2: zero or NULL is "not given". The bit is not needed in a request; it serves inf_model_info.gen_fields. */
#define INF_GEN_SET_MAX_TOKENS        0x00010000ull
#define INF_GEN_SET_MIN_TOKENS        0x00020000ull
#define INF_GEN_SET_THINKING_BUDGET   0x00040000ull
#define INF_GEN_SET_STOP_TOKENS       0x00080000ull
#define INF_GEN_SET_SUPPRESS_TOKENS   0x00100000ull
#define INF_GEN_SET_STOP_STRINGS      0x00200000ull
#define INF_GEN_SET_JSON_SCHEMA       0x00400000ull
#define INF_GEN_SET_GRAMMAR           0x00800000ull
#define INF_GEN_SET_TOOLS             0x01000000ull
#define INF_GEN_SET_KNOWN             0x01ff01ffull   /* all of minor 0; fields of later minors go on from 1 << 25    */
typedef struct inf_gen_params {       /* request                                                                    */
  uint32_t struct_size;
  uint32_t flags;                     /* INF_GEN_FLAG_*                                                             */
  uint64_t set;                       /* INF_GEN_SET_*                                                              */
  uint64_t seed;                      /* a backend with fewer bits uses the low ones and reports what it used       */
  int32_t  max_tokens;                /* 0 = until the model ends or the context is full; < 0 INVALID               */
  int32_t  min_tokens;                /* before so many EOS is not sampled, and stop tokens and strings are text    */
                                      /* (MinTokensBeforeStop); a string counts if it ends later. <= max_tokens     */
  float    temperature;               /* >= 0                                                                       */
  int32_t  top_k;                     /* >= 0                                                                       */
  float    top_p, min_p;              /* 0..1                                                                       */
  float    repeat_penalty;            /* > 0                                                                        */
  float    frequency_penalty;         /* -2..2                                                                      */
  float    presence_penalty;          /* -2..2                                                                      */
  int32_t  thinking;                  /* chat(): 0 off, 1 on; models without thinking ignore it                     */
  int32_t  thinking_budget;           /* tokens of thought, then it is closed; 0 = no limit                         */
  uint32_t reserved0;
  const int32_t *stop_tokens;         size_t stop_token_count;      /* ids                                          */
  const int32_t *suppress_tokens;     size_t suppress_token_count;  /* ids never sampled                            */
  const char *const *stop_strings;    size_t stop_string_count;     /* none empty; the match is not delivered       */
  const char    *json_schema;         /* output is JSON that fits it; "{}" = any object. Not with grammar: INVALID  */
  const char    *grammar;             /* GBNF                                                                       */
  const char    *request_id;          /* for logs and inf.cancel/1, 1 to 255 bytes; NULL = none                     */
  const inf_kv  *options;             size_t option_count;
  void          *user;
  /* May be NULL: the text is thrown away (warming, benchmarks). Stop => INF_OK, INF_FINISH_CALLER (Go break).
   * EOS, stop tokens and stop strings are never delivered; held-back text is flushed before an INF_OK. */
  int32_t      (INF_CALL *on_token)(void *user, const inf_token *t);
  /* May be NULL. At least 10 and at most 1000 times a second from entry to return: in the queue, in prefill and
   * between tokens. Stop => INF_E_CANCELLED, INF_FINISH_CANCELLED (Go ctx.Done). */
  int32_t      (INF_CALL *on_poll)(void *user);
  /* chat() only: what the model may call, a JSON array of {"type":"function","function":{"name","description",
   * "parameters":JSON schema}}. Each call it makes comes as one chunk with INF_TOKEN_FLAG_TOOL_CALL. */
  const char    *tools;
  const char    *tool_choice;         /* "auto" "none" "required"; NULL = "auto". Without tools: INVALID            */
} inf_gen_params;

#define INF_FINISH_UNKNOWN     0
#define INF_FINISH_EOS         1
#define INF_FINISH_LENGTH      2      /* max_tokens reached                                                         */
#define INF_FINISH_CALLER      3      /* on_token said stop                                                         */
#define INF_FINISH_CANCELLED   4
#define INF_FINISH_ERROR       5
#define INF_FINISH_STOP_TOKEN  6      /* stop_index in stop_tokens                                                  */
#define INF_FINISH_STOP_STRING 7      /* stop_index in stop_strings                                                 */
#define INF_FINISH_CONTEXT     8      /* the context is full; still INF_OK                                          */
#define INF_FINISH_TOOL_CALLS  9      /* the model called tools and waits for what they say                         */
#define INF_RESULT_FLAG_THINKING_FORCED 0x1u    /* the budget ended the thought; 0 = no, or not known               */
#define INF_RESULT_FLAG_SEED            0x2u    /* seed is valid                                                     */
#define INF_RESULT_FLAG_SLOT            0x4u    /* slot is valid                                                     */
typedef struct inf_gen_result {       /* report: metrics of THIS call; on error too, as far as it came              */
  uint32_t struct_size;
  uint32_t flags;                     /* INF_RESULT_FLAG_*                                                          */
  int32_t  finish;                    /* INF_FINISH_*                                                               */
  int32_t  stop_index;                /* only with FINISH_STOP_*                                                    */
  uint64_t seed;                      /* the one used: give it back to get the same text                            */
  int64_t  prompt_tokens;             /* all, cached ones included                                                  */
  int64_t  cached_tokens;             /* of these, taken from a cache instead of evaluated                          */
  int64_t  generated_tokens;          /* sampled: reasoning and EOS included                                        */
  int64_t  reasoning_tokens;          /* of these, thought; 0 if not told apart. Marks around it may count          */
  int64_t  queue_ns;                  /* entry -> slot                                                              */
  int64_t  prefill_ns;                /* slot -> first token                                                        */
  int64_t  decode_ns;                 /* first -> last token                                                        */
  int64_t  total_ns;                  /* entry -> return                                                            */
  uint64_t peak_memory_bytes;         /* device; 0 = not measured                                                   */
  uint64_t active_memory_bytes;       /* device, at the end; 0 = not measured                                       */
  int32_t  tool_call_count;           /* tool calls delivered                                                       */
  int32_t  slot;                      /* that held the context, for inf.state/1; a call that ends before the model  */
                                      /* does may not know it                                                       */
  int64_t  drafted_tokens;            /* guessed ahead by speculative decoding; 0 = none, or not told               */
  int64_t  accepted_tokens;           /* of these, what the model would have written                                */
} inf_gen_result;

/* ---- the backend vtable -------------------------------------------------------------------------------------
 * All slots are required. err and result may be NULL; params, out, self may not. `self` is the table the host calls
 * through, so that several backends of a plugin can share code. Each slot may return INVALID, NO_MEMORY, INTERNAL;
 * each one with a request UNSUPPORTED. */
struct inf_backend {                  /* table, static and constant                                                 */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  const char *name;                   /* [a-z0-9_]{1,31}: "rocm"                                                    */
  const char *description;            /* one line                                                                   */
  /* [ts][cb] at most 200 ms; the first time at most 2 s, if another program has to be asked (the answer is then kept).
   * Loads no GPU runtime into the host, takes no device memory. "Not here" is INF_OK with score 0. */
  inf_status (INF_CALL *available)(inf_instance *, const inf_backend *self, inf_availability *out, inf_error *err);
  /* [ts][cb] blocks until the model answers. UNAVAILABLE NOT_FOUND BAD_MODEL NO_VRAM CANCELLED TIMEOUT PERMISSION IO
   * BACKEND_DIED. */
  inf_status (INF_CALL *load)(inf_instance *, const inf_backend *self, const inf_load_params *, inf_model **out,
                              inf_error *err);
  /* [ts][cb] constant from load() to close(). */
  inf_status (INF_CALL *info)(inf_model *, inf_model_info *out, inf_error *err);
  /* [ts][cb] one raw prompt, no template, text delivered as sampled. Blocks. More calls than slots wait in order, or
   * BUSY; safety is required, parallelism is not. CANCELLED TIMEOUT BUSY CLOSED CONTEXT_FULL BACKEND_DIED BAD_OUTPUT.
   * A prompt is never cut to fit. */
  inf_status (INF_CALL *generate)(inf_model *, const char *prompt, size_t prompt_len, const inf_gen_params *,
                                  inf_gen_result *, inf_error *err);
  /* [ts][cb] the same with the model's template; msg_count >= 1. An assistant message in last place is continued. Where
   * tools, thinking (0 too) or a thinking budget are given, or messages with tool calls or results, thoughts and calls are
   * told from the text by the template's own markers. Then
   * - a chunk may be several tokens with id -1, and so a backend may answer what needs single tokens (min_tokens,
   *   stop_tokens, suppress_tokens, LOGPROBS) with UNSUPPORTED, and json_schema and grammar beside tools, grammar beside
   *   thinking; json_schema is for the answer behind the thought;
   * - it may refuse text of special tokens in messages, calls and tools, UNSUPPORTED ("chat_special_text");
   * - stop strings are looked for in the answer, not in thoughts and calls;
   * - a call that max_tokens or the context cuts is not delivered; with tool_choice "none" no call is looked for;
   * - output that the markers do not fit is BAD_OUTPUT. */
  inf_status (INF_CALL *chat)(inf_model *, const inf_message *const *msgs, size_t msg_count, const inf_gen_params *,
                              inf_gen_result *, inf_error *err);
  /* [ts][cb] Go Err(): status of the generate/chat on this model that finished last, INF_OK if none; *out (may be
   * NULL) always gets its code and text. Under concurrency that is anybody's: prefer what the call returned. */
  inf_status (INF_CALL *err)(inf_model *, inf_error *out);
  /* Once per model, not from its own callbacks. Calls in flight end with CLOSED and close() waits for them to leave, so
   * a callback that never returns blocks it; the host begins no call on the model once close() has begun.
   * Whatever it returns, the handle is gone and all it held is freed. */
  inf_status (INF_CALL *close)(inf_model *, inf_error *err);
  /* [ts][cb] static extension table or NULL (unknown, or not with this model). model NULL: what works without one;
   * instance NULL too: what is known before create(), as inf.options/1 is.
   * Ids "inf.name/REV" and "com.vendor.name/REV", compared whole. Every table begins with uint32_t struct_size. */
  const void *(INF_CALL *get_extension)(inf_instance *, const inf_backend *self, inf_model *model, const char *id);
};

/* ---- plugin descriptor and entry ---------------------------------------------------------------------------- */
typedef struct inf_plugin {           /* table, static and constant                                                 */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  uint32_t    abi_minor;              /* INF_ABI_MINOR of this header                                               */
  uint32_t    min_host_minor;         /* a host below it does not call create(); 0 unless a host service added in
                                         a minor is indispensable. NOT INF_ABI_MINOR                                */
  const char *id;                     /* reverse DNS, unique: "org.example.rocm"                                    */
  const char *version;                /* semver                                                                     */
  const char *vendor;
  const char *license;                /* SPDX                                                                       */
  const inf_backend *const *backends; size_t backend_count;     /* >= 1, names differ                               */
  /* [ts] any number of instances, each with its own host. No GPU, no child process yet. ABI. */
  inf_status (INF_CALL *create)(const inf_host *, inf_instance **out, inf_error *err);
  /* [excl] all models closed. Threads joined, children reaped, host not touched after return. NULL is allowed.
   * A host calls it before its language runtime ends (Python: not from a finalizer of the interpreter). */
  void       (INF_CALL *destroy)(inf_instance *);
} inf_plugin;

/* The only exported symbol. [pure][ts] the same static pointer each time, never NULL: no thread, environment, file, GPU,
 * allocation. What can fail fails in create(). */
INF_EXPORT const inf_plugin *INF_CALL inf_plugin_entry_v1(void);
typedef const inf_plugin *(INF_CALL *inf_plugin_entry_fn)(void);

/* ---- helpers; authors in other languages write the same few lines -------------------------------------------
 * inf_fail: fill *err (of any age, may be NULL) with a status, a reason and one line of text; returns the status.
 * inf_read_request: copy a request of any age into our own struct of `known` bytes. `min` is its v1.0 size, T##_V1_0.
 *   Bits outside the masks, or non-zero bytes we have no field for, are UNSUPPORTED. Pass the bits you IMPLEMENT.
 *   Structs without `set` (message, media): known_set = ~0ull. Always read; never use a host's struct directly.
 * inf_gen_check: after that, are all fields that were given, in both groups, among those this model implements
 *   (its gen_fields)? If not, *bad (may be NULL) gets their bits, for the message.
 * inf_write_struct: copy a report into the caller's struct of any age; fields we do not know become 0. */
static inline inf_status inf_read_request(void *dst, size_t known, const void *src, size_t min,
                                          uint32_t known_flags, uint64_t known_set) {
  const unsigned char *s = (const unsigned char *)src;
  uint32_t n, flags;
  uint64_t set;
  memset(dst, 0, known);
  if (!src) return INF_E_INVALID;
  memcpy(&n, s, sizeof n);
  if (n < min || n > INF_STRUCT_MAX) return INF_E_INVALID;
  memcpy(&flags, s + 4, sizeof flags);
  memcpy(&set, s + 8, sizeof set);
  if ((flags & ~known_flags) || (set & ~known_set)) return INF_E_UNSUPPORTED;
  for (size_t i = known; i < n; i++)
    if (s[i]) return INF_E_UNSUPPORTED;
  memcpy(dst, src, n < known ? n : known);
  return INF_OK;
}
#define INF_NONZERO(x) (!((x) >= 0.0f && (x) <= 0.0f))      /* NaN is non-zero */
static inline inf_status inf_gen_check(const inf_gen_params *p, uint64_t implemented, uint64_t *bad) {
  uint64_t zero_is_value = 0, given = p->set, b;
  if (INF_NONZERO(p->temperature))        zero_is_value |= INF_GEN_SET_TEMPERATURE;
  if (p->top_k)                           zero_is_value |= INF_GEN_SET_TOP_K;
  if (INF_NONZERO(p->top_p))              zero_is_value |= INF_GEN_SET_TOP_P;
  if (INF_NONZERO(p->min_p))              zero_is_value |= INF_GEN_SET_MIN_P;
  if (p->seed)                            zero_is_value |= INF_GEN_SET_SEED;
  if (INF_NONZERO(p->repeat_penalty))     zero_is_value |= INF_GEN_SET_REPEAT_PENALTY;
  if (INF_NONZERO(p->frequency_penalty))  zero_is_value |= INF_GEN_SET_FREQUENCY_PENALTY;
  if (INF_NONZERO(p->presence_penalty))   zero_is_value |= INF_GEN_SET_PRESENCE_PENALTY;
  if (p->thinking)                        zero_is_value |= INF_GEN_SET_THINKING;
  if (p->max_tokens)           given |= INF_GEN_SET_MAX_TOKENS;
  if (p->min_tokens)           given |= INF_GEN_SET_MIN_TOKENS;
  if (p->thinking_budget)      given |= INF_GEN_SET_THINKING_BUDGET;
  if (p->stop_token_count)     given |= INF_GEN_SET_STOP_TOKENS;
  if (p->suppress_token_count) given |= INF_GEN_SET_SUPPRESS_TOKENS;
  if (p->stop_string_count)    given |= INF_GEN_SET_STOP_STRINGS;
  if (p->json_schema)          given |= INF_GEN_SET_JSON_SCHEMA;
  if (p->grammar)              given |= INF_GEN_SET_GRAMMAR;
  if (p->tools)                given |= INF_GEN_SET_TOOLS;
  b = zero_is_value & ~p->set;                  /* forgotten bits */
  if (bad) *bad = b ? b : given & ~implemented;
  if (b || p->reserved0 || (p->json_schema && p->grammar) || (p->tool_choice && !p->tools)) return INF_E_INVALID;
  return (given & ~implemented) ? INF_E_UNSUPPORTED : INF_OK;
}
#if defined(__GNUC__)                   /* where the size of dst is known, the loop that never runs draws false warnings */
# pragma GCC diagnostic push
# pragma GCC diagnostic ignored "-Warray-bounds"
#endif
static inline void inf_write_struct(void *dst, const void *src, size_t known) {
  uint32_t n;
  if (!dst) return;
  memcpy(&n, dst, sizeof n);
  if (n <= 4 || n > INF_STRUCT_MAX) return;
  memcpy((unsigned char *)dst + 4, (const unsigned char *)src + 4, (n < known ? n : known) - 4);
  for (size_t i = known; i < n; i++) ((volatile unsigned char *)dst)[i] = 0;   /* memset() draws one more */
}
#if defined(__GNUC__)
# pragma GCC diagnostic pop
#endif
/* What is not UTF-8 in text becomes '?', in place: words of a program or bytes of a path may be anything. */
static inline void inf_utf8_fix(char *text) {
  unsigned char *p = (unsigned char *)text;
  while (*p) {
    unsigned c = *p, low = 0x80, high = 0xbf, n = 0, i;
    if (c < 0x80) { p++; continue; }
    if (c >= 0xc2 && c <= 0xdf) n = 1;
    else if (c >= 0xe0 && c <= 0xef) { n = 2; if (c == 0xe0) low = 0xa0; if (c == 0xed) high = 0x9f; }
    else if (c >= 0xf0 && c <= 0xf4) { n = 3; if (c == 0xf0) low = 0x90; if (c == 0xf4) high = 0x8f; }
    for (i = 1; i <= n && p[i] >= low && p[i] <= high; i++) { low = 0x80; high = 0xbf; }
    if (!n || i <= n) *p++ = '?';
    else p += n + 1;
  }
}
#if defined(__GNUC__)
__attribute__((format(printf, 4, 0)))
#endif
static inline inf_status inf_vfail(inf_error *err, inf_status code, const char *reason, const char *fmt, va_list ap) {
  inf_error e;
  size_t len;
  int n;
  if (!err) return code;
  memset(&e, 0, sizeof e);
  e.code = code;
  snprintf(e.reason, sizeof e.reason, "%s", reason ? reason : "");
  n = vsnprintf(e.message, sizeof e.message, fmt, ap);
  len = strlen(e.message);
  if (n > 0 && (size_t)n > len) {                        /* cut: not inside a code point */
    while (len && ((unsigned char)e.message[len - 1] & 0xc0) == 0x80) len--;
    if (len && ((unsigned char)e.message[len - 1] & 0x80)) len--;
    e.message[len] = 0;
  }
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)e.message[i] < 0x20) e.message[i] = ' ';    /* one line */
  inf_utf8_fix(e.message);
  inf_write_struct(err, &e, sizeof e);
  return code;
}
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static inline inf_status inf_fail(inf_error *err, inf_status code, const char *reason, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  inf_vfail(err, code, reason, fmt, ap);
  va_end(ap);
  return code;
}

/* ---- scan record: `readelf -n`, lets a host know the file without executing it. A plugin SHOULD have one, once, at file
 * scope: INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.rocm;backends=rocm"); at most 127 bytes. */
#if defined(__ELF__)
# define INF_PLUGIN_NOTE(text) \
   INF_SA(sizeof(text) <= 128, "INF_PLUGIN_NOTE: more than 127 bytes"); \
   __attribute__((used, section(".note.inf"), aligned(4))) \
   static const struct { uint32_t nsz, dsz, kind; char n[4]; char d[128]; } inf_note_ = { 4, 128, 1, "INF", text }
#else
# define INF_PLUGIN_NOTE(text) INF_SA(sizeof(text) <= 128, "INF_PLUGIN_NOTE: more than 127 bytes")
#endif

/* ---- layout lock -------------------------------------------------------------------------------------------
 * Offsets of every field (also for authors of FFI mirrors), end of v1.0, no tail padding. T##_V1_0 is frozen; a minor
 * adds INF_AT lines and moves INF_END's last field. A change of type or signature at equal size is not seen here:
 * tests/abi compares those. The macros serve the other headers too. */
#define INF_AT(T, f, off) INF_SA(offsetof(T, f) == (off), #T "." #f " moved")
#define INF_V1_0(T, size) enum { T##_V1_0 = (size) }; INF_SA(sizeof(T) >= (size), #T " shrank")
#define INF_END(T, last)  INF_SA(sizeof(T) == offsetof(T, last) + sizeof(((T *)0)->last), #T " has tail padding")
INF_V1_0(inf_error, 512);           INF_END(inf_error, message);
INF_AT(inf_error, code, 4);         INF_AT(inf_error, os_errno, 8);       INF_AT(inf_error, flags, 12);
INF_AT(inf_error, reason, 16);      INF_AT(inf_error, message, 48);
INF_SA(sizeof(inf_kv) == 16, "inf_kv is frozen"); INF_AT(inf_kv, value, 8);
INF_V1_0(inf_host, 72);             INF_END(inf_host, get_extension);
INF_AT(inf_host, flags, 4);         INF_AT(inf_host, abi_minor, 8);       INF_AT(inf_host, log_level, 12);
INF_AT(inf_host, ctx, 16);          INF_AT(inf_host, name, 24);           INF_AT(inf_host, version, 32);
INF_AT(inf_host, options, 40);      INF_AT(inf_host, option_count, 48);   INF_AT(inf_host, log, 56);
INF_AT(inf_host, get_extension, 64);
INF_V1_0(inf_availability, 248);    INF_END(inf_availability, message);
INF_AT(inf_availability, score, 4); INF_AT(inf_availability, reason, 8);
INF_AT(inf_availability, message, 40);
INF_V1_0(inf_progress, 24);         INF_END(inf_progress, note);
INF_AT(inf_progress, flags, 4);     INF_AT(inf_progress, stage, 8);       INF_AT(inf_progress, fraction, 12);
INF_AT(inf_progress, note, 16);
INF_V1_0(inf_load_params, 96);      INF_END(inf_load_params, on_progress);
INF_AT(inf_load_params, flags, 4);  INF_AT(inf_load_params, set, 8);      INF_AT(inf_load_params, path, 16);
INF_AT(inf_load_params, adapter_path, 24);    INF_AT(inf_load_params, cache_mode, 32);
INF_AT(inf_load_params, devices, 40);         INF_AT(inf_load_params, context_len, 48);
INF_AT(inf_load_params, gpu_layers, 52);      INF_AT(inf_load_params, parallel_slots, 56);
INF_AT(inf_load_params, reserved0, 60);       INF_AT(inf_load_params, options, 64);
INF_AT(inf_load_params, option_count, 72);    INF_AT(inf_load_params, user, 80);
INF_AT(inf_load_params, on_progress, 88);
INF_V1_0(inf_model_info, 384);      INF_END(inf_model_info, devices);
INF_AT(inf_model_info, flags, 4);             INF_AT(inf_model_info, gen_fields, 8);
INF_AT(inf_model_info, gen_flags, 16);        INF_AT(inf_model_info, context_len, 20);
INF_AT(inf_model_info, context_train, 24);    INF_AT(inf_model_info, parallel_slots, 28);
INF_AT(inf_model_info, vocab_size, 32);       INF_AT(inf_model_info, num_layers, 36);
INF_AT(inf_model_info, hidden_size, 40);      INF_AT(inf_model_info, quant_bits, 44);
INF_AT(inf_model_info, quant_group, 48);      INF_AT(inf_model_info, gpu_layers, 52);
INF_AT(inf_model_info, device_memory_bytes, 56);
INF_AT(inf_model_info, model_type, 64);       INF_AT(inf_model_info, name, 128);
INF_AT(inf_model_info, devices, 256);
INF_V1_0(inf_token, 40);            INF_END(inf_token, reserved0);
INF_AT(inf_token, flags, 4);        INF_AT(inf_token, id, 8);             INF_AT(inf_token, count, 12);
INF_AT(inf_token, text, 16);        INF_AT(inf_token, text_len, 24);      INF_AT(inf_token, logprob, 32);
INF_AT(inf_token, reserved0, 36);
INF_V1_0(inf_media, 32);            INF_END(inf_media, size);
INF_AT(inf_media, flags, 4);        INF_AT(inf_media, kind, 8);           INF_AT(inf_media, reserved0, 12);
INF_AT(inf_media, data, 16);        INF_AT(inf_media, size, 24);
INF_V1_0(inf_message, 64);          INF_END(inf_message, tool_call_id);
INF_AT(inf_message, flags, 4);      INF_AT(inf_message, role, 8);         INF_AT(inf_message, content, 16);
INF_AT(inf_message, content_len, 24);         INF_AT(inf_message, media, 32);
INF_AT(inf_message, media_count, 40);         INF_AT(inf_message, tool_calls, 48);
INF_AT(inf_message, tool_call_id, 56);
INF_V1_0(inf_gen_params, 200);      INF_END(inf_gen_params, tool_choice);
INF_AT(inf_gen_params, flags, 4);   INF_AT(inf_gen_params, set, 8);       INF_AT(inf_gen_params, seed, 16);
INF_AT(inf_gen_params, max_tokens, 24);       INF_AT(inf_gen_params, min_tokens, 28);
INF_AT(inf_gen_params, temperature, 32);      INF_AT(inf_gen_params, top_k, 36);
INF_AT(inf_gen_params, top_p, 40);            INF_AT(inf_gen_params, min_p, 44);
INF_AT(inf_gen_params, repeat_penalty, 48);   INF_AT(inf_gen_params, frequency_penalty, 52);
INF_AT(inf_gen_params, presence_penalty, 56); INF_AT(inf_gen_params, thinking, 60);
INF_AT(inf_gen_params, thinking_budget, 64);  INF_AT(inf_gen_params, reserved0, 68);
INF_AT(inf_gen_params, stop_tokens, 72);      INF_AT(inf_gen_params, stop_token_count, 80);
INF_AT(inf_gen_params, suppress_tokens, 88);  INF_AT(inf_gen_params, suppress_token_count, 96);
INF_AT(inf_gen_params, stop_strings, 104);    INF_AT(inf_gen_params, stop_string_count, 112);
INF_AT(inf_gen_params, json_schema, 120);     INF_AT(inf_gen_params, grammar, 128);
INF_AT(inf_gen_params, request_id, 136);      INF_AT(inf_gen_params, options, 144);
INF_AT(inf_gen_params, option_count, 152);    INF_AT(inf_gen_params, user, 160);
INF_AT(inf_gen_params, on_token, 168);        INF_AT(inf_gen_params, on_poll, 176);
INF_AT(inf_gen_params, tools, 184);           INF_AT(inf_gen_params, tool_choice, 192);
INF_V1_0(inf_gen_result, 128);      INF_END(inf_gen_result, accepted_tokens);
INF_AT(inf_gen_result, flags, 4);   INF_AT(inf_gen_result, finish, 8);    INF_AT(inf_gen_result, stop_index, 12);
INF_AT(inf_gen_result, seed, 16);             INF_AT(inf_gen_result, prompt_tokens, 24);
INF_AT(inf_gen_result, cached_tokens, 32);    INF_AT(inf_gen_result, generated_tokens, 40);
INF_AT(inf_gen_result, reasoning_tokens, 48); INF_AT(inf_gen_result, queue_ns, 56);
INF_AT(inf_gen_result, prefill_ns, 64);       INF_AT(inf_gen_result, decode_ns, 72);
INF_AT(inf_gen_result, total_ns, 80);         INF_AT(inf_gen_result, peak_memory_bytes, 88);
INF_AT(inf_gen_result, active_memory_bytes, 96);
INF_AT(inf_gen_result, tool_call_count, 104); INF_AT(inf_gen_result, slot, 108);
INF_AT(inf_gen_result, drafted_tokens, 112);  INF_AT(inf_gen_result, accepted_tokens, 120);
INF_V1_0(inf_backend, 88);          INF_END(inf_backend, get_extension);
INF_AT(inf_backend, flags, 4);      INF_AT(inf_backend, name, 8);         INF_AT(inf_backend, description, 16);
INF_AT(inf_backend, available, 24); INF_AT(inf_backend, load, 32);        INF_AT(inf_backend, info, 40);
INF_AT(inf_backend, generate, 48);  INF_AT(inf_backend, chat, 56);        INF_AT(inf_backend, err, 64);
INF_AT(inf_backend, close, 72);     INF_AT(inf_backend, get_extension, 80);
INF_V1_0(inf_plugin, 80);           INF_END(inf_plugin, destroy);
INF_AT(inf_plugin, flags, 4);       INF_AT(inf_plugin, abi_minor, 8);     INF_AT(inf_plugin, min_host_minor, 12);
INF_AT(inf_plugin, id, 16);         INF_AT(inf_plugin, version, 24);      INF_AT(inf_plugin, vendor, 32);
INF_AT(inf_plugin, license, 40);    INF_AT(inf_plugin, backends, 48);     INF_AT(inf_plugin, backend_count, 56);
INF_AT(inf_plugin, create, 64);     INF_AT(inf_plugin, destroy, 72);
#undef INF_NONZERO
#ifdef __cplusplus
}
#endif
#endif
