/* SPDX-License-Identifier: MIT */
#include "fixture_tree.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *copy(const char *text, size_t len)
{
	char *out = malloc(len + 1);
	ck_assert_ptr_nonnull(out);
	memcpy(out, text, len);
	out[len] = '\0';
	return out;
}

/* ---- entries --------------------------------------------------------------------------------------------------- */
struct fixture_entry *fixture_tree_find(struct fixture_tree *self, const char *path)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->entries[i].path, path) == 0)
			return &self->entries[i];
	return NULL;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	return !len || (strncmp(path, folder, len) == 0 && path[len] == '/');
}

static bool is_device(const char *path)
{
	return strncmp(path, "dev/", 4) == 0;
}

static void put(struct fixture_tree *self, enum fixture_kind kind, const char *path, const char *text, size_t len)
{
	struct fixture_entry *entry = fixture_tree_find(self, path);
	if (!entry) {
		ck_assert_uint_lt(self->count, FIXTURE_ENTRIES_MAX);
		entry = &self->entries[self->count++];
		*entry = (struct fixture_entry){ .path = copy(path, strlen(path)) };
	}
	free(entry->text);
	entry->text = copy(text, len);
	entry->len = len;
	entry->kind = kind;
	entry->mode = kind == FIXTURE_DIR ? S_IFDIR | 0755 : is_device(path) ? S_IFCHR | 0660 : S_IFREG | 0444;
}

void fixture_tree_file(struct fixture_tree *self, const char *path, const char *text)
{
	put(self, FIXTURE_FILE, path, text, strlen(text));
}

void fixture_tree_link(struct fixture_tree *self, const char *path, const char *target)
{
	put(self, FIXTURE_LINK, path, target, strlen(target));
}

void fixture_tree_dir(struct fixture_tree *self, const char *path)
{
	put(self, FIXTURE_DIR, path, "", 0);
}

void fixture_tree_errno(struct fixture_tree *self, const char *path, int error)
{
	if (!fixture_tree_find(self, path))
		fixture_tree_file(self, path, "");
	fixture_tree_find(self, path)->error = error;
}

void fixture_tree_remove(struct fixture_tree *self, const char *path)
{
	size_t kept = 0;
	for (size_t i = 0; i < self->count; i++) {
		struct fixture_entry *entry = &self->entries[i];
		if (strcmp(entry->path, path) != 0 && !is_below(entry->path, path)) {
			self->entries[kept++] = *entry;
			continue;
		}
		free(entry->path);
		free(entry->text);
	}
	self->count = kept;
}

void fixture_tree_property(struct fixture_tree *self, const char *path, const char *key, const char *value)
{
	const struct fixture_entry *entry = fixture_tree_find(self, path);
	char line[128], with[128], *text;
	ck_assert_msg(entry != NULL, "%s", path);
	snprintf(line, sizeof line, "%s ", key);
	const char *at = strstr(entry->text, line);
	ck_assert_msg(at != NULL, "%s in %s", key, path);
	snprintf(with, sizeof with, "%s %s", key, value);
	ck_assert_int_gt(asprintf(&text, "%.*s%s%s", (int)(at - entry->text), entry->text, with, at + strcspn(at, "\n")), 0);
	fixture_tree_file(self, path, text);
	free(text);
}

/* ---- the operations -------------------------------------------------------------------------------------------- */
static void record(struct fixture_tree *self, const char *operation, const char *path)
{
	char text[1024];
	snprintf(text, sizeof text, "%s %s", operation, path);
	if (self->read_count < FIXTURE_READS_MAX)
		self->reads[self->read_count++] = copy(text, strlen(text));
}

/* One component after the other, as a kernel does. False where a link leads nowhere or in a circle. */
static bool resolve(struct fixture_tree *self, const char *path, char *out, size_t cap, int depth)
{
	char *copied = copy(path, strlen(path)), *rest = copied, *name;
	bool good = depth < 32;
	while (good && (name = strsep(&rest, "/"))) {
		char *slash = strrchr(out, '/');
		size_t len = strlen(out);
		if (!*name || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			*(slash ? slash : out) = '\0';
			continue;
		}
		ck_assert_uint_lt(len + strlen(name) + 2, cap);
		sprintf(out + len, "%s%s", len ? "/" : "", name);
		const struct fixture_entry *entry = fixture_tree_find(self, out);
		if (!entry || entry->kind != FIXTURE_LINK)
			continue;
		out[len] = '\0';
		if (entry->text[0] == '/')
			*out = '\0';
		good = resolve(self, entry->text, out, cap, depth + 1);
	}
	free(copied);
	return good;
}

static bool exists(struct fixture_tree *self, const char *path)
{
	if (!*path || fixture_tree_find(self, path))
		return true;
	for (size_t i = 0; i < self->count; i++)
		if (is_below(self->entries[i].path, path))
			return true;
	return false;
}

/* The entry that a path leads to; NULL with *error 0 for a folder that no line names. */
static struct fixture_entry *reach(struct fixture_tree *self, const char *path, char *real, size_t cap, int *error)
{
	*real = '\0';
	*error = 0;
	if (!resolve(self, path, real, cap, 0))
		*error = -ELOOP;
	else if (!exists(self, real))
		*error = -ENOENT;
	return *error ? NULL : fixture_tree_find(self, real);
}

static bool is_folder(const struct fixture_entry *entry)
{
	return !entry || entry->kind == FIXTURE_DIR;
}

static ssize_t tree_read_file(void *ctx, const char *path, uint64_t offset, char *buf, size_t cap)
{
	struct fixture_tree *self = ctx;
	char real[1024];
	ssize_t result;
	int error;
	record(self, "read", path);
	if (self->fault && self->fault(self, "read", path, buf, cap, &result))
		return result;
	const struct fixture_entry *entry = reach(self, path, real, sizeof real, &error);
	if (error || is_folder(entry))
		return error ? error : -EISDIR;
	if (entry->error || S_ISCHR(entry->mode))
		return entry->error ? -entry->error : -EINVAL;
	if (offset >= entry->len)
		return 0;
	size_t n = entry->len - offset < cap ? entry->len - (size_t)offset : cap;
	memcpy(buf, entry->text + offset, n);
	return (ssize_t)n;
}

static int tree_list_dir(void *ctx, const char *path, gr_sysroot_name_fn *fn, void *user)
{
	struct fixture_tree *self = ctx;
	char real[1024], name[256], seen[65536] = "/";
	ssize_t result;
	int error;
	record(self, "list", path);
	if (self->fault && self->fault(self, "list", path, NULL, 0, &result))
		return (int)result;
	const struct fixture_entry *entry = reach(self, path, real, sizeof real, &error);
	if (error || !is_folder(entry))
		return error ? error : -ENOTDIR;
	if (entry && entry->error)
		return -entry->error;
	for (size_t i = 0; i < self->count; i++) {
		char key[260];
		if (!is_below(self->entries[i].path, real))
			continue;
		const char *rest = self->entries[i].path + strlen(real) + (*real != '\0');
		snprintf(name, sizeof name, "%.*s", (int)strcspn(rest, "/"), rest);
		snprintf(key, sizeof key, "/%s/", name);
		if (strstr(seen, key))
			continue;
		strcat(seen, name);
		strcat(seen, "/");
		if (fn(name, user))
			break;
	}
	return 0;
}

static int tree_access_rw(void *ctx, const char *path)
{
	struct fixture_tree *self = ctx;
	char real[1024];
	ssize_t result;
	int error;
	record(self, "access", path);
	if (self->fault && self->fault(self, "access", path, NULL, 0, &result))
		return (int)result;
	const struct fixture_entry *entry = reach(self, path, real, sizeof real, &error);
	return error ? error : entry ? -entry->error : 0;
}

static ssize_t tree_read_link(void *ctx, const char *path, char *buf, size_t cap)
{
	struct fixture_tree *self = ctx;
	char parent[1024], real[1024];
	ssize_t result;
	record(self, "link", path);
	if (self->fault && self->fault(self, "link", path, buf, cap, &result))
		return result;
	snprintf(parent, sizeof parent, "%s", path);
	char *slash = strrchr(parent, '/');
	const char *name = slash ? slash + 1 : path;
	*(slash ? slash : parent) = '\0';
	*real = '\0';
	if (!resolve(self, parent, real, sizeof real, 0))
		return -ELOOP;
	if (*real)
		strcat(real, "/");
	strcat(real, name);
	const struct fixture_entry *entry = fixture_tree_find(self, real);
	if (!entry || entry->kind != FIXTURE_LINK)
		return exists(self, real) ? -EINVAL : -ENOENT;
	if (entry->len >= cap)
		return -ENAMETOOLONG;
	memcpy(buf, entry->text, entry->len + 1);
	return (ssize_t)entry->len;
}

static int tree_stat_node(void *ctx, const char *path, struct gr_sysroot_node *out)
{
	struct fixture_tree *self = ctx;
	char real[1024];
	ssize_t result;
	int error;
	record(self, "stat", path);
	if (self->fault && self->fault(self, "stat", path, NULL, 0, &result))
		return (int)result;
	const struct fixture_entry *entry = reach(self, path, real, sizeof real, &error);
	if (error == 0)
		*out = (struct gr_sysroot_node){ .mode = entry ? entry->mode : S_IFDIR | 0755, .gid = FIXTURE_GROUP };
	return error;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */
struct fixture_tree *fixture_tree_new(void)
{
	struct fixture_tree *self = calloc(1, sizeof *self);
	ck_assert_ptr_nonnull(self);
	self->ops = (struct gr_sysroot_ops){
		.ctx = self, .read_file = tree_read_file, .list_dir = tree_list_dir, .access_rw = tree_access_rw,
		.read_link = tree_read_link, .stat_node = tree_stat_node,
	};
	fixture_tree_file(self, "etc/group", "root:x:0:\nvideo:x:44:user\nrender:x:992:\n");
	return self;
}

void fixture_tree_free(struct fixture_tree *self)
{
	fixture_tree_remove(self, "");
	for (size_t i = 0; i < self->read_count; i++)
		free(self->reads[i]);
	free(self);
}

static int error_of(const char *name)
{
	for (int error = 1; error < 134; error++) {
		const char *known = strerrorname_np(error);
		if (known && strcmp(known, name) == 0)
			return error;
	}
	ck_abort_msg("errno %s", name);
}

/* A file is complete when the next entry begins. */
struct loader {
	struct fixture_tree *tree;
	char path[512];
	char *content;
	size_t len;
};

static void finish_file(struct loader *self)
{
	if (self->path[0])
		put(self->tree, FIXTURE_FILE, self->path, self->content ? self->content : "",
		    self->len == 1 ? 0 : self->len);	/* one empty line: an empty file */
	free(self->content);
	self->content = NULL;
	self->len = 0;
	self->path[0] = '\0';
}

static void take_content(struct loader *self, const char *line)
{
	const char *text = line[1] == ' ' ? line + 2 : line + 1;
	size_t len = strlen(text);
	ck_assert_msg(self->path[0], "content without a file: %s", line);
	self->content = realloc(self->content, self->len + len + 2);
	ck_assert_ptr_nonnull(self->content);
	self->len += (size_t)sprintf(self->content + self->len, "%s\n", text);
}

static void take_entry(struct loader *self, const char *line)
{
	char path[512], rest[512];
	finish_file(self);
	if (sscanf(line, "link %511s -> %511s", path, rest) == 2)
		fixture_tree_link(self->tree, path, rest);
	else if (sscanf(line, "errno %511s %511s", path, rest) == 2)
		fixture_tree_errno(self->tree, path, error_of(rest));
	else if (sscanf(line, "dir %511s", path) == 1)
		fixture_tree_dir(self->tree, path);
	else
		ck_assert_msg(sscanf(line, "file %511s", self->path) == 1, "%s", line);
}

struct fixture_tree *fixture_tree_load(const char *file)
{
	struct loader loader = { .tree = fixture_tree_new() };
	FILE *in = fopen(file, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	ck_assert_msg(in != NULL, "%s: %s", file, strerror(errno));
	while ((len = getline(&line, &cap, in)) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '|')
			take_content(&loader, line);
		else if (line[strspn(line, " \t\r")])
			take_entry(&loader, line);
	}
	finish_file(&loader);
	free(line);
	fclose(in);
	return loader.tree;
}

/* ---- on disk --------------------------------------------------------------------------------------------------- */
static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert_msg(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
		*slash = '/';
	}
}

void fixture_tree_write(const struct fixture_tree *self, const char *folder)
{
	for (size_t i = 0; i < self->count; i++) {
		const struct fixture_entry *entry = &self->entries[i];
		char path[2048];
		snprintf(path, sizeof path, "%s/%s", folder, entry->path);
		make_parents(path);
		if (entry->kind == FIXTURE_LINK) {
			ck_assert_int_eq(symlink(entry->text, path), 0);
		} else if (entry->kind == FIXTURE_DIR) {
			ck_assert_msg(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
		} else {
			FILE *out = fopen(path, "w");
			ck_assert_msg(out != NULL, "%s: %s", path, strerror(errno));
			ck_assert_uint_eq(fwrite(entry->text, 1, entry->len, out), entry->len);
			ck_assert_int_eq(fclose(out), 0);
			if (entry->error == EACCES)
				ck_assert_int_eq(chmod(path, 0), 0);
		}
	}
}
