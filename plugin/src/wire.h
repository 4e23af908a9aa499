/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_H
#define GR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/extensions.h"

#include "buf.h"
#include "options.h"

/*
 * wire: the server's JSON, out and in; the only user of json-c.
 *
 * Encoders write a whole request body into a buffer. Decoders take bytes that nobody has vouched for: a missing field is a
 * default, a field of the wrong type counts as missing, and a body that is no JSON object is INF_E_INTERNAL with the reason
 * "server_answer". Strings that come out are UTF-8 and may hold NUL.
 */
enum {
	GR_WIRE_BODY_MAX = 256 << 20,	/* bytes of a request or of an answer that is not a stream */
	GR_WIRE_PIECE_MAX = 1 << 20,	/* bytes of the text of one token */
	GR_WIRE_TOKENS_MAX = 1 << 24,	/* token ids in one answer, and what counts of tokens are believed */
};

/* ---- requests -------------------------------------------------------------------------------------------------- */
inf_status gr_wire_encode_tokenize(struct gr_buf *out, const char *text, size_t len, bool add_special,
				   bool parse_special);
inf_status gr_wire_encode_detokenize(struct gr_buf *out, const int32_t *tokens, size_t count);

struct gr_wire_message {
	const char *role;
	const char *content;		/* not NUL-terminated */
	size_t content_len;
	size_t media_count;		/* of its own; what they are is none of the template's business */
	char *tool_calls;		/* owned by whoever made it: from gr_wire_read_calls(); NULL = none */
	const char *tool_call_id;	/* NULL = none */
};

inf_status gr_wire_encode_template(struct gr_buf *out, const struct gr_wire_message *messages, size_t count);

/* A file of an image or sound. */
struct gr_wire_media {
	const void *data;
	size_t size;
};

/* Everything the server samples by: the caller has put defaults where the request had none. */
struct gr_wire_completion {
	const int32_t *prompt;
	size_t prompt_count;
	const char *prompt_text;	/* instead of ids, where there are media: with one marker for each of them */
	size_t prompt_text_len;
	const struct gr_wire_media *media;
	size_t media_count;
	int32_t max_tokens;		/* -1 = no limit */
	int32_t min_tokens;		/* the end is not sampled before so many; 0 = off. Not with schema or grammar */
	uint32_t seed;
	float temperature;		/* 0 = greedy */
	int32_t top_k;			/* 0 = off */
	float top_p, min_p;		/* 1 and 0 = off */
	float repeat_penalty;		/* 1 = off */
	float frequency_penalty, presence_penalty;
	const int32_t *suppress_tokens;
	size_t suppress_token_count;
	const char *json_schema;	/* NULL = none; JSON text */
	const char *grammar;		/* NULL = none */
	bool ignore_eos, cache_prompt, logprobs;
	const struct gr_request_options *options;	/* their logit_bias has been checked; NULL = none */
	const struct gr_wire_probe *probe;	/* NULL = a stream */
};

/* An answer of one token, and what it was chosen from. */
struct gr_wire_probe {
	size_t wanted;			/* scores of the likeliest so many; 0 = none */
	const int32_t *favoured;	/* whose logits are raised */
	size_t favoured_count;
	float raise;
	bool among_favoured;		/* the scores are those after the raise, instead of the model's own, and no sampler but
					   temperature has a say */
};

/* INF_E_INVALID when json_schema is not a JSON object, or dry_sequence_breakers no list of strings. */
inf_status gr_wire_encode_completion(struct gr_buf *out, const struct gr_wire_completion *request, inf_error *err);

/* The scales of all adapters, in the order they were loaded. */
inf_status gr_wire_encode_adapters(struct gr_buf *out, const float *scales, size_t count);
/* For the actions save and restore of a slot. */
inf_status gr_wire_encode_slot_file(struct gr_buf *out, const char *name);

/* ---- answers --------------------------------------------------------------------------------------------------- */
/* *out_tokens is malloc'd and the caller's. */
inf_status gr_wire_decode_tokens(const char *body, size_t len, int32_t **out_tokens, size_t *out_count, inf_error *err);
/* The string in one field of an answer, appended to out. */
inf_status gr_wire_decode_text(const char *body, size_t len, const char *field, struct gr_buf *out, inf_error *err);

struct gr_wire_props {
	int32_t context_len;		/* of one slot */
	int32_t slots;
	bool router;			/* no model: the process is a router */
	bool tools;			/* the chat template describes tools and shows calls of them */
	bool thinks;			/* it has a word of thinking, or is not told */
	bool vision, audio, video;	/* what its projector takes */
	char media_marker[64];		/* stands for a medium in a prompt */
	char build[64];
};

inf_status gr_wire_decode_props(const char *body, size_t len, struct gr_wire_props *out, inf_error *err);

/* What a slot's action save or restore was about. */
struct gr_wire_slot {
	int64_t tokens, bytes;
};

inf_status gr_wire_decode_slot(const char *body, size_t len, struct gr_wire_slot *out, inf_error *err);

struct gr_wire_error {
	int32_t code;
	int64_t prompt_tokens, context_len;	/* -1 = not said */
	char type[48];
	char message[256];
};

/* False when the body holds no error object. */
bool gr_wire_decode_error(const char *body, size_t len, struct gr_wire_error *out);

/* What a probe gave. */
struct gr_wire_choice {
	int32_t id;
	struct gr_buf text;		/* of it; not whole characters are U+FFFD, a control token has none */
	bool eos;			/* it ends a sequence */
	int64_t evaluated, cached;	/* prompt tokens; -1 = not said */
	int32_t slot;			/* -1 = not said */
	/* Probabilities; the server shows none (score_count 0) when the token ends inside a character. */
	float logprob;			/* of the token */
	inf_token_score *scores;	/* owned; the likeliest first; -INFINITY where float has no such number */
	size_t score_count;
	struct gr_buf likeliest_text;	/* of scores[0] */
};

#define GR_WIRE_CHOICE_INIT { .text = GR_BUF_INIT(GR_WIRE_PIECE_MAX), .likeliest_text = GR_BUF_INIT(GR_WIRE_PIECE_MAX) }

/* *out is empty. */
inf_status gr_wire_decode_choice(const char *body, size_t len, size_t wanted, struct gr_wire_choice *out, inf_error *err);
void gr_wire_choice_release(struct gr_wire_choice *self);	/* usable again afterwards */

/* ---- the stream ------------------------------------------------------------------------------------------------ */
enum gr_wire_kind {
	GR_WIRE_NOTHING,		/* progress and marks without meaning for the text */
	GR_WIRE_TOKEN,
	GR_WIRE_FINAL,
	GR_WIRE_ERROR,
};

enum gr_wire_stop { GR_WIRE_STOP_NONE, GR_WIRE_STOP_EOS, GR_WIRE_STOP_WORD, GR_WIRE_STOP_LIMIT, GR_WIRE_STOP_TOOLS };

struct gr_wire_event {
	enum gr_wire_kind kind;
	/* TOKEN */
	const char *text;		/* borrowed until the next decode; NUL-terminated */
	size_t text_len;
	int32_t id;			/* -1 = not said */
	uint32_t flags;			/* INF_TOKEN_FLAG_REASONING, INF_TOKEN_FLAG_TOOL_CALL */
	bool has_logprob;
	float logprob;
	/* TOKEN, FINAL, and NOTHING */
	int64_t predicted;		/* tokens sampled so far; -1 = not said */
	bool merged;			/* in this stream there are tokens without an event */
	/* any of them */
	int64_t evaluated;		/* prompt tokens; -1 = not said */
	/* FINAL */
	enum gr_wire_stop stop;
	bool truncated;			/* the context was full */
	int64_t drafted, accepted;	/* tokens guessed ahead, and of these, taken; -1 = not said */
	int32_t slot;			/* -1 = not said */
	double prefill_ms, decode_ms;	/* negative = not said */
	/* FINAL, and NOTHING when the prefill begins */
	int64_t cached;			/* prompt tokens; -1 = not said */
	/* ERROR */
	struct gr_wire_error error;
};

/* One stream. */
struct gr_wire_stream;

struct gr_wire_stream *gr_wire_stream_new(void);	/* NULL = out of memory */
void gr_wire_stream_free(struct gr_wire_stream *self);	/* accepts NULL */
/* Decode the data of one SSE event, and give what it says first. */
inf_status gr_wire_stream_decode(struct gr_wire_stream *self, const char *data, size_t len, struct gr_wire_event *out,
				 inf_error *err);
/* What the same data says next; NOTHING: no more. */
inf_status gr_wire_stream_next(struct gr_wire_stream *self, struct gr_wire_event *out, inf_error *err);

#endif
