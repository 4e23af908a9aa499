/* SPDX-License-Identifier: MIT */
/*
 * Layers on other machines: llama.cpp's RPC workers, from the option to devices of a load.
 *
 * The server takes IPv4 addresses only, waits for ever for a worker that is busy, and aborts without one. So the
 * workers are looked up and greeted first, then the server is asked which devices they have, each with a deadline.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "diagnose.h"
#include "fail.h"

enum {
	LOOKUP_MS = 5000,		/* all names together */
	GREET_MS = 5000,		/* a worker that was just left by another client is free soon */
	BLAME_MS = 1000,		/* whose fault was it? */
	LIST_MS = 10000,		/* the server's own question to them */
	LIST_OUTPUT = 256 * 1024,
	LOOKUP_OUTPUT = 16 * 1024,
	ADDRESSES_MAX = GR_RPC_TARGETS_MAX / GR_RPC_WORKERS_MAX,	/* of one name */
};

static char getent_path[] = "/usr/bin/getent";

/* Workers and where they may be. */
struct search {
	struct gr_rpc_target targets[GR_RPC_TARGETS_MAX];
	uint8_t worker[GR_RPC_TARGETS_MAX];
	size_t count;
};

/* ---- names ----------------------------------------------------------------------------------------------------- */
static void add_target(struct search *s, const struct gr_rpc_list *list, uint32_t worker, struct in_addr address)
{
	size_t of_worker = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (s->worker[i] != worker)
			continue;
		of_worker++;
		if (s->targets[i].address.s_addr == address.s_addr)
			return;
	}
	if (of_worker == ADDRESSES_MAX)
		return;
	s->worker[s->count] = (uint8_t)worker;
	s->targets[s->count++] = (struct gr_rpc_target){ .address = address, .port = list->workers[worker].port };
}

/* Lines that begin with an address. */
static bool read_addresses(struct search *s, const struct gr_rpc_list *list, uint32_t worker, char *text)
{
	size_t before = s->count;
	char *rest;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct in_addr address;
		line[strcspn(line, " \t")] = '\0';
		if (inet_pton(AF_INET, line, &address) == 1)
			add_target(s, list, worker, address);
	}
	return s->count > before;
}

/* getaddrinfo() has no deadline and cannot be stopped; the program that calls it can be killed. */
static inf_status look_up(struct search *s, const struct gr_rpc_list *list, uint32_t worker, int64_t until_ms,
			  struct gr_early *early, inf_error *err)
{
	const struct gr_rpc_worker *w = &list->workers[worker];
	char output[LOOKUP_OUTPUT];
	char *argv[] = { getent_path, (char *)"ahostsv4", (char *)w->host, NULL };
	char *env[] = { (char *)"LC_ALL=C", NULL };
	const struct gr_spawn spec = { getent_path, argv, env, "/" };
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	int64_t left = until_ms - gr_now_ms();
	inf_error why = { .struct_size = sizeof why };
	inf_status st = gr_child_run(&spec, left > 1 ? (int)left : 1, output, sizeof output, &exit, gr_report_early, early,
				     &why);
	if (st == INF_E_CANCELLED)
		return inf_fail(err, st, "cancelled", "the load was cancelled");
	if (st == INF_E_TIMEOUT)
		return inf_fail(err, INF_E_UNAVAILABLE, "rpc_lookup",
				"RPC worker %.100s: its name could not be looked up within %d ms: give its IPv4 address, or see "
				"whether DNS works", w->name, LOOKUP_MS);
	if (st != INF_OK)
		return inf_fail(err, INF_E_UNAVAILABLE, "rpc_lookup",
				"RPC worker %.100s: its name cannot be looked up (%.150s): give its IPv4 address", w->name,
				why.message);
	if (!read_addresses(s, list, worker, output))
		return inf_fail(err, INF_E_UNAVAILABLE, "rpc_lookup",
				"RPC worker %.100s: no IPv4 address is known for this name: see whether it is written right",
				w->name);
	return INF_OK;
}

static inf_status find_addresses(struct search *s, const struct gr_rpc_list *list, struct gr_early *early,
				 inf_error *err)
{
	int64_t until_ms = gr_now_ms() + LOOKUP_MS;
	inf_status st = INF_OK;
	for (uint32_t i = 0; st == INF_OK && i < list->count; i++) {
		if (list->workers[i].has_address)
			add_target(s, list, i, list->workers[i].address);
		else
			st = look_up(s, list, i, until_ms, early, err);
	}
	return st;
}

/* ---- greeting -------------------------------------------------------------------------------------------------- */
/* The best answer from any address of a worker. */
static const struct gr_rpc_target *best_of(const struct search *s, uint32_t worker)
{
	const struct gr_rpc_target *best = NULL;
	for (size_t i = 0; i < s->count; i++)
		if (s->worker[i] == worker && (!best || s->targets[i].state > best->state))
			best = &s->targets[i];
	return best;
}

static inf_status refuse(const struct gr_rpc_worker *worker, const struct gr_rpc_target *target, inf_error *err)
{
	switch (target->state) {
	case GR_RPC_UNREACHABLE:
		return gr_fail_errno(err, INF_E_UNAVAILABLE, target->os_errno, "rpc_unreachable",
				     "RPC worker %.100s cannot be reached: start ggml-rpc-server there with this port (-H and -p), "
				     "or leave it out of rpc-servers", worker->name);
	case GR_RPC_SILENT:
		return inf_fail(err, INF_E_UNAVAILABLE, "rpc_busy",
				"RPC worker %.100s takes the connection but did not answer for %d ms: it serves one client at a time, "
				"so another one may be using it: end that, or start another worker", worker->name, GREET_MS);
	case GR_RPC_STRANGER:
		return inf_fail(err, INF_E_UNAVAILABLE, "rpc_version",
				"RPC worker %.100s does not speak this protocol: it is another program, or of another version of "
				"llama.cpp: use the version of llama-server", worker->name);
	case GR_RPC_FREE:
		break;
	}
	return INF_OK;
}

/* Two names for one worker: it would wait for itself. */
static inf_status check_twice(const struct gr_workers *workers, uint32_t index, inf_error *err)
{
	const struct gr_rpc_target *used = workers->used;
	for (uint32_t i = 0; i < index; i++)
		if (used[i].address.s_addr == used[index].address.s_addr && used[i].port == used[index].port)
			return inf_fail(err, INF_E_INVALID, "rpc_servers",
					"option rpc-servers: %.100s and %.100s are the same worker: leave one out",
					workers->list.workers[i].name, workers->list.workers[index].name);
	return INF_OK;
}

static inf_status use_answers(struct gr_workers *workers, const struct search *s, inf_error *err)
{
	size_t len = 0;
	for (uint32_t i = 0; i < workers->list.count; i++) {
		char address[INET_ADDRSTRLEN];
		workers->used[i] = *best_of(s, i);
		inf_status st = refuse(&workers->list.workers[i], &workers->used[i], err);
		if (st == INF_OK)
			st = check_twice(workers, i, err);
		if (st != INF_OK) {
			if (st == INF_E_UNAVAILABLE)
				gr_fail_flags(err, INF_ERR_FLAG_RETRYABLE);
			return st;
		}
		inet_ntop(AF_INET, &workers->used[i].address, address, sizeof address);
		len += (size_t)snprintf(workers->argument + len, sizeof workers->argument - len, "%s%s:%u", i ? "," : "",
					address, workers->used[i].port);
	}
	return INF_OK;
}

inf_status gr_rpc_find(inf_model *self, const struct gr_progress *progress, inf_error *err)
{
	struct gr_workers *workers = &self->start->workers;
	struct gr_early early = { progress, 0 };
	struct search s = { .count = 0 };
	inf_status st = find_addresses(&s, &workers->list, &early, err);
	if (st == INF_OK)
		st = gr_rpc_probe(s.targets, s.count, GREET_MS, gr_report_early, &early, err);
	return st == INF_OK ? use_answers(workers, &s, err) : st;
}

bool gr_rpc_is_away(const char *reason)
{
	return strcmp(reason, "rpc_unreachable") == 0 || strcmp(reason, "rpc_busy") == 0 || strcmp(reason, "rpc_lookup") == 0;
}

/* ---- their devices --------------------------------------------------------------------------------------------- */
static inf_status explain_list(const struct gr_workers *workers, const struct gr_exit *exit, const char *output,
			       inf_error *err)
{
	struct gr_death death = GR_DEATH_INIT;
	death.output = output;
	death.len = strlen(output);
	death.loading = true;
	death.exit_code = exit->kind == GR_EXIT_CODE ? exit->value : -1;
	death.signal = exit->kind == GR_EXIT_SIGNAL ? exit->value : 0;
	struct gr_diagnosis d = gr_diagnose(&death);
	return inf_fail(err, d.status, d.reason, "llama-server cannot use the RPC workers %.100s: %s%s%s; its words: %s",
			workers->argument, d.meaning, d.hint[0] ? "; " : "", d.hint, d.quote[0] ? d.quote : "none");
}

static inf_status ask_server(const inf_model *self, const struct gr_progress *progress, struct gr_devlog *out,
			     inf_error *err)
{
	const struct gr_start *start = self->start;
	const char *const arguments[] = { "-lv", "5", "--rpc", start->workers.argument, "--list-devices", NULL };
	struct gr_early early = { progress, 0 };
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	const struct gr_server_run run = {
		.path = start->facts.file.path, .arguments = arguments, .device_env = self->devices.env.items,
		.timeout_ms = LIST_MS, .output = malloc(LIST_OUTPUT), .output_cap = LIST_OUTPUT, .on_wait = gr_report_early,
		.user = &early,
	};
	if (!run.output)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's list of devices");
	gr_devlog_init_list(out);
	inf_status st = gr_instance_run(self->instance, &run, &exit, err);
	if (st == INF_E_CANCELLED)
		inf_fail(err, st, "cancelled", "the load was cancelled");
	else if (st == INF_E_TIMEOUT)
		st = inf_fail(err, INF_E_UNAVAILABLE, "rpc_busy",
			      "llama-server was not told the devices of the RPC workers %.100s within %d ms: another client may have "
			      "taken one of them just now", start->workers.argument, LIST_MS);
	else if (st == INF_OK && exit.kind != GR_EXIT_UNKNOWN && !(exit.kind == GR_EXIT_CODE && exit.value == 0))
		st = explain_list(&start->workers, &exit, run.output, err);
	else if (st == INF_OK)
		gr_devlog_feed(out, run.output, strlen(run.output));
	free(run.output);
	return st;
}

/* The worker of a device; the server describes a device of a worker by its address. */
static int32_t worker_of(const struct gr_workers *workers, const struct gr_devlog_device *device)
{
	const char *at = workers->argument;
	size_t len = strlen(device->description);
	if (strncmp(device->id, "RPC", 3) != 0)
		return -1;
	for (uint32_t i = 0; i < workers->list.count; i++) {
		size_t here = strcspn(at, ",");
		if (here == len && strncmp(at, device->description, len) == 0)
			return (int32_t)i;
		at += here + (at[here] == ',');
	}
	return -1;
}

/* Remote devices of one load, in the server's order. */
struct remote {
	char argument[GR_DEVICE_ARGUMENT];
	struct gr_fit_device memory[GR_DEVLOG_DEVICES_MAX];
	uint32_t count;
	bool unknown;			/* the memory of one of them */
	bool full;			/* the argument holds no more names */
	uint32_t devices_of[GR_RPC_WORKERS_MAX];
};

static void collect(const inf_model *self, const struct gr_devlog *listed, struct remote *out)
{
	const struct gr_workers *workers = &self->start->workers;
	size_t len = 0;
	for (size_t i = 0; i < listed->count; i++) {
		const struct gr_devlog_device *device = &listed->devices[i];
		int32_t worker = worker_of(workers, device);
		if (worker < 0)
			continue;
		out->devices_of[worker]++;
		out->unknown |= !device->total_bytes;
		out->memory[out->count++] = (struct gr_fit_device){
			.free_bytes = device->free_bytes, .reserve_bytes = gr_fit_reserve(INF_DEVICE_DISCRETE, true),
		};
		len += (size_t)snprintf(out->argument + len, sizeof out->argument - len, "%s%s", len ? "," : "", device->id);
		out->full = len >= sizeof out->argument;
		if (out->full)
			return;
		gr_log(self->instance, INF_LOG_INFO, "%s is a device of the RPC worker %s (%s), %llu of %llu MiB free", device->id,
		       workers->list.workers[worker].name, device->description, (unsigned long long)(device->free_bytes >> 20),
		       (unsigned long long)(device->total_bytes >> 20));
	}
}

/* Before the devices of this machine, as the server itself orders them: the last one has the output. */
static inf_status put_before(struct gr_device_choice *choice, const struct remote *remote, const struct gr_start *start,
			     inf_error *err)
{
	char local[GR_DEVICE_ARGUMENT];
	bool alone = !choice->argument[0];
	snprintf(local, sizeof local, "%s", choice->argument);
	size_t len = strlen(remote->argument) + (alone ? 0 : 1) + strlen(local);
	if (remote->full || len >= sizeof choice->argument || remote->count + choice->memory_count > GR_DEVICES_MAX)
		return inf_fail(err, INF_E_UNSUPPORTED, "rpc_servers", "%u devices of RPC workers are more than a load can use",
				remote->count);
	stpcpy(stpcpy(stpcpy(choice->argument, remote->argument), alone ? "" : ","), local);
	if (remote->unknown || (!alone && !choice->memory_count)) {
		choice->memory_count = 0;
		return INF_OK;
	}
	memmove(choice->memory + remote->count, choice->memory, choice->memory_count * sizeof *choice->memory);
	memcpy(choice->memory, remote->memory, remote->count * sizeof *choice->memory);
	choice->memory_count += remote->count;
	if (alone)
		gr_devices_reserve(start, choice->memory);
	return INF_OK;
}

inf_status gr_rpc_take(inf_model *self, const struct gr_progress *progress, inf_error *err)
{
	const struct gr_workers *workers = &self->start->workers;
	struct remote remote = { .count = 0 };
	struct gr_devlog *listed = malloc(sizeof *listed);
	if (!listed)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the server's list of devices");
	inf_status st = ask_server(self, progress, listed, err);
	if (st == INF_OK)
		collect(self, listed, &remote);
	free(listed);
	for (uint32_t i = 0; st == INF_OK && !remote.full && i < workers->list.count; i++)
		if (!remote.devices_of[i])
			st = inf_fail(err, INF_E_UNAVAILABLE, "rpc_no_device",
				      "RPC worker %.100s offers no device to llama-server: look at its output, or leave it out",
				      workers->list.workers[i].name);
	return st == INF_OK ? put_before(&self->devices, &remote, self->start, err) : st;
}

/* ---- after a death --------------------------------------------------------------------------------------------- */
static const char *fault_of(const struct gr_rpc_target *target)
{
	return target->state == GR_RPC_UNREACHABLE ? strerrordesc_np(target->os_errno) :
	       target->state == GR_RPC_SILENT ? "it does not answer" : "another program answers there";
}

void gr_rpc_blame(const inf_model *self, char *out, size_t cap)
{
	const struct gr_workers *workers = &self->start->workers;
	struct gr_rpc_target now[GR_RPC_WORKERS_MAX];
	size_t len = 0;
	out[0] = '\0';
	memcpy(now, workers->used, sizeof now);
	gr_rpc_probe(now, workers->list.count, BLAME_MS, NULL, NULL, NULL);
	for (uint32_t i = 0; i < workers->list.count && len < cap; i++)
		if (now[i].state != GR_RPC_FREE)
			len += (size_t)snprintf(out + len, cap - len, "%s%s (%s)", len ? ", " : ": ", workers->list.workers[i].name,
						fault_of(&now[i]));
	bool told = len > 0;
	for (uint32_t i = 0; i < workers->list.count && len < cap && !told; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? " or " : ": ", workers->list.workers[i].name);
}
