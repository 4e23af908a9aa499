/* SPDX-License-Identifier: MIT */
#ifndef GR_GGUF_KIND_H
#define GR_GGUF_KIND_H

#include "gguf.h"

/*
 * gguf_kind: what a GGUF file is, from the facts in its header. Pure.
 */

enum gr_gguf_kind {
	GR_GGUF_KIND_MODEL,		/* generates text */
	GR_GGUF_KIND_EMBEDDING,		/* embeds or ranks text */
	GR_GGUF_KIND_PROJECTOR,		/* the eyes or ears of another model */
	GR_GGUF_KIND_ADAPTER,		/* LoRA, for another model */
	GR_GGUF_KIND_VOCABULARY,	/* no tensors */
	GR_GGUF_KIND_OTHER,
	GR_GGUF_KINDS
};

enum gr_gguf_kind gr_gguf_kind(const struct gr_gguf *model);
/* Does its architecture read a text only as a whole, and continue none? */
bool gr_gguf_is_encoder(const struct gr_gguf *model);
const char *gr_gguf_kind_name(enum gr_gguf_kind kind);	/* "model", "embedding", ... */
/* "Q4_K_M", from the file type, else the type of most tensors; "" = neither is known. */
const char *gr_gguf_quantisation(const struct gr_gguf *model);

#endif
