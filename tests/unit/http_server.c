/* SPDX-License-Identifier: MIT */
#include "http_server.h"

#include <check.h>
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process.h"
#include "scratch.h"

enum { BACKLOG = 64 };

/* ---- a server that does what a script says, for each connection on a thread of its own ------------------------ */
struct http_server server;
struct gr_http *http;
struct gr_http_reader *reader;
pthread_t turner;
const char *socket_path;
static struct scratch scratch;
static struct process_census before;
static atomic_int elsewhere;		/* callbacks */

static void *serve(void *arg)
{
	atomic_load(&server.script)(arg);
	shutdown(((struct connection *)arg)->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *arg)
{
	for (;;) {
		struct pollfd p[2] = { { server.listen_fd, POLLIN, 0 }, { server.stop_fd, POLLIN, 0 } };
		poll(p, 2, -1);
		if (p[1].revents)
			return arg;
		int fd = accept4(server.listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 || server.connected == CONNECTIONS_MAX)
			continue;
		struct connection *c = &server.connections[server.connected++];
		*c = (struct connection){ .fd = fd };
		if (pthread_create(&c->thread, NULL, serve, c) != 0)
			abort();
	}
}

int listen_on(const char *path, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

void start_server(void (*script)(struct connection *c))
{
	server.connected = server.requests = 0;
	server.closed_ms = 0;
	server.go = false;
	server.script = script;
	server.listen_fd = listen_on(socket_path, BACKLOG);
	server.stop_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, accept_all, NULL), 0);
}

void stop_server(void)
{
	const uint64_t one = 1;
	if (!server.script)
		return;
	server.go = true;
	ck_assert_int_eq(write(server.stop_fd, &one, sizeof one), sizeof one);
	pthread_join(server.thread, NULL);
	for (int i = 0; i < server.connected; i++)
		shutdown(server.connections[i].fd, SHUT_RDWR);
	for (int i = 0; i < server.connected; i++) {
		pthread_join(server.connections[i].thread, NULL);
		close(server.connections[i].fd);
	}
	close(server.listen_fd);
	close(server.stop_fd);
	server.script = NULL;
}

void http_setup(void)
{
	before = census_take();
	scratch_init(&scratch);
	server.script = NULL;
	elsewhere = 0;
	socket_path = scratch_at(&scratch, "s.sock");
	ck_assert_int_eq(gr_http_new(&http, socket_path, KEY, NULL), INF_OK);
}

void http_teardown(void)
{
	ck_assert_int_eq(elsewhere, 0);
	gr_http_reader_free(reader);
	reader = NULL;
	gr_http_free(http);
	stop_server();
	scratch_release(&scratch);
	census_assert_restored(&before);
}

/* ---- what scripts are made of ---------------------------------------------------------------------------------- */
uint64_t add_sum(uint64_t sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static void take_body(struct connection *c, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && c->body_len + i < sizeof c->body; i++)
		c->body[c->body_len + i] = bytes[i];
	c->body_sum = add_sum(c->body_sum, bytes, len);
	c->body_len += len;
}

static size_t announced_length(const struct connection *c)
{
	const char *at = strstr(c->head, "\r\nContent-Length: ");
	return at ? strtoul(at + 18, NULL, 10) : 0;
}

bool read_request(struct connection *c)
{
	char head[sizeof c->head];
	size_t len = 0;
	char *end = NULL;
	while (!end) {
		ssize_t n = recv(c->fd, head + len, sizeof head - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	end += 4;
	c->body_len = c->body_sum = 0;
	take_body(c, end, len - (size_t)(end - head));
	*end = '\0';
	strcpy(c->head, head);
	while (c->body_len < announced_length(c)) {
		char chunk[16384];
		ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
		if (n <= 0)
			return false;
		take_body(c, chunk, (size_t)n);
	}
	server.requests++;
	return true;
}

bool send_bytes(struct connection *c, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

bool send_text(struct connection *c, const char *text)
{
	return send_bytes(c, text, strlen(text));
}

bool send_chunk(struct connection *c, const char *bytes, size_t len)
{
	char size[32];
	snprintf(size, sizeof size, "%zx\r\n", len);
	return send_text(c, size) && send_bytes(c, bytes, len) && send_text(c, "\r\n");
}

void answer(struct connection *c, const char *status, const char *body, size_t len)
{
	char head[256];
	snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, len);
	send_text(c, head);
	send_bytes(c, body, len);
}

void wait_for_close(struct connection *c)
{
	char byte;
	while (recv(c->fd, &byte, 1, 0) > 0)
		;
	server.closed_ms = monotonic_ms();
}

bool pace(struct connection *c, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLRDHUP };
	return poll(&p, 1, ms) == 0;
}

bool is_told_to_go(void *arg)
{
	(void)arg;
	return server.go;
}

/* ---- the client's side ----------------------------------------------------------------------------------------- */
static void look_at_thread(void)
{
	if (reader && !pthread_equal(pthread_self(), turner))
		elsewhere++;
}

int keep_body(void *user, const char *bytes, size_t len)
{
	struct client *client = user;
	look_at_thread();
	if (gr_buf_append(&client->body, bytes, len) != INF_OK)
		return 1;
	client->pieces++;
	server.go = true;
	return client->pieces == client->stop_at_piece;
}

int count_poll(void *user)
{
	struct client *client = user;
	look_at_thread();
	client->last_poll_ms = monotonic_ms();
	if (!client->polls++)
		client->first_poll_ms = client->last_poll_ms;
	return client->polls == client->stop_at_poll;
}

struct gr_http_request request_to(const char *path, struct client *client)
{
	client->body.max = BODY_MAX;
	return (struct gr_http_request){
		.path = path, .on_body = keep_body, .on_poll = count_poll, .user = client,
	};
}

inf_status perform(const struct gr_http_request *request, struct client *client)
{
	client->err = (inf_error){ .struct_size = sizeof client->err };
	client->code = -1;
	struct gr_http_request read = *request;
	read.reader = reader;
	return gr_http_perform(http, &read, &client->code, &client->err);
}

void expect_body(struct client *client, const char *text)
{
	ck_assert_str_eq(gr_buf_text(&client->body), text);
	gr_buf_release(&client->body);
}

bool never(void *ctx)
{
	(void)ctx;
	return false;
}

/* ---- libcurl -------------------------------------------------------------------------------------------------- */
static char *duplicate(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}

static void *allocate(size_t size)
{
	return malloc(size);
}

static void *allocate_zeroed(size_t count, size_t size)
{
	return calloc(count, size);
}

static void *reallocate(void *old, size_t size)
{
	return realloc(old, size);
}

bool http_global_init(void)
{
	return curl_global_init_mem(CURL_GLOBAL_ALL, allocate, free, reallocate, duplicate, allocate_zeroed) == CURLE_OK;
}
