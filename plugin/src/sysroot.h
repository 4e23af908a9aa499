/* SPDX-License-Identifier: MIT */
#ifndef GR_SYSROOT_H
#define GR_SYSROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * sysroot: what the kernel and the distribution say about a machine, read below a given root.
 *
 * Everything that is learnt about devices is read through a table of operations, so that a machine can be a folder or
 * a table in a test, and so that every error a kernel may give can be produced. Paths are relative to the root and have
 * no leading slash ("sys/class/drm").
 *
 * The one real implementation reads below a directory descriptor. It opens regular files and directories only: no
 * device node is opened, so no sleeping card is woken, and no pipe can hold up a read.
 *
 * Operations return 0 or a length, or a negative errno. They may be called from any thread.
 */
enum {
	GR_SYSROOT_PATH_MAX = 512,	/* bytes of a path, NUL included */
	GR_SYSROOT_LIST_MAX = 8192,	/* names of one directory that are looked at */
	GR_SYSROOT_LINKS_MAX = 40,	/* symbolic links in one path */
	GR_SYSROOT_EINTR_MAX = 16,	/* times an interrupted read is begun again */
	GR_SYSROOT_LINE_MAX = 4096,	/* a longer line ends each_line */
	GR_SYSROOT_LINES_MAX = 256 * 1024,	/* bytes of a file that each_line looks at */
};

/* Return 0 to go on, any other value ends the list. */
typedef int gr_sysroot_name_fn(const char *name, void *user);
typedef int gr_sysroot_line_fn(char *line, void *user);

struct gr_sysroot_node {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct gr_sysroot_ops {
	void *ctx;
	/* At most cap bytes of a regular file from offset on; fewer only at its end. */
	ssize_t (*read_file)(void *ctx, const char *path, uint64_t offset, char *buf, size_t cap);
	/* The names in a directory, in any order, without "." and "..". 0 also when fn ended the list. */
	int (*list_dir)(void *ctx, const char *path, gr_sysroot_name_fn *fn, void *user);
	/* May this process open the path for reading and writing? Opens nothing. */
	int (*access_rw)(void *ctx, const char *path);
	/* The target of a symbolic link, NUL-terminated; -EINVAL for anything else. */
	ssize_t (*read_link)(void *ctx, const char *path, char *buf, size_t cap);
	/* What a path leads to, links followed. */
	int (*stat_node)(void *ctx, const char *path, struct gr_sysroot_node *out);
};

/* The real one. fd is private. */
struct gr_sysroot {
	int fd;
	struct gr_sysroot_ops ops;	/* ctx points at this struct, so it cannot be copied */
};

#define GR_SYSROOT_INIT { .fd = -1 }

/* 0 or a negative errno. On failure there is nothing to release, though it may be. */
int gr_sysroot_open(struct gr_sysroot *self, const char *root);
void gr_sysroot_release(struct gr_sysroot *self);

/* ---- over any table of operations ------------------------------------------------------------------------------ */

/* The first cap - 1 bytes of a file, NUL-terminated, trailing white space removed. Returns the length or -errno, and on
 * failure leaves "" in buf. An interrupted read is begun again. */
ssize_t gr_sysroot_text(const struct gr_sysroot_ops *ops, const char *path, char *buf, size_t cap);
/* A file that holds one plain decimal number: -EBADMSG for anything else, "" and "-1" and "0x1" included. */
int gr_sysroot_u64(const struct gr_sysroot_ops *ops, const char *path, uint64_t *out);
/* The path without symbolic links, "." and "..". Links cannot lead out of the root. */
int gr_sysroot_real(const struct gr_sysroot_ops *ops, const char *path, char *out, size_t cap);
/* Each whole line of a file, without its newline. The function may change it. */
void gr_sysroot_each_line(const struct gr_sysroot_ops *ops, const char *path, gr_sysroot_line_fn *fn, void *user);
/* The name of a group in etc/group, false if it has none there. Name services are not asked: they may wait for a network,
 * and the groups of devices are local. */
bool gr_sysroot_group(const struct gr_sysroot_ops *ops, gid_t gid, char *out, size_t cap);
bool gr_sysroot_exists(const struct gr_sysroot_ops *ops, const char *path);

/* Decimal digits and nothing else; false on overflow. */
bool gr_parse_u64(const char *text, uint64_t *out);

#endif
