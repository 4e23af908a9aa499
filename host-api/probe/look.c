/* SPDX-License-Identifier: MIT */
#include "look.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader.h"
#include "verdict.h"

enum { EXIT_NO_CHILD = 3 };

static void limit(int what, rlim_t value)
{
	struct rlimit limit = { value, value };
	setrlimit(what, &limit);
}

/* A group of its own, so that what the plugin starts can be ended with it. */
static void confine(pid_t prober)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != prober)
		_exit(EXIT_NO_CHILD);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, LOOK_CPU_SECONDS);
	limit(RLIMIT_NOFILE, LOOK_FILES_MAX);
	limit(RLIMIT_FSIZE, LOOK_WRITTEN_MAX);
}

/* The prober's own output must not be within its reach, and what it prints has to be noticed. */
static int replace_streams(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), printed_fd = memfd_create("printed", MFD_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDERR_FILENO) < 0 ||
	    dup2(printed_fd < 0 ? null_fd : printed_fd, STDOUT_FILENO) < 0)
		_exit(EXIT_NO_CHILD);
	close(null_fd);
	return printed_fd;
}

static int32_t check_manners(int printed_fd, inf_error *why)
{
	struct stat printed = { 0 };
	siginfo_t child = { 0 };
	fflush(stdout);
	if (printed_fd >= 0 && !fstat(printed_fd, &printed) && printed.st_size > 0)
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "prints", "it writes to standard output when it is loaded, "
				 "which belongs to the host: get another build of it");
	if (!waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT))
		return ih_refuse(why, INF_STATE_INCOMPATIBLE, "starts_process", "it starts a process when it is loaded, not "
				 "when it is used: get another build of it");
	return INF_STATE_AVAILABLE;
}

static void say(int fd, const void *bytes, size_t len)
{
	if (write(fd, bytes, len) < 0)
		_exit(EXIT_NO_CHILD);
}

void look_at(const char *path, uint32_t file, const struct ih_note *note, int report_fd, pid_t prober)
{
	static const char loading = LOOK_LOADING, entering = LOOK_ENTERING;
	char line[IH_REPORT_LINE_MAX];
	struct ih_report report = { .file = file, .why = { .struct_size = sizeof report.why } };
	const inf_plugin *plugin = NULL;
	inf_plugin_entry_fn entry;
	confine(prober);
	int printed_fd = replace_streams();
	say(report_fd, &loading, 1);
	report.state = ih_loader_open(path, &entry, &report.why);
	if (report.state == INF_STATE_AVAILABLE) {
		say(report_fd, &entering, 1);
		report.state = ih_loader_enter(entry, note, &plugin, &report.why);
	}
	if (report.state == INF_STATE_AVAILABLE)
		report.state = check_manners(printed_fd, &report.why);
	if (report.state != INF_STATE_AVAILABLE)
		plugin = NULL;
	say(report_fd, line, ih_report_write(line, sizeof line, &report, plugin));
	_exit(0);
}
