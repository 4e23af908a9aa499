/* SPDX-License-Identifier: MIT */
#include "rpc_probe.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum {
	HELLO = 14,			/* the command's number, in all versions */
	SIZE_BYTES = 8,			/* a length goes before each message, little-endian */
	CAPS_BYTES = 24,		/* what a client can do besides TCP: nothing */
	VERSION_BYTES = 3,		/* what older workers answer */
	ANSWER_BYTES = 28,		/* newer: version, one byte, and what the worker can do besides TCP */
};

struct talk {
	struct gr_rpc_target *target;
	int fd;				/* -1 = it is over */
	bool connected;
	bool old;			/* the older greeting, without capabilities */
	uint8_t answer[SIZE_BYTES + ANSWER_BYTES];
	size_t len;
};

/*
 * A busy worker reads the greeting of a client that has gone long since, and answers. Where that client closed its
 * connection, SIGPIPE kills the worker at the second part of its answer (seen with llama.cpp 0.7.0); where it was reset,
 * the first part fails and the worker goes on.
 */
static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void end(struct talk *t, enum gr_rpc_state state, int os_errno)
{
	if (t->fd >= 0 && state == GR_RPC_SILENT)
		reset(t->fd);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->target->state = state;
	t->target->os_errno = os_errno;
}

static void begin(struct talk *t)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(t->target->port), .sin_addr = t->target->address,
	};
	t->connected = false;
	t->len = 0;
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || (connect(t->fd, (const struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
		end(t, GR_RPC_UNREACHABLE, errno);
}

/* A worker of another time ends the connection when it is greeted in a way that it does not know. */
static void closed(struct talk *t)
{
	bool again = !t->old && !t->len;
	end(t, GR_RPC_STRANGER, 0);
	t->old = true;
	if (again)
		begin(t);
}

static void greet(struct talk *t)
{
	uint8_t hello[1 + SIZE_BYTES + CAPS_BYTES] = { HELLO, t->old ? 0 : CAPS_BYTES };
	size_t len = t->old ? 1 + SIZE_BYTES : sizeof hello;
	int error = 0;
	socklen_t size = sizeof error;
	getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		end(t, GR_RPC_UNREACHABLE, error);
		return;
	}
	t->connected = true;
	if (send(t->fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len)	/* an empty buffer takes it whole */
		closed(t);
}

static void judge(struct talk *t)
{
	static const uint8_t zeros[SIZE_BYTES - 1] = { 0 };
	size_t want = t->old ? VERSION_BYTES : ANSWER_BYTES;
	if (t->len < SIZE_BYTES)
		return;
	if (t->answer[0] != want || memcmp(t->answer + 1, zeros, sizeof zeros) != 0) {
		end(t, GR_RPC_STRANGER, 0);
	} else if (t->len == SIZE_BYTES + want) {
		memcpy(t->target->version, t->answer + SIZE_BYTES, VERSION_BYTES);
		end(t, GR_RPC_FREE, 0);
	}
}

static void hear(struct talk *t)
{
	size_t want = SIZE_BYTES + (t->old ? VERSION_BYTES : ANSWER_BYTES);
	ssize_t n = recv(t->fd, t->answer + t->len, want - t->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		closed(t);
		return;
	}
	t->len += (size_t)n;
	judge(t);
}

/* False when there is nothing left to wait for. */
static bool wait_for_news(struct talk *talks, size_t count, int timeout_ms)
{
	struct pollfd fds[GR_RPC_TARGETS_MAX];
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		fds[i] = (struct pollfd){ talks[i].fd, talks[i].connected ? POLLIN : POLLOUT, 0 };
		any |= talks[i].fd >= 0;
	}
	if (!any || poll(fds, count, timeout_ms) <= 0)
		return any;
	for (size_t i = 0; i < count; i++) {
		if (!fds[i].revents)
			continue;
		if (talks[i].connected)
			hear(&talks[i]);
		else
			greet(&talks[i]);
	}
	return true;
}

inf_status gr_rpc_probe(struct gr_rpc_target *targets, size_t count, int timeout_ms, int (*on_wait)(void *user),
			void *user, inf_error *err)
{
	struct talk talks[GR_RPC_TARGETS_MAX] = { { .fd = -1 } };
	int64_t until = gr_now_ms() + timeout_ms, left;
	bool stopped = false;
	for (size_t i = 0; i < count; i++) {
		talks[i].target = &targets[i];
		begin(&talks[i]);
	}
	while (!stopped && (left = until - gr_now_ms()) > 0 &&
	       wait_for_news(talks, count, left < GR_RPC_WAIT_MS ? (int)left : GR_RPC_WAIT_MS))
		stopped = on_wait && on_wait(user) != 0;
	for (size_t i = 0; i < count; i++)
		if (talks[i].fd >= 0)
			end(&talks[i], talks[i].connected ? GR_RPC_SILENT : GR_RPC_UNREACHABLE,
			    talks[i].connected ? 0 : ETIMEDOUT);
	return stopped ? inf_fail(err, INF_E_CANCELLED, "cancelled", "the load was cancelled") : INF_OK;
}
