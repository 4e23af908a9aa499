/* SPDX-License-Identifier: MIT */
#include "rpc_worker.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

enum { READY_MS = 20000, STARTS_MAX = 5 };

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons((uint16_t)port) };
}

int rpc_deaf_port(int *out_port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 8) == 0 &&
		  getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	*out_port = ntohs(address.sin_port);
	return fd;
}

int rpc_free_port(void)
{
	int port;
	close(rpc_deaf_port(&port));
	return port;
}

static pid_t spawn(int port)
{
	char program[1024], text[8];
	const char *tools = getenv("GR_TEST_LLAMA_TOOLS");
	ck_assert_msg(tools && *tools, "GR_TEST_LLAMA_TOOLS is not set: run the tests through ctest");
	snprintf(program, sizeof program, "%s/bin/ggml-rpc-server", tools);
	snprintf(text, sizeof text, "%d", port);
	pid_t parent = getpid(), pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	if (getppid() != parent || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(127);
	execl(program, program, "-H", "127.0.0.1", "-p", text, "-t", "1", (char *)NULL);
	_exit(127);
}

/* Listening, or gone because somebody else took the port. */
static bool is_decided(void *worker)
{
	const struct rpc_worker *self = worker;
	const struct sockaddr_in address = loopback(self->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool listens = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
	pid_t pid = self->pid;
	close(fd);
	return listens || process_gone(&pid);
}

void rpc_worker_start(struct rpc_worker *self, int port)
{
	for (int i = 0; i < STARTS_MAX; i++) {
		self->port = port ? port : rpc_free_port();
		snprintf(self->name, sizeof self->name, "127.0.0.1:%d", self->port);
		self->pid = spawn(self->port);
		ck_assert_int_gt(self->pid, 0);
		ck_assert(wait_until(is_decided, self, READY_MS));
		pid_t pid = self->pid;
		if (!process_gone(&pid))
			return;
		rpc_worker_stop(self);
	}
	ck_abort_msg("ggml-rpc-server does not start");
}

void rpc_worker_stop(struct rpc_worker *self)
{
	if (self->pid <= 0)
		return;
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	self->pid = 0;
}
