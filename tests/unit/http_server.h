/* SPDX-License-Identifier: MIT */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "http.h"

/*
 * http_server: for the tests of http, a server that does what a script says, and the client's side of a request.
 *
 * All of it is the running test's, from http_setup() to http_teardown(); the test fails if a thread or a descriptor is left.
 */
enum { SOON_MS = 10000, CONNECTIONS_MAX = 256, BODY_MAX = 8 << 20 };

#define KEY "0123456789abcdef"
#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

/* Each runs its script on a thread of its own. */
struct connection {
	int fd;
	pthread_t thread;
	char head[8192];		/* of the request read last, NUL-terminated */
	char body[8192];		/* its beginning */
	size_t body_len;		/* all of it */
	uint64_t body_sum;
};

struct http_server {
	int listen_fd, stop_fd;
	pthread_t thread;
	void (*_Atomic script)(struct connection *c);
	struct connection connections[CONNECTIONS_MAX];
	atomic_int connected, requests;
	atomic_llong closed_ms;		/* when a script saw its peer go */
	atomic_bool go;			/* for scripts that wait for the test */
};

extern struct http_server server;
extern struct gr_http *http;		/* to it */
extern struct gr_http_reader *reader;	/* that perform() uses; NULL = none */
extern pthread_t turner;		/* the thread that turns it: no callback may run elsewhere */
extern const char *socket_path;

/* libcurl will allocate so that failmalloc reaches it. False: it cannot be used. */
bool http_global_init(void);
void http_setup(void);
void http_teardown(void);		/* also frees the reader; no one turns it any more */

/* ---- the server --------------------------------------------------------------------------------------------------- */
int listen_on(const char *path, int backlog);
void start_server(void (*script)(struct connection *c));
void stop_server(void);

/* What scripts are made of. */
#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

uint64_t add_sum(uint64_t sum, const char *bytes, size_t len);
bool read_request(struct connection *c);	/* false when the peer is gone */
bool send_bytes(struct connection *c, const char *bytes, size_t len);
bool send_text(struct connection *c, const char *text);
bool send_chunk(struct connection *c, const char *bytes, size_t len);
void answer(struct connection *c, const char *status, const char *body, size_t len);
void wait_for_close(struct connection *c);
/* One of several beats of a script that is slow on purpose; ends early when the peer goes. */
bool pace(struct connection *c, int ms);
bool is_told_to_go(void *arg);		/* for wait_until() */

/* ---- the client's side -------------------------------------------------------------------------------------------- */
struct client {
	struct gr_buf body;
	size_t pieces, stop_at_piece;	/* 0 = never */
	int polls, stop_at_poll;
	int64_t first_poll_ms, last_poll_ms;
	inf_error err;
	int code;
};

int keep_body(void *user, const char *bytes, size_t len);	/* also says go */
int count_poll(void *user);
struct gr_http_request request_to(const char *path, struct client *client);
inf_status perform(const struct gr_http_request *request, struct client *client);
void expect_body(struct client *client, const char *text);
bool never(void *ctx);			/* for wait_until() */

#endif
