/* SPDX-License-Identifier: MIT */
#include "backend_input.h"

#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "sampling.h"
#include "utf8.h"

static void free_messages(struct gr_wire_message *messages, size_t count)
{
	for (size_t i = 0; messages && i < count; i++)
		free(messages[i].tool_calls);
	free(messages);
}

void gr_input_release(struct gr_input *self)
{
	if (!self)
		return;
	free_messages(self->messages, self->message_count);
	gr_media_list_release(&self->media);
}

inf_status gr_input_from_prompt(struct gr_input *out, const char *prompt, size_t prompt_len, inf_error *err)
{
	if (!prompt && prompt_len)
		return inf_fail(err, INF_E_INVALID, "argument", "the prompt is NULL");
	if (prompt_len > GR_PROMPT_TEXT_MAX)
		return inf_fail(err, INF_E_INVALID, "prompt_too_large", "the prompt is larger than %d bytes",
				GR_PROMPT_TEXT_MAX);
	if (!gr_utf8_valid(prompt, prompt_len))
		return inf_fail(err, INF_E_INVALID, "utf8", "the prompt is not valid UTF-8");
	*out = (struct gr_input){ .text = prompt, .text_len = prompt_len };
	return INF_OK;
}

static bool is_role(const char *role)
{
	size_t len = role ? strlen(role) : 0;
	return len && len <= GR_INPUT_ROLE_MAX &&
	       strspn(role, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static bool is_id(const char *id)
{
	size_t len = strnlen(id, GR_WIRE_TOOL_NAME_MAX + 1);
	return len && len <= GR_WIRE_TOOL_NAME_MAX && gr_utf8_valid(id, len);
}

/* What a message has of tool calls: the calls of an assistant, or the id that a result answers. */
static inf_status read_calls(struct gr_wire_message *out, const inf_model *model, const inf_message *in, size_t index,
			     inf_error *err)
{
	if (in->tool_call_id && (strcmp(in->role, "tool") != 0 || !is_id(in->tool_call_id)))
		return inf_fail(err, INF_E_INVALID, "tool_call_id",
				"message %zu: tool_call_id is for messages of the role \"tool\", and must have 1..%d bytes of UTF-8",
				index, GR_WIRE_TOOL_NAME_MAX);
	out->tool_call_id = in->tool_call_id;
	if (!in->tool_calls)
		return INF_OK;
	if (strcmp(in->role, "assistant") != 0)
		return inf_fail(err, INF_E_INVALID, "tool_calls",
				"message %zu: tool_calls is for messages of the role \"assistant\"", index);
	if (!(model->info.flags & INF_INFO_FLAG_TOOLS))
		return inf_fail(err, INF_E_UNSUPPORTED, "tools",
				"message %zu: the model's chat template knows no tool calls", index);
	size_t len = strnlen(in->tool_calls, GR_PROMPT_TEXT_MAX + 1);
	if (len > GR_PROMPT_TEXT_MAX)
		return inf_fail(err, INF_E_INVALID, "prompt_too_large", "message %zu: tool_calls is larger than %d bytes", index,
				GR_PROMPT_TEXT_MAX);
	if (!gr_utf8_valid(in->tool_calls, len))
		return inf_fail(err, INF_E_INVALID, "utf8", "message %zu: tool_calls is not valid UTF-8", index);
	return gr_wire_read_calls(in->tool_calls, &out->tool_calls, err);
}

static inf_status read_message(struct gr_wire_message *out, struct gr_media_list *media, const inf_model *model,
			       const inf_message *in, size_t index, inf_error *err)
{
	inf_message message;
	inf_status st = inf_read_request(&message, sizeof message, in, inf_message_V1_0, 0, ~0ull);
	if (st != INF_OK)
		return inf_fail(err, st, "message", "message %zu is NULL, malformed, or has a field that is not known here",
				index);
	if (!is_role(message.role))
		return inf_fail(err, INF_E_INVALID, "chat_role", "message %zu: the role must be a word of 1..%d characters",
				index, GR_INPUT_ROLE_MAX);
	if ((!message.content && message.content_len) || !gr_utf8_valid(message.content, message.content_len))
		return inf_fail(err, INF_E_INVALID, "utf8", "message %zu: the content is not valid UTF-8", index);
	*out = (struct gr_wire_message){
		.role = message.role, .content = message.content ? message.content : "", .content_len = message.content_len,
		.media_count = message.media_count,
	};
	st = read_calls(out, model, &message, index, err);
	return st == INF_OK ? gr_media_list_add(media, model, &message, index, err) : st;
}

static inf_status read_messages(struct gr_wire_message *out, struct gr_media_list *media, const inf_model *model,
				const inf_message *const *msgs, size_t count, inf_error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		inf_status st = read_message(&out[i], media, model, msgs[i], i, err);
		if (st != INF_OK)
			return st;
		size_t calls_len = out[i].tool_calls ? strlen(out[i].tool_calls) : 0;
		if (out[i].content_len > GR_PROMPT_TEXT_MAX - total ||
		    calls_len > GR_PROMPT_TEXT_MAX - total - out[i].content_len)
			return inf_fail(err, INF_E_INVALID, "prompt_too_large", "the messages are larger than %d bytes",
					GR_PROMPT_TEXT_MAX);
		total += out[i].content_len + calls_len;
	}
	return INF_OK;
}

inf_status gr_input_from_messages(struct gr_input *out, const inf_model *model, const inf_message *const *msgs,
				  size_t msg_count, inf_error *err)
{
	if (!(model->info.flags & INF_INFO_FLAG_CHAT))
		return inf_fail(err, INF_E_UNSUPPORTED, "no_chat_template",
				"the model has no chat template: use generate, or a model made for chat");
	if (!msgs || !msg_count || msg_count > GR_CHAT_MESSAGES_MAX)
		return inf_fail(err, INF_E_INVALID, "messages", "chat: 1..%d messages are needed", GR_CHAT_MESSAGES_MAX);
	struct gr_wire_message *messages = calloc(msg_count, sizeof *messages);
	if (!messages)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for %zu messages", msg_count);
	struct gr_input input = { .messages = messages, .message_count = msg_count, .media = GR_MEDIA_LIST_INIT };
	inf_status st = read_messages(messages, &input.media, model, msgs, msg_count, err);
	if (st != INF_OK) {
		gr_input_release(&input);
		return st;
	}
	input.apart = gr_input_holds_calls(&input);
	*out = input;
	return INF_OK;
}

inf_status gr_input_read(struct gr_input *out, const inf_model *model, const inf_input *in, const inf_gen_params **params,
			 inf_error *err)
{
	inf_input input;
	inf_status st = inf_read_request(&input, sizeof input, in, inf_input_V1_0, 0, ~0ull);
	if (st != INF_OK)
		return inf_fail(err, st, "input", "an input is NULL, malformed, or has a field that is not known here");
	if (input.prompt && (input.msgs || input.msg_count))
		return inf_fail(err, INF_E_INVALID, "input", "an input has both a prompt and messages");
	if (params)
		*params = input.params;
	if (input.msgs || input.msg_count)
		return gr_input_from_messages(out, model, input.msgs, input.msg_count, err);
	return gr_input_from_prompt(out, input.prompt, input.prompt_len, err);
}

uint32_t gr_input_gen_flags(const struct gr_input *self)
{
	return self->messages ? GR_GEN_FLAGS & ~(INF_GEN_FLAG_PARSE_SPECIAL | INF_GEN_FLAG_NO_BOS) : GR_GEN_FLAGS;
}

inf_status gr_input_prompt(const struct gr_input *self, struct gr_call *call, uint32_t gen_flags, struct gr_prompt *out)
{
	if (self->media.count)
		return inf_fail(call->err, INF_E_UNSUPPORTED, "media", "images, sound and video have no token ids: only chat() takes "
				"them");
	return gr_input_prompt_or_text(self, call, gen_flags, out);
}

inf_status gr_input_prompt_or_text(const struct gr_input *self, struct gr_call *call, uint32_t gen_flags,
				   struct gr_prompt *out)
{
	if (self->apart)
		return gr_prompt_from_chat(out, call, self->messages, self->message_count, &self->chat);
	if (self->messages)
		return gr_prompt_from_messages(out, call, self->messages, self->message_count, self->media.items);
	return gr_prompt_from_text(out, call, self->text, self->text_len, gen_flags);
}

inf_status gr_input_options(struct gr_request_options *out, const inf_model *model, const inf_gen_params *params,
			    inf_error *err)
{
	inf_status st = gr_options_parse_request(out, gr_options_table(gr_profile.name), params->options,
						 params->option_count, err);
	if (st == INF_OK)
		st = gr_sampling_check_bias(out->logit_bias, model->file.vocab_size, err);
	if (st == INF_OK && out->slot >= model->info.parallel_slots)
		st = inf_fail(err, INF_E_INVALID, "option_value", "option slot: %d, but the model has the slots 0..%d",
			      out->slot, model->info.parallel_slots - 1);
	return st;
}
