/* SPDX-License-Identifier: MIT */
#include "backend_delivery.h"

inf_status gr_delivery_init(struct gr_delivery *self, struct gr_call *call, const inf_gen_params *params,
			    inf_gen_result *result)
{
	*self = (struct gr_delivery){ .call = call, .params = params, .result = result };
	return gr_stop_init(&self->stop, params->stop_strings, params->stop_string_count, call->err);
}

void gr_delivery_release(struct gr_delivery *self)
{
	gr_stop_release(&self->stop);
}

int gr_delivery_fail(struct gr_delivery *self, inf_status st)
{
	self->end = GR_DELIVERY_FAILED;
	self->failure = st;
	return -1;
}

static int hand_over(struct gr_delivery *self, const inf_token *token)
{
	if (!self->params->on_token)
		return 0;
	int64_t begun_ns = self->now_ns;
	self->begun = true;
	int32_t answer = self->params->on_token(self->params->user, token);
	self->now_ns = gr_now_ns();
	if (!self->call->reading)	/* whose reader counts it */
		gr_watchdog_excuse(&self->call->watchdog, (self->now_ns - begun_ns) / 1000000);
	if (answer != INF_CONTINUE) {
		self->end = GR_DELIVERY_CALLER;
		return -1;
	}
	/* Many tokens may have come at once, and the callback may have taken its time. */
	return gr_call_ended_by_others(self->call) ? gr_delivery_fail(self, gr_call_stopped(self->call)) : 0;
}

/* Text passes the stop strings on its way out; what may become one stays behind. */
static int deliver(struct gr_delivery *self, inf_token token)
{
	struct gr_stop_out out;
	inf_status st = gr_stop_feed(&self->stop, token.text, token.text_len, &out, self->call->err);
	if (st != INF_OK)
		return gr_delivery_fail(self, st);
	token.text = out.len ? out.text : "";
	token.text_len = out.len;
	if (out.matched < 0)
		return hand_over(self, &token);
	self->end = GR_DELIVERY_STOP;
	self->result->finish = INF_FINISH_STOP_STRING;
	self->result->stop_index = out.matched;
	if (token.text_len)
		hand_over(self, &token);
	return -1;
}

static int deliver_held(struct gr_delivery *self)
{
	if (!self->held_valid)
		return 0;
	self->held_valid = false;
	return deliver(self, self->held);
}

/* The index of id among the stop tokens, -1 if it is none. */
static int32_t stop_token_index(const struct gr_delivery *self, int32_t id)
{
	for (size_t i = 0; i < self->params->stop_token_count; i++)
		if (self->params->stop_tokens[i] == id)
			return (int32_t)i;
	return -1;
}

/* Give out what was held back: tokens the server never showed (it ended inside a character), and text that could have
 * become a stop string. */
static int deliver_rest(struct gr_delivery *self, int64_t hidden)
{
	struct gr_stop_out out;
	inf_status st = gr_stop_flush(&self->stop, &out, self->call->err);
	if (st != INF_OK)
		return gr_delivery_fail(self, st);
	if (!out.len && hidden <= 0)
		return 0;
	const inf_token token = {
		.struct_size = sizeof token, .id = -1, .count = hidden > 0 ? (uint32_t)hidden : 0,
		.text = out.len ? out.text : "", .text_len = out.len,
	};
	return hand_over(self, &token);
}

static int stop_at_token(struct gr_delivery *self, int32_t index)
{
	if (deliver_rest(self, 0) != 0)
		return -1;
	self->end = GR_DELIVERY_STOP;
	self->result->finish = INF_FINISH_STOP_TOKEN;
	self->result->stop_index = index;
	return -1;
}

static void count(struct gr_delivery *self, int64_t predicted)
{
	self->owed += predicted - self->seen;
	self->seen = predicted;
	self->last_ns = self->now_ns;
	if (!self->first_ns) {
		self->first_ns = self->last_ns;
		gr_call_watch(self->call, self->call->model->start->options.token_timeout_ms);
	}
}

/* A thought or a tool call. */
static int deliver_beside(struct gr_delivery *self, const inf_token *token)
{
	if (deliver_rest(self, 0) != 0)
		return -1;
	if (token->flags & INF_TOKEN_FLAG_REASONING)
		self->result->reasoning_tokens += token->count;
	if (token->flags & INF_TOKEN_FLAG_TOOL_CALL)
		self->result->tool_call_count++;
	/* One more is the mark at its beginning. That of a template is not counted: then nobody can tell. */
	if (self->params->thinking_budget && self->result->reasoning_tokens > self->params->thinking_budget)
		self->result->flags |= INF_RESULT_FLAG_THINKING_FORCED;
	return hand_over(self, token);
}

int gr_delivery_count(struct gr_delivery *self, const struct gr_wire_event *event)
{
	if (event->merged && event->predicted > self->seen)
		count(self, event->predicted);
	return 0;
}

int gr_delivery_token(struct gr_delivery *self, const struct gr_wire_event *event)
{
	int64_t least = event->merged && event->predicted >= 0 ? self->seen : self->seen + 1;
	count(self, event->predicted > least ? event->predicted : least);
	inf_token token = {
		.struct_size = sizeof token,
		.flags = event->flags,
		.id = event->id,
		.count = (uint32_t)self->owed,
		.text = event->text,
		.text_len = event->text_len,
	};
	self->owed = 0;
	if (event->has_logprob && token.count == 1) {
		token.flags |= INF_TOKEN_FLAG_LOGPROB;
		token.logprob = event->logprob;
	}
	if (deliver_held(self) != 0)
		return -1;
	if (event->flags)
		return deliver_beside(self, &token);
	self->stop.dormant = self->seen <= self->params->min_tokens;
	int32_t stop = stop_token_index(self, token.id);
	if (stop >= 0 && !self->stop.dormant)
		return stop_at_token(self, stop);
	if (token.text_len)
		return deliver(self, token);
	token.text = "";
	self->held_valid = true;
	self->held = token;
	return 0;
}

static int32_t finish_of(const struct gr_delivery *self, const struct gr_wire_event *event)
{
	if (event->stop == GR_WIRE_STOP_EOS)
		return INF_FINISH_EOS;
	if (event->stop == GR_WIRE_STOP_TOOLS)
		return INF_FINISH_TOOL_CALLS;
	if (event->stop != GR_WIRE_STOP_LIMIT)
		return INF_FINISH_UNKNOWN;
	if (!event->truncated && self->params->max_tokens && self->result->generated_tokens >= self->params->max_tokens)
		return INF_FINISH_LENGTH;
	return INF_FINISH_CONTEXT;
}

int gr_delivery_final(struct gr_delivery *self, const struct gr_wire_event *event)
{
	inf_gen_result *result = self->result;
	self->final = true;
	result->generated_tokens = event->predicted > self->seen ? event->predicted : self->seen;
	if (event->predicted > self->seen) {
		self->last_ns = self->now_ns;
		self->first_ns = self->first_ns ? self->first_ns : self->last_ns;
	}
	if (event->cached >= 0)
		result->cached_tokens = event->cached;
	if (event->drafted > 0 && event->accepted >= 0) {
		result->drafted_tokens = event->drafted;
		result->accepted_tokens = event->accepted;
	}
	if (event->slot >= 0) {
		result->slot = event->slot;
		result->flags |= INF_RESULT_FLAG_SLOT;
	}
	/* In a merged stream the last ones are marks, and no text that the server holds. */
	int64_t hidden = event->merged ? 0 : result->generated_tokens - self->seen;
	/* It is the one held back, or, after a character that is cut short, the last of those without an event. */
	if (event->stop == GR_WIRE_STOP_EOS && hidden > 0)
		hidden--;
	else if (event->stop == GR_WIRE_STOP_EOS)
		self->held_valid = false;
	if (deliver_held(self) != 0 || deliver_rest(self, hidden) != 0)
		return -1;
	result->finish = finish_of(self, event);
	return 0;
}
