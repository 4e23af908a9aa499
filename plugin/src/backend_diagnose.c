/* SPDX-License-Identifier: MIT */
/* inf.diagnose/1: everything that decides whether this backend can work here, for people. */
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backend.h"
#include "diagnose.h"
#include "env_report.h"
#include "machine_report.h"
#include "sysroot.h"

enum {
	LIST_MS = 5000,			/* --list-devices: a runtime that wakes its cards takes a while */
	LIST_OUTPUT = 64 * 1024,
	ENVIRONMENT_MAX = 1 << 20,
	MIB_SHIFT = 20,
};

/* What was learnt before the first line is said, because the verdict comes first. */
struct diagnosis {
	inf_instance *instance;
	struct gr_findings *out;
	struct gr_server_facts server;	/* file.path "" = none was found */
	inf_error server_error;		/* code INF_OK = it can be used */
	struct gr_device_choice choice;
	struct gr_devlog devices;	/* what the server lists */
	inf_error list_error;		/* code INF_OK = it listed, or was not asked */
	char list_remedy[128];
	char output[LIST_OUTPUT];
};

/* ---- the server ------------------------------------------------------------------------------------------------ */
static void judge_list(struct diagnosis *self, const struct gr_exit *exit)
{
	char text[64];
	bool good = exit->kind == GR_EXIT_UNKNOWN || (exit->kind == GR_EXIT_CODE && exit->value == 0);
	gr_devlog_feed(&self->devices, self->output, strlen(self->output));
	if (good)
		return;
	struct gr_death death = GR_DEATH_INIT;
	death.output = self->output;
	death.len = strlen(self->output);
	death.loading = true;
	death.exit_code = exit->kind == GR_EXIT_CODE ? exit->value : -1;
	death.signal = exit->kind == GR_EXIT_SIGNAL ? exit->value : 0;
	const struct gr_diagnosis why = gr_diagnose(&death);
	inf_fail(&self->list_error, INF_E_UNAVAILABLE, "list_devices", "llama-server --list-devices ended with %s%s%s",
		 gr_exit_text(exit, text, sizeof text), why.quote[0] ? ": " : "", why.quote);
	snprintf(self->list_remedy, sizeof self->list_remedy, "%s", why.hint[0] ? why.hint :
		 "run it by hand; a ROCm build needs the driver and libraries of its version");
}

/* The server is held to its devices as by a load, so that what it lists is what a load would meet. */
static void list_devices(struct diagnosis *self)
{
	static const char *const arguments[] = { "--list-devices", NULL };
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	const struct gr_server_run run = {
		.path = self->server.file.path, .arguments = arguments, .device_env = self->choice.env.items,
		.timeout_ms = LIST_MS, .output = self->output, .output_cap = sizeof self->output,
	};
	inf_status st = gr_instance_run(self->instance, &run, &exit, &self->list_error);
	if (st == INF_OK) {
		judge_list(self, &exit);
	} else if (st == INF_E_TIMEOUT) {
		inf_fail(&self->list_error, st, "list_devices", "llama-server --list-devices did not end within %d ms",
			 LIST_MS);
		snprintf(self->list_remedy, sizeof self->list_remedy, "see dmesg for a GPU that hangs");
	}
}

/* A device that a load would assert and the server does not have. */
static bool find_missing(const struct diagnosis *self, char out[GR_DEVICE_ARGUMENT])
{
	char names[GR_DEVICE_ARGUMENT], *rest = names, *name;
	snprintf(names, sizeof names, "%s", self->choice.argument);
	while (self->devices.listed && (name = strsep(&rest, ","))) {
		snprintf(out, GR_DEVICE_ARGUMENT, "%s", name);
		if (*name && !gr_devlog_find(&self->devices, name))
			return true;
	}
	return false;
}

static void check_devices(struct diagnosis *self)
{
	char name[GR_DEVICE_ARGUMENT];
	if (self->list_error.code != INF_OK || !find_missing(self, name))
		return;
	inf_fail(&self->list_error, INF_E_UNAVAILABLE, "device_missing", "the server does not list %.32s, so a load would "
		 "fail", name);
	snprintf(self->list_remedy, sizeof self->list_remedy,
		 "use a llama-server that was built for this GPU: name it with llama-server.path");
}

/* A profile that has its devices from the server. */
static void learn_listed(struct diagnosis *self)
{
	const struct gr_device_query query = { .options = &self->instance->options, .env = self->instance->env.items,
					       .server = self->server.file.path, .listed = &self->devices };
	inf_status st = gr_instance_devices(self->instance, &self->server.file, NULL, NULL, &self->devices,
					    &self->list_error);
	if (st == INF_OK)
		gr_profile.devices.choose(&query, &self->choice);
	else
		snprintf(self->list_remedy, sizeof self->list_remedy, "see whether vulkaninfo runs, and dmesg for a GPU that hangs");
}

static void learn(struct diagnosis *self)
{
	gr_devlog_init(&self->devices);
	inf_status st = gr_instance_server(self->instance, NULL, NULL, &self->server, &self->server_error);
	const char *path = self->server.file.path[0] ? self->server.file.path : NULL;
	const struct gr_device_query query = { .options = &self->instance->options, .env = self->instance->env.items,
					       .server = path };
	if (st == INF_OK && gr_profile.question.env) {
		learn_listed(self);
		return;
	}
	if (gr_profile.devices.choose)
		gr_profile.devices.choose(&query, &self->choice);
	if (st != INF_OK)
		return;
	list_devices(self);
	check_devices(self);
}

/* ---- the verdict ----------------------------------------------------------------------------------------------- */
/* Messages about the server end with what to do where the place that knew the cause knew that too. */
static const struct {
	const char *reason, *begins, *remedy;
} server_remedies[] = {
	{ "llama_server_missing", ": install ", "name a llama-server that exists, or install llama.cpp" },
	{ "server_untrusted", "", "make it, and every directory of its path, yours or root's and not writable by others" },
	{ "server_not_executable", "", "name the program itself, and make it executable" },
	{ "server_too_old", ": a llama-server", "install a llama-server from 2025 or later" },
	{ "server_broken", "", "run llama-server --version by hand and repair what it names" },
	{ "timeout", "", "run llama-server --version by hand: it takes too long" },
};

static void add_server_problem(struct diagnosis *self, const char *section, const char *key)
{
	const inf_error *error = &self->server_error;
	inf_finding head = { .severity = INF_FINDING_PROBLEM, .section = section, .key = key, .reason = error->reason };
	size_t len = strlen(error->message);
	head.remedy = "run llama-server --version by hand";
	for (size_t i = 0; i < sizeof server_remedies / sizeof server_remedies[0]; i++) {
		if (strcmp(error->reason, server_remedies[i].reason) != 0)
			continue;
		const char *begins = server_remedies[i].begins, *at = *begins ? strstr(error->message, begins) : NULL;
		head.remedy = at ? at + 2 : server_remedies[i].remedy;
		len = at ? (size_t)(at - error->message) : len;
	}
	gr_finding_add(self->out, &head, "%.*s", (int)len, error->message);
}

static void add_refusal(struct diagnosis *self)
{
	const struct gr_refusal *refusal = &self->choice.refusal;
	const inf_finding head = {
		.severity = gr_refusal_is_final(refusal) ? INF_FINDING_NOTE : INF_FINDING_PROBLEM,
		.section = "verdict", .key = gr_profile.name, .reason = refusal->code, .remedy = refusal->remedy,
	};
	gr_finding_add(self->out, &head, "%s", refusal->cause);
}

static void add_list_problem(struct diagnosis *self, const char *section, const char *key)
{
	const inf_finding head = {
		.severity = INF_FINDING_PROBLEM, .section = section, .key = key, .reason = self->list_error.reason,
		.remedy = self->list_remedy,
	};
	gr_finding_add(self->out, &head, "%s", self->list_error.message);
}

/* Of all that is in the way only the first is the verdict; the rest follows in its section. */
static void add_verdict(struct diagnosis *self)
{
	bool refused = self->choice.refusal.code != NULL;
	if (refused)
		add_refusal(self);
	else if (self->server_error.code != INF_OK)
		add_server_problem(self, "verdict", gr_profile.name);
	else if (self->list_error.code != INF_OK)
		add_list_problem(self, "verdict", gr_profile.name);
	else
		gr_finding_fact(self->out, "verdict", gr_profile.name, "can be used: %s%sllama-server %s",
				self->choice.text, self->choice.text[0] ? "; " : "", self->server.version);
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */
/* What named the server, in the order of gr_server_find(). */
static const char *origin(const inf_instance *instance)
{
	const char *own = gr_profile.server_variable, *value;
	if (instance->options.server_path)
		return "the option llama-server.path";
	if (own && (value = gr_env_get(instance->env.items, own)) && *value)
		return own;
	value = gr_env_get(instance->env.items, "LLAMA_SERVER_PATH");
	return value && *value ? "LLAMA_SERVER_PATH" : "PATH";
}

static void add_device(struct gr_findings *out, const struct gr_devlog_device *device)
{
	char key[64];
	snprintf(key, sizeof key, "device %s", device->id);
	gr_finding_fact(out, "server", key, "%s, %llu of %llu MiB free", device->description,
			(unsigned long long)device->free_bytes >> MIB_SHIFT,
			(unsigned long long)device->total_bytes >> MIB_SHIFT);
}

static void add_server(struct diagnosis *self)
{
	bool refused = self->choice.refusal.code != NULL;
	if (self->server_error.code != INF_OK && refused)
		add_server_problem(self, "server", "llama-server");
	if (!self->server.file.path[0])
		return;
	gr_finding_fact(self->out, "server", "path", "%s (by %s)", self->server.file.path, origin(self->instance));
	if (self->server.version[0])
		gr_finding_fact(self->out, "server", "version", "%s", self->server.version);
	if (self->server_error.code != INF_OK)
		return;
	if (self->list_error.code != INF_OK && refused)
		add_list_problem(self, "server", "devices");
	else if (self->devices.listed && !self->devices.count)
		gr_finding_fact(self->out, "server", "devices", "none: it computes on the CPU only");
	for (size_t i = 0; i < self->devices.count; i++)
		add_device(self->out, &self->devices.devices[i]);
}

static void add_options(struct diagnosis *self)
{
	const inf_options *table = gr_options_table(gr_profile.name);
	const inf_host *host = self->instance->host;
	for (size_t i = 0; i < host->option_count; i++) {
		const char *key = host->options[i].key + (host->options[i].key[0] == '?');
		for (uint32_t k = 0; k < table->count; k++)
			if (strcmp(table->options[k]->key, key) == 0)
				gr_finding_fact(self->out, "options", key, "%s", host->options[i].value);
	}
}

/*
 * The block that the process was started with, as the kernel has it. Reading `environ` here would race with a host that
 * changes its environment in another thread. What the host changed since does not matter: the names that count were
 * copied by create(), and of all others nothing reaches the server.
 */
static size_t read_environment(char *out, size_t cap)
{
	size_t len = 0;
	ssize_t n = 1;
	int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < cap && n > 0) {
		n = read(fd, out + len, cap - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return len;
}

static void add_environment(struct diagnosis *self, bool elevated)
{
	const struct gr_env_roles roles = { gr_profile.selectors, gr_profile.environment };
	char *block = elevated ? NULL : malloc(ENVIRONMENT_MAX);
	size_t len = block ? read_environment(block, ENVIRONMENT_MAX) : 0;
	gr_env_report(self->out, &roles, self->instance->env.items, block, len);
	free(block);
}

static void take_groups(struct gr_machine_process *out)
{
	gid_t all[1024];
	int count = getgroups(sizeof all / sizeof all[0], all);
	out->groups[out->group_count++] = getegid();
	for (int i = 0; i < count && out->group_count < GR_MACHINE_GROUPS_MAX; i++)
		if (all[i] != out->groups[0])
			out->groups[out->group_count++] = all[i];
}

/* Without the name of the machine. */
static void add_machine(struct diagnosis *self, bool elevated)
{
	struct gr_machine_process process = { .uid = geteuid(), .elevated = elevated };
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct utsname name = { .sysname = "?" };
	char kernel[sizeof name.sysname + sizeof name.release + sizeof name.machine + 3], libc[64];
	cpu_set_t cpus;
	uname(&name);
	snprintf(kernel, sizeof kernel, "%s %s %s", name.sysname, name.release, name.machine);
	snprintf(libc, sizeof libc, "glibc %s", gnu_get_libc_version());
	process.kernel = kernel;
	process.libc = libc;
	process.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	process.cpus_usable = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : process.cpus;
	take_groups(&process);
	if (gr_sysroot_open(&root, self->instance->options.sysroot) == 0)
		gr_machine_report(self->out, &root.ops, &process, self->instance->env.items);
	gr_sysroot_release(&root);
}

static void say(struct diagnosis *self)
{
	const char *path = self->server.file.path[0] ? self->server.file.path : NULL;
	const struct gr_device_query query = { .options = &self->instance->options, .env = self->instance->env.items,
					       .server = path };
	bool elevated = getauxval(AT_SECURE) != 0;
	add_verdict(self);
	add_machine(self, elevated);
	add_environment(self, elevated);
	add_options(self);
	if (gr_profile.devices.diagnose)
		gr_profile.devices.diagnose(&query, self->out);
	add_server(self);
}

static inf_status run(inf_instance *instance, const inf_backend *backend, void *user,
		      int32_t (*on_finding)(void *user, const inf_finding *finding), inf_error *err)
{
	struct gr_findings findings = { user, on_finding, false };
	(void)backend;
	inf_status st = gr_instance_check(instance, err);
	if (st != INF_OK)
		return st;
	if (!on_finding)
		return inf_fail(err, INF_E_INVALID, "argument", "run: on_finding is NULL");
	struct diagnosis *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for a diagnosis");
	self->instance = instance;
	self->out = &findings;
	self->choice = (struct gr_device_choice)GR_DEVICE_CHOICE_INIT;
	self->server_error.struct_size = self->list_error.struct_size = sizeof self->server_error;
	learn(self);
	say(self);
	if (gr_profile.devices.release)
		gr_profile.devices.release(&self->choice);
	free(self);
	return INF_OK;
}

const inf_diagnose gr_diagnose_table = { .struct_size = sizeof gr_diagnose_table, .run = run };
