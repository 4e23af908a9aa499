/* SPDX-License-Identifier: MIT */
/*
 * Requests by their ids and in numbers, inf.cancel/1 and inf.metrics/1 of the engine, as a host without libinference calls it.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend_call.h"
#include "harness.h"
#include "profile.h"
#include "scratch.h"
#include "suite.h"

/* 100 ms are promised; the machine may be busy. */
enum { CANCEL_MS = 1000, SOON_MS = 10000, PROMPT_WORDS = 1900, TOO_MANY_WORDS = 20000, GONE_MS = 5000, ID_MAX = 255 };

struct world {
	struct scratch scratch;
	inf_host host;
	inf_kv server;
	const inf_backend *backend;
	inf_instance *instance;
	inf_model *model;
	const inf_cancel *cancel;
	const inf_metrics *metrics;
	inf_error err;
	char log[8192];
};

static void keep_log(void *ctx, int32_t level, const char *message, size_t len)
{
	struct world *w = ctx;
	size_t have = strlen(w->log);
	if (level >= INF_LOG_INFO)
		snprintf(w->log + have, sizeof w->log - have, "%.*s\n", (int)len, message);
}

static void open_world(struct world *w, const char *server, int32_t slots, const inf_kv *options, size_t count)
{
	w->server = (inf_kv){ "llama-server.path", server };
	w->host = (inf_host){ .struct_size = sizeof w->host, .options = &w->server, .option_count = 1, .ctx = w,
			      .log = keep_log, .log_level = INF_LOG_INFO };
	w->err.struct_size = sizeof w->err;
	w->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&w->host, &w->instance, &w->err), INF_OK);
	const inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .parallel_slots = slots,
				       .options = options, .option_count = count };
	inf_status st = w->backend->load(w->instance, w->backend, &load, &w->model, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	w->cancel = w->backend->get_extension(w->instance, w->backend, w->model, INF_EXT_CANCEL);
	w->metrics = w->backend->get_extension(w->instance, w->backend, w->model, INF_EXT_METRICS);
	ck_assert_ptr_nonnull(w->cancel);
	ck_assert_ptr_nonnull(w->metrics);
}

static void open_real(struct world *w, int32_t slots)
{
	memset(w, 0, sizeof *w);
	open_world(w, harness_server(), slots, NULL, 0);
}

static void open_fake(struct world *w, const char *script, int32_t slots)
{
	static const inf_kv options[] = { { "restart", "on-demand" } };
	memset(w, 0, sizeof *w);
	scratch_init(&w->scratch);
	const char *program = scratch_copy(&w->scratch, "llama-server", getenv("GR_TEST_FAKE_SERVER"));
	ck_assert_int_eq(chmod(program, 0755), 0);
	scratch_write(&w->scratch, "llama-server.script", script, strlen(script));
	open_world(w, program, slots, options, 1);
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(w->backend->close(w->model, &w->err), INF_OK);
	gr_plugin.destroy(w->instance);
	if (w->scratch.path)
		scratch_release(&w->scratch);
}

static inf_metrics_report read_metrics(struct world *w)
{
	inf_metrics_report report = { .struct_size = sizeof report };
	ck_assert_int_eq(w->metrics->read(w->model, &report, &w->err), INF_OK);
	return report;
}

/* ---- calls on threads of their own -------------------------------------------------------------------------------------- */
struct job {
	struct world *world;
	const char *id, *prompt;
	uint32_t flags;
	int32_t max_tokens;
	atomic_int tokens, polls;
	int64_t ended_ms;
	inf_status status;
	inf_gen_result result;
	inf_error err;
	pthread_t thread;
};

static int32_t count_token(void *user, const inf_token *token)
{
	struct job *job = user;
	(void)token;
	job->tokens++;
	return INF_CONTINUE;
}

static int32_t count_poll(void *user)
{
	((struct job *)user)->polls++;
	return INF_CONTINUE;
}

static void *run(void *arg)
{
	struct job *job = arg;
	const char *prompt = job->prompt ? job->prompt : "Once";
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS | job->flags, .max_tokens = job->max_tokens,
		.request_id = job->id, .user = job, .on_token = count_token, .on_poll = count_poll,
	};
	job->result.struct_size = sizeof job->result;
	job->err.struct_size = sizeof job->err;
	job->status = job->world->backend->generate(job->world->model, prompt, strlen(prompt), &params, &job->result, &job->err);
	job->ended_ms = monotonic_ms();
	return NULL;
}

static void start(struct job *job)
{
	ck_assert_int_eq(pthread_create(&job->thread, NULL, run, job), 0);
}

static bool has_tokens(void *ctx)
{
	return ((struct job *)ctx)->tokens > 0;
}

/* A call in decode that does not come to its end while this test does something else. */
static void start_and_freeze(struct job *job)
{
	start(job);
	ck_assert(wait_until(has_tokens, job, SOON_MS));
	kill(harness_server_pid(), SIGSTOP);
}

static bool has_polled(void *ctx)
{
	return ((struct job *)ctx)->polls > 1;
}

static bool one_waits(void *ctx)
{
	return read_metrics(ctx).queue_depth == 1;
}

/* Cancel by id: the call is back soon. */
static void expect_cancelled(struct job *job, const char *id)
{
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(job->world->cancel->cancel(job->world->model, id, &job->world->err), INF_OK);
	pthread_join(job->thread, NULL);
	ck_assert_msg(job->status == INF_E_CANCELLED, "%d: %s", job->status, job->err.message);
	ck_assert_int_eq(job->err.code, INF_E_CANCELLED);
	ck_assert_int_eq(job->result.finish, INF_FINISH_CANCELLED);
	ck_assert_msg(job->ended_ms - begun < CANCEL_MS, "%lld ms", (long long)(job->ended_ms - begun));
}

/* ---- cancel ------------------------------------------------------------------------------------------------------------- */
START_TEST(cancel_in_decode_and_in_the_queue)
{
	struct world w;
	open_real(&w, 1);
	struct job decodes = { .world = &w, .id = "decodes" }, waits = { .world = &w, .id = "waits" };
	start_and_freeze(&decodes);
	start(&waits);
	ck_assert(wait_until(one_waits, &w, SOON_MS));
	expect_cancelled(&waits, "waits");
	ck_assert_int_eq(waits.tokens, 0);
	expect_cancelled(&decodes, "decodes");
	kill(harness_server_pid(), SIGCONT);
	ck_assert_int_gt(decodes.result.generated_tokens, 0);
	struct job again = { .world = &w, .id = "decodes", .max_tokens = 3 };	/* an id is free again */
	run(&again);
	ck_assert_msg(again.status == INF_OK, "%s", again.err.message);
	close_world(&w);
}
END_TEST

static char *long_prompt(int words)
{
	char *prompt = malloc((size_t)words * 2 + 1);
	for (int i = 0; i < words; i++)
		memcpy(prompt + 2 * i, " a", 3);
	return prompt;
}

static bool slot_busy(void *ctx)
{
	(void)ctx;
	return harness_busy_slots(harness_server_pid()) == 1;
}

START_TEST(cancel_in_prefill)
{
	struct world w;
	open_real(&w, 1);
	char *prompt = long_prompt(PROMPT_WORDS);
	struct job job = { .world = &w, .id = "long", .prompt = prompt, .flags = INF_GEN_FLAG_NO_PROMPT_CACHE };
	start(&job);
	ck_assert(wait_until(slot_busy, NULL, SOON_MS));
	expect_cancelled(&job, "long");
	free(prompt);
	close_world(&w);
}
END_TEST

START_TEST(cancel_ends_every_call_of_that_id_and_no_other)
{
	struct world w;
	open_fake(&w, "on /completion\n stream\n token a\n token b\n hang\n", 3);
	struct job jobs[3] = { { .world = &w, .id = "same" }, { .world = &w, .id = "same" }, { .world = &w, .id = "other" } };
	for (int i = 0; i < 3; i++)
		start(&jobs[i]);
	for (int i = 0; i < 3; i++)
		ck_assert(wait_until(has_tokens, &jobs[i], SOON_MS));
	expect_cancelled(&jobs[0], "same");
	pthread_join(jobs[1].thread, NULL);
	ck_assert_int_eq(jobs[1].status, INF_E_CANCELLED);
	ck_assert_int_eq(w.cancel->cancel(w.model, "same", &w.err), INF_E_NOT_FOUND);
	ck_assert_str_eq(w.err.reason, "request_id");
	expect_cancelled(&jobs[2], "other");
	close_world(&w);
}
END_TEST

static int32_t count_class(void *user, const inf_class *result)
{
	(void)user;
	(void)result;
	return INF_CONTINUE;
}

/* A batch or a classification of three inputs, of which the first never ends. */
struct many {
	struct world *world;
	bool classify;
	inf_status status;
	pthread_t thread;
};

static void *run_many(void *arg)
{
	struct many *many = arg;
	struct world *w = many->world;
	const inf_input input = { .struct_size = sizeof input, .prompt = "Once", .prompt_len = 4 };
	const inf_input *const inputs[] = { &input, &input, &input };
	const inf_batch_params batch = { .struct_size = sizeof batch, .request_id = "many" };
	const inf_classify_params classify = { .struct_size = sizeof classify, .request_id = "many", .on_class = count_class };
	const void *table = w->backend->get_extension(w->instance, w->backend, w->model, many->classify ? INF_EXT_CLASSIFY :
						      INF_EXT_BATCH);
	many->status = many->classify ? ((const inf_classify *)table)->run(w->model, inputs, 3, &classify, NULL) :
					((const inf_batch *)table)->run(w->model, inputs, 3, &batch, NULL);
	return NULL;
}

static bool one_computes(void *ctx)
{
	return read_metrics(ctx).slots_busy == 1;
}

START_TEST(cancel_ends_a_call_with_many_inputs)
{
	for (int classify = 0; classify < 2; classify++) {
		struct world w;
		open_fake(&w, "on /completion\n hang\n", 1);
		struct many many = { .world = &w, .classify = classify };
		ck_assert_int_eq(pthread_create(&many.thread, NULL, run_many, &many), 0);
		ck_assert(wait_until(one_computes, &w, SOON_MS));
		int64_t begun = monotonic_ms();
		ck_assert_int_eq(w.cancel->cancel(w.model, "many", &w.err), INF_OK);
		pthread_join(many.thread, NULL);
		ck_assert_int_lt(monotonic_ms() - begun, CANCEL_MS);
		ck_assert_int_eq(many.status, INF_E_CANCELLED);
		ck_assert_uint_eq(read_metrics(&w).requests, 1);
		ck_assert_int_eq(w.cancel->cancel(w.model, "many", &w.err), INF_E_NOT_FOUND);
		close_world(&w);
	}
}
END_TEST

/* Between two of its inputs, when none is in flight. */
START_TEST(cancel_of_a_whole_holds_for_what_it_begins_afterwards)
{
	struct world w;
	struct gr_call whole;
	open_real(&w, 1);
	ck_assert_int_eq(gr_call_list_whole(&whole, w.model, "whole", NULL, &w.err), INF_OK);
	struct job before = { .world = &w, .id = "whole", .max_tokens = 2 }, after = before, other = { .world = &w, .id = "other", .max_tokens = 2 };
	run(&before);
	ck_assert_int_eq(before.status, INF_OK);
	ck_assert_int_eq(w.cancel->cancel(w.model, "whole", &w.err), INF_OK);
	run(&after);
	ck_assert_int_eq(after.status, INF_E_CANCELLED);
	run(&other);
	ck_assert_int_eq(other.status, INF_OK);
	gr_call_unlist(&whole);
	struct job later = { .world = &w, .id = "whole", .max_tokens = 2 };
	run(&later);
	ck_assert_int_eq(later.status, INF_OK);
	close_world(&w);
}
END_TEST

/* The first start is good, the next one never ends. */
START_TEST(cancel_while_the_server_is_started_again)
{
	struct world w;
	open_fake(&w, "on start x1\n listen\non start\n hang\n", 1);
	pid_t server = harness_server_pid();
	kill(server, SIGKILL);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	struct job job = { .world = &w, .id = "patient", .max_tokens = 3 };
	start(&job);
	ck_assert(wait_until(has_polled, &job, SOON_MS));
	int64_t begun = monotonic_ms();
	const inf_metrics_report report = read_metrics(&w);	/* waits for nobody */
	ck_assert_int_lt(monotonic_ms() - begun, CANCEL_MS);
	ck_assert_int_eq(report.running, 0);
	ck_assert_int_eq(report.slots_busy, 1);
	ck_assert_int_eq(report.restarts, 0);
	ck_assert_uint_eq(report.host_memory_bytes, 0);
	expect_cancelled(&job, "patient");
	close_world(&w);
}
END_TEST

static const struct {
	const char *id;
	bool good;
} ids[] = { { "", false }, { "\xff", false }, { "\xed\xa0\x80", false }, { "x", true }, { "d\xc3\xa9j\xc3\xa0 vu", true } };

START_TEST(request_id_is_checked)
{
	struct world w;
	char longest[ID_MAX + 2];
	open_real(&w, 1);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct job job = { .world = &w, .id = ids[i].id, .max_tokens = 1 };
		run(&job);
		ck_assert_int_eq(job.status, ids[i].good ? INF_OK : INF_E_INVALID);
		ck_assert_str_eq(job.err.reason, ids[i].good ? "" : "request_id");
		ck_assert_int_eq(w.cancel->cancel(w.model, ids[i].id, &w.err), ids[i].good ? INF_E_NOT_FOUND : INF_E_INVALID);
	}
	for (size_t len = ID_MAX; len <= ID_MAX + 1; len++) {
		memset(longest, 'i', len);
		longest[len] = '\0';
		struct job job = { .world = &w, .id = longest, .max_tokens = 1 };
		run(&job);
		ck_assert_int_eq(job.status, len == ID_MAX ? INF_OK : INF_E_INVALID);
	}
	ck_assert_int_eq(w.cancel->cancel(w.model, NULL, &w.err), INF_E_INVALID);
	ck_assert_int_eq(w.cancel->cancel(NULL, "x", &w.err), INF_E_INVALID);
	ck_assert_ptr_null(w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_CANCEL));
	ck_assert_ptr_null(w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_METRICS));
	close_world(&w);
}
END_TEST

START_TEST(request_that_fails_is_named_in_the_log)
{
	struct world w;
	open_fake(&w, "on /completion x2\n answer 500 {\"error\":{\"code\":500,\"message\":\"out of luck\",\"type\":\"x\"}}\n", 1);
	struct job named = { .world = &w, .id = "line\none", .max_tokens = 1 }, nameless = { .world = &w, .max_tokens = 1 };
	run(&nameless);
	ck_assert_int_eq(nameless.status, INF_E_INTERNAL);
	ck_assert_ptr_null(strstr(w.log, "out of luck"));
	run(&named);
	ck_assert_ptr_nonnull(strstr(w.log, "request \"line?one\" failed with status -1: llama-server refuses the request: out of luck"));
	close_world(&w);
}
END_TEST

/* ---- metrics -------------------------------------------------------------------------------------------------------------- */
static void expect_requests(struct world *w, uint64_t all, uint64_t failed, uint64_t cancelled, uint64_t refused)
{
	const inf_metrics_report report = read_metrics(w);
	ck_assert_uint_eq(report.requests, all);
	ck_assert_uint_eq(report.requests_failed, failed);
	ck_assert_uint_eq(report.requests_cancelled, cancelled);
	ck_assert_uint_eq(report.requests_refused, refused);
}

START_TEST(metrics_count_every_call_once)
{
	struct world w;
	uint64_t prompt = 0, generated = 0, prefill = 0, decode = 0, cached = 0;
	open_real(&w, 1);
	expect_requests(&w, 0, 0, 0, 0);
	struct job good[3] = { { .world = &w, .max_tokens = 5 }, { .world = &w, .max_tokens = 7 }, { .world = &w, .max_tokens = 1 } };
	for (int i = 0; i < 3; i++) {
		run(&good[i]);
		ck_assert_int_eq(good[i].status, INF_OK);
		prompt += (uint64_t)good[i].result.prompt_tokens;
		cached += (uint64_t)good[i].result.cached_tokens;
		generated += (uint64_t)good[i].result.generated_tokens;
		prefill += (uint64_t)good[i].result.prefill_ns;
		decode += (uint64_t)good[i].result.decode_ns;
	}
	ck_assert_uint_eq(generated, 13);
	expect_requests(&w, 3, 0, 0, 0);
	const inf_metrics_report report = read_metrics(&w);
	ck_assert_uint_eq(report.prompt_tokens, prompt);
	ck_assert_uint_eq(report.cached_tokens, cached);
	ck_assert_uint_eq(report.generated_tokens, generated);
	ck_assert_uint_eq(report.prefill_ns, prefill);
	ck_assert_uint_eq(report.decode_ns, decode);

	struct job bad = { .world = &w, .prompt = "\xff" };			/* never had a slot */
	run(&bad);
	expect_requests(&w, 3, 0, 0, 0);
	char *long_text = long_prompt(TOO_MANY_WORDS);
	struct job full = { .world = &w, .prompt = long_text };		/* had one */
	run(&full);
	free(long_text);
	ck_assert_int_eq(full.status, INF_E_CONTEXT_FULL);
	expect_requests(&w, 4, 1, 0, 0);

	struct job decodes = { .world = &w, .id = "decodes" }, waits = { .world = &w, .id = "waits" };
	struct job refused = { .world = &w, .flags = INF_GEN_FLAG_NO_WAIT };
	start_and_freeze(&decodes);
	start(&waits);
	ck_assert(wait_until(one_waits, &w, SOON_MS));
	run(&refused);
	ck_assert_int_eq(refused.status, INF_E_BUSY);
	ck_assert_int_eq(read_metrics(&w).slots_busy, 1);
	expect_cancelled(&waits, "waits");
	expect_requests(&w, 5, 1, 0, 1);
	expect_cancelled(&decodes, "decodes");
	kill(harness_server_pid(), SIGCONT);
	expect_requests(&w, 5, 1, 1, 1);
	ck_assert_int_eq(read_metrics(&w).slots_busy, 0);
	ck_assert_int_eq(read_metrics(&w).queue_depth, 0);
	close_world(&w);
}
END_TEST

static int32_t add_class(void *user, const inf_class *c)
{
	inf_metrics_report *sum = user;
	ck_assert_ptr_null(c->error);
	sum->prompt_tokens += (uint64_t)c->result->prompt_tokens;
	sum->cached_tokens += (uint64_t)c->result->cached_tokens;
	sum->generated_tokens += (uint64_t)c->result->generated_tokens;
	sum->prefill_ns += (uint64_t)c->result->prefill_ns;
	return INF_CONTINUE;
}

START_TEST(metrics_count_the_tokens_of_classifications)
{
	struct world w;
	open_real(&w, 1);
	inf_metrics_report sum = { 0 };
	const inf_classify *table = w.backend->get_extension(w.instance, w.backend, w.model, INF_EXT_CLASSIFY);
	const inf_input input = { .struct_size = sizeof input, .prompt = "Once upon", .prompt_len = 9 };
	const inf_input *inputs[] = { &input, &input };
	const inf_classify_params params = { .struct_size = sizeof params, .user = &sum, .on_class = add_class };
	ck_assert_int_eq(table->run(w.model, inputs, 2, &params, &w.err), INF_OK);
	expect_requests(&w, 2, 0, 0, 0);
	const inf_metrics_report report = read_metrics(&w);
	ck_assert_uint_gt(sum.prompt_tokens, 0);
	ck_assert_uint_eq(report.prompt_tokens, sum.prompt_tokens);
	ck_assert_uint_eq(report.cached_tokens, sum.cached_tokens);
	ck_assert_uint_eq(report.generated_tokens, 2);
	ck_assert_uint_eq(report.prefill_ns, sum.prefill_ns);
	close_world(&w);
}
END_TEST

START_TEST(metrics_tell_of_the_server)
{
	static const inf_kv options[] = { { "restart", "on-demand" } };
	struct world w;
	memset(&w, 0, sizeof w);
	int64_t begun = monotonic_ms();
	open_world(&w, harness_server(), 2, options, 1);
	inf_metrics_report first = read_metrics(&w);
	ck_assert_int_eq(first.running, 1);
	ck_assert_int_eq(first.slots, 2);
	ck_assert_int_eq(first.restarts, 0);
	ck_assert_int_gt(first.uptime_ns, 0);
	ck_assert_int_le(first.uptime_ns, (monotonic_ms() - begun + 1) * 1000000);
	ck_assert_uint_gt(first.host_memory_bytes, 1 << 20);
	pid_t server = harness_server_pid();
	kill(server, SIGKILL);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	struct job job = { .world = &w, .max_tokens = 2 };
	run(&job);
	ck_assert_msg(job.status == INF_OK, "%s", job.err.message);
	int64_t before = monotonic_ms() - begun;
	inf_metrics_report again = read_metrics(&w);
	ck_assert_int_eq(again.running, 1);
	ck_assert_int_eq(again.restarts, 1);
	ck_assert_uint_eq(again.requests, 1);
	ck_assert_uint_eq(again.requests_failed, 0);
	ck_assert_uint_gt(again.host_memory_bytes, 1 << 20);
	ck_assert_int_lt(again.uptime_ns, before * 1000000);
	close_world(&w);
}
END_TEST

static bool is_down(void *ctx)
{
	return !read_metrics(ctx).running;
}

START_TEST(metrics_of_a_dead_server_are_still_read)
{
	struct world w;
	open_real(&w, 1);
	struct job job = { .world = &w, .max_tokens = 2 };
	run(&job);
	kill(harness_server_pid(), SIGKILL);
	ck_assert(wait_until(is_down, &w, GONE_MS));
	struct job late = { .world = &w, .max_tokens = 2 };
	run(&late);
	ck_assert_int_eq(late.status, INF_E_BACKEND_DIED);
	const inf_metrics_report report = read_metrics(&w);
	ck_assert_uint_eq(report.requests, 2);
	ck_assert_uint_eq(report.requests_failed, 1);
	ck_assert_uint_eq(report.generated_tokens, 2);
	ck_assert_int_eq(report.uptime_ns, 0);
	ck_assert_uint_eq(report.host_memory_bytes, 0);
	ck_assert_int_eq(w.metrics->read(w.model, NULL, &w.err), INF_E_INVALID);
	close_world(&w);
}
END_TEST

RUN_SUITE("requests", 60, cancel_in_decode_and_in_the_queue, cancel_in_prefill, cancel_ends_every_call_of_that_id_and_no_other,
	  cancel_ends_a_call_with_many_inputs, cancel_of_a_whole_holds_for_what_it_begins_afterwards, cancel_while_the_server_is_started_again, request_id_is_checked, request_that_fails_is_named_in_the_log,
	  metrics_count_every_call_once, metrics_count_the_tokens_of_classifications, metrics_tell_of_the_server, metrics_of_a_dead_server_are_still_read)
