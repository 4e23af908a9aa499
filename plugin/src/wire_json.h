/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_JSON_H
#define GR_WIRE_JSON_H

#include <json-c/json.h>

#include "wire.h"

/*
 * wire_json: what the files of wire share, over json-c.
 *
 * Builders note a lack of memory in *ok and go on; readers take a field of the wrong type for a missing one.
 */
enum { GR_JSON_DEPTH = 32 };	/* of an answer */

struct json_tokener *gr_json_tokener(int depth);	/* strict; NULL = out of memory */
/* NULL: not one whole object, too deep, or out of memory. */
struct json_object *gr_json_parse_object(struct json_tokener *tokener, const char *body, size_t len);
struct json_object *gr_json_parse_list(struct json_tokener *tokener, const char *body, size_t len);	/* of an array */
struct json_object *gr_json_parse(const char *body, size_t len, int depth);
struct json_object *gr_json_parse_body(const char *body, size_t len);
struct json_object *gr_json_parse_array(const char *body, size_t len, int depth);	/* the same for one whole array */

/* Both own the value afterwards; NULL counts as out of memory. */
void gr_json_put(struct json_object *object, const char *key, struct json_object *value, bool *ok);
bool gr_json_add(struct json_object *list, struct json_object *item);
struct json_object *gr_json_text(const char *text, size_t len);
struct json_object *gr_json_raw(const char *json);	/* JSON that is printed as it stands, numbers of any size included */
struct json_object *gr_json_messages(const struct gr_wire_message *messages, size_t count);
/* All but the prompt. INF_E_INVALID when json_schema is not JSON. */
inf_status gr_json_put_completion(struct json_object *root, const struct gr_wire_completion *completion, bool *ok,
				  inf_error *err);
/* Print the object, and free it. */
inf_status gr_json_append(struct gr_buf *out, struct json_object *object, bool ok);

/* "llama-server's answer WHAT: " and its beginning. */
inf_status gr_json_bad_answer(inf_error *err, const char *body, size_t len, const char *what);
struct json_object *gr_json_member(struct json_object *root, const char *key, enum json_type type);	/* borrowed */
int64_t gr_json_int(struct json_object *root, const char *key, int64_t fallback);
int64_t gr_json_count(struct json_object *root, const char *key);	/* of tokens; -1 for what none can be */
double gr_json_number(struct json_object *root, const char *key, double fallback);
bool gr_json_true(struct json_object *root, const char *key);
bool gr_json_is_utf8(struct json_object *text);		/* the parser does not look */
/* Cut at a code point; "" for what is not UTF-8. */
void gr_json_copy(struct json_object *root, const char *key, char *out, size_t cap);
int32_t gr_json_clamp32(int64_t n);
/* What a probe asks for, but for the logits that it raises; wire_classify.c. */
void gr_json_put_probe(struct json_object *root, const struct gr_wire_probe *probe, bool *ok);
void gr_json_read_error(struct json_object *object, struct gr_wire_error *out);

/*
 * The state of a stream of chat deltas; wire_chat.c. An event can say several things, so it is begun and then asked until
 * it says NOTHING; root must live as long.
 */
struct gr_json_deltas;

struct gr_json_deltas *gr_json_deltas_new(void);	/* NULL = out of memory */
void gr_json_deltas_free(struct gr_json_deltas *self);	/* accepts NULL */
bool gr_json_deltas_in_call(const struct gr_json_deltas *self);	/* a tool call is being put together */
void gr_json_deltas_begin(struct gr_json_deltas *self, struct json_object *root);
inf_status gr_json_deltas_next(struct gr_json_deltas *self, struct gr_wire_event *out, inf_error *err);

#endif
