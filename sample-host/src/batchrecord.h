/* SPDX-License-Identifier: MIT */
#ifndef INFER_BATCHRECORD_H
#define INFER_BATCHRECORD_H

#include "failure.h"
#include "text.h"

/*
 * batchrecord: a line of what infer batch writes, and what has to be known of it to go on with a file of them. Pure.
 *
 * What is no UTF-8 becomes U+FFFD, and control characters are escaped, DEL and C1 too, so that records can be shown on
 * a terminal. All caps together keep a record below BATCHRECORD_MAX.
 */
enum {
	BATCHRECORD_ID_MAX = 64 << 10,		/* bytes of an id as JSON */
	BATCHRECORD_TEXT_MAX = 16 << 20,	/* of a text, a thought, all tool calls; escaped six times that */
	BATCHRECORD_MAX = 320 << 20,
};

/* What was generated for one line. */
struct batch_answer {
	struct text text, reasoning;
	struct text calls;		/* JSON objects with commas between them */
};

#define BATCH_ANSWER_INIT { TEXT_INIT(BATCHRECORD_TEXT_MAX), TEXT_INIT(BATCHRECORD_TEXT_MAX), \
			    TEXT_INIT(BATCHRECORD_TEXT_MAX) }

void batch_answer_release(struct batch_answer *self);	/* accepts one that is empty, not NULL */
/* bytes: one JSON object. False for what is none, and without memory or room. */
bool batch_answer_add_call(struct batch_answer *self, const char *bytes, size_t len);

/* id: JSON. Without memory out->failed is set. */
void batchrecord_add_answer(struct text *out, const char *id, size_t index, const struct batch_answer *answer,
			    const inf_gen_result *result);
void batchrecord_add_error(struct text *out, const char *id, size_t index, const inf_error *error);

/* A record that was read. */
struct batch_record {
	struct text id;		/* as JSON */
	size_t index;
	bool is_error;
};

#define BATCH_RECORD_INIT { .id = TEXT_INIT(BATCHRECORD_ID_MAX) }

/* False for what is none, and without memory. The record is to be released in either case: text_release(&id). */
bool batchrecord_read(struct batch_record *self, const char *line, size_t len);

#endif
