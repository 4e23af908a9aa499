/* SPDX-License-Identifier: MIT */
/* What slots have evaluated, on disk (inf.state/1). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "backend_call.h"
#include "digest.h"
#include "fail.h"
#include "split.h"
#include "statefile.h"

enum { BODY_MAX = 64 << 10, PATH_MAX_SLOT = 64 };

/* ---- what a state is for --------------------------------------------------------------------------------------- */
static inf_status add_file(const char *path, uint64_t *digest, inf_error *err)
{
	uint64_t file;
	inf_status st = gr_statefile_sample(path, &file, err);
	if (st == INF_OK)
		*digest = gr_digest(*digest, &file, sizeof file);
	return st;
}

static inf_status sample_model(const struct gr_modelset *set, uint64_t *out, inf_error *err)
{
	struct gr_split split;
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s", set->path);
	bool parts = set->part_count > 1 && gr_split_parse(path, &split);
	*out = GR_DIGEST_INIT;
	for (uint32_t no = 1; no <= set->part_count; no++) {
		if (parts)
			gr_split_rename(path, &split, no);
		inf_status st = add_file(path, out, err);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

inf_status gr_state_open(struct gr_start *start, inf_error *err)
{
	inf_status st = gr_statefile_check_dir(start->state_dir, err);
	if (st != INF_OK)
		return st;
	gr_statefile_sweep(start->state_dir);
	for (size_t i = 0; i < start->adapters.count && st == INF_OK; i++)
		st = gr_statefile_sample(start->adapters.items[i].path, &start->adapters.items[i].digest, err);
	if (st == INF_OK)
		st = sample_model(&start->set, &start->model_digest, err);
	return st == INF_OK && start->projector_path ? add_file(start->projector_path, &start->model_digest, err) : st;
}

/* An adapter that counts nothing is none. */
static uint64_t digest_adapters(const struct gr_adapters *adapters)
{
	uint64_t digest = GR_DIGEST_INIT;
	for (size_t i = 0; i < adapters->count; i++) {
		const struct gr_adapter *adapter = &adapters->items[i];
		if (adapter->scale == 0)
			continue;
		digest = gr_digest(digest, &adapter->digest, sizeof adapter->digest);
		digest = gr_digest(digest, &adapter->scale, sizeof adapter->scale);
	}
	return digest;
}

static uint64_t digest_cache(const struct gr_launch_plan *plan)
{
	uint64_t k = gr_digest_text(plan->cache_type_k ? plan->cache_type_k : "");
	return gr_digest(k, plan->cache_type_v, plan->cache_type_v ? strlen(plan->cache_type_v) : 0);
}

/* All slots are the caller's, so the scales stay. */
static struct gr_statefile_identity identify(const inf_model *model)
{
	const struct gr_start *start = model->start;
	return (struct gr_statefile_identity){
		.model = start->model_digest,
		.adapters = digest_adapters(&start->adapters),
		.cache = digest_cache(&start->plan),
		.server = gr_digest_text(start->facts.version),
		.context_len = (uint64_t)model->info.context_len,
	};
}

/* ---- the server's actions -------------------------------------------------------------------------------------- */
struct job {
	inf_status (*run)(struct gr_call *call, struct job *job);
	int32_t slot, to;
	const char *name;
	struct gr_wire_slot done;	/* by the server */
	uint64_t bytes;			/* of the file */
	struct gr_buf body, answer;
};

static inf_status refused_restore(struct gr_call *call, int code, const struct gr_buf *body, void *user)
{
	const struct job *job = user;
	struct gr_wire_error error;
	if (code != 400 || !gr_wire_decode_error(gr_buf_text(body), body->len, &error))
		return INF_OK;
	return inf_fail(call->err, INF_E_BAD_MODEL, "state_refused", "llama-server refuses the state %s: %s",
			job->name ? job->name : "to copy", error.message);
}

static inf_status fail_write(inf_error *err)
{
	return inf_fail(err, INF_E_IO, "state_io",
			"llama-server could not write the whole state to the load's state-dir: see whether the disk is full");
}

static inf_status refused_save(struct gr_call *call, int code, const struct gr_buf *body, void *user)
{
	(void)body;
	(void)user;
	return code == 500 ? fail_write(call->err) : INF_OK;
}

static inf_status act(struct gr_call *call, struct job *job, const char *path, const char *file, bool save)
{
	const struct gr_question question = {
		.kind = GR_QUESTION_COMPUTES, .path = path, .body = &job->body, .answer = &job->answer,
		.refused = save ? refused_save : refused_restore, .user = job,
	};
	gr_buf_reset(&job->body);
	inf_status st = gr_wire_encode_slot_file(&job->body, file);
	if (st != INF_OK)
		return gr_call_encode_failed(st, call->err);
	st = gr_call_ask(call, &question);
	return st != INF_OK ? st : gr_wire_decode_slot(gr_buf_text(&job->answer), job->answer.len, &job->done, call->err);
}

static inf_status act_save(struct gr_call *call, struct job *job, const struct gr_statefile *file)
{
	char path[PATH_MAX_SLOT];
	snprintf(path, sizeof path, "/slots/%d?action=save", (int)job->slot);
	inf_status st = act(call, job, path, file->name, true);
	if (st == INF_OK && !job->done.tokens)
		return inf_fail(call->err, INF_E_INVALID, "slot_empty", "slot %d has evaluated nothing", job->slot);
	if (st == INF_OK && (!job->done.bytes || (uint64_t)job->done.bytes != gr_statefile_size(file)))
		return fail_write(call->err);
	return st;
}

static inf_status act_restore(struct gr_call *call, struct job *job, const char *file)
{
	char path[PATH_MAX_SLOT];
	snprintf(path, sizeof path, "/slots/%d?action=restore", (int)job->to);
	return act(call, job, path, file, false);
}

static inf_status save(struct gr_call *call, struct job *job)
{
	const char *dir = call->model->start->state_dir;
	const struct gr_statefile_identity identity = identify(call->model);
	const struct gr_statefile_poll poll = { gr_call_poll, call };
	struct gr_statefile file = GR_STATEFILE_INIT;
	inf_status st = gr_statefile_create(&file, dir, call->err);
	if (st == INF_OK)
		st = act_save(call, job, &file);
	if (st == INF_OK)
		st = gr_statefile_keep(&file, dir, job->name, &identity, &poll, &job->bytes, call->err);
	gr_statefile_release(&file);
	return st;
}

static inf_status restore(struct gr_call *call, struct job *job)
{
	const struct gr_statefile_identity identity = identify(call->model);
	const struct gr_statefile_poll poll = { gr_call_poll, call };
	inf_status st = gr_statefile_check(call->model->start->state_dir, job->name, &identity, &poll, &job->bytes,
					   call->err);
	return st == INF_OK ? act_restore(call, job, job->name) : st;
}

static inf_status fork_slot(struct gr_call *call, struct job *job)
{
	struct gr_statefile file = GR_STATEFILE_INIT;
	inf_status st = gr_statefile_create(&file, call->model->start->state_dir, call->err);
	if (st == INF_OK)
		st = act_save(call, job, &file);
	job->bytes = st == INF_OK ? gr_statefile_size(&file) : 0;
	if (st == INF_OK)
		st = act_restore(call, job, file.name);
	gr_statefile_release(&file);
	return st;
}

/* ---- one call -------------------------------------------------------------------------------------------------- */
static inf_status run_job(struct gr_call *call, void *user)
{
	struct job *job = user;
	return job->run(call, job);
}

/* What the slots of a server held that died is gone. */
static bool again(struct gr_call *call, void *user)
{
	const struct job *job = user;
	(void)call;
	return job->run == restore;
}

static inf_status check_slot(const inf_model *model, int32_t slot, inf_error *err)
{
	if (slot >= 0 && slot < model->info.parallel_slots)
		return INF_OK;
	return inf_fail(err, INF_E_INVALID, "slot", "slot %d does not exist: the model has %d, counted from 0", slot,
			model->info.parallel_slots);
}

static inf_status check_job(const inf_model *model, const struct job *job, inf_error *err)
{
	inf_status st = check_slot(model, job->slot, err);
	if (st == INF_OK)
		st = check_slot(model, job->to, err);
	if (st == INF_OK && job->run != fork_slot)
		st = gr_statefile_check_name(job->name, err);
	if (st == INF_OK && job->run == fork_slot && job->slot == job->to)
		st = inf_fail(err, INF_E_INVALID, "slot", "slot %d cannot be forked into itself", job->slot);
	return st;
}

static inf_status run(inf_model *model, struct job *job, const inf_call_params *params, inf_state_info *out, inf_error *err)
{
	struct gr_call call;
	/* Which slots of the server work is not known here, so all of them are kept free for it. */
	const struct gr_call_work work = { .run = run_job, .again = again, .user = job, .alone = true };
	gr_buf_init(&job->body, BODY_MAX);
	gr_buf_init(&job->answer, BODY_MAX);
	inf_status st = gr_call_enter(&call, model, params, err);
	if (st != INF_OK)
		return st;
	st = check_job(model, job, err);
	if (st == INF_OK)
		st = gr_call_run(&call, &work);
	gr_buf_release(&job->body);
	gr_buf_release(&job->answer);
	gr_call_leave(&call);
	const inf_state_info info = { .struct_size = sizeof info, .tokens = job->done.tokens, .bytes = job->bytes };
	if (st == INF_OK && out)
		inf_write_struct(out, &info, sizeof info);
	return st;
}

static inf_status INF_CALL save_state(inf_model *model, int32_t slot, const char *name, const inf_call_params *params,
				      inf_state_info *out, inf_error *err)
{
	struct job job = { .run = save, .slot = slot, .to = slot, .name = name };
	return run(model, &job, params, out, err);
}

static inf_status INF_CALL restore_state(inf_model *model, int32_t slot, const char *name, const inf_call_params *params,
					 inf_state_info *out, inf_error *err)
{
	struct job job = { .run = restore, .slot = slot, .to = slot, .name = name };
	return run(model, &job, params, out, err);
}

static inf_status INF_CALL fork_state(inf_model *model, int32_t from, int32_t to, const inf_call_params *params,
				      inf_state_info *out, inf_error *err)
{
	struct job job = { .run = fork_slot, .slot = from, .to = to };
	return run(model, &job, params, out, err);
}

const inf_state gr_state_table = {
	.struct_size = sizeof(inf_state), .save = save_state, .restore = restore_state, .fork = fork_state,
};
