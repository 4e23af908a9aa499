/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_EMBED_H
#define GR_WIRE_EMBED_H

#include "inference/extensions.h"

#include "wire.h"

/* wire_embed: vectors and ranks, as wire.h has the rest of the server's JSON. */

struct gr_wire_ids {
	const int32_t *ids;
	size_t count;
};

/* Of each text the vector as the model gives it, not normalised, its numbers as base64 of little-endian floats. */
inf_status gr_wire_encode_embeddings(struct gr_buf *out, const struct gr_wire_ids *texts, size_t count);
/*
 * One vector of dimension numbers for each of count texts, in their order; a server that knows no base64 gives numbers.
 * INF_E_INTERNAL: "server_answer", "embedding_dimension" (the vectors have another length), "not_finite".
 */
inf_status gr_wire_decode_embeddings(const char *body, size_t len, size_t count, size_t dimension, float *vectors,
				     inf_error *err);

inf_status gr_wire_encode_rank(struct gr_buf *out, const inf_text *query, const inf_text *document);
/* Of the one document. *tokens: of it and the query together, -1 = not said. */
inf_status gr_wire_decode_rank(const char *body, size_t len, float *score, int64_t *tokens, inf_error *err);

/* Is this the refusal of an input that is too long for the context? *tokens: how long it is, -1 = not said. */
bool gr_wire_is_too_long(const struct gr_wire_error *error, int64_t *tokens);

#endif
