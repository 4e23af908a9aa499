/* SPDX-License-Identifier: MIT */
/* A check in a process of its own, and what it says through a pipe: lines "fail", "skip" or "note", a tab and text; "done". */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"
#include "spy.h"
#include "world.h"

enum { ARGV_MAX = 128, REPORT_MAX = 1 << 16, SENTENCES_MAX = 4 };

/* ---- the child's side ------------------------------------------------------------------------------------------ */
static void say(struct kit *kit, const char *kind, const char *fmt, va_list ap)
{
	char line[KIT_LINE_MAX];
	int head = snprintf(line, sizeof line, "%s\t", kind);
	vsnprintf(line + head, sizeof line - (size_t)head - 1, fmt, ap);
	for (char *p = line + head; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	inf_utf8_fix(line);
	strcat(line, "\n");
	ssize_t written = write(kit->report_fd, line, strlen(line));	/* whole: shorter than PIPE_BUF */
	(void)written;
}

#define SAY(kind) do { va_list ap; va_start(ap, fmt); say(kit, kind, fmt, ap); va_end(ap); } while (0)

void kit_fail(struct kit *kit, const char *fmt, ...)
{
	SAY("fail");
}

void kit_skip(struct kit *kit, const char *fmt, ...)
{
	SAY("skip");
}

void kit_note(struct kit *kit, const char *fmt, ...)
{
	SAY("note");
}

bool kit_expect(struct kit *kit, bool holds, const char *fmt, ...)
{
	if (!holds)
		SAY("fail");
	return holds;
}

/* Where an option belongs, the plugin says itself; else by its form. */
static bool is_of_instance(const struct kit *kit, const char *key)
{
	const inf_options *table = kit->backend->get_extension ?
		kit->backend->get_extension(NULL, kit->backend, NULL, INF_EXT_OPTIONS) : NULL;
	for (uint32_t i = 0; table && i < table->count; i++)
		if (!strcmp(table->options[i]->key, key))
			return table->options[i]->where & INF_OPTION_AT_INSTANCE;
	return strchr(key, '.') != NULL;
}

static void sort_settings(struct kit *kit)
{
	for (size_t i = 0; i < kit->args->setting_count; i++) {
		const inf_kv *setting = &kit->args->settings[i];
		if (is_of_instance(kit, setting->key))
			kit->at_create[kit->create_count++] = *setting;
		else
			kit->at_load[kit->load_count++] = *setting;
	}
}

static bool choose_backend(struct kit *kit)
{
	const char *name = kit->args->backend;
	for (size_t i = 0; i < kit->plugin->backend_count; i++)
		if (!name || !strcmp(kit->plugin->backends[i]->name, name)) {
			kit->backend = kit->plugin->backends[i];
			return true;
		}
	kit_fail(kit, "the plugin has no backend \"%s\"", name ? name : "");
	return false;
}

static bool open_plugin(struct kit *kit)
{
	spy_begin();
	kit->library = dlopen(kit->args->plugin, RTLD_NOW | RTLD_LOCAL);
	if (!kit->library) {
		kit_fail(kit, "%s", dlerror());
		return false;
	}
	inf_plugin_entry_fn entry;
	*(void **)&entry = dlsym(kit->library, INF_ENTRY_SYMBOL);
	kit->plugin = entry ? entry() : NULL;
	if (!kit->plugin) {
		kit_fail(kit, entry ? "the entry returned NULL" : "there is no " INF_ENTRY_SYMBOL "()");
		return false;
	}
	if (!choose_backend(kit))
		return false;
	sort_settings(kit);
	return true;
}

int kit_run_here(const struct kit_args *args)
{
	struct kit kit = { .args = args, .report_fd = args->report_fd };
	const struct kit_check *check = kit_check_find(args->run);
	if (!check || fcntl(args->report_fd, F_SETFD, FD_CLOEXEC))
		return 2;
	srandom(args->seed);
	if (check->need == KIT_FILE || open_plugin(&kit))
		check->run(&kit);
	ssize_t written = write(kit.report_fd, "done\n", 5);
	(void)written;
	_exit(0);	/* what a plugin leaves to run at the end is no part of the check */
}

/* ---- the parent's side ----------------------------------------------------------------------------------------- */
static pid_t start(char **argv, int number, int report_fd)
{
	char run[16], fd[16], *child[ARGV_MAX];
	size_t n = 0;
	snprintf(run, sizeof run, "%d", number);
	snprintf(fd, sizeof fd, "%d", report_fd);
	child[n++] = argv[0];
	child[n++] = (char[]){ "--run" };
	child[n++] = run;
	child[n++] = (char[]){ "--report" };
	child[n++] = fd;
	for (char **arg = argv + 1; *arg && n < ARGV_MAX - 1; arg++)
		child[n++] = *arg;
	child[n] = NULL;
	pid_t pid = fork();
	if (pid)
		return pid;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(report_fd, F_SETFD, 0);	/* before, it is not passed on to the processes of other checks */
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(2, 1);	/* so that a plugin that prints does not spoil the report */
	execv("/proc/self/exe", child);
	_exit(127);
}

/* The process ends with this. What it left behind may still hold its side of the pipe. */
static bool is_done(const char *text, size_t len)
{
	static const char last[] = "done\n";
	size_t n = sizeof last - 1;
	return len >= n && !memcmp(text + len - n, last, n) && (len == n || text[len - n - 1] == '\n');
}

/* Reads until it is done, the other side is closed or the time is over; returns whether the time was enough. */
static bool read_report(int fd, int timeout_s, char *text)
{
	int64_t deadline = kit_now_ns() + (int64_t)timeout_s * 1000000000;
	size_t len = 0;
	text[0] = '\0';
	for (;;) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		int64_t left_ms = (deadline - kit_now_ns()) / 1000000;
		if (left_ms <= 0)
			return false;
		if (poll(&pollfd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, text + len, REPORT_MAX - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		text[len] = '\0';
		if (n <= 0 || is_done(text, len))
			return true;
	}
}

static void append(struct kit_outcome *out, const char *text)
{
	size_t len = strlen(out->detail);
	snprintf(out->detail + len, sizeof out->detail - len, "%s%s", len ? "; " : "", text);
	inf_utf8_fix(out->detail);
}

/* Failures say more than what was skipped, and that more than notes. Returns whether the child came to its end. */
static bool digest(char *text, struct kit_outcome *out)
{
	static const struct { const char *kind; enum kit_result result; } kinds[] = {
		{ "fail\t", KIT_FAILED }, { "skip\t", KIT_SKIPPED }, { "note\t", KIT_PASS },
	};
	bool done = false;
	char *copy = strdup(text), more[32];
	out->result = KIT_PASS;
	for (size_t i = 0; copy && i < sizeof kinds / sizeof *kinds && !out->detail[0]; i++) {
		char *rest = strcpy(copy, text);
		size_t count = 0;
		for (char *line; (line = strsep(&rest, "\n"));) {
			done |= !strcmp(line, "done");
			if (strncmp(line, kinds[i].kind, 5))
				continue;
			out->result = kinds[i].result;
			if (count++ < SENTENCES_MAX)
				append(out, line + 5);
		}
		snprintf(more, sizeof more, "and %zu more", count - SENTENCES_MAX);
		if (count > SENTENCES_MAX)
			append(out, more);
	}
	free(copy);
	return done;
}

static void explain_end(int status, bool timed_out, int timeout_s, struct kit_outcome *out)
{
	char text[128];
	out->result = KIT_FAILED;
	if (timed_out)
		snprintf(text, sizeof text, "the check did not end within %d s", timeout_s);
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "the process died of %s", strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "the process ended in the midst of it, with exit status %d", WEXITSTATUS(status));
	append(out, text);
}

static void wait_for(int report_fd, pid_t pid, int timeout_s, struct kit_outcome *out)
{
	char *text = malloc(REPORT_MAX);
	int status = 0;
	bool in_time = text && read_report(report_fd, timeout_s, text);
	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	if (!text || !digest(text, out))
		explain_end(status, !in_time, timeout_s, out);
	free(text);
}

void kit_run_child(const struct kit_args *args, char **argv, const struct kit_check *check, struct kit_outcome *out)
{
	int fds[2];
	*out = (struct kit_outcome){ .result = KIT_NOT_CHECKED };
	if (check->need == KIT_MODEL && !args->model) {
		out->result = KIT_SKIPPED;
		append(out, "needs -m");
		return;
	}
	if (pipe2(fds, O_CLOEXEC)) {
		append(out, strerror(errno));
		return;
	}
	pid_t pid = start(argv, check->number, fds[1]);
	close(fds[1]);
	if (pid < 0)
		append(out, strerror(errno));
	else
		wait_for(fds[0], pid, args->timeout_s, out);
	close(fds[0]);
}
