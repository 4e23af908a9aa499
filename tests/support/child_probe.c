/* SPDX-License-Identifier: MIT */
/*
 * child_probe: a child that tells how it was started, one fact a line.
 *
 * child_probe [arg...]		print everything and exit
 * child_probe --busy		say "up"; from SIGUSR1 on compute, read and allocate until it is killed
 * child_probe --terms N	say "up", count the SIGTERMs aloud, end at the Nth
 * child_probe --escape		leave a process in a session of its own that holds the output open, print its pid, exit
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { LIFETIME_S = 30, STEP = 1 << 16 };

static void print_ids(void)
{
	printf("pid %d\nppid %d\npgid %d\nsid %d\n", (int)getpid(), (int)getppid(), (int)getpgrp(), (int)getsid(0));
}

static void print_place(void)
{
	char cwd[4096];
	printf("cwd %s\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
	printf("umask %04o\n", (unsigned)umask(0));
}

static void print_limits(void)
{
	int signal = 0;
	prctl(PR_GET_PDEATHSIG, &signal);
	printf("pdeathsig %d\nno_new_privs %d\n", signal, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void print_signals(void)
{
	char line[256], value[64];
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "SigBlk: %63s", value) == 1)
			printf("blocked %s\n", value);
		if (sscanf(line, "SigIgn: %63s", value) == 1)
			printf("ignored %s\n", value);
	}
	if (file)
		fclose(file);
}

static void print_descriptors(void)
{
	char target[4096];
	DIR *dir = opendir("/proc/self/fd");
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
		printf("fd %s %.*s\n", entry->d_name, (int)(n > 0 ? n : 0), target);
	}
	if (dir)
		closedir(dir);
}

static sigset_t block(int sig)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

static void say_up(void)
{
	alarm(LIFETIME_S);
	puts("up");
	fflush(stdout);
}

static void be_busy(void)
{
	static char bytes[STEP], *volatile kept;	/* or the compiler would do without the memory */
	const sigset_t begin = block(SIGUSR1);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	say_up();
	sigwaitinfo(&begin, NULL);
	for (size_t step = 0;; step++) {
		ssize_t n = read(zero, bytes, sizeof bytes);
		if (step < 1024 && n > 0 && (kept = malloc(STEP)))
			memcpy(kept, bytes, (size_t)n);
	}
}

static void count_terms(int end)
{
	const sigset_t term = block(SIGTERM);
	say_up();
	for (int i = 1; i <= end; i++) {
		sigwaitinfo(&term, NULL);
		printf("term %d\n", i);
		fflush(stdout);
	}
}

static void escape(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		alarm(LIFETIME_S);
		for (;;)
			pause();
	}
	printf("escaped %d\n", (int)pid);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--busy") == 0)
		be_busy();
	if (argc > 1 && strcmp(argv[1], "--escape") == 0) {
		escape();
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--terms") == 0) {
		count_terms(atoi(argv[2]));
		return 0;
	}
	print_ids();
	print_place();
	print_limits();
	print_signals();
	print_descriptors();
	for (char **at = environ; *at; at++)
		printf("env %s\n", *at);
	for (int i = 0; i < argc; i++)
		printf("arg %s\n", argv[i]);
	return 0;
}
