/* SPDX-License-Identifier: MIT */
#include "look.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loader.h"

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
}

/* What it prints is nobody's business, and the prober's own output must not be within its reach. */
static void hide_streams(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null_fd < 0 || dup2(null_fd, fd) < 0)
			_exit(EXIT_NO_CHILD);
	close(null_fd);
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
	hide_streams();
	say(report_fd, &loading, 1);
	report.state = ih_loader_open(path, &entry, &report.why);
	if (report.state == INF_STATE_AVAILABLE) {
		say(report_fd, &entering, 1);
		report.state = ih_loader_enter(entry, note, &plugin, &report.why);
	}
	say(report_fd, line, ih_report_write(line, sizeof line, &report, plugin));
	_exit(0);
}
