/* SPDX-License-Identifier: MIT */
#include "batchline.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batchjson.h"
#include "batchrecord.h"
#include "near.h"
#include "text.h"

enum { EXPLANATION_MAX = 512, NAME_MAX_BYTES = 60 };

/* ---- fields ---- */

struct field;
typedef inf_status take_fn(struct batch_line *line, const struct field *field, json_object *value, inf_error *err);

struct field {
	const char *name;
	take_fn *take;
	size_t offset;			/* of its place in inf_gen_params */
	uint64_t bit;			/* in its set, or of its flags */
	double min, max;
};

static inf_status fail(inf_error *err, const char *name, const char *wanted)
{
	return inf_fail(err, INF_E_INVALID, "field", "\"%s\" must be %s", name, wanted);
}

static inf_status fail_memory(inf_error *err)
{
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory to read the line");
}

static void *place_of(struct batch_line *line, const struct field *field)
{
	return (char *)&line->params + field->offset;
}

static inf_status take_integer(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	int64_t number = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) || (double)number < field->min || (double)number > field->max)
		return inf_fail(err, INF_E_INVALID, "field", "\"%s\" must be an integer from %.0f to %.0f", field->name,
				field->min, field->max);
	*(int32_t *)place_of(line, field) = (int32_t)number;
	line->params.set |= field->bit;
	return INF_OK;
}

static inf_status take_real(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	bool is_number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
	double number = json_object_get_double(value);
	if (!is_number || !isfinite(number) || number < field->min || number > field->max)
		return inf_fail(err, INF_E_INVALID, "field", "\"%s\" must be a number from %g to %g", field->name,
				field->min, field->max);
	*(float *)place_of(line, field) = (float)number;
	line->params.set |= field->bit;
	return INF_OK;
}

static inf_status take_seed(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	uint64_t number = json_object_get_uint64(value);
	if (!json_object_is_type(value, json_type_int) || (!number && json_object_get_int64(value) < 0))
		return fail(err, field->name, "an integer from 0 to 18446744073709551615");
	line->params.seed = number;
	line->params.set |= field->bit;
	return INF_OK;
}

static inf_status take_thinking(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	if (!json_object_is_type(value, json_type_boolean))
		return fail(err, field->name, "true or false");
	line->params.thinking = json_object_get_boolean(value);
	line->params.set |= field->bit;
	return INF_OK;
}

static inf_status take_flag(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	if (!json_object_is_type(value, json_type_boolean))
		return fail(err, field->name, "true or false");
	line->params.flags &= ~(uint32_t)field->bit;
	if (json_object_get_boolean(value))
		line->params.flags |= (uint32_t)field->bit;
	return INF_OK;
}

/* The contract has most texts end with a NUL, so there may be none in them. NULL: not such a text. */
static const char *string_of(json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return NULL;
	const char *text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static inf_status take_text(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	const char *text = string_of(value);
	if (!text)
		return fail(err, field->name, "a text without NULs");
	*(const char **)place_of(line, field) = text;
	return INF_OK;
}

/* JSON in JSON, as it is or once more as a text. */
static inf_status take_json(const char **out, const char *name, json_object *value, enum json_type type, inf_error *err)
{
	size_t len;
	if (json_object_is_type(value, json_type_string) && string_of(value)) {
		*out = string_of(value);
		return INF_OK;
	}
	if (!json_object_is_type(value, type))
		return fail(err, name, type == json_type_array ? "a list, or the text of one" : "an object, or the "
			    "text of one");
	*out = batchjson_print(value, &len);
	return *out ? INF_OK : fail_memory(err);
}

static inf_status take_schema(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	return take_json(place_of(line, field), field->name, value, json_type_object, err);
}

static inf_status take_tools(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	return take_json(place_of(line, field), field->name, value, json_type_array, err);
}

/* ---- lists ---- */

static inf_status read_ids(json_object *list, const char *name, int32_t **out, size_t *count, inf_error *err)
{
	size_t len = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	if (!json_object_is_type(list, json_type_array))
		return fail(err, name, "a list of token ids");
	int32_t *ids = calloc(len + 1, sizeof *ids);
	if (!ids)
		return fail_memory(err);
	*out = ids;
	for (size_t i = 0; i < len; i++) {
		json_object *item = json_object_array_get_idx(list, i);
		int64_t id = json_object_get_int64(item);
		if (!json_object_is_type(item, json_type_int) || id < 0 || id > INT32_MAX)
			return fail(err, name, "a list of token ids, integers from 0 to 2147483647");
		ids[i] = (int32_t)id;
	}
	*count = len;
	return INF_OK;
}

static inf_status take_stop_tokens(struct batch_line *line, const struct field *field, json_object *value,
				   inf_error *err)
{
	inf_status st = read_ids(value, field->name, &line->stop_tokens, &line->params.stop_token_count, err);
	line->params.stop_tokens = line->stop_tokens;
	return st;
}

static inf_status take_suppress_tokens(struct batch_line *line, const struct field *field, json_object *value,
				       inf_error *err)
{
	inf_status st = read_ids(value, field->name, &line->suppress_tokens, &line->params.suppress_token_count, err);
	line->params.suppress_tokens = line->suppress_tokens;
	return st;
}

static inf_status take_stop(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	bool is_list = json_object_is_type(value, json_type_array);
	size_t count = is_list ? json_object_array_length(value) : 1;
	line->stop_strings = calloc(count + 1, sizeof *line->stop_strings);
	if (!line->stop_strings)
		return fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		const char *text = string_of(is_list ? json_object_array_get_idx(value, i) : value);
		if (!text || !text[0])
			return fail(err, field->name, "a text, or a list of texts, none empty and without NULs");
		line->stop_strings[i] = text;
	}
	line->params.stop_strings = line->stop_strings;
	line->params.stop_string_count = count;
	return INF_OK;
}

static void set_option(struct batch_line *line, const char *key, const char *value)
{
	size_t at = 0;
	while (at < line->params.option_count && strcmp(line->options[at].key, key))
		at++;
	line->options[at] = (inf_kv){ key, value };
	line->params.option_count += at == line->params.option_count;
}

static inf_status take_options(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	size_t count = json_object_is_type(value, json_type_object) ? (size_t)json_object_object_length(value) : 0;
	size_t most = count + line->params.option_count;
	if (!json_object_is_type(value, json_type_object) || most > BATCHLINE_OPTIONS_MAX)
		return fail(err, field->name, "an object of at most 256 options");
	line->options = calloc(most + 1, sizeof *line->options);
	if (!line->options)
		return fail_memory(err);
	if (line->params.option_count)
		memcpy(line->options, line->params.options, line->params.option_count * sizeof *line->options);
	line->params.options = line->options;
	json_object_object_foreach(value, key, item) {
		enum json_type type = json_object_get_type(item);
		bool is_number = type == json_type_int || type == json_type_double || type == json_type_boolean;
		const char *text = is_number ? json_object_to_json_string_ext(item, JSON_C_TO_STRING_PLAIN) :
					       string_of(item);
		if (!text && is_number)
			return fail_memory(err);
		if (!text)
			return inf_fail(err, INF_E_INVALID, "field", "\"options\": \"%.60s\" must be a text without "
					"NULs, a number, true or false", key);
		set_option(line, key, text);
	}
	return INF_OK;
}

/* ---- prompt and messages ---- */

static inf_status take_prompt(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	if (!json_object_is_type(value, json_type_string))
		return fail(err, field->name, "a text");
	line->input.prompt = json_object_get_string(value);
	line->input.prompt_len = (size_t)json_object_get_string_len(value);
	return INF_OK;
}

static void explain_unknown(const char *key, const char *const *names, size_t count, struct text *out)
{
	struct near near = NEAR_INIT(key);
	struct text all = TEXT_INIT(EXPLANATION_MAX);
	text_puts(&all, "there are");
	for (size_t i = 0; i < count; i++) {
		text_printf(&all, "%s %s", i ? "," : "", names[i]);
		if (strlen(key) <= NEAR_WORD_MAX)
			near_offer(&near, names[i]);
	}
	near_explain(&near, "", text_string(&all), out);
	text_release(&all);
}

static inf_status fail_unknown(inf_error *err, const char *where, const char *key, const char *const *names,
			       size_t count)
{
	struct text text = TEXT_INIT(EXPLANATION_MAX);
	explain_unknown(key, names, count, &text);
	inf_fail(err, INF_E_INVALID, "unknown_field", "%sunknown field \"%.*s\": %s", where, NAME_MAX_BYTES, key,
		 text_string(&text));
	text_release(&text);
	return INF_E_INVALID;
}

static inf_status take_message_field(inf_message *message, const char *key, json_object *value, inf_error *err)
{
	static const char *const names[] = { "role", "content", "tool_calls", "tool_call_id" };
	if (!strcmp(key, "role"))
		return (message->role = string_of(value)) ? INF_OK : fail(err, "role", "a text");
	if (!strcmp(key, "tool_call_id"))
		return (message->tool_call_id = string_of(value)) ? INF_OK : fail(err, "tool_call_id", "a text");
	if (!strcmp(key, "tool_calls"))
		return take_json(&message->tool_calls, "tool_calls", value, json_type_array, err);
	if (strcmp(key, "content"))
		return fail_unknown(err, "in a message: ", key, names, sizeof names / sizeof names[0]);
	if (!json_object_is_type(value, json_type_string))
		return fail(err, "content", "a text");
	message->content = json_object_get_string(value);
	message->content_len = (size_t)json_object_get_string_len(value);
	return INF_OK;
}

static inf_status read_message(inf_message *message, json_object *value, inf_error *err)
{
	*message = (inf_message){ .struct_size = sizeof *message };
	if (!json_object_is_type(value, json_type_object))
		return fail(err, "messages", "a list of objects with \"role\" and \"content\"");
	json_object_object_foreach(value, key, item) {
		inf_status st = item ? take_message_field(message, key, item, err) : INF_OK;
		if (st != INF_OK)
			return st;
	}
	return message->role ? INF_OK : inf_fail(err, INF_E_INVALID, "field", "a message has no \"role\"");
}

static inf_status take_messages(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
	if (!count)
		return fail(err, field->name, "a list of messages, at least one");
	line->messages = calloc(count, sizeof *line->messages);
	line->message_list = calloc(count, sizeof *line->message_list);
	if (!line->messages || !line->message_list)
		return fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		inf_status st = read_message(&line->messages[i], json_object_array_get_idx(value, i), err);
		if (st != INF_OK)
			return st;
		line->message_list[i] = &line->messages[i];
	}
	line->input.msgs = line->message_list;
	line->input.msg_count = count;
	return INF_OK;
}

/* ---- the line ---- */

static inf_status take_id(struct batch_line *line, const struct field *field, json_object *value, inf_error *err)
{
	(void)line, (void)field, (void)value, (void)err;
	return INF_OK;			/* taken before all others */
}

#define AT(field) offsetof(inf_gen_params, field)

static const struct field fields[] = {
	{ "id", take_id, 0, 0, 0, 0 },
	{ "prompt", take_prompt, 0, 0, 0, 0 },
	{ "messages", take_messages, 0, 0, 0, 0 },
	{ "max_tokens", take_integer, AT(max_tokens), 0, 0, INT32_MAX },
	{ "min_tokens", take_integer, AT(min_tokens), 0, 0, INT32_MAX },
	{ "temperature", take_real, AT(temperature), INF_GEN_SET_TEMPERATURE, 0, 100 },
	{ "top_k", take_integer, AT(top_k), INF_GEN_SET_TOP_K, 0, INT32_MAX },
	{ "top_p", take_real, AT(top_p), INF_GEN_SET_TOP_P, 0, 1 },
	{ "min_p", take_real, AT(min_p), INF_GEN_SET_MIN_P, 0, 1 },
	{ "seed", take_seed, AT(seed), INF_GEN_SET_SEED, 0, 0 },
	{ "repeat_penalty", take_real, AT(repeat_penalty), INF_GEN_SET_REPEAT_PENALTY, 0.01, 100 },
	{ "frequency_penalty", take_real, AT(frequency_penalty), INF_GEN_SET_FREQUENCY_PENALTY, -2, 2 },
	{ "presence_penalty", take_real, AT(presence_penalty), INF_GEN_SET_PRESENCE_PENALTY, -2, 2 },
	{ "stop", take_stop, 0, 0, 0, 0 },
	{ "stop_tokens", take_stop_tokens, 0, 0, 0, 0 },
	{ "suppress_tokens", take_suppress_tokens, 0, 0, 0, 0 },
	{ "json_schema", take_schema, AT(json_schema), 0, 0, 0 },
	{ "grammar", take_text, AT(grammar), 0, 0, 0 },
	{ "ignore_eos", take_flag, 0, INF_GEN_FLAG_IGNORE_EOS, 0, 0 },
	{ "thinking", take_thinking, 0, INF_GEN_SET_THINKING, 0, 0 },
	{ "thinking_budget", take_integer, AT(thinking_budget), 0, 0, INT32_MAX },
	{ "tools", take_tools, AT(tools), 0, 0, 0 },
	{ "tool_choice", take_text, AT(tool_choice), 0, 0, 0 },
	{ "options", take_options, 0, 0, 0, 0 },
};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static inf_status take_field(struct batch_line *line, const char *key, json_object *value, inf_error *err)
{
	const char *names[FIELD_COUNT];
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!strcmp(key, fields[i].name))
			return value ? fields[i].take(line, &fields[i], value, err) : INF_OK;
		names[i] = fields[i].name;
	}
	return fail_unknown(err, "", key, names, FIELD_COUNT);
}

static inf_status read_id(struct batch_line *line, inf_error *err)
{
	size_t len;
	const char *id = batchjson_print(json_object_object_get(line->root, "id"), &len);
	if (!id)
		return fail_memory(err);
	if (len > BATCHRECORD_ID_MAX)
		return inf_fail(err, INF_E_INVALID, "id_long", "\"id\" has %zu bytes, %d are the most", len,
				BATCHRECORD_ID_MAX);
	line->id = id;
	return INF_OK;
}

/* What belongs together, and what of the defaults is not for this kind of line. */
static inf_status check(struct batch_line *line, const inf_gen_params *defaults, inf_error *err)
{
	if (line->params.grammar != defaults->grammar && line->params.json_schema == defaults->json_schema)
		line->params.json_schema = NULL;
	if (line->params.json_schema != defaults->json_schema && line->params.grammar == defaults->grammar)
		line->params.grammar = NULL;
	if (!line->input.prompt && !line->input.msgs)
		return inf_fail(err, INF_E_INVALID, "no_prompt", "neither \"prompt\" nor \"messages\": give one of "
				"them");
	if (line->input.prompt && line->input.msgs)
		return inf_fail(err, INF_E_INVALID, "two_prompts", "\"prompt\" and \"messages\": give one of them");
	if (line->params.json_schema && line->params.grammar)
		return inf_fail(err, INF_E_INVALID, "two_grammars", "\"json_schema\" and \"grammar\": give one of "
				"them");
	if (line->params.tool_choice && !line->params.tools)
		return inf_fail(err, INF_E_INVALID, "no_tools", "\"tool_choice\" without \"tools\"");
	if (line->input.msgs)
		line->params.flags &= ~INF_GEN_FLAG_PARSE_SPECIAL;
	return INF_OK;
}

inf_status batch_line_parse(struct batch_line *self, const char *bytes, size_t len, const inf_gen_params *defaults,
			    inf_error *err)
{
	*self = (struct batch_line){ .id = "null", .params = *defaults, .input.struct_size = sizeof self->input };
	inf_status st = batchjson_parse(bytes, len, &self->root, err);
	if (st == INF_OK)
		st = read_id(self, err);
	if (st != INF_OK)
		return st;
	json_object_object_foreach(self->root, key, value) {
		st = take_field(self, key, value, err);
		if (st != INF_OK)
			return st;
	}
	self->input.params = &self->params;
	return check(self, defaults, err);
}

void batch_line_release(struct batch_line *self)
{
	free(self->messages);
	free(self->message_list);
	free(self->stop_strings);
	free(self->stop_tokens);
	free(self->suppress_tokens);
	free(self->options);
	json_object_put(self->root);
	*self = (struct batch_line){ .id = "null" };
}
