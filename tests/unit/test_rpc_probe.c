/* SPDX-License-Identifier: MIT */
/* Stand-ins for workers, each a thread on the loopback that follows a script. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"
#include "rpc_probe.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)

enum { SOON_MS = 20000, SHORT_MS = 200 };

/* What one connection gets after its greeting of so many bytes. */
struct turn {
	size_t hello;
	const char *answer;
	size_t len;
	int one_by_one;
};

struct peer {
	int fd, port;
	const struct turn *turns;
	size_t count;
	pthread_t thread;
	struct process_census before;
};

static const uint8_t command = 14;

static void read_hello(int fd, size_t len)
{
	uint8_t bytes[64];
	ck_assert_int_eq(recv(fd, bytes, len, MSG_WAITALL), (ssize_t)len);
	ck_assert_uint_eq(bytes[0], command);
	ck_assert_uint_eq(bytes[1], len - 9);
}

static void *serve(void *user)
{
	struct peer *p = user;
	for (size_t i = 0; i < p->count; i++) {
		int fd = accept(p->fd, NULL, NULL);
		read_hello(fd, p->turns[i].hello);
		for (size_t at = 0; at < p->turns[i].len; at += p->turns[i].one_by_one ? 1 : p->turns[i].len)
			send(fd, p->turns[i].answer + at, p->turns[i].one_by_one ? 1 : p->turns[i].len, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static void listen_there(struct peer *p)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	p->before = census_take();
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(bind(p->fd, (struct sockaddr *)&address, len) == 0 && listen(p->fd, 8) == 0 &&
		  getsockname(p->fd, (struct sockaddr *)&address, &len) == 0);
	p->port = ntohs(address.sin_port);
}

static void start(struct peer *p, const struct turn *turns, size_t count)
{
	listen_there(p);
	p->turns = turns;
	p->count = count;
	ck_assert_int_eq(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void finish(struct peer *p)
{
	if (p->count)
		pthread_join(p->thread, NULL);
	close(p->fd);
	census_assert_restored(&p->before);
}

static struct gr_rpc_target at_port(int port)
{
	return (struct gr_rpc_target){ .address.s_addr = htonl(INADDR_LOOPBACK), .port = (uint16_t)port,
				       .state = GR_RPC_FREE, .os_errno = 77 };
}

#define NEW "\x1c\0\0\0\0\0\0\0\x08\x01\x02\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define OLD "\x03\0\0\0\0\0\0\0\x03\x06\x02"

static const struct {
	struct turn turns[2];
	size_t count;
	enum gr_rpc_state state;
	uint8_t version[3];
} answers[] = {
	{ { { 33, NEW, 36, 0 } }, 1, GR_RPC_FREE, { 8, 1, 2 } },
	{ { { 33, NEW, 36, 1 } }, 1, GR_RPC_FREE, { 8, 1, 2 } },
	/* an older worker, which ends a greeting that is too long */
	{ { { 33, "", 0, 0 }, { 9, OLD, 11, 0 } }, 2, GR_RPC_FREE, { 3, 6, 2 } },
	{ { { 33, "", 0, 0 }, { 9, OLD, 11, 1 } }, 2, GR_RPC_FREE, { 3, 6, 2 } },
	/* other programs */
	{ { { 33, "", 0, 0 }, { 9, "", 0, 0 } }, 2, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "\x1c\0\0\0\0\0\0\x01", 8, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "\x1d\0\0\0\0\0\0\0", 8, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "\0\0\0\0\0\0\0\0", 8, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, NEW, 35, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "\x1c", 1, 0 } }, 1, GR_RPC_STRANGER, { 0 } },
	{ { { 33, "", 0, 0 }, { 9, NEW, 36, 0 } }, 2, GR_RPC_STRANGER, { 0 } },
};

START_TEST(probe_of_an_answer_tells_what_is_there)
{
	struct peer peer;
	start(&peer, answers[_i].turns, answers[_i].count);
	struct gr_rpc_target target = at_port(peer.port);
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(gr_rpc_probe(&target, 1, SOON_MS, NULL, NULL, NULL), INF_OK);
	ck_assert_int_eq(target.state, answers[_i].state);
	ck_assert_int_eq(target.os_errno, 0);
	ck_assert_mem_eq(target.version, answers[_i].version, 3);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
	finish(&peer);
}
END_TEST

START_TEST(probe_of_a_closed_port_is_unreachable_at_once)
{
	struct peer peer = { .count = 0 };
	listen_there(&peer);
	finish(&peer);
	struct gr_rpc_target target = at_port(peer.port);
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(gr_rpc_probe(&target, 1, SOON_MS, NULL, NULL, NULL), INF_OK);
	ck_assert_int_eq(target.state, GR_RPC_UNREACHABLE);
	ck_assert_int_eq(target.os_errno, ECONNREFUSED);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
}
END_TEST

/* The kernel takes the connection; a worker that is busy looks the same. One silent target does not hide the others. */
START_TEST(probe_of_a_silent_port_waits_for_the_deadline_and_judges_the_others)
{
	struct peer silent = { .count = 0 }, closed = { .count = 0 }, free_one;
	listen_there(&closed);
	finish(&closed);
	listen_there(&silent);
	start(&free_one, answers[0].turns, 1);
	struct gr_rpc_target targets[] = { at_port(silent.port), at_port(closed.port), at_port(free_one.port) };
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(gr_rpc_probe(targets, 3, SHORT_MS, NULL, NULL, NULL), INF_OK);
	ck_assert_int_ge(monotonic_ms() - begun, SHORT_MS);
	ck_assert_int_eq(targets[0].state, GR_RPC_SILENT);
	/* To a worker that comes to it later: the first answer fails, and there is no second, which would kill it. */
	int late = accept(silent.fd, NULL, NULL);
	read_hello(late, 33);
	ck_assert_int_eq(send(late, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(late);
	ck_assert_int_eq(targets[1].state, GR_RPC_UNREACHABLE);
	ck_assert_int_eq(targets[2].state, GR_RPC_FREE);
	finish(&free_one);
	finish(&silent);
}
END_TEST

static int stop_at_the_third(void *user)
{
	return ++*(int *)user == 3;
}

START_TEST(probe_asks_on_wait_and_can_be_stopped)
{
	struct peer silent = { .count = 0 };
	inf_error err = { .struct_size = sizeof err };
	int asked = 0;
	listen_there(&silent);
	struct gr_rpc_target target = at_port(silent.port);
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(gr_rpc_probe(&target, 1, SOON_MS, stop_at_the_third, &asked, &err), INF_E_CANCELLED);
	ck_assert_int_eq(asked, 3);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
	finish(&silent);
}
END_TEST

START_TEST(probe_of_as_many_as_there_may_be)
{
	struct peer closed = { .count = 0 };
	struct gr_rpc_target targets[GR_RPC_TARGETS_MAX];
	listen_there(&closed);
	finish(&closed);
	for (int i = 0; i < GR_RPC_TARGETS_MAX; i++)
		targets[i] = at_port(closed.port);
	ck_assert_int_eq(gr_rpc_probe(targets, GR_RPC_TARGETS_MAX, SOON_MS, NULL, NULL, NULL), INF_OK);
	for (int i = 0; i < GR_RPC_TARGETS_MAX; i++)
		ck_assert_int_eq(targets[i].os_errno, ECONNREFUSED);
	ck_assert_int_eq(gr_rpc_probe(targets, 0, SOON_MS, NULL, NULL, NULL), INF_OK);
	census_assert_restored(&closed.before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc_probe");
	TCase *tc = tcase_create("rpc_probe");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, probe_of_an_answer_tells_what_is_there, 0, COUNT(answers));
	tcase_add_test(tc, probe_of_a_closed_port_is_unreachable_at_once);
	tcase_add_test(tc, probe_of_a_silent_port_waits_for_the_deadline_and_judges_the_others);
	tcase_add_test(tc, probe_asks_on_wait_and_can_be_stopped);
	tcase_add_test(tc, probe_of_as_many_as_there_may_be);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
