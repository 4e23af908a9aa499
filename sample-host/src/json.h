/* SPDX-License-Identifier: MIT */
#ifndef INFER_JSON_H
#define INFER_JSON_H

#include "diagnosis.h"
#include "outcome.h"
#include "text.h"

/*
 * json: what --json prints. Each function appends one object and a newline. The only user of json-c.
 *
 * JSON is UTF-8 and file names need not be: what is no UTF-8 becomes U+FFFD.
 */
void json_add_token(struct text *out, const inf_token *token);
void json_add_outcome(struct text *out, const struct outcome *outcome);
void json_add_failure(struct text *out, const struct failure *failure);
void json_add_backends(struct text *out, const inf_registry *registry, const inf_candidate *selected);
/* why: what the selection said, if it found nothing. */
void json_add_diagnosis(struct text *out, const struct diagnosis *diagnosis, const inf_registry *registry,
			const inf_error *why);

/* One object with all devices: add them, then finish, which frees the list. new gives NULL when memory is short. */
struct device_list;

struct device_list *json_list_new(void);
void json_list_device(struct device_list *self, const char *backend, const char *kind, const inf_device *device);
void json_list_finish(struct device_list *self, struct text *out);

#endif
