/* SPDX-License-Identifier: MIT */
#include "backend_input.h"

#include <string.h>

/* Tools and thinking, as far as they are parameters of a call. */

uint64_t gr_input_gen_fields(const struct gr_input *self)
{
	return self->messages ? GR_GEN_FIELDS | GR_CHAT_FIELDS : GR_GEN_FIELDS;
}

bool gr_input_holds_calls(const struct gr_input *self)
{
	for (size_t i = 0; i < self->message_count; i++)
		if (self->messages[i].tool_calls || strcmp(self->messages[i].role, "tool") == 0)
			return true;
	return false;
}

static inf_status check_model(const inf_model *model, const inf_gen_params *p, inf_error *err)
{
	if (p->tools && !(model->info.flags & INF_INFO_FLAG_TOOLS))
		return inf_fail(err, INF_E_UNSUPPORTED, "gen_field", "tools: the model's chat template knows none");
	if (p->thinking_budget && !(model->info.flags & INF_INFO_FLAG_THINKING))
		return inf_fail(err, INF_E_UNSUPPORTED, "gen_field",
				"thinking_budget: the model's chat template knows no thinking");
	return p->tools ? gr_wire_check_tools(p->tools, err) : INF_OK;
}

/* The events stand for several tokens, without ids. */
static inf_status check_single_tokens(const inf_gen_params *p, inf_error *err)
{
	const char *name = p->stop_token_count ? "stop_tokens" : p->min_tokens ? "min_tokens" :
			   p->flags & INF_GEN_FLAG_LOGPROBS ? "INF_GEN_FLAG_LOGPROBS" : NULL;
	if (!name)
		return INF_OK;
	return inf_fail(err, INF_E_UNSUPPORTED, "gen_field",
			"%s: not beside tools, tool calls or thinking, where tokens do not come one by one", name);
}

/* The server's own grammars: one for calls; one for a schema, which begins after the thought, as another would not. */
static inf_status check_grammars(const inf_gen_params *p, inf_error *err)
{
	const char *name = p->grammar ? "grammar" : "json_schema";
	if (p->tools && (p->grammar || p->json_schema))
		return inf_fail(err, INF_E_UNSUPPORTED, "gen_field",
				"%s: not beside tools, whose calls have a grammar of their own", name);
	if (p->grammar && (p->thinking || p->thinking_budget))
		return inf_fail(err, INF_E_UNSUPPORTED, "gen_field",
				"grammar: not beside thinking, for which it would hold as well; json_schema begins after the thought");
	return INF_OK;
}

inf_status gr_input_use_params(struct gr_input *self, const inf_model *model, const inf_gen_params *p, inf_error *err)
{
	bool thinking = p->set & INF_GEN_SET_THINKING;
	self->apart = self->messages && (p->tools || thinking || p->thinking_budget || gr_input_holds_calls(self));
	if (!self->apart)
		return INF_OK;
	self->chat = (struct gr_wire_chat){
		.tools = p->tools, .tool_choice = p->tool_choice, .thinking_budget = p->thinking_budget,
		.thinking = !thinking ? GR_WIRE_THINKING_DEFAULT : p->thinking ? GR_WIRE_THINKING_ON : GR_WIRE_THINKING_OFF,
	};
	if (self->media.count)
		return inf_fail(err, INF_E_UNSUPPORTED, "media", "images, sound and video: not beside tools, tool calls or thinking");
	inf_status st = check_model(model, p, err);
	if (st == INF_OK)
		st = check_single_tokens(p, err);
	return st == INF_OK ? check_grammars(p, err) : st;
}
