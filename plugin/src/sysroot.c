/* SPDX-License-Identifier: MIT */
#include "sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the real one ---------------------------------------------------------------------------------------------- */
static int root_of(const void *ctx)
{
	return ((const struct gr_sysroot *)ctx)->fd;
}

/* A device node must not be opened even by mistake, and of a pipe nothing can be read. */
static int open_regular(int root, const char *path)
{
	struct stat st;
	if (fstatat(root, path, &st, 0) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static ssize_t real_read_file(void *ctx, const char *path, uint64_t offset, char *buf, size_t cap)
{
	int fd = open_regular(root_of(ctx), path);
	if (fd < 0)
		return fd;
	ssize_t n = pread(fd, buf, cap, (off_t)offset);	/* of a regular file the whole, or all to its end */
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

static int real_list_dir(void *ctx, const char *path, gr_sysroot_name_fn *fn, void *user)
{
	int fd = openat(root_of(ctx), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int error = errno;
		close(fd);
		return -error;
	}
	const struct dirent *entry;
	for (int i = 0; i < GR_SYSROOT_LIST_MAX && (entry = readdir(dir)); i++)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && fn(entry->d_name, user) != 0)
			break;
	closedir(dir);
	return 0;
}

static int real_access_rw(void *ctx, const char *path)
{
	return faccessat(root_of(ctx), path, R_OK | W_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

static ssize_t real_read_link(void *ctx, const char *path, char *buf, size_t cap)
{
	ssize_t n = readlinkat(root_of(ctx), path, buf, cap);
	if (n < 0)
		return -errno;
	if ((size_t)n >= cap)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return n;
}

static int real_stat_node(void *ctx, const char *path, struct gr_sysroot_node *out)
{
	struct stat st;
	if (fstatat(root_of(ctx), path, &st, 0) != 0)
		return -errno;
	*out = (struct gr_sysroot_node){ .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid };
	return 0;
}

int gr_sysroot_open(struct gr_sysroot *self, const char *root)
{
	*self = (struct gr_sysroot)GR_SYSROOT_INIT;
	self->fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self->fd < 0)
		return -errno;
	self->ops = (struct gr_sysroot_ops){
		.ctx = self, .read_file = real_read_file, .list_dir = real_list_dir, .access_rw = real_access_rw,
		.read_link = real_read_link, .stat_node = real_stat_node,
	};
	return 0;
}

void gr_sysroot_release(struct gr_sysroot *self)
{
	if (!self || self->fd < 0)
		return;
	close(self->fd);
	self->fd = -1;
}

/* ---- over any table -------------------------------------------------------------------------------------------- */
static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* An interrupted read is begun again. */
static ssize_t read_piece(const struct gr_sysroot_ops *ops, const char *path, uint64_t offset, char *buf, size_t cap)
{
	ssize_t n = -EINTR;
	for (int i = 0; i < GR_SYSROOT_EINTR_MAX && n == -EINTR; i++)
		n = ops->read_file(ops->ctx, path, offset, buf, cap);
	return n;
}

ssize_t gr_sysroot_text(const struct gr_sysroot_ops *ops, const char *path, char *buf, size_t cap)
{
	ssize_t n = read_piece(ops, path, 0, buf, cap - 1);
	if (n < 0) {
		buf[0] = '\0';
		return n;
	}
	while (n > 0 && is_space(buf[n - 1]))
		n--;
	buf[n] = '\0';
	return n;
}

bool gr_parse_u64(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*out = value;
	return true;
}

int gr_sysroot_u64(const struct gr_sysroot_ops *ops, const char *path, uint64_t *out)
{
	char text[64];
	ssize_t n = gr_sysroot_text(ops, path, text, sizeof text);
	if (n < 0)
		return (int)n;
	return strlen(text) == (size_t)n && gr_parse_u64(text, out) ? 0 : -EBADMSG;
}

bool gr_sysroot_exists(const struct gr_sysroot_ops *ops, const char *path)
{
	struct gr_sysroot_node node;
	return ops->stat_node(ops->ctx, path, &node) == 0;
}

/* Whole lines of a piece of a file: how many bytes they are, 0 if fn ended it or there is none. */
static size_t lines_of(char *text, size_t len, gr_sysroot_line_fn *fn, void *user)
{
	size_t done = 0;
	char *newline;
	while ((newline = memchr(text + done, '\n', len - done))) {
		*newline = '\0';
		if (fn(text + done, user) != 0)
			return 0;
		done = (size_t)(newline - text) + 1;
	}
	return done;
}

void gr_sysroot_each_line(const struct gr_sysroot_ops *ops, const char *path, gr_sysroot_line_fn *fn, void *user)
{
	char text[GR_SYSROOT_LINE_MAX];
	size_t done = 1;
	for (uint64_t at = 0; done && at < GR_SYSROOT_LINES_MAX; at += done) {
		ssize_t n = read_piece(ops, path, at, text, sizeof text);
		done = n > 0 ? lines_of(text, (size_t)n, fn, user) : 0;
	}
}

struct group_search {
	gid_t gid;
	char *out;
	size_t cap;
	bool found;
};

/* "render:x:992:user,other" */
static int take_group(char *line, void *user)
{
	struct group_search *self = user;
	uint64_t gid;
	const char *name = strsep(&line, ":"), *number;
	strsep(&line, ":");
	number = strsep(&line, ":");
	if (!number || !*name || !gr_parse_u64(number, &gid) || gid != self->gid)
		return 0;
	self->found = (size_t)snprintf(self->out, self->cap, "%s", name) < self->cap;
	return 1;
}

bool gr_sysroot_group(const struct gr_sysroot_ops *ops, gid_t gid, char *out, size_t cap)
{
	struct group_search search = { .gid = gid, .out = out, .cap = cap };
	gr_sysroot_each_line(ops, "etc/group", take_group, &search);
	return search.found;
}

/* Take the first component off *rest. */
static bool next_component(const char **rest, const char **name, size_t *len)
{
	const char *at = *rest;
	while (*at == '/')
		at++;
	*name = at;
	*len = strcspn(at, "/");
	*rest = at + *len;
	return *len > 0;
}

static int append_component(char *path, size_t cap, const char *name, size_t len)
{
	size_t used = strlen(path);
	if (used + len + 2 > cap)
		return -ENAMETOOLONG;
	snprintf(path + used, cap - used, "%s%.*s", used ? "/" : "", (int)len, name);
	return 0;
}

static void drop_component(char *path)
{
	char *slash = strrchr(path, '/');
	*(slash ? slash : path) = '\0';
}

/* The last component of out is a link to target: what is left to walk is target and then rest. */
static int follow(char *out, const char *target, char *pending, const char *rest)
{
	char joined[GR_SYSROOT_PATH_MAX];
	if (snprintf(joined, sizeof joined, "%s%s", target, rest) >= (int)sizeof joined)
		return -ENAMETOOLONG;
	if (*target == '/')
		*out = '\0';
	else
		drop_component(out);
	memcpy(pending, joined, strlen(joined) + 1);
	return 0;
}

int gr_sysroot_real(const struct gr_sysroot_ops *ops, const char *path, char *out, size_t cap)
{
	char pending[GR_SYSROOT_PATH_MAX], target[GR_SYSROOT_PATH_MAX];
	const char *rest = pending, *name;
	size_t len;
	int links = 0, error = 0;
	if (snprintf(pending, sizeof pending, "%s", path) >= (int)sizeof pending)
		return -ENAMETOOLONG;
	*out = '\0';
	while (error == 0 && next_component(&rest, &name, &len)) {
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			drop_component(out);
			continue;
		}
		error = append_component(out, cap, name, len);
		if (error || ops->read_link(ops->ctx, out, target, sizeof target) < 0)
			continue;
		error = ++links > GR_SYSROOT_LINKS_MAX ? -ELOOP : follow(out, target, pending, rest);
		rest = pending;
	}
	if (error == 0 && *out && !gr_sysroot_exists(ops, out))
		error = -ENOENT;
	if (error)
		*out = '\0';
	return error;
}
