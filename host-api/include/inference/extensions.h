/* SPDX-License-Identifier: MIT */
/*
 * inference/extensions.h - standard extension tables of the ABI in plugin.h.
 *
 * A backend offers an extension by answering its id in get_extension() with a static table. Each table is versioned by
 * its id and by struct_size, so this file grows without touching plugin.h. A host treats every extension as optional.
 * Tags, ownership and threads as in plugin.h.
 */
#ifndef INF_EXTENSIONS_H
#define INF_EXTENSIONS_H
#include "inference/plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- inf.options/1: which options exist -----------------------------------------------------------------------
 * get_extension(NULL, backend, NULL, INF_EXT_OPTIONS): known before create(), so that a host can route a user's
 * key=value to the right call and name near matches for one that nobody knows. */
#define INF_EXT_OPTIONS "inf.options/1"

#define INF_OPTION_AT_INSTANCE 1u     /* inf_host.options                                                           */
#define INF_OPTION_AT_LOAD     2u     /* inf_load_params.options                                                    */
#define INF_OPTION_AT_REQUEST  4u     /* inf_gen_params.options                                                     */

#define INF_OPTION_TEXT 0             /* any text; a path where the key says so                                     */
#define INF_OPTION_BOOL 1             /* "true" or "false"                                                          */
#define INF_OPTION_INT  2             /* decimal integer                                                            */
#define INF_OPTION_REAL 3             /* number, '.' as decimal point                                               */
#define INF_OPTION_ENUM 4             /* one of `values`                                                            */

typedef struct inf_option {           /* table, static; arrays of options are arrays of POINTERS                    */
  uint32_t    struct_size;
  uint32_t    where;                  /* INF_OPTION_AT_*                                                            */
  const char *key;
  const char *values;                 /* ENUM: "a|b|c"; INT, REAL: "MIN..MAX"; else ""                              */
  const char *default_value;          /* as text; "" = none                                                         */
  const char *help;                   /* one line                                                                   */
  int32_t     type;                   /* INF_OPTION_*                                                               */
  uint32_t    reserved0;
} inf_option;

typedef struct inf_options {          /* table, static                                                              */
  uint32_t    struct_size;
  uint32_t    count;
  const inf_option *const *options;   /* in the order a help page would show them                                   */
} inf_options;

/* ---- inf.devices/1: which devices a backend could use ----------------------------------------------------------
 * get_extension(instance, backend, NULL, INF_EXT_DEVICES): works before any load. */
#define INF_EXT_DEVICES "inf.devices/1"

#define INF_DEVICE_DISCRETE   1       /* a card with memory of its own                                              */
#define INF_DEVICE_INTEGRATED 2       /* shares the host's memory                                                   */
#define INF_DEVICE_PARTITION  3       /* a part of a card                                                           */
#define INF_DEVICE_CPU        4       /* the host's processor, or a device simulated on it                          */

#define INF_DEVICE_FLAG_SELECTED 1u   /* a load that names no device would use it                                   */
#define INF_DEVICE_FLAG_TOTAL    2u   /* memory_total is known                                                      */
#define INF_DEVICE_FLAG_USED     4u   /* memory_used and memory_free are known                                      */
#define INF_DEVICE_FLAG_BEFORE   8u   /* memory_used_before is known                                                */
typedef struct inf_device {           /* report                                                                     */
  uint32_t struct_size;
  uint32_t flags;                     /* INF_DEVICE_FLAG_*                                                          */
  int32_t  index;                     /* position in the list; what the backend's device option takes               */
  int32_t  kind;                      /* INF_DEVICE_*; 0 = not known                                                */
  uint64_t memory_total;              /* bytes; of the host's memory what the device may use                        */
  uint64_t memory_used;               /* by everybody                                                               */
  uint64_t memory_free;
  char     name[32];                  /* the program's own name for it: "ROCm0", "Vulkan0"; "" = not known          */
  char     product[96];
  char     gfx[16];                   /* AMD: "gfx1101"; else ""                                                    */
  char     uuid[40];                  /* "GPU-880ed6479d653a85"; "" = it has none                                   */
  char     pci[16];                   /* "0000:03:00.0"; "" = not a PCI device                                      */
  char     memory_source[32];         /* where total/used come from: "vram/vram", "bank/gtt", "llama-server"        */
  char     reason[32];                /* machine code why it would not be selected; "" if it would                  */
  char     message[208];              /* the same as a sentence                                                     */
  uint64_t memory_used_before;        /* of_model(): by everybody, just before the model was loaded                 */
} inf_device;

typedef struct inf_devices {          /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* [ts] Calls on_device for each device in order of index, on this thread; anything but INF_CONTINUE ends the list
   * with INF_OK. Same limits of time as available(). UNAVAILABLE: none, and why. */
  inf_status (INF_CALL *list)(inf_instance *, const inf_backend *self, void *user,
                              int32_t (INF_CALL *on_device)(void *user, const inf_device *device), inf_error *err);
  /* [ts] The same for the devices of this machine that were chosen for a loaded model, with their memory as it is now.
   * UNAVAILABLE: it runs on the CPU. inf_model_info.devices also names those of other machines. */
  inf_status (INF_CALL *of_model)(inf_model *, void *user,
                                  int32_t (INF_CALL *on_device)(void *user, const inf_device *device), inf_error *err);
} inf_devices;

/* ---- inf.models/1: which models are there, and what a file holds -----------------------------------------------
 * get_extension(instance, backend, NULL, INF_EXT_MODELS): after create(), whether or not the backend is available: nothing
 * is started and no device is touched. All functions are [ts] and block as long as the file system does. Paths are
 * absolute and the file system's own bytes. */
#define INF_EXT_MODELS "inf.models/1"

#define INF_MODEL_KIND_OTHER      0   /* unknown kinds of later minors: treat as this                               */
#define INF_MODEL_KIND_MODEL      1   /* generates text                                                             */
#define INF_MODEL_KIND_EMBEDDING  2   /* embeds or ranks text                                                       */
#define INF_MODEL_KIND_PROJECTOR  3   /* images or sound for another model                                          */
#define INF_MODEL_KIND_ADAPTER    4   /* for adapter_path of another model                                          */
#define INF_MODEL_KIND_VOCABULARY 5   /* no weights                                                                 */
#define INF_MODEL_KIND_DIRECTORY  6   /* of list() with INF_MODELS_FLAG_DIRECTORIES only                            */

#define INF_MODEL_FLAG_CHAT        1u /* flags of inf_model_file: has a chat template                               */
#define INF_MODEL_FLAG_RECURRENT   2u /* keeps a state of fixed size for some of its layers                         */

typedef struct inf_model_file {       /* report; 0 or "" = not known. Pointers die when the call or callback returns */
  uint32_t    struct_size;
  uint32_t    flags;                  /* INF_MODEL_FLAG_*                                                           */
  int32_t     kind;                   /* INF_MODEL_KIND_*                                                           */
  int32_t     code;                   /* INF_OK, else why the file cannot be used; then message and reason say more */
                                      /* and only path, name and modified are filled in                             */
  const char *path;                   /* to load it by; of the first part if it is split                            */
  int64_t     modified;               /* seconds since 1970                                                         */
  uint64_t    file_bytes;             /* of all parts                                                               */
  uint64_t    parameter_count;
  uint64_t    tensor_bytes;           /* of all tensors; of which:                                                  */
  uint64_t    embedding_bytes;        /*   looked up by token, never offloaded                                      */
  uint64_t    output_bytes;           /*   after the last layer                                                     */
  uint64_t    layer_bytes;            /*   in layers, experts included                                              */
  uint64_t    expert_bytes;
  uint64_t    device_bytes;           /* what a load with all layers on a device takes there, context_len tokens,   */
  uint64_t    host_bytes;             /* one slot and an f16 cache; and on the host besides                         */
  int32_t     context_len;            /* that device_bytes is for                                                   */
  int32_t     context_train;          /* tokens the model was trained for                                           */
  int32_t     num_layers, hidden_size, feed_forward_size, vocab_size;
  int32_t     head_count, head_count_kv, key_length, value_length;      /* the largest, where layers differ         */
  int32_t     sliding_window;         /* tokens that some of its layers attend to                                   */
  int32_t     expert_count, expert_used_count;
  int32_t     part_count;             /* files it is split into; 1 = none                                           */
  int32_t     file_type;              /* the format's own number, -1 = not known                                    */
  int32_t     version;                /* of the format                                                              */
  char        quantisation[16];       /* "Q4_K_M"                                                                   */
  char        size_label[32];         /* "8B"                                                                       */
  char        tokenizer[32];          /* "gpt2", "llama"                                                            */
  char        architecture[64];
  char        license[64];
  char        title[128];             /* what the file calls itself                                                 */
  char        name[256];              /* what resolve() knows it by: the file name without suffix and part          */
  char        repository[256];        /* "org/name" of the cache it lies in; "" = none                              */
  char        reason[32];             /* as in inf_error                                                            */
  char        message[464];
} inf_model_file;

#define INF_MODELS_FLAG_BROKEN 1u     /* flags of list(): also files that cannot be used and directories that cannot
                                         be read, with code, reason and message; at last, what ended a walk early   */
#define INF_MODELS_FLAG_DIRECTORIES 2u /* also each directory before it is read, of which only path and name are
                                         filled in: for hosts that show progress, and to stop where no model is     */

#define INF_FIT_FLAG_HEADLESS 1u      /* the device drives no display                                               */
#define INF_FIT_FLAG_SHORTER  2u      /* a context shorter than context_len will do                                 */
typedef struct inf_fit_request {      /* request                                                                    */
  uint32_t    struct_size;
  uint32_t    flags;                  /* INF_FIT_FLAG_*                                                             */
  uint64_t    set;                    /* INF_LOAD_SET_GPU_LAYERS                                                    */
  uint64_t    memory_free;            /* bytes of the device                                                        */
  const char *cache_mode;             /* as in inf_load_params                                                      */
  int32_t     device_kind;            /* INF_DEVICE_*; 0 = as a card                                                */
  int32_t     context_len;            /* tokens per slot; 0 = what the model was trained for, at most 4096          */
  int32_t     gpu_layers;             /* without its bit: as many as fit; with it: these and no fewer; -1 all       */
  int32_t     parallel_slots;         /* 0 = 1                                                                      */
} inf_fit_request;

#define INF_FIT_LIMIT_NONE    0       /* all that was wanted fits                                                   */
#define INF_FIT_LIMIT_CONTEXT 1       /* the context is shorter                                                     */
#define INF_FIT_LIMIT_LAYERS  2       /* the CPU gets some of the layers, or all                                    */
typedef struct inf_fit_report {       /* report; bytes                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  int32_t  context_len;               /* tokens per slot                                                            */
  int32_t  gpu_layers;                /* on the device, of:                                                         */
  int32_t  layer_count;               /* those that repeat, and the output                                          */
  int32_t  limit;                     /* INF_FIT_LIMIT_*                                                            */
  uint64_t weights;                   /* on the device, as are:                                                     */
  uint64_t kv_cache;
  uint64_t compute;                   /*   what the graph is computed in                                            */
  uint64_t reserve;                   /*   the runtime, alignment, and a margin that stays free                     */
  uint64_t total;                     /*   the sum of these; 0 if nothing is put there                              */
  uint64_t host_bytes;                /* besides, in the host's memory                                              */
} inf_fit_report;

typedef struct inf_models {           /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* What lies below dirs, each model once, in the order of names. dirs NULL or dir_count 0: the usual places, which are
   * $INF_MODELS, Hugging Face's cache and llama.cpp's. What is broken is left out or reported, never an error; a walk
   * has limits of depth, number and time, and on_file gets what was found before one. on_file returns INF_CONTINUE to go
   * on, anything else ends with INF_E_CANCELLED. Returns INF_OK, INVALID (a relative path), NO_MEMORY, CANCELLED. */
  inf_status (INF_CALL *list)(inf_instance *, const inf_backend *self, const char *const *dirs, size_t dir_count,
                              uint32_t flags, void *user,
                              int32_t (INF_CALL *on_file)(void *user, const inf_model_file *file), inf_error *err);
  /* One file in full, whatever its kind; any part of a split model stands for the whole. out->path is NULL: it is the
   * caller's. Returns what load() would say about the file alone. */
  inf_status (INF_CALL *inspect)(inf_instance *, const inf_backend *self, const char *path, inf_model_file *out,
                                 inf_error *err);
  /* The path to load for what a user wrote: an absolute path of a file or of a directory with one text model in it, or a
   * name, "qwen2.5-0.5b" or "qwen2.5-0.5b:q4_k_m", which has to fit one text model in dirs (as in list()). Where no text
   * model fits as well, one that embeds or ranks (KIND_EMBEDDING) counts. path gets it, with its NUL. Returns
   * NOT_FOUND, INVALID (more than one, the message lists them; or path_size is too small), or what is wrong with the only
   * file that fits. */
  inf_status (INF_CALL *resolve)(inf_instance *, const inf_backend *self, const char *wish, const char *const *dirs,
                                 size_t dir_count, char *path, size_t path_size, inf_error *err);
  /* What a load of this file would put on one device, and what it has to leave out; of a model that embeds or ranks, a load
   * for that. Computed, not tried. Returns NO_VRAM if what was wanted does not fit (the message says what would), BAD_MODEL
   * for a file that is no model, INVALID or UNSUPPORTED as load() does for the request, else as inspect(). */
  inf_status (INF_CALL *fit)(inf_instance *, const inf_backend *self, const char *path, const inf_fit_request *request,
                             inf_fit_report *out, inf_error *err);
} inf_models;

/* ---- inf.diagnose/1: what a backend finds on this machine, for people and bug reports --------------------------
 * get_extension(instance, backend, NULL, INF_EXT_DIAGNOSE): after create(), whether or not the backend is available. */
#define INF_EXT_DIAGNOSE "inf.diagnose/1"

#define INF_FINDING_FACT    0         /* as it should be, or of no consequence alone                                */
#define INF_FINDING_NOTE    1         /* worth a look: unusual, or a reason that this machine cannot change         */
#define INF_FINDING_PROBLEM 2         /* in the way; reason and remedy say more                                     */

typedef struct inf_finding {          /* report; pointers are never NULL and die when the callback returns          */
  uint32_t    struct_size;
  int32_t     severity;               /* INF_FINDING_*; unknown ones of later minors: a note                        */
  const char *section;                /* "verdict", "system", "process", "environment", "options", "driver", "gpu", */
                                      /* "server"; more may come. Those of one section follow each other            */
  const char *key;                    /* what it is about, unique within its section: "kernel", "/dev/kfd"          */
  const char *value;                  /* one line                                                                   */
  const char *reason;                 /* machine code, as in inf_error; "" for a fact                               */
  const char *remedy;                 /* what to do, one sentence; "" = nothing is known, or needed                 */
} inf_finding;

typedef struct inf_diagnose {         /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* [ts] Look at everything that decides whether the backend can work here, and call on_finding for each finding, on this
   * thread; anything but INF_CONTINUE ends it with INF_OK. The first finding is the verdict: section "verdict", key the
   * backend's name. Loads no model and starts nothing but short runs of a program that the backend depends on, which may
   * initialise the devices; blocks at most 10 s. Values of variables that look like secrets are left out; paths are
   * shown as they are. Returns INF_OK, INVALID, NO_MEMORY. */
  inf_status (INF_CALL *run)(inf_instance *, const inf_backend *self, void *user,
                             int32_t (INF_CALL *on_finding)(void *user, const inf_finding *finding), inf_error *err);
} inf_diagnose;

/* ---- what the extensions below share ---------------------------------------------------------------------------
 * All of them: get_extension(instance, backend, model, id). Their functions are [ts][cb], block unless said otherwise, and
 * besides the statuses they name return INVALID, NO_MEMORY, CANCELLED, CLOSED, BUSY, TIMEOUT, BACKEND_DIED and INTERNAL as
 * generate() does. What is [cb] with generate() is so with them: from a callback of the same model only with NO_WAIT. */
typedef struct inf_call_params {      /* request; where it may be NULL, that is all defaults                        */
  uint32_t    struct_size;
  uint32_t    flags;                  /* INF_GEN_FLAG_NO_WAIT                                                       */
  uint64_t    set;                    /* 0                                                                          */
  const char *request_id;             /* as in inf_gen_params                                                       */
  void       *user;
  int32_t   (INF_CALL *on_poll)(void *user);    /* as in inf_gen_params                                             */
} inf_call_params;

typedef struct inf_text {             /* frozen, never grows                                                        */
  const char *data;                   /* UTF-8, not NUL-terminated; NULL if len is 0                                */
  size_t      len;                    /* bytes                                                                      */
} inf_text;

typedef struct inf_input {            /* request: a prompt or a conversation; arrays of it are arrays of POINTERS   */
  uint32_t             struct_size;
  uint32_t             flags;         /* 0                                                                          */
  const char          *prompt;        /* as in generate(), or NULL for:                                             */
  size_t               prompt_len;
  const inf_message *const *msgs;     /* as in chat()                                                               */
  size_t               msg_count;
  const inf_gen_params *params;       /* of this input; NULL = those of the whole call                              */
} inf_input;

/* ---- inf.tokenize/1: text and token ids ------------------------------------------------------------------------
 * Two-call sizing as of snprintf(): *count (*len) gets what there is in full, up to cap of it is written, and INF_OK
 * means only that; ids (text) may be NULL if cap is 0. */
#define INF_EXT_TOKENIZE "inf.tokenize/1"

#define INF_TOKENIZE_FLAG_BOS     1u  /* with the beginning (and end) of sequence that the model wants              */
#define INF_TOKENIZE_FLAG_SPECIAL 2u  /* text of control tokens becomes these; detokenize(): they become text       */
typedef struct inf_tokenize {         /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* At most 16 MiB of text. No slot is needed. UNSUPPORTED: a flag that is not known here. */
  inf_status (INF_CALL *tokenize)(inf_model *, const char *text, size_t text_len, uint32_t flags,
                                  const inf_call_params *, int32_t *ids, size_t cap, size_t *count, inf_error *err);
  /* The texts of the tokens one after another, as generate() would deliver them: what a tokenizer puts in front of every
   * text (a blank, with SentencePiece) is a part of it, what it leaves out (the case of letters, blanks before a mark, with
   * WordPiece) does not come back. Control tokens have no text without SPECIAL. text gets no NUL. Bytes that are no whole
   * character become U+FFFD. INVALID: an id outside the vocabulary. At most 2^24 ids. */
  inf_status (INF_CALL *detokenize)(inf_model *, const int32_t *ids, size_t id_count, uint32_t flags,
                                    const inf_call_params *, char *text, size_t cap, size_t *len, inf_error *err);
  /* The tokens of the prompt that chat() or generate() would make of the input (its params count where they change the
   * prompt: tools, thinking). Nothing is evaluated. */
  inf_status (INF_CALL *count)(inf_model *, const inf_input *input, const inf_call_params *, size_t *count,
                               inf_error *err);
} inf_tokenize;

/* ---- inf.classify/1: the next token, and nothing after it (Go Classify) ------------------------------------------ */
#define INF_EXT_CLASSIFY "inf.classify/1"

typedef struct inf_token_score {      /* frozen, never grows                                                        */
  int32_t id;
  float   logprob;                    /* natural log                                                                */
} inf_token_score;

#define INF_CLASSIFY_FLAG_VOCABULARY 1u   /* logprobs of the whole vocabulary                                       */
typedef struct inf_class inf_class;
typedef struct inf_classify_params {  /* request                                                                    */
  uint32_t              struct_size;
  uint32_t              flags;        /* INF_CLASSIFY_FLAG_*                                                        */
  uint64_t              set;          /* 0                                                                          */
  /* How the token is sampled; inputs with params of their own: those. NULL = all defaults. max_tokens, min_tokens, stops,
   * tools, thinking, json_schema and grammar have no meaning here: INVALID. on_token, on_poll, user, request_id and
   * NO_WAIT of them are not used. With candidates a backend may answer a repeat_penalty with UNSUPPORTED. */
  const inf_gen_params *gen;
  const char           *request_id;
  /* NULL = any token. Else the token is one of these (ids, no id twice), and logprobs are of them in their order, as if
   * there were no others: their probabilities add up to 1. Not with VOCABULARY: INVALID. A second pass over the last
   * token may be needed. */
  const int32_t        *candidates;
  size_t                candidate_count;
  int32_t               top;          /* of the likeliest (candidates, if there are any) so many, 0..1000           */
  uint32_t              reserved0;
  void                 *user;
  /* Once for each input, in any order, on the thread of the call. Anything but INF_CONTINUE ends the call with CANCELLED,
   * and nothing more comes. */
  int32_t             (INF_CALL *on_class)(void *user, const inf_class *result);
  int32_t             (INF_CALL *on_poll)(void *user);          /* as in inf_gen_params; may be NULL                 */
} inf_classify_params;

struct inf_class {                    /* report; pointers die when the callback returns                             */
  uint32_t               struct_size;
  uint32_t               flags;       /* 0                                                                          */
  size_t                 index;       /* of the input                                                               */
  const inf_error       *error;       /* NULL = it went well; else nothing but index is filled in                   */
  int32_t                id;          /* the token sampled                                                          */
  float                  logprob;     /* of it. Any logprob: -INFINITY where float has no such probability          */
  const char            *text;        /* of it; bytes that are no whole character are U+FFFD; NUL-terminated; none  */
                                      /* of a control token                                                         */
  size_t                 text_len;
  const inf_token_score *top;         /* the likeliest first. These and all logprobs are of the model's             */
  size_t                 top_count;   /* distribution before temperature and other samplers                         */
  const float           *logprobs;    /* of the candidates, or by id of the vocabulary; NULL if not asked for. The   */
                                      /* vocabulary's take a backend behind a wire a hundred bytes for each token   */
  size_t                 logprob_count;
  const inf_gen_result  *result;      /* what it took                                                               */
};

typedef struct inf_classify {         /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* One forward pass for each input, spread over the slots. INF_OK also if some inputs failed, each alone; CLOSED ends the
   * whole. Not from a callback of the model. */
  inf_status (INF_CALL *run)(inf_model *, const inf_input *const *inputs, size_t count, const inf_classify_params *,
                             inf_error *err);
} inf_classify;

/* ---- inf.batch/1: many generations at once (Go BatchGenerate) ------------------------------------------------------ */
#define INF_EXT_BATCH "inf.batch/1"

typedef struct inf_batch_params {     /* request                                                                    */
  uint32_t              struct_size;
  uint32_t              flags;        /* 0                                                                          */
  uint64_t              set;          /* 0                                                                          */
  const inf_gen_params *gen;          /* for inputs without params; NULL = all defaults. Of all params of a batch,   */
                                      /* on_token, on_poll, user, request_id and NO_WAIT are not used, but those here */
  const char           *request_id;
  int32_t               parallel;     /* inputs in flight at once; 0 = as many as there are slots, and never more   */
  uint32_t              reserved0;
  void                 *user;
  /* All on the thread of the call, tokens and result of one input in order, those of several interleaved. May be NULL.
   * While one of them runs, other inputs go on until they have something to tell, and then wait.
   * on_token: anything but INF_CONTINUE ends that input (INF_FINISH_CALLER). */
  int32_t             (INF_CALL *on_token)(void *user, size_t index, const inf_token *token);
  /* Once for each input. error NULL = it went well. Anything but INF_CONTINUE ends the batch with CANCELLED. */
  int32_t             (INF_CALL *on_result)(void *user, size_t index, const inf_gen_result *result,
                                            const inf_error *error);
  /* As in inf_gen_params. After a stop of the batch nothing more is called, and what is in flight is cancelled. */
  int32_t             (INF_CALL *on_poll)(void *user);
} inf_batch_params;

typedef struct inf_batch {            /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Inputs are begun in order. INF_OK also if some failed, each alone with its own error; CLOSED ends the whole. With one
   * slot, and where the system gives no thread, one after the other on this thread. Not from a callback of the model. */
  inf_status (INF_CALL *run)(inf_model *, const inf_input *const *inputs, size_t count, const inf_batch_params *,
                             inf_error *err);
} inf_batch;

/* ---- inf.embed/1: text to vectors -------------------------------------------------------------------------------
 * Only with a model that was loaded for it (option task=embed). */
#define INF_EXT_EMBED "inf.embed/1"

#define INF_EMBED_FLAG_RAW      1u    /* as the model gives them; without: of Euclidean length 1                    */
#define INF_EMBED_FLAG_TRUNCATE 2u    /* a text longer than the context is cut at its end; without: CONTEXT_FULL    */
/* Text of control tokens is text. What the model wants before and after a text is added, also to one that is cut. */
typedef struct inf_embed {            /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Numbers in one vector. Does not block. */
  inf_status (INF_CALL *dimension)(inf_model *, int32_t *out, inf_error *err);
  /* texts: an array of count >= 1, each of 16 MiB at most. vectors: room for count * dimension floats, one vector after the
   * other in the order of the texts; a vector of zeros stays one. token_counts: NULL, or room for count: what was computed,
   * with the model's own marks. All or nothing: after a failure both arrays hold nothing of use; the message names the
   * text by its index. One slot is held until the last text is done. INVALID: also a text that has no tokens at all. */
  inf_status (INF_CALL *run)(inf_model *, const inf_text *texts, size_t count, uint32_t flags, const inf_call_params *,
                             float *vectors, int64_t *token_counts, inf_error *err);
} inf_embed;

/* ---- inf.rerank/1: how well documents answer a query ----------------------------------------------------------------
 * Only with a model that was loaded for it (option task=rerank). */
#define INF_EXT_RERANK "inf.rerank/1"

typedef struct inf_rerank {           /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* documents: an array of count >= 1; these and the query of 16 MiB at most each. scores: room for count, in the order of
   * the documents: what the model's head gives (higher is better, any scale). token_counts: NULL, or room for count: of
   * query and document together; 0 = not known. After a failure both arrays hold nothing of use. CONTEXT_FULL: query and a
   * document, which the message names, are longer than the context. One slot is held until the last document is done. */
  inf_status (INF_CALL *run)(inf_model *, const inf_text *query, const inf_text *documents, size_t count,
                             const inf_call_params *, float *scores, int64_t *token_counts, inf_error *err);
} inf_rerank;

/* ---- inf.lora/1: adapters of a loaded model -----------------------------------------------------------------------
 * Only with a model that was loaded with adapters: adapter_path, or the option adapters. */
#define INF_EXT_LORA "inf.lora/1"

typedef struct inf_adapter {          /* report                                                                     */
  uint32_t    struct_size;
  uint32_t    flags;                  /* 0                                                                          */
  const char *path;                   /* dies when the callback returns                                             */
  int32_t     index;                  /* in the order they were loaded                                              */
  float       scale;                  /* 0 = off, 1 = as trained                                                    */
} inf_adapter;

typedef struct inf_lora {             /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Calls on_adapter for each, on this thread; anything but INF_CONTINUE ends the list with INF_OK. Does not block. */
  inf_status (INF_CALL *list)(inf_model *, void *user,
                              int32_t (INF_CALL *on_adapter)(void *user, const inf_adapter *adapter), inf_error *err);
  /* For every request that begins afterwards, also after the server was started again. Waits until no request is in
   * flight. What was evaluated with other scales is not used. scale: finite. INVALID: index or scale. After a failure or
   * CANCELLED the scale is the old one. */
  inf_status (INF_CALL *set_scale)(inf_model *, int32_t index, float scale, const inf_call_params *, inf_error *err);
} inf_lora;

/* ---- inf.state/1: what a slot has evaluated, on disk ----------------------------------------------------------------
 * Only with a model that was loaded with the option state-dir, an absolute path of a directory of the user's own. Names are
 * of files in it: 1 to 200 bytes out of [A-Za-z0-9._-], not beginning with '.'. A file is for the same model, adapters and
 * their scales, cache_mode, context and version of the program behind the model only: it saves the time to evaluate a text
 * again, so keep the text. It holds the tokens of the conversation: keep it as private as that. result.slot tells which slot
 * a generation used, and the request option slot=N which one it shall use. */
#define INF_EXT_STATE "inf.state/1"

typedef struct inf_state_info {       /* report                                                                     */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  int64_t  tokens;                    /* evaluated ones that were saved or restored                                 */
  uint64_t bytes;                     /* of the file                                                                */
} inf_state_info;

typedef struct inf_state {            /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* slot: 0 to parallel_slots - 1; waits until it is idle, or until no request is in flight. out may be NULL. save() replaces
   * a file of that name, whole or not at all (but after a loss of power, when restore() will tell). INVALID ("slot_empty"):
   * the slot has evaluated nothing. IO: the disk is full. */
  inf_status (INF_CALL *save)(inf_model *, int32_t slot, const char *name, const inf_call_params *, inf_state_info *out,
                              inf_error *err);
  /* The next request on that slot that begins with the same tokens does not evaluate them again. NOT_FOUND; BAD_MODEL:
   * damaged, not a regular file, or saved from another model or with other parameters; what the slot held stays then. */
  inf_status (INF_CALL *restore)(inf_model *, int32_t slot, const char *name, const inf_call_params *,
                                 inf_state_info *out, inf_error *err);
  /* What slot `from` has evaluated, also in slot `to`. Through a file in the directory, which is removed. */
  inf_status (INF_CALL *fork)(inf_model *, int32_t from, int32_t to, const inf_call_params *, inf_state_info *out,
                              inf_error *err);
} inf_state;

/* ---- inf.cancel/1: from another thread -------------------------------------------------------------------------------- */
#define INF_EXT_CANCEL "inf.cancel/1"

typedef struct inf_cancel {           /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Every call in flight on the model that was given this request_id returns CANCELLED within 100 ms, as if its on_poll had
   * said stop. Does not block. NOT_FOUND: there is none (any more). */
  inf_status (INF_CALL *cancel)(inf_model *, const char *request_id, inf_error *err);
} inf_cancel;

/* ---- inf.stream/1: tokens by asking for them ----------------------------------------------------------------------------
 * For hosts with an event loop, and languages that are bad at callbacks. A stream is a generation on threads of the
 * backend's (all signals blocked). When 1 MiB of its tokens waits to be fetched, or one that is larger, it stands still, with
 * its slot. */
#define INF_EXT_STREAM "inf.stream/1"

typedef struct inf_stream inf_stream;
#define INF_STREAM_TOKEN   0          /* there was a token                                                          */
#define INF_STREAM_WAITING 1          /* not within the time                                                        */
#define INF_STREAM_END     2          /* the generation is over                                                     */

typedef struct inf_streams {          /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Begin. Everything the input and params point to is copied, but for user; input->params counts if params is NULL. on_token is
   * not used; on_poll is asked on threads of the backend's, also while the stream stands still, until the generation is over;
   * it closes no stream of the model.
   * What can be told at once (INVALID, UNSUPPORTED) may come here or as the end. Does not block. */
  inf_status (INF_CALL *open)(inf_model *, const inf_input *input, const inf_gen_params *params, inf_stream **out,
                              inf_error *err);
  /* One caller at a time. Waits timeout_ms at most; 0 = look, -1 = as long as it takes. *event gets INF_STREAM_*; *token, with
   * a token, stays until the next call on the stream. Returns INF_OK, and with INF_STREAM_END what generate() would have
   * returned, again each time. */
  inf_status (INF_CALL *next)(inf_stream *, int32_t timeout_ms, int32_t *event, const inf_token **token, inf_error *err);
  /* A descriptor that poll() calls readable while next() would not wait; the stream's own: do not read or close it. */
  int32_t    (INF_CALL *descriptor)(inf_stream *);
  /* The generation's result, all zero before its end. Does not block. */
  inf_status (INF_CALL *result)(inf_stream *, inf_gen_result *out, inf_error *err);
  /* From any thread, any time: the end comes soon, with CANCELLED. What waits comes before it, and a generation that is over
   * stays as it ended. Does not block. */
  void       (INF_CALL *cancel)(inf_stream *);
  /* Once, nothing else on the stream during or after it. Cancels and waits for the thread. The model may be closed before
   * its streams: their end is then CLOSED. NULL is allowed. */
  void       (INF_CALL *close)(inf_stream *);
} inf_streams;

/* ---- inf.metrics/1: live counters ---------------------------------------------------------------------------------------- */
#define INF_EXT_METRICS "inf.metrics/1"

typedef struct inf_metrics_report {   /* report; since load(), unless it says now. 0 = none, or not known           */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  uint64_t requests;                  /* calls that had a slot, over or not                                         */
  uint64_t requests_failed;           /* of those that are over, the ones with another status than OK and CANCELLED */
  uint64_t requests_cancelled;        /* of those too: CANCELLED                                                    */
  uint64_t requests_refused;          /* BUSY: never had a slot                                                     */
  uint64_t prompt_tokens;             /* of requests that are over, as are the next three                           */
  uint64_t cached_tokens;
  uint64_t generated_tokens;
  uint64_t prefill_ns;                /* the sum over the requests                                                  */
  uint64_t decode_ns;
  int64_t  uptime_ns;                 /* of the program behind the model that runs now                              */
  uint64_t host_memory_bytes;         /* now: resident in memory, of that program                                   */
  uint64_t device_memory_bytes;       /* as in inf_model_info                                                       */
  int32_t  slots;
  int32_t  slots_busy;                /* now                                                                        */
  int32_t  queue_depth;               /* now: calls that wait for a slot                                            */
  int32_t  restarts;                  /* of that program                                                            */
  int32_t  running;                   /* now: 1 if the program runs                                                 */
  uint32_t reserved0;
} inf_metrics_report;

typedef struct inf_metrics {          /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* Does not block, and wakes no server that sleeps. */
  inf_status (INF_CALL *read)(inf_model *, inf_metrics_report *out, inf_error *err);
} inf_metrics;

/* ---- layout lock, as in plugin.h ----------------------------------------------------------------------------- */
INF_V1_0(inf_option, 48);           INF_END(inf_option, reserved0);
INF_AT(inf_option, where, 4); INF_AT(inf_option, key, 8); INF_AT(inf_option, values, 16);
INF_AT(inf_option, default_value, 24); INF_AT(inf_option, help, 32); INF_AT(inf_option, type, 40);
INF_AT(inf_option, reserved0, 44);
INF_V1_0(inf_options, 16);          INF_END(inf_options, options);
INF_AT(inf_options, count, 4); INF_AT(inf_options, options, 8);
INF_V1_0(inf_device, 520);          INF_END(inf_device, memory_used_before);
INF_AT(inf_device, flags, 4); INF_AT(inf_device, index, 8); INF_AT(inf_device, kind, 12);
INF_AT(inf_device, memory_total, 16); INF_AT(inf_device, memory_used, 24); INF_AT(inf_device, memory_free, 32);
INF_AT(inf_device, name, 40); INF_AT(inf_device, product, 72); INF_AT(inf_device, gfx, 168);
INF_AT(inf_device, uuid, 184); INF_AT(inf_device, pci, 224); INF_AT(inf_device, memory_source, 240);
INF_AT(inf_device, reason, 272); INF_AT(inf_device, message, 304); INF_AT(inf_device, memory_used_before, 512);
INF_V1_0(inf_devices, 24);          INF_END(inf_devices, of_model);
INF_AT(inf_devices, flags, 4); INF_AT(inf_devices, list, 8); INF_AT(inf_devices, of_model, 16);
INF_V1_0(inf_model_file, 1512);     INF_END(inf_model_file, message);
INF_AT(inf_model_file, flags, 4); INF_AT(inf_model_file, kind, 8); INF_AT(inf_model_file, code, 12);
INF_AT(inf_model_file, path, 16); INF_AT(inf_model_file, modified, 24); INF_AT(inf_model_file, file_bytes, 32);
INF_AT(inf_model_file, parameter_count, 40); INF_AT(inf_model_file, tensor_bytes, 48);
INF_AT(inf_model_file, embedding_bytes, 56); INF_AT(inf_model_file, output_bytes, 64);
INF_AT(inf_model_file, layer_bytes, 72); INF_AT(inf_model_file, expert_bytes, 80);
INF_AT(inf_model_file, device_bytes, 88); INF_AT(inf_model_file, host_bytes, 96);
INF_AT(inf_model_file, context_len, 104); INF_AT(inf_model_file, context_train, 108);
INF_AT(inf_model_file, num_layers, 112); INF_AT(inf_model_file, hidden_size, 116);
INF_AT(inf_model_file, feed_forward_size, 120); INF_AT(inf_model_file, vocab_size, 124);
INF_AT(inf_model_file, head_count, 128); INF_AT(inf_model_file, head_count_kv, 132);
INF_AT(inf_model_file, key_length, 136); INF_AT(inf_model_file, value_length, 140);
INF_AT(inf_model_file, sliding_window, 144); INF_AT(inf_model_file, expert_count, 148);
INF_AT(inf_model_file, expert_used_count, 152); INF_AT(inf_model_file, part_count, 156);
INF_AT(inf_model_file, file_type, 160); INF_AT(inf_model_file, version, 164);
INF_AT(inf_model_file, quantisation, 168); INF_AT(inf_model_file, size_label, 184);
INF_AT(inf_model_file, tokenizer, 216); INF_AT(inf_model_file, architecture, 248);
INF_AT(inf_model_file, license, 312); INF_AT(inf_model_file, title, 376); INF_AT(inf_model_file, name, 504);
INF_AT(inf_model_file, repository, 760); INF_AT(inf_model_file, reason, 1016); INF_AT(inf_model_file, message, 1048);
INF_V1_0(inf_fit_request, 48);      INF_END(inf_fit_request, parallel_slots);
INF_AT(inf_fit_request, flags, 4); INF_AT(inf_fit_request, set, 8); INF_AT(inf_fit_request, memory_free, 16);
INF_AT(inf_fit_request, cache_mode, 24); INF_AT(inf_fit_request, device_kind, 32);
INF_AT(inf_fit_request, context_len, 36); INF_AT(inf_fit_request, gpu_layers, 40);
INF_AT(inf_fit_request, parallel_slots, 44);
INF_V1_0(inf_fit_report, 72);       INF_END(inf_fit_report, host_bytes);
INF_AT(inf_fit_report, flags, 4); INF_AT(inf_fit_report, context_len, 8); INF_AT(inf_fit_report, gpu_layers, 12);
INF_AT(inf_fit_report, layer_count, 16); INF_AT(inf_fit_report, limit, 20); INF_AT(inf_fit_report, weights, 24);
INF_AT(inf_fit_report, kv_cache, 32); INF_AT(inf_fit_report, compute, 40); INF_AT(inf_fit_report, reserve, 48);
INF_AT(inf_fit_report, total, 56); INF_AT(inf_fit_report, host_bytes, 64);
INF_V1_0(inf_models, 40);           INF_END(inf_models, fit);
INF_AT(inf_models, flags, 4); INF_AT(inf_models, list, 8); INF_AT(inf_models, inspect, 16);
INF_AT(inf_models, resolve, 24); INF_AT(inf_models, fit, 32);
INF_V1_0(inf_finding, 48);          INF_END(inf_finding, remedy);
INF_AT(inf_finding, severity, 4); INF_AT(inf_finding, section, 8); INF_AT(inf_finding, key, 16);
INF_AT(inf_finding, value, 24); INF_AT(inf_finding, reason, 32); INF_AT(inf_finding, remedy, 40);
INF_V1_0(inf_diagnose, 16);         INF_END(inf_diagnose, run);
INF_AT(inf_diagnose, flags, 4); INF_AT(inf_diagnose, run, 8);
INF_V1_0(inf_call_params, 40);      INF_END(inf_call_params, on_poll);
INF_AT(inf_call_params, flags, 4); INF_AT(inf_call_params, set, 8); INF_AT(inf_call_params, request_id, 16);
INF_AT(inf_call_params, user, 24); INF_AT(inf_call_params, on_poll, 32);
INF_SA(sizeof(inf_text) == 16, "inf_text is frozen");            INF_AT(inf_text, len, 8);
INF_V1_0(inf_input, 48);            INF_END(inf_input, params);
INF_AT(inf_input, flags, 4); INF_AT(inf_input, prompt, 8); INF_AT(inf_input, prompt_len, 16);
INF_AT(inf_input, msgs, 24); INF_AT(inf_input, msg_count, 32); INF_AT(inf_input, params, 40);
INF_V1_0(inf_tokenize, 32);         INF_END(inf_tokenize, count);
INF_AT(inf_tokenize, flags, 4); INF_AT(inf_tokenize, tokenize, 8); INF_AT(inf_tokenize, detokenize, 16);
INF_AT(inf_tokenize, count, 24);
INF_SA(sizeof(inf_token_score) == 8, "inf_token_score is frozen"); INF_AT(inf_token_score, logprob, 4);
INF_V1_0(inf_classify_params, 80);  INF_END(inf_classify_params, on_poll);
INF_AT(inf_classify_params, flags, 4); INF_AT(inf_classify_params, set, 8); INF_AT(inf_classify_params, gen, 16);
INF_AT(inf_classify_params, request_id, 24); INF_AT(inf_classify_params, candidates, 32);
INF_AT(inf_classify_params, candidate_count, 40); INF_AT(inf_classify_params, top, 48);
INF_AT(inf_classify_params, reserved0, 52); INF_AT(inf_classify_params, user, 56);
INF_AT(inf_classify_params, on_class, 64); INF_AT(inf_classify_params, on_poll, 72);
INF_V1_0(inf_class, 88);            INF_END(inf_class, result);
INF_AT(inf_class, flags, 4); INF_AT(inf_class, index, 8); INF_AT(inf_class, error, 16); INF_AT(inf_class, id, 24);
INF_AT(inf_class, logprob, 28); INF_AT(inf_class, text, 32); INF_AT(inf_class, text_len, 40);
INF_AT(inf_class, top, 48); INF_AT(inf_class, top_count, 56); INF_AT(inf_class, logprobs, 64);
INF_AT(inf_class, logprob_count, 72); INF_AT(inf_class, result, 80);
INF_V1_0(inf_classify, 16);         INF_END(inf_classify, run);
INF_AT(inf_classify, flags, 4); INF_AT(inf_classify, run, 8);
INF_V1_0(inf_batch_params, 72);     INF_END(inf_batch_params, on_poll);
INF_AT(inf_batch_params, flags, 4); INF_AT(inf_batch_params, set, 8); INF_AT(inf_batch_params, gen, 16);
INF_AT(inf_batch_params, request_id, 24); INF_AT(inf_batch_params, parallel, 32);
INF_AT(inf_batch_params, reserved0, 36); INF_AT(inf_batch_params, user, 40); INF_AT(inf_batch_params, on_token, 48);
INF_AT(inf_batch_params, on_result, 56); INF_AT(inf_batch_params, on_poll, 64);
INF_V1_0(inf_batch, 16);            INF_END(inf_batch, run);
INF_AT(inf_batch, flags, 4); INF_AT(inf_batch, run, 8);
INF_V1_0(inf_embed, 24);            INF_END(inf_embed, run);
INF_AT(inf_embed, flags, 4); INF_AT(inf_embed, dimension, 8); INF_AT(inf_embed, run, 16);
INF_V1_0(inf_rerank, 16);           INF_END(inf_rerank, run);
INF_AT(inf_rerank, flags, 4); INF_AT(inf_rerank, run, 8);
INF_V1_0(inf_adapter, 24);          INF_END(inf_adapter, scale);
INF_AT(inf_adapter, flags, 4); INF_AT(inf_adapter, path, 8); INF_AT(inf_adapter, index, 16);
INF_AT(inf_adapter, scale, 20);
INF_V1_0(inf_lora, 24);             INF_END(inf_lora, set_scale);
INF_AT(inf_lora, flags, 4); INF_AT(inf_lora, list, 8); INF_AT(inf_lora, set_scale, 16);
INF_V1_0(inf_state_info, 24);       INF_END(inf_state_info, bytes);
INF_AT(inf_state_info, flags, 4); INF_AT(inf_state_info, tokens, 8); INF_AT(inf_state_info, bytes, 16);
INF_V1_0(inf_state, 32);            INF_END(inf_state, fork);
INF_AT(inf_state, flags, 4); INF_AT(inf_state, save, 8); INF_AT(inf_state, restore, 16); INF_AT(inf_state, fork, 24);
INF_V1_0(inf_cancel, 16);           INF_END(inf_cancel, cancel);
INF_AT(inf_cancel, flags, 4); INF_AT(inf_cancel, cancel, 8);
INF_V1_0(inf_streams, 56);          INF_END(inf_streams, close);
INF_AT(inf_streams, flags, 4); INF_AT(inf_streams, open, 8); INF_AT(inf_streams, next, 16);
INF_AT(inf_streams, descriptor, 24); INF_AT(inf_streams, result, 32); INF_AT(inf_streams, cancel, 40);
INF_AT(inf_streams, close, 48);
INF_V1_0(inf_metrics_report, 128);  INF_END(inf_metrics_report, reserved0);
INF_AT(inf_metrics_report, flags, 4); INF_AT(inf_metrics_report, requests, 8);
INF_AT(inf_metrics_report, requests_failed, 16); INF_AT(inf_metrics_report, requests_cancelled, 24);
INF_AT(inf_metrics_report, requests_refused, 32); INF_AT(inf_metrics_report, prompt_tokens, 40);
INF_AT(inf_metrics_report, cached_tokens, 48); INF_AT(inf_metrics_report, generated_tokens, 56);
INF_AT(inf_metrics_report, prefill_ns, 64); INF_AT(inf_metrics_report, decode_ns, 72);
INF_AT(inf_metrics_report, uptime_ns, 80); INF_AT(inf_metrics_report, host_memory_bytes, 88);
INF_AT(inf_metrics_report, device_memory_bytes, 96); INF_AT(inf_metrics_report, slots, 104);
INF_AT(inf_metrics_report, slots_busy, 108); INF_AT(inf_metrics_report, queue_depth, 112);
INF_AT(inf_metrics_report, restarts, 116); INF_AT(inf_metrics_report, running, 120);
INF_AT(inf_metrics_report, reserved0, 124);
INF_V1_0(inf_metrics, 16);          INF_END(inf_metrics, read);
INF_AT(inf_metrics, flags, 4); INF_AT(inf_metrics, read, 8);

#ifdef __cplusplus
}
#endif
#endif
