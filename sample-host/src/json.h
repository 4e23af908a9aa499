/* SPDX-License-Identifier: MIT */
#ifndef INFER_JSON_H
#define INFER_JSON_H

#include "configview.h"
#include "diagnosis.h"
#include "fitview.h"
#include "history.h"
#include "options.h"
#include "outcome.h"
#include "text.h"

/*
 * json: what --json prints, an object and a newline from each json_add_*, and what --messages reads. What is printed is
 * described in sample-host/schema; a test holds them together. But for batchjson the json*.c are the only users of json-c.
 *
 * A number that is not known and a text that there is none of are null, an "error" is only where something failed. JSON is
 * UTF-8 and file names need not be: what is no UTF-8 becomes U+FFFD.
 */
void json_add_token(struct text *out, const inf_token *token);
/* The messages of a JSON array, as OpenAI has them, or with tool calls as INF_TOKEN_FLAG_TOOL_CALL gives them. name: of the
 * file, for the failure. */
enum exit_code json_read_messages(const char *text, size_t len, const char *name, struct history *out, struct failure *why);
/* The same the other way round: an array and a newline; without images and sounds. */
void json_add_messages(struct text *out, const struct history *history);
void json_add_outcome(struct text *out, const struct outcome *outcome);
/* candidates: whose probabilities the result has; NULL = none. */
void json_add_class(struct text *out, const inf_class *result, const int32_t *candidates);
void json_add_failure(struct text *out, const struct failure *failure);
/* Of one command, or COMMAND_NONE = of all. */
void json_add_help(struct text *out, enum command command);
void json_add_version(struct text *out);
void json_add_backends(struct text *out, const inf_registry *registry, const inf_candidate *selected);
/* why: what the selection said, if it found nothing. */
void json_add_diagnosis(struct text *out, const struct diagnosis *diagnosis, const inf_registry *registry,
			const inf_error *why);

/* path: of the configuration file, NULL = there is no place for one. */
void json_add_config(struct text *out, const struct config_rows *rows, const char *path, bool is_read);
void json_add_config_path(struct text *out, const char *path);

void json_add_piece(struct text *out, int32_t id, const struct text *piece);
void json_add_text(struct text *out, const struct text *text);
void json_add_vector(struct text *out, size_t index, int64_t tokens, const float *vector, int32_t dimension);

/* A document and what it came to. */
struct rank {
	size_t index;
	float score;
	int64_t tokens;			/* with the query; 0 = not known */
	inf_text document;
};

void json_add_rank(struct text *out, const struct rank *rank);

/*
 * One object with a list: add to it, then finish, which frees the list. new gives NULL when memory is short; free accepts
 * NULL.
 */
struct json_list;

struct json_list *json_list_new(void);
void json_list_free(struct json_list *self);
void json_list_device(struct json_list *self, const char *backend, const char *kind, const inf_device *device);
void json_list_model(struct json_list *self, const inf_model_file *file);
void json_list_fit(struct json_list *self, const struct fit *fit);
void json_list_finish(struct json_list *self, const char *key, struct text *out);

/* path: that of the file, which does not know it. fits is finished too; NULL = nobody asked. */
void json_add_inspection(struct text *out, const inf_model_file *file, const char *path, struct json_list *fits);

#endif
