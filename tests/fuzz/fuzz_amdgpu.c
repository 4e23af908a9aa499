/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "amdgpu.h"
#include "sysroot.h"

/*
 * The input is a machine, as tests/fixtures/amdgpu has them: "file PATH" and its lines after "| ", "link PATH -> TARGET",
 * "dir PATH". Whatever the kernel's files hold, a scan ends, stays within its tables, and says the same again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 512, INPUT_MAX = 1 << 16 };

struct entry {
	char kind;		/* 'f', 'l', 'd' */
	const char *path, *text;
	size_t len;
};

struct machine {
	struct entry entries[ENTRIES_MAX];
	size_t count;
	char text[2 * INPUT_MAX];
};

/* ---- the machine ----------------------------------------------------------------------------------------------- */
static struct entry *add(struct machine *m, char kind, const char *path, const char *text)
{
	if (m->count == ENTRIES_MAX)
		return NULL;
	m->entries[m->count] = (struct entry){ .kind = kind, .path = path, .text = text, .len = strlen(text) };
	return &m->entries[m->count++];
}

/* The lines of a file are put one after the other where its content begins, which is never beyond the line itself. */
static void parse(struct machine *m, char *text)
{
	struct entry *file = NULL;
	char *end = NULL, *line, *rest = text;
	m->count = 0;
	while ((line = strsep(&rest, "\n"))) {
		char *arrow = strstr(line, " -> ");
		if (!strncmp(line, "file ", 5)) {
			end = line + strlen(line);
			file = add(m, 'f', line + 5, end);
		} else if (!strncmp(line, "| ", 2) && file) {
			size_t len = strlen(line + 2);
			memmove(end + 1, line + 2, len);
			file->text = file->len ? file->text : end + 1;
			end += len + 1;
			*end = '\n';
			file->len = (size_t)(end + 1 - file->text);
		} else if (!strncmp(line, "link ", 5) && arrow) {
			*arrow = '\0';
			file = NULL;
			add(m, 'l', line + 5, arrow + 4);
		} else if (!strncmp(line, "dir ", 4)) {
			file = NULL;
			add(m, 'd', line + 4, "");
		}
	}
}

static const struct entry *find(const struct machine *m, const char *path)
{
	for (size_t i = 0; i < m->count; i++)
		if (!strcmp(m->entries[i].path, path))
			return &m->entries[i];
	return NULL;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);
	return !strncmp(path, dir, len) && path[len] == '/' && path[len + 1];
}

static bool is_dir(const struct machine *m, const char *path)
{
	const struct entry *entry = find(m, path);
	for (size_t i = 0; i < m->count; i++)
		if (is_below(m->entries[i].path, path))
			return true;
	return entry && entry->kind == 'd';
}

/* ---- operations ------------------------------------------------------------------------------------------------ */
static ssize_t read_file(void *ctx, const char *path, uint64_t offset, char *buf, size_t cap)
{
	const struct entry *entry = find(ctx, path);
	if (!entry || entry->kind != 'f')
		return entry || is_dir(ctx, path) ? -EISDIR : -ENOENT;
	if (!strncmp(path, "dev/", 4))
		return -ENXIO;
	size_t left = offset < entry->len ? entry->len - (size_t)offset : 0;
	if (left > cap)
		left = cap;
	memcpy(buf, entry->text + (left ? (size_t)offset : 0), left);
	return (ssize_t)left;
}

/* The name below dir that an entry's path goes through. */
static size_t name_below(const struct entry *entry, const char *dir, const char **name)
{
	if (!is_below(entry->path, dir))
		return 0;
	*name = entry->path + strlen(dir) + 1;
	return strcspn(*name, "/");
}

static bool came_before(const struct machine *m, size_t i, const char *dir, const char *name, size_t len)
{
	const char *other;
	for (size_t j = 0; j < i; j++)
		if (name_below(&m->entries[j], dir, &other) == len && !memcmp(other, name, len))
			return true;
	return false;
}

static int list_dir(void *ctx, const char *path, gr_sysroot_name_fn *fn, void *user)
{
	const struct machine *m = ctx;
	char name[256];
	if (!is_dir(m, path))
		return -ENOENT;
	for (size_t i = 0; i < m->count; i++) {
		const char *rest;
		size_t len = name_below(&m->entries[i], path, &rest);
		if (!len || len >= sizeof name || came_before(m, i, path, rest, len))
			continue;
		memcpy(name, rest, len);
		name[len] = '\0';
		if (fn(name, user))
			break;
	}
	return 0;
}

static int access_rw(void *ctx, const char *path)
{
	return find(ctx, path) ? 0 : -ENOENT;
}

static ssize_t read_link(void *ctx, const char *path, char *buf, size_t cap)
{
	const struct entry *entry = find(ctx, path);
	if (!entry || entry->kind != 'l')
		return entry || is_dir(ctx, path) ? -EINVAL : -ENOENT;
	if (entry->len >= cap)
		return -ENAMETOOLONG;
	memcpy(buf, entry->text, entry->len + 1);
	return (ssize_t)entry->len;
}

static int stat_node(void *ctx, const char *path, struct gr_sysroot_node *out)
{
	const struct entry *entry = find(ctx, path);
	if (!entry && !is_dir(ctx, path))
		return -ENOENT;
	mode_t file = strncmp(path, "dev/", 4) ? S_IFREG | 0644 : S_IFCHR | 0660;
	*out = (struct gr_sysroot_node){ .mode = entry && entry->kind == 'f' ? file : S_IFDIR | 0755 };
	return 0;
}

/* ---- what is asked --------------------------------------------------------------------------------------------- */
static void check_text(const char *text, size_t cap)
{
	if (strnlen(text, cap) == cap)
		abort();
}

static void check_scan(const struct gr_amdgpu_scan *scan)
{
	if (scan->gpu_count > GR_AMDGPU_GPUS_MAX || scan->unbound_count > GR_AMDGPU_UNBOUND_MAX)
		abort();
	for (size_t i = 0; i < scan->gpu_count; i++) {
		const struct gr_amdgpu_gpu *gpu = &scan->gpus[i];
		check_text(gpu->pci, sizeof gpu->pci);
		check_text(gpu->gfx, sizeof gpu->gfx);
		check_text(gpu->product, sizeof gpu->product);
		check_text(gpu->directory, sizeof gpu->directory);
		if (gpu->memory.free_bytes > gpu->memory.total_bytes || !gr_amdgpu_kind_name(gpu->kind) ||
		    (i && gpu->ordinal <= scan->gpus[i - 1].ordinal))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine machine;
	static struct gr_amdgpu_scan scan, again;
	const struct gr_sysroot_ops ops = { &machine, read_file, list_dir, access_rw, read_link, stat_node };
	char *const env[] = { NULL };
	if (size >= INPUT_MAX)
		return 0;
	memcpy(machine.text, data, size);
	machine.text[size] = '\0';
	parse(&machine, machine.text);
	gr_amdgpu_scan(&scan, &ops, env);
	check_scan(&scan);
	gr_amdgpu_scan(&again, &ops, env);
	if (again.gpu_count != scan.gpu_count || again.unbound_count != scan.unbound_count)
		abort();
	for (size_t i = 0; i < scan.gpu_count; i++)
		if (strcmp(scan.gpus[i].pci, again.gpus[i].pci) != 0 || scan.gpus[i].kind != again.gpus[i].kind)
			abort();
	return 0;
}
