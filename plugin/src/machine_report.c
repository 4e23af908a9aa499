/* SPDX-License-Identifier: MIT */
#include "machine_report.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "strv.h"

enum { TEXT_MAX = 128, GROUPS_TEXT_MAX = 900, KIB_PER_GIB_TENTH = 104858 };

/* The text behind a key in a file of lines "key<mark> text". */
struct lookup {
	const char *key;
	char mark;
	char text[TEXT_MAX];
};

static int take_line(char *line, void *user)
{
	struct lookup *self = user;
	size_t len = strlen(self->key);
	if (strncmp(line, self->key, len) != 0 || line[len + strspn(line + len, " \t")] != self->mark)
		return 0;
	const char *text = strchr(line + len, self->mark) + 1;
	snprintf(self->text, sizeof self->text, "%s", text + strspn(text, " \t\""));
	self->text[strcspn(self->text, "\"")] = '\0';
	return 1;
}

static bool find(const struct gr_sysroot_ops *ops, const char *path, const char *key, char mark, char out[TEXT_MAX])
{
	struct lookup lookup = { .key = key, .mark = mark };
	gr_sysroot_each_line(ops, path, take_line, &lookup);
	memcpy(out, lookup.text, TEXT_MAX);
	return out[0];
}

/* ---- system ---------------------------------------------------------------------------------------------------- */
/* "65734124 kB" -> tenths of a GiB */
static bool find_memory(const struct gr_sysroot_ops *ops, const char *key, uint64_t *tenths)
{
	char text[TEXT_MAX];
	uint64_t kib;
	if (!find(ops, "proc/meminfo", key, ':', text))
		return false;
	text[strcspn(text, " ")] = '\0';
	if (!gr_parse_u64(text, &kib))
		return false;
	*tenths = (kib + KIB_PER_GIB_TENTH / 2) / KIB_PER_GIB_TENTH;
	return true;
}

static void report_memory(struct gr_findings *out, const struct gr_sysroot_ops *ops)
{
	uint64_t total, available, limit;
	if (!find_memory(ops, "MemTotal", &total))
		gr_finding_fact(out, "system", "memory", "not known");
	else if (!find_memory(ops, "MemAvailable", &available))
		gr_finding_fact(out, "system", "memory", "%llu.%llu GiB", (unsigned long long)total / 10,
				(unsigned long long)total % 10);
	else
		gr_finding_fact(out, "system", "memory", "%llu.%llu of %llu.%llu GiB available",
				(unsigned long long)available / 10, (unsigned long long)available % 10,
				(unsigned long long)total / 10, (unsigned long long)total % 10);
	if (gr_sysroot_u64(ops, "sys/fs/cgroup/memory.max", &limit) == 0)
		gr_finding_fact(out, "system", "memory limit", "%llu MiB, of the control group",
				(unsigned long long)limit >> 20);
}

static void report_system(struct gr_findings *out, const struct gr_sysroot_ops *ops,
			  const struct gr_machine_process *process)
{
	char text[TEXT_MAX];
	bool known = find(ops, "etc/os-release", "PRETTY_NAME", '=', text);
	gr_finding_fact(out, "system", "os", "%s, %s", known ? text : "unknown distribution", process->libc);
	gr_finding_fact(out, "system", "kernel", "%s", process->kernel);
	known = find(ops, "proc/cpuinfo", "model name", ':', text);
	gr_finding_fact(out, "system", "cpu", "%s, %ld CPUs online, %ld usable", known ? text : "model not known",
			process->cpus, process->cpus_usable);
	report_memory(out, ops);
}

/* ---- process --------------------------------------------------------------------------------------------------- */
static void report_groups(struct gr_findings *out, const struct gr_sysroot_ops *ops,
			  const struct gr_machine_process *process)
{
	char name[33];
	struct gr_buf text = GR_BUF_INIT(GROUPS_TEXT_MAX);
	for (size_t i = 0; i < process->group_count; i++) {
		gid_t gid = process->groups[i];
		gr_buf_printf(&text, "%s%u", i ? ", " : "", (unsigned)gid);
		if (gid <= GR_MACHINE_SYSTEM_GID_MAX && gr_sysroot_group(ops, gid, name, sizeof name))
			gr_buf_printf(&text, " (%s)", name);
	}
	gr_finding_fact(out, "process", "groups", "%s", gr_buf_text(&text));
	gr_buf_release(&text);
}

static void report_container(struct gr_findings *out, const struct gr_sysroot_ops *ops, char *const *env)
{
	static const char *const marks[] = { ".dockerenv", "run/.containerenv", "dev/dxg" };
	const char *variable = gr_env_get(env, "container");
	if (variable && *variable) {
		gr_finding_fact(out, "process", "container", "$container is \"%.64s\"", variable);
		return;
	}
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		if (gr_sysroot_exists(ops, marks[i])) {
			gr_finding_fact(out, "process", "container", "/%s exists%s", marks[i], i == 2 ? ": WSL" : "");
			return;
		}
	}
	gr_finding_fact(out, "process", "container", "no sign of one");
}

void gr_machine_report(struct gr_findings *out, const struct gr_sysroot_ops *ops, const struct gr_machine_process *process,
		       char *const *env)
{
	report_system(out, ops, process);
	gr_finding_fact(out, "process", "user", "uid %u%s", (unsigned)process->uid, process->uid ? "" : " (root)");
	report_groups(out, ops, process);
	report_container(out, ops, env);
	if (process->elevated)
		gr_finding_add(out, &(inf_finding){ .severity = INF_FINDING_NOTE, .section = "process", .key = "rights",
						    .reason = "elevated",
						    .remedy = "run it without set-user-ID or file capabilities" },
			       "elevated: variables of the environment are ignored");
}
