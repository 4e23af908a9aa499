/* SPDX-License-Identifier: MIT */
#include "oom.h"

#include <stdio.h>
#include <string.h>

/* The number in a line "KEY  NUMBER kB". */
struct search {
	const char *key;
	bool found;
	uint64_t value;
};

static int take_value(char *line, void *user)
{
	struct search *self = user;
	size_t len = strlen(self->key);
	if (strncmp(line, self->key, len) != 0)
		return 0;
	line += len;
	line += strspn(line, " \t");
	line[strcspn(line, " ")] = '\0';
	self->found = gr_parse_u64(line, &self->value);
	return 1;
}

static bool read_value(const struct gr_sysroot_ops *ops, const char *path, const char *key, uint64_t *out)
{
	struct search search = { .key = key };
	gr_sysroot_each_line(ops, path, take_value, &search);
	if (search.found)
		*out = search.value;
	return search.found;
}

/* Where this process is, by version: "" = nowhere. */
struct groups {
	char v1[GR_SYSROOT_PATH_MAX], v2[GR_SYSROOT_PATH_MAX];
};

static bool has_memory(const char *controllers)
{
	for (const char *at = controllers; *at; at += *at == ',') {
		size_t len = strcspn(at, ",");
		if (len == 6 && memcmp(at, "memory", len) == 0)
			return true;
		at += len;
	}
	return false;
}

/* "4:cpu,memory:/user.slice" of version 1, "0::/user.slice/a.scope" of version 2. */
static int take_group(char *line, void *user)
{
	struct groups *self = user;
	strsep(&line, ":");
	const char *controllers = strsep(&line, ":");
	if (!line || *line != '/' || strstr(line, "/..") || strlen(line) >= sizeof self->v1)
		return 0;
	if (!*controllers)
		strcpy(self->v2, line);
	else if (has_memory(controllers))
		strcpy(self->v1, line);
	return 0;
}

/* In the group, else at the root of what is seen of the tree. */
static bool read_count(const struct gr_sysroot_ops *ops, const char *tree, const char *group, const char *file, uint64_t *out)
{
	char path[GR_SYSROOT_PATH_MAX];
	int len = snprintf(path, sizeof path, "sys/fs/cgroup%s%s/%s", tree, strcmp(group, "/") ? group : "", file);
	if (len > 0 && (size_t)len < sizeof path && read_value(ops, path, "oom_kill ", out))
		return true;
	snprintf(path, sizeof path, "sys/fs/cgroup%s/%s", tree, file);
	return read_value(ops, path, "oom_kill ", out);
}

void gr_oom_look(struct gr_oom *out, const struct gr_sysroot_ops *ops)
{
	struct groups groups = { "", "" };
	uint64_t value;
	*out = (struct gr_oom)GR_OOM_INIT;
	gr_sysroot_each_line(ops, "proc/self/cgroup", take_group, &groups);
	bool known = groups.v1[0] && read_count(ops, "/memory", groups.v1, "memory.oom_control", &value);
	if (!known && groups.v2[0])
		known = read_count(ops, "", groups.v2, "memory.events", &value);
	if (known && value <= INT64_MAX)
		out->kills = (int64_t)value;
	if (read_value(ops, "proc/meminfo", "MemAvailable:", &value) && value <= UINT64_MAX >> 10)
		out->available_bytes = value << 10;
}
