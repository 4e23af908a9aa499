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
} inf_device;

typedef struct inf_devices {          /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* [ts] Calls on_device for each device in order of index, on this thread; anything but INF_CONTINUE ends the list
   * with INF_OK. Same limits of time as available(). UNAVAILABLE: none, and why. */
  inf_status (INF_CALL *list)(inf_instance *, const inf_backend *self, void *user,
                              int32_t (INF_CALL *on_device)(void *user, const inf_device *device), inf_error *err);
} inf_devices;

/* ---- inf.diagnose/1: what a bug report should hold -----------------------------------------------------------
 * get_extension(instance, backend, NULL, INF_EXT_DIAGNOSE) */
#define INF_EXT_DIAGNOSE "inf.diagnose/1"

typedef struct inf_diagnose {         /* table, static                                                              */
  uint32_t struct_size;
  uint32_t flags;                     /* 0                                                                          */
  /* [ts] Calls on_fact for each fact: "verdict" first, then what it rests on. section, key and value are one line of
   * text each, and hold no secret. Takes at most 5 s. */
  inf_status (INF_CALL *run)(inf_instance *, const inf_backend *self, void *user,
                             int32_t (INF_CALL *on_fact)(void *user, const char *section, const char *key,
                                                         const char *value), inf_error *err);
} inf_diagnose;

#ifdef __cplusplus
}
#endif
#endif
