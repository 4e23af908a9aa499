/* SPDX-License-Identifier: MIT */
#ifndef GR_BACKEND_MEDIA_H
#define GR_BACKEND_MEDIA_H

#include "backend.h"

/* backend_media: the images, sounds and video frames of a conversation, checked before anything is sent. */
struct gr_media_list {
	struct gr_wire_media *items;	/* owned, but not their bytes */
	size_t count;
	size_t total;			/* bytes */
};

#define GR_MEDIA_LIST_INIT { 0 }

/*
 * Check the media of a message and append them. INF_E_UNSUPPORTED ("media") for what the model as loaded does not take;
 * else what gr_media_check() returns. index: of the message, for the text of a failure.
 */
inf_status gr_media_list_add(struct gr_media_list *self, const inf_model *model, const inf_message *message,
			     size_t index, inf_error *err);
void gr_media_list_release(struct gr_media_list *self);	/* accepts NULL */

#endif
