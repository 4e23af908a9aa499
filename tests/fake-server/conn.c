/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, TEXT_MAX = 4096, STEP_US = 200, DRAIN_STEPS = 20000 };

static void pause_us(long us)
{
	const struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	nanosleep(&t, NULL);
}

/* ---- in -------------------------------------------------------------------------------------------------------- */
/* The length of the head, empty line included; 0 when the client is gone. */
static size_t peek_head(struct conn *self, char *out)
{
	for (;;) {
		ssize_t n = recv(self->fd, out, HEAD_MAX, MSG_PEEK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		char *end = memmem(out, (size_t)n, "\r\n\r\n", 4);
		if (end)
			return (size_t)(end - out) + 4;
		if (n == HEAD_MAX)
			return 0;
		pause_us(STEP_US);
	}
}

static bool read_exactly(struct conn *self, char *out, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = recv(self->fd, out + have, len - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

bool conn_read(struct conn *self)
{
	char *head = malloc(HEAD_MAX + 1);
	size_t len = head ? peek_head(self, head) : 0;
	if (!len || !read_exactly(self, head, len)) {
		free(head);
		return false;
	}
	head[len] = '\0';
	self->head = head;
	sscanf(head, "%*15s %255s", self->path);
	const char *length = strcasestr(head, "\r\nContent-Length:");
	self->body_len = length ? strtoul(length + 17, NULL, 10) : 0;
	self->body = calloc(1, self->body_len + 1);
	self->body_read = self->body_len ? self->body_len - 1 : 0;
	return self->body && read_exactly(self, self->body, self->body_read);
}

void conn_read_rest(struct conn *self)
{
	if (self->body_read < self->body_len && read_exactly(self, self->body + self->body_read, 1))
		self->body_read = self->body_len;
}

void conn_forget(struct conn *self)
{
	free(self->head);
	free(self->body);
	*self = (struct conn){ .fd = self->fd, .split_at = -1 };
}

/* ---- out ------------------------------------------------------------------------------------------------------- */
static void wait_drained(struct conn *self)
{
	int unread = 1;
	for (int i = 0; i < DRAIN_STEPS && unread; i++) {
		struct pollfd p = { .fd = self->fd, .events = POLLRDHUP };
		if (ioctl(self->fd, SIOCOUTQ, &unread) != 0 || poll(&p, 1, 0) != 0)
			return;
		if (unread)
			pause_us(STEP_US);
	}
}

/* Of the process that connected: whether its main thread sleeps. */
static bool peer_sleeps(const struct conn *self)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	char path[64], text[512];
	if (getsockopt(self->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return true;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)peer.pid);
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file)
		fclose(file);
	text[n] = '\0';
	const char *state = strrchr(text, ')');
	return !state || strncmp(state, ") S", 3) == 0;
}

/* Twice in a row: it may also sleep for a moment on its way to the next poll. */
static void wait_asleep(struct conn *self)
{
	wait_drained(self);
	for (int i = 0, seen = 0; i < DRAIN_STEPS && seen < 2; i++) {
		seen = peer_sleeps(self) ? seen + 1 : 0;
		pause_us(STEP_US);
	}
}

static void write_piece(struct conn *self, const char *bytes, size_t len)
{
	if (self->lockstep)
		wait_asleep(self);
	if (self->pace_ms)
		conn_wait(self, (int)self->pace_ms);
	while (len && !self->gone) {
		ssize_t n = send(self->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			self->gone = true;
			return;
		}
		bytes += n;
		len -= (size_t)n;
		self->sent += n;
	}
}

void conn_write(struct conn *self, const char *bytes, size_t len)
{
	long before = self->split_at - self->sent;
	if (self->split_at >= 0 && before > 0 && (size_t)before < len) {
		write_piece(self, bytes, (size_t)before);
		wait_drained(self);
		bytes += before;
		len -= (size_t)before;
	}
	write_piece(self, bytes, len);
}

/* In one write, as the real one does it. */
void conn_chunk(struct conn *self, const char *bytes, size_t len)
{
	if (!self->chunked || !len) {
		conn_write(self, bytes, len);
		return;
	}
	char *frame = malloc(len + 32);
	int head = frame ? snprintf(frame, 32, "%zx\r\n", len) : 0;
	if (!frame)
		return;
	memcpy(frame + head, bytes, len);
	memcpy(frame + head + len, "\r\n", 2);
	conn_write(self, frame, (size_t)head + len + 2);
	free(frame);
}

void conn_printf(struct conn *self, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	va_start(ap, format);
	int len = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof text)
		conn_chunk(self, text, (size_t)len);
}

void conn_answer(struct conn *self, int status, const char *body, size_t len)
{
	char head[256];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\nContent-Type: application/json; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nKeep-Alive: timeout=5, max=100\r\n\r\n", status, len);
	conn_write(self, head, (size_t)n);
	conn_write(self, body, len);
	self->answered = strstr(self->head, " HTTP/1.1\r\n") != NULL;
}

void conn_start_stream(struct conn *self)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
		"chunked\r\n"
				   "X-Accel-Buffering: no\r\n\r\n";
	conn_write(self, head, sizeof head - 1);
	self->chunked = true;
}

void conn_end_stream(struct conn *self)
{
	conn_write(self, "0\r\n\r\n", 5);
	self->chunked = false;
}

void conn_cut(struct conn *self)
{
	shutdown(self->fd, SHUT_RDWR);
	self->cut = true;
}

void conn_wait(struct conn *self, int ms)
{
	struct pollfd p = { .fd = self->fd, .events = POLLRDHUP };
	int n;
	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		self->gone = true;
}
