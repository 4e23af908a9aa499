/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "took.h"

/*
 * floor_load SOCKET ARGUMENTS ENVIRONMENT: a starter that knows nothing. For each line that it reads it runs the program with the
 * arguments and the environment of two files, as /proc shows them, asks its /health on the Unix socket each millisecond until
 * it is well, ends it, and says what that took (took.h).
 */
enum { LIST_MAX = 256, TEXT_MAX = 1 << 16, ASK_MS = 1, AGAIN_MS = 400, LIMIT_MS = 60000 };

static void die(const char *what)
{
	fprintf(stderr, "floor_load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void read_list(const char *path, char text[TEXT_MAX], char *list[LIST_MAX])
{
	size_t count = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, TEXT_MAX - 1);
	close(fd);
	if (len <= 0)
		die(path);
	text[len] = '\0';
	for (ssize_t at = 0; at < len && count < LIST_MAX - 1; at += (ssize_t)strlen(text + at) + 1)
		list[count++] = text + at;
	list[count] = NULL;
}

static bool is_healthy(const struct sockaddr_un *address)
{
	static const char question[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	static const char wanted[] = "HTTP/1.1 200";
	char answer[sizeof wanted];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool healthy = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
		       send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == (ssize_t)sizeof question - 1 &&
		       recv(fd, answer, sizeof wanted - 1, MSG_WAITALL) == (ssize_t)sizeof wanted - 1 &&
		       memcmp(answer, wanted, sizeof wanted - 1) == 0;
	close(fd);
	return healthy;
}

static pid_t start(char *const *argv, char *const *envp)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
	errno = posix_spawn(&pid, argv[0], &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	if (errno)
		die(argv[0]);
	return pid;
}

/* The server can lose a SIGTERM. */
static void end(pid_t pid)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	if (ended.fd < 0)
		die("pidfd_open");
	do
		kill(pid, SIGTERM);
	while (poll(&ended, 1, AGAIN_MS) == 0);
	waitpid(pid, NULL, 0);
	close(ended.fd);
}

int main(int argc, char **argv)
{
	static char arguments[TEXT_MAX], environment[TEXT_MAX], *arg_list[LIST_MAX], *env_list[LIST_MAX];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char line[32];
	struct took took;
	if (argc != 4 || strlen(argv[1]) >= sizeof address.sun_path) {
		fprintf(stderr, "usage: floor_load SOCKET ARGUMENTS ENVIRONMENT\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	read_list(argv[2], arguments, arg_list);
	read_list(argv[3], environment, env_list);
	while (fgets(line, sizeof line, stdin)) {
		took_begin(&took);
		pid_t pid = start(arg_list, env_list);
		while (!is_healthy(&address) && took_now_ms() - took.start < LIMIT_MS)
			took_pause_ms(ASK_MS);
		took_ready(&took);
		end(pid);
		took_gone(&took);
		unlink(address.sun_path);
	}
	return 0;
}
