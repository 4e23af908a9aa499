/* SPDX-License-Identifier: MIT */
#include "libpath.h"

#include <stdio.h>
#include <string.h>

#define STARTS(text, with) (strncmp(text, with, sizeof(with) - 1) == 0)

static int is_build(const char *name, void *user)
{
	bool *found = user;
	*found = (STARTS(name, "libggml") || STARTS(name, "libllama")) && strstr(name, ".so");
	return *found;
}

/* The path below the root, without links where it can be followed. */
static void real_path(const struct gr_sysroot_ops *ops, const char *path, char out[GR_SYSROOT_PATH_MAX])
{
	path += strspn(path, "/");
	if (!*path)
		path = ".";
	if (gr_sysroot_real(ops, path, out, GR_SYSROOT_PATH_MAX) != 0)
		snprintf(out, GR_SYSROOT_PATH_MAX, "%s", path);
}

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) : 0;
}

/* "opt/x/bin" and "opt/x/lib64" */
static bool is_lib_beside_bin(const char *folder, size_t len, const char *dir)
{
	return len >= 4 && memcmp(folder + len - 4, "/bin", 4) == 0 && strncmp(dir, folder, len - 3) == 0 &&
	       (strcmp(dir + len - 3, "lib") == 0 || strcmp(dir + len - 3, "lib64") == 0);
}

static bool belongs_to(const char *server, const char *dir)
{
	size_t len = folder_len(server);
	return (strlen(dir) == len && memcmp(server, dir, len) == 0) || is_lib_beside_bin(server, len, dir);
}

static bool is_foreign(const struct gr_sysroot_ops *ops, const char *entry, const char *server)
{
	char dir[GR_SYSROOT_PATH_MAX], binary[GR_SYSROOT_PATH_MAX];
	bool found = false;
	real_path(ops, entry, dir);
	if (ops->list_dir(ops->ctx, dir, is_build, &found) != 0 || !found)
		return false;
	real_path(ops, server, binary);
	return !belongs_to(binary, dir);
}

void gr_libpath_filter(const char *value, const char *server, const struct gr_sysroot_ops *ops, struct gr_buf *kept,
		       struct gr_buf *dropped)
{
	char entry[GR_SYSROOT_PATH_MAX];
	for (int i = 0; *value; i++) {
		size_t len = strcspn(value, ":;");
		bool good = len > 0 && len < sizeof entry && *value == '/' && i < GR_LIBPATH_ENTRIES_MAX;
		snprintf(entry, sizeof entry, "%.*s", (int)(len < sizeof entry ? len : sizeof entry - 1), value);
		struct gr_buf *list = good && !is_foreign(ops, entry, server) ? kept : dropped;
		if (len)
			gr_buf_printf(list, "%s%s", list->len ? ":" : "", entry);	/* all of it or nothing */
		value += len + (value[len] != '\0');
	}
}
