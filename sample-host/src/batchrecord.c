/* SPDX-License-Identifier: MIT */
#include "batchrecord.h"

#include <inttypes.h>
#include <string.h>

#include "batchjson.h"
#include "utf8.h"

void batch_answer_release(struct batch_answer *self)
{
	text_release(&self->text);
	text_release(&self->reasoning);
	text_release(&self->calls);
}

/* ---- writing ---- */

static void add_character(struct text *out, const char *bytes, size_t len, uint32_t code)
{
	if (code == UTF8_BAD)
		text_puts(out, "\xef\xbf\xbd");
	else if (code == '"' || code == '\\')
		text_printf(out, "\\%c", (char)code);
	else if (code == '\n')
		text_puts(out, "\\n");
	else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		text_printf(out, "\\u%04" PRIx32, code);
	else
		text_add(out, bytes, len);
}

static void add_string(struct text *out, const char *key, const char *bytes, size_t len)
{
	uint32_t code;
	text_printf(out, "\"%s\":\"", key);
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(bytes + at, len - at, &code);
		add_character(out, bytes + at, n, code);
	}
	text_puts(out, "\"");
}

/* json-c escapes neither DEL nor C1; in its JSON they can only be in strings. */
static void add_printed(struct text *out, const char *json)
{
	uint32_t code;
	for (size_t at = 0, n, len = strlen(json); at < len; at += n) {
		n = utf8_next(json + at, len - at, &code);
		if (code >= 0x7f && code < 0xa0)
			text_printf(out, "\\u%04" PRIx32, code);
		else
			text_add(out, json + at, n);
	}
}

static void begin(struct text *out, const char *id, size_t index)
{
	text_puts(out, "{\"id\":");
	add_printed(out, id);
	text_printf(out, ",\"index\":%zu,", index);
}

bool batch_answer_add_call(struct batch_answer *self, const char *bytes, size_t len)
{
	json_object *call = NULL;
	if (batchjson_parse(bytes, len, &call, NULL) != INF_OK)
		return false;
	const char *written = batchjson_print(call, &len);
	text_puts(&self->calls, self->calls.len ? "," : "");
	if (written)
		text_add(&self->calls, written, len);
	self->calls.failed |= !written;
	json_object_put(call);
	return !self->calls.failed;
}

void batchrecord_add_answer(struct text *out, const char *id, size_t index, const struct batch_answer *answer,
			    const inf_gen_result *result)
{
	const char *finish = inf_finish_name(result->finish);
	begin(out, id, index);
	add_string(out, "text", text_string(&answer->text), answer->text.len);
	if (answer->reasoning.len) {
		text_puts(out, ",");
		add_string(out, "reasoning", text_string(&answer->reasoning), answer->reasoning.len);
	}
	if (answer->calls.len) {
		text_puts(out, ",\"tool_calls\":[");
		add_printed(out, text_string(&answer->calls));
		text_puts(out, "]");
	}
	text_puts(out, ",");
	add_string(out, "finish", finish, strlen(finish));
	text_printf(out, ",\"prompt_tokens\":%" PRId64 ",\"generated_tokens\":%" PRId64 "}\n", result->prompt_tokens,
		    result->generated_tokens);
}

void batchrecord_add_error(struct text *out, const char *id, size_t index, const inf_error *error)
{
	const char *status = inf_status_name(error->code);
	begin(out, id, index);
	text_puts(out, "\"error\":{");
	add_string(out, "status", status, strlen(status));
	text_puts(out, ",");
	if (error->reason[0])
		add_string(out, "reason", error->reason, strnlen(error->reason, sizeof error->reason));
	else
		text_puts(out, "\"reason\":null");
	text_puts(out, ",");
	add_string(out, "message", error->message, strnlen(error->message, sizeof error->message));
	text_puts(out, "}}\n");
}

/* ---- reading ---- */

static bool read_fields(struct batch_record *self, json_object *root)
{
	json_object *id, *index, *error = NULL, *text = NULL;
	size_t len;
	if (!json_object_object_get_ex(root, "id", &id) || !json_object_object_get_ex(root, "index", &index) ||
	    !json_object_is_type(index, json_type_int) || json_object_get_int64(index) < 0)
		return false;
	bool is_error = json_object_object_get_ex(root, "error", &error);
	if (is_error == json_object_object_get_ex(root, "text", &text))
		return false;
	const char *written = batchjson_print(id, &len);
	if (!written)
		return false;
	text_reset(&self->id);
	text_add(&self->id, written, len);
	self->index = (size_t)json_object_get_int64(index);
	self->is_error = is_error;
	return !self->id.failed;
}

bool batchrecord_read(struct batch_record *self, const char *line, size_t len)
{
	json_object *root = NULL;
	bool ok = batchjson_parse(line, len, &root, NULL) == INF_OK && read_fields(self, root);
	json_object_put(root);
	return ok;
}
