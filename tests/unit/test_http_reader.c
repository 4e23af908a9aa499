/* SPDX-License-Identifier: MIT */
/* What only a reader has; that requests go as well through one is test_http.c's to show. */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failmalloc.h"
#include "http_server.h"
#include "process.h"

enum { MANY = 120, BUSY = 80, SILENCE_MS = 250, LONG_MS = 400 };

/* ---- what a reader asks of the kernel ----------------------------------------------------------------------------- */
static int waits;			/* calls of epoll_wait */
static int controls_left = -1;		/* calls of epoll_ctl before the one that fails; -1 = none does */

int __real_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
	waits++;
	return __real_epoll_wait(fd, events, count, timeout_ms);
}

int __real_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	if (what == EPOLL_CTL_DEL || controls_left < 0 || controls_left-- > 0)
		return __real_epoll_ctl(epoll, what, fd, event);
	errno = ENOMEM;
	return -1;
}

/* ---- requests on threads of their own; the test's turns the reader -------------------------------------------------- */
struct ask {
	struct client client;
	struct gr_http_request request;
	pthread_t thread;
	inf_status status;
	bool begun;
	atomic_bool done;
	char own_body[64];
};

static struct ask asks[MANY];

static void setup(void)
{
	http_setup();
	memset(asks, 0, sizeof asks);
	turner = pthread_self();
	controls_left = -1;
	ck_assert_int_eq(gr_http_reader_new(&reader, NULL), INF_OK);
}

static bool all_done(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < MANY; i++)
		if (asks[i].begun && !asks[i].done)
			return false;
	return true;
}

static void join_all(void)
{
	for (int i = 0; i < MANY; i++) {
		if (asks[i].begun)
			pthread_join(asks[i].thread, NULL);
		asks[i].begun = false;
		gr_buf_release(&asks[i].client.body);
	}
}

/* A test that failed may have left some on their way. */
static void teardown(void)
{
	for (int64_t deadline = monotonic_ms() + SOON_MS; !all_done(NULL) && monotonic_ms() < deadline;) {
		for (int i = 0; i < MANY; i++)
			asks[i].client.stop_at_poll = asks[i].client.polls + 1;
		gr_http_reader_turn(reader, GR_HTTP_POLL_MS, true);
	}
	join_all();
	http_teardown();
}

static void prepare(struct ask *ask, const char *path)
{
	ask->request = request_to(path, &ask->client);
}

static void *ask_main(void *arg)
{
	struct ask *ask = arg;
	ask->status = perform(&ask->request, &ask->client);
	ask->done = true;
	gr_http_reader_wake(reader);
	return NULL;
}

static void begin(struct ask *ask)
{
	ask->begun = true;
	ck_assert_int_eq(pthread_create(&ask->thread, NULL, ask_main, ask), 0);
}

static void begin_many(const char *path, int count)
{
	for (int i = 0; i < count; i++) {
		prepare(&asks[i], path);
		begin(&asks[i]);
	}
}

static void turn_until(bool (*condition)(void *ctx), void *ctx)
{
	for (int64_t deadline = monotonic_ms() + SOON_MS; !condition(ctx);) {
		ck_assert_int_lt(monotonic_ms(), deadline);
		gr_http_reader_turn(reader, GR_HTTP_POLL_MS, false);
	}
}

static void finish_all(void)
{
	turn_until(all_done, NULL);
}

static bool asked_server(void *count)
{
	return server.requests >= *(int *)count;
}

/* So many requests are with the server, and what they said of it so far is read. */
static void turn_until_asked(int count)
{
	turn_until(asked_server, &count);
}

static struct connection *connection_of(const char *path)
{
	char line[64];
	snprintf(line, sizeof line, " %s HTTP/1.1\r\n", path);
	for (int i = 0; i < server.connected; i++)
		if (strstr(server.connections[i].head, line))
			return &server.connections[i];
	ck_abort_msg("nobody asks for %s", path);
}

/* The test says all else. */
static void script_head(struct connection *c)
{
	if (read_request(c) && send_text(c, STREAM_HEAD))
		wait_for_close(c);
}

/* ---- many ----------------------------------------------------------------------------------------------------------- */
static bool all_asked(void *ctx)
{
	(void)ctx;
	return server.requests >= MANY;
}

/* In pieces of each size. */
static void script_echo_all(struct connection *c)
{
	if (!read_request(c) || !wait_until(all_asked, NULL, SOON_MS) || !send_text(c, STREAM_HEAD))
		return;
	for (size_t at = 0, len = 1; at < c->body_len; at += len++)
		send_chunk(c, c->body + at, len < c->body_len - at ? len : c->body_len - at);
	send_text(c, "0\r\n\r\n");
}

START_TEST(requests_at_once_do_not_mix)
{
	start_server(script_echo_all);
	for (int i = 0; i < MANY; i++) {
		prepare(&asks[i], "/echo");
		asks[i].request.body = asks[i].own_body;
		asks[i].request.body_len = (size_t)snprintf(asks[i].own_body, sizeof asks[i].own_body,
							    "this is what number %d has to say", i);
		begin(&asks[i]);
	}
	finish_all();
	for (int i = 0; i < MANY; i++) {
		ck_assert_msg(asks[i].status == INF_OK, "%d: %s", i, asks[i].client.err.message);
		expect_body(&asks[i].client, asks[i].own_body);
	}
	ck_assert_int_eq(server.connected, MANY);
}
END_TEST

static bool all_have_bodies(void *pieces)
{
	for (int i = 0; i < BUSY; i++)
		if (asks[i].client.pieces < *(size_t *)pieces)
			return false;
	return true;
}

enum { ROUNDS = 50 };

START_TEST(bytes_that_come_together_are_read_together)
{
	size_t pieces = 0;
	start_server(script_head);
	begin_many("/x", BUSY);
	turn_until_asked(BUSY);
	waits = 0;
	while (pieces++ < ROUNDS) {
		for (int i = 0; i < BUSY; i++)
			ck_assert(send_chunk(&server.connections[i], "x", 1));
		turn_until(all_have_bodies, &pieces);
	}
	ck_assert_int_lt(waits, ROUNDS * BUSY / 10);
	for (int i = 0; i < BUSY; i++)
		ck_assert(send_text(&server.connections[i], "0\r\n\r\n"));
	finish_all();
	for (int i = 0; i < BUSY; i++)
		ck_assert_uint_eq(asks[i].client.pieces, ROUNDS);
}
END_TEST

/* ---- on_poll -------------------------------------------------------------------------------------------------------- */
enum { POLLS = 20 };

static int drop_body(void *user, const char *bytes, size_t len)
{
	(void)user;
	(void)bytes;
	(void)len;
	return 0;
}

static atomic_bool flood_over;

/* One thread sends for all, as fast as they are read. */
static void *flood(void *arg)
{
	char much[32768] = "7ff8\r\n";
	size_t sent[BUSY] = { 0 };
	memcpy(much + sizeof much - 2, "\r\n", 2);
	while (!flood_over)
		for (int i = 0; i < BUSY; i++) {
			size_t at = sent[i] % sizeof much;
			ssize_t n = send(server.connections[i].fd, much + at, sizeof much - at, MSG_NOSIGNAL | MSG_DONTWAIT);
			sent[i] += n > 0 ? (size_t)n : 0;
		}
	return arg;
}

static bool done(void *ask)
{
	return ((struct ask *)ask)->done;
}

static int stop_after_flood(void *user)
{
	(void)user;
	return flood_over;
}

START_TEST(poll_of_a_silent_request_is_asked_ten_times_a_second)
{
	struct ask *silent = &asks[BUSY];
	pthread_t thread;
	flood_over = false;
	start_server(script_head);
	for (int i = 0; i < (_i ? BUSY : 0); i++) {
		prepare(&asks[i], "/busy");
		asks[i].request.on_body = drop_body;
		asks[i].request.on_poll = stop_after_flood;
		begin(&asks[i]);
	}
	turn_until_asked(_i ? BUSY : 0);
	if (_i)
		ck_assert_int_eq(pthread_create(&thread, NULL, flood, NULL), 0);
	prepare(silent, "/silent");
	silent->client.stop_at_poll = POLLS;
	begin(silent);
	turn_until(done, silent);
	flood_over = true;
	if (_i)
		pthread_join(thread, NULL);
	finish_all();
	ck_assert_int_eq(silent->status, INF_E_CANCELLED);
	ck_assert_int_le((silent->client.last_poll_ms - silent->client.first_poll_ms) / (POLLS - 1), 100);
	for (int i = 0; i < (_i ? BUSY : 0); i++)
		ck_assert_msg(asks[i].status == INF_E_CANCELLED, "%d: %s", i, asks[i].client.err.message);
}
END_TEST

static bool stop_all;

static int stop_when_told(void *user)
{
	count_poll(user);
	return stop_all;
}

/* Without a further turn: the one that asks has to do. */
START_TEST(turn_that_asks_ends_all_who_say_stop)
{
	enum { FEW = 10 };
	int polls[FEW];
	stop_all = false;
	start_server(script_head);
	for (int i = 0; i < FEW; i++) {
		prepare(&asks[i], "/x");
		asks[i].request.on_poll = stop_when_told;
		begin(&asks[i]);
	}
	turn_until_asked(FEW);
	gr_http_reader_turn(reader, 0, true);
	for (int i = 0; i < FEW; i++)
		polls[i] = asks[i].client.polls;
	stop_all = true;
	gr_http_reader_turn(reader, 0, true);		/* at once, so that none is due */
	for (int i = 0; i < FEW; i++)
		ck_assert_int_eq(asks[i].client.polls, polls[i] + 1);
	ck_assert(wait_until(all_done, NULL, SOON_MS));
	for (int i = 0; i < FEW; i++)
		ck_assert_int_eq(asks[i].status, INF_E_CANCELLED);
}
END_TEST

/* ---- waiting -------------------------------------------------------------------------------------------------------- */
static void *wake_reader(void *arg)
{
	gr_http_reader_wake(reader);
	return arg;
}

static int64_t turn_for(int wait_ms)
{
	int64_t begun = monotonic_ms();
	gr_http_reader_turn(reader, wait_ms, false);
	return monotonic_ms() - begun;
}

START_TEST(wake_ends_one_waiting)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, wake_reader, NULL), 0);
	ck_assert_int_lt(turn_for(SOON_MS), SOON_MS);
	pthread_join(thread, NULL);
	gr_http_reader_wake(reader);		/* before it waits */
	gr_http_reader_wake(reader);
	ck_assert_int_lt(turn_for(SOON_MS), SOON_MS);
	ck_assert_int_ge(turn_for(100), 99);	/* and not the one after it */
}
END_TEST

START_TEST(turn_waits_as_long_as_it_is_told_and_not_longer_than_until_the_next_question)
{
	waits = 0;
	ck_assert_int_ge(turn_for(100), 99);
	ck_assert_int_eq(waits, 1);
	start_server(script_head);
	prepare(&asks[0], "/x");
	asks[0].client.stop_at_poll = 5;
	begin(&asks[0]);
	while (!asks[0].done)
		ck_assert_int_lt(turn_for(SOON_MS), SOON_MS);
	ck_assert_int_eq(asks[0].status, INF_E_CANCELLED);
}
END_TEST

/* ---- time that is somebody else's ------------------------------------------------------------------------------------- */
static void script_first_byte(struct connection *c)
{
	if (read_request(c) && send_text(c, STREAM_HEAD "1\r\nx\r\n"))
		wait_for_close(c);
}

enum late { BEFORE, DURING, AFTER, BEGUN_DURING, LATE_COUNT };

static enum late late;

static int take_second_for_long(void *user, const char *bytes, size_t len)
{
	if (((struct client *)user)->pieces == 0)
		return keep_body(user, bytes, len);
	if (late == BEGUN_DURING)
		begin(&asks[1]);
	wait_until(never, NULL, LONG_MS / 2);
	if (late == DURING)
		send_chunk(connection_of("/other"), "x", 1);
	wait_until(never, NULL, LONG_MS / 2);
	return keep_body(user, bytes, len);
}

static bool has_first(void *ask)
{
	return ((struct ask *)ask)->client.pieces >= 1;
}

static bool has_second(void *ask)
{
	return ((struct ask *)ask)->client.pieces >= 2;
}

/* Up to where nobody has anything to say. */
static void begin_long_and_other(void)
{
	start_server(script_first_byte);
	for (int i = 0; i < 2; i++)
		prepare(&asks[i], i ? "/other" : "/long");
	asks[0].request.on_body = take_second_for_long;
	asks[1].request.silence_ms = SILENCE_MS;
	for (int i = 0; i < (late == BEGUN_DURING ? 1 : 2); i++) {
		begin(&asks[i]);
		turn_until(has_first, &asks[i]);
	}
	gr_http_reader_turn(reader, 0, true);	/* which also notes who was heard */
}

START_TEST(time_that_one_on_body_takes_is_not_the_silence_of_another)
{
	late = (enum late)_i;
	begin_long_and_other();
	int64_t busy_ms = gr_http_reader_busy_ms(reader);
	send_chunk(connection_of("/long"), "x", 1);
	if (late == BEFORE)
		send_chunk(connection_of("/other"), "x", 1);
	turn_until(has_second, &asks[0]);
	ck_assert_int_ge(gr_http_reader_busy_ms(reader) - busy_ms, LONG_MS);
	ck_assert_int_lt(gr_http_reader_busy_ms(reader) - busy_ms, SOON_MS);
	turn_until(has_first, &asks[1]);
	if (late == AFTER || late == BEGUN_DURING)
		send_chunk(connection_of("/other"), "x", 1);
	turn_until(has_second, &asks[1]);
	send_text(connection_of("/long"), "0\r\n\r\n");
	send_text(connection_of("/other"), "0\r\n\r\n");
	finish_all();
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(asks[i].status == INF_OK, "%d: %s", i, asks[i].client.err.message);
		expect_body(&asks[i].client, "xx");
	}
}
END_TEST

START_TEST(time_in_which_it_is_not_turned_counts_as_busy)
{
	gr_http_reader_turn(reader, 0, false);
	int64_t busy_ms = gr_http_reader_busy_ms(reader);
	wait_until(never, NULL, 100);
	gr_http_reader_turn(reader, 100, false);	/* that is waiting */
	ck_assert_int_ge(gr_http_reader_busy_ms(reader) - busy_ms, 99);
	busy_ms = gr_http_reader_busy_ms(reader);
	gr_http_reader_turn(reader, SOON_MS / 20, false);
	ck_assert_int_lt(gr_http_reader_busy_ms(reader) - busy_ms, SOON_MS / 20);
}
END_TEST

/* Excused is what was before, not what comes. */
START_TEST(silence_after_that_is_one)
{
	late = AFTER;
	begin_long_and_other();
	send_chunk(connection_of("/long"), "x", 1);
	turn_until(has_second, &asks[0]);
	turn_until(done, &asks[1]);
	ck_assert_int_eq(asks[1].status, INF_E_TIMEOUT);
	ck_assert_str_eq(asks[1].client.err.reason, "server_silent");
	send_text(connection_of("/long"), "0\r\n\r\n");
	finish_all();
	ck_assert_int_eq(asks[0].status, INF_OK);
}
END_TEST

/* ---- failures, side by side ------------------------------------------------------------------------------------------- */
enum { LARGE = 5 << 20, LIMIT_MS = 1000, GOOD_PIECES = 20 };

static bool is_for(const struct connection *c, const char *path)
{
	return strstr(c->head, path) != NULL;
}

static void script_by_path(struct connection *c)
{
	if (!read_request(c))
		return;
	if (is_for(c, "/refused")) {
		answer(c, "404 Not Found", "no", 2);
	} else if (is_for(c, "/deaf")) {
		wait_for_close(c);
	} else if (!is_for(c, "/gone") && send_text(c, STREAM_HEAD "1\r\nx\r\n")) {
		if (is_for(c, "/silent"))
			wait_for_close(c);
		for (int i = 1; !is_for(c, "/cut") && i < GOOD_PIECES && pace(c, 10); i++)
			send_chunk(c, "x", 1);
		send_text(c, is_for(c, "/cut") ? "5\r\nab" : "0\r\n\r\n");
	}
}

static const struct {
	const char *path;
	inf_status status;
	const char *reason;
	int code;
	size_t len;			/* of the body */
} beside[] = {
	{ "/good", INF_OK, "", 200, GOOD_PIECES },
	{ "/large", INF_OK, "", 200, GOOD_PIECES },
	{ "/refused", INF_OK, "", 404, 0 },
	{ "/gone", INF_E_IO, "server_connection", 0, 0 },
	{ "/cut", INF_E_IO, "server_connection", 200, 3 },
	{ "/silent", INF_E_TIMEOUT, "server_silent", 200, 1 },
	{ "/deaf", INF_E_TIMEOUT, "server_timeout", 0, 0 },
	{ "/cancelled", INF_E_CANCELLED, "", 200, 2 },
};

START_TEST(requests_that_fail_leave_those_beside_them_alone)
{
	char *large = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)(i * 7 + i / 251);
	uint64_t sum = add_sum(0, large, LARGE);
	start_server(script_by_path);
	for (int i = 0; i < MANY; i++) {
		struct ask *ask = &asks[i];
		const char *path = beside[i % ROWS(beside)].path;
		prepare(ask, path);
		ask->request.silence_ms = strcmp(path, "/silent") ? 0 : LIMIT_MS;
		ask->request.timeout_ms = strcmp(path, "/deaf") ? 0 : LIMIT_MS;
		ask->client.stop_at_piece = strcmp(path, "/cancelled") ? 0 : 2;
		if (i < ROWS(beside) && !strcmp(path, "/large")) {
			ask->request.body = large;
			ask->request.body_len = LARGE;
		}
		begin(ask);
	}
	finish_all();
	ck_assert(wait_until(all_asked, NULL, SOON_MS));
	for (int i = 0; i < server.connected; i++)
		ck_assert(!is_for(&server.connections[i], "POST /large") ||
			  server.connections[i].body_sum == sum);
	for (int i = 0; i < MANY; i++) {
		struct ask *ask = &asks[i];
		int row = i % ROWS(beside);
		ck_assert_msg(ask->status == beside[row].status && !strcmp(ask->client.err.reason, beside[row].reason),
			      "%s: %d %s", beside[row].path, ask->status, ask->client.err.message);
		ck_assert_int_eq(ask->client.code, beside[row].code);
		ck_assert_uint_eq(ask->client.body.len, beside[row].len);
	}
	free(large);
}
END_TEST

static int poll_slowly(void *user)
{
	struct client *client = user;
	int64_t until = monotonic_ms() + 3 * GR_HTTP_POLL_MS / 2;
	while (monotonic_ms() < until)
		sched_yield();
	return server.go || count_poll(client);
}

/* Or a host that takes longer to answer than the questions are apart would do away with every limit. */
START_TEST(silence_is_one_beside_a_poll_that_takes_its_time)
{
	start_server(script_head);
	prepare(&asks[0], "/slow");
	asks[0].request.on_poll = poll_slowly;
	prepare(&asks[1], "/silent");
	asks[1].request.silence_ms = SILENCE_MS;
	for (int i = 0; i < 2; i++)
		begin(&asks[i]);
	turn_until(done, &asks[1]);
	ck_assert_int_eq(asks[1].status, INF_E_TIMEOUT);
	ck_assert_str_eq(asks[1].client.err.reason, "server_silent");
	server.go = true;
	finish_all();
}
END_TEST

/* ---- requests that have enough ------------------------------------------------------------------------------------ */
static bool is_full;			/* of the request whose client this is */
static const struct client *filling;
static int questions;
static atomic_bool second;		/* piece: it may be sent */
static atomic_int seconds;		/* that were sent */

static bool on_taken(void *user)
{
	questions++;
	return user == filling && filling->pieces && is_full;
}

static bool may_send_second(void *ctx)
{
	(void)ctx;
	return second;
}

/* Two pieces, the second when the test has taken the first. */
static void script_two(struct connection *c)
{
	if (!read_request(c) || !send_text(c, STREAM_HEAD) || !send_chunk(c, "one", 3))
		return;
	if (wait_until(may_send_second, NULL, SOON_MS) && send_text(c, "4\r\n two\r\n0\r\n\r\n"))
		seconds++;
	wait_for_close(c);
}

static bool both_were_sent(void *ctx)
{
	(void)ctx;
	return seconds == 2;
}

static bool has_been_asked(void *seen)
{
	return questions >= *(int *)seen;
}

/* /full has enough of its first piece, /other takes what comes. */
static void fill(int silence_ms)
{
	start_server(script_two);
	is_full = true;
	second = false;
	questions = seconds = 0;
	filling = &asks[0].client;
	prepare(&asks[0], "/full");
	asks[0].request.silence_ms = silence_ms;
	prepare(&asks[1], "/other");
	for (int i = 0; i < 2; i++)
		asks[i].request.on_taken = on_taken;
	begin(&asks[0]);
	turn_until(has_first, &asks[0]);
	ck_assert_int_ge(questions, 1);
	second = true;
}

START_TEST(request_that_is_full_waits_and_holds_up_no_other)
{
	fill(0);
	begin(&asks[1]);
	while (!asks[1].done)
		gr_http_reader_turn(reader, GR_HTTP_POLL_MS, false);
	expect_body(&asks[1].client, "one two");
	ck_assert(wait_until(both_were_sent, NULL, SOON_MS));
	ck_assert_str_eq(gr_buf_text(&asks[0].client.body), "one");
	for (int polls = asks[0].client.polls; asks[0].client.polls == polls;)
		gr_http_reader_turn(reader, GR_HTTP_POLL_MS, false);
	/* It was asked just now, and is not asked again soon; woken up, two turns do. */
	is_full = false;
	gr_http_reader_wake(reader);
	gr_http_reader_turn(reader, GR_HTTP_POLL_MS, false);
	gr_http_reader_turn(reader, GR_HTTP_POLL_MS, false);
	ck_assert_str_eq(gr_buf_text(&asks[0].client.body), "one two");
	finish_all();
	ck_assert_int_eq(asks[0].status, INF_OK);
	expect_body(&asks[0].client, "one two");
}
END_TEST

/* Nobody wakes the reader, and it does not spin meanwhile. */
START_TEST(request_that_was_full_is_asked_as_often_as_on_poll)
{
	fill(0);
	waits = 0;
	int enough = questions + 10;
	int64_t begun = monotonic_ms();
	turn_until(has_been_asked, &enough);
	int64_t taken = monotonic_ms() - begun;
	ck_assert_int_ge(taken, 5 * GR_HTTP_POLL_MS);
	ck_assert_int_le(waits, 40);
	ck_assert_int_ge(asks[0].client.polls, 5);
	is_full = false;
	finish_all();
	expect_body(&asks[0].client, "one two");
}
END_TEST

START_TEST(time_that_a_request_is_full_is_no_silence)
{
	fill(2 * GR_HTTP_POLL_MS);
	int enough = questions + 10;
	turn_until(has_been_asked, &enough);
	ck_assert(!asks[0].done);
	is_full = false;
	finish_all();
	ck_assert_msg(asks[0].status == INF_OK, "%s", asks[0].client.err.message);
	expect_body(&asks[0].client, "one two");
}
END_TEST

START_TEST(request_that_is_full_can_be_stopped)
{
	fill(0);
	asks[0].client.stop_at_poll = asks[0].client.polls + 1;
	finish_all();
	ck_assert_int_eq(asks[0].status, INF_E_CANCELLED);
	expect_body(&asks[0].client, "one");
	prepare(&asks[1], "/other");
	begin(&asks[1]);
	finish_all();
	expect_body(&asks[1].client, "one two");
}
END_TEST

/* ---- scarcity --------------------------------------------------------------------------------------------------------- */
static int next_descriptor(void)
{
	int fd = dup(0);
	close(fd);
	return fd;
}

START_TEST(reader_needs_two_descriptors)
{
	struct rlimit limit, low;
	int next = next_descriptor();
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int spare = 0; spare <= 2; spare++) {
		struct gr_http_reader *self = NULL;
		inf_error err = { .struct_size = sizeof err };
		low = (struct rlimit){ .rlim_cur = (rlim_t)(next + spare), .rlim_max = limit.rlim_max };
		setrlimit(RLIMIT_NOFILE, &low);
		inf_status st = gr_http_reader_new(&self, &err);
		setrlimit(RLIMIT_NOFILE, &limit);
		ck_assert_int_eq(st, spare == 2 ? INF_OK : INF_E_IO);
		ck_assert_str_eq(err.reason, spare == 2 ? "" : "descriptors");
		ck_assert((self != NULL) == (spare == 2));
		gr_http_reader_free(self);
		ck_assert_int_eq(next_descriptor(), next);
	}
}
END_TEST

START_TEST(reader_survives_oom)
{
	struct gr_http_reader *self = NULL;
	inf_error err = { .struct_size = sizeof err };
	failmalloc_arm(0);
	inf_status st = gr_http_reader_new(&self, &err);
	ck_assert(failmalloc_disarm());
	ck_assert_int_eq(st, INF_E_NO_MEMORY);
	ck_assert_str_eq(err.reason, "no_memory");
	ck_assert_ptr_null(self);
	gr_http_reader_free(NULL);
}
END_TEST

START_TEST(reader_is_not_made_where_nothing_can_be_waited_for)
{
	struct gr_http_reader *self = NULL;
	inf_error err = { .struct_size = sizeof err };
	int next = next_descriptor();
	controls_left = 0;
	ck_assert_int_eq(gr_http_reader_new(&self, &err), INF_E_IO);
	ck_assert_str_eq(err.reason, "descriptors");
	ck_assert_ptr_null(self);
	ck_assert_int_eq(next_descriptor(), next);
}
END_TEST

static void script_hello(struct connection *c)
{
	while (read_request(c))
		answer(c, "200 OK", "hello", 5);
}

/* Each time that something would be waited for. The next request is none the worse. */
START_TEST(request_that_cannot_be_waited_for_fails)
{
	bool failed = true;
	start_server(script_hello);
	for (int n = 0; failed; n++) {
		gr_http_drop_idle(http);
		prepare(&asks[0], "/x");
		controls_left = n;
		begin(&asks[0]);
		finish_all();
		failed = controls_left < 0;
		controls_left = -1;
		ck_assert_int_eq(asks[0].status, failed ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_str_eq(asks[0].client.err.reason, failed ? "no_memory" : "");
		ck_assert(n > 0 || failed);
		join_all();
		memset(asks, 0, sizeof asks[0]);
	}
}
END_TEST

int main(void)
{
	if (!http_global_init())
		return EXIT_FAILURE;
	Suite *suite = suite_create("http_reader");
	TCase *tc = tcase_create("http_reader");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, requests_at_once_do_not_mix);
	tcase_add_test(tc, bytes_that_come_together_are_read_together);
	tcase_add_loop_test(tc, poll_of_a_silent_request_is_asked_ten_times_a_second, 0, 2);
	tcase_add_test(tc, turn_that_asks_ends_all_who_say_stop);
	tcase_add_test(tc, wake_ends_one_waiting);
	tcase_add_test(tc, turn_waits_as_long_as_it_is_told_and_not_longer_than_until_the_next_question);
	tcase_add_loop_test(tc, time_that_one_on_body_takes_is_not_the_silence_of_another, 0, LATE_COUNT);
	tcase_add_test(tc, time_in_which_it_is_not_turned_counts_as_busy);
	tcase_add_test(tc, silence_after_that_is_one);
	tcase_add_test(tc, requests_that_fail_leave_those_beside_them_alone);
	tcase_add_test(tc, silence_is_one_beside_a_poll_that_takes_its_time);
	tcase_add_test(tc, request_that_is_full_waits_and_holds_up_no_other);
	tcase_add_test(tc, request_that_was_full_is_asked_as_often_as_on_poll);
	tcase_add_test(tc, time_that_a_request_is_full_is_no_silence);
	tcase_add_test(tc, request_that_is_full_can_be_stopped);
	tcase_add_test(tc, reader_needs_two_descriptors);
	tcase_add_test(tc, reader_survives_oom);
	tcase_add_test(tc, reader_is_not_made_where_nothing_can_be_waited_for);
	tcase_add_test(tc, request_that_cannot_be_waited_for_fails);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
