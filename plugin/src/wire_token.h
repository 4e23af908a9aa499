/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_TOKEN_H
#define GR_WIRE_TOKEN_H

#include "wire.h"

/*
 * wire_token: the one event of a stream that there is for every token, read without json-c, which allocates 30 times for
 * it and more.
 *
 * Of a completion, the probabilities if they were asked for:
 *
 *   {"index":0,"content":" was","tokens":[320],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":3
 *    ,"completion_probabilities":[{"id":320,"token":" was","bytes":[32,..],"logprob":-0.5,"top_logprobs":[..]}]}
 *
 * Of a chat, where the text can be "reasoning_content" as well; the timings if they were asked for, in them two counts of
 * guessed tokens if there were any:
 *
 *   {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" was"}}],"created":1,"id":"..","model":"..",
 *    "system_fingerprint":"..","object":"chat.completion.chunk"
 *    ,"timings":{"cache_n":0,"prompt_n":3,..,"predicted_n":1,..,"predicted_per_second":5.5}}
 *
 * Taken are these keys in this order, in the form that wire_scan.h takes. Whatever else there is, be it a space, is not
 * judged here but left to json-c, and what is taken means there what it means here.
 */
enum gr_wire_token { GR_WIRE_TOKEN_TAKEN, GR_WIRE_TOKEN_LEFT, GR_WIRE_TOKEN_NO_MEMORY };

/* TAKEN: in *out is what the event says, and the rest is untouched; the text lies in `text`, whose memory is used again.
 * Else *out is untouched. */
enum gr_wire_token gr_wire_token_read(struct gr_buf *text, const char *data, size_t len, struct gr_wire_event *out);
enum gr_wire_token gr_wire_token_read_chat(struct gr_buf *text, const char *data, size_t len,
					   struct gr_wire_event *out);

#endif
