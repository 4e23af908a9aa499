/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RESTORE_MS = 5000, STEP_MS = 1, DIFF_MAX = 2048 };

static void *end_at_once(void *arg)
{
	return arg;
}

/* A sanitizer starts a helper of its own with the first thread of a process: it shall be there before any census. */
__attribute__((constructor)) static void start_helpers(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
		pthread_join(thread, NULL);
}

/* Call each() for every entry of a directory whose name is a number. Returns how many there were. */
static int each_number(const char *path, void (*each)(long number, void *ctx), void *ctx)
{
	int count = 0;
	DIR *dir = opendir(path);
	ck_assert_msg(dir != NULL, "%s", path);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		long number = strtol(entry->d_name, NULL, 10);
		if (number == dirfd(dir) && strcmp(path, "/proc/self/fd") == 0)
			continue;
		if (each)
			each(number, ctx);
		count++;
	}
	closedir(dir);
	return count;
}

bool process_look(pid_t pid, char *out_state, pid_t *out_parent, pid_t *out_group)
{
	char path[64], text[512];
	int parent, group;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	const char *fields = strrchr(text, ')');
	if (!fields || sscanf(fields, ") %c %d %d", out_state, &parent, &group) != 3)
		return false;
	*out_parent = parent;
	*out_group = group;
	return true;
}

struct children {
	pid_t parent;
	pid_t *out;
	size_t cap, count;
};

static void add_child(long pid, void *ctx)
{
	struct children *children = ctx;
	char state;
	pid_t parent, group;
	if (!process_look((pid_t)pid, &state, &parent, &group) || parent != children->parent)
		return;
	if (children->count < children->cap)
		children->out[children->count] = (pid_t)pid;
	children->count++;
}

size_t process_children_of(pid_t parent, pid_t *out, size_t cap)
{
	struct children children = { parent, out, cap, 0 };
	each_number("/proc", add_child, &children);
	return children.count;
}

size_t process_children(pid_t *out, size_t cap)
{
	return process_children_of(getpid(), out, cap);
}

bool process_gone(void *pid)
{
	char state;
	pid_t parent, group;
	return !process_look(*(const pid_t *)pid, &state, &parent, &group) || state == 'Z' || state == 'X';
}

struct process_census census_take(void)
{
	return (struct process_census){
		.threads = each_number("/proc/self/task", NULL, NULL),
		.fds = each_number("/proc/self/fd", NULL, NULL),
		.children = (int)process_children(NULL, 0),
	};
}

struct text {
	char *out;
	size_t cap, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text->out + text->len, text->cap - text->len, format, ap);
	va_end(ap);
	text->len += (size_t)n < text->cap - text->len ? (size_t)n : text->cap - text->len - 1;
}

static void add_fd(long fd, void *ctx)
{
	char path[64], target[128];
	snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	add(ctx, " %ld=%s", fd, target);
}

static void add_children(struct text *text)
{
	pid_t pids[PROCESS_CHILDREN_MAX];
	size_t count = process_children(pids, PROCESS_CHILDREN_MAX);
	for (size_t i = 0; i < count && i < PROCESS_CHILDREN_MAX; i++)
		add(text, " %d", (int)pids[i]);
}

bool census_equal(const struct process_census *before, const struct process_census *now, char *diff, size_t cap)
{
	bool equal = before->threads == now->threads && before->fds == now->fds && before->children == now->children;
	if (equal || !diff || !cap)
		return equal;
	struct text text = { diff, cap, 0 };
	add(&text, "threads %d were %d, descriptors %d were %d, children %d were %d; open:", now->threads,
	    before->threads, now->fds, before->fds, now->children, before->children);
	each_number("/proc/self/fd", add_fd, &text);
	add(&text, "; running:");
	add_children(&text);
	return false;
}

static bool restored(void *before)
{
	struct process_census now = census_take();
	return census_equal(before, &now, NULL, 0);
}

void census_assert_restored(const struct process_census *before)
{
	char diff[DIFF_MAX];
	struct process_census expected = *before;
	if (wait_until(restored, &expected, RESTORE_MS))
		return;
	struct process_census now = census_take();
	if (!census_equal(before, &now, diff, sizeof diff))
		ck_abort_msg("%s", diff);
}

int64_t monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool wait_until(bool (*condition)(void *ctx), void *ctx, int timeout_ms)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	for (int64_t deadline = monotonic_ms() + timeout_ms; monotonic_ms() < deadline;) {
		if (condition(ctx))
			return true;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
	}
	return condition(ctx);
}
