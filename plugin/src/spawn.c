/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "procid.h"

#ifndef P_PIDFD
# define P_PIDFD 3
#endif
#ifndef CLOSE_RANGE_CLOEXEC
# define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum { FD_SCAN_MAX = 65536, KERNEL_SIGSET_BYTES = 8, SIGNAL_MAX = 64, REAP_MS = 1000, REPORT_MS = 100, FAMILY_MAX = 8, COLLECT_PER_WAKE = 32 };

/* Where a child can fail between its birth and exec. */
enum step { STEP_NONE, STEP_GROUP, STEP_ORPHAN, STEP_STDIO, STEP_CWD, STEP_EXEC };

static const char *const step_names[] = {
	[STEP_NONE] = "start", [STEP_GROUP] = "process group", [STEP_ORPHAN] = "parent",
	[STEP_STDIO] = "standard streams", [STEP_CWD] = "chdir", [STEP_EXEC] = "exec",
};

struct report {
	int step;
	int error;
};

struct birth {
	const struct gr_spawn *spec;
	pid_t parent, group;		/* group 0 = a new one */
	int death_signal;
	unsigned long blocked[2];	/* signals, as the kernel counts them */
	int in_fd, out_fd, report_fd;
};

/* One process and the descriptor that holds its pid. */
struct born {
	pid_t pid;
	int pidfd;
};

/* ---- in the child: it shares our memory until exec, so only plain system calls, and no instrumented code ------- */
#if defined(__clang__) || defined(__GNUC__)
# define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#endif

IN_CHILD static void child_default_signals(void)
{
	/* The kernel's struct sigaction, all zero: SIG_DFL on every architecture. libc's wrapper would do its own
	 * bookkeeping in memory that is still the host's. */
	unsigned long action[8] = { 0 };
	for (int sig = 1; sig <= SIGNAL_MAX; sig++)
		syscall(SYS_rt_sigaction, sig, action, NULL, KERNEL_SIGSET_BYTES);
}

IN_CHILD static void child_close_others(void)
{
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = 3; fd < FD_SCAN_MAX; fd++)
		syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
}

IN_CHILD static int child_setup(const struct birth *birth)
{
	child_default_signals();
	if (syscall(SYS_setpgid, 0, birth->group) != 0)
		return STEP_GROUP;
	syscall(SYS_prctl, PR_SET_PDEATHSIG, birth->death_signal, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_getppid) != birth->parent)
		return STEP_ORPHAN;
	if (syscall(SYS_dup3, birth->in_fd, 0, 0) < 0 || syscall(SYS_dup3, birth->out_fd, 1, 0) < 0 ||
	    syscall(SYS_dup3, birth->out_fd, 2, 0) < 0)
		return STEP_STDIO;
	child_close_others();
	if (syscall(SYS_chdir, birth->spec->cwd) != 0)
		return STEP_CWD;
	syscall(SYS_umask, 077);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, birth->blocked, NULL, KERNEL_SIGSET_BYTES);
	syscall(SYS_execve, birth->spec->path, birth->spec->argv, birth->spec->envp);
	return STEP_EXEC;
}

IN_CHILD static int child_main(void *arg)
{
	const struct birth *birth = arg;
	struct report report;
	report.step = child_setup(birth);
	report.error = errno;
	syscall(SYS_write, birth->report_fd, &report, sizeof report);
	syscall(SYS_exit_group, 127);
	return 127;
}

/* ThreadSanitizer takes any clone() for a fork, and does its bookkeeping for the child in memory that is still ours. */
#ifdef __has_feature
# if __has_feature(thread_sanitizer)
#  define __SANITIZE_THREAD__ 1
# endif
#endif
#ifdef __SANITIZE_THREAD__
int __clone(int (*main)(void *), void *stack, int flags, void *arg, ...);
# define clone __clone
#endif

/* ---- in the parent ------------------------------------------------------------------------------------------- */
static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Descriptors 0-2 may be free in the host; ours must not land there, or the child would overwrite them. */
static int above_stdio(int fd)
{
	if (fd < 0 || fd > 2)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return high;
}

static bool open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	ends[0] = above_stdio(ends[0]);
	ends[1] = above_stdio(ends[1]);
	return ends[0] >= 0 && ends[1] >= 0;
}

static void close_pipe(int ends[2])
{
	close_fd(&ends[0]);
	close_fd(&ends[1]);
}

static int open_null(void)
{
	return above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static bool wait_ended(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;
	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Of an ended process; 0 where somebody else reaped it. */
static siginfo_t collect_status(int pidfd)
{
	siginfo_t info = { 0 };
	int n;
	do
		n = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
	while (n < 0 && errno == EINTR);
	return info;
}

/* Runs, or is not reaped: then its pid, and the id of its group, cannot have been given to anyone else. A host that
 * ignores SIGCHLD or waits for any child may have reaped it for us. */
static bool unreaped(int pidfd)
{
	siginfo_t info;
	return pidfd >= 0 && waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Signals stay blocked while the child shares our memory: a handler of the host must not run in it. The child's stack is not
 * a part of ours, which may be one of 64 KiB. */
static pid_t clone_child(struct birth *birth, int *out_pidfd)
{
	sigset_t all, old;
	char *stack = mmap(NULL, GR_SPAWN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pid_t pid = clone(child_main, stack + GR_SPAWN_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, birth,
			  out_pidfd);
	int saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	munmap(stack, GR_SPAWN_STACK);
	errno = saved;
	return pid;
}

/* clone() returned after exec or exit, so the pipe holds a report or is at its end. Where another thread of the host forked
 * in between, its child holds the other end too and the end never comes: hence the limit. */
static struct report read_report(int fd)
{
	struct report report = { STEP_NONE, 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready;
	ssize_t n = 0;
	do
		ready = poll(&p, 1, REPORT_MS);
	while (ready < 0 && errno == EINTR);
	if (ready > 0)
		do
			n = read(fd, &report, sizeof report);
		while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof report)
		report.step = STEP_NONE;
	return report;
}

/* Create the process; returns when it has passed exec, or why it could not. Nothing is left of one that could not. */
static inf_status give_birth(struct birth *birth, struct born *out, inf_error *err)
{
	const char *path = birth->spec->path;
	struct born self = { -1, -1 };
	int report_pipe[2] = { -1, -1 };
	inf_status st = INF_OK;

	if (!open_pipe(report_pipe)) {
		st = gr_fail_errno(err, INF_E_IO, errno, "spawn_descriptors", "%s: cannot open a pipe for it", path);
		goto out;
	}
	birth->parent = getpid();
	birth->report_fd = report_pipe[1];
	self.pid = clone_child(birth, &self.pidfd);
	if (self.pid < 0) {
		st = gr_fail_errno(err, errno == ENOMEM ? INF_E_NO_MEMORY : INF_E_IO, errno, "spawn_process",
				   "%s: cannot create a process for it", path);
		goto out;
	}
	close_fd(&report_pipe[1]);
	struct report report = read_report(report_pipe[0]);
	if (report.step == STEP_NONE) {
		*out = self;
		goto out;
	}
	wait_ended(self.pidfd, REAP_MS);
	collect_status(self.pidfd);
	close_fd(&self.pidfd);
	st = gr_fail_errno(err, INF_E_UNAVAILABLE, report.error, "server_exec", "%s: cannot be started (%s)", path,
			   step_names[report.step]);
out:
	close_pipe(report_pipe);
	return st;
}

static inf_status start(struct gr_child *self, const struct gr_spawn *spec, inf_error *err)
{
	int output[2] = { -1, -1 }, null_fd = open_null();
	struct born born;
	inf_status st;

	if (null_fd < 0 || !open_pipe(output)) {
		st = gr_fail_errno(err, INF_E_IO, errno, "spawn_descriptors", "%s: cannot open pipes for it",
				   spec->path);
		goto out;
	}
	struct birth birth = {
		.spec = spec, .group = self->group > 0 ? self->group : 0, .death_signal = SIGKILL,
		.in_fd = null_fd, .out_fd = output[1],
	};
	st = give_birth(&birth, &born, err);
	if (st != INF_OK)
		goto out;
	self->pid = born.pid;
	self->pidfd = born.pidfd;
	if (self->group < 0)
		self->group = born.pid;
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	self->out_fd = output[0];
	output[0] = -1;
out:
	close_fd(&null_fd);
	close_pipe(output);
	return st;
}

/* ---- the keeper ------------------------------------------------------------------------------------------------ */

/* It reads from a pipe whose other end the host holds and nobody writes to, and kills its group, so itself too, when
 * that ends. A host that forked may have left a copy of that end in a child, so the death signal of our thread does the
 * same. kill's 0 is the group of who asks: no number that could have become somebody else's. */
static char *const keeper_argv[] = {
	(char *)"sh", (char *)"-c", (char *)"trap 'kill -KILL 0' HUP; read -r nothing; kill -KILL 0",
	(char *)"inference-keeper", NULL,
};
static char *const keeper_envp[] = { (char *)"PATH=/usr/bin:/bin", NULL };

/* A host without a shell goes without a keeper. */
static void start_keeper(struct gr_child *self)
{
	const struct gr_spawn spec = { "/bin/sh", keeper_argv, keeper_envp, "/" };
	int lifeline[2] = { -1, -1 }, null_fd = open_null();
	struct born born;
	/* Signals to the group are for the child; only the death of the host and SIGKILL are for the keeper. */
	struct birth birth = {
		.spec = &spec, .death_signal = SIGHUP, .blocked = { ~(1UL << (SIGHUP - 1)), ~0UL }, .out_fd = null_fd,
	};
	if (null_fd < 0 || !open_pipe(lifeline))
		goto out;
	birth.in_fd = lifeline[0];
	if (give_birth(&birth, &born, NULL) != INF_OK)
		goto out;
	self->group = born.pid;
	self->keeper_pidfd = born.pidfd;
	self->keeper_fd = lifeline[1];
	lifeline[1] = -1;
out:
	close_fd(&null_fd);
	close_pipe(lifeline);
}

/* Where the host took its status the group can still be killed by closing its pipe. */
static void end_keeper(struct gr_child *self)
{
	if (self->keeper_pidfd < 0)
		return;
	if (unreaped(self->keeper_pidfd))
		kill(-self->group, SIGKILL);
	close_fd(&self->keeper_fd);
	wait_ended(self->keeper_pidfd, REAP_MS);
	collect_status(self->keeper_pidfd);
	close_fd(&self->keeper_pidfd);
}

/* ---- for callers ----------------------------------------------------------------------------------------------- */
inf_status gr_child_start(struct gr_child *out, const struct gr_spawn *spec, inf_error *err)
{
	struct gr_child self = GR_CHILD_INIT;
	inf_status st = start(&self, spec, err);
	if (st == INF_OK)
		*out = self;
	return st;
}

inf_status gr_child_start_kept(struct gr_child *out, const struct gr_spawn *spec, inf_error *err)
{
	struct gr_child self = GR_CHILD_INIT;
	start_keeper(&self);
	inf_status st = start(&self, spec, err);
	if (st == INF_OK)
		*out = self;
	else
		gr_child_release(&self);
	return st;
}

void gr_child_release(struct gr_child *self)
{
	if (!self)
		return;
	end_keeper(self);
	close_fd(&self->pidfd);
	close_fd(&self->out_fd);
	self->pid = self->group = -1;
}

void gr_child_signal(const struct gr_child *self, int signal)
{
	if (self->group > 0 && (unreaped(self->pidfd) || unreaped(self->keeper_pidfd)))
		kill(-self->group, signal);
}

bool gr_child_ended(const struct gr_child *self, int timeout_ms)
{
	return self->pidfd < 0 || wait_ended(self->pidfd, timeout_ms);
}

struct gr_exit gr_child_reap(struct gr_child *self)
{
	struct gr_exit exit = { GR_EXIT_UNKNOWN, 0 };
	if (self->pid <= 0)
		return exit;
	gr_child_signal(self, SIGKILL);
	end_keeper(self);
	siginfo_t info = collect_status(self->pidfd);
	if (info.si_pid != 0) {
		exit.kind = info.si_code == CLD_EXITED ? GR_EXIT_CODE : GR_EXIT_SIGNAL;
		exit.value = info.si_status;
	}
	self->pid = self->group = -1;
	return exit;
}

static ssize_t read_small_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, buf, cap - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* Add what one process has used. False where it is gone. */
static bool add_activity(pid_t pid, struct gr_activity *sum)
{
	char path[64], text[GR_PROCID_STAT];
	/* utime is field 14, rss 24; the first after the name is field 3. */
	const char *fields = gr_procid_stat(pid, text);
	unsigned long long utime = 0, stime = 0, rss = 0, rchar = 0;
	if (!fields || sscanf(fields, "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s %*s %*s "
			      "%*s %*s %llu", &utime, &stime, &rss) != 3)
		return false;
	sum->cpu_ticks += utime + stime;
	sum->resident_bytes += rss * (unsigned long long)sysconf(_SC_PAGESIZE);
	snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
	if (read_small_file(path, text, sizeof text) > 0 && sscanf(text, "rchar: %llu", &rchar) == 1)
		sum->read_bytes += rchar;
	return true;
}

/* The children of a process, after the count that is in the list. Kernels without the file have none to tell. */
static size_t add_children(pid_t pid, pid_t *list, size_t count)
{
	char path[64], text[GR_PROCID_STAT], *at = text, *end;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (read_small_file(path, text, sizeof text) <= 0)
		return count;
	for (long child; count < FAMILY_MAX && (child = strtol(at, &end, 10)) > 0 && end != at; at = end)
		list[count++] = (pid_t)child;
	return count;
}

/* A wrapper that does not exec only waits: what works is below it. */
bool gr_child_activity(const struct gr_child *self, struct gr_activity *out)
{
	struct gr_activity sum = { 0 };
	pid_t family[FAMILY_MAX] = { self->pid };
	if (self->pid <= 0 || !add_activity(self->pid, &sum))
		return false;
	size_t count = add_children(self->pid, family, 1);
	for (size_t i = 1; i < count; i++) {
		add_activity(family[i], &sum);
		count = add_children(family[i], family, count);
	}
	*out = sum;
	return true;
}

/* Read what is there; false at the end of the stream. */
static bool collect(int fd, char *out, size_t cap, size_t *len)
{
	char chunk[4096];
	for (int i = 0; i < COLLECT_PER_WAKE; i++) {	/* a child that never stops talking must not hold up the deadline */
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		size_t room = cap - 1 - *len, take = (size_t)n < room ? (size_t)n : room;
		memcpy(out + *len, chunk, take);
		*len += take;
	}
	return true;
}

/* Collect until the child has ended or closed its output. */
static inf_status follow(const struct gr_child *child, int64_t deadline, char *out, size_t cap, size_t *len,
			 int (*on_wait)(void *user), void *user)
{
	bool open = true;
	for (;;) {
		int64_t left = deadline - gr_now_ms();
		if (left <= 0)
			return INF_E_TIMEOUT;
		if (on_wait && on_wait(user) != 0)
			return INF_E_CANCELLED;
		struct pollfd p[2] = { { child->pidfd, POLLIN, 0 }, { open ? child->out_fd : -1, POLLIN, 0 } };
		int wait_ms = on_wait && left > GR_CHILD_WAIT_MS ? GR_CHILD_WAIT_MS : (int)left;
		int n = poll(p, 2, wait_ms);
		if (n > 0 && p[1].revents)
			open = collect(child->out_fd, out, cap, len);
		if (n > 0 && p[0].revents)
			return INF_OK;
	}
}

inf_status gr_child_finish(struct gr_child *self, const char *path, int timeout_ms, char *out, size_t out_cap,
			   struct gr_exit *out_exit, int (*on_wait)(void *user), void *user, inf_error *err)
{
	size_t len = 0;
	inf_status st = follow(self, gr_now_ms() + timeout_ms, out, out_cap, &len, on_wait, user);
	if (st != INF_OK) {
		gr_child_signal(self, SIGKILL);
		gr_child_ended(self, REAP_MS);
	}
	if (st == INF_E_TIMEOUT)
		inf_fail(err, st, "server_probe_timeout", "%s: did not end within %d ms", path, timeout_ms);
	else if (st == INF_E_CANCELLED)
		inf_fail(err, st, "cancelled", "%s: stopped while it was asked what it can do", path);
	collect(self->out_fd, out, out_cap, &len);
	out[len] = '\0';
	*out_exit = gr_child_reap(self);
	gr_child_release(self);
	return st;
}

inf_status gr_child_run(const struct gr_spawn *spec, int timeout_ms, char *out, size_t out_cap,
			struct gr_exit *out_exit, int (*on_wait)(void *user), void *user, inf_error *err)
{
	struct gr_child child = GR_CHILD_INIT;
	inf_status st = gr_child_start(&child, spec, err);
	return st == INF_OK ? gr_child_finish(&child, spec->path, timeout_ms, out, out_cap, out_exit, on_wait, user, err) : st;
}

const char *gr_exit_text(const struct gr_exit *self, char *buf, size_t cap)
{
	if (self->kind == GR_EXIT_CODE)
		snprintf(buf, cap, "exit status %d", self->value);
	else if (self->kind == GR_EXIT_SIGNAL)
		snprintf(buf, cap, "signal %d (%s)", self->value,
			 sigdescr_np(self->value) ? sigdescr_np(self->value) : "unknown");
	else
		snprintf(buf, cap, "unknown exit status");
	return buf;
}
