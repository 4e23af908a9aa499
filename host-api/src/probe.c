/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "verdict.h"

#ifndef P_PIDFD
# define P_PIDFD 3
#endif

enum { END_MS = 1000 };		/* between the last answer and the end of the process */

struct run {
	pid_t pid;
	int pidfd, out_fd;
	struct ih_report *out;
	size_t count, answered;
	char line[IH_REPORT_LINE_MAX];
	size_t len;
};

/* ---- which program ---- */

static bool use(struct ih_probe *out, const char *path, const struct ic_owners *owners, inf_error *why)
{
	if (strlen(path) >= sizeof out->program)
		inf_fail(why, INF_E_UNAVAILABLE, "path", "its path is too long");
	else if (ic_pathtrust_check(path, owners, why) != INF_OK)
		return false;
	else if (access(path, X_OK))
		inf_fail(why, INF_E_UNAVAILABLE, "access", "it cannot be run: %s", ih_errno_text(errno));
	else
		strcpy(out->program, path);
	return out->program[0];
}

void ih_probe_find(struct ih_probe *out, const struct ih_probe_places *places, const struct ic_owners *owners,
		   const struct ih_log *log)
{
	inf_error why = { .struct_size = sizeof why };
	const char *const beside[] = { places->beside, places->installed };
	out->program[0] = '\0';
	if (places->named) {
		if (!use(out, places->named, owners, &why))
			ih_log(log, INF_LOG_WARN, "$INF_PROBE: %s is not used, plugins are loaded without a look from "
			       "another process: %s", places->named, why.message);
		return;
	}
	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
		if (beside[i] && use(out, beside[i], owners, &why))
			return;
	ih_log(log, INF_LOG_INFO, "plugins are loaded without a look from another process, because inf-probe cannot be used: "
	       "%s", why.message);
}

/* ---- the process ---- */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Descriptors 0-2 may be free in the host; ours must not land there, or the child's own would replace them. */
static int above_stdio(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return high;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int out_fd)
{
	int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, out_fd, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP);
	return error;
}

static int spawn(pid_t *out, const struct ih_probe *self, char *const *argv, int out_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = set_up(&actions, &attributes, out_fd);
		if (!error)
			error = posix_spawn(out, self->program, &actions, &attributes, argv, self->env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int start(struct run *run, const struct ih_probe *self, const char *const *files)
{
	char *argv[IH_PROBE_FILES_MAX + 2] = { (char *)self->program };
	int ends[2];
	memcpy(argv + 1, files, run->count * sizeof *argv);
	if (pipe2(ends, O_CLOEXEC))
		return errno;
	run->out_fd = above_stdio(ends[0]);
	ends[1] = above_stdio(ends[1]);
	int error = run->out_fd < 0 || ends[1] < 0 ? EMFILE : spawn(&run->pid, self, argv, ends[1]);
	close_fd(&ends[1]);
	if (!error) {
		run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
		fcntl(run->out_fd, F_SETFL, O_NONBLOCK);
	}
	return error;
}

/* ---- its answers ---- */

static void take_line(struct run *run, const char *line, size_t len)
{
	struct ih_report report;
	if (!ih_report_read(&report, line, len) || report.file >= run->count || run->out[report.file].why.struct_size)
		return;
	run->out[report.file] = report;
	run->answered++;
}

/* Returns false at the end of what it has to say. */
static bool read_lines(struct run *run)
{
	for (;;) {
		ssize_t n = read(run->out_fd, run->line + run->len, sizeof run->line - run->len);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		run->len += (size_t)n;
		for (char *end; (end = memchr(run->line, '\n', run->len)); ) {
			size_t len = (size_t)(end - run->line) + 1;
			take_line(run, run->line, len);
			run->len -= len;
			memmove(run->line, end + 1, run->len);
		}
		if (run->len == sizeof run->line)
			return false;
	}
}

/* Until each file has its answer, inf-probe ended, or the time is over. */
static void listen(struct run *run, int64_t deadline_ms)
{
	bool more = true;
	while (more && run->answered < run->count) {
		struct pollfd fds[] = { { .fd = run->out_fd, .events = POLLIN }, { .fd = run->pidfd, .events = POLLIN } };
		int64_t left = deadline_ms - now_ms();
		if (left <= 0 || (poll(fds, 2, (int)left) < 0 && errno != EINTR))
			return;
		more = read_lines(run) && !fds[1].revents;
	}
}

/* Its exit status; -1 where it was killed, or where the host took the status itself. Without a pidfd it cannot be killed
 * safely, and need not be: it keeps its own time. */
static int end(struct run *run)
{
	struct pollfd ended = { .fd = run->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	int n = 1;
	if (run->pidfd >= 0)
		while ((n = poll(&ended, 1, END_MS)) < 0 && errno == EINTR)
			;
	if (n <= 0)
		syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
	do
		n = run->pidfd < 0 ? waitid(P_PID, (id_t)run->pid, &info, WEXITED) :
				     waitid((idtype_t)P_PIDFD, (id_t)run->pidfd, &info, WEXITED);
	while (n && errno == EINTR);
	return n == 0 && info.si_code == CLD_EXITED ? info.si_status : -1;
}

static void fill_gaps(struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct ih_report *report = &run->out[i];
		if (report->why.struct_size)
			continue;
		*report = (struct ih_report){ .file = (uint32_t)i, .why = { .struct_size = sizeof report->why } };
		report->state = ih_refuse(&report->why, INF_STATE_CRASHED, "no_answer", "inf-probe ended before it could "
					  "say anything about it, so it is not used");
	}
}

bool ih_probe_run(const struct ih_probe *self, const char *const *files, size_t count, struct ih_report *out,
		  const struct ih_log *log)
{
	struct run run = { .pidfd = -1, .out_fd = -1, .out = out, .count = count };
	int64_t rounds = (int64_t)(count + IH_PROBE_AT_ONCE - 1) / IH_PROBE_AT_ONCE;
	assert(count && count <= IH_PROBE_FILES_MAX);
	memset(out, 0, count * sizeof *out);
	int error = start(&run, self, files), status = 0;
	if (!error) {
		listen(&run, now_ms() + rounds * IH_PROBE_TIMEOUT_MS + IH_PROBE_GRACE_MS);
		status = end(&run);
		fill_gaps(&run);
	}
	close_fd(&run.out_fd);
	close_fd(&run.pidfd);
	if (!error && (status <= 0 || run.answered == count))
		return true;
	ih_log(log, INF_LOG_WARN, "%s cannot run here, plugins are loaded without a look from another process: %s",
	       self->program, error ? ih_errno_text(error) : "it found no means to look at them");
	return false;
}
