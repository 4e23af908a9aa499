/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "streams.h"

/* floor_socket SOCKET-OR-PORT KEY: the least a client can do: poll, recv, count what ends an event. */
enum { HEAD_MAX = 512, PIECE = 16 << 10 };

struct server {
	const char *address, *key;
};

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int connect_tcp(const char *port)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (getaddrinfo("127.0.0.1", port, &hints, &found) != 0)
		return -1;
	int failed = connect(fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return failed ? -1 : fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, bytes + done, len - done, MSG_NOSIGNAL);
		if (n <= 0)
			stream_die("send", strerror(errno));
		done += (size_t)n;
	}
}

/* A connection for each: the server closes it behind its answer. */
static int begin(const struct server *server, const char *path, const struct stream_text *body)
{
	char head[HEAD_MAX];
	int fd = server->address[0] == '/' ? connect_unix(server->address) : connect_tcp(server->address);
	if (fd < 0)
		stream_die(server->address, strerror(errno));
	int n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
			 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", path, server->key, body->len);
	send_all(fd, head, (size_t)n);
	send_all(fd, body->data, body->len);
	return fd;
}

static size_t next_piece(int fd, char *piece, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, -1) < 0)
		stream_die("poll", strerror(errno));
	ssize_t n = recv(fd, piece, cap, 0);
	if (n < 0)
		stream_die("recv", strerror(errno));
	return (size_t)n;
}

static void run(struct stream *stream)
{
	char piece[PIECE];
	struct stream_text body = stream_tokenize_body(stream), answer = { NULL, 0, 0 };
	size_t n;
	int fd = begin(stream->user, "/tokenize", &body);
	free(body.data);
	while ((n = next_piece(fd, piece, sizeof piece)))
		stream_text_add(&answer, piece, n);
	close(fd);
	body = stream_completion_body(stream, answer.data ? answer.data : "nothing");
	free(answer.data);
	fd = begin(stream->user, "/completion", &body);
	free(body.data);
	while ((n = next_piece(fd, piece, sizeof piece)))
		stream_bytes(stream, piece, n);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		stream_die("usage", "floor_socket SOCKET-OR-PORT KEY");
	struct server server = { argv[1], argv[2] };
	return streams_serve(run, &server);
}
