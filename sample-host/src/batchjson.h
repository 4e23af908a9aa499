/* SPDX-License-Identifier: MIT */
#ifndef INFER_BATCHJSON_H
#define INFER_BATCHJSON_H

#include <json-c/json.h>

#include "inference/plugin.h"

/* batchjson: a line that is exactly one JSON object, over json-c: UTF-8, no number cut to what fits. Pure. */
enum { BATCHJSON_DEPTH = 64 };

/* INF_E_INVALID with the place of what is wrong; INF_E_NO_MEMORY, as far as json-c says so. */
inf_status batchjson_parse(const char *bytes, size_t len, json_object **out, inf_error *err);

/* On one line; the object's, until it is printed again. NULL without memory. */
const char *batchjson_print(json_object *value, size_t *len);

#endif
