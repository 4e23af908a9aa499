/* SPDX-License-Identifier: MIT */
#include "pathtrust.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum role { THE_FILE, ITS_DIRECTORY, ABOVE, LINK };

static const char *const roles[] = {
	[THE_FILE] = "the file", [ITS_DIRECTORY] = "its directory", [ABOVE] = "the directory above it,",
	[LINK] = "the link to it,",
};

struct walk {
	const struct ic_owners *owners;
	inf_error *why;
	int links;
	char done[PATH_MAX];	/* without links; "" is the root */
	char rest[PATH_MAX];	/* still to go */
};

struct ic_owners ic_owners_of(uid_t euid, const char *sudo_uid)
{
	struct ic_owners owners = { { 0, euid }, 2 };
	if (euid != 0 || !sudo_uid || sudo_uid[0] < '0' || sudo_uid[0] > '9')
		return owners;
	char *end;
	errno = 0;
	unsigned long uid = strtoul(sudo_uid, &end, 10);
	if (!errno && !*end && uid < (uid_t)-1)
		owners.uid[owners.count++] = (uid_t)uid;
	return owners;
}

static bool is_owner(const struct ic_owners *owners, uid_t uid)
{
	for (size_t i = 0; i < owners->count; i++)
		if (owners->uid[i] == uid)
			return true;
	return false;
}

static const char *name_of(const struct walk *self)
{
	return self->done[0] ? self->done : "/";
}

static inf_status fail_lookup(const struct walk *self, int error)
{
	const char *text = strerrordesc_np(error);
	inf_status st = inf_fail(self->why, INF_E_UNAVAILABLE, "lookup", "%s cannot be looked at: %s", name_of(self),
				 text ? text : "unknown error");
	if (self->why)
		self->why->os_errno = error;
	return st;
}

/* A user's private group, which has the user's number and nobody else in it: distributions that make one also let files be
 * made group-writable. */
static bool is_own_group(const struct walk *self, const struct stat *st)
{
	return st->st_uid && st->st_uid == self->owners->uid[1] && st->st_gid == st->st_uid;
}

static inf_status judge(const struct walk *self, const struct stat *st, enum role role)
{
	if (!is_owner(self->owners, st->st_uid))
		return inf_fail(self->why, INF_E_UNAVAILABLE, "owner", "%s %s belongs to uid %u, neither to root nor to the "
				"user who runs this (uid %u): install it as one of them, or chown it", roles[role],
				name_of(self), (unsigned)st->st_uid, (unsigned)self->owners->uid[1]);
	bool sticky = role == ABOVE && (st->st_mode & S_ISVTX) && st->st_uid == 0;
	mode_t others = is_own_group(self, st) ? S_IWOTH : S_IWGRP | S_IWOTH;
	if (role == LINK || sticky || !(st->st_mode & others))
		return INF_OK;
	return inf_fail(self->why, INF_E_UNAVAILABLE, "mode", "%s %s has mode %04o, so that others can change it: chmod "
			"go-w %s", roles[role], name_of(self), (unsigned)(st->st_mode & 07777), name_of(self));
}

static inf_status look(const struct walk *self, enum role role)
{
	struct stat st;
	if (lstat(name_of(self), &st))
		return fail_lookup(self, errno);
	return judge(self, &st, role);
}

/* Takes the next name off the rest. */
static bool next(struct walk *self, char name[NAME_MAX + 1], bool *too_long)
{
	const char *at = self->rest + strspn(self->rest, "/");
	size_t len = strcspn(at, "/");
	*too_long = len > NAME_MAX;
	if (!len || *too_long)
		return false;
	memcpy(name, at, len);
	name[len] = '\0';
	at += len;
	at += strspn(at, "/");
	memmove(self->rest, at, strlen(at) + 1);
	return true;
}

static void leave(struct walk *self)
{
	char *slash = strrchr(self->done, '/');
	if (slash)
		*slash = '\0';
}

static inf_status fail_path(const struct walk *self, const char *what)
{
	return inf_fail(self->why, INF_E_UNAVAILABLE, "path", "its path %s", what);
}

static inf_status follow(struct walk *self)
{
	char target[PATH_MAX];
	ssize_t n = readlink(self->done, target, sizeof target);
	if (n < 0)
		return fail_lookup(self, errno);
	size_t len = strlen(self->rest);
	if (++self->links > IC_PATHTRUST_LINKS_MAX || (size_t)n + 1 + len >= sizeof self->rest)
		return fail_path(self, "leads through too many links, or too long ones");
	memmove(self->rest + n + 1, self->rest, len + 1);
	memcpy(self->rest, target, (size_t)n);
	self->rest[n] = '/';
	if (target[0] == '/')
		self->done[0] = '\0';
	else
		leave(self);
	return INF_OK;
}

static inf_status step(struct walk *self, const char *name)
{
	bool last = !self->rest[0];
	struct stat found;
	if (!strcmp(name, "."))
		return INF_OK;
	if (!strcmp(name, "..")) {
		leave(self);
		return INF_OK;
	}
	inf_status st = last ? look(self, ITS_DIRECTORY) : INF_OK;
	if (st != INF_OK)
		return st;
	size_t len = strlen(self->done);
	if (len + 1 + strlen(name) >= sizeof self->done)
		return fail_path(self, "is too long");
	self->done[len] = '/';
	strcpy(self->done + len + 1, name);
	if (lstat(self->done, &found))
		return fail_lookup(self, errno);
	if (!S_ISLNK(found.st_mode))
		return judge(self, &found, last ? THE_FILE : strchr(self->rest, '/') ? ABOVE : ITS_DIRECTORY);
	st = judge(self, &found, LINK);
	return st == INF_OK ? follow(self) : st;
}

inf_status ic_pathtrust_check(const char *path, const struct ic_owners *owners, inf_error *why)
{
	struct walk walk = { .owners = owners, .why = why };
	char name[NAME_MAX + 1];
	bool too_long;
	assert(owners->count >= 2);
	if (path[0] != '/')
		return fail_path(&walk, "is not absolute");
	if (strlen(path) >= sizeof walk.rest)
		return fail_path(&walk, "is too long");
	strcpy(walk.rest, path);
	inf_status st = look(&walk, ABOVE);
	while (st == INF_OK && next(&walk, name, &too_long))
		st = step(&walk, name);
	return st == INF_OK && too_long ? fail_path(&walk, "is too long") : st;
}
