/* SPDX-License-Identifier: MIT */
#ifndef GR_WIRE_CHAT_H
#define GR_WIRE_CHAT_H

#include "wire.h"

/*
 * wire_chat: what /v1/chat/completions and /apply-template take and give beside what /completion does.
 *
 * Out: messages with tool calls, tools, and thinking. In: a stream of deltas, in which thoughts and tool calls are told from
 * the text. A delta may stand for several tokens, none has an id, and the fragments of a call are put together here.
 */
enum {
	GR_WIRE_TOOLS_MAX = 256,	/* tools of a request, calls of a message, calls of an answer */
	GR_WIRE_TOOL_NAME_MAX = 256,	/* bytes of a name or an id */
	GR_WIRE_TOOL_DEPTH = 64,	/* of the JSON of tools, and of what a call passes */
	GR_WIRE_CALL_MAX = 4 << 20,	/* bytes that one call of an answer passes */
};

enum gr_wire_thinking { GR_WIRE_THINKING_DEFAULT, GR_WIRE_THINKING_OFF, GR_WIRE_THINKING_ON };

/* What a chat says beside its messages and its sampling. */
struct gr_wire_chat {
	const char *tools;		/* that gr_wire_check_tools() took; NULL = none */
	const char *tool_choice;	/* NULL = the server's default */
	enum gr_wire_thinking thinking;
	int32_t thinking_budget;	/* tokens; 0 = no limit */
};

/* ---- what hosts give, as JSON text ----------------------------------------------------------------------------- */
/* Is it an array of {"type":"function","function":{"name":..}}? INF_E_INVALID, "tools". */
inf_status gr_wire_check_tools(const char *text, inf_error *err);
/* An array of {"id","name","arguments"}, or as OpenAI has it, becomes what OpenAI has: *out is malloc'd and the caller's.
 * INF_E_INVALID, "tool_calls". */
inf_status gr_wire_read_calls(const char *text, char **out, inf_error *err);
/* Append the text itself and each string in it as it reads, also within the arguments of calls: all that a template can make
 * of it. For text that one of the two above took. */
inf_status gr_wire_append_strings(struct gr_buf *out, const char *text);

/* ---- requests -------------------------------------------------------------------------------------------------- */
inf_status gr_wire_encode_chat_template(struct gr_buf *out, const struct gr_wire_message *messages, size_t count,
					const struct gr_wire_chat *chat);
/* completion: all of it but the prompt. INF_E_INVALID when its json_schema is not JSON. */
inf_status gr_wire_encode_chat(struct gr_buf *out, const struct gr_wire_completion *completion,
			       const struct gr_wire_message *messages, size_t count, const struct gr_wire_chat *chat,
			       inf_error *err);

/* ---- the stream ------------------------------------------------------------------------------------------------ */
/* For gr_wire_stream_decode() and gr_wire_stream_next(). NULL = out of memory. */
struct gr_wire_stream *gr_wire_stream_new_chat(void);

#endif
