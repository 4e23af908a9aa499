/* SPDX-License-Identifier: MIT */
#ifndef GR_PROMPT_H
#define GR_PROMPT_H

#include "backend.h"

/*
 * prompt: text and messages to token ids, by asking the server's tokeniser.
 *
 * Text of special tokens in a prompt or a message stays text. For a chat the template is rendered by the server and
 * tokenised whole, as the server itself would do it, when no message holds the text of a special token (the tokeniser
 * says so: with and without special parsing the messages' ids are the same). Otherwise it is rendered again with markers
 * (chat.h), and template and contents are tokenised apart.
 */
enum {
	GR_PROMPT_TEXT_MAX = 16 << 20,		/* bytes of a prompt, or of all messages together */
	GR_PROMPT_REQUEST_MS = 60000,		/* for one question to the tokeniser of a server that does not sleep; less if
						   the load's first-token-timeout-ms is */
};

struct gr_prompt {
	int32_t *ids;		/* owned */
	size_t count;
};

#define GR_PROMPT_INIT { NULL, 0 }

/* on_poll: as in http.h; user is handed to it. */
struct gr_prompt_asker {
	inf_model *model;
	int (*on_poll)(void *user);
	void *user;
	int64_t *polled_ms;		/* as in http.h */
};

void gr_prompt_release(struct gr_prompt *self);
inf_status gr_prompt_from_text(struct gr_prompt *out, const struct gr_prompt_asker *asker, const char *text, size_t len,
			       uint32_t gen_flags, inf_error *err);
inf_status gr_prompt_from_messages(struct gr_prompt *out, const struct gr_prompt_asker *asker,
				   const struct gr_wire_message *messages, size_t count, inf_error *err);
/* Does the stream show this token's id? Hidden: its text ends inside a character. */
inf_status gr_prompt_token_kind(const struct gr_prompt_asker *asker, int32_t id, enum gr_token_kind *out,
				inf_error *err);

#endif
