/* SPDX-License-Identifier: MIT */
#ifndef TEST_FIXTURE_TREE_H
#define TEST_FIXTURE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "sysroot.h"

/*
 * fixture_tree: a machine from a text file, as the operations of a sysroot.
 *
 *	file PATH		then its content, each line after "| "
 *	link PATH -> TARGET
 *	dir PATH
 *	errno PATH CODE		what opening or reading that path gives
 *
 * A test may add, change and remove entries, stand between the tree and the reader, and look at what was read. What
 * cannot be parsed fails the test. Files below dev/ are device nodes: they cannot be read, and belong to FIXTURE_GROUP, which
 * etc/group calls render unless the test changes it.
 */
enum { FIXTURE_GROUP = 992, FIXTURE_ENTRIES_MAX = 4096, FIXTURE_READS_MAX = 4096 };

enum fixture_kind { FIXTURE_FILE, FIXTURE_LINK, FIXTURE_DIR };

struct fixture_entry {
	char *path;
	char *text;		/* content or target */
	size_t len;
	enum fixture_kind kind;
	int error;		/* 0 = none */
	mode_t mode;
};

struct fixture_tree {
	struct fixture_entry entries[FIXTURE_ENTRIES_MAX];
	size_t count;
	struct gr_sysroot_ops ops;
	/* Looks at each call before it is answered, or answers it itself: true with *result set. May change the tree. */
	bool (*fault)(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
		      ssize_t *result);
	void *user;
	char *reads[FIXTURE_READS_MAX];	/* "operation path" of each call, in order */
	size_t read_count;
};

struct fixture_tree *fixture_tree_new(void);			/* empty */
struct fixture_tree *fixture_tree_load(const char *file);
void fixture_tree_free(struct fixture_tree *self);

void fixture_tree_file(struct fixture_tree *self, const char *path, const char *text);
void fixture_tree_link(struct fixture_tree *self, const char *path, const char *target);
void fixture_tree_dir(struct fixture_tree *self, const char *path);
void fixture_tree_errno(struct fixture_tree *self, const char *path, int error);
void fixture_tree_remove(struct fixture_tree *self, const char *path);	/* and all below it */
struct fixture_entry *fixture_tree_find(struct fixture_tree *self, const char *path);
/* Replace the value of "key value" in a file of such lines. */
void fixture_tree_property(struct fixture_tree *self, const char *path, const char *key, const char *value);
/* As real files below a folder. EACCES becomes mode 0, other errors cannot be made of files and are left out. */
void fixture_tree_write(const struct fixture_tree *self, const char *folder);

#endif
