/* SPDX-License-Identifier: MIT */
#ifndef INFER_BATCHLINE_H
#define INFER_BATCHLINE_H

#include "inference/host.h"

/*
 * batchline: a line of what infer batch reads -> what the library takes. Pure.
 *
 * A line is an object with "prompt" or "messages", perhaps an "id", and fields of inf_gen_params by their names there.
 * What it does not say, and what it says is null, is as in the defaults. An unknown field is an error of that line: a
 * text that was made without it, because of a slip of the pen, would look like any other. So are types and ranges; what
 * the model or the backend cannot do is left to them.
 */
enum { BATCHLINE_OPTIONS_MAX = 256 };	/* of "options", with those of the defaults */

struct batch_line {
	const char *id;			/* as JSON; "null" = none */
	inf_input input;		/* its params are the field below */
	inf_gen_params params;
	/* owned: */
	struct json_object *root;	/* texts point into it */
	inf_message *messages;
	const inf_message **message_list;
	const char **stop_strings;
	int32_t *stop_tokens, *suppress_tokens;
	inf_kv *options;
};

/*
 * Fill *self, which is to be released in either case, and must not be moved, nor the defaults freed, while input is
 * used.
 * After a failure the id is valid all the same. INF_E_INVALID with the field in the message; INF_E_NO_MEMORY.
 */
inf_status batch_line_parse(struct batch_line *self, const char *bytes, size_t len, const inf_gen_params *defaults,
			    inf_error *err);
void batch_line_release(struct batch_line *self);	/* accepts a zeroed and a released one, not NULL */

#endif
