/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_init(struct scratch *self)
{
	const char *tmp = getenv("TMPDIR");
	*self = (struct scratch){ 0 };
	ck_assert_int_gt(asprintf(&self->path, "%s/go-rocm-test-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp"), 0);
	ck_assert_ptr_nonnull(mkdtemp(self->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

void scratch_release(struct scratch *self)
{
	nftw(self->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < self->name_count; i++)
		free(self->names[i]);
	free(self->path);
}

const char *scratch_at(struct scratch *self, const char *name)
{
	char *path;
	ck_assert_uint_lt(self->name_count, SCRATCH_NAMES_MAX);
	ck_assert_int_gt(asprintf(&path, "%s/%s", self->path, name), 0);
	self->names[self->name_count++] = path;
	return path;
}

const char *scratch_dir(struct scratch *self, const char *name, mode_t mode)
{
	const char *path = scratch_at(self, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

const char *scratch_write(struct scratch *self, const char *name, const void *bytes, size_t len)
{
	const char *path = scratch_at(self, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	close(fd);
	return path;
}

const char *scratch_link(struct scratch *self, const char *name, const char *target)
{
	const char *path = scratch_at(self, name);
	ck_assert_int_eq(symlink(target, path), 0);
	return path;
}

char *scratch_read(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	char *bytes = malloc((size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
	bytes[st.st_size] = '\0';
	close(fd);
	*len = (size_t)st.st_size;
	return bytes;
}

const char *scratch_copy(struct scratch *self, const char *name, const char *from)
{
	size_t len;
	char *bytes = scratch_read(from, &len);
	const char *path = scratch_write(self, name, bytes, len);
	free(bytes);
	return path;
}
