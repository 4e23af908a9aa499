/* SPDX-License-Identifier: MIT */
#ifndef GR_BACKEND_INPUT_H
#define GR_BACKEND_INPUT_H

#include "backend_call.h"
#include "backend_media.h"
#include "prompt.h"

/* backend_input: what a host wants continued, a prompt or a conversation, checked and of one shape. */
enum { GR_INPUT_ROLE_MAX = 31 };

struct gr_input {
	const char *text;			/* the host's; when there are no messages */
	size_t text_len;
	struct gr_wire_message *messages;	/* owned; what they point to is the host's, but for
						   calls. NULL = a prompt */
	size_t message_count;
	/* With tools, thoughts or calls it goes the way of the server's chat endpoint, with chat. */
	bool apart;
	struct gr_wire_chat chat;
	struct gr_media_list media;		/* of all messages */
};

#define GR_INPUT_INIT { 0 }

inf_status gr_input_from_prompt(struct gr_input *out, const char *prompt, size_t prompt_len, inf_error *err);
inf_status gr_input_from_messages(struct gr_input *out, const inf_model *model, const inf_message *const *msgs,
				  size_t msg_count, inf_error *err);
/* One of the two, as an extension is given it. *params gets the input's own, NULL if it has none; may be NULL. */
inf_status gr_input_read(struct gr_input *out, const inf_model *model, const inf_input *in,
			 const inf_gen_params **params, inf_error *err);
void gr_input_release(struct gr_input *self);	/* accepts NULL */

/* The options of a request; their text is the host's. */
inf_status gr_input_options(struct gr_request_options *out, const inf_model *model, const inf_gen_params *params,
			    inf_error *err);
/* INF_GEN_FLAG_* that mean something for such an input. */
uint32_t gr_input_gen_flags(const struct gr_input *self);
/* INF_GEN_SET_* that can be given for it; a model may honour less. */
uint64_t gr_input_gen_fields(const struct gr_input *self);
/* What the parameters say about tools and thinking; params as gr_sampling_check() left them; their texts must outlive it.
 * INF_E_INVALID and INF_E_UNSUPPORTED name what does not go together, or not with this model. */
inf_status gr_input_use_params(struct gr_input *self, const inf_model *model, const inf_gen_params *params, inf_error *err);
bool gr_input_holds_calls(const struct gr_input *self);	/* of tools, or what they said */
/* The ids of its tokens; INF_E_UNSUPPORTED ("media") where there are media, for callers that need ids. */
inf_status gr_input_prompt(const struct gr_input *self, struct gr_call *call, uint32_t gen_flags, struct gr_prompt *out);
/* The ids, or with media a text. */
inf_status gr_input_prompt_or_text(const struct gr_input *self, struct gr_call *call, uint32_t gen_flags,
				   struct gr_prompt *out);

#endif
