/* SPDX-License-Identifier: MIT */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include <stddef.h>
#include <sys/types.h>

/*
 * scratch: a directory of one test, mode 0700, and the files in it.
 *
 * What cannot be made fails the test. Modes are those that are asked for, whatever the umask.
 */
enum { SCRATCH_NAMES_MAX = 64 };

struct scratch {
	char *path;
	char *names[SCRATCH_NAMES_MAX];	/* what scratch_at() returned, owned */
	size_t name_count;
};

void scratch_init(struct scratch *self);
void scratch_release(struct scratch *self);	/* removes everything below it */

/* The absolute path of a name in it; lives as long as the scratch. */
const char *scratch_at(struct scratch *self, const char *name);

const char *scratch_dir(struct scratch *self, const char *name, mode_t mode);
const char *scratch_write(struct scratch *self, const char *name, const void *bytes, size_t len);
const char *scratch_link(struct scratch *self, const char *name, const char *target);
const char *scratch_copy(struct scratch *self, const char *name, const char *from);

/* A whole file, to be freed. */
char *scratch_read(const char *path, size_t *len);

#endif
