/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "_cgo_export.h"
#include "bridge.h"

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	return goOnToken((uintptr_t)user, (char *)token->text, token->text_len);
}

static int32_t INF_CALL on_poll(void *user)
{
	return goOnPoll((uintptr_t)user);
}

inf_status bridge_chat(inf_session *session, const inf_message *messages, size_t count, inf_gen_params *params,
		       uintptr_t handle, inf_gen_result *result, inf_error *err)
{
	const inf_message **list = calloc(count ? count : 1, sizeof *list);
	if (!list)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory");
	for (size_t i = 0; i < count; i++)
		list[i] = &messages[i];
	params->user = (void *)handle;
	params->on_token = on_token;
	params->on_poll = on_poll;
	inf_status st = inf_session_chat(session, list, count, params, result, err);
	free(list);
	return st;
}
