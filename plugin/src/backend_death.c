/* SPDX-License-Identifier: MIT */
/* Why a server ended: what the kernel, the supervisor and the server's output know, put before diagnose.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "diagnose.h"
#include "fail.h"

static struct gr_oom look_at_memory(const inf_model *self)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct gr_oom now = GR_OOM_INIT;
	if (gr_sysroot_open(&root, self->instance->options.sysroot) == 0)
		gr_oom_look(&now, &root.ops);
	gr_sysroot_release(&root);
	return now;
}

void gr_server_watch_memory(inf_model *self)
{
	atomic_store(&self->killed, false);
	self->before = look_at_memory(self);
}

/* With the output; without where there is no memory for it. */
static void diagnose(inf_model *self, struct gr_death *death, struct gr_diagnosis *out)
{
	char *output = malloc(GR_SUPERVISOR_RING + 1);
	if (output) {
		death->output = output;
		death->len = gr_supervisor_output(self->server, output, GR_SUPERVISOR_RING + 1);
		death->cut = gr_supervisor_output_total(self->server) > death->len;
	}
	*out = gr_diagnose(death);
	free(output);
}

void gr_server_flag_death(const inf_model *self, inf_error *err)
{
	gr_fail_flags(err, self->start->options.restart ? INF_ERR_FLAG_RETRYABLE : INF_ERR_FLAG_MODEL_DEAD);
}

inf_status gr_server_explain_death(inf_model *self, bool loading, inf_error *err)
{
	struct gr_exit exit = gr_supervisor_exit(self->server);
	struct gr_death death = GR_DEATH_INIT;
	struct gr_diagnosis d;
	char workers[256] = "";
	death.loading = loading;
	death.by_us = atomic_load(&self->killed);
	death.exit_code = exit.kind == GR_EXIT_CODE ? exit.value : -1;
	death.signal = exit.kind == GR_EXIT_SIGNAL ? exit.value : 0;
	death.oom_kills_before = self->before.kills;
	death.oom_kills_after = look_at_memory(self).kills;
	death.available_bytes = self->before.available_bytes;
	diagnose(self, &death, &d);
	if (strcmp(d.reason, "rpc_worker_lost") == 0)
		gr_rpc_blame(self, workers, sizeof workers);
	inf_fail(err, d.status, d.reason, "%s%s%s%s%s%s", d.sentence, workers, d.hint[0] ? "; " : "", d.hint,
		 d.quote[0] ? "; its words: " : "", d.quote);
	if (!loading)
		gr_server_flag_death(self, err);
	return d.status;
}

void gr_server_last_words(inf_model *self, char *out, size_t cap)
{
	struct gr_death death = GR_DEATH_INIT;
	struct gr_diagnosis d;
	death.loading = true;
	diagnose(self, &death, &d);
	snprintf(out, cap, "%s", d.quote);
}
