/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_TOKEN_H
#define GR_WIRE_TOKEN_H

#include "wire.h"

/*
 * wire_token: the one event of a stream that there is for every token, read without json-c, which allocates 30 times for it.
 *
 *   {"index":0,"content":" was","tokens":[320],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":3}
 *
 * Taken are these keys in this order with nothing between them, numbers as JSON writes integers, and a text in UTF-8. Whatever
 * else there is, be it a space, is not judged here but left to json-c, and what is taken means there what it means here. Left
 * are surrogates too: the server escapes nothing but control characters, and json-c 0.16 takes every 32nd pair for a mistake.
 */
enum gr_wire_token { GR_WIRE_TOKEN_TAKEN, GR_WIRE_TOKEN_LEFT, GR_WIRE_TOKEN_NO_MEMORY };

/* TAKEN: in *out are kind, text, id and the counts, and the rest is untouched; the text lies in `text`, whose memory is
 * used again. Else *out is untouched. */
enum gr_wire_token gr_wire_token_read(struct gr_buf *text, const char *data, size_t len, struct gr_wire_event *out);

#endif
