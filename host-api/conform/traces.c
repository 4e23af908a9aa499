/* SPDX-License-Identifier: MIT */
/* What calls leave in the process, as /proc shows it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "world.h"

enum { LEAVE_MS = 5000, CHILDREN_MAX = 256 };

/* Numbers that name the entries of a folder; those that there are, up to cap of them kept. */
static size_t list_numbers(const char *path, pid_t *out, size_t cap)
{
	DIR *dir = opendir(path);
	size_t count = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (count < cap)
			out[count] = atoi(entry->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

size_t kit_threads(pid_t *tids, size_t cap)
{
	return list_numbers("/proc/self/task", tids, cap);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	int parent = -1;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file)
		fclose(file);
	text[len] = '\0';
	const char *behind_name = strrchr(text, ')');
	return behind_name && sscanf(behind_name, ") %*c %d", &parent) == 1 ? parent : -1;
}

size_t kit_children(pid_t parent, pid_t *pids, size_t cap)
{
	enum { PIDS_MAX = 1 << 16 };
	pid_t *all = malloc(PIDS_MAX * sizeof *all);
	size_t count = 0, n = all ? list_numbers("/proc", all, PIDS_MAX) : 0;
	for (size_t i = 0; i < n && i < PIDS_MAX; i++)
		if (parent_of(all[i]) == parent && count < cap)
			pids[count++] = all[i];
	free(all);
	return count;
}

struct kit_leftovers kit_count(void)
{
	pid_t children[CHILDREN_MAX];
	return (struct kit_leftovers){
		.fds = (int)list_numbers("/proc/self/fd", NULL, 0),
		.threads = (int)list_numbers("/proc/self/task", NULL, 0),
		.children = (int)kit_children(getpid(), children, CHILDREN_MAX),
	};
}

static bool is_no_more(void *ctx)
{
	const struct kit_leftovers *before = ctx;
	struct kit_leftovers now = kit_count();
	return now.fds <= before->fds && now.threads <= before->threads && now.children <= before->children;
}

static bool has_no_child(void *unused)
{
	(void)unused;
	pid_t child;
	return !kit_children(getpid(), &child, 1);
}

void kit_expect_no_child(struct kit *kit, const char *after_what)
{
	kit_expect(kit, kit_wait(has_no_child, NULL, kit_patience_ms(kit, LEAVE_MS)), "%s there is a child", after_what);
}

void kit_expect_no_more(struct kit *kit, const struct kit_leftovers *before, const char *after_what)
{
	struct kit_leftovers limit = *before;
	if (kit_wait(is_no_more, &limit, kit_patience_ms(kit, LEAVE_MS)))
		return;
	struct kit_leftovers now = kit_count();
	kit_fail(kit, "%s there are %d descriptors, %d threads and %d children; before, there were %d, %d and %d", after_what,
		 now.fds, now.threads, now.children, before->fds, before->threads, before->children);
}

long kit_resident_kib(void)
{
	long whole = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file && fscanf(file, "%ld %ld", &whole, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}
