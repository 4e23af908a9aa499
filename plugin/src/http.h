/* SPDX-License-Identifier: MIT */
#ifndef GR_HTTP_H
#define GR_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/plugin.h"

#include "buf.h"

/*
 * http: requests to one server on a Unix socket; the only user of libcurl.
 *
 * A request runs on the caller's thread from beginning to end. Its poll callback is asked GR_HTTP_POLL_MS apart or more
 * often, also when no byte arrives, and a request that is stopped has its connection closed, which is how the server
 * learns of it. Several threads may run requests at once; connections and handles are kept for reuse, and no proxy, cookie,
 * redirect or configuration file plays a part.
 *
 * Where many streams run at once, a thread for each of them costs most in being woken for each token. A reader takes that
 * over: one thread turns it, and all that happens to the requests that were given to it, their callbacks among it, happens
 * there, while their callers sleep.
 */
enum {
	GR_HTTP_POLL_MS = 40,			/* between two questions to on_poll */
	GR_HTTP_IDLE_HANDLES = 32,		/* kept for reuse, unless gr_http_keep() says more */
	GR_HTTP_ERROR_BODY = 64 * 1024,		/* bytes kept of the body of an answer that is not 200 */
	GR_HTTP_RETRIES = 50,			/* the server's accept queue can be full for a moment */
	GR_HTTP_RETRY_MS = 10,
};

struct gr_http;
struct gr_http_reader;

struct gr_http_request {
	const char *path;		/* "/completion" */
	const char *body;		/* JSON; NULL = GET */
	size_t body_len;
	int timeout_ms;			/* for the whole request; 0 = none */
	int silence_ms;			/* longest time without a byte; 0 = no limit */
	/* Bytes of the body of a 200 answer. Anything but 0 stops the request. */
	int (*on_body)(void *user, const char *bytes, size_t len);
	/* Anything but 0 stops the request. May be NULL. */
	int (*on_poll)(void *user);
	void *user;
	struct gr_buf *error_body;	/* gets the body of an answer that is not 200; may be NULL */
	int64_t *polled_ms;		/* when on_poll was asked last, over several requests; NULL = begins anew */
	bool stream;			/* the server closes the connection afterwards, so it is not kept */
	struct gr_http_reader *reader;	/* on whose thread the callbacks run; NULL = on the caller's */
	/* For a reader alone, which cannot wait in on_body as a caller can: it has taken what there was of all requests, bytes of this
	 * one among it. true = no more for now; then it is asked at every turn that was woken up, and as often as on_poll. May be
	 * NULL. */
	bool (*on_taken)(void *user);
};

/* One server. Both strings are copied. INF_E_NO_MEMORY. */
inf_status gr_http_new(struct gr_http **out, const char *socket_path, const char *api_key, inf_error *err);
void gr_http_free(struct gr_http *self);	/* accepts NULL; no request may be running */
/* Keep as many handles as there are requests at once, where that is more; before the first. A handle has its price. */
void gr_http_keep(struct gr_http *self, size_t count);
/* Close the connections that are kept for reuse. */
void gr_http_drop_idle(struct gr_http *self);

/*
 * Run one request. *out_code is the HTTP status, 0 if none came. Returns INF_OK when an answer was read to its end,
 * whatever its status; INF_E_CANCELLED when a callback stopped it; INF_E_TIMEOUT; INF_E_NO_MEMORY; INF_E_IO when the
 * server could not be reached or closed the connection early.
 */
inf_status gr_http_perform(struct gr_http *self, const struct gr_http_request *request, int *out_code, inf_error *err);

/* INF_E_IO: there are too many open files. */
inf_status gr_http_reader_new(struct gr_http_reader **out, inf_error *err);
void gr_http_reader_free(struct gr_http_reader *self);	/* accepts NULL; it has no request */
/* Wait, at most so long, for something to happen, and do what is to be done. One thread at a time, and until every request
 * that was given to it has ended. ask: every request asks on_poll now, whether or not it is time. */
void gr_http_reader_turn(struct gr_http_reader *self, int wait_ms, bool ask);
/* End the waiting of a turn, or of the next one. [any thread] */
void gr_http_reader_wake(struct gr_http_reader *self);
/* So long, in all, it did not wait, but was busy with one request, or was not turned, while others may have had something to
 * say. [any thread] */
int64_t gr_http_reader_busy_ms(const struct gr_http_reader *self);

#endif
