/* SPDX-License-Identifier: MIT */
/* INF-171 to 173: what a failure says. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failures.h"

enum { CHILDREN_MAX = 64, CALLS_AFTER = 3 };

/* ---- INF-171 ---- */
static void check_error(struct kit *kit, const struct kit_failure *failure)
{
	const inf_error *err = &failure->err;
	if (failure->status == INF_OK) {
		kit_expect(kit, kit_is_blank(err), "%s was INF_OK and touched *err", failure->what);
		return;
	}
	kit_expect(kit, failure->status < 0 && failure->status >= INF_E_BAD_OUTPUT, "%s returned %d, which is no status",
		   failure->what, failure->status);
	kit_expect(kit, err->code == failure->status, "%s returned %s, and err->code is %s", failure->what,
		   kit_status(failure->status), kit_status(err->code));
	bool ends = memchr(err->message, '\0', sizeof err->message);
	kit_expect(kit, ends && err->message[0] && !strchr(err->message, '\n') &&
		   kit_is_utf8(err->message, strlen(err->message)), "%s: the message is not one line of UTF-8", failure->what);
}

static void tell_load(struct kit_world *world, const struct kit_failure *failure, const inf_model *out)
{
	(void)out;
	check_error(world->kit, failure);
}

static void tell_call(struct kit_world *world, const struct kit_failure *failure, const inf_gen_result *result)
{
	inf_error last = kit_blank_error();
	(void)result;
	check_error(world->kit, failure);
	inf_status st = world->kit->backend->err(world->model, &last);
	kit_expect(world->kit, st == failure->status && last.code == st, "%s returned %s, and err() says %s", failure->what,
		   kit_status(failure->status), kit_status(st));
}

static void check_success(struct kit_world *world)
{
	struct kit *kit = world->kit;
	struct kit_sink *sink = kit_sink_new();
	inf_error err = kit_blank_error();
	const inf_gen_params params = kit_params(world, sink, 2);
	inf_status st = kit_generate(world, sink, "a b", 3, &params, NULL, &err);
	if (st == INF_OK)
		kit_expect(kit, kit_is_blank(&err), "generate() was INF_OK and touched *err");
	st = kit->backend->err(world->model, &err);
	kit_expect(kit, st == INF_OK && err.code == INF_OK, "after a generation that went well err() says %s", kit_status(st));
	kit->backend->err(world->model, NULL);
	free(sink);
}

void kit_inf_171(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	kit_bad_loads(&world, tell_load);
	kit_bad_calls(&world, tell_call);
	check_success(&world);
	kit_world_close(&world);
}

/* ---- INF-172 ---- */
/* And sees them end, so that what is asked next is asked of the dead. */
static void kill_children(struct kit_sink *sink)
{
	pid_t pids[CHILDREN_MAX];
	siginfo_t info;
	size_t count = sink->calls == 1 ? kit_children(getpid(), pids, CHILDREN_MAX) : 0;
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < count; i++)	/* the plugin may reap them first: ECHILD */
		while (waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT) && errno == EINTR)
			;
}

static inf_status say(struct kit_world *world, struct kit_sink *sink, inf_error *err)
{
	const inf_gen_params params = kit_params(world, sink, 0);
	*err = (inf_error){ .struct_size = sizeof *err };
	return kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, NULL, err);
}

static void check_death(struct kit_world *world)
{
	struct kit *kit = world->kit;
	struct kit_sink *sink = kit_sink_new();
	bool dead = false;
	inf_error err;
	sink->in_token = kill_children;
	inf_status st = say(world, sink, &err);
	free(sink);
	for (int i = 0; i <= CALLS_AFTER; i++) {
		kit_expect(kit, st == INF_OK || st == INF_E_BACKEND_DIED, "the backend's processes were killed, and generate() returned %s",
			   kit_status(st));
		kit_expect(kit, !dead || st == INF_E_BACKEND_DIED, "the model was dead for ever, and then generate() returned %s",
			   kit_status(st));
		dead |= st != INF_OK && (err.flags & INF_ERR_FLAG_MODEL_DEAD);
		sink = kit_sink_new();
		st = say(world, sink, &err);
		free(sink);
	}
}

void kit_inf_172(struct kit *kit)
{
	pid_t pids[CHILDREN_MAX];
	struct kit_world world;
	signal(SIGPIPE, SIG_DFL);
	if (!kit_world_load(&world, kit))
		return;
	if (kit_children(getpid(), pids, CHILDREN_MAX))
		check_death(&world);
	else
		kit_skip(kit, "the backend has no process that could die");
	kit_world_close(&world);
}

/* ---- INF-173 ---- */
static void check_reason(struct kit *kit, const struct kit_failure *failure)
{
	const char *reason = failure->err.reason;
	if (failure->status == INF_OK)
		return;
	bool good = memchr(reason, '\0', sizeof failure->err.reason) && reason[0] &&
		    !reason[strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789_")];
	kit_expect(kit, good, "%s: the reason \"%.31s\" is not [a-z0-9_]+", failure->what, reason);
}

static void tell_reason_of_load(struct kit_world *world, const struct kit_failure *failure, const inf_model *out)
{
	(void)out;
	check_reason(world->kit, failure);
}

static void tell_reason_of_call(struct kit_world *world, const struct kit_failure *failure, const inf_gen_result *result)
{
	(void)result;
	check_reason(world->kit, failure);
}

void kit_inf_173(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	kit_bad_loads(&world, tell_reason_of_load);
	kit_bad_calls(&world, tell_reason_of_call);
	kit_world_close(&world);
}
