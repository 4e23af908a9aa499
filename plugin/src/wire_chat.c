/* SPDX-License-Identifier: MIT */
#include "wire_chat.h"

#include <stdlib.h>
#include <string.h>

#include "wire_json.h"

/* In this order an event is read. */
enum step { STEP_REASONING, STEP_CONTENT, STEP_CALLS, STEP_FINISH, STEP_DONE };

struct gr_json_deltas {
	/* Of the event: borrowed from its root, NULL = it has none. */
	struct json_object *choice, *delta, *timings;
	enum step step;
	size_t fragment;		/* of its tool calls, the next one */
	/* The call that is being put together. */
	bool open;
	int64_t index;
	struct gr_buf id, name, arguments;
	size_t calls;			/* begun so far */
	struct gr_buf text;		/* of the call handed out last */
};

struct gr_json_deltas *gr_json_deltas_new(void)
{
	struct gr_json_deltas *self = malloc(sizeof *self);
	if (self)
		*self = (struct gr_json_deltas){
			.id = GR_BUF_INIT(GR_WIRE_TOOL_NAME_MAX), .name = GR_BUF_INIT(GR_WIRE_TOOL_NAME_MAX),
			.arguments = GR_BUF_INIT(GR_WIRE_CALL_MAX), .text = GR_BUF_INIT(GR_WIRE_BODY_MAX), .step = STEP_DONE,
		};
	return self;
}

void gr_json_deltas_free(struct gr_json_deltas *self)
{
	if (!self)
		return;
	gr_buf_release(&self->id);
	gr_buf_release(&self->name);
	gr_buf_release(&self->arguments);
	gr_buf_release(&self->text);
	free(self);
}

bool gr_json_deltas_in_call(const struct gr_json_deltas *self)
{
	return self->open;
}

void gr_json_deltas_begin(struct gr_json_deltas *self, struct json_object *root)
{
	struct json_object *choices = gr_json_member(root, "choices", json_type_array);
	struct json_object *choice = choices ? json_object_array_get_idx(choices, 0) : NULL;
	self->choice = json_object_is_type(choice, json_type_object) ? choice : NULL;
	self->delta = self->choice ? gr_json_member(choice, "delta", json_type_object) : NULL;
	self->timings = gr_json_member(root, "timings", json_type_object);
	self->step = self->delta ? STEP_REASONING : STEP_FINISH;
	self->fragment = 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */
static inf_status unreadable(inf_error *err, const char *what)
{
	return inf_fail(err, INF_E_INTERNAL, "server_answer", "llama-server's stream %s", what);
}

static inf_status read_text(struct json_object *text, uint32_t flags, struct gr_wire_event *out, inf_error *err)
{
	if (!gr_json_is_utf8(text))
		return unreadable(err, "holds text that is not UTF-8");
	out->kind = GR_WIRE_TOKEN;
	out->flags = flags;
	out->text = json_object_get_string(text);
	out->text_len = (size_t)json_object_get_string_len(text);
	return INF_OK;
}

/* NULL: there is none, or nothing in it. */
static struct json_object *text_in(struct json_object *object, const char *key)
{
	struct json_object *text = gr_json_member(object, key, json_type_string);
	return text && json_object_get_string_len(text) ? text : NULL;
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */
static inf_status call_failed(inf_status st, inf_error *err)
{
	return inf_fail(err, st, st == INF_E_NO_MEMORY ? "no_memory" : "server_answer", st == INF_E_NO_MEMORY ?
			"out of memory for a tool call" : "llama-server's stream holds a tool call that is too large");
}

static inf_status append_json_text(struct gr_buf *out, struct json_object *text, inf_error *err)
{
	if (!text)
		return INF_OK;
	if (!gr_json_is_utf8(text))
		return unreadable(err, "holds a tool call that is not UTF-8");
	inf_status st = gr_buf_append(out, json_object_get_string(text), (size_t)json_object_get_string_len(text));
	return st == INF_OK ? st : call_failed(st, err);
}

static inf_status open_call(struct gr_json_deltas *self, int64_t index, inf_error *err)
{
	if (self->calls == GR_WIRE_TOOLS_MAX)
		return inf_fail(err, INF_E_BAD_OUTPUT, "tool_calls_many", "the model calls more than %d tools in one answer",
				GR_WIRE_TOOLS_MAX);
	self->calls++;
	self->open = true;
	self->index = index;
	gr_buf_reset(&self->id);
	gr_buf_reset(&self->name);
	gr_buf_reset(&self->arguments);
	return INF_OK;
}

static inf_status add_arguments(struct gr_json_deltas *self, struct json_object *text, inf_error *err)
{
	size_t len = text ? (size_t)json_object_get_string_len(text) : 0;
	if (len > GR_WIRE_CALL_MAX - self->arguments.len)
		return inf_fail(err, INF_E_BAD_OUTPUT, "tool_call_large", "the model passes more than %d bytes to a tool",
				GR_WIRE_CALL_MAX);
	return append_json_text(&self->arguments, text, err);
}

/* Name and id come with the first fragment. */
static inf_status add_fragment(struct gr_json_deltas *self, struct json_object *fragment, int64_t index, inf_error *err)
{
	struct json_object *function = gr_json_member(fragment, "function", json_type_object);
	inf_status st = self->open ? INF_OK : open_call(self, index, err);
	if (st == INF_OK && !self->id.len)
		st = append_json_text(&self->id, text_in(fragment, "id"), err);
	if (st == INF_OK && function && !self->name.len)
		st = append_json_text(&self->name, text_in(function, "name"), err);
	if (st == INF_OK && function)
		st = add_arguments(self, text_in(function, "arguments"), err);
	return st;
}

static inf_status hand_out_call(struct gr_json_deltas *self, struct gr_wire_event *out, inf_error *err)
{
	bool ok = true;
	if (!self->name.len)
		return unreadable(err, "holds a tool call without a name");
	gr_buf_reset(&self->text);
	inf_status st = self->id.len ? INF_OK : gr_buf_printf(&self->id, "call_%zu", self->calls - 1);
	struct json_object *call = json_object_new_object();
	if (call) {
		gr_json_put(call, "id", gr_json_text(gr_buf_text(&self->id), self->id.len), &ok);
		gr_json_put(call, "name", gr_json_text(gr_buf_text(&self->name), self->name.len), &ok);
		gr_json_put(call, "arguments", gr_json_text(gr_buf_text(&self->arguments), self->arguments.len), &ok);
	}
	inf_status printed = gr_json_append(&self->text, call, ok);
	if (st != INF_OK || printed != INF_OK)
		return call_failed(st != INF_OK ? st : printed, err);
	self->open = false;
	out->kind = GR_WIRE_TOKEN;
	out->flags = INF_TOKEN_FLAG_TOOL_CALL;
	out->text = self->text.data;
	out->text_len = self->text.len;
	return INF_OK;
}

/* One that ended in the middle is none. */
static bool is_whole(const struct gr_json_deltas *self)
{
	struct json_object *arguments = gr_json_parse(gr_buf_text(&self->arguments), self->arguments.len, GR_WIRE_TOOL_DEPTH);
	json_object_put(arguments);
	return arguments != NULL;
}

/* ---- one step -------------------------------------------------------------------------------------------------- */
/* Each leaves its step when it has nothing more; an event or a failure ends the turn. */
static inf_status step_text(struct gr_json_deltas *self, const char *key, uint32_t flags, struct gr_wire_event *out,
			    inf_error *err)
{
	struct json_object *text = text_in(self->delta, key);
	if (text && self->open)
		return hand_out_call(self, out, err);
	self->step++;
	return text ? read_text(text, flags, out, err) : INF_OK;
}

static inf_status step_call(struct gr_json_deltas *self, struct gr_wire_event *out, inf_error *err)
{
	struct json_object *list = gr_json_member(self->delta, "tool_calls", json_type_array);
	struct json_object *fragment = list ? json_object_array_get_idx(list, self->fragment) : NULL;
	if (!list || self->fragment >= json_object_array_length(list)) {
		self->step++;
		return INF_OK;
	}
	if (!json_object_is_type(fragment, json_type_object))
		return unreadable(err, "holds a tool call that cannot be read");
	int64_t index = gr_json_int(fragment, "index", self->open ? self->index : (int64_t)self->calls);
	if (self->open && index != self->index)
		return hand_out_call(self, out, err);
	if (!self->open && self->calls && index <= self->index)
		return unreadable(err, "goes back to a tool call that was complete");
	self->fragment++;
	return add_fragment(self, fragment, index, err);
}

static enum gr_wire_stop stop_of(const char *reason)
{
	if (strcmp(reason, "stop") == 0)
		return GR_WIRE_STOP_EOS;
	if (strcmp(reason, "tool_calls") == 0)
		return GR_WIRE_STOP_TOOLS;
	return strcmp(reason, "length") == 0 ? GR_WIRE_STOP_LIMIT : GR_WIRE_STOP_NONE;
}

static void read_final(struct gr_json_deltas *self, enum gr_wire_stop stop, struct gr_wire_event *out)
{
	out->kind = GR_WIRE_FINAL;
	out->stop = stop;
	out->evaluated = out->cached = -1;
	if (!self->timings)
		return;
	out->cached = gr_json_count(self->timings, "cache_n");
	int64_t evaluated = gr_json_count(self->timings, "prompt_n");
	if (evaluated >= 0 && out->cached >= 0)
		out->evaluated = evaluated + out->cached;
	out->drafted = gr_json_count(self->timings, "draft_n");
	out->accepted = gr_json_count(self->timings, "draft_n_accepted");
	out->prefill_ms = gr_json_number(self->timings, "prompt_ms", -1);
	out->decode_ms = gr_json_number(self->timings, "predicted_ms", -1);
}

static inf_status step_finish(struct gr_json_deltas *self, struct gr_wire_event *out, inf_error *err)
{
	struct json_object *reason = self->choice ? text_in(self->choice, "finish_reason") : NULL;
	enum gr_wire_stop stop = reason ? stop_of(json_object_get_string(reason)) : GR_WIRE_STOP_NONE;
	if (reason && self->open && (stop == GR_WIRE_STOP_TOOLS || is_whole(self)))
		return hand_out_call(self, out, err);
	self->step++;
	if (reason)
		read_final(self, stop, out);
	return INF_OK;
}

inf_status gr_json_deltas_next(struct gr_json_deltas *self, struct gr_wire_event *out, inf_error *err)
{
	inf_status st = INF_OK;
	out->merged = true;
	out->predicted = self->timings ? gr_json_count(self->timings, "predicted_n") : -1;
	while (st == INF_OK && out->kind == GR_WIRE_NOTHING && self->step != STEP_DONE) {
		if (self->step == STEP_REASONING)
			st = step_text(self, "reasoning_content", INF_TOKEN_FLAG_REASONING, out, err);
		else if (self->step == STEP_CONTENT)
			st = step_text(self, "content", 0, out, err);
		else if (self->step == STEP_CALLS)
			st = step_call(self, out, err);
		else
			st = step_finish(self, out, err);
	}
	return st;
}
