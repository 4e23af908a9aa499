/* SPDX-License-Identifier: MIT */
#include "statefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "fail.h"
#include "pathtext.h"

enum { PREFIX_LEN = sizeof ".saving-" - 1, SWEEP_NAMES = 65536 };

static const char prefix[] = ".saving-";
static const char magic[8] = { 'i', 'n', 'f', 's', 't', 'a', 't', '1' };

/* ---- names ----------------------------------------------------------------------------------------------------- */
inf_status gr_statefile_check_dir(const char *dir, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	struct stat st;
	gr_pathtext(dir, shown);
	if (dir[0] != '/' || strlen(dir) + GR_STATEFILE_NAME_MAX + 2 > PATH_MAX)
		return inf_fail(err, INF_E_INVALID, "option_value", "option state-dir: \"%s\" is not an absolute path, or too long",
				shown);
	if (stat(dir, &st) != 0)
		return gr_fail_errno(err, errno == ENOENT ? INF_E_NOT_FOUND : INF_E_IO, errno, "state_dir",
				     "option state-dir: %s (make it with mkdir -m 700)", shown);
	if (!S_ISDIR(st.st_mode))
		return inf_fail(err, INF_E_INVALID, "state_dir", "option state-dir: %s is not a directory", shown);
	if (st.st_uid != geteuid())
		return inf_fail(err, INF_E_PERMISSION, "state_dir",
				"option state-dir: %s belongs to another user: name a directory of your own", shown);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return inf_fail(err, INF_E_PERMISSION, "state_dir",
				"option state-dir: others may write in %s, and so change what the model reads: chmod 700", shown);
	return INF_OK;
}

inf_status gr_statefile_check_name(const char *name, inf_error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = name ? strnlen(name, GR_STATEFILE_NAME_MAX + 1) : 0;
	if (!len || len > GR_STATEFILE_NAME_MAX || name[0] == '.' || strspn(name, allowed) != len)
		return inf_fail(err, INF_E_INVALID, "state_name",
				"the name of a state is 1 to %d letters, digits or . _ - and does not begin with a dot",
				GR_STATEFILE_NAME_MAX);
	return INF_OK;
}

static void join(char out[PATH_MAX], const char *dir, const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */
static inf_status fail_io(inf_error *err, int error, const char *what)
{
	return gr_fail_errno(err, error == ENOMEM ? INF_E_NO_MEMORY : INF_E_IO, error, "state_io", "%s", what);
}

/* All of it, unless the file ends. */
static ssize_t read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t have = 0;
	while (have < len) {
		ssize_t n = pread(fd, (char *)bytes + have, len - have, (off_t)(offset + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* The first size bytes. */
static inf_status digest_content(int fd, uint64_t size, const struct gr_statefile_poll *poll, uint64_t *out,
				 inf_error *err)
{
	uint64_t digest = GR_DIGEST_INIT;
	inf_status st = INF_OK;
	char *chunk = malloc(GR_STATEFILE_CHUNK);
	if (!chunk)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a state");
	for (uint64_t at = 0; at < size && st == INF_OK;) {
		size_t want = size - at < GR_STATEFILE_CHUNK ? (size_t)(size - at) : GR_STATEFILE_CHUNK;
		ssize_t n = read_at(fd, chunk, want, at);
		if (n != (ssize_t)want) {
			st = fail_io(err, n < 0 ? errno : EIO, "a state cannot be read");
			break;
		}
		digest = gr_digest(digest, chunk, want);
		at += want;
		if (poll && poll->on_poll && poll->on_poll(poll->user) != 0)
			st = INF_E_CANCELLED;
	}
	free(chunk);
	*out = digest;
	return st;
}

inf_status gr_statefile_sample(const char *path, uint64_t *out, inf_error *err)
{
	char piece[GR_STATEFILE_SAMPLE], shown[GR_PATHTEXT_MAX + 1];
	struct stat st;
	gr_pathtext(path, shown);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return gr_fail_errno(err, INF_E_IO, error, "model_io", "%s: it cannot be read", shown);
	}
	uint64_t size = (uint64_t)st.st_size, digest = gr_digest(GR_DIGEST_INIT, &size, sizeof size);
	uint64_t last = size > sizeof piece ? size - sizeof piece : 0;
	ssize_t n = 0;
	for (unsigned i = 0; i < GR_STATEFILE_SAMPLES && n >= 0; i++) {
		n = read_at(fd, piece, sizeof piece, last / (GR_STATEFILE_SAMPLES - 1) * i);
		if (n > 0)
			digest = gr_digest(digest, piece, (size_t)n);
	}
	int error = errno;
	close(fd);
	if (n < 0)
		return gr_fail_errno(err, INF_E_IO, error, "model_io", "%s: it cannot be read", shown);
	*out = digest;
	return INF_OK;
}

/* ---- the seal -------------------------------------------------------------------------------------------------- */
static void put_u64(unsigned char *at, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		at[i] = (unsigned char)(n >> 8 * i);
}

static uint64_t get_u64(const unsigned char *at)
{
	uint64_t n = 0;
	for (int i = 7; i >= 0; i--)
		n = n << 8 | at[i];
	return n;
}

/* In the order in which a difference is told. */
enum { IDENTITY_FIELDS = 5, SEAL_SIZE = 8, SEAL_DIGEST = 16, SEAL_IDENTITY = 24, SEAL_OWN = 64 };
_Static_assert(SEAL_IDENTITY + 8 * IDENTITY_FIELDS == SEAL_OWN && SEAL_OWN + 8 == GR_STATEFILE_SEAL, "the seal's layout");

static void list_identity(const struct gr_statefile_identity *identity, uint64_t out[IDENTITY_FIELDS])
{
	out[0] = identity->model;
	out[1] = identity->adapters;
	out[2] = identity->cache;
	out[3] = identity->context_len;
	out[4] = identity->server;
}

static void make_seal(unsigned char seal[GR_STATEFILE_SEAL], uint64_t size, uint64_t digest,
		      const struct gr_statefile_identity *identity)
{
	uint64_t fields[IDENTITY_FIELDS];
	list_identity(identity, fields);
	memcpy(seal, magic, sizeof magic);
	put_u64(seal + SEAL_SIZE, size);
	put_u64(seal + SEAL_DIGEST, digest);
	for (int i = 0; i < IDENTITY_FIELDS; i++)
		put_u64(seal + SEAL_IDENTITY + 8 * i, fields[i]);
	put_u64(seal + SEAL_OWN, gr_digest(GR_DIGEST_INIT, seal, SEAL_OWN));
}

static inf_status fail_damaged(inf_error *err, const char *name)
{
	return inf_fail(err, INF_E_BAD_MODEL, "state_damaged",
			"the state %s is damaged, or no state that was saved here: evaluate the text again", name);
}

static inf_status check_identity(const unsigned char *seal, const char *name, const struct gr_statefile_identity *identity,
				 inf_error *err)
{
	static const struct { const char *reason, *what; } differences[IDENTITY_FIELDS] = {
		{ "state_of_other_model", "model" },
		{ "state_of_other_adapters", "choice or scale of adapters" },
		{ "state_of_other_cache", "cache_mode" },
		{ "state_of_other_context", "context_len" },
		{ "state_of_other_server", "version of llama-server" },
	};
	uint64_t fields[IDENTITY_FIELDS];
	list_identity(identity, fields);
	for (int i = 0; i < IDENTITY_FIELDS; i++)
		if (get_u64(seal + SEAL_IDENTITY + 8 * i) != fields[i])
			return inf_fail(err, INF_E_BAD_MODEL, differences[i].reason,
					"the state %s was saved with another %s: it is of no use here, evaluate the text again", name,
					differences[i].what);
	return INF_OK;
}

static inf_status check_content(int fd, uint64_t size, const char *name, const struct gr_statefile_identity *identity,
				const struct gr_statefile_poll *poll, inf_error *err)
{
	unsigned char seal[GR_STATEFILE_SEAL];
	uint64_t digest;
	if (size < sizeof seal)
		return fail_damaged(err, name);
	uint64_t content = size - sizeof seal;
	ssize_t n = read_at(fd, seal, sizeof seal, content);
	if (n < 0)
		return fail_io(err, errno, "a state cannot be read");
	if (n != sizeof seal || memcmp(seal, magic, sizeof magic) != 0 || get_u64(seal + SEAL_SIZE) != content ||
	    get_u64(seal + SEAL_OWN) != gr_digest(GR_DIGEST_INIT, seal, SEAL_OWN))
		return fail_damaged(err, name);
	inf_status st = check_identity(seal, name, identity, err);
	if (st == INF_OK)
		st = digest_content(fd, content, poll, &digest, err);
	if (st == INF_OK && digest != get_u64(seal + SEAL_DIGEST))
		st = fail_damaged(err, name);
	return st;
}

static inf_status fail_open(inf_error *err, int error, const char *name)
{
	if (error == ENOENT)
		return inf_fail(err, INF_E_NOT_FOUND, "state_missing", "there is no state %s in the load's state-dir", name);
	if (error == ELOOP || error == ENXIO)
		return inf_fail(err, INF_E_BAD_MODEL, "state_not_a_file", "the state %s is not a regular file", name);
	return gr_fail_errno(err, error == EACCES ? INF_E_PERMISSION : INF_E_IO, error, "state_io",
			     "the state %s cannot be opened", name);
}

/* O_NONBLOCK: a pipe that nobody writes must not hold up the call. */
inf_status gr_statefile_check(const char *dir, const char *name, const struct gr_statefile_identity *identity,
			      const struct gr_statefile_poll *poll, uint64_t *out_bytes, inf_error *err)
{
	char path[PATH_MAX];
	struct stat st;
	inf_status status;
	join(path, dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail_open(err, errno, name);
	if (fstat(fd, &st) != 0)
		status = fail_io(err, errno, "a state cannot be read");
	else if (!S_ISREG(st.st_mode))
		status = fail_open(err, ENXIO, name);
	else
		status = check_content(fd, (uint64_t)st.st_size, name, identity, poll, err);
	close(fd);
	if (status == INF_OK)
		*out_bytes = (uint64_t)st.st_size;
	return status;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */
void gr_statefile_release(struct gr_statefile *self)
{
	if (self->path[0])
		unlink(self->path);
	if (self->fd >= 0)
		close(self->fd);
	*self = (struct gr_statefile)GR_STATEFILE_INIT;
}

inf_status gr_statefile_create(struct gr_statefile *out, const char *dir, inf_error *err)
{
	uint64_t random;
	char name[PREFIX_LEN + 2 * sizeof random + 1];
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return gr_fail_errno(err, INF_E_IO, errno, "random", "no random bytes for the name of a state");
	snprintf(name, sizeof name, "%s%016llx", prefix, (unsigned long long)random);
	join(out->path, dir, name);
	out->name = strrchr(out->path, '/') + 1;
	out->fd = open(out->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out->fd < 0) {
		out->path[0] = '\0';
		return fail_io(err, errno, "a state cannot be written to the load's state-dir");
	}
	/* What nobody has locked is swept. Where there are no locks, nothing is. */
	struct stat st;
	flock(out->fd, LOCK_EX | LOCK_NB);
	if (fstat(out->fd, &st) == 0 && st.st_nlink == 1)
		return INF_OK;
	gr_statefile_release(out);
	return fail_io(err, EAGAIN, "a state cannot be written to the load's state-dir");
}

uint64_t gr_statefile_size(const struct gr_statefile *self)
{
	struct stat st;
	return fstat(self->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int write_seal(int fd, const unsigned char *seal, uint64_t offset)
{
	for (size_t done = 0; done < GR_STATEFILE_SEAL;) {
		ssize_t n = pwrite(fd, seal + done, GR_STATEFILE_SEAL - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

inf_status gr_statefile_keep(struct gr_statefile *self, const char *dir, const char *name,
			     const struct gr_statefile_identity *identity, const struct gr_statefile_poll *poll,
			     uint64_t *out_bytes, inf_error *err)
{
	unsigned char seal[GR_STATEFILE_SEAL];
	char path[PATH_MAX];
	uint64_t digest, size = gr_statefile_size(self);
	inf_status st = digest_content(self->fd, size, poll, &digest, err);
	if (st != INF_OK)
		return st;
	make_seal(seal, size, digest, identity);
	join(path, dir, name);
	if (write_seal(self->fd, seal, size) != 0 || rename(self->path, path) != 0)
		return fail_io(err, errno, "a state cannot be written to the load's state-dir");
	self->path[0] = '\0';
	*out_bytes = size + sizeof seal;
	return INF_OK;
}

/* ---- what was left behind -------------------------------------------------------------------------------------- */
static void sweep_one(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dir, name, 0);
	close(fd);
}

void gr_statefile_sweep(const char *dir)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	if (!list)
		return;
	for (int i = 0; i < SWEEP_NAMES && (entry = readdir(list)); i++)
		if (strncmp(entry->d_name, prefix, PREFIX_LEN) == 0)
			sweep_one(dirfd(list), entry->d_name);
	closedir(list);
}
