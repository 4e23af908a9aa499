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

#ifdef __cplusplus
}
#endif
#endif
