/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include <stddef.h>
#include <stdlib.h>

#include "request.h"

struct ic_keep_block {
	struct ic_keep_block *next;
	max_align_t bytes[];
};

/* ---- memory: a failure sticks, so that it is looked at once ------------------------------------------------------ */
static void *keep(struct ic_keep *self, const void *bytes, size_t size)
{
	struct ic_keep_block *block = NULL;
	if (!bytes || self->failed)
		return NULL;
	if (size <= PTRDIFF_MAX - sizeof *block)
		block = malloc(sizeof *block + size);
	if (!block) {
		self->failed = true;
		return NULL;
	}
	block->next = self->blocks;
	self->blocks = block;
	return memcpy(block->bytes, bytes, size);
}

static void *keep_array(struct ic_keep *self, const void *items, size_t count, size_t size)
{
	return keep(self, items, count <= SIZE_MAX / size ? count * size : SIZE_MAX);
}

static const char *keep_text(struct ic_keep *self, const char *text)
{
	return text ? keep(self, text, strlen(text) + 1) : NULL;
}

void ic_keep_release(struct ic_keep *self)
{
	while (self->blocks) {
		struct ic_keep_block *next = self->blocks->next;
		free(self->blocks);
		self->blocks = next;
	}
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */
static inf_status keep_media(struct ic_keep *self, inf_message *message, size_t index, inf_error *err)
{
	const inf_media **list = keep_array(self, message->media, message->media_count, sizeof *list);
	for (size_t i = 0; list && i < message->media_count; i++) {
		inf_media media;
		inf_status st = inf_read_request(&media, sizeof media, list[i], inf_media_V1_0, 0, ~0ull);
		if (st != INF_OK)
			return inf_fail(err, st, "media", "message %zu: media %zu is NULL, malformed, or has a field that is not "
					"known here", index, i);
		media.data = keep(self, media.data, media.size);
		list[i] = keep(self, &media, sizeof media);
	}
	message->media = list;
	return INF_OK;
}

static inf_status keep_messages(struct ic_keep *self, inf_error *err)
{
	const inf_message **list = keep_array(self, self->input.msgs, self->input.msg_count, sizeof *list);
	for (size_t i = 0; list && i < self->input.msg_count; i++) {
		inf_message message;
		inf_status st = inf_read_request(&message, sizeof message, list[i], inf_message_V1_0, 0, ~0ull);
		if (st != INF_OK)
			return inf_fail(err, st, "message", "message %zu is NULL, malformed, or has a field that is not known "
					"here", i);
		message.role = keep_text(self, message.role);
		message.content = keep(self, message.content, message.content_len);
		message.tool_calls = keep_text(self, message.tool_calls);
		message.tool_call_id = keep_text(self, message.tool_call_id);
		st = keep_media(self, &message, i, err);
		if (st != INF_OK)
			return st;
		list[i] = keep(self, &message, sizeof message);
	}
	self->input.msgs = list;
	return INF_OK;
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */
static const char *const *keep_texts(struct ic_keep *self, const char *const *texts, size_t count)
{
	const char **list = keep_array(self, texts, count, sizeof *list);
	for (size_t i = 0; list && i < count; i++)
		list[i] = keep_text(self, list[i]);
	return list;
}

static const inf_kv *keep_options(struct ic_keep *self, const inf_kv *options, size_t count)
{
	inf_kv *list = keep_array(self, options, count, sizeof *list);
	for (size_t i = 0; list && i < count; i++)
		list[i] = (inf_kv){ keep_text(self, list[i].key), keep_text(self, list[i].value) };
	return list;
}

static inf_status keep_params(struct ic_keep *self, const inf_gen_params *params, inf_error *err)
{
	inf_gen_params *p = &self->params;
	*p = (inf_gen_params){ .struct_size = sizeof *p };
	if (!params)
		return INF_OK;
	inf_status st = inf_read_request(p, sizeof *p, params, inf_gen_params_V1_0, INF_GEN_FLAG_KNOWN, INF_GEN_SET_KNOWN);
	if (st != INF_OK)
		return ic_request_refused(err, st, "gen_params", params, INF_GEN_FLAG_KNOWN, INF_GEN_SET_KNOWN);
	p->struct_size = sizeof *p;
	p->stop_tokens = keep_array(self, p->stop_tokens, p->stop_token_count, sizeof *p->stop_tokens);
	p->suppress_tokens = keep_array(self, p->suppress_tokens, p->suppress_token_count, sizeof *p->suppress_tokens);
	p->stop_strings = keep_texts(self, p->stop_strings, p->stop_string_count);
	p->options = keep_options(self, p->options, p->option_count);
	p->json_schema = keep_text(self, p->json_schema);
	p->grammar = keep_text(self, p->grammar);
	p->request_id = keep_text(self, p->request_id);
	p->tools = keep_text(self, p->tools);
	p->tool_choice = keep_text(self, p->tool_choice);
	return INF_OK;
}

inf_status ic_keep_input(struct ic_keep *self, const inf_input *input, const inf_gen_params *params, inf_error *err)
{
	*self = (struct ic_keep)IC_KEEP_INIT;
	inf_status st = inf_read_request(&self->input, sizeof self->input, input, inf_input_V1_0, 0, ~0ull);
	if (st != INF_OK)
		return inf_fail(err, st, "input", "the input is NULL, malformed, or has a field that is not known here");
	if (self->input.prompt && (self->input.msgs || self->input.msg_count))
		return inf_fail(err, INF_E_INVALID, "input", "the input has both a prompt and messages");
	st = keep_params(self, params ? params : self->input.params, err);
	self->input.params = NULL;
	if (st == INF_OK)
		st = keep_messages(self, err);
	if (st != INF_OK)
		return self->failed ? inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream") : st;
	self->input.prompt = keep(self, self->input.prompt, self->input.prompt_len);
	return self->failed ? inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a stream") : INF_OK;
}
