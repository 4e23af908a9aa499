/* SPDX-License-Identifier: MIT */
#ifndef GR_PROMPT_H
#define GR_PROMPT_H

#include "backend_call.h"
#include "wire_chat.h"

/*
 * prompt: text and messages to token ids, by asking the server's tokeniser.
 *
 * Text of special tokens in a prompt or a message stays text. For a chat the template is rendered by the server and
 * tokenised whole, as the server itself would do it, when no message holds the text of a special token (the tokeniser
 * says so: with and without special parsing the messages' ids are the same). Otherwise it is rendered again with markers
 * (chat.h), and template and contents are tokenised apart.
 *
 * With media the server takes text instead of ids, tokenises it whole, and cannot be told what of it is a message. So a
 * message with the text of a special token, or of the server's own marker for media, is refused then.
 */
enum {
	GR_PROMPT_TEXT_MAX = 16 << 20,		/* bytes of a prompt, or of all messages together */
};

struct gr_prompt {
	int32_t *ids;		/* owned */
	size_t count;
	char *text;		/* owned; instead of ids where there are media. NULL = there are none */
	size_t text_len;
	struct gr_wire_media *media;	/* owned, but not their bytes: in the order of the text */
	size_t media_count;
};

#define GR_PROMPT_INIT { 0 }

void gr_prompt_release(struct gr_prompt *self);
inf_status gr_prompt_from_text(struct gr_prompt *out, struct gr_call *call, const char *text, size_t len,
			       uint32_t gen_flags);
/* media: those of all messages, in their order. */
inf_status gr_prompt_from_messages(struct gr_prompt *out, struct gr_call *call, const struct gr_wire_message *messages,
				   size_t count, const struct gr_wire_media *media);
/*
 * As the server's own chat endpoint makes it of tools and thinking, where it tokenises template and messages in one: text of
 * special tokens in messages, calls or tools is refused, INF_E_UNSUPPORTED "chat_special_text".
 */
inf_status gr_prompt_from_chat(struct gr_prompt *out, struct gr_call *call, const struct gr_wire_message *messages,
			       size_t count, const struct gr_wire_chat *chat);
/* Does the template make another prompt with thinking than without? False also where it refuses to be asked. */
inf_status gr_prompt_obeys_thinking(struct gr_call *call, bool *out);
/* A prompt that can be continued. INF_E_INVALID for an empty one, INF_E_CONTEXT_FULL. */
inf_status gr_prompt_check(const struct gr_prompt *self, const struct gr_call *call);
/* Into a request, which borrows it. */
void gr_prompt_put(const struct gr_prompt *self, struct gr_wire_completion *out);
inf_status gr_prompt_too_long(const struct gr_call *call, int64_t tokens);
/* Does the stream show this token's id? Hidden: its text ends inside a character. */
inf_status gr_prompt_token_kind(struct gr_call *call, int32_t id, enum gr_token_kind *out);

#endif
