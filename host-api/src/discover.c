/* SPDX-License-Identifier: MIT */
#include "discover.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

static const char suffix[] = ".so";
static const char in_data_home[] = "/inference/backends";
static const char in_home[] = "/.local/share/inference/backends";

/* Is the absence of a directory news? */
enum origin { ASKED_FOR, BY_DEFAULT };

struct dir {
	char path[IH_DISCOVER_PATH_MAX];
	enum origin origin;
};

struct dirs {
	struct dir *items;	/* owned */
	size_t count;
};

void ih_paths_release(struct ih_paths *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < self->count; i++)
		free(self->items[i]);
	free(self->items);
	*self = (struct ih_paths)IH_PATHS_INIT;
}

static inf_status no_memory(inf_error *err)
{
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the list of plugin files");
}

static inf_status push(struct ih_paths *self, char *path)
{
	if (self->count == self->cap) {
		size_t cap = self->cap ? self->cap * 2 : 16;
		char **items = realloc(self->items, cap * sizeof *items);
		if (!items)
			return INF_E_NO_MEMORY;
		self->items = items;
		self->cap = cap;
	}
	self->items[self->count++] = path;
	return INF_OK;
}

/* ---- the search path ---- */

static inf_status add_dir(struct dirs *dirs, enum origin origin, const char *path, size_t len, const char *below)
{
	if (dirs->count == IH_DISCOVER_DIRS_MAX || len + strlen(below) >= IH_DISCOVER_PATH_MAX)
		return INF_E_INVALID;
	struct dir *dir = &dirs->items[dirs->count++];
	dir->origin = origin;
	memcpy(dir->path, path, len);
	strcpy(dir->path + len, below);
	return INF_OK;
}

static inf_status add_given(struct dirs *dirs, const struct ih_search *search, inf_error *err)
{
	for (size_t i = 0; i < search->dir_count; i++) {
		const char *path = search->dirs[i];
		if (!path || path[0] != '/')
			return inf_fail(err, INF_E_INVALID, "dir_relative", "plugin directory \"%s\" is not absolute",
					path ? path : "");
		if (add_dir(dirs, ASKED_FOR, path, strlen(path), "") != INF_OK)
			return inf_fail(err, INF_E_INVALID, "dir_limit",
					"plugin directory %zu: more than %d directories, or a path of more than %d bytes",
					i, IH_DISCOVER_DIRS_MAX, IH_DISCOVER_PATH_MAX - 1);
	}
	return INF_OK;
}

static void add_plugin_path(struct dirs *dirs, const char *list, const struct ih_log *log)
{
	for (const char *at = list; at; ) {
		const char *colon = strchr(at, ':');
		size_t len = colon ? (size_t)(colon - at) : strlen(at);
		int shown = len < IH_LOG_LINE_MAX / 2 ? (int)len : IH_LOG_LINE_MAX / 2;
		if (at[0] != '/')
			ih_log(log, INF_LOG_WARN, "$INF_PLUGIN_PATH: \"%.*s\" is not absolute, ignored", shown, at);
		else if (add_dir(dirs, ASKED_FOR, at, len, "") != INF_OK)
			ih_log(log, INF_LOG_WARN, "$INF_PLUGIN_PATH: \"%.*s\" is one directory too many or too long, "
			       "ignored", shown, at);
		at = colon ? colon + 1 : NULL;
	}
}

/* The XDG specification: an empty or relative $XDG_DATA_HOME counts as unset. */
static void add_data_home(struct dirs *dirs, const struct ih_search *search, const struct ih_log *log)
{
	const char *base = search->xdg_data_home, *below = in_data_home;
	if (base && base[0] && base[0] != '/')
		ih_log(log, INF_LOG_WARN, "$XDG_DATA_HOME is not absolute, ignored");
	if (!base || base[0] != '/') {
		base = search->home;
		below = in_home;
	}
	if (base && base[0] == '/' && add_dir(dirs, BY_DEFAULT, base, strlen(base), below) != INF_OK)
		ih_log(log, INF_LOG_WARN, "the user's plugin directory is one too many or too long, ignored");
}

static inf_status search_path(const struct ih_search *search, const struct ih_log *log, struct dirs *dirs,
			      inf_error *err)
{
	inf_status st = add_given(dirs, search, err);
	if (st != INF_OK)
		return st;
	if (search->plugin_path && search->plugin_path[0])
		add_plugin_path(dirs, search->plugin_path, log);
	add_data_home(dirs, search, log);
	if (search->installed &&
	    add_dir(dirs, BY_DEFAULT, search->installed, strlen(search->installed), "") != INF_OK)
		ih_log(log, INF_LOG_WARN, "%s: one directory too many, not searched", search->installed);
	return INF_OK;
}

/* ---- one directory ---- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_candidate(const char *name)
{
	size_t len = strlen(name), tail = sizeof suffix - 1;
	return name[0] != '.' && len > tail && !strcmp(name + len - tail, suffix);
}

static inf_status add_file(struct ih_paths *out, const char *dir, const char *name, const struct ih_log *log)
{
	const char *slash = dir[strlen(dir) - 1] == '/' ? "" : "/";
	size_t size = strlen(dir) + strlen(slash) + strlen(name) + 1;
	if (size > IH_DISCOVER_PATH_MAX) {
		ih_log(log, INF_LOG_WARN, "%s: the path of %s is too long, ignored", dir, name);
		return INF_OK;
	}
	char *path = malloc(size);
	if (!path)
		return INF_E_NO_MEMORY;
	strcpy(stpcpy(stpcpy(path, dir), slash), name);
	inf_status st = push(out, path);
	if (st != INF_OK)
		free(path);
	return st;
}

/* All or nothing: the first so many that readdir() happens to give would be another choice on every machine. */
static inf_status read_names(DIR *stream, const char *dir, struct ih_paths *out, const struct ih_log *log)
{
	inf_status st = INF_OK;
	struct dirent *entry;
	errno = 0;
	while (st == INF_OK && (entry = readdir(stream))) {
		if (is_candidate(entry->d_name))
			st = add_file(out, dir, entry->d_name, log);
		if (out->count > IH_DISCOVER_FILES_MAX) {
			ih_log(log, INF_LOG_WARN, "%s: more than %d *.so files, not searched", dir,
			       IH_DISCOVER_FILES_MAX);
			ih_paths_release(out);
			return INF_OK;
		}
		errno = 0;
	}
	if (st == INF_OK && errno)
		ih_log(log, INF_LOG_WARN, "%s: cannot be read to its end: %s", dir, ih_errno_text(errno));
	return st;
}

static inf_status search_dir(const struct dir *dir, struct ih_paths *out, const struct ih_log *log)
{
	struct ih_paths found = IH_PATHS_INIT;
	inf_status st = INF_OK;
	DIR *stream = opendir(dir->path);
	if (!stream) {
		if (errno == ENOMEM)
			return INF_E_NO_MEMORY;
		if (dir->origin == ASKED_FOR || errno != ENOENT)
			ih_log(log, INF_LOG_WARN, "plugin directory %s cannot be read: %s", dir->path,
			       ih_errno_text(errno));
		return INF_OK;
	}
	st = read_names(stream, dir->path, &found, log);
	if (st != INF_OK)
		goto out;
	if (found.count)
		qsort(found.items, found.count, sizeof *found.items, by_bytes);
	for (size_t i = 0; i < found.count; i++) {
		st = push(out, found.items[i]);
		if (st != INF_OK)
			goto out;
		found.items[i] = NULL;
	}
	ih_log(log, INF_LOG_DEBUG, "plugin directory %s: %zu candidate files", dir->path, found.count);
out:
	ih_paths_release(&found);
	closedir(stream);
	return st;
}

inf_status ih_discover(const struct ih_search *search, const struct ih_log *log, struct ih_paths *out,
		       inf_error *err)
{
	struct dirs dirs = { calloc(IH_DISCOVER_DIRS_MAX, sizeof *dirs.items), 0 };
	struct ih_paths found = IH_PATHS_INIT;
	inf_status st = dirs.items ? search_path(search, log, &dirs, err) : no_memory(err);
	if (st != INF_OK)
		goto out;
	for (size_t i = 0; i < dirs.count; i++) {
		st = search_dir(&dirs.items[i], &found, log);
		if (st != INF_OK) {
			no_memory(err);
			goto out;
		}
	}
	*out = found;
	found = (struct ih_paths)IH_PATHS_INIT;
out:
	ih_paths_release(&found);
	free(dirs.items);
	return st;
}
