/* SPDX-License-Identifier: MIT */
/* Which calls are in flight, and inf.cancel/1. A call that was cancelled finds out when it polls. */
#include <string.h>

#include "backend_call.h"
#include "utf8.h"

static inf_status check_id(const char *id, inf_error *err)
{
	size_t len = strnlen(id, GR_REQUEST_ID_MAX + 1);
	if (len && len <= GR_REQUEST_ID_MAX && gr_utf8_valid(id, len))
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "request_id", "request_id is %s", !len ? "empty" : len > GR_REQUEST_ID_MAX ?
			"longer than 255 bytes" : "not valid UTF-8");
}

/* With the lock held. */
static bool belongs_to_cancelled(const struct gr_call *self)
{
	for (const struct gr_call *call = self->model->calls; call && self->request_id; call = call->next)
		if (call->whole && (!call->user || call->user == self->user) && atomic_load(&call->cancelled) &&
		    strcmp(call->request_id, self->request_id) == 0)
			return true;
	return false;
}

inf_status gr_call_list(struct gr_call *self, const char *request_id, inf_error *err)
{
	inf_model *model = self->model;
	inf_status st = request_id ? check_id(request_id, err) : INF_OK;
	if (st != INF_OK)
		return st;
	self->request_id = request_id;
	pthread_mutex_lock(&model->lock);
	bool late = belongs_to_cancelled(self);
	if (!late) {
		self->next = model->calls;
		model->calls = self;
	}
	pthread_mutex_unlock(&model->lock);
	return late ? inf_fail(err, INF_E_CANCELLED, "cancelled", "the call was cancelled") : INF_OK;
}

inf_status gr_call_list_whole(struct gr_call *self, inf_model *model, const char *request_id, const void *user,
			      inf_error *err)
{
	*self = (struct gr_call){ .model = model, .user = (void *)user, .whole = true };
	return request_id ? gr_call_list(self, request_id, err) : INF_OK;
}

void gr_call_unlist(struct gr_call *self)
{
	pthread_mutex_lock(&self->model->lock);
	struct gr_call **at = &self->model->calls;
	while (*at && *at != self)
		at = &(*at)->next;
	if (*at)
		*at = self->next;
	pthread_mutex_unlock(&self->model->lock);
}

inf_status gr_call_told(inf_model *model, const void *user)
{
	inf_status st = gr_slots_closed(model->slots) ? INF_E_CLOSED : INF_OK;
	pthread_mutex_lock(&model->lock);
	for (const struct gr_call *call = model->calls; call && st == INF_OK; call = call->next)
		if (call->user == user && atomic_load(&call->cancelled))
			st = INF_E_CANCELLED;
	pthread_mutex_unlock(&model->lock);
	return st;
}

static bool cancel_all(inf_model *model, const char *request_id)
{
	bool found = false;
	pthread_mutex_lock(&model->lock);
	for (struct gr_call *call = model->calls; call; call = call->next)
		if (call->request_id && strcmp(call->request_id, request_id) == 0) {
			atomic_store(&call->cancelled, true);
			found = true;
		}
	pthread_mutex_unlock(&model->lock);
	return found;
}

static inf_status INF_CALL cancel(inf_model *model, const char *request_id, inf_error *err)
{
	if (!request_id)
		return inf_fail(err, INF_E_INVALID, "argument", "cancel: request_id is NULL");
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = check_id(request_id, err);
	if (st == INF_OK && !cancel_all(model, request_id))
		st = inf_fail(err, INF_E_NOT_FOUND, "request_id", "no call in flight has the request_id \"%s\"", request_id);
	gr_slots_leave(model->slots);
	return st;
}

const inf_cancel gr_cancel_table = { sizeof gr_cancel_table, 0, cancel };
