/* SPDX-License-Identifier: MIT */
#ifndef GR_HTTP_PART_H
#define GR_HTTP_PART_H

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>

#include "http.h"

/*
 * http_part: what the files of http share. For no one else.
 */

/* An easy handle and the multi handle that drives it; the multi handle owns the connection that is reused. */
struct gr_http_handle {
	struct gr_http_handle *next;
	CURL *easy;
	CURLM *multi;
	struct pollfd socket;		/* what libcurl waits for; fd -1 = nothing */
	int64_t timer_ms;		/* when it wants to be called without that; INT64_MAX = never */
	struct gr_http_transfer *read;	/* that a reader drives with it; NULL = none does */
};

/* One request on its way. */
struct gr_http_transfer {
	const struct gr_http_request *request;
	struct gr_http_handle *handle;
	inf_error *err;
	long code;
	bool stopped;
	bool out_of_memory;
	bool headers_done;
	bool heard;			/* since heard_ms */
	int64_t started_ms, heard_ms;
	int64_t own_polled_ms, *polled_ms;
	int running;			/* libcurl has not done with it */
	CURLMcode multi_code;
	inf_status status;		/* INF_OK, or why it is not driven on */

	/* http_reader.c */
	struct gr_http_transfer *next;
	int64_t excused_ms;		/* of what the reader was busy with others */
	bool held;			/* its socket is not waited for */
	pthread_cond_t over;
	bool done;			/* under the reader's lock: it is its caller's again */
};

/* ---- http.c: driving one, on one thread at a time ------------------------------------------------------------- */
void gr_http_begin(struct gr_http_transfer *t);
/* Its socket is ready, or, with 0, its timer is due. */
void gr_http_act(struct gr_http_transfer *t, short revents);
/* Have the caller's say and our own deadlines ended it? due: the caller is asked at any rate. */
void gr_http_ask(struct gr_http_transfer *t, int64_t now, bool due);
bool gr_http_is_over(const struct gr_http_transfer *t);

/* ---- http_reader.c -------------------------------------------------------------------------------------------- */
/* Until it is over, on the thread that turns the reader; this one sleeps. */
void gr_http_read(struct gr_http_reader *self, struct gr_http_transfer *t);
/* What libcurl waits for has changed; old: the descriptor that was waited for before, -1 = none. */
void gr_http_watch(struct gr_http_transfer *t, int old);
void gr_http_watch_timer(struct gr_http_transfer *t);

#endif
