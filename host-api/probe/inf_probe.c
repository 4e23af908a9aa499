/* SPDX-License-Identifier: MIT */
/*
 * inf-probe FILE...: what would become of a host that loads these plugins?
 *
 * Each file is checked (trust.h), then loaded by a child process of its own, which calls its entry and reads its tables.
 * What came of it is one line of JSON (probe_report.h) on standard output, in the order in which it becomes known. A child that
 * does not answer within IH_PROBE_TIMEOUT_MS is killed; whatever a plugin started is, too, before this program ends.
 *
 * Exit status: 0 when there is a line for each file, 1 when this system has no means for it, 2 for wrong usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "look.h"
#include "probe.h"
#include "verdict.h"

enum { EXIT_NO_MEANS = 1, EXIT_USAGE = 2, SWEEPS_MAX = 100 };

struct job {
	uint32_t file;
	pid_t pid;			/* 0: the place is free */
	int pidfd, out_fd;
	int64_t deadline_ms;
};

struct prober {
	char *const *paths;
	uint32_t count, begun;
	size_t running;
	struct job jobs[IH_PROBE_AT_ONCE];
	struct ic_owners owners;
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "inf-probe: %s: %s\n", what, strerror(errno));
	exit(EXIT_NO_MEANS);
}

/* ---- output ---- */

static void print(const char *line, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, line, len);
		if (n < 0 && errno != EINTR)
			give_up("standard output");
		line += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void print_report(const struct ih_report *report)
{
	char line[IH_REPORT_LINE_MAX];
	print(line, ih_report_write(line, sizeof line, report, NULL));
}

/* ---- what became of a child ---- */

/* The steps and the line that it wrote before it ended. */
struct answer {
	char bytes[IH_REPORT_LINE_MAX + 8];
	size_t len;
};

static void read_answer(struct answer *out, int fd)
{
	ssize_t n;
	out->len = 0;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	do {
		n = read(fd, out->bytes + out->len, sizeof out->bytes - out->len);
		out->len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static const char *where(const struct answer *answer)
{
	const char *steps = answer->len ? answer->bytes : "";
	if (answer->len > 1 && steps[0] == LOOK_LOADING && steps[1] == LOOK_ENTERING)
		return "in its entry";
	return "while it was loaded";
}

static int32_t judge_end(const siginfo_t *end, const char *place, inf_error *why)
{
	const char *name = end->si_code == CLD_EXITED ? NULL : sigabbrev_np(end->si_status);
	if (end->si_code == CLD_EXITED)
		return ih_refuse(why, INF_STATE_CRASHED, "exited", "it ended the process with status %d %s, so it is not "
				 "used: replace it, or ask for a rescan", end->si_status, place);
	if (end->si_status == SIGXCPU)
		return ih_refuse(why, INF_STATE_TIMED_OUT, "timed_out", "it computed for %d s %s, so it is not used",
				 LOOK_CPU_SECONDS, place);
	return ih_refuse(why, INF_STATE_CRASHED, "crashed", "it crashed with %s%s %s, so it is not used: replace it, or ask for "
			 "a rescan",
			 name ? "SIG" : "a signal", name ? name : "", place);
}

/* The line is passed on as it is if it is one for this file; whatever else the plugin wrote is not. */
static bool pass_on(const struct answer *answer, uint32_t file)
{
	struct ih_report report;
	const char *line = answer->len ? memchr(answer->bytes, '{', answer->len) : NULL;
	size_t len = line ? answer->len - (size_t)(line - answer->bytes) : 0;
	if (!len || line[len - 1] != '\n' || !ih_report_read(&report, line, len) || report.file != file)
		return false;
	print(line, len);
	return true;
}

/* Its group first: until it is reaped, its number cannot be another's. */
static void finish(struct prober *self, struct job *job, bool late)
{
	struct answer answer;
	struct ih_report report = { .file = job->file, .why = { .struct_size = sizeof report.why } };
	siginfo_t end = { 0 };
	kill(-job->pid, SIGKILL);
	kill(job->pid, SIGKILL);
	while (waitid(P_PID, (id_t)job->pid, &end, WEXITED) && errno == EINTR)
		;
	read_answer(&answer, job->out_fd);
	if (late) {
		report.state = ih_refuse(&report.why, INF_STATE_TIMED_OUT, "timed_out", "it had not answered after %d s %s, "
					 "so it is not used", IH_PROBE_TIMEOUT_MS / 1000, where(&answer));
		print_report(&report);
	} else if (end.si_code != CLD_EXITED || end.si_status || !pass_on(&answer, job->file)) {
		report.state = judge_end(&end, where(&answer), &report.why);
		print_report(&report);
	}
	close(job->out_fd);
	close(job->pidfd);
	job->pid = 0;
	self->running--;
}

/* ---- children ---- */

static void start(struct prober *self, struct job *job, uint32_t file, const struct ih_note *note)
{
	int ends[2];
	pid_t prober = getpid();
	if (pipe2(ends, O_CLOEXEC))
		give_up("pipe");
	pid_t pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid) {
		close(ends[0]);
		look_at(self->paths[file], file, note, ends[1], prober);
	}
	close(ends[1]);
	*job = (struct job){
		.file = file, .pid = pid, .out_fd = ends[0], .deadline_ms = now_ms() + IH_PROBE_TIMEOUT_MS,
		.pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
	};
	if (job->pidfd < 0) {
		kill(pid, SIGKILL);
		give_up("pidfd_open");
	}
	self->running++;
}

static void begin(struct prober *self, struct job *job)
{
	while (!job->pid && self->begun < self->count) {
		struct ih_report report = { .file = self->begun++, .why = { .struct_size = sizeof report.why } };
		const char *path = self->paths[report.file];
		struct ih_file_id id;
		struct ih_note note;
		report.state = path[0] == '/' ? ih_trust_check(path, &self->owners, &id, &note, &report.why) :
			       ih_refuse(&report.why, INF_STATE_NOT_A_PLUGIN, "path", "its path is not absolute");
		if (report.state == INF_STATE_AVAILABLE)
			start(self, job, report.file, &note);
		else
			print_report(&report);
	}
}

static int wait_ms(const struct prober *self)
{
	int64_t least = INT_MAX, now = now_ms();
	for (size_t i = 0; i < IH_PROBE_AT_ONCE; i++)
		if (self->jobs[i].pid && self->jobs[i].deadline_ms - now < least)
			least = self->jobs[i].deadline_ms - now;
	return least < 0 ? 0 : (int)least;
}

static void serve(struct prober *self)
{
	struct pollfd fds[IH_PROBE_AT_ONCE];
	for (size_t i = 0; i < IH_PROBE_AT_ONCE; i++)
		fds[i] = (struct pollfd){ .fd = self->jobs[i].pid ? self->jobs[i].pidfd : -1, .events = POLLIN };
	if (poll(fds, IH_PROBE_AT_ONCE, wait_ms(self)) < 0 && errno != EINTR)
		give_up("poll");
	int64_t now = now_ms();
	for (size_t i = 0; i < IH_PROBE_AT_ONCE; i++) {
		struct job *job = &self->jobs[i];
		if (job->pid && (fds[i].revents || now >= job->deadline_ms))
			finish(self, job, !fds[i].revents);
	}
}

/* What left the group of its child became ours when its parent ended: we are their subreaper. */
static void sweep(void)
{
	for (int i = 0; i < SWEEPS_MAX; i++) {
		FILE *list = fopen("/proc/thread-self/children", "re");
		for (int pid; list && fscanf(list, "%d", &pid) == 1;)
			kill(pid, SIGKILL);
		if (list)
			fclose(list);
		if (waitpid(-1, NULL, list ? 0 : WNOHANG) <= 0)
			return;
	}
}

/* Whatever the host was like: nothing open but the standard streams, every signal as it is by default. */
static void settle(void)
{
	sigset_t none;
	int fd;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
	struct prober prober = {
		.paths = argv + 1, .count = argc > 1 ? (uint32_t)argc - 1 : 0,
		.owners = ic_owners_of(geteuid(), secure_getenv("SUDO_UID")),
	};
	if (argc < 2 || argv[1][0] == '-') {
		fputs("usage: inf-probe FILE...\n", stderr);
		return EXIT_USAGE;
	}
	settle();
	do {
		for (size_t i = 0; i < IH_PROBE_AT_ONCE; i++)
			begin(&prober, &prober.jobs[i]);
		if (prober.running)
			serve(&prober);
	} while (prober.running || prober.begun < prober.count);
	sweep();
	return 0;
}
