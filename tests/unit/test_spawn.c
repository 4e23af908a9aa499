/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "scratch.h"
#include "spawn.h"
#include "strv.h"

enum { SOON_MS = 10000, GONE_MS = 1000, A_WHILE_MS = 100, TIMEOUT_MS = 20000, OUTPUT = 64 * 1024 };

static struct scratch scratch;
static struct process_census before;
static char output[OUTPUT];

static void setup(void)
{
	before = census_take();
	scratch_init(&scratch);
}

static void teardown(void)
{
	scratch_release(&scratch);
	census_assert_restored(&before);
}

/* ---- running things -------------------------------------------------------------------------------------------- */
static char *const child_env[] = { (char *)"ONE=1", (char *)"TWO=two words", NULL };

static struct gr_spawn spec_of(char *const *argv)
{
	return (struct gr_spawn){ .path = argv[0], .argv = argv, .envp = child_env, .cwd = "/" };
}

#define ARGV(...) ((char *const[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGV((char *)"/bin/sh", (char *)"-c", (char *)(script))
#define PROBE ((char *)TEST_CHILD_PROBE)

static inf_status run_for(char *const *argv, int timeout_ms, struct gr_exit *out_exit, inf_error *err)
{
	struct gr_spawn spec = spec_of(argv);
	*err = (inf_error){ .struct_size = sizeof *err };
	*out_exit = (struct gr_exit){ GR_EXIT_NONE, 0 };
	return gr_child_run(&spec, timeout_ms, output, sizeof output, out_exit, NULL, NULL, err);
}

static struct gr_exit run(char *const *argv)
{
	struct gr_exit exit;
	inf_error err;
	ck_assert_msg(run_for(argv, TIMEOUT_MS, &exit, &err) == INF_OK, "%s", err.message);
	return exit;
}

static struct gr_child start(char *const *argv)
{
	struct gr_child child = GR_CHILD_INIT;
	struct gr_spawn spec = spec_of(argv);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_child_start(&child, &spec, &err) == INF_OK, "%s", err.message);
	return child;
}

static struct gr_exit finish(struct gr_child *child)
{
	ck_assert(gr_child_ended(child, SOON_MS));
	struct gr_exit exit = gr_child_reap(child);
	gr_child_release(child);
	return exit;
}

static void kill_and_finish(struct gr_child *child)
{
	gr_child_signal(child, SIGKILL);
	finish(child);
}

/* The next line of a running child's output. */
static void read_line(const struct gr_child *child, char *out, size_t cap)
{
	size_t len = 0;
	while (len + 1 < cap && (!len || out[len - 1] != '\n')) {
		struct pollfd p = { .fd = child->out_fd, .events = POLLIN };
		ck_assert_int_eq(poll(&p, 1, SOON_MS), 1);
		ck_assert_int_eq(read(child->out_fd, out + len, 1), 1);
		len++;
	}
	out[len] = '\0';
}

static pid_t read_pid(const struct gr_child *child)
{
	char line[64];
	read_line(child, line, sizeof line);
	return (pid_t)atoi(line);
}

/* ---- what the probe said --------------------------------------------------------------------------------------- */
static const char *next_line(const char *at)
{
	const char *newline = strchr(at, '\n');
	return newline ? newline + 1 : at + strlen(at);
}

static const char *find_line(const char *beginning)
{
	const char *at = output;
	while (*at && strncmp(at, beginning, strlen(beginning)) != 0)
		at = next_line(at);
	return *at ? at : NULL;
}

static bool has_line(const char *line)
{
	char whole[4300];
	snprintf(whole, sizeof whole, "%s\n", line);
	return find_line(whole) != NULL;
}

static int lines_with(const char *name)
{
	int count = 0;
	for (const char *at = output; *at; at = next_line(at))
		count += strncmp(at, name, strlen(name)) == 0;
	return count;
}

static long long value_of(const char *name)
{
	const char *line = find_line(name);
	ck_assert_msg(line != NULL, "%s is missing in: %s", name, output);
	return strtoll(line + strlen(name), NULL, 10);
}

static void check_only_standard_streams(void)
{
	char out[64], err[64];
	ck_assert_msg(lines_with("fd ") == 3, "%s", output);
	ck_assert(has_line("fd 0 /dev/null") && find_line("fd 1 ") && find_line("fd 2 "));
	ck_assert_int_eq(sscanf(find_line("fd 1 "), "fd 1 %63s", out), 1);
	ck_assert_int_eq(sscanf(find_line("fd 2 "), "fd 2 %63s", err), 1);
	ck_assert_int_eq(strncmp(out, "pipe:", 5), 0);
	ck_assert_str_eq(out, err);
}

/* ---- the child's world ----------------------------------------------------------------------------------------- */
START_TEST(child_gets_exactly_what_the_spec_says)
{
	char *const argv[] = { PROBE, (char *)"first arg", (char *)"", (char *)"--third", NULL };
	struct gr_spawn spec = spec_of(argv);
	struct gr_exit exit;
	char cwd[4200];
	spec.cwd = scratch.path;
	ck_assert_int_eq(gr_child_run(&spec, TIMEOUT_MS, output, sizeof output, &exit, NULL, NULL, NULL), INF_OK);
	ck_assert_int_eq(exit.kind, GR_EXIT_CODE);
	ck_assert_int_eq(lines_with("env "), 2);
	ck_assert(has_line("env ONE=1") && has_line("env TWO=two words"));
	ck_assert_int_eq(lines_with("arg "), 4);
	ck_assert(has_line("arg " TEST_CHILD_PROBE) && has_line("arg first arg") && has_line("arg ") &&
		  has_line("arg --third"));
	snprintf(cwd, sizeof cwd, "cwd %s", scratch.path);
	ck_assert(has_line(cwd));
	check_only_standard_streams();
}
END_TEST

START_TEST(child_runs_in_its_own_group_and_cannot_outlive_us_or_gain_rights)
{
	run(ARGV(PROBE));
	ck_assert_int_eq(value_of("ppid "), getpid());
	ck_assert_int_eq(value_of("pgid "), value_of("pid "));
	ck_assert_int_ne(value_of("pgid "), getpgrp());
	ck_assert_int_eq(value_of("pdeathsig "), SIGKILL);
	ck_assert_int_eq(value_of("no_new_privs "), 1);
}
END_TEST

START_TEST(child_umask_is_private_and_ours_stays)
{
	mode_t old = umask(022);
	run(ARGV(PROBE));
	mode_t after = umask(old);
	ck_assert(has_line("umask 0077"));
	ck_assert_uint_eq(after, 022);
}
END_TEST

START_TEST(child_with_an_empty_environment_has_none)
{
	char *const argv[] = { PROBE, NULL }, *const none[] = { NULL };
	struct gr_spawn spec = spec_of(argv);
	struct gr_exit exit;
	spec.envp = none;
	ck_assert_int_eq(setenv("FROM_THE_HOST", "1", 1), 0);
	ck_assert_int_eq(gr_child_run(&spec, TIMEOUT_MS, output, sizeof output, &exit, NULL, NULL, NULL), INF_OK);
	ck_assert_int_eq(lines_with("env "), 0);
}
END_TEST

START_TEST(child_inherits_no_descriptor_even_without_cloexec)
{
	int fds[40];
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 39; i++)
		fds[i] = fcntl(STDIN_FILENO, F_DUPFD, 0);
	fds[39] = fcntl(STDIN_FILENO, F_DUPFD, (int)limit.rlim_cur - 1);
	for (int i = 0; i < 40; i++)
		ck_assert_int_ge(fds[i], 0);
	run(ARGV(PROBE));
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), 0);	/* ours is as it was */
		close(fds[i]);
	}
	check_only_standard_streams();
}
END_TEST

/* ---- signals --------------------------------------------------------------------------------------------------- */
static void on_signal(int sig)
{
	(void)sig;
}

START_TEST(child_starts_with_default_signals_and_ours_stay)
{
	struct sigaction handler = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN }, old[3], now;
	sigset_t block, old_mask, mask;
	sigaction(SIGUSR2, &handler, &old[0]);
	sigaction(SIGPIPE, &ignore, &old[1]);
	sigaction(SIGTERM, &ignore, &old[2]);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGRTMIN + 3);
	pthread_sigmask(SIG_BLOCK, &block, &old_mask);
	run(ARGV(PROBE));
	pthread_sigmask(SIG_SETMASK, &old_mask, &mask);
	ck_assert(has_line("blocked 0000000000000000"));
	ck_assert(has_line("ignored 0000000000000000"));
	ck_assert(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGUSR2));
	sigaction(SIGUSR2, &old[0], &now);
	ck_assert(now.sa_handler == on_signal);
	sigaction(SIGPIPE, &old[1], &now);
	ck_assert(now.sa_handler == SIG_IGN);
	sigaction(SIGTERM, &old[2], &now);
	ck_assert(now.sa_handler == SIG_IGN);
}
END_TEST

/* Signals keep coming while children are started and run: nothing fails with EINTR. */
START_TEST(run_amid_signals_succeeds)
{
	struct sigaction action = { .sa_handler = on_signal }, old;
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	int good = 0;
	for (int i = 0; i < 20; i++) {
		struct gr_exit exit;
		inf_error err;
		good += run_for(SHELL("echo hello; exit 3"), TIMEOUT_MS, &exit, &err) == INF_OK &&
			exit.kind == GR_EXIT_CODE && exit.value == 3 && strcmp(output, "hello\n") == 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	ck_assert_int_eq(good, 20);
}
END_TEST

/* A parent that ignores SIGCHLD has its children reaped by the kernel. */
static const struct sigaction reaping_dispositions[] = {
	{ .sa_handler = SIG_IGN }, { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
};

START_TEST(run_under_a_parent_that_ignores_sigchld_ends_with_unknown_status)
{
	struct sigaction old;
	struct gr_exit exit;
	inf_error err;
	sigaction(SIGCHLD, &reaping_dispositions[_i], &old);
	inf_status st = run_for(SHELL("echo hello; exit 3"), TIMEOUT_MS, &exit, &err);
	inf_status missing = run_for(ARGV((char *)"/no/such/program"), TIMEOUT_MS, &(struct gr_exit){ 0 }, &err);
	sigaction(SIGCHLD, &old, NULL);
	ck_assert_int_eq(st, INF_OK);
	ck_assert_int_eq(exit.kind, GR_EXIT_UNKNOWN);
	ck_assert_str_eq(output, "hello\n");
	ck_assert_int_eq(missing, INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.os_errno, ENOENT);
}
END_TEST

START_TEST(reap_after_the_host_did_it_gives_an_unknown_status)
{
	struct gr_child child = start(SHELL("exit 3"));
	ck_assert(gr_child_ended(&child, SOON_MS));
	ck_assert_int_eq(waitpid(-1, NULL, 0), child.pid);
	ck_assert(gr_child_ended(&child, 0));
	ck_assert_int_eq(finish(&child).kind, GR_EXIT_UNKNOWN);
}
END_TEST

/* ---- standard streams that are closed in the host -------------------------------------------------------------- */
enum { ALL_CLOSED = 7 };

static void close_streams(int which, int saved[3])
{
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = -1;
		if (which & 1 << fd) {
			saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
			close(fd);
		}
	}
}

/* Returns those of them that somebody has opened meanwhile. */
static int restore_streams(int which, const int saved[3])
{
	int taken = 0;
	for (int fd = 0; fd < 3; fd++) {
		if (!(which & 1 << fd))
			continue;
		taken |= (fcntl(fd, F_GETFD) >= 0) << fd;
		dup2(saved[fd], fd);
		close(saved[fd]);
	}
	return taken;
}

START_TEST(child_of_a_host_without_standard_streams_has_them)
{
	int saved[3];
	struct gr_exit exit;
	inf_error err;
	close_streams(_i, saved);
	inf_status st = run_for(ARGV(PROBE), TIMEOUT_MS, &exit, &err);
	int taken = restore_streams(_i, saved);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	ck_assert_int_eq(exit.kind, GR_EXIT_CODE);
	ck_assert_int_eq(taken, 0);
	check_only_standard_streams();
}
END_TEST

/* ---- what cannot be started ------------------------------------------------------------------------------------ */
static const char *make_file(const char *name, const char *text, mode_t mode)
{
	const char *path = scratch_write(&scratch, name, text, strlen(text));
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static const struct {
	const char *name, *text;
	mode_t mode;
	const char *cwd;
	int error;
	const char *step;
} exec_cases[] = {
	{ NULL, NULL, 0, "/", ENOENT, "exec" },
	{ "data", "#!/bin/sh\n", 0644, "/", EACCES, "exec" },
	{ "interpreter", "#!/no/such/interpreter\n", 0755, "/", ENOENT, "exec" },
	{ "interpreter-is-data", "#!/etc/passwd\n", 0755, "/", EACCES, "exec" },
	{ "garbage", "\x7f" "ELF but not really", 0755, "/", ENOEXEC, "exec" },
	{ "empty", "", 0755, "/", ENOEXEC, "exec" },
	{ "good", "#!/bin/sh\n", 0755, "/no/such/directory", ENOENT, "chdir" },
	{ "good", "#!/bin/sh\n", 0755, "/dev/null", ENOTDIR, "chdir" },
};

START_TEST(start_that_fails_says_why)
{
	char *path = (char *)(exec_cases[_i].name ?
			      make_file(exec_cases[_i].name, exec_cases[_i].text, exec_cases[_i].mode) :
			      scratch_at(&scratch, "missing"));
	char *const argv[] = { path, NULL };
	struct gr_spawn spec = spec_of(argv);
	struct gr_child child = { .pid = 4711, .pidfd = 4712, .out_fd = 4713 };
	inf_error err = { .struct_size = sizeof err };
	spec.cwd = exec_cases[_i].cwd;
	ck_assert_int_eq(gr_child_start(&child, &spec, &err), INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.code, INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "server_exec");
	ck_assert_int_eq(err.os_errno, exec_cases[_i].error);
	ck_assert_ptr_eq(strstr(err.message, path), err.message);
	ck_assert_ptr_nonnull(strstr(err.message, exec_cases[_i].step));
	ck_assert_ptr_nonnull(strstr(err.message, strerror(exec_cases[_i].error)));
	ck_assert(child.pid == 4711 && child.pidfd == 4712 && child.out_fd == 4713);
}
END_TEST

START_TEST(start_of_a_directory_is_refused)
{
	struct gr_exit exit;
	inf_error err;
	ck_assert_int_eq(run_for(ARGV(scratch.path), TIMEOUT_MS, &exit, &err), INF_E_UNAVAILABLE);
	ck_assert_int_eq(err.os_errno, EACCES);
}
END_TEST

/* ---- no descriptors left --------------------------------------------------------------------------------------- */
enum { FEW_FDS = 400, FREE_MAX = 10 };

/* Take every descriptor there is but a few. Returns how many were opened. */
static int fill_descriptors(int *fds, int leave)
{
	int count = 0;
	while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	ck_assert_int_eq(errno, EMFILE);
	for (int i = 0; i < leave; i++)
		close(fds[--count]);
	return count;
}

START_TEST(start_without_free_descriptors_fails_cleanly)
{
	struct rlimit old, few;
	int fds[FEW_FDS];
	struct gr_exit exit;
	inf_error err;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = FEW_FDS;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	int count = fill_descriptors(fds, _i);
	inf_status st = run_for(SHELL("echo hello"), TIMEOUT_MS, &exit, &err);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	if (st == INF_OK) {
		ck_assert_int_gt(_i, 4);
		ck_assert_str_eq(output, "hello\n");
		return;
	}
	ck_assert_int_lt(_i, FREE_MAX - 1);
	ck_assert_int_eq(st, INF_E_IO);
	ck_assert_int_eq(err.os_errno, EMFILE);
	ck_assert_ptr_nonnull(strstr(err.message, "/bin/sh"));
}
END_TEST

/* ---- how it ended ---------------------------------------------------------------------------------------------- */
static const struct {
	const char *script;
	enum gr_exit_kind kind;
	int value;
	const char *text;
} exit_cases[] = {
	{ "exit 0", GR_EXIT_CODE, 0, "exit status 0" },
	{ "exit 7", GR_EXIT_CODE, 7, "exit status 7" },
	{ "exit 255", GR_EXIT_CODE, 255, "exit status 255" },
	{ "kill -9 $$", GR_EXIT_SIGNAL, SIGKILL, "signal 9 (Killed)" },
	{ "kill -TERM $$", GR_EXIT_SIGNAL, SIGTERM, "signal 15 (Terminated)" },
	{ "ulimit -c 0; kill -SEGV $$", GR_EXIT_SIGNAL, SIGSEGV, "signal 11 (Segmentation fault)" },
};

START_TEST(exit_of_a_child_is_reported)
{
	char text[64];
	struct gr_exit exit = run(SHELL(exit_cases[_i].script));
	ck_assert_int_eq(exit.kind, exit_cases[_i].kind);
	ck_assert_int_eq(exit.value, exit_cases[_i].value);
	ck_assert_str_eq(gr_exit_text(&exit, text, sizeof text), exit_cases[_i].text);
}
END_TEST

START_TEST(exit_text_of_what_is_not_known_says_so)
{
	char text[64];
	ck_assert_str_eq(gr_exit_text(&(struct gr_exit){ GR_EXIT_UNKNOWN, 0 }, text, sizeof text), "unknown exit status");
	ck_assert_str_eq(gr_exit_text(&(struct gr_exit){ GR_EXIT_NONE, 0 }, text, sizeof text), "unknown exit status");
	ck_assert_str_eq(gr_exit_text(&(struct gr_exit){ GR_EXIT_SIGNAL, 999 }, text, sizeof text), "signal 999 (unknown)");
	ck_assert_str_eq(gr_exit_text(&(struct gr_exit){ GR_EXIT_SIGNAL, 9 }, text, 9), "signal 9");
}
END_TEST

START_TEST(ended_of_a_running_child_is_false)
{
	struct gr_child child = start(SHELL("sleep 1000"));
	ck_assert(!gr_child_ended(&child, 0));
	int64_t begin = monotonic_ms();
	ck_assert(!gr_child_ended(&child, 50));
	ck_assert_int_ge(monotonic_ms() - begin, 45);
	gr_child_signal(&child, SIGTERM);
	struct gr_exit exit = finish(&child);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGTERM);
}
END_TEST

START_TEST(empty_child_can_be_asked_and_released)
{
	struct gr_child child = GR_CHILD_INIT;
	struct gr_activity activity;
	gr_child_signal(&child, SIGKILL);
	ck_assert(gr_child_ended(&child, 0));
	ck_assert(!gr_child_activity(&child, &activity));
	ck_assert_int_eq(gr_child_reap(&child).kind, GR_EXIT_UNKNOWN);
	gr_child_release(&child);
	gr_child_release(&child);
	gr_child_release(NULL);
}
END_TEST

START_TEST(reap_forgets_the_pid)
{
	struct gr_child child = start(SHELL("exit 0"));
	ck_assert(gr_child_ended(&child, SOON_MS));
	gr_child_reap(&child);
	ck_assert_int_eq(child.pid, -1);
	gr_child_signal(&child, SIGKILL);	/* must not reach group -1: everybody */
	gr_child_release(&child);
	ck_assert(child.pidfd == -1 && child.out_fd == -1);
}
END_TEST

/* ---- groups ---------------------------------------------------------------------------------------------------- */
START_TEST(signal_reaches_grandchildren)
{
	struct gr_child child = start(SHELL("sleep 1000 & echo $!; (sleep 1000 & echo $!; wait) & wait"));
	pid_t grandchildren[] = { read_pid(&child), read_pid(&child) };
	ck_assert(!process_gone(&grandchildren[0]) && !process_gone(&grandchildren[1]));
	gr_child_signal(&child, SIGKILL);
	ck_assert(wait_until(process_gone, &grandchildren[0], SOON_MS));
	ck_assert(wait_until(process_gone, &grandchildren[1], SOON_MS));
	finish(&child);
}
END_TEST

START_TEST(reap_kills_what_the_child_left_behind)
{
	struct gr_child child = start(SHELL("sleep 1000 & echo $!"));
	pid_t grandchild = read_pid(&child);
	ck_assert(gr_child_ended(&child, SOON_MS));
	ck_assert(!process_gone(&grandchild));
	ck_assert_int_eq(finish(&child).kind, GR_EXIT_CODE);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

/* Its pid may be somebody else's by then, and its group too. */
START_TEST(signal_after_the_host_reaped_reaches_nobody)
{
	struct gr_child child = start(SHELL("sleep 1000 & echo $!"));
	pid_t pid = child.pid, grandchild = read_pid(&child);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	gr_child_signal(&child, SIGKILL);
	ck_assert_int_eq(finish(&child).kind, GR_EXIT_UNKNOWN);
	ck_assert(!wait_until(process_gone, &grandchild, A_WHILE_MS));
	kill(grandchild, SIGKILL);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

static void *start_and_end(void *arg)
{
	*(struct gr_child *)arg = start(SHELL("sleep 1000"));
	return NULL;
}

START_TEST(child_dies_with_the_thread_that_started_it)
{
	struct gr_child child = GR_CHILD_INIT;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, start_and_end, &child), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	struct gr_exit exit = finish(&child);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGKILL);
}
END_TEST

/* The host is killed as the kernel's OOM killer does it. */
START_TEST(child_dies_with_a_killed_host)
{
	pid_t pids[2];
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t host = fork();
	if (host == 0) {
		struct gr_child child = start(SHELL("exec sleep 1000"));
		ssize_t n = write(ends[1], &child.pid, sizeof child.pid);
		for (;;)
			n = pause();
		_exit(n != 0);
	}
	ck_assert_int_eq(read(ends[0], &pids[0], sizeof pids[0]), sizeof pids[0]);
	ck_assert(!process_gone(&pids[0]));
	kill(host, SIGKILL);
	ck_assert_int_eq(waitpid(host, NULL, 0), host);
	ck_assert(wait_until(process_gone, &pids[0], SOON_MS));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* ---- the keeper ------------------------------------------------------------------------------------------------ */
/* A wrapper that does not exec: it prints the pid of what it started, and waits for it. */
#define WRAPPER SHELL("sleep 1000 & echo $!; wait")

static struct gr_child start_kept(char *const *argv)
{
	struct gr_child child = GR_CHILD_INIT;
	struct gr_spawn spec = spec_of(argv);
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_child_start_kept(&child, &spec, &err) == INF_OK, "%s", err.message);
	ck_assert_int_gt(child.keeper_pidfd, 2);
	ck_assert_int_gt(child.keeper_fd, 2);
	return child;
}

START_TEST(kept_child_is_in_the_group_that_the_keeper_leads)
{
	struct gr_child child = start_kept(SHELL("exec sleep 1000"));
	pid_t parent, group;
	char state;
	ck_assert_int_ne(child.group, child.pid);
	ck_assert(process_look(child.group, &state, &parent, &group));
	ck_assert_int_eq(parent, getpid());
	ck_assert_int_eq(group, child.group);
	ck_assert(process_look(child.pid, &state, &parent, &group));
	ck_assert_int_eq(parent, getpid());
	ck_assert_int_eq(group, child.group);
	kill_and_finish(&child);
}
END_TEST

static void check_descriptor(pid_t pid, int fd, const char *expected)
{
	char path[64], target[64] = "";
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (!expected)
		ck_assert_msg(n < 0, "%s is %s", path, target);
	else
		ck_assert_msg(n > 0 && strncmp(target, expected, strlen(expected)) == 0, "%s is %s", path, target);
}

/* Not the child's output: its end must be seen though the keeper lives. */
START_TEST(keeper_holds_nothing_but_its_pipe)
{
	struct gr_child child = start_kept(SHELL("exec sleep 1000"));
	check_descriptor(child.group, 0, "pipe:");
	check_descriptor(child.group, 1, "/dev/null");
	check_descriptor(child.group, 2, "/dev/null");
	for (int fd = 3; fd < 64; fd++)
		check_descriptor(child.group, fd, NULL);
	ck_assert_int_eq(fcntl(child.keeper_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(child.keeper_pidfd, F_GETFD), FD_CLOEXEC);
	kill_and_finish(&child);
}
END_TEST

static const int polite_signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGQUIT, SIGPIPE };

START_TEST(signal_to_the_group_is_not_for_the_keeper)
{
	struct gr_child child = start_kept(SHELL("exec sleep 1000"));
	pid_t keeper = child.group;
	gr_child_signal(&child, polite_signals[_i]);
	ck_assert(gr_child_ended(&child, SOON_MS));
	ck_assert(!wait_until(process_gone, &keeper, A_WHILE_MS));
	struct gr_exit exit = finish(&child);
	ck_assert_int_eq(exit.value, polite_signals[_i]);
	ck_assert(!process_look(keeper, &(char){ 0 }, &(pid_t){ 0 }, &(pid_t){ 0 }));
}
END_TEST

static bool traps_its_death_signal(void *pid)
{
	char path[64], line[128];
	unsigned long long caught = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)*(pid_t *)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "SigCgt: %llx", &caught);
	if (file)
		fclose(file);
	return caught & 1ULL << (SIGHUP - 1);
}

/* Each by itself; when a host is killed both happen. */
START_TEST(keeper_kills_the_group_when_its_pipe_ends_or_its_parent)
{
	struct gr_child child = start_kept(WRAPPER);
	pid_t grandchild = read_pid(&child);
	ck_assert(wait_until(traps_its_death_signal, &child.group, SOON_MS));
	if (_i) {
		kill(child.group, SIGHUP);
	} else {
		close(child.keeper_fd);
		child.keeper_fd = -1;
	}
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
	struct gr_exit exit = finish(&child);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGKILL);
}
END_TEST

START_TEST(reap_with_a_keeper_kills_what_the_child_left_behind)
{
	struct gr_child child = start_kept(SHELL("sleep 1000 & echo $!; exit 3"));
	pid_t grandchild = read_pid(&child);
	ck_assert(gr_child_ended(&child, SOON_MS));
	ck_assert(!process_gone(&grandchild));
	struct gr_exit exit = finish(&child);
	ck_assert_int_eq(exit.value, 3);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

/* Without a keeper the group is nobody's any more: see signal_after_the_host_reaped_reaches_nobody. */
START_TEST(reap_with_a_keeper_kills_the_rest_though_the_host_took_the_status)
{
	struct gr_child child = start_kept(SHELL("sleep 1000 & echo $!; exit 3"));
	pid_t grandchild = read_pid(&child);
	ck_assert_int_eq(waitpid(child.pid, NULL, 0), child.pid);
	ck_assert_int_eq(finish(&child).kind, GR_EXIT_UNKNOWN);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

START_TEST(reap_in_a_host_that_ignores_sigchld_leaves_nothing)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	sigaction(SIGCHLD, &ignore, &old);
	struct gr_child child = start_kept(SHELL("sleep 1000 & echo $!; exit 3"));
	pid_t grandchild = read_pid(&child);
	ck_assert(gr_child_ended(&child, SOON_MS));
	finish(&child);
	sigaction(SIGCHLD, &old, NULL);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

/* The keeper of a child that is given up goes all the same. */
START_TEST(release_of_a_running_child_ends_the_keeper)
{
	struct gr_child child = start_kept(WRAPPER);
	pid_t pids[] = { child.pid, child.group, read_pid(&child) };
	gr_child_release(&child);
	for (int i = 0; i < 3; i++)
		ck_assert(wait_until(process_gone, &pids[i], SOON_MS));
	ck_assert_int_eq(waitpid(pids[0], NULL, 0), pids[0]);
}
END_TEST

START_TEST(keeper_that_was_killed_is_not_missed)
{
	struct gr_child child = start_kept(WRAPPER);
	pid_t keeper = child.group, grandchild = read_pid(&child);
	kill(keeper, SIGKILL);
	ck_assert(wait_until(process_gone, &keeper, SOON_MS));
	ck_assert(!gr_child_ended(&child, A_WHILE_MS));
	kill_and_finish(&child);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

START_TEST(start_that_fails_leaves_no_keeper)
{
	struct gr_child child = GR_CHILD_INIT;
	struct gr_spawn spec = spec_of(ARGV((char *)"/no/such/program"));
	ck_assert_int_eq(gr_child_start_kept(&child, &spec, NULL), INF_E_UNAVAILABLE);
	ck_assert_uint_eq(process_children(NULL, 0), 0);
}
END_TEST

/* How a host comes to its end, and whether a child that it forked lives on and holds what it had open. */
enum end { END_KILLED, END_EXIT, END_THREAD, END_EXEC };

static const struct {
	enum end end;
	bool forked;
} host_ends[] = {
	{ END_KILLED, false }, { END_KILLED, true }, { END_EXIT, false }, { END_EXIT, true }, { END_THREAD, false },
	{ END_THREAD, true }, { END_EXEC, false },
};

struct host {
	int tell, hold;		/* write ends for the host, read end for its child */
	enum end end;
	bool forked;
};

static void *start_and_tell(void *arg)
{
	struct host *host = arg;
	struct gr_child child = start_kept(WRAPPER);
	pid_t pids[] = { child.pid, child.group, read_pid(&child) };
	char byte;
	if (host->forked && fork() == 0)
		_exit(read(host->hold, &byte, 1) != 0);
	wait_until(traps_its_death_signal, &child.group, SOON_MS);
	if (write(host->tell, pids, sizeof pids) != sizeof pids)
		_exit(1);
	return NULL;
}

static void be_host(struct host *host)
{
	pthread_t thread;
	if (host->end != END_THREAD) {
		start_and_tell(host);
		if (host->end == END_EXIT)
			_exit(0);
		if (host->end == END_EXEC)
			execl("/bin/sleep", "sleep", "1000", NULL);
	} else if (pthread_create(&thread, NULL, start_and_tell, host) == 0) {
		pthread_join(thread, NULL);
	}
	for (;;)
		pause();
}

START_TEST(end_of_the_host_leaves_nothing_behind_a_wrapper)
{
	int tell[2], hold[2];
	pid_t pids[3];
	ck_assert(pipe2(tell, O_CLOEXEC) == 0 && pipe2(hold, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(hold[1]);
		be_host(&(struct host){ tell[1], hold[0], host_ends[_i].end, host_ends[_i].forked });
	}
	close(hold[0]);
	ck_assert_int_eq(read(tell[0], pids, sizeof pids), sizeof pids);
	if (host_ends[_i].end == END_KILLED)
		kill(pid, SIGKILL);
	for (int i = 0; i < 3; i++)
		if (!wait_until(process_gone, &pids[i], GONE_MS)) {
			kill(pids[i], SIGKILL);
			ck_abort_msg("process %d of 3 lives on", i + 1);
		}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(hold[1]);
	close(tell[0]);
	close(tell[1]);
}
END_TEST

START_TEST(end_of_a_child_that_the_host_forked_changes_nothing)
{
	struct gr_child child = start_kept(WRAPPER);
	pid_t grandchild = read_pid(&child), keeper = child.group;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(!wait_until(process_gone, &keeper, A_WHILE_MS));
	ck_assert(!process_gone(&child.pid) && !process_gone(&grandchild));
	kill_and_finish(&child);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

/* ---- activity -------------------------------------------------------------------------------------------------- */
struct growth {
	const struct gr_child *child;
	struct gr_activity first;
};

static bool has_grown(void *arg)
{
	struct growth *growth = arg;
	struct gr_activity now;
	return gr_child_activity(growth->child, &now) && now.cpu_ticks > growth->first.cpu_ticks &&
	       now.read_bytes > growth->first.read_bytes + (1 << 20) &&
	       now.resident_bytes > growth->first.resident_bytes + (1 << 20);
}

static void check_activity_grows(char *program)
{
	struct gr_child child = start(ARGV(program, (char *)"--busy"));
	struct growth growth = { .child = &child };
	char line[8];
	read_line(&child, line, sizeof line);
	ck_assert_str_eq(line, "up\n");
	ck_assert(gr_child_activity(&child, &growth.first));
	gr_child_signal(&child, SIGUSR1);
	ck_assert(wait_until(has_grown, &growth, SOON_MS));
	kill_and_finish(&child);
	ck_assert(!gr_child_activity(&child, &growth.first));
}

START_TEST(activity_of_a_busy_child_grows)
{
	check_activity_grows(PROBE);
}
END_TEST

START_TEST(activity_of_a_wrapper_is_that_of_what_it_runs)
{
	char text[512];
	int len = snprintf(text, sizeof text, "#!/bin/sh\ntrap : USR1\n'%s' \"$@\"\nexit 0\n", TEST_CHILD_PROBE);
	char *wrapper = (char *)scratch_write(&scratch, "wrapper", text, (size_t)len);
	ck_assert_int_eq(chmod(wrapper, 0755), 0);
	check_activity_grows(wrapper);
}
END_TEST

START_TEST(activity_is_found_whatever_the_name_of_the_program)
{
	char *odd = (char *)scratch_copy(&scratch, "a) R 1 2 (b", TEST_CHILD_PROBE);
	ck_assert_int_eq(chmod(odd, 0755), 0);
	check_activity_grows(odd);
}
END_TEST

/* ---- gr_child_run ---------------------------------------------------------------------------------------------- */
START_TEST(run_collects_both_streams_in_order)
{
	run(SHELL("echo one; echo two >&2; echo three"));
	ck_assert_str_eq(output, "one\ntwo\nthree\n");
}
END_TEST

static const size_t caps[] = { 1, 2, 10, 11, 12 };

START_TEST(run_keeps_the_beginning_up_to_the_cap)
{
	char *const *argv = SHELL("echo 0123456789; exit 4");
	struct gr_spawn spec = spec_of(argv);
	struct gr_exit exit;
	char small[16];
	size_t cap = caps[_i], kept = cap - 1 < 11 ? cap - 1 : 11;
	memset(small, '#', sizeof small);
	ck_assert_int_eq(gr_child_run(&spec, TIMEOUT_MS, small, cap, &exit, NULL, NULL, NULL), INF_OK);
	ck_assert_uint_eq(strlen(small), kept);
	ck_assert_mem_eq(small, "0123456789\n", kept);
	ck_assert_int_eq(small[cap], '#');
	ck_assert_int_eq(exit.value, 4);
}
END_TEST

START_TEST(run_throws_away_what_is_over_the_cap)
{
	struct gr_exit exit = run(SHELL("head -c 3000000 /dev/zero | tr '\\0' x; echo end"));
	ck_assert_int_eq(exit.value, 0);
	ck_assert_uint_eq(strlen(output), sizeof output - 1);
	ck_assert_int_eq(output[sizeof output - 2], 'x');
}
END_TEST

static void check_timeout(char *const *argv, int timeout_ms, int at_most_ms)
{
	struct gr_exit exit;
	inf_error err;
	int64_t begin = monotonic_ms();
	inf_status st = run_for(argv, timeout_ms, &exit, &err);
	int64_t took = monotonic_ms() - begin;
	ck_assert_int_eq(st, INF_E_TIMEOUT);
	ck_assert_int_eq(err.code, INF_E_TIMEOUT);
	ck_assert_str_eq(err.reason, "server_probe_timeout");
	ck_assert_int_ge(took, timeout_ms);
	ck_assert_int_le(took, at_most_ms);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGKILL);
}

START_TEST(run_past_the_timeout_kills_and_keeps_the_output)
{
	check_timeout(SHELL("echo before; trap '' TERM; while :; do sleep 1000; done"), 100, 2000);
	ck_assert_str_eq(output, "before\n");
}
END_TEST

START_TEST(run_of_a_flood_obeys_the_timeout)
{
	check_timeout(SHELL("yes & yes & yes & yes"), 200, 2000);
}
END_TEST

START_TEST(run_of_a_child_that_closed_its_output_obeys_the_timeout)
{
	check_timeout(SHELL("sleep 0.5; exec >&- 2>&-; sleep 1000"), 600, 1000);
}
END_TEST

START_TEST(run_does_not_wait_for_a_grandchild_that_holds_the_pipe)
{
	int64_t begin = monotonic_ms();
	struct gr_exit exit = run(ARGV(PROBE, (char *)"--escape"));
	int64_t took = monotonic_ms() - begin;
	pid_t escaped = (pid_t)value_of("escaped ");
	ck_assert_int_eq(exit.kind, GR_EXIT_CODE);
	ck_assert_int_lt(took, TIMEOUT_MS / 2);
	kill(escaped, SIGKILL);
	ck_assert(wait_until(process_gone, &escaped, SOON_MS));
}
END_TEST

struct waiting {
	int asked, stop_at;		/* 0 = never */
};

static int ask(void *user)
{
	struct waiting *waiting = user;
	return ++waiting->asked == waiting->stop_at;
}

static inf_status run_asking(char *const *argv, struct waiting *waiting, struct gr_exit *out_exit, inf_error *err)
{
	struct gr_spawn spec = spec_of(argv);
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_child_run(&spec, TIMEOUT_MS, output, sizeof output, out_exit, ask, waiting, err);
}

START_TEST(run_asks_whether_to_go_on_ten_times_a_second_or_more)
{
	struct waiting waiting = { 0 };
	struct gr_exit exit;
	inf_error err;
	int64_t begin = monotonic_ms();
	ck_assert_int_eq(run_asking(SHELL("sleep 0.3; echo done"), &waiting, &exit, &err), INF_OK);
	int64_t took = monotonic_ms() - begin;
	ck_assert_str_eq(output, "done\n");
	ck_assert_int_ge(waiting.asked, (int)(took / 100));
}
END_TEST

START_TEST(run_that_is_stopped_kills_the_child)
{
	struct waiting waiting = { .stop_at = 3 };
	struct gr_exit exit;
	inf_error err;
	ck_assert_int_eq(run_asking(SHELL("trap '' TERM; sleep 1000 & wait"), &waiting, &exit, &err), INF_E_CANCELLED);
	ck_assert_int_eq(err.code, INF_E_CANCELLED);
	ck_assert_int_eq(waiting.asked, 3);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGKILL);
}
END_TEST

/* ---- other threads --------------------------------------------------------------------------------------------- */
enum { RUNNERS = 6, RUNS = 8 };

static void *run_many(void *arg)
{
	int *good = arg;
	for (int i = 0; i < RUNS; i++) {
		char *const argv[] = { PROBE, NULL };
		char text[OUTPUT];
		struct gr_spawn spec = spec_of(argv);
		struct gr_exit exit;
		inf_status st = gr_child_run(&spec, TIMEOUT_MS, text, sizeof text, &exit, NULL, NULL, NULL);
		const char *third = strstr(text, "\nfd 2 ");
		*good += st == INF_OK && exit.kind == GR_EXIT_CODE && third && !strstr(third + 1, "\nfd ");
	}
	return NULL;
}

START_TEST(run_in_many_threads_mixes_nothing_up)
{
	pthread_t threads[RUNNERS];
	int good[RUNNERS] = { 0 };
	for (int i = 0; i < RUNNERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_many, &good[i]), 0);
	for (int i = 0; i < RUNNERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < RUNNERS; i++)
		ck_assert_int_eq(good[i], RUNS);
}
END_TEST

enum { FORKS_MAX = 2000 };

static struct {
	pid_t pids[FORKS_MAX];
	int count;
	atomic_bool stop, started;
} forks;

/* A host that forks without exec, as Python's multiprocessing does: the copies hold whatever was open. */
static void *keep_forking(void *arg)
{
	while (!forks.stop && forks.count < FORKS_MAX) {
		pid_t pid = fork();
		if (pid == 0)
			for (;;)
				pause();
		if (pid > 0)
			forks.pids[forks.count++] = pid;
	}
	return arg;
}

static void *start_some(void *arg)
{
	for (int i = 0; i < 30; i++) {
		struct gr_child child = start(SHELL("exit 0"));
		finish(&child);
	}
	forks.started = true;
	return arg;
}

static bool all_started(void *arg)
{
	(void)arg;
	return forks.started;
}

START_TEST(start_in_a_host_that_forks_does_not_hang)
{
	pthread_t forker, starter;
	forks.stop = forks.started = false;
	forks.count = 0;
	ck_assert_int_eq(pthread_create(&forker, NULL, keep_forking, NULL), 0);
	ck_assert_int_eq(pthread_create(&starter, NULL, start_some, NULL), 0);
	bool done = wait_until(all_started, NULL, SOON_MS / 2);
	forks.stop = true;
	pthread_join(forker, NULL);
	for (int i = 0; i < forks.count; i++)
		kill(forks.pids[i], SIGKILL);
	for (int i = 0; i < forks.count; i++)
		waitpid(forks.pids[i], NULL, 0);
	pthread_join(starter, NULL);
	ck_assert(done);
}
END_TEST

/* Instrumented code has larger frames than the contract's 64 KiB are meant for. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SMALL_STACK = 512 * 1024 };
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SMALL_STACK = 512 * 1024 };
# else
enum { SMALL_STACK = 64 * 1024 };
# endif
#else
enum { SMALL_STACK = 64 * 1024 };
#endif

static void *run_on_this_stack(void *arg)
{
	*(int *)arg = run(SHELL("exit 5")).value;
	return NULL;
}

START_TEST(run_on_a_small_stack_succeeds)
{
	pthread_attr_t attr;
	pthread_t thread;
	int value = 0;
	pthread_attr_init(&attr);
	ck_assert_int_eq(pthread_attr_setstacksize(&attr, SMALL_STACK), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, run_on_this_stack, &value), 0);
	pthread_attr_destroy(&attr);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(value, 5);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static TCase *world_case(void)
{
	TCase *tc = tcase_create("world");
	tcase_add_test(tc, child_gets_exactly_what_the_spec_says);
	tcase_add_test(tc, child_runs_in_its_own_group_and_cannot_outlive_us_or_gain_rights);
	tcase_add_test(tc, child_umask_is_private_and_ours_stays);
	tcase_add_test(tc, child_with_an_empty_environment_has_none);
	tcase_add_test(tc, child_inherits_no_descriptor_even_without_cloexec);
	tcase_add_test(tc, child_starts_with_default_signals_and_ours_stay);
	tcase_add_test(tc, run_amid_signals_succeeds);
	tcase_add_loop_test(tc, run_under_a_parent_that_ignores_sigchld_ends_with_unknown_status, 0,
			    ROWS(reaping_dispositions));
	tcase_add_test(tc, reap_after_the_host_did_it_gives_an_unknown_status);
	tcase_add_loop_test(tc, child_of_a_host_without_standard_streams_has_them, 0, ALL_CLOSED + 1);
	return tc;
}

static TCase *start_case(void)
{
	TCase *tc = tcase_create("start");
	tcase_add_loop_test(tc, start_that_fails_says_why, 0, ROWS(exec_cases));
	tcase_add_test(tc, start_of_a_directory_is_refused);
	tcase_add_loop_test(tc, start_without_free_descriptors_fails_cleanly, 0, FREE_MAX);
	tcase_add_test(tc, start_in_a_host_that_forks_does_not_hang);
	return tc;
}

static TCase *end_case(void)
{
	TCase *tc = tcase_create("end");
	tcase_add_loop_test(tc, exit_of_a_child_is_reported, 0, ROWS(exit_cases));
	tcase_add_test(tc, exit_text_of_what_is_not_known_says_so);
	tcase_add_test(tc, ended_of_a_running_child_is_false);
	tcase_add_test(tc, empty_child_can_be_asked_and_released);
	tcase_add_test(tc, reap_forgets_the_pid);
	tcase_add_test(tc, signal_reaches_grandchildren);
	tcase_add_test(tc, reap_kills_what_the_child_left_behind);
	tcase_add_test(tc, signal_after_the_host_reaped_reaches_nobody);
	tcase_add_test(tc, child_dies_with_the_thread_that_started_it);
	tcase_add_test(tc, child_dies_with_a_killed_host);
	tcase_add_test(tc, activity_of_a_busy_child_grows);
	tcase_add_test(tc, activity_of_a_wrapper_is_that_of_what_it_runs);
	tcase_add_test(tc, activity_is_found_whatever_the_name_of_the_program);
	return tc;
}

static TCase *keeper_case(void)
{
	TCase *tc = tcase_create("keeper");
	tcase_add_test(tc, kept_child_is_in_the_group_that_the_keeper_leads);
	tcase_add_test(tc, keeper_holds_nothing_but_its_pipe);
	tcase_add_loop_test(tc, signal_to_the_group_is_not_for_the_keeper, 0, ROWS(polite_signals));
	tcase_add_loop_test(tc, keeper_kills_the_group_when_its_pipe_ends_or_its_parent, 0, 2);
	tcase_add_test(tc, reap_with_a_keeper_kills_what_the_child_left_behind);
	tcase_add_test(tc, reap_with_a_keeper_kills_the_rest_though_the_host_took_the_status);
	tcase_add_test(tc, reap_in_a_host_that_ignores_sigchld_leaves_nothing);
	tcase_add_test(tc, release_of_a_running_child_ends_the_keeper);
	tcase_add_test(tc, keeper_that_was_killed_is_not_missed);
	tcase_add_test(tc, start_that_fails_leaves_no_keeper);
	tcase_add_loop_test(tc, end_of_the_host_leaves_nothing_behind_a_wrapper, 0, ROWS(host_ends));
	tcase_add_test(tc, end_of_a_child_that_the_host_forked_changes_nothing);
	return tc;
}

static TCase *run_case(void)
{
	TCase *tc = tcase_create("run");
	tcase_add_test(tc, run_collects_both_streams_in_order);
	tcase_add_loop_test(tc, run_keeps_the_beginning_up_to_the_cap, 0, ROWS(caps));
	tcase_add_test(tc, run_throws_away_what_is_over_the_cap);
	tcase_add_test(tc, run_past_the_timeout_kills_and_keeps_the_output);
	tcase_add_test(tc, run_of_a_flood_obeys_the_timeout);
	tcase_add_test(tc, run_of_a_child_that_closed_its_output_obeys_the_timeout);
	tcase_add_test(tc, run_does_not_wait_for_a_grandchild_that_holds_the_pipe);
	tcase_add_test(tc, run_asks_whether_to_go_on_ten_times_a_second_or_more);
	tcase_add_test(tc, run_that_is_stopped_kills_the_child);
	tcase_add_test(tc, run_in_many_threads_mixes_nothing_up);
	tcase_add_test(tc, run_on_a_small_stack_succeeds);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("spawn");
	TCase *cases[] = { world_case(), start_case(), end_case(), keeper_case(), run_case() };
	for (int i = 0; i < ROWS(cases); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		suite_add_tcase(suite, cases[i]);
	}
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
