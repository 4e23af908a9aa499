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
  char     memory_source[32];         /* where the numbers come from: "sysfs", "kfd", "llama-server"                */
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
   * name, "qwen2.5-0.5b" or "qwen2.5-0.5b:q4_k_m", which has to fit one text model in dirs (as in list()). path gets it,
   * with its NUL. Returns NOT_FOUND, INVALID (more than one, the message lists them; or path_size is too small), or what
   * is wrong with the only file that fits. */
  inf_status (INF_CALL *resolve)(inf_instance *, const inf_backend *self, const char *wish, const char *const *dirs,
                                 size_t dir_count, char *path, size_t path_size, inf_error *err);
  /* What a load of this file would put on one device, and what it has to leave out. Computed, not tried. Returns
   * NO_VRAM if what was wanted does not fit (the message says what would), BAD_MODEL for a file that generates no text,
   * INVALID or UNSUPPORTED as load() does for the request, else as inspect(). */
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

/* As in plugin.h: what is laid out here stays so. */
INF_SA(offsetof(inf_device, name) == 40 && offsetof(inf_device, message) == 304 && sizeof(inf_device) == 520,
       "inf_device moved");
INF_SA(sizeof(inf_devices) == 24, "inf_devices moved");
INF_SA(offsetof(inf_model_file, path) == 16 && offsetof(inf_model_file, context_len) == 104 &&
       offsetof(inf_model_file, quantisation) == 168 && offsetof(inf_model_file, message) == 1048 &&
       sizeof(inf_model_file) == 1512, "inf_model_file moved");
INF_SA(offsetof(inf_finding, section) == 8 && offsetof(inf_finding, remedy) == 40 && sizeof(inf_finding) == 48,
       "inf_finding moved");
INF_SA(offsetof(inf_diagnose, run) == 8 && sizeof(inf_diagnose) == 16, "inf_diagnose moved");
INF_SA(offsetof(inf_fit_request, memory_free) == 16 && offsetof(inf_fit_request, device_kind) == 32 &&
       sizeof(inf_fit_request) == 48, "inf_fit_request moved");
INF_SA(offsetof(inf_fit_report, context_len) == 8 && offsetof(inf_fit_report, weights) == 24 &&
       sizeof(inf_fit_report) == 72, "inf_fit_report moved");
INF_SA(offsetof(inf_models, resolve) == 24 && sizeof(inf_models) == 40, "inf_models moved");

#ifdef __cplusplus
}
#endif
#endif
