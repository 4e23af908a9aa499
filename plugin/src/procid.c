/* SPDX-License-Identifier: MIT */
#include "procid.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, cap - 1) : -1;
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

const char *gr_procid_stat(pid_t pid, char buf[GR_PROCID_STAT])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!read_file(path, buf, GR_PROCID_STAT))
		return NULL;
	/* The name may hold anything, ')' too: the fields begin after the last one. */
	const char *end = strrchr(buf, ')');
	return end && end[1] == ' ' ? end + 2 : NULL;
}

static bool start_of(pid_t pid, char *out_state, uint64_t *out)
{
	char text[GR_PROCID_STAT];
	unsigned long long start;
	const char *fields = gr_procid_stat(pid, text);
	/* Field 22; the first after the name is field 3. */
	if (!fields || sscanf(fields, "%c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			      out_state, &start) != 2)
		return false;
	*out = start;
	return true;
}

static bool look_around(struct gr_procid *out)
{
	struct stat namespace;
	if (!read_file("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot) ||
	    stat("/proc/self/ns/pid", &namespace) != 0)
		return false;
	out->boot[strcspn(out->boot, "\n")] = '\0';
	out->pid_namespace = namespace.st_ino;
	return true;
}

bool gr_procid_of(struct gr_procid *out, pid_t pid)
{
	struct gr_procid self = { .pid = pid };
	char state;
	if (!look_around(&self) || !start_of(pid, &state, &self.start_ticks))
		return false;
	*out = self;
	return true;
}

bool gr_procid_here(const struct gr_procid *self)
{
	struct gr_procid here;
	return look_around(&here) && strcmp(self->boot, here.boot) == 0 && self->pid_namespace == here.pid_namespace;
}

bool gr_procid_gone(const struct gr_procid *self)
{
	uint64_t start;
	char state;
	return !start_of(self->pid, &state, &start) || start != self->start_ticks || state == 'Z' || state == 'X';
}

static bool is_ours(pid_t pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return stat(path, &st) == 0 && st.st_uid == geteuid();
}

static void wait_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	while (poll(&p, 1, GR_PROCID_KILL_MS) < 0 && errno == EINTR)
		;
}

bool gr_procid_kill(const struct gr_procid *self)
{
	if (self->pid <= 1 || self->pid == getpid() || !gr_procid_here(self))
		return false;
	/* Once it is held, the number cannot pass on to another process between the look and the signal. */
	int pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
	if (pidfd < 0)
		return false;
	bool killed = !gr_procid_gone(self) && is_ours(self->pid) &&
		      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
	if (killed)
		wait_ended(pidfd);
	close(pidfd);
	return killed;
}
