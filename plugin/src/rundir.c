/* SPDX-License-Identifier: MIT */
#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "procid.h"
#include "strv.h"

#define PREFIX "inference-"
#define OWNER "owner"

enum { RANDOM = 6, BASES = 3 };

/* Where directories are made, the best place first. */
static void list_bases(const char *out[BASES], char *const *env)
{
	out[0] = gr_env_get(env, "XDG_RUNTIME_DIR");
	out[1] = gr_env_get(env, "TMPDIR");
	out[2] = "/tmp";
}

/* ---- whose it is ----------------------------------------------------------------------------------------------- */
struct owner {
	struct gr_procid host, server;	/* server.pid 0 = none was started */
};

static void write_owner(int fd, pid_t server_pid)
{
	char text[GR_RUNDIR_OWNER];
	struct owner owner;
	if (!gr_procid_of(&owner.host, getpid()))
		return;
	int len = snprintf(text, sizeof text, "boot %s\npid-namespace %" PRIu64 "\nhost %d %" PRIu64 "\n",
			   owner.host.boot, owner.host.pid_namespace, (int)owner.host.pid, owner.host.start_ticks);
	if (server_pid > 0 && gr_procid_of(&owner.server, server_pid))
		len += snprintf(text + len, sizeof text - (size_t)len, "server %d %" PRIu64 "\n", (int)server_pid,
				owner.server.start_ticks);
	if (pwrite(fd, text, (size_t)len, 0) != len)
		return;
	while (ftruncate(fd, len) < 0 && errno == EINTR)
		;
}

static bool is_pid(uint64_t number)
{
	return number > 0 && number <= INT32_MAX;
}

static bool parse_owner(struct owner *out, const char *text)
{
	struct owner self = { 0 };
	uint64_t host, server;
	int len = 0, more = 0;
	if (sscanf(text, "boot %39[0-9a-f-]\npid-namespace %" SCNu64 "\nhost %" SCNu64 " %" SCNu64 "%n", self.host.boot,
		   &self.host.pid_namespace, &host, &self.host.start_ticks, &len) != 4 || !is_pid(host))
		return false;
	self.host.pid = (pid_t)host;
	self.server = self.host;
	self.server.pid = 0;
	if (strcmp(text + len, "\n") == 0) {
		*out = self;
		return true;
	}
	if (sscanf(text + len, "\nserver %" SCNu64 " %" SCNu64 "%n", &server, &self.server.start_ticks, &more) != 2 ||
	    strcmp(text + len + more, "\n") != 0 || !is_pid(server))
		return false;
	self.server.pid = (pid_t)server;
	*out = self;
	return true;
}

static bool read_owner(struct owner *out, int fd)
{
	char text[GR_RUNDIR_OWNER];
	ssize_t len = pread(fd, text, sizeof text - 1, 0);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return strlen(text) == (size_t)len && parse_owner(out, text);
}

/* The lock comes before the first byte: a file that can be read and is not locked was left behind. */
static int make_owner(const char *directory)
{
	char path[GR_RUNDIR_PATH + sizeof "/" OWNER];
	snprintf(path, sizeof path, "%s/" OWNER, directory);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		write_owner(fd, 0);
	return fd;
}

void gr_rundir_record(const struct gr_rundir *self, pid_t server)
{
	if (self->path[0] && self->owner_fd >= 0)
		write_owner(self->owner_fd, server);
}

/* ---- making ---------------------------------------------------------------------------------------------------- */
static bool make_in(struct gr_rundir *out, const char *base)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	/* A comma ends an address in the server's --host. */
	if (!base || base[0] != '/' || strchr(base, ','))
		return false;
	int n = snprintf(dir.path, sizeof dir.path, "%s/" PREFIX "XXXXXX", base);
	if (n < 0 || (size_t)n + sizeof "/server.sock" > sizeof dir.path || !mkdtemp(dir.path))
		return false;
	snprintf(dir.socket, sizeof dir.socket, "%.*s/server.sock", n, dir.path);
	snprintf(dir.home, sizeof dir.home, "%.*s/home", n, dir.path);
	if (mkdir(dir.home, 0700) != 0) {
		rmdir(dir.path);
		return false;
	}
	dir.owner_fd = make_owner(dir.path);
	*out = dir;
	return true;
}

inf_status gr_rundir_make(struct gr_rundir *out, char *const *env, inf_error *err)
{
	const char *bases[BASES];
	list_bases(bases, env);
	for (int i = 0; i < BASES; i++)
		if (make_in(out, bases[i]))
			return INF_OK;
	return gr_fail_errno(err, INF_E_IO, errno, "runtime_directory",
			     "cannot make a private directory in $XDG_RUNTIME_DIR, $TMPDIR or /tmp");
}

/* ---- removing -------------------------------------------------------------------------------------------------- */
static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes the descriptor. Never leaves the file system and never follows a link. */
static void empty_directory(int fd, dev_t device, int depth)
{
	struct stat st;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (is_dot(entry->d_name) || unlinkat(fd, entry->d_name, 0) == 0 || depth == 0)
			continue;
		int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			continue;
		if (fstat(below, &st) == 0 && st.st_dev == device)
			empty_directory(below, device, depth - 1);
		else
			close(below);
		unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

static bool remove_directory(int base_fd, const char *name)
{
	struct stat st;
	int fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0)
		empty_directory(fd, st.st_dev, GR_RUNDIR_DEPTH);
	else if (fd >= 0)
		close(fd);
	return unlinkat(base_fd, name, AT_REMOVEDIR) == 0;
}

void gr_rundir_remove(struct gr_rundir *self)
{
	if (self->path[0]) {
		remove_directory(AT_FDCWD, self->path);
		if (self->owner_fd >= 0)
			close(self->owner_fd);	/* last: until then nobody else may take it for abandoned */
	}
	*self = (struct gr_rundir)GR_RUNDIR_INIT;
}

/* ---- what killed hosts left ------------------------------------------------------------------------------------ */
static bool is_ours(int fd, mode_t kind, mode_t mode)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind && (st.st_mode & 07777) == mode &&
	       st.st_uid == geteuid() && st.st_nlink > 0;
}

/* The owner file of a directory that was left behind, locked by us; -1 for any other. */
static int claim(int base_fd, const char *name, struct owner *out)
{
	int dir_fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	if (dir_fd >= 0 && is_ours(dir_fd, S_IFDIR, 0700))
		fd = openat(dir_fd, OWNER, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir_fd >= 0)
		close(dir_fd);
	if (fd < 0)
		return -1;
	/* Asked again under the lock: whoever held it may have removed the file. */
	if (is_ours(fd, S_IFREG, 0600) && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_ours(fd, S_IFREG, 0600) &&
	    read_owner(out, fd) && gr_procid_here(&out->host) && gr_procid_gone(&out->host))
		return fd;
	close(fd);
	return -1;
}

static void sweep_one(int base_fd, const char *name, struct gr_swept *swept)
{
	struct owner owner;
	int fd = claim(base_fd, name, &owner);
	if (fd < 0)
		return;
	swept->servers += gr_procid_kill(&owner.server);
	swept->directories += remove_directory(base_fd, name);
	close(fd);
}

static bool is_candidate(const char *name)
{
	return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && strlen(name) == sizeof PREFIX - 1 + RANDOM;
}

static void sweep_base(const char *base, int64_t deadline, struct gr_swept *swept)
{
	DIR *dir = base && base[0] == '/' ? opendir(base) : NULL;
	if (!dir)
		return;
	struct dirent *entry;
	for (int names = 0; names < GR_RUNDIR_SWEEP_NAMES && (entry = readdir(dir)); names++) {
		if (!is_candidate(entry->d_name))
			continue;
		if (gr_now_ms() >= deadline)
			break;
		sweep_one(dirfd(dir), entry->d_name, swept);
	}
	closedir(dir);
}

struct gr_swept gr_rundir_sweep(char *const *env)
{
	struct gr_swept swept = { 0, 0 };
	const char *bases[BASES];
	list_bases(bases, env);
	int64_t deadline = gr_now_ms() + GR_RUNDIR_SWEEP_MS;
	for (int i = 0; i < BASES; i++)
		sweep_base(bases[i], deadline, &swept);
	return swept;
}
