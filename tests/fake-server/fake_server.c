/* SPDX-License-Identifier: MIT */
/*
 * fake-server: stands where llama-server stands and does what a script says; see README.md.
 *
 * The script is the file that is called as the program was, with ".script" behind it: the environment is not ours to
 * pass anything in. Each start as a server leaves one byte in the file of that name with ".starts".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"

enum { BACKLOG = 512 };

struct visit {
	struct fake *fake;
	struct conn conn;
};

static void serve_request(struct fake *self, struct conn *conn)
{
	long ordinal = 0;
	pthread_mutex_lock(&self->lock);
	const struct block *block = script_take(&self->script, conn->path, conn->body, conn->body_read, &ordinal);
	pthread_mutex_unlock(&self->lock);
	bool completion = !strcmp(conn->path, "/completion");
	self->streaming += completion;
	if (!block_has(block, VERB_RESET))
		conn_read_rest(conn);
	if (block)
		act(self, conn, block, ordinal);
	else
		answer_default(self, conn);
	self->streaming -= completion;
}

static void *serve(void *arg)
{
	struct visit *visit = arg;
	struct conn *conn = &visit->conn;
	while (conn_read(conn)) {
		serve_request(visit->fake, conn);
		if (!conn->answered || conn->gone)
			break;
		conn_forget(conn);
	}
	close(conn->fd);
	conn_forget(conn);
	free(visit);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct fake *self = arg;
	int fd;
	pthread_t thread;
	while ((fd = accept4(self->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
		struct visit *visit = malloc(sizeof *visit);
		if (!visit)
			abort();
		*visit = (struct visit){ self, { .fd = fd, .split_at = -1 } };
		if (pthread_create(&thread, NULL, serve, visit) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

void fake_listen(struct fake *self)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", self->socket_path);
	self->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(self->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(self->listen_fd,
		BACKLOG) != 0)
		script_die("couldn't bind HTTP server socket, hostname: %s", self->socket_path);
	if (pthread_create(&thread, NULL, accept_all, self) != 0)
		script_die("no thread");
	pthread_detach(thread);
}

void fake_unlisten(struct fake *self)
{
	unlink(self->socket_path);
	shutdown(self->listen_fd, SHUT_RDWR);
}

static const char *argument(char **argv, const char *name, const char *fallback)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, name) && argv[1])
			return argv[1];
	return fallback;
}

/* How often it was started as a server before, counted in a file. */
static long count_start(const char *name)
{
	char path[4096];
	struct stat st = { 0 };
	snprintf(path, sizeof path, "%s.starts", name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) != 0 || write(fd, "s", 1) != 1)
		script_die("%s: %s", path, strerror(errno));
	close(fd);
	return st.st_size;
}

static void serve_forever(struct fake *self, const char *name)
{
	const struct block *block = NULL;
	long ordinal = 0;
	for (long n = count_start(name); n >= 0; n--)
		block = script_take(&self->script, "start", "", 0, &ordinal);
	if (block)
		act(self, NULL, block, ordinal);
	if (!block_has(block, VERB_LISTEN))
		fake_listen(self);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	char script_path[4096];
	struct fake self = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .listen_fd = -1, .key = getenv("LLAMA_API_KEY"),
		.socket_path = argument(argv, "--host", NULL), .model_path = argument(argv, "-m", ""),
		.context_len = atoi(argument(argv, "-c", "512")), .slots = atoi(argument(argv, "-np", "1")),
	};
	const struct rlimit no_core = { 0, 0 };
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_IGN);
	snprintf(script_path, sizeof script_path, "%s.script", argv[0]);
	script_read(&self.script, script_path);
	if (self.socket_path)
		serve_forever(&self, argv[0]);
	long ordinal = 0;
	const struct block *block = argc > 1 ? script_take(&self.script, argv[1], "", 0, &ordinal) : NULL;
	if (block)
		act(&self, NULL, block, ordinal);
	else if (argc > 1)
		answer_argument(argv[1]);
	return 0;
}
