/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64, HEAD_MAX = 256, DIGITS_MAX = 18 };

/* ---- the directory ---- */

static bool is_ours(int fd, uid_t euid)
{
	struct stat st;
	return !fstat(fd, &st) && st.st_uid == euid && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Nothing is made in a directory of somebody else: root with the HOME of a user would leave him what he cannot use. */
static int descend(int parent, const char *name, int follow, uid_t euid)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow;
	int fd = parent < 0 ? -1 : openat(parent, name, flags);
	if (fd < 0 && parent >= 0 && errno == ENOENT && !mkdirat(parent, name, 0700))
		fd = openat(parent, name, flags);
	if (parent >= 0)
		close(parent);
	if (fd >= 0 && !is_ours(fd, euid)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_base(const char *path, uid_t euid)
{
	int fd = path && path[0] == '/' ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0 && !is_ours(fd, euid)) {
		close(fd);
		return -1;
	}
	return fd;
}

void ih_cache_open(struct ih_cache *self, const char *xdg_cache_home, const char *home, uid_t euid)
{
	int fd;
	if (xdg_cache_home && xdg_cache_home[0] == '/') {
		mkdir(xdg_cache_home, 0700);
		fd = open_base(xdg_cache_home, euid);
	} else {
		fd = descend(open_base(home, euid), ".cache", 0, euid);
	}
	self->dir_fd = descend(descend(fd, "inference", O_NOFOLLOW, euid), "probe", O_NOFOLLOW, euid);
}

void ih_cache_release(struct ih_cache *self)
{
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	self->dir_fd = -1;
}

/* ---- one verdict ---- */

/* A hash (FNV-1a) is name enough: whose verdict it is says the head. */
static void name_of(char out[NAME_BYTES], const char *path, const char *suffix)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	snprintf(out, NAME_BYTES, "%016llx%s", (unsigned long long)hash, suffix);
}

/* All of the first line but the time. */
static size_t head_of(char out[HEAD_MAX], const struct ih_file_id *id)
{
	return (size_t)snprintf(out, HEAD_MAX, "inf-probe %s %llx %llx %llu %lld.%09ld ", INF_VERSION,
				(unsigned long long)id->dev, (unsigned long long)id->ino, (unsigned long long)id->size,
				(long long)id->changed.tv_sec, id->changed.tv_nsec);
}

static bool may_pass(const struct ih_report *report)
{
	return report->state == INF_STATE_TIMED_OUT || !strcmp(report->why.reason, "dlopen");
}

static bool read_time(const char **at, const char *end, int64_t *out)
{
	int digits = 0;
	for (*out = 0; *at < end && **at >= '0' && **at <= '9' && digits < DIGITS_MAX; (*at)++, digits++)
		*out = *out * 10 + (**at - '0');
	return digits && *at < end && *(*at)++ == '\n';
}

static size_t read_file(int dir_fd, const char *name, char *out, size_t cap)
{
	struct stat st;
	ssize_t n = -1;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = read(fd, out, cap);
	close(fd);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

bool ih_cache_find(const struct ih_cache *self, const char *path, const struct ih_file_id *id, int64_t now_s,
		   struct ih_report *out)
{
	char name[NAME_BYTES], head[HEAD_MAX], text[IH_CACHE_FILE_MAX + 1];
	struct ih_report found;
	int64_t when;
	if (self->dir_fd < 0)
		return false;
	name_of(name, path, "");
	size_t len = read_file(self->dir_fd, name, text, sizeof text), head_len = head_of(head, id);
	const char *at = text + head_len, *end = text + len;
	if (len <= head_len || memcmp(text, head, head_len) || !read_time(&at, end, &when) ||
	    !ih_report_read(&found, at, (size_t)(end - at)))
		return false;
	if (may_pass(&found) && (when > now_s || now_s - when >= IH_CACHE_EXPIRY_S))
		return false;
	*out = found;
	return true;
}

static bool write_file(int dir_fd, const char *name, const char *text, size_t len)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool written = write(fd, text, len) == (ssize_t)len;
	return !close(fd) && written;
}

void ih_cache_store(const struct ih_cache *self, const char *path, const struct ih_file_id *id, int64_t now_s,
		    const struct ih_report *report)
{
	char name[NAME_BYTES], fresh[NAME_BYTES], suffix[24], text[IH_CACHE_FILE_MAX];
	if (self->dir_fd < 0)
		return;
	size_t len = head_of(text, id);
	len += (size_t)snprintf(text + len, sizeof text - len, "%lld\n", (long long)now_s);
	size_t line = ih_report_write(text + len, sizeof text - len, report, NULL);
	if (!line)
		return;
	snprintf(suffix, sizeof suffix, ".%d", (int)gettid());
	name_of(name, path, "");
	name_of(fresh, path, suffix);
	if (!write_file(self->dir_fd, fresh, text, len + line) || renameat(self->dir_fd, fresh, self->dir_fd, name))
		unlinkat(self->dir_fd, fresh, 0);	/* also what a killed host may have left under that name */
}
