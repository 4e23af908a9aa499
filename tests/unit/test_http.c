/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "failmalloc.h"
#include "http_server.h"
#include "process.h"

/* All of it runs twice: each request on its caller's thread, and, with the argument "read", on that of a reader. */

/* ---- who turns the reader ---------------------------------------------------------------------- */
static bool with_reader;
static atomic_bool turned_enough;

static void *turn_reader(void *arg)
{
	while (!turned_enough)
		gr_http_reader_turn(reader, SOON_MS, false);
	return arg;
}

static void setup(void)
{
	http_setup();
	if (!with_reader)
		return;
	turned_enough = false;
	ck_assert_int_eq(gr_http_reader_new(&reader, NULL), INF_OK);
	ck_assert_int_eq(pthread_create(&turner, NULL, turn_reader, NULL), 0);
}

static void teardown(void)
{
	if (with_reader) {
		turned_enough = true;
		gr_http_reader_wake(reader);
		pthread_join(turner, NULL);
	}
	http_teardown();
}

static inf_status get(const char *path, struct client *client)
{
	struct gr_http_request request = request_to(path, client);
	return perform(&request, client);
}

/* ---- what wakes a thread up ------------------------------------------------------------------------------------ */
static _Thread_local int wake_ups;	/* of this thread, but for those after GR_HTTP_POLL_MS */

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int ready = __real_poll(fds, count, timeout_ms);
	wake_ups += ready > 0 || timeout_ms < GR_HTTP_POLL_MS;
	return ready;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */
static void script_hello(struct connection *c)
{
	while (read_request(c))
		answer(c, "200 OK", "hello", 5);
}

START_TEST(get_of_an_answer_delivers_its_body)
{
	struct client client = { 0 };
	start_server(script_hello);
	ck_assert_int_eq(get("/health", &client), INF_OK);
	ck_assert_int_eq(client.code, 200);
	ck_assert_int_eq(client.err.code, 0);
	expect_body(&client, "hello");
	ck_assert_ptr_eq(strstr(server.connections[0].head, "GET /health HTTP/1.1\r\n"), server.connections[0].head);
}
END_TEST

START_TEST(get_without_callbacks_is_fine)
{
	const struct gr_http_request request = { .path = "/health", .reader = reader };
	int code = 0;
	start_server(script_hello);
	ck_assert_int_eq(gr_http_perform(http, &request, &code, NULL), INF_OK);
	ck_assert_int_eq(code, 200);
}
END_TEST

static const char story[] = "data: {\"content\":\"once\"}\n\ndata: {\"content\":\" upon a time\"}\n\n:\n\ndata: null\n\n";

static const size_t piece_sizes[] = { 1, 2, 7, 1000 };
static size_t piece_size;

static void script_pieces(struct connection *c)
{
	static const char head[] = STREAM_HEAD;
	if (!read_request(c))
		return;
	for (size_t i = 0; i < sizeof head - 1; i++)
		send_bytes(c, head + i, 1);
	for (size_t i = 0; i < sizeof story - 1; i += piece_size)
		send_chunk(c, story + i, piece_size < sizeof story - 1 - i ? piece_size : sizeof story - 1 - i);
	send_text(c, "0\r\n\r\n");
}

START_TEST(stream_in_pieces_arrives_whole)
{
	struct client client = { 0 };
	piece_size = piece_sizes[_i];
	start_server(script_pieces);
	ck_assert_int_eq(get("/completion", &client), INF_OK);
	ck_assert_int_eq(client.code, 200);
	expect_body(&client, story);
}
END_TEST

static void script_one_by_one(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	for (int i = 0; i < 20; i++) {
		server.go = false;
		send_chunk(c, "x", 1);
		if (!wait_until(is_told_to_go, NULL, SOON_MS))
			return;
	}
	send_text(c, "0\r\n\r\n");
}

/* The script sends a piece when the one before was delivered. */
START_TEST(stream_pieces_are_delivered_at_once)
{
	struct client client = { 0 };
	start_server(script_one_by_one);
	ck_assert_int_eq(get("/completion", &client), INF_OK);
	ck_assert_uint_eq(client.pieces, 20);
	expect_body(&client, "xxxxxxxxxxxxxxxxxxxx");
}
END_TEST

static void script_continue(struct connection *c)
{
	if (read_request(c) && send_text(c, "HTTP/1.1 100 Continue\r\n\r\n"))
		answer(c, "200 OK", "hello", 5);
}

enum { PIECES = 50, WAKE_UPS_BESIDE = 5 };

/* A piece comes when the client has seen the one before. */
static void script_piece_by_piece(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	for (int i = 0; i < PIECES; i++) {
		server.go = false;
		if (!send_bytes(c, "1\r\nx\r\n", 6) || !wait_until(is_told_to_go, NULL, SOON_MS))
			return;
	}
	send_text(c, "0\r\n\r\n");
}

START_TEST(stream_wakes_up_once_for_each_piece)
{
	struct client client = { 0 };
	start_server(script_piece_by_piece);
	wake_ups = 0;
	ck_assert_int_eq(get("/completion", &client), INF_OK);
	int seen = wake_ups;
	ck_assert_uint_eq(client.pieces, PIECES);
	ck_assert_int_ge(seen, PIECES);
	ck_assert_int_le(seen, PIECES + WAKE_UPS_BESIDE);
	gr_buf_release(&client.body);
}
END_TEST

START_TEST(answer_after_an_interim_one_is_the_one_that_counts)
{
	struct client client = { 0 };
	start_server(script_continue);
	ck_assert_int_eq(get("/x", &client), INF_OK);
	ck_assert_int_eq(client.code, 200);
	expect_body(&client, "hello");
}
END_TEST

static void script_trailers(struct connection *c)
{
	if (read_request(c))
		send_text(c, STREAM_HEAD "5\r\nhello\r\n0\r\nX-Late: 1\r\nX-Later: 2\r\n\r\n");
}

START_TEST(answer_with_trailers_is_whole)
{
	struct client client = { 0 };
	start_server(script_trailers);
	ck_assert_int_eq(get("/x", &client), INF_OK);
	expect_body(&client, "hello");
}
END_TEST

/* ---- requests -------------------------------------------------------------------------------------------------- */
START_TEST(post_sends_body_key_and_type)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/completion", &client);
	const struct connection *c = &server.connections[0];
	request.body = "{\"a\":\0}";
	request.body_len = 7;
	start_server(script_hello);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	expect_body(&client, "hello");
	ck_assert_ptr_eq(strstr(c->head, "POST /completion HTTP/1.1\r\n"), c->head);
	ck_assert_ptr_nonnull(strstr(c->head, "\r\nAuthorization: Bearer " KEY "\r\n"));
	ck_assert_ptr_nonnull(strstr(c->head, "\r\nContent-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(c->head, "\r\nHost: localhost\r\n"));
	ck_assert_ptr_nonnull(strstr(c->head, "\r\nContent-Length: 7\r\n"));
	ck_assert_ptr_null(strstr(c->head, "Expect:"));
	ck_assert_uint_eq(c->body_len, 7);
	ck_assert_mem_eq(c->body, "{\"a\":\0}", 7);
}
END_TEST

START_TEST(get_sends_the_key_and_no_body)
{
	struct client client = { 0 };
	struct gr_http_request post = request_to("/one", &client);
	const struct connection *c = &server.connections[0];
	post.body = "body";
	post.body_len = 4;
	start_server(script_hello);
	ck_assert_int_eq(perform(&post, &client), INF_OK);
	ck_assert_int_eq(get("/two", &client), INF_OK);	/* on the same handle */
	ck_assert_int_eq(server.connected, 1);
	ck_assert_ptr_eq(strstr(c->head, "GET /two HTTP/1.1\r\n"), c->head);
	ck_assert_ptr_nonnull(strstr(c->head, "\r\nAuthorization: Bearer " KEY "\r\n"));
	ck_assert_ptr_null(strstr(c->head, "Content-Length"));
	ck_assert_uint_eq(c->body_len, 0);
	gr_buf_release(&client.body);
}
END_TEST

static const size_t body_sizes[] = { 0, 1, 100000, 3 << 20 };

START_TEST(post_of_any_size_arrives_whole)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	char *body = malloc(body_sizes[_i] + 1);
	for (size_t i = 0; i < body_sizes[_i]; i++)
		body[i] = (char)(i * 7 + i / 251);
	request.body = body;
	request.body_len = body_sizes[_i];
	start_server(script_hello);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_uint_eq(server.connections[0].body_len, body_sizes[_i]);
	ck_assert_uint_eq(server.connections[0].body_sum, add_sum(0, body, body_sizes[_i]));
	expect_body(&client, "hello");
	free(body);
}
END_TEST

START_TEST(request_uses_no_proxy_of_the_environment)
{
	static const char *const names[] = { "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy" };
	struct client client = { 0 };
	for (size_t i = 0; i < 4; i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	start_server(script_hello);
	inf_status st = get("/x", &client);
	for (size_t i = 0; i < 4; i++)
		unsetenv(names[i]);
	ck_assert_int_eq(st, INF_OK);
	expect_body(&client, "hello");
}
END_TEST

/* ---- other statuses -------------------------------------------------------------------------------------------- */
static const char *refusal_status;

static void script_refuse(struct connection *c)
{
	static const char body[] = "{\"error\":{\"code\":1}}";
	while (read_request(c)) {
		char head[256];
		snprintf(head, sizeof head, "HTTP/1.1 %s\r\nLocation: /elsewhere\r\nContent-Length: %zu\r\n\r\n",
			 refusal_status, sizeof body - 1);
		send_text(c, head);
		send_text(c, body);
	}
}

static const char *const statuses[] = {
	"201 Created", "206 Partial Content", "301 Moved Permanently", "307 Temporary Redirect", "400 Bad Request",
	"401 Unauthorized", "404 Not Found", "500 Internal Server Error", "503 Service Unavailable",
};

START_TEST(answer_that_is_not_200_goes_to_the_error_body)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
	refusal_status = statuses[_i];
	request.error_body = &refusal;
	start_server(script_refuse);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_int_eq(client.code, atoi(statuses[_i]));
	ck_assert_str_eq(gr_buf_text(&refusal), "{\"error\":{\"code\":1}}");
	ck_assert_uint_eq(client.pieces, 0);
	ck_assert_int_eq(server.requests, 1);
	request.error_body = NULL;
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_int_eq(client.code, atoi(statuses[_i]));
	gr_buf_release(&refusal);
}
END_TEST

static size_t refusal_size;

static char refusal_byte(size_t i)
{
	return (char)('a' + (i * 7 + i / 26) % 26);
}

/* In chunks of changing size, so that the cap falls into the middle of one. */
static void script_refuse_at_length(struct connection *c)
{
	char chunk[5000];
	if (!read_request(c) || !send_text(c, "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"))
		return;
	for (size_t sent = 0, step = 1000; sent < refusal_size; step = step % 4000 + 777) {
		size_t len = step < refusal_size - sent ? step : refusal_size - sent;
		for (size_t i = 0; i < len; i++)
			chunk[i] = refusal_byte(sent + i);
		send_chunk(c, chunk, len);
		sent += len;
	}
	send_text(c, "0\r\n\r\n");
}

static const size_t refusal_sizes[] = {
	GR_HTTP_ERROR_BODY - 1, GR_HTTP_ERROR_BODY, GR_HTTP_ERROR_BODY + 1, 3 * GR_HTTP_ERROR_BODY,
};

START_TEST(error_body_is_the_beginning_up_to_the_cap)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
	refusal_size = refusal_sizes[_i];
	request.error_body = &refusal;
	start_server(script_refuse_at_length);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_int_eq(client.code, 400);
	for (size_t i = 0; i < refusal.len; i++)
		ck_assert_msg(refusal.data[i] == refusal_byte(i), "byte %zu", i);
	ck_assert_uint_eq(refusal.len, refusal_size < GR_HTTP_ERROR_BODY ? refusal_size : GR_HTTP_ERROR_BODY);
	gr_buf_release(&refusal);
}
END_TEST

/* ---- broken connections ---------------------------------------------------------------------------------------- */
static const struct {
	const char *sent;
	int code;
	const char *body;
} cut_cases[] = {
	{ "", 0, "" },
	{ "HTTP/1.1 2", 0, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Le", 200, "" },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le", 200, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", 200, "only this" },
	{ STREAM_HEAD, 200, "" },
	{ STREAM_HEAD "5\r\nhel", 200, "hel" },
	{ STREAM_HEAD "5\r\nhello\r\n", 200, "hello" },
	{ STREAM_HEAD "5\r\nhello\r\n0\r\n", 200, "hello" },
	{ STREAM_HEAD "zz\r\nhello\r\n", 200, "" },
	{ "this is no HTTP\r\n\r\n", 0, "" },
};

static const char *sent_before_cut;

static void script_cut(struct connection *c)
{
	if (read_request(c))
		send_text(c, sent_before_cut);
}

START_TEST(connection_that_is_cut_is_an_io_error)
{
	struct client client = { 0 };
	sent_before_cut = cut_cases[_i].sent;
	start_server(script_cut);
	ck_assert_int_eq(get("/completion", &client), INF_E_IO);
	ck_assert_int_eq(client.err.code, INF_E_IO);
	ck_assert_str_eq(client.err.reason, "server_connection");
	ck_assert_ptr_nonnull(strstr(client.err.message, "/completion"));
	ck_assert_int_eq(client.code, cut_cases[_i].code);
	expect_body(&client, cut_cases[_i].body);
	server.script = script_hello;		/* the next request is none the worse */
	ck_assert_int_eq(get("/x", &client), INF_OK);
	expect_body(&client, "hello");
}
END_TEST

static void script_read_little(struct connection *c)
{
	char byte;
	if (recv(c->fd, &byte, 1, 0) == 1)
		server.requests++;
}

START_TEST(connection_cut_while_a_body_is_sent_raises_no_signal)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	size_t len = 6 << 20;
	request.body = calloc(1, len);
	request.body_len = len;
	signal(SIGPIPE, SIG_DFL);
	start_server(script_read_little);
	ck_assert_int_eq(perform(&request, &client), INF_E_IO);
	ck_assert_int_eq(client.code, 0);
	free((void *)request.body);
}
END_TEST

/* Leaves when the client can send no more: there is never room again. */
static void script_read_little_for_long(struct connection *c)
{
	char byte;
	if (recv(c->fd, &byte, 1, 0) == 1)
		wait_until(is_told_to_go, NULL, SOON_MS);
}

static int let_go_at_second_poll(void *user)
{
	struct client *client = user;
	server.go = client->polls++ > 0;
	return 0;
}

START_TEST(connection_cut_while_a_body_waits_is_an_io_error)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	size_t len = 6 << 20;
	request.body = calloc(1, len);
	request.body_len = len;
	request.on_poll = let_go_at_second_poll;
	request.timeout_ms = SOON_MS;
	start_server(script_read_little_for_long);
	ck_assert_int_eq(perform(&request, &client), INF_E_IO);
	ck_assert_int_ge(client.polls, 2);
	free((void *)request.body);
}
END_TEST

/* ---- no connection --------------------------------------------------------------------------------------------- */
START_TEST(missing_socket_is_unreachable)
{
	struct client client = { 0 };
	int64_t begin = monotonic_ms();
	ck_assert_int_eq(get("/x", &client), INF_E_IO);
	ck_assert_int_lt(monotonic_ms() - begin, GR_HTTP_RETRIES * GR_HTTP_RETRY_MS);
	ck_assert_int_eq(client.err.code, INF_E_IO);
	ck_assert_str_eq(client.err.reason, "server_unreachable");
	ck_assert_int_eq(client.code, 0);
}
END_TEST

START_TEST(socket_nobody_listens_on_is_unreachable)
{
	struct client client = { 0 };
	close(listen_on(socket_path, 1));
	ck_assert_int_eq(get("/x", &client), INF_E_IO);
	ck_assert_str_eq(client.err.reason, "server_unreachable");
}
END_TEST

START_TEST(socket_path_that_is_too_long_is_an_io_error)
{
	char path[200];
	struct client client = { 0 };
	memset(path, '/', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	gr_http_free(http);
	ck_assert_int_eq(gr_http_new(&http, path, KEY, NULL), INF_OK);
	ck_assert_int_eq(get("/x", &client), INF_E_IO);
}
END_TEST

/* Connections that wait to be accepted; the next one is refused with EAGAIN. */
struct crowd {
	int listen_fd, fds[16], count;
};

static void fill_queue(struct crowd *crowd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, socket_path);
	crowd->listen_fd = listen_on(socket_path, 1);
	for (crowd->count = 0; crowd->count < 16; crowd->count++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
			ck_assert_int_eq(errno, EAGAIN);
			close(fd);
			return;
		}
		crowd->fds[crowd->count] = fd;
	}
	ck_abort_msg("the queue is never full");
}

static void free_queue(struct crowd *crowd)
{
	for (int i = 0; i < crowd->count; i++)
		close(crowd->fds[i]);
	close(crowd->listen_fd);
}

static void *answer_one(void *arg)
{
	struct crowd *crowd = arg;
	struct pollfd p = { .fd = crowd->listen_fd, .events = POLLIN };
	struct connection *c = &server.connections[0];
	bool done = false;
	while (!done && poll(&p, 1, SOON_MS) == 1) {
		c->fd = accept(crowd->listen_fd, NULL, NULL);
		done = c->fd >= 0 && read_request(c);
		if (done)
			answer(c, "200 OK", "hello", 5);
		close(c->fd);
	}
	return NULL;
}

static void *answer_after_polls(void *arg)
{
	wait_until(is_told_to_go, NULL, SOON_MS);
	return answer_one(arg);
}

static int go_at_third_poll(void *user)
{
	struct client *client = user;
	server.go = ++client->polls >= 3;
	return 0;
}

START_TEST(full_accept_queue_is_waited_for)
{
	struct crowd crowd;
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	pthread_t thread;
	server.go = false;
	fill_queue(&crowd);
	for (int i = 0; i < crowd.count; i++)
		shutdown(crowd.fds[i], SHUT_RDWR);
	request.on_poll = go_at_third_poll;
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_after_polls, &crowd), 0);
	inf_status st = perform(&request, &client);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	free_queue(&crowd);
	ck_assert_msg(st == INF_OK, "%s", client.err.message);
	expect_body(&client, "hello");
}
END_TEST

START_TEST(full_accept_queue_is_not_waited_for_for_ever)
{
	struct crowd crowd;
	struct client client = { 0 };
	fill_queue(&crowd);
	int64_t begin = monotonic_ms();
	inf_status st = get("/x", &client);
	int64_t took = monotonic_ms() - begin;
	free_queue(&crowd);
	ck_assert_int_eq(st, INF_E_IO);
	ck_assert_str_eq(client.err.reason, "server_unreachable");
	ck_assert_int_ge(took, GR_HTTP_RETRIES * GR_HTTP_RETRY_MS);
	ck_assert_int_ge(client.polls, (int)(took / 100));
}
END_TEST

START_TEST(full_accept_queue_can_be_cancelled)
{
	struct crowd crowd;
	struct client client = { .stop_at_poll = 2 };
	fill_queue(&crowd);
	inf_status st = get("/x", &client);
	int64_t late = monotonic_ms() - client.last_poll_ms;
	free_queue(&crowd);
	ck_assert_int_eq(st, INF_E_CANCELLED);
	ck_assert_int_lt(late, 100);
}
END_TEST

/* ---- time ------------------------------------------------------------------------------------------------------ */
static void script_never(struct connection *c)
{
	if (read_request(c))
		wait_for_close(c);
}

static void script_stop_talking(struct connection *c)
{
	if (read_request(c) && send_text(c, STREAM_HEAD) && send_chunk(c, "x", 1))
		wait_for_close(c);
}

static void script_dribble(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	while (send_chunk(c, "x", 1) && pace(c, 20))
		;
	wait_for_close(c);
}

static void script_slow_but_alive(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	for (int i = 0; i < 6 && pace(c, 50); i++)
		send_chunk(c, "x", 1);
	send_text(c, "0\r\n\r\n");
}

static void script_flood(struct connection *c)
{
	static const char much[16384];
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	while (send_chunk(c, much, sizeof much))
		;
	wait_for_close(c);
}

static bool saw_close(void *arg)
{
	(void)arg;
	return server.closed_ms != 0;
}

enum { LIMIT_MS = 150 };

static const struct {
	void (*script)(struct connection *c);
	int timeout_ms, silence_ms;
	const char *reason;
} late_cases[] = {
	{ script_never, LIMIT_MS, 0, "server_timeout" },
	{ script_never, 0, LIMIT_MS, "server_silent" },
	{ script_stop_talking, LIMIT_MS, 0, "server_timeout" },
	{ script_stop_talking, 0, LIMIT_MS, "server_silent" },
	{ script_stop_talking, 60000, LIMIT_MS, "server_silent" },
	{ script_dribble, LIMIT_MS, 60000, "server_timeout" },
	{ script_flood, LIMIT_MS, 60000, "server_timeout" },
};

START_TEST(server_that_is_late_is_given_up)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/completion", &client);
	request.timeout_ms = late_cases[_i].timeout_ms;
	request.silence_ms = late_cases[_i].silence_ms;
	if (late_cases[_i].script == script_flood)
		request.on_body = NULL;
	start_server(late_cases[_i].script);
	int64_t begin = monotonic_ms();
	ck_assert_int_eq(perform(&request, &client), INF_E_TIMEOUT);
	int64_t took = monotonic_ms() - begin;
	ck_assert_int_ge(took, LIMIT_MS);
	ck_assert_int_lt(took, LIMIT_MS + 1000);
	ck_assert_int_eq(client.err.code, INF_E_TIMEOUT);
	ck_assert_str_eq(client.err.reason, late_cases[_i].reason);
	ck_assert_ptr_nonnull(strstr(client.err.message, "/completion"));
	ck_assert(wait_until(saw_close, NULL, SOON_MS));
	gr_buf_release(&client.body);
}
END_TEST

START_TEST(silence_begins_anew_with_every_byte)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	request.silence_ms = 250;		/* less than the whole takes */
	start_server(script_slow_but_alive);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	expect_body(&client, "xxxxxx");
}
END_TEST

static void script_pause(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD))
		return;
	send_chunk(c, "xxx", 3);
	if (pace(c, 500))
		send_chunk(c, "xxx", 3);
	send_text(c, "0\r\n\r\n");
}

static int keep_body_slowly(void *user, const char *bytes, size_t len)
{
	struct client *client = user;
	if (client->pieces == 0)
		wait_until(never, NULL, 400);
	return keep_body(user, bytes, len);
}

START_TEST(time_that_on_body_takes_is_no_silence)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	request.silence_ms = 250;
	request.on_body = keep_body_slowly;
	start_server(script_pause);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	expect_body(&client, "xxxxxx");
}
END_TEST

/* ---- stopping -------------------------------------------------------------------------------------------------- */
static void (*const endless_scripts[])(struct connection *c) = {
	script_never, script_stop_talking, script_dribble, script_flood,
};

/* How long after the stop the call returned and the server saw it, whichever came later. */
static int64_t cancel_once(void (*script)(struct connection *c))
{
	struct client client = { .stop_at_poll = 3 };
	struct gr_http_request request = request_to("/x", &client);
	if (script == script_flood)
		request.on_body = NULL;
	start_server(script);
	ck_assert_int_eq(perform(&request, &client), INF_E_CANCELLED);
	int64_t returned_ms = monotonic_ms();
	ck_assert(wait_until(saw_close, NULL, SOON_MS));
	ck_assert_int_eq(client.polls, 3);
	gr_buf_release(&client.body);
	stop_server();
	unlink(socket_path);
	return (returned_ms > server.closed_ms ? returned_ms : server.closed_ms) - client.last_poll_ms;
}

START_TEST(poll_that_stops_closes_the_connection_within_100_ms)
{
	int64_t late = cancel_once(endless_scripts[_i]);
	for (int again = 0; again < 3 && late >= 100; again++)	/* a busy machine may be slow once */
		late = cancel_once(endless_scripts[_i]);
	ck_assert_int_lt(late, 100);
}
END_TEST

START_TEST(poll_is_asked_ten_times_a_second_or_more)
{
	struct client client = { .stop_at_poll = 6 };
	struct gr_http_request request = request_to("/x", &client);
	if (endless_scripts[_i] == script_flood)
		request.on_body = NULL;
	start_server(endless_scripts[_i]);
	ck_assert_int_eq(perform(&request, &client), INF_E_CANCELLED);
	int64_t mean = (client.last_poll_ms - client.first_poll_ms) / 5;
	ck_assert_int_le(mean, 100);
	ck_assert_int_ge(mean, 1);
	gr_buf_release(&client.body);
}
END_TEST

/* Each of many short requests is over before its own time to ask has come. */
START_TEST(poll_is_asked_over_a_row_of_requests)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	int64_t polled_ms = monotonic_ms(), begin = polled_ms;
	request.polled_ms = &polled_ms;
	start_server(script_hello);
	while (monotonic_ms() - begin < 300)
		ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_int_ge(client.polls, 3);
	gr_buf_release(&client.body);
}
END_TEST

START_TEST(body_that_stops_closes_the_connection)
{
	struct client client = { .stop_at_piece = 3 };
	start_server(script_dribble);
	ck_assert_int_eq(get("/x", &client), INF_E_CANCELLED);
	ck_assert_int_eq(client.code, 200);
	ck_assert_uint_eq(client.pieces, 3);
	ck_assert(wait_until(saw_close, NULL, SOON_MS));
	expect_body(&client, "xxx");
	server.script = script_hello;
	ck_assert_int_eq(get("/x", &client), INF_OK);
	expect_body(&client, "hello");
	ck_assert_int_eq(server.connected, 2);
}
END_TEST

/* ---- reuse ----------------------------------------------------------------------------------------------------- */
static void get_hello(void)
{
	struct client client = { 0 };
	ck_assert_int_eq(get("/x", &client), INF_OK);
	expect_body(&client, "hello");
}

START_TEST(connection_is_kept_for_the_next_request)
{
	start_server(script_hello);
	for (int i = 0; i < 5; i++)
		get_hello();
	ck_assert_int_eq(server.requests, 5);
	ck_assert_int_eq(server.connected, 1);
}
END_TEST

START_TEST(connection_dropped_while_idle_is_made_anew)
{
	start_server(script_hello);
	get_hello();
	gr_http_drop_idle(http);
	get_hello();
	ck_assert_int_eq(server.connected, 2);
}
END_TEST

static void script_hello_once(struct connection *c)
{
	if (read_request(c))
		answer(c, "200 OK", "hello", 5);
}

/* Keep-alive was promised, and then not kept. */
START_TEST(connection_closed_by_the_server_is_made_anew)
{
	start_server(script_hello_once);
	for (int i = 0; i < 5; i++)
		get_hello();
	ck_assert_int_eq(server.requests, 5);
	ck_assert_int_eq(server.connected, 5);
}
END_TEST

static void script_close_politely(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
}

START_TEST(connection_that_the_server_will_close_is_not_reused)
{
	start_server(script_close_politely);
	get_hello();
	get_hello();
	ck_assert_int_eq(server.connected, 2);
}
END_TEST

START_TEST(connection_of_a_stream_is_not_kept)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/completion", &client);
	request.stream = true;
	start_server(script_hello);
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	expect_body(&client, "hello");
	get_hello();
	get_hello();
	ck_assert_int_eq(server.connected, 2);
}
END_TEST

static void script_hello_then_cut(struct connection *c)
{
	if (read_request(c)) {
		answer(c, "200 OK", "hello", 5);
		read_request(c);
	}
}

/* The server closed it just when it was used again. */
START_TEST(connection_cut_on_reuse_is_tried_again)
{
	struct client client = { 0 };
	struct gr_http_request request = request_to("/x", &client);
	request.body = "body";
	request.body_len = 4;
	start_server(script_hello_then_cut);
	get_hello();
	ck_assert_int_eq(perform(&request, &client), INF_OK);
	ck_assert_int_eq(server.connected, 2);
	ck_assert_mem_eq(server.connections[1].body, "body", 4);
	expect_body(&client, "hello");
}
END_TEST

/* ---- many at once ---------------------------------------------------------------------------------------------- */
static void script_echo(struct connection *c)
{
	while (read_request(c))
		answer(c, "200 OK", c->body, c->body_len);
}

enum { REQUESTS_EACH = 10 };

static void *post_and_compare(void *arg)
{
	int *good = arg;
	for (int i = 0; i < REQUESTS_EACH; i++) {
		struct client client = { 0 };
		struct gr_http_request request = request_to("/echo", &client);
		char body[64];
		int len = snprintf(body, sizeof body, "{\"caller\":\"%p\",\"number\":%d}", arg, i);
		request.body = body;
		request.body_len = (size_t)len;
		*good += perform(&request, &client) == INF_OK && client.code == 200 &&
			 strcmp(gr_buf_text(&client.body), body) == 0;
		gr_buf_release(&client.body);
	}
	return NULL;
}

static const int thread_counts[] = { 8, GR_HTTP_IDLE_HANDLES + 8 };

START_TEST(requests_of_many_threads_do_not_mix)
{
	pthread_t threads[GR_HTTP_IDLE_HANDLES + 8];
	int good[GR_HTTP_IDLE_HANDLES + 8] = { 0 }, count = thread_counts[_i];
	start_server(script_echo);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_and_compare, &good[i]), 0);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(good[i], REQUESTS_EACH);
	ck_assert_int_eq(server.requests, count * REQUESTS_EACH);
}
END_TEST

enum { WAVE = GR_HTTP_IDLE_HANDLES + 16 };

/* All requests of a wave are there before one of them is answered. */
static void script_whole_waves(struct connection *c)
{
	while (read_request(c)) {
		int wave = (server.requests + WAVE - 1) / WAVE;
		while (server.requests < wave * WAVE)
			sched_yield();
		answer(c, "200 OK", c->body, c->body_len);
	}
}

static pthread_barrier_t all_there;

static void *post_one(void *arg)
{
	pthread_barrier_wait(&all_there);
	struct client client = { 0 };
	struct gr_http_request request = request_to("/echo", &client);
	request.body = "x";
	request.body_len = 1;
	*(bool *)arg = perform(&request, &client) == INF_OK && client.code == 200;
	gr_buf_release(&client.body);
	return NULL;
}

static void post_wave(void)
{
	pthread_t threads[WAVE];
	bool good[WAVE] = { false };
	pthread_barrier_init(&all_there, NULL, WAVE);
	for (int i = 0; i < WAVE; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_one, &good[i]), 0);
	for (int i = 0; i < WAVE; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_msg(good[i], "request %d", i);
	}
	pthread_barrier_destroy(&all_there);
}

START_TEST(handles_are_kept_for_as_many_requests_as_there_can_be)
{
	gr_http_keep(http, WAVE);
	start_server(script_whole_waves);
	post_wave();
	post_wave();
	ck_assert_int_eq(server.connected, WAVE);
}
END_TEST

enum { WAVES = 4, DESCRIPTORS = 4 * WAVE + 64 };	/* the server's side takes its share */

static void expect_descriptors_kept(const bool *there)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		int flags = fcntl(fd, F_GETFD);
		ck_assert_msg(there[fd] || flags < 0 || flags & FD_CLOEXEC, "descriptor %d", fd);
	}
}

START_TEST(handles_of_a_wave_are_not_for_the_hosts_own_children)
{
	bool there[DESCRIPTORS];
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		there[fd] = fcntl(fd, F_GETFD) >= 0;
	gr_http_keep(http, WAVE);
	start_server(script_whole_waves);
	for (int wave = 0; wave < WAVES; wave++) {
		gr_http_drop_idle(http);
		post_wave();
		expect_descriptors_kept(there);
	}
}
END_TEST

/* The lowest descriptor that is free is one between many that are not. */
START_TEST(handle_made_in_a_gap_is_not_for_the_hosts_own_children)
{
	enum { TAKEN = 200 };
	bool there[DESCRIPTORS];
	int fds[TAKEN];
	start_server(script_hello);
	for (int i = 0; i < TAKEN; i++)
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(fds[10]);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		there[fd] = fcntl(fd, F_GETFD) >= 0;
	get_hello();
	expect_descriptors_kept(there);
	fds[10] = fds[0];
	for (int i = 1; i < TAKEN; i++)
		close(fds[i]);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
START_TEST(new_survives_oom)
{
	for (long n = 0;; n++) {
		struct gr_http *self = NULL;
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = gr_http_new(&self, "/x.sock", KEY, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(err.code, st);
		ck_assert((self == NULL) == fired);
		gr_http_free(self);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(perform_survives_oom)
{
	start_server(script_hello);
	for (long n = 0;; n++) {
		struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
		const struct gr_http_request request = { .path = "/x", .error_body = &refusal, .reader = reader };
		inf_error err = { .struct_size = sizeof err };
		int code;
		gr_http_drop_idle(http);
		failmalloc_arm(n);
		inf_status st = gr_http_perform(http, &request, &code, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(err.code, st);
		gr_buf_release(&refusal);
		if (!fired) {
			ck_assert_int_eq(st, INF_OK);
			break;
		}
		/* libcurl can do without some of what it asks for, and gives some failures another name. */
		ck_assert_msg(st == INF_E_NO_MEMORY || st == INF_E_IO || st == INF_OK, "%ld: %d %s", n, st, err.message);
	}
}
END_TEST

START_TEST(free_of_null_is_harmless)
{
	gr_http_free(NULL);
}
END_TEST

static TCase *answers_case(void)
{
	TCase *tc = tcase_create("answers");
	tcase_add_test(tc, get_of_an_answer_delivers_its_body);
	tcase_add_test(tc, get_without_callbacks_is_fine);
	tcase_add_loop_test(tc, stream_in_pieces_arrives_whole, 0, ROWS(piece_sizes));
	tcase_add_test(tc, stream_pieces_are_delivered_at_once);
	if (!with_reader)
		tcase_add_test(tc, stream_wakes_up_once_for_each_piece);
	tcase_add_test(tc, answer_after_an_interim_one_is_the_one_that_counts);
	tcase_add_test(tc, answer_with_trailers_is_whole);
	tcase_add_test(tc, post_sends_body_key_and_type);
	tcase_add_test(tc, get_sends_the_key_and_no_body);
	tcase_add_loop_test(tc, post_of_any_size_arrives_whole, 0, ROWS(body_sizes));
	tcase_add_test(tc, request_uses_no_proxy_of_the_environment);
	tcase_add_loop_test(tc, answer_that_is_not_200_goes_to_the_error_body, 0, ROWS(statuses));
	tcase_add_loop_test(tc, error_body_is_the_beginning_up_to_the_cap, 0, ROWS(refusal_sizes));
	return tc;
}

static TCase *failures_case(void)
{
	TCase *tc = tcase_create("failures");
	tcase_add_loop_test(tc, connection_that_is_cut_is_an_io_error, 0, ROWS(cut_cases));
	tcase_add_test(tc, connection_cut_while_a_body_is_sent_raises_no_signal);
	tcase_add_test(tc, connection_cut_while_a_body_waits_is_an_io_error);
	tcase_add_test(tc, missing_socket_is_unreachable);
	tcase_add_test(tc, socket_nobody_listens_on_is_unreachable);
	tcase_add_test(tc, socket_path_that_is_too_long_is_an_io_error);
	tcase_add_test(tc, full_accept_queue_is_waited_for);
	tcase_add_test(tc, full_accept_queue_is_not_waited_for_for_ever);
	tcase_add_test(tc, full_accept_queue_can_be_cancelled);
	tcase_add_loop_test(tc, server_that_is_late_is_given_up, 0, ROWS(late_cases));
	tcase_add_test(tc, silence_begins_anew_with_every_byte);
	tcase_add_test(tc, time_that_on_body_takes_is_no_silence);
	return tc;
}

static TCase *connections_case(void)
{
	TCase *tc = tcase_create("connections");
	tcase_add_loop_test(tc, poll_that_stops_closes_the_connection_within_100_ms, 0, ROWS(endless_scripts));
	tcase_add_loop_test(tc, poll_is_asked_ten_times_a_second_or_more, 0, ROWS(endless_scripts));
	tcase_add_test(tc, poll_is_asked_over_a_row_of_requests);
	tcase_add_test(tc, body_that_stops_closes_the_connection);
	tcase_add_test(tc, connection_is_kept_for_the_next_request);
	tcase_add_test(tc, connection_dropped_while_idle_is_made_anew);
	tcase_add_test(tc, connection_closed_by_the_server_is_made_anew);
	tcase_add_test(tc, connection_that_the_server_will_close_is_not_reused);
	tcase_add_test(tc, connection_of_a_stream_is_not_kept);
	tcase_add_test(tc, connection_cut_on_reuse_is_tried_again);
	tcase_add_test(tc, handles_are_kept_for_as_many_requests_as_there_can_be);
	tcase_add_test(tc, handles_of_a_wave_are_not_for_the_hosts_own_children);
	tcase_add_test(tc, handle_made_in_a_gap_is_not_for_the_hosts_own_children);
	tcase_add_loop_test(tc, requests_of_many_threads_do_not_mix, 0, ROWS(thread_counts));
	tcase_add_test(tc, perform_survives_oom);
	if (!with_reader) {
		tcase_add_test(tc, new_survives_oom);
		tcase_add_test(tc, free_of_null_is_harmless);
	}
	return tc;
}

int main(int argc, char **argv)
{
	with_reader = argc == 2 && strcmp(argv[1], "read") == 0;
	if ((argc > 1 && !with_reader) || !http_global_init())
		return EXIT_FAILURE;
	Suite *suite = suite_create(with_reader ? "http, read" : "http");
	TCase *cases[] = { answers_case(), failures_case(), connections_case() };
	for (int i = 0; i < ROWS(cases); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		suite_add_tcase(suite, cases[i]);
	}
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	curl_global_cleanup();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
