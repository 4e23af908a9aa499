/* SPDX-License-Identifier: MIT */
#include "chatroom.h"

#include <inttypes.h>
#include <string.h>

static int64_t count(const struct chat *self, const struct question *question)
{
	const inf_gen_params params = answer_params(&self->options, &self->engine, question);
	const inf_input input = {
		.struct_size = sizeof input,
		.prompt = question->prompt,
		.prompt_len = question->prompt_len,
		.msgs = question->messages,
		.msg_count = question->message_count,
		.params = &params,
	};
	const inf_call_params call = { .struct_size = sizeof call, .on_poll = engine_on_poll };
	size_t tokens = 0;
	inf_error error = { .struct_size = sizeof error };
	return inf_session_count(self->engine.session, &input, &call, &tokens, &error) == INF_OK ? (int64_t)tokens : 0;
}

/* The message that the oldest turn but the last ends before; 0 = there is only one. */
static size_t end_of_turn(const struct history *history, size_t first)
{
	for (size_t i = first + 1; i < history->count; i++)
		if (!strcmp(history->messages[i]->role, "user"))
			return i;
	return 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void chatroom_make(struct chat *self)
{
	struct history *history = &self->history;
	struct question now;
	size_t first = chat_system(self) ? 1 : 0, turns = 0, end;
	int64_t limit = self->engine.model.context_len, wanted = chat_limit(self);
	int64_t reserve = wanted ? least(wanted, limit / 8) : limit / 8, used;
	if (!end_of_turn(history, first) || limit <= 0)
		return;
	now = chat_question(self);
	used = count(self, &now);
	if (used <= limit - reserve)
		return;
	while (used > limit - least(reserve * 2, limit / 2) && (end = end_of_turn(history, first))) {
		history_drop(history, first, end - first);
		turns++;
		now = chat_question(self);
		used = count(self, &now);
	}
	self->warned = false;
	if (turns)
		console_notice(self->console, STYLE_DIM, "the context of %" PRId64 " tokens is full: dropped the %zu oldest turn%s",
			       limit, turns, turns == 1 ? "" : "s");
}

void chatroom_warn(struct chat *self)
{
	const inf_gen_result *result = &self->last.result;
	int64_t limit = self->engine.model.context_len;
	int64_t used = result->prompt_tokens + result->generated_tokens - result->reasoning_tokens;
	if (result->finish == INF_FINISH_CONTEXT)
		console_notice(self->console, STYLE_DIM, "the answer ends here because the context of %" PRId64 " tokens is full",
			       limit);
	if (self->warned || limit <= 0 || used < limit / 100 * CHATROOM_WARN_PERCENT + limit % 100 * CHATROOM_WARN_PERCENT / 100)
		return;
	self->warned = true;
	console_notice(self->console, STYLE_DIM, "%" PRId64 " of %" PRId64 " tokens of context are used: when it is full, the "
		       "oldest turns are dropped; /reset begins anew", used, limit);
}

int64_t chatroom_used(struct chat *self)
{
	const struct question question = chat_question(self);
	return self->history.count ? count(self, &question) : 0;
}
