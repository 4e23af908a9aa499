/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "chat.h"
#include "fail.h"

enum { IDS_MAX_BYTES = 64 << 20 };

void gr_prompt_release(struct gr_prompt *self)
{
	free(self->ids);
	free(self->text);
	free(self->media);
	*self = (struct gr_prompt)GR_PROMPT_INIT;
}

/* ---- one question ---------------------------------------------------------------------------------------------- */
static inf_status ask(struct gr_call *call, const char *path, const struct gr_buf *body, struct gr_buf *answer)
{
	const struct gr_question question = { .path = path, .body = body, .answer = answer };
	return gr_call_ask(call, &question);
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */
static inf_status tokenize(struct gr_call *call, const char *text, size_t len, bool add_special,
			   bool parse_special, struct gr_prompt *out)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = gr_wire_encode_tokenize(&body, text, len, add_special, parse_special);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = ask(call, "/tokenize", &body, &answer);
	if (st == INF_OK)
		st = gr_wire_decode_tokens(gr_buf_text(&answer), answer.len, &out->ids, &out->count, call->err);
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

inf_status gr_prompt_from_text(struct gr_prompt *out, struct gr_call *call, const char *text, size_t len,
			       uint32_t gen_flags)
{
	return tokenize(call, text, len, !(gen_flags & INF_GEN_FLAG_NO_BOS), gen_flags & INF_GEN_FLAG_PARSE_SPECIAL,
			out);
}

inf_status gr_prompt_too_long(const struct gr_call *call, int64_t tokens)
{
	return inf_fail(call->err, INF_E_CONTEXT_FULL, "context_full",
			"the prompt has %lld tokens, but the context holds %d and one must be left to generate: shorten it or "
			"load the model with a larger context", (long long)tokens, call->model->info.context_len);
}

void gr_prompt_put(const struct gr_prompt *self, struct gr_wire_completion *out)
{
	out->prompt = self->ids;
	out->prompt_count = self->count;
	out->prompt_text = self->text;
	out->prompt_text_len = self->text_len;
	out->media = self->media;
	out->media_count = self->media_count;
}

inf_status gr_prompt_check(const struct gr_prompt *self, const struct gr_call *call)
{
	if (!self->count && !self->text)
		return inf_fail(call->err, INF_E_INVALID, "prompt_empty", "the prompt has no tokens");
	if (self->count >= (size_t)call->model->info.context_len)
		return gr_prompt_too_long(call, (int64_t)self->count);
	return INF_OK;
}

inf_status gr_prompt_token_kind(struct gr_call *call, int32_t id, enum gr_token_kind *out)
{
	inf_model *model = call->model;
	bool known_id = (uint32_t)id < model->file.vocab_size;
	*out = known_id ? (enum gr_token_kind)atomic_load_explicit(&model->token_kinds[id], memory_order_relaxed) :
	       GR_TOKEN_UNKNOWN;
	if (*out != GR_TOKEN_UNKNOWN)
		return INF_OK;
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = gr_wire_encode_detokenize(&body, &id, 1);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = ask(call, "/detokenize", &body, &answer);
	if (st == INF_OK)
		st = gr_wire_decode_text(gr_buf_text(&answer), answer.len, "content", &text, call->err);
	if (st == INF_OK) {
		/* The server shows bytes that are no whole character as U+FFFD. */
		*out = strstr(gr_buf_text(&text), "\xef\xbf\xbd") ? GR_TOKEN_HIDDEN : GR_TOKEN_SHOWN;
		if (known_id)
			atomic_store_explicit(&model->token_kinds[id], (unsigned char)*out, memory_order_relaxed);
	}
	gr_buf_release(&body);
	gr_buf_release(&answer);
	gr_buf_release(&text);
	return st;
}

/* ---- messages -------------------------------------------------------------------------------------------------- */
/* chat: NULL = nothing beside the messages. */
static inf_status render(struct gr_call *call, const struct gr_wire_message *messages, size_t count,
			 const struct gr_wire_chat *chat, struct gr_buf *out)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = chat ? gr_wire_encode_chat_template(&body, messages, count, chat) :
			       gr_wire_encode_template(&body, messages, count);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = ask(call, "/apply-template", &body, &answer);
	if (st == INF_OK)
		st = gr_wire_decode_text(gr_buf_text(&answer), answer.len, "prompt", out, call->err);
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

/* All that the host wrote. */
static inf_status gather_text(struct gr_buf *all, const struct gr_wire_message *messages, size_t count,
			      const struct gr_wire_chat *chat)
{
	inf_status st = chat && chat->tools ? gr_wire_append_strings(all, chat->tools) : INF_OK;
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		st = gr_buf_append(all, messages[i].content, messages[i].content_len);
		if (st == INF_OK)
			st = gr_buf_puts(all, "\n");
		if (st == INF_OK && messages[i].tool_call_id)
			st = gr_buf_printf(all, "%s\n", messages[i].tool_call_id);
		if (st == INF_OK && messages[i].tool_calls)
			st = gr_wire_append_strings(all, messages[i].tool_calls);
	}
	return st;
}

/* Is there text that the tokeniser would take for special tokens? */
static inf_status hold_special_text(struct gr_call *call, const struct gr_wire_message *messages,
				    size_t count, const struct gr_wire_chat *chat, bool *out)
{
	struct gr_buf all = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	struct gr_prompt with = GR_PROMPT_INIT, without = GR_PROMPT_INIT;
	inf_status st = gather_text(&all, messages, count, chat);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	if (st == INF_OK)
		st = tokenize(call, all.data, all.len, false, true, &with);
	if (st == INF_OK)
		st = tokenize(call, all.data, all.len, false, false, &without);
	if (st == INF_OK)
		*out = with.count != without.count ||
		       (with.count && memcmp(with.ids, without.ids, with.count * sizeof *with.ids) != 0);
	gr_buf_release(&all);
	gr_prompt_release(&with);
	gr_prompt_release(&without);
	return st;
}

static inf_status make_nonce(char out[GR_CHAT_NONCE + 1], inf_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char bytes[GR_CHAT_NONCE];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return gr_fail_errno(err, INF_E_IO, errno, "random", "no random bytes for a marker");
	for (int i = 0; i < GR_CHAT_NONCE; i++)
		out[i] = letters[bytes[i] % 32];
	out[GR_CHAT_NONCE] = '\0';
	return INF_OK;
}

enum marks { MARK_CONTENTS, MARK_MEDIA };

/* What the template gets to see of a message: a marker for its content, or the content and before it markers for media.
 * Where a template has no place of its own for them, before the text is where models are trained to find them. */
static inf_status mark(struct gr_buf *text, const char *nonce, enum marks marks, size_t index, size_t media_before,
		       const struct gr_wire_message *message)
{
	if (marks == MARK_CONTENTS)
		return gr_chat_mark(text, nonce, index, message);
	inf_status st = gr_chat_mark_media(text, nonce, media_before, message->media_count);
	return st == INF_OK ? gr_buf_append(text, message->content, message->content_len) : st;
}

static inf_status render_marked(struct gr_call *call, const char *nonce, enum marks marks,
				const struct gr_wire_message *messages, size_t count, const struct gr_wire_chat *chat,
				struct gr_buf *out)
{
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	struct gr_wire_message *marked = malloc(count * sizeof *marked);
	size_t *ends = malloc(count * sizeof *ends), media = 0;
	inf_status st = marked && ends ? INF_OK : INF_E_NO_MEMORY;
	for (size_t i = 0; i < count && st == INF_OK; media += messages[i++].media_count) {
		st = mark(&text, nonce, marks, i, media, &messages[i]);
		ends[i] = text.len;
	}
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		size_t begin = i ? ends[i - 1] : 0;
		marked[i] = messages[i];
		marked[i].content = gr_buf_text(&text) + begin;
		marked[i].content_len = ends[i] - begin;
	}
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = render(call, marked, count, chat, out);
	free(marked);
	free(ends);
	gr_buf_release(&text);
	return st;
}

static inf_status append_ids(struct gr_buf *ids, const struct gr_prompt *part, inf_error *err)
{
	inf_status st = gr_buf_append(ids, part->ids, part->count * sizeof *part->ids);
	return st == INF_OK ? st : gr_call_encode_failed(st, err);
}

static inf_status tokenize_pieces(struct gr_call *call, const struct gr_chat_piece *pieces, size_t count,
				  struct gr_prompt *out)
{
	struct gr_buf ids = GR_BUF_INIT(IDS_MAX_BYTES);
	inf_status st = INF_OK;
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		struct gr_prompt part = GR_PROMPT_INIT;
		if (!pieces[i].len && i)
			continue;
		/* The first piece is the template's; the beginning of the sequence goes before it. */
		st = tokenize(call, pieces[i].text, pieces[i].len, i == 0, !pieces[i].content, &part);
		if (st == INF_OK)
			st = append_ids(&ids, &part, call->err);
		gr_prompt_release(&part);
	}
	if (st == INF_OK) {
		out->ids = (int32_t *)(void *)ids.data;
		out->count = ids.len / sizeof *out->ids;
		ids.data = NULL;
	}
	gr_buf_release(&ids);
	return st;
}

static inf_status tokenize_apart(struct gr_prompt *out, struct gr_call *call, const char *nonce,
				 const struct gr_buf *rendered, const struct gr_wire_message *messages, size_t count)
{
	struct gr_chat_piece *pieces = malloc((2 * count + 1) * sizeof *pieces);
	size_t piece_count = 0;
	inf_status st;
	if (!pieces)
		return gr_call_encode_failed(INF_E_NO_MEMORY, call->err);
	if (gr_chat_split(gr_buf_text(rendered), rendered->len, nonce, messages, count, pieces, &piece_count))
		st = tokenize_pieces(call, pieces, piece_count, out);
	else
		st = inf_fail(call->err, INF_E_UNSUPPORTED, "chat_special_text",
			      "a message holds the text of a special token, and the model's chat template changes messages, "
			      "so that the two cannot be kept apart: remove that text");
	free(pieces);
	return st;
}

static bool is_standard_role(const char *role)
{
	return strcmp(role, "system") == 0 || strcmp(role, "user") == 0 || strcmp(role, "assistant") == 0;
}

/* Templates leave out messages of a role they do not know. */
static inf_status check_roles(const char *nonce, const struct gr_buf *rendered, const struct gr_wire_message *messages,
			      size_t count, inf_error *err)
{
	size_t missing = gr_chat_missing(gr_buf_text(rendered), rendered->len, nonce, messages, count);
	if (missing < count && !is_standard_role(messages[missing].role))
		return inf_fail(err, INF_E_INVALID, "chat_role", "message %zu: the model's chat template does not know the role "
				"\"%.31s\"", missing, messages[missing].role);
	return INF_OK;
}

/* ---- media ----------------------------------------------------------------------------------------------------- */
struct media_list {
	const struct gr_wire_media *items;
	size_t count;
};

static inf_status place_media(struct gr_prompt *out, const struct gr_buf *rendered, const char *nonce, const char *marker,
			      const struct media_list *media, inf_error *err)
{
	struct gr_buf text = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	size_t *order = malloc(media->count * sizeof *order);
	struct gr_wire_media *placed = malloc(media->count * sizeof *placed);
	inf_status st = INF_E_NO_MEMORY;
	if (order && placed)
		st = gr_chat_place_media(&text, gr_buf_text(rendered), rendered->len, nonce, marker, order, media->count);
	if (st == INF_E_UNSUPPORTED)
		inf_fail(err, st, "media_place", "the model's chat template leaves out, or changes, a message with media: send "
			 "media in a message of the role \"user\"");
	else if (st != INF_OK)
		gr_call_encode_failed(st, err);
	if (st == INF_OK) {
		for (size_t i = 0; i < media->count; i++)
			placed[i] = media->items[order[i]];
		*out = (struct gr_prompt){
			.text = text.data, .text_len = text.len, .media = placed, .media_count = media->count,
		};
		text.data = NULL;
		placed = NULL;
	}
	free(order);
	free(placed);
	gr_buf_release(&text);
	return st;
}

/* special: the tokeniser found some in the messages. */
static inf_status check_text_beside_media(const struct gr_wire_message *messages, size_t count, const char *marker,
					  bool special, inf_error *err)
{
	for (size_t i = 0; i < count && !special; i++)
		special = messages[i].content_len && memmem(messages[i].content, messages[i].content_len, marker, strlen(marker));
	if (!special)
		return INF_OK;
	return inf_fail(err, INF_E_UNSUPPORTED, "chat_special_text",
			"a message holds the text of a special token, and beside images or sound llama-server cannot be told that it "
			"is text: remove that text");
}

static inf_status make_media_prompt(struct gr_prompt *out, struct gr_call *call,
				    const struct gr_wire_message *messages, size_t count, const struct media_list *media)
{
	char nonce[GR_CHAT_NONCE + 1];
	struct gr_buf rendered = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = make_nonce(nonce, call->err);
	if (st == INF_OK)
		st = render_marked(call, nonce, MARK_MEDIA, messages, count, NULL, &rendered);
	if (st == INF_OK)
		st = place_media(out, &rendered, nonce, call->model->media_marker, media, call->err);
	gr_buf_release(&rendered);
	return st;
}

inf_status gr_prompt_from_messages(struct gr_prompt *out, struct gr_call *call,
				   const struct gr_wire_message *messages, size_t count, const struct gr_wire_media *media)
{
	char nonce[GR_CHAT_NONCE + 1];
	struct gr_buf rendered = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	bool special = false, standard = true;
	struct media_list list = { media, 0 };
	for (size_t i = 0; i < count; i++) {
		standard = standard && is_standard_role(messages[i].role);
		list.count += messages[i].media_count;
	}
	inf_status st = hold_special_text(call, messages, count, NULL, &special);
	if (st == INF_OK && (special || !standard)) {
		st = make_nonce(nonce, call->err);
		if (st == INF_OK)
			st = render_marked(call, nonce, MARK_CONTENTS, messages, count, NULL, &rendered);
		if (st == INF_OK)
			st = check_roles(nonce, &rendered, messages, count, call->err);
	}
	if (st == INF_OK && list.count) {
		st = check_text_beside_media(messages, count, call->model->media_marker, special, call->err);
		if (st == INF_OK)
			st = make_media_prompt(out, call, messages, count, &list);
	} else if (st == INF_OK && special) {
		st = tokenize_apart(out, call, nonce, &rendered, messages, count);
	} else if (st == INF_OK) {
		gr_buf_reset(&rendered);
		st = render(call, messages, count, NULL, &rendered);
		if (st == INF_OK)
			st = tokenize(call, gr_buf_text(&rendered), rendered.len, true, true, out);
	}
	gr_buf_release(&rendered);
	return st;
}

/* ---- with tools and thinking --------------------------------------------------------------------------------------- */
static inf_status check_roles_of_chat(struct gr_call *call, const struct gr_wire_message *messages, size_t count,
				      const struct gr_wire_chat *chat)
{
	char nonce[GR_CHAT_NONCE + 1];
	struct gr_buf rendered = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = make_nonce(nonce, call->err);
	if (st == INF_OK)
		st = render_marked(call, nonce, MARK_CONTENTS, messages, count, chat, &rendered);
	if (st == INF_OK)
		st = check_roles(nonce, &rendered, messages, count, call->err);
	gr_buf_release(&rendered);
	return st;
}

inf_status gr_prompt_from_chat(struct gr_prompt *out, struct gr_call *call, const struct gr_wire_message *messages,
			       size_t count, const struct gr_wire_chat *chat)
{
	struct gr_buf rendered = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	bool special = false, standard = true;
	for (size_t i = 0; i < count; i++)
		standard = standard && is_standard_role(messages[i].role);
	inf_status st = hold_special_text(call, messages, count, chat, &special);
	if (st == INF_OK && special)
		st = inf_fail(call->err, INF_E_UNSUPPORTED, "chat_special_text",
			      "a message or a tool holds the text of a special token, and beside tools or thinking llama-server "
			      "cannot be told that it is text: remove that text");
	if (st == INF_OK && !standard)
		st = check_roles_of_chat(call, messages, count, chat);
	if (st == INF_OK)
		st = render(call, messages, count, chat, &rendered);
	if (st == INF_OK)
		st = tokenize(call, gr_buf_text(&rendered), rendered.len, true, true, out);
	gr_buf_release(&rendered);
	return st;
}

inf_status gr_prompt_obeys_thinking(struct gr_call *call, bool *out)
{
	const struct gr_wire_message message = { .role = "user", .content = "?", .content_len = 1 };
	const struct gr_wire_chat with = { .thinking = GR_WIRE_THINKING_ON }, without = { .thinking = GR_WIRE_THINKING_OFF };
	struct gr_buf thinks = GR_BUF_INIT(GR_WIRE_BODY_MAX), answers = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st = render(call, &message, 1, &with, &thinks);
	if (st == INF_OK)
		st = render(call, &message, 1, &without, &answers);
	*out = st == INF_OK && strcmp(gr_buf_text(&thinks), gr_buf_text(&answers)) != 0;
	gr_buf_release(&thinks);
	gr_buf_release(&answers);
	return st == INF_E_INVALID || st == INF_E_INTERNAL ? INF_OK : st;
}
