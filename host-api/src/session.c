/* SPDX-License-Identifier: MIT */
/*
 * session: a loaded model, and what the vtable leaves to the host: cancelling from outside, remembering the last result,
 * and closing while calls are in flight.
 *
 * Each generate and chat gets the caller's parameters with our own on_token, on_poll and user in front of the caller's.
 * There a call finds out that it was cancelled (the session's epoch moved on since it entered) or that the session is
 * closing, and says stop. The plugin's close() is begun only when the last call has left: between "entered the library"
 * and "entered the plugin" a call would otherwise meet a model that is gone.
 *
 * The lock is never held while a plugin or a callback runs.
 */
#include "inference/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "devices.h"
#include "session.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "inf_session_cancel() runs in signal handlers");

struct inf_session {
	struct ih_usable via;		/* the registry's */
	inf_model *model;
	pid_t owner;			/* in a forked child the session is dead: its lock may be held for ever */
	atomic_ullong epoch;		/* one more for each inf_session_cancel() */
	atomic_bool closing;
	atomic_int references;		/* the host's, and one for each stream whose end it has not seen */
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t idle;		/* in_flight fell to 0 */
	size_t in_flight;
	struct ih_call *calls;		/* those that were listed; each on the stack of its caller, or of a stream */
	inf_gen_result last_result;
	inf_error last_error;		/* code INF_OK when the last call succeeded, or there was none */
};

/* A generate or chat in flight; lives on the stack of its caller. */
struct call {
	struct ih_call base;
	int32_t (INF_CALL *on_token)(void *user, const inf_token *token);	/* the caller's */
	union {				/* the caller's, of any age, with our callbacks */
		inf_gen_params params;
		unsigned char bytes[INF_STRUCT_MAX];
	} request;
	inf_gen_result result;		/* when the caller's cannot hold all we know; base.error is the same for errors */
};

/* ---- entering and leaving ---- */

static inf_status check_owner(const struct inf_session *self, inf_error *err)
{
	if (!self)
		return inf_fail(err, INF_E_INVALID, "argument", "the session is NULL: it is not loaded, or was closed");
	if (self->owner == getpid())
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "forked", "the session belongs to the process that was forked");
}

static inf_status enter(struct inf_session *self, inf_error *err)
{
	if (check_owner(self, err) != INF_OK)
		return INF_E_INVALID;
	pthread_mutex_lock(&self->lock);
	bool closing = atomic_load(&self->closing);
	if (!closing)
		self->in_flight++;
	pthread_mutex_unlock(&self->lock);
	return closing ? inf_fail(err, INF_E_CLOSED, "closing", "the session is closing") : INF_OK;
}

/* With the lock held. result and error are of a call that just ended, or NULL. */
static void remember(struct inf_session *self, const inf_gen_result *result, const inf_error *error)
{
	if (result)
		inf_write_struct(&self->last_result, result, sizeof *result);
	if (error)
		inf_write_struct(&self->last_error, error, sizeof *error);
}

/* self may be gone afterwards. */
static void leave(struct inf_session *self, const inf_gen_result *result, const inf_error *error)
{
	pthread_mutex_lock(&self->lock);
	remember(self, result, error);
	self->in_flight--;
	if (!self->in_flight)
		pthread_cond_signal(&self->idle);
	pthread_mutex_unlock(&self->lock);
}

static void session_free(struct inf_session *self)
{
	pthread_cond_destroy(&self->idle);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static void drop(struct inf_session *self)
{
	if (atomic_fetch_sub(&self->references, 1) == 1)
		session_free(self);
}

/* The epoch is read first: who cancels afterwards means this call too. */
inf_status ih_call_enter(struct ih_call *self, inf_session *session, inf_error *err)
{
	*self = (struct ih_call){ .session = session, .epoch = session ? atomic_load(&session->epoch) : 0 };
	self->error.struct_size = sizeof self->error;
	inf_status st = enter(session, err);
	if (st == INF_OK) {
		self->via = session->via;
		self->model = session->model;
	}
	return st;
}

/* ---- calls that can be found ---- */

void ih_call_list(struct ih_call *self, const char *request_id, void *user)
{
	self->request_id = request_id;
	self->user = user;
	pthread_mutex_lock(&self->session->lock);
	for (const struct ih_call *call = self->session->calls; call; call = call->next)
		if (call->stream && call->user == user) {
			self->epoch = call->epoch;
			atomic_store(&self->cancelled, atomic_load(&call->cancelled));
		}
	self->next = self->session->calls;
	self->session->calls = self;
	pthread_mutex_unlock(&self->session->lock);
}

/* With the lock held. */
static void take_off(struct ih_call *self)
{
	struct ih_call **at = &self->session->calls;
	while (*at && *at != self)
		at = &(*at)->next;
	if (*at)
		*at = self->next;
}

static void unlist(struct ih_call *self)
{
	pthread_mutex_lock(&self->session->lock);
	take_off(self);
	pthread_mutex_unlock(&self->session->lock);
}

inf_status ih_call_told(inf_session *session, const void *user)
{
	pthread_mutex_lock(&session->lock);
	struct ih_call *call = session->calls;
	while (call && call->user != user)
		call = call->next;
	pthread_mutex_unlock(&session->lock);
	return !call || ih_call_goes_on(call) ? INF_OK : call->stop;
}

static bool cancel_listed(struct inf_session *self, const char *request_id)
{
	bool found = false;
	pthread_mutex_lock(&self->lock);
	for (struct ih_call *call = self->calls; call; call = call->next)
		if (call->request_id && !strcmp(call->request_id, request_id)) {
			atomic_store(&call->cancelled, true);
			found = true;
		}
	pthread_mutex_unlock(&self->lock);
	return found;
}

/* ---- callbacks ---- */

bool ih_call_goes_on(struct ih_call *self)
{
	if (!self->session || atomic_load(&self->session->closing))
		self->stop = INF_E_CLOSED;
	else if (atomic_load(&self->cancelled) || atomic_load(&self->session->epoch) != self->epoch)
		self->stop = INF_E_CANCELLED;
	return self->stop == INF_OK;
}

/* Asked again after the caller's callback: it may be the one who cancelled. */
int32_t INF_CALL ih_call_poll(void *call)
{
	struct ih_call *self = call;
	int32_t answer = INF_CONTINUE;
	if (!ih_call_goes_on(self))
		return 0;
	if (self->on_poll)
		answer = self->on_poll(self->user);
	return ih_call_goes_on(self) ? answer : 0;
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct call *call = user;
	if (!ih_call_goes_on(&call->base))
		return 0;
	int32_t answer = call->on_token(call->base.user, token);
	return ih_call_goes_on(&call->base) ? answer : 0;
}

/* ---- generate and chat ---- */

static inf_status take_params(struct call *call, const inf_gen_params *params, inf_error *err)
{
	uint32_t size = params ? params->struct_size : 0;
	if (size < inf_gen_params_V1_0 || size > INF_STRUCT_MAX)
		return inf_fail(err, INF_E_INVALID, "params", "generation parameters: struct_size is %u, not %d to %u",
				size, inf_gen_params_V1_0, INF_STRUCT_MAX);
	memcpy(call->request.bytes, params, size);	/* all of it: what is newer than we are the plugin judges */
	call->on_token = params->on_token;
	call->request.params.user = call;
	call->request.params.on_poll = ih_call_poll;
	if (params->on_token)
		call->request.params.on_token = on_token;
	return INF_OK;
}

/* A plugin that refuses a call at once may leave the result alone: the caller then reads zeros. */
static void clear(inf_gen_result *result)
{
	static const inf_gen_result nothing = { .struct_size = sizeof nothing };
	inf_write_struct(result, &nothing, sizeof nothing);
}

static inf_status begin(struct call *call, struct inf_session *self, const inf_gen_params *params,
			inf_gen_result *result, inf_error *err)
{
	clear(result);
	call->result = (inf_gen_result){ .struct_size = sizeof call->result };
	inf_status st = take_params(call, params, err);
	if (st == INF_OK)
		st = ih_call_enter(&call->base, self, err);
	if (st != INF_OK)
		return st;
	call->base.on_poll = params->on_poll;
	ih_call_list(&call->base, params->request_id, params->user);
	return st;
}

static bool holds(uint32_t struct_size, size_t known)
{
	return struct_size >= known && struct_size <= INF_STRUCT_MAX;
}

/* Where the plugin writes: to the caller, so that reports newer than we are arrive whole, unless we would see less. */
static inf_gen_result *result_of(struct call *call, inf_gen_result *theirs)
{
	return theirs && holds(theirs->struct_size, sizeof *theirs) ? theirs : &call->result;
}

inf_error *ih_call_error(struct ih_call *self, inf_error *theirs)
{
	return theirs && holds(theirs->struct_size, sizeof *theirs) ? theirs : &self->error;
}

/* The status that the caller gets for what the plugin returned. error is as long as ours. */
static inf_status settle(const struct ih_call *call, inf_status st, inf_error *error)
{
	if (call->stop != INF_OK && (st == INF_OK || st == INF_E_CANCELLED))
		return call->stop == INF_E_CLOSED ?
		       inf_fail(error, INF_E_CLOSED, "closing", "the session was closed during the call") :
		       inf_fail(error, INF_E_CANCELLED, "cancelled", "cancelled by the host");
	return ic_status_check(st, error);
}

static inf_status end(struct call *call, inf_status st, inf_gen_result *result, inf_error *err)
{
	static const inf_error success = { .struct_size = sizeof success };
	inf_gen_result *filled = result_of(call, result);
	inf_error *error = ih_call_error(&call->base, err);
	bool stopped = call->base.stop != INF_OK && (st == INF_OK || st == INF_E_CANCELLED);
	st = settle(&call->base, st, error);
	if (stopped)
		filled->finish = INF_FINISH_CANCELLED;
	if (filled == &call->result)
		inf_write_struct(result, filled, sizeof *filled);
	if (st != INF_OK && error == &call->base.error)
		inf_write_struct(err, error, sizeof *error);
	unlist(&call->base);
	leave(call->base.session, filled, st == INF_OK ? &success : error);
	return st;
}

inf_status inf_session_generate(inf_session *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				inf_gen_result *result, inf_error *err)
{
	struct call call;
	inf_status st = begin(&call, self, params, result, err);
	if (st != INF_OK)
		return st;
	st = self->via.backend->generate(self->model, prompt, prompt_len, &call.request.params,
					 result_of(&call, result), ih_call_error(&call.base, err));
	return end(&call, st, result, err);
}

inf_status inf_session_chat(inf_session *self, const inf_message *const *msgs, size_t msg_count,
			    const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct call call;
	inf_status st = begin(&call, self, params, result, err);
	if (st != INF_OK)
		return st;
	st = self->via.backend->chat(self->model, msgs, msg_count, &call.request.params,
				     result_of(&call, result), ih_call_error(&call.base, err));
	return end(&call, st, result, err);
}

/* ---- calls of extensions ---- */

const void *ih_call_extension(const struct ih_call *self, const char *id)
{
	return self->via.backend->get_extension(self->via.instance, self->via.backend, self->model, id);
}

inf_status ih_call_leave(struct ih_call *self, inf_status st, inf_error *err)
{
	st = settle(self, st, &self->error);
	if (st != INF_OK)
		inf_write_struct(err, &self->error, sizeof self->error);
	unlist(self);
	leave(self->session, NULL, NULL);
	return st;
}

void ih_call_detach(struct ih_call *self)
{
	atomic_fetch_add(&self->session->references, 1);
	leave(self->session, NULL, NULL);
}

inf_status ih_call_land(struct ih_call *self, inf_status st, inf_gen_result *result, inf_error *error)
{
	static const inf_error success = { .struct_size = sizeof success };
	struct inf_session *session = self->session;
	if (self->stop != INF_OK && (st == INF_OK || st == INF_E_CANCELLED))
		result->finish = INF_FINISH_CANCELLED;
	st = settle(self, st, error);
	if (!session)
		return st;
	pthread_mutex_lock(&session->lock);
	take_off(self);
	remember(session, result, st == INF_OK ? &success : error);
	pthread_mutex_unlock(&session->lock);
	self->session = NULL;
	drop(session);
	return st;
}

void inf_session_cancel(inf_session *self)
{
	if (self)
		atomic_fetch_add(&self->epoch, 1);
}

/* The backend's own way is faster, and reaches calls of extensions whose callbacks do not pass through here. */
static inf_status cancel_in_backend(struct ih_call *self, const char *request_id)
{
	const inf_cancel *table = ih_call_extension(self, INF_EXT_CANCEL);
	if (table && INF_HAS(inf_cancel, table, cancel) && table->cancel)
		return table->cancel(self->model, request_id, &self->error);
	return inf_fail(&self->error, INF_E_NOT_FOUND, "request_id", "no call in flight has the request_id \"%s\"", request_id);
}

inf_status inf_session_cancel_request(inf_session *self, const char *request_id, inf_error *err)
{
	struct ih_call call;
	if (!request_id)
		return inf_fail(err, INF_E_INVALID, "argument", "cancel_request: request_id is NULL");
	inf_status st = ih_call_enter(&call, self, err);
	if (st != INF_OK)
		return st;
	bool found = cancel_listed(self, request_id);
	st = cancel_in_backend(&call, request_id);
	return ih_call_leave(&call, found ? INF_OK : st, err);
}

/* ---- lifecycle ---- */

static struct inf_session *session_new(const struct ih_usable *via)
{
	struct inf_session *self = calloc(1, sizeof *self);
	if (!self)
		return NULL;
	self->via = *via;
	self->owner = getpid();
	self->references = 1;
	self->last_result.struct_size = sizeof self->last_result;
	self->last_error.struct_size = sizeof self->last_error;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->idle, NULL);
	return self;
}

inf_status inf_session_load(inf_registry *registry, const inf_candidate *backend, const inf_load_params *params,
			    inf_session **out, inf_error *err)
{
	struct ih_usable via;
	if (!out)
		return inf_fail(err, INF_E_INVALID, "params", "inf_session_load: out is NULL");
	*out = NULL;
	if (!params)
		return inf_fail(err, INF_E_INVALID, "params", "inf_session_load: params is NULL");
	inf_status st = ih_registry_resolve(registry, backend, &via, err);
	if (st != INF_OK)
		return st;
	struct inf_session *self = session_new(&via);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the session");
	st = via.backend->load(via.instance, via.backend, params, &self->model, err);
	if (st >= 0 && (st != INF_OK || !self->model))
		st = inf_fail(err, INF_E_INTERNAL, "bad_status", "load() returned %d and %s model", st,
			      self->model ? "a" : "no");
	if (st != INF_OK) {
		session_free(self);
		return st;
	}
	*out = self;
	return INF_OK;
}

inf_status inf_session_close(inf_session *self, inf_error *err)
{
	if (!self)
		return INF_OK;
	if (check_owner(self, err) != INF_OK)
		return INF_E_INVALID;
	pthread_mutex_lock(&self->lock);
	atomic_store(&self->closing, true);
	while (self->in_flight)
		pthread_cond_wait(&self->idle, &self->lock);
	pthread_mutex_unlock(&self->lock);
	inf_status st = self->via.backend->close(self->model, err);
	drop(self);
	return st;
}

/* ---- queries ---- */

inf_status inf_session_info(inf_session *self, inf_model_info *out, inf_error *err)
{
	inf_status st = out ? enter(self, err) : inf_fail(err, INF_E_INVALID, "params", "inf_session_info: out is NULL");
	if (st != INF_OK)
		return st;
	st = self->via.backend->info(self->model, out, err);
	leave(self, NULL, NULL);
	return st;
}

/* Our own memory of it: the plugin's err() would call a cancelled call whose on_token said stop a success. */
inf_status inf_session_err(inf_session *self, inf_error *out)
{
	if (check_owner(self, out) != INF_OK)
		return INF_E_INVALID;
	pthread_mutex_lock(&self->lock);
	inf_status st = self->last_error.code;
	inf_write_struct(out, &self->last_error, sizeof self->last_error);
	pthread_mutex_unlock(&self->lock);
	return st;
}

const void *inf_session_get_extension(inf_session *self, const char *id)
{
	if (!id || enter(self, NULL) != INF_OK)
		return NULL;
	const void *table = self->via.backend->get_extension(self->via.instance, self->via.backend, self->model, id);
	leave(self, NULL, NULL);
	return table;
}

inf_status inf_session_list_devices(inf_session *self, void *user,
				    int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	struct ih_devices relay = { user, on_device };
	if (!on_device)
		return inf_fail(err, INF_E_INVALID, "argument", "list_devices: on_device is NULL");
	inf_status st = enter(self, err);
	if (st != INF_OK)
		return st;
	const inf_devices *table = self->via.backend->get_extension(self->via.instance, self->via.backend, self->model,
								    INF_EXT_DEVICES);
	if (table && INF_HAS(inf_devices, table, of_model) && table->of_model)
		st = table->of_model(self->model, &relay, ih_devices_relay, err);
	else
		st = inf_fail(err, INF_E_UNSUPPORTED, "no_devices", "%s does not tell the devices of a model",
			      self->via.backend->name);
	leave(self, NULL, NULL);
	return st;
}

inf_status inf_session_metrics(inf_session *self, inf_metrics_report *out, inf_error *err)
{
	struct ih_call call;
	inf_status st = ih_call_enter(&call, self, err);
	if (st != INF_OK)
		return st;
	const inf_metrics *table = ih_call_extension(&call, INF_EXT_METRICS);
	if (table && INF_HAS(inf_metrics, table, read) && table->read)
		st = table->read(call.model, out, &call.error);
	else
		st = inf_fail(&call.error, INF_E_UNSUPPORTED, "no_extension", "%s has no metrics", call.via.backend->name);
	return ih_call_leave(&call, st, err);
}

void inf_session_last_result(inf_session *self, inf_gen_result *out)
{
	clear(out);
	if (check_owner(self, NULL) != INF_OK)
		return;
	pthread_mutex_lock(&self->lock);
	inf_write_struct(out, &self->last_result, sizeof self->last_result);
	pthread_mutex_unlock(&self->lock);
}
