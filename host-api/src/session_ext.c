/* SPDX-License-Identifier: MIT */
/*
 * session_ext: the extensions of a loaded model, each through the table that its backend has or has not.
 *
 * A call gets the caller's inf_call_params with our own on_poll and user in front of the caller's, so that it ends with
 * inf_session_cancel() and inf_session_close() as a generate does. See session.c.
 */
#include <string.h>

#include "session.h"

/* A call in flight; lives on the stack of its caller. */
struct call {
	struct ih_call base;
	union {				/* the caller's, of any age, with our callback */
		inf_call_params params;
		unsigned char bytes[INF_STRUCT_MAX];
	} request;
};

static inf_status take_params(struct call *call, const inf_call_params *params, inf_error *err)
{
	static const inf_call_params nothing = { .struct_size = sizeof nothing };
	const inf_call_params *from = params ? params : &nothing;
	uint32_t size = from->struct_size;
	if (size < inf_call_params_V1_0 || size > INF_STRUCT_MAX)
		return inf_fail(err, INF_E_INVALID, "call_params", "call parameters: struct_size is %u, not %d to %u", size,
				inf_call_params_V1_0, INF_STRUCT_MAX);
	memcpy(call->request.bytes, from, size);	/* all of it: what is newer than we are the plugin judges */
	call->request.params.user = call;
	call->request.params.on_poll = ih_call_poll;
	return INF_OK;
}

/* Enter, and get the table; it holds at least `needed` bytes. */
static inf_status begin(struct call *call, struct inf_session *self, const inf_call_params *params, const char *id,
			size_t needed, const void **table, inf_error *err)
{
	uint32_t size = 0;
	inf_status st = take_params(call, params, err);
	if (st == INF_OK)
		st = ih_call_enter(&call->base, self, err);
	if (st != INF_OK)
		return st;
	call->base.on_poll = params ? params->on_poll : NULL;
	ih_call_list(&call->base, params ? params->request_id : NULL, params ? params->user : NULL);
	*table = ih_call_extension(&call->base, id);
	if (*table)
		memcpy(&size, *table, sizeof size);
	if (size >= needed)
		return INF_OK;
	inf_fail(&call->base.error, INF_E_UNSUPPORTED, "no_extension",
		 "%s does not have %s, or not with this model as it was loaded", call->base.via.backend->name, id);
	return ih_call_leave(&call->base, INF_E_UNSUPPORTED, err);
}

/* A slot that an older table does not have, or that is empty, is as no table. */
#define NEEDED(T, slot) (offsetof(T, slot) + sizeof(((const T *)0)->slot))

static inf_status no_slot(struct call *call, const char *id)
{
	return inf_fail(&call->base.error, INF_E_UNSUPPORTED, "no_extension", "%s: the backend leaves this function out", id);
}

/* ---- inf.tokenize/1 ---- */

inf_status inf_session_tokenize(inf_session *self, const char *text, size_t text_len, uint32_t flags,
				const inf_call_params *params, int32_t *ids, size_t cap, size_t *count, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_TOKENIZE, NEEDED(inf_tokenize, tokenize), &found, err);
	if (st != INF_OK)
		return st;
	const inf_tokenize *table = found;
	st = table->tokenize ? table->tokenize(call.base.model, text, text_len, flags, &call.request.params, ids, cap, count,
					       &call.base.error) : no_slot(&call, INF_EXT_TOKENIZE);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_detokenize(inf_session *self, const int32_t *ids, size_t id_count, uint32_t flags,
				  const inf_call_params *params, char *text, size_t cap, size_t *len, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_TOKENIZE, NEEDED(inf_tokenize, detokenize), &found, err);
	if (st != INF_OK)
		return st;
	const inf_tokenize *table = found;
	st = table->detokenize ? table->detokenize(call.base.model, ids, id_count, flags, &call.request.params, text, cap, len,
						   &call.base.error) : no_slot(&call, INF_EXT_TOKENIZE);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_count(inf_session *self, const inf_input *input, const inf_call_params *params, size_t *count,
			     inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_TOKENIZE, NEEDED(inf_tokenize, count), &found, err);
	if (st != INF_OK)
		return st;
	const inf_tokenize *table = found;
	st = table->count ? table->count(call.base.model, input, &call.request.params, count, &call.base.error) :
			    no_slot(&call, INF_EXT_TOKENIZE);
	return ih_call_leave(&call.base, st, err);
}

/* ---- inf.embed/1, inf.rerank/1 ---- */

inf_status inf_session_embed_dimension(inf_session *self, int32_t *out, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, NULL, INF_EXT_EMBED, NEEDED(inf_embed, dimension), &found, err);
	if (st != INF_OK)
		return st;
	const inf_embed *table = found;
	st = table->dimension ? table->dimension(call.base.model, out, &call.base.error) : no_slot(&call, INF_EXT_EMBED);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_embed(inf_session *self, const inf_text *texts, size_t count, uint32_t flags,
			     const inf_call_params *params, float *vectors, int64_t *token_counts, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_EMBED, NEEDED(inf_embed, run), &found, err);
	if (st != INF_OK)
		return st;
	const inf_embed *table = found;
	st = table->run ? table->run(call.base.model, texts, count, flags, &call.request.params, vectors, token_counts,
				     &call.base.error) : no_slot(&call, INF_EXT_EMBED);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_rerank(inf_session *self, const inf_text *query, const inf_text *documents, size_t count,
			      const inf_call_params *params, float *scores, int64_t *token_counts, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_RERANK, NEEDED(inf_rerank, run), &found, err);
	if (st != INF_OK)
		return st;
	const inf_rerank *table = found;
	st = table->run ? table->run(call.base.model, query, documents, count, &call.request.params, scores, token_counts,
				     &call.base.error) : no_slot(&call, INF_EXT_RERANK);
	return ih_call_leave(&call.base, st, err);
}

/* ---- inf.lora/1 ---- */

inf_status inf_session_list_adapters(inf_session *self, void *user,
				     int32_t (*on_adapter)(void *user, const inf_adapter *adapter), inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, NULL, INF_EXT_LORA, NEEDED(inf_lora, list), &found, err);
	if (st != INF_OK)
		return st;
	const inf_lora *table = found;
	st = table->list ? table->list(call.base.model, user, on_adapter, &call.base.error) : no_slot(&call, INF_EXT_LORA);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_set_adapter_scale(inf_session *self, int32_t index, float scale, const inf_call_params *params,
					 inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_LORA, NEEDED(inf_lora, set_scale), &found, err);
	if (st != INF_OK)
		return st;
	const inf_lora *table = found;
	st = table->set_scale ? table->set_scale(call.base.model, index, scale, &call.request.params, &call.base.error) :
				no_slot(&call, INF_EXT_LORA);
	return ih_call_leave(&call.base, st, err);
}

/* ---- inf.state/1 ---- */

inf_status inf_session_save_state(inf_session *self, int32_t slot, const char *name, const inf_call_params *params,
				  inf_state_info *out, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_STATE, NEEDED(inf_state, save), &found, err);
	if (st != INF_OK)
		return st;
	const inf_state *table = found;
	st = table->save ? table->save(call.base.model, slot, name, &call.request.params, out, &call.base.error) :
			   no_slot(&call, INF_EXT_STATE);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_restore_state(inf_session *self, int32_t slot, const char *name, const inf_call_params *params,
				     inf_state_info *out, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_STATE, NEEDED(inf_state, restore), &found, err);
	if (st != INF_OK)
		return st;
	const inf_state *table = found;
	st = table->restore ? table->restore(call.base.model, slot, name, &call.request.params, out, &call.base.error) :
			      no_slot(&call, INF_EXT_STATE);
	return ih_call_leave(&call.base, st, err);
}

inf_status inf_session_fork_state(inf_session *self, int32_t from, int32_t to, const inf_call_params *params,
				  inf_state_info *out, inf_error *err)
{
	struct call call;
	const void *found;
	inf_status st = begin(&call, self, params, INF_EXT_STATE, NEEDED(inf_state, fork), &found, err);
	if (st != INF_OK)
		return st;
	const inf_state *table = found;
	st = table->fork ? table->fork(call.base.model, from, to, &call.request.params, out, &call.base.error) :
			   no_slot(&call, INF_EXT_STATE);
	return ih_call_leave(&call.base, st, err);
}
